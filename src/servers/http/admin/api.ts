// The admin API: every route, mounted with its checks.
import { type Context, Hono } from 'hono';
import { getCookie } from 'hono/cookie';
import { AppError } from '../../../errors.ts';
import { findLogin } from '../../../operators/logins.ts';
import type { HttpContext } from '../context.ts';
import { answerError } from '../errors.ts';
import { readJson, readText } from '../input.ts';
import { limitBody, MAX_BODY_OCTETS } from '../security.ts';
import { accountRoutes } from './accounts.ts';
import { authRoutes, LOGIN_COOKIE } from './auth.ts';
import { cashSaleRoutes } from './cash-sales.ts';
import { clockRoutes } from './clock.ts';
import { credentialRoutes } from './credentials.ts';
import { entitlementRoutes } from './entitlements.ts';
import { goLiveRoutes } from './go-live.ts';
import { ledgerRoutes } from './ledger.ts';
import { openApi } from './openapi.ts';
import { outageRoutes } from './outages.ts';
import { paymentRoutes } from './payments.ts';
import { planRoutes } from './plans.ts';
import { reportRoutes } from './reports.ts';
import { checkQuery, type HonoEnv, parse, type Route } from './route.ts';
import { routerRoutes } from './routers.ts';
import { sessionRoutes } from './sessions.ts';
import { settingRoutes } from './settings.ts';
import { smsPaymentRoutes } from './sms-payments.ts';
import { subscriberRoutes } from './subscribers.ts';
import { tillRoutes } from './till.ts';
import { tunnelRoutes } from './tunnel.ts';
import { voucherRoutes } from './vouchers.ts';

/** Every route there is. A new collection is a file and a line here. */
export function adminRoutes(): Route[] {
  return [
    ...authRoutes(),
    ...planRoutes,
    ...voucherRoutes,
    ...subscriberRoutes,
    ...credentialRoutes,
    ...entitlementRoutes,
    ...sessionRoutes,
    ...paymentRoutes,
    ...cashSaleRoutes,
    ...tillRoutes,
    ...smsPaymentRoutes,
    ...ledgerRoutes,
    ...routerRoutes,
    ...settingRoutes,
    ...tunnelRoutes,
    ...goLiveRoutes,
    ...clockRoutes,
    ...outageRoutes,
    ...accountRoutes,
    ...reportRoutes,
  ];
}

/** The host of an origin; undefined for a text that is none. */
function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

/** Where a browser names the page that asks, it must be one of ours: a site that a guest's phone visits is none. */
function checkOrigin(c: Context<HonoEnv>): void {
  if (c.req.method === 'GET') return;
  const origin = c.req.header('origin');
  if (origin && origin !== 'null' && hostOf(origin) !== c.req.header('host')) {
    throw new AppError('forbidden', 'This request came from another site.');
  }
}

/**
 * A cookie travels by itself, so what it may change is bound to our own pages: SameSite=Strict, our own origin, and a
 * JSON body, which no form of another site can send.
 */
function checkJson(c: Context<HonoEnv>): void {
  if (c.req.method === 'GET') return;
  if (!c.req.header('content-type')?.startsWith('application/json')) {
    throw new AppError('invalid', 'Send JSON (content-type: application/json).');
  }
}

async function signIn(ctx: HttpContext, c: Context<HonoEnv>, route: Route, now: number): Promise<void> {
  const bearer = /^Bearer (\S+)$/.exec(c.req.header('authorization') ?? '')?.[1];
  if (!bearer) checkOrigin(c);
  if (route.access === 'anyone') return;
  const token = bearer ?? getCookie(c, LOGIN_COOKIE);
  const account = token ? await findLogin(ctx.db, token, now) : undefined;
  if (!account || !token) throw new AppError('unauthorized', 'Please sign in.');
  if (!bearer) checkJson(c);
  if (route.access !== 'signed_in' && !route.access.includes(account.role)) {
    throw new AppError('forbidden', `The role “${account.role}” may not do this.`, { hint: 'Ask an owner.' });
  }
  c.set('account', account);
  c.set('token', token);
}

/** The body as JSON; of a route that takes a file, the file as `{text}`. */
async function readBody(c: Context<HonoEnv>, route: Route): Promise<unknown> {
  const file = route.takes !== undefined && c.req.header('content-type')?.startsWith(route.takes);
  return file ? { text: await readText(c.req.raw) } : readJson(c.req.raw);
}

/** The API as an app of its own, to be mounted under /api/v1. */
export function createAdminApi(ctx: HttpContext): Hono<HonoEnv> {
  const api = new Hono<HonoEnv>();
  const routes = adminRoutes();
  let document: ReturnType<typeof openApi> | undefined;
  api.get('/openapi.json', (c) => {
    checkQuery(c.req.url, undefined);
    document ??= openApi(routes);
    return c.json(document);
  });
  for (const route of routes) {
    const limit = limitBody(route.max_octets ?? MAX_BODY_OCTETS);
    api.on(route.method, route.path.replace(/\{(\w+)\}/g, ':$1'), limit, async (c) => {
      const now = ctx.clock.now();
      await signIn(ctx, c, route, now);
      checkQuery(c.req.url, route.query);
      const account = c.get('account');
      const answer = await route.handle({
        ctx,
        c,
        actor: {
          account_id: account?.id ?? null,
          name: account?.email ?? 'guest',
          address: c.env.address,
        },
        params: c.req.param(),
        query: (route.query ? parse(route.query, c.req.query(), 'query') : {}) as never,
        body: (route.body ? parse(route.body, await readBody(c, route), 'body') : {}) as never,
        now,
      });
      c.header('cache-control', 'no-store');
      if (answer instanceof Response) return answer;
      return route.status === 204 ? c.body(null, 204) : c.json(answer as object, route.status);
    });
  }
  api.notFound((c) =>
    answerError(c, new AppError('not_found', 'There is nothing at this address.'), ctx.log),
  );
  api.onError((error, c) => answerError(c, error, ctx.log));
  return api;
}
