// Has routers hear of the next entitlement in line before they end the session of the one that runs out.
import { credentialsRollingOver } from '../access/entitlements.ts';
import { enqueueTask } from '../db/tasks.ts';
import type { JobContext } from './context.ts';

/** Some runs of the job see each end coming, so that a packet that is lost is sent again. */
const AHEAD_MS = 30_000;

export async function rollOver(ctx: Pick<JobContext, 'db' | 'clock' | 'knownTime' | 'kick'>): Promise<void> {
  if (!ctx.knownTime.trusted()) return;
  const now = ctx.clock.now();
  const credentials = await credentialsRollingOver(ctx.db, now, now + AHEAD_MS);
  for (const id of credentials) {
    await enqueueTask(ctx.db, 'enforce', { credential_id: id, reason: 'rolling_over' }, now);
  }
  if (credentials.length > 0) ctx.kick();
}
