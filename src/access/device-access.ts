// What a device may use by its MAC address alone.
import { sql } from 'kysely';
import type { Db } from '../db/schema.ts';
import { statement } from '../db/statement.ts';
import { type AccessRecord, currentAccess } from './entitlements.ts';
import { isSignedOut, type Session } from './sessions.ts';

/** Looked at for one device: a router may report one address for everybody. */
const NEWEST = sql.lit(20);

const boughtOn = statement(
  sql<{ username: string }>`
    select c.username from (
      select id, username, state from credentials where device_mac = ${''} order by id desc limit ${NEWEST}) c
    join entitlements e on e.credential_id = c.id and e.state in ('active', 'waiting')
    where c.state = 'active'
    order by e.state, e.id limit 1`,
);

interface SignIn extends Pick<Session, 'gave_way_at' | 'terminate_cause' | 'disconnect_detail'> {
  credential_id: string;
  username: string;
  /** Of what the credential has; null when all of it is over. */
  entitlement_state: 'active' | 'waiting' | null;
}

const signedInOn = statement(
  sql<SignIn>`
    select x.credential_id, c.username, x.gave_way_at, x.terminate_cause, x.disconnect_detail, coalesce(
      (select a.state from entitlements a where a.credential_id = c.id and a.state = 'active' limit 1),
      (select w.state from entitlements w where w.credential_id = c.id and w.state = 'waiting' limit 1))
      as entitlement_state
    from (
      select id, credential_id, gave_way_at, terminate_cause, disconnect_detail from sessions
      where mac = ${''} order by id desc limit ${NEWEST}) x
    join credentials c on c.id = x.credential_id and c.state = 'active' and c.kind <> 'pppoe'
    order by x.id desc`,
);

type FindUsername = (db: Db, mac: string) => Promise<string | undefined>;

/** Alphabetically, active comes before waiting. */
const findBuyer: FindUsername = async (db, mac) => (await boughtOn(db, [mac]))[0]?.username;

/**
 * A credential this device last left without being signed out of it: one with something that runs before one with
 * something that waits, then the newest sign-in.
 */
const findSignedIn: FindUsername = async (db, mac) => {
  const last = new Map<string, SignIn>();
  for (const signIn of await signedInOn(db, [mac])) {
    if (!last.has(signIn.credential_id)) last.set(signIn.credential_id, signIn);
  }
  const stays = [...last.values()].filter((signIn) => !isSignedOut(signIn));
  const has = (state: SignIn['entitlement_state']) =>
    stays.find((signIn) => signIn.entitlement_state === state);
  return (has('active') ?? has('waiting'))?.username;
};

type FindAccess = (
  db: Db,
  mac: string,
  now: number,
  clockTrusted: boolean,
) => Promise<AccessRecord | undefined>;

/** Bounded: a turn that finds no such entitlement after all has ended one that was over. */
function accessBy(findUsername: FindUsername): FindAccess {
  return async (db, mac, now, clockTrusted) => {
    // All zeros, a broadcast or a group is no device's address (IEEE 802, the lowest bit of the first octet).
    if (mac === '00:00:00:00:00:00' || Number.parseInt(mac.slice(0, 2), 16) % 2 === 1) return undefined;
    for (;;) {
      const username = await findUsername(db, mac);
      if (username === undefined) return undefined;
      const access = await currentAccess(db, username, mac, now, clockTrusted);
      const state = access?.entitlement?.state;
      if (state === 'active' || state === 'waiting') return access;
    }
  };
}

/**
 * The facts about a credential that was bought or redeemed on this device (`AA:BB:CC:DD:EE:FF`) and has an entitlement
 * that runs, else one that waits; undefined when there is none.
 */
export const currentDeviceAccess = accessBy(findBuyer);

/**
 * The same about a hotspot credential that somebody signed in with on this device, as another of the plan's devices;
 * undefined also for a device that was told to go, or whose person signed out there, until they sign in again.
 */
export const currentSharedAccess = accessBy(findSignedIn);

/** Whether the plan has a place for one more device: one that comes by itself must push nobody out. */
export function hasFreePlace({ entitlement, other_devices }: AccessRecord): boolean {
  return entitlement !== undefined && other_devices < entitlement.max_devices;
}
