// The guest's pages: what each shows, and what its forms do.
import { type Context, Hono } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { currentRates, endReason, isSlow } from '../../../access/authorize.ts';
import { findCredential } from '../../../access/credentials.ts';
import { type AccessRecord, currentAccess, openEntitlements } from '../../../access/entitlements.ts';
import { hoursText, opensAt } from '../../../access/hours.ts';
import { devicesBeside, devicesInTheWay } from '../../../access/places.ts';
import { findPlan, getPlan, listPlansOnSale, type Plan } from '../../../access/plans.ts';
import { openSessions } from '../../../access/sessions.ts';
import { hasFairUse } from '../../../access/terms.ts';
import { findOrder, LIVE_MS, type Order } from '../../../billing/orders.ts';
import { readSmsSettings, smsPaymentsOpen } from '../../../billing/sms-settings.ts';
import { diskTrouble } from '../../../db/disk.ts';
import { AppError } from '../../../errors.ts';
import { isId } from '../../../lib/ids.ts';
import { maskMsisdn } from '../../../lib/msisdn.ts';
import { allRouters } from '../../../network/routers.ts';
import { readBusiness } from '../../../operators/business.ts';
import type { HttpEnv } from '../context.ts';
import { asAppError, isForLog, STATUSES, statusOf } from '../errors.ts';
import { refuseNul } from '../input.ts';
import { claimPaid } from './claim.ts';
import type { PortalContext } from './context.ts';
import { rememberDevice, rememberedDevice } from './device-cookie.ts';
import {
  type HotspotContext,
  loginPassword,
  openContext,
  readHotspot,
  sealContext,
} from './hotspot-context.ts';
import {
  accessByCode,
  buyPlan,
  type CodeRefusal,
  continueAccess,
  failureOf,
  openCredential,
} from './purchase.ts';
import {
  type AccessView,
  buyPage,
  type ClaimError,
  type ConnectView,
  continuePage,
  type EntitlementView,
  errorPage,
  homePage,
  type Lang,
  orderPage,
  type PageView,
  paidPage,
  statusPage,
  voucherPage,
} from './views/index.ts';

type Env = { Bindings: HttpEnv };
const LANG_COOKIE = 'karibu_lang';
const PHONE_COOKIE = 'karibu_phone';
const YEAR_SECONDS = 31_536_000;

/** One request as the pages see it: the view's common part, and the hotspot the phone stands behind. */
interface Visit {
  page: PageView;
  hotspot: HotspotContext | undefined;
}

type Form = Record<string, string | undefined>;

async function readForm(c: Context<Env>): Promise<Form> {
  const body = await c.req.parseBody();
  const form = Object.fromEntries(
    Object.entries(body).filter(([, value]) => typeof value === 'string'),
  ) as Form;
  for (const value of Object.values(form)) refuseNul(value ?? '');
  return form;
}

function chooseLang(c: Context<Env>, form: Form, fallback: Lang): Lang {
  const asked = c.req.query('lang') ?? form.lang;
  if (asked === 'en' || asked === 'sw') {
    setCookie(c, LANG_COOKIE, asked, { path: '/', sameSite: 'Lax', httpOnly: true, maxAge: YEAR_SECONDS });
    return asked;
  }
  const kept = getCookie(c, LANG_COOKIE);
  if (kept === 'en' || kept === 'sw') return kept;
  return /^\s*sw\b/i.test(c.req.header('accept-language') ?? '') ? 'sw' : fallback;
}

/** How long the router's word that a phone is logged in stands against what accounting tells us. */
const LOGGED_IN_MS = 60_000;

async function visit(ctx: PortalContext, c: Context<Env>, form: Form = {}): Promise<Visit> {
  const business = await readBusiness(ctx.db);
  const parameters = { ...c.req.query(), ...form };
  const hotspot =
    openContext(ctx.vault, parameters.ctx) ??
    readHotspot(parameters, await allRouters(ctx.db), ctx.clock.now());
  const page: PageView = {
    lang: chooseLang(c, form, business.default_language),
    business: { name: business.name, support_phone: business.support_phone },
    context: hotspot
      ? {
          mac: hotspot.mac,
          ip: hotspot.ip,
          link_login_only: hotspot.link_login_only,
          link_logout: hotspot.link_logout,
        }
      : null,
    ctx: hotspot ? sealContext(ctx.vault, hotspot) : null,
    now_at: ctx.clock.now(),
  };
  return { page, hotspot };
}

function connectView(
  hotspot: HotspotContext | undefined,
  access: { username: string; password: string },
  auto: boolean,
): ConnectView | null {
  if (!hotspot?.link_login_only) return null;
  return {
    action: hotspot.link_login_only,
    username: access.username,
    password: loginPassword(hotspot, access.password),
    dst: hotspot.link_orig,
    auto,
  };
}

/** What a paid or redeemed credential needs to connect. A phone the router has just refused is not sent by itself. */
async function accessView(ctx: PortalContext, visitor: Visit, credentialId: string): Promise<AccessView> {
  const access = await openCredential(ctx, credentialId);
  const connect = connectView(visitor.hotspot, access, !visitor.hotspot?.error);
  return { username: access.username, password: access.password, connect };
}

async function entitlementView(ctx: PortalContext, access: AccessRecord): Promise<EntitlementView | null> {
  const facts = access.entitlement;
  if (!facts || !access.plan_id) return null;
  const plan = await findPlan(ctx.db, access.plan_id);
  const rates = currentRates(facts);
  const used = facts.used_upload_octets + facts.used_download_octets;
  const sessions = await openSessions(ctx.db, access.credential_id);
  return {
    plan_name: plan?.name ?? '',
    until_at: facts.ends_at,
    not_before_at: facts.not_before_at,
    validity_seconds: facts.validity_seconds,
    online_left_seconds:
      facts.online_seconds === null ? null : Math.max(0, facts.online_seconds - facts.used_seconds),
    quota_octets: facts.quota_octets,
    quota_left_octets: facts.quota_octets === null ? null : Math.max(0, facts.quota_octets - used),
    download_quota_octets: facts.download_quota_octets,
    download_left_octets: (facts.download_quota_octets ?? 0) - facts.used_download_octets,
    upload_quota_octets: facts.upload_quota_octets,
    upload_left_octets: (facts.upload_quota_octets ?? 0) - facts.used_upload_octets,
    has_fair_use: hasFairUse(facts),
    slow: isSlow(facts),
    closed_until: closedUntil(ctx, facts),
    others: await otherPlans(ctx, access),
    rate_down_kbps: rates.rate_down_kbps,
    rate_up_kbps: rates.rate_up_kbps,
    max_devices: facts.max_devices,
    devices_online: devicesBeside(sessions, '').length,
  };
}

/** The hours that an entitlement waits for; null while it may be used. A clock that is not trusted does not know the hour. */
function closedUntil(ctx: PortalContext, facts: NonNullable<AccessRecord['entitlement']>) {
  const opens_at = ctx.clockState().trusted ? opensAt(facts, ctx.clock.now()) : undefined;
  return opens_at === undefined ? null : { hours: hoursText(facts) ?? '', opens_at };
}

/** The names of what this phone has beside the entitlement that it uses. */
async function otherPlans(ctx: PortalContext, access: AccessRecord): Promise<string[]> {
  const open = await openEntitlements(ctx.db, access.credential_id);
  const now = ctx.clock.now();
  const others = open.filter(
    (one) => one.id !== access.entitlement?.id && !endReason(one, now, ctx.clockState().trusted),
  );
  const plans = await Promise.all(others.map((one) => findPlan(ctx.db, one.plan_id)));
  return plans.flatMap((plan) => (plan ? [plan.name] : []));
}

/** Whether the operator keeps this phone out, whatever it has bought. */
function isKeptOut(access: AccessRecord): boolean {
  return access.credential_state !== 'active' || access.subscriber_state !== 'active';
}

/** What this phone has, by the credential it remembers. */
async function ownAccess(ctx: PortalContext, c: Context<Env>): Promise<AccessRecord | undefined> {
  const token = rememberedDevice(c, ctx.vault);
  if (!token) return undefined;
  const credential = await findCredential(ctx.db, token.credential_id);
  if (!credential) return undefined;
  return currentAccess(ctx.db, credential.username, '', ctx.clock.now(), ctx.clockState().trusted);
}

function isRunning(ctx: PortalContext, access: AccessRecord | undefined): boolean {
  const facts = access?.entitlement;
  if (!facts || isKeptOut(access) || (facts.state !== 'active' && facts.state !== 'waiting')) return false;
  return endReason(facts, ctx.clock.now(), ctx.clockState().trusted) === undefined;
}

/**
 * Whether this phone is online. The router knows better than we do: a phone it has just logged in may have no Start
 * with us yet, and one it has just sent to its login page has lost its session, whatever is still open here.
 */
async function isOnline(ctx: PortalContext, credentialId: string, hotspot: HotspotContext | undefined) {
  if (hotspot?.logged_in && ctx.clock.now() - hotspot.seen_at < LOGGED_IN_MS) return true;
  const since = hotspot?.logged_in === false ? hotspot.seen_at : 0;
  const sessions = await openSessions(ctx.db, credentialId);
  return sessions.some(
    (session) => session.updated_at >= since && (!hotspot?.mac || session.mac === hotspot.mac),
  );
}

/** Whether another device, or this phone under its former address, holds the place that this phone needs. */
async function mustTakePlace(ctx: PortalContext, c: Context<Env>, visitor: Visit, access: AccessRecord) {
  const mac = visitor.hotspot?.mac;
  if (!mac || !access.entitlement) return false;
  const token = rememberedDevice(c, ctx.vault);
  const sessions = await openSessions(ctx.db, access.credential_id);
  const returning = { mac, previous_mac: token?.mac ?? null };
  return devicesInTheWay(sessions, returning, access.entitlement.max_devices).length > 0;
}

/** The way online with what this phone has already. */
async function ownConnect(ctx: PortalContext, c: Context<Env>, visitor: Visit, access: AccessRecord) {
  const own = await openCredential(ctx, access.credential_id);
  const connect = connectView(visitor.hotspot, own, false);
  return connect && { ...connect, takes_place: await mustTakePlace(ctx, c, visitor, access) };
}

function orderAddress(order: Order, page: PageView): string {
  const query = new URLSearchParams();
  if (page.ctx) query.set('ctx', page.ctx);
  if (page.lang) query.set('lang', page.lang);
  return `/orders/${order.id}?${query}`;
}

function statusAddress(page: PageView): string {
  return page.ctx ? `/status?ctx=${encodeURIComponent(page.ctx)}` : '/status';
}

/** The pages. `GET` shows, `POST` does one thing, then redirects or shows what is wrong. */
export function createPortalPages(ctx: PortalContext): Hono<Env> {
  const pages = new Hono<Env>();

  /** The address under which a phone is online is the one that it gives up when it comes back with another. */
  function noteAddress(c: Context<Env>, visitor: Visit, access: AccessRecord): void {
    const mac = visitor.hotspot?.mac;
    const token = rememberedDevice(c, ctx.vault);
    if (mac && token?.mac !== mac) rememberDevice(c, ctx.vault, { credential_id: access.credential_id, mac });
  }

  async function showHome(c: Context<Env>, visitor: Visit) {
    const plans = await listPlansOnSale(ctx.db);
    const access = await ownAccess(ctx, c);
    const running = access && isRunning(ctx, access) ? access : undefined;
    const online = running ? await isOnline(ctx, running.credential_id, visitor.hotspot) : false;
    if (running && online) noteAddress(c, visitor, running);
    const html = homePage({
      ...visitor.page,
      plans,
      payments_open:
        (await ctx.gateways.mpesa()) !== undefined || (await smsPaymentsOpen(ctx.db)) !== undefined,
      router_error: visitor.hotspot?.error ?? null,
      entitlement: running ? await entitlementView(ctx, running) : null,
      connect: running && !online ? await ownConnect(ctx, c, visitor, running) : null,
      online,
    });
    return c.html(html);
  }

  pages.get('/', async (c) => showHome(c, await visit(ctx, c)));

  // The router's login page posts here from its own site; only the GET that follows carries this phone's cookies.
  pages.post('/', async (c) => {
    // Only a phone that is not logged in is sent to the login page.
    const { page } = await visit(ctx, c, { ...(await readForm(c)), 'logged-in': 'no' });
    return c.redirect(page.ctx ? `/?ctx=${encodeURIComponent(page.ctx)}` : '/', 303);
  });

  async function showBuy(c: Context<Env>, visitor: Visit, plan: Plan, msisdn: string | null, error: unknown) {
    // When the disk fails, nobody can say whether the phone was asked.
    if (diskTrouble(error)) throw error;
    const failure = error ? asAppError(error) : undefined;
    if (
      failure &&
      failure.code !== 'invalid' &&
      failure.code !== 'unavailable' &&
      failure.code !== 'rate_limited'
    ) {
      throw error;
    }
    const kinds = {
      invalid: 'invalid_msisdn',
      unavailable: 'unavailable',
      rate_limited: 'too_many_tries',
    } as const;
    const kind = failure ? kinds[failure.code as keyof typeof kinds] : null;
    return c.html(
      buyPage({ ...visitor.page, plan, msisdn, error: kind }),
      failure ? STATUSES[failure.code] : 200,
    );
  }

  pages.get('/buy', async (c) => {
    const visitor = await visit(ctx, c);
    const plan = await getPlan(ctx.db, c.req.query('plan') ?? '');
    return showBuy(c, visitor, plan, c.req.query('msisdn') ?? getCookie(c, PHONE_COOKIE) ?? null, undefined);
  });

  pages.post('/buy', async (c) => {
    const form = await readForm(c);
    const visitor = await visit(ctx, c, form);
    const plan = await getPlan(ctx.db, form.plan ?? '');
    const again = form.again && isId(form.again) ? await findOrder(ctx.db, form.again) : undefined;
    const msisdn = form.msisdn ?? again?.msisdn ?? '';
    try {
      const order = await buyPlan(ctx, {
        plan_id: plan.id,
        msisdn,
        mac: visitor.hotspot?.mac ?? null,
        ip: visitor.hotspot?.ip ?? null,
        router_id: visitor.hotspot?.router_id ?? null,
        idempotency_key: null,
      });
      setCookie(c, PHONE_COOKIE, `0${order.msisdn.slice(3)}`, {
        path: '/',
        sameSite: 'Lax',
        httpOnly: true,
        maxAge: YEAR_SECONDS,
      });
      return c.redirect(orderAddress(order, visitor.page), 303);
    } catch (error) {
      return showBuy(c, visitor, plan, form.msisdn ?? null, error);
    }
  });

  pages.get('/orders/:id', async (c) => {
    const visitor = await visit(ctx, c);
    const id = c.req.param('id');
    const order = isId(id) ? await findOrder(ctx.db, id) : undefined;
    if (!order) throw new AppError('not_found', 'There is no such order.');
    const plan = await getPlan(ctx.db, order.plan_id);
    const paid = order.state === 'paid' && order.credential_id !== null;
    if (paid) {
      const credentialId = order.credential_id as string;
      rememberDevice(c, ctx.vault, { credential_id: credentialId, mac: visitor.hotspot?.mac ?? null });
      if (await isOnline(ctx, credentialId, visitor.hotspot)) {
        return c.redirect(statusAddress(visitor.page), 303);
      }
    }
    return c.html(
      orderPage({
        ...visitor.page,
        state: order.state,
        order: {
          id: order.id,
          price_cents: order.price_cents,
          msisdn_masked: maskMsisdn(order.msisdn),
          prompt_until_at: order.created_at + LIVE_MS / 2,
        },
        plan,
        pay_to: order.gateway === 'sms' ? await payTo(ctx) : null,
        failure: failureOf(order),
        access: paid ? await accessView(ctx, visitor, order.credential_id as string) : null,
      }),
    );
  });

  pages.get('/voucher', async (c) => {
    const { page } = await visit(ctx, c);
    return c.html(voucherPage({ ...page, code: c.req.query('code')?.slice(0, 40) ?? null }));
  });

  pages.post('/voucher', async (c) => {
    const form = await readForm(c);
    const visitor = await visit(ctx, c, form);
    const code = (form.code ?? '').slice(0, 60);
    const refuse = (error: CodeRefusal | 'too_many_tries', status: 400 | 409 | 429) =>
      c.html(voucherPage({ ...visitor.page, code, error }), status);
    try {
      const entered = await accessByCode(ctx, code, {
        mac: visitor.hotspot?.mac ?? null,
        previous_mac: rememberedDevice(c, ctx.vault)?.mac ?? null,
        address: c.env.address,
      });
      if ('refused' in entered) {
        return refuse(entered.refused, entered.refused === 'unknown' ? 400 : 409);
      }
      return await showRedeemed(c, visitor, entered.access.credential_id, entered.access.plan_id);
    } catch (error) {
      if (asAppError(error).code === 'rate_limited') return refuse('too_many_tries', 429);
      throw error;
    }
  });

  async function showRedeemed(c: Context<Env>, visitor: Visit, credentialId: string, planId: string) {
    rememberDevice(c, ctx.vault, { credential_id: credentialId, mac: visitor.hotspot?.mac ?? null });
    const access = await accessView(ctx, visitor, credentialId);
    const plan = await findPlan(ctx.db, planId);
    return c.html(voucherPage({ ...visitor.page, access, plan_name: plan?.name ?? null }));
  }

  pages.get('/paid', async (c) => {
    const { page } = await visit(ctx, c);
    return c.html(paidPage(page));
  });

  pages.post('/paid', async (c) => {
    const form = await readForm(c);
    const visitor = await visit(ctx, c, form);
    const text = (form.text ?? '').slice(0, 600);
    const refuse = (error: ClaimError, status: 400 | 409 | 429) =>
      c.html(paidPage({ ...visitor.page, text, error }), status);
    try {
      const answer = await claimPaid(ctx, text, {
        mac: visitor.hotspot?.mac ?? null,
        previous_mac: rememberedDevice(c, ctx.vault)?.mac ?? null,
        ip: visitor.hotspot?.ip ?? null,
        router_id: visitor.hotspot?.router_id ?? null,
        address: c.env.address,
      });
      if (answer.state === 'refused') {
        const wrong = answer.reason === 'no_code' || answer.reason === 'no_wifi';
        return refuse(answer.reason, wrong ? 400 : 409);
      }
      if (answer.state === 'checking') {
        return c.html(paidPage({ ...visitor.page, checking: answer.receipt }));
      }
      const { credential_id } = answer.access;
      rememberDevice(c, ctx.vault, { credential_id, mac: visitor.hotspot?.mac ?? null });
      const access = await accessView(ctx, visitor, credential_id);
      const slow_seconds = answer.state === 'slow' ? answer.validity_seconds : null;
      return c.html(paidPage({ ...visitor.page, access, slow_seconds }));
    } catch (error) {
      if (asAppError(error).code === 'rate_limited') return refuse('too_many_tries', 429);
      throw error;
    }
  });

  // Another site's form does not bring the cookie along (SameSite=Lax), so only the guest's own tap gets here.
  pages.post('/continue', async (c) => {
    const visitor = await visit(ctx, c, await readForm(c));
    const token = rememberedDevice(c, ctx.vault);
    const mac = visitor.hotspot?.mac ?? null;
    const access =
      token && (await continueAccess(ctx, token.credential_id, { mac, previous_mac: token.mac }));
    if (!access) return c.redirect(statusAddress(visitor.page), 303);
    rememberDevice(c, ctx.vault, { credential_id: access.credential_id, mac });
    const own = await openCredential(ctx, access.credential_id);
    return c.html(
      continuePage({ ...visitor.page, access: { ...own, connect: connectView(visitor.hotspot, own, true) } }),
    );
  });

  pages.get('/status', async (c) => {
    const visitor = await visit(ctx, c);
    const access = await ownAccess(ctx, c);
    if (!access?.entitlement) return c.html(statusPage({ ...visitor.page, state: 'none' }));
    const entitlement = await entitlementView(ctx, access);
    if (!isRunning(ctx, access)) {
      const stopped = isKeptOut(access) || access.entitlement.state === 'revoked';
      const reason = access.entitlement.end_reason;
      return c.html(
        statusPage({
          ...visitor.page,
          state: 'ended',
          entitlement,
          ended_by: stopped ? 'stopped' : reason === 'quota_used' ? 'quota' : 'time',
        }),
      );
    }
    if (await isOnline(ctx, access.credential_id, visitor.hotspot)) {
      noteAddress(c, visitor, access);
      return c.html(statusPage({ ...visitor.page, state: 'online', entitlement }));
    }
    const connect = await ownConnect(ctx, c, visitor, access);
    return c.html(statusPage({ ...visitor.page, state: 'offline', entitlement, connect }));
  });

  return pages;
}

/** Where a guest pays by hand. */
async function payTo(ctx: PortalContext) {
  const { pay_to, pay_to_number, pay_to_name } = await readSmsSettings(ctx.db);
  return { kind: pay_to, number: pay_to_number, name: pay_to_name };
}

const ERROR_KINDS = {
  not_found: 'not_found',
  invalid: 'bad_request',
  conflict: 'bad_request',
  rate_limited: 'too_many_requests',
} as const;

/** Any page that could not be shown, with a way back. */
export async function showError(ctx: PortalContext, c: Context<Env>, thrown: unknown): Promise<Response> {
  const error = asAppError(thrown);
  if (isForLog(thrown)) ctx.log.error('portal page failed', { error: thrown, path: c.req.path });
  const kind = ERROR_KINDS[error.code as keyof typeof ERROR_KINDS] ?? 'server_error';
  // The error page must come even when the store is what failed.
  const { page } = await visit(ctx, c).catch(() => ({
    page: { lang: 'en' as const, business: { name: 'WiFi' }, now_at: ctx.clock.now() },
  }));
  return c.html(errorPage({ ...page, kind }), statusOf(thrown));
}
