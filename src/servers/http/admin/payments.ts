// /api/v1/orders, /api/v1/payments, /api/v1/evidence, /api/v1/messages
import * as z from 'zod';
import {
  type Evidence,
  keepEvidence,
  listEvidence,
  listOrderEvidence,
  listPaymentEvidence,
} from '../../../billing/evidence.ts';
import { askReversal, decideReversal } from '../../../billing/mpesa-requests.ts';
import {
  askAboutOrder,
  getOrder,
  getOrderView,
  listOrders,
  type OrderView,
} from '../../../billing/orders.ts';
import { getPayment, listPayments, type PaymentView } from '../../../billing/payments.ts';
import { attachPayment } from '../../../billing/resolve.ts';
import { settleEvidence } from '../../../billing/settle.ts';
import { getImport, listImports, startImport } from '../../../billing/statement-import.ts';
import { AppError } from '../../../errors.ts';
import { maskMsisdn, normalizeMsisdn } from '../../../lib/msisdn.ts';
import { listMessages } from '../../../messaging/outbox.ts';
import { audit } from '../../../operators/audit.ts';
import type { HttpContext } from '../context.ts';
import { MAX_STATEMENT_OCTETS } from '../security.ts';
import {
  evidenceAnswer,
  messageAnswer,
  orderAnswer,
  pageOfAnswer,
  paymentAnswer,
  paymentWithEvidenceAnswer,
  statementAnswer,
  wholeOrderAnswer,
} from './answers.ts';
import { type Access, idFilter, MANAGERS, pageOf, pageQuery, route, STAFF, searchQuery } from './route.ts';

export function viewPayment(payment: PaymentView) {
  return { ...payment, receipt_pending: payment.gateway === 'mpesa' && payment.receipt === null };
}

function viewEvidence(evidence: Evidence) {
  const { dedupe_key: _, ...shown } = evidence;
  return shown;
}

function viewOrder(order: OrderView) {
  const { callback_token_hash: _, live_key: __, idempotency_key: ___, ...shown } = order;
  return { ...shown, message: order.problem };
}

async function wholeOrder(ctx: HttpContext, id: string) {
  const order = await getOrderView(ctx.db, id);
  const evidence = await listOrderEvidence(ctx.db, id);
  const payments = await listPayments(ctx.db, { limit: 100 }, { order_id: id });
  return {
    ...viewOrder(order),
    evidence: evidence.map(viewEvidence),
    payments: payments.items.map(viewPayment),
  };
}

async function wholePayment(ctx: HttpContext, id: string) {
  const payment = await getPayment(ctx.db, id);
  const evidence = await listPaymentEvidence(ctx.db, id);
  return { ...viewPayment(payment), evidence: evidence.map(viewEvidence) };
}

const anId = z.string().max(40).optional();
const attachment = z
  .object({ order_id: anId, subscriber_id: anId, plan_id: anId, credential_id: anId })
  .refine(
    (body) =>
      body.order_id === undefined
        ? body.subscriber_id !== undefined && body.plan_id !== undefined
        : body.subscriber_id === undefined && body.plan_id === undefined,
    { path: ['order_id'], message: 'Name an order, or a subscriber with a plan.' },
  );

const SELLERS_AT_COUNTER: Access = ['owner', 'admin', 'cashier'];

export const paymentRoutes = [
  route({
    method: 'get',
    path: '/orders',
    summary: 'List orders, newest first; `q` is a phone number',
    access: STAFF,
    query: searchQuery.extend({
      state: z.enum(['pending', 'paid', 'failed', 'checking']).optional(),
      subscriber_id: idFilter,
    }),
    answer: pageOfAnswer(orderAnswer),
    async handle({ ctx, query }) {
      const msisdn = query.q ? normalizeMsisdn(query.q) : undefined;
      if (query.q && !msisdn) return { items: [], next: null };
      const { q: _, ...filter } = query;
      const page = await listOrders(ctx.db, pageOf(query), { ...filter, msisdn });
      return { items: page.items.map(viewOrder), next: page.next };
    },
  }),
  route({
    method: 'get',
    path: '/orders/{id}',
    summary: 'One order with its evidence and payments',
    access: STAFF,
    answer: wholeOrderAnswer,
    handle: ({ ctx, params }) => wholeOrder(ctx, params.id as string),
  }),
  route({
    method: 'post',
    path: '/orders/{id}/query',
    summary: 'Ask the gateway about an order now',
    access: STAFF,
    answer: wholeOrderAnswer,
    async handle({ ctx, actor, params, now }) {
      const order = await getOrder(ctx.db, params.id as string);
      const gateway = order.gateway === 'mpesa' ? await ctx.gateways.mpesa() : undefined;
      if (!gateway)
        throw new AppError('conflict', 'M-PESA is not set up.', { hint: 'Add the keys in Settings.' });
      const answer = await askAboutOrder(ctx.db, gateway, order, now);
      if (answer.outcome === 'decided') {
        const input = {
          kind: 'stk_query' as const,
          order_id: order.id,
          body: answer.body,
          source_address: null,
        };
        const evidence = await keepEvidence(ctx.db, input, now);
        if (evidence) await settleEvidence(ctx.db, ctx.vault, evidence.id, now);
        ctx.kick();
      }
      await audit(
        ctx.db,
        actor,
        {
          action: 'query',
          entity: 'order',
          entity_id: order.id,
          entity_name: maskMsisdn(order.msisdn),
          after: answer,
        },
        now,
      );
      return wholeOrder(ctx, order.id);
    },
  }),
  route({
    method: 'get',
    path: '/payments',
    summary: 'List payments, newest first; `q` is a receipt or a phone number',
    access: STAFF,
    query: searchQuery.extend({
      state: z.enum(['settled', 'unmatched', 'reversed']).optional(),
      subscriber_id: idFilter,
      order_id: idFilter,
    }),
    answer: pageOfAnswer(paymentAnswer),
    async handle({ ctx, query }) {
      const msisdn = query.q ? normalizeMsisdn(query.q) : undefined;
      const receipt = query.q && !msisdn ? query.q.toUpperCase() : undefined;
      const { q: _, ...filter } = query;
      const page = await listPayments(ctx.db, pageOf(query), { ...filter, msisdn, receipt });
      return { items: page.items.map(viewPayment), next: page.next };
    },
  }),
  route({
    method: 'get',
    path: '/payments/{id}',
    summary: 'One payment with its evidence',
    access: STAFF,
    answer: paymentWithEvidenceAnswer,
    handle: ({ ctx, params }) => wholePayment(ctx, params.id as string),
  }),
  route({
    method: 'post',
    path: '/payments/{id}/attach',
    summary: 'Settle an unmatched payment: for an order, or for a subscriber with the plan they get',
    access: SELLERS_AT_COUNTER,
    body: attachment,
    answer: paymentWithEvidenceAnswer,
    async handle({ ctx, actor, params, body, now }) {
      const id = params.id as string;
      const settled = await ctx.db.transaction().execute(async (tx) => {
        const before = await getPayment(tx, id);
        const to =
          body.order_id !== undefined
            ? { order_id: body.order_id }
            : { subscriber_id: body.subscriber_id as string, plan_id: body.plan_id as string };
        const after = await attachPayment(
          tx,
          ctx.vault,
          id,
          'order_id' in to ? to : { ...to, credential_id: body.credential_id },
          actor.name,
          now,
        );
        const entry = {
          action: 'attach',
          entity: 'payment',
          entity_id: id,
          entity_name: before.receipt ?? id,
        };
        await audit(
          tx,
          actor,
          {
            ...entry,
            before: { state: before.state },
            after: { ...to, entitlement_id: after.entitlement_id },
          },
          now,
        );
        return after;
      });
      ctx.kick();
      return wholePayment(ctx, settled.id);
    },
  }),
  route({
    method: 'post',
    path: '/payments/{id}/reverse',
    summary: 'Have M-PESA send a payment back; it is reversed when M-PESA says so',
    access: MANAGERS,
    body: z.object({ remarks: z.string().trim().min(2, 'Say why, for M-PESA.').max(100) }),
    answer: paymentWithEvidenceAnswer,
    async handle({ ctx, actor, params, body, now }) {
      const id = params.id as string;
      const payment = await getPayment(ctx.db, id);
      const gateway = await ctx.gateways.mpesa();
      if (!gateway) {
        throw new AppError('conflict', 'M-PESA is not set up.', { hint: 'Add the keys in Settings.' });
      }
      const entry = {
        action: 'reverse',
        entity: 'payment',
        entity_id: id,
        entity_name: payment.receipt ?? id,
      };
      await audit(ctx.db, actor, { ...entry, before: { state: payment.state }, after: body }, now);
      const asked = { ...body, asked_by: actor.name, base: await ctx.noticeBaseUrl() };
      await askReversal(ctx.db, gateway, id, asked, now);
      return wholePayment(ctx, id);
    },
  }),
  route({
    method: 'post',
    path: '/payments/{id}/reversal',
    summary: 'Say what came of a reversal that M-PESA never answered, after a look at its portal',
    access: MANAGERS,
    body: z.object({ went_back: z.boolean(), note: z.string().trim().max(300).optional() }),
    answer: paymentWithEvidenceAnswer,
    async handle({ ctx, actor, params, body, now }) {
      const id = params.id as string;
      await ctx.db.transaction().execute(async (tx) => {
        const before = await getPayment(tx, id);
        await decideReversal(tx, id, body.went_back, actor.name, now);
        const about = { entity: 'payment', entity_id: id, entity_name: before.receipt ?? id };
        const was = { state: before.state, reversal: before.reversal };
        await audit(tx, actor, { action: 'decide', ...about, before: was, after: body }, now);
      });
      ctx.kick();
      return wholePayment(ctx, id);
    },
  }),
  route({
    method: 'post',
    path: '/payments/statement',
    summary: 'Compare with the statement of the M-PESA portal (CSV); what was not known is settled by and by',
    access: MANAGERS,
    body: z.object({ text: z.string().min(1, 'The file is empty.') }),
    takes: 'text/csv',
    max_octets: MAX_STATEMENT_OCTETS,
    answer: statementAnswer,
    async handle({ ctx, actor, body, now }) {
      const prepared = await ctx.heavy.run('read_statement', { text: body.text, now });
      const { rows, matched, found } = prepared;
      const entry = {
        action: 'import',
        entity: 'statement',
        entity_id: null,
        entity_name: 'M-PESA statement',
      };
      await audit(ctx.db, actor, { ...entry, after: { rows, matched, new: found } }, now);
      const started = await startImport(ctx.db, prepared, actor.name, now);
      ctx.kick('settle_statement');
      return started;
    },
  }),
  route({
    method: 'get',
    path: '/statements',
    summary: 'List imports of statements, newest first',
    access: MANAGERS,
    query: pageQuery,
    answer: pageOfAnswer(statementAnswer),
    handle: ({ ctx, query }) => listImports(ctx.db, pageOf(query)),
  }),
  route({
    method: 'get',
    path: '/statements/{id}',
    summary: 'One import of a statement: how far it is, and what came of it',
    access: MANAGERS,
    answer: statementAnswer,
    handle: ({ ctx, params }) => getImport(ctx.db, params.id as string),
  }),
  route({
    method: 'get',
    path: '/evidence',
    summary: 'List evidence, newest first; `q` is an M-PESA code',
    access: STAFF,
    query: searchQuery.extend({
      state: z.enum(['received', 'waiting', 'used', 'duplicate', 'quarantined']).optional(),
      order_id: idFilter,
      payment_id: idFilter,
    }),
    answer: pageOfAnswer(evidenceAnswer),
    async handle({ ctx, query }) {
      const { q, ...filter } = query;
      const page = await listEvidence(ctx.db, pageOf(query), { ...filter, receipt: q?.toUpperCase() });
      return { items: page.items.map(viewEvidence), next: page.next };
    },
  }),
  route({
    method: 'get',
    path: '/messages',
    summary: 'List messages, newest first',
    access: STAFF,
    query: pageQuery.extend({ state: z.enum(['queued', 'sent', 'delivered', 'failed']).optional() }),
    answer: pageOfAnswer(messageAnswer),
    handle: ({ ctx, query }) => listMessages(ctx.db, pageOf(query), query.state),
  }),
];
