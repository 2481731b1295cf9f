// Asks the gateway about orders whose callback has not come.
import { keepEvidence } from '../billing/evidence.ts';
import { ageOrder, askAboutOrder, claimOrdersToPoll } from '../billing/orders.ts';
import type { JobContext } from './context.ts';

export async function pollOrders(ctx: JobContext): Promise<void> {
  const orders = await claimOrdersToPoll(ctx.db, ctx.clock.now());
  if (orders.length === 0) return;
  const gateway = await ctx.gateways.mpesa();
  for (const order of orders) {
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
        continue;
      }
    }
    await ageOrder(ctx.db, order, ctx.clock.now());
  }
}
