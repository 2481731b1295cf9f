// Brings a guest online who has just paid, where the router can be asked to.
import { getCredential } from '../access/credentials.ts';
import { openSessions } from '../access/sessions.ts';
import type { Row } from '../db/schema.ts';
import { errorText } from '../errors.ts';
import { hotspotHostByMac, hotspotLogin } from '../protocols/routeros/device.ts';
import { type EnforceContext, type Enforced, enforceCredential } from './enforce.ts';
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
  const { db, vault } = context;
  const live = await openSessions(db, order.credential_id);
  if (live.length > 0) return enforceCredential(context, order.credential_id, 'extended');
  const router = order.router_id ? await findRouter(db, order.router_id) : undefined;
  const api = router && apiOf(router, vault);
  if (!api || !order.mac) return { outcome: 'The portal page logs the guest in.', complete: true };
  const mac = order.mac;
  const credential = await getCredential(db, order.credential_id);
  try {
    const outcome = await withRouter(api, async (client) => {
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
    return { outcome, complete: true };
  } catch (error) {
    return {
      outcome: `The portal page logs the guest in; the API said: ${errorText(error)}`,
      complete: true,
    };
  }
}
