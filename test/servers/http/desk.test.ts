// The cash desk over HTTP: a home's plan and a voucher sold for cash, slips, the drawer, and the owner's moves of money.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createPppoeCredential } from '../../../src/access/pppoe.ts';
import { addSubscriber } from '../../../src/access/subscribers.ts';
import { makeCounterVoucher } from '../../../src/access/vouchers.ts';
import { NOW, somePlan } from '../../access/fixtures.ts';
import { startApp, type TestApp } from './fixtures.ts';

let app: TestApp;
let cashier: Awaited<ReturnType<TestApp['signedInAs']>>;
let owner: Awaited<ReturnType<TestApp['signedInAs']>>;
let till: string;

beforeEach(async () => {
  app = await startApp();
  owner = await app.signedInAs('owner');
  cashier = await app.signedInAs('cashier');
  till = (await cashier.call('POST', '/till-sessions', { opening_cents: 10_000 })).json.id;
});
afterEach(() => app.close());

const key = (name: string) => ({ 'idempotency-key': name });

async function someHome(name = 'Mwangi') {
  const home = await addSubscriber(app.db, { name, msisdn: '254712345678', notes: '' }, NOW);
  const about = { subscriber_id: home.id, username: 'mwangi', static_address: null, router_id: null };
  const { credential } = await createPppoeCredential(app.db, app.vault, about, NOW);
  return { home, credential };
}

it('a home’s plan sold twice by one tap is one entitlement, one payment in the till, and evidence', async () => {
  const { home, credential } = await someHome();
  const plan = await somePlan(app.db, { kind: 'pppoe', name: 'Home 5M', price_cents: 150_000 });
  const goods = { plan_id: plan.id, credential_id: credential.id, msisdn: home.msisdn };
  const first = await cashier.call('POST', '/payments/cash', goods, key('a'));
  const again = await cashier.call('POST', '/payments/cash', goods, key('a'));
  expect([first.status, again.json]).toEqual([201, first.json]);
  const { payment_id } = first.json;
  const granted = (await cashier.call('GET', `/subscribers/${home.id}/entitlements`)).json.items;
  expect(granted).toMatchObject([{ plan_name: 'Home 5M', state: 'waiting', id: first.json.entitlement_id }]);
  const { json: payment } = await cashier.call('GET', `/payments/${payment_id}`);
  expect(payment).toMatchObject({ gateway: 'cash', state: 'settled', subscriber_id: home.id });
  expect(payment.evidence).toMatchObject([{ kind: 'cash', state: 'used' }]);
  expect((await cashier.call('GET', '/till-sessions/current')).json.session.due_cents).toBe(160_000);
  const { json: slip } = await cashier.call('GET', `/payments/${payment_id}/slip`);
  expect(slip).toMatchObject({
    home: { name: 'Mwangi', username: 'mwangi', state: 'waiting' },
    sale: { code: null, amount_cents: 150_000 },
    link: null,
    qr: null,
  });
});

it('a slip holds the code as a link while it works, for its cashier and who manages', async () => {
  await owner.call('PUT', '/settings/business', { name: 'Mama WiFi', portal_url: 'http://10.5.48.2:8081' });
  const plan = await somePlan(app.db);
  const sale = (await cashier.call('POST', '/payments/cash', { plan_id: plan.id }, key('a'))).json;
  const path = `/payments/${sale.payment_id}/slip`;
  const { json: slip } = await cashier.call('GET', path);
  expect(slip).toMatchObject({ business: { name: 'Mama WiFi' }, home: null });
  expect(slip.link).toBe(`http://10.5.48.2:8081/voucher?code=${sale.code}`);
  expect(slip.qr.path).toMatch(/^M0 0h7v1h-7z/);
  expect((await owner.call('GET', path)).status).toBe(200);
  const other = await app.signedInAs('cashier');
  expect((await other.call('GET', path)).status).toBe(403);
  await cashier.call('POST', `/payments/${sale.payment_id}/void`, { reason: 'wrong plan' });
  expect((await cashier.call('GET', path)).json).toMatchObject({
    link: null,
    qr: null,
    sale: { voided_by: cashier.account.email },
  });
});

it('a printed voucher whose sale was taken back has no link: it was not sold', async () => {
  await owner.call('PUT', '/settings/business', { portal_url: 'http://10.5.48.2:8081' });
  const plan = await somePlan(app.db);
  const printed = await app.db
    .transaction()
    .execute((tx) => makeCounterVoucher(tx, app.vault, plan, '2027-01-15', NOW));
  const sold = { voucher_code: app.vault.open(printed.code_sealed) };
  const { payment_id } = (await cashier.call('POST', '/payments/cash', sold, key('a'))).json;
  const slip = () => cashier.call('GET', `/payments/${payment_id}/slip`);
  expect((await slip()).json.link).toContain(sold.voucher_code);
  await cashier.call('POST', `/payments/${payment_id}/void`, { reason: 'no money' });
  expect((await slip()).json.link).toBeNull();
});

it('the drawer is counted and emptied by its cashier, by nobody else but who manages', async () => {
  const other = await app.signedInAs('cashier');
  const banked = { purpose: 'banked', amount_cents: 4_000, note: 'Equity, slip 12' };
  const moves = `/till-sessions/${till}/moves`;
  expect((await cashier.call('POST', moves, banked)).status).toBe(400);
  expect((await other.call('POST', moves, banked, key('x'))).status).toBe(403);
  expect((await cashier.call('POST', moves, { ...banked, note: ' ' }, key('x'))).json.fields.note).toBe(
    'Say what for.',
  );
  expect((await cashier.call('POST', moves, banked, key('x'))).json.due_cents).toBe(6_000);
  expect((await cashier.call('POST', moves, banked, key('x'))).json.due_cents).toBe(6_000);
  app.time.now += 1;
  await cashier.call('POST', `/till-sessions/${till}/count`, { counted_cents: 5_900, note: 'ten short' });
  const { json: history } = await owner.call('GET', `/till-sessions/${till}/events`);
  expect(history.items).toMatchObject([
    { kind: 'count', counted_cents: 5_900, expected_cents: 6_000, note: 'ten short' },
    { kind: 'out', purpose: 'banked', amount_cents: 4_000, actor: cashier.account.email, undone: false },
  ]);
  expect((await other.call('GET', `/till-sessions/${till}/events`)).status).toBe(403);
  const undo = `${moves}/${history.items[1].id}/take-back`;
  expect((await other.call('POST', undo, { reason: 'mine' })).status).toBe(403);
  expect((await cashier.call('POST', undo, { reason: 'not banked' })).json.due_cents).toBe(10_000);
  expect((await cashier.call('POST', undo, { reason: 'not banked' })).status).toBe(409);
});

it('the owner writes money down that moved, and takes it back', async () => {
  const move = { from: 'mpesa', to: 'bank', amount_cents: 90_000, note: 'Withdrawn on Friday' };
  expect((await owner.call('POST', '/ledger/entries', move, key('m'))).json).toEqual({ booked: true });
  expect((await owner.call('POST', '/ledger/entries', move, key('m'))).json).toEqual({ booked: false });
  const [entry] = (await owner.call('GET', '/ledger/entries?account=bank')).json.items;
  expect(entry).toMatchObject({ kind: 'move', note: 'Withdrawn on Friday', taken_back: false });
  const back = `/ledger/entries/${entry.id}/take-back`;
  expect((await owner.call('POST', back, { reason: '' })).status).toBe(400);
  expect((await owner.call('POST', back, { reason: 'typed wrong' })).status).toBe(204);
  expect((await owner.call('POST', back, { reason: 'typed wrong' })).status).toBe(409);
  const { json: books } = await owner.call('GET', '/ledger/accounts');
  const standing = books.items.filter((one: { balance_cents: number }) => one.balance_cents !== 0);
  expect(standing.map((one: { account: string }) => one.account)).toEqual(['till', 'safe']);
});

it('the overview tells of the last proof of the ledger, and of what it found', async () => {
  expect((await owner.call('GET', '/reports/overview')).json.ledger).toBeNull();
  await owner.call('POST', '/ledger/proof');
  expect((await owner.call('GET', '/reports/overview')).json.ledger).toEqual({
    ok: true,
    at: NOW,
    problem: null,
  });
  await app.db.updateTable('ledger_lines').set({ amount_cents: 1 }).where('account', '=', 'safe').execute();
  await owner.call('POST', '/ledger/proof');
  const { ledger } = (await owner.call('GET', '/reports/overview')).json;
  expect(ledger).toMatchObject({ ok: false, problem: expect.stringMatching(/off by KES 100/) });
});
