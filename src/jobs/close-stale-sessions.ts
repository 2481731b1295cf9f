// Closes sessions whose reports stopped coming.
import { closeStaleSessions } from '../access/sessions.ts';
import type { JobContext } from './context.ts';

/** Missed reports after which a session counts as over; one or two get lost on a busy link. */
const MISSED = 5;

export async function closeStale(ctx: JobContext): Promise<void> {
  if (!ctx.knownTime.trusted()) return;
  const closed = await closeStaleSessions(ctx.db, ctx.clock.now() - MISSED * ctx.interimSeconds * 1000);
  if (closed.length > 0) ctx.log.info('closed stale sessions', { count: closed.length });
}
