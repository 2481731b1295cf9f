// Ends sessions that go on after the hours of their plan, where the router did nothing about it.
import { credentialsOutsideHours } from '../access/sessions.ts';
import { enqueueTask } from '../db/tasks.ts';
import type { JobContext } from './context.ts';

/** The router ends them itself by Session-Timeout; its Stop may take a moment. */
const GRACE_MS = 10_000;

export async function endHours(ctx: Pick<JobContext, 'db' | 'clock' | 'knownTime' | 'kick'>): Promise<void> {
  if (!ctx.knownTime.trusted()) return;
  const now = ctx.clock.now();
  const credentials = await credentialsOutsideHours(ctx.db, now, GRACE_MS);
  for (const id of credentials) {
    await enqueueTask(ctx.db, 'enforce', { credential_id: id, reason: 'outside_hours' }, now);
  }
  if (credentials.length > 0) ctx.kick();
}
