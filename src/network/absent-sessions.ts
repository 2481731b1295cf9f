// Asks routers whether sessions that stand in a guest's way are there at all.
import { closeAbsentSessions, type Session } from '../access/sessions.ts';
import { isMac } from '../lib/mac.ts';
import type { RouterClient } from '../protocols/routeros/client.ts';
import { isLoggedIn, isUserLoggedIn } from '../protocols/routeros/device.ts';
import type { EnforceContext } from './enforce.ts';
import { apiOf, withRouter } from './router-api.ts';
import { findRouter } from './routers.ts';

/** A Start may overtake the row that it tells of, and a router's clock is not ours. */
const YOUNG_MS = 10_000;

/**
 * Closes those of these sessions that their routers, asked over the API, do not have any more; returns them. Only a whole
 * answer that knows neither a hotspot nor a PPP login of the device counts, of one without a MAC address none of its user:
 * what cannot be read is not empty.
 */
export async function closeWhatIsGone(
  context: Pick<EnforceContext, 'db' | 'vault' | 'clock'>,
  sessions: Session[],
): Promise<Session[]> {
  const old = sessions.filter((session) => context.clock.now() - session.started_at >= YOUNG_MS);
  const gone = await Promise.all(
    old.map(async (session) => ((await isGone(context, session)) ? session : undefined)),
  );
  return closeAbsentSessions(
    context.db,
    gone.filter((session) => session !== undefined),
  );
}

async function isGone(
  { db, vault }: Pick<EnforceContext, 'db' | 'vault'>,
  session: Session,
): Promise<boolean> {
  const { mac, username } = session;
  const ask = (client: RouterClient) =>
    mac !== null && isMac(mac) ? isLoggedIn(client, mac) : isUserLoggedIn(client, username);
  const router = await findRouter(db, session.router_id);
  const api = router && apiOf(router, vault);
  if (!api || username === '') return false;
  try {
    return await withRouter(api, async (client) => !(await ask(client)));
  } catch {
    // Not asked is not answered: the session keeps its place, and the guest is told about it.
    return false;
  }
}
