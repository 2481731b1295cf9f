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

interface Line {
  /** Settled when the pull under way has ended. */
  idle: Promise<unknown>;
  next?: { from: number; pulled: Promise<Pulled> } | undefined;
}

const lines = new WeakMap<PaymentGateway, Line>();

/** One pull at a time: all who ask while one is under way share the next, which begins after each of them asked. */
function pullSince(ctx: Asking, gateway: PaymentGateway, from: number): Promise<Pulled> {
  const line = lines.get(gateway) ?? { idle: Promise.resolve() };
  lines.set(gateway, line);
  if (line.next) {
    line.next.from = Math.min(line.next.from, from);
    return line.next.pulled;
  }
  const pull = async () => {
    const since = line.next?.from ?? from;
    line.next = undefined;
    const pulled = await gateway.pullMoney(since, ctx.clock.now());
    await keepPulled(ctx, pulled.money);
    return pulled;
  };
  const pulled = line.idle.then(pull);
  line.next = { from, pulled };
  // What went wrong is told to those who asked; the line goes on.
  line.idle = Promise.allSettled([pulled]);
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
