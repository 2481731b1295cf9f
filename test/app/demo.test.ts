// The demo as a newcomer plays it: the whole program with simulated router, phone and M-PESA.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Demo, type DemoOptions, startDemo } from '../../src/commands/demo/start.ts';
import { readConfig } from '../../src/config.ts';
import { silentLog } from '../../src/log.ts';

const here = '127.0.0.1:0';
const dataDir = mkdtempSync(join(tmpdir(), 'karibu-demo-'));
const config = readConfig(
  {
    KARIBU_ADMIN_LISTEN: here,
    KARIBU_PORTAL_LISTEN: here,
    KARIBU_CALLBACK_LISTEN: here,
    KARIBU_RADIUS_AUTH_LISTEN: here,
    KARIBU_RADIUS_ACCT_LISTEN: here,
  },
  { data: dataDir },
);

const start = (options: DemoOptions = {}) =>
  startDemo(config, { page: { host: '127.0.0.1', port: 0 }, log: silentLog, ...options });

afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

// biome-ignore lint/suspicious/noExplicitAny: answers of an API, looked at field by field
type Json = any;

/** What the page's script sends: same origin, JSON. */
async function press(demo: Demo, path: string, cookie = ''): Promise<Response> {
  return fetch(`${demo.urls.demo}${path}`, {
    method: 'POST',
    headers: { origin: demo.urls.demo, 'content-type': 'application/json', cookie },
    body: '{}',
  });
}

const readState = async (demo: Demo): Promise<Json> => (await fetch(`${demo.urls.demo}/state`)).json();

/** Asks again until the answer is there; the test's own time limit ends a wait for nothing. */
async function until<T>(find: () => Promise<T | undefined | null | false>): Promise<T> {
  for (;;) {
    const found = await find();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function signIn(demo: Demo): Promise<{ token: string }> {
  const login = await fetch(`${demo.urls.admin}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(demo.account),
  });
  return (await login.json()) as { token: string };
}

async function credentialOf(demo: Demo, mac: string): Promise<{ username: string; password: string }> {
  const { username, password_sealed } = await demo.app.db
    .selectFrom('credentials')
    .selectAll()
    .where('device_mac', '=', mac)
    .executeTakeFirstOrThrow();
  return { username, password: demo.app.vault.open(password_sealed) };
}

async function ask(demo: Demo, path: string): Promise<Json> {
  const { token } = await signIn(demo);
  const answer = await fetch(`${demo.urls.admin}/api/v1${path}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return answer.json();
}

async function buy(demo: Demo, msisdn: string): Promise<Json> {
  const { phone } = await readState(demo);
  const { items } = (await (await fetch(`${demo.urls.portal}/api/plans`)).json()) as Json;
  const plan = items.find((one: Json) => one.name === '1 hour');
  const answer = await fetch(`${demo.urls.portal}/api/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ plan_id: plan.id, msisdn, mac: phone.mac }),
  });
  expect(answer.status).toBeLessThan(300);
  return answer.json();
}

const counts = async (demo: Demo) => {
  const { db } = demo.app;
  const of = async (table: 'plans' | 'accounts' | 'voucher_batches' | 'routers' | 'orders') =>
    (await db.selectFrom(table).select('id').execute()).length;
  return {
    plans: await of('plans'),
    accounts: await of('accounts'),
    batches: await of('voucher_batches'),
    routers: await of('routers'),
    orders: await of('orders'),
  };
};

describe('the demo', () => {
  let demo: Demo;
  beforeAll(async () => {
    demo = await start();
  });
  afterAll(() => demo.stop());

  test('begins with a week of business and guests who are online', async () => {
    const overview = await ask(demo, '/reports/overview');
    expect(overview.online_now).toBeGreaterThanOrEqual(8);
    expect(overview.routers).toEqual({ online: 1, total: 1 });
    expect(overview.week.slice(0, 6).every((day: Json) => day.sales_cents > 0)).toBe(true);
    expect(overview.unmatched.count).toBe(1);
    const { items } = await ask(demo, '/sessions?state=open');
    expect(items.every((session: Json) => session.plan_name)).toBe(true);
  });

  test('shows the portal in a frame of its page, and in nobody else’s', async () => {
    const page = await fetch(demo.urls.demo);
    expect(await page.text()).toContain('Be the guest');
    expect(page.headers.get('content-security-policy')).toContain(`frame-src ${demo.urls.hotspot}`);
    const portal = await fetch(demo.urls.portal);
    expect(portal.headers.get('content-security-policy')).toContain(`frame-ancestors ${demo.urls.demo}`);
    expect(portal.headers.get('x-frame-options')).toBeNull();
  });

  test('sends other names home and takes orders from its own page only', async () => {
    const port = new URL(demo.urls.demo).port;
    const named = await fetch(`http://localhost:${port}/`, { redirect: 'manual' });
    expect(named.headers.get('location')).toBe(`${demo.urls.demo}/`);
    const foreign = await fetch(`${demo.urls.demo}/power-cut`, {
      method: 'POST',
      headers: { origin: 'http://elsewhere.example' },
    });
    expect(foreign.status).toBe(403);
    expect(demo.router.sessions().length).toBeGreaterThan(0);
  });

  test('brings a guest online who pays, and tells what happened', async () => {
    const order = await buy(demo, '0712 345 678');
    const prompt = await demo.mpesa.waitForPrompt((one) => one.msisdn === '254712345678');
    expect((await readState(demo)).prompt).toBe(true);
    demo.mpesa.answer(prompt.checkout_request_id, { action: 'pin', pin: '1234' });
    const paid = await until(async () => {
      const answer = (await (await fetch(`${demo.urls.portal}/api/orders/${order.id}`)).json()) as Json;
      return answer.state === 'paid' && answer;
    });
    // What the portal's page does on the phone: it sends the credential to the router.
    const { phone } = await readState(demo);
    expect(await demo.router.login(phone.mac, paid.username, paid.password)).toHaveProperty('session');
    const { session } = await until(async () => {
      const state = await readState(demo);
      return state.session?.plan_name && state;
    });
    expect(session).toMatchObject({ plan_name: '1 hour', username: paid.username });
    const { tape } = await readState(demo);
    expect(tape.map((line: Json) => line.by)).toEqual(expect.arrayContaining(['Karibu', 'M-PESA', 'Router']));
  });

  test('ends a session from the admin, on the router as well', async () => {
    const { session, phone } = await readState(demo);
    const { token } = await signIn(demo);
    const ended = await fetch(`${demo.urls.admin}/api/v1/sessions/${session.session_id}/disconnect`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: '{}',
    });
    expect(ended.status).toBe(200);
    await until(async () => (await readState(demo)).session === null);
    const { username, password } = await credentialOf(demo, phone.mac);
    await demo.router.login(phone.mac, username, password);
    await until(async () => (await readState(demo)).session?.session_id);
  });

  test('has the portal offer the way back in after a power cut', async () => {
    const credential = await demo.app.db
      .selectFrom('orders')
      .select('credential_id')
      .where('msisdn', '=', '254712345678')
      .executeTakeFirstOrThrow();
    const id = credential.credential_id as string;
    const cookie = `karibu_device=${id}.${demo.app.vault.sign(`device ${id}`)}`;
    await press(demo, '/power-cut');
    const { phone } = await readState(demo);
    // The router asks the phone to log in: its page posts to the portal.
    const login = await (await fetch(`${demo.urls.hotspot}/login?phone=${phone.mac}`)).text();
    const fields = [...login.matchAll(/name="([^"]+)" value="([^"]*)"/g)].map(([, name, value]) => [
      name,
      value,
    ]);
    const action = /action="([^"]+)"/.exec(login)?.[1]?.replaceAll('&amp;', '&') as string;
    const home = await fetch(action, {
      method: 'POST',
      headers: { cookie },
      body: new URLSearchParams(fields as [string, string][]),
      redirect: 'manual',
    });
    const page = await fetch(new URL(home.headers.get('location') as string, demo.urls.portal), {
      headers: { cookie },
    });
    expect(await page.text()).toContain(`action="${demo.urls.hotspot}/login`);
  });

  test('runs once a folder, so that --fresh never takes the ground from under a running one', async () => {
    await expect(start({ fresh: true })).rejects.toMatchObject({ code: 'conflict' });
    expect((await readState(demo)).online_now).toBeGreaterThan(0);
  });

  test('gives each phone its own browser’s memory', async () => {
    const mine = 'karibu_device=one; karibu_lang=sw; karibu_session=admin';
    const second = await press(demo, '/phones/2', mine);
    expect(((await second.json()) as Json).number).toBe(2);
    const cleared = second.headers.getSetCookie().join('\n');
    expect(cleared).toMatch(/karibu_device=;/);
    expect(cleared).not.toContain('karibu_session');
    const first = await press(demo, '/phones/1', 'karibu_device=two');
    expect(first.headers.getSetCookie().join('\n')).toMatch(/karibu_device=one;/);
    expect((await readState(demo)).phone.number).toBe(1);
  });

  test('lets an hour pass: what was bought ends, on the router as well', async () => {
    const { phone } = await readState(demo);
    const { username, password } = await credentialOf(demo, phone.mac);
    await demo.router.login(phone.mac, username, password);
    const state = await until(async () => {
      const now = await readState(demo);
      return now.session?.session_id && now;
    });
    await press(demo, '/hour');
    await until(async () => (await readState(demo)).session === null);
    const ended = await until(async () => {
      const session = await ask(demo, `/sessions/${state.session.session_id}`);
      return session.state === 'closed' && session;
    });
    expect(ended.terminate_cause).toBe(5);
    expect((await readState(demo)).ahead_ms).toBe(3_600_000);
  });
});

test('a second run goes on where the first left off, and a fresh one forgets it', async () => {
  const before = await (async () => {
    const demo = await start({ guests: false, fresh: true });
    await press(demo, '/hour');
    const seen = await counts(demo);
    await demo.stop();
    return seen;
  })();
  const again = await start({ guests: false });
  const seen = await counts(again);
  expect(seen).toEqual({ ...before, orders: expect.any(Number) });
  // The hour that passed sold something; the week before it is not sold again.
  expect(seen.orders - before.orders).toBeLessThan(20);
  expect(again.clock.aheadMs()).toBe(3_600_000);
  await again.stop();

  const fresh = await start({ guests: false, fresh: true });
  expect(fresh.clock.aheadMs()).toBe(0);
  expect((await counts(fresh)).plans).toBe(before.plans);
  await fresh.stop();
});
