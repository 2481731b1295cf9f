// /api/v1/voucher-batches, /api/v1/vouchers
import * as z from 'zod';
import { getPlan } from '../../../access/plans.ts';
import {
  cancelVoucher,
  cancelVoucherBatch,
  createVoucherBatch,
  getVoucher,
  getVoucherBatch,
  listVoucherBatches,
  listVouchers,
  MAKE_AT_ONCE,
  MAX_BATCH,
  makeVouchers,
  restoreVoucher,
  type VoucherBatchView,
  withdrawVoucher,
} from '../../../access/vouchers.ts';
import { checkNotTakenBack } from '../../../billing/cash.ts';
import { dayOf } from '../../../lib/days.ts';
import type { Account } from '../../../operators/accounts.ts';
import { audit } from '../../../operators/audit.ts';
import type { HttpContext } from '../context.ts';
import { pageOfAnswer, voucherAnswer, voucherBatchAnswer } from './answers.ts';
import { idFilter, MANAGERS, pageOf, pageQuery, route, SELLERS, searchQuery } from './route.ts';

function viewBatch(batch: VoucherBatchView) {
  const { idempotency_key: _, ...shown } = batch;
  return { ...shown, unused: batch.made - batch.redeemed - batch.cancelled };
}

async function oneBatch(ctx: HttpContext, id: string) {
  return viewBatch(await getVoucherBatch(ctx.db, id));
}

function fileName(batch: { name: string }, ending: string): string {
  return `${batch.name.replace(/[^A-Za-z0-9]+/g, '-').replace(/^-|-$/g, '') || 'vouchers'}.${ending}`;
}

/** Whoever sells may cancel what is unused; taking back what was paid for is for managers. */
function isManager(account: Account | undefined): boolean {
  return account?.role === 'owner' || account?.role === 'admin';
}

export const voucherRoutes = [
  route({
    method: 'get',
    path: '/voucher-batches',
    summary: 'List voucher batches, newest first',
    access: 'signed_in',
    query: pageQuery.extend({
      plan_id: idFilter,
      state: z.enum(['making', 'ready', 'cancelled']).optional(),
    }),
    answer: pageOfAnswer(voucherBatchAnswer),
    async handle({ ctx, query }) {
      const { items, next } = await listVoucherBatches(ctx.db, pageOf(query), query);
      return { items: items.map(viewBatch), next };
    },
  }),
  route({
    method: 'post',
    path: '/voucher-batches',
    summary: 'Make a batch; up to 1,000 are ready in the answer. Takes an Idempotency-Key',
    access: SELLERS,
    status: 201,
    body: z.object({
      plan_id: z.string().max(40),
      count: z.number().int().min(1).max(MAX_BATCH),
      name: z.string().trim().max(60).optional(),
    }),
    answer: voucherBatchAnswer,
    async handle({ ctx, c, actor, body, now }) {
      const plan = await getPlan(ctx.db, body.plan_id);
      const key = c.req.header('idempotency-key');
      const batch = await createVoucherBatch(
        ctx.db,
        {
          plan_id: body.plan_id,
          count: body.count,
          name: body.name || `${plan.name} ${dayOf(now)}`,
          created_by: actor.account_id,
          idempotency_key: key ? `${actor.account_id}:${key.slice(0, 200)}` : null,
        },
        now,
      );
      const entry = {
        action: 'create',
        entity: 'voucher batch',
        entity_id: batch.id,
        entity_name: batch.name,
      };
      if (batch.made === 0)
        await audit(ctx.db, actor, { ...entry, after: { count: batch.count, plan: plan.name } }, now);
      if (batch.count <= MAKE_AT_ONCE) {
        await makeVouchers(ctx.db, batch, (count) => ctx.heavy.run('seal_codes', { count }), ctx.clock);
      }
      ctx.kick();
      return oneBatch(ctx, batch.id);
    },
  }),
  route({
    method: 'get',
    path: '/voucher-batches/{id}',
    summary: 'One batch, with how far it is',
    access: 'signed_in',
    answer: voucherBatchAnswer,
    handle: ({ ctx, params }) => oneBatch(ctx, params.id as string),
  }),
  route({
    method: 'get',
    path: '/voucher-batches/{id}/vouchers',
    summary: 'The vouchers of a batch with their codes',
    access: SELLERS,
    query: pageQuery,
    answer: pageOfAnswer(voucherAnswer),
    async handle({ ctx, params, query }) {
      const batch = await getVoucherBatch(ctx.db, params.id as string);
      return listVouchers(ctx.db, ctx.vault, pageOf(query), { batch_id: batch.id });
    },
  }),
  route({
    method: 'post',
    path: '/voucher-batches/{id}/cancel',
    summary: 'Cancel every unused voucher of a batch',
    access: MANAGERS,
    answer: voucherBatchAnswer,
    async handle({ ctx, actor, params, now }) {
      const before = await getVoucherBatch(ctx.db, params.id as string);
      const after = await cancelVoucherBatch(ctx.db, before.id);
      const entry = {
        action: 'cancel',
        entity: 'voucher batch',
        entity_id: before.id,
        entity_name: before.name,
      };
      await audit(
        ctx.db,
        actor,
        { ...entry, before: { cancelled: before.cancelled }, after: { cancelled: after.cancelled } },
        now,
      );
      return oneBatch(ctx, before.id);
    },
  }),
  route({
    method: 'get',
    path: '/voucher-batches/{id}/sheet.pdf',
    summary: 'The unused vouchers of a batch for printing, 10,000 at most',
    access: SELLERS,
    produces: 'application/pdf',
    async handle({ ctx, actor, params, now }) {
      const batch = await getVoucherBatch(ctx.db, params.id as string);
      const pdf = await ctx.heavy.run('voucher_sheet', { batch_id: batch.id });
      await audit(
        ctx.db,
        actor,
        { action: 'print', entity: 'voucher batch', entity_id: batch.id, entity_name: batch.name },
        now,
      );
      return new Response(pdf as Uint8Array<ArrayBuffer>, {
        headers: {
          'content-type': 'application/pdf',
          'content-disposition': `inline; filename="${fileName(batch, 'pdf')}"`,
        },
      });
    },
  }),
  route({
    method: 'get',
    path: '/voucher-batches/{id}/codes.csv',
    summary: 'The vouchers of a batch as CSV',
    access: SELLERS,
    produces: 'text/csv',
    async handle({ ctx, actor, params, now }) {
      const batch = await getVoucherBatch(ctx.db, params.id as string);
      const csv = await ctx.heavy.run('voucher_csv', { batch_id: batch.id });
      await audit(
        ctx.db,
        actor,
        { action: 'export', entity: 'voucher batch', entity_id: batch.id, entity_name: batch.name },
        now,
      );
      return new Response(csv, {
        headers: {
          'content-type': 'text/csv; charset=utf-8',
          'content-disposition': `attachment; filename="${fileName(batch, 'csv')}"`,
        },
      });
    },
  }),
  route({
    method: 'get',
    path: '/vouchers',
    summary: 'List vouchers; `q` is a whole code however it is written',
    access: SELLERS,
    query: searchQuery.extend({
      state: z.enum(['unused', 'redeemed', 'cancelled']).optional(),
      batch_id: idFilter,
      plan_id: idFilter,
    }),
    answer: pageOfAnswer(voucherAnswer),
    handle: ({ ctx, query }) =>
      listVouchers(ctx.db, ctx.vault, pageOf(query), {
        state: query.state,
        batch_id: query.batch_id,
        plan_id: query.plan_id,
        code: query.q || undefined,
      }),
  }),
  route({
    method: 'get',
    path: '/vouchers/{id}',
    summary: 'One voucher',
    access: SELLERS,
    answer: voucherAnswer,
    handle: ({ ctx, params }) => getVoucher(ctx.db, ctx.vault, params.id as string),
  }),
  route({
    method: 'post',
    path: '/vouchers/{id}/cancel',
    summary:
      'Cancel a voucher; of a redeemed one (managers only) the access is taken back and live sessions end',
    access: SELLERS,
    answer: voucherAnswer,
    async handle({ ctx, c, actor, params, now }) {
      const found = await getVoucher(ctx.db, ctx.vault, params.id as string);
      const withdraws = found.state === 'redeemed' && isManager(c.get('account'));
      const voucher = withdraws
        ? await withdrawVoucher(ctx.db, found.id, now)
        : await cancelVoucher(ctx.db, found.id);
      const entry = { action: 'cancel', entity: 'voucher', entity_id: voucher.id };
      await audit(ctx.db, actor, { ...entry, before: { state: found.state } }, now);
      if (withdraws) ctx.kick();
      return getVoucher(ctx.db, ctx.vault, voucher.id);
    },
  }),
  route({
    method: 'post',
    path: '/vouchers/{id}/restore',
    summary: 'Take a cancellation back',
    access: SELLERS,
    answer: voucherAnswer,
    async handle({ ctx, actor, params, now }) {
      await checkNotTakenBack(ctx.db, params.id as string);
      const voucher = await restoreVoucher(ctx.db, params.id as string);
      await audit(ctx.db, actor, { action: 'restore', entity: 'voucher', entity_id: voucher.id }, now);
      return getVoucher(ctx.db, ctx.vault, voucher.id);
    },
  }),
];
