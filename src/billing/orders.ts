// Orders: the wish to buy one plan, written down before the payer is asked.
import { sql } from 'kysely';
import { getPlan, type Plan } from '../access/plans.ts';
import { subscriberForMsisdn } from '../access/subscribers.ts';
import type { Page, PageRequest } from '../db/page.ts';
import { readPage, unindexed } from '../db/page.ts';
import type { Db, Row } from '../db/schema.ts';
import { heldStatement, statement } from '../db/statement.ts';
import { AppError } from '../errors.ts';
import { normalizeCode, randomCode } from '../lib/codes.ts';
import { newId } from '../lib/ids.ts';
import { isWholeShillings } from '../lib/money.ts';
import { hashToken, newToken } from '../lib/secrets.ts';
import type { PaymentGateway, PaymentQueryOutcome } from './gateways.ts';

export type Order = Row<'orders'>;

/**
 * How long a second tap joins an order without an answer. Longer than a prompt lives on a handset (about 60 s, some
 * phones up to 3 minutes) and than the two minutes in which M-PESA refuses the same amount again (payments.md §1.4, §1.7).
 */
export const LIVE_MS = 180_000;
/** An order whose request got no identifiers cannot be asked about: after this only new evidence changes it. */
export const UNANSWERED_MS = 600_000;
/** When to ask M-PESA, in ms after the order was sent; hourly afterwards, until GIVE_UP_MS (payments.md §1.7). */
const POLL_AT_MS = [
  10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 105, 120, 180, 240, 300, 600, 900, 1800,
  3600,
].map((seconds) => seconds * 1000);
/** 29^7 = 1.7·10^10 codes: two alike are a wonder, and the second order is then refused once. */
export const SHORT_CODE_LENGTH = 7;
const HOUR_MS = 3600_000;
const GIVE_UP_MS = 48 * HOUR_MS;

export interface OrderInput {
  plan_id: string;
  msisdn: string;
  mac: string | null;
  ip: string | null;
  router_id: string | null;
  idempotency_key: string | null;
  /** The operator tries a sale: the plan may be hidden. */
  rehearsal?: boolean;
}

export interface StartedOrder {
  order: Order;
  plan: Plan;
  /** The secret in the callback's address; only for a new order, since only its hash is kept. */
  token: string | undefined;
}

/**
 * Writes down an order. While one for the same number, plan and device is alive, or one with the same idempotency key exists,
 * that one comes back without a token: nobody is asked twice.
 * @throws `not_found` for an unknown plan, `conflict` for one that is not on sale or has no price M-PESA can move, or
 * for the idempotency key of an order for another number, plan or device.
 */
export async function startOrder(db: Db, input: OrderInput, now: number): Promise<StartedOrder> {
  const plan = await getPlan(db, input.plan_id);
  const forSale = plan.state === 'on_sale' || (input.rehearsal === true && plan.state === 'hidden');
  if (!forSale || plan.kind !== 'hotspot') {
    throw new AppError('conflict', `“${plan.name}” is not on sale.`, { hint: 'Choose another plan.' });
  }
  if (!isWholeShillings(plan.price_cents) || plan.price_cents < 100) {
    throw new AppError('conflict', `“${plan.name}” has no price that M-PESA can charge.`, {
      hint: 'The price must be whole shillings, at least KES 1.',
    });
  }
  const token = newToken();
  // With the device: another phone that names the same number must not be handed this one’s access.
  const shortCode = randomCode(SHORT_CODE_LENGTH);
  const liveKey = `${input.msisdn}:${plan.id}:${input.mac ?? ''}`;
  return db.transaction().execute(async (tx) => {
    const subscriber = await subscriberForMsisdn(tx, input.msisdn, now);
    const order = await tx
      .insertInto('orders')
      .values({
        id: newId(now),
        plan_id: plan.id,
        subscriber_id: subscriber.id,
        credential_id: null,
        entitlement_id: null,
        router_id: input.router_id,
        msisdn: input.msisdn,
        mac: input.mac,
        ip: input.ip,
        price_cents: plan.price_cents,
        state: 'pending',
        live_key: liveKey,
        idempotency_key: input.idempotency_key,
        gateway: 'mpesa',
        callback_token_hash: hashToken(token),
        short_code: shortCode,
        merchant_request_id: null,
        checkout_request_id: null,
        result_code: null,
        problem: null,
        polls: 0,
        next_poll_at: now + LIVE_MS,
        created_at: now,
        sent_at: null,
        paid_at: null,
        updated_at: now,
      })
      .onConflict((oc) => oc.doNothing())
      .returningAll()
      .executeTakeFirst();
    if (order) return { order, plan, token };
    const joined = await tx
      .selectFrom('orders')
      .selectAll()
      .where((eb) =>
        eb.or([
          eb('live_key', '=', liveKey),
          ...(input.idempotency_key ? [eb('idempotency_key', '=', input.idempotency_key)] : []),
        ]),
      )
      // Whoever repeats or guesses another guest's key must not be handed that guest's access.
      .where('msisdn', '=', input.msisdn)
      .where('plan_id', '=', plan.id)
      .where('mac', input.mac === null ? 'is' : '=', input.mac)
      .orderBy('id', 'desc')
      .executeTakeFirst();
    if (!joined) throw new AppError('conflict', 'This Idempotency-Key belongs to another order.');
    return { order: joined, plan, token: undefined };
  });
}

/**
 * What the payer reads beside the amount, letters and digits only, at most 12 (payments.md §1.3): the beginning of the
 * plan's name and the order's short code, by which its money is known wherever M-PESA names the account.
 */
function accountReference(plan: Plan, order: Order): string {
  const name = plan.name.replace(/[^A-Za-z0-9]/g, '').slice(0, 12 - SHORT_CODE_LENGTH);
  return `${name}${order.short_code ?? ''}` || 'INTERNET';
}

/**
 * Has the payer asked, once, and records what came of it. A callback may have settled the order meanwhile: only what
 * is still missing is filled in.
 */
export async function sendOrder(
  db: Db,
  gateway: PaymentGateway,
  started: { order: Order; plan: Plan; token: string },
  callbackBaseUrl: string,
  now: () => number,
): Promise<Order> {
  const { order, plan, token } = started;
  const result = await gateway.requestPayment({
    amount_cents: order.price_cents,
    msisdn: order.msisdn,
    account_reference: accountReference(plan, order),
    description: 'Internet',
    callback_url: `${callbackBaseUrl}/cb/${order.gateway}/${token}`,
  });
  const at = now();
  if (result.outcome === 'accepted') {
    await db
      .updateTable('orders')
      .set((eb) => ({
        merchant_request_id: eb.fn.coalesce('merchant_request_id', eb.val(result.merchant_request_id)),
        checkout_request_id: eb.fn.coalesce('checkout_request_id', eb.val(result.checkout_request_id)),
        sent_at: at,
        next_poll_at: eb
          .case()
          .when('state', '=', 'pending')
          .then(at + (POLL_AT_MS[0] as number))
          .else(eb.ref('next_poll_at'))
          .end(),
        updated_at: at,
      }))
      .where('id', '=', order.id)
      .execute();
  } else {
    await db
      .updateTable('orders')
      .set(
        result.outcome === 'refused'
          ? {
              state: 'failed',
              result_code: `refused:${result.reason}`,
              problem: result.problem,
              live_key: null,
              next_poll_at: null,
              updated_at: at,
            }
          : { state: 'checking', problem: result.problem, updated_at: at },
      )
      .where('id', '=', order.id)
      .where('state', '=', 'pending')
      .execute();
  }
  return getOrder(db, order.id);
}

/** The guest pays by hand and an SMS tells of it: nobody is asked, and the order waits for as long as its SMS may take. */
export async function awaitSms(db: Db, id: string, untilAt: number): Promise<Order> {
  return db
    .updateTable('orders')
    .set({ gateway: 'sms', next_poll_at: untilAt })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** When an order sent at `sentAt` is asked about next, strictly after `now`; null once it is given up. */
export function nextPollAt(sentAt: number, now: number): number | null {
  const age = now - sentAt;
  if (age >= GIVE_UP_MS) return null;
  const offset = POLL_AT_MS.find((at) => at > age);
  return offset === undefined ? sentAt + (Math.floor(age / HOUR_MS) + 1) * HOUR_MS : sentAt + offset;
}

/**
 * Takes orders that are due to be asked about; each is claimed by moving its next time on. One that a callback called
 * failed is asked about until M-PESA says, no longer than its prompt can live.
 */
export async function claimOrdersToPoll(db: Db, now: number, limit = 50): Promise<Order[]> {
  const due = await db
    .selectFrom('orders')
    .select(['id', 'state', 'next_poll_at', 'sent_at', 'created_at'])
    .where('next_poll_at', '<=', now)
    .orderBy('next_poll_at')
    .limit(limit)
    .execute();
  const claimed: Order[] = [];
  for (const order of due) {
    const sentAt = order.sent_at ?? order.created_at;
    const last = order.state === 'failed' && now - sentAt >= LIVE_MS;
    const row = await db
      .updateTable('orders')
      .set((eb) => ({
        polls: eb('polls', '+', 1),
        next_poll_at: last ? null : nextPollAt(sentAt, now),
      }))
      .where('id', '=', order.id)
      .where('next_poll_at', '=', order.next_poll_at)
      .where('state', '<>', 'paid')
      .returningAll()
      .executeTakeFirst();
    if (row) claimed.push(row);
  }
  return claimed;
}

/**
 * Lets time do to an undecided order what it must: after LIVE_MS it is no longer `pending` and the guest may order
 * again; one that M-PESA never gave an identifier for fails after UNANSWERED_MS. Money that comes later still wins.
 */
export async function ageOrder(db: Db, order: Order, now: number): Promise<void> {
  const age = now - order.created_at;
  if (age < LIVE_MS) return;
  const lost = order.checkout_request_id === null && age >= UNANSWERED_MS;
  const change = lost
    ? { state: 'failed' as const, result_code: 'unanswered', next_poll_at: null }
    : { state: 'checking' as const };
  await db
    .updateTable('orders')
    .set({ ...change, live_key: null, updated_at: now })
    .where('id', '=', order.id)
    .where('state', 'in', ['pending', 'checking'])
    .execute();
}

/**
 * The clock was wrong by `byMs` from `since` on, as it was counted: orders made meanwhile are as old as they were, and
 * every undecided one is asked about now.
 */
export async function moveOrders(tx: Db, since: number, byMs: number, now: number): Promise<void> {
  await tx
    .updateTable('orders')
    .set((eb) => ({ created_at: eb('created_at', '+', byMs), sent_at: eb('sent_at', '+', byMs) }))
    .where('state', 'in', ['pending', 'checking'])
    .where('created_at', '>=', since)
    .execute();
  await tx
    .updateTable('orders')
    .set({ next_poll_at: now })
    .where('state', 'in', ['pending', 'checking'])
    .where('next_poll_at', 'is not', null)
    .execute();
}

/** The order that an account reference names by its short code, behind whatever stands before it. */
export async function findOrderByAccount(db: Db, reference: string): Promise<Order | undefined> {
  const code = normalizeCode(reference).slice(-SHORT_CODE_LENGTH);
  if (code.length < SHORT_CODE_LENGTH) return undefined;
  return db.selectFrom('orders').selectAll().where('short_code', '=', code).executeTakeFirst();
}

/** Asks the gateway about an order now; undecided answers are only noted. */
export async function askAboutOrder(
  db: Db,
  gateway: PaymentGateway,
  order: Order,
  now: number,
): Promise<PaymentQueryOutcome> {
  if (!order.checkout_request_id)
    return { outcome: 'undecided', problem: 'M-PESA gave no identifier to ask about' };
  const answer = await gateway.queryPayment(order.checkout_request_id);
  if (answer.outcome === 'undecided') {
    await db
      .updateTable('orders')
      .set({ problem: answer.problem.slice(0, 300), updated_at: now })
      .where('id', '=', order.id)
      .where('state', 'in', ['pending', 'checking'])
      .execute();
  }
  return answer;
}

const orderById = statement(sql<Order>`select * from orders where id = ${''}`);
const heldOrder = heldStatement(sql<Order>`select * from orders where id = ${''}`);
const orderByToken = statement(sql<Order>`select * from orders where callback_token_hash = ${''}`);

export async function findOrder(db: Db, id: string): Promise<Order | undefined> {
  return (await orderById(db, [id]))[0];
}

export async function getOrder(db: Db, id: string): Promise<Order> {
  const order = await findOrder(db, id);
  if (!order) throw noSuchOrder();
  return order;
}

function noSuchOrder(): AppError {
  return new AppError('not_found', 'There is no such order.');
}

/** An order that stays as it is until the transaction ends: two messages about one order take turns. */
export async function holdOrder(tx: Db, id: string): Promise<Order> {
  const [order] = await heldOrder(tx, [id]);
  if (!order) throw noSuchOrder();
  return order;
}

/** The order whose callback address holds this token. */
export async function findOrderByToken(db: Db, token: string): Promise<Order | undefined> {
  return (await orderByToken(db, [hashToken(token)]))[0];
}

export interface OrderView extends Order {
  plan_name: string;
}

function viewQuery(db: Db) {
  return db
    .selectFrom('orders as o')
    .innerJoin('plans as p', 'p.id', 'o.plan_id')
    .selectAll('o')
    .select('p.name as plan_name');
}

export async function getOrderView(db: Db, id: string): Promise<OrderView> {
  const order = await viewQuery(db).where('o.id', '=', id).executeTakeFirst();
  if (!order) throw noSuchOrder();
  return order;
}

export interface OrderFilter {
  state?: Order['state'] | undefined;
  msisdn?: string | undefined;
  subscriber_id?: string | undefined;
}

export async function listOrders(
  db: Db,
  page: PageRequest,
  filter: OrderFilter = {},
): Promise<Page<OrderView>> {
  let query = viewQuery(db);
  const narrow = filter.msisdn ?? filter.subscriber_id;
  if (filter.state) query = query.where(narrow ? unindexed('o.state') : 'o.state', '=', filter.state);
  if (filter.msisdn) query = query.where('o.msisdn', '=', filter.msisdn);
  if (filter.subscriber_id) query = query.where('o.subscriber_id', '=', filter.subscriber_id);
  return readPage(query, 'o.id', page);
}
