// What the status page knows of a phone: whether it is online, how fast, at which hours, and what else it has.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { recordAccounting } from '../../../../src/access/accounting.ts';
import { revokeEntitlement, startEntitlement } from '../../../../src/access/entitlements.ts';
import { updateSubscriber } from '../../../../src/access/subscribers.ts';
import { NOW, report, someAccess } from '../../../access/fixtures.ts';
import { startApp } from '../fixtures.ts';

const MAC = 'AA:BB:CC:00:00:01';
let app: Awaited<ReturnType<typeof startApp>>;
let cookie: string;
let credentialId: string;
let entitlementId: string;
let subscriberId: string;
let grant: Awaited<ReturnType<typeof someAccess>>['grant'];

beforeEach(async () => {
  app = await startApp();
  const { credential, entitlement, subscriber, grant: another } = await someAccess(app.db);
  grant = another;
  subscriberId = subscriber.id;
  await startEntitlement(app.db, entitlement.id, NOW);
  credentialId = credential.id;
  const password_sealed = app.vault.seal('secret');
  await app.db.updateTable('credentials').set({ password_sealed }).where('id', '=', credentialId).execute();
  entitlementId = entitlement.id;
  cookie = `karibu_device=${credentialId}.${app.vault.sign(`device ${credentialId}`)}`;
});
afterEach(() => app.close());

async function hearFrom(change: Parameters<typeof report>[0]) {
  const reference = { credential_id: credentialId, entitlement_id: entitlementId, accept_id: 'a' };
  await recordAccounting(app.db, [report({ mac: MAC, reference, ...change })], app.time.now);
}

const status = (query: string) => app.at('portal', `/status?${query}`, { headers: { cookie } });

it('a phone that the router has just logged in is online before its Start arrives', async () => {
  expect((await status(`mac=${MAC}`)).text).not.toContain('You are online');
  expect((await status(`mac=${MAC}&logged-in=yes`)).text).toContain('You are online');
});

it('a phone that the router sends to its login page is not, whatever is still open; a later report says otherwise', async () => {
  await hearFrom({ kind: 'start' });
  expect((await status(`mac=${MAC}`)).text).toContain('You are online');
  app.time.now += 1000;
  const sent = await app.at('portal', `/?mac=${MAC}`, { method: 'POST', headers: { cookie } });
  const ctx = new URL(sent.headers.get('location') as string, 'http://portal').searchParams.get(
    'ctx',
  ) as string;
  expect((await status(`ctx=${encodeURIComponent(ctx)}`)).text).not.toContain('You are online');
  await hearFrom({ kind: 'interim', session_seconds: 1, at: app.time.now });
  expect((await status(`ctx=${encodeURIComponent(ctx)}`)).text).toContain('You are online');
});

it('a phone whose plan is slow is told so, and after it has bought, what goes on later', async () => {
  const terms = { quota_octets: 1_000_000, fair_use_rate_down_kbps: 512, fair_use_rate_up_kbps: 256 };
  await app.db.updateTable('entitlements').set(terms).where('id', '=', entitlementId).execute();
  await hearFrom({ kind: 'start' });
  expect((await status(`mac=${MAC}`)).text).not.toContain('fast data is used up');
  await hearFrom({ kind: 'interim', session_seconds: 60, download_octets: 1_000_000, at: NOW + 60_000 });
  expect((await status(`mac=${MAC}`)).text).toContain('Your fast data is used up. Now you have 512 kbps.');
  const more = await grant(NOW + 61_000);
  const bought = (await status(`mac=${MAC}`)).text;
  expect(bought).toContain('It starts by itself.');
  expect(bought).not.toContain('fast data is used up');
  expect(bought).toContain('<dt>Also yours</dt><dd>1 hour</dd>');
  expect(more.overtakes).toBe(1);
});

it('a phone outside the hours of its plan is told when they come', async () => {
  const from = 22 * 60;
  await app.db
    .updateTable('entitlements')
    .set({ hours_from_minute: from, hours_to_minute: 6 * 60 })
    .where('id', '=', entitlementId)
    .execute();
  expect((await status(`mac=${MAC}`)).text).toContain('This plan works 22:00–06:00 only.');
});

it('a phone whose plan was taken back, or whose subscriber is suspended, is told whom to ask', async () => {
  await updateSubscriber(app.db, subscriberId, { state: 'suspended' }, NOW);
  expect((await status(`mac=${MAC}`)).text).toContain('Your access was stopped');
  await updateSubscriber(app.db, subscriberId, { state: 'active' }, NOW);
  expect((await status(`mac=${MAC}`)).text).toContain('You are not connected');
  await revokeEntitlement(app.db, entitlementId, 'mistake', NOW);
  expect((await status(`mac=${MAC}`)).text).toContain('Your access was stopped');
});
