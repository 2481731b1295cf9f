// Watches the clock: corrects the count where it is known to be wrong, and says in the log what happened.
import type { JobContext } from './context.ts';

/** The messages told lately, so that each is logged once. */
const told = new WeakMap<object, string | undefined>();

export async function watchClock(ctx: Pick<JobContext, 'knownTime' | 'log' | 'kick'>): Promise<void> {
  const corrected = await ctx.knownTime.check();
  if (corrected) {
    ctx.log.warn('clock corrected', { ...corrected });
    ctx.kick();
  }
  const { trusted, message, box_at, counted_at } = ctx.knownTime.state();
  const kind = message && `${trusted} ${box_at > counted_at}`;
  if (told.get(ctx.knownTime) === kind) return;
  told.set(ctx.knownTime, kind);
  if (message) ctx.log.warn('clock in doubt', { message, trusted, box_at, counted_at });
  else ctx.log.info('clock believed');
}
