// Accounting: what the routers report of connections, stored once however often it is told.
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { unindexed } from '../db/page.ts';
import type { Db, Row, Terms } from '../db/schema.ts';
import { holdRow } from '../db/several-nodes.ts';
import { heldStatement, statement } from '../db/statement.ts';
import { enqueueTask } from '../db/tasks.ts';
import { normalizeCode } from '../lib/codes.ts';
import { idAt, isId, newId, timeOf } from '../lib/ids.ts';
import { isMac } from '../lib/mac.ts';
import { isSlow, placesOf } from './authorize.ts';
import { sawDevice } from './devices.ts';
import { actOnUsage } from './entitlements.ts';
import { coveredSeconds } from './online-time.ts';
import { beginAnew, giveWay, isSameDevice, isSignedOut, openSessions, type Session } from './sessions.ts';
import { hasFairUse } from './terms.ts';
import { addUsageUntil } from './usage.ts';

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
  /** What the router calls the device: its MAC address, else the address it calls from; null when it says nothing. */
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

/** What names a session in all its messages, repeated or out of order. */
export function sessionName(report: SessionReport): string {
  const { router_id, acct_session_id, username, nas_port_id, reference } = report;
  // Without our reference only its own name tells a router of a prefix apart; its source may change in mid-session.
  const nas = report.nas_source && !reference ? report.nas_ip : null;
  return `${router_id}\0${acct_session_id}\0${username}\0${nas_port_id ?? ''}\0${reference?.accept_id ?? ''}\0${nas ?? ''}`;
}

/** The id that our Accept gave; undefined where the router brings none back. */
function acceptOf({ reference }: SessionReport): string | undefined {
  return reference && isId(reference.accept_id) ? reference.accept_id : undefined;
}

/**
 * The name of a session as it is stored. It begins with the time of its Accept where that is known, so that the keys of
 * sessions that begin together stand together: a digest alone would touch another page of the index for each.
 */
export function sessionKey(report: SessionReport): string {
  const acceptId = acceptOf(report);
  const time = acceptId ? timeOf(acceptId) : '';
  return time + createHash('sha1').update(sessionName(report)).digest('base64url');
}

/**
 * Stores accounting messages in their order, all in one transaction: after it returns they are on disk, as far as `db`
 * waits for that. Returns the sessions as they now stand, each once. `also` writes something more in the same transaction.
 */
export async function recordAccounting(
  db: Db,
  events: AccountingEvent[],
  now: number,
  also?: (tx: Db) => Promise<void>,
): Promise<Session[]> {
  return db.transaction().execute(async (tx) => {
    const touched = new Map<string, Session>();
    for (const step of inLockOrder(events)) {
      const sessions =
        'restart' in step
          ? await closeRouterSessions(tx, step.restart)
          : [await recordReports(tx, step.key, step.reports, now)];
      for (const session of sessions) touched.set(session.id, session);
    }
    await also?.(tx);
    return [...touched.values()];
  });
}

interface SessionReports {
  key: string;
  reports: [SessionReport, ...SessionReport[]];
}

type Step = SessionReports | { restart: RouterRestart };

/**
 * The reports of each session in their order and together, and the sessions in the order of their names, in which
 * RouterOS counts up: a device's later session comes after its earlier one. That order is also the same at every node: when a
 * router asks two nodes at once, their commits wait for each other instead of both holding what the other wants.
 */
function inLockOrder(events: AccountingEvent[]): Step[] {
  const steps: Step[] = [];
  let sessions = new Map<string, SessionReports>();
  const take = () => {
    const nameOf = (session: SessionReports) => session.reports[0].acct_session_id;
    steps.push(
      ...[...sessions.values()].sort((a, b) => compare(nameOf(a), nameOf(b)) || compare(a.key, b.key)),
    );
    sessions = new Map();
  };
  for (const event of events) {
    if (event.kind === 'router_restart') {
      // It matters what came before that.
      take();
      steps.push({ restart: event });
      continue;
    }
    const name = sessionName(event);
    const session = sessions.get(name);
    if (session) session.reports.push(event);
    else sessions.set(name, { key: sessionKey(event), reports: [event] });
  }
  take();
  return steps;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const findSession = heldStatement(sql<Session>`select * from sessions where unique_key = ${''}`);

/** Stores what was told of one session, as if each had come alone, but written once. */
async function recordReports(
  tx: Db,
  key: string,
  reports: [SessionReport, ...SessionReport[]],
  now: number,
): Promise<Session> {
  const [known] = await findSession(tx, [key]);
  const before = known ?? newSession(key, reports[0], await findOwner(tx, reports[0]), now);
  let after = before;
  for (const report of reports) after = { ...after, ...advance(after, report) };
  if (known) {
    await saveChange(tx, known, after);
    if (known.state === 'closed' && after.state === 'open') await reopened(tx, known, after, now);
  } else {
    if (after.state === 'open' && (await isSuperseded(tx, after, now))) {
      after = { ...after, state: 'closed', stopped_at: after.updated_at };
    }
    // Another node was told of it at the same moment; what it wrote is seen once it has committed.
    if (!(await addSession(tx, reports, after, now))) return recordReports(tx, key, reports, now);
  }
  await addUsage(tx, before, after, now);
  return after;
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
 * unless that would be half a turn or more since the message before: then it was set back, and adds nothing. Of two
 * messages of one second nobody knows which is the later: there a quarter of a turn is the most, 8 Gbit/s.
 */
function grown(session: Session, report: SessionReport, name: 'upload_octets' | 'download_octets'): number {
  const [known, told] = [session[name], report[name]];
  const later = report.session_seconds - session.session_seconds;
  if (!report.counters_wrap || later < 0) return Math.max(known, told);
  const step = told - (known % TURN);
  if (step >= 0 && later > 0) return known + step;
  const turned = (step + TURN) % TURN;
  if (turned < (later > 0 ? TURN / 2 : TURN / 4)) return known + turned;
  return later > 0 ? known : Math.max(known, told);
}

/**
 * The session after a message. Counters only grow: a late or repeated message changes nothing. Once a router sent its
 * Stop the session stays closed; one that we closed otherwise opens again when it tells something new, of a time after that.
 */
function advance(session: Session, report: SessionReport): Advance {
  const stopped = session.terminate_cause !== null;
  const silent =
    session.state === 'closed' &&
    (report.session_seconds <= session.session_seconds || report.at < (session.stopped_at ?? 0));
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

/** What is written down of a session when it is first heard of. */
const FIRST = [
  'id',
  'unique_key',
  'router_id',
  'subscriber_id',
  'credential_id',
  'entitlement_id',
  'plan_id',
  'username',
  'acct_session_id',
  'nas_port_id',
  'nas_ip',
  'nas_source',
  'mac',
  'ip',
  'state',
  'started_at',
  'updated_at',
  'stopped_at',
  'session_seconds',
  'upload_octets',
  'download_octets',
  'terminate_cause',
] as const satisfies (keyof Session)[];

const insertSession = statement(
  sql<{ id: string }>`
    insert into sessions (${sql.join(FIRST.map((name) => sql.ref(name)))})
    values (${sql.join(FIRST.map(() => ''))})
    on conflict (unique_key) do nothing returning id`,
);

/** A session as it is before its first message has told anything. */
function newSession(key: string, report: SessionReport, owner: Owner | undefined, now: number): Session {
  return {
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
    gave_way_at: null,
    change_state: null,
    change_detail: null,
    change_at: null,
  };
}

/** Writes down a session that was not known; false when it is by now. */
async function addSession(
  tx: Db,
  reports: [SessionReport, ...SessionReport[]],
  session: Session,
  now: number,
): Promise<boolean> {
  const { subscriber_id, credential_id } = session;
  // Behind one address that is no MAC address there may be several devices.
  const mac = session.mac !== null && isMac(session.mac) ? session.mac : null;
  const live = reports.find((report) => report.kind !== 'stop');
  const acceptId = acceptOf(reports[0]);
  if (live && credential_id && mac) await closeSuperseded(tx, session, acceptId, live.at);
  if (subscriber_id && mac) await sawDevice(tx, subscriber_id, mac, now);
  const added = await insertSession(
    tx,
    FIRST.map((name) => session[name]),
  );
  if (added.length === 0) return false;
  if (session.state === 'open') {
    const { started_at } = session;
    const at_once = reports[0].kind === 'start' && now - started_at < AT_ONCE_MS;
    await sendAwayOneTooMany(tx, session, now);
    await lookAgain(tx, session, { since: acceptId ?? idAt(started_at), before: started_at, at_once }, now);
  }
  return true;
}

/**
 * A session that we had closed speaks again. What was done about its guest meanwhile found nobody online, and its place
 * may be another device's by now.
 */
async function reopened(tx: Db, before: Session, session: Session, now: number): Promise<void> {
  const { id, credential_id, disconnect_detail } = session;
  if (!credential_id) return;
  if (isSignedOut(session)) {
    await enqueueTask(
      tx,
      'disconnect_session',
      { session_id: id, reason: disconnect_detail?.split(': ')[0] ?? 'signed_out' },
      now,
    );
    return;
  }
  // What was begun while it was open may not have got through before it was closed.
  const heard = { since: idAt(before.started_at), before: before.updated_at, at_once: false };
  await sendAwayOneTooMany(tx, session, now);
  await lookAgain(tx, session, heard, now);
}

interface CarrierFacts extends Pick<Terms, 'fair_use_rate_down_kbps' | 'fair_use_rate_up_kbps'> {
  goes_on: 0 | 1;
  plan_changed_at: number;
  /** Of a home: its address, password or router may be others now. Any other's never change, and begin with a sign-in. */
  credential_changed_at: number | null;
}

// The few subscribers that are not active stand in an index, as in a sign-in.
const factsAbout = statement(
  sql<CarrierFacts>`
    select e.fair_use_rate_down_kbps, e.fair_use_rate_up_kbps, p.updated_at as plan_changed_at,
      case when c.kind = 'pppoe' then c.updated_at end as credential_changed_at,
      case when e.state in ('active', 'waiting') and c.state = 'active' and (
        select 1 from subscribers s where s.id || '' = c.subscriber_id || '' and s.state || '' <> 'active' limit 1) is null
        then 1 else 0 end as goes_on
    from entitlements e join credentials c on c.id = e.credential_id join plans p on p.id = e.plan_id
    where e.id = ${''}`,
);

/** An entitlement, when the newest of what else its guest has was bought, and when it last got lost time back. */
const besideOthers = statement(
  sql<Row<'entitlements'> & { other_bought_at: number | null; extended_at: number | null }>`
    select e.*, (select max(x.created_at) from extensions x where x.entitlement_id = e.id) as extended_at, (
        select max(o.created_at) from entitlements o
        where o.credential_id = e.credential_id and o.id <> e.id and o.state in ('active', 'waiting')) as other_bought_at
    from entitlements e where e.id = ${''}`,
);

const AT_ONCE_MS = 10_000;

interface Heard {
  /** What was begun before this id was made has reached the session. */
  since: string;
  /** When it was heard before, or began; epoch ms. */
  before: number;
  /** It is a Start that came at once: without a fair-use rate it can have missed a change of its plan alone. */
  at_once: boolean;
}

/**
 * Has a live session looked at where what its Accept was given for is over, or its guest may not be online any more; also
 * where it may have missed another speed, or what was bought.
 */
async function lookAgain(
  tx: Db,
  { id, credential_id, entitlement_id, change_state }: Session,
  heard: Heard,
  now: number,
): Promise<void> {
  if (!credential_id) return;
  const isNew = (at: number | null) => at !== null && at <= now && idAt(at) > heard.since;
  const [facts] = entitlement_id ? await factsAbout(tx, [entitlement_id]) : [];
  if (facts && isNew(facts.credential_changed_at)) return beginAnew(tx, id, now);
  // What its router did not agree to it is asked for again.
  const isOwed = change_state !== null && change_state !== 'ack';
  if (facts?.goes_on && !isNew(facts.plan_changed_at) && !isOwed) {
    if (heard.at_once && !hasFairUse(facts)) return;
    const [entitlement] = await besideOthers(tx, [entitlement_id]);
    const slowUntold = entitlement && isSlow(entitlement) && now - heard.before > AT_ONCE_MS;
    const since = [entitlement?.other_bought_at ?? null, entitlement?.extended_at ?? null];
    if (!slowUntold && !since.some(isNew)) return;
  }
  await enqueueTask(tx, 'enforce', { credential_id, reason: 'heard_late' }, now);
}

const saveProgress = statement(
  sql`
    update sessions set session_seconds = ${0}, upload_octets = ${0}, download_octets = ${0}, updated_at = ${0},
      ip = ${''}, nas_source = ${''}
    where id = ${''}`,
);

const saveState = statement(
  sql`update sessions set state = ${''}, stopped_at = ${0}, terminate_cause = ${0} where id = ${''}`,
);

/** An interim report leaves the state alone: SQLite would write its two indexes anew even for the same value. */
async function saveChange(tx: Db, before: Session, after: Session): Promise<void> {
  await saveProgress(tx, [
    after.session_seconds,
    after.upload_octets,
    after.download_octets,
    after.updated_at,
    after.ip,
    after.nas_source,
    after.id,
  ]);
  const same =
    after.state === before.state &&
    after.stopped_at === before.stopped_at &&
    after.terminate_cause === before.terminate_cause;
  if (!same) await saveState(tx, [after.state, after.stopped_at, after.terminate_cause, after.id]);
}

/**
 * Two devices that sign in at the same moment are both let in: neither has a session yet that could count. The one
 * that is heard of second is sent away again. Holds the credential: what looks at its live sessions waits for this one.
 */
async function sendAwayOneTooMany(tx: Db, session: Session, now: number): Promise<void> {
  if (!session.credential_id || !session.entitlement_id) return;
  // Two Starts at two nodes: the later must see the earlier.
  await holdRow(tx, 'credentials', session.credential_id);
  const others = (await openSessions(tx, session.credential_id)).filter(
    (other) => other.id !== session.id && !isSameDevice(other, session) && other.gave_way_at === null,
  );
  if (others.length === 0) return;
  const carrier = await tx
    .selectFrom('entitlements as e')
    .innerJoin('credentials as c', 'c.id', 'e.credential_id')
    .select(['e.max_devices', 'c.static_address'])
    .where('e.id', '=', session.entitlement_id)
    .executeTakeFirst();
  const devices = new Set(others.map((other) => other.mac ?? other.id)).size;
  if (!carrier || devices < placesOf(carrier, carrier)) return;
  await giveWay(tx, session.id, 'too_many_devices', now);
}

interface Owner {
  subscriber_id: string;
  credential_id: string;
  entitlement_id: string | null;
  plan_id: string | null;
}

const ownerOfEntitlement = statement(
  sql<Owner>`
    select subscriber_id, credential_id, id as entitlement_id, plan_id from entitlements where id = ${''}`,
);

const ownerOfName = statement(
  sql<Owner>`
    select c.subscriber_id, c.id as credential_id, e.id as entitlement_id, e.plan_id
    from credentials c left join entitlements e on e.credential_id = c.id and e.state = 'active'
    where c.username = ${''} order by e.id limit 1`,
);

/** Whose session this is: by our reference in Class, else by the user name, a code as it was typed, and what runs for it. */
async function findOwner(tx: Db, report: SessionReport): Promise<Owner | undefined> {
  const referred = report.reference ? await ownerOfEntitlement(tx, [report.reference.entitlement_id]) : [];
  const known = referred[0] ?? (await ownerOfName(tx, [report.username]))[0];
  const code = normalizeCode(report.username);
  return known ?? (code === report.username ? undefined : (await ownerOfName(tx, [code]))[0]);
}

/** A router's seconds are whole ones, and its Accept was a moment on its way. */
const START_SLACK_MS = 2000;

const closeOlder = statement(
  sql`
    update sessions set state = 'closed', stopped_at = ${0}
    where credential_id = ${''} and state = 'open' and mac || '' = ${''} and router_id || '' = ${''}
      and updated_at <= ${0} and started_at <= ${0} and unique_key || '' <> ${''}
      and (started_at < ${0} or ${''} = '' or substr(unique_key, 1, 10) <= ${''})`,
);

/**
 * A device has one session with one router: an older one that never said Stop, nor anything since, gives way to the new.
 * Where both seem to have begun within two seconds the Accepts tell which is older, whose times the keys begin with. Another
 * node may have stored this very session a moment ago.
 */
async function closeSuperseded(
  tx: Db,
  session: Session,
  acceptId: string | undefined,
  at: number,
): Promise<void> {
  const { credential_id, mac, router_id, started_at, unique_key } = session;
  const accepted = acceptId ? timeOf(acceptId) : '';
  await closeOlder(tx, [
    ...[at, credential_id, mac, router_id],
    ...[at, started_at, unique_key, started_at - START_SLACK_MS, accepted, accepted],
  ]);
}

const newerOf = statement(
  sql<{ id: string }>`
    select id from sessions
    where credential_id = ${''} and state = 'open' and mac || '' = ${''} and router_id || '' = ${''}
      and started_at >= ${0} and started_at > ${0} limit 1`,
);

/** Whether what is first heard of now, late, had given way before: its device has begun another session with its router since. */
async function isSuperseded(
  tx: Db,
  { credential_id, mac, router_id, started_at, updated_at }: Session,
  now: number,
): Promise<boolean> {
  if (now - updated_at <= START_SLACK_MS || !credential_id || mac === null || !isMac(mac)) return false;
  const [newer] = await newerOf(tx, [credential_id, mac, router_id, updated_at, started_at + START_SLACK_MS]);
  return newer !== undefined;
}

const useEntitlement = statement(
  sql<Row<'entitlements'>>`
    update entitlements set used_seconds = used_seconds + ${0}, used_upload_octets = used_upload_octets + ${0},
      used_download_octets = used_download_octets + ${0}
    where id = ${''} returning *`,
);

const takeOffSeconds = statement(
  sql`update entitlements set used_seconds = used_seconds - ${0} where id = ${''}`,
);

const predecessor = statement(
  sql<{ id: string; plan_id: string }>`
    select id, plan_id from entitlements
    where credential_id = ${''} and state in ('ended', 'revoked') and ended_at > ${0} and ended_at <= ${0}
    order by ended_at desc limit 1`,
);

/**
 * A session that went over from one entitlement to the next reports them together: as it stood when this one began, under
 * the one before, in proportion to the time. Undefined where all that is new is of this one.
 */
async function beforeItBegan(
  tx: Db,
  { id, starts_at }: Row<'entitlements'>,
  before: Session,
  after: Session,
): Promise<Session | undefined> {
  const seconds = after.session_seconds - before.session_seconds;
  const from = after.updated_at - seconds * 1000;
  if (starts_at === null || starts_at <= from + START_SLACK_MS || !after.credential_id) return undefined;
  const [previous] = await predecessor(tx, [after.credential_id, from, starts_at + START_SLACK_MS]);
  if (!previous || previous.id === id) return undefined;
  const share = starts_at < after.updated_at ? (starts_at - from) / (after.updated_at - from) : 1;
  const part = (name: 'session_seconds' | 'upload_octets' | 'download_octets') =>
    before[name] + Math.floor((after[name] - before[name]) * share);
  return {
    ...after,
    entitlement_id: previous.id,
    plan_id: previous.plan_id,
    session_seconds: part('session_seconds'),
    upload_octets: part('upload_octets'),
    download_octets: part('download_octets'),
    updated_at: Math.min(starts_at, after.updated_at),
  };
}

async function addUsage(tx: Db, before: Session, after: Session, now: number): Promise<void> {
  if (!after.entitlement_id) return;
  const seconds = after.session_seconds - before.session_seconds;
  const upload = after.upload_octets - before.upload_octets;
  const download = after.download_octets - before.download_octets;
  if (seconds === 0 && upload === 0 && download === 0) return;
  const [entitlement] = await useEntitlement(tx, [seconds, upload, download, after.entitlement_id]);
  if (!entitlement) return;
  const until = await beforeItBegan(tx, entitlement, before, after);
  if (until) {
    await useEntitlement(tx, [-seconds, -upload, -download, entitlement.id]);
    await addUsage(tx, before, until, now);
    await addUsage(tx, until, after, now);
    return;
  }
  const covered = await coveredSeconds(tx, entitlement, before, after);
  if (covered > 0) {
    await takeOffSeconds(tx, [covered, entitlement.id]);
    entitlement.used_seconds -= covered;
  }
  await addUsageUntil(tx, entitlement, after.router_id, { seconds, upload, download }, after.updated_at);
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
