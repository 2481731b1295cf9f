// Shows every way a callback can come, or not come.
import { afterEach, describe, expect, it } from 'vitest';
import { createMpesaClient, parseStkCallback } from '../../../src/protocols/mpesa/index.ts';
import type { Knobs } from '../../../src/simulators/mpesa/index.ts';
import { configFor, PAYER, startCallbackDoor, startPair, startSimulator, stopAll } from './harness.ts';

afterEach(stopAll);

/** One paid push under these knobs, and what its callback held. */
async function paid(knobs: Partial<Knobs>) {
  const pair = await startPair({ knobs: { outcome: '0', ...knobs } });
  const id = await pair.pushed();
  const prompt = await pair.simulator.waitForCallbacks(id);
  const raw = pair.door.received[0]!;
  return { ...pair, id, prompt, raw, parsed: parseStkCallback(raw.body) };
}

const items = (body: string) =>
  (
    JSON.parse(body) as {
      Body: { stkCallback: { CallbackMetadata: { Item: { Name: string; Value?: unknown }[] } } };
    }
  ).Body.stkCallback.CallbackMetadata.Item;

describe('a callback', () => {
  it('looks like the production captures', async () => {
    const { raw, prompt } = await paid({});
    expect(raw.headers).toMatchObject({
      'content-type': 'application/json;charset=UTF-8',
      businessshortcode: '174379',
    });
    expect(raw.path).toBe('/cb/mpesa/t0ken');
    expect(items(raw.body)).toEqual([
      { Name: 'Amount', Value: 20 },
      { Name: 'MpesaReceiptNumber', Value: prompt.receipt },
      { Name: 'Balance' },
      { Name: 'TransactionDate', Value: expect.any(Number) },
      { Name: 'PhoneNumber', Value: Number(PAYER) },
    ]);
  });

  it('of a failure has no metadata', async () => {
    const { simulator, door, pushed } = await startPair({ knobs: { outcome: '1032' } });
    await simulator.waitForCallbacks(await pushed());
    expect(JSON.parse(door.received[0]!.body)).toEqual({
      Body: {
        stkCallback: {
          MerchantRequestID: expect.any(String),
          CheckoutRequestID: expect.any(String),
          ResultCode: 1032,
          ResultDesc: 'Request cancelled by user',
        },
      },
    });
  });

  it.each([
    [{ callback_types: 'string' }],
    [{ callback_types: 'decimal' }],
    [{ callback_shuffle: true }],
    [{ callback_balance: 'value' }],
    [{ callback_balance: 'absent' }],
  ] as [Partial<Knobs>][])('with %j reads the same', async (knobs) => {
    const { parsed, prompt } = await paid(knobs);
    expect(parsed).toMatchObject({
      ok: true,
      paid: true,
      amount_cents: 2000,
      receipt: prompt.receipt,
      msisdn: PAYER,
      oddities: [],
    });
  });

  it('writes decimals in the raw bytes', async () => {
    expect((await paid({ callback_types: 'decimal' })).raw.body).toContain('"Value":20.00}');
  });

  it.each([
    [{ callback_phone: 'masked' }, 'the phone number is masked or not complete'],
    [{ callback_receipt: false }, 'no receipt'],
  ] as [Partial<Knobs>, string][])('with %j is read with an oddity', async (knobs, oddity) => {
    expect((await paid(knobs)).parsed).toMatchObject({ ok: true, paid: true, oddities: [oddity] });
  });

  it('with another amount, code, shortcode or body says what the knob says, and the ledger the truth', async () => {
    const amount = await paid({ callback_amount_shillings: 5, callback_shortcode: '600999' });
    expect(amount.parsed).toMatchObject({ amount_cents: 500 });
    expect(amount.raw.headers.businessshortcode).toBe('600999');
    expect(amount.simulator.ledger()).toMatchObject([{ amount_shillings: 20 }]);
    const failed = await paid({ callback_result_code: '1037' });
    expect(failed.parsed).toMatchObject({ paid: false, result_code: '1037' });
    expect(failed.simulator.ledger()).toHaveLength(1);
    const junk = await paid({
      callback_body: '<html>',
      callback_headers: { 'x-forwarded-for': '196.201.214.200' },
    });
    expect(junk.raw).toMatchObject({ body: '<html>', headers: { 'x-forwarded-for': '196.201.214.200' } });
  });

  it('comes once whatever we answer', async () => {
    const simulator = await startSimulator({ knobs: { outcome: '0' } });
    const door = await startCallbackDoor(500);
    const client = createMpesaClient(configFor(simulator));
    await client.stkPush({
      amount_shillings: 20,
      msisdn: PAYER,
      account_reference: 'HOUR1',
      description: '',
      callback_url: door.url,
    });
    await simulator.waitUntil(() => simulator.ledger()[0]?.callback_delivered);
    await simulator.waitUntilQuiet();
    expect(door.received).toHaveLength(1);
    expect(simulator.ledger()).toMatchObject([{ callback_delivered: true, callback_http_status: 500 }]);
  });

  it('to a host that is down is lost, and the ledger says so', async () => {
    const { simulator, pushed } = await startPair({ knobs: { outcome: '0' } });
    const id = await pushed({ callback_url: 'http://127.0.0.1:1/cb/x' });
    const prompt = await simulator.waitForCallbacks(id);
    expect(prompt.callbacks).toMatchObject([{ http_status: null, error: expect.any(String) }]);
    expect(simulator.ledger()).toMatchObject([{ callback_delivered: false, callback_http_status: null }]);
  });

  it('can be lost', async () => {
    const { simulator, door, client, pushed } = await startPair({
      knobs: { outcome: '0', callback_count: 0 },
    });
    const id = await pushed();
    await simulator.waitUntil(() => simulator.ledger().length === 1);
    await simulator.waitUntilQuiet();
    expect(door.received).toEqual([]);
    expect(await client.stkQuery(id)).toMatchObject({ outcome: 'decided', result_code: '0' });
  });

  it.each([false, true])('can come five times, at once: %s', async (callback_concurrent) => {
    const { simulator, door, pushed } = await startPair({
      knobs: { outcome: '0', callback_count: 5, callback_concurrent },
    });
    await simulator.waitForCallbacks(await pushed(), 5);
    expect(new Set(door.received.map((received) => received.body)).size).toBe(1);
    expect(door.received).toHaveLength(5);
    expect(simulator.ledger()).toHaveLength(1);
  });

  it('can come late', async () => {
    const { simulator, door, pushed } = await startPair({ knobs: { outcome: '0', callback_held: true } });
    const id = await pushed();
    await simulator.waitUntil(() => simulator.ledger().length === 1);
    expect(door.received).toEqual([]);
    simulator.release(id);
    await simulator.waitForCallbacks(id);
    expect(door.received).toHaveLength(1);
    expect(() => simulator.release(id)).toThrow('no callback is held');
  });

  it('can come before the answer to the push', async () => {
    const { door, push } = await startPair({ knobs: { outcome: '0', callback_before_response: true } });
    let answered = false;
    const pushing = push().then((result) => {
      answered = true;
      return { result, callbacks: door.received.length };
    });
    expect(answered).toBe(false);
    expect(await pushing).toMatchObject({ result: { outcome: 'accepted' }, callbacks: 1 });
  });

  it('does not come while the answer to the push is held back', async () => {
    const slow = '254700000001';
    const { simulator, door, push, pushed } = await startPair({
      knobs: { outcome: '0', rules: [{ match: { msisdn: slow }, set: { accept_delay_ms: 60_000 } }] },
    });
    void push({ msisdn: slow });
    await simulator.waitUntil(() => simulator.counts().prompts === 1);
    await simulator.waitForCallbacks(await pushed());
    expect(door.received).toHaveLength(1);
    expect(simulator.prompts()).toMatchObject([{ msisdn: slow, state: 'waiting' }, { state: 'decided' }]);
  });

  it('still comes when the answer to the push was lost', async () => {
    const { simulator, door, push } = await startPair({ knobs: { outcome: '0', drop: 'after_accept' } });
    expect(await push()).toMatchObject({ outcome: 'unknown' });
    await simulator.waitUntil(() => simulator.ledger()[0]?.callback_delivered);
    expect(door.received).toHaveLength(1);
  });

  it('can disagree with the query', async () => {
    const { client, id, parsed } = await paid({ query_result_code: '1032' });
    expect(parsed).toMatchObject({ paid: true });
    expect(await client.stkQuery(id)).toMatchObject({ outcome: 'decided', result_code: '1032' });
  });

  it('may be followed by a noisy query', async () => {
    const { client, simulator, id } = await paid({});
    simulator.setKnobs({ query_noise_rate: 1 });
    expect(await client.stkQuery(id)).toMatchObject({ outcome: 'pending', code: '500.001.1001' });
    simulator.setKnobs({ query_noise_rate: 0 });
    expect(await client.stkQuery(id)).toMatchObject({ outcome: 'decided' });
  });
});
