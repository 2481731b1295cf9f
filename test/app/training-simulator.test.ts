import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { createApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { silentLog } from '../../src/log.ts';

const ANY = '127.0.0.1:0';

it('sells against the simulator inside the program when the settings say simulator and nothing more', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'karibu-training-'));
  const config = readConfig(
    {
      KARIBU_ADMIN_LISTEN: ANY,
      KARIBU_PORTAL_LISTEN: ANY,
      KARIBU_CALLBACK_LISTEN: ANY,
      KARIBU_RADIUS_AUTH_LISTEN: ANY,
      KARIBU_RADIUS_ACCT_LISTEN: ANY,
      KARIBU_SIMULATOR_LISTEN: ANY,
    },
    { data: folder },
  );
  const app = await createApp(config, { log: silentLog });
  const bound = await app.start();
  const json = async (url: string, method: string, body?: unknown, token?: string) => {
    const response = await fetch(`http://${url}`, {
      method,
      headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await response.json()) as Record<string, never>;
  };
  try {
    const api = `${bound.admin}/api/v1`;
    const owner = { email: 'owner@example.co.ke', name: 'Owner', password: 'long enough' };
    const { token } = await json(`${api}/auth/setup`, 'POST', owner);
    const keys = { consumer_key: 'any', consumer_secret: 'thing', passkey: 'works' };
    const mpesa = { environment: 'simulator', shortcode: '600700', kind: 'till', ...keys };
    expect(await json(`${api}/settings/mpesa`, 'PUT', mpesa, token)).toMatchObject({ configured: true });
    const tested = (await json(`${api}/settings/mpesa/test`, 'POST', {}, token)) as {
      ok?: boolean;
      steps?: { step: string; message: string }[];
    };
    expect(tested.ok).toBe(true);
    const phone = tested.steps?.find((step) => step.step === 'phone')?.message ?? '';
    const simulator = /http:\/\/([\d.]+:\d+)\/phone/.exec(phone)?.[1] as string;

    const terms = { name: '1 hour', price_cents: 2000, validity_seconds: 3600 };
    const plan = await json(`${api}/plans`, 'POST', terms, token);
    const order = await json(`${bound.portal}/api/orders`, 'POST', {
      plan_id: plan.id,
      msisdn: '0712345678',
    });
    expect(order).toMatchObject({ state: 'pending' });
    const { items } = (await json(`${simulator}/simulator/prompts`, 'GET')) as {
      items?: { checkout_request_id: string }[];
    };
    const answer = { action: 'pin', pin: '1234' };
    await json(`${simulator}/simulator/prompts/${items?.[0]?.checkout_request_id}`, 'POST', answer);
    await vi.waitFor(
      async () => {
        const now = await json(`${bound.portal}/api/orders/${order.id}`, 'GET');
        expect(now).toMatchObject({
          state: 'paid',
          username: expect.any(String),
          password: expect.any(String),
        });
      },
      { timeout: 15_000, interval: 100 },
    );
  } finally {
    await app.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
