// Which requests are being answered or were answered lately (RFC 5080 §2.2.2).
//
// In flat memory: a map of keys and replies was a million small objects that lived just long enough to be collected
// the slow way, 2 µs of each request at thirty thousand a second.
import { randomBytes } from 'node:crypto';

/** A request under way: where its reply will be kept. */
export interface DuplicateEntry {
  readonly generation: Generation;
  /** Of the generation when the entry was made. */
  readonly age: number;
  readonly slot: number;
}

export interface DuplicateCache {
  /**
   * The reply to a request seen within the lifetime, or `under_way` where there is none yet. `packet` is the request's
   * octets; `address` and `port` are where it came from.
   */
  find(packet: Buffer, address: string, port: number, now: number): Buffer | 'under_way' | undefined;
  add(packet: Buffer, address: string, port: number, now: number): DuplicateEntry;
  /** Keeps the reply for retransmissions. */
  answer(entry: DuplicateEntry, reply: Buffer): void;
  /** Forgets the entry, so that a retransmission is processed. */
  remove(entry: DuplicateEntry): void;
  /** Lets go of everything when nothing was added for a lifetime; while requests come, they do that by themselves. */
  tidy(now: number): void;
  readonly size: number;
  /** The memory of the replies, in octets. */
  readonly octets: number;
}

const HEADER_WORDS = 5;
/** The header, which ends with the authenticator; the address as 64 bits; the port. */
const WORDS = HEADER_WORDS + 3;
/** Slots of a new generation; a power of two, as all later sizes are. */
const FEW = 64;
const REPLY_OCTETS = 128;
const NONE = -1;
const UNDER_WAY = -1;

/** Nobody outside can choose packets that all fall into one chain. */
const seed = randomBytes(4).readInt32LE(0);

/** The key of the request that is looked at. */
const key = new Int32Array(WORDS);

function readKey(packet: Buffer, address: string, port: number): void {
  for (let word = 0; word < HEADER_WORDS; word++) key[word] = packet.readInt32LE(4 * word);
  let one = seed;
  let other = ~seed;
  for (let at = 0; at < address.length; at++) {
    const character = address.charCodeAt(at);
    one = Math.imul(one ^ character, 0x01000193);
    other = Math.imul(other, 0x0019660d) + character;
  }
  key[HEADER_WORDS] = one;
  key[HEADER_WORDS + 1] = other;
  key[HEADER_WORDS + 2] = port;
}

function mix(words: Int32Array, from: number): number {
  let mixed = seed;
  for (let word = from; word < from + WORDS; word++) {
    mixed = Math.imul(mixed ^ words[word]!, 0x9e3779b1);
    mixed ^= mixed >>> 15;
  }
  return mixed;
}

/** Entries in the order in which they came, found through chains of equal hashes. */
class Generation {
  age = 0;
  count = 0;
  removed = 0;
  since = Number.NEGATIVE_INFINITY;
  #heads = new Int32Array(FEW).fill(NONE);
  #next = new Int32Array(FEW);
  #words = new Int32Array(FEW * WORDS);
  #at = new Float64Array(FEW);
  /** Where a reply begins, and its length. */
  #replyAt = new Int32Array(FEW);
  #replyOctets = new Int32Array(FEW);
  #replies = Buffer.allocUnsafe(FEW * REPLY_OCTETS);
  #used = 0;

  /** The newest entry of `key` that is younger than `since`, or NONE. */
  find(since: number): number {
    let slot = this.#heads[mix(key, 0) & (this.#heads.length - 1)]!;
    while (slot !== NONE && !(this.#has(slot) && this.#at[slot]! > since)) slot = this.#next[slot]!;
    return slot;
  }

  #has(slot: number): boolean {
    for (let word = 0; word < WORDS; word++) {
      if (this.#words[slot * WORDS + word] !== key[word]) return false;
    }
    return true;
  }

  add(now: number): number {
    if (this.count === this.#heads.length) this.#grow();
    const slot = this.count++;
    this.#words.set(key, slot * WORDS);
    this.#at[slot] = now;
    this.#replyOctets[slot] = UNDER_WAY;
    this.#link(slot);
    return slot;
  }

  #link(slot: number): void {
    const chain = mix(this.#words, slot * WORDS) & (this.#heads.length - 1);
    this.#next[slot] = this.#heads[chain]!;
    this.#heads[chain] = slot;
  }

  #grow(): void {
    const slots = 2 * this.#heads.length;
    const larger = <T extends Int32Array | Float64Array>(made: T, old: T): T => {
      made.set(old);
      return made;
    };
    this.#next = new Int32Array(slots);
    this.#words = larger(new Int32Array(slots * WORDS), this.#words);
    this.#at = larger(new Float64Array(slots), this.#at);
    this.#replyAt = larger(new Int32Array(slots), this.#replyAt);
    this.#replyOctets = larger(new Int32Array(slots), this.#replyOctets);
    this.#heads = new Int32Array(slots).fill(NONE);
    for (let slot = 0; slot < this.count; slot++) this.#link(slot);
  }

  keep(slot: number, reply: Buffer): void {
    const end = this.#used + reply.length;
    if (end > this.#replies.length) {
      const larger = Buffer.allocUnsafe(Math.max(2 * this.#replies.length, end));
      this.#replies.copy(larger, 0, 0, this.#used);
      this.#replies = larger;
    }
    this.#replies.set(reply, this.#used);
    this.#replyAt[slot] = this.#used;
    this.#replyOctets[slot] = reply.length;
    this.#used = end;
  }

  get octets(): number {
    return this.#replies.length;
  }

  /** A copy: what is kept may be written over before the reply has left. */
  reply(slot: number): Buffer | 'under_way' {
    const octets = this.#replyOctets[slot]!;
    if (octets === UNDER_WAY) return 'under_way';
    const at = this.#replyAt[slot]!;
    return Buffer.from(this.#replies.subarray(at, at + octets));
  }

  remove(slot: number): void {
    // No packet has code 0.
    this.#words[slot * WORDS] = 0;
    this.removed++;
  }

  /** Forgets all, and begins anew in the same memory. */
  restart(now: number): void {
    this.age++;
    this.count = 0;
    this.removed = 0;
    this.since = now;
    this.#used = 0;
    this.#heads.fill(NONE);
  }
}

/**
 * Keeps entries for `lifetimeMs` and never more than `capacity` of them. Two generations take turns: the older one is
 * dropped whole when the younger is full or as old as the lifetime, so that no entry needs a timer.
 */
export function createDuplicateCache(lifetimeMs: number, capacity: number): DuplicateCache {
  const half = Math.max(1, Math.floor(capacity / 2));
  let young = new Generation();
  let old = new Generation();
  let newest = Number.NEGATIVE_INFINITY;

  return {
    find(packet, address, port, now) {
      readKey(packet, address, port);
      const since = now - lifetimeMs;
      const slot = young.find(since);
      if (slot !== NONE) return young.reply(slot);
      const earlier = old.find(since);
      return earlier === NONE ? undefined : old.reply(earlier);
    },
    add(packet, address, port, now) {
      if (young.count >= half || now - young.since >= lifetimeMs) {
        [young, old] = [old, young];
        young.restart(now);
      }
      newest = now;
      readKey(packet, address, port);
      return { generation: young, age: young.age, slot: young.add(now) };
    },
    answer({ generation, age, slot }, reply) {
      if (generation.age === age) generation.keep(slot, reply);
    },
    remove({ generation, age, slot }) {
      if (generation.age === age) generation.remove(slot);
    },
    tidy(now) {
      if (now - newest < lifetimeMs) return;
      young = new Generation();
      old = new Generation();
    },
    get size() {
      return young.count - young.removed + old.count - old.removed;
    },
    get octets() {
      return young.octets + old.octets;
    },
  };
}
