// The callback door: payment gateways tell us what happened. The only door a tunnel opens.
import { Hono } from 'hono';
import { keepEvidence } from '../../billing/evidence.ts';
import { findOrderByToken } from '../../billing/orders.ts';
import { doubtAbout } from '../../billing/trust.ts';
import type { HttpContext, HttpEnv } from './context.ts';
import { answerError } from './errors.ts';
import { createRateLimit } from './rate-limit.ts';
import { CALLBACK_POLICY, limitBody, securityHeaders } from './security.ts';

/** Strangers' notices are kept for the operator to see, but not without end: they could fill the disk. */
const STRANGERS_AN_HOUR = 500;

/** What Daraja wants to hear (payments.md §1.5); it delivers once, whatever we say. */
const ACCEPTED = { ResultCode: 0, ResultDesc: 'Accepted' };

export function createCallbacks(ctx: HttpContext): Hono<{ Bindings: HttpEnv }> {
  const door = new Hono<{ Bindings: HttpEnv }>();
  const strangers = createRateLimit(STRANGERS_AN_HOUR, 3600_000);
  door.use(securityHeaders(CALLBACK_POLICY));
  door.use(limitBody());
  door.get('/healthz', (c) => c.json({ ok: true }));

  // The body goes to the disk first, then the answer goes out, then it is read: a power cut in between loses nothing.
  door.post('/cb/mpesa/:token', async (c) => {
    const body = await c.req.text();
    const now = ctx.clock.now();
    const order = await findOrderByToken(ctx.db, c.req.param('token'));
    const about = { kind: 'stk_callback' as const, body, source_address: c.env.address };
    if (order) {
      const shortcode = c.req.header('businessshortcode');
      const doubt = await doubtAbout(ctx.db, { source_address: c.env.address, shortcode });
      if (doubt) ctx.log.warn('callback not believed yet', { order: order.id, doubt });
      await keepEvidence(ctx.db, { ...about, order_id: order.id, doubt }, now);
      ctx.kick();
    } else {
      ctx.log.warn('callback without an order', { source_address: c.env.address });
      if (strangers.take('all', now)) {
        await keepEvidence(
          ctx.db,
          { ...about, order_id: null, quarantine: 'Its address belongs to no order.' },
          now,
        );
      }
    }
    return c.json(ACCEPTED);
  });

  door.notFound((c) => c.json({ error: 'not found' }, 404));
  door.onError((error, c) => answerError(c, error, ctx.log));
  return door;
}
