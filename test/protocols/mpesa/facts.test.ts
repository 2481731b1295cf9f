// Checks the small facts of M-PESA: passwords, times, receipts, result codes.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  describeResult,
  formatEatTimestamp,
  isPlausibleReceipt,
  makeReceipt,
  parseEatTimestamp,
  RESULT_CODES,
  stkPassword,
} from '../../../src/protocols/mpesa/index.ts';
import { receiptDate } from '../../../src/protocols/mpesa/receipt.ts';

describe('the password', () => {
  it('is the documented one for the sandbox', () => {
    const file = new URL('../../vectors/mpesa/password.json', import.meta.url);
    const vector = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
    const { shortcode = '', passkey = '', timestamp = '', password } = vector;
    expect(stkPassword(shortcode, passkey, timestamp)).toBe(password);
  });
});

describe('a Daraja time', () => {
  it('is East Africa Time, also across midnight', () => {
    const at = Date.UTC(2026, 9, 1, 21, 30, 5);
    expect(formatEatTimestamp(at)).toBe('20261002003005');
    expect(parseEatTimestamp('20261002003005')).toBe(at);
  });

  it('is padded', () => {
    expect(formatEatTimestamp(Date.UTC(2026, 0, 2, 0, 4, 5))).toBe('20260102030405');
  });

  it.each(['', '2026100200300', '20261302003005', '20260230003005', '20261002246005', 'abcdefghijklmn'])(
    'is not read from %j',
    (text) => {
      expect(parseEatTimestamp(text)).toBeUndefined();
    },
  );
});

describe('a receipt', () => {
  it('of a genuine capture names its date', () => {
    expect(receiptDate('RLA0R69NXM')).toEqual({ year: 2023, month: 12, day: 10 });
    expect(receiptDate('UJ22T8IYOU')).toEqual({ year: 2026, month: 10, day: 2 });
  });

  it('that is made is plausible on its day, in Nairobi', () => {
    const lateEvening = Date.UTC(2026, 9, 1, 22, 0, 0);
    const receipt = makeReceipt(lateEvening);
    expect(receipt).toMatch(/^UJ2[A-Z0-9]{7}$/);
    expect(isPlausibleReceipt(receipt, lateEvening)).toBe(true);
    expect(isPlausibleReceipt(receipt, lateEvening + 3 * 86_400_000)).toBe(false);
  });

  it.each(['', 'RLA0R69NX', 'rla0r69nxm', 'RZA0R69NXM', 'RL00R69NXM', 'RLW0R69NXM'])(
    'shaped like %j is not plausible',
    (receipt) => {
      expect(isPlausibleReceipt(receipt)).toBe(false);
    },
  );
});

describe('a result code', () => {
  it('that is unknown is being checked, never failed', () => {
    expect(describeResult('77777')).toMatchObject({ code: '77777', final: false, retry: 'no' });
    expect(describeResult('77777').en).toContain('checking');
  });

  it('4999 is not final', () => {
    expect(describeResult('4999').final).toBe(false);
  });

  it.each(['0', '1', '17', '1001', '1019', '1025', '1032', '1037', '2001', '2028', '9999', 'SFC_IC0003'])(
    '%s is final',
    (code) => {
      expect(describeResult(code).final).toBe(true);
    },
  );

  it('is listed once, in two languages, with a wait wherever it says later', () => {
    expect(new Set(RESULT_CODES.map((entry) => entry.code)).size).toBe(RESULT_CODES.length);
    for (const entry of RESULT_CODES) {
      expect(entry.en.length, entry.code).toBeGreaterThan(10);
      expect(entry.sw.length, entry.code).toBeGreaterThan(10);
      expect(entry.sw, entry.code).not.toBe(entry.en);
      expect(entry.retry === 'later', entry.code).toBe(entry.wait_seconds !== undefined);
    }
  });
});
