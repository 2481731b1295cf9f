// The callback door: payment gateways tell us what happened. The only door a tunnel opens.
import { type Context, Hono } from 'hono';
import { keepEvidence } from '../../billing/evidence.ts';
import { isFromMpesa, readForwardedSms } from '../../billing/forwarded-sms.ts';
import { type RawNotice, takeNotice } from '../../billing/notices.ts';
import { isSmsToken } from '../../billing/sms-settings.ts';
import { CHECK_PATH, proofOf } from '../../network/tunnel/reach.ts';
import {
  C2B_CONFIRMATION_ANSWER,
  c2bValidationAnswer,
  parseConfirmationSms,
  parseReversalSms,
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

/** The M-PESA code of the money that an SMS tells of: that it came, or that it went back. */
const codeOf = (text: string) => parseConfirmationSms(text)?.receipt ?? parseReversalSms(text)?.of;

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

  // The body goes to the disk first, then the answer goes out, then it is read: a power cut in between loses nothing.
  async function take(c: Context<{ Bindings: HttpEnv }>, about: RawNotice['about']): Promise<void> {
    const now = ctx.clock.now();
    const notice: RawNotice = {
      ...{ about, token: c.req.param('token') ?? '', body: await c.req.text() },
      ...{ source_address: c.env.address, shortcode: c.req.header('businessshortcode') ?? null, at: now },
    };
    // A server that is known not to answer is not waited for by each notice anew: M-PESA does not wait as long.
    if (ctx.diskState().problem === 'away' && ctx.spool.keep(notice)) return;
    try {
      // Counted as a stranger's until it is known: anyone can send any amount of those.
      const { doubt, stranger } = await takeNotice(ctx.db, ctx.vault, notice, strangers.take('all', now));
      if (!stranger) strangers.giveBack('all');
      noteTaken(notice, doubt, stranger);
    } catch (error) {
      // M-PESA delivers once: what the store does not take goes to a file of its own, or is refused in the open.
      if (!ctx.spool.keep(notice)) throw error;
      ctx.log.error('notice kept in the spool', { about, error });
    }
    ctx.kick('settle_evidence');
  }

  function noteTaken(notice: RawNotice, doubt: string | undefined, stranger: string | undefined): void {
    const { at, source_address: address } = notice;
    if (stranger) {
      ctx.log.warn('notice kept aside', { source_address: address, why: stranger });
      ctx.callbacks.note('quarantined', at);
      ctx.callbacks.noteStranger({ at, address, why: stranger });
      return;
    }
    ctx.callbacks.note('taken', at);
    if (!doubt) return;
    ctx.log.warn('notice not believed yet', { about: notice.about, doubt });
    ctx.callbacks.noteDoubt();
    // Behind a proxy of the operator's nobody can say who sent it: that is no news.
    if (address) ctx.callbacks.noteStranger({ at, address, why: doubt });
  }

  for (const [path, about, answer] of [
    ['/cb/mpesa/:token', 'stk', ACCEPTED],
    ['/cb/pay/:token/confirmation', 'c2b', C2B_CONFIRMATION_ANSWER],
    ['/cb/r/:token', 'result', ACCEPTED],
    ['/cb/q/:token', 'timeout', ACCEPTED],
  ] as const) {
    door.post(path, async (c) => {
      await take(c, about);
      return c.json(answer);
    });
  }
  // Forwarded by the operator's own phone. Only M-PESA's are kept: the rest of their messages is nobody's business.
  door.post('/cb/sms/:token', async (c) => {
    const now = ctx.clock.now();
    if (!(await isSmsToken(ctx.db, ctx.vault, c.req.param('token')))) {
      ctx.callbacks.noteStranger({ at: now, address: c.env.address, why: 'No such address.' });
      return c.json({ error: 'not found' }, 404);
    }
    const sms = readForwardedSms(await c.req.text(), c.req.header('content-type'));
    const receipt = sms && isFromMpesa(sms.from) ? codeOf(sms.text) : undefined;
    if (!sms || !receipt) return c.json({ taken: false });
    const about = { kind: 'sms' as const, order_id: null, body: sms.text, source_address: c.env.address };
    await keepEvidence(ctx.db, { ...about, receipt }, now);
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
