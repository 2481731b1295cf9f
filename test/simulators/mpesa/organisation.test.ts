// Shows what an organisation may ask of its own money: strict requests, results delivered once, money sent back.
import { afterEach, describe, expect, it } from 'vitest';
import {
  createMpesaClient,
  makeSecurityCredential,
  parseInitiatorResult,
  parseQueueTimeout,
  readAccountBalance,
  readReversal,
  readTransactionStatus,
} from '../../../src/protocols/mpesa/index.ts';
import {
  type Knobs,
  SIMULATED_CERTIFICATE,
  SIMULATED_INITIATOR,
} from '../../../src/simulators/mpesa/index.ts';
import { configFor, PAYER, startCallbackDoor, startSimulator, stopAll } from './harness.ts';

afterEach(stopAll);

function credentialFor(password: string): string {
  const made = makeSecurityCredential(password, SIMULATED_CERTIFICATE);
  if (!made.ok) throw new Error(made.message);
  return made.credential;
}

/** A simulator where PAYER has paid KES 20 by hand, with a client and doors for its results. */
async function startShop(knobs: Partial<Knobs> = {}, password: string = SIMULATED_INITIATOR.password) {
  const simulator = await startSimulator({ knobs: { initiator_delay_ms: 0, c2b_delay_ms: 0, ...knobs } });
  const results = await startCallbackDoor();
  const timeouts = await startCallbackDoor();
  const client = createMpesaClient({
    ...configFor(simulator),
    initiator: { name: SIMULATED_INITIATOR.name, securityCredential: credentialFor(password) },
  });
  const paid = await simulator.payByHand({
    msisdn: PAYER,
    to: '174379',
    account_reference: 'HOUR1',
    amount_shillings: 20,
  });
  if (!paid.ok) throw new Error(paid.problem);
  const to = { result_url: results.url, timeout_url: timeouts.url };
  /** The result that came back, read. */
  const result = async () => {
    await simulator.waitUntilQuiet();
    const read = parseInitiatorResult(results.received.at(-1)?.body ?? '');
    if (!read.ok) throw new Error(read.problem);
    return read;
  };
  return { simulator, client, results, timeouts, to, receipt: paid.receipt, result };
}

describe('the status of a transaction', () => {
  it('by receipt tells amount, payer and receiver', async () => {
    const { client, to, receipt, result, simulator } = await startShop();
    const asked = await client.transactionStatus({ ...to, receipt });
    expect(asked).toMatchObject({
      outcome: 'accepted',
      conversation_id: expect.stringMatching(/^AG_\d{8}_[0-9a-f]{20}$/),
      originator_conversation_id: expect.stringMatching(/^[0-9a-f]{4}-4/),
    });
    const read = await result();
    expect(asked).toMatchObject({ conversation_id: read.conversation_id });
    expect(readTransactionStatus(read)).toMatchObject({
      receipt,
      status: 'completed',
      amount_cents: 2000,
      debit_party: { msisdn: PAYER },
      credit_party: { identifier: '174379' },
      finalised_at: Math.floor(simulator.ledger()[0]!.paid_at / 1000) * 1000,
    });
  });

  it('of a push is found by its MerchantRequestID too', async () => {
    const { client, simulator, to, result } = await startShop({ outcome: '0', callback_count: 0 });
    const pushed = await client.stkPush({
      amount_shillings: 30,
      msisdn: PAYER,
      account_reference: 'DAY1',
      description: '',
      callback_url: to.result_url,
    });
    if (pushed.outcome !== 'accepted') throw new Error(pushed.outcome);
    await simulator.waitUntil(() => simulator.ledger().length === 2);
    await client.transactionStatus({ ...to, original_conversation_id: pushed.merchant_request_id });
    expect(readTransactionStatus(await result())).toMatchObject({ amount_cents: 3000 });
  });

  it('of a receipt that is not there, or is another shop’s, fails', async () => {
    const { client, simulator, to, result } = await startShop();
    await client.transactionStatus({ ...to, receipt: 'RLA0R69NXM' });
    expect(await result()).toMatchObject({ done: false, result_code: 'R000002' });
    const till = await simulator.payByHand({
      msisdn: PAYER,
      to: '5600100',
      account_reference: '',
      amount_shillings: 5,
    });
    if (!till.ok) throw new Error(till.problem);
    await client.transactionStatus({ ...to, receipt: till.receipt });
    expect(await result()).toMatchObject({ done: false, result_code: 'R000002' });
  });

  it.each([
    [{ result_types: 'string' } as const],
    [{ status_debit_twice: false }],
    [{ status_missing: ['InitiatedTime', 'FinalisedTime', 'DebitPartyName', 'CreditPartyName'] }],
  ])('is read with %j', async (knobs) => {
    const { client, to, receipt, result } = await startShop(knobs);
    await client.transactionStatus({ ...to, receipt });
    expect(readTransactionStatus(await result())).toMatchObject({
      receipt,
      status: 'completed',
      amount_cents: 2000,
    });
  });

  it('that waits too long tells the timeout address instead', async () => {
    const { client, simulator, to, receipt, results, timeouts } = await startShop({
      initiator_reply: 'timeout',
    });
    const asked = await client.transactionStatus({ ...to, receipt });
    await simulator.waitUntilQuiet();
    expect(results.received).toEqual([]);
    expect(asked).toMatchObject({
      conversation_id: parseQueueTimeout(timeouts.received[0]!.body).conversation_id,
    });
  });

  it.each([
    ['none', 0],
    ['result', 1],
  ] as const)('whose reply is %s is told %i times', async (initiator_reply, times) => {
    const { client, simulator, to, receipt, results } = await startShop({ initiator_reply });
    await client.transactionStatus({ ...to, receipt });
    await simulator.waitUntilQuiet();
    expect(results.received).toHaveLength(times);
    expect(simulator.results()).toHaveLength(times);
  });
});

describe('a reversal', () => {
  it('sends the money back once', async () => {
    const { client, simulator, to, receipt, result } = await startShop();
    const ask = () => client.reverse({ ...to, receipt, amount_shillings: 20, remarks: 'Paid twice' });
    await ask();
    expect(readReversal(await result())).toEqual({
      outcome: 'reversed',
      result_code: '0',
      reversal_receipt: simulator.ledger()[0]!.reversal!.receipt,
      original_receipt: receipt,
      amount_cents: 2000,
    });
    expect(simulator.phone(PAYER).wallet_shillings).toBe(5000);
    expect(simulator.phone(PAYER).messages.at(-1)?.text).toContain(
      `Transaction ${receipt} has been reversed`,
    );
    await ask();
    expect(readReversal(await result()).outcome).toBe('already_reversed');
    expect(simulator.phone(PAYER).wallet_shillings).toBe(5000);
    expect(simulator.ledger()).toMatchObject([{ receipt, reversal: { amount_shillings: 20 } }]);
  });

  it('of money that has gone to the bank fails with 1', async () => {
    const { client, simulator, to, receipt, result } = await startShop({ org_settled: true });
    await client.reverse({ ...to, receipt, amount_shillings: 20, remarks: 'Paid twice' });
    expect(readReversal(await result())).toMatchObject({ outcome: 'failed', result_code: '1' });
    expect(simulator.ledger()[0]!.reversal).toBeNull();
  });

  it('whose acceptance is lost may have happened', async () => {
    const { client, simulator, to, receipt } = await startShop({ initiator_drop: 'after_accept' });
    const asked = await client.reverse({ ...to, receipt, amount_shillings: 20, remarks: 'Paid twice' });
    expect(asked.outcome).toBe('unknown');
    await simulator.waitUntilQuiet();
    expect(simulator.ledger()[0]!.reversal).not.toBeNull();
  });

  it.each([
    [{ receipt: 'rla0r69nxm' }],
    [{ amount_shillings: 0.5 }],
    [{ remarks: 'x' }],
    [{ remarks: 'x'.repeat(101) }],
    [{ result_url: 'nothing' }],
    [{ timeout_url: 'https://Box.example.test/' }],
  ])('with %j is refused before anything is sent', async (change) => {
    const { client, simulator, to, receipt } = await startShop();
    const asked = await client.reverse({
      ...to,
      receipt,
      amount_shillings: 20,
      remarks: 'Paid twice',
      ...change,
    });
    expect(asked).toMatchObject({ outcome: 'refused', reason: 'bad_request', code: 'local' });
    expect(simulator.counts().initiated).toBe(0);
  });
});

describe('the balance', () => {
  it.each([
    ['paybill', 'Utility Account', 'HOUR1'],
    ['till', 'Merchant Account', ''],
  ] as const)('of a %s is in its %s', async (kind, account, reference) => {
    const { simulator, to, result } = await startShop({ org_opening_shillings: 1000 });
    const config = configFor(simulator, kind);
    const number = config.tillNumber ?? config.shortcode;
    await simulator.payByHand({
      msisdn: PAYER,
      to: number,
      account_reference: reference,
      amount_shillings: 7,
    });
    const client = createMpesaClient({
      ...config,
      initiator: { name: 'testapi', securityCredential: credentialFor(SIMULATED_INITIATOR.password) },
    });
    await client.accountBalance(to);
    const balances = readAccountBalance(await result());
    expect(balances?.find((one) => one.account === account)?.available_cents).toBe(
      kind === 'till' ? 100_700 : 102_700,
    );
  });
});

describe('an initiator', () => {
  it('that is not set up asks for nothing', async () => {
    const { simulator, to, receipt } = await startShop();
    const client = createMpesaClient(configFor(simulator));
    expect(await client.transactionStatus({ ...to, receipt })).toMatchObject({
      outcome: 'refused',
      reason: 'initiator',
    });
    expect(simulator.counts().oauth).toBe(0);
  });

  it('with the wrong password fails with 2001, and is locked after three', async () => {
    const { client, to, receipt, result } = await startShop({}, 'wrong');
    for (const code of ['2001', '2001', '2001', '8006']) {
      await client.transactionStatus({ ...to, receipt });
      expect(await result()).toMatchObject({ result_code: code });
    }
  });

  it.each(['21', '26', 'TP40153'])('may be answered with %s', async (code) => {
    const { client, simulator, to, receipt, result } = await startShop({ initiator_result_code: code });
    await client.reverse({ ...to, receipt, amount_shillings: 20, remarks: 'Paid twice' });
    expect(await result()).toMatchObject({ result_code: code });
    expect(simulator.ledger()[0]!.reversal).toBeNull();
  });
});

describe('a QR code', () => {
  it('is a PNG', async () => {
    const { client } = await startShop();
    const made = await client.dynamicQr({
      merchant_name: 'Karibu',
      reference: 'HOUR1',
      amount_shillings: 20,
    });
    if (made.outcome !== 'made') throw new Error(made.outcome);
    expect(Buffer.from(made.png.subarray(1, 4)).toString()).toBe('PNG');
  });

  it.each(['html_200', 'empty_200', 'internal'] as const)('is not made from %s', async (qr_error) => {
    const { client } = await startShop({ qr_error });
    const made = await client.dynamicQr({
      merchant_name: 'Karibu',
      reference: 'HOUR1',
      amount_shillings: 20,
    });
    expect(made.outcome).toBe('unknown');
  });
});

describe('a bare caller', () => {
  type Json = Record<string, unknown>;

  async function bare() {
    const { simulator, to, receipt } = await startShop();
    const { consumerKey, consumerSecret, shortcode } = configFor(simulator);
    const basic = Buffer.from(`${consumerKey}:${consumerSecret}`).toString('base64');
    const token = await fetch(`${simulator.baseUrl}/oauth/v1/generate?grant_type=client_credentials`, {
      headers: { authorization: `Basic ${basic}` },
    });
    const bearer = String(((await token.json()) as Json).access_token);
    const post = async (path: string, body: Json, type = 'application/json') => {
      const answer = await fetch(simulator.baseUrl + path, {
        method: 'POST',
        headers: { 'content-type': type, authorization: `Bearer ${bearer}` },
        body: JSON.stringify(body),
      });
      return (await answer.json()) as Json;
    };
    const reversal: Json = {
      Initiator: 'testapi',
      SecurityCredential: credentialFor(SIMULATED_INITIATOR.password),
      CommandID: 'TransactionReversal',
      TransactionID: receipt,
      Amount: '20',
      ReceiverParty: shortcode,
      RecieverIdentifierType: '11',
      ResultURL: to.result_url,
      QueueTimeOutURL: to.timeout_url,
      Remarks: 'Paid twice',
    };
    return { simulator, post, reversal };
  }

  it.each([
    ['Initiator', ''],
    ['SecurityCredential', 'plain'],
    ['CommandID', 'TransactionStatusQuery'],
    ['TransactionID', 'no receipt'],
    ['Amount', '20.50'],
    ['ReceiverParty', '600100'],
    ['RecieverIdentifierType', '4'],
    ['ResultURL', 'https://Box.example.test/'],
    ['QueueTimeOutURL', undefined],
    ['Remarks', 'x'],
  ])('is refused a reversal with %s = %j', async (field, value) => {
    const { post, reversal, simulator } = await bare();
    expect(await post('/mpesa/reversal/v1/request', { ...reversal, [field]: value })).toMatchObject({
      errorCode: '400.002.02',
      errorMessage: `Bad Request - Invalid ${field}`,
    });
    expect(simulator.counts().initiated).toBe(1);
    expect(simulator.results()).toEqual([]);
  });

  it('must not spell the receiver as in a dictionary', async () => {
    const { post, reversal } = await bare();
    const { RecieverIdentifierType: type, ...rest } = reversal;
    expect(await post('/mpesa/reversal/v1/request', { ...rest, ReceiverIdentifierType: type })).toMatchObject(
      {
        errorMessage: 'Bad Request - Invalid RecieverIdentifierType',
      },
    );
  });

  it.each([
    ['/mpesa/c2b/v1/registerurl', { ResponseType: 'completed' }, 'ResponseType'],
    ['/mpesa/c2b/v2/registerurl', { ShortCode: '600100' }, 'ShortCode'],
    ['/mpesa/c2b/v2/registerurl', { ConfirmationURL: 'http://127.0.0.1:9/mpesa/c' }, 'ConfirmationURL'],
    ['/mpesa/c2b/v1/registerurl', { ValidationURL: 'http://127.0.0.1:9/sql' }, 'ValidationURL'],
  ])('is refused at %s with %j', async (path, change, field) => {
    const { post } = await bare();
    const good = {
      ShortCode: '174379',
      ResponseType: 'Completed',
      ConfirmationURL: 'http://127.0.0.1:9/c',
      ValidationURL: 'http://127.0.0.1:9/v',
    };
    expect(await post(path, { ...good, ...change })).toMatchObject({
      errorMessage: `Bad Request - Invalid ${field}`,
    });
    expect(await post(path, good)).toMatchObject({
      OriginatorCoversationID: expect.any(String),
      ResponseCode: '0',
    });
  });

  it('gets nowhere with a form or without a token', async () => {
    const { post, reversal, simulator } = await bare();
    const form = await post('/mpesa/reversal/v1/request', reversal, 'application/x-www-form-urlencoded');
    expect(form).toMatchObject({ errorMessage: 'Bad Request - Invalid Initiator' });
    const answer = await fetch(`${simulator.baseUrl}/pulltransactions/v1/query`, {
      method: 'POST',
      body: '{}',
    });
    expect(await answer.json()).toMatchObject({ errorCode: '404.001.04' });
    const verb = await fetch(`${simulator.baseUrl}/mpesa/reversal/v1/request`);
    expect(verb.status).toBe(405);
  });

  it('is refused a pull of wrong times', async () => {
    const { post } = await bare();
    const good = {
      ShortCode: '174379',
      StartDate: '2026-10-02 08:36:00',
      EndDate: '2026-10-02 09:36:00',
      OffSetValue: 0,
    };
    for (const [field, value] of [
      ['StartDate', '20261002083600'],
      ['StartDate', '2026-13-02 08:36:00'],
      ['EndDate', '2026-10-01 08:36:00'],
      ['OffSetValue', 'x'],
    ] as const) {
      expect(await post('/pulltransactions/v1/query', { ...good, [field]: value }), field).toMatchObject({
        errorMessage: `Bad Request - Invalid ${field}`,
      });
    }
  });
});
