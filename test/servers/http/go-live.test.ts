// The go-live checklist against a simulated M-PESA: each step says what failed and what to do.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { noticeAddresses } from '../../../src/billing/notice-addresses.ts';
import { NOWHERE } from '../../../src/billing/notice-base.ts';
import { settleEvidence } from '../../../src/billing/settle.ts';
import {
  createMpesaSimulator,
  type MpesaSimulator,
  SIMULATED_CERTIFICATE,
  SIMULATED_INITIATOR,
} from '../../../src/simulators/mpesa/index.ts';
import { NOW } from '../../access/fixtures.ts';
import { certificate } from '../../protocols/mpesa/certificate.ts';
import { startApp, type TestApp } from './fixtures.ts';

const DAY = 86_400_000;

let mpesa: MpesaSimulator;
let app: TestApp;
let call: Awaited<ReturnType<TestApp['signedInAs']>>['call'];
let keys: Record<string, string>;

beforeEach(async () => {
  mpesa = createMpesaSimulator();
  await mpesa.start();
  app = await startApp();
  call = (await app.signedInAs('owner')).call;
  const [merchant] = mpesa.merchants;
  const { shortcode, consumer_key, consumer_secret, passkey } = merchant!;
  keys = {
    environment: 'custom',
    base_url: mpesa.baseUrl,
    kind: 'paybill',
    shortcode,
    consumer_key,
    consumer_secret,
    passkey,
  };
});
afterEach(async () => {
  await app.close();
  await mpesa.stop();
});

const save = (change: Record<string, string> = {}) => call('PUT', '/settings/mpesa', { ...keys, ...change });
async function stepOf(step: string, answer = call('GET', '/go-live')) {
  const { status, json } = await answer;
  expect(status).toBe(200);
  return json.steps.find((one: { step: string }) => one.step === step);
}

test('a fresh box has everything before it, and is not live', async () => {
  const { json } = await call('GET', '/go-live');
  expect(json.live).toBe(false);
  expect(json.steps.map(({ step, state }: { step: string; state: string }) => [step, state])).toEqual([
    ['keys', 'unknown'],
    ['shortcode', 'unknown'],
    ['push', 'unknown'],
    ['callback', 'optional'],
    ['c2b', 'optional'],
    ['pull', 'optional'],
    ['initiator', 'optional'],
  ]);
  expect((await call('POST', '/go-live/keys', {})).json).toMatchObject({
    code: 'conflict',
    hint: expect.any(String),
  });
});

describe('the keys', () => {
  test('that are right are said so, until they change', async () => {
    await save();
    await call('POST', '/go-live/keys', {});
    expect(await stepOf('keys')).toMatchObject({ state: 'ok', at: NOW });
    expect(await stepOf('shortcode')).toMatchObject({ state: 'ok' });
    await save();
    expect(await stepOf('keys')).toMatchObject({ state: 'ok' });
    await save({ passkey: 'another' });
    expect(await stepOf('keys')).toMatchObject({ state: 'again', hint: expect.stringMatching(/changed/) });
  });

  test.each([
    [{ consumer_secret: 'wrong' }, 'keys', /Copy both again/],
    [{ passkey: 'wrong' }, 'shortcode', /passkey does not belong/],
    [{ base_url: 'http://127.0.0.1:1' }, 'keys', /internet connection/],
  ])('%j: the step that failed says what to do', async (change, step, hint) => {
    await save(change);
    expect(await stepOf(step, call('POST', '/go-live/keys', {}))).toMatchObject({
      state: 'failed',
      hint: expect.stringMatching(hint),
    });
    expect((await call('GET', '/go-live')).json.live).toBe(false);
  });
});

describe('the push', () => {
  const push = () => call('POST', '/go-live/push', { msisdn: '0712 345 678' });

  test('is a whole sale of KES 1 of a plan that guests do not see, sent once for two taps', async () => {
    await save();
    expect(await stepOf('push', push())).toMatchObject({
      state: 'waiting',
      message: expect.stringMatching(/PIN/),
    });
    await push();
    expect(mpesa.prompts()).toMatchObject([{ amount_shillings: 1, msisdn: '254712345678' }]);
    expect((await app.at('portal', '/api/plans')).text).not.toContain('Test push');
  });

  test('that is paid says by what it was known', async () => {
    await save();
    await push();
    const order = await app.db.selectFrom('orders').selectAll().executeTakeFirstOrThrow();
    const [prompt] = mpesa.prompts();
    const body = JSON.stringify({
      Body: {
        stkCallback: {
          MerchantRequestID: order.merchant_request_id,
          CheckoutRequestID: prompt!.checkout_request_id,
          ResultCode: 0,
          ResultDesc: 'ok',
          CallbackMetadata: {
            Item: [
              { Name: 'Amount', Value: 1 },
              { Name: 'MpesaReceiptNumber', Value: 'UK1234ABCD' },
            ],
          },
        },
      },
    });
    await keep(order.id, 'stk_query', JSON.stringify({ result_code: '0' }));
    expect(await stepOf('push')).toMatchObject({
      state: 'warning',
      message: expect.stringMatching(/Karibu asked/),
    });
    await keep(order.id, 'stk_callback', body);
    expect(await stepOf('push')).toMatchObject({
      state: 'ok',
      message: expect.stringMatching(/notice came/),
    });
  });

  test.each([
    [{ stk_error: 'wrong_credentials' as const }, /belong together/],
    [{ stk_error: 'busy_phone' as const }, /other M-PESA session/],
  ])('that is refused with %j says what to do', async (knobs, hint) => {
    await save();
    mpesa.setKnobs(knobs as Parameters<MpesaSimulator['setKnobs']>[0]);
    expect(await stepOf('push', push())).toMatchObject({
      state: 'failed',
      hint: expect.stringMatching(hint),
    });
  });

  test.each([
    ['2028', /kind, the shortcode and the till/],
    ['SFC_IC0003', /does not know the receiver/],
    ['1032', /Try again/],
  ])('that ends with %s says what to do', async (code, hint) => {
    await save();
    await push();
    const order = await app.db.selectFrom('orders').selectAll().executeTakeFirstOrThrow();
    await keep(order.id, 'stk_query', JSON.stringify({ result_code: code }));
    expect(await stepOf('push')).toMatchObject({ state: 'failed', hint: expect.stringMatching(hint) });
  });

  async function keep(orderId: string, kind: 'stk_query' | 'stk_callback', body: string) {
    const { keepEvidence } = await import('../../../src/billing/evidence.ts');
    const evidence = await keepEvidence(
      app.db,
      { kind, order_id: orderId, body, source_address: '127.0.0.1' },
      NOW,
    );
    await settleEvidence(app.db, app.vault, evidence!.id, NOW);
  }
});

describe('registrations', () => {
  test('of addresses want a way in, and go to addresses without forbidden words', async () => {
    await save();
    expect((await call('POST', '/go-live/c2b', {})).json).toMatchObject({
      code: 'conflict',
      hint: 'Choose a way in first.',
    });
    const { confirmation_url, validation_url, pull_url } = noticeAddresses(app.vault, 'https://wifi.example');
    for (const url of [confirmation_url, validation_url, pull_url]) {
      expect(new URL(url).pathname).toMatch(/^\/cb\/pay\/[\da-f]{40}\/(confirmation|validation|pulled)$/);
      expect(url).not.toMatch(/m-?pesa|safaricom|exec?|cmd|sql|query/i);
    }
  });
});

describe('notices of payments by hand', () => {
  const body = JSON.stringify({
    TransactionType: 'Pay Bill',
    TransID: 'RKL51ZDR4F',
    TransTime: '20231121121325',
    TransAmount: '5.00',
    BusinessShortCode: '600966',
    BillRefNumber: 'x',
    MSISDN: '2547 ***** 126',
  });
  const send = (
    part: string,
    path = new URL(noticeAddresses(app.vault, 'http://x').confirmation_url).pathname,
    text = body,
  ) =>
    app.at('callback', path.replace('confirmation', part), { method: 'POST', body: text }, '196.201.214.200');

  test('are kept once under their code before they are answered, and strangers learn nothing', async () => {
    const genuine = await send('confirmation');
    await send('confirmation');
    const forged = await send('confirmation', '/cb/pay/AAAAAAAAAAAAAAAAAAAAAAAAAAA/confirmation');
    expect([forged.status, forged.text]).toEqual([genuine.status, genuine.text]);
    // Ids of one millisecond are in no order.
    const rows = await app.db.selectFrom('evidence').selectAll().orderBy('state', 'desc').execute();
    expect(rows.map(({ kind, receipt, state }) => [kind, receipt, state])).toEqual([
      ['c2b', 'RKL51ZDR4F', 'received'],
      ['c2b', null, 'quarantined'],
    ]);
    expect((await send('validation')).json).toEqual({ ResultCode: '0', ResultDesc: 'Accepted' });
    expect((await send('pulled')).status).toBe(200);
  });

  test('that cannot be read are kept aside, not lost', async () => {
    expect((await send('confirmation', undefined, '<html>')).status).toBe(200);
    const rows = await app.db.selectFrom('evidence').selectAll().execute();
    expect(rows).toMatchObject([{ kind: 'c2b', state: 'quarantined', body: '<html>' }]);
  });
});

describe('the initiator', () => {
  const put = (body: Record<string, unknown>) => call('PUT', '/go-live/initiator', body);

  test('counts the ninety days of its password down', async () => {
    await put({
      name: 'karibuapi',
      password: 'S3cret#Pin',
      certificate: certificate,
      password_set_at: NOW - 60 * DAY,
    });
    expect(await stepOf('initiator')).toMatchObject({
      state: 'unknown',
      message: expect.stringMatching(/ends in 30 days.*Not tested yet/),
    });
    await put({ password_set_at: NOW - 80 * DAY });
    expect(await stepOf('initiator')).toMatchObject({
      state: 'warning',
      message: expect.stringMatching(/ends in 10 days/),
    });
    await put({ password_set_at: NOW - 90 * DAY });
    expect(await stepOf('initiator')).toMatchObject({
      state: 'failed',
      hint: expect.stringMatching(/new password/),
    });
  });

  test('is sealed, never shown, and a new password begins the days anew', async () => {
    await put({
      name: 'karibuapi',
      password: 'S3cret#Pin',
      certificate: certificate,
      password_set_at: NOW - 80 * DAY,
    });
    const answer = await put({ password: 'N3w#Secret' });
    expect(await stepOf('initiator')).toMatchObject({
      state: 'unknown',
      message: expect.stringMatching(/90 days/),
    });
    const rows = JSON.stringify([
      await app.db.selectFrom('settings').selectAll().execute(),
      await app.db.selectFrom('audit').selectAll().execute(),
      answer.json,
    ]);
    expect(rows).not.toMatch(/S3cret|N3w#/);
  });

  test('says which part is missing or wrong', async () => {
    expect((await put({ name: 'karibuapi' })).json.fields).toMatchObject({
      password: expect.any(String),
      certificate: expect.any(String),
    });
    const wrong = await put({ name: 'karibuapi', password: 'x', certificate: 'not one' });
    expect([wrong.status, Object.keys(wrong.json.fields)]).toEqual([400, ['certificate']]);
  });
});

describe('the question for the balance', () => {
  const INITIATOR = { ...SIMULATED_INITIATOR, certificate: SIMULATED_CERTIFICATE, password_set_at: NOW };
  const ask = () => stepOf('initiator', call('POST', '/go-live/initiator/test', {}));
  let door: Server;
  let base: string;

  // What the simulator posts goes through the callback door, as through a tunnel.
  beforeEach(async () => {
    door = createServer(async (request, response) => {
      const body = Buffer.concat(await request.toArray()).toString();
      const taken = await app.at('callback', request.url ?? '/', { method: 'POST', body });
      response.writeHead(taken.status).end(taken.text);
    });
    await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(door.address() as AddressInfo).port}`;
  });
  afterEach(() => new Promise((resolve) => door.close(resolve)));

  const answered = () =>
    vi.waitFor(async () => expect((await stepOf('initiator')).state).not.toBe('waiting'));

  test('is answered by a notice: what M-PESA holds, and how long the password lasts', async () => {
    await save({ callback_base_url: base });
    await call('PUT', '/go-live/initiator', INITIATOR);
    mpesa.setKnobs({ org_opening_shillings: 1234 });
    expect(await ask()).toMatchObject({ state: 'waiting', at: NOW });
    await answered();
    expect(await stepOf('initiator')).toMatchObject({
      state: 'ok',
      message: expect.stringMatching(/answered in \d+ s · Utility Account KES 1,234\. .*ends in 90 days/),
      hint: null,
    });
    await call('PUT', '/go-live/initiator', { password: 'another' });
    expect(await stepOf('initiator')).toMatchObject({
      state: 'again',
      hint: expect.stringMatching(/changed/),
    });
    const rows = await app.db.selectFrom('evidence').select('id').execute();
    expect(rows).toEqual([]);
  });

  test.each([
    ['2001', /90 days are over/],
    ['21', /check its role/],
    ['20', /check its name/],
    ['8006', /unlock it/],
  ])('that is answered with %s says what to do', async (initiator_result_code, hint) => {
    await save({ callback_base_url: base });
    await call('PUT', '/go-live/initiator', INITIATOR);
    mpesa.setKnobs({ initiator_result_code });
    await ask();
    await answered();
    expect(await stepOf('initiator')).toMatchObject({
      state: 'failed',
      message: expect.stringContaining(`M-PESA answered ${initiator_result_code}`),
      hint: expect.stringMatching(hint),
    });
  });

  test('of an account without money says that', async () => {
    await save({ callback_base_url: base });
    await call('PUT', '/go-live/initiator', INITIATOR);
    await ask();
    await answered();
    expect((await stepOf('initiator')).message).toContain('every account is empty');
  });

  test('that waited too long at M-PESA says so', async () => {
    await save({ callback_base_url: base });
    await call('PUT', '/go-live/initiator', INITIATOR);
    mpesa.setKnobs({ initiator_reply: 'timeout' });
    await ask();
    await answered();
    expect(await stepOf('initiator')).toMatchObject({
      state: 'failed',
      message: 'M-PESA’s queue was too long.',
      hint: expect.stringMatching(/test again/),
    });
  });

  test('that is refused at once says why: no initiator, or keys that Daraja does not take', async () => {
    await save({ callback_base_url: base });
    expect(await ask()).toMatchObject({ state: 'optional' });
    await call('PUT', '/go-live/initiator', INITIATOR);
    app.time.now += 60_000;
    await save({ callback_base_url: base, consumer_secret: 'wrong' });
    expect(await ask()).toMatchObject({
      state: 'failed',
      message: expect.stringMatching(/Daraja refused/),
      hint: expect.any(String),
    });
  });

  test('without an answer is waited for, then points to the way in; a second tap asks nothing twice', async () => {
    await save({ callback_base_url: base });
    await call('PUT', '/go-live/initiator', INITIATOR);
    mpesa.setKnobs({ initiator_reply: 'none' });
    await ask();
    await ask();
    const requests = () => app.db.selectFrom('mpesa_requests').select(['state', 'kind']).execute();
    expect(await requests()).toEqual([{ state: 'asked', kind: 'account_balance' }]);
    app.time.now += 130_000;
    expect(await stepOf('initiator')).toMatchObject({
      state: 'failed',
      message: expect.stringMatching(/no answer has come in/),
      hint: expect.stringMatching(/way in/),
    });
    await ask();
    expect((await requests()).map(({ state }) => state).sort()).toEqual(['asked', 'failed']);
  });

  test('without any way in says that its answer cannot be seen', async () => {
    await save({ callback_base_url: NOWHERE });
    await call('PUT', '/go-live/initiator', INITIATOR);
    mpesa.setKnobs({ initiator_reply: 'none' });
    await ask();
    expect(await stepOf('initiator')).toMatchObject({
      state: 'warning',
      message: expect.stringMatching(/cannot be seen/),
      hint: expect.stringMatching(/Open a way in/),
    });
  });
});
