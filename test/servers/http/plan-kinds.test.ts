// A plan for homes goes to homes, one for the hotspot to its guests, whoever gives or sells it.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createCredential } from '../../../src/access/credentials.ts';
import { createPppoeCredential } from '../../../src/access/pppoe.ts';
import { addSubscriber } from '../../../src/access/subscribers.ts';
import { HOUR_PLAN, NOW, somePlan } from '../../access/fixtures.ts';
import { startApp, type TestApp } from './fixtures.ts';

let app: TestApp;
let owner: Awaited<ReturnType<TestApp['signedInAs']>>;
beforeEach(async () => {
  app = await startApp();
  owner = await app.signedInAs('owner');
});
afterEach(() => app.close());

const key = (name: string) => ({ 'idempotency-key': name });
const MISFIT = { status: 409, json: { code: 'conflict', fields: { plan_id: expect.any(String) } } };

async function someoneWithBoth() {
  const { id: subscriber_id } = await addSubscriber(app.db, { name: 'Mwangi', msisdn: null, notes: '' }, NOW);
  const home = { subscriber_id, username: 'mwangi', static_address: null, router_id: null };
  const { credential: pppoe } = await createPppoeCredential(app.db, app.vault, home, NOW);
  const guest = {
    subscriber_id,
    username: 'guest',
    password: 'x',
    kind: 'hotspot',
    device_mac: null,
  } as const;
  const hotspot = await createCredential(app.db, app.vault, guest, NOW);
  const plans = {
    hotspot: await somePlan(app.db),
    pppoe: await somePlan(app.db, { kind: 'pppoe', name: 'Home 5M', price_cents: 150_000 }),
  };
  return { subscriber_id, pppoe, hotspot, plans };
}
const countOf = async (table: 'entitlements' | 'payments' | 'evidence' | 'cash_sales' | 'credentials') =>
  (await app.db.selectFrom(table).selectAll().execute()).length;

it('a grant by hand fits the credential, and a refused one leaves nothing', async () => {
  const { pppoe, hotspot, plans } = await someoneWithBoth();
  const grant = (credential_id: string, plan_id: string) =>
    owner.call('POST', '/entitlements', { credential_id, plan_id, reason: 'gift' }, key(plan_id));
  const refused = await grant(hotspot.id, plans.pppoe.id);
  expect(refused).toMatchObject(MISFIT);
  expect(refused.headers.get('content-type')).toContain('application/problem+json');
  expect(refused.json).toMatchObject({
    detail: '“Home 5M” is a plan for homes on PPPoE, and guest is a hotspot login.',
    hint: 'Choose a hotspot plan, or a PPPoE credential.',
  });
  expect(await grant(pppoe.id, plans.hotspot.id)).toMatchObject(MISFIT);
  expect(await countOf('entitlements')).toBe(0);
  expect((await owner.call('GET', '/audit?entity=entitlement')).json.items).toEqual([]);
  // The key of what was refused is not used up.
  expect((await grant(pppoe.id, plans.pppoe.id)).status).toBe(201);
  expect((await grant(hotspot.id, plans.hotspot.id)).status).toBe(201);
});

it('a subscriber without a credential gets none for a home’s plan', async () => {
  const { plans } = await someoneWithBoth();
  const { id: subscriber_id } = await addSubscriber(app.db, { name: 'New', msisdn: null, notes: '' }, NOW);
  const before = await countOf('credentials');
  const grant = (plan_id: string) =>
    owner.call('POST', '/entitlements', { subscriber_id, plan_id, reason: 'gift' });
  expect(await grant(plans.pppoe.id)).toMatchObject(MISFIT);
  expect(await countOf('credentials')).toBe(before);
  expect((await grant(plans.hotspot.id)).status).toBe(201);
});

it('a sale for cash that fits not is not made: no payment, no evidence, nothing in the till', async () => {
  const { pppoe, hotspot, plans } = await someoneWithBoth();
  const cashier = await app.signedInAs('cashier');
  await cashier.call('POST', '/till-sessions', { opening_cents: 10_000 });
  const sell = (goods: object, name: string) => cashier.call('POST', '/payments/cash', goods, key(name));
  const wrong = { credential_id: hotspot.id, plan_id: plans.pppoe.id };
  expect(await sell(wrong, 'a')).toMatchObject(MISFIT);
  expect(await sell({ credential_id: pppoe.id, plan_id: plans.hotspot.id }, 'b')).toMatchObject(MISFIT);
  expect((await sell({ plan_id: plans.pppoe.id }, 'c')).status).toBe(409);
  const counts = ['payments', 'evidence', 'cash_sales', 'entitlements'] as const;
  expect(await Promise.all(counts.map(countOf))).toEqual([0, 0, 0, 0]);
  const due = async () => (await cashier.call('GET', '/till-sessions/current')).json.session.due_cents;
  expect(await due()).toBe(10_000);
  expect((await sell({ ...wrong, plan_id: plans.hotspot.id }, 'a')).status).toBe(201);
  expect(await due()).toBe(12_000);
});

it('vouchers are made of hotspot plans alone; one of before is not sold, and opens what it did', async () => {
  const { plans } = await someoneWithBoth();
  const batch = (plan_id: string, name: string) =>
    owner.call('POST', '/voucher-batches', { plan_id, count: 1 }, key(name));
  expect(await batch(plans.pppoe.id, 'a')).toMatchObject(MISFIT);
  const { id } = (await batch(plans.hotspot.id, 'b')).json;
  const [voucher] = (await owner.call('GET', `/voucher-batches/${id}/vouchers`)).json.items;
  await app.db.updateTable('plans').set({ kind: 'pppoe' }).where('id', '=', plans.hotspot.id).execute();
  await owner.call('POST', '/till-sessions', { opening_cents: 0 });
  const sale = await owner.call('POST', '/payments/cash', { voucher_code: voucher.code }, key('c'));
  expect(sale).toMatchObject({ status: 409, json: { detail: '“1 hour” is sold to a home.' } });
  const redeemed = await app.at('portal', '/api/redeem', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code: voucher.code }),
  });
  expect(redeemed.status).toBe(200);
});

it('a plan stays for whom it is once somebody has it, or a voucher for it', async () => {
  const { pppoe, plans } = await someoneWithBoth();
  const change = (id: string, kind: string) => owner.call('PATCH', `/plans/${id}`, { kind });
  expect((await change(plans.hotspot.id, 'pppoe')).json.kind).toBe('pppoe');
  expect((await change(plans.hotspot.id, 'hotspot')).json.kind).toBe('hotspot');
  await owner.call('POST', '/voucher-batches', { plan_id: plans.hotspot.id, count: 1 }, key('a'));
  await owner.call('POST', '/entitlements', {
    ...{ credential_id: pppoe.id, plan_id: plans.pppoe.id, reason: 'gift' },
  });
  const sold = { status: 409, json: { code: 'conflict', fields: { kind: 'It has been sold.' } } };
  expect(await change(plans.hotspot.id, 'pppoe')).toMatchObject(sold);
  expect(await change(plans.pppoe.id, 'hotspot')).toMatchObject(sold);
  // The page sends the whole form: what stays the same is no change.
  const whole = await owner.call('PATCH', `/plans/${plans.pppoe.id}`, { ...HOUR_PLAN, kind: 'pppoe' });
  expect(whole).toMatchObject({ status: 200, json: { name: '1 hour', kind: 'pppoe' } });
});
