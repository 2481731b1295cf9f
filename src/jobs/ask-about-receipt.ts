// Looks for the money of one M-PESA code: pulls what came in, and asks for its status.
import { keepEvidence } from '../billing/evidence.ts';
import type { PaymentGateway, Pulled } from '../billing/gateways.ts';
import { viewInitiator } from '../billing/initiator.ts';
import type { Money } from '../billing/money.ts';
import { askStatus, countStatuses, isInitiatorRefused } from '../billing/mpesa-requests.ts';
import type { JobContext } from './context.ts';

type Asking = Pick<JobContext, 'db' | 'clock' | 'gateways' | 'kick' | 'noticeBaseUrl'>;

const MINUTE_MS = 60_000;
/** Questions for a status within a minute: codes that are made up must not use up what Daraja bears (payments.md §1.4). */
const MOST_STATUSES = 30;
const SHARED_MS = 2000;
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

interface Look {
  from: number;
  at: number;
  pulled: Promise<Pulled>;
}

/** The last pull of a gateway: whoever asks within moments of another looks at the same one. */
const looks = new WeakMap<PaymentGateway, Look>();

function pullSince(ctx: Asking, gateway: PaymentGateway, from: number): Promise<Pulled> {
  const now = ctx.clock.now();
  const last = looks.get(gateway);
  if (last && last.from <= from && now >= last.at && now - last.at < SHARED_MS) return last.pulled;
  const pulled = gateway.pullMoney(from, now).then(async (found) => {
    await keepPulled(ctx, found.money);
    return found;
  });
  looks.set(gateway, { from, at: now, pulled });
  return pulled;
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
  const pulled = await pullSince(ctx, gateway, since - BEFORE_MS);
  ctx.kick();
  const complete = pulled.problem === null;
  if (pulled.money.some((row) => row.receipt === receipt)) return { found: true, complete };
  const { password_set_at } = await viewInitiator(ctx.db);
  const refused = password_set_at !== null && (await isInitiatorRefused(ctx.db, password_set_at));
  if (!refused && (await countStatuses(ctx.db, now - MINUTE_MS)) < MOST_STATUSES) {
    await askStatus(ctx.db, gateway, receipt, await ctx.noticeBaseUrl(), now);
  }
  return { found: false, complete };
}
