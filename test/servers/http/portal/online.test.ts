// Whether the portal takes a phone for online: the router's word, and what accounting told since.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { recordAccounting } from '../../../../src/access/accounting.ts';
import { startEntitlement } from '../../../../src/access/entitlements.ts';
import { NOW, report, someAccess } from '../../../access/fixtures.ts';
import { startApp } from '../fixtures.ts';

const MAC = 'AA:BB:CC:00:00:01';
let app: Awaited<ReturnType<typeof startApp>>;
let cookie: string;
let credentialId: string;
let entitlementId: string;

beforeEach(async () => {
  app = await startApp();
  const { credential, entitlement } = await someAccess(app.db);
  await startEntitlement(app.db, entitlement.id, NOW);
  credentialId = credential.id;
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
