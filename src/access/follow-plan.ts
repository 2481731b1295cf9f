// Lets what is sold already follow a plan's speeds when they change.
import { unindexed } from '../db/page.ts';
import type { Db } from '../db/schema.ts';
import { enqueueTask, type TaskPayloads } from '../db/tasks.ts';
import type { Plan } from './plans.ts';
import { SPEED_NAMES } from './terms.ts';

/** Longer than a Start takes to be written down, and than the clocks of two nodes may differ. */
const LATE_MS = 10_000;

/**
 * Gives entitlements that run or wait the speeds of their changed plan, and has live sessions told. Call it in the
 * transaction that changes the plan.
 */
export async function followPlan(tx: Db, before: Plan, after: Plan, now: number): Promise<void> {
  const changed = SPEED_NAMES.filter((name) => before[name] !== after[name]);
  if (changed.length === 0) return;
  await tx
    .updateTable('entitlements')
    .set(Object.fromEntries(SPEED_NAMES.map((name) => [name, after[name]])))
    .where(unindexed('plan_id'), '=', after.id)
    .where('state', 'in', ['active', 'waiting'])
    .execute();
  const isLower = (name: (typeof SPEED_NAMES)[number]) =>
    after[name] !== null && after[name] < (before[name] ?? Number.POSITIVE_INFINITY);
  const reason = changed.some(isLower) ? 'plan_lowered' : 'plan_changed';
  await tellLive(tx, after.id, 0, reason, now);
  const change = { plan_id: after.id, since: now - LATE_MS, reason };
  await enqueueTask(tx, 'follow_plan', change, now, now + LATE_MS);
}

/**
 * Has those live sessions told of a changed plan that began about then: what was written down at that moment
 * neither saw the change nor was seen by it. How many credentials they are of.
 */
export async function followPlanLate(
  db: Db,
  change: TaskPayloads['follow_plan'],
  now: number,
): Promise<number> {
  const { plan_id, since, reason } = change;
  return db.transaction().execute((tx) => tellLive(tx, plan_id, since, reason, now));
}

async function tellLive(tx: Db, planId: string, since: number, reason: string, now: number): Promise<number> {
  const live = await tx
    .selectFrom('sessions')
    .select('credential_id')
    .distinct()
    .where('state', '=', 'open')
    .where(unindexed('plan_id'), '=', planId)
    .where('started_at', '>=', since)
    .execute();
  for (const { credential_id } of live) {
    if (credential_id) await enqueueTask(tx, 'enforce', { credential_id, reason }, now);
  }
  return live.length;
}
