// /api/v1/orders, /api/v1/payments, /api/v1/messages
import * as z from 'zod';
import {
  type Evidence,
  keepEvidence,
  listOrderEvidence,
  listPaymentEvidence,
} from '../../../billing/evidence.ts';
import {
  askAboutOrder,
  getOrder,
  getOrderView,
  listOrders,
  type OrderView,
} from '../../../billing/orders.ts';
import { getPayment, listPayments, type PaymentView } from '../../../billing/payments.ts';
import { settleEvidence } from '../../../billing/settle.ts';
import { AppError } from '../../../errors.ts';
import { maskMsisdn, normalizeMsisdn } from '../../../lib/msisdn.ts';
import { listMessages } from '../../../messaging/outbox.ts';
import { audit } from '../../../operators/audit.ts';
import type { HttpContext } from '../context.ts';
import {
  messageAnswer,
  orderAnswer,
  pageOfAnswer,
  paymentAnswer,
  paymentWithEvidenceAnswer,
  wholeOrderAnswer,
} from './answers.ts';
import { pageOf, pageQuery, route, STAFF } from './route.ts';

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

export const paymentRoutes = [
  route({
    method: 'get',
    path: '/orders',
    summary: 'List orders, newest first; `q` is a phone number',
    access: STAFF,
    query: pageQuery.extend({ state: z.enum(['pending', 'paid', 'failed', 'checking']).optional() }),
    answer: pageOfAnswer(orderAnswer),
    async handle({ ctx, query }) {
      const msisdn = query.q ? normalizeMsisdn(query.q) : undefined;
      if (query.q && !msisdn) return { items: [], next: null };
      const page = await listOrders(ctx.db, pageOf(query), { state: query.state, msisdn });
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
    query: pageQuery.extend({ state: z.enum(['settled', 'unmatched', 'reversed']).optional() }),
    answer: pageOfAnswer(paymentAnswer),
    async handle({ ctx, query }) {
      const msisdn = query.q ? normalizeMsisdn(query.q) : undefined;
      const receipt = query.q && !msisdn ? query.q.toUpperCase() : undefined;
      const page = await listPayments(ctx.db, pageOf(query), { state: query.state, msisdn, receipt });
      return { items: page.items.map(viewPayment), next: page.next };
    },
  }),
  route({
    method: 'get',
    path: '/payments/{id}',
    summary: 'One payment with its evidence',
    access: STAFF,
    answer: paymentWithEvidenceAnswer,
    async handle({ ctx, params }) {
      const payment = await getPayment(ctx.db, params.id as string);
      const evidence = await listPaymentEvidence(ctx.db, payment.id);
      return { ...viewPayment(payment), evidence: evidence.map(viewEvidence) };
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
