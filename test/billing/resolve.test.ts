// What a person decides about an unmatched payment: once, for an order, for a subscriber, or back to the payer.
import { expect, it } from 'vitest';
import { addSubscriber } from '../../src/access/subscribers.ts';
import { keepEvidence } from '../../src/billing/evidence.ts';
import { proveLedger } from '../../src/billing/ledger-proof.ts';
import type { Money } from '../../src/billing/money.ts';
import {
  askReversal,
  askStatus,
  decideReversal,
  findRequestByToken,
  giveUpReversals,
  keepAnswer,
} from '../../src/billing/mpesa-requests.ts';
import { getOrder } from '../../src/billing/orders.ts';
import { attachPayment } from '../../src/billing/resolve.ts';
import { settleEvidence } from '../../src/billing/settle.ts';
import type { Db } from '../../src/db/schema.ts';
import { followReversals } from '../../src/jobs/follow-reversals.ts';
import { silentLog } from '../../src/log.ts';
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

/** M-PESA's answer to a question, with this result code. */
type Answer = (code: number | string) => Promise<unknown>;

/**
 * Asks for a reversal; the token is the end of the address that M-PESA was given. `meanwhile` hears how to answer, also
 * where asking fails.
 */
async function askBack(
  db: Db,
  paymentId: string,
  outcome: 'asked' | 'refused' = 'asked',
  meanwhile: (answer: Answer) => void = () => {},
): Promise<Answer> {
  const { gateway } = scriptedGateway(accepted('1'));
  let token = '';
  const answer: Answer = (code) => answerTo(db, token, result(code));
  gateway.reverse = async ({ result_url }) => {
    token = result_url.split('/').at(-1) as string;
    meanwhile(answer);
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
  return answer;
}

/** M-PESA answers the question whose address ends in this token. */
async function answerTo(db: Db, token: string, body: string) {
  const request = await findRequestByToken(db, token);
  if (!request) throw new Error('no request');
  return db.transaction().execute((tx) => keepAnswer(tx, request, { body, source_address: null }, NOW + 3));
}

/** What a status says of a receipt. */
function statusResult(receipt: string, status: string): string {
  const ResultParameter = [
    { Key: 'ReceiptNo', Value: receipt },
    { Key: 'TransactionStatus', Value: status },
  ];
  return JSON.stringify({
    Result: { ...JSON.parse(result(0)).Result, ResultParameters: { ResultParameter } },
  });
}

/** KES 20 by hand to the paybill with a word that means nothing. */
async function unmatchedByHand(db: Db, receipt: string) {
  const payer = { msisdn: '254799999999', payer_name: 'Somebody' };
  const money: Money = { ...payer, receipt, amount_cents: 2000, account_reference: 'nobody', at: NOW };
  const about = { kind: 'statement' as const, order_id: null, receipt, source_address: null };
  const evidence = await keepEvidence(db, { ...about, body: JSON.stringify(money) }, NOW);
  if (!evidence) throw new Error('it was told before');
  await settleEvidence(db, vault, evidence.id, NOW + 1);
  const payment = (await books(db)).payments.find((one) => one.receipt === receipt);
  if (payment?.state !== 'unmatched') throw new Error('it is matched');
  return payment;
}

onEveryStore('a person', (store) => {
  /** The job that follows reversals, and the statuses it asks about. */
  async function following() {
    const { gateway } = scriptedGateway(accepted('1'));
    const statuses: string[] = [];
    let token = '';
    gateway.askStatus = async ({ receipt, result_url }) => {
      statuses.push(receipt);
      token = result_url.split('/').at(-1) as string;
      return { outcome: 'asked', conversation_id: 'AG_2' };
    };
    return {
      statuses,
      follow: (now: number) =>
        followReversals({
          db: store(),
          clock: { now: () => now, monotonic: () => now },
          gateways: { mpesa: async () => gateway },
          log: silentLog,
          noticeBaseUrl: async () => 'http://box',
        }),
      tellStatus: (status: string, receipt: string) =>
        answerTo(store(), token, statusResult(receipt, status)),
    };
  }

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

  it('a no of M-PESA’s that comes when it has gone back already changes nothing', async () => {
    const { payment } = await unmatched(store());
    const { gateway } = scriptedGateway(accepted('1'));
    gateway.reverse = async () => {
      // The statement was imported meanwhile.
      await store().updateTable('payments').set({ state: 'reversed', reversal: null }).execute();
      return { outcome: 'refused', problem: 'R000001 already reversed' };
    };
    const asked = { remarks: 'Wrong amount', asked_by: 'Owner', base: 'http://box' };
    await expect(askReversal(store(), gateway, payment.id, asked, NOW + 2)).rejects.toThrow('refused');
    expect((await books(store())).payments).toMatchObject([{ state: 'reversed', reversal: null }]);
  });

  it('a reversal that M-PESA never answers is nobody’s knowledge, until it is told, asked again or looked up', async () => {
    const { payment } = await unmatched(store());
    const state = async () => {
      const [now] = (await books(store())).payments;
      return [now?.state, now?.reversal];
    };
    const first = await askBack(store(), payment.id);
    expect(await giveUpReversals(store(), NOW + 10 * 60_000)).toEqual([]);
    expect(await state()).toEqual(['unmatched', 'asked']);
    const late = NOW + 11 * 60_000;
    expect(await giveUpReversals(store(), late)).toEqual([{ id: payment.id, receipt: payment.receipt }]);
    expect(await giveUpReversals(store(), late)).toEqual([]);
    expect(await state()).toEqual(['unmatched', 'unknown']);
    await expect(
      attachPayment(store(), vault, payment.id, { order_id: payment.order_id as string }, 'Asha', late),
    ).rejects.toThrow('not unmatched');

    // Asked once more: a late no to the first question decides nothing, the answer to the second does.
    const second = await askBack(store(), payment.id);
    await first(1);
    expect(await state()).toEqual(['unmatched', 'asked']);
    await giveUpReversals(store(), late);
    await second(1);
    expect(await state()).toEqual(['unmatched', 'refused']);

    const decide = (wentBack: boolean) =>
      store()
        .transaction()
        .execute((tx) => decideReversal(tx, payment.id, wentBack, 'Asha', late));
    await expect(decide(true)).rejects.toMatchObject({ code: 'conflict' });
    await askBack(store(), payment.id);
    await expect(decide(true)).rejects.toMatchObject({ code: 'conflict' });
    await giveUpReversals(store(), late);
    await decide(true);
    await expect(decide(false)).rejects.toMatchObject({ code: 'conflict' });
    expect((await books(store())).payments).toMatchObject([
      { state: 'reversed', reversal: null, resolved_by: 'Asha', resolved_at: late },
    ]);
    expect(await balance(store(), 'mpesa')).toBe(0);
  });

  it('the status of a receipt tells of a reversal only when it says so', async () => {
    const { payment } = await unmatched(store());
    await askBack(store(), payment.id);
    const late = NOW + 11 * 60_000;
    await giveUpReversals(store(), late);
    const receipt = payment.receipt as string;
    const tokens: string[] = [];
    const { gateway } = scriptedGateway(accepted('1'));
    gateway.askStatus = async ({ result_url }) => {
      tokens.push(result_url.split('/').at(-1) as string);
      return { outcome: 'asked', conversation_id: 'AG_2' };
    };
    const told = (status: string) =>
      answerTo(store(), tokens.at(-1) as string, statusResult(receipt, status));
    const asking = (at: number) => askStatus(store(), gateway, receipt, 'http://box', at, payment.id);
    expect(await asking(late)).toBe(true);
    await told('Completed');
    expect((await books(store())).payments).toMatchObject([{ state: 'unmatched', reversal: 'unknown' }]);
    expect(await asking(late + 9 * 60_000)).toBe(false);
    expect(await asking(late + 10 * 60_000)).toBe(true);
    // Twice as long before the third time, whether an answer came or not.
    expect(await asking(late + 29 * 60_000)).toBe(false);
    expect(await asking(late + 30 * 60_000)).toBe(true);
    expect(tokens).toHaveLength(3);
    await told('Reversed');
    expect((await books(store())).payments).toMatchObject([{ state: 'reversed', reversal: null }]);
  });

  /** What money there is and what it gave, told by the payment, its entitlement and the books, which are proved. */
  async function whole() {
    const { payments, entitlements, activations } = await books(store());
    expect(await proveLedger(store(), NOW)).toMatchObject({ ok: true, problems: [] });
    const kinds = await store().selectFrom('ledger_entries').select('kind').orderBy('cause').execute();
    return {
      payments: payments.map(({ state, reversal }) => [state, reversal]),
      entitlements: entitlements.map(({ state, end_reason }) => [state, end_reason]),
      given: activations.length,
      booked: kinds.map(({ kind }) => kind),
      mpesa: await balance(store(), 'mpesa'),
    };
  }
  const BACK = {
    payments: [['reversed', null]],
    entitlements: [['revoked', 'reversed']],
    given: 1,
    booked: ['payment', 'settlement', 'reversal'],
    mpesa: 0,
  };

  const attach = (paymentId: string, orderId: string, now: number) =>
    store()
      .transaction()
      .execute((tx) => attachPayment(tx, vault, paymentId, { order_id: orderId }, 'Owner', now));

  for (const [when, refuse] of [
    [
      'at once',
      async (id: string) => {
        let answer: Answer | undefined;
        const asking = askBack(store(), id, 'refused', (made) => {
          answer = made;
        });
        await expect(asking).rejects.toThrow('21 not permitted');
        return answer as Answer;
      },
    ],
    [
      'in its answer',
      async (id: string) => {
        const answer = await askBack(store(), id);
        await answer(1);
        return answer;
      },
    ],
  ] satisfies [string, (id: string) => Promise<Answer>][]) {
    it(`a yes that comes late to what was refused ${when} takes back what the payment gave since, once`, async () => {
      const { order, payment } = await unmatched(store());
      const answer = await refuse(payment.id);
      expect((await whole()).payments).toEqual([['unmatched', 'refused']]);
      await attach(payment.id, order.id, NOW + 4);
      expect(await whole()).toMatchObject({ payments: [['settled', 'refused']], mpesa: 3000 });
      await answer(0);
      expect(await whole()).toEqual(BACK);
      for (const again of [0, 1, 'R000001']) await answer(again);
      expect(await whole()).toEqual(BACK);
      await expect(askBack(store(), payment.id)).rejects.toMatchObject({ code: 'conflict' });
    });
  }

  it('a yes that comes late to what was never answered holds, whatever was asked and answered since', async () => {
    const { order, payment } = await unmatched(store());
    const ctx = await following();
    const first = await askBack(store(), payment.id);
    await ctx.follow(NOW + 11 * 60_000);
    expect(ctx.statuses).toEqual([payment.receipt]);
    expect((await whole()).payments).toEqual([['unmatched', 'unknown']]);
    const second = await askBack(store(), payment.id);
    await second(1);
    await attach(payment.id, order.id, NOW + 5);
    const third = await askBack(store(), payment.id);
    expect((await whole()).payments).toEqual([['settled', 'asked']]);
    await first(0);
    expect(await whole()).toEqual(BACK);
    // What is said of the others, and their silence, change nothing.
    await third(1);
    await second(0);
    await ctx.follow(NOW + 60 * 60_000);
    expect(await whole()).toEqual(BACK);
    expect(ctx.statuses).toEqual([payment.receipt]);
  });

  it('a late yes and the status of the receipt, told at the same moment, take it back once', async () => {
    const { order, payment } = await unmatched(store());
    const ctx = await following();
    const answer = await askBack(store(), payment.id);
    await ctx.follow(NOW + 11 * 60_000);
    const second = await askBack(store(), payment.id);
    await second(1);
    await attach(payment.id, order.id, NOW + 5);
    await Promise.all([answer(0), ctx.tellStatus('Reversed', payment.receipt as string), second(0)]);
    expect(await whole()).toEqual(BACK);
  });

  it('a late yes finds the payment that took in the one it was asked for', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    // The query says paid, and names no code; the money came under its code, for nobody knew what.
    await answerQuery(store(), order.id, '0', NOW + 1);
    const twin = await unmatchedByHand(store(), 'VAF0000001');
    const answer = await askBack(store(), twin.id);
    await answer(1);
    await attach(twin.id, order.id, NOW + 4);
    const { payments } = await books(store());
    expect(payments).toMatchObject([{ receipt: 'VAF0000001', state: 'settled', order_id: order.id }]);
    await answer(0);
    expect(await whole()).toMatchObject({
      payments: [['reversed', null]],
      entitlements: [['revoked', 'reversed']],
      mpesa: 0,
    });
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
