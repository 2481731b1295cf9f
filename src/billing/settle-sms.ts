// Settles a forwarded SMS: a payment by its M-PESA code, for the one order it fits, else for a person to match.
import type { Db } from '../db/schema.ts';
import { newId } from '../lib/ids.ts';
import { formatMoney } from '../lib/money.ts';
import { normalizeMsisdn } from '../lib/msisdn.ts';
import type { Vault } from '../lib/secrets.ts';
import { type ConfirmationSms, parseConfirmationSms, phoneFits } from '../protocols/mpesa/index.ts';
import { closeEvidence, type Evidence } from './evidence.ts';
import { bookPayment } from './ledger.ts';
import { holdOrder, type Order } from './orders.ts';
import { payOrder } from './pay-order.ts';
import type { Settled } from './settle.ts';
import { readSmsSettings, type SmsSettings } from './sms-settings.ts';

/** The text names the minute, and a phone's clock may be ahead. */
const SLACK_MS = 120_000;

/**
 * Settles one SMS in the transaction that took its evidence. A second SMS, or any other evidence, with the same code
 * changes nothing more. What fits no order, or more than one wish, becomes an unmatched payment.
 */
export async function settleSms(
  tx: Db,
  vault: Vault,
  evidence: Evidence,
  now: number,
): Promise<Settled | undefined> {
  const sms = parseConfirmationSms(evidence.body);
  if (!sms) {
    await closeEvidence(tx, evidence.id, 'quarantined', 'It could not be read.', now);
    return undefined;
  }
  const known = await tx
    .selectFrom('payments')
    .select('id')
    .where('receipt', '=', sms.receipt)
    .executeTakeFirst();
  if (known) {
    await closeEvidence(tx, evidence.id, 'duplicate', 'This payment is known already.', now, known.id);
    return undefined;
  }
  const found = await findOrderFor(tx, sms, await readSmsSettings(tx), now);
  const order = found.order && (await holdOrder(tx, found.order.id));
  const fits = order && order.state !== 'paid' ? order : undefined;
  const why = fits ? null : (found.why ?? 'Its order was paid already.');
  const payment = await tx
    .insertInto('payments')
    .values({
      id: newId(now),
      gateway: 'mpesa',
      receipt: sms.receipt,
      checkout_request_id: null,
      order_id: fits?.id ?? null,
      subscriber_id: fits?.subscriber_id ?? null,
      plan_id: fits?.plan_id ?? null,
      entitlement_id: null,
      msisdn: fits?.msisdn ?? (sms.phone ? (normalizeMsisdn(sms.phone) ?? null) : null),
      payer: sms.phone ?? null,
      payer_name: sms.name ?? null,
      account_reference: sms.account ?? null,
      amount_cents: sms.amount_cents,
      state: fits ? 'settled' : 'unmatched',
      note: why,
      received_at: sms.at,
      created_at: now,
    })
    .onConflict((oc) => oc.column('receipt').doNothing())
    .returningAll()
    .executeTakeFirst();
  if (!payment) {
    await closeEvidence(tx, evidence.id, 'duplicate', 'This payment is known already.', now);
    return undefined;
  }
  await bookPayment(tx, payment.id, now);
  if (!fits) {
    await closeEvidence(tx, evidence.id, 'used', why as string, now, payment.id);
    return undefined;
  }
  const paid = await payOrder(tx, vault, fits, payment, '0', now);
  const said = `Paid ${formatMoney(sms.amount_cents)}, by SMS.`;
  await closeEvidence(tx, evidence.id, 'used', said, now, payment.id);
  return { order_id: fits.id, payment: paid, granted: true };
}

/** The one order this money can be for, or why there is none. */
async function findOrderFor(
  tx: Db,
  sms: ConfirmationSms,
  settings: SmsSettings,
  now: number,
): Promise<{ order?: Order; why?: string }> {
  const windowMs = settings.window_seconds * 1000;
  // By when it came, not by what the text says alone: an old SMS sent again must not find a new order.
  if (now - sms.at > windowMs + SLACK_MS) return { why: 'Its SMS is older than an order may wait.' };
  if (!sms.phone && !settings.without_phone) return { why: 'Its SMS names no phone.' };
  const waiting = await tx
    .selectFrom('orders')
    .selectAll()
    .where('state', 'in', ['pending', 'checking', 'failed'])
    .where('price_cents', '=', sms.amount_cents)
    .where('created_at', '>=', sms.at - windowMs)
    .where('created_at', '<=', sms.at + windowMs)
    .orderBy('id', 'desc')
    .limit(200)
    .execute();
  const fitting = sms.phone ? waiting.filter((order) => phoneFits(order.msisdn, sms.phone)) : waiting;
  const wishes = new Set(fitting.map((order) => `${order.msisdn}:${order.plan_id}:${order.mac ?? ''}`));
  const [order] = fitting;
  if (!order) return { why: `No order of ${formatMoney(sms.amount_cents)} waits for this phone.` };
  return wishes.size === 1 ? { order } : { why: 'It fits more than one order.' };
}
