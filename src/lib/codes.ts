// Codes that people read, type or dictate.
import { randomInt } from 'node:crypto';

/** No 0/O, 1/I/L, U/V mix-ups: what is left survives handwriting, a phone call and a small screen. */
export const CODE_ALPHABET = '23456789ABCDEFGHJKMNPQRSTWXYZ';

/** A random code; 8 characters are 29^8 = 5·10^11 possibilities. */
export function randomCode(length: number): string {
  let code = '';
  for (let i = 0; i < length; i++) code += CODE_ALPHABET[randomInt(CODE_ALPHABET.length)];
  return code;
}

/** What a person meant by what they typed: capitals, without spaces, dashes and dots. */
export function normalizeCode(typed: string): string {
  return typed.toUpperCase().replace(/[\s.\-_–—]/g, '');
}

/** The user names that a person may have meant: as typed, in one case, and as a code is stored; the likeliest first. */
export function spellingsOf(typed: string): string[] {
  const name = typed.trim();
  return [...new Set([name, name.toLowerCase(), name.toUpperCase(), normalizeCode(name)])];
}

/** `ABCD2345` as `ABCD-2345`, for reading. */
export function groupCode(code: string): string {
  return code.replace(/(.{4})(?=.)/g, '$1-');
}
