// Asks the gateway about orders whose callback has not come.
import { keepEvidence } from '../billing/evidence.ts';
import type { PaymentGateway } from '../billing/gateways.ts';
import { ageOrder, askAboutOrder, claimOrdersToPoll, type Order } from '../billing/orders.ts';
import type { JobContext } from './context.ts';

/** No more questions at once than Daraja's limits comfortably bear (payments.md §1.4). */
const AT_ONCE = 10;

/** Asks side by side: a gateway that takes its time over one order must not hold up the others. */
export async function pollOrders(ctx: JobContext): Promise<void> {
  const orders = await claimOrdersToPoll(ctx.db, ctx.clock.now(), AT_ONCE);
  if (orders.length === 0) return;
  const gateway = await ctx.gateways.mpesa();
  await Promise.all(orders.map((order) => pollOrder(ctx, gateway, order)));
}

async function pollOrder(ctx: JobContext, gateway: PaymentGateway | undefined, order: Order): Promise<void> {
  if (gateway && order.checkout_request_id) {
    const answer = await askAboutOrder(ctx.db, gateway, order, ctx.clock.now());
    if (answer.outcome === 'decided') {
      const about = {
        kind: 'stk_query' as const,
        order_id: order.id,
        body: answer.body,
        source_address: null,
      };
      await keepEvidence(ctx.db, about, ctx.clock.now());
      ctx.kick();
      return;
    }
  }
  await ageOrder(ctx.db, order, ctx.clock.now());
}
