// Reads C2B notices in every shape that was documented or captured, and registers for them.
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import {
  C2B_CONFIRMATION_ANSWER,
  c2bValidationAnswer,
  createMpesaClient,
  findNoticeUrlProblem,
  fitsMask,
  hashMsisdn,
  parseC2bNotice,
} from '../../../src/protocols/mpesa/index.ts';
import { configFor, startSimulator, stopAll } from '../../simulators/mpesa/harness.ts';

afterEach(stopAll);

const DOCUMENTED = readFileSync(new URL('../../vectors/mpesa/c2b-paybill-v2.json', import.meta.url), 'utf8');
const HASH = '94c392c311d522da950619227b3361752a42042db7e1e699b26e628305c68a88';

/** The documented notice with other fields; undefined leaves one out. */
function notice(change: Record<string, unknown> = {}) {
  const read = parseC2bNotice(JSON.stringify({ ...JSON.parse(DOCUMENTED), ...change }));
  if (!read.ok) throw new Error(read.problem);
  return read;
}

describe('a C2B notice', () => {
  it('of the documents is read whole', () => {
    expect(parseC2bNotice(DOCUMENTED)).toEqual({
      ok: true,
      kind: 'paybill',
      transaction_type: 'Pay Bill',
      receipt: 'RKL51ZDR4F',
      amount_cents: 500,
      amount_raw: '5.00',
      shortcode: '600966',
      account_reference: 'Sample Transaction',
      msisdn_masked: '2547*****126',
      payer_name: 'NICHOLAS',
      transaction_at: Date.UTC(2023, 10, 21, 9, 13, 25),
      transaction_time_raw: '20231121121325',
      org_balance_cents: 2500,
      invoice_number: '',
      third_party_id: '',
      oddities: [],
    });
  });

  it('of version 1 carries the hash of the number', () => {
    expect(hashMsisdn('254705912645')).toBe(HASH);
    const read = notice({ MSISDN: HASH.toUpperCase() });
    expect(read.msisdn_sha256).toBe(HASH);
    expect(read).not.toHaveProperty('msisdn');
    expect(read).not.toHaveProperty('msisdn_masked');
  });

  it.each([
    ['2547 ***** 126', { msisdn_masked: '2547*****126' }],
    ['25470****149', { msisdn_masked: '25470****149' }],
    [254712345678, { msisdn: '254712345678' }],
    ['0712345678', { msisdn: '254712345678' }],
  ])('tells the payer %j', (MSISDN, payer) => {
    expect(notice({ MSISDN })).toMatchObject(payer);
  });

  it.each([undefined, '', 'someone'])('without a number (%j) is read all the same', (MSISDN) => {
    const read = notice({ MSISDN });
    expect(read.oddities).toEqual(['no phone number']);
    expect(Object.keys(read).filter((key) => key.startsWith('msisdn'))).toEqual([]);
  });

  it.each(['Customer Merchant Payment', 'Buy Goods'])(
    'of a till (%s) has no account and one name',
    (type) => {
      const read = notice({
        TransactionType: type,
        BillRefNumber: '',
        MSISDN: HASH,
        FirstName: 'JANE',
        MiddleName: undefined,
        LastName: undefined,
      });
      expect(read).toMatchObject({ kind: 'till', account_reference: '', payer_name: 'JANE', oddities: [] });
    },
  );

  it.each([
    ['5', 500],
    [5, 500],
    ['1,250.50', 125_050],
    ['5.5', 550],
    ['250000.00', 25_000_000],
  ])('of %j shillings is exact', (TransAmount, cents) => {
    expect(notice({ TransAmount }).amount_cents).toBe(cents);
  });

  it.each(['', '0', '0.00', '-5.00', '5.001', '5,00', '1e3', 'five', undefined, null, {}])(
    'with the amount %j has none',
    (TransAmount) => {
      const read = notice({ TransAmount });
      expect(read).not.toHaveProperty('amount_cents');
      expect(read.oddities).toContain('the amount is not a sum of money');
    },
  );

  it.each([
    ['', 'empty'],
    ['<html>', 'not_json'],
    ['[]', 'no_receipt'],
    ['{}', 'no_receipt'],
    [JSON.stringify({ TransID: 'RKL51ZDR4F' }), 'no_shortcode'],
    [JSON.stringify({ TransID: 'x', BusinessShortCode: '600966' }), 'no_receipt'],
    [`{"a":"${'x'.repeat(70_000)}"}`, 'too_large'],
  ])('that is none (%#) is refused', (body, problem) => {
    expect(parseC2bNotice(body)).toEqual({ ok: false, problem });
  });

  it('is answered as Daraja wants', () => {
    expect(c2bValidationAnswer()).toEqual({ ResultCode: '0', ResultDesc: 'Accepted' });
    expect(c2bValidationAnswer('C2B00012')).toEqual({ ResultCode: 'C2B00012', ResultDesc: 'Rejected' });
    expect(C2B_CONFIRMATION_ANSWER).toEqual({ ResultCode: 0, ResultDesc: 'Success' });
  });
});

describe('a masked number', () => {
  it.each([
    ['2547*****126', '254712345126', true],
    ['2547*****126', '254712345127', false],
    ['25470****149', '254712345149', false],
    ['*****', '254712345126', false],
    ['254712345126', '254712345126', false],
  ])('%s fits %s: %s', (masked, msisdn, fits) => {
    expect(fitsMask(masked, msisdn)).toBe(fits);
  });
});

describe('an address for notices', () => {
  it.each([
    'https://box.example.test/cb/mpesa',
    'https://box.example.test/cb/M-Pesa',
    'https://safaricom.example.test/cb',
    'https://box.example.test/cb?query=1',
    'https://abc.ngrok.io/cb',
    'https://Box.example.test/cb',
    'ftp://box.example.test/cb',
    'box',
  ])('%s is refused', (url) => {
    expect(findNoticeUrlProblem(url)).toBeDefined();
  });

  it('that is neutral is fine', () => {
    expect(findNoticeUrlProblem('https://box.example.test/cb/p/token')).toBeUndefined();
  });
});

describe('registering for notices', () => {
  const request = {
    version: 'v1',
    confirmation_url: 'http://127.0.0.1:9/cb/c',
    validation_url: 'http://127.0.0.1:9/cb/v',
    when_unanswered: 'Completed',
  } as const;

  it('is repeatable on the sandbox, and once in production', async () => {
    const simulator = await startSimulator();
    const client = createMpesaClient(configFor(simulator));
    expect(await client.registerC2bUrls(request)).toEqual({ outcome: 'registered' });
    expect(await client.registerC2bUrls(request)).toEqual({ outcome: 'registered' });
    simulator.setKnobs({ c2b_register_once: true });
    expect(await client.registerC2bUrls(request)).toMatchObject({ outcome: 'already_registered' });
  });

  it('with a forbidden word is refused before anything is sent', async () => {
    const simulator = await startSimulator();
    const client = createMpesaClient(configFor(simulator));
    const refused = await client.registerC2bUrls({ ...request, validation_url: 'http://127.0.0.1:9/mpesa' });
    expect(refused).toMatchObject({ outcome: 'refused', code: 'local' });
    expect(simulator.counts().oauth).toBe(0);
  });

  it.each([
    'token_404',
    'token_400',
    'token_401_002',
    'token_401_003',
    'token_401_001',
    'pull_token',
  ] as const)('is tried once more after %s, with a new token', async (fault) => {
    const simulator = await startSimulator({ knobs: { bearer_faults: [fault] } });
    const client = createMpesaClient(configFor(simulator));
    expect(await client.registerC2bUrls(request)).toEqual({ outcome: 'registered' });
    expect(simulator.counts().oauth).toBe(2);
    simulator.setKnobs({ bearer_faults: [fault, fault] });
    expect(await client.registerC2bUrls(request)).toMatchObject({ outcome: 'refused', reason: 'token' });
  });
});
