// Identifiers: 26 characters, sortable by time, unguessable.
import { randomBytes } from 'node:crypto';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const POOL_OCTETS = 4096;

let pool = Buffer.alloc(0);
let used = 0;

/** Unpredictable octets, fetched from the system a few hundred at a time: for ids, not for keys. */
export function randomOctets(count: number): Buffer {
  if (used + count > pool.length) {
    pool = randomBytes(POOL_OCTETS);
    used = 0;
  }
  const octets = pool.subarray(used, used + count);
  used += count;
  return octets;
}

/**
 * A new id: 48 bits of time in front, 80 random bits behind, in Crockford's base 32 (the ULID layout).
 * The random part is fresh each time, never counted up: an order's id is what lets its guest see it.
 */
export function newId(now: number): string {
  let id = '';
  let time = now;
  for (let place = 0; place < 10; place++) {
    id = ALPHABET[time % 32] + id;
    time = Math.floor(time / 32);
  }
  for (const octet of randomOctets(16)) id += ALPHABET[octet & 31];
  return id;
}

/** Whether the text has the shape of an id, so that rubbish never reaches the database. */
export function isId(text: string): boolean {
  return /^[0-9a-hjkmnp-tv-z]{26}$/.test(text);
}

/** The part of an id that sorts by time. */
export function timeOf(id: string): string {
  return id.slice(0, 10);
}

/** The smallest id that could have been made at this time: bounds a search by time on an index of ids. */
export function idAt(time: number): string {
  return timeOf(newId(time)) + '0'.repeat(16);
}
