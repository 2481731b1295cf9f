// Kenyan mobile numbers in every spelling people use.
import { createHash } from 'node:crypto';

/**
 * The canonical form `2547XXXXXXXX` / `2541XXXXXXXX`, or undefined when it is no Kenyan mobile number.
 * Accepts +254…, 254…, 00254…, 0…, the bare nine digits, and 2540… (a kept zero). Prefixes are not checked
 * against networks: numbers are ported between them (payments.md §4.1).
 */
export function normalizeMsisdn(typed: string): string | undefined {
  const plain = typed.normalize('NFKC').replace(/[\s().\-–—/\u200e\u200f\u202a-\u202e]/g, '');
  const digits = plain.replace(/^\+/, '').replace(/^00/, '');
  if (!/^\d+$/.test(digits)) return undefined;
  const national = digits.replace(/^254/, '').replace(/^0/, '');
  return /^[17]\d{8}$/.test(national) ? `254${national}` : undefined;
}

/** `0712•••678`: enough for a person to recognise their own number. */
export function maskMsisdn(msisdn: string): string {
  return `0${msisdn.slice(3, 6)}•••${msisdn.slice(-3)}`;
}

/** Lowercase hex SHA-256 of the digits `2547…`: how M-PESA names a payer in C2B notices, v1 (payments.md §1.8). */
export function hashMsisdn(msisdn: string): string {
  return createHash('sha256').update(msisdn).digest('hex');
}
