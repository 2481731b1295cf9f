// A seeded source of chance: the same number gives the same store.
import { CODE_ALPHABET } from '../../../src/lib/codes.ts';

const ID_ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

export interface Random {
  /** At least 0, below 1. */
  next(): number;
  /** A whole number from `low` to `high`, both possible. */
  between(low: number, high: number): number;
  chance(probability: number): boolean;
  pick<T>(list: readonly T[]): T;
  text(length: number, alphabet: string): string;
  /** A code as vouchers and user names have it. */
  code(length: number): string;
  mac(): string;
  /** An id of src/lib/ids.ts's layout, made at this time. */
  id(at: number): string;
}

/** The generator is mulberry32: 32 bits of state, good enough to scatter rows. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x100000000;
  };
  const text = (length: number, alphabet: string) => {
    let made = '';
    for (let n = 0; n < length; n++) made += alphabet[Math.floor(next() * alphabet.length)];
    return made;
  };
  return {
    next,
    text,
    between: (low, high) => low + Math.floor(next() * (high - low + 1)),
    chance: (probability) => next() < probability,
    pick: (list) => list[Math.floor(next() * list.length)] as (typeof list)[number],
    code: (length) => text(length, CODE_ALPHABET),
    mac: () => Array.from({ length: 6 }, () => text(2, '0123456789ABCDEF')).join(':'),
    id(at) {
      let front = '';
      for (let time = at, place = 0; place < 10; place++, time = Math.floor(time / 32)) {
        front = ID_ALPHABET[time % 32] + front;
      }
      return front + text(16, ID_ALPHABET);
    },
  };
}
