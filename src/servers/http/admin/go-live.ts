// /api/v1/go-live: the checklist before the first real sale, each step with its test.
import * as z from 'zod';
import type { TestStep } from '../../../billing/gateways.ts';
import {
  aboutStep,
  type GoLiveStep,
  isLive,
  keepBalanceTest,
  keepGoLive,
  keepPush,
  readGoLive,
  rehearsalPlan,
} from '../../../billing/go-live.ts';
import { openInitiator, updateInitiator, viewInitiator } from '../../../billing/initiator.ts';
import { askBalance } from '../../../billing/mpesa-requests.ts';
import { readMpesaSettings } from '../../../billing/mpesa-settings.ts';
import { noticeAddresses } from '../../../billing/notice-addresses.ts';
import { NOWHERE } from '../../../billing/notice-base.ts';
import { sendOrder, startOrder } from '../../../billing/orders.ts';
import { AppError } from '../../../errors.ts';
import { maskMsisdn, normalizeMsisdn } from '../../../lib/msisdn.ts';
import { audit } from '../../../operators/audit.ts';
import type { Initiator } from '../../../protocols/mpesa/index.ts';
import type { HttpContext } from '../context.ts';
import { changeSettings } from './change-settings.ts';
import { MANAGERS, present, route } from './route.ts';

const maybeTime = z.number().int().nullable();

const goLiveAnswer = z.strictObject({
  live: z.boolean().describe('Keys and shortcode hold, and a push was paid'),
  steps: z.array(
    z.strictObject({
      step: z.enum(['keys', 'shortcode', 'push', 'callback', 'c2b', 'pull', 'initiator']),
      state: z.enum(['unknown', 'ok', 'warning', 'failed', 'waiting', 'again', 'optional']),
      at: maybeTime,
      message: z.string(),
      hint: z.string().nullable(),
    }),
  ),
  url: z.string().nullable().describe('The public address of the callback door'),
  initiator: z.strictObject({
    name: z.string().nullable(),
    has_password: z.boolean(),
    has_certificate: z.boolean(),
    password_set_at: maybeTime,
    password_ends_at: maybeTime,
    certificate_ends_at: maybeTime,
  }),
});

const msisdn = z
  .string()
  .transform((typed) => normalizeMsisdn(typed))
  .refine((number) => number !== undefined, 'Write a number like 0712 345 678.')
  .transform((number) => number as string);

async function wholeList(ctx: HttpContext) {
  const url = ctx.tunnel.publicUrl();
  const steps = await readGoLive(ctx.db, ctx.vault, url, ctx.clock.now());
  return { live: isLive(steps), steps, url: url ?? null, initiator: await viewInitiator(ctx.db) };
}

async function keep(ctx: HttpContext, step: GoLiveStep, tried: TestStep): Promise<void> {
  const about = await aboutStep(ctx.db, ctx.vault, step, ctx.tunnel.publicUrl());
  await keepGoLive(ctx.db, step, tried, about, ctx.clock.now());
}

async function openGateway(ctx: HttpContext, initiator?: Initiator) {
  const settings = await readMpesaSettings(ctx.db, ctx.vault);
  if (!settings) {
    throw new AppError('conflict', 'M-PESA is not set up.', { hint: 'Add the keys in Settings first.' });
  }
  return ctx.tryMpesa(settings, initiator);
}

function needUrl(ctx: HttpContext): string {
  const url = ctx.tunnel.publicUrl();
  if (url) return url;
  throw new AppError('conflict', 'There is no way in from outside, so M-PESA has nowhere to send notices.', {
    hint: 'Choose a way in first.',
  });
}

export const goLiveRoutes = [
  route({
    method: 'get',
    path: '/go-live',
    summary: 'The go-live checklist as it stands',
    access: MANAGERS,
    answer: goLiveAnswer,
    handle: ({ ctx }) => wholeList(ctx),
  }),
  route({
    method: 'post',
    path: '/go-live/keys',
    summary: 'Test the stored keys, passkey and shortcode; costs nothing',
    access: MANAGERS,
    body: z.object({}).strict(),
    answer: goLiveAnswer,
    async handle({ ctx }) {
      const steps = await (await openGateway(ctx)).test();
      const failed = steps.find((step) => !step.ok);
      const keys = steps.find((step) => step.step === 'keys') ?? failed;
      if (keys) await keep(ctx, 'keys', keys);
      const shortcode = steps.find((step) => step.step === 'shortcode');
      const untried = { step: 'shortcode', ok: false, message: 'Not reached: the keys come first.' };
      await keep(ctx, 'shortcode', shortcode ?? untried);
      return wholeList(ctx);
    },
  }),
  route({
    method: 'post',
    path: '/go-live/push',
    summary: 'Ask a phone of the operator for KES 1: a whole sale, with real money where the keys are real',
    access: MANAGERS,
    body: z.object({ msisdn }),
    answer: goLiveAnswer,
    async handle({ ctx, actor, body, now }) {
      const gateway = await openGateway(ctx);
      const plan = await rehearsalPlan(ctx.db, now);
      const wish = { plan_id: plan.id, msisdn: body.msisdn, mac: null, ip: null, router_id: null };
      const started = await startOrder(ctx.db, { ...wish, idempotency_key: null, rehearsal: true }, now);
      const about = await aboutStep(ctx.db, ctx.vault, 'push', ctx.tunnel.publicUrl());
      await keepPush(ctx.db, started.order.id, about, now);
      const entry = { action: 'push', entity: 'order', entity_id: started.order.id };
      await audit(ctx.db, actor, { ...entry, entity_name: maskMsisdn(body.msisdn) }, now);
      const { order, token } = started;
      // A second tap joins the push that is on the phone.
      if (token) {
        await sendOrder(ctx.db, gateway, { order, plan, token }, await ctx.noticeBaseUrl(), ctx.clock.now);
      }
      return wholeList(ctx);
    },
  }),
  route({
    method: 'post',
    path: '/go-live/callback',
    summary: 'Ask for the callback door at its public address, from outside in',
    access: MANAGERS,
    body: z.object({}).strict(),
    answer: goLiveAnswer,
    async handle({ ctx }) {
      const reach = await ctx.tunnel.check();
      await keep(
        ctx,
        'callback',
        reach.ok
          ? { step: 'callback', ok: true, message: `This box answers at ${reach.url}` }
          : { step: 'callback', ok: false, message: reach.problem, hint: reach.hint },
      );
      return wholeList(ctx);
    },
  }),
  route({
    method: 'post',
    path: '/go-live/c2b',
    summary: 'Tell M-PESA where notices of payments by hand go; production takes that once',
    access: MANAGERS,
    body: z.object({
      version: z
        .enum(['v1', 'v2'])
        .default('v1')
        .describe('v1 names payers by a hash, v2 by a masked number'),
      when_unanswered: z.enum(['Completed', 'Cancelled']).default('Completed'),
    }),
    answer: goLiveAnswer,
    async handle({ ctx, actor, body, now }) {
      const { confirmation_url, validation_url } = noticeAddresses(ctx.vault, needUrl(ctx));
      const gateway = await openGateway(ctx);
      const tried = await gateway.registerNotices({ ...body, confirmation_url, validation_url });
      await keep(ctx, 'c2b', { ...tried, message: tried.message.replace(confirmation_url, needUrl(ctx)) });
      const entry = { action: 'register', entity: 'settings', entity_name: 'c2b' };
      await audit(ctx.db, actor, { ...entry, after: { ...body, ok: tried.ok } }, now);
      return wholeList(ctx);
    },
  }),
  route({
    method: 'post',
    path: '/go-live/pull',
    summary: 'Enable pulling of payments; the number is the one named in the papers with Safaricom',
    access: MANAGERS,
    body: z.object({ msisdn }),
    answer: goLiveAnswer,
    async handle({ ctx, actor, body, now }) {
      const gateway = await openGateway(ctx);
      const { pull_url } = noticeAddresses(ctx.vault, await ctx.noticeBaseUrl());
      const tried = await gateway.registerPull(body.msisdn, pull_url);
      await keep(ctx, 'pull', tried);
      const entry = { action: 'register', entity: 'settings', entity_name: 'pull' };
      await audit(ctx.db, actor, { ...entry, after: { ok: tried.ok } }, now);
      return wholeList(ctx);
    },
  }),
  route({
    method: 'put',
    path: '/go-live/initiator',
    summary: 'The API operator for statuses, reversals and balances; what is left out stays',
    access: MANAGERS,
    body: z.object({
      name: z.string().trim().max(100).optional(),
      password: z.string().max(200).optional(),
      certificate: z.string().max(20_000).optional().describe('M-PESA’s certificate, PEM'),
      password_set_at: z
        .number()
        .int()
        .min(0)
        .optional()
        .describe('When it was set on the organisation portal'),
    }),
    answer: goLiveAnswer,
    async handle({ ctx, actor, body, now }) {
      await changeSettings(ctx.db, actor, now, {
        name: 'initiator',
        read: viewInitiator,
        write: (tx) => updateInitiator(tx, ctx.vault, present(body), now),
      });
      return wholeList(ctx);
    },
  }),
  route({
    method: 'post',
    path: '/go-live/initiator/test',
    summary: 'Ask M-PESA for the balance of the account; its answer comes as a notice',
    access: MANAGERS,
    body: z.object({}).strict(),
    answer: goLiveAnswer,
    async handle({ ctx, actor, now }) {
      const gateway = await openGateway(ctx, await openInitiator(ctx.db, ctx.vault));
      const base = await ctx.noticeBaseUrl();
      const request = await askBalance(ctx.db, gateway, actor.name, base, now);
      const about = await aboutStep(ctx.db, ctx.vault, 'initiator', ctx.tunnel.publicUrl());
      await keepBalanceTest(ctx.db, { request_id: request.id, about, reachable: base !== NOWHERE }, now);
      return wholeList(ctx);
    },
  }),
];
