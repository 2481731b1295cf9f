// Looks for the money of one M-PESA code: pulls what came in, and asks for its status.
import { keepEvidence } from '../billing/evidence.ts';
import { viewInitiator } from '../billing/initiator.ts';
import type { Money } from '../billing/money.ts';
import { askStatus, isInitiatorRefused } from '../billing/mpesa-requests.ts';
import type { JobContext } from './context.ts';

type Asking = Pick<JobContext, 'db' | 'clock' | 'gateways' | 'kick' | 'noticeBaseUrl'>;

/** Around the time of a notice: M-PESA's clock may differ, and a guest pastes a code from an hour ago. */
const BEFORE_MS = 3 * 3600_000;

/** Keeps what was pulled as evidence; a row that is known already changes nothing. */
export async function keepPulled(
  ctx: Pick<Asking, 'db' | 'clock'>,
  money: readonly Money[],
): Promise<number> {
  let fresh = 0;
  for (const row of money) {
    const about = { kind: 'pull' as const, order_id: null, receipt: row.receipt, source_address: null };
    const kept = await keepEvidence(ctx.db, { ...about, body: JSON.stringify(row) }, ctx.clock.now());
    if (kept) fresh++;
  }
  return fresh;
}

/**
 * Whether its money was found; otherwise M-PESA was asked, if somebody may ask, and answers by a notice. `complete`: the
 * pull showed everything since then.
 */
export async function askAboutReceipt(
  ctx: Asking,
  receipt: string,
  since: number,
): Promise<{ found: boolean; complete: boolean }> {
  const gateway = await ctx.gateways.mpesa();
  if (!gateway) return { found: false, complete: false };
  const now = ctx.clock.now();
  const pulled = await gateway.pullMoney(since - BEFORE_MS, now);
  await keepPulled(ctx, pulled.money);
  ctx.kick();
  const complete = pulled.problem === null;
  if (pulled.money.some((row) => row.receipt === receipt)) return { found: true, complete };
  const { password_set_at } = await viewInitiator(ctx.db);
  if (password_set_at === null || !(await isInitiatorRefused(ctx.db, password_set_at))) {
    await askStatus(ctx.db, gateway, receipt, await ctx.noticeBaseUrl(), now);
  }
  return { found: false, complete };
}
