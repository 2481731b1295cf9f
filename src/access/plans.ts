// Plans: what is sold, at what price, with which terms.
import type { Page, PageRequest } from '../db/page.ts';
import { readPage } from '../db/page.ts';
import type { Db, Row, Terms } from '../db/schema.ts';
import { AppError } from '../errors.ts';
import { newId } from '../lib/ids.ts';

export type Plan = Row<'plans'>;

export interface PlanInput extends Terms {
  name: string;
  description: string;
  kind: Plan['kind'];
  price_cents: number;
  state: Plan['state'];
  position: number;
}

export async function createPlan(db: Db, input: PlanInput, now: number): Promise<Plan> {
  return db
    .insertInto('plans')
    .values({ id: newId(now), ...input, sold: 0, created_at: now, updated_at: now })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Changes what is sold from now on; entitlements already granted keep their own copy of the terms. */
export async function updatePlan(db: Db, id: string, change: Partial<PlanInput>, now: number): Promise<Plan> {
  const plan = await db
    .updateTable('plans')
    .set({ ...change, updated_at: now })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();
  if (!plan) throw noSuchPlan();
  return plan;
}

export async function findPlan(db: Db, id: string): Promise<Plan | undefined> {
  return db.selectFrom('plans').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function getPlan(db: Db, id: string): Promise<Plan> {
  const plan = await findPlan(db, id);
  if (!plan) throw noSuchPlan();
  return plan;
}

function noSuchPlan(): AppError {
  return new AppError('not_found', 'There is no such plan.', { hint: 'Choose one from the list of plans.' });
}

export async function listPlans(db: Db, page: PageRequest, state?: Plan['state']): Promise<Page<Plan>> {
  let query = db.selectFrom('plans').selectAll();
  if (state) query = query.where('state', '=', state);
  return readPage(query, 'plans.id', page);
}

/** The plans a guest can buy, in the operator's order, cheapest first among equals. */
export async function listPlansOnSale(db: Db): Promise<Plan[]> {
  return db
    .selectFrom('plans')
    .selectAll()
    .where('state', '=', 'on_sale')
    .where('kind', '=', 'hotspot')
    .orderBy('position')
    .orderBy('price_cents')
    .orderBy('id')
    .limit(100)
    .execute();
}

/** The terms alone: what an entitlement copies from its plan. */
export function termsOf(plan: Terms): Terms {
  return {
    validity_seconds: plan.validity_seconds,
    online_seconds: plan.online_seconds,
    quota_octets: plan.quota_octets,
    rate_down_kbps: plan.rate_down_kbps,
    rate_up_kbps: plan.rate_up_kbps,
    max_devices: plan.max_devices,
  };
}
