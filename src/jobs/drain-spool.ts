// Brings the notices that the store could not take into the store.
import { takeNotice } from '../billing/notices.ts';
import { diskTrouble } from '../db/disk.ts';
import type { JobContext } from './context.ts';

/** Repeating one that is in the store already changes nothing, so a power cut in between loses nothing. */
export async function drainSpool(
  ctx: Pick<JobContext, 'db' | 'vault' | 'spool' | 'log' | 'kick'>,
): Promise<void> {
  const waiting = ctx.spool.read();
  if (waiting.length === 0) return;
  let left = 0;
  for (const notice of waiting) {
    try {
      await takeNotice(ctx.db, ctx.vault, notice, true);
    } catch (error) {
      left++;
      ctx.log.error('notice stays in the spool', { about: notice.about, error });
      // The others would wait for the same server.
      if (diskTrouble(error) === 'away') break;
    }
  }
  // Kept meanwhile, by a request that found the store failing once more: the next run brings it over.
  if (left > 0 || ctx.spool.read().length !== waiting.length) return;
  ctx.spool.clear();
  ctx.log.info('notices brought into the store', { count: waiting.length });
  ctx.kick();
}
