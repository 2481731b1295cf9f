// /api/v1/payments/cash, /api/v1/till-sessions
import * as z from 'zod';
import {
  type CashSale,
  getCashSale,
  listCashSales,
  sellForCash,
  voidCashSale,
} from '../../../billing/cash.ts';
import {
  closeTill,
  countTill,
  findOpenTill,
  getTillSession,
  listTillSessions,
  openTill,
  readTillSettings,
  type TillSessionView,
  updateTillSettings,
} from '../../../billing/till.ts';
import { AppError } from '../../../errors.ts';
import { normalizeMsisdn } from '../../../lib/msisdn.ts';
import type { Account } from '../../../operators/accounts.ts';
import { audit } from '../../../operators/audit.ts';
import {
  cashSaleAnswer,
  currentTillAnswer,
  pageOfAnswer,
  tillSessionAnswer,
  tillSettingsAnswer,
} from './answers.ts';
import { MANAGERS, pageOf, pageQuery, present, type Route, route } from './route.ts';

const CASHIERS = ['owner', 'admin', 'cashier'] as const;
/** KES 1,000,000: nobody holds more in a drawer. */
const MOST_CENTS = 100_000_000;
const cash = z.number().int().min(0).max(MOST_CENTS);

const manages = (account: Account) => account.role === 'owner' || account.role === 'admin';

function viewSale({ idempotency_key: _, voucher_key: __, ...shown }: CashSale) {
  return shown;
}

function viewTill({ open_key: _, ...shown }: TillSessionView) {
  return shown;
}

/** A till its caller may see: one's own, and every one for who manages. */
function checkOwn(account: Account, owner: string): void {
  if (!manages(account) && account.id !== owner) {
    throw new AppError('forbidden', 'This is another cashier’s till.', { hint: 'Ask the owner.' });
  }
}

const newSale = z
  .object({
    plan_id: z.string().max(40).optional(),
    credential_id: z.string().max(40).optional().describe('A home’s credential: the plan goes to it'),
    voucher_code: z
      .string()
      .trim()
      .min(1, 'Write the code.')
      .max(60)
      .optional()
      .describe('A printed voucher'),
    msisdn: z.string().max(40).optional().describe('The guest’s number, if they give it'),
  })
  .refine((body) => (body.plan_id === undefined) !== (body.voucher_code === undefined), {
    path: ['plan_id'],
    message: 'Name the plan or a printed voucher, one of them.',
  });

export const tillRoutes: Route[] = [
  route({
    method: 'post',
    path: '/payments/cash',
    summary: 'Sell a plan or a printed voucher for cash; the code is in the answer. Takes an Idempotency-Key',
    access: CASHIERS,
    status: 201,
    body: newSale,
    answer: cashSaleAnswer,
    async handle({ ctx, c, actor, body, now }) {
      const key = c.req.header('idempotency-key')?.slice(0, 200);
      if (!key) throw new AppError('invalid', 'Send an Idempotency-Key, so that a repeat sells once.');
      const msisdn = body.msisdn ? normalizeMsisdn(body.msisdn) : undefined;
      if (body.msisdn && !msisdn) {
        throw new AppError('invalid', 'This is not a Kenyan mobile number.', {
          fields: { msisdn: 'Write it like 0712 345 678.' },
        });
      }
      const account_id = c.get('account').id;
      const sale = await sellForCash(ctx.db, ctx.vault, { ...body, msisdn, account_id, key }, actor, now);
      ctx.live.publish('payment', {
        id: sale.payment_id,
        amount_cents: sale.amount_cents,
        receipt: null,
        received_at: sale.created_at,
      });
      ctx.kick();
      return viewSale(sale);
    },
  }),
  route({
    method: 'get',
    path: '/payments/{id}/cash',
    summary: 'The cash sale behind a payment, with its code for printing again',
    access: CASHIERS,
    answer: cashSaleAnswer,
    async handle({ ctx, c, params }) {
      const sale = await getCashSale(ctx.db, ctx.vault, params.id as string);
      checkOwn(c.get('account'), sale.account_id);
      return viewSale(sale);
    },
  }),
  route({
    method: 'post',
    path: '/payments/{id}/void',
    summary: 'Take a mistaken cash sale back, while nothing of it was used',
    access: CASHIERS,
    body: z.object({ reason: z.string().trim().min(1, 'Say why.').max(200) }),
    answer: cashSaleAnswer,
    async handle({ ctx, c, actor, params, body, now }) {
      const account = c.get('account');
      const by = { account_id: account.id, manages: manages(account), reason: body.reason };
      const sale = await voidCashSale(ctx.db, ctx.vault, params.id as string, by, actor, now);
      ctx.kick();
      return viewSale(sale);
    },
  }),
  route({
    method: 'get',
    path: '/till-sessions',
    summary: 'List tills, newest first: one’s own, or everybody’s for who manages',
    access: CASHIERS,
    query: pageQuery.extend({
      account_id: z.string().max(40).optional(),
      state: z.enum(['open', 'closed']).optional(),
    }),
    answer: pageOfAnswer(tillSessionAnswer),
    async handle({ ctx, c, query }) {
      const account = c.get('account');
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
    body: z.object({ counted_cents: cash }),
    answer: tillSessionAnswer,
    async handle({ ctx, c, actor, params, body, now }) {
      const session = await getTillSession(ctx.db, params.id as string);
      checkOwn(c.get('account'), session.account_id);
      await countTill(ctx.db, session.id, body.counted_cents, actor, now);
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
      ctx.db.transaction().execute(async (tx) => {
        const before = await readTillSettings(tx);
        const after = await updateTillSettings(tx, present(body), now);
        const entry = { action: 'update', entity: 'settings', entity_name: 'till', before, after };
        await audit(tx, actor, entry, now);
        return after;
      }),
  }),
];
