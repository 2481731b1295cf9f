// /api/v1/entitlements
import * as z from 'zod';
import {
  type Credential,
  credentialForDevice,
  getCredential,
  listCredentials,
} from '../../../access/credentials.ts';
import {
  type EntitlementView,
  findGrant,
  getEntitlementView,
  grantEntitlement,
  listEntitlements,
  revokeEntitlement,
} from '../../../access/entitlements.ts';
import { checkFits, getPlan } from '../../../access/plans.ts';
import { getSubscriber } from '../../../access/subscribers.ts';
import type { Db } from '../../../db/schema.ts';
import { enqueueTask } from '../../../db/tasks.ts';
import { AppError } from '../../../errors.ts';
import type { Vault } from '../../../lib/secrets.ts';
import { audit } from '../../../operators/audit.ts';
import { entitlementAnswer, pageOfAnswer } from './answers.ts';
import { idFilter, MANAGERS, pageOf, pageQuery, route, STAFF } from './route.ts';

/** An entitlement as it is shown: without the key that only the one who granted it knows. */
export function viewEntitlement({ idempotency_key: _, ...shown }: EntitlementView) {
  return shown;
}

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

export const entitlementRoutes = [
  route({
    method: 'get',
    path: '/entitlements',
    summary: 'List entitlements, newest first',
    access: STAFF,
    query: pageQuery.extend({
      state: z.enum(['waiting', 'active', 'ended', 'revoked']).optional(),
      subscriber_id: idFilter,
      credential_id: idFilter,
    }),
    answer: pageOfAnswer(entitlementAnswer),
    async handle({ ctx, query }) {
      const page = await listEntitlements(ctx.db, pageOf(query), query);
      return { items: page.items.map(viewEntitlement), next: page.next };
    },
  }),
  route({
    method: 'post',
    path: '/entitlements',
    summary: 'Grant a plan to a credential, or to a subscriber who has one at most. Takes an Idempotency-Key',
    access: MANAGERS,
    status: 201,
    body: newEntitlement,
    answer: entitlementAnswer,
    async handle({ ctx, c, actor, body, now }) {
      const key = c.req.header('idempotency-key');
      const idempotency_key = key ? `${actor.account_id}:${key.slice(0, 200)}` : null;
      const id = await ctx.db.transaction().execute(async (tx) => {
        const before = idempotency_key ? await findGrant(tx, idempotency_key) : undefined;
        if (before) return before.id;
        const plan = await getPlan(tx, body.plan_id);
        const credential = await credentialFor(tx, ctx.vault, body, now);
        checkFits(plan, credential);
        const granted = await grantEntitlement(
          tx,
          {
            subscriber_id: credential.subscriber_id,
            credential_id: credential.id,
            plan,
            source: 'grant',
            not_before_at: body.not_before_at,
            idempotency_key,
          },
          now,
        );
        // A device that is online by an older plan, or waits outside its hours, takes note.
        await enqueueTask(tx, 'enforce', { credential_id: credential.id, reason: 'extended' }, now);
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
      ctx.kick();
      return viewEntitlement(await getEntitlementView(ctx.db, id));
    },
  }),
  route({
    method: 'get',
    path: '/entitlements/{id}',
    summary: 'One entitlement',
    access: STAFF,
    answer: entitlementAnswer,
    handle: async ({ ctx, params }) => viewEntitlement(await getEntitlementView(ctx.db, params.id as string)),
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
      return viewEntitlement(await getEntitlementView(ctx.db, id));
    },
  }),
];
