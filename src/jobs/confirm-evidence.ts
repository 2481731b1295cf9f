// Asks M-PESA whether a notice that is not believed as it stands is true.
import { nextAskAt } from '../billing/ask-again.ts';
import { closeEvidence, getEvidence, keepEvidence } from '../billing/evidence.ts';
import { readMpesaCallback } from '../billing/mpesa.ts';
import { getOrder } from '../billing/orders.ts';
import { askAboutReceipt } from './ask-about-receipt.ts';
import type { JobContext } from './context.ts';

/**
 * Asks about the request that the callback names. The answer is evidence of its own, and settling that closes the callback
 * as well. `again_at` while M-PESA does not say, for as long as orders are asked about (payments.md §1.7).
 */
export async function confirmEvidence(
  ctx: Pick<JobContext, 'db' | 'clock' | 'gateways' | 'log' | 'kick' | 'noticeBaseUrl'>,
  evidenceId: string,
): Promise<{ outcome: string; again_at?: number }> {
  const evidence = await getEvidence(ctx.db, evidenceId);
  if (evidence?.state !== 'waiting') return { outcome: 'It is decided.' };
  const now = ctx.clock.now();
  const askAgain = async (outcome: string) => {
    const again = nextAskAt(evidence.received_at, ctx.clock.now());
    if (again !== undefined) return { outcome, again_at: again };
    await closeEvidence(ctx.db, evidence.id, 'quarantined', 'M-PESA never confirmed it.', now);
    return { outcome: 'given up' };
  };
  if (!evidence.order_id) {
    const { receipt, received_at } = evidence;
    const asked = receipt === null ? undefined : await askAboutReceipt(ctx, receipt, received_at);
    return asked?.found ? { outcome: 'found' } : askAgain('asked');
  }
  const notice = readMpesaCallback(evidence.body);
  const order = await getOrder(ctx.db, evidence.order_id);
  const about = order.checkout_request_id ?? notice?.checkout_request_id;
  const gateway = await ctx.gateways.mpesa();
  if (!about || !gateway) return askAgain('There is nobody to ask.');
  const answer = await gateway.queryPayment(about);
  if (answer.outcome === 'undecided') return askAgain(answer.problem);
  const body = JSON.stringify({ ...JSON.parse(answer.body), asked_about: about });
  await keepEvidence(
    ctx.db,
    { kind: 'stk_query', order_id: order.id, body, source_address: null, occasion: evidence.id },
    now,
  );
  if (answer.result_code !== '0') {
    ctx.log.warn('a callback says paid and M-PESA says no', {
      order: order.id,
      source_address: evidence.source_address,
      result_code: answer.result_code,
    });
    // The query may be wrong about money that came late: its code finds it where M-PESA keeps the books (payments.md §5, 10).
    if (notice?.receipt) await askAboutReceipt(ctx, notice.receipt, evidence.received_at);
  }
  ctx.kick();
  return { outcome: `asked: ${answer.result_code}` };
}
