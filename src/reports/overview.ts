// The overview: what an owner asks first thing in the morning.
import { countOpenSessions } from '../access/sessions.ts';
import { countRedeemed } from '../access/vouchers.ts';
import { unindexed } from '../db/page.ts';
import type { Db } from '../db/schema.ts';
import { DAY_MS, dayOf, startOfDay } from '../lib/days.ts';

interface Sales {
  sales_cents: number;
  payments: number;
}

export interface DaySales extends Sales {
  day: string;
  vouchers_redeemed: number;
}

export interface Overview {
  today: DaySales;
  yesterday: DaySales;
  /** Yesterday up to the same time of day: what today can be held against. */
  yesterday_by_now: Sales;
  online_now: number;
  routers: { online: number; total: number };
  unmatched: { count: number; amount_cents: number };
  checking: { count: number };
  /** Seven days, oldest first, today last. */
  week: DaySales[];
  top_plans: { plan_id: string; plan_name: string; sales_cents: number; payments: number }[];
}

async function salesOf(db: Db, from: number, to: number): Promise<Sales> {
  const row = await db
    .selectFrom('payments')
    .select((eb) => [
      eb.fn.sum<number>('amount_cents').as('sales_cents'),
      eb.fn.countAll<number>().as('payments'),
    ])
    .where('received_at', '>=', from)
    .where('received_at', '<', to)
    .where('state', '<>', 'reversed')
    .executeTakeFirstOrThrow();
  return { sales_cents: Number(row.sales_cents ?? 0), payments: Number(row.payments) };
}

async function salesByDay(db: Db, now: number): Promise<DaySales[]> {
  const today = startOfDay(now);
  const days: DaySales[] = [];
  for (let ago = 6; ago >= 0; ago--) {
    const from = today - ago * DAY_MS;
    days.push({
      day: dayOf(from),
      ...(await salesOf(db, from, from + DAY_MS)),
      vouchers_redeemed: await countRedeemed(db, from, from + DAY_MS),
    });
  }
  return days;
}

/** Sales since Nairobi's midnight; used for the live figure. */
export async function salesToday(db: Db, now: number): Promise<number> {
  return (await salesOf(db, startOfDay(now), now + DAY_MS)).sales_cents;
}

async function topPlans(db: Db, from: number): Promise<Overview['top_plans']> {
  const rows = await db
    .selectFrom('payments as m')
    .innerJoin('plans as p', 'p.id', 'm.plan_id')
    .select((eb) => [
      'p.id as plan_id',
      'p.name as plan_name',
      eb.fn.sum<number>('m.amount_cents').as('sales_cents'),
      eb.fn.countAll<number>().as('payments'),
    ])
    .where('m.received_at', '>=', from)
    .where(unindexed('m.state'), '=', 'settled')
    .groupBy(['p.id', 'p.name'])
    .orderBy('sales_cents', 'desc')
    .limit(5)
    .execute();
  return rows.map((row) => ({
    ...row,
    sales_cents: Number(row.sales_cents),
    payments: Number(row.payments),
  }));
}

/** Every part reads an index range that does not grow with the years: a week, the open sessions, the open questions. */
export async function readOverview(db: Db, now: number): Promise<Overview> {
  const week = await salesByDay(db, now);
  const routers = await db.selectFrom('routers').select('state').execute();
  const unmatched = await db
    .selectFrom('payments')
    .select((eb) => [
      eb.fn.countAll<number>().as('count'),
      eb.fn.sum<number>('amount_cents').as('amount_cents'),
    ])
    .where('state', '=', 'unmatched')
    .executeTakeFirstOrThrow();
  const checking = await db
    .selectFrom('orders')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('state', '=', 'checking')
    .executeTakeFirstOrThrow();
  return {
    today: week[6] as DaySales,
    yesterday: week[5] as DaySales,
    yesterday_by_now: await salesOf(db, startOfDay(now) - DAY_MS, now - DAY_MS),
    online_now: await countOpenSessions(db),
    routers: { online: routers.filter((router) => router.state === 'online').length, total: routers.length },
    unmatched: { count: Number(unmatched.count), amount_cents: Number(unmatched.amount_cents ?? 0) },
    checking: { count: Number(checking.count) },
    week,
    top_plans: await topPlans(db, startOfDay(now) - 6 * DAY_MS),
  };
}
