// What a person decides about an unmatched payment: once, for an order, for a subscriber, or back to the payer.
import { expect, it } from 'vitest';
import { addSubscriber } from '../../src/access/subscribers.ts';
import { askReversal, findRequestByToken, keepAnswer } from '../../src/billing/mpesa-requests.ts';
import { getOrder } from '../../src/billing/orders.ts';
import { attachPayment } from '../../src/billing/resolve.ts';
import type { Db } from '../../src/db/schema.ts';
import { NOW, somePlan, vault } from '../access/fixtures.ts';
import { onEveryStore } from '../support/stores.ts';
import {
  accepted,
  answerQuery,
  balance,
  books,
  callBack,
  callback,
  scriptedGateway,
  sentOrder,
} from './fixtures.ts';

/** An order of KES 20 for which KES 30 came. */
async function unmatched(db: Db) {
  const plan = await somePlan(db);
  const order = await sentOrder(db, plan.id, '1');
  await callBack(db, order.id, callback('1', { amount: 30 }));
  await answerQuery(db, order.id, '0', NOW + 1);
  const [payment] = (await books(db)).payments;
  if (payment?.state !== 'unmatched') throw new Error('it is matched');
  return { plan, order, payment };
}

function result(code: number | string): string {
  const ids = { OriginatorConversationID: 'o', ConversationID: 'AG_1', TransactionID: 'VAF9999XYZ' };
  return JSON.stringify({ Result: { ResultType: 0, ResultCode: code, ResultDesc: 'prose', ...ids } });
}

/** Asks for a reversal; the token is the end of the address that M-PESA was given. */
async function askBack(db: Db, paymentId: string, outcome: 'asked' | 'refused' = 'asked') {
  const { gateway } = scriptedGateway(accepted('1'));
  let token = '';
  gateway.reverse = async ({ result_url }) => {
    token = result_url.split('/').at(-1) as string;
    return outcome === 'asked'
      ? { outcome, conversation_id: 'AG_1' }
      : { outcome, problem: '21 not permitted' };
  };
  await askReversal(
    db,
    gateway,
    paymentId,
    { remarks: 'Wrong amount', asked_by: 'Owner', base: 'http://box' },
    NOW + 2,
  );
  const request = await findRequestByToken(db, token);
  if (!request) throw new Error('no request');
  return (code: number | string) =>
    keepAnswer(db, request, { body: result(code), source_address: null }, NOW + 3);
}

onEveryStore('a person', (store) => {
  it('attaches a payment to its order, and only once, however many try', async () => {
    const { order, payment } = await unmatched(store());
    const tries = await Promise.allSettled(
      [1, 2, 3].map(() =>
        store()
          .transaction()
          .execute((tx) => attachPayment(tx, vault, payment.id, { order_id: order.id }, 'Owner', NOW + 2)),
      ),
    );
    expect(tries.filter((one) => one.status === 'fulfilled')).toHaveLength(1);
    const { payments, entitlements, activations } = await books(store());
    expect(payments).toMatchObject([
      { state: 'settled', resolved_by: 'Owner', entitlement_id: entitlements[0]?.id },
    ]);
    expect([entitlements.length, activations.length]).toEqual([1, 1]);
    expect((await getOrder(store(), order.id)).state).toBe('paid');
    expect(await balance(store(), 'unmatched')).toBe(0);
    expect(await balance(store(), 'sales')).toBe(-3000);
  });

  it('attaches it to a subscriber with a plan, who is told the code', async () => {
    const { plan, payment } = await unmatched(store());
    const { id } = await addSubscriber(store(), { name: 'Wanjiku', msisdn: '254722000111', notes: '' }, NOW);
    await store()
      .transaction()
      .execute((tx) =>
        attachPayment(tx, vault, payment.id, { subscriber_id: id, plan_id: plan.id }, 'Owner', NOW + 2),
      );
    const { payments, entitlements } = await books(store());
    expect(entitlements).toMatchObject([{ subscriber_id: id, source: 'payment', payment_id: payment.id }]);
    expect(payments).toMatchObject([{ state: 'settled', subscriber_id: id }]);
    expect(await store().selectFrom('messages').selectAll().execute()).toHaveLength(1);
  });

  it('sends it back: asked for until M-PESA says so, and asked for once', async () => {
    const { payment } = await unmatched(store());
    const answer = await askBack(store(), payment.id);
    expect((await books(store())).payments).toMatchObject([{ state: 'unmatched', reversal: 'asked' }]);
    await expect(askBack(store(), payment.id)).rejects.toThrow('cannot be sent back now');
    const attach = store()
      .transaction()
      .execute((tx) =>
        attachPayment(tx, vault, payment.id, { order_id: payment.order_id as string }, 'x', NOW),
      );
    await expect(attach).rejects.toThrow('not unmatched any more');
    await answer(0);
    await answer(0);
    expect((await books(store())).payments).toMatchObject([{ state: 'reversed', reversal: null }]);
    expect(await balance(store(), 'mpesa')).toBe(0);
  });

  it('a reversal that M-PESA refuses leaves the payment as it was, to be decided again', async () => {
    const { order, payment } = await unmatched(store());
    await expect(askBack(store(), payment.id, 'refused')).rejects.toThrow('21 not permitted');
    expect((await books(store())).payments).toMatchObject([{ state: 'unmatched', reversal: 'refused' }]);
    const answer = await askBack(store(), payment.id);
    await answer('1');
    expect((await books(store())).payments).toMatchObject([{ state: 'unmatched', reversal: 'refused' }]);
    await store()
      .transaction()
      .execute((tx) => attachPayment(tx, vault, payment.id, { order_id: order.id }, 'Owner', NOW + 4));
    expect((await books(store())).payments).toMatchObject([{ state: 'settled' }]);
  });

  it('a payment sent back takes with it what it gave', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await callBack(store(), order.id, callback('1'));
    const [payment] = (await books(store())).payments;
    const answer = await askBack(store(), payment?.id as string);
    expect((await books(store())).entitlements[0]?.state).toBe('waiting');
    await answer(0);
    const { payments, entitlements } = await books(store());
    expect(payments).toMatchObject([{ state: 'reversed' }]);
    expect(entitlements).toMatchObject([{ state: 'revoked', end_reason: 'reversed' }]);
  });
});
