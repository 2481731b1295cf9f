// Makes and reads M-PESA receipt numbers, such as RLA0R69NXM.
import { eatFields } from './eat-time.ts';

// Ten characters; the first three are the date in EAT: year letter (A=2006), month letter (A=Jan), day (1–9, A=10 …
// V=31). Undocumented, but it holds for every genuine capture known, so it may raise a doubt and never decide.
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const FIRST_YEAR = 2006;
const DAY_MS = 86_400_000;

const letter = (index: number) => ALPHABET[10 + (((index % 26) + 26) % 26)] as string;

/** A receipt for a payment at `at` (epoch ms); `random` gives numbers in [0, 1). */
export function makeReceipt(at: number, random: () => number = Math.random): string {
  const { year, month, day } = eatFields(at);
  let receipt = letter(year - FIRST_YEAR) + letter(month - 1) + ALPHABET[day];
  while (receipt.length < 10) receipt += ALPHABET[Math.floor(random() * ALPHABET.length)];
  return receipt;
}

/** The EAT date a receipt claims, or undefined when it is not shaped like one. */
export function receiptDate(receipt: string): { year: number; month: number; day: number } | undefined {
  if (!/^[A-Z][A-L][1-9A-V][A-Z0-9]{7}$/.test(receipt)) return undefined;
  const value = (index: number) => ALPHABET.indexOf(receipt[index] as string);
  return { year: FIRST_YEAR + value(0) - 10, month: value(1) - 9, day: value(2) };
}

/**
 * A soft check for people's eyes: does the receipt look genuine, and, with `at` (epoch ms), was it made within a day
 * of that time? Never refuse money on it.
 */
export function isPlausibleReceipt(receipt: string, at?: number): boolean {
  const date = receiptDate(receipt);
  if (!date) return false;
  if (at === undefined) return true;
  const claimed = Date.UTC(date.year, date.month - 1, date.day);
  const actual = eatFields(at);
  return Math.abs(claimed - Date.UTC(actual.year, actual.month - 1, actual.day)) <= DAY_MS;
}
