// Has M-PESA asked about a code that a guest gave, until it is confirmed or nothing can confirm it any more.
import { nextAskAt } from '../billing/ask-again.ts';
import { findClaim, isCodeOfThen, refuseClaim } from '../billing/claims.ts';
import { askAboutReceipt } from './ask-about-receipt.ts';
import type { JobContext } from './context.ts';

const HOUR_MS = 3600_000;
/** After so long M-PESA's books hold what was paid before: the sweeps allow it one hour (payments.md §1.11). */
const BOOKED_BY_MS = 4 * HOUR_MS;

/** `again_at` while M-PESA has not said; seldom in the end. Refused early when its books of two days are without it. */
export async function confirmClaim(
  ctx: Pick<JobContext, 'db' | 'clock' | 'gateways' | 'kick' | 'noticeBaseUrl'>,
  claimId: string,
): Promise<{ outcome: string; again_at?: number }> {
  const claim = await findClaim(ctx.db, claimId);
  if (claim?.state !== 'waiting') return { outcome: 'It is decided.' };
  const { receipt, created_at } = claim;
  const settled = ctx.clock.now() - created_at >= BOOKED_BY_MS;
  const asked = await askAboutReceipt(ctx, receipt, settled ? created_at - 48 * HOUR_MS : created_at);
  if (asked.found) return { outcome: 'found' };
  const now = ctx.clock.now();
  // The pull reaches back two days: it says nothing about the code of an older SMS.
  const missing = settled && asked.complete && isCodeOfThen(claim);
  const again = missing ? undefined : nextAskAt(created_at, now);
  if (again !== undefined) return { outcome: 'asked', again_at: again };
  const problem = missing ? 'M-PESA’s books are without it.' : 'Nothing that M-PESA told us confirms it.';
  await ctx.db.transaction().execute((tx) => refuseClaim(tx, receipt, problem, now));
  return { outcome: 'refused' };
}
