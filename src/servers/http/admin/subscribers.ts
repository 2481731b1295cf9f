// /api/v1/subscribers
import * as z from 'zod';
import { listCredentials } from '../../../access/credentials.ts';
import { listEntitlements } from '../../../access/entitlements.ts';
import { listSessions } from '../../../access/sessions.ts';
import {
  addSubscriber,
  getSubscriber,
  listSubscribers,
  type Subscriber,
  updateSubscriber,
} from '../../../access/subscribers.ts';
import { listPayments } from '../../../billing/payments.ts';
import { enqueueTask } from '../../../db/tasks.ts';
import { maskMsisdn, normalizeMsisdn } from '../../../lib/msisdn.ts';
import { audit } from '../../../operators/audit.ts';
import {
  credentialAnswer,
  entitlementAnswer,
  pageOfAnswer,
  paymentAnswer,
  sessionAnswer,
  subscriberAnswer,
} from './answers.ts';
import { viewCredential } from './credentials.ts';
import { viewEntitlement } from './entitlements.ts';
import { viewPayment } from './payments.ts';
import { pageOf, pageQuery, present, route, STAFF, SUPPORT, searchQuery } from './route.ts';
import { viewSession } from './sessions.ts';

const states = z.enum(['active', 'suspended']);
const name = z.string().trim().max(100);
const notes = z.string().max(2000);

const newSubscriber = z
  .object({
    name: name.optional(),
    msisdn: z
      .string()
      .trim()
      .max(30)
      .optional()
      .transform((typed, check) => {
        const msisdn = typed ? normalizeMsisdn(typed) : null;
        if (msisdn !== undefined) return msisdn;
        check.addIssue({ code: 'custom', message: 'This is no Kenyan mobile number.' });
        return z.NEVER;
      }),
    notes: notes.default(''),
  })
  .refine((body) => body.name || body.msisdn, {
    path: ['name'],
    message: 'Give a name or a phone number.',
  });

/** What a subscriber is called where only a word or two fit. */
function nameOf(subscriber: Subscriber): string {
  return subscriber.name || (subscriber.msisdn ? maskMsisdn(subscriber.msisdn) : 'voucher holder');
}

export const subscriberRoutes = [
  route({
    method: 'get',
    path: '/subscribers',
    summary: 'List subscribers; `q` is a phone number or the beginning of a name',
    access: STAFF,
    query: searchQuery.extend({ state: states.optional() }),
    answer: pageOfAnswer(subscriberAnswer),
    handle({ ctx, query }) {
      const msisdn = query.q ? normalizeMsisdn(query.q) : undefined;
      const filter = msisdn ? { msisdn } : { name_prefix: query.q || undefined };
      return listSubscribers(ctx.db, pageOf(query), { state: query.state, ...filter });
    },
  }),
  route({
    method: 'post',
    path: '/subscribers',
    summary: 'Add a subscriber: a home, or somebody known by name',
    access: SUPPORT,
    status: 201,
    body: newSubscriber,
    answer: subscriberAnswer,
    handle: ({ ctx, actor, body, now }) =>
      ctx.db.transaction().execute(async (tx) => {
        const added = await addSubscriber(tx, { ...body, name: body.name || null }, now);
        await audit(
          tx,
          actor,
          {
            action: 'create',
            entity: 'subscriber',
            entity_id: added.id,
            entity_name: nameOf(added),
            after: added,
          },
          now,
        );
        return added;
      }),
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
    body: z.object({ name: name.nullable(), notes, state: states }).partial(),
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
    async handle({ ctx, params, query }) {
      const page = await listEntitlements(ctx.db, pageOf(query), { subscriber_id: params.id as string });
      return { items: page.items.map(viewEntitlement), next: page.next };
    },
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
    async handle({ ctx, params, query }) {
      const page = await listCredentials(ctx.db, pageOf(query), { subscriber_id: params.id as string });
      return { items: page.items.map(viewCredential), next: page.next };
    },
  }),
];
