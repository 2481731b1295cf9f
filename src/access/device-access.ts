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
    order by e.state, e.id`,
);

interface SignIn
  extends Pick<Session, 'started_at' | 'gave_way_at' | 'terminate_cause' | 'disconnect_detail'> {
  credential_id: string;
  username: string;
  /** Of what the credential has; null when all of it is over. */
  entitlement_state: 'active' | 'waiting' | null;
}

const signedInOn = statement(
  sql<SignIn>`
    select x.credential_id, c.username, x.started_at, x.gave_way_at, x.terminate_cause, x.disconnect_detail, coalesce(
      (select a.state from entitlements a where a.credential_id = c.id and a.state = 'active' limit 1),
      (select w.state from entitlements w where w.credential_id = c.id and w.state = 'waiting' limit 1))
      as entitlement_state
    from (
      select id, credential_id, started_at, gave_way_at, terminate_cause, disconnect_detail from sessions
      where mac = ${''} order by id desc limit ${NEWEST}) x
    join credentials c on c.id = x.credential_id and c.state = 'active' and c.kind <> 'pppoe'
    order by x.id desc`,
);

type FindUsernames = (db: Db, mac: string) => Promise<string[]>;

/** Alphabetically, active comes before waiting. */
const findBuyers: FindUsernames = async (db, mac) => [
  ...new Set((await boughtOn(db, [mac])).map(({ username }) => username)),
];

/**
 * The credentials this device last left without being signed out of them: those with something that runs before those with
 * something that waits, then by the newest sign-in. A session may be heard of long after it began.
 */
const findSignedIn: FindUsernames = async (db, mac) => {
  const last = new Map<string, SignIn>();
  const newest = (await signedInOn(db, [mac])).sort((a, b) => b.started_at - a.started_at);
  for (const signIn of newest) {
    if (!last.has(signIn.credential_id)) last.set(signIn.credential_id, signIn);
  }
  const stays = [...last.values()].filter((signIn) => !isSignedOut(signIn));
  const having = (state: SignIn['entitlement_state']) =>
    stays.flatMap((signIn) => (signIn.entitlement_state === state ? [signIn.username] : []));
  return [...having('active'), ...having('waiting')];
};

/** How a choice is made among several credentials that a device may use. */
export interface Choice {
  /** 0 for one that lets it in: the first such one is taken. Of others the first with the lowest number. */
  rank?: (access: AccessRecord) => number;
  /** Whether the store was behind with what was told about a credential, and has it now. */
  wasBehind?: (access: AccessRecord) => Promise<boolean>;
}

type FindAccess = (
  db: Db,
  mac: string,
  now: number,
  clockTrusted: boolean,
  choice?: Choice,
) => Promise<AccessRecord | undefined>;

function accessBy(findUsernames: FindUsernames): FindAccess {
  return async (db, mac, now, clockTrusted, choice = {}) => {
    const { rank = () => 0, wasBehind = async () => false } = choice;
    // All zeros, a broadcast or a group is no device's address (IEEE 802, the lowest bit of the first octet).
    if (mac === '00:00:00:00:00:00' || Number.parseInt(mac.slice(0, 2), 16) % 2 === 1) return undefined;
    const usernames = await findUsernames(db, mac);
    let best: { access: AccessRecord; rank: number } | undefined;
    for (const username of usernames) {
      const access = await currentAccess(db, username, mac, now, clockTrusted);
      // Who may use it changes with what was told.
      if (access && (await wasBehind(access)))
        return accessBy(findUsernames)(db, mac, now, clockTrusted, choice);
      const state = access?.entitlement?.state;
      if (!access || (state !== 'active' && state !== 'waiting')) continue;
      const its = rank(access);
      if (its === 0) return access;
      if (!best || its < best.rank) best = { access, rank: its };
    }
    return best?.access;
  };
}

/**
 * The facts about a credential that was bought or redeemed on this device (`AA:BB:CC:DD:EE:FF`) and has an entitlement
 * that runs, else one that waits, of several the one that `choice` prefers; undefined when there is none.
 */
export const currentDeviceAccess = accessBy(findBuyers);

/**
 * The same about a hotspot credential that somebody signed in with on this device, as another of the plan's devices;
 * undefined also for a device that was told to go, or whose person signed out there, until they sign in again.
 */
export const currentSharedAccess = accessBy(findSignedIn);

/** Whether the plan has a place for one more device: one that comes by itself must push nobody out. */
export function hasFreePlace({ entitlement, other_devices }: AccessRecord): boolean {
  return entitlement !== undefined && other_devices < entitlement.max_devices;
}
