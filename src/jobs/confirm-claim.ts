// Has M-PESA asked about a code that a guest gave, until it is confirmed or nothing can confirm it any more.
import { CLAIM_LIVES_MS, findClaim, refuseClaim } from '../billing/claims.ts';
import { askAboutReceipt } from './ask-about-receipt.ts';
import type { JobContext } from './context.ts';

export async function confirmClaim(
  ctx: Pick<JobContext, 'db' | 'clock' | 'gateways' | 'kick' | 'noticeBaseUrl'>,
  claimId: string,
): Promise<{ outcome: string; retry?: boolean }> {
  const claim = await findClaim(ctx.db, claimId);
  if (claim?.state !== 'waiting') return { outcome: 'It is decided.' };
  const now = ctx.clock.now();
  if (now - claim.created_at >= CLAIM_LIVES_MS) {
    const why = 'Nothing that M-PESA told us confirms it.';
    await ctx.db.transaction().execute((tx) => refuseClaim(tx, claim.id, why, now));
    return { outcome: 'refused' };
  }
  const found = await askAboutReceipt(ctx, claim.receipt, claim.created_at);
  return { outcome: found ? 'found' : 'asked', retry: !found };
}
