// Finds the order that money is for where the money does not name it.
import { unindexed } from '../db/page.ts';
import type { Db } from '../db/schema.ts';
import { canBePayer, type Money } from './money.ts';
import { holdOrder, type Order } from './orders.ts';
import type { Payment } from './payments.ts';
import { readSmsSettings } from './sms-settings.ts';

/** How far an order and its money may lie apart where nothing names the order. */
const ORDER_WINDOW_MS = 15 * 60_000;
/** M-PESA's clock and ours may differ by so much, and an SMS names only the minute. */
export const CLOCKS_DIFFER_MS = 2 * 60_000;

export type Sum = Money & { amount_cents: number };

/** The one order, or why there is none; `late` for an SMS that came when no order may wait for it any more. */
export interface FoundOrder {
  order?: Order;
  why?: string;
  late?: boolean;
}

/**
 * The order of this payer, or of the number typed as the account, for that amount at that time. One whose receipt is
 * still to come has the money for sure and goes first (payments.md §5, 13); otherwise one that is not paid.
 */
export async function findOrderFor(
  tx: Db,
  money: Sum,
  wish: { msisdn?: string | undefined; plan_id?: string | undefined },
  now: number,
): Promise<FoundOrder> {
  const sms = money.by_sms ? await readSmsSettings(tx) : undefined;
  const windowMs = sms ? sms.window_seconds * 1000 : ORDER_WINDOW_MS;
  const at = money.at ?? now;
  const named = wish.msisdn ?? money.msisdn ?? money.msisdn_sha256 ?? money.msisdn_masked;
  const anyone = named === undefined && sms?.without_phone === true;
  const fits = ({ msisdn, plan_id }: Order) =>
    (wish.msisdn ? wish.msisdn === msisdn : anyone || canBePayer(money, msisdn)) &&
    (wish.plan_id === undefined || wish.plan_id === plan_id);
  const near = (await ordersAt(tx, money.amount_cents, at - windowMs, at + windowMs).execute()).filter(fits);
  const pending = near.filter(
    ({ pending_id, created_at }) => pending_id && created_at <= at + CLOCKS_DIFFER_MS,
  );
  const open = near.filter(({ state }) => state !== 'paid');
  // By when it came, not by what the text says alone: an old SMS sent again must not find a new order.
  const late = sms !== undefined && now - at > windowMs + CLOCKS_DIFFER_MS;
  const fitting = late ? pending : [...pending, ...open];
  const phones = new Set(fitting.map(({ msisdn }) => msisdn));
  // An SMS may be of a line that everybody pays to: of two wishes of one phone it could be either.
  const wishes = new Set(open.map(({ plan_id, mac }) => `${plan_id}:${mac ?? ''}`));
  const clear = phones.size === 1 && (pending.length > 0 || !sms || wishes.size === 1);
  const order = pending.at(0) ?? fitting.at(-1);
  if (order && clear) return { order: await holdOrder(tx, order.id) };
  if (order) return { why: 'It fits more than one order.' };
  if (late) return { why: 'Its SMS is older than an order may wait.', late };
  return sms && named === undefined && !anyone ? { why: 'Its SMS names no phone.' } : {};
}

/** The query of orders of a price that wait for money, or for the receipt of the money they had; oldest first. */
export function ordersAt(tx: Db, priceCents: number, from: number, to: number) {
  return tx
    .selectFrom('orders as o')
    .leftJoin('payments as p', (join) =>
      join
        .onRef('p.order_id', '=', 'o.id')
        .onRef('p.amount_cents', '=', 'o.price_cents')
        .on(unindexed('p.receipt'), 'is', null),
    )
    .selectAll('o')
    .select('p.id as pending_id')
    .where('o.price_cents', '=', priceCents)
    .where('o.created_at', '>=', from)
    .where('o.created_at', '<=', to)
    .where((eb) => eb.or([eb('o.state', '<>', 'paid'), eb('p.id', 'is not', null)]))
    .orderBy('o.created_at');
}

/** The payment of an order that only a query has told of: its receipt is still to come (payments.md §5, 13). */
export async function pendingReceipt(
  tx: Db,
  orderId: string,
  amountCents: number,
): Promise<Payment | undefined> {
  return (
    tx
      .selectFrom('payments')
      .selectAll()
      .where('order_id', '=', orderId)
      // Cash has no receipt either: the order leads to fewer.
      .where(unindexed('receipt'), 'is', null)
      .where('amount_cents', '=', amountCents)
      .executeTakeFirst()
  );
}
