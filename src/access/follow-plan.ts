// Lets what is sold already follow a plan's speeds when they change.
import { unindexed } from '../db/page.ts';
import type { Db } from '../db/schema.ts';
import { enqueueTask } from '../db/tasks.ts';
import type { Plan } from './plans.ts';
import { SPEED_NAMES } from './terms.ts';

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
  const live = await tx
    .selectFrom('sessions')
    .select('credential_id')
    .distinct()
    .where('state', '=', 'open')
    .where(unindexed('plan_id'), '=', after.id)
    .execute();
  const isLower = (name: (typeof SPEED_NAMES)[number]) =>
    after[name] !== null && after[name] < (before[name] ?? Number.POSITIVE_INFINITY);
  const reason = changed.some(isLower) ? 'plan_lowered' : 'plan_changed';
  for (const { credential_id } of live) {
    if (credential_id) await enqueueTask(tx, 'enforce', { credential_id, reason }, now);
  }
}
