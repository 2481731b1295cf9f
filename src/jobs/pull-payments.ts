// Pulls what came in by M-PESA, so that a lost notice is a delay and not a loss.

import { isPullEnabled } from '../billing/go-live.ts';
import { readPullPosition, writePullPosition } from '../billing/pull-position.ts';
import { keepPulled } from './ask-about-receipt.ts';
import type { JobContext } from './context.ts';

const MINUTE_MS = 60_000;
const EVERY_MS = 10 * MINUTE_MS;
/** Windows overlap by so much: M-PESA writes a payment down later than it happened (payments.md §1.11). */
const OVERLAP_MS = 60 * MINUTE_MS;
/** As far back as M-PESA keeps them for pulling. */
const REACH_MS = 48 * 60 * MINUTE_MS;

/** Stores that were swept since the program started: the first sweep is at once, whatever the position says. */
const swept = new WeakSet<object>();

/**
 * Sweeps when the program has started, every ten minutes, and every minute after one that failed. The position moves only
 * when everything up to it is in the store, so an outage of any length below two days leaves no gap.
 */
export async function pullPayments(
  ctx: Pick<JobContext, 'db' | 'clock' | 'gateways' | 'log' | 'kick' | 'knownTime'>,
): Promise<void> {
  if (!ctx.knownTime.trusted() || !(await isPullEnabled(ctx.db))) return;
  const gateway = await ctx.gateways.mpesa();
  if (!gateway) return;
  const now = ctx.clock.now();
  const position = await readPullPosition(ctx.db);
  const due = !swept.has(ctx.db) || position.problem !== null || now - position.swept_at >= EVERY_MS;
  if (!due) return;
  const from = Math.max(now - REACH_MS, Math.min(position.until_at, now) - OVERLAP_MS);
  const { money, problem } = await gateway.pullMoney(from, now);
  const fresh = await keepPulled(ctx, money);
  if (fresh > 0) ctx.kick();
  if (problem && problem !== position.problem) ctx.log.warn('payments not pulled', { problem });
  await writePullPosition(
    ctx.db,
    { until_at: problem ? position.until_at : now, swept_at: now, problem },
    now,
  );
  if (!problem) swept.add(ctx.db);
}
