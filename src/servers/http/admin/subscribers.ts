// /api/v1/subscribers, /api/v1/credentials, /api/v1/entitlements
import * as z from 'zod';
import {
  type Credential,
  credentialForDevice,
  getCredential,
  listCredentials,
} from '../../../access/credentials.ts';
import {
  getEntitlementView,
  grantEntitlement,
  listEntitlements,
  revokeEntitlement,
} from '../../../access/entitlements.ts';
import { getPlan } from '../../../access/plans.ts';
import { listSessions } from '../../../access/sessions.ts';
import {
  getSubscriber,
  listSubscribers,
  type Subscriber,
  updateSubscriber,
} from '../../../access/subscribers.ts';
import { listPayments } from '../../../billing/payments.ts';
import type { Page } from '../../../db/page.ts';
import type { Db } from '../../../db/schema.ts';
import { enqueueTask } from '../../../db/tasks.ts';
import { AppError } from '../../../errors.ts';
import { maskMsisdn, normalizeMsisdn } from '../../../lib/msisdn.ts';
import type { Vault } from '../../../lib/secrets.ts';
import { audit } from '../../../operators/audit.ts';
import {
  credentialAnswer,
  entitlementAnswer,
  pageOfAnswer,
  paymentAnswer,
  sessionAnswer,
  subscriberAnswer,
} from './answers.ts';
import { viewPayment } from './payments.ts';
import { MANAGERS, pageOf, pageQuery, present, route, STAFF, SUPPORT } from './route.ts';
import { viewSession } from './sessions.ts';

const states = z.enum(['active', 'suspended']);

const newEntitlement = z
  .object({
    subscriber_id: z.string().max(40).optional(),
    credential_id: z.string().max(40).optional(),
    plan_id: z.string().max(40),
    not_before_at: z
      .number()
      .int()
      .min(0)
      .max(4_102_444_800_000)
      .nullable()
      .default(null)
      .describe('It cannot be started before; null is at once'),
    reason: z.string().trim().min(1, 'Say why.').max(200),
  })
  .refine((body) => (body.subscriber_id === undefined) !== (body.credential_id === undefined), {
    path: ['credential_id'],
    message: 'Name the credential or the subscriber, one of them.',
  });

/** The credential a grant is for; a subscriber without one gets one. */
async function credentialFor(
  db: Db,
  vault: Vault,
  body: z.infer<typeof newEntitlement>,
  now: number,
): Promise<Credential> {
  if (body.credential_id !== undefined) return getCredential(db, body.credential_id);
  const subscriber = await getSubscriber(db, body.subscriber_id ?? '');
  const { items } = await listCredentials(db, { limit: 2 }, { subscriber_id: subscriber.id });
  if (items.length > 1) {
    throw new AppError('conflict', 'This subscriber has several credentials.', {
      hint: 'Choose the credential it is for.',
      fields: { credential_id: 'Choose one.' },
    });
  }
  return items[0] ?? credentialForDevice(db, vault, subscriber.id, null, now);
}

/** What a subscriber is called where only a word or two fit. */
function nameOf(subscriber: Subscriber): string {
  return subscriber.name || (subscriber.msisdn ? maskMsisdn(subscriber.msisdn) : 'voucher holder');
}

function viewCredentials(page: Page<Credential>) {
  return { items: page.items.map(({ password_sealed: _, ...shown }) => shown), next: page.next };
}

export const subscriberRoutes = [
  route({
    method: 'get',
    path: '/subscribers',
    summary: 'List subscribers; `q` is a phone number or the beginning of a name',
    access: STAFF,
    query: pageQuery.extend({ state: states.optional() }),
    answer: pageOfAnswer(subscriberAnswer),
    handle({ ctx, query }) {
      const msisdn = query.q ? normalizeMsisdn(query.q) : undefined;
      const filter = msisdn ? { msisdn } : { name_prefix: query.q || undefined };
      return listSubscribers(ctx.db, pageOf(query), { state: query.state, ...filter });
    },
  }),
  route({
    method: 'get',
    path: '/subscribers/{id}',
    summary: 'One subscriber',
    access: STAFF,
    answer: subscriberAnswer,
    handle: ({ ctx, params }) => getSubscriber(ctx.db, params.id as string),
  }),
  route({
    method: 'patch',
    path: '/subscribers/{id}',
    summary: 'Change a subscriber; suspending ends live sessions',
    access: SUPPORT,
    body: z
      .object({ name: z.string().trim().max(100).nullable(), notes: z.string().max(2000), state: states })
      .partial(),
    answer: subscriberAnswer,
    async handle({ ctx, actor, params, body, now }) {
      const id = params.id as string;
      const after = await ctx.db.transaction().execute(async (tx) => {
        const before = await getSubscriber(tx, id);
        const changed = await updateSubscriber(tx, id, present(body), now);
        if (changed.state !== before.state) {
          const { items } = await listCredentials(tx, { limit: 1000 }, { subscriber_id: id });
          for (const credential of items) {
            await enqueueTask(tx, 'enforce', { credential_id: credential.id, reason: changed.state }, now);
          }
        }
        await audit(
          tx,
          actor,
          {
            action: 'update',
            entity: 'subscriber',
            entity_id: id,
            entity_name: nameOf(changed),
            before,
            after: changed,
          },
          now,
        );
        return changed;
      });
      ctx.kick();
      return after;
    },
  }),
  route({
    method: 'get',
    path: '/subscribers/{id}/entitlements',
    summary: 'The entitlements of a subscriber',
    access: STAFF,
    query: pageQuery,
    answer: pageOfAnswer(entitlementAnswer),
    handle: ({ ctx, params, query }) =>
      listEntitlements(ctx.db, pageOf(query), { subscriber_id: params.id as string }),
  }),
  route({
    method: 'get',
    path: '/subscribers/{id}/sessions',
    summary: 'The sessions of a subscriber',
    access: STAFF,
    query: pageQuery,
    answer: pageOfAnswer(sessionAnswer),
    async handle({ ctx, params, query }) {
      const page = await listSessions(ctx.db, pageOf(query), { subscriber_id: params.id as string });
      return { items: page.items.map(viewSession), next: page.next };
    },
  }),
  route({
    method: 'get',
    path: '/subscribers/{id}/payments',
    summary: 'The payments of a subscriber',
    access: STAFF,
    query: pageQuery,
    answer: pageOfAnswer(paymentAnswer),
    async handle({ ctx, params, query }) {
      const page = await listPayments(ctx.db, pageOf(query), { subscriber_id: params.id as string });
      return { items: page.items.map(viewPayment), next: page.next };
    },
  }),
  route({
    method: 'get',
    path: '/subscribers/{id}/credentials',
    summary: 'The credentials of a subscriber, without passwords',
    access: STAFF,
    query: pageQuery,
    answer: pageOfAnswer(credentialAnswer),
    handle: async ({ ctx, params, query }) =>
      viewCredentials(await listCredentials(ctx.db, pageOf(query), { subscriber_id: params.id as string })),
  }),
  route({
    method: 'get',
    path: '/credentials',
    summary: 'List credentials, without passwords; `q` is a user name',
    access: STAFF,
    query: pageQuery,
    answer: pageOfAnswer(credentialAnswer),
    handle: async ({ ctx, query }) =>
      viewCredentials(await listCredentials(ctx.db, pageOf(query), { username: query.q || undefined })),
  }),
  route({
    method: 'get',
    path: '/entitlements',
    summary: 'List entitlements, newest first',
    access: STAFF,
    query: pageQuery.extend({
      state: z.enum(['waiting', 'active', 'ended', 'revoked']).optional(),
      subscriber_id: z.string().max(40).optional(),
    }),
    answer: pageOfAnswer(entitlementAnswer),
    handle: ({ ctx, query }) =>
      listEntitlements(ctx.db, pageOf(query), { state: query.state, subscriber_id: query.subscriber_id }),
  }),
  route({
    method: 'post',
    path: '/entitlements',
    summary: 'Grant a plan to a credential, or to a subscriber who has one at most',
    access: MANAGERS,
    status: 201,
    body: newEntitlement,
    answer: entitlementAnswer,
    async handle({ ctx, actor, body, now }) {
      const id = await ctx.db.transaction().execute(async (tx) => {
        const plan = await getPlan(tx, body.plan_id);
        const credential = await credentialFor(tx, ctx.vault, body, now);
        const granted = await grantEntitlement(
          tx,
          {
            subscriber_id: credential.subscriber_id,
            credential_id: credential.id,
            plan,
            source: 'grant',
            not_before_at: body.not_before_at,
          },
          now,
        );
        await audit(
          tx,
          actor,
          {
            action: 'grant',
            entity: 'entitlement',
            entity_id: granted.id,
            entity_name: credential.username,
            after: { plan: plan.name, not_before_at: body.not_before_at, reason: body.reason },
          },
          now,
        );
        return granted.id;
      });
      return getEntitlementView(ctx.db, id);
    },
  }),
  route({
    method: 'get',
    path: '/entitlements/{id}',
    summary: 'One entitlement',
    access: STAFF,
    answer: entitlementAnswer,
    handle: ({ ctx, params }) => getEntitlementView(ctx.db, params.id as string),
  }),
  route({
    method: 'post',
    path: '/entitlements/{id}/revoke',
    summary: 'Take an entitlement back; live sessions end',
    access: MANAGERS,
    body: z.object({ reason: z.string().trim().min(1, 'Say why.').max(200) }),
    answer: entitlementAnswer,
    async handle({ ctx, actor, params, body, now }) {
      const id = params.id as string;
      await ctx.db.transaction().execute(async (tx) => {
        const before = await getEntitlementView(tx, id);
        const after = await revokeEntitlement(tx, id, body.reason, now);
        const entry = {
          action: 'revoke',
          entity: 'entitlement',
          entity_id: id,
          entity_name: before.username,
        };
        await audit(
          tx,
          actor,
          { ...entry, before: { state: before.state }, after: { state: after.state, reason: body.reason } },
          now,
        );
      });
      ctx.kick();
      return getEntitlementView(ctx.db, id);
    },
  }),
];
