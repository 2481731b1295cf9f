// The callback door: payment gateways tell us what happened. The only door a tunnel opens.
import { Hono } from 'hono';
import { type EvidenceInput, keepEvidence } from '../../billing/evidence.ts';
import { isFromMpesa, readForwardedSms } from '../../billing/forwarded-sms.ts';
import { isNoticeToken } from '../../billing/notice-addresses.ts';
import { findOrderByToken } from '../../billing/orders.ts';
import { isSmsToken } from '../../billing/sms-settings.ts';
import { doubtAbout } from '../../billing/trust.ts';
import { CHECK_PATH, proofOf } from '../../network/tunnel/reach.ts';
import {
  C2B_CONFIRMATION_ANSWER,
  c2bValidationAnswer,
  parseC2bNotice,
  parseConfirmationSms,
} from '../../protocols/mpesa/index.ts';
import { guardCallbacks } from './callback-guard.ts';
import type { HttpContext, HttpEnv } from './context.ts';
import { answerError } from './errors.ts';
import { createRateLimit } from './rate-limit.ts';
import { CALLBACK_POLICY, securityHeaders } from './security.ts';

/** Strangers' notices are kept for the operator to see, but not without end: they could fill the disk. */
const STRANGERS_AN_HOUR = 500;

/** What Daraja wants to hear (payments.md §1.5); it delivers once, whatever we say. */
const ACCEPTED = { ResultCode: 0, ResultDesc: 'Accepted' };

/** A number as our own check makes them. */
const NONCE = '[A-Za-z0-9_-]{16,64}';

/** `bodyMs`: how long a body may take. */
export function createCallbacks(ctx: HttpContext, bodyMs?: number): Hono<{ Bindings: HttpEnv }> {
  const door = new Hono<{ Bindings: HttpEnv }>();
  const strangers = createRateLimit(STRANGERS_AN_HOUR, 3600_000);
  door.use(securityHeaders(CALLBACK_POLICY));
  door.use(guardCallbacks(ctx, bodyMs));
  door.get('/healthz', (c) => c.json({ ok: true }));

  // Whoever asks learns that it is this very box; a number that comes by a relay is only heard.
  door.get(`${CHECK_PATH}/:nonce{${NONCE}}`, (c) => {
    ctx.callbacks.noteCheck();
    return c.text(proofOf(ctx.vault, c.req.param('nonce')));
  });
  door.post(`${CHECK_PATH}/:nonce{${NONCE}}`, (c) => {
    ctx.callbacks.noteCheck();
    ctx.tunnel.hear(c.req.param('nonce'));
    return c.json(ACCEPTED);
  });

  /** Keeps a notice that nobody asked for, for the operator to see. */
  async function keepAside(about: Omit<EvidenceInput, 'order_id'>, why: string, now: number): Promise<void> {
    ctx.log.warn('notice kept aside', { source_address: about.source_address, why });
    ctx.callbacks.note('quarantined', now);
    ctx.callbacks.noteStranger({ at: now, address: about.source_address, why });
    if (strangers.take('all', now)) {
      await keepEvidence(ctx.db, { ...about, order_id: null, quarantine: why }, now);
    }
  }

  /** Keeps a notice that came to an address of ours; what speaks against it has M-PESA asked first. */
  async function take(input: EvidenceInput, shortcode: string | undefined, now: number): Promise<void> {
    const { source_address } = input;
    const doubt = await doubtAbout(ctx.db, { source_address, shortcode });
    if (doubt) {
      ctx.log.warn('callback not believed yet', { order: input.order_id, doubt });
      ctx.callbacks.noteDoubt();
      // Behind a proxy of the operator's nobody can say who sent it: that is no news.
      if (source_address) ctx.callbacks.noteStranger({ at: now, address: source_address, why: doubt });
    }
    await keepEvidence(ctx.db, { ...input, doubt }, now);
    ctx.callbacks.note('taken', now);
    ctx.kick();
  }

  // The body goes to the disk first, then the answer goes out, then it is read: a power cut in between loses nothing.
  door.post('/cb/mpesa/:token', async (c) => {
    const body = await c.req.text();
    const now = ctx.clock.now();
    const order = await findOrderByToken(ctx.db, c.req.param('token'));
    const about = { kind: 'stk_callback' as const, body, source_address: c.env.address };
    if (order) await take({ ...about, order_id: order.id }, c.req.header('businessshortcode'), now);
    else await keepAside(about, 'Its address belongs to no order.', now);
    return c.json(ACCEPTED);
  });

  // Payments by hand. What cannot be read is kept all the same: money has moved.
  door.post('/cb/pay/:token/confirmation', async (c) => {
    const body = await c.req.text();
    const now = ctx.clock.now();
    const about = { kind: 'c2b' as const, body, source_address: c.env.address };
    const notice = parseC2bNotice(body);
    if (!isNoticeToken(ctx.vault, c.req.param('token'))) {
      await keepAside(about, 'Its address is not one that M-PESA was given.', now);
    } else if (!notice.ok) {
      await keepAside(about, `It could not be read: ${notice.problem}.`, now);
    } else {
      await take({ ...about, order_id: null, receipt: notice.receipt }, notice.shortcode, now);
    }
    return c.json(C2B_CONFIRMATION_ANSWER);
  });
  // Forwarded by the operator's own phone. Only M-PESA's are kept: the rest of their messages is nobody's business.
  door.post('/cb/sms/:token', async (c) => {
    const now = ctx.clock.now();
    if (!(await isSmsToken(ctx.db, ctx.vault, c.req.param('token')))) {
      ctx.callbacks.noteStranger({ at: now, address: c.env.address, why: 'No such address.' });
      return c.json({ error: 'not found' }, 404);
    }
    const sms = readForwardedSms(await c.req.text(), c.req.header('content-type'));
    const read = sms && isFromMpesa(sms.from) ? parseConfirmationSms(sms.text) : undefined;
    if (!sms || !read) return c.json({ taken: false });
    const about = { kind: 'sms' as const, order_id: null, body: sms.text, source_address: c.env.address };
    await keepEvidence(ctx.db, { ...about, receipt: read.receipt }, now);
    ctx.callbacks.note('taken', now);
    ctx.kick();
    return c.json({ taken: true });
  });
  // Nobody is turned away who wants to pay: what an account stands for is settled afterwards (payments.md §1.8).
  door.post('/cb/pay/:token/validation', (c) => c.json(c2bValidationAnswer()));
  door.post('/cb/pay/:token/pulled', (c) => c.json(ACCEPTED));

  door.notFound((c) => c.json({ error: 'not found' }, 404));
  door.onError((error, c) => answerError(c, error, ctx.log));
  return door;
}
