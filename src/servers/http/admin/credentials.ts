// /api/v1/credentials
import * as z from 'zod';
import { type Credential, getCredential, listCredentials } from '../../../access/credentials.ts';
import {
  changePppoeCredential,
  createPppoeCredential,
  deletePppoeCredential,
  newPassword,
} from '../../../access/pppoe.ts';
import { getSubscriber } from '../../../access/subscribers.ts';
import { normalizeHostAddress } from '../../../lib/ipv4.ts';
import { getRouter } from '../../../network/routers.ts';
import { audit } from '../../../operators/audit.ts';
import { changedCredentialAnswer, credentialAnswer, pageOfAnswer } from './answers.ts';
import { idFilter, MANAGERS, pageOf, present, route, STAFF, searchQuery } from './route.ts';

/** A credential as it is shown: without its password. */
export function viewCredential({ password_sealed: _, ...shown }: Credential) {
  return shown;
}

const password = z
  .string()
  .regex(/^[\x21-\x7e]{6,64}$/, 'Use 6 to 64 letters, digits and signs, no spaces.')
  .optional()
  .describe('A random one is made when it is left out');

const address = z
  .string()
  .max(40)
  .nullable()
  .transform((typed, check) => {
    if (!typed) return null;
    const found = normalizeHostAddress(typed);
    if (found) return found;
    check.addIssue({ code: 'custom', message: 'Write an address like 10.20.0.5.' });
    return z.NEVER;
  });

const routerId = z.string().max(40).nullable();

const newCredential = z.object({
  subscriber_id: z.string().max(40),
  username: z
    .string()
    .trim()
    .regex(/^[\x21-\x7e]{1,64}$/, 'Use up to 64 letters, digits and signs, no spaces.'),
  password,
  static_address: address.default(null),
  router_id: routerId.default(null),
});

const change = z
  .object({
    password: z.union([password, z.literal('')]).describe('Empty: a random one is made'),
    static_address: address,
    router_id: routerId,
    state: z.enum(['active', 'disabled']),
  })
  .partial();

export const credentialRoutes = [
  route({
    method: 'get',
    path: '/credentials',
    summary: 'List credentials, without passwords; `q` is a user name',
    access: STAFF,
    query: searchQuery.extend({ subscriber_id: idFilter }),
    answer: pageOfAnswer(credentialAnswer),
    async handle({ ctx, query }) {
      const filter = { subscriber_id: query.subscriber_id, username: query.q || undefined };
      const page = await listCredentials(ctx.db, pageOf(query), filter);
      return { items: page.items.map(viewCredential), next: page.next };
    },
  }),
  route({
    method: 'post',
    path: '/credentials',
    summary: 'Make a PPPoE credential for a subscriber; the answer holds its password this once',
    access: MANAGERS,
    status: 201,
    body: newCredential,
    answer: changedCredentialAnswer,
    async handle({ ctx, actor, body, now }) {
      const made = await ctx.db.transaction().execute(async (tx) => {
        await getSubscriber(tx, body.subscriber_id);
        if (body.router_id) await getRouter(tx, body.router_id);
        const { credential, password } = await createPppoeCredential(tx, ctx.vault, body, now);
        const entry = { action: 'create', entity: 'credential', entity_id: credential.id };
        await audit(tx, actor, { ...entry, entity_name: credential.username, after: credential }, now);
        return { ...viewCredential(credential), password };
      });
      return made;
    },
  }),
  route({
    method: 'get',
    path: '/credentials/{id}',
    summary: 'One credential, without its password',
    access: STAFF,
    answer: credentialAnswer,
    handle: async ({ ctx, params }) => viewCredential(await getCredential(ctx.db, params.id as string)),
  }),
  route({
    method: 'patch',
    path: '/credentials/{id}',
    summary: 'Change a PPPoE credential; its live session ends where it must begin anew',
    access: MANAGERS,
    body: change,
    answer: changedCredentialAnswer,
    async handle({ ctx, actor, params, body, now }) {
      const id = params.id as string;
      const changed = await ctx.db.transaction().execute(async (tx) => {
        if (body.router_id) await getRouter(tx, body.router_id);
        const before = await getCredential(tx, id);
        const { password, ...rest } = present(body);
        const fresh = password === undefined ? undefined : password || newPassword();
        const after = await changePppoeCredential(
          tx,
          ctx.vault,
          id,
          fresh === undefined ? rest : { ...rest, password: fresh },
          now,
        );
        const entry = { action: 'update', entity: 'credential', entity_id: id, entity_name: after.username };
        await audit(tx, actor, { ...entry, before, after }, now);
        return { ...viewCredential(after), ...(fresh === undefined ? {} : { password: fresh }) };
      });
      ctx.kick();
      return changed;
    },
  }),
  route({
    method: 'delete',
    path: '/credentials/{id}',
    summary: 'Remove a PPPoE credential that was never used',
    access: MANAGERS,
    status: 204,
    async handle({ ctx, actor, params, now }) {
      await ctx.db.transaction().execute(async (tx) => {
        const gone = await deletePppoeCredential(tx, params.id as string);
        const entry = { action: 'delete', entity: 'credential', entity_id: gone.id };
        await audit(tx, actor, { ...entry, entity_name: gone.username, before: gone }, now);
      });
    },
  }),
];
