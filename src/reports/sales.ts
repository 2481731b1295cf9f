// The sales of a span of days: by day or month, and by plan.
import { sql } from 'kysely';
import type { Db } from '../db/schema.ts';
import { DAY_MS, dayOf, EAT_OFFSET_MS } from '../lib/days.ts';
import { csvLine } from './csv.ts';

/** Money that came (reversed payments aside) and vouchers that were redeemed. */
export interface Sales {
  sales_cents: number;
  payments: number;
  vouchers_redeemed: number;
}

export interface SalesRequest {
  /** Instants at which the first day begins and the last one ends in Nairobi. */
  from: number;
  to: number;
  by: 'day' | 'month';
}

export interface SalesReport {
  total: Sales;
  /** Every day (`2026-11-21`) or month (`2026-11`) of the span, oldest first, those without sales too. */
  periods: (Sales & { period: string })[];
  /** Those that sold, the best first; `plan_id` is null for payments that belong to no plan. */
  plans: (Sales & { plan_id: string | null; plan_name: string | null })[];
}

interface Cell extends Sales {
  day: number;
  plan_id: string | null;
}

const NOTHING: Sales = { sales_cents: 0, payments: 0, vouchers_redeemed: 0 };

function add(to: Sales, more: Sales): void {
  to.sales_cents += more.sales_cents;
  to.payments += more.payments;
  to.vouchers_redeemed += more.vouchers_redeemed;
}

/** Days since the epoch as Nairobi counts them; whole numbers are divided whole in both databases. */
function dayNumber(column: string) {
  return sql<number>`(${sql.ref(column)} + ${sql.lit(EAT_OFFSET_MS)}) / ${sql.lit(DAY_MS)}`;
}

function dayOfNumber(day: number): string {
  return dayOf(day * DAY_MS - EAT_OFFSET_MS);
}

/** One pass over the payments of the span and one over the vouchers redeemed in it. */
async function readCells(db: Db, { from, to }: SalesRequest): Promise<Cell[]> {
  const payments = await db
    .selectFrom('payments')
    .select((eb) => [
      dayNumber('received_at').as('day'),
      'plan_id',
      eb.fn.sum<number>('amount_cents').as('sales_cents'),
      eb.fn.countAll<number>().as('payments'),
    ])
    .where('received_at', '>=', from)
    .where('received_at', '<', to)
    .where('state', '<>', 'reversed')
    .groupBy(['day', 'plan_id'])
    .execute();
  const redeemed = await db
    .selectFrom('vouchers')
    .select((eb) => [
      dayNumber('redeemed_at').as('day'),
      'plan_id',
      eb.fn.countAll<number>().as('vouchers_redeemed'),
    ])
    .where('redeemed_at', '>=', from)
    .where('redeemed_at', '<', to)
    .groupBy(['day', 'plan_id'])
    .execute();
  return [
    ...payments.map((row) => ({
      ...NOTHING,
      day: Number(row.day),
      plan_id: row.plan_id,
      sales_cents: Number(row.sales_cents),
      payments: Number(row.payments),
    })),
    ...redeemed.map((row) => ({
      ...NOTHING,
      day: Number(row.day),
      plan_id: row.plan_id,
      vouchers_redeemed: Number(row.vouchers_redeemed),
    })),
  ];
}

/** Reads a year in one go: heavy work, for the worker. */
export async function readSales(db: Db, request: SalesRequest): Promise<SalesReport> {
  const cells = await readCells(db, request);
  const names = new Map(
    (await db.selectFrom('plans').select(['id', 'name']).execute()).map((p) => [p.id, p.name]),
  );
  const total = { ...NOTHING };
  const periods = new Map<string, Sales>();
  const plans = new Map<string | null, Sales>();
  const periodOf = (day: string) => (request.by === 'day' ? day : day.slice(0, 7));
  for (let at = request.from; at < request.to; at += DAY_MS) periods.set(periodOf(dayOf(at)), { ...NOTHING });
  for (const cell of cells) {
    add(total, cell);
    add(periods.get(periodOf(dayOfNumber(cell.day))) as Sales, cell);
    const plan = plans.get(cell.plan_id) ?? { ...NOTHING };
    add(plan, cell);
    plans.set(cell.plan_id, plan);
  }
  return {
    total,
    periods: [...periods].map(([period, sales]) => ({ period, ...sales })),
    plans: [...plans]
      .map(([plan_id, sales]) => ({ plan_id, plan_name: (plan_id && names.get(plan_id)) ?? null, ...sales }))
      .sort((a, b) => b.sales_cents - a.sales_cents || b.vouchers_redeemed - a.vouchers_redeemed),
  };
}

/** The periods as CSV, amounts in shillings. */
export function salesCsv({ periods }: SalesReport): string {
  const lines = periods.map((p) => csvLine([p.period, p.sales_cents / 100, p.payments, p.vouchers_redeemed]));
  return ['period,sales_kes,payments,vouchers_redeemed\r\n', ...lines].join('');
}
