// Reads the loose JSON of M-PESA: numbers as strings, lists that are objects, sums of money, payers half hidden.
import { normalizeMsisdn } from '../../lib/msisdn.ts';
import { parseEatTimestamp } from './eat-time.ts';

export type Fields = Record<string, unknown>;

/** Genuine notices have about 500 octets, results about 2,000. */
export const MAX_NOTICE_LENGTH = 64 * 1024;

export const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A JSON string or number as trimmed text; anything else as nothing. */
export const asText = (value: unknown): string =>
  typeof value === 'string' ? value.trim() : typeof value === 'number' ? String(value) : '';

/** A list, where one entry may stand alone and none may be left out. */
export const asList = (value: unknown): unknown[] =>
  Array.isArray(value) ? value : value === undefined || value === null ? [] : [value];

/** Why the raw body of a notice is no JSON. */
export type UnreadableNotice = 'empty' | 'too_large' | 'not_json';

/** The fields of a notice's raw body, none when its JSON is no object; or why it is no JSON. Never throws. */
export function parseNotice(
  bodyText: string,
): { ok: true; fields: Fields } | { ok: false; problem: UnreadableNotice } {
  if (bodyText.length > MAX_NOTICE_LENGTH) return { ok: false, problem: 'too_large' };
  const trimmed = bodyText.replace(/^\uFEFF/, '').trim();
  if (trimmed === '') return { ok: false, problem: 'empty' };
  try {
    const value: unknown = JSON.parse(trimmed);
    return { ok: true, fields: isObject(value) ? value : {} };
  } catch (error) {
    if (error instanceof SyntaxError) return { ok: false, problem: 'not_json' };
    throw error;
  }
}

/** Cents of a sum such as `5`, `5.0`, `5.00`, `1,250.50`; undefined for anything else, for zero unless `zero` is set. */
export function parseCents(
  text: string,
  options: { zero?: boolean; negative?: boolean } = {},
): number | undefined {
  const match = /^(-?)(\d{1,3}(?:,\d{3}){1,3}|\d{1,12})(?:\.(\d{1,2})0*)?$/.exec(text.trim());
  if (!match || (match[1] === '-' && !options.negative)) return undefined;
  const whole = Number((match[2] as string).replaceAll(',', ''));
  const cents = (whole * 100 + Number((match[3] ?? '').padEnd(2, '0'))) * (match[1] === '-' ? -1 : 1);
  return cents === 0 && !options.zero ? undefined : cents;
}

/** A receipt in its canonical spelling; undefined when the text cannot be one. */
export function readReceipt(text: string): string | undefined {
  const receipt = text.trim().toUpperCase();
  return /^[A-Z0-9]{6,20}$/.test(receipt) ? receipt : undefined;
}

/**
 * How much of the payer's number was told; at most one is set. `msisdn_sha256` is lower-case hex of the bare
 * `2547…` digits (C2B v1), `msisdn_masked` is without spaces, such as `2547*****126` (C2B v2).
 */
export type Payer = { msisdn?: string; msisdn_sha256?: string; msisdn_masked?: string };

/** A payer's number as the products write it: in full, hashed, masked, or not at all. */
export function readPayer(text: string): Payer {
  const plain = text.replace(/\s/g, '');
  if (/^[0-9a-f]{64}$/i.test(plain)) return { msisdn_sha256: plain.toLowerCase() };
  if (/^\+?\d*\*+\d*$/.test(plain)) return { msisdn_masked: plain.replace(/^\+/, '') };
  const msisdn = normalizeMsisdn(plain);
  return msisdn === undefined ? {} : { msisdn };
}

/**
 * Epoch ms of the zone-less times that Daraja writes in EAT: `20231121121325`, `06.07.2024 22:48:52`,
 * `2020-08-05 10:13:00`, `2020-08-05T10:13:00Z` (the Z of Pull is taken for decoration: payments.md §1.11).
 */
export function readDarajaTime(text: string): number | undefined {
  const dotted = /^(\d{2})\.(\d{2})\.(\d{4}) (\d{2}):(\d{2}):(\d{2})$/.exec(text);
  if (dotted) {
    const [, day, month, year, hour, minute, second] = dotted;
    return parseEatTimestamp(`${year}${month}${day}${hour}${minute}${second}`);
  }
  const dashed = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2}):(\d{2})(?:\.\d+)?Z?$/.exec(text);
  return parseEatTimestamp(dashed ? dashed.slice(1).join('') : text);
}
