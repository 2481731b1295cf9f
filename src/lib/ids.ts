// Identifiers: 26 characters, sortable by time, unguessable.
import { randomBytes } from 'node:crypto';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const RANDOM_CHARACTERS = 16;
const POOL_CHARACTERS = 4096;

/** Random characters, made of what the system gives a few hundred ids at a time. */
let pool = '';
let used = 0;

function randomCharacters(): string {
  if (used + RANDOM_CHARACTERS > pool.length) {
    const characters = randomBytes(POOL_CHARACTERS).map((octet) => ALPHABET.charCodeAt(octet & 31));
    pool = Buffer.from(characters).toString('latin1');
    used = 0;
  }
  used += RANDOM_CHARACTERS;
  return pool.slice(used - RANDOM_CHARACTERS, used);
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
  return id + randomCharacters();
}

/** Whether the text has the shape of an id, so that rubbish never reaches the database. */
export function isId(text: string): boolean {
  return /^[0-9a-hjkmnp-tv-z]{26}$/.test(text);
}

/** The part of an id that sorts by time. */
export function timeOf(id: string): string {
  return id.slice(0, 10);
}

/**
 * The smallest id that could have been made at this time: bounds a search by time on an index of ids. None is older than
 * 1970, though a span that is reckoned back may be.
 */
export function idAt(time: number): string {
  return timeOf(newId(Math.max(0, time))) + '0'.repeat(16);
}
