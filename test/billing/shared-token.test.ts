// Several nodes and one token of M-PESA: each new one ends the one before, so they share it and ask one at a time.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { mpesaGateway } from '../../src/billing/mpesa.ts';
import { shareToken } from '../../src/billing/shared-token.ts';
import { createMpesaSimulator, type MpesaSimulator } from '../../src/simulators/mpesa/index.ts';
import { NOW, vault } from '../access/fixtures.ts';
import { onEveryStore } from '../support/stores.ts';

onEveryStore('the token of several nodes', (store) => {
  let mpesa: MpesaSimulator;
  beforeEach(async () => {
    mpesa = createMpesaSimulator();
    await mpesa.start();
  });
  afterEach(() => mpesa.stop());

  const node = (shared = shareToken(store(), vault, 'app', Date.now)) => {
    const [merchant] = mpesa.merchants;
    if (!merchant) throw new Error('no merchant');
    const { shortcode, kind, consumer_key, consumer_secret, passkey } = merchant;
    const settings = {
      ...{ shortcode, kind, consumer_key, consumer_secret, passkey },
      ...{ environment: 'custom' as const, base_url: mpesa.baseUrl },
      ...{ till_number: null, callback_base_url: null },
    };
    const outside = {
      ...{ fetch, now: Date.now, monotonic: () => performance.now() },
      simulatorUrl: async () => mpesa.baseUrl,
    };
    return mpesaGateway(settings, outside, undefined, shared);
  };

  let payers = 0;
  const push = async (gateway: Awaited<ReturnType<typeof node>>) => {
    const msisdn = `2547260000${String(++payers).padStart(2, '0')}`;
    const about = { amount_cents: 2000, account_reference: 'WIFI', description: 'Internet' };
    return gateway.requestPayment({ ...about, msisdn, callback_url: `https://box.example/cb/${payers}` });
  };

  it('is asked for once, however many nodes need it at once', async () => {
    const nodes = await Promise.all([node(), node(), node()]);
    const answers = await Promise.all([...nodes, ...nodes, ...nodes].map(push));
    expect(answers.map(({ outcome }) => outcome)).toEqual(Array(9).fill('accepted'));
    expect(mpesa.counts()).toMatchObject({ oauth: 1, prompts: 9 });
    // One that starts later, or starts again, takes it over.
    expect((await push(await node())).outcome).toBe('accepted');
    expect(mpesa.counts().oauth).toBe(1);
  });

  it('is not asked for again by a node that looked just before another had it', async () => {
    const first = await node();
    const shared = shareToken(store(), vault, 'app', Date.now);
    let looks = 0;
    const late = await node({
      ...shared,
      async read() {
        const seen = await shared.read();
        if (++looks === 1) await push(first);
        return seen;
      },
    });
    expect((await push(late)).outcome).toBe('accepted');
    expect(mpesa.counts()).toMatchObject({ oauth: 1, prompts: 2 });
    // Nor does it keep anybody waiting.
    expect(await shared.begin()).toBe(true);
  });

  it('that M-PESA refuses is replaced once, and the others take the new one', async () => {
    const nodes = await Promise.all([node(), node()]);
    for (const gateway of nodes) await push(gateway);
    mpesa.setKnobs({ bearer_faults: ['token_404'] });
    for (const gateway of [...nodes, ...nodes]) {
      expect((await push(gateway)).outcome).toBe('accepted');
    }
    expect(mpesa.counts()).toMatchObject({ oauth: 2, prompts: 6 });
  });

  it('is sealed in the store', async () => {
    await push(await node());
    const [token] = await store()
      .selectFrom('settings')
      .select('value')
      .where('key', '=', 'mpesa_token')
      .execute();
    const kept = await shareToken(store(), vault, 'app', Date.now).read();
    expect(kept?.token.length).toBeGreaterThan(10);
    expect(token?.value).not.toContain(kept?.token);
  });

  it('is asked for by one at a time, by another when that one died, and kept apart for other keys', async () => {
    const time = { now: NOW };
    const [a, b] = [0, 1].map(() => shareToken(store(), vault, 'app', () => time.now));
    if (!a || !b) throw new Error('two');
    expect((await Promise.all([a.begin(), b.begin(), b.begin()])).filter(Boolean)).toHaveLength(1);
    time.now += 9_999;
    expect(await b.begin()).toBe(false);
    time.now += 1;
    expect(await b.begin()).toBe(true);
    await b.end(undefined);
    expect(await a.read()).toBeUndefined();
    expect((await Promise.all([a.begin(), b.begin(), a.begin()])).filter(Boolean)).toHaveLength(1);
    await a.end({ token: 'T', good_ms: 60_000 });
    expect(await b.read()).toEqual({ token: 'T', good_ms: 60_000 });
    const other = shareToken(store(), vault, 'another app', () => time.now);
    expect(await other.read()).toBeUndefined();
    expect(await other.begin()).toBe(true);
    await other.end({ token: 'U', good_ms: 60_000 });
    expect(await a.read()).toBeUndefined();
    // A clock that was set back by hours must not make an old token look good for hours.
    time.now -= 3 * 3600_000;
    expect(await other.read()).toBeUndefined();
  });
});
