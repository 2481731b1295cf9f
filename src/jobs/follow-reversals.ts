// Follows reversals that M-PESA says nothing about.
import { askStatus, giveUpReversals } from '../billing/mpesa-requests.ts';
import type { JobContext } from './context.ts';

/** Nobody knows what came of them: a person looks at the portal, unless the status of the receipt says it. */
export async function followReversals(
  ctx: Pick<JobContext, 'db' | 'clock' | 'gateways' | 'log' | 'noticeBaseUrl'>,
): Promise<void> {
  const now = ctx.clock.now();
  const silent = await giveUpReversals(ctx.db, now);
  if (silent.length === 0) return;
  ctx.log.warn('M-PESA never said what came of a reversal', { count: silent.length });
  const gateway = await ctx.gateways.mpesa();
  if (!gateway) return;
  const base = await ctx.noticeBaseUrl();
  for (const { id, receipt } of silent) await askStatus(ctx.db, gateway, receipt, base, now, id);
}
