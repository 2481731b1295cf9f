// Ends entitlements whose time is over; the tasks it leaves end their live sessions.
import { endDueEntitlements } from '../access/entitlements.ts';
import type { JobContext } from './context.ts';

const BATCH = 500;

export async function endEntitlements(ctx: JobContext): Promise<void> {
  if (!ctx.knownTime.trusted()) return;
  let ended: number;
  do {
    ended = await endDueEntitlements(ctx.db, ctx.clock.now(), BATCH);
    if (ended > 0) ctx.kick();
  } while (ended === BATCH);
}
