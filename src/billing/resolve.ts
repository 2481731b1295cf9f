// What a person decides about a payment that nobody could match.
import { credentialForDevice, getCredential } from '../access/credentials.ts';
import { checkFits, getPlan } from '../access/plans.ts';
import { getSubscriber } from '../access/subscribers.ts';
import type { Db } from '../db/schema.ts';
import { AppError } from '../errors.ts';
import type { Vault } from '../lib/secrets.ts';
import { grantPayment } from './grant-payment.ts';
import { bookPayment } from './ledger.ts';
import { pendingReceipt } from './match-order.ts';
import { holdOrder } from './orders.ts';
import { payOrder } from './pay-order.ts';
import type { Payment } from './payments.ts';
import { absorbPayment, holdUnmatched, isFree } from './unmatched.ts';

/** Whom an unmatched payment is for: an order, or a subscriber and the plan they get, on one credential of theirs. */
export type Attachment =
  | { order_id: string }
  | { subscriber_id: string; plan_id: string; credential_id?: string | undefined };

/**
 * Settles an unmatched payment as a person says, once: whoever comes second gets `conflict`. Call it in a transaction.
 * The amount need not be the plan's price, since a person looked at it.
 */
export async function attachPayment(
  tx: Db,
  vault: Vault,
  id: string,
  to: Attachment,
  by: string,
  now: number,
): Promise<Payment> {
  const held = await holdUnmatched(tx, id);
  if (!held) {
    throw new AppError('conflict', 'This payment is not unmatched any more.', {
      hint: 'Load the page again: it was settled, or is being sent back.',
    });
  }
  const pending = 'order_id' in to && (await pendingReceipt(tx, to.order_id, held.amount_cents));
  // The order has this very money: only its code was missing.
  if (pending && isFree(held)) return absorbPayment(tx, pending, held, now);
  const payment = await tx
    .updateTable('payments')
    .set({ state: 'settled', resolved_by: by, resolved_at: now })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
  const settled =
    'order_id' in to
      ? await attachToOrder(tx, vault, payment, to.order_id, now)
      : await attachToSubscriber(tx, vault, payment, to, now);
  await bookPayment(tx, id, now);
  return settled;
}

async function attachToOrder(
  tx: Db,
  vault: Vault,
  payment: Payment,
  orderId: string,
  now: number,
): Promise<Payment> {
  const order = await holdOrder(tx, orderId);
  const plan = await getPlan(tx, order.plan_id);
  if (plan.kind !== 'hotspot') {
    throw new AppError('conflict', `“${plan.name}” was ordered, and is a plan for homes on PPPoE by now.`, {
      hint: 'Attach the payment to the subscriber, with the plan they get.',
    });
  }
  const about = { order_id: order.id, subscriber_id: order.subscriber_id, plan_id: order.plan_id };
  const attached = await tx
    .updateTable('payments')
    .set(about)
    .where('id', '=', payment.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  return payOrder(tx, vault, order, attached, '0', now);
}

async function attachToSubscriber(
  tx: Db,
  vault: Vault,
  payment: Payment,
  to: { subscriber_id: string; plan_id: string; credential_id?: string | undefined },
  now: number,
): Promise<Payment> {
  const subscriber = await getSubscriber(tx, to.subscriber_id);
  const plan = await getPlan(tx, to.plan_id);
  const credential = to.credential_id
    ? await getCredential(tx, to.credential_id)
    : await credentialForDevice(tx, vault, subscriber.id, null, now);
  if (credential.subscriber_id !== subscriber.id) {
    throw new AppError('invalid', 'This credential belongs to another subscriber.', {
      fields: { credential_id: 'Choose one of this subscriber’s.' },
    });
  }
  checkFits(plan, credential);
  const grant = { subscriber_id: subscriber.id, credential, plan };
  const entitlement = await grantPayment(tx, payment, grant, now);
  return tx
    .updateTable('payments')
    .set({ subscriber_id: subscriber.id, plan_id: plan.id, entitlement_id: entitlement.id })
    .where('id', '=', payment.id)
    .returningAll()
    .executeTakeFirstOrThrow();
}
