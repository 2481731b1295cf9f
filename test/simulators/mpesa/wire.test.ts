// Shows the simulator's wire to a bare HTTP caller: strict requests, Daraja's errors, ids in Daraja's forms.
import { afterEach, describe, expect, it } from 'vitest';
import { formatEatTimestamp, stkPassword } from '../../../src/protocols/mpesa/index.ts';
import { configFor, PAYER, startSimulator, stopAll } from './harness.ts';

afterEach(stopAll);

type Simulator = Awaited<ReturnType<typeof startSimulator>>;
type Json = Record<string, unknown>;

const TIMESTAMP = '20261002083600';
const UUID_TAIL = /^[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\d{4,7}$/;

async function getToken(simulator: Simulator): Promise<string> {
  const { consumerKey, consumerSecret } = configFor(simulator);
  const basic = Buffer.from(`${consumerKey}:${consumerSecret}`).toString('base64');
  const answer = await fetch(`${simulator.baseUrl}/oauth/v1/generate?grant_type=client_credentials`, {
    headers: { authorization: `Basic ${basic}` },
  });
  return String(((await answer.json()) as Json).access_token);
}

function pushBody(simulator: Simulator, change: Json = {}): Json {
  const { shortcode, passkey } = configFor(simulator);
  return {
    BusinessShortCode: Number(shortcode),
    Password: stkPassword(shortcode, passkey, TIMESTAMP),
    Timestamp: TIMESTAMP,
    TransactionType: 'CustomerPayBillOnline',
    Amount: '20',
    PartyA: PAYER,
    PartyB: shortcode,
    PhoneNumber: PAYER,
    CallBackURL: 'http://127.0.0.1:9/cb/x',
    AccountReference: 'HOUR1',
    TransactionDesc: 'WiFi',
    ...change,
  };
}

async function post(simulator: Simulator, path: string, body: unknown, headers: Record<string, string> = {}) {
  const answer = await fetch(simulator.baseUrl + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: answer.status, json: (await answer.json()) as Json };
}

async function push(simulator: Simulator, body: unknown, headers: Record<string, string> = {}) {
  const authorization = `Bearer ${await getToken(simulator)}`;
  return post(simulator, '/mpesa/stkpush/v1/processrequest', body, { authorization, ...headers });
}

describe('OAuth', () => {
  it('gives 28 characters and the seconds they live', async () => {
    const simulator = await startSimulator({ knobs: { expires_in_as: 'number' } });
    expect(await getToken(simulator)).toMatch(/^[A-Za-z0-9]{28}$/);
  });

  it('wants Basic and client_credentials', async () => {
    const simulator = await startSimulator();
    const none = await fetch(`${simulator.baseUrl}/oauth/v1/generate?grant_type=client_credentials`);
    expect(await none.json()).toMatchObject({ errorCode: '400.008.01' });
    const grant = await fetch(`${simulator.baseUrl}/oauth/v1/generate`, {
      headers: { authorization: `Basic ${Buffer.from('a:b').toString('base64')}` },
    });
    expect(await grant.json()).toMatchObject({ errorCode: '400.008.02' });
  });

  it.each([
    [true, 404],
    [false, 200],
  ])('invalidating the token before: %s', async (token_invalidates_previous, status) => {
    const simulator = await startSimulator({ knobs: { token_invalidates_previous } });
    const first = await getToken(simulator);
    await getToken(simulator);
    const answer = await post(simulator, '/mpesa/stkpush/v1/processrequest', pushBody(simulator), {
      authorization: `Bearer ${first}`,
    });
    expect(answer.status).toBe(status);
  });

  it('ends a token after its time', async () => {
    let now = Date.UTC(2026, 9, 2);
    const simulator = await startSimulator({ now: () => now });
    const authorization = `Bearer ${await getToken(simulator)}`;
    now += 3_600_000;
    expect(
      await post(simulator, '/mpesa/stkpush/v1/processrequest', pushBody(simulator), { authorization }),
    ).toMatchObject({ status: 404, json: { errorCode: '404.001.03', errorMessage: 'Invalid Access Token' } });
  });
});

describe('an STK push', () => {
  it('is accepted with ids in the forms of Daraja', async () => {
    const at = Date.UTC(2026, 9, 2, 5, 36, 7, 45);
    const simulator = await startSimulator({ now: () => at });
    const { status, json } = await push(simulator, pushBody(simulator));
    expect(status).toBe(200);
    expect(json).toEqual({
      MerchantRequestID: expect.stringMatching(UUID_TAIL),
      CheckoutRequestID: 'ws_CO_0210202608360745712345678',
      ResponseCode: '0',
      ResponseDescription: 'Success. Request accepted for processing',
      CustomerMessage: 'Success. Request accepted for processing',
    });
  });

  it('accepts the documented mixes of numbers and strings', async () => {
    const simulator = await startSimulator({ knobs: { subscriber_lock: false } });
    const numbers = { Amount: 20, PartyA: Number(PAYER), PhoneNumber: Number(PAYER), PartyB: 174379 };
    expect((await push(simulator, pushBody(simulator, numbers))).status).toBe(200);
    expect((await push(simulator, pushBody(simulator, { BusinessShortCode: '174379' }))).status).toBe(200);
    expect((await push(simulator, pushBody(simulator, { TransactionDesc: undefined }))).status).toBe(200);
    const ids = simulator.prompts().map((prompt) => prompt.checkout_request_id);
    expect(new Set(ids).size).toBe(3);
  });

  it.each([
    ['BusinessShortCode', 'abc', 'BusinessShortCode'],
    ['BusinessShortCode', undefined, 'BusinessShortCode'],
    ['Timestamp', '2026', 'Timestamp'],
    ['Timestamp', '20261302083600', 'Timestamp'],
    ['Timestamp', '20260230083600', 'Timestamp'],
    ['Password', '', 'Password'],
    ['TransactionType', 'PayBill', 'TransactionType'],
    ['Amount', '20.50', 'Amount'],
    ['Amount', 20.5, 'Amount'],
    ['Amount', 0, 'Amount'],
    ['Amount', -1, 'Amount'],
    ['Amount', null, 'Amount'],
    ['PartyA', '0712345678', 'PartyA'],
    ['PartyB', '', 'PartyB'],
    ['PhoneNumber', '+254712345678', 'PhoneNumber'],
    ['PhoneNumber', '256712345678', 'PhoneNumber'],
    ['CallBackURL', 'nothing', 'CallBackURL'],
    ['CallBackURL', 'ftp://example.test/', 'CallBackURL'],
    ['CallBackURL', 'https://Example.test/', 'CallBackURL'],
    ['CallBackURL', undefined, 'CallBackURL'],
    ['AccountReference', '', 'AccountReference'],
    ['AccountReference', 'THIRTEENCHARS', 'AccountReference'],
    ['AccountReference', 'A B', 'AccountReference'],
    ['TransactionDesc', 'fourteen chars', 'TransactionDesc'],
  ])('with %s = %j is a bad request that names the field', async (field, value, named) => {
    const simulator = await startSimulator();
    const { status, json } = await push(simulator, pushBody(simulator, { [field]: value }));
    expect(status).toBe(400);
    expect(json).toEqual({
      requestId: expect.stringMatching(UUID_TAIL),
      errorCode: '400.002.02',
      errorMessage: `Bad Request - Invalid ${named}`,
    });
    expect(simulator.prompts()).toEqual([]);
  });

  it('refuses plain http for the callback when told to be as production', async () => {
    const simulator = await startSimulator({ knobs: { require_https_callbacks: true } });
    expect((await push(simulator, pushBody(simulator))).json).toMatchObject({
      errorMessage: 'Bad Request - Invalid CallBackURL',
    });
  });

  it('with a password of another time or passkey has wrong credentials', async () => {
    const simulator = await startSimulator();
    for (const change of [
      { Timestamp: formatEatTimestamp(Date.UTC(2026, 9, 3)) },
      { Password: stkPassword('174379', 'another', TIMESTAMP) },
    ]) {
      expect(await push(simulator, pushBody(simulator, change))).toMatchObject({
        status: 500,
        json: { errorCode: '500.001.1001', errorMessage: '[MerchantValidate] - Wrong credentials' },
      });
    }
  });

  it('for an unknown shortcode names no merchant', async () => {
    const simulator = await startSimulator();
    expect(await push(simulator, pushBody(simulator, { BusinessShortCode: 555555 }))).toMatchObject({
      status: 500,
      json: { errorCode: '500.001.1001', errorMessage: 'Merchant does not exist' },
    });
  });

  it('without a bearer, or with a wrong one, is refused as on the real one', async () => {
    const simulator = await startSimulator();
    const path = '/mpesa/stkpush/v1/processrequest';
    expect((await post(simulator, path, pushBody(simulator))).json).toMatchObject({
      errorCode: '404.001.04',
    });
    expect(
      (await post(simulator, path, pushBody(simulator), { authorization: 'Bearer nonsense' })).json,
    ).toMatchObject({ errorCode: '404.001.03' });
  });

  it('that is a form, broken JSON or no object is refused', async () => {
    const simulator = await startSimulator();
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    expect((await push(simulator, 'Amount=20', form)).json).toMatchObject({
      errorMessage: 'Bad Request - Invalid BusinessShortCode',
    });
    for (const body of ['{"Amount":', '[]', 'null', '']) {
      expect((await push(simulator, body)).json).toMatchObject({ errorCode: '400.002.05' });
    }
  });

  it('too large is cut off with 413', async () => {
    const simulator = await startSimulator();
    const answer = await fetch(`${simulator.baseUrl}/mpesa/stkpush/v1/processrequest`, {
      method: 'POST',
      body: 'x'.repeat(100_000),
    });
    expect(answer.status).toBe(413);
  });

  it('with the wrong verb or path is refused as on the real one', async () => {
    const simulator = await startSimulator();
    const verb = await fetch(`${simulator.baseUrl}/mpesa/stkpush/v1/processrequest`);
    expect([verb.status, await verb.json()]).toMatchObject([405, { errorCode: '405.001' }]);
    const path = await fetch(`${simulator.baseUrl}/mpesa/nothing`);
    expect([path.status, await path.json()]).toMatchObject([404, { errorCode: '404.001.01' }]);
  });
});

describe('an STK query', () => {
  it('answers with a result code that is a string', async () => {
    const simulator = await startSimulator({ knobs: { outcome: '1037', callback_count: 0 } });
    const accepted = await push(simulator, pushBody(simulator));
    await simulator.waitUntil(() => simulator.prompts()[0]?.state === 'decided');
    const { Password, Timestamp, BusinessShortCode } = pushBody(simulator);
    const CheckoutRequestID = accepted.json.CheckoutRequestID;
    const answer = await post(
      simulator,
      '/mpesa/stkpushquery/v1/query',
      { BusinessShortCode, Password, Timestamp, CheckoutRequestID },
      { authorization: `Bearer ${await getToken(simulator)}` },
    );
    expect(answer).toEqual({
      status: 200,
      json: {
        ResponseCode: '0',
        ResponseDescription: 'The service request has been accepted successfully',
        MerchantRequestID: accepted.json.MerchantRequestID,
        CheckoutRequestID,
        ResultCode: '1037',
        ResultDesc: 'DS timeout user cannot be reached',
      },
    });
  });
});
