// Plays people who pay a paybill or till by hand, and what the shop is told of it.
import { afterEach, describe, expect, it } from 'vitest';
import {
  c2bValidationAnswer,
  createMpesaClient,
  hashMsisdn,
  parseC2bNotice,
} from '../../../src/protocols/mpesa/index.ts';
import type { HandPayment, Knobs } from '../../../src/simulators/mpesa/index.ts';
import { configFor, PAYER, startCallbackDoor, startSimulator, stopAll } from './harness.ts';

afterEach(stopAll);

const PAYMENT: HandPayment = {
  msisdn: PAYER,
  to: '174379',
  account_reference: 'hour 1',
  amount_shillings: 20,
};

async function startShop(
  options: {
    knobs?: Partial<Knobs>;
    version?: 'v1' | 'v2';
    whenUnanswered?: 'Completed' | 'Cancelled';
    validationStatus?: number;
    validationAnswer?: object;
  } = {},
) {
  const simulator = await startSimulator({ knobs: { c2b_delay_ms: 0, ...options.knobs } });
  const confirmations = await startCallbackDoor();
  const validations = await startCallbackDoor(
    options.validationStatus ?? 200,
    JSON.stringify(options.validationAnswer ?? c2bValidationAnswer()),
  );
  for (const kind of ['paybill', 'till'] as const) {
    const registered = await createMpesaClient(configFor(simulator, kind)).registerC2bUrls({
      version: options.version ?? 'v2',
      confirmation_url: confirmations.url.replace('mpesa', 'c'),
      validation_url: validations.url.replace('mpesa', 'v'),
      when_unanswered: options.whenUnanswered ?? 'Completed',
    });
    expect(registered).toEqual({ outcome: 'registered' });
  }
  const pay = (change: Partial<HandPayment> = {}) => simulator.payByHand({ ...PAYMENT, ...change });
  const notice = async () => {
    await simulator.waitUntilQuiet();
    const read = parseC2bNotice(confirmations.received.at(-1)?.body ?? '');
    if (!read.ok) throw new Error(read.problem);
    return read;
  };
  return { simulator, confirmations, validations, pay, notice };
}

describe('a payment by hand', () => {
  it('to a paybill is in the ledger, on the phone, and told', async () => {
    const { simulator, pay, notice } = await startShop();
    const paid = await pay();
    const [entry] = simulator.ledger();
    expect(paid).toEqual({ ok: true, receipt: entry!.receipt });
    expect(entry).toMatchObject({
      source: 'hand',
      payer_msisdn: PAYER,
      amount_shillings: 20,
      shortcode: '174379',
      account_reference: 'hour 1',
      checkout_request_id: '',
      reversal: null,
    });
    expect(simulator.phone(PAYER)).toMatchObject({ wallet_shillings: 4980 });
    expect(simulator.phone(PAYER).messages[0]!.text).toContain('sent to KARIBU WIFI for account hour 1');
    expect(await notice()).toMatchObject({
      kind: 'paybill',
      receipt: entry!.receipt,
      amount_cents: 2000,
      shortcode: '174379',
      account_reference: 'hour 1',
      msisdn_masked: '2547*****678',
      org_balance_cents: 2000,
      oddities: [],
    });
    await simulator.waitUntilQuiet();
    expect(simulator.ledger()[0]!.confirmations).toMatchObject([{ http_status: 200 }]);
  });

  it('to a till has no account, a hash in version 1, one name', async () => {
    const { simulator, pay, notice, confirmations } = await startShop({ version: 'v1' });
    await pay({ to: '5600100', account_reference: '' });
    expect(await notice()).toMatchObject({
      kind: 'till',
      shortcode: '5600100',
      account_reference: '',
      msisdn_sha256: hashMsisdn(PAYER),
      oddities: [],
    });
    expect(Object.keys(JSON.parse(confirmations.received[0]!.body))).not.toContain('LastName');
    expect(simulator.ledger()).toMatchObject([{ shortcode: '600100', party_b: '5600100' }]);
  });

  it.each([
    [{ c2b_mask: 'tight' }, { msisdn_masked: '25471****678' }],
    [{ c2b_msisdn: 'full' }, { msisdn: PAYER }],
    [{ c2b_msisdn: 'absent' }, { oddities: ['no phone number'] }],
    [{ c2b_types: 'number' }, { amount_cents: 2000 }],
    [{ c2b_amount_shillings: 19 }, { amount_cents: 1900 }],
    [{ c2b_shortcode: '999999' }, { shortcode: '999999' }],
  ] as const)('with %j is told so', async (knobs, told) => {
    const { pay, notice } = await startShop({ knobs });
    await pay();
    expect(await notice()).toMatchObject(told);
  });

  it.each([
    [{ to: '999999' }, 'no paybill or till'],
    [{ amount_shillings: 5001 }, 'not enough money'],
    [{ amount_shillings: 250_001 }, 'above the limit'],
    [{ amount_shillings: 1.5 }, 'whole shillings'],
    [{ account_reference: ' ' }, 'asks for an account number'],
    [{ account_reference: 'x'.repeat(21) }, 'up to 20'],
  ])('with %j is not made', async (change, problem) => {
    const { simulator, pay } = await startShop();
    expect(await pay(change)).toMatchObject({ ok: false, problem: expect.stringContaining(problem) });
    expect(simulator.ledger()).toEqual([]);
    expect(simulator.phone(PAYER).wallet_shillings).toBe(5000);
  });

  it('is told to nobody where no address is registered', async () => {
    const simulator = await startSimulator({ knobs: { c2b_delay_ms: 0 } });
    await simulator.payByHand(PAYMENT);
    await simulator.waitUntilQuiet();
    expect(simulator.ledger()).toMatchObject([{ confirmations: [], confirmation_held: false }]);
  });

  it.each([
    [{ c2b_count: 0 }, 0],
    [{ c2b_count: 3 }, 3],
    [{ c2b_count: 3, c2b_concurrent: true }, 3],
  ])('with %j is told %i times', async (knobs, times) => {
    const { simulator, pay, confirmations } = await startShop({ knobs });
    await pay();
    await simulator.waitUntilQuiet();
    expect(confirmations.received).toHaveLength(times);
    expect(simulator.ledger()).toHaveLength(1);
  });

  it('may be told late', async () => {
    const { simulator, pay, confirmations } = await startShop({ knobs: { c2b_held: true } });
    const paid = await pay();
    if (!paid.ok) throw new Error(paid.problem);
    await simulator.waitUntilQuiet();
    expect(confirmations.received).toEqual([]);
    simulator.releaseConfirmation(paid.receipt);
    await simulator.waitUntilQuiet();
    expect(confirmations.received).toHaveLength(1);
    expect(() => simulator.releaseConfirmation(paid.receipt)).toThrow('no confirmation is held');
  });

  it('may be scripted by its amount', async () => {
    const { pay, simulator, confirmations } = await startShop({
      knobs: { rules: [{ match: { amount_shillings: 20 }, set: { c2b_count: 0 }, times: 1 }] },
    });
    await pay();
    await pay();
    await simulator.waitUntilQuiet();
    expect(confirmations.received).toHaveLength(1);
  });
});

describe('validation', () => {
  const on = { c2b_validation: true };

  it('is not asked unless it is switched on', async () => {
    const { pay, validations } = await startShop();
    await pay();
    expect(validations.received).toEqual([]);
  });

  it('that says yes lets the payment go on', async () => {
    const { pay, validations } = await startShop({ knobs: on });
    const paid = await pay();
    expect(parseC2bNotice(validations.received[0]!.body)).toMatchObject({
      receipt: paid.ok && paid.receipt,
      account_reference: 'hour 1',
    });
    expect(parseC2bNotice(validations.received[0]!.body)).not.toHaveProperty('org_balance_cents');
  });

  it('that says no ends the payment before any money moves', async () => {
    const { pay, simulator, confirmations } = await startShop({
      knobs: on,
      validationAnswer: c2bValidationAnswer('C2B00012'),
    });
    expect(await pay()).toMatchObject({ ok: false, problem: expect.stringContaining('C2B00012') });
    await simulator.waitUntilQuiet();
    expect(simulator.ledger()).toEqual([]);
    expect(confirmations.received).toEqual([]);
    expect(simulator.phone(PAYER).wallet_shillings).toBe(5000);
  });

  it.each([
    ['Completed', true],
    ['Cancelled', false],
  ] as const)('without an answer ends as registered: %s', async (whenUnanswered, ok) => {
    const { pay, simulator } = await startShop({ knobs: on, whenUnanswered, validationStatus: 500 });
    expect(await pay()).toMatchObject({ ok });
    expect(simulator.ledger()).toHaveLength(ok ? 1 : 0);
  });
});

describe('a push', () => {
  it.each([
    [true, 1],
    [false, 0],
  ])('is told by C2B too when c2b_for_stk is %s', async (c2b_for_stk, times) => {
    const { simulator, confirmations } = await startShop({
      knobs: { outcome: '0', callback_count: 0, c2b_for_stk },
    });
    await createMpesaClient(configFor(simulator)).stkPush({
      amount_shillings: 20,
      msisdn: PAYER,
      account_reference: 'HOUR1',
      description: '',
      callback_url: confirmations.url,
    });
    await simulator.waitUntil(() => simulator.ledger().length === 1);
    await simulator.waitUntilQuiet();
    expect(confirmations.received).toHaveLength(times);
    const [entry] = simulator.ledger();
    if (times === 1) {
      expect(parseC2bNotice(confirmations.received[0]!.body)).toMatchObject({
        receipt: entry!.receipt,
        account_reference: 'HOUR1',
      });
    }
  });
});

describe('over HTTP', () => {
  async function send(url: string, body: unknown) {
    const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
    return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
  }

  it('a person pays, the ledger and the statement show it, Safaricom sends it back', async () => {
    const { simulator } = await startShop();
    const at = `${simulator.baseUrl}/simulator`;
    const paid = await send(`${at}/payments`, {
      ...PAYMENT,
      msisdn: '0712 345 678',
      account_reference: 'a,"b"',
      pin: '1234',
    });
    expect(paid.status).toBe(200);
    expect((await send(`${at}/payments`, { ...PAYMENT, pin: '0000' })).json.error).toBe('the PIN is wrong');
    expect((await send(`${at}/payments`, { ...PAYMENT, to: '1' })).status).toBe(400);
    const receipt = String(paid.json.receipt);
    expect((await send(`${at}/payments/${receipt}`, { action: 'reverse', amount_shillings: 5 })).status).toBe(
      200,
    );
    expect((await send(`${at}/payments/${receipt}`, { action: 'reverse' })).json).toEqual({
      error: 'already',
    });
    const ledger = await (await fetch(`${at}/ledger`)).json();
    expect(ledger).toMatchObject({
      total_shillings: 20,
      reversed_shillings: 5,
      items: [{ receipt, reversal: { amount_shillings: 5 } }],
    });

    const csv = await (await fetch(`${at}/statement.csv?shortcode=174379`)).text();
    const lines = csv.trimEnd().split('\r\n');
    const columns = lines.findIndex((line) => line.startsWith('Receipt No.,'));
    expect(lines[0]).toBe('Account Holder:,KARIBU WIFI');
    expect(lines[columns]).toBe(
      'Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn,Balance,Balance Confirmed,Reason Type,Other Party Info,Linked Transaction ID,A/C No.',
    );
    const [back, came] = lines.slice(columns + 1);
    expect(came).toMatch(
      new RegExp(
        `^${receipt},\\d\\d-\\d\\d-20\\d\\d \\d\\d:\\d\\d:\\d\\d,.*,Completed,20.00,,20.00,true,Pay Utility,`,
      ),
    );
    expect(came).toContain('"a,""b"""');
    expect(came).toContain('2547*****678');
    expect(back).toContain(`,-5.00,15.00,true,Transaction Reversal,`);
    expect(back).toContain(`,${receipt},`);
    expect(csv).not.toContain(PAYER);
    expect((await fetch(`${at}/statement.csv?shortcode=1`)).status).toBe(404);
    expect((await fetch(`${at}/statement.csv?from=x`)).status).toBe(400);
    expect(await (await fetch(`${at}/certificate.cer`)).text()).toContain('BEGIN CERTIFICATE');
  });

  it('the sandbox’s own address makes a payment', async () => {
    const { simulator } = await startShop();
    const client = configFor(simulator);
    const basic = Buffer.from(`${client.consumerKey}:${client.consumerSecret}`).toString('base64');
    const token = await fetch(`${simulator.baseUrl}/oauth/v1/generate?grant_type=client_credentials`, {
      headers: { authorization: `Basic ${basic}` },
    });
    const { access_token } = (await token.json()) as { access_token: string };
    const answer = await fetch(`${simulator.baseUrl}/mpesa/c2b/v2/simulate`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${access_token}` },
      body: JSON.stringify({
        ShortCode: 174379,
        CommandID: 'CustomerPayBillOnline',
        Amount: 20,
        Msisdn: Number(PAYER),
        BillRefNumber: 'HOUR1',
      }),
    });
    expect(answer.status).toBe(200);
    await simulator.waitUntilQuiet();
    expect(simulator.ledger()).toMatchObject([
      { source: 'hand', amount_shillings: 20, account_reference: 'HOUR1' },
    ]);
  });
});
