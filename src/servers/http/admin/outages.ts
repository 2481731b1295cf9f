// /api/v1/outages
import * as z from 'zod';
import {
  decideOutage,
  getOutage,
  listExtensions,
  listOutages,
  type OutageView,
} from '../../../access/outages.ts';
import { audit } from '../../../operators/audit.ts';
import { extensionAnswer, outageAnswer, pageOfAnswer } from './answers.ts';
import { MANAGERS, pageOf, pageQuery, type Route, route, STAFF, SUPPORT } from './route.ts';

function viewOutage({ key: _, most_ms: __, ...shown }: OutageView) {
  return shown;
}

const ACTS = [
  ['approve', 'approved', 'Extend the entitlements that lost time to an outage, once'],
  ['dismiss', 'dismissed', 'Extend nothing for an outage'],
] as const;

export const outageRoutes: Route[] = [
  route({
    method: 'get',
    path: '/outages',
    summary: 'List outages of the box and of routers, newest first',
    access: SUPPORT,
    query: pageQuery.extend({ state: z.enum(['open', 'waiting', 'approved', 'dismissed']).optional() }),
    answer: pageOfAnswer(outageAnswer),
    async handle({ ctx, query }) {
      const { items, next } = await listOutages(ctx.db, pageOf(query), query.state);
      return { items: items.map(viewOutage), next };
    },
  }),
  route({
    method: 'get',
    path: '/outages/{id}',
    summary: 'One outage',
    access: SUPPORT,
    answer: outageAnswer,
    handle: async ({ ctx, params }) => viewOutage(await getOutage(ctx.db, params.id as string)),
  }),
  route({
    method: 'get',
    path: '/outages/{id}/extensions',
    summary: 'What was extended for an outage',
    access: SUPPORT,
    query: pageQuery,
    answer: pageOfAnswer(extensionAnswer),
    handle: ({ ctx, params, query }) =>
      listExtensions(ctx.db, pageOf(query), { outage_id: params.id as string }),
  }),
  route({
    method: 'get',
    path: '/entitlements/{id}/extensions',
    summary: 'What an entitlement was given back for outages',
    access: STAFF,
    query: pageQuery,
    answer: pageOfAnswer(extensionAnswer),
    handle: ({ ctx, params, query }) =>
      listExtensions(ctx.db, pageOf(query), { entitlement_id: params.id as string }),
  }),
  ...ACTS.map(([action, decision, summary]) =>
    route({
      method: 'post',
      path: `/outages/{id}/${action}`,
      summary,
      access: MANAGERS,
      answer: outageAnswer,
      async handle({ ctx, actor, params, now }) {
        const id = params.id as string;
        await ctx.db.transaction().execute(async (tx) => {
          await decideOutage(tx, id, decision, actor.name, now);
          const { kind, router_name, from_at, to_at, extension_ms } = await getOutage(tx, id);
          const entry = { action, entity: 'outage', entity_id: id, entity_name: router_name ?? 'the box' };
          await audit(tx, actor, { ...entry, after: { kind, from_at, to_at, extension_ms } }, now);
        });
        ctx.kick();
        return viewOutage(await getOutage(ctx.db, id));
      },
    }),
  ),
];
