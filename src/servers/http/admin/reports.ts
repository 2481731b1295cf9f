// /api/v1/reports, /api/v1/events
import * as z from 'zod';
import { countOpenSessions } from '../../../access/sessions.ts';
import { lastProof } from '../../../billing/ledger-proof.ts';
import { listPayments } from '../../../billing/payments.ts';
import { AppError, errorText } from '../../../errors.ts';
import { DAY_MS, dayOf, dayStart, startOfDay } from '../../../lib/days.ts';
import { readOverview, salesToday } from '../../../reports/overview.ts';
import { type SalesRequest, salesCsv } from '../../../reports/sales.ts';
import { readUsage, usageCsv } from '../../../reports/usage.ts';
import type { HttpContext } from '../context.ts';
import { accessLogAnswer, overviewAnswer, salesAnswer, usageAnswer } from './answers.ts';
import { viewPayment } from './payments.ts';
import { route, STAFF, SUPPORT } from './route.ts';

const BEAT_MS = 5000;
/** Many sessions report at once; a page wants the last word on each, not every word. */
const GATHER_MS = 250;

/** The stream of what happens: gathered events, the headline figures when they may have changed, a beat. */
function eventStream(ctx: HttpContext, signal: AbortSignal): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let stop = () => {};
  return new ReadableStream({
    start(controller) {
      const waiting = new Map<string, string>();
      let gather: ReturnType<typeof setTimeout> | undefined;
      const send = (text: string) => controller.enqueue(encoder.encode(text));
      const flush = async () => {
        gather = undefined;
        const events = [...waiting.values()];
        waiting.clear();
        const overview = {
          online_now: await countOpenSessions(ctx.db),
          sales_today_cents: await salesToday(ctx.db, ctx.clock.now()),
        };
        send(`${events.join('')}event: overview\ndata: ${JSON.stringify(overview)}\n\n`);
      };
      const unsubscribe = ctx.live.subscribe((kind, event) => {
        waiting.set(`${kind} ${event.id}`, `event: ${kind}\ndata: ${JSON.stringify(event)}\n\n`);
        gather ??= setTimeout(() => {
          flush().catch((error: unknown) => ctx.log.warn('live events failed', { error: errorText(error) }));
        }, GATHER_MS);
      });
      const beat = setInterval(() => send(': beat\n\n'), BEAT_MS);
      stop = () => {
        unsubscribe();
        clearInterval(beat);
        clearTimeout(gather);
      };
      signal.addEventListener('abort', stop);
      send(': hello\n\n');
    },
    cancel: () => stop(),
  });
}

const usageQuery = z.object({
  from: z.iso.date('Write the first day as 2026-11-21.').optional(),
  to: z.iso.date('Write the last day as 2026-11-21.').optional(),
  by: z.enum(['day', 'plan', 'router']).default('day'),
});

/** The days of the chart, unless others are asked for. */
const USUAL_DAYS = 30;

function usageDays(query: z.infer<typeof usageQuery>, now: number): { from: string; to: string } {
  const to = query.to ?? dayOf(now);
  return { from: query.from ?? dayOf(Date.parse(to) - (USUAL_DAYS - 1) * DAY_MS), to };
}

function csvFile(name: string, text: string): Response {
  return new Response(text, {
    headers: {
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': `attachment; filename="${name}"`,
    },
  });
}

/** Ten years. */
const MOST_DAYS = 3660;

const salesQuery = z.object({
  from: z
    .string()
    .max(10)
    .optional()
    .describe('First day, `2026-01-01`; 29 days before the last one when absent'),
  to: z.string().max(10).optional().describe('Last day; today when absent'),
  by: z.enum(['day', 'month']).optional().describe('`day` when absent'),
});

/** The days a report is asked for. Throws `invalid` naming the field. */
function salesRequest(query: z.infer<typeof salesQuery>, now: number): SalesRequest {
  const last = query.to === undefined ? startOfDay(now) : dayStart(query.to);
  const from = query.from === undefined ? last && last - 29 * DAY_MS : dayStart(query.from);
  const wrong = (fields: Record<string, string>) =>
    new AppError('invalid', Object.values(fields)[0] ?? '', { fields });
  if (last === undefined) throw wrong({ to: 'Write the last day like 2026-01-31.' });
  if (from === undefined) throw wrong({ from: 'Write the first day like 2026-01-31.' });
  if (last < from) throw wrong({ to: 'The last day is before the first.' });
  if ((last - from) / DAY_MS >= MOST_DAYS) throw wrong({ to: 'Ten years at most.' });
  return { from, to: last + DAY_MS, by: query.by ?? 'day' };
}

export const reportRoutes = [
  route({
    method: 'get',
    path: '/reports/overview',
    summary: 'Today, this week, and what needs a person',
    access: STAFF,
    answer: overviewAnswer,
    async handle({ ctx, now }) {
      const overview = await readOverview(ctx.db, now);
      const last = await listPayments(ctx.db, { limit: 10 });
      const proof = await lastProof(ctx.db);
      const ledger = proof ? { ok: proof.ok, at: proof.at, problem: proof.problems[0] ?? null } : null;
      return { ...overview, last_payments: last.items.map(viewPayment), ledger };
    },
  }),
  route({
    method: 'get',
    path: '/reports/usage',
    summary: 'Octets and online time of some days (30 unless said), by day, plan or router',
    access: SUPPORT,
    query: usageQuery,
    answer: usageAnswer,
    async handle({ ctx, query, now }) {
      const { from, to } = usageDays(query, now);
      return { from, to, items: await readUsage(ctx.db, from, to, query.by) };
    },
  }),
  route({
    method: 'get',
    path: '/reports/usage.csv',
    summary: 'The same as CSV',
    access: SUPPORT,
    query: usageQuery,
    produces: 'text/csv',
    async handle({ ctx, query, now }) {
      const { from, to } = usageDays(query, now);
      return csvFile(
        `usage-${from}-${to}.csv`,
        usageCsv(query.by, await readUsage(ctx.db, from, to, query.by)),
      );
    },
  }),
  route({
    method: 'get',
    path: '/reports/sales',
    summary: 'Sales of a span of days, by day or month and by plan',
    access: SUPPORT,
    query: salesQuery,
    answer: salesAnswer,
    handle: ({ ctx, query, now }) => ctx.heavy.run('sales', salesRequest(query, now)),
  }),
  route({
    method: 'get',
    path: '/reports/sales.csv',
    summary: 'The same by day or month as CSV, amounts in shillings',
    access: SUPPORT,
    query: salesQuery,
    produces: 'text/csv',
    async handle({ ctx, query, now }) {
      const request = salesRequest(query, now);
      const csv = salesCsv(await ctx.heavy.run('sales', request));
      const days = `${dayOf(request.from)}-${dayOf(request.to - 1)}`;
      return csvFile(`sales-${days}.csv`, csv);
    },
  }),
  route({
    method: 'get',
    path: '/reports/access-log',
    summary: 'The last sign-ins to the network, why they were refused, and who is held back for guessing',
    access: SUPPORT,
    answer: accessLogAnswer,
    handle: async ({ ctx }) => ({ items: ctx.signIns.list(), lockouts: ctx.radius.lockouts() }),
  }),
  route({
    method: 'get',
    path: '/events',
    summary: 'What happens, as server-sent events: session, payment, batch, overview',
    access: STAFF,
    produces: 'text/event-stream',
    handle: async ({ ctx, c }) =>
      new Response(eventStream(ctx, c.req.raw.signal), {
        headers: {
          'content-type': 'text/event-stream',
          'cache-control': 'no-store',
          'x-accel-buffering': 'no',
        },
      }),
  }),
];
