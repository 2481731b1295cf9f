// Money that came before anybody knew what for: an order or a pasted code finds it, once.
import { CompiledQuery } from 'kysely';
import { expect, it } from 'vitest';
import { claimUnmatched, startClaim } from '../../src/billing/claims.ts';
import { moneyAround, payWithEarlyMoney } from '../../src/billing/early-money.ts';
import { keepEvidence } from '../../src/billing/evidence.ts';
import { proveLedger } from '../../src/billing/ledger-proof.ts';
import { ordersAt } from '../../src/billing/match-order.ts';
import { getOrder, startOrder } from '../../src/billing/orders.ts';
import type { Payment } from '../../src/billing/payments.ts';
import { updatePaymentPolicy } from '../../src/billing/policy.ts';
import { attachPayment } from '../../src/billing/resolve.ts';
import { settleEvidence } from '../../src/billing/settle.ts';
import type { Db } from '../../src/db/schema.ts';
import { hashMsisdn } from '../../src/lib/msisdn.ts';
import { NOW, somePlan, vault } from '../access/fixtures.ts';
import { memoryStore, onEveryStore } from '../support/stores.ts';
import { balance, books, MSISDN, orderFor } from './fixtures.ts';

const MINUTE = 60_000;
const MAC = 'AA:BB:CC:00:00:01';
const OTHER = 'AA:BB:CC:00:00:02';

/** Money by hand with an account that nothing is called by. */
async function moneyBefore(db: Db, change: Record<string, unknown> = {}) {
  const row = {
    ...{ receipt: 'VAF1234XYZ', amount_cents: 2000, account_reference: 'KODI', payer_name: 'ACHIENG' },
    ...{ at: NOW - 5 * MINUTE, msisdn_sha256: hashMsisdn(MSISDN), ...change },
  };
  const about = { kind: 'pull' as const, order_id: null, receipt: row.receipt, source_address: null };
  const evidence = await keepEvidence(db, { ...about, body: JSON.stringify(row) }, NOW - 4 * MINUTE);
  const settled = await settleEvidence(db, vault, evidence?.id as string, NOW - 4 * MINUTE);
  expect(settled?.payment).toMatchObject({ state: 'unmatched' });
  return settled?.payment as Payment;
}

async function orderOf(db: Db, planId: string, change = {}, at = NOW) {
  return (await startOrder(db, orderFor(planId, change), at)).order;
}

async function expectOnce(db: Db) {
  const { payments, entitlements } = await books(db);
  expect(payments).toMatchObject([{ state: 'settled', entitlement_id: entitlements[0]?.id }]);
  expect(entitlements).toHaveLength(1);
  expect([await balance(db, 'mpesa'), await balance(db, 'unmatched')]).toEqual([2000, 0]);
  expect(await proveLedger(db, NOW)).toMatchObject({ ok: true, problems: [] });
}

onEveryStore('money that came before its order', (store) => {
  for (const [words, payer] of [
    ['in full', { msisdn_sha256: undefined, msisdn: MSISDN }],
    ['by its hash', {}],
    ['by its mask', { msisdn_sha256: undefined, msisdn_masked: '2547*****678' }],
  ] as const) {
    it(`pays it when the payer is known ${words}`, async () => {
      const plan = await somePlan(store());
      await moneyBefore(store(), payer);
      const order = await orderOf(store(), plan.id);
      expect(await payWithEarlyMoney(store(), vault, order.id, NOW)).toMatchObject({ order_id: order.id });
      expect(await getOrder(store(), order.id)).toMatchObject({ state: 'paid' });
      expect((await books(store())).activations).toHaveLength(1);
      await expectOnce(store());
    });
  }

  it('pays one order, however many ask at once', async () => {
    const plan = await somePlan(store());
    await moneyBefore(store());
    const orders = [await orderOf(store(), plan.id), await orderOf(store(), plan.id, { mac: OTHER })];
    const tries = [...orders, ...orders].map(({ id }) => payWithEarlyMoney(store(), vault, id, NOW));
    expect((await Promise.all(tries)).filter(Boolean)).toHaveLength(1);
    await expectOnce(store());
  });

  it.each([
    ['another phone', {}, { msisdn: '254722000111' }, NOW],
    ['another amount', { amount_cents: 2100 }, {}, NOW],
    ['an hour ago', {}, {}, NOW + 60 * MINUTE],
    [
      'one of two payers behind one mask',
      { msisdn_sha256: undefined, msisdn_masked: '2547*****678' },
      {},
      NOW,
    ],
  ])('of %s does not', async (words, payer, wish, at) => {
    const plan = await somePlan(store());
    await moneyBefore(store(), payer);
    if (words.startsWith('one of')) {
      await moneyBefore(store(), { ...payer, receipt: 'VAF5555XYZ', payer_name: 'WANJIKU' });
    }
    const order = await orderOf(store(), plan.id, wish, at);
    expect(await payWithEarlyMoney(store(), vault, order.id, at)).toBeUndefined();
    expect((await books(store())).entitlements).toEqual([]);
  });

  it('does not when another phone has given its code', async () => {
    await updatePaymentPolicy(store(), { paste_minutes: 0 }, NOW);
    const plan = await somePlan(store());
    const payment = await moneyBefore(store());
    const claim = { receipt: 'VAF1234XYZ', mac: OTHER, ip: null, router_id: null };
    await store().updateTable('plans').set({ state: 'hidden' }).execute();
    expect(await claimUnmatched(store(), vault, payment, claim, NOW)).toMatchObject({ state: 'unmatched' });
    await store().updateTable('plans').set({ state: 'on_sale' }).execute();
    const order = await orderOf(store(), plan.id);
    expect(await payWithEarlyMoney(store(), vault, order.id, NOW)).toBeUndefined();
    const own = await orderOf(store(), plan.id, { mac: OTHER });
    expect(await payWithEarlyMoney(store(), vault, own.id, NOW)).toBeDefined();
    await expectOnce(store());
  });

  it('is found when M-PESA tells more of it later', async () => {
    const plan = await somePlan(store());
    const order = await orderOf(store(), plan.id);
    await moneyBefore(store(), { msisdn_sha256: undefined, at: NOW });
    const body = JSON.stringify({
      ...{ receipt: 'VAF1234XYZ', amount_cents: 2000, account_reference: '', payer_name: '' },
      msisdn_sha256: hashMsisdn(MSISDN),
    });
    const about = {
      kind: 'pull' as const,
      order_id: null,
      receipt: 'VAF1234XYZ',
      source_address: null,
      body,
    };
    const evidence = await keepEvidence(store(), about, NOW);
    const settled = await settleEvidence(store(), vault, evidence?.id as string, NOW);
    expect(settled).toMatchObject({ order_id: order.id, granted: true });
    await expectOnce(store());
  });

  it('is not moved by a message that nobody vouches for', async () => {
    const plan = await somePlan(store());
    await moneyBefore(store(), { msisdn_sha256: undefined, at: NOW });
    await orderOf(store(), plan.id);
    const body = JSON.stringify({
      ...{ TransID: 'VAF1234XYZ', TransTime: '20270115110000', TransAmount: '20.00', BillRefNumber: '' },
      ...{ BusinessShortCode: '600100', MSISDN: hashMsisdn(MSISDN), FirstName: 'FORGER' },
    });
    const about = { kind: 'c2b' as const, order_id: null, receipt: 'VAF1234XYZ', source_address: null, body };
    const evidence = await keepEvidence(store(), { ...about, doubt: 'It comes from 203.0.113.9.' }, NOW);
    await settleEvidence(store(), vault, evidence?.id as string, NOW);
    expect((await books(store())).payments).toMatchObject([
      { state: 'unmatched', payer: null, payer_name: 'ACHIENG' },
    ]);
    const waiting = (await books(store())).evidence.find(({ kind }) => kind === 'c2b');
    expect(waiting).toMatchObject({ state: 'waiting' });
  });
});

onEveryStore('the code of money that came before', (store) => {
  const paste = (payment: Payment, mac = MAC) =>
    claimUnmatched(store(), vault, payment, { receipt: 'VAF1234XYZ', mac, ip: null, router_id: null }, NOW);

  it('brings the plan at its price to the device that gives it', async () => {
    const plan = await somePlan(store());
    const payment = await moneyBefore(store());
    expect(await paste(payment)).toMatchObject({ state: 'settled', plan_id: plan.id });
    const claims = await store().selectFrom('claims').selectAll().execute();
    expect(claims).toMatchObject([{ mac: MAC, state: 'confirmed', payment_id: payment.id }]);
    await expectOnce(store());
  });

  it('given by several at once pays one, and the others are told why', async () => {
    await somePlan(store());
    const payment = await moneyBefore(store());
    const tries = await Promise.allSettled(
      [MAC, OTHER, 'AA:BB:CC:00:00:03'].map((mac) => paste(payment, mac)),
    );
    const lost = tries.filter((one) => one.status === 'rejected').map(({ reason }) => reason.message);
    expect(lost).toEqual(Array(2).fill('This code was given by another phone.'));
    await expectOnce(store());
  });

  it('against a person who decides at once: one of them', async () => {
    const plan = await somePlan(store());
    const payment = await moneyBefore(store());
    const order = await orderOf(store(), plan.id);
    const attach = store()
      .transaction()
      .execute((tx) => attachPayment(tx, vault, payment.id, { order_id: order.id }, 'Owner', NOW));
    const tries = await Promise.allSettled([paste(payment), attach]);
    expect(tries.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await expectOnce(store());
  });

  it('of money that no plan costs, or that is about an order, leaves it to a person', async () => {
    await somePlan(store());
    const payment = await moneyBefore(store(), { amount_cents: 3300 });
    expect(await paste(payment)).toMatchObject({ state: 'unmatched' });
    expect(await paste({ ...payment, order_id: 'x' })).toMatchObject({ state: 'unmatched' });
    expect((await books(store())).entitlements).toEqual([]);
  });

  it('given before an SMS tells of the money pays it as well', async () => {
    const plan = await somePlan(store());
    const claim = { receipt: 'VAF1234XYZ', mac: MAC, ip: null, router_id: null };
    await startClaim(store(), vault, claim, NOW);
    const body =
      'VAF1234XYZ Confirmed.You have received Ksh20.00 from JANE 0799***678 on 15/1/27 at 11:00 AM New M-PESA balance is Ksh1.00.';
    const about = { kind: 'sms' as const, order_id: null, receipt: 'VAF1234XYZ', source_address: null, body };
    const evidence = await keepEvidence(store(), about, NOW);
    const settled = await settleEvidence(store(), vault, evidence?.id as string, NOW);
    expect(settled?.payment).toMatchObject({ state: 'settled', plan_id: plan.id });
    await expectOnce(store());
  });
});

it('orders and early money are looked for by an index, however many there are', async () => {
  const db = await memoryStore();
  const explained = async (query: { compile(): { sql: string; parameters: readonly unknown[] } }) => {
    const { sql: text, parameters } = query.compile();
    const { rows } = await db.executeQuery<{ detail: string }>(
      CompiledQuery.raw(`explain query plan ${text}`, [...parameters]),
    );
    return rows.map(({ detail }) => detail);
  };
  expect(await explained(ordersAt(db, 2000, NOW, NOW + 1))).toEqual([
    'SEARCH o USING INDEX orders_wish (price_cents=? AND created_at>? AND created_at<?)',
    'SEARCH p USING INDEX payments_order (order_id=?) LEFT-JOIN',
  ]);
  expect(await explained(moneyAround(db, 2000, NOW, NOW + 1))).toEqual([
    'SEARCH p USING INDEX payments_received (received_at>? AND received_at<?)',
    expect.stringMatching(/SEARCH c USING INDEX .* \(receipt=\?\)/),
  ]);
  await db.destroy();
});
