// Sessions: what the routers tell of connections, stored once however often it is told.
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { Page, PageRequest } from '../db/page.ts';
import { readPage, unindexed } from '../db/page.ts';
import type { Db, Row } from '../db/schema.ts';
import { holdRow } from '../db/several-nodes.ts';
import { statement } from '../db/statement.ts';
import { enqueueTask } from '../db/tasks.ts';
import { AppError } from '../errors.ts';
import { idAt, newId } from '../lib/ids.ts';
import { sawDevice } from './devices.ts';
import { actOnUsage } from './entitlements.ts';
import { closedAt } from './hours.ts';
import { addDailyUsage } from './usage.ts';

export type Session = Row<'sessions'>;

/** What an Accept wrote into Class, and accounting brings back. */
export interface SessionReference {
  credential_id: string;
  entitlement_id: string;
  /** Different for each Accept: tells sessions apart whose Acct-Session-Id repeats after a router's reboot. */
  accept_id: string;
}

/** One accounting message in our words: counters are totals of the session so far, octets from the subscriber are up. */
export interface SessionReport {
  kind: 'start' | 'interim' | 'stop';
  router_id: string;
  username: string;
  acct_session_id: string;
  reference: SessionReference | null;
  nas_port_id: string | null;
  nas_ip: string | null;
  /** Where it came from, of a router that is known by a prefix; null for any other. */
  nas_source?: string | null;
  mac: string | null;
  ip: string | null;
  session_seconds: number;
  upload_octets: number;
  download_octets: number;
  /** The router counts no gigawords: each counter begins again at 2^32 octets. */
  counters_wrap?: boolean;
  terminate_cause: number | null;
  /** Epoch ms of the happening, as we reckon it. */
  at: number;
}

/** The router says that it began or stops accounting: whatever it had open is over. */
export interface RouterRestart {
  kind: 'router_restart';
  router_id: string;
  /** Of a router that is known by a prefix: only what came from there is over. */
  nas_source?: string | null;
  at: number;
}

export type AccountingEvent = SessionReport | RouterRestart;

/** Identifies a session over all its messages, repeated or out of order. */
export function sessionKey(report: SessionReport): string {
  const parts = [
    report.router_id,
    report.acct_session_id,
    report.username,
    report.nas_port_id ?? '',
    report.reference?.accept_id ?? '',
    // Without our reference only its own name tells a router of a prefix apart; its source may change in mid-session.
    report.nas_source && !report.reference ? (report.nas_ip ?? '') : '',
  ];
  return createHash('sha1').update(parts.join('\0')).digest('base64url');
}

/**
 * Stores accounting messages in their order, all in one transaction: after it returns they are on disk.
 * Returns the sessions as they now stand, each once.
 */
export async function recordAccounting(db: Db, events: AccountingEvent[], now: number): Promise<Session[]> {
  return db.transaction().execute(async (tx) => {
    const touched = new Map<string, Session>();
    for (const event of inLockOrder(events)) {
      const sessions =
        event.kind === 'router_restart'
          ? await closeRouterSessions(tx, event)
          : [await recordReport(tx, event, now)];
      for (const session of sessions) touched.set(session.id, session);
    }
    return [...touched.values()];
  });
}

/**
 * The reports of each session in their order, and the sessions in an order that is the same at every node: when a router
 * asks two nodes at once, their commits wait for each other instead of both holding what the other wants.
 */
function inLockOrder(events: AccountingEvent[]): AccountingEvent[] {
  const reports = events.filter((event) => event.kind !== 'router_restart');
  // Where a router began again it matters what came before that.
  if (reports.length < events.length) return events;
  const names = (a: SessionReport, b: SessionReport) =>
    a.acct_session_id < b.acct_session_id ? -1 : a.acct_session_id > b.acct_session_id ? 1 : 0;
  return reports.sort(names);
}

/** An update that leaves the row as it is: it finds it, and locks it on PostgreSQL until the commit. */
const lockSession = statement(
  sql<Session>`update sessions set upload_octets = upload_octets where unique_key = ${''} returning *`,
);

const changeSession = statement(
  sql<Session>`
    update sessions set session_seconds = ${0}, upload_octets = ${0}, download_octets = ${0}, updated_at = ${0},
      ip = ${''}, nas_source = ${''}, state = ${''}, stopped_at = ${0}, terminate_cause = ${0}
    where id = ${''} returning *`,
);

async function recordReport(tx: Db, report: SessionReport, now: number): Promise<Session> {
  const key = sessionKey(report);
  const [known] = await lockSession(tx, [key]);
  const before = known ?? (await insertSession(tx, key, report, now));
  const after = advance(before, report);
  const [session] = await changeSession(tx, [
    after.session_seconds,
    after.upload_octets,
    after.download_octets,
    after.updated_at,
    after.ip,
    after.nas_source,
    after.state,
    after.stopped_at,
    after.terminate_cause,
    before.id,
  ]);
  if (!session) throw noSuchSession();
  await addUsage(tx, before, session, now);
  return session;
}

type Advance = Pick<
  Session,
  | 'session_seconds'
  | 'upload_octets'
  | 'download_octets'
  | 'updated_at'
  | 'ip'
  | 'nas_source'
  | 'state'
  | 'stopped_at'
  | 'terminate_cause'
>;

const TURN = 2 ** 32;

/**
 * A counter after a message. Less than before in a later message of a router without gigawords is a turn of its counter,
 * unless that would be half a turn or more since the message before: then it was set back, and adds nothing.
 */
function grown(session: Session, report: SessionReport, name: 'upload_octets' | 'download_octets'): number {
  const [known, told] = [session[name], report[name]];
  if (!report.counters_wrap || report.session_seconds <= session.session_seconds)
    return Math.max(known, told);
  const step = told - (known % TURN);
  if (step >= 0) return known + step;
  return step + TURN < TURN / 2 ? known + step + TURN : known;
}

/**
 * The session after a message. Counters only grow: a late or repeated message changes nothing. Once a router sent its
 * Stop the session stays closed; one that we closed otherwise opens again when it tells something new.
 */
function advance(session: Session, report: SessionReport): Advance {
  const stopped = session.state === 'closed' && session.terminate_cause !== null;
  const silent = session.state === 'closed' && report.session_seconds <= session.session_seconds;
  const closes = report.kind === 'stop' || stopped || silent;
  return {
    session_seconds: Math.max(session.session_seconds, report.session_seconds),
    upload_octets: grown(session, report, 'upload_octets'),
    download_octets: grown(session, report, 'download_octets'),
    updated_at: Math.max(session.updated_at, report.at),
    ip: report.ip ?? session.ip,
    nas_source: report.nas_source ?? session.nas_source,
    state: closes ? 'closed' : 'open',
    stopped_at:
      stopped || (silent && report.kind !== 'stop') ? session.stopped_at : closes ? report.at : null,
    terminate_cause:
      !stopped && report.kind === 'stop' ? (report.terminate_cause ?? 0) : session.terminate_cause,
  };
}

async function insertSession(tx: Db, key: string, report: SessionReport, now: number): Promise<Session> {
  const owner = await findOwner(tx, report);
  if (report.kind !== 'stop' && owner && report.mac) {
    await closeSuperseded(tx, key, report, owner.credential_id, report.mac);
  }
  if (owner && report.mac) await sawDevice(tx, owner.subscriber_id, report.mac, now);
  const inserted = await tx
    .insertInto('sessions')
    .values({
      id: newId(now),
      unique_key: key,
      router_id: report.router_id,
      subscriber_id: owner?.subscriber_id ?? null,
      credential_id: owner?.credential_id ?? null,
      entitlement_id: owner?.entitlement_id ?? null,
      plan_id: owner?.plan_id ?? null,
      username: report.username,
      acct_session_id: report.acct_session_id,
      nas_port_id: report.nas_port_id,
      nas_ip: report.nas_ip,
      nas_source: report.nas_source ?? null,
      mac: report.mac,
      ip: report.ip,
      state: 'open',
      started_at: report.at - report.session_seconds * 1000,
      updated_at: report.at,
      stopped_at: null,
      session_seconds: 0,
      upload_octets: 0,
      download_octets: 0,
      terminate_cause: null,
      disconnect_state: null,
      disconnect_detail: null,
      disconnect_at: null,
    })
    .onConflict((oc) => oc.column('unique_key').doNothing())
    .returningAll()
    .executeTakeFirst();
  if (inserted && report.kind === 'start') await sendAwayOneTooMany(tx, inserted, now);
  return (
    inserted ??
    tx
      .updateTable('sessions')
      .set((eb) => ({ upload_octets: eb.ref('upload_octets') }))
      .where('unique_key', '=', key)
      .returningAll()
      .executeTakeFirstOrThrow()
  );
}

/**
 * Two devices that sign in at the same moment are both let in: neither has a session yet that could count. The one
 * whose Start comes second is sent away again.
 */
async function sendAwayOneTooMany(tx: Db, session: Session, now: number): Promise<void> {
  if (!session.credential_id || !session.entitlement_id) return;
  // Two Starts at two nodes: the later must see the earlier.
  await holdRow(tx, 'credentials', session.credential_id);
  const others = (await openSessions(tx, session.credential_id)).filter(
    (other) => other.mac !== session.mac && other.gave_way_at === null,
  );
  if (others.length === 0) return;
  const entitlement = await tx
    .selectFrom('entitlements')
    .select('max_devices')
    .where('id', '=', session.entitlement_id)
    .executeTakeFirst();
  const devices = new Set(others.map((other) => other.mac ?? other.id)).size;
  if (!entitlement || devices < entitlement.max_devices) return;
  await giveWay(tx, session.id, 'too_many_devices', now);
}

/** Has a live session ended for the sake of another device; from now on it holds no place. */
export async function giveWay(tx: Db, id: string, reason: string, now: number): Promise<void> {
  await tx.updateTable('sessions').set({ gave_way_at: now }).where('id', '=', id).execute();
  await recordDisconnect(tx, id, 'requested', reason, now);
  await enqueueTask(tx, 'disconnect_session', { session_id: id, reason }, now);
}

interface Owner {
  subscriber_id: string;
  credential_id: string;
  entitlement_id: string | null;
  plan_id: string | null;
}

/** Whose session this is: by our reference in Class, else by the user name and what runs for it. */
async function findOwner(tx: Db, report: SessionReport): Promise<Owner | undefined> {
  if (report.reference) {
    const entitlement = await tx
      .selectFrom('entitlements')
      .select(['subscriber_id', 'credential_id', 'id as entitlement_id', 'plan_id'])
      .where('id', '=', report.reference.entitlement_id)
      .executeTakeFirst();
    if (entitlement) return entitlement;
  }
  const credential = await tx
    .selectFrom('credentials')
    .select(['id', 'subscriber_id'])
    .where('username', '=', report.username)
    .executeTakeFirst();
  if (!credential) return undefined;
  const running = await tx
    .selectFrom('entitlements')
    .select(['id', 'plan_id'])
    .where('credential_id', '=', credential.id)
    .where('state', '=', 'active')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  return {
    subscriber_id: credential.subscriber_id,
    credential_id: credential.id,
    entitlement_id: running?.id ?? null,
    plan_id: running?.plan_id ?? null,
  };
}

/** A device has one session with one router: an older one that never said Stop gives way to the new. */
async function closeSuperseded(
  tx: Db,
  key: string,
  report: SessionReport,
  credentialId: string,
  mac: string,
) {
  await tx
    .updateTable('sessions')
    .set({ state: 'closed', stopped_at: report.at })
    .where('credential_id', '=', credentialId)
    .where('state', '=', 'open')
    .where(unindexed('mac'), '=', mac)
    .where(unindexed('router_id'), '=', report.router_id)
    .where('started_at', '<=', report.at - report.session_seconds * 1000)
    // Another node may have stored this very report a moment ago.
    .where('unique_key', '<>', key)
    .execute();
}

const useEntitlement = statement(
  sql<Row<'entitlements'>>`
    update entitlements set used_seconds = used_seconds + ${0}, used_upload_octets = used_upload_octets + ${0},
      used_download_octets = used_download_octets + ${0}
    where id = ${''} returning *`,
);

async function addUsage(tx: Db, before: Session, after: Session, now: number): Promise<void> {
  if (!after.entitlement_id) return;
  const seconds = after.session_seconds - before.session_seconds;
  const upload = after.upload_octets - before.upload_octets;
  const download = after.download_octets - before.download_octets;
  if (seconds === 0 && upload === 0 && download === 0) return;
  const [entitlement] = await useEntitlement(tx, [seconds, upload, download, after.entitlement_id]);
  if (!entitlement) return;
  await addDailyUsage(tx, entitlement, after.router_id, { seconds, upload, download }, now);
  const unused = {
    ...entitlement,
    used_upload_octets: entitlement.used_upload_octets - upload,
    used_download_octets: entitlement.used_download_octets - download,
  };
  await actOnUsage(tx, unused, entitlement, now);
}

async function closeRouterSessions(tx: Db, restart: RouterRestart): Promise<Session[]> {
  const { router_id, nas_source, at } = restart;
  let closing = tx
    .updateTable('sessions')
    .set({ state: 'closed', stopped_at: at })
    .where('state', '=', 'open')
    .where(unindexed('router_id'), '=', router_id)
    .where('started_at', '<=', at);
  if (nas_source) closing = closing.where('nas_source', '=', nas_source);
  return closing.returningAll().execute();
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
    .where('state', '=', 'open')
    .where('updated_at', '<', before)
    .returningAll()
    .execute();
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

/** The open sessions of a credential. */
export async function openSessions(db: Db, credentialId: string): Promise<Session[]> {
  return db
    .selectFrom('sessions')
    .selectAll()
    .where('credential_id', '=', credentialId)
    .where('state', '=', 'open')
    .orderBy('id')
    .execute();
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

/** Records how far a Disconnect or change of a live session has come. */
export async function recordDisconnect(
  db: Db,
  id: string,
  state: NonNullable<Session['disconnect_state']>,
  detail: string,
  now: number,
): Promise<Session> {
  const session = await db
    .updateTable('sessions')
    .set({ disconnect_state: state, disconnect_detail: detail, disconnect_at: now })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();
  if (!session) throw noSuchSession();
  return session;
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
  username?: string | undefined;
  mac?: string | undefined;
}

export async function listSessions(
  db: Db,
  page: PageRequest,
  filter: SessionFilter = {},
): Promise<Page<SessionView>> {
  let query = viewQuery(db);
  // The narrowest filter leads: one subscriber or device, else what is open (few), else one router.
  const one = filter.subscriber_id ?? filter.username ?? filter.mac;
  const byState = !one && (filter.state === 'open' || !filter.router_id);
  const byRouter = !one && !byState;
  if (filter.state) query = query.where(byState ? 'x.state' : unindexed('x.state'), '=', filter.state);
  if (filter.router_id)
    query = query.where(byRouter ? 'x.router_id' : unindexed('x.router_id'), '=', filter.router_id);
  if (filter.subscriber_id) query = query.where('x.subscriber_id', '=', filter.subscriber_id);
  if (filter.username) query = query.where('x.username', '=', filter.username);
  if (filter.mac) query = query.where('x.mac', '=', filter.mac);
  return readPage(query, 'x.id', page);
}

export async function getSession(db: Db, id: string): Promise<SessionView> {
  const session = await viewQuery(db).where('x.id', '=', id).executeTakeFirst();
  if (!session) throw noSuchSession();
  return session;
}
