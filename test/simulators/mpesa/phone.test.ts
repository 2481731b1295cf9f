// Plays the person at the phone, by method and by HTTP.
import { afterEach, describe, expect, it } from 'vitest';
import { PAYER, startPair, stopAll } from './harness.ts';

afterEach(stopAll);

async function send(url: string, body: unknown, method = 'POST') {
  const answer = await fetch(url, {
    method,
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
}

/** The first event of the phone page's stream that satisfies `wanted`. */
async function readEvents(
  url: string,
  wanted: (state: Record<string, unknown>) => boolean,
  meanwhile?: () => void,
) {
  const stop = new AbortController();
  const answer = await fetch(url, { signal: stop.signal });
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  let acted = false;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error('the stream ended');
    text += value;
    const events = text.split('\n\n');
    text = events.pop() ?? '';
    if (!acted) meanwhile?.();
    acted = true;
    for (const event of events) {
      const state = JSON.parse(event.replace(/^data: /, '')) as Record<string, unknown>;
      if (!wanted(state)) continue;
      stop.abort();
      return state;
    }
  }
}

describe('a person at the phone', () => {
  it('pays with any four digits, and has the SMS and less money', async () => {
    const { simulator, pushed } = await startPair({ now: () => Date.UTC(2026, 9, 2, 5, 36) });
    const id = await pushed();
    await simulator.waitForPrompt();
    simulator.answer(id, { action: 'pin', pin: '4821' });
    const [entry] = simulator.ledger();
    expect(entry!.receipt).toMatch(/^UJ2[A-Z0-9]{7}$/);
    expect(simulator.phone(PAYER)).toEqual({
      msisdn: PAYER,
      wallet_shillings: 4980,
      messages: [
        {
          at: Date.UTC(2026, 9, 2, 5, 36),
          text: `${entry!.receipt} Confirmed. Ksh20.00 sent to KARIBU WIFI for account HOUR1 on 2/10/26 at 8:36 AM New M-PESA balance is Ksh4,980.00. Transaction cost, Ksh0.00.`,
        },
      ],
    });
    expect(JSON.stringify([simulator.prompts(), simulator.ledger()])).not.toContain('4821');
  });

  it.each([
    [{ action: 'pin', pin: '0000' }, '2001'],
    [{ action: 'cancel' }, '1032'],
    [{ action: 'ignore' }, '1037'],
  ] as const)('who does %j ends in %s, and keeps their money', async (action, code) => {
    const { simulator, pushed } = await startPair();
    const id = await pushed();
    await simulator.waitForPrompt();
    simulator.answer(id, action);
    expect(await simulator.waitForCallbacks(id)).toMatchObject({ result_code: code, receipt: null });
    expect(simulator.ledger()).toEqual([]);
    expect(simulator.phone(PAYER).wallet_shillings).toBe(5000);
  });

  it('who leaves the prompt alone ends in 1037', async () => {
    const { simulator, pushed } = await startPair({ knobs: { prompt_life_ms: 1 } });
    expect(await simulator.waitForCallbacks(await pushed())).toMatchObject({ result_code: '1037' });
  });

  it('who cancelled has cancelled, also when the life of the prompt ends later', async () => {
    const { simulator, pushed } = await startPair({ knobs: { prompt_life_ms: 5 } });
    const cancelling = simulator
      .waitForPrompt()
      .then((prompt) => simulator.answer(prompt.checkout_request_id, { action: 'cancel' }));
    const cancelled = await pushed();
    await cancelling;
    const leftAlone = await pushed({ msisdn: '254700000001' });
    await simulator.waitForCallbacks(leftAlone);
    expect(await simulator.waitForCallbacks(cancelled)).toMatchObject({
      result_code: '1032',
      callbacks: [{}],
    });
  });

  it('without enough money ends in 1', async () => {
    const { simulator, pushed } = await startPair({ walletShillings: 19 });
    const id = await pushed();
    await simulator.waitForPrompt();
    simulator.answer(id, { action: 'pin', pin: '1234' });
    expect(await simulator.waitForCallbacks(id)).toMatchObject({ result_code: '1' });
    expect(simulator.ledger()).toEqual([]);
  });

  it('cannot answer twice: a prompt is paid once', async () => {
    const { simulator, pushed } = await startPair();
    const id = await pushed();
    await simulator.waitForPrompt();
    simulator.answer(id, { action: 'pin', pin: '1234' });
    expect(() => simulator.answer(id, { action: 'pin', pin: '1234' })).toThrow('no longer on the phone');
    expect(simulator.ledger()).toHaveLength(1);
  });

  it('who pays the same amount again within two minutes ends in 17 when the rule is on', async () => {
    let now = Date.UTC(2026, 9, 2);
    const { simulator, pushed } = await startPair({
      now: () => now,
      knobs: { outcome: '0', same_amount_seconds: 120 },
    });
    const codes: (string | null)[] = [];
    for (const wait of [0, 119_000, 2_000]) {
      now += wait;
      codes.push((await simulator.waitForCallbacks(await pushed())).result_code);
    }
    expect(codes).toEqual(['0', '17', '0']);
  });

  it('gets no prompt that is too long', async () => {
    const { simulator, pushed } = await startPair({ knobs: { prompt_text_limit: 30 } });
    expect(await simulator.waitForCallbacks(await pushed())).toMatchObject({ result_code: '1025' });
    expect(simulator.prompts()).toMatchObject([{ on_phone: false }]);
  });
});

describe('knobs', () => {
  it('can be set for one phone, amount or number of times', async () => {
    const { simulator, push, pushed } = await startPair({
      knobs: {
        outcome: '0',
        rules: [
          { match: { msisdn: '254700000001' }, set: { outcome: '1032' } },
          { match: { amount_shillings: 50 }, set: { outcome: '2001' } },
          { match: { account_reference: 'BUSY' }, set: { stk_error: 'spike_arrest' }, times: 1 },
        ],
      },
    });
    const code = async (change: Parameters<typeof pushed>[0]) =>
      (await simulator.waitForCallbacks(await pushed(change))).result_code;
    expect(await code({ msisdn: '254700000001' })).toBe('1032');
    expect(await code({ amount_shillings: 50 })).toBe('2001');
    expect(await code({})).toBe('0');
    expect(await push({ account_reference: 'BUSY' })).toMatchObject({ reason: 'rate_limited' });
    expect(await code({ account_reference: 'BUSY' })).toBe('0');
  });

  it('are turned over HTTP, and put back', async () => {
    const { simulator } = await startPair();
    const url = `${simulator.baseUrl}/simulator/knobs`;
    expect((await send(url, { outcome: '1037', callback_count: 2 })).json).toMatchObject({ outcome: '1037' });
    expect(simulator.knobs()).toMatchObject({ outcome: '1037', callback_count: 2 });
    expect((await send(url, undefined, 'DELETE')).json).toMatchObject({
      outcome: 'person',
      callback_count: 1,
    });
  });

  it.each([
    ['not json', 'knobs are a JSON object'],
    [{ outcom: '0' }, 'there is no knob outcom'],
    [{ callback_count: -1 }, 'callback_count cannot be -1'],
    [{ stk_error: 'nothing' }, 'stk_error cannot be "nothing"'],
    [{ rules: [{ match: {}, set: { rules: [] } }] }, 'a rule cannot set rules'],
    [{ rules: [{ match: { colour: 1 }, set: {} }] }, 'rules cannot match colour'],
  ])('refuse %j', async (patch, error) => {
    const { simulator } = await startPair();
    const before = simulator.knobs();
    expect(await send(`${simulator.baseUrl}/simulator/knobs`, patch)).toEqual({
      status: 400,
      json: { error },
    });
    expect(simulator.knobs()).toEqual(before);
  });
});

describe('the control addresses', () => {
  it('list prompts, play the phone, and list every shilling', async () => {
    const { simulator, pushed } = await startPair();
    const id = await pushed();
    await simulator.waitForPrompt();
    const at = `${simulator.baseUrl}/simulator`;
    expect((await send(`${at}/prompts`, undefined, 'GET')).json).toMatchObject({
      items: [{ checkout_request_id: id, state: 'waiting', on_phone: true }],
    });
    expect(await send(`${at}/prompts/${id}`, { action: 'pin', pin: '12' })).toMatchObject({ status: 400 });
    expect(await send(`${at}/prompts/${id}`, { action: 'dance' })).toMatchObject({ status: 400 });
    expect(await send(`${at}/prompts/ws_CO_none`, { action: 'cancel' })).toMatchObject({ status: 404 });
    expect(await send(`${at}/prompts/${id}`, { action: 'pin', pin: '1234' })).toEqual({
      status: 200,
      json: { result_code: '0' },
    });
    await simulator.waitForCallbacks(id);
    expect((await send(`${at}/ledger`, undefined, 'GET')).json).toMatchObject({
      total_shillings: 20,
      items: [{ checkout_request_id: id, payer_msisdn: PAYER, callback_http_status: 200 }],
    });
  });

  it('fill a wallet', async () => {
    const { simulator } = await startPair();
    const url = `${simulator.baseUrl}/simulator/phones/0712345678`;
    expect((await send(url, { wallet_shillings: 7 })).json).toMatchObject({ wallet_shillings: 7 });
    expect(await send(url, { wallet_shillings: -1 })).toMatchObject({ status: 400 });
    expect(simulator.phone(PAYER).wallet_shillings).toBe(7);
  });
});

describe('the phone page', () => {
  it('loads nothing from elsewhere and may stand in a frame', async () => {
    const { simulator } = await startPair();
    const answer = await fetch(`${simulator.baseUrl}/phone?msisdn=${PAYER}`);
    const html = await answer.text();
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(answer.headers.get('content-security-policy')).not.toContain('frame-ancestors');
    expect(answer.headers.get('x-frame-options')).toBeNull();
    expect(html).not.toMatch(/(src|href)=|https?:\/\/|@import|url\(/);
  });

  it('sees its prompt come and go', async () => {
    const { simulator, pushed } = await startPair();
    const events = `${simulator.baseUrl}/phone/events?msisdn=0712345678`;
    let pushing: Promise<string> | undefined;
    const shown = await readEvents(
      events,
      (state) => state.prompt !== null,
      () => {
        pushing = pushed();
      },
    );
    const id = await pushing!;
    expect(shown).toMatchObject({ msisdn: PAYER, prompt: { id, text: expect.stringContaining('KES 20') } });
    simulator.answer(id, { action: 'cancel' });
    expect(await readEvents(events, () => true)).toMatchObject({ prompt: null, wallet_shillings: 5000 });
  });

  it('without a number follows whoever pays last', async () => {
    const { simulator, pushed } = await startPair();
    const events = `${simulator.baseUrl}/phone/events`;
    expect(await readEvents(events, () => true)).toEqual({ msisdn: null });
    await pushed({ msisdn: '254700000001' });
    await pushed({ msisdn: '254700000002' });
    await simulator.waitForPrompt((prompt) => prompt.msisdn === '254700000002');
    expect(await readEvents(events, () => true)).toMatchObject({ msisdn: '254700000002' });
  });
});
