// Pulls payments, page by page, in every shape that was documented or captured.
import { afterEach, describe, expect, it } from 'vitest';
import { createMpesaClient, type MpesaConfig } from '../../../src/protocols/mpesa/index.ts';
import { configFor, PAYER, startSimulator, stopAll } from '../../simulators/mpesa/harness.ts';

afterEach(stopAll);

const NOW = Date.UTC(2026, 9, 2, 5, 36);
const HOUR = 3_600_000;
const WINDOW = { from: NOW - HOUR, to: NOW + 60_000 };

const ROW = {
  transactionId: 'yzlyrEsRG1',
  trxDate: '2020-08-05T10:13:00Z',
  msisdn: 72200000,
  sender: 'UAT2',
  transactiontype: 'c2b-pay-bill-debit',
  billreference: '37207636392',
  amount: '168.00',
  organizationname: 'Daraja Pull API Test',
};

const failed = (answer: object): answer is { status: number; body: object } => 'status' in answer;

/** A client whose Daraja gives these answers in turn, and what it was asked. */
function scripted(answers: (object | string)[], config: Partial<MpesaConfig> = {}) {
  const bodies: Record<string, unknown>[] = [];
  const client = createMpesaClient({
    baseUrl: 'http://daraja.test',
    consumerKey: 'k',
    consumerSecret: 's',
    shortcode: '600000',
    kind: 'paybill',
    passkey: 'p',
    now: () => NOW,
    ...config,
    fetch: async (url, init) => {
      if (url.includes('/oauth/')) return Response.json({ access_token: 'token', expires_in: '3599' });
      bodies.push(JSON.parse(String(init.body)));
      const answer = answers.shift() ?? { ResponseCode: '1001', Response: [[]] };
      if (typeof answer === 'string') return new Response(answer);
      return failed(answer) ? Response.json(answer.body, { status: answer.status }) : Response.json(answer);
    },
  });
  return { client, bodies };
}

const page = (...rows: object[]) => ({
  ResponseRefID: 'x',
  ResponseCode: '1000',
  ResponseMessage: 'Success',
  Response: [rows],
});

describe('registering for pull', () => {
  const request = { nominated_msisdn: PAYER, callback_url: 'https://box.example.test/cb/p' };

  it.each([
    [{ 'Response Status': '1001', 'Response Description': 'ShortCode already Registered' }, true],
    [{ ResponseStatus: '1001', ResponseDescription: 'ShortCode already Registered' }, true],
    [{ 'Response Status': 1000 }, false],
  ])('is good with %j', async (answer, already) => {
    const { client, bodies } = scripted([answer]);
    expect(await client.registerPull(request)).toEqual({ outcome: 'registered', already });
    expect(bodies).toEqual([
      { ShortCode: '600000', RequestType: 'Pull', NominatedNumber: PAYER, CallBackURL: request.callback_url },
    ]);
  });

  it.each([{}, '', '<html>', { ResponseStatus: '1002' }])('is unknown with %j', async (answer) => {
    const { client } = scripted([answer]);
    expect(await client.registerPull(request)).toMatchObject({ outcome: 'unknown' });
  });

  it('wants a phone number', async () => {
    const { client, bodies } = scripted([]);
    const result = await client.registerPull({ ...request, nominated_msisdn: '600000' });
    expect(result).toMatchObject({ outcome: 'refused', code: 'local' });
    expect(bodies).toEqual([]);
  });
});

describe('a page', () => {
  it('of the documents is read whole', async () => {
    const { client, bodies } = scripted([page(ROW)]);
    expect(await client.pullPage({ ...WINDOW, offset: 0 })).toEqual({
      outcome: 'page',
      rows: [
        {
          receipt: 'YZLYRESRG1',
          amount_cents: 16_800,
          amount_raw: '168.00',
          account_reference: '37207636392',
          transaction_type: 'c2b-pay-bill-debit',
          sender: 'UAT2',
          organization_name: 'Daraja Pull API Test',
          transaction_at: Date.UTC(2020, 7, 5, 7, 13),
          transaction_time_raw: '2020-08-05T10:13:00Z',
        },
      ],
      unreadable: 0,
      next_offset: 1,
    });
    expect(bodies).toEqual([
      {
        ShortCode: '600000',
        StartDate: '2026-10-02 07:36:00',
        EndDate: '2026-10-02 08:37:00',
        OffSetValue: '0',
      },
    ]);
  });

  it.each([
    ['full', 254712345678, { msisdn: '254712345678' }],
    ['masked', '2547*****678', { msisdn_masked: '2547*****678' }],
  ])('tells a %s number', async (_, msisdn, payer) => {
    const { client } = scripted([page({ ...ROW, msisdn })]);
    expect(await client.pullPage({ ...WINDOW, offset: 0 })).toMatchObject({ rows: [payer] });
  });

  it('counts rows without a receipt, and goes on after them', async () => {
    const { client } = scripted([page({ ...ROW, transactionId: undefined }, ROW)]);
    expect(await client.pullPage({ ...WINDOW, offset: 7 })).toMatchObject({
      rows: [{ receipt: 'YZLYRESRG1' }],
      unreadable: 1,
      next_offset: 9,
    });
  });

  it.each([
    [{ ResponseCode: '1001', Response: [[]] }],
    [{ ResponseCode: '1001', ResponseMessage: 'No transactions' }],
    [{ ResponseCode: 1000, Response: [] }],
  ])('without rows is the last: %j', async (answer) => {
    const { client } = scripted([answer]);
    expect(await client.pullPage({ ...WINDOW, offset: 0 })).toMatchObject({ rows: [], next_offset: null });
  });

  it.each([
    [''],
    ['<html>'],
    [{ ResponseCode: '1000' }],
    [{ ResponseCode: '1000', Response: 'later' }],
    [{ ResponseCode: '500', Response: [[]] }],
    [{ status: 500, body: { errorCode: '500.003.1001', errorMessage: 'Internal Server Error' } }],
  ])('that cannot be read is no end: %j', async (answer) => {
    const { client } = scripted([answer]);
    expect(await client.pullPage({ ...WINDOW, offset: 0 })).toMatchObject({ outcome: 'unknown' });
  });

  it('of a shortcode that Daraja does not know is refused', async () => {
    const { client } = scripted([
      { status: 400, body: { ResponseCode: '400.001', ResponseMessage: 'Bad Request - Invalid ShortCode' } },
    ]);
    expect(await client.pullPage({ ...WINDOW, offset: 0 })).toMatchObject({
      outcome: 'refused',
      reason: 'bad_request',
      code: '400.001',
    });
  });
});

describe('a window', () => {
  it('is read to its empty page', async () => {
    const rows = Array.from({ length: 5 }, (_, i) => ({ ...ROW, transactionId: `RECEIPT00${i}` }));
    const { client, bodies } = scripted([page(rows[0]!, rows[1]!), page(rows[2]!, rows[3]!), page(rows[4]!)]);
    const sweep = await client.pullWindow(WINDOW);
    expect(sweep.rows.map((row) => row.receipt)).toEqual(rows.map((row) => row.transactionId));
    expect(sweep.stopped).toBeNull();
    expect(bodies.map((body) => body.OffSetValue)).toEqual(['0', '2', '4', '5']);
  });

  it('keeps what it has when a page fails, and says so', async () => {
    const { client } = scripted([page(ROW), '<html>']);
    expect(await client.pullWindow(WINDOW)).toMatchObject({
      rows: [{ receipt: 'YZLYRESRG1' }],
      stopped: { outcome: 'unknown' },
    });
  });

  it('never begins more than 48 hours ago', async () => {
    const { client, bodies } = scripted([]);
    const sweep = await client.pullWindow({ from: 0, to: NOW });
    expect(sweep.from).toBe(NOW - 48 * HOUR);
    expect(bodies[0]).toMatchObject({ StartDate: '2026-09-30 08:36:00' });
  });

  it('that ends before it begins is refused', async () => {
    const { client, bodies } = scripted([]);
    expect(await client.pullWindow({ from: NOW, to: NOW })).toMatchObject({
      stopped: { outcome: 'refused' },
    });
    expect(bodies).toEqual([]);
  });
});

describe('against the simulator', () => {
  async function shop(payments: number, knobs: Parameters<typeof startSimulator>[0] = {}) {
    const simulator = await startSimulator({ now: () => NOW, ...knobs });
    const client = createMpesaClient({ ...configFor(simulator), now: () => NOW });
    const receipts: string[] = [];
    for (let i = 0; i < payments; i += 1) {
      const paid = await simulator.payByHand({
        msisdn: PAYER,
        to: '174379',
        account_reference: `acc ${i}`,
        amount_shillings: 10 + i,
      });
      if (!paid.ok) throw new Error(paid.problem);
      receipts.push(paid.receipt);
    }
    await client.registerPull({ nominated_msisdn: PAYER, callback_url: 'http://127.0.0.1:9/cb/p' });
    return { simulator, client, receipts };
  }

  it.each([1, 2, 3, 7, 100])('every payment comes with %i rows a page', async (pull_page_size) => {
    const { client, receipts } = await shop(7, { knobs: { pull_page_size } });
    const sweep = await client.pullWindow(WINDOW);
    expect(sweep.rows.map((row) => row.receipt)).toEqual(receipts);
    expect(sweep.rows[6]).toMatchObject({ amount_cents: 1600, msisdn: PAYER, account_reference: 'acc 6' });
    expect(sweep).toMatchObject({ stopped: null, unreadable: 0 });
  });

  it('a gateway that pays no heed to the offset does not hold us for ever', async () => {
    const { client, receipts, simulator } = await shop(3, {
      knobs: { pull_page_size: 2, pull_ignores_offset: true },
    });
    const sweep = await client.pullWindow(WINDOW);
    expect(sweep.rows.map((row) => row.receipt)).toEqual(receipts.slice(0, 2));
    expect(simulator.counts().pulls).toBe(2);
  });

  it('gaps and delays keep payments out', async () => {
    const hidden = { match: { amount_shillings: 11 }, set: { pull_hidden: true } };
    const late = { match: { amount_shillings: 12 }, set: { pull_delay_ms: HOUR } };
    const { client, receipts } = await shop(4, { knobs: { rules: [hidden, late] } });
    const sweep = await client.pullWindow(WINDOW);
    expect(sweep.rows.map((row) => row.receipt)).toEqual([receipts[0], receipts[3]]);
  });

  it('only a registered shortcode is served', async () => {
    const simulator = await startSimulator();
    const client = createMpesaClient(configFor(simulator));
    expect(await client.pullPage({ ...WINDOW, offset: 0 })).toMatchObject({
      outcome: 'refused',
      code: '400.001',
    });
  });
});
