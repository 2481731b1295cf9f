// Deletes sessions that were kept long enough, a few at a time.
import { forgetSessions } from '../access/forget-sessions.ts';
import { DAY_MS } from '../lib/days.ts';
import { readAccountingSettings } from '../operators/accounting-settings.ts';
import type { JobContext } from './context.ts';

/** So many steps a night: what is left of a first run after years waits for the next. */
const MOST_STEPS = 400;

export async function forgetOldSessions(ctx: JobContext): Promise<void> {
  if (!ctx.knownTime.trusted()) return;
  const { sessions_kept_days } = await readAccountingSettings(ctx.db);
  const before = ctx.clock.now() - sessions_kept_days * DAY_MS;
  let count = 0;
  let after: string | undefined = '';
  for (let step = 0; step < MOST_STEPS && after !== undefined; step++) {
    const forgotten = await forgetSessions(ctx.db, before, after);
    count += forgotten.deleted;
    after = forgotten.after;
    // Logins and reports that came meanwhile go first.
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (count > 0) ctx.log.info('deleted old sessions', { count });
}
