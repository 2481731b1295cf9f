// /api/v1/till-sessions: a cashier's cash from opening to closing.
import * as z from 'zod';
import { listCashSales } from '../../../billing/cash.ts';
import {
  countTill,
  DRAWER_PURPOSES,
  type DrawerPurpose,
  listTillEvents,
  moveDrawer,
  type TillEventView,
  undoDrawerMove,
} from '../../../billing/drawer.ts';
import {
  closeTill,
  findOpenTill,
  getTillSession,
  listTillSessions,
  openTill,
  readTillSettings,
  type TillSessionView,
  updateTillSettings,
} from '../../../billing/till.ts';
import { AppError } from '../../../errors.ts';
import {
  cashSaleAnswer,
  currentTillAnswer,
  pageOfAnswer,
  tillEventAnswer,
  tillSessionAnswer,
  tillSettingsAnswer,
} from './answers.ts';
import { CASHIERS, checkOwn, manages, viewSale } from './cash-sales.ts';
import { changeSettings } from './change-settings.ts';
import { idFilter, MANAGERS, pageOf, pageQuery, present, type Route, route } from './route.ts';

/** KES 1,000,000: nobody holds more in a drawer. */
const MOST_CENTS = 100_000_000;
const cash = z.number().int().min(0).max(MOST_CENTS);

function viewTill({ open_key: _, ...shown }: TillSessionView) {
  return shown;
}

function viewEvent({ idempotency_key: _, ...shown }: TillEventView) {
  return shown;
}

export const tillRoutes: Route[] = [
  route({
    method: 'get',
    path: '/till-sessions',
    summary: 'List tills, newest first: one’s own, or everybody’s for who manages',
    access: CASHIERS,
    query: pageQuery.extend({
      account_id: idFilter,
      state: z.enum(['open', 'closed']).optional(),
    }),
    answer: pageOfAnswer(tillSessionAnswer),
    async handle({ ctx, c, query }) {
      const account = c.get('account');
      if (!manages(account) && (query.account_id ?? account.id) !== account.id)
        throw new AppError('forbidden', 'This is not your till.');
      const account_id = manages(account) ? query.account_id : account.id;
      const { items, next } = await listTillSessions(ctx.db, pageOf(query), {
        account_id,
        state: query.state,
      });
      return { items: items.map(viewTill), next };
    },
  }),
  route({
    method: 'get',
    path: '/till-sessions/current',
    summary: 'One’s own open till, and whether one is needed for selling',
    access: CASHIERS,
    answer: currentTillAnswer,
    async handle({ ctx, c }) {
      const open = await findOpenTill(ctx.db, c.get('account').id);
      const { required } = await readTillSettings(ctx.db);
      return { required, session: open ? viewTill(await getTillSession(ctx.db, open.id)) : null };
    },
  }),
  route({
    method: 'post',
    path: '/till-sessions',
    summary: 'Open one’s till with the change that lies in it',
    access: CASHIERS,
    status: 201,
    body: z.object({ opening_cents: cash }),
    answer: tillSessionAnswer,
    async handle({ ctx, c, actor, body, now }) {
      const session = await openTill(ctx.db, c.get('account').id, body.opening_cents, actor, now);
      return viewTill(await getTillSession(ctx.db, session.id));
    },
  }),
  route({
    method: 'get',
    path: '/till-sessions/{id}',
    summary: 'One till',
    access: CASHIERS,
    answer: tillSessionAnswer,
    async handle({ ctx, c, params }) {
      const session = await getTillSession(ctx.db, params.id as string);
      checkOwn(c.get('account'), session.account_id);
      return viewTill(session);
    },
  }),
  route({
    method: 'get',
    path: '/till-sessions/{id}/sales',
    summary: 'What was sold into a till, newest first',
    access: CASHIERS,
    query: pageQuery,
    answer: pageOfAnswer(cashSaleAnswer),
    async handle({ ctx, c, params, query }) {
      const session = await getTillSession(ctx.db, params.id as string);
      checkOwn(c.get('account'), session.account_id);
      const { items, next } = await listCashSales(ctx.db, ctx.vault, pageOf(query), {
        till_session_id: session.id,
      });
      return { items: items.map(viewSale), next };
    },
  }),
  route({
    method: 'post',
    path: '/till-sessions/{id}/count',
    summary: 'Write down a count without closing',
    access: CASHIERS,
    body: z.object({ counted_cents: cash, note: z.string().trim().max(200).optional() }),
    answer: tillSessionAnswer,
    async handle({ ctx, c, actor, params, body, now }) {
      const session = await getTillSession(ctx.db, params.id as string);
      checkOwn(c.get('account'), session.account_id);
      await countTill(ctx.db, session.id, body, actor, now);
      return viewTill(await getTillSession(ctx.db, session.id));
    },
  }),
  route({
    method: 'get',
    path: '/till-sessions/{id}/events',
    summary: 'Counts of a till, and cash put in and taken out, newest first',
    access: CASHIERS,
    query: pageQuery,
    answer: pageOfAnswer(tillEventAnswer),
    async handle({ ctx, c, params, query }) {
      const session = await getTillSession(ctx.db, params.id as string);
      checkOwn(c.get('account'), session.account_id);
      const { items, next } = await listTillEvents(ctx.db, session.id, pageOf(query));
      return { items: items.map(viewEvent), next };
    },
  }),
  route({
    method: 'post',
    path: '/till-sessions/{id}/moves',
    summary:
      'Put cash into an open till from the safe, or take it out for an expense, the bank or the safe. Takes an Idempotency-Key',
    access: CASHIERS,
    status: 201,
    body: z.object({
      purpose: z.enum(Object.keys(DRAWER_PURPOSES) as [DrawerPurpose, ...DrawerPurpose[]]),
      amount_cents: cash.min(1, 'Write an amount, like 500.'),
      note: z.string().trim().min(1, 'Say what for.').max(200),
    }),
    answer: tillSessionAnswer,
    async handle({ ctx, c, actor, params, body, now }) {
      const session = await getTillSession(ctx.db, params.id as string);
      checkOwn(c.get('account'), session.account_id);
      const key = c.req.header('idempotency-key')?.slice(0, 200);
      if (!key) throw new AppError('invalid', 'Send an Idempotency-Key, so that a repeat counts once.');
      await moveDrawer(ctx.db, session.id, { ...body, key }, actor, now);
      return viewTill(await getTillSession(ctx.db, session.id));
    },
  }),
  route({
    method: 'post',
    path: '/till-sessions/{id}/moves/{event_id}/take-back',
    summary: 'Take a move of the drawer back by its opposite, while the till is open',
    access: CASHIERS,
    body: z.object({ reason: z.string().trim().min(1, 'Say why.').max(180) }),
    answer: tillSessionAnswer,
    async handle({ ctx, c, actor, params, body, now }) {
      const session = await getTillSession(ctx.db, params.id as string);
      checkOwn(c.get('account'), session.account_id);
      await undoDrawerMove(ctx.db, session.id, params.event_id as string, body.reason, actor, now);
      return viewTill(await getTillSession(ctx.db, session.id));
    },
  }),
  route({
    method: 'post',
    path: '/till-sessions/{id}/close',
    summary: 'Close a till: what is missing or too much is booked as a difference',
    access: CASHIERS,
    body: z.object({ counted_cents: cash, note: z.string().trim().max(200).optional() }),
    answer: tillSessionAnswer,
    async handle({ ctx, c, actor, params, body, now }) {
      const session = await getTillSession(ctx.db, params.id as string);
      checkOwn(c.get('account'), session.account_id);
      await closeTill(ctx.db, session.id, body, actor, now);
      return viewTill(await getTillSession(ctx.db, session.id));
    },
  }),
  route({
    method: 'get',
    path: '/settings/till',
    summary: 'Whether cash needs an open till',
    access: CASHIERS,
    answer: tillSettingsAnswer,
    handle: ({ ctx }) => readTillSettings(ctx.db),
  }),
  route({
    method: 'put',
    path: '/settings/till',
    summary: 'Whether cash needs an open till',
    access: MANAGERS,
    body: z.object({ required: z.boolean() }).partial(),
    answer: tillSettingsAnswer,
    handle: ({ ctx, actor, body, now }) =>
      changeSettings(ctx.db, actor, now, {
        name: 'till',
        read: readTillSettings,
        write: (tx) => updateTillSettings(tx, present(body), now),
      }),
  }),
];
