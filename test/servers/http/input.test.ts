// Bad input at every door: a clear error, the right headers, and nothing changed.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startOrder } from '../../../src/billing/orders.ts';
import { adminRoutes } from '../../../src/servers/http/admin/api.ts';
import { NOW, somePlan } from '../../access/fixtures.ts';
import { books, callback, orderFor } from '../../billing/fixtures.ts';
import { startApp, type TestApp } from './fixtures.ts';

let app: TestApp;
let owner: Awaited<ReturnType<TestApp['signedInAs']>>;
beforeAll(async () => {
  app = await startApp();
  owner = await app.signedInAs('owner');
});
afterAll(() => app.close());

const NOBODY = '00000000000000000000000000';

describe('the admin API refuses', () => {
  const raw = (method: string, path: string, body: BodyInit | null, headers: Record<string, string> = {}) =>
    app.at('admin', `/api/v1${path}`, {
      method,
      body,
      headers: { authorization: `Bearer ${owner.token}`, 'content-type': 'application/json', ...headers },
    });

  it.each(['{', '{"name":', 'nonsense', "{'name':1}", '\0', '[1,2', '{"a":1}}'])(
    'the malformed body %j',
    async (body) => {
      expect(await raw('POST', '/plans', body)).toMatchObject({
        status: 400,
        json: { code: 'invalid', detail: 'The body is not JSON.', title: expect.any(String), status: 400 },
      });
    },
  );

  it.each([
    [{ coa_port: 99_999 }, 'coa_port', 'At most 65535'],
    [{ coa_port: 0 }, 'coa_port', 'At least 1'],
    [{ coa_port: 'x' }, 'coa_port', 'Write a number'],
    [{ name: 'n'.repeat(500) }, 'name', expect.stringMatching(/^At most \d+ characters$/)],
  ])('a field beyond its bounds in plain words: %#', async (change, field, words) => {
    const router = { name: 'Kiosk', address: '10.77.0.9', ...change };
    expect(await raw('POST', '/routers', JSON.stringify(router))).toMatchObject({
      status: 400,
      json: { code: 'invalid', fields: { [field]: words } },
    });
  });

  it.each(['[]', 'null', '"text"', '12', 'true'])('the body %s where an object is wanted', async (body) => {
    expect(await raw('POST', '/plans', body)).toMatchObject({ status: 400, json: { code: 'invalid' } });
  });

  it('a body over 64 KiB with 413, declared or not', async () => {
    const large = JSON.stringify({ name: 'x'.repeat(70_000), price_cents: 1, validity_seconds: 1 });
    expect((await raw('POST', '/plans', large)).status).toBe(413);
    const stream = new Blob([large]).stream();
    const answer = await app.at('admin', '/api/v1/plans', {
      method: 'POST',
      headers: { authorization: `Bearer ${owner.token}`, 'content-type': 'application/json' },
      body: stream,
      duplex: 'half',
    } as RequestInit);
    expect(answer).toMatchObject({ status: 413, json: { code: 'invalid' } });
  });

  const good = { name: 'x', price_cents: 2000, validity_seconds: 3600 };
  it.each([
    ['price_cents', -1],
    ['price_cents', 20.5],
    ['price_cents', '2000'],
    ['price_cents', 1e20],
    ['price_cents', null],
    ['validity_seconds', 0],
    ['validity_seconds', -60],
    ['validity_seconds', 1e12],
    ['quota_octets', -1],
    ['quota_octets', 0],
    ['rate_down_kbps', 0],
    ['rate_up_kbps', 'fast'],
    ['max_devices', 0],
    ['idle_timeout_seconds', 5],
    ['device_policy', 'newest'],
    ['hours_from_minute', 1440],
    ['hours_to_minute', -1],
    ['upload_quota_octets', 0],
    ['fair_use_rate_down_kbps', 1000], // Without a quota it would never begin.
    ['burst_seconds', 0],
    ['burst_rate_down_kbps', 1000], // Without a rate there is nothing to go beyond.
    ['burst_threshold_up_kbps', 1000],
    ['address_pool', 'two words; and more'],
    ['address_list', ''],
    ['max_devices', 1.5],
    ['name', ''],
    ['name', '   '],
    ['name', 'x'.repeat(61)],
    ['name', 7],
    ['kind', 'wifi'],
    ['state', 'sold_out'],
    ['position', -1],
  ])('a plan with %s %j, naming the field', async (field, value) => {
    const answer = await raw('POST', '/plans', JSON.stringify({ ...good, [field]: value }));
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.json.fields)).toEqual([field]);
    expect(await app.db.selectFrom('plans').select('id').execute()).toEqual([]);
  });

  it.each([
    ['/routers', { name: 'R', address: 'router.lan' }, 'address'],
    ['/routers', { name: 'R', address: '10.0.0.256' }, 'address'],
    ['/routers', { name: 'R', address: '10.0.0.0/33' }, 'address'],
    ['/routers', { name: 'R', address: '10.0.0.1', mac_login: 'maybe' }, 'mac_login'],
    ['/routers', { name: 'R', address: '10.0.0.1', coa_port: 70_000 }, 'coa_port'],
    ['/routers', { name: '', address: '10.0.0.1' }, 'name'],
    ['/accounts', { email: 'nobody', name: 'N', role: 'cashier', password: 'long enough' }, 'email'],
    ['/accounts', { email: 'a@b.co', name: 'N', role: 'king', password: 'long enough' }, 'role'],
    ['/accounts', { email: 'a@b.co', name: 'N', role: 'cashier', password: 'short' }, 'password'],
    ['/voucher-batches', { plan_id: NOBODY, count: 0 }, 'count'],
    ['/voucher-batches', { plan_id: NOBODY, count: 100_001 }, 'count'],
    ['/voucher-batches', { plan_id: NOBODY, count: 1.5 }, 'count'],
  ])('%s %j', async (path, body, field) => {
    const answer = await raw('POST', path, JSON.stringify(body));
    expect(answer.status).toBe(400);
    expect(answer.json.fields).toHaveProperty(field);
  });

  it.each([
    [{ portal_url: 'ftp://x' }, 'portal_url'],
    [{ portal_url: 'javascript:alert(1)' }, 'portal_url'],
    [{ currency: 'shillings' }, 'currency'],
    [{ default_language: 'fr' }, 'default_language'],
    [{ appliance_address: 'box' }, 'appliance_address'],
  ])('the setting %j', async (body, field) => {
    const answer = await raw('PUT', '/settings/business', JSON.stringify(body));
    expect(answer.status).toBe(400);
    expect(answer.json.fields).toHaveProperty(field);
  });

  it('M-PESA settings that are not whole, naming what is missing', async () => {
    const keys = { consumer_key: 'k', consumer_secret: 's', passkey: 'p' };
    const mpesa = { environment: 'sandbox', shortcode: '174379', kind: 'paybill' };
    const put = async (body: object) => (await raw('PUT', '/settings/mpesa', JSON.stringify(body))).json;
    expect((await put(mpesa)).fields).toEqual({
      consumer_key: expect.any(String),
      consumer_secret: expect.any(String),
      passkey: expect.any(String),
    });
    expect((await put({ ...mpesa, ...keys, shortcode: '17 43' })).fields).toHaveProperty('shortcode');
    expect((await put({ ...mpesa, ...keys, environment: 'custom' })).fields).toHaveProperty('base_url');
    const open = { ...mpesa, ...keys, environment: 'production', callback_base_url: 'http://x.co' };
    expect((await put(open)).fields).toHaveProperty('callback_base_url');
  });

  /** What an act asks for before it looks whom it concerns. */
  const NEEDED: Record<string, Record<string, unknown>> = {
    revoke: { reason: 'x' },
    void: { reason: 'x' },
    attach: { order_id: NOBODY },
    reverse: { remarks: 'twice paid' },
    reversal: { went_back: true },
    moves: { purpose: 'expense', amount_cents: 1, note: 'x' },
    'take-back': { reason: 'x' },
    count: { counted_cents: 0 },
    close: { counted_cents: 0 },
  };
  const withId = adminRoutes().filter((route) => route.path.includes('{id}'));
  it.each(withId.map((route) => [`${route.method} ${route.path}`, route] as const))(
    '%s of nobody with 404',
    async (_, route) => {
      const last = route.path.split('/').at(-1) ?? '';
      const body = NEEDED[last] ?? {};
      for (const id of [NOBODY, 'x', '..%2f..', "'", '%00', '😀'.repeat(50)]) {
        const path = route.path.replace(
          '{id}',
          id.startsWith('%') || id.includes('%') ? id : encodeURIComponent(id),
        );
        const answer = await owner.call(
          route.method.toUpperCase(),
          path,
          route.method === 'get' ? undefined : body,
        );
        const isList = /^\/subscribers\/\{id\}\/.|\/extensions$/.test(route.path) && id !== '%00';
        expect(answer.status, `${id}: ${answer.text}`).toBe(isList ? 200 : 404);
        if (isList) expect(answer.json).toEqual({ items: [], next: null });
      }
    },
  );

  it('addresses that are none, with a problem', async () => {
    for (const path of ['/nothing', '/plans/x/y', '']) {
      expect(await owner.call('GET', path)).toMatchObject({ status: 404, json: { code: 'not_found' } });
    }
    expect((await owner.call('PUT', '/plans', {})).status).toBe(404);
    expect((await app.at('admin', '/api/v2/plans')).status).toBe(404);
  });
});

describe('every door', () => {
  const pages: ['admin' | 'portal' | 'callback', string][] = [
    ['admin', '/healthz'],
    ['admin', '/api/v1/plans'],
    ['admin', '/api/v1/nothing'],
    ['admin', '/'],
    ['portal', '/healthz'],
    ['portal', '/'],
    ['portal', '/api/plans'],
    ['portal', '/nothing'],
    ['callback', '/healthz'],
    ['callback', '/nothing'],
  ];
  it.each(pages)('%s %s carries the headers that keep browsers safe', async (door, path) => {
    const { headers } = await app.at(door, path);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(/default-src '(self|none)'/);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe-inline|unsafe-eval|https?:/);
  });

  it('has its own routes and none of the others', async () => {
    expect((await app.at('portal', '/api/v1/plans')).status).toBe(404);
    expect((await app.at('callback', '/api/v1/plans')).status).toBe(404);
    expect((await app.at('callback', '/api/plans')).status).toBe(404);
    expect((await app.at('portal', '/cb/mpesa/token', { method: 'POST', body: '{}' })).status).toBe(404);
    const admin = await app.at('admin', '/cb/mpesa/token', { method: 'POST', body: '{}' });
    expect(admin.status).toBe(404);
  });
});

describe('the callback door', () => {
  const send = (token: string, body: BodyInit, headers: Record<string, string> = {}) =>
    app.at('callback', `/cb/mpesa/${token}`, { method: 'POST', body, headers }, '196.201.214.200');

  async function order(msisdn: string) {
    const plan = await somePlan(app.db);
    const { order: started, token } = await startOrder(app.db, orderFor(plan.id, { msisdn }), NOW);
    return { id: started.id, token: token as string };
  }

  it('keeps the message and its sender before it answers, whatever the content type', async () => {
    const { id, token } = await order('254700000001');
    for (const [index, type] of [
      'application/json',
      'text/plain',
      'application/x-www-form-urlencoded',
      '',
    ].entries()) {
      const answer = await send(token, callback(`c${index}`), type ? { 'content-type': type } : {});
      expect(answer).toMatchObject({ status: 200, json: { ResultCode: 0, ResultDesc: 'Accepted' } });
    }
    const { evidence } = await books(app.db);
    const kept = evidence.filter((one) => one.order_id === id);
    expect(kept).toHaveLength(4);
    expect(kept.every((one) => one.state === 'received' && one.source_address === '196.201.214.200')).toBe(
      true,
    );
    const tasks = await app.db
      .selectFrom('tasks')
      .selectAll()
      .where('kind', '=', 'settle_evidence')
      .execute();
    expect(tasks.length).toBeGreaterThanOrEqual(4);
  });

  it.each([
    ['nothing', ''],
    ['HTML', '<html>'],
    ['half of JSON', '{"Body":'],
    ['NULs', '\0\0'],
  ])('keeps %s and says 200', async (_, body) => {
    const { id, token } = await order('254700000002');
    expect((await send(token, body)).status).toBe(200);
    expect((await books(app.db)).evidence.some((one) => one.order_id === id)).toBe(true);
  });

  it('refuses what is too large with 413', async () => {
    const { id, token } = await order('254700000003');
    expect((await send(token, 'x'.repeat(5_000_000))).status).toBe(413);
    expect((await books(app.db)).evidence.some((one) => one.order_id === id)).toBe(false);
  });

  it('keeps what belongs to no order aside, and not without end', async () => {
    for (const token of ['unknown', '%00', 'x'.repeat(2000)]) {
      expect((await send(token, callback('stranger', { receipt: 'UK0000STRA' }))).status).toBe(200);
    }
    const aside = async () => (await books(app.db)).evidence.filter((one) => one.order_id === null);
    expect(await aside()).toMatchObject([
      { state: 'quarantined', summary: 'Its address belongs to no order.' },
    ]);
    for (let i = 0; i < 600; i++) await send('unknown', `stranger ${i}`);
    expect((await aside()).length).toBeLessThanOrEqual(501);
  });

  it('answers nothing but POST', async () => {
    expect((await app.at('callback', '/cb/mpesa/token')).status).toBe(404);
    expect((await app.at('callback', '/cb/other/token', { method: 'POST', body: '{}' })).status).toBe(404);
  });
});
