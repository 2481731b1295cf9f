// The organisation's statement, in the shapes that a portal, a spreadsheet and the simulator may give it.
import { describe, expect, it } from 'vitest';
import { parseStatement } from '../../../src/protocols/mpesa/index.ts';
import {
  DEFAULT_KNOBS,
  type LedgerEntry,
  type Merchant,
  SIMULATED_MERCHANTS,
} from '../../../src/simulators/mpesa/index.ts';
import { statementCsv } from '../../../src/simulators/mpesa/statement.ts';

const HEAD =
  'Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn,Balance,Balance Confirmed,Reason Type,Other Party Info,Linked Transaction ID,A/C No.';
const PAID =
  'VAF1234XYZ,15-01-2027 11:00:00,15-01-2027 11:00:00,Pay Bill from 2547*****678 - Achieng Otieno Acc. ABC,Completed,"1,020.00",,"5,000.00",true,Pay Utility,2547*****678 - Achieng Otieno,,ABC';
const BACK =
  'VAF9999XYZ,15-01-2027 12:00:00,15-01-2027 12:00:00,Transaction Reversal of VAF1234XYZ to 2547*****678 - Achieng Otieno,Completed,,"-1,020.00",0.00,true,Transaction Reversal,2547*****678 - Achieng Otieno,VAF1234XYZ,ABC';
const PAYMENT = {
  ...{
    receipt: 'VAF1234XYZ',
    amount_cents: 102_000,
    account_reference: 'ABC',
    msisdn_masked: '2547*****678',
  },
  ...{ payer_name: 'Achieng Otieno', at: Date.UTC(2027, 0, 15, 8) },
};

function parsed(...lines: string[]) {
  const statement = parseStatement(lines.join('\r\n'));
  if (!statement.ok) throw new Error(statement.problem);
  return statement;
}

describe('a statement', () => {
  it('is read under its preamble, with thousands, masks and reversals', () => {
    const preamble = ['\uFEFFAccount Holder:,Duka', 'Short Code:,600100', 'Opening Balance:,"1,000.00"', ''];
    expect(parsed(...preamble, HEAD, BACK, PAID, '')).toEqual({
      ...{ ok: true, shortcode: '600100', rows: 2, others: 0, unreadable: 0, payments: [PAYMENT] },
      reversals: [{ receipt: 'VAF9999XYZ', of: 'VAF1234XYZ', amount_cents: 102_000 }],
    });
  });

  it('takes no line for money whose thousands some program left without quotes', () => {
    const loose = PAID.replaceAll('"', '');
    const short = 'Receipt No.,Completion Time,Paid In,Withdrawn';
    expect(parsed(HEAD, loose)).toMatchObject({ rows: 1, unreadable: 1, payments: [] });
    expect(parsed(short, 'VAF1234XYZ,15-01-2027 11:00:00,1,020.00')).toMatchObject({
      unreadable: 1,
      payments: [],
    });
  });

  it('is read with its columns in another order, fewer, and under other names', () => {
    const statement = parsed(
      'Paid In;DETAILS;receipt number;Completion Time',
      '1020.00;Pay Bill from 254712345678 - Achieng Otieno Acc. ABC;vaf1234xyz;2027-01-15 11:00:00',
    );
    const { msisdn_masked: _, ...told } = PAYMENT;
    expect(statement.payments).toEqual([{ ...told, msisdn: '254712345678' }]);
  });

  it('counts charges, what is not completed and what cannot be read, and takes none of it for money', () => {
    const charge = 'VAF1234XYZ,15-01-2027 11:00:00,,Pay Bill Charge,Completed,0.00,-5.00,0,true,Charge,,,';
    const failed = PAID.replace('Completed', 'Declined').replace('VAF1234XYZ', 'VAF1234XY0');
    const odd = PAID.replace('"1,020.00"', '10.2.0').replace('VAF1234XYZ', 'VAF1234XY1');
    const payout = 'VAF1234XY2,15-01-2027 11:00:00,,Returned,Completed,50.00,,0,true,Reversal of payout,,,';
    const statement = parsed(HEAD, PAID, PAID, charge, failed, odd, payout, 'Total,,,,,,,,,,,,');
    expect(statement).toMatchObject({
      rows: 7,
      others: 3,
      unreadable: 2,
      payments: [PAYMENT],
      reversals: [],
    });
  });

  it('takes the words a payer typed for nothing but an account', () => {
    const words = PAID.replaceAll('ABC', '"Reversal of VAF0000XYZ, ""now"""').replace(
      'Acc. "Reversal of VAF0000XYZ, ""now"""',
      'Acc. reversal',
    );
    const statement = parsed(HEAD.replace('Reason Type', 'Reason'), words);
    expect(statement.reversals).toEqual([]);
    expect(statement.payments[0]?.account_reference).toBe('Reversal of VAF0000XYZ, "now"');
  });

  it.each([true, false])('of the simulated portal is read whole (with its preamble: %s)', (preamble) => {
    const merchant = SIMULATED_MERCHANTS.find(({ kind }) => kind === 'paybill') as Merchant;
    const at = Date.UTC(2027, 0, 15, 8);
    const entry: LedgerEntry = {
      ...{
        receipt: 'VAF1234XYZ',
        source: 'hand',
        transaction_type: 'Pay Bill',
        payer_msisdn: '254712345678',
      },
      ...{ amount_shillings: 1020, shortcode: merchant.shortcode, party_b: merchant.shortcode, paid_at: at },
      ...{ account_reference: 'A, "B"', checkout_request_id: '', merchant_request_id: '', confirmations: [] },
      ...{ callback_delivered: false, callback_http_status: null, confirmation_held: false },
      ...{ pull_hidden: false, reversal: { receipt: 'VAF9999XYZ', at: at + 60_000, amount_shillings: 20 } },
    };
    const knobs = { ...DEFAULT_KNOBS, statement_preamble: preamble };
    const text = statementCsv(merchant, [entry], knobs, { from: at, to: at + 60_000 });
    expect(parsed(text)).toEqual({
      ...{
        ok: true,
        rows: 2,
        others: 0,
        unreadable: 0,
        ...(preamble ? { shortcode: merchant.shortcode, period: { from: at, to: at + 60_000 } } : {}),
      },
      payments: [{ ...PAYMENT, account_reference: 'A, "B"', payer_name: expect.stringMatching(/\w+ \w+/) }],
      reversals: [{ receipt: 'VAF9999XYZ', of: 'VAF1234XYZ', amount_cents: 2000 }],
    });
  });

  it.each([
    ['Time Period:,From 01-10-2026 00:00:00 To 31-10-2026 23:59:59', '2026-10-31T20:59:59.000Z'],
    ['Date Range,01/10/2026 - 31/10/2026', '2026-10-31T20:59:59.999Z'],
    ['Statement Period:,01.10.2026 00:00,31.10.2026 12:30', '2026-10-31T09:30:00.000Z'],
  ])('says which time it speaks of: %s', (line, to) => {
    const { period } = parsed(line, HEAD, PAID);
    expect(new Date(period?.from ?? 0).toISOString()).toBe('2026-09-30T21:00:00.000Z');
    expect(new Date(period?.to ?? 0).toISOString()).toBe(to);
  });

  it.each(['Time Period:,October', 'Time Period:,31-10-2026 To 01-10-2026', 'Time Period:,31-10-2026'])(
    'speaks of no time that can be read: %s',
    (line) => {
      expect(parsed(line, HEAD, PAID).period).toBeUndefined();
    },
  );

  it.each(['', 'hello', '<html>', '"', 'Receipt No.,Balance\r\nVAF1234XYZ,5', '\0\0;;\n"a'])(
    'that is none (%j) is refused',
    (text) => {
      expect(parseStatement(text)).toEqual({ ok: false, problem: 'no_columns' });
    },
  );
});
