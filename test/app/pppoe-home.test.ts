// A home on PPPoE: made by the operator, signed in over the wire, cut off when suspended.
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import {
  attribute,
  getAddress,
  getOctets,
  getString,
  hasAttribute,
} from '../../src/protocols/radius/attributes.ts';
import { challengeHash, ntPasswordHash, ntResponse } from '../../src/protocols/radius/mschap.ts';
import { Code } from '../../src/protocols/radius/packet.ts';
import { hasRadclient, radclient } from '../e2e/support/radclient.ts';
import { until } from '../e2e/support/until.ts';
import { SECRET, type Site, startSite } from './site.ts';

let site: Site;
beforeAll(async () => {
  site = await startSite();
});
afterAll(() => site.close());
beforeEach(() => site.begin());

const MONTH = { kind: 'pppoe', validity_seconds: 30 * 86_400, rate_down_kbps: 10_000, rate_up_kbps: 5000 };
const MAC = 'AA:BB:CC:00:10:01';

/** A home that is online, and its session. */
async function online(more: Record<string, unknown> = {}) {
  const home = await site.home(MONTH, more);
  const device = site.device(MAC);
  const accept = await home.logIn(device);
  await device.start();
  return { ...home, device, accept };
}

const disconnects = () =>
  site.peer.asked
    .filter((packet) => packet.code === Code.DisconnectRequest)
    .map((p) => getString(p, 'User-Name'));

it('a password that was left out is made, told once, and signs in', async () => {
  const { credential, accept, subscriber } = await online();
  expect(credential).toMatchObject({ kind: 'pppoe', password: expect.stringMatching(/^\w{10}$/) });
  expect(accept.code).toBe(Code.AccessAccept);
  expect(getString(accept, 'Mikrotik-Rate-Limit')).toBe('5M/10M');
  expect(hasAttribute(accept, 'Framed-IP-Address')).toBe(false);
  const { items } = await site.ok('GET', `/subscribers/${subscriber.id}/credentials`);
  expect(JSON.stringify(items)).not.toContain(credential.password);
  const { items: written } = await site.ok('GET', `/audit?entity=credential&entity_id=${credential.id}`);
  expect(written).toMatchObject([{ action: 'create', after: { username: credential.username } }]);
  expect(JSON.stringify(written)).not.toContain(credential.password);
});

it.skipIf(!hasRadclient).each([
  ['PAP', 'User-Password', '10.20.0.1'],
  ['CHAP', 'CHAP-Password', '10.20.0.2'],
  ['MS-CHAP', 'MS-CHAP-Password', '10.20.0.3'],
])('radclient signs in with %s and is given the static address', async (_, method, address) => {
  const { credential } = await site.home(MONTH, { password: 'siri-kubwa', static_address: address });
  const ask = (password: string) =>
    radclient('auth', site.bound.radius_auth, SECRET, {
      'User-Name': credential.username,
      [method]: password,
      'Service-Type': 2,
      'Framed-Protocol': 1,
      'Calling-Station-Id': MAC,
    });
  const { code, output } = await ask('siri-kubwa');
  expect(code).toBe('Access-Accept');
  expect(output).toContain(`Framed-IP-Address = ${address}`);
  expect((await ask('siri-ndogo')).code).toBe('Access-Reject');
});

it('MS-CHAPv2 signs in with the Success and the address', async () => {
  const { credential } = await site.home(MONTH, { password: 'siri-kubwa', static_address: '10.20.1.1' });
  const challenge = Buffer.alloc(16, 7);
  const peer = Buffer.alloc(16, 9);
  const hash = challengeHash(peer, challenge, Buffer.from(credential.username));
  const response = ntResponse(hash, ntPasswordHash('siri-kubwa'));
  const accept = await site
    .device(MAC, [
      attribute('MS-CHAP-Challenge', challenge),
      attribute('MS-CHAP2-Response', Buffer.concat([Buffer.from([3, 0]), peer, Buffer.alloc(8), response])),
    ])
    .logIn(credential.username, 'siri-kubwa');
  expect(accept.code).toBe(Code.AccessAccept);
  expect(getOctets(accept, 'MS-CHAP2-Success')?.subarray(1).toString()).toMatch(/^S=[0-9A-F]{40}$/);
  expect(getAddress(accept, 'Framed-IP-Address')).toBe('10.20.1.1');
});

it('an address of its own goes before the pool of the plan, and to one device at a time', async () => {
  const home = await site.home(
    { ...MONTH, address_pool: 'homes', max_devices: 2 },
    { static_address: '10.20.2.1' },
  );
  const first = site.device('AA:BB:CC:00:20:01');
  const accept = await home.logIn(first);
  expect(getAddress(accept, 'Framed-IP-Address')).toBe('10.20.2.1');
  expect(hasAttribute(accept, 'Framed-Pool')).toBe(false);
  await first.start();
  const second = await home.logIn(site.device('AA:BB:CC:00:20:02'));
  expect(getString(second, 'Reply-Message')).toContain('Too many devices');
});

it('an address is one home’s, and free again when that home is switched off', async () => {
  const { subscriber, credential } = await site.home(MONTH, { static_address: '10.20.3.1' });
  const other = { subscriber_id: subscriber.id, username: 'other-home', static_address: '10.20.3.1' };
  expect(await site.call('POST', '/credentials', other)).toMatchObject({
    status: 409,
    json: { fields: { static_address: expect.stringContaining(credential.username) } },
  });
  await site.ok('PATCH', `/credentials/${credential.id}`, { state: 'disabled' });
  const made = await site.ok('POST', '/credentials', other);
  for (const change of [{ state: 'active' }, { state: 'active', static_address: '10.20.3.1' }]) {
    expect((await site.call('PATCH', `/credentials/${credential.id}`, change)).status).toBe(409);
  }
  await site.ok('PATCH', `/credentials/${credential.id}`, { state: 'active', static_address: null });
  await site.ok('PATCH', `/credentials/${credential.id}`, { static_address: '10.20.3.2' });
  const taken = await site.call('PATCH', `/credentials/${made.id}`, { static_address: '10.20.3.2' });
  expect(taken.status).toBe(409);
});

it.each([
  ['10.20.3'],
  ['10.20.3.256'],
  ['127.0.0.1'],
  ['224.0.0.1'],
  ['0.0.0.0'],
  ['fe80::1'],
  ['010.1.1.1'],
])('%s is no address for a home', async (static_address) => {
  const { credential } = await site.home(MONTH);
  expect(await site.call('PATCH', `/credentials/${credential.id}`, { static_address })).toMatchObject({
    status: 400,
    json: { fields: { static_address: expect.any(String) } },
  });
});

it('suspending the subscriber ends the live session, and keeps the home out until it is active again', async () => {
  const { subscriber, credential, logIn } = await online();
  await site.ok('PATCH', `/subscribers/${subscriber.id}`, { state: 'suspended' });
  await until('the Disconnect', () => disconnects().includes(credential.username));
  const device = site.device(MAC);
  expect(getString(await logIn(device), 'Reply-Message')).toContain('suspended');
  await site.ok('PATCH', `/subscribers/${subscriber.id}`, { state: 'active' });
  expect((await logIn(device)).code).toBe(Code.AccessAccept);
});

it.each([
  ['is switched off', { state: 'disabled' }],
  ['gets another password', { password: 'neno-jipya' }],
  ['gets an address', { static_address: '10.20.4.1' }],
])('a home that %s does not go on as before', async (_, change) => {
  const { credential } = await online();
  await site.ok('PATCH', `/credentials/${credential.id}`, change);
  await until('the Disconnect', () => disconnects().includes(credential.username));
});

it('a new password is told once and replaces the old one', async () => {
  const { credential, logIn } = await online();
  const changed = await site.ok('PATCH', `/credentials/${credential.id}`, { password: '' });
  expect(changed.password).toMatch(/^\w{10}$/);
  expect((await logIn(site.device(MAC))).code).toBe(Code.AccessReject);
  expect((await site.device(MAC).logIn(credential.username, changed.password)).code).toBe(Code.AccessAccept);
});

it('a home bound to a router signs in there alone, and that router cannot be removed', async () => {
  const elsewhere = await site.ok('POST', '/routers', { name: 'Tower', address: '10.99.0.1' });
  const { credential, logIn } = await site.home(MONTH, { router_id: elsewhere.id });
  expect(getString(await logIn(site.device(MAC)), 'Reply-Message')).toContain('not allowed at this place');
  expect((await site.call('DELETE', `/routers/${elsewhere.id}`)).status).toBe(409);
  await site.ok('PATCH', `/credentials/${credential.id}`, { router_id: site.router.id });
  expect((await logIn(site.device(MAC))).code).toBe(Code.AccessAccept);
  expect((await site.call('PATCH', `/credentials/${credential.id}`, { router_id: 'none' })).status).toBe(404);
});

it('a credential that was never used can be removed, one that was cannot', async () => {
  const { credential, subscriber } = await site.home(MONTH);
  expect((await site.call('DELETE', `/credentials/${credential.id}`)).status).toBe(409);
  const fresh = await site.ok('POST', '/credentials', { subscriber_id: subscriber.id, username: 'fresh' });
  expect((await site.call('DELETE', `/credentials/${fresh.id}`)).status).toBe(204);
  expect((await site.call('GET', `/credentials/${fresh.id}`)).status).toBe(404);
});

it('a subscriber has a name or a number, and a number is one subscriber’s', async () => {
  const made = await site.ok('POST', '/subscribers', {
    name: 'Mwangi',
    msisdn: '0712 000 111',
    notes: 'Gate 4',
  });
  expect(made).toMatchObject({ name: 'Mwangi', msisdn: '254712000111', notes: 'Gate 4', state: 'active' });
  expect(await site.call('POST', '/subscribers', { msisdn: '+254712000111' })).toMatchObject({
    status: 409,
    json: { fields: { msisdn: expect.any(String) } },
  });
  expect((await site.call('POST', '/subscribers', { name: ' ' })).status).toBe(400);
  expect((await site.call('POST', '/subscribers', { name: 'A', msisdn: '12345' })).status).toBe(400);
});

it('a grant that is sent twice with one key is one entitlement', async () => {
  const { credential, plan } = await site.home(MONTH);
  const grant = { credential_id: credential.id, plan_id: plan.id, reason: 'paid at the office' };
  const key = { 'idempotency-key': 'one-tap' };
  const first = await site.ok('POST', '/entitlements', grant, key);
  const second = await site.ok('POST', '/entitlements', grant, key);
  expect(second.id).toBe(first.id);
  expect(first).not.toHaveProperty('idempotency_key');
  expect((await site.ok('POST', '/entitlements', grant)).id).not.toBe(first.id);
  const { items } = await site.ok('GET', `/audit?entity=entitlement&entity_id=${first.id}`);
  expect(items).toHaveLength(1);
});
