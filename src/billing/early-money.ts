// Pays an order with money that came before anybody knew what it was for.
import { unindexed } from '../db/page.ts';
import type { Db } from '../db/schema.ts';
import type { Vault } from '../lib/secrets.ts';
import { readPayer } from '../protocols/mpesa/index.ts';
import { whyItWaits } from './fit.ts';
import { CLOCKS_DIFFER_MS } from './match-order.ts';
import { canBePayer } from './money.ts';
import { holdOrder, type Order } from './orders.ts';
import { payWith } from './pay-order.ts';
import type { Payment } from './payments.ts';
import { readSmsSettings } from './sms-settings.ts';
import { holdUnmatched } from './unmatched.ts';

/**
 * Unmatched money of this order's payer and price from around its time, held for this transaction. None where it can be of
 * several payers, or where another phone has given its code.
 */
export async function findEarlyMoney(tx: Db, order: Order, now: number): Promise<Payment | undefined> {
  const { window_seconds } = await readSmsSettings(tx);
  const from = order.created_at - window_seconds * 1000;
  const near = await moneyAround(tx, order.price_cents, from, now + CLOCKS_DIFFER_MS).execute();
  const fitting = near.filter(({ msisdn, payer }) =>
    canBePayer(readPayer(msisdn ?? payer ?? ''), order.msisdn),
  );
  const payers = new Set(fitting.map(({ msisdn, payer, payer_name }) => `${msisdn ?? payer}:${payer_name}`));
  if (payers.size !== 1) return undefined;
  for (const { id, claim_id, claimed_by } of fitting) {
    const held = claim_id === null || claimed_by === order.mac ? await holdUnmatched(tx, id) : undefined;
    if (held) return held;
  }
  return undefined;
}

/** The query of unmatched money of no order, with who has given its code; oldest first. */
export function moneyAround(tx: Db, amountCents: number, from: number, to: number) {
  return tx
    .selectFrom('payments as p')
    .leftJoin('claims as c', 'c.receipt', 'p.receipt')
    .selectAll('p')
    .select(['c.id as claim_id', 'c.mac as claimed_by'])
    .where('p.received_at', '>=', from)
    .where('p.received_at', '<=', to)
    .where(unindexed('p.state'), '=', 'unmatched')
    .where('p.amount_cents', '=', amountCents)
    .where('p.gateway', '=', 'mpesa')
    .where(unindexed('p.order_id'), 'is', null)
    .orderBy('p.received_at');
}

/**
 * A guest who paid by hand before they ordered is not asked again: the payment that their order is paid with, once;
 * undefined when there is none.
 */
export async function payWithEarlyMoney(
  db: Db,
  vault: Vault,
  orderId: string,
  now: number,
): Promise<Payment | undefined> {
  return db.transaction().execute(async (tx) => {
    const order = await holdOrder(tx, orderId);
    if (order.state === 'paid' || (await whyItWaits(tx, order, order.price_cents))) return undefined;
    const money = await findEarlyMoney(tx, order, now);
    return money && payWith(tx, vault, order, money, now);
  });
}
