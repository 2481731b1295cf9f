// Gives an order what its payment pays for.
import { sql } from 'kysely';
import { credentialForDevice } from '../access/credentials.ts';
import { grantEntitlement } from '../access/entitlements.ts';
import { getPlan } from '../access/plans.ts';
import type { Db } from '../db/schema.ts';
import { statement } from '../db/statement.ts';
import { enqueueTask } from '../db/tasks.ts';
import type { Vault } from '../lib/secrets.ts';
import { bookPayment } from './ledger.ts';
import type { Order } from './orders.ts';
import type { Payment } from './payments.ts';

const nameEntitlement = statement(sql`update payments set entitlement_id = ${''} where id = ${''}`);
const markPaid = statement(
  sql`
    update orders set state = 'paid', result_code = ${''}, problem = null, credential_id = ${''}, entitlement_id = ${''},
      live_key = null, next_poll_at = null, paid_at = ${0}, updated_at = ${0}
    where id = ${''} and state <> 'paid'`,
);

/**
 * In the transaction that made the payment settled; the payment with its grant. A second payment for an order adds to
 * what the first one gave.
 */
export async function payOrder(
  tx: Db,
  vault: Vault,
  order: Order,
  payment: Payment,
  resultCode: string,
  now: number,
): Promise<Payment> {
  const credential = await credentialForDevice(tx, vault, order.subscriber_id, order.mac, now);
  const entitlement = await grantEntitlement(
    tx,
    {
      subscriber_id: order.subscriber_id,
      credential_id: credential.id,
      plan: await getPlan(tx, order.plan_id),
      source: 'order',
      payment_id: payment.id,
      order_id: order.id,
    },
    now,
  );
  await nameEntitlement(tx, [entitlement.id, payment.id]);
  await markPaid(tx, [resultCode, credential.id, entitlement.id, now, now, order.id]);
  await bookPayment(tx, payment.id, now);
  await enqueueTask(tx, 'activate', { order_id: order.id }, now);
  return { ...payment, entitlement_id: entitlement.id };
}

/** Gives unmatched money, which must be held, to an order; with its checkout id where M-PESA has named the request. */
export async function payWith(
  tx: Db,
  vault: Vault,
  order: Order,
  money: Pick<Payment, 'id' | 'checkout_request_id'>,
  now: number,
): Promise<Payment> {
  const { checkout_request_id } = money;
  const { id: order_id, subscriber_id, plan_id } = order;
  const payment = await tx
    .updateTable('payments')
    .set({ order_id, subscriber_id, plan_id, checkout_request_id, state: 'settled', note: null })
    .where('id', '=', money.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  return payOrder(tx, vault, order, payment, '0', now);
}
