// Routers: the MikroTiks we manage, with their secrets sealed.
import { noteRouterUp } from '../access/outages.ts';
import { countBoundTo } from '../access/pppoe.ts';
import type { Page, PageRequest } from '../db/page.ts';
import { readPage } from '../db/page.ts';
import type { Db, Row } from '../db/schema.ts';
import { AppError } from '../errors.ts';
import { newId } from '../lib/ids.ts';
import { newToken, type Vault } from '../lib/secrets.ts';
import { canonicalAddress } from './addresses.ts';

export type Router = Row<'routers'>;

/** A router as it may be shown: which secrets it has, never the secrets. */
export interface RouterView extends Omit<Router, 'radius_secret_sealed' | 'api_password_sealed'> {
  has_radius_secret: boolean;
  has_api_password: boolean;
}

export interface RouterInput {
  name: string;
  address: string;
  radius_secret?: string | undefined;
  message_authenticator: Router['message_authenticator'];
  /** No, unless said otherwise: a MAC address is no secret. */
  mac_login?: Router['mac_login'] | undefined;
  coa_port: number;
  api_port: number;
  api_tls: 0 | 1;
  api_username: string | null;
  api_password?: string | null | undefined;
  hotspot_host: string | null;
  hotspot_interface: string;
  hotspot_network: string;
}

/** RFC 5176's port, which RouterOS ships with; its manual still says 1700 (routeros.md §1.6). */
export const DEFAULT_COA_PORT = 3799;
export const DEFAULT_API_PORT = 8728;
export const DEFAULT_HOTSPOT_INTERFACE = 'bridge';
export const DEFAULT_HOTSPOT_NETWORK = '10.5.48.0/22';

export function viewRouter(router: Router): RouterView {
  const { radius_secret_sealed, api_password_sealed, ...shown } = router;
  return {
    ...shown,
    has_radius_secret: radius_secret_sealed !== '',
    has_api_password: router.api_username !== null && api_password_sealed !== null,
  };
}

function readAddress(text: string): string {
  const address = canonicalAddress(text);
  if (address === undefined) {
    throw new AppError('invalid', 'The address must be an IP address or a range of them.', {
      fields: {
        address:
          'Write the address that the router’s packets come from, such as 10.77.0.7, or a range such as 10.77.0.0/24.',
      },
    });
  }
  return address;
}

function addressTaken(address: string): AppError {
  return new AppError('conflict', `Another router has the address ${address}.`, {
    fields: { address: 'Each router needs its own address.' },
  });
}

/** Adds a router; without a RADIUS secret it gets a random one, which is returned this once. */
export async function createRouter(
  db: Db,
  vault: Vault,
  input: RouterInput,
  now: number,
): Promise<{ router: Router; radius_secret: string }> {
  const address = readAddress(input.address);
  const { radius_secret = newToken(), api_password, ...rest } = input;
  const router = await db
    .insertInto('routers')
    .values({
      id: newId(now),
      ...rest,
      address,
      mac_login: input.mac_login ?? 'no',
      radius_secret_sealed: vault.seal(radius_secret),
      // Made even when no API user is set: the hotspot script creates the user with it.
      api_password_sealed: vault.seal(api_password || newToken()),
      state: 'unknown',
      identity: null,
      version: null,
      board: null,
      last_seen_at: null,
      last_error: null,
      created_at: now,
      updated_at: now,
    })
    .onConflict((oc) => oc.column('address').doNothing())
    .returningAll()
    .executeTakeFirst();
  if (!router) throw addressTaken(address);
  return { router, radius_secret };
}

/** Changes a router; secrets that are left out stay. */
export async function updateRouter(
  db: Db,
  vault: Vault,
  id: string,
  change: Partial<RouterInput>,
  now: number,
): Promise<Router> {
  const { radius_secret, api_password, ...rest } = change;
  if (rest.address !== undefined) rest.address = readAddress(rest.address);
  return db.transaction().execute(async (tx) => {
    if (rest.address !== undefined) {
      const other = await tx
        .selectFrom('routers')
        .select('id')
        .where('address', '=', rest.address)
        .where('id', '<>', id)
        .executeTakeFirst();
      if (other) throw addressTaken(rest.address);
    }
    const router = await tx
      .updateTable('routers')
      .set({
        ...rest,
        ...(radius_secret ? { radius_secret_sealed: vault.seal(radius_secret) } : {}),
        ...(api_password ? { api_password_sealed: vault.seal(api_password) } : {}),
        updated_at: now,
      })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirst();
    if (!router) throw noSuchRouter();
    return router;
  });
}

/** Removes a router; its past sessions stay. Refused while guests are online through it. */
export async function deleteRouter(db: Db, id: string): Promise<void> {
  await db.transaction().execute(async (tx) => {
    const open = await tx
      .selectFrom('sessions')
      .select('id')
      .where('state', '=', 'open')
      .where('router_id', '=', id)
      .limit(1)
      .executeTakeFirst();
    if (open) {
      throw new AppError('conflict', 'Guests are online through this router.', {
        hint: 'Disconnect them, or wait until their sessions end.',
      });
    }
    const homes = await countBoundTo(tx, id);
    if (homes > 0) {
      throw new AppError('conflict', `${homes} PPPoE credentials may sign in through this router alone.`, {
        hint: 'Let them sign in through any router, or another one, first.',
      });
    }
    const deleted = await tx.deleteFrom('routers').where('id', '=', id).returning('id').executeTakeFirst();
    if (!deleted) throw noSuchRouter();
    await tx.deleteFrom('signing_sources').where('router_id', '=', id).execute();
  });
}

export async function findRouter(db: Db, id: string): Promise<Router | undefined> {
  return db.selectFrom('routers').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function getRouter(db: Db, id: string): Promise<Router> {
  const router = await findRouter(db, id);
  if (!router) throw noSuchRouter();
  return router;
}

function noSuchRouter(): AppError {
  return new AppError('not_found', 'There is no such router.');
}

export async function listRouters(db: Db, page: PageRequest): Promise<Page<Router>> {
  return readPage(db.selectFrom('routers').selectAll(), 'routers.id', page);
}

/** Every router, for the table of RADIUS secrets: operators have tens of them, not thousands. */
export async function allRouters(db: Db): Promise<Router[]> {
  return db.selectFrom('routers').selectAll().orderBy('id').execute();
}

/** Records what was heard of a router: seen now, or unreachable with a reason. */
export async function recordRouterState(
  db: Db,
  id: string,
  seen: { identity: string; version: string; board: string } | { error: string },
  now: number,
): Promise<void> {
  await db
    .updateTable('routers')
    .set(
      'error' in seen
        ? { state: 'offline', last_error: seen.error }
        : { state: 'online', ...seen, last_seen_at: now, last_error: null },
    )
    .where('id', '=', id)
    .execute();
}

/** A router's packets prove that it lives, whether or not its API can be reached. */
export async function routerHeard(db: Db, id: string, at: number): Promise<void> {
  await db.updateTable('routers').set({ state: 'online', last_seen_at: at }).where('id', '=', id).execute();
  await noteRouterUp(db, id, at);
}
