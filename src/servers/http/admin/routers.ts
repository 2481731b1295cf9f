// /api/v1/routers
import * as z from 'zod';
import { countOpenByRouter } from '../../../access/sessions.ts';
import { readAsset } from '../../../assets.ts';
import type { Db } from '../../../db/schema.ts';
import { AppError } from '../../../errors.ts';
import { isPrefix } from '../../../network/addresses.ts';
import { checkRouter } from '../../../network/check-router.ts';
import { routerScripts } from '../../../network/provision.ts';
import { apiOf, scriptApiOf } from '../../../network/router-api.ts';
import {
  createRouter,
  DEFAULT_API_PORT,
  DEFAULT_COA_PORT,
  DEFAULT_HOTSPOT_INTERFACE,
  DEFAULT_HOTSPOT_NETWORK,
  deleteRouter,
  getRouter,
  listRouters,
  type Router,
  recordRouterState,
  updateRouter,
  viewRouter,
} from '../../../network/routers.ts';
import { audit } from '../../../operators/audit.ts';
import { readBusiness } from '../../../operators/business.ts';
import type { HttpContext } from '../context.ts';
import {
  newRouterAnswer,
  pageOfAnswer,
  routerAnswer,
  scriptsAnswer,
  testAnswer,
  unknownSourcesAnswer,
} from './answers.ts';
import { MANAGERS, pageOf, pageQuery, present, route, SUPPORT } from './route.ts';

const port = z.number().int().min(1).max(65_535);
const optionalText = z.string().trim().max(200).nullable();
/** An empty field of a form is no secret: it keeps what is stored. */
const optionalSecret = z
  .string()
  .max(200)
  .optional()
  .transform((text) => text || undefined);

const fields = {
  name: z.string().trim().min(1, 'Give the router a name.').max(60),
  address: z
    .union(
      [z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()],
      'Write an IP address, such as 10.77.0.7, or a range, such as 10.77.0.0/24.',
    )
    .describe('Where its packets come from; in a range, every router with this secret. The narrowest fits'),
  radius_secret: optionalSecret.describe('Shared with the router; one is made when it is left out'),
  message_authenticator: z.enum(['auto', 'yes', 'no']),
  mac_login: z
    .enum(['no', 'yes'])
    .describe('Whether a device with a plan gets in by its MAC address alone, which anyone can copy'),
  coa_port: port,
  api_port: port,
  api_tls: z.union([z.literal(0), z.literal(1)]),
  api_username: optionalText.transform((text) => text || null),
  api_password: optionalSecret,
  hotspot_host: optionalText
    .transform((text) => text || null)
    .describe('Name or address of the router’s login page; the portal posts credentials nowhere else'),
  hotspot_interface: z.string().trim().min(1).max(60),
  hotspot_network: z.string().trim().max(20),
};

const create = z.object({
  ...fields,
  message_authenticator: fields.message_authenticator.default('auto'),
  mac_login: fields.mac_login.default('no'),
  coa_port: port.default(DEFAULT_COA_PORT),
  api_port: port.default(DEFAULT_API_PORT),
  api_tls: fields.api_tls.default(0),
  api_username: fields.api_username.default(null),
  hotspot_host: fields.hotspot_host.default(null),
  hotspot_interface: fields.hotspot_interface.default(DEFAULT_HOTSPOT_INTERFACE),
  hotspot_network: fields.hotspot_network.default(DEFAULT_HOTSPOT_NETWORK),
});
const change = z.object(fields).partial();
const test = change.extend({
  id: z.string().optional().describe('The stored router whose password is used'),
});

async function withOnline(db: Db, routers: Router[]) {
  const online = await countOpenByRouter(db);
  return routers.map((router) => ({ ...viewRouter(router), online_sessions: online.get(router.id) ?? 0 }));
}

async function oneWithOnline(db: Db, router: Router) {
  return (await withOnline(db, [router]))[0];
}

/** Where this box is, from settings and what it is bound to. */
async function appliance(ctx: HttpContext, router: Router) {
  const business = await readBusiness(ctx.db);
  const ports = ctx.ports();
  const address = business.appliance_address ?? (router.address === '127.0.0.1' ? '127.0.0.1' : undefined);
  if (!address) {
    throw new AppError('conflict', 'Karibu does not know its own address yet.', {
      hint: 'In Settings, write the IP address that routers reach this box by.',
    });
  }
  return {
    address,
    auth_port: ports.radius_auth,
    acct_port: ports.radius_acct,
    portal_url: business.portal_url ?? `http://${address}:${ports.portal}`,
  };
}

export const routerRoutes = [
  route({
    method: 'get',
    path: '/routers',
    summary: 'List routers',
    access: 'signed_in',
    query: pageQuery,
    answer: pageOfAnswer(routerAnswer),
    async handle({ ctx, query }) {
      const { items, next } = await listRouters(ctx.db, pageOf(query));
      return { items: await withOnline(ctx.db, items), next };
    },
  }),
  route({
    method: 'get',
    path: '/routers/unknown',
    summary: 'Sources that send RADIUS packets and are no router of ours',
    access: SUPPORT,
    answer: unknownSourcesAnswer,
    handle: async ({ ctx }) => ({ items: ctx.radius.unknownSources() }),
  }),
  route({
    method: 'post',
    path: '/routers/test',
    summary: 'Try a router as a form describes it, step by step',
    access: MANAGERS,
    body: test,
    answer: testAnswer,
    async handle({ ctx, body }) {
      const stored = body.id ? await getRouter(ctx.db, body.id) : undefined;
      const known = stored && apiOf(stored, ctx.vault);
      const address = body.address ?? stored?.address;
      const username = body.api_username ?? stored?.api_username;
      const api =
        address && username
          ? {
              address,
              api_port: body.api_port ?? stored?.api_port ?? DEFAULT_API_PORT,
              api_tls: body.api_tls ?? stored?.api_tls ?? 0,
              api_username: username,
              api_password: body.api_password ?? known?.api_password ?? '',
            }
          : undefined;
      const { steps } = await checkRouter(api, ctx.ports().radius_auth);
      return { ok: steps.every((step) => step.ok), steps };
    },
  }),
  route({
    method: 'post',
    path: '/routers',
    summary: 'Add a router',
    access: MANAGERS,
    status: 201,
    body: create,
    answer: newRouterAnswer,
    async handle({ ctx, actor, body, now }) {
      const { router, radius_secret } = await createRouter(ctx.db, ctx.vault, body, now);
      const after = viewRouter(router);
      await audit(
        ctx.db,
        actor,
        { action: 'create', entity: 'router', entity_id: router.id, entity_name: router.name, after },
        now,
      );
      await ctx.radius.reloadRouters();
      return { ...(await oneWithOnline(ctx.db, router)), ...(body.radius_secret ? {} : { radius_secret }) };
    },
  }),
  route({
    method: 'get',
    path: '/routers/{id}',
    summary: 'One router',
    access: 'signed_in',
    answer: routerAnswer,
    handle: async ({ ctx, params }) => oneWithOnline(ctx.db, await getRouter(ctx.db, params.id as string)),
  }),
  route({
    method: 'patch',
    path: '/routers/{id}',
    summary: 'Change a router; secrets that are left out stay',
    access: MANAGERS,
    body: change,
    answer: routerAnswer,
    async handle({ ctx, actor, params, body, now }) {
      const id = params.id as string;
      const before = viewRouter(await getRouter(ctx.db, id));
      const router = await updateRouter(ctx.db, ctx.vault, id, present(body), now);
      const entry = { action: 'update', entity: 'router', entity_id: id, entity_name: router.name };
      await audit(ctx.db, actor, { ...entry, before, after: viewRouter(router) }, now);
      await ctx.radius.reloadRouters();
      return oneWithOnline(ctx.db, router);
    },
  }),
  route({
    method: 'delete',
    path: '/routers/{id}',
    summary: 'Remove a router through which nobody is online',
    access: MANAGERS,
    status: 204,
    async handle({ ctx, actor, params, now }) {
      const before = viewRouter(await getRouter(ctx.db, params.id as string));
      await deleteRouter(ctx.db, before.id);
      await audit(
        ctx.db,
        actor,
        { action: 'delete', entity: 'router', entity_id: before.id, entity_name: before.name, before },
        now,
      );
      await ctx.radius.reloadRouters();
    },
  }),
  route({
    method: 'delete',
    path: '/routers/{id}/lockouts/{device}',
    summary: 'Let a device try again that is held back for guessing: its MAC address as the list shows it',
    access: SUPPORT,
    status: 204,
    async handle({ ctx, actor, params, now }) {
      const { id, name } = await getRouter(ctx.db, params.id as string);
      const device = params.device as string;
      if (!ctx.radius.releaseLockout(id, device)) {
        throw new AppError('not_found', `${device} is not locked out at ${name}.`, {
          hint: 'It may be over already.',
        });
      }
      const after = { device };
      await audit(
        ctx.db,
        actor,
        { action: 'release lockout', entity: 'router', entity_id: id, entity_name: name, after },
        now,
      );
    },
  }),
  route({
    method: 'post',
    path: '/routers/{id}/test',
    summary: 'Try a stored router, step by step',
    access: SUPPORT,
    answer: testAnswer,
    async handle({ ctx, params, now }) {
      const router = await getRouter(ctx.db, params.id as string);
      const api = scriptApiOf(router, ctx.vault);
      const { steps, seen } = await checkRouter(api, ctx.ports().radius_auth);
      const failed = steps.find((step) => !step.ok);
      if (seen) {
        await recordRouterState(ctx.db, router.id, seen, now);
        // The hotspot script has made the API user: from now on it is used.
        if (!router.api_username) {
          await updateRouter(ctx.db, ctx.vault, router.id, { api_username: api.api_username }, now);
        }
      } else if (router.api_username && !isPrefix(router.address)) {
        await recordRouterState(ctx.db, router.id, { error: failed?.message ?? 'Not reached.' }, now);
      }
      return { ok: !failed, steps };
    },
  }),
  route({
    method: 'get',
    path: '/routers/{id}/script',
    summary: 'The RouterOS lines to paste; they hold the RADIUS secret',
    access: MANAGERS,
    answer: scriptsAnswer,
    async handle({ ctx, actor, params, now }) {
      const router = await getRouter(ctx.db, params.id as string);
      const scripts = routerScripts(router, ctx.vault, await appliance(ctx, router), (file) =>
        readAsset(`rsc-templates/${file}`).toString('utf8'),
      );
      await audit(
        ctx.db,
        actor,
        { action: 'show script', entity: 'router', entity_id: router.id, entity_name: router.name },
        now,
      );
      return { scripts, radius_secret: ctx.vault.open(router.radius_secret_sealed) };
    },
  }),
];
