// What the admin API answers about real data: its shapes, its pages, its files, its audit, and never a secret.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type * as z from 'zod';
import { recordAccounting } from '../../../src/access/accounting.ts';
import { endEntitlement, startEntitlement } from '../../../src/access/entitlements.ts';
import { noteOutage, settleOutages } from '../../../src/access/outages.ts';
import { redeemVoucher } from '../../../src/access/vouchers.ts';
import { keepEvidence } from '../../../src/billing/evidence.ts';
import { startOrder } from '../../../src/billing/orders.ts';
import { settleEvidence } from '../../../src/billing/settle.ts';
import { newId } from '../../../src/lib/ids.ts';
import { adminRoutes } from '../../../src/servers/http/admin/api.ts';
import type { Route } from '../../../src/servers/http/admin/route.ts';
import { NOW, report } from '../../access/fixtures.ts';
import { callback, keepCallback, orderFor } from '../../billing/fixtures.ts';
import { type Answer, PASSWORD, startApp, type TestApp } from './fixtures.ts';

let app: TestApp;
let owner: Awaited<ReturnType<TestApp['signedInAs']>>;
const ids: Record<string, string> = {};
/** Every secret that was ever typed in or made: none may come out again. */
const SECRETS = [
  'radius-typed-secret',
  'api-typed-password',
  'consumer-key-1',
  'consumer-secret-1',
  'passkey-1',
  PASSWORD,
];

const MPESA = {
  environment: 'custom',
  base_url: 'http://127.0.0.1:1',
  shortcode: '174379',
  kind: 'paybill',
  consumer_key: 'consumer-key-1',
  consumer_secret: 'consumer-secret-1',
  passkey: 'passkey-1',
};

async function ok(
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
): Promise<Answer> {
  const answer = await owner.call(method, path, body, headers);
  expect(answer.status, `${method} ${path}: ${answer.text}`).toBeLessThan(300);
  return answer;
}

beforeAll(async () => {
  app = await startApp();
  owner = await app.signedInAs('owner');
  ids.account = owner.account.id;
  await ok('PUT', '/settings/business', { name: 'Mama WiFi', appliance_address: '10.0.0.2' });
  await ok('PUT', '/settings/mpesa', MPESA);
  const router = await ok('POST', '/routers', {
    name: 'Kiosk',
    address: '10.77.0.7',
    radius_secret: 'radius-typed-secret',
    api_username: 'karibu',
    api_password: 'api-typed-password',
  });
  ids.router = router.json.id;
  const plan = {
    name: '1 hour',
    price_cents: 2000,
    validity_seconds: 3600,
    rate_down_kbps: 5000,
    rate_up_kbps: 2000,
    max_devices: 1,
    burst_rate_down_kbps: 8000,
    idle_timeout_seconds: 900,
    address_pool: 'guests',
    device_policy: 'replace_oldest',
    hours_from_minute: 0,
    hours_to_minute: 1439,
    download_quota_octets: 4_000_000_000,
    fair_use_rate_down_kbps: 1000,
  };
  ids.plan = (await ok('POST', '/plans', plan)).json.id;
  ids.batch = (
    await ok('POST', '/voucher-batches', { plan_id: ids.plan, count: 25, name: '=Kiosk, "A"' })
  ).json.id;
  const { items } = (await ok('GET', `/voucher-batches/${ids.batch}/vouchers`)).json;
  ids.voucher = items[0].id;
  const redeemed = await redeemVoucher(app.db, app.vault, items[0].code, 'AA:BB:CC:00:00:01', NOW);
  if (!redeemed.redeemed) throw new Error('not redeemed');
  ids.credential = redeemed.entitlement.credential_id;

  const started = await startOrder(app.db, orderFor(ids.plan as string), NOW);
  ids.order = started.order.id;
  const evidence = await keepCallback(app.db, ids.order, callback('1'));
  const settled = await settleEvidence(app.db, app.vault, evidence?.id ?? '', NOW);
  ids.payment = settled?.payment?.id as string;
  ids.entitlement = settled?.payment?.entitlement_id as string;
  ids.subscriber = started.order.subscriber_id;
  await startEntitlement(app.db, ids.entitlement, NOW);
  const entitlement = await app.db
    .selectFrom('entitlements')
    .selectAll()
    .where('id', '=', ids.entitlement)
    .executeTakeFirstOrThrow();
  const reference = { credential_id: entitlement.credential_id, entitlement_id: entitlement.id };
  for (let i = 0; i < 30; i++) {
    const session = report({
      router_id: ids.router,
      username: 'guest',
      acct_session_id: `s${i}`,
      mac: `AA:BB:CC:00:01:${String(i).padStart(2, '0')}`,
      reference: { ...reference, accept_id: `a${i}` },
      kind: i % 3 === 0 ? 'stop' : 'start',
      terminate_cause: i % 3 === 0 ? 1 : null,
      at: NOW + i,
    });
    const [stored] = await recordAccounting(app.db, [session], NOW + i);
    ids.session = stored?.id as string;
  }
  await noteOutage(app.db, { kind: 'box', from_at: NOW - 60_000, to_at: NOW }, NOW);
  const [outage] = await settleOutages(app.db, 0);
  ids.outage = outage?.id as string;
  await app.db
    .insertInto('extensions')
    .values({
      ...{ id: newId(NOW), outage_id: ids.outage, entitlement_id: ids.entitlement, extended_ms: 1000 },
      ...{ ends_at_before: NOW, ends_at_after: NOW + 1000, created_at: NOW },
    })
    .execute();
  await app.db
    .insertInto('messages')
    .values({
      id: newId(NOW),
      channel: 'sms',
      recipient: '254712345678',
      subscriber_id: null,
      body: 'Hi',
      state: 'queued',
      provider_id: null,
      problem: null,
      created_at: NOW,
      updated_at: NOW,
    })
    .execute();
  const lines = [
    'Receipt No.,Completion Time,Transaction Status,Paid In,Withdrawn,A/C No.',
    'VAF0000001,15-01-2027 11:00:00,Completed,20.00,,nobody',
  ];
  ids.statement = (await ok('POST', '/payments/statement', { text: lines.join('\n') })).json.id;
  ids.till = (await ok('POST', '/till-sessions', { opening_cents: 50_000 })).json.id;
  await ok('POST', `/till-sessions/${ids.till}/count`, { counted_cents: 50_000 });
  const sold = { plan_id: ids.plan, credential_id: ids.credential };
  ids.sale = (await ok('POST', '/payments/cash', sold, { 'idempotency-key': 'sale1' })).json.payment_id;
});
afterAll(() => app.close());

/** The path of a route with an id of ours in it. */
function addressOf(route: Route): string {
  const noun: Record<string, string> = {
    plans: 'plan',
    routers: 'router',
    'voucher-batches': 'batch',
    vouchers: 'voucher',
    subscribers: 'subscriber',
    credentials: 'credential',
    entitlements: 'entitlement',
    sessions: 'session',
    orders: 'order',
    payments: 'payment',
    accounts: 'account',
    outages: 'outage',
    'till-sessions': 'till',
    statements: 'statement',
  };
  const ofSale = /^\/payments\/\{id\}\/(cash|slip)$/.exec(route.path);
  if (ofSale) return `/payments/${ids.sale}/${ofSale[1]}`;
  return route.path.replace('{id}', ids[noun[route.tag] as string] ?? 'missing');
}

const gets = adminRoutes().filter((route) => route.method === 'get' && route.path !== '/events');
const named = (routes: Route[]): [string, Route][] =>
  routes.map((route) => [`${route.method} ${route.path}`, route]);

describe('every answer', () => {
  it.each(named(gets.filter((route) => !route.produces)))(
    'of %s has the documented shape',
    async (_, route) => {
      const { json } = await ok('GET', addressOf(route));
      expect(route.answer).toBeDefined();
      const parsed = (route.answer as z.ZodType).safeParse(json);
      expect(parsed.success ? [] : parsed.error.issues).toEqual([]);
      if (json.items && !/unknown|access-log/.test(route.path)) expect(json.items.length).toBeGreaterThan(0);
    },
  );

  it.each(named(gets))('of %s holds no secret', async (_, route) => {
    const answer = await ok('GET', addressOf(route));
    const stored = await app.db.selectFrom('credentials').select('password_sealed').execute();
    const hidden = route.path.endsWith('/script') ? [] : SECRETS;
    for (const secret of [...hidden, ...stored.map((row) => row.password_sealed)]) {
      expect(answer.text.includes(secret), secret).toBe(false);
    }
    expect(answer.text).not.toMatch(
      /v1\.[A-Za-z0-9+/]{40}|\$argon2|_sealed"|password_hash|token_hash|code_fingerprint/,
    );
  });

  it.each(named(adminRoutes().filter((route) => !route.produces && route.status !== 204)))(
    'of %s is described',
    (_, route) => {
      expect(route.answer).toBeDefined();
    },
  );
});

describe('lists', () => {
  const lists = [
    '/sessions',
    '/vouchers',
    '/audit',
    `/voucher-batches/BATCH/vouchers`,
    '/sessions?state=open',
  ];
  it.each(lists)('%s are paged to the end, each item once, newest first', async (list) => {
    const path = list.replace('BATCH', ids.batch as string);
    const join = path.includes('?') ? '&' : '?';
    const whole = (await ok('GET', `${path}${join}limit=1000`)).json;
    expect(whole.next).toBeNull();
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: { items: { id: string }[]; next: string | null } = (
        await ok('GET', `${path}${join}limit=7${cursor ? `&cursor=${cursor}` : ''}`)
      ).json;
      expect(page.items.length).toBeLessThanOrEqual(7);
      seen.push(...page.items.map((item) => item.id));
      cursor = page.next;
    } while (cursor);
    expect(seen).toEqual(whole.items.map((item: { id: string }) => item.id));
    expect(seen).toEqual([...seen].sort().reverse());
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.length).toBeGreaterThan(7);
  });

  it('end exactly, also when the last page is full', async () => {
    expect((await ok('GET', '/vouchers?limit=25')).json.next).toBeNull();
    expect((await ok('GET', '/vouchers?limit=24')).json.next).not.toBeNull();
  });

  it.each(['0', '-1', '1001', '1.5', 'many', '', '1e2x'])('refuse limit=%s', async (limit) => {
    const answer = await owner.call('GET', `/sessions?limit=${limit}`);
    expect(answer).toMatchObject({
      status: 400,
      json: { code: 'invalid', fields: { limit: expect.any(String) } },
    });
  });

  it('answer an unknown cursor or filter without failing', async () => {
    expect((await ok('GET', "/sessions?cursor=' or 1=1 --")).json.items).toBeDefined();
    expect((await owner.call('GET', '/sessions?state=half')).status).toBe(400);
    expect((await ok('GET', '/sessions?router_id=none')).json).toEqual({ items: [], next: null });
  });

  it('find sessions by user name, device and phone, orders and payments by phone and receipt', async () => {
    const count = async (path: string) => (await ok('GET', path)).json.items.length;
    expect(await count('/sessions?q=nobody')).toBe(0);
    expect(await count('/sessions?q=aa-bb-cc-00-01-05')).toBe(1);
    expect(await count('/sessions?q=0712345678')).toBe(30);
    expect(await count('/sessions?q=0799999999')).toBe(0);
    expect(await count(`/sessions?state=open&router_id=${ids.router}`)).toBe(20);
    expect(await count('/orders?q=0712 345 678')).toBe(1);
    expect(await count('/orders?q=nothing')).toBe(0);
    expect(await count('/payments?q=uk1234abcd')).toBe(1);
    expect(await count('/payments?q=0712345678&state=settled')).toBe(1);
    expect(await count('/payments?state=unmatched')).toBe(0);
    expect(await count('/subscribers?q=0712345678')).toBe(1);
    expect(await count('/credentials?q=nobody')).toBe(0);
    const [known] = (await ok('GET', '/credentials')).json.items;
    const dictated = known.username.toLowerCase().replace(/^..../, '$&-');
    expect((await ok('GET', `/credentials?q=${dictated}`)).json.items).toMatchObject([{ id: known.id }]);
  });
});

describe('a query parameter', () => {
  it.each(named(adminRoutes()))('that %s does not know is refused by its name', async (_, route) => {
    const body = route.method === 'get' ? undefined : {};
    const refused = await owner.call(route.method.toUpperCase(), `${addressOf(route)}?credential=1`, body);
    expect(refused).toMatchObject({
      status: 400,
      json: { code: 'invalid', fields: { credential: 'There is no such parameter' } },
    });
    for (const known of Object.keys(route.query?.shape ?? {})) expect(refused.json.hint).toContain(known);
  });

  it('is refused when it is given twice, or hides behind a name that objects have', async () => {
    const { json } = await owner.call('GET', '/sessions?state=open&state=closed');
    expect(json).toMatchObject({ code: 'invalid', fields: { state: 'Give it once' } });
    for (const name of ['__proto__', 'constructor', 'toString', '']) {
      expect((await owner.call('GET', `/sessions?${name}=1`)).status, name).toBe(400);
    }
    expect((await owner.call('GET', '/openapi.json?tag=sessions')).status).toBe(400);
  });

  it('is told about to nobody who is not signed in', async () => {
    expect((await app.caller(undefined)('GET', '/sessions?credential=1')).status).toBe(401);
  });

  it('that names nothing is refused: it would find everything', async () => {
    const { status, json } = await owner.call('GET', '/entitlements?credential_id=');
    expect(status).toBe(400);
    expect(json.fields).toEqual({ credential_id: 'Give an id, or leave it out' });
  });

  it('is listed by OpenAPI as it is known', async () => {
    const { json } = await ok('GET', '/openapi.json');
    expect(json.info.description).toMatch(/refused/);
    for (const route of adminRoutes()) {
      const parameters: { in: string; name: string }[] = json.paths[route.path][route.method].parameters;
      const inQuery = parameters.filter((one) => one.in === 'query').map((one) => one.name);
      expect(inQuery).toEqual(Object.keys(route.query?.shape ?? {}));
    }
  });
});

describe('a filter', () => {
  it('finds what belongs to one subscriber, credential, entitlement, order or payment, and nothing else', async () => {
    const found = async (path: string) => (await ok('GET', `${path}`)).json.items;
    const { credential_id, subscriber_id } = (await ok('GET', `/entitlements/${ids.entitlement}`)).json;
    expect(await found(`/entitlements?credential_id=${credential_id}`)).toMatchObject([
      { id: ids.entitlement },
    ]);
    expect(await found(`/entitlements?credential_id=${credential_id}&state=waiting`)).toEqual([]);
    expect(
      await found(`/entitlements?credential_id=${ids.credential}&subscriber_id=${subscriber_id}`),
    ).toEqual([]);
    for (const one of [
      `credential_id=${credential_id}`,
      `entitlement_id=${ids.entitlement}`,
      `subscriber_id=${subscriber_id}`,
      `subscriber_id=${subscriber_id}&q=0712345678`,
    ]) {
      expect(await found(`/sessions?${one}&limit=1000`), one).toHaveLength(30);
      expect(await found(`/sessions?${one}&state=closed&limit=1000`), one).toHaveLength(10);
    }
    for (const none of [
      `credential_id=${ids.credential}`,
      'credential_id=none',
      'entitlement_id=none',
      'subscriber_id=none',
      'subscriber_id=none&q=0712345678',
    ]) {
      expect(await found(`/sessions?${none}`), none).toEqual([]);
    }
    expect(await found(`/credentials?subscriber_id=${subscriber_id}`)).toMatchObject([{ id: credential_id }]);
    expect(await found('/credentials?subscriber_id=none')).toEqual([]);
    expect(await found(`/orders?subscriber_id=${subscriber_id}`)).toMatchObject([{ id: ids.order }]);
    expect(await found('/orders?subscriber_id=none')).toEqual([]);
    expect(await found(`/payments?order_id=${ids.order}`)).toMatchObject([{ id: ids.payment }]);
    expect(await found(`/payments?subscriber_id=${subscriber_id}`)).toMatchObject([{ id: ids.payment }]);
    expect(await found('/payments?order_id=none')).toEqual([]);
    for (const one of [`order_id=${ids.order}`, `payment_id=${ids.payment}`])
      expect(await found(`/evidence?${one}`), one).toMatchObject([{ payment_id: ids.payment }]);
  });

  it('of tills by another’s account is no cashier’s', async () => {
    const cashier = await app.signedInAs('cashier');
    const { account_id } = (await ok('GET', `/till-sessions/${ids.till}`)).json;
    expect((await cashier.call('GET', `/till-sessions?account_id=${account_id}`)).status).toBe(403);
    expect((await cashier.call('GET', '/till-sessions')).status).toBe(200);
  });
});

describe('evidence', () => {
  it('that was kept aside is shown with where it came from and why, word for word', async () => {
    const strange = { kind: 'c2b', order_id: null, body: '{"TransID":"??"}', source_address: '203.0.113.9' };
    await keepEvidence(
      app.db,
      { ...strange, kind: 'c2b', quarantine: 'It names no M-PESA code.', receipt: 'UK99QUARAN' },
      NOW,
    );
    const kept = (await ok('GET', '/evidence?state=quarantined')).json.items;
    expect(kept).toMatchObject([
      { ...strange, state: 'quarantined', summary: 'It names no M-PESA code.', receipt: 'UK99QUARAN' },
    ]);
    expect((await ok('GET', '/evidence?q=uk99quaran')).json.items).toEqual(kept);
    expect((await ok('GET', '/evidence?state=waiting')).json).toEqual({ items: [], next: null });
    const used = (await ok('GET', '/evidence?state=used')).json.items;
    expect(used.map((one: { payment_id: string }) => one.payment_id).sort()).toEqual(
      [ids.payment, ids.sale].sort(),
    );
    expect((await owner.call('GET', '/evidence?state=believed')).status).toBe(400);
  });
});

describe('vouchers', () => {
  it('a thousand are ready in the answer, each with a code of its own', async () => {
    const batch = (await ok('POST', '/voucher-batches', { plan_id: ids.plan, count: 1000 })).json;
    expect(batch).toMatchObject({
      state: 'ready',
      made: 1000,
      unused: 1000,
      redeemed: 0,
      cancelled: 0,
      price_cents: 2000,
    });
    const { items } = (await ok('GET', `/voucher-batches/${batch.id}/vouchers?limit=1000`)).json;
    expect(new Set(items.map((item: { code: string }) => item.code)).size).toBe(1000);
    const sheet = await ok('GET', `/voucher-batches/${batch.id}/sheet.pdf`);
    expect(sheet.headers.get('content-type')).toBe('application/pdf');
    expect(sheet.text.slice(0, 5)).toBe('%PDF-');
  });

  it('more are being made when the answer comes', async () => {
    const batch = (await ok('POST', '/voucher-batches', { plan_id: ids.plan, count: 1001 })).json;
    expect(batch).toMatchObject({ state: 'making', made: 0 });
  });

  it('the same idempotency key makes one batch and one audit entry, for each account its own', async () => {
    const body = { plan_id: ids.plan, count: 3 };
    const key = { 'idempotency-key': 'print-1' };
    const audits = async () =>
      (
        await app.db
          .selectFrom('audit')
          .select('id')
          .where('entity', '=', 'voucher batch')
          .where('action', '=', 'create')
          .execute()
      ).length;
    const before = await audits();
    const first = await ok('POST', '/voucher-batches', body, key);
    const both = [first, ...(await Promise.all([0, 1].map(() => ok('POST', '/voucher-batches', body, key))))];
    const again = await ok('POST', '/voucher-batches', body, key);
    expect(new Set([...both, again].map((one) => one.json.id)).size).toBe(1);
    expect(
      await app.db.selectFrom('vouchers').select('id').where('batch_id', '=', again.json.id).execute(),
    ).toHaveLength(3);
    expect(await audits()).toBe(before + 1);
    const cashier = await app.signedInAs('cashier');
    expect((await cashier.call('POST', '/voucher-batches', body, key)).json.id).not.toBe(again.json.id);
  });

  it('come as CSV that no spreadsheet runs', async () => {
    const csv = await ok('GET', `/voucher-batches/${ids.batch}/codes.csv`);
    const lines = csv.text.split('\r\n');
    expect(lines[0]).toBe('code,state,plan,batch');
    expect(lines).toHaveLength(27);
    expect(
      lines
        .slice(1, 26)
        .every((line) => /^[2-9A-Z]{8},(unused|redeemed),1 hour,"'=Kiosk, ""A"""$/.test(line)),
    ).toBe(true);
    expect(csv.headers.get('content-disposition')).toBe('attachment; filename="Kiosk-A.csv"');
  });

  it('are cancelled and brought back, one or all', async () => {
    const batch = (await ok('POST', '/voucher-batches', { plan_id: ids.plan, count: 3 })).json;
    const { items } = (await ok('GET', `/voucher-batches/${batch.id}/vouchers`)).json;
    expect((await ok('POST', `/vouchers/${items[0].id}/cancel`, {})).json).toMatchObject({
      state: 'cancelled',
    });
    expect((await owner.call('POST', `/vouchers/${items[0].id}/cancel`, {})).status).toBe(409);
    expect((await ok('POST', `/vouchers/${items[0].id}/restore`, {})).json).toMatchObject({
      state: 'unused',
    });
    expect((await ok('POST', `/voucher-batches/${batch.id}/cancel`, {})).json).toMatchObject({
      state: 'cancelled',
      unused: 0,
      cancelled: 3,
    });
    expect((await owner.call('GET', `/voucher-batches/${batch.id}/sheet.pdf`)).status).toBe(409);
    expect((await ok('GET', `/vouchers?q=${items[1].code.toLowerCase()}`)).json.items).toMatchObject([
      { state: 'cancelled' },
    ]);
  });
});

describe('what is changed', () => {
  const audits = async () => app.db.selectFrom('audit').selectAll().orderBy('id').execute();

  it('is in the audit, with who did it and without a secret', async () => {
    const made = {
      plan: (await ok('POST', '/plans', { name: 'Audit', price_cents: 100, validity_seconds: 60 })).json.id,
      router: (await ok('POST', '/routers', { name: 'R', address: '10.77.0.99' })).json.id,
      account: (
        await ok('POST', '/accounts', {
          email: 'a@example.com',
          name: 'A',
          role: 'cashier',
          password: 'typed-password',
        })
      ).json.id,
    };
    const changes: [string, string, unknown?][] = [
      ['PATCH', `/plans/${made.plan}`, { price_cents: 200 }],
      ['DELETE', `/plans/${made.plan}`, {}],
      [
        'PATCH',
        `/routers/${made.router}`,
        { radius_secret: 'radius-typed-secret', api_password: 'api-typed-password' },
      ],
      ['GET', `/routers/${made.router}/script`],
      ['DELETE', `/routers/${made.router}`, {}],
      ['PATCH', `/accounts/${made.account}`, { role: 'support', password: 'typed-password-2' }],
      ['PATCH', `/subscribers/${ids.subscriber}`, { name: 'Wanjiku', state: 'suspended' }],
      ['PATCH', `/subscribers/${ids.subscriber}`, { state: 'active' }],
      ['PUT', '/settings/business', { support_phone: '0712' }],
      ['PUT', '/settings/mpesa', MPESA],
      ['POST', '/voucher-batches', { plan_id: ids.plan, count: 1 }],
    ];
    for (const [method, path, body] of changes) {
      const before = (await audits()).length;
      await ok(method, path, body);
      const entries = await audits();
      expect(entries.length, `${method} ${path}`).toBe(before + 1);
    }
    const all = JSON.stringify(await audits());
    for (const secret of [...SECRETS, 'typed-password']) expect(all.includes(secret), secret).toBe(false);
    const entries = await audits();
    expect(entries.every((entry) => entry.actor.length > 0)).toBe(true);
    const change = entries.find((entry) => entry.entity_id === made.plan && entry.action === 'update');
    expect(change).toMatchObject({
      account_id: owner.account.id,
      actor: owner.account.email,
      address: '127.0.0.1',
    });
    expect([JSON.parse(change?.before ?? ''), JSON.parse(change?.after ?? '')]).toMatchObject([
      { price_cents: 100 },
      { price_cents: 200 },
    ]);
  });

  it('a granted entitlement waits for its start, and the audit says why', async () => {
    const grant = { credential_id: ids.credential, plan_id: ids.plan, reason: 'power cut' };
    const from = NOW + 86_400_000;
    const made = (await ok('POST', '/entitlements', { ...grant, not_before_at: from })).json;
    expect(made).toMatchObject({ state: 'waiting', source: 'grant', not_before_at: from });
    const { items } = (await ok('GET', `/audit?entity=entitlement&entity_id=${made.id}`)).json;
    expect(items[0]).toMatchObject({ action: 'grant', after: { reason: 'power cut', not_before_at: from } });
    for (const [wrong, status] of [
      [{ ...grant, reason: ' ' }, 400],
      [{ ...grant, subscriber_id: made.subscriber_id }, 400],
      [{ plan_id: ids.plan, reason: 'x' }, 400],
      [{ ...grant, credential_id: 'none' }, 404],
      [{ ...grant, plan_id: 'none' }, 404],
    ] as const) {
      expect((await owner.call('POST', '/entitlements', wrong)).status).toBe(status);
    }
    await ok('POST', `/entitlements/${made.id}/revoke`, { reason: 'only a test' });
  });

  it('a revoked entitlement is revoked once, and says why', async () => {
    await endEntitlement(app.db, ids.entitlement as string, 'expired', NOW);
    expect(
      (await owner.call('POST', `/entitlements/${ids.entitlement}/revoke`, { reason: 'x' })).status,
    ).toBe(409);
    const { items } = (await ok('GET', '/entitlements?state=waiting')).json;
    expect((await owner.call('POST', `/entitlements/${items[0].id}/revoke`, { reason: ' ' })).status).toBe(
      400,
    );
    const revoked = (await ok('POST', `/entitlements/${items[0].id}/revoke`, { reason: 'refunded' })).json;
    expect(revoked).toMatchObject({ state: 'revoked', end_reason: 'refunded' });
  });

  it('a secret of a router that is made here is told once', async () => {
    const made = await ok('POST', '/routers', { name: 'Fresh', address: '10.77.0.50' });
    expect(made.json.radius_secret).toMatch(/^[\w-]{22}$/);
    const read = await ok('GET', `/routers/${made.json.id}`);
    expect(read.json).not.toHaveProperty('radius_secret');
    expect(read.json.has_radius_secret).toBe(true);
  });

  it('a router may be a range of addresses, which is one however it is written, and may be allowed MAC login', async () => {
    const made = (await ok('POST', '/routers', { name: 'Pool', address: '10.88.0.9/24' })).json;
    expect(made).toMatchObject({ address: '10.88.0.0/24', mac_login: 'no' });
    const again = await owner.call('POST', '/routers', { name: 'Pool 2', address: '10.88.0.0/24' });
    expect(again).toMatchObject({ status: 409, json: { fields: { address: expect.any(String) } } });
    const changed = (await ok('PATCH', `/routers/${made.id}`, { mac_login: 'yes', address: '10.89.1.1/16' }))
      .json;
    expect(changed).toMatchObject({ address: '10.89.0.0/16', mac_login: 'yes' });
    expect((await ok('POST', `/routers/${made.id}/test`, {})).json).toMatchObject({
      ok: false,
      steps: [{ message: expect.stringContaining('range of addresses') }],
    });
  });

  it('how long sessions are waited for and kept, within limits, with an audit entry', async () => {
    expect((await ok('GET', '/settings')).json.accounting).toEqual({
      missed_interims: 5,
      sessions_kept_days: 365,
    });
    const stored = (await ok('PUT', '/settings/accounting', { missed_interims: '3' })).json;
    expect(stored).toEqual({ missed_interims: 3, sessions_kept_days: 365 });
    const refused = await owner.call('PUT', '/settings/accounting', { sessions_kept_days: 7 });
    expect(refused).toMatchObject({
      status: 400,
      json: { fields: { sessions_kept_days: expect.any(String) } },
    });
    const { items } = (await ok('GET', '/audit?entity=settings')).json;
    const entry = items.find((item: { entity_name: string }) => item.entity_name === 'accounting');
    expect(entry).toMatchObject({ after: { missed_interims: 3 } });
    await ok('PUT', '/settings/accounting', { missed_interims: 5 });
  });

  it('what becomes of a second payment and of a pasted code, within limits, with an audit entry', async () => {
    const usual = { second_payment: 'stack', paste_minutes: 0, paste_kbps: 512 };
    expect((await ok('GET', '/settings')).json.payment_policy).toEqual(usual);
    const change = { second_payment: 'wait', paste_minutes: 5 };
    const stored = (await ok('PUT', '/settings/payment-policy', change)).json;
    expect(stored).toEqual({ ...usual, ...change });
    expect((await ok('GET', '/settings')).json.payment_policy).toEqual(stored);
    for (const wrong of [
      { paste_minutes: -1 },
      { paste_minutes: 61 },
      { paste_minutes: 1.5 },
      { paste_kbps: 1 },
    ]) {
      const refused = await owner.call('PUT', '/settings/payment-policy', wrong);
      expect(refused.status).toBe(400);
      expect(Object.keys(refused.json.fields)).toEqual(Object.keys(wrong));
    }
    const { items } = (await ok('GET', '/audit?entity=settings')).json;
    const entry = items.find((item: { entity_name: string }) => item.entity_name === 'payment policy');
    expect(entry).toMatchObject({ before: usual, after: stored });
    await ok('PUT', '/settings/payment-policy', usual);
  });

  it('secrets of M-PESA that are left out stay', async () => {
    const { consumer_key: _, consumer_secret: __, passkey: ___, ...rest } = MPESA;
    const stored = (await ok('PUT', '/settings/mpesa', { ...rest, shortcode: '600100' })).json;
    expect(stored).toMatchObject({ shortcode: '600100', has_consumer_key: true, has_passkey: true });
    await ok('PUT', '/settings/mpesa', MPESA);
  });

  it('the last owner stays', async () => {
    for (const change of [{ role: 'admin' }, { state: 'disabled' }]) {
      const answer = await owner.call('PATCH', `/accounts/${owner.account.id}`, change);
      expect(answer).toMatchObject({ status: 409, json: { detail: 'One active owner must remain.' } });
    }
    expect((await ok('GET', '/auth/me')).json.account.role).toBe('owner');
  });
});

describe('the OpenAPI document', () => {
  it('lists every route with its parameters, body and answers', async () => {
    const { json } = await ok('GET', '/openapi.json');
    expect(json.openapi).toBe('3.1.0');
    const operations = Object.entries(json.paths).flatMap(([path, methods]) =>
      Object.entries(methods as Record<string, Record<string, unknown>>).map(([method, operation]) => ({
        path,
        method,
        operation,
      })),
    );
    const routes = adminRoutes();
    expect(operations.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(
      routes.map((route) => `${route.method} ${route.path}`).sort(),
    );
    for (const { path, method, operation } of operations) {
      const route = routes.find((one) => one.path === path && one.method === method) as Route;
      const responses = operation.responses as Record<
        string,
        { description: string; content?: Record<string, { schema?: Record<string, unknown> }> }
      >;
      const good = responses[String(route.status)];
      expect(good?.description).toBeTruthy();
      expect(responses.default?.content).toHaveProperty(['application/problem+json']);
      if (route.status !== 204) expect(good?.content).toHaveProperty([route.produces ?? 'application/json']);
      if (route.status !== 204 && !route.produces) {
        expect(good?.content?.['application/json']?.schema).toMatchObject({
          type: 'object',
          properties: expect.any(Object),
        });
      }
      expect('requestBody' in operation).toBe(route.body !== undefined);
      const parameters = operation.parameters as { name: string; in: string; schema: unknown }[];
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(parameters.filter((one) => one.in === 'path').map((one) => one.name)).toEqual(inPath);
      expect(parameters.every((one) => one.schema !== undefined)).toBe(true);
    }
    expect(JSON.stringify(json)).not.toContain('"$ref":"#/definitions');
  });
});

describe('the sales report', () => {
  it('is of the last thirty days, or of the days that are asked for', async () => {
    expect((await ok('GET', '/reports/sales')).json.periods).toHaveLength(30);
    const { json } = await ok('GET', '/reports/sales?from=2026-01-01&to=2026-12-31&by=month');
    expect(json.periods).toHaveLength(12);
    const csv = await ok('GET', '/reports/sales.csv?from=2026-02-28&to=2026-03-01');
    expect(csv.headers.get('content-disposition')).toContain('sales-2026-02-28-2026-03-01.csv');
    expect(csv.text.split('\r\n')).toHaveLength(4);
  });

  it.each([
    ['from=2026-02-30&to=2026-03-01', 'from'],
    ['from=2026-02-01&to=soon', 'to'],
    ['from=2026-02-02&to=2026-02-01', 'to'],
    ['from=2010-01-01&to=2026-02-01', 'to'],
  ])('of no such days (%s) says which is wrong', async (query, field) => {
    const answer = await owner.call('GET', `/reports/sales?${query}`);
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.json.fields)).toEqual([field]);
  });
});
