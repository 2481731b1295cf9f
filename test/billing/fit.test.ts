// Money that does not fit its order, by its amount or its plan: a person decides about it, and nothing is lost.
import { expect, it } from 'vitest';
import { addSubscriber } from '../../src/access/subscribers.ts';
import { payWithEarlyMoney } from '../../src/billing/early-money.ts';
import { keepEvidence } from '../../src/billing/evidence.ts';
import { leaveToPerson } from '../../src/billing/fit.ts';
import { proveLedger } from '../../src/billing/ledger-proof.ts';
import { getOrder } from '../../src/billing/orders.ts';
import { type Attachment, attachPayment } from '../../src/billing/resolve.ts';
import { settleEvidence } from '../../src/billing/settle.ts';
import type { Db } from '../../src/db/schema.ts';
import { NOW, somePlan, vault } from '../access/fixtures.ts';
import { onEveryStore } from '../support/stores.ts';
import { answerQuery, balance, books, callBack, callback, MSISDN, sentOrder } from './fixtures.ts';

const MINUTE = 60_000;
const WHY = '“1 hour” is a plan for homes on PPPoE by now.';

/** An order on its way, whose plan is changed as no API does any more: an older version could. */
async function misfit(db: Db) {
  const plan = await somePlan(db);
  const order = await sentOrder(db, plan.id, '1');
  await db.updateTable('plans').set({ kind: 'pppoe' }).where('id', '=', plan.id).execute();
  return order;
}

async function pulled(db: Db, account_reference: string, at = NOW + MINUTE, amount_cents = 2000) {
  const row = {
    ...{ receipt: 'UK1234ABCD', amount_cents, payer_name: 'ACHIENG', msisdn: MSISDN },
    ...{ account_reference, at },
  };
  const about = { kind: 'pull' as const, order_id: null, receipt: row.receipt, source_address: null };
  const evidence = await keepEvidence(db, { ...about, body: JSON.stringify(row) }, at);
  return settleEvidence(db, vault, evidence?.id as string, at);
}

const attach = (db: Db, id: string, to: Attachment) =>
  db.transaction().execute((tx) => attachPayment(tx, vault, id, to, 'Owner', NOW + 2));

async function expectKept(db: Db, orderId: string) {
  const { payments, entitlements } = await books(db);
  expect(payments).toMatchObject([
    { state: 'unmatched', order_id: orderId, note: WHY, receipt: 'UK1234ABCD', entitlement_id: null },
  ]);
  expect(entitlements).toEqual([]);
  // Its guest may order again: nothing is under way for it.
  expect(await getOrder(db, orderId)).toMatchObject({
    ...{ state: 'checking', problem: WHY, next_poll_at: null, live_key: null },
  });
  expect([await balance(db, 'mpesa'), await balance(db, 'unmatched')]).toEqual([2000, -2000]);
  expect(await proveLedger(db, NOW)).toMatchObject({ ok: true, problems: [] });
  return payments[0]?.id as string;
}

onEveryStore('money for an order whose plan fits no guest', (store) => {
  it.each<[string, (order: { id: string; short_code: string | null }) => Promise<unknown>]>([
    ['a callback', ({ id }) => callBack(store(), id, callback('1'))],
    [
      'the query, and then the callback',
      async ({ id }) => {
        await answerQuery(store(), id, '0', NOW + 1);
        await callBack(store(), id, callback('1'), NOW + 2);
      },
    ],
    ['a row that names the order', ({ short_code }) => pulled(store(), short_code ?? '')],
  ])('waits for a person when it is told by %s', async (_, tell) => {
    const order = await misfit(store());
    await tell(order);
    const payment = await expectKept(store(), order.id);
    // Told again, it is the same money.
    await tell(order);
    await expectKept(store(), order.id);

    await expect(attach(store(), payment, { order_id: order.id })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('by now'),
    });
    const { id } = await addSubscriber(store(), { name: 'Wanjiku', msisdn: '254722000111', notes: '' }, NOW);
    const home = { subscriber_id: id, plan_id: order.plan_id };
    await expect(attach(store(), payment, home)).rejects.toMatchObject({ code: 'conflict' });
    await expectKept(store(), order.id);
    const fits = await somePlan(store(), { name: 'Another' });
    await attach(store(), payment, { ...home, plan_id: fits.id });
    const { payments, entitlements } = await books(store());
    expect(payments).toMatchObject([{ state: 'settled', subscriber_id: id, plan_id: fits.id }]);
    expect(entitlements).toMatchObject([{ plan_id: fits.id, payment_id: payment }]);
    expect(await balance(store(), 'unmatched')).toBe(0);
  });

  it('leaves an order that is paid alone', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await callBack(store(), order.id, callback('1'));
    const paid = await getOrder(store(), order.id);
    expect(paid).toMatchObject({ state: 'paid' });
    await leaveToPerson(store(), order.id, 'more came', NOW + MINUTE);
    expect(await getOrder(store(), order.id)).toEqual(paid);
  });

  it('that came before the order stays free for a person, and is the order’s when the push is told of', async () => {
    await pulled(store(), 'KODI', NOW - MINUTE);
    const order = await misfit(store());
    expect(await payWithEarlyMoney(store(), vault, order.id, NOW)).toBeUndefined();
    expect((await books(store())).payments).toMatchObject([{ state: 'unmatched', order_id: null }]);
    await callBack(store(), order.id, callback('1'));
    await expectKept(store(), order.id);
  });

  it('and money of another amount that came before its callback waits as any other', async () => {
    await pulled(store(), 'KODI', NOW - MINUTE, 3000);
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await callBack(store(), order.id, callback('1', { amount: 30 }));
    await answerQuery(store(), order.id, '0', NOW + 1);
    const why = 'Paid KES 30 for an order of KES 20.';
    const { payments, entitlements } = await books(store());
    expect(payments).toMatchObject([{ state: 'unmatched', order_id: order.id, note: why }]);
    expect(entitlements).toEqual([]);
    expect(await getOrder(store(), order.id)).toMatchObject({ state: 'checking', problem: why });
    await attach(store(), payments[0]?.id as string, { order_id: order.id });
    expect(await getOrder(store(), order.id)).toMatchObject({ state: 'paid' });
  });
});
