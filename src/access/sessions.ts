// Sessions: which connections there are, and how those end that no Stop ended.
import { sql } from 'kysely';
import type { Page, PageRequest } from '../db/page.ts';
import { readPage, unindexed } from '../db/page.ts';
import type { Db, Row } from '../db/schema.ts';
import { statement } from '../db/statement.ts';
import { enqueueTask } from '../db/tasks.ts';
import { AppError } from '../errors.ts';
import { spellingsOf } from '../lib/codes.ts';
import { idAt } from '../lib/ids.ts';
import { closedAt } from './hours.ts';

export type Session = Row<'sessions'>;

/** Written out in a statement about one credential, so that the index of the open sessions alone serves it. */
export const OPEN = sql.lit<'open'>('open');

/** How the reason begins why a person of the operator's ended a session. */
export const DISCONNECTED_BY = 'Disconnected by ';
/** RFC 2866 §5.10; of a hotspot, that its logout page was used (routeros.md §1.5). */
const USER_REQUEST = 1;

/**
 * Whether the device that had this session is to stay out until somebody signs in on it again: it gave its place up, a
 * person ended the session, or its own person signed out.
 */
export function isSignedOut(
  session: Pick<Session, 'gave_way_at' | 'terminate_cause' | 'disconnect_detail'>,
): boolean {
  const { gave_way_at, terminate_cause, disconnect_detail } = session;
  return (
    gave_way_at !== null ||
    terminate_cause === USER_REQUEST ||
    disconnect_detail?.startsWith(DISCONNECTED_BY) === true
  );
}

/** Whether two sessions are of one device; of one that its router does not name nobody knows. */
export function isSameDevice(one: Pick<Session, 'mac'>, other: Pick<Session, 'mac'>): boolean {
  return one.mac !== null && one.mac === other.mac;
}

/** Has a live session ended for the sake of another device; from now on it holds no place. */
export async function giveWay(tx: Db, id: string, reason: string, now: number): Promise<void> {
  await tx.updateTable('sessions').set({ gave_way_at: now }).where('id', '=', id).execute();
  await recordDisconnect(tx, id, 'requested', reason, now);
  await enqueueTask(tx, 'disconnect_session', { session_id: id, reason }, now);
}

/** Has a live session of a home end whose credential was changed: the home dials in again, with what is right now. */
export async function beginAnew(tx: Db, id: string, now: number): Promise<void> {
  await recordDisconnect(tx, id, 'requested', 'credential_changed', now);
  await enqueueTask(tx, 'disconnect_session', { session_id: id, reason: 'credential_changed' }, now);
}

/** The clock was wrong by `byMs` from `since` on: what live sessions told meanwhile was told so much later. */
export async function moveLiveSessions(tx: Db, since: number, byMs: number): Promise<void> {
  const moving = () =>
    tx.updateTable('sessions').where('state', '=', 'open').where('updated_at', '>=', since);
  await moving()
    .where(unindexed('id'), '>=', idAt(since))
    .set((eb) => ({ started_at: eb('started_at', '+', byMs) }))
    .execute();
  await moving()
    .set((eb) => ({ updated_at: eb('updated_at', '+', byMs) }))
    .execute();
}

/** The credentials with a live session. */
export async function liveCredentials(db: Db): Promise<string[]> {
  const rows = await db
    .selectFrom('sessions')
    .select('credential_id')
    .distinct()
    .where('state', '=', 'open')
    .execute();
  return rows.flatMap((row) => row.credential_id ?? []);
}

/** Closes open sessions that have said nothing since `before`, with the counters they last told. */
export async function closeStaleSessions(db: Db, before: number): Promise<Session[]> {
  return db
    .updateTable('sessions')
    .set((eb) => ({ state: 'closed' as const, stopped_at: eb.ref('updated_at') }))
    .where('state', '=', 'open')
    .where('updated_at', '<', before)
    .returningAll()
    .execute();
}

/** Closes the open sessions of one credential that have said nothing since `before`, with what they last told. */
export async function closeSilentSessions(db: Db, credentialId: string, before: number): Promise<Session[]> {
  return db
    .updateTable('sessions')
    .set((eb) => ({ state: 'closed' as const, stopped_at: eb.ref('updated_at') }))
    .where('credential_id', '=', credentialId)
    .where('state', '=', OPEN)
    .where('updated_at', '<', before)
    .returningAll()
    .execute();
}

/** Closes sessions that their router says it does not have; one that spoke since it was asked stays. */
export async function closeAbsentSessions(db: Db, absent: Session[]): Promise<Session[]> {
  const closed: Session[] = [];
  for (const { id, updated_at } of absent) {
    const session = await db
      .updateTable('sessions')
      .set((eb) => ({ state: 'closed' as const, stopped_at: eb.ref('updated_at') }))
      .where('id', '=', id)
      .where('state', '=', 'open')
      .where('updated_at', '=', updated_at)
      .returningAll()
      .executeTakeFirst();
    if (session) closed.push(session);
  }
  return closed;
}

/** Closes what a router had open when it went down: the sessions that it last reported before it came up again. */
export async function closeSessionsBeforeBoot(
  db: Db,
  routerId: string,
  bootedAt: number,
): Promise<Session[]> {
  return db
    .updateTable('sessions')
    .set((eb) => ({ state: 'closed' as const, stopped_at: eb.ref('updated_at') }))
    .where('state', '=', 'open')
    .where(unindexed('router_id'), '=', routerId)
    .where('updated_at', '<', bootedAt)
    .returningAll()
    .execute();
}

// By `id` alone SQLite would take the open sessions of everybody, which it has in that order.
const openOfCredential = statement(
  sql<Session>`select * from sessions where credential_id = ${''} and state = 'open' order by id || ''`,
);

/** The open sessions of a credential. */
export async function openSessions(db: Db, credentialId: string): Promise<Session[]> {
  return openOfCredential(db, [credentialId]);
}

const openOfDevice = statement(
  sql<Session>`
    select * from sessions where mac = ${''} and state || '' = 'open' and router_id || '' = ${''} and username || '' = ${''}`,
);

/** A digest of 27 characters; a key that is longer begins with the time of its Accept (`sessionKey`). */
const DIGEST_LENGTH = 27;

/** When a session was let in, sortable; undefined where no Accept is known. */
function acceptTime({ unique_key }: Session): string | undefined {
  return unique_key.slice(0, -DIGEST_LENGTH) || undefined;
}

/** Whether its device has a newer open session of the same name at the same router, which then has this one no more. */
export async function hasSuccessor(db: Db, session: Session): Promise<boolean> {
  const { id, mac, router_id, username } = session;
  if (mac === null) return false;
  const others = await openOfDevice(db, [mac, router_id, username]);
  const mine = acceptTime(session);
  return others.some((other) => {
    const its = acceptTime(other);
    const isLater = mine && its ? its > mine : other.started_at > session.started_at;
    return other.id !== id && isLater;
  });
}

/** The newest session of each device of a credential, among the newest of its subscriber. */
export async function lastSessions(
  db: Db,
  credential: { id: string; subscriber_id: string },
): Promise<Session[]> {
  const newest = await db
    .selectFrom('sessions')
    .selectAll()
    .where('subscriber_id', '=', credential.subscriber_id)
    .orderBy('id', 'desc')
    .limit(20)
    .execute();
  const last = new Map<string, Session>();
  for (const session of newest) {
    const key = session.mac ?? session.id;
    if (session.credential_id === credential.id && !last.has(key)) last.set(key, session);
  }
  return [...last.values()];
}

/**
 * The credentials with an open session outside the hours of its plan, which the router should have ended a while ago.
 * A session that was told to end since then is left out.
 */
export async function credentialsOutsideHours(db: Db, now: number, graceMs: number): Promise<string[]> {
  const rows = await db
    .selectFrom('sessions as x')
    .innerJoin('entitlements as e', 'e.id', 'x.entitlement_id')
    .select(['x.credential_id', 'x.disconnect_at', 'e.hours_from_minute', 'e.hours_to_minute'])
    .where('x.state', '=', 'open')
    .where('e.hours_from_minute', 'is not', null)
    .execute();
  const found = new Set<string>();
  for (const row of rows) {
    const closed = closedAt(row, now);
    if (closed === undefined || now - closed < graceMs || !row.credential_id) continue;
    if (row.disconnect_at === null || row.disconnect_at < closed) found.add(row.credential_id);
  }
  return [...found];
}

export async function countOpenSessions(db: Db): Promise<number> {
  const { count } = await db
    .selectFrom('sessions')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('state', '=', 'open')
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Open sessions a router, by router id. */
export async function countOpenByRouter(db: Db): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('sessions')
    .select((eb) => ['router_id', eb.fn.countAll<number>().as('count')])
    .where('state', '=', 'open')
    .groupBy('router_id')
    .execute();
  return new Map(rows.map((row) => [row.router_id, Number(row.count)]));
}

/**
 * Records how far a Disconnect of a live session has come. Of two asked at one moment the second is told that there is no such
 * session: that the first has ended it stays written down.
 */
export async function recordDisconnect(
  db: Db,
  id: string,
  state: NonNullable<Session['disconnect_state']>,
  detail: string,
  now: number,
): Promise<Session> {
  let update = db
    .updateTable('sessions')
    .set({ disconnect_state: state, disconnect_detail: detail, disconnect_at: now })
    .where('id', '=', id);
  if (state !== 'requested') {
    update = update.where(({ eb, or }) =>
      or([eb('disconnect_state', 'is', null), eb('disconnect_state', 'not in', ['ack', 'api'])]),
    );
  }
  return (await update.returningAll().executeTakeFirst()) ?? getSession(db, id);
}

/** Records what a router answered to a change of a live session's rate and end. */
export async function recordChange(
  db: Db,
  id: string,
  state: NonNullable<Session['change_state']>,
  detail: string,
  now: number,
): Promise<void> {
  await db
    .updateTable('sessions')
    .set({ change_state: state, change_detail: detail, change_at: now })
    .where('id', '=', id)
    .execute();
}

/** Lets a live session count for the entitlement that now carries it. */
export async function moveSession(
  db: Db,
  id: string,
  entitlement: { id: string; plan_id: string },
): Promise<void> {
  await db
    .updateTable('sessions')
    .set({ entitlement_id: entitlement.id, plan_id: entitlement.plan_id })
    .where('id', '=', id)
    .execute();
}

function noSuchSession(): AppError {
  return new AppError('not_found', 'There is no such session.');
}

export interface SessionView extends Session {
  msisdn: string | null;
  plan_name: string | null;
  router_name: string | null;
  ends_at: number | null;
}

function viewQuery(db: Db) {
  return db
    .selectFrom('sessions as x')
    .leftJoin('subscribers as s', 's.id', 'x.subscriber_id')
    .leftJoin('plans as p', 'p.id', 'x.plan_id')
    .leftJoin('routers as r', 'r.id', 'x.router_id')
    .leftJoin('entitlements as e', 'e.id', 'x.entitlement_id')
    .selectAll('x')
    .select(['s.msisdn', 'p.name as plan_name', 'r.name as router_name', 'e.ends_at']);
}

export interface SessionFilter {
  state?: Session['state'] | undefined;
  router_id?: string | undefined;
  subscriber_id?: string | undefined;
  credential_id?: string | undefined;
  entitlement_id?: string | undefined;
  username?: string | undefined;
  mac?: string | undefined;
}

/** Whose sessions a user name stands for: the credential of that very name, else one that may have been meant. */
async function ownerOf(db: Db, typed: string): Promise<{ id: string; subscriber_id: string } | undefined> {
  const spellings = spellingsOf(typed);
  const found = await db
    .selectFrom('credentials')
    .select(['id', 'subscriber_id', 'username'])
    .where('username', 'in', spellings)
    .execute();
  const rank = (one: { username: string }) => spellings.indexOf(one.username);
  return found.sort((a, b) => rank(a) - rank(b))[0];
}

/** The subscriber among whose sessions those of a credential or an entitlement are: these alone have no index. */
async function subscriberOf(db: Db, table: 'credentials' | 'entitlements', id: string): Promise<string> {
  const row = await db.selectFrom(table).select('subscriber_id').where('id', '=', id).executeTakeFirst();
  return row?.subscriber_id ?? '';
}

export async function listSessions(
  db: Db,
  page: PageRequest,
  filter: SessionFilter = {},
): Promise<Page<SessionView>> {
  let query = viewQuery(db);
  // The narrowest filter leads: one subscriber or device, else what is open (few), else one router.
  const one =
    filter.subscriber_id ?? filter.credential_id ?? filter.entitlement_id ?? filter.username ?? filter.mac;
  const byState = !one && (filter.state === 'open' || !filter.router_id);
  const byRouter = !one && !byState;
  if (filter.state) query = query.where(byState ? 'x.state' : unindexed('x.state'), '=', filter.state);
  if (filter.router_id)
    query = query.where(byRouter ? 'x.router_id' : unindexed('x.router_id'), '=', filter.router_id);
  if (filter.subscriber_id) query = query.where('x.subscriber_id', '=', filter.subscriber_id);
  if (filter.credential_id) {
    query = query
      .where('x.subscriber_id', '=', await subscriberOf(db, 'credentials', filter.credential_id))
      .where(unindexed('x.credential_id'), '=', filter.credential_id);
  }
  if (filter.entitlement_id) {
    query = query
      .where('x.subscriber_id', '=', await subscriberOf(db, 'entitlements', filter.entitlement_id))
      .where('x.entitlement_id', '=', filter.entitlement_id);
  }
  if (filter.username) {
    const owner = await ownerOf(db, filter.username);
    query = owner
      ? query
          .where('x.subscriber_id', '=', owner.subscriber_id)
          .where(unindexed('x.credential_id'), '=', owner.id)
      : query.where('x.subscriber_id', 'is', null).where('x.username', '=', filter.username);
  }
  if (filter.mac) query = query.where('x.mac', '=', filter.mac);
  return readPage(query, 'x.id', page);
}

export async function getSession(db: Db, id: string): Promise<SessionView> {
  const session = await viewQuery(db).where('x.id', '=', id).executeTakeFirst();
  if (!session) throw noSuchSession();
  return session;
}
