// Gives a credential the plan that a payment without an order pays for.
import type { Credential } from '../access/credentials.ts';
import { type Entitlement, grantEntitlement } from '../access/entitlements.ts';
import type { Plan } from '../access/plans.ts';
import { getSubscriber } from '../access/subscribers.ts';
import type { Db } from '../db/schema.ts';
import { enqueueTask } from '../db/tasks.ts';
import { queueMessage } from '../messaging/outbox.ts';
import { readBusiness } from '../operators/business.ts';
import type { Payment } from './payments.ts';

const TEXTS = {
  en: (business: string, plan: string, code: string) =>
    `${business}: you have paid for “${plan}”. Join the WiFi; if you are not online by yourself, use the code ${code}.`,
  sw: (business: string, plan: string, code: string) =>
    `${business}: umelipia “${plan}”. Jiunge na WiFi; usipoingia mtandaoni moja kwa moja, tumia kodi ${code}.`,
};

/**
 * Grants, has live sessions follow, and tells the payer the code that opens it: the M-PESA code itself. Call it in the
 * transaction that settles the payment. A PPPoE home needs no code.
 */
export async function grantPayment(
  tx: Db,
  payment: Pick<Payment, 'id' | 'receipt' | 'msisdn' | 'order_id'>,
  to: { subscriber_id: string; credential: Credential; plan: Plan },
  now: number,
): Promise<Entitlement> {
  const { credential, plan, subscriber_id } = to;
  const entitlement = await grantEntitlement(
    tx,
    {
      subscriber_id,
      credential_id: credential.id,
      plan,
      source: 'payment',
      payment_id: payment.id,
      order_id: payment.order_id,
    },
    now,
  );
  await enqueueTask(tx, 'enforce', { credential_id: credential.id, reason: 'paid' }, now);
  const recipient = payment.msisdn ?? (await getSubscriber(tx, subscriber_id)).msisdn;
  if (recipient && payment.receipt && credential.kind !== 'pppoe') {
    const business = await readBusiness(tx);
    const body = TEXTS[business.default_language](business.name, plan.name, payment.receipt);
    await queueMessage(tx, { recipient, subscriber_id, body }, now);
  }
  return entitlement;
}
