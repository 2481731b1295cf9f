// The three doors: admin, portal and callbacks, with disjoint routes.
import { type Context, Hono } from 'hono';
import { type AssetName, readAsset } from '../../assets.ts';
import { AppError } from '../../errors.ts';
import { createAdminApi } from './admin/api.ts';
import { createCallbacks } from './callbacks.ts';
import type { HttpContext, HttpEnv } from './context.ts';
import { answerError } from './errors.ts';
import { refuseNulInAddress } from './input.ts';
import { createPortalApi } from './portal/api.ts';
import { portalContext } from './portal/context.ts';
import { createPortalPages, showError } from './portal/pages.ts';
import { ADMIN_POLICY, limitBody, PORTAL_POLICY, securityHeaders } from './security.ts';

type App = Hono<{ Bindings: HttpEnv }>;

const TYPES: Record<string, string> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  html: 'text/html; charset=utf-8',
};

/** One of our own files; a version in the query makes it a new address, so phones may keep it. */
function asset(name: string): Response {
  const type = TYPES[name.split('.').at(-1) ?? ''];
  if (!type) throw new AppError('not_found', 'There is no such file.');
  return new Response(readAsset(`ui/${name}` as AssetName) as Uint8Array<ArrayBuffer>, {
    headers: { 'content-type': type, 'cache-control': 'public, max-age=300' },
  });
}

export function createAdminDoor(ctx: HttpContext): App {
  const door: App = new Hono();
  door.use(securityHeaders(ADMIN_POLICY));
  door.use(refuseNulInAddress());
  // The program answers, whatever is wrong with its store: to start it anew mends neither a disk nor a server.
  door.get('/healthz', (c) => c.json({ ok: true, store: ctx.diskState() }));
  door.route('/api/v1', createAdminApi(ctx) as unknown as App);
  door.get('/favicon.ico', (c) => c.redirect('/assets/admin-icon.svg', 302));
  door.get('/assets/:name', (c) => asset(c.req.param('name')));
  door.all('/api/*', (c) =>
    answerError(c, new AppError('not_found', 'There is nothing at this address.'), ctx.log),
  );
  door.get('*', (c) => {
    c.header('cache-control', 'no-store');
    return c.html(readAsset('ui/admin.html').toString('utf8'));
  });
  door.onError((error, c) => answerError(c, error, ctx.log));
  return door;
}

/** `frames`: origins that may show the portal inside a page of theirs. */
export function createPortalDoor(ctx: HttpContext, frames?: string): App {
  const portal = portalContext(ctx);
  const door: App = new Hono();
  door.use(securityHeaders(PORTAL_POLICY, frames));
  door.use(refuseNulInAddress());
  door.use(limitBody());
  door.get('/healthz', (c) => c.json({ ok: true }));
  // Browsers ask by themselves; the guest pages have none.
  door.get('/favicon.ico', (c) => c.body(null, 204));
  door.get('/assets/:name{portal\\.[a-z]+}', (c) => asset(c.req.param('name')));
  door.route('/api', createPortalApi(portal));
  door.route('/', createPortalPages(portal));
  const answer = (c: Context<{ Bindings: HttpEnv }>, error: unknown) =>
    c.req.path.startsWith('/api/') ? answerError(c, error, ctx.log) : showError(portal, c, error);
  door.notFound((c) => answer(c, new AppError('not_found', 'There is nothing at this address.')));
  door.onError((error, c) => answer(c, error));
  return door;
}

export function createCallbackDoor(ctx: HttpContext): App {
  return createCallbacks(ctx);
}
