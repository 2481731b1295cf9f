// The callback door as strangers find it: what it opens, what it tells, what it counts.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeMpesaSettings } from '../../../src/billing/mpesa-settings.ts';
import { startOrder } from '../../../src/billing/orders.ts';
import { proofOf } from '../../../src/network/tunnel/reach.ts';
import {
  type SenderRule,
  type TunnelMode,
  updateTunnelSettings,
} from '../../../src/network/tunnel/settings.ts';
import { adminRoutes } from '../../../src/servers/http/admin/api.ts';
import { senderOf } from '../../../src/servers/http/sender.ts';
import { NOW, somePlan } from '../../access/fixtures.ts';
import { callback, orderFor } from '../../billing/fixtures.ts';
import { startApp, type TestApp } from './fixtures.ts';

const SAFARICOM = '196.201.214.200';
const STRANGER = '203.0.113.9';

let app: TestApp;
let call: Awaited<ReturnType<TestApp['signedInAs']>>['call'];
let token: string;

beforeEach(async () => {
  app = await startApp();
  call = (await app.signedInAs('owner')).call;
  const plan = await somePlan(app.db);
  token = (await startOrder(app.db, orderFor(plan.id), NOW)).token as string;
  const keys = { consumer_key: 'k', consumer_secret: 's', passkey: 'p' };
  const mpesa = { shortcode: '600700', kind: 'paybill' as const, till_number: null, callback_base_url: null };
  await writeMpesaSettings(
    app.db,
    app.vault,
    { environment: 'production', base_url: '', ...mpesa, ...keys },
    NOW,
  );
});
afterEach(() => app.close());

function notify(body: string, path = `/cb/mpesa/${token}`, address = SAFARICOM, headers = {}) {
  return app.at('callback', path, { method: 'POST', body, headers }, address);
}
const door = async () => (await call('GET', '/tunnel')).json.door;
const evidence = () => app.db.selectFrom('evidence').selectAll().orderBy('id').execute();

describe('the callback door', () => {
  test('opens nothing of the admin or the portal', async () => {
    const paths = adminRoutes().flatMap(({ method, path }) => [[method, `/api/v1${path}`] as const]);
    const portal = [
      '/',
      '/plans',
      '/voucher',
      '/status',
      '/login',
      '/api/plans',
      '/api/orders',
      '/api/redeem',
    ];
    const others = [
      '/api/v1/openapi.json',
      '/assets/admin.js',
      '/assets/portal.js',
      '/favicon.ico',
      '/settings',
    ];
    const asked = [
      ...paths,
      ...[...portal, ...others].flatMap((path) => [['get', path] as const, ['post', path] as const]),
    ];
    expect(asked.length).toBeGreaterThan(100);
    for (const [method, path] of asked) {
      const { status, text } = await app.at('callback', path.replaceAll(/[{}]/g, ''), {
        method: method.toUpperCase(),
        headers: { authorization: 'Bearer x', 'content-type': 'application/json' },
      });
      expect([path, status, text]).toEqual([path, 404, '{"error":"not found"}']);
    }
  });

  test('says the same to a forged notice as to a genuine one', async () => {
    const genuine = await notify(callback('1'));
    const forged = await notify(callback('1'), '/cb/mpesa/AAAAAAAAAAAAAAAAAAAAAA', STRANGER);
    expect(forged.status).toBe(200);
    expect([forged.text, [...forged.headers]]).toEqual([genuine.text, [...genuine.headers]]);
    expect((await evidence()).map(({ state }) => state).sort()).toEqual(['quarantined', 'received']);
    expect(await door()).toMatchObject({
      counts: { taken: 1, quarantined: 1, doubted: 0, slow: 0, too_large: 0 },
      last_taken_at: NOW,
      strangers: [{ at: NOW, address: STRANGER, why: 'Its address belongs to no order.' }],
    });
  });

  test('gives each payment a path of 128 random bits', async () => {
    const plan = await somePlan(app.db);
    const { token: other } = await startOrder(app.db, orderFor(plan.id, { msisdn: '254712345679' }), NOW);
    for (const one of [token, other as string]) expect(Buffer.from(one, 'base64url')).toHaveLength(16);
    expect(other).not.toBe(token);
    const row = await app.db.selectFrom('orders').selectAll().execute();
    expect(JSON.stringify(row)).not.toContain(token);
  });

  test('takes a notice from an address off the list, has M-PESA confirm it, and tells of it', async () => {
    await notify(callback('1'), undefined, STRANGER);
    expect((await evidence())[0]).toMatchObject({ state: 'received', source_address: STRANGER });
    expect((await door()).counts).toMatchObject({ taken: 1, doubted: 1 });
    expect((await door()).strangers[0]).toMatchObject({
      address: STRANGER,
      why: expect.stringMatching(/not from M-PESA/),
    });

    const trusted = await call('PUT', '/tunnel/sources', { trusted: [STRANGER, STRANGER] });
    expect(trusted.json.sources).toMatchObject({
      trusted: [STRANGER],
      known: expect.arrayContaining([SAFARICOM]),
    });
    await notify(callback('1', { amount: 21 }), undefined, STRANGER);
    expect((await door()).counts).toMatchObject({ taken: 2, doubted: 1 });
    expect((await call('PUT', '/tunnel/sources', { trusted: ['safaricom'] })).status).toBe(400);
  });

  test('takes bodies up to 64 KiB, announced or not', async () => {
    const most = 'x'.repeat(64 * 1024);
    expect((await notify(most)).status).toBe(200);
    expect((await notify(`${most}x`)).status).toBe(413);
    const stream = () =>
      new ReadableStream({
        pull(controller) {
          controller.enqueue(new TextEncoder().encode('y'.repeat(16 * 1024)));
        },
      });
    const endless = await app.at('callback', `/cb/mpesa/${token}`, {
      method: 'POST',
      body: stream(),
      duplex: 'half',
    } as RequestInit);
    expect(endless.status).toBe(413);
    expect((await door()).counts).toMatchObject({ taken: 1, too_large: 2 });
  });

  test('proves which box it is to whoever asks, and nothing about it', async () => {
    const nonce = 'a-number-of-somebody';
    const answer = await app.at('callback', `/cb/check/${nonce}`);
    expect([answer.status, answer.text]).toEqual([200, proofOf(app.vault, nonce)]);
    expect((await app.at('callback', '/cb/check/short')).status).toBe(404);
    expect((await app.at('callback', `/cb/check/${'x'.repeat(65)}`)).status).toBe(404);
    expect((await door()).counts.checks).toBe(1);
  });
});

describe('the sender of a notice', () => {
  const forged = (name: string) => ({ 'cf-connecting-ip': SAFARICOM, 'x-forwarded-for': SAFARICOM })[name];
  const rule = (mode: TunnelMode, proxies: string[] = [], sender_header = 'x-forwarded-for' as const) => ({
    mode,
    proxies,
    sender_header,
  });
  const chain = (text: string) => (name: string) => (name === 'x-forwarded-for' ? text : undefined);

  test.each([
    ['a peer on the network', '203.0.113.9', 'cloudflared', '203.0.113.9'],
    ['our own cloudflared', '127.0.0.1', 'cloudflared', SAFARICOM],
    ['another proxy on this box', '127.0.0.1', 'manual', null],
    ['an ssh tunnel', '::1', 'ssh', null],
    ['a program on this box', '127.0.0.1', 'none', '127.0.0.1'],
    ['a stranger who writes the header', '203.0.113.9', 'manual', '203.0.113.9'],
    ['a stranger, while the relay is the way in', '203.0.113.9', 'hub', '203.0.113.9'],
  ] as const)('is believed of %s', (_, peer, mode, source) => {
    expect(senderOf(peer, rule(mode), forged)).toBe(source);
  });

  test.each([
    ['the last hop', '127.0.0.1', SAFARICOM, SAFARICOM],
    ['no hop that the sender wrote before it', '127.0.0.1', `${SAFARICOM}, ${STRANGER}`, STRANGER],
    ['the hop before the listed proxies', '127.0.0.1', `${SAFARICOM}, ${STRANGER}, 10.0.0.7`, STRANGER],
    ['an IPv4 address in IPv6 clothes', '::ffff:127.0.0.1', `::ffff:${SAFARICOM}`, SAFARICOM],
    ['the listed proxy on the network', '10.0.0.7', SAFARICOM, SAFARICOM],
    ['nobody, when the last hop is no address', '127.0.0.1', `${SAFARICOM}, unknown`, null],
    ['nobody, when it is this machine', '127.0.0.1', `${SAFARICOM}, 127.0.0.2`, null],
    ['nobody, when there is no hop but proxies', '127.0.0.1', '10.0.0.7', null],
    ['nobody without the header', '127.0.0.1', '', null],
    ['the peer, when it is not listed', '10.0.0.8', SAFARICOM, '10.0.0.8'],
  ])('behind listed proxies is %s', (_, peer, header, source) => {
    for (const mode of ['manual', 'ssh'] as const) {
      expect(senderOf(peer, rule(mode, ['127.0.0.1', '10.0.0.7']), chain(header))).toBe(source);
    }
  });

  test('behind a Cloudflare of the operator’s is whom that names, in the header that was chosen alone', () => {
    const cloudflare: SenderRule = {
      mode: 'manual',
      proxies: ['127.0.0.1'],
      sender_header: 'cf-connecting-ip',
    };
    expect(senderOf('127.0.0.1', cloudflare, forged)).toBe(SAFARICOM);
    expect(senderOf('127.0.0.1', cloudflare, chain(SAFARICOM))).toBeNull();
    expect(senderOf(STRANGER, cloudflare, forged)).toBe(STRANGER);
  });

  test('is nobody when cloudflared names something that is no address', () => {
    expect(senderOf('127.0.0.1', rule('cloudflared'), () => 'localhost')).toBeNull();
    expect(senderOf('127.0.0.1', rule('cloudflared'), () => '127.0.0.1')).toBeNull();
  });

  test('decides whether a notice is confirmed first, by what the operator has listed', async () => {
    const path = async (name: string) => {
      const plan = await somePlan(app.db, { name });
      const mac = `AA:BB:CC:00:00:${name}`;
      return `/cb/mpesa/${(await startOrder(app.db, orderFor(plan.id, { mac, msisdn: `2547123456${name}` }), NOW)).token}`;
    };
    const doubts = async () => (await door()).counts.doubted;
    const forwarded = { 'x-forwarded-for': SAFARICOM, 'cf-connecting-ip': SAFARICOM };
    await call('PUT', '/tunnel', { mode: 'manual', url: 'https://wifi.example' });
    await notify(callback('1'), await path('11'), '127.0.0.1', forwarded);
    expect(await doubts()).toBe(1);
    await call('PUT', '/tunnel', { proxies: ['127.0.0.1'] });
    await notify(callback('2', { receipt: 'UK22' }), await path('12'), '127.0.0.1', forwarded);
    expect(await doubts()).toBe(1);
    const longer = { 'x-forwarded-for': `${SAFARICOM}, ${STRANGER}` };
    await notify(callback('3', { receipt: 'UK33' }), await path('13'), '127.0.0.1', longer);
    await notify(callback('4', { receipt: 'UK44' }), await path('14'), STRANGER, forwarded);
    expect(await doubts()).toBe(3);
    const kept = await app.db.selectFrom('evidence').select('source_address').orderBy('receipt').execute();
    expect(kept.map((one) => one.source_address).sort()).toEqual(
      [SAFARICOM, STRANGER, STRANGER, null].sort(),
    );
  });

  test('is read from addresses that are addresses', async () => {
    const { status, json } = await call('PUT', '/tunnel', { proxies: ['10.0.0.0/8'] });
    expect([status, Object.keys(json.fields)]).toEqual([400, ['proxies.0']]);
  });
});

describe('the way in', () => {
  test('is shown without its secrets, changed with an audit entry, and closed to cashiers', async () => {
    const hub = { mode: 'hub', hub_url: 'https://HUB.example/', hub_box: 'kiosk', hub_token: 'tok-en' };
    const { status, json, text } = await call('PUT', '/tunnel', hub);
    expect(status).toBe(200);
    expect(json.settings).toMatchObject({ mode: 'hub', hub_url: 'https://hub.example', has_hub_token: true });
    expect(json.state.url).toBe('https://hub.example/n/kiosk');
    const log = await call('GET', '/audit?entity=settings');
    expect(log.json.items[0]).toMatchObject({ entity_name: 'tunnel', action: 'update' });
    expect(text + log.text).not.toContain('tok-en');
    for (const role of ['cashier', 'support', 'reseller'] as const) {
      const other = await app.signedInAs(role);
      expect((await other.call('GET', '/tunnel')).status).toBe(403);
      expect((await other.call('PUT', '/tunnel', { mode: 'none' })).status).toBe(403);
    }
  });

  test.each([
    ['ssh_host', '-oProxyCommand=reboot'],
    ['ssh_user', '-x'],
    ['ssh_identity_file', '-F/etc/passwd'],
    ['ssh_host', 'a b'],
    ['hub_box', '../other'],
    ['url', 'ftp://x.example'],
    ['url', 'https://user@x.example'],
  ])('refuses %s = %s', async (field, value) => {
    const { status, json } = await call('PUT', '/tunnel', { [field]: value });
    expect([status, Object.keys(json.fields)]).toEqual([400, [field]]);
  });

  test('is where guests’ payments are answered to', async () => {
    await updateTunnelSettings(app.db, app.vault, { mode: 'manual', url: 'https://wifi.example' }, NOW);
    expect((await call('GET', '/tunnel')).json.state.url).toBeNull();
    expect((await call('PUT', '/tunnel', {})).json.state.url).toBe('https://wifi.example');
  });

  test('that does not exist is said so by its test', async () => {
    const { json } = await call('POST', '/tunnel/test', {});
    expect(json).toMatchObject({
      ok: false,
      steps: [{ step: 'callback', ok: false, hint: expect.any(String) }],
    });
  });
});
