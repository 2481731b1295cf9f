// Plans: what is sold, at what price, with which terms.
import { sql } from 'kysely';
import type { Page, PageRequest } from '../db/page.ts';
import { readPage } from '../db/page.ts';
import type { Db, FinerTerms, Row, Terms } from '../db/schema.ts';
import { holdRow } from '../db/several-nodes.ts';
import { statement } from '../db/statement.ts';
import { AppError } from '../errors.ts';
import { newId } from '../lib/ids.ts';
import { checkTerms, NO_FINER_TERMS } from './terms.ts';

export type Plan = Row<'plans'>;

/** The kind of plan that a credential can use: homes on PPPoE have plans of their own. */
export function kindFor(credential: Pick<Row<'credentials'>, 'kind'>): Plan['kind'] {
  return credential.kind === 'pppoe' ? 'pppoe' : 'hotspot';
}

/** @throws `conflict` for a plan of the kind that this credential cannot use. Call it before anything is granted. */
export function checkFits(
  plan: Pick<Plan, 'kind' | 'name'>,
  credential: Pick<Row<'credentials'>, 'kind' | 'username'>,
): void {
  if (plan.kind === kindFor(credential)) return;
  const [whom, whose, hint] =
    plan.kind === 'pppoe'
      ? ['homes on PPPoE', 'a hotspot login', 'Choose a hotspot plan, or a PPPoE credential.']
      : ['hotspot guests', 'a home on PPPoE', 'Choose a plan for PPPoE homes, or a hotspot credential.'];
  throw new AppError(
    'conflict',
    `“${plan.name}” is a plan for ${whom}, and ${credential.username} is ${whose}.`,
    { hint, fields: { plan_id: `This plan is for ${whom}.` } },
  );
}

/** The finer terms may be left out: then the plan has none of them. */
export interface PlanInput extends Omit<Terms, keyof FinerTerms>, Partial<FinerTerms> {
  name: string;
  description: string;
  kind: Plan['kind'];
  price_cents: number;
  state: Plan['state'];
  position: number;
}

/** Throws `invalid` for terms that contradict each other. */
export async function createPlan(db: Db, input: PlanInput, now: number): Promise<Plan> {
  const plan = { ...NO_FINER_TERMS, ...input };
  checkTerms(plan);
  return db
    .insertInto('plans')
    .values({ id: newId(now), ...plan, sold: 0, created_at: now, updated_at: now })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Whom a plan is for stands once somebody has it, or a voucher that opens it. */
async function checkKind(db: Db, id: string, kind: Plan['kind']): Promise<void> {
  const plan = await getPlan(db, id);
  if (plan.kind === kind) return;
  const batch = await db
    .selectFrom('voucher_batches')
    .select('id')
    .where('plan_id', '=', id)
    .limit(1)
    .executeTakeFirst();
  if (plan.sold === 0 && !batch) return;
  throw new AppError('conflict', `“${plan.name}” has been sold, so it stays for whom it is.`, {
    hint: 'Make another plan, and archive this one.',
    fields: { kind: 'It has been sold.' },
  });
}

/**
 * Changes what is sold from now on; entitlements already granted keep their own copy of the terms (followPlan gives
 * them the speeds). Throws `invalid` for terms that contradict each other, `conflict` for another kind of a plan that
 * was sold; call it in a transaction, which then undoes the change.
 */
export async function updatePlan(db: Db, id: string, change: Partial<PlanInput>, now: number): Promise<Plan> {
  if (change.kind) await checkKind(db, id, change.kind);
  const plan = await db
    .updateTable('plans')
    .set({ ...change, updated_at: now })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();
  if (!plan) throw noSuchPlan();
  checkTerms(plan);
  return plan;
}

const planById = statement(sql<Plan>`select * from plans where id = ${''}`);

export async function findPlan(db: Db, id: string): Promise<Plan | undefined> {
  return (await planById(db, [id]))[0];
}

export async function getPlan(db: Db, id: string): Promise<Plan> {
  const plan = await findPlan(db, id);
  if (!plan) throw noSuchPlan();
  return plan;
}

/** A plan that nobody else changes until the transaction ends: what follows from a change is reckoned from how it was. */
export async function holdPlan(tx: Db, id: string): Promise<Plan> {
  await holdRow(tx, 'plans', id);
  return getPlan(tx, id);
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
