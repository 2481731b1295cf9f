// Settles money that names its M-PESA code: C2B notices, pulled rows, forwarded SMS, a transaction's status, statement lines.
import type { Db } from '../db/schema.ts';
import { enqueueTask } from '../db/tasks.ts';
import { newId } from '../lib/ids.ts';
import { formatMoney } from '../lib/money.ts';
import type { Vault } from '../lib/secrets.ts';
import { readPayer } from '../protocols/mpesa/index.ts';
import { findPurpose, type Purpose } from './by-hand.ts';
import { refuseClaim, settleClaim } from './claims.ts';
import { closeEvidence, type Evidence } from './evidence.ts';
import { leaveToPerson, whyItWaits } from './fit.ts';
import { grantPayment } from './grant-payment.ts';
import { bookPayment } from './ledger.ts';
import { pendingReceipt, type Sum } from './match-order.ts';
import { canBePayer, isOver, type Money, readMoney } from './money.ts';
import type { Order } from './orders.ts';
import { payOrder } from './pay-order.ts';
import type { Payment } from './payments.ts';
import type { Settled } from './settle.ts';
import { isOwnShortcode } from './trust.ts';
import { absorbPayment, holdUnmatched, isFree } from './unmatched.ts';
import { settleWentBack } from './went-back.ts';

/** Call it in a transaction, with evidence that is taken for it. */
export async function settleReceipt(tx: Db, vault: Vault, evidence: Evidence, now: number): Promise<Settled> {
  const aside = async (why: string, final = false): Promise<Settled> => {
    await closeEvidence(tx, evidence.id, 'quarantined', why, now);
    if (final && evidence.receipt) await refuseClaim(tx, evidence.receipt, why, now);
    return { order_id: null, granted: false };
  };
  const money = readMoney(evidence);
  // Only M-PESA's own answer about a code is the last word on it.
  const asked = evidence.kind === 'transaction_status';
  if (!money) return aside('It tells of no money that arrived.', asked && isOver(evidence.body));
  if (money.shortcode && !(await isOwnShortcode(tx, money.shortcode))) {
    return aside(`It is for the shortcode ${money.shortcode}.`, asked);
  }
  if (money.went_back) return settleWentBack(tx, evidence, money, now);
  if (money.amount_cents === undefined) return aside('It names no amount in whole shillings.');
  const amount = money.amount_cents;
  const known = await tx
    .selectFrom('payments')
    .selectAll()
    .where('receipt', '=', money.receipt)
    .executeTakeFirst();
  // Money that nobody could match may be told more of here: that too is believed only when M-PESA says so.
  if (evidence.doubt && (!known || isFree(known))) {
    await closeEvidence(tx, evidence.id, 'waiting', `${evidence.doubt} M-PESA is asked first.`, now);
    await enqueueTask(tx, 'confirm_evidence', { evidence_id: evidence.id }, now);
    return { order_id: null, granted: false };
  }
  const sum: Sum = { ...money, amount_cents: amount };
  if (known) return settleKnown(tx, vault, evidence, known, sum, now);
  const purpose = await findPurpose(tx, vault, sum, now);
  return close(tx, vault, evidence, sum, await settleFor(tx, vault, purpose, sum, undefined, now), now);
}

type Outcome = { payment: Payment; fresh: boolean };

async function close(
  tx: Db,
  vault: Vault,
  evidence: Evidence,
  sum: Sum,
  settled: Outcome,
  now: number,
): Promise<Settled> {
  const payment = await settleClaim(tx, vault, settled.payment, now);
  await bookPayment(tx, payment.id, now);
  const summary = payment.note ?? `Paid ${formatMoney(sum.amount_cents)}${sum.by_sms ? ', by SMS' : ''}.`;
  await closeEvidence(tx, evidence.id, 'used', summary, now, payment.id);
  await confirmOthers(tx, sum.receipt, payment.id, now);
  return { order_id: payment.order_id, payment, granted: payment.entitlement_id !== null && settled.fresh };
}

/** A payment that is known; what this message adds may tell what money is for that nobody could match before. */
async function settleKnown(
  tx: Db,
  vault: Vault,
  evidence: Evidence,
  known: Payment,
  sum: Sum,
  now: number,
): Promise<Settled> {
  // One that is doubted adds nothing: it could say who paid, or for what.
  const payment = evidence.doubt ? known : await completePayment(tx, known, sum);
  if (isFree(payment) && payment.amount_cents === sum.amount_cents) {
    const told: Sum = {
      ...readPayer(payment.msisdn ?? payment.payer ?? ''),
      ...sum,
      account_reference: sum.account_reference || (payment.account_reference ?? ''),
      at: payment.received_at,
    };
    const purpose = await findPurpose(tx, vault, told, now);
    const held = 'unmatched' in purpose ? undefined : await holdUnmatched(tx, payment.id);
    if (held) {
      return close(tx, vault, evidence, sum, await settleFor(tx, vault, purpose, told, held, now), now);
    }
  }
  const differs =
    payment.amount_cents !== sum.amount_cents ? ` It says ${formatMoney(sum.amount_cents)}.` : '';
  await closeEvidence(tx, evidence.id, 'duplicate', `Already known.${differs}`, now, payment.id);
  await confirmOthers(tx, sum.receipt, payment.id, now);
  return { order_id: payment.order_id, payment, granted: false };
}

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

/** The payment as every message of this kind makes it, or the one that nobody could match. */
async function place(
  tx: Db,
  money: Sum,
  held: Payment | undefined,
  about: Pick<Payment, 'order_id' | 'subscriber_id' | 'plan_id' | 'state' | 'note'> & { msisdn?: string },
  now: number,
): Promise<Payment> {
  if (held) {
    return tx
      .updateTable('payments')
      .set(about)
      .where('id', '=', held.id)
      .returningAll()
      .executeTakeFirstOrThrow();
  }
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

/** Gives money its purpose: money that is new, or that was unmatched and is held. */
async function settleFor(
  tx: Db,
  vault: Vault,
  purpose: Purpose,
  money: Sum,
  held: Payment | undefined,
  now: number,
): Promise<Outcome> {
  if ('order' in purpose) return settleForOrder(tx, vault, purpose.order, money, held, now);
  const { subscriber_id } = purpose;
  if ('unmatched' in purpose) {
    const about = { order_id: null, plan_id: null, subscriber_id, note: purpose.unmatched };
    return { payment: await place(tx, money, held, { ...about, state: 'unmatched' }, now), fresh: true };
  }
  const about = { order_id: null, plan_id: purpose.plan.id, subscriber_id, note: null };
  const payment = await place(tx, money, held, { ...about, state: 'settled' }, now);
  const entitlement = await grantPayment(tx, payment, purpose, now);
  const granted = await tx
    .updateTable('payments')
    .set({ entitlement_id: entitlement.id })
    .where('id', '=', payment.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  return { payment: granted, fresh: true };
}

async function settleForOrder(
  tx: Db,
  vault: Vault,
  order: Order,
  money: Sum,
  held: Payment | undefined,
  now: number,
): Promise<Outcome> {
  const pending = await pendingReceipt(tx, order.id, money.amount_cents);
  if (pending && held) return { payment: await absorbPayment(tx, pending, held, now), fresh: false };
  if (pending) {
    const attached = await tx
      .updateTable('payments')
      .set({ receipt: money.receipt, received_at: money.at ?? now })
      .where('id', '=', pending.id)
      .returningAll()
      .executeTakeFirstOrThrow();
    return { payment: await completePayment(tx, attached, money), fresh: false };
  }
  const about = {
    ...{ order_id: order.id, subscriber_id: order.subscriber_id, plan_id: order.plan_id },
    ...(canBePayer(money, order.msisdn) ? { msisdn: order.msisdn } : {}),
  };
  const why = await whyItWaits(tx, order, money.amount_cents);
  if (why !== undefined) {
    const payment = await place(tx, money, held, { ...about, state: 'unmatched', note: why }, now);
    await leaveToPerson(tx, order.id, why, now);
    return { payment, fresh: true };
  }
  const payment = await place(tx, money, held, { ...about, state: 'settled', note: null }, now);
  return { payment: await payOrder(tx, vault, order, payment, '0', now), fresh: true };
}
