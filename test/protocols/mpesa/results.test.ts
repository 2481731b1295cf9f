// Reads what comes to a ResultURL or QueueTimeOutURL, in every shape that was documented.
import { describe, expect, it } from 'vitest';
import {
  describeInitiatorResult,
  INITIATOR_RESULT_CODES,
  type InitiatorResult,
  parseAccountBalances,
  parseInitiatorResult,
  parseQueueTimeout,
  readAccountBalance,
  readReversal,
  readTransactionStatus,
} from '../../../src/protocols/mpesa/index.ts';

type Pairs = [string, unknown][];

function body(result: Record<string, unknown>, pairs: Pairs = []): string {
  return JSON.stringify({
    Result: {
      ResultType: 0,
      ResultCode: 0,
      ResultDesc: 'The service request is processed successfully.',
      OriginatorConversationID: '5dbd-4f93-a478-41cdaf2b9acd86873',
      ConversationID: 'AG_20240706_2010123',
      TransactionID: 'SG672BKX9M',
      ResultParameters: { ResultParameter: pairs.map(([Key, Value]) => ({ Key, Value })) },
      ReferenceData: { ReferenceItem: { Key: 'QueueTimeoutURL', Value: 'https://internal.invalid/' } },
      ...result,
    },
  });
}

function parsed(result: Record<string, unknown> = {}, pairs: Pairs = []): InitiatorResult {
  const read = parseInitiatorResult(body(result, pairs));
  if (!read.ok) throw new Error(read.problem);
  return read;
}

const STATUS: Pairs = [
  ['DebitPartyName', '600310 - Karibu WiFi'],
  ['DebitPartyName', '254708374149 - John - Doe'],
  ['CreditPartyName', '600310 - Karibu WiFi'],
  ['InitiatedTime', 20191213112525],
  ['DebitPartyCharges', undefined],
  ['ReasonType', 'Pay Utility'],
  ['TransactionStatus', 'Completed'],
  ['FinalisedTime', '20191213112526'],
  ['Amount', 300],
  ['ReceiptNo', 'NLJ7RT61SV'],
];

describe('a result', () => {
  it('is read whole', () => {
    expect(parsed({}, [['Key', 'a']])).toMatchObject({
      done: true,
      result_type: '0',
      result_code: '0',
      conversation_id: 'AG_20240706_2010123',
      originator_conversation_id: '5dbd-4f93-a478-41cdaf2b9acd86873',
      transaction_id: 'SG672BKX9M',
      parameters: { Key: ['a'] },
    });
  });

  it.each([
    ['a code as text', { ResultCode: '0', ResultType: '0' }, true],
    ['a code of letters', { ResultCode: 'R000002' }, false],
    ['no parameters', { ResultParameters: undefined }, true],
    ['parameters that are null', { ResultParameters: null }, true],
    [
      'a parameter that stands alone',
      { ResultParameters: { ResultParameter: { Key: 'A', Value: 1 } } },
      true,
    ],
    ['an entry that is none', { ResultParameters: { ResultParameter: [null, 'x', { Value: 1 }] } }, true],
  ])('with %s is read', (_, change, done) => {
    expect(parsed(change)).toMatchObject({ ok: true, done });
  });

  it('keeps a key named like a built-in as data', () => {
    expect(parsed({}, [['__proto__', 'x']]).parameters.Amount).toBeUndefined();
  });

  it.each([
    ['', 'empty'],
    ['<html>', 'not_json'],
    ['{}', 'not_a_result'],
    ['{"Result":[]}', 'not_a_result'],
    ['{"Result":{}}', 'no_result_code'],
  ])('that is none (%j) is refused', (text, problem) => {
    expect(parseInitiatorResult(text)).toEqual({ ok: false, problem });
  });
});

describe('a queue timeout', () => {
  it.each([
    body({ ResultCode: 1 }),
    JSON.stringify({
      OriginatorConversationID: '5dbd-4f93-a478-41cdaf2b9acd86873',
      ConversationID: 'AG_20240706_2010123',
    }),
  ])('names its request (%#)', (text) => {
    expect(parseQueueTimeout(text)).toMatchObject({
      conversation_id: 'AG_20240706_2010123',
      originator_conversation_id: '5dbd-4f93-a478-41cdaf2b9acd86873',
    });
  });

  it.each(['', '<html>', '[]', 'null'])('may say nothing (%j)', (text) => {
    expect(parseQueueTimeout(text)).toMatchObject({ conversation_id: '', result_code: '' });
  });
});

describe('a transaction status', () => {
  it('is read by key, its doubled payer by the phone number', () => {
    expect(readTransactionStatus(parsed({}, STATUS))).toEqual({
      receipt: 'NLJ7RT61SV',
      status: 'completed',
      status_raw: 'Completed',
      amount_cents: 30_000,
      debit_party: {
        text: '254708374149 - John - Doe',
        identifier: '254708374149',
        name: 'John - Doe',
        msisdn: '254708374149',
      },
      credit_party: { text: '600310 - Karibu WiFi', identifier: '600310', name: 'Karibu WiFi' },
      reason_type: 'Pay Utility',
      initiated_at: Date.UTC(2019, 11, 13, 8, 25, 25),
      finalised_at: Date.UTC(2019, 11, 13, 8, 25, 26),
    });
  });

  it.each(['Cancelled', 'Declined', 'Expired', 'Authorized', 'Initiated'])('%s is not completed', (raw) => {
    const pairs = STATUS.map(([key, value]): [string, unknown] => [
      key,
      key === 'TransactionStatus' ? raw : value,
    ]);
    expect(readTransactionStatus(parsed({}, pairs))?.status).toBe(raw.toLowerCase());
  });

  it('that is missing or new is unknown, never completed', () => {
    expect(readTransactionStatus(parsed({}, []))).toEqual({
      status: 'unknown',
      status_raw: '',
      reason_type: '',
    });
    expect(readTransactionStatus(parsed({}, [['TransactionStatus', 'Completed Partially']]))?.status).toBe(
      'unknown',
    );
  });

  it('is nothing when the request failed', () => {
    expect(readTransactionStatus(parsed({ ResultCode: 'R000002' }, STATUS))).toBeUndefined();
  });
});

describe('a reversal', () => {
  it('that was done names both receipts', () => {
    const pairs: Pairs = [
      ['OriginalTransactionID', 'NLJ7RT61SV'],
      ['Amount', '300.00'],
    ];
    expect(readReversal(parsed({}, pairs))).toEqual({
      outcome: 'reversed',
      result_code: '0',
      reversal_receipt: 'SG672BKX9M',
      original_receipt: 'NLJ7RT61SV',
      amount_cents: 30_000,
    });
  });

  it.each([
    ['R000001', 'already_reversed'],
    ['R000002', 'failed'],
    ['1', 'failed'],
    ['2001', 'failed'],
    ['8006', 'failed'],
    ['4999', 'unknown'],
    ['77777', 'unknown'],
  ])('with %s is %s', (code, outcome) => {
    const read = readReversal(parsed({ ResultCode: code }));
    expect(read.outcome).toBe(outcome);
    expect(read).not.toHaveProperty('reversal_receipt');
  });
});

describe('an account balance', () => {
  const text =
    'Working Account|KES|700000.00|700000.00|0.00|0.00&Utility Account|KES|228037.50|228037.00|0.50|0.00&Float Account|KES|-1.00|0.00';

  it('is read account by account', () => {
    const accounts = readAccountBalance(parsed({}, [['AccountBalance', text]]));
    expect(accounts?.map((account) => account.account)).toEqual([
      'Working Account',
      'Utility Account',
      'Float Account',
    ]);
    expect(accounts?.[1]).toEqual({
      account: 'Utility Account',
      currency: 'KES',
      current_cents: 22_803_750,
      available_cents: 22_803_700,
      reserved_cents: 50,
      uncleared_cents: 0,
    });
    expect(accounts?.[2]).toEqual({
      account: 'Float Account',
      currency: 'KES',
      current_cents: -100,
      available_cents: 0,
    });
  });

  it('leaves out what is no account', () => {
    expect(parseAccountBalances('&Working Account|KES|x&|KES|1.00&nothing')).toEqual([]);
    expect(readAccountBalance(parsed({}, []))).toBeUndefined();
    expect(readAccountBalance(parsed({ ResultCode: 21 }, [['AccountBalance', text]]))).toBeUndefined();
  });
});

describe('a result code of an initiator', () => {
  it('that is unknown decides nothing', () => {
    expect(describeInitiatorResult('77777')).toMatchObject({ final: false, done: false });
  });

  it('2001 is about the initiator, not a PIN', () => {
    expect(describeInitiatorResult('2001').operator).toContain('initiator');
    expect(describeInitiatorResult('2001').en).not.toContain('PIN');
  });

  it('is listed once, in two languages', () => {
    expect(new Set(INITIATOR_RESULT_CODES.map((entry) => entry.code)).size).toBe(
      INITIATOR_RESULT_CODES.length,
    );
    for (const entry of INITIATOR_RESULT_CODES) {
      expect(entry.en, entry.code).not.toBe(entry.sw);
      expect(entry.operator.length, entry.code).toBeGreaterThan(3);
      expect(entry.retry === 'later', entry.code).toBe(entry.wait_seconds !== undefined);
    }
    expect(INITIATOR_RESULT_CODES.filter((entry) => entry.done).map((entry) => entry.code)).toEqual([
      '0',
      'R000001',
    ]);
  });
});
