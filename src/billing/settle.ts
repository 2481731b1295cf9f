// Settles: turns evidence into a payment, and the payment into a grant, once.
import { sql } from 'kysely';
import { insertStatement } from '../db/insert.ts';
import { unindexed } from '../db/page.ts';
import type { Db } from '../db/schema.ts';
import { statement } from '../db/statement.ts';
import { enqueueTask } from '../db/tasks.ts';
import { newId } from '../lib/ids.ts';
import { formatMoney } from '../lib/money.ts';
import type { Vault } from '../lib/secrets.ts';
import { describeResult } from '../protocols/mpesa/index.ts';
import { settleClaim } from './claims.ts';
import { findEarlyMoney } from './early-money.ts';
import { BY_RECEIPT, closeEvidence, type Evidence, takeEvidence } from './evidence.ts';
import { leaveToPerson, whyItWaits } from './fit.ts';
import type { Notice } from './gateways.ts';
import { bookPayment } from './ledger.ts';
import { readMpesaCallback } from './mpesa.ts';
import { holdOrder, nextPollAt, type Order } from './orders.ts';
import { payOrder, payWith } from './pay-order.ts';
import type { Payment } from './payments.ts';
import { settleReceipt } from './settle-receipt.ts';
import { absorbPayment, holdUnmatched, isFree } from './unmatched.ts';

/** What became of a piece of evidence. */
export interface Settled {
  order_id: string | null;
  payment?: Payment;
  /** True when this very piece brought the grant. */
  granted: boolean;
}

/**
 * Settles one piece of evidence in one transaction: payment, entitlement and task appear together or not at all.
 * Repeating it, or settling other evidence about the same money, changes nothing more.
 */
export async function settleEvidence(
  db: Db,
  vault: Vault,
  evidenceId: string,
  now: number,
): Promise<Settled | undefined> {
  return db.transaction().execute((tx) => settleIn(tx, vault, evidenceId, now));
}

/** The same within a transaction. */
export async function settleIn(
  tx: Db,
  vault: Vault,
  evidenceId: string,
  now: number,
): Promise<Settled | undefined> {
  const evidence = await takeEvidence(tx, evidenceId);
  if (!evidence) return undefined;
  if (BY_RECEIPT.has(evidence.kind)) return settleReceipt(tx, vault, evidence, now);
  if (!evidence.order_id) return undefined;
  const order = await holdOrder(tx, evidence.order_id);
  const notice = readEvidence(evidence, order);
  const misfit = notice ? findMisfit(order, notice) : 'It could not be read.';
  if (!notice || misfit) {
    await closeEvidence(tx, evidence.id, 'quarantined', misfit ?? '', now);
    return { order_id: order.id, granted: false };
  }
  const gap = notice.paid ? findGap(evidence, notice) : undefined;
  const doubt = gap ? undefined : findDoubt(evidence, order, notice);
  if (doubt) return awaitConfirmation(tx, evidence, order, notice, doubt, now);
  if (!(await claimCheckoutId(tx, order, notice, now))) {
    await closeEvidence(tx, evidence.id, 'quarantined', 'Its checkout id belongs to another order.', now);
    return { order_id: order.id, granted: false };
  }
  if (!notice.paid) return settleRefusal(tx, evidence, order, notice, now);
  if (gap) return askInstead(tx, evidence, order, gap, now);
  const confirmed = evidence.kind === 'stk_query' ? await awaitedNotice(tx, order, notice) : undefined;
  const settled = await settleMoney(tx, vault, evidence, order, confirmed ?? notice, now);
  if (confirmed) await closeAwaited(tx, order.id, 'used', 'M-PESA confirmed it.', now, settled.payment?.id);
  return settled;
}

function readEvidence(evidence: Evidence, order: Order): Notice | undefined {
  if (evidence.kind === 'stk_callback') return readMpesaCallback(evidence.body);
  const answer = JSON.parse(evidence.body) as { result_code: string; asked_about?: string };
  // The query knows neither receipt nor amount: it speaks of the request we made, whose amount we know.
  return {
    merchant_request_id: order.merchant_request_id ?? '',
    checkout_request_id: order.checkout_request_id ?? answer.asked_about ?? '',
    result_code: answer.result_code,
    paid: answer.result_code === '0',
    amount_cents: order.price_cents,
  };
}

/** Why a notice is not believed: it speaks of another request than this order's. */
function findMisfit(order: Order, notice: Notice): string | undefined {
  if (order.checkout_request_id && order.checkout_request_id !== notice.checkout_request_id) {
    return 'It speaks of another request than this order’s.';
  }
  if (order.merchant_request_id && order.merchant_request_id !== notice.merchant_request_id) {
    return 'Its merchant request id is not this order’s.';
  }
  return undefined;
}

/**
 * Why a callback is not believed before the gateway says the same when asked (payments.md §5, 10 and 22): it comes from
 * elsewhere, or does not fit what is known of the order.
 */
function findDoubt(evidence: Evidence, order: Order, notice: Notice): string | undefined {
  // What M-PESA has said itself needs no second word; whether it fits that is looked at where it is settled.
  if (evidence.kind !== 'stk_callback' || order.state === 'paid') return undefined;
  if (evidence.doubt) return evidence.doubt;
  if (!notice.paid) return undefined;
  if (notice.amount_cents !== undefined && notice.amount_cents !== order.price_cents) {
    return `It names ${formatMoney(notice.amount_cents)}, and ${formatMoney(order.price_cents)} were asked for.`;
  }
  if (notice.msisdn && notice.msisdn !== order.msisdn) return 'It names another phone than the one asked.';
  // A code of M-PESA's, which said no; not one of ours for a request that was never answered.
  if (order.state === 'failed' && describeResult(order.result_code ?? '').final) {
    return `M-PESA had said no before (${order.result_code}).`;
  }
  return undefined;
}

/** Keeps a callback that is not believed, and has the gateway asked whether it is true. */
async function awaitConfirmation(
  tx: Db,
  evidence: Evidence,
  order: Order,
  notice: Notice,
  doubt: string,
  now: number,
): Promise<Settled> {
  if (!notice.paid) {
    await closeEvidence(tx, evidence.id, 'quarantined', `${doubt} M-PESA is asked instead.`, now);
    await pollNow(tx, order.id, now);
  } else {
    await closeEvidence(tx, evidence.id, 'waiting', `${doubt} M-PESA is asked first.`, now);
    await enqueueTask(tx, 'confirm_evidence', { evidence_id: evidence.id }, now);
  }
  return { order_id: order.id, granted: false };
}

/** What a callback told that waited for this answer: the amount and the receipt, which the answer does not name. */
async function awaitedNotice(tx: Db, order: Order, answer: Notice): Promise<Notice | undefined> {
  const waiting = await tx
    .selectFrom('evidence')
    .select('body')
    .where('order_id', '=', order.id)
    .where('kind', '=', 'stk_callback')
    .where('state', '=', 'waiting')
    .orderBy('id')
    .execute();
  return waiting
    .map(({ body }) => readMpesaCallback(body))
    .find(
      (notice) =>
        notice?.checkout_request_id === answer.checkout_request_id &&
        notice.amount_cents !== undefined &&
        notice.receipt !== undefined,
    );
}

/** Closes the callbacks that waited for what M-PESA says of this order. */
async function closeAwaited(
  tx: Db,
  orderId: string,
  state: 'used' | 'quarantined',
  summary: string,
  now: number,
  paymentId?: string,
): Promise<void> {
  await tx
    .updateTable('evidence')
    .set({ state, summary, processed_at: now, payment_id: paymentId ?? null })
    .where('order_id', '=', orderId)
    .where('kind', '=', 'stk_callback')
    .where('state', '=', 'waiting')
    .execute();
}

async function pollNow(tx: Db, orderId: string, now: number): Promise<void> {
  await tx
    .updateTable('orders')
    .set({ next_poll_at: now, updated_at: now })
    .where('id', '=', orderId)
    .where('state', 'in', ['pending', 'checking'])
    .execute();
}

/** What a notice of money leaves out; then the gateway's own answer has to say whether it came (payments.md §5, 23). */
function findGap(evidence: Evidence, notice: Notice): string | undefined {
  if (notice.amount_cents === undefined) return 'It names no amount in whole shillings.';
  if (evidence.kind === 'stk_callback' && !notice.receipt) return 'It names no receipt.';
  return undefined;
}

/** Gives nothing for a notice with a gap, and has the gateway asked about the order at once. */
async function askInstead(
  tx: Db,
  evidence: Evidence,
  order: Order,
  gap: string,
  now: number,
): Promise<Settled> {
  await pollNow(tx, order.id, now);
  await closeEvidence(tx, evidence.id, 'quarantined', `${gap} M-PESA is asked instead.`, now);
  return { order_id: order.id, granted: false };
}

/** A callback may come before the answer to the push: then it brings the identifiers. False when they are taken. */
async function claimCheckoutId(tx: Db, order: Order, notice: Notice, now: number): Promise<boolean> {
  if (order.checkout_request_id) return true;
  const other = await tx
    .selectFrom('orders')
    .select('id')
    .where('checkout_request_id', '=', notice.checkout_request_id)
    .executeTakeFirst();
  if (other) return false;
  await tx
    .updateTable('orders')
    .set({
      merchant_request_id: notice.merchant_request_id,
      checkout_request_id: notice.checkout_request_id,
      updated_at: now,
    })
    .where('id', '=', order.id)
    .execute();
  return true;
}

async function settleRefusal(
  tx: Db,
  evidence: Evidence,
  order: Order,
  notice: Notice,
  now: number,
): Promise<Settled> {
  const result = describeResult(notice.result_code);
  await tx
    .updateTable('orders')
    .set(
      result.final
        ? {
            state: 'failed',
            result_code: notice.result_code,
            live_key: null,
            // Nothing is signed, and success may follow a no (payments.md §5, 9): what a callback says is asked about once more.
            next_poll_at:
              evidence.kind === 'stk_callback' ? nextPollAt(order.sent_at ?? order.created_at, now) : null,
            updated_at: now,
          }
        : { state: 'checking', result_code: notice.result_code, updated_at: now },
    )
    .where('id', '=', order.id)
    .where('state', 'in', ['pending', 'checking'])
    .execute();
  await closeEvidence(tx, evidence.id, 'used', `${notice.result_code}: ${result.operator}`, now);
  if (evidence.kind === 'stk_query' && result.final) {
    await tx
      .updateTable('orders')
      .set({ next_poll_at: null })
      .where('id', '=', order.id)
      .where('state', '=', 'failed')
      .execute();
    const summary = `M-PESA says that it was not paid (${notice.result_code}).`;
    await closeAwaited(tx, order.id, 'quarantined', summary, now);
  }
  return { order_id: order.id, granted: false };
}

async function settleMoney(
  tx: Db,
  vault: Vault,
  evidence: Evidence,
  order: Order,
  notice: Notice,
  now: number,
): Promise<Settled> {
  const amount = notice.amount_cents as number;
  const keepAside = async (why: string, about: Payment): Promise<Settled> => {
    await closeEvidence(tx, evidence.id, 'quarantined', why, now, about.id);
    return { order_id: order.id, granted: false };
  };
  const sameReceipt = await paymentWith(tx, 'receipt', notice.receipt);
  // A notice that names no request may have come first: then this one says which request it was.
  if (sameReceipt?.checkout_request_id === null && sameReceipt.order_id === order.id) {
    return joinPayment(tx, evidence, order, sameReceipt, notice, now);
  }
  const known = await paymentWith(tx, 'checkout_request_id', notice.checkout_request_id);
  if (sameReceipt && sameReceipt.checkout_request_id !== notice.checkout_request_id) {
    const free = isFree(sameReceipt) && sameReceipt.amount_cents === amount;
    const held = free ? await holdUnmatched(tx, sameReceipt.id) : undefined;
    if (!held || known?.receipt) return keepAside('Its receipt belongs to another payment.', sameReceipt);
    return settleEarly(tx, vault, evidence, order, known, held, notice, now);
  }
  if (known?.receipt && notice.receipt && known.receipt !== notice.receipt) {
    return keepAside(`The payment of this request has the receipt ${known.receipt}.`, known);
  }
  if (known) {
    const payment = await attachReceipt(tx, known, notice, now);
    await bookPayment(tx, payment.id, now);
    const attached = known.receipt === null && payment.receipt !== null;
    const summary = attached ? `Receipt ${payment.receipt} attached.` : 'Already settled.';
    await closeEvidence(tx, evidence.id, attached ? 'used' : 'duplicate', summary, now, payment.id);
    return { order_id: order.id, payment, granted: false };
  }
  // The query knows no receipt: where the order is paid, it speaks of that money, until a receipt says otherwise.
  const unnamed = notice.receipt ? undefined : await paymentOf(tx, order.id, amount);
  if (unnamed) {
    await closeEvidence(tx, evidence.id, 'duplicate', 'Already settled.', now, unnamed.id);
    return { order_id: order.id, payment: unnamed, granted: false };
  }
  const early = notice.receipt ? undefined : await findEarlyMoney(tx, order, now);
  if (early) return settleEarly(tx, vault, evidence, order, undefined, early, notice, now);

  const note = (await whyItWaits(tx, order, amount)) ?? null;
  const [payment] = (await insertPayment(tx, {
    id: newId(now),
    // Whatever told of it, the money came by M-PESA.
    gateway: 'mpesa',
    receipt: notice.receipt ?? null,
    checkout_request_id: notice.checkout_request_id,
    order_id: order.id,
    subscriber_id: order.subscriber_id,
    plan_id: order.plan_id,
    entitlement_id: null,
    msisdn: notice.msisdn ?? order.msisdn,
    amount_cents: amount,
    state: note === null ? 'settled' : 'unmatched',
    note,
    received_at: notice.transaction_at ?? now,
    created_at: now,
  })) as [Payment];
  await settleClaim(tx, vault, payment, now);
  if (note !== null) {
    await bookPayment(tx, payment.id, now);
    await leaveToPerson(tx, order.id, note, now);
    await closeEvidence(tx, evidence.id, 'used', note, now, payment.id);
    return { order_id: order.id, payment, granted: false };
  }

  const paid = await payOrder(tx, vault, order, payment, notice.result_code, now);
  await closeEvidence(tx, evidence.id, 'used', `Paid ${formatMoney(amount)}.`, now, payment.id);
  return { order_id: order.id, payment: paid, granted: true };
}

/** Unmatched money turns out to be this request's: it pays the order as it would have, had it come only now. */
async function settleEarly(
  tx: Db,
  vault: Vault,
  evidence: Evidence,
  order: Order,
  known: Payment | undefined,
  early: Payment,
  notice: Notice,
  now: number,
): Promise<Settled> {
  const closed = async (payment: Payment, granted: boolean): Promise<Settled> => {
    await closeEvidence(tx, evidence.id, 'used', `It was for ${payment.receipt}.`, now, payment.id);
    return { order_id: order.id, payment, granted };
  };
  if (known) return closed(await absorbPayment(tx, known, early, now), false);
  const { checkout_request_id } = notice;
  const why = await whyItWaits(tx, order, early.amount_cents);
  if (why === undefined) {
    return closed(await payWith(tx, vault, order, { ...early, checkout_request_id }, now), true);
  }
  const payment = await tx
    .updateTable('payments')
    .set({ order_id: order.id, checkout_request_id, note: why })
    .where('id', '=', early.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  await leaveToPerson(tx, order.id, why, now);
  return closed(payment, false);
}

/** Money that came under this code before anybody knew its request. */
async function joinPayment(
  tx: Db,
  evidence: Evidence,
  order: Order,
  payment: Payment,
  notice: Notice,
  now: number,
): Promise<Settled> {
  const joined = await tx
    .updateTable('payments')
    .set((eb) => ({
      checkout_request_id: notice.checkout_request_id,
      msisdn: eb.fn.coalesce('msisdn', eb.val(notice.msisdn ?? order.msisdn)),
    }))
    .where('id', '=', payment.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  await closeEvidence(tx, evidence.id, 'duplicate', 'Already settled.', now, payment.id);
  return { order_id: order.id, payment: joined, granted: false };
}

/** A payment of this order and amount whose request nobody has named. */
async function paymentOf(tx: Db, orderId: string, amount: number): Promise<Payment | undefined> {
  return (await paymentOfOrder(tx, [orderId, amount]))[0];
}

const insertPayment = insertStatement('payments', sql`returning *`);
const paymentOfOrder = statement(
  sql<Payment>`
    select * from payments
    where order_id = ${''} and ${unindexed('checkout_request_id')} is null and amount_cents = ${0} limit 1`,
);
const paymentBy = {
  checkout_request_id: statement(sql<Payment>`select * from payments where checkout_request_id = ${''}`),
  receipt: statement(sql<Payment>`select * from payments where receipt = ${''}`),
};

/** The payment this money is already known as: by its request, or by its receipt. */
async function paymentWith(
  tx: Db,
  field: 'checkout_request_id' | 'receipt',
  value: string | undefined,
): Promise<Payment | undefined> {
  return value ? (await paymentBy[field](tx, [value]))[0] : undefined;
}

/**
 * A payment that the query settled learns its receipt, and what was really paid: the query only knew what was asked.
 */
async function attachReceipt(tx: Db, payment: Payment, notice: Notice, now: number): Promise<Payment> {
  if (!notice.receipt || payment.receipt) return payment;
  const paid = notice.amount_cents as number;
  const other = paid !== payment.amount_cents;
  return tx
    .updateTable('payments')
    .set({
      receipt: notice.receipt,
      received_at: notice.transaction_at ?? now,
      amount_cents: paid,
      ...(other
        ? { note: `Paid ${formatMoney(paid)} for an order of ${formatMoney(payment.amount_cents)}.` }
        : {}),
    })
    .where('id', '=', payment.id)
    .returningAll()
    .executeTakeFirstOrThrow();
}
