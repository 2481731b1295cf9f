// Brings a guest online who has a plan to use, where the router can be asked to.
import { authorize } from '../access/authorize.ts';
import { getCredential } from '../access/credentials.ts';
import { currentAccess } from '../access/entitlements.ts';
import { isSignedOut, lastSessions, openSessions, type Session } from '../access/sessions.ts';
import type { Row } from '../db/schema.ts';
import { errorText } from '../errors.ts';
import { isMac } from '../lib/mac.ts';
import { hotspotHostByMac, hotspotLogin } from '../protocols/routeros/device.ts';
import { type EnforceContext, type Enforced, enforceCredential, NEXT_ENTITLEMENT } from './enforce.ts';
import { apiOf, withRouter } from './router-api.ts';
import { findRouter } from './routers.ts';

/** What is needed of an order to bring its guest online. */
export type PaidOrder = Pick<Row<'orders'>, 'credential_id' | 'router_id' | 'mac'>;

/**
 * A guest who is online already gets the new end at once. One who waits on the hotspot is logged in through the
 * router's API, if we have one; the portal page in their hand does the same by itself, so failing here loses nothing.
 */
export async function activateOrder(context: EnforceContext, order: PaidOrder): Promise<Enforced> {
  if (!order.credential_id) return { outcome: 'There is nothing to activate.', complete: true };
  const live = await openSessions(context.db, order.credential_id);
  if (live.length > 0) return enforceCredential(context, order.credential_id, 'extended');
  if (!order.router_id || !order.mac) return { outcome: PORTAL_LOGS_IN, complete: true };
  const outcome = await logIn(context, order.credential_id, { router_id: order.router_id, mac: order.mac });
  return { outcome, complete: true };
}

const PORTAL_LOGS_IN = 'The portal page logs the guest in.';

/** Where a device waits on a hotspot. */
interface Waiting {
  router_id: string;
  mac: string;
}

/** Logs a device in through its router's API, as far as that can be done; returns what came of it. */
async function logIn(
  { db, vault }: EnforceContext,
  credentialId: string,
  { router_id, mac }: Waiting,
): Promise<string> {
  const router = await findRouter(db, router_id);
  const api = router && apiOf(router, vault);
  if (!api) return PORTAL_LOGS_IN;
  const credential = await getCredential(db, credentialId);
  try {
    return await withRouter(api, async (client) => {
      const host = await hotspotHostByMac(client, mac);
      if (!host) return 'The device is not on the hotspot now.';
      if (host.authorized) return 'The device is online already.';
      await hotspotLogin(client, {
        ip: host.toAddress || host.address,
        mac,
        user: credential.username,
        password: vault.open(credential.password_sealed),
      });
      return 'Logged in through the router’s API.';
    });
  } catch (error) {
    return `The portal page logs the guest in; the API said: ${errorText(error)}`;
  }
}

/** RFC 2866 §5.10, as RouterOS uses them: Session-Timeout, and NAS-Request for a limit of octets (routeros.md §1.5). */
const AT_A_LIMIT = [5, 10];
const JUST_NOW_MS = 60_000;

/** Whether a session has just ended because its plan did, and not because anybody wanted it to. */
function endedWithItsPlan(session: Session, now: number): boolean {
  const { state, terminate_cause, stopped_at, disconnect_detail, disconnect_at } = session;
  if (state === 'closed' && AT_A_LIMIT.includes(terminate_cause ?? 0))
    return (stopped_at ?? 0) > now - JUST_NOW_MS;
  return disconnect_detail?.startsWith(NEXT_ENTITLEMENT) === true && (disconnect_at ?? 0) > now - JUST_NOW_MS;
}

/**
 * A router that keeps a plan's limit itself has ended the session, and forgotten the device's cookie with it (routeros.md §2.2),
 * when we hear of it; and the next plan may need a session of its own. Where another plan of the guest goes on by itself,
 * their devices are logged in again. Undefined where there is nothing to do.
 */
export async function logInAgain(context: EnforceContext, credentialId: string): Promise<string | undefined> {
  const { db, clock } = context;
  const now = clock.now();
  const credential = await getCredential(db, credentialId);
  // A home dials again by itself, and has no business on the hotspot.
  if (credential.kind === 'pppoe') return undefined;
  const ended = (await lastSessions(db, credential)).filter(
    (session) => !isSignedOut(session) && endedWithItsPlan(session, now),
  );
  const done: string[] = [];
  for (const { router_id, mac } of ended) {
    if (!mac || !isMac(mac)) continue;
    const access = await currentAccess(db, credential.username, mac, now, context.clockTrusted());
    const decision = access && authorize(access, now, context.clockTrusted(), router_id);
    // Nobody stands behind it: no other device is pushed out.
    if (!decision?.accept || decision.devices_beside !== undefined) continue;
    done.push(await logIn(context, credentialId, { router_id, mac }));
  }
  return done.length > 0 ? done.join(' ') : undefined;
}
