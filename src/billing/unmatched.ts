// Money that nobody has matched yet: held while it is decided about, or found to be the same as a payment that is known.
import type { Db } from '../db/schema.ts';
import { bookPayment } from './ledger.ts';
import type { Payment } from './payments.ts';

/** Unmatched money of no order: what it is for may still turn out. */
export function isFree(payment: Payment): boolean {
  return payment.state === 'unmatched' && payment.order_id === null && payment.checkout_request_id === null;
}

/**
 * An unmatched payment that stays as it is until the transaction ends, so that it is decided about once; undefined when
 * it was decided meanwhile, or is being sent back. The update changes nothing; on PostgreSQL it locks the row.
 */
export async function holdUnmatched(tx: Db, id: string): Promise<Payment | undefined> {
  return tx
    .updateTable('payments')
    .set((eb) => ({ state: eb.ref('state') }))
    .where('id', '=', id)
    .where('state', '=', 'unmatched')
    .where((eb) => eb.or([eb('reversal', 'is', null), eb('reversal', '=', 'refused')]))
    .returningAll()
    .executeTakeFirst();
}

/**
 * Makes one payment of two that tell of the same money: the one that M-PESA's answer settled without a receipt, and the
 * unmatched one under its code, which must be held. What told of the second tells of the first, in the ledger too, which
 * then corrects itself.
 */
export async function absorbPayment(tx: Db, pending: Payment, twin: Payment, now: number): Promise<Payment> {
  for (const table of ['evidence', 'claims', 'ledger_entries', 'mpesa_requests'] as const) {
    await tx.updateTable(table).set({ payment_id: pending.id }).where('payment_id', '=', twin.id).execute();
  }
  await tx.deleteFrom('payments').where('id', '=', twin.id).execute();
  const { receipt, payer, payer_name, account_reference, received_at } = twin;
  const whole = await tx
    .updateTable('payments')
    .set({ receipt, payer, payer_name, account_reference, received_at })
    .where('id', '=', pending.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  await bookPayment(tx, whole.id, now);
  return whole;
}
