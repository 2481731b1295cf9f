// Closes sessions whose reports stopped coming.
import { closeStaleSessions } from '../access/sessions.ts';
import { readAccountingSettings } from '../operators/accounting-settings.ts';
import type { JobContext } from './context.ts';

export async function closeStale(ctx: JobContext): Promise<void> {
  if (!ctx.knownTime.trusted()) return;
  const { missed_interims } = await readAccountingSettings(ctx.db);
  const closed = await closeStaleSessions(
    ctx.db,
    ctx.clock.now() - missed_interims * ctx.interimSeconds * 1000,
  );
  if (closed.length > 0) ctx.log.info('closed stale sessions', { count: closed.length });
}
