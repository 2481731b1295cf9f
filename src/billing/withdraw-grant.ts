// Takes back what a payment gave when its money goes back.
import { getEntitlement, revokeEntitlement } from '../access/entitlements.ts';
import type { Db } from '../db/schema.ts';
import type { Payment } from './payments.ts';

export async function withdrawGrant(tx: Db, payment: Payment, now: number): Promise<void> {
  if (!payment.entitlement_id) return;
  const entitlement = await getEntitlement(tx, payment.entitlement_id);
  if (entitlement.state === 'active' || entitlement.state === 'waiting') {
    await revokeEntitlement(tx, entitlement.id, 'reversed', now);
  }
}
