// /api/v1/sessions
import * as z from 'zod';
import {
  DISCONNECTED_BY,
  getSession,
  listSessions,
  type SessionFilter,
  type SessionView,
} from '../../../access/sessions.ts';
import { listSubscribers } from '../../../access/subscribers.ts';
import type { Db } from '../../../db/schema.ts';
import { AppError } from '../../../errors.ts';
import { normalizeMac } from '../../../lib/mac.ts';
import { normalizeMsisdn } from '../../../lib/msisdn.ts';
import { disconnectSession } from '../../../network/enforce.ts';
import { audit } from '../../../operators/audit.ts';
import { TerminateCause, valueName } from '../../../protocols/radius/dictionary.ts';
import { pageOfAnswer, sessionAnswer } from './answers.ts';
import { idFilter, pageOf, route, STAFF, SUPPORT, searchQuery } from './route.ts';

export function viewSession(session: SessionView) {
  const { unique_key: _, ...shown } = session;
  const cause = session.terminate_cause;
  return {
    ...shown,
    terminate_cause_name: cause ? (valueName(TerminateCause, cause) ?? `cause ${cause}`) : null,
  };
}

/** What a search text is: a MAC address, a phone number, else a user name. */
async function searchFilter(db: Db, text: string): Promise<SessionFilter | undefined> {
  const mac = normalizeMac(text);
  if (mac) return { mac };
  const msisdn = normalizeMsisdn(text);
  if (!msisdn) return { username: text };
  const { items } = await listSubscribers(db, { limit: 1 }, { msisdn });
  return items[0] && { subscriber_id: items[0].id };
}

export const sessionRoutes = [
  route({
    method: 'get',
    path: '/sessions',
    summary: 'List sessions, newest first; `q` is a user name, MAC address or phone number',
    access: STAFF,
    query: searchQuery.extend({
      state: z.enum(['open', 'closed']).optional(),
      router_id: idFilter,
      subscriber_id: idFilter,
      credential_id: idFilter,
      entitlement_id: idFilter,
    }),
    answer: pageOfAnswer(sessionAnswer),
    async handle({ ctx, query }) {
      const { q, ...filter } = query;
      const search = q ? await searchFilter(ctx.db, q) : {};
      const wanted = { ...filter, ...search };
      // Nobody has that number, or somebody else than the subscriber asked for.
      const nobody = !search || (filter.subscriber_id && filter.subscriber_id !== wanted.subscriber_id);
      if (nobody) return { items: [], next: null };
      const page = await listSessions(ctx.db, pageOf(query), wanted);
      return { items: page.items.map(viewSession), next: page.next };
    },
  }),
  route({
    method: 'get',
    path: '/sessions/{id}',
    summary: 'One session',
    access: STAFF,
    answer: sessionAnswer,
    handle: async ({ ctx, params }) => viewSession(await getSession(ctx.db, params.id as string)),
  }),
  route({
    method: 'post',
    path: '/sessions/{id}/disconnect',
    summary: 'End a live session now; the answer says what the router answered',
    access: SUPPORT,
    answer: sessionAnswer,
    async handle({ ctx, actor, params, now }) {
      const session = await getSession(ctx.db, params.id as string);
      if (session.state !== 'open') throw new AppError('conflict', 'This session is over already.');
      const ended = await disconnectSession(ctx.enforcement, session, `${DISCONNECTED_BY}${actor.name}`);
      const entry = {
        action: 'disconnect',
        entity: 'session',
        entity_id: session.id,
        entity_name: session.username,
      };
      await audit(ctx.db, actor, { ...entry, after: { outcome: ended.disconnect_state } }, now);
      return viewSession(await getSession(ctx.db, session.id));
    },
  }),
];
