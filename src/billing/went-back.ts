// Takes back a payment whose money M-PESA sent back by itself.
import type { Db } from '../db/schema.ts';
import { formatMoney } from '../lib/money.ts';
import { refuseClaim } from './claims.ts';
import { closeEvidence, type Evidence } from './evidence.ts';
import { bookPayment } from './ledger.ts';
import type { Money } from './money.ts';
import type { Payment } from './payments.ts';
import type { Settled } from './settle.ts';
import { withdrawGrant } from './withdraw-grant.ts';

/**
 * Settles what tells that money went back, named by its code as the receipt or as the account. What the payment gave ends
 * with it, once. A part, another sum or a code that is not known is kept aside for a person. Call it in a transaction.
 */
export async function settleWentBack(
  tx: Db,
  evidence: Evidence,
  money: Money,
  now: number,
): Promise<Settled> {
  const codes = [money.receipt, money.account_reference.trim().toUpperCase()];
  const known = await tx
    .selectFrom('payments')
    .selectAll()
    .where('receipt', 'in', codes)
    .where('gateway', '=', 'mpesa')
    .execute();
  const [payment] = known;
  const aside = async (why: string): Promise<Settled> => {
    await closeEvidence(tx, evidence.id, 'quarantined', why, now, payment?.id);
    if (evidence.kind === 'transaction_status') await refuseClaim(tx, money.receipt, why, now);
    return { order_id: null, granted: false };
  };
  if (!payment || known.length > 1) return aside('It tells that money went back which is not known here.');
  // An SMS may leave the sum out: then it is of the whole.
  const back = money.amount_cents ?? (money.by_sms ? payment.amount_cents : undefined);
  if (back !== payment.amount_cents) {
    const sum = back === undefined ? 'An unknown part' : formatMoney(back);
    return aside(
      `${sum} of ${formatMoney(payment.amount_cents)} went back: look at it on the M-PESA portal.`,
    );
  }
  const reversed = await tx
    .updateTable('payments')
    .set({ state: 'reversed', reversal: null })
    .where('id', '=', payment.id)
    .where('state', '<>', 'reversed')
    .returningAll()
    .executeTakeFirst();
  const state = reversed ? 'used' : 'duplicate';
  await closeEvidence(tx, evidence.id, state, 'The money went back.', now, payment.id);
  if (reversed) {
    await withdrawGrant(tx, reversed as Payment, now);
    await bookPayment(tx, reversed.id, now);
  }
  return { order_id: payment.order_id, payment: (reversed as Payment) ?? payment, granted: false };
}
