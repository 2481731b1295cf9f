// Drives the client against a simulated Daraja on real sockets.
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  checkMpesaConnection,
  createMpesaClient,
  type MpesaConfig,
  parseStkCallback,
} from '../../../src/protocols/mpesa/index.ts';
import { configFor, PAYER, startPair, startSimulator, stopAll } from '../../simulators/mpesa/harness.ts';

afterEach(stopAll);

const PUSH = {
  amount_shillings: 20,
  msisdn: PAYER,
  account_reference: 'HOUR1',
  description: 'WiFi',
  callback_url: 'http://127.0.0.1:9/cb/mpesa/x',
};

const TOKEN = { access_token: 'abcdefghijklmnopqrstuvwxyz01', expires_in: '3599' };

const PAYBILL: MpesaConfig = {
  baseUrl: 'http://daraja.test/',
  consumerKey: 'k',
  consumerSecret: 's',
  shortcode: '174379',
  kind: 'paybill',
  passkey: 'p',
};

/** A client whose Daraja answers the push or query with this, for what a simulator would never send. */
function scripted(answer: () => Response, change: Partial<MpesaConfig> = {}) {
  const bodies: Record<string, unknown>[] = [];
  const client = createMpesaClient({
    ...PAYBILL,
    ...change,
    fetch: async (url, init) => {
      if (url.includes('/oauth/')) return Response.json(TOKEN);
      bodies.push(JSON.parse(String(init.body)));
      return answer();
    },
  });
  return { client, bodies };
}

describe('a payment', () => {
  it('by paybill is pushed, confirmed by PIN, called back and found by the query', async () => {
    const { simulator, door, client, push } = await startPair();
    const pushed = await push();
    expect(pushed).toMatchObject({ outcome: 'accepted' });
    const prompt = await simulator.waitForPrompt();
    expect(prompt.text).toBe('Do you want to pay KES 20 to KARIBU WIFI account HOUR1?');
    const id = prompt.checkout_request_id;
    expect(pushed).toMatchObject({
      checkout_request_id: id,
      merchant_request_id: prompt.merchant_request_id,
    });
    expect(await client.stkQuery(id)).toMatchObject({ outcome: 'pending', code: '4999' });
    simulator.answer(id, { action: 'pin', pin: '1234' });
    await simulator.waitForCallbacks(id);
    expect(await client.stkQuery(id)).toMatchObject({ outcome: 'decided', result_code: '0' });
    const [entry] = simulator.ledger();
    expect(entry).toMatchObject({ amount_shillings: 20, payer_msisdn: PAYER, callback_http_status: 200 });
    expect(parseStkCallback(door.received[0]!.body)).toMatchObject({
      ok: true,
      paid: true,
      checkout_request_id: id,
      amount_cents: 2000,
      receipt: entry!.receipt,
      msisdn: PAYER,
      transaction_at: Math.floor(entry!.paid_at / 1000) * 1000,
      oddities: [],
    });
  });

  it('by till reaches the till number', async () => {
    const simulator = await startSimulator({ knobs: { outcome: '0', callback_count: 0 } });
    const client = createMpesaClient(configFor(simulator, 'till'));
    const pushed = await client.stkPush(PUSH);
    await simulator.waitUntil(() => simulator.ledger().length === 1);
    expect(pushed.outcome).toBe('accepted');
    expect(simulator.ledger()).toMatchObject([{ shortcode: '600100', party_b: '5600100' }]);
  });

  it('by till to the wrong till number fails with 2028 or SFC_IC0003, and nothing is paid', async () => {
    const simulator = await startSimulator({ knobs: { outcome: '0', callback_count: 0 } });
    for (const [tillNumber, code] of [
      ['174379', '2028'],
      ['9999999', 'SFC_IC0003'],
    ] as const) {
      const client = createMpesaClient({ ...configFor(simulator, 'till'), tillNumber });
      const pushed = await client.stkPush(PUSH);
      if (pushed.outcome !== 'accepted') throw new Error(pushed.outcome);
      await simulator.waitUntil(() => simulator.prompts().every((prompt) => prompt.state === 'decided'));
      expect(await client.stkQuery(pushed.checkout_request_id)).toMatchObject({
        outcome: 'decided',
        result_code: code,
      });
    }
    expect(simulator.ledger()).toEqual([]);
  });

  it('may be sent with phone numbers as JSON numbers', async () => {
    const { client, bodies } = scripted(() => new Response(''), { phoneAs: 'number' });
    await client.stkPush(PUSH);
    expect(bodies).toMatchObject([{ PartyA: 254712345678, PhoneNumber: 254712345678, Amount: '20' }]);
    const simulator = await startSimulator();
    const real = createMpesaClient({ ...configFor(simulator), phoneAs: 'number' });
    expect(await real.stkPush(PUSH)).toMatchObject({ outcome: 'accepted' });
  });
});

describe('a push', () => {
  it.each([
    ['amount_shillings', 0.5],
    ['amount_shillings', 0],
    ['amount_shillings', Number.NaN],
    ['amount_shillings', 250_001],
    ['msisdn', '0712345678'],
    ['msisdn', '255712345678'],
    ['account_reference', ''],
    ['account_reference', 'HOUR-1'],
    ['account_reference', 'THIRTEENCHARS'],
    ['description', 'fourteen chars'],
    ['callback_url', 'ftp://example.test/x'],
    ['callback_url', 'nothing'],
    ['callback_url', 'https://Example.test/x'],
  ])('with %s = %j is refused before anything is sent', async (field, value) => {
    const { client, bodies } = scripted(() => new Response(''));
    const result = await client.stkPush({ ...PUSH, [field]: value });
    expect(result).toMatchObject({ outcome: 'refused', reason: 'bad_request', code: 'local' });
    expect(bodies).toEqual([]);
  });

  it.each([
    ['busy_phone', 'busy_phone'],
    ['wrong_credentials', 'credentials'],
    ['no_merchant', 'shortcode'],
    ['no_product', 'product'],
    ['spike_arrest', 'rate_limited'],
    ['system_busy', 'rate_limited'],
    ['quota', 'rate_limited'],
    ['invalid_payload', 'bad_request'],
    ['bad_request', 'bad_request'],
    ['not_found', 'bad_request'],
    ['invalid_header', 'bad_request'],
    ['wrong_verb', 'bad_request'],
  ] as const)('answered with %s is refused as %s, and asked once', async (fault, reason) => {
    const { simulator, push } = await startPair({ knobs: { stk_error: fault } });
    expect(await push()).toMatchObject({ outcome: 'refused', reason });
    expect(simulator.counts()).toMatchObject({ pushes: 1, prompts: 0 });
  });

  it.each(['internal', 'processing', 'processing_empty', 'html_502', 'empty_200', 'html_200'] as const)(
    'answered with %s has an unknown outcome, and is asked once',
    async (fault) => {
      const { simulator, push } = await startPair({ knobs: { stk_error: fault } });
      expect(await push()).toMatchObject({ outcome: 'unknown' });
      expect(simulator.counts().pushes).toBe(1);
    },
  );

  it.each([
    ['before_accept', 0],
    ['after_accept', 1],
  ] as const)('cut off %s has an unknown outcome, and is never repeated', async (drop, prompts) => {
    const { simulator, push } = await startPair({ knobs: { drop } });
    expect(await push()).toMatchObject({ outcome: 'unknown' });
    expect(simulator.counts()).toMatchObject({ pushes: 1, prompts });
  });

  it('without an answer in time has an unknown outcome', async () => {
    const simulator = await startSimulator({ knobs: { accept_delay_ms: 60_000 } });
    const client = createMpesaClient({ ...configFor(simulator), timeoutMs: 600 });
    await client.token();
    expect(await client.stkPush(PUSH)).toEqual({ outcome: 'unknown', cause: 'timeout' });
    expect(simulator.counts()).toMatchObject({ pushes: 1, prompts: 1 });
  });

  it('to a Daraja that cannot be reached is refused', async () => {
    const simulator = await startSimulator();
    const client = createMpesaClient(configFor(simulator));
    await client.token();
    await simulator.stop();
    expect(await client.stkPush(PUSH)).toMatchObject({ outcome: 'refused', reason: 'unreachable' });
  });

  it('to a phone with a live prompt is refused as busy, until that one is decided', async () => {
    const { simulator, push } = await startPair();
    await push();
    const first = await simulator.waitForPrompt();
    expect(await push()).toMatchObject({ outcome: 'refused', reason: 'busy_phone' });
    simulator.answer(first.checkout_request_id, { action: 'cancel' });
    expect(await push()).toMatchObject({ outcome: 'accepted' });
  });

  it('accepted without an id, or rejected by its ResponseCode, is not called accepted', async () => {
    const noId = scripted(() => Response.json({ ResponseCode: '0' })).client;
    expect(await noId.stkPush(PUSH)).toMatchObject({ outcome: 'unknown' });
    const rejected = scripted(() => Response.json({ ResponseCode: '1', ResponseDescription: 'No' })).client;
    expect(await rejected.stkPush(PUSH)).toEqual({
      outcome: 'refused',
      reason: 'rejected',
      code: '1',
      message: 'No',
    });
  });
});

describe('a query', () => {
  it.each(['4999', 'processing_empty', 'processing'] as const)(
    'of a waiting prompt, answered %s, is pending',
    async (as) => {
      const { client, pushed } = await startPair({ knobs: { query_pending_as: as } });
      expect(await client.stkQuery(await pushed())).toMatchObject({ outcome: 'pending' });
    },
  );

  it.each(['processing', 'processing_empty', 'internal', 'html_502', 'html_200', 'empty_200'] as const)(
    'answered with %s after the decision is pending, never failed',
    async (fault) => {
      const { simulator, client, pushed } = await startPair({ knobs: { outcome: '0', callback_count: 0 } });
      const id = await pushed();
      await simulator.waitUntil(() => simulator.ledger().length === 1);
      simulator.setKnobs({ query_error: fault });
      expect(await client.stkQuery(id)).toMatchObject({ outcome: 'pending' });
      simulator.setKnobs({ query_error: null });
      expect(await client.stkQuery(id)).toMatchObject({ outcome: 'decided', result_code: '0' });
    },
  );

  it.each(['1', '17', '26', '1001', '1019', '1025', '1032', '1037', '2001', '9999'])(
    'of a prompt that ended in %s is decided',
    async (code) => {
      const { simulator, client, pushed } = await startPair({ knobs: { outcome: code } });
      const id = await pushed();
      await simulator.waitForCallbacks(id);
      expect(await client.stkQuery(id)).toMatchObject({ outcome: 'decided', result_code: code });
      expect(simulator.ledger()).toEqual([]);
    },
  );

  it('with a result code that nobody knows is pending', async () => {
    const { simulator, client, pushed } = await startPair({ knobs: { outcome: '77777' } });
    const id = await pushed();
    await simulator.waitForCallbacks(id);
    expect(await client.stkQuery(id)).toMatchObject({ outcome: 'pending', code: '77777' });
  });

  it('of a transaction that does not exist is pending, and says so', async () => {
    const { client } = await startPair();
    expect(await client.stkQuery('ws_CO_nothing')).toEqual({
      outcome: 'pending',
      code: '500.001.1001',
      message: 'The transaction does not Exist',
    });
  });

  it('with the shortcode of another merchant does not find the transaction', async () => {
    const { simulator, pushed } = await startPair();
    const till = createMpesaClient(configFor(simulator, 'till'));
    expect(await till.stkQuery(await pushed())).toMatchObject({ message: 'The transaction does not Exist' });
  });

  it('cut off is unknown', async () => {
    const { client, pushed } = await startPair({ knobs: { query_drop: true } });
    expect(await client.stkQuery(await pushed())).toMatchObject({ outcome: 'unknown' });
  });

  it('that is itself refused is no verdict', async () => {
    const { client, pushed } = await startPair({ knobs: { query_error: 'spike_arrest' } });
    expect(await client.stkQuery(await pushed())).toMatchObject({
      outcome: 'refused',
      reason: 'rate_limited',
    });
  });
});

describe('a token', () => {
  it('is fetched once for many callers that come together', async () => {
    const { simulator, push } = await startPair();
    const phones = Array.from({ length: 20 }, (_, i) => `2547000000${10 + i}`);
    const results = await Promise.all(phones.map((msisdn) => push({ msisdn })));
    expect(results.map((result) => result.outcome)).toEqual(phones.map(() => 'accepted'));
    expect(simulator.counts()).toMatchObject({ oauth: 1, prompts: 20 });
  });

  it.each(['string', 'number'] as const)(
    'with expires_in as a %s is replaced two minutes early',
    async (as) => {
      let clock = 0;
      const simulator = await startSimulator({ knobs: { expires_in_as: as } });
      const client = createMpesaClient({ ...configFor(simulator), monotonicNow: () => clock });
      await client.token();
      clock = (3599 - 121) * 1000;
      await client.token();
      expect(simulator.counts().oauth).toBe(1);
      clock = (3599 - 119) * 1000;
      await client.token();
      expect(simulator.counts().oauth).toBe(2);
    },
  );

  it('ages by the monotonic clock when the wall clock jumps back', async () => {
    let clock = 0;
    let wall = Date.UTC(2026, 9, 2);
    const simulator = await startSimulator();
    const client = createMpesaClient({
      ...configFor(simulator),
      monotonicNow: () => clock,
      now: () => wall,
    });
    await client.token();
    wall = 0;
    clock = 3_599_000;
    await client.token();
    expect(simulator.counts().oauth).toBe(2);
  });

  it('that lives shorter than the early refresh is still used', async () => {
    const { simulator, push } = await startPair({ knobs: { token_ttl_seconds: 60 } });
    await push({ msisdn: '254700000001' });
    await push({ msisdn: '254700000002' });
    expect(simulator.counts()).toMatchObject({ oauth: 1, prompts: 2 });
  });

  it.each(['token_404', 'token_400', 'token_401_002', 'token_401_003', 'token_401_001'] as const)(
    'refused as %s is replaced, and the push sent again once: one prompt',
    async (fault) => {
      const { simulator, push } = await startPair({ knobs: { bearer_faults: [fault] } });
      expect(await push()).toMatchObject({ outcome: 'accepted' });
      expect(simulator.counts()).toMatchObject({ oauth: 2, pushes: 2, prompts: 1 });
    },
  );

  it('refused twice is a refusal, not a storm', async () => {
    const { simulator, push } = await startPair({ knobs: { bearer_faults: ['token_404', 'token_401_002'] } });
    expect(await push()).toMatchObject({ outcome: 'refused', reason: 'token' });
    expect(simulator.counts()).toMatchObject({ oauth: 2, pushes: 2, prompts: 0 });
  });

  it('killed by another process is replaced', async () => {
    const { simulator, push } = await startPair();
    await push({ msisdn: '254700000001' });
    await createMpesaClient(configFor(simulator)).token();
    expect(await push({ msisdn: '254700000002' })).toMatchObject({ outcome: 'accepted' });
    expect(simulator.counts()).toMatchObject({ oauth: 3, prompts: 2 });
  });

  it('killed under many calls is replaced once', async () => {
    const { simulator, push } = await startPair();
    await push({ msisdn: '254700000001' });
    await createMpesaClient(configFor(simulator)).token();
    const phones = Array.from({ length: 10 }, (_, i) => `2547000001${10 + i}`);
    const results = await Promise.all(phones.map((msisdn) => push({ msisdn })));
    expect(results.map((result) => result.outcome)).toEqual(phones.map(() => 'accepted'));
    expect(simulator.counts()).toMatchObject({ oauth: 3, prompts: 11 });
  });

  it('is kept when a late refusal speaks of the one before it', async () => {
    const pushes: { bearer: string; answer: (response: Response) => void }[] = [];
    let fetched = 0;
    const client = createMpesaClient({
      ...PAYBILL,
      fetch: async (url, init) => {
        if (url.includes('/oauth/')) {
          fetched += 1;
          return Response.json({ access_token: `token-${fetched}`, expires_in: 3599 });
        }
        const bearer = new Headers(init.headers).get('authorization') ?? '';
        return new Promise((answer) => pushes.push({ bearer, answer }));
      },
    });
    const refusal = () =>
      Response.json({ errorCode: '404.001.03', errorMessage: 'Invalid Access Token' }, { status: 404 });
    const accepted = () => Response.json({ ResponseCode: '0', CheckoutRequestID: 'ws_CO_1' });
    const results = [client.stkPush(PUSH), client.stkPush({ ...PUSH, msisdn: '254700000001' })];
    await vi.waitUntil(() => pushes.length === 2);
    pushes[0]!.answer(refusal());
    await vi.waitUntil(() => pushes.length === 3);
    pushes[1]!.answer(refusal());
    await vi.waitUntil(() => pushes.length === 4);
    pushes[2]!.answer(accepted());
    pushes[3]!.answer(accepted());
    expect(await Promise.all(results)).toMatchObject([{ outcome: 'accepted' }, { outcome: 'accepted' }]);
    expect(pushes.map((push) => push.bearer.slice(-1))).toEqual(['1', '1', '2', '2']);
    expect(fetched).toBe(2);
  });

  it.each(['bad_keys_empty', 'bad_keys_html', 'invalid_auth_type'] as const)(
    'for wrong keys, refused as %s, is a value',
    async (as) => {
      const simulator = await startSimulator({ knobs: { oauth_bad_keys_as: as } });
      const client = createMpesaClient({ ...configFor(simulator), consumerSecret: 'wrong' });
      expect(await client.token()).toMatchObject({ ok: false, reason: 'credentials' });
      expect(await client.stkPush(PUSH)).toMatchObject({ outcome: 'refused', reason: 'token' });
    },
  );

  it.each(['html_502', 'empty_200', 'html_200', 'internal'] as const)(
    'that Daraja answers with %s leaves the push unsent',
    async (fault) => {
      const { simulator, push } = await startPair({ knobs: { oauth_error: fault } });
      expect(await push()).toMatchObject({ outcome: 'refused', reason: 'unreachable' });
      expect(simulator.counts().pushes).toBe(0);
      simulator.setKnobs({ oauth_error: null });
      expect(await push()).toMatchObject({ outcome: 'accepted' });
    },
  );

  it('never shows in a message', async () => {
    const { client } = scripted(() =>
      Response.json(
        {
          errorCode: '401.002.01',
          errorMessage: `Error Occurred - Invalid Access Token - ${TOKEN.access_token}`,
        },
        { status: 401 },
      ),
    );
    const result = await client.stkPush(PUSH);
    expect(result).toMatchObject({ outcome: 'refused', reason: 'token' });
    expect(JSON.stringify(result)).not.toContain(TOKEN.access_token);
  });
});

describe('the connection test', () => {
  const steps = async (config: MpesaConfig) =>
    (await checkMpesaConnection(config)).map((step) => `${step.step} ${step.ok ? 'ok' : 'no'}`);

  it('passes with the right settings and sends no prompt', async () => {
    const simulator = await startSimulator();
    expect(await steps(configFor(simulator))).toEqual(['reachable ok', 'keys ok', 'shortcode ok']);
    expect(await steps(configFor(simulator, 'till'))).toEqual(['reachable ok', 'keys ok', 'shortcode ok']);
    expect(simulator.counts()).toMatchObject({ pushes: 0, prompts: 0 });
  });

  it.each([
    [{ consumerSecret: 'wrong' }, ['reachable ok', 'keys no']],
    [{ passkey: 'wrong' }, ['reachable ok', 'keys ok', 'shortcode no']],
    [{ shortcode: '999999' }, ['reachable ok', 'keys ok', 'shortcode no']],
    [{ shortcode: 'abc' }, ['reachable ok', 'keys ok', 'shortcode no']],
  ])('with %j stops where it fails, with a hint', async (change, expected) => {
    const simulator = await startSimulator();
    const config = { ...configFor(simulator), ...change };
    expect(await steps(config)).toEqual(expected);
    expect((await checkMpesaConnection(config)).at(-1)?.hint).not.toBe('');
  });

  it('says when Daraja cannot be reached', async () => {
    const simulator = await startSimulator();
    const config = configFor(simulator);
    await simulator.stop();
    expect(await steps(config)).toEqual(['reachable no']);
  });
});
