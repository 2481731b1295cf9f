// The guest's way through the portal: from the router's login page to the form that brings the phone online.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordAccounting } from '../../../../src/access/accounting.ts';
import {
  addVouchers,
  cancelVoucher,
  createVoucherBatch,
  listVouchers,
  sealCodes,
} from '../../../../src/access/vouchers.ts';
import { keepEvidence } from '../../../../src/billing/evidence.ts';
import { writeMpesaSettings } from '../../../../src/billing/mpesa-settings.ts';
import { getOrder } from '../../../../src/billing/orders.ts';
import { settleEvidence } from '../../../../src/billing/settle.ts';
import { hashMsisdn } from '../../../../src/lib/msisdn.ts';
import { createRouter } from '../../../../src/network/routers.ts';
import {
  loginPassword,
  octalOctets,
  openContext,
  readHotspot,
} from '../../../../src/servers/http/portal/hotspot-context.ts';
import { createMpesaSimulator, type MpesaSimulator } from '../../../../src/simulators/mpesa/index.ts';
import { HOUR, NOW, report, somePlan } from '../../../access/fixtures.ts';
import { type Answer, startApp, type TestApp } from '../fixtures.ts';

const MAC = 'AA:BB:CC:00:00:01';
/** As RouterOS fills them in on its login page (routeros.md §2.3). */
const HOTSPOT = {
  mac: MAC,
  ip: '10.5.48.20',
  'link-login-only': 'http://10.5.48.1/login',
  'link-orig': 'http://example.com/a?b=c',
  'chap-id': '\\371',
  'chap-challenge': '\\357\\015\\330\\013\\021\\234\\145\\245\\303\\253\\142\\246\\133\\175\\375\\316',
};

let mpesa: MpesaSimulator;
let app: TestApp;
let planId: string;

beforeEach(async () => {
  mpesa = createMpesaSimulator();
  await mpesa.start();
  app = await startApp();
  planId = (await somePlan(app.db)).id;
  const [merchant] = mpesa.merchants;
  if (!merchant) throw new Error('no merchant');
  await writeMpesaSettings(
    app.db,
    app.vault,
    {
      environment: 'custom',
      base_url: mpesa.baseUrl,
      shortcode: merchant.shortcode,
      kind: 'paybill',
      till_number: null,
      callback_base_url: null,
      consumer_key: merchant.consumer_key,
      consumer_secret: merchant.consumer_secret,
      passkey: merchant.passkey,
    },
    NOW,
  );
  await createRouter(
    app.db,
    app.vault,
    {
      name: 'Kiosk',
      address: '10.77.0.7',
      message_authenticator: 'auto',
      coa_port: 3799,
      api_port: 8728,
      api_tls: 0,
      api_username: null,
      hotspot_host: 'wifi.mama.example',
      hotspot_interface: 'bridge',
      hotspot_network: '10.5.48.0/22',
    },
    NOW,
  );
});
afterEach(async () => {
  await app.close();
  await mpesa.stop();
});

const get = (path: string, headers: Record<string, string> = {}) => app.at('portal', path, { headers });
const form = (path: string, fields: Record<string, string>, headers: Record<string, string> = {}) =>
  app.at('portal', path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams(fields).toString(),
  });
const json = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  app.at('portal', path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

/** The signed context that a page carries along. */
function ctxIn(answer: Answer): string | undefined {
  const found = /ctx=([\w-]+\.[\w-]+)/.exec(answer.text) ?? /name="ctx" value="([^"]+)"/.exec(answer.text);
  return found?.[1] ?? /ctx=([\w.%-]+)/.exec(answer.headers.get('location') ?? '')?.[1];
}

async function somePhone(): Promise<string> {
  const { location } = Object.fromEntries((await form('/', HOTSPOT)).headers);
  return new URLSearchParams(location?.split('?')[1]).get('ctx') as string;
}

/** The hidden fields of the form that a page posts to the router. */
function connectForm(answer: Answer) {
  const action = /<form method="post" action="([^"]+)"( data-auto)?/.exec(answer.text);
  const field = (name: string) => new RegExp(`name="${name}" value="([^"]*)"`).exec(answer.text)?.[1];
  return (
    action && {
      action: action[1],
      auto: Boolean(action[2]),
      username: field('username'),
      password: field('password'),
      dst: field('dst'),
    }
  );
}

function cookies(answer: Answer): string {
  return answer.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0])
    .join('; ');
}

async function vouchers(count: number) {
  const input = { plan_id: planId, count, name: 'Kiosk', created_by: null, idempotency_key: null };
  const { id } = await createVoucherBatch(app.db, input, NOW);
  await addVouchers(app.db, id, sealCodes(app.vault, 1000), NOW);
  return (await listVouchers(app.db, app.vault, {}, { batch_id: id })).items;
}

/** Settles an order as the callback of its success would. */
async function pay(orderId: string) {
  const order = await getOrder(app.db, orderId);
  const stkCallback = {
    MerchantRequestID: order.merchant_request_id,
    CheckoutRequestID: order.checkout_request_id,
    ResultCode: 0,
    CallbackMetadata: {
      Item: [
        { Name: 'Amount', Value: 20 },
        { Name: 'MpesaReceiptNumber', Value: 'UK1234ABCD' },
      ],
    },
  };
  const body = JSON.stringify({ Body: { stkCallback } });
  const evidence = await keepEvidence(
    app.db,
    { kind: 'stk_callback', order_id: orderId, body, source_address: null },
    NOW,
  );
  await settleEvidence(app.db, app.vault, evidence?.id ?? '', NOW);
}

describe('the way in', () => {
  it('takes the router’s parameters from a link, and carries them along signed', async () => {
    const answer = await get(`/?${new URLSearchParams(HOTSPOT)}`);
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('1 hour');
    expect(openContext(app.vault, ctxIn(answer))).toMatchObject({
      mac: MAC,
      ip: '10.5.48.20',
      link_login_only: 'http://10.5.48.1/login',
      link_orig: 'http://example.com/a?b=c',
      chap_id: '\\371',
    });
  });

  it('takes them from the login page’s form by a redirect that other sites’ posts may follow', async () => {
    const answer = await form('/', HOTSPOT);
    expect(answer.status).toBe(303);
    const location = new URL(answer.headers.get('location') as string, 'http://portal');
    expect(location.pathname).toBe('/');
    expect(openContext(app.vault, location.searchParams.get('ctx') ?? '')).toMatchObject({ mac: MAC });
    const shown = await get(location.pathname + location.search);
    expect(ctxIn(shown)).toBe(location.searchParams.get('ctx'));
  });

  it('works for a phone about which nothing is said', async () => {
    expect(await get('/')).toMatchObject({ status: 200 });
    expect((await form('/', {})).headers.get('location')).toBe('/');
  });

  it('believes no context that was made or changed by others', async () => {
    const ctx = await somePhone();
    const [body = '', signature = ''] = ctx.split('.');
    const evil = Buffer.from(JSON.stringify({ mac: MAC, link_login_only: 'http://evil.example/' })).toString(
      'base64url',
    );
    for (const forged of [
      `${evil}.${signature}`,
      `${body}.${signature.slice(1)}x`,
      body,
      `${ctx}.x`,
      '.',
      'null.x',
    ]) {
      expect(openContext(app.vault, forged)).toBeUndefined();
      const answer = await get(`/?ctx=${encodeURIComponent(forged)}`);
      expect(answer.status).toBe(200);
      expect(answer.text).not.toContain('evil.example');
      expect(ctxIn(answer)).toBeUndefined();
    }
  });

  it.each([
    ['http://evil.example/login', null],
    ['http://10.5.48.1.evil.example/login', null],
    ['http://evil.example/?10.5.48.1', null],
    ['http://10.5.48.1@evil.example/login', null],
    ['javascript:alert(1)', null],
    ['//10.5.48.1/login', null],
    ['http://10.5.48.1/login', 'http://10.5.48.1/login'],
    ['https://WIFI.mama.example/login', 'https://wifi.mama.example/login'],
    ['http://10.77.0.7/login', 'http://10.77.0.7/login'],
  ])('posts a password to %s only if that is the router', async (link, used) => {
    const answer = await get(`/?${new URLSearchParams({ ...HOTSPOT, 'link-login-only': link })}`);
    expect(openContext(app.vault, ctxIn(answer))?.link_login_only).toBe(used);
  });

  it('keeps the language that was chosen', async () => {
    const swahili = await get('/?lang=sw');
    expect(swahili.text).toContain('<html lang="sw"');
    expect((await get('/', { cookie: cookies(swahili) })).text).toContain('<html lang="sw"');
    expect((await get('/', { 'accept-language': 'sw-KE,en' })).text).toContain('<html lang="sw"');
    expect((await get('/?lang=xx')).text).toContain('<html lang="en"');
  });
});

describe('CHAP', () => {
  it('is answered as the router’s own page would (routeros.md §2.4)', () => {
    const context = readHotspot(HOTSPOT, [], NOW);
    if (!context) throw new Error('no context');
    expect(octalOctets('\\371')).toEqual(Buffer.from([0o371]));
    expect(loginPassword(context, 'demo')).toBe('ed92c3cb60d7bfcc640fed522852d78e');
    expect(loginPassword({ ...context, chap_id: null }, 'demo')).toBe('demo');
  });
});

describe('buying', () => {
  it.each(['0712345678', '+254 712 345 678', '254712345678', '712345678', '0712-345-678', '2540712345678'])(
    'with the number written %s rings that phone and shows the order',
    async (msisdn) => {
      const ctx = await somePhone();
      const answer = await form('/buy', { plan: planId, msisdn, ctx });
      expect(answer.status, answer.text).toBe(303);
      const location = answer.headers.get('location') as string;
      expect(location).toMatch(/^\/orders\/[0-9a-z]{26}\?/);
      const order = await getOrder(app.db, location.slice(8, 34));
      expect(order).toMatchObject({ msisdn: '254712345678', mac: MAC, state: 'pending', ip: '10.5.48.20' });
      expect(order.router_id).not.toBeNull();
      expect(mpesa.prompts()).toHaveLength(1);
      const page = await get(location);
      expect(page.status).toBe(200);
      expect(page.text).toContain('0712•••678');
      expect(page.text).not.toContain('254712345678');
    },
  );

  it.each(['', '12345', 'abc', '0203456789', '+255712345678', '<script>'])(
    'with the number %j shows the page again with 400',
    async (msisdn) => {
      const answer = await form('/buy', { plan: planId, msisdn });
      expect(answer.status).toBe(400);
      expect(answer.text).not.toContain('<script>');
      expect(mpesa.prompts()).toEqual([]);
      expect(await app.db.selectFrom('orders').select('id').execute()).toEqual([]);
    },
  );

  it('twice by a double tap rings once and shows one order', async () => {
    const ctx = await somePhone();
    const taps = await Promise.all(
      [0, 1, 2].map(() => form('/buy', { plan: planId, msisdn: '0722000111', ctx })),
    );
    expect(new Set(taps.map((tap) => tap.headers.get('location')?.slice(0, 34))).size).toBe(1);
    expect(mpesa.prompts()).toHaveLength(1);
  });

  it('what is not there or not on sale is told on a page', async () => {
    expect((await form('/buy', { plan: 'none', msisdn: '0712345678' })).status).toBe(404);
    expect((await get('/buy?plan=none')).status).toBe(404);
    await app.db.updateTable('plans').set({ state: 'archived' }).execute();
    const answer = await form('/buy', { plan: planId, msisdn: '0712345678' });
    expect(answer.status).toBe(409);
    expect(answer.headers.get('content-type')).toContain('text/html');
  });

  it('is closed while M-PESA is not set up', async () => {
    await app.db.deleteFrom('settings').where('key', '=', 'mpesa').execute();
    expect((await form('/buy', { plan: planId, msisdn: '0712345678' })).status).toBe(503);
    expect((await json('/api/orders', { plan_id: planId, msisdn: '0712345678' })).status).toBe(503);
  });

  it('shows the order as it is: on the phone, refused, checked, paid with the way online', async () => {
    const ctx = await somePhone();
    const bought = await form('/buy', { plan: planId, msisdn: '0733000111', ctx });
    const address = bought.headers.get('location') as string;
    const id = address.slice(8, 34);
    for (const state of ['pending', 'checking', 'failed'] as const) {
      await app.db
        .updateTable('orders')
        .set({ state, result_code: state === 'failed' ? '1032' : null })
        .where('id', '=', id)
        .execute();
      const page = await get(address);
      expect(page.status).toBe(200);
      expect(connectForm(page)?.action).not.toBe('http://10.5.48.1/login');
      expect(page.headers.getSetCookie().some((cookie) => cookie.startsWith('karibu_device'))).toBe(false);
    }
    await app.db
      .updateTable('orders')
      .set({ state: 'pending', result_code: null })
      .where('id', '=', id)
      .execute();
    await pay(id);
    const paid = await get(address);
    const credential = await app.db.selectFrom('credentials').selectAll().executeTakeFirstOrThrow();
    const password = app.vault.open(credential.password_sealed);
    expect(connectForm(paid)).toEqual({
      action: 'http://10.5.48.1/login',
      auto: true,
      username: credential.username,
      password: loginPassword(readHotspot(HOTSPOT, [], NOW) as never, password),
      dst: 'http://example.com/a?b=c',
    });
    expect(paid.text).not.toContain(password);
    const device = paid.headers.getSetCookie().find((cookie) => cookie.startsWith('karibu_device')) as string;
    expect(device).toMatch(/HttpOnly/);
    expect(device).toMatch(/SameSite=Lax/);

    // This phone is known from now on; one that writes its own cookie is not.
    const cookie = device.split(';')[0] as string;
    const home = await get(`/?ctx=${encodeURIComponent(ctx)}`, { cookie });
    expect(connectForm(home)).toMatchObject({ username: credential.username, auto: false });
    const forged = `${cookie.slice(0, -1)}${cookie.endsWith('A') ? 'B' : 'A'}`;
    expect((await get(`/?ctx=${encodeURIComponent(ctx)}`, { cookie: forged })).text).not.toContain(
      credential.username,
    );
    expect((await get(`/?ctx=${encodeURIComponent(ctx)}`)).text).not.toContain(credential.username);

    expect((await get('/status', { cookie })).text).not.toContain(password);
    const reference = {
      credential_id: credential.id,
      entitlement_id: (await getOrder(app.db, id)).entitlement_id as string,
      accept_id: 'a',
    };
    await recordAccounting(app.db, [report({ username: credential.username, reference })], NOW);
    const status = await get(`/status?ctx=${encodeURIComponent(ctx)}`, { cookie });
    expect(status.status).toBe(200);
    expect(connectForm(status)?.action).not.toBe('http://10.5.48.1/login');
  });

  it('of an unknown order shows nothing', async () => {
    for (const id of ['00000000000000000000000000', 'x', "' or 1=1"]) {
      expect((await get(`/orders/${encodeURIComponent(id)}`)).status).toBe(404);
      expect((await get(`/api/orders/${encodeURIComponent(id)}`)).status).toBe(404);
    }
  });
});

describe('a voucher on the portal', () => {
  it('connects once it is redeemed, and goes on for whoever holds it while it runs', async () => {
    const [voucher] = await vouchers(1);
    const ctx = await somePhone();
    const code = voucher?.code as string;
    const typed = `${code.slice(0, 4).toLowerCase()}-${code.slice(4)}`;
    const first = await form('/voucher', { code: typed, ctx });
    expect(first.status).toBe(200);
    expect(connectForm(first)).toMatchObject({ action: 'http://10.5.48.1/login', username: code });
    const again = await form('/voucher', { code, ctx });
    expect(connectForm(again)).toMatchObject({ username: code });
    expect(await app.db.selectFrom('entitlements').select('id').execute()).toHaveLength(1);
    await app.db
      .updateTable('entitlements')
      .set({ state: 'active', starts_at: NOW, ends_at: NOW + HOUR })
      .execute();
    app.time.now = NOW + HOUR;
    const over = await form('/voucher', { code, ctx });
    expect(over.status).toBe(409);
    expect(connectForm(over)?.username).toBeUndefined();
  });

  it('that is unknown or cancelled is told so', async () => {
    const [voucher] = await vouchers(1);
    await cancelVoucher(app.db, voucher?.id as string);
    expect((await form('/voucher', { code: 'ZZZZ-ZZZZ' })).status).toBe(400);
    expect((await form('/voucher', { code: '' })).status).toBe(400);
    expect((await form('/voucher', { code: voucher?.code as string })).status).toBe(409);
    expect((await get('/voucher?code=%3Cscript%3E')).text).not.toContain('<script>');
  });

  it('cannot be guessed for long: a device has twelve wrong tries in five minutes', async () => {
    const [voucher] = await vouchers(1);
    const ctx = await somePhone();
    for (let i = 0; i < 12; i++)
      expect((await form('/voucher', { code: `WRONG${i}`, ctx })).status).toBe(400);
    expect((await form('/voucher', { code: voucher?.code as string, ctx })).status).toBe(429);
    expect(await json('/api/redeem', { code: voucher?.code, mac: MAC })).toMatchObject({
      status: 429,
      json: { code: 'rate_limited' },
    });
    app.time.now += 300_000;
    expect((await form('/voucher', { code: voucher?.code as string, ctx })).status).toBe(200);
  });
});

describe('the portal API', () => {
  it('lists what is on sale and no more than a guest needs', async () => {
    await somePlan(app.db, { name: 'Hidden', state: 'hidden' });
    const { items } = (await get('/api/plans')).json;
    expect(items).toEqual([
      {
        id: planId,
        name: '1 hour',
        description: '',
        price_cents: 2000,
        validity_seconds: 3600,
        online_seconds: null,
        quota_octets: null,
        download_quota_octets: null,
        upload_quota_octets: null,
        fair_use_rate_down_kbps: null,
        fair_use_rate_up_kbps: null,
        hours_from_minute: null,
        hours_to_minute: null,
        rate_down_kbps: 5000,
        rate_up_kbps: 2000,
        max_devices: 1,
      },
    ]);
  });

  it('sells: the order, its state, and the credential once it is paid', async () => {
    const made = await json('/api/orders', {
      plan_id: planId,
      msisdn: '0744000111',
      mac: MAC,
      ip: '10.5.48.20',
    });
    expect(made.status).toBe(201);
    expect(made.json).toEqual({ id: expect.any(String), state: 'pending', message: expect.any(String) });
    const before = await get(`/api/orders/${made.json.id}`);
    expect(before.json).toEqual(made.json);
    expect(before.headers.get('cache-control')).toBe('no-store');
    await pay(made.json.id);
    const after = (await get(`/api/orders/${made.json.id}`)).json;
    expect(after).toMatchObject({
      state: 'paid',
      username: expect.any(String),
      password: expect.any(String),
    });
  });

  it('asks nobody for money that came by hand before the order: they are in at once', async () => {
    const now = app.time.now;
    const row = { receipt: 'VAF1234XYZ', amount_cents: 2000, account_reference: 'KODI', payer_name: 'JANE' };
    const body = JSON.stringify({ ...row, at: now - 60_000, msisdn_sha256: hashMsisdn('254744000222') });
    const about = { kind: 'pull' as const, order_id: null, receipt: row.receipt, source_address: null };
    const evidence = await keepEvidence(app.db, { ...about, body }, now);
    await settleEvidence(app.db, app.vault, evidence?.id as string, now);
    const buy = { plan_id: planId, msisdn: '0744000222', mac: MAC };
    expect((await json('/api/orders', buy)).json).toMatchObject({
      state: 'paid',
      username: expect.any(String),
    });
    const [order] = await app.db
      .selectFrom('orders')
      .selectAll()
      .where('msisdn', '=', '254744000222')
      .execute();
    expect(order).toMatchObject({ state: 'paid', sent_at: null, checkout_request_id: null });
  });

  it('redeems once, also when two do so at once', async () => {
    const [voucher] = await vouchers(1);
    const code = voucher?.code as string;
    const both = await Promise.all(
      [MAC, 'AA:BB:CC:00:00:02'].map((mac) => json('/api/redeem', { code, mac })),
    );
    expect(both.map((one) => one.status).sort()).toEqual([200, 409]);
    expect(both.find((one) => one.status === 200)?.json).toMatchObject({
      username: code,
      password: code,
      validity_seconds: 3600,
    });
    expect(both.find((one) => one.status === 409)?.json).toMatchObject({
      code: 'conflict',
      hint: expect.any(String),
    });
    expect((await json('/api/redeem', { code: 'ZZZZZZZZ' })).status).toBe(404);
  });

  it.each([
    ['/api/orders', { msisdn: '0712345678' }, 'plan_id'],
    ['/api/orders', { plan_id: 'PLAN', msisdn: 'abc' }, 'msisdn'],
    ['/api/orders', { plan_id: 'PLAN', msisdn: 712345678 }, 'msisdn'],
    ['/api/orders', { plan_id: 'PLAN', msisdn: '0712345678', mac: 'phone' }, 'mac'],
    ['/api/orders', { plan_id: 'PLAN', msisdn: '0712345678', ip: 'here' }, 'ip'],
    ['/api/redeem', {}, 'code'],
    ['/api/redeem', { code: '  ' }, 'code'],
    ['/api/redeem', { code: 'x'.repeat(61) }, 'code'],
    ['/api/redeem', { code: ['A'] }, 'code'],
  ])('refuses %s %j, naming the field', async (path, body, field) => {
    const sent = JSON.parse(JSON.stringify(body).replace('PLAN', planId));
    const answer = await json(path, sent);
    expect(answer).toMatchObject({
      status: 400,
      json: { code: 'invalid', fields: { [field]: expect.any(String) } },
    });
    expect(answer.headers.get('content-type')).toContain('problem+json');
  });

  it('refuses what is no JSON, what is too large, and what is unknown', async () => {
    expect((await app.at('portal', '/api/redeem', { method: 'POST', body: '{' })).status).toBe(400);
    expect((await json('/api/redeem', { code: 'x'.repeat(70_000) })).status).toBe(413);
    expect((await json('/api/orders', { plan_id: 'none', msisdn: '0712345678' })).status).toBe(404);
    expect(await get('/api/nothing')).toMatchObject({ status: 404, json: { code: 'not_found' } });
  });

  it('gives nobody the access of another by repeating an idempotency key', async () => {
    const key = { 'idempotency-key': '1' };
    const first = await json('/api/orders', { plan_id: planId, msisdn: '0755000111', mac: MAC }, key);
    const same = await json('/api/orders', { plan_id: planId, msisdn: '0755000111', mac: MAC }, key);
    expect(same.json.id).toBe(first.json.id);
    const other = await json(
      '/api/orders',
      { plan_id: planId, msisdn: '0755000222', mac: 'AA:BB:CC:00:00:02' },
      key,
    );
    expect(other).toMatchObject({ status: 409, json: { code: 'conflict' } });
  });

  it('rings one phone ten times in five minutes at most', async () => {
    mpesa.setKnobs({ outcome: '1032', outcome_delay_ms: 0, callback_count: 0 });
    const statuses: number[] = [];
    for (let i = 0; i < 12; i++) {
      const mac = `AA:BB:CC:00:02:${String(i).padStart(2, '0')}`;
      statuses.push((await json('/api/orders', { plan_id: planId, msisdn: '0766000111', mac })).status);
    }
    expect(statuses).toEqual([...Array(10).fill(201), 429, 429]);
  });
});
