// Feeds every parser of notices with junk: they must answer, never throw, and never make money of it.
import { describe, expect, it } from 'vitest';
import {
  parseC2bNotice,
  parseInitiatorResult,
  parseQueueTimeout,
  parseStkCallback,
  readAccountBalance,
  readReversal,
  readTransactionStatus,
} from '../../../src/protocols/mpesa/index.ts';

/** Park–Miller: the same junk in every run. */
function createRandom(seed: number) {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

const KEYS = [
  'Body stkCallback CallbackMetadata Item Name Value CheckoutRequestID ResultCode Result ResultParameters',
  'ResultParameter Key TransID TransAmount BusinessShortCode MSISDN TransTime BillRefNumber FirstName',
].flatMap((line) => line.split(' '));
const VALUES = [
  null,
  true,
  0,
  1,
  -1,
  1e21,
  0.1,
  '',
  ' ',
  '0',
  '1.005',
  '-5',
  '5,00',
  '0x10',
  '٥',
  'Infinity',
  'RKL51ZDR4F',
  '600966',
  '2547*****126',
  '*',
  'AccountBalance',
  'Amount',
  'TransactionStatus',
  'Completed',
  '&|&|',
  '__proto__',
];

function junk(random: () => number, depth: number): unknown {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const shape = random();
  if (depth === 0 || shape < 0.3) return pick(VALUES);
  const size = Math.floor(random() * 5);
  if (shape < 0.5) return Array.from({ length: size }, () => junk(random, depth - 1));
  return Object.fromEntries(Array.from({ length: size + 1 }, () => [pick(KEYS), junk(random, depth - 1)]));
}

const isWholeCents = (cents: number | undefined) =>
  cents === undefined || (Number.isSafeInteger(cents) && cents > 0);

describe('junk', () => {
  it('is answered by every parser, and money in it is whole cents above nothing', () => {
    const random = createRandom(20_261_121);
    let read = 0;
    for (let i = 0; i < 20_000; i += 1) {
      const inner = junk(random, 4);
      const body = JSON.stringify(
        [
          inner,
          { Result: inner },
          { Body: { stkCallback: inner } },
          { TransID: 'RKL51ZDR4F', BusinessShortCode: '600966', TransAmount: inner },
        ][i % 4],
      );
      const text = random() < 0.1 ? body.slice(0, Math.floor(random() * body.length)) : body;
      const c2b = parseC2bNotice(text);
      const stk = parseStkCallback(text);
      const result = parseInitiatorResult(text);
      expect(typeof parseQueueTimeout(text).conversation_id).toBe('string');
      if (c2b.ok) expect(isWholeCents(c2b.amount_cents), text).toBe(true);
      if (stk.ok) expect(isWholeCents(stk.amount_cents), text).toBe(true);
      if (result.ok) {
        expect(isWholeCents(readTransactionStatus(result)?.amount_cents), text).toBe(true);
        expect(isWholeCents(readReversal(result).amount_cents), text).toBe(true);
        expect(readAccountBalance(result)?.length, text).not.toBe(0);
      }
      if (c2b.ok || stk.ok || result.ok) read += 1;
    }
    expect(read).toBeGreaterThan(1000);
  });
});
