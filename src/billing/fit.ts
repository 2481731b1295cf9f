// Whether money that is known to be for an order pays it by itself, or waits for a person.
import { getPlan } from '../access/plans.ts';
import type { Db } from '../db/schema.ts';
import { formatMoney } from '../lib/money.ts';
import type { Order } from './orders.ts';
import { SECOND_WAITS, secondWaits } from './policy.ts';

/** Why a person has to decide about money for this order; undefined when it pays it. */
export async function whyItWaits(tx: Db, order: Order, amountCents: number): Promise<string | undefined> {
  if (amountCents !== order.price_cents) {
    return `Paid ${formatMoney(amountCents)} for an order of ${formatMoney(order.price_cents)}.`;
  }
  // Orders are of hotspot guests; a plan can be changed between an order and its money.
  const plan = await getPlan(tx, order.plan_id);
  if (plan.kind !== 'hotspot') return `“${plan.name}” is a plan for homes on PPPoE by now.`;
  return (await secondWaits(tx, order)) ? SECOND_WAITS : undefined;
}

/** An order whose money waits for a person is asked about no more; one that is paid stays so. */
export async function leaveToPerson(tx: Db, orderId: string, why: string, now: number): Promise<void> {
  await tx
    .updateTable('orders')
    .set({ state: 'checking', problem: why, live_key: null, next_poll_at: null, updated_at: now })
    .where('id', '=', orderId)
    .where('state', '<>', 'paid')
    .execute();
}
