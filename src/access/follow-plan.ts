// Lets what is sold already follow a plan's speeds when they change.
import { unindexed } from '../db/page.ts';
import type { Db } from '../db/schema.ts';
import { enqueueTask } from '../db/tasks.ts';
import type { Plan } from './plans.ts';

/** How the line is shared is the operator's to say at any time; time, data and devices stay as they were sold. */
const SPEEDS = [
  'rate_down_kbps',
  'rate_up_kbps',
  'burst_rate_down_kbps',
  'burst_rate_up_kbps',
  'burst_threshold_down_kbps',
  'burst_threshold_up_kbps',
  'burst_seconds',
] as const;

/**
 * Gives entitlements that run or wait the speeds of their changed plan, and has live sessions told. Call it in the
 * transaction that changes the plan.
 */
export async function followPlan(tx: Db, before: Plan, after: Plan, now: number): Promise<void> {
  const changed = SPEEDS.filter((name) => before[name] !== after[name]);
  if (changed.length === 0) return;
  await tx
    .updateTable('entitlements')
    .set(Object.fromEntries(SPEEDS.map((name) => [name, after[name]])))
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
  const isLower = (name: (typeof SPEEDS)[number]) =>
    after[name] !== null && after[name] < (before[name] ?? Number.POSITIVE_INFINITY);
  const reason = changed.some(isLower) ? 'plan_lowered' : 'plan_changed';
  for (const { credential_id } of live) {
    if (credential_id) await enqueueTask(tx, 'enforce', { credential_id, reason }, now);
  }
}
