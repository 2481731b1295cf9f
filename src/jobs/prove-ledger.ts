// Proves the ledger every night, and shouts when it is wrong.
import { bookBacklog, proveLedger, recordProof } from '../billing/ledger-proof.ts';
import type { JobContext } from './context.ts';

export async function bookOldPayments(ctx: JobContext): Promise<void> {
  const booked = await bookBacklog(ctx.db);
  if (booked > 0) ctx.log.info('payments from before the ledger booked', { payments: booked });
}

export async function proveBooks(ctx: JobContext): Promise<void> {
  const proof = await proveLedger(ctx.db, ctx.clock.now());
  await recordProof(ctx.db, proof);
  if (!proof.ok) ctx.log.error('the ledger is wrong', { problems: proof.problems });
}
