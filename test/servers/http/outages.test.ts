// Outages over the admin API: the policy, the list, one decision each, what was extended.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startEntitlement } from '../../../src/access/entitlements.ts';
import { extendEntitlements, noteOutage, settleOutages } from '../../../src/access/outages.ts';
import { HOUR, NOW, someAccess } from '../../access/fixtures.ts';
import { startApp, type TestApp } from './fixtures.ts';

let app: TestApp;
let owner: Awaited<ReturnType<TestApp['signedInAs']>>;
beforeEach(async () => {
  app = await startApp();
  owner = await app.signedInAs('owner');
});
afterEach(() => app.close());

/** The box was off for two hours until now, while one entitlement of a day was running. */
async function anOutage() {
  const { entitlement } = await someAccess(app.db, { validity_seconds: 86_400 });
  await startEntitlement(app.db, entitlement.id, NOW - 3 * HOUR);
  await noteOutage(app.db, { kind: 'box', from_at: NOW - 2 * HOUR, to_at: NOW }, NOW);
  const [outage] = await settleOutages(app.db, 0);
  return { id: outage?.id ?? '', entitlementId: entitlement.id };
}

it('the policy is read and changed in part, with its limits, and audited', async () => {
  const usual = { mode: 'ask', minimum_seconds: 600, maximum_seconds: 86_400 };
  expect((await owner.call('GET', '/settings')).json.outages).toEqual(usual);
  expect(await owner.call('PUT', '/settings/outages', { mode: 'automatic' })).toMatchObject({
    status: 200,
    json: { ...usual, mode: 'automatic' },
  });
  const wrong = { mode: 'sometimes', minimum_seconds: 1, maximum_seconds: 32 * 86_400 };
  const refused = await owner.call('PUT', '/settings/outages', wrong);
  expect(refused.status).toBe(400);
  expect(Object.keys(refused.json.fields).sort()).toEqual(Object.keys(wrong).sort());
  expect((await owner.call('GET', '/settings')).json.outages).toEqual({ ...usual, mode: 'automatic' });
  const { json } = await owner.call('GET', '/audit?entity=settings');
  expect(json.items).toMatchObject([
    { entity_name: 'outages', before: { mode: 'ask' }, after: { mode: 'automatic' } },
  ]);
});

it('one waits for a decision, is approved once, and shows what it gave', async () => {
  const { id, entitlementId } = await anOutage();
  const shown = { id, kind: 'box', state: 'waiting', affected: 1, extension_ms: 2 * HOUR };
  const list = await owner.call('GET', '/outages?state=waiting');
  expect(list.json).toMatchObject({ items: [shown], next: null });
  expect(list.json.items[0]).not.toHaveProperty('key');
  expect((await owner.call('GET', '/outages?state=approved')).json.items).toEqual([]);
  expect((await owner.call('GET', `/outages/${id}`)).json).toMatchObject(shown);

  expect(await owner.call('POST', `/outages/${id}/approve`, {})).toMatchObject({
    status: 200,
    json: { state: 'approved', decided_by: owner.account.email },
  });
  expect(await owner.call('POST', `/outages/${id}/approve`, {})).toMatchObject({
    status: 409,
    json: { detail: 'This outage was approved already.' },
  });
  expect((await owner.call('POST', `/outages/${id}/dismiss`, {})).status).toBe(409);
  while ((await extendEntitlements(app.db, id, NOW)) > 0);
  const gave = { outage_id: id, entitlement_id: entitlementId, extended_ms: 2 * HOUR, kind: 'box' };
  expect((await owner.call('GET', `/outages/${id}/extensions`)).json.items).toMatchObject([gave]);
  expect((await owner.call('GET', `/entitlements/${entitlementId}/extensions`)).json.items).toMatchObject([
    gave,
  ]);
  expect((await owner.call('GET', `/outages/${id}`)).json).toMatchObject({ extended: 1, affected: 0 });
  const { json } = await owner.call('GET', `/audit?entity=outage&entity_id=${id}`);
  expect(json.items).toMatchObject([
    { action: 'approve', actor: owner.account.email, after: { extension_ms: 2 * HOUR } },
  ]);
});

it('one that is dismissed extends nothing, and one that is unknown is not found', async () => {
  const { id, entitlementId } = await anOutage();
  expect((await owner.call('POST', `/outages/${id}/dismiss`, {})).json).toMatchObject({ state: 'dismissed' });
  expect(await extendEntitlements(app.db, id, NOW)).toBe(0);
  expect((await owner.call('GET', `/entitlements/${entitlementId}/extensions`)).json.items).toEqual([]);
  for (const path of ['/outages/none', '/outages/none/approve', '/outages/none/dismiss']) {
    expect((await owner.call(path.endsWith('none') ? 'GET' : 'POST', path, undefined)).status).toBe(404);
  }
});

it('one that still lasts cannot be decided', async () => {
  const router = { id: 'router-1', name: 'Kiosk' };
  await noteOutage(app.db, { kind: 'router', router, from_at: NOW - HOUR, to_at: null }, NOW);
  const { json } = await owner.call('GET', '/outages');
  expect(json.items).toMatchObject([{ state: 'open', to_at: null, router_name: 'Kiosk' }]);
  expect(await owner.call('POST', `/outages/${json.items[0].id}/approve`, {})).toMatchObject({
    status: 409,
    json: { detail: 'This outage is not over yet.' },
  });
});
