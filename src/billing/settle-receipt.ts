// Settles money that names its M-PESA code: C2B notices, pulled rows, a transaction's status, statement lines.
import type { Db } from '../db/schema.ts';
import { enqueueTask } from '../db/tasks.ts';
import { newId } from '../lib/ids.ts';
import { formatMoney } from '../lib/money.ts';
import { normalizeMsisdn } from '../lib/msisdn.ts';
import type { Vault } from '../lib/secrets.ts';
import { fitsMask } from '../protocols/mpesa/index.ts';
import { findPayer, findPurpose } from './by-hand.ts';
import { settleClaim } from './claims.ts';
import { closeEvidence, type Evidence } from './evidence.ts';
import { grantPayment } from './grant-payment.ts';
import { bookPayment } from './ledger.ts';
import { type Money, readMoney } from './money.ts';
import { findOrderByAccount, holdOrder, type Order } from './orders.ts';
import { payOrder } from './pay-order.ts';
import type { Payment } from './payments.ts';
import { readPaymentPolicy } from './policy.ts';
import type { Settled } from './settle.ts';
import { isOwnShortcode } from './trust.ts';

/** How long after an order its money may come and still be taken for it where nothing names the order. */
const ORDER_WINDOW_MS = 15 * 60_000;
/** M-PESA's clock and ours may differ by so much. */
const CLOCKS_DIFFER_MS = 2 * 60_000;

/** Call it in a transaction, with evidence that is taken for it. */
export async function settleReceipt(tx: Db, vault: Vault, evidence: Evidence, now: number): Promise<Settled> {
  const aside = async (why: string): Promise<Settled> => {
    await closeEvidence(tx, evidence.id, 'quarantined', why, now);
    return { order_id: null, granted: false };
  };
  const money = readMoney(evidence);
  if (!money) return aside('It tells of no money that arrived.');
  if (money.shortcode && !(await isOwnShortcode(tx, money.shortcode))) {
    return aside(`It is for the shortcode ${money.shortcode}.`);
  }
  if (money.amount_cents === undefined) return aside('It names no amount in whole shillings.');
  const amount = money.amount_cents;
  const known = await tx
    .selectFrom('payments')
    .selectAll()
    .where('receipt', '=', money.receipt)
    .executeTakeFirst();
  if (evidence.doubt && !known) {
    await closeEvidence(tx, evidence.id, 'waiting', `${evidence.doubt} M-PESA is asked first.`, now);
    await enqueueTask(tx, 'confirm_evidence', { evidence_id: evidence.id }, now);
    return { order_id: null, granted: false };
  }
  if (known) {
    const payment = await completePayment(tx, known, money);
    const differs = known.amount_cents !== amount ? ` It says ${formatMoney(amount)}.` : '';
    await closeEvidence(tx, evidence.id, 'duplicate', `Already known.${differs}`, now, payment.id);
    await confirmOthers(tx, money.receipt, payment.id, now);
    return { order_id: known.order_id, payment, granted: false };
  }
  const order = await findOrderOf(tx, { ...money, amount_cents: amount }, now);
  const settled = order
    ? await settleForOrder(tx, vault, order, { ...money, amount_cents: amount }, now)
    : await settleByHand(tx, vault, { ...money, amount_cents: amount }, now);
  const payment = await settleClaim(tx, vault, settled.payment, now);
  await bookPayment(tx, payment.id, now);
  const summary = payment.note ?? `Paid ${formatMoney(amount)}.`;
  await closeEvidence(tx, evidence.id, 'used', summary, now, payment.id);
  await confirmOthers(tx, money.receipt, payment.id, now);
  return { order_id: payment.order_id, payment, granted: payment.entitlement_id !== null && settled.fresh };
}

type Sum = Money & { amount_cents: number };
type Outcome = { payment: Payment; fresh: boolean };

/** What waited for M-PESA's word about this code has it now. */
async function confirmOthers(tx: Db, receipt: string, paymentId: string, now: number): Promise<void> {
  await tx
    .updateTable('evidence')
    .set({ state: 'duplicate', summary: 'M-PESA confirmed it.', processed_at: now, payment_id: paymentId })
    .where('receipt', '=', receipt)
    .where('state', '=', 'waiting')
    .execute();
}

/** What a later message knows of a payment that the first did not. */
async function completePayment(tx: Db, payment: Payment, money: Money): Promise<Payment> {
  return tx
    .updateTable('payments')
    .set((eb) => ({
      payer: eb.fn.coalesce('payer', eb.val(payerText(money))),
      payer_name: eb.fn.coalesce('payer_name', eb.val(money.payer_name || null)),
      account_reference: eb.fn.coalesce('account_reference', eb.val(money.account_reference || null)),
    }))
    .where('id', '=', payment.id)
    .returningAll()
    .executeTakeFirstOrThrow();
}

function payerText(money: Money): string | null {
  return money.msisdn_sha256 ?? money.msisdn_masked ?? null;
}

/**
 * The order that money belongs to: the one whose short code the account names, or, where no account or only the payer's
 * number was typed, the one undecided order of that payer for that amount at that time.
 */
async function findOrderOf(tx: Db, money: Sum, now: number): Promise<Order | undefined> {
  const named = await findOrderByAccount(tx, money.account_reference);
  if (named) return holdOrder(tx, named.id);
  const at = money.at ?? now;
  const open = await tx
    .selectFrom('orders')
    .selectAll()
    .where('price_cents', '=', money.amount_cents)
    .where('created_at', '>=', at - ORDER_WINDOW_MS)
    .where('created_at', '<=', at + CLOCKS_DIFFER_MS)
    .where('state', 'in', ['pending', 'checking', 'failed', 'paid'])
    .execute();
  const typed = money.account_reference.trim();
  const number = normalizeMsisdn(typed);
  if (typed && !number) return undefined;
  const payer = money.msisdn_sha256 ? await findPayer(tx, money, now) : undefined;
  const fits = (order: Order) =>
    number === order.msisdn ||
    money.msisdn === order.msisdn ||
    payer === order.subscriber_id ||
    (money.msisdn_masked !== undefined && fitsMask(money.msisdn_masked, order.msisdn));
  const fitting: Order[] = [];
  for (const order of open.filter(fits)) {
    if (order.state !== 'paid' || (await pendingReceipt(tx, order, money))) fitting.push(order);
  }
  // Of several that failed the same way, one may be taken as well as another; of several phones behind one mask, none.
  const phones = new Set(fitting.map((order) => order.msisdn));
  if (phones.size !== 1) return undefined;
  const last = fitting.reduce((a, b) => (a.id > b.id ? a : b));
  return holdOrder(tx, last.id);
}

/** The payment of an order that only a query has told of: its receipt is still to come (payments.md §5, 13). */
async function pendingReceipt(tx: Db, order: Order, money: Sum): Promise<Payment | undefined> {
  return tx
    .selectFrom('payments')
    .selectAll()
    .where('order_id', '=', order.id)
    .where('receipt', 'is', null)
    .where('amount_cents', '=', money.amount_cents)
    .executeTakeFirst();
}

/** A new payment as every message of this kind makes it. */
async function insertPayment(
  tx: Db,
  money: Sum,
  about: Pick<Payment, 'order_id' | 'subscriber_id' | 'plan_id' | 'state' | 'note'>,
  now: number,
): Promise<Payment> {
  return tx
    .insertInto('payments')
    .values({
      id: newId(now),
      gateway: 'mpesa',
      receipt: money.receipt,
      checkout_request_id: null,
      entitlement_id: null,
      msisdn: money.msisdn ?? null,
      payer: payerText(money),
      payer_name: money.payer_name || null,
      account_reference: money.account_reference || null,
      amount_cents: money.amount_cents,
      received_at: money.at ?? now,
      created_at: now,
      ...about,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

async function settleForOrder(tx: Db, vault: Vault, order: Order, money: Sum, now: number): Promise<Outcome> {
  const pending = await pendingReceipt(tx, order, money);
  if (pending) {
    const attached = await tx
      .updateTable('payments')
      .set({ receipt: money.receipt, received_at: money.at ?? now })
      .where('id', '=', pending.id)
      .returningAll()
      .executeTakeFirstOrThrow();
    return { payment: await completePayment(tx, attached, money), fresh: false };
  }
  const about = { order_id: order.id, subscriber_id: order.subscriber_id, plan_id: order.plan_id };
  if (money.amount_cents !== order.price_cents) {
    const note = `Paid ${formatMoney(money.amount_cents)} for an order of ${formatMoney(order.price_cents)}.`;
    const payment = await insertPayment(tx, money, { ...about, state: 'unmatched', note }, now);
    await tx
      .updateTable('orders')
      .set({ state: 'checking', problem: note, live_key: null, next_poll_at: null, updated_at: now })
      .where('id', '=', order.id)
      .where('state', '<>', 'paid')
      .execute();
    return { payment, fresh: true };
  }
  if (order.state === 'paid' && (await readPaymentPolicy(tx)).second_payment === 'wait') {
    const note = 'A second payment for an order that is paid.';
    return {
      payment: await insertPayment(tx, money, { ...about, state: 'unmatched', note }, now),
      fresh: true,
    };
  }
  const payment = await insertPayment(tx, money, { ...about, state: 'settled', note: null }, now);
  return { payment: await payOrder(tx, vault, order, payment, '0', now), fresh: true };
}

async function settleByHand(tx: Db, vault: Vault, money: Sum, now: number): Promise<Outcome> {
  const purpose = await findPurpose(tx, vault, money, now);
  if ('unmatched' in purpose) {
    const about = {
      ...{ order_id: null, plan_id: null, subscriber_id: purpose.subscriber_id },
      ...{ state: 'unmatched' as const, note: purpose.unmatched },
    };
    return { payment: await insertPayment(tx, money, about, now), fresh: true };
  }
  const payment = await insertPayment(
    tx,
    money,
    {
      ...{ order_id: null, subscriber_id: purpose.subscriber_id, plan_id: purpose.plan.id },
      ...{ state: 'settled', note: null },
    },
    now,
  );
  const entitlement = await grantPayment(tx, payment, purpose, now);
  const granted = await tx
    .updateTable('payments')
    .set({ entitlement_id: entitlement.id })
    .where('id', '=', payment.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  return { payment: granted, fresh: true };
}
