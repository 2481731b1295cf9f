// Has live sessions go over to the next entitlement in line, before the router ends them with the one that runs out.
import { credentialsClosing, credentialsRollingOver } from '../access/entitlements.ts';
import { nextMinute } from '../access/hours.ts';
import { enqueueTask } from '../db/tasks.ts';
import { ROLLING_OVER } from '../network/enforce.ts';
import type { JobContext } from './context.ts';

export const EVERY_MS = 10_000;
/** Some runs of the job see each end coming, so that a packet that is lost is sent again. */
const AHEAD_MS = 30_000;

export async function rollOver(ctx: Pick<JobContext, 'db' | 'clock' | 'knownTime' | 'kick'>): Promise<void> {
  if (!ctx.knownTime.trusted()) return;
  const now = ctx.clock.now();
  const { minute, at } = nextMinute(now);
  const closing = at <= now + AHEAD_MS ? await credentialsClosing(ctx.db, minute) : [];
  const ending = await credentialsRollingOver(ctx.db, now, now + AHEAD_MS);
  for (const credential_id of new Set([...ending, ...closing])) {
    await enqueueTask(ctx.db, 'enforce', { credential_id, reason: ROLLING_OVER }, now);
  }
  // What ends is looked at when it does; that hours close is seen by the minute otherwise.
  for (const credential_id of at <= now + EVERY_MS ? closing : []) {
    await enqueueTask(ctx.db, 'enforce', { credential_id, reason: 'outside_hours' }, now, at);
  }
  if (ending.length + closing.length > 0) ctx.kick();
}
