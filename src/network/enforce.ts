// Enforces: makes live sessions match what their credential is entitled to, and records what the router answered.
import {
  type Accept,
  type AccessFacts,
  authorize,
  currentRates,
  type EntitlementFacts,
  isSlow,
} from '../access/authorize.ts';
import { type Credential, getCredential } from '../access/credentials.ts';
import {
  type AccessRecord,
  currentAccess,
  type Entitlement,
  getEntitlement,
  nextInLine,
  startEntitlement,
} from '../access/entitlements.ts';
import { openFor } from '../access/hours.ts';
import { coveredSeconds } from '../access/online-time.ts';
import { keepPlaces } from '../access/places.ts';
import {
  getSession,
  hasSuccessor,
  moveSession,
  openSessions,
  recordChange,
  recordDisconnect,
  type Session,
} from '../access/sessions.ts';
import { hasFairUse } from '../access/terms.ts';
import type { Db } from '../db/schema.ts';
import { holdRow } from '../db/several-nodes.ts';
import { errorText } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import { isMac } from '../lib/mac.ts';
import type { Vault } from '../lib/secrets.ts';
import { attribute } from '../protocols/radius/attributes.ts';
import { type ChangeOutcome, coa, disconnect } from '../protocols/radius/client.ts';
import { ErrorCause, valueName } from '../protocols/radius/dictionary.ts';
import { type OctetLimit, octetLimit } from '../protocols/radius/octet-limit.ts';
import type { Attribute } from '../protocols/radius/packet.ts';
import { mikrotikRateLimit } from '../protocols/radius/rate-limit.ts';
import { removeHotspotActive, removePppActive, type WhoIsActive } from '../protocols/routeros/device.ts';
import { closeWhatIsGone } from './absent-sessions.ts';
import { isPrefix } from './addresses.ts';
import { apiOf, withRouter } from './router-api.ts';
import { findRouter, type Router } from './routers.ts';

/** How long a NAS has before it is asked again; its answer counts until the last try is over, 3 s over a slow tunnel. */
const ANSWER_TIMEOUT_MS = 1000;
const ATTEMPTS = 3;

export interface EnforceContext {
  db: Db;
  vault: Vault;
  clock: Clock;
  /** False while the wall clock is known to be wrong: then nothing ends by it. */
  clockTrusted(): boolean;
}

/** What RADIUS needs to name a session: all four, verbatim from accounting (routeros.md §1.6). */
function identification(session: Session): Attribute[] {
  const attributes = [
    attribute('User-Name', session.username),
    attribute('Acct-Session-Id', session.acct_session_id),
  ];
  if (session.ip) attributes.push(attribute('Framed-IP-Address', session.ip));
  if (session.nas_ip) attributes.push(attribute('NAS-IP-Address', session.nas_ip));
  if (session.mac) attributes.push(attribute('Calling-Station-Id', session.mac));
  return attributes;
}

/** A router that is known by a prefix is where its packets come from. Undefined when that was not heard. */
function hostOf(router: Router, session: Session): string | undefined {
  if (!isPrefix(router.address)) return router.address;
  return session.nas_source ?? session.nas_ip ?? undefined;
}

function describe(outcome: ChangeOutcome): string {
  if (outcome.outcome === 'ack') return 'The router agreed.';
  if (outcome.outcome === 'timeout') return 'The router did not answer.';
  const cause = outcome.error_cause;
  return `The router refused${cause === undefined ? '' : ` (${valueName(ErrorCause, cause) ?? cause})`}.`;
}

/**
 * Ends one live session: Disconnect-Request first; if the router refuses or is silent, through its API. The answer is
 * recorded on the session either way.
 */
export async function disconnectSession(
  context: EnforceContext,
  session: Session,
  reason: string,
): Promise<Session> {
  const { db, vault, clock } = context;
  const router = await findRouter(db, session.router_id);
  const host = router && hostOf(router, session);
  if (!host) {
    return recordDisconnect(
      db,
      session.id,
      'failed',
      `${reason}: ${router ? 'where the router is was not heard.' : 'the router is no longer known.'}`,
      clock.now(),
    );
  }
  await recordDisconnect(db, session.id, 'requested', reason, clock.now());
  const outcome = await disconnect({
    host,
    port: router.coa_port,
    secret: Buffer.from(vault.open(router.radius_secret_sealed)),
    attributes: identification(session),
    timeoutMs: ANSWER_TIMEOUT_MS,
    attempts: ATTEMPTS,
  });
  const told = `${reason}: ${describe(outcome)}`;
  if (outcome.outcome === 'ack') return recordDisconnect(db, session.id, 'ack', told, clock.now());
  const byApi = await removeThroughApi(context, { ...router, address: host }, session);
  return recordDisconnect(
    db,
    session.id,
    byApi.removed ? 'api' : outcome.outcome,
    `${told} ${byApi.detail}`.trim(),
    clock.now(),
  );
}

/** The API names no session, but its user and device: what these began later than this one is not touched. */
async function removeThroughApi(
  { db, vault }: Pick<EnforceContext, 'db' | 'vault'>,
  router: Router,
  session: Session,
): Promise<{ removed: boolean; detail: string }> {
  const api = apiOf(router, vault);
  if (!api) return { removed: false, detail: '' };
  if (await hasSuccessor(db, session)) return { removed: false, detail: 'Its device has a newer session.' };
  try {
    const which: WhoIsActive = {
      user: session.username,
      // How the API names the address that a client of a tunnel calls from is not known for sure.
      ...(session.mac && isMac(session.mac) ? { mac: session.mac } : {}),
    };
    // Accounting does not say which service a session is of.
    const removed = await withRouter(
      api,
      async (client) => (await removeHotspotActive(client, which)) || (await removePppActive(client, which)),
    );
    return removed > 0
      ? { removed: true, detail: 'It was removed through the API.' }
      : { removed: false, detail: 'The API does not know the session.' };
  } catch (error) {
    return { removed: false, detail: `The API failed as well: ${errorText(error)}` };
  }
}

/**
 * Gives a live session its new end and speed; where it goes over from the entitlement `before`, its other limits too.
 * `lifted`: its rate may have been taken away.
 */
async function changeSession(
  context: EnforceContext,
  session: Session,
  decision: Accept,
  before: Entitlement | undefined,
  lifted: boolean,
): Promise<ChangeOutcome> {
  const router = await findRouter(context.db, session.router_id);
  const host = router && hostOf(router, session);
  if (!host) return { outcome: 'timeout' };
  const attributes = identification(session);
  if (decision.session_timeout_seconds !== null) {
    // Session-Timeout counts from the session's start (RFC 2865 §5.27), not from the change.
    const total = elapsedSeconds(session, context.clock.now()) + decision.session_timeout_seconds;
    attributes.push(attribute('Session-Timeout', Math.min(total, 0xffffffff)));
  }
  const limited = before !== undefined && (mikrotikRateLimit(before) !== undefined || hasFairUse(before));
  const had = lifted || limited;
  const rate = mikrotikRateLimit(decision) ?? (had ? '0/0' : undefined);
  if (rate) attributes.push(attribute('Mikrotik-Rate-Limit', rate));
  const ask = (more: Attribute[]) =>
    coa({
      host,
      port: router.coa_port,
      secret: Buffer.from(context.vault.open(router.radius_secret_sealed)),
      attributes: [...attributes, ...more],
      timeoutMs: ANSWER_TIMEOUT_MS,
      attempts: ATTEMPTS,
    });
  if (!before) return ask([]);
  const listed = changeable(session, before, decision);
  const total = limit('Mikrotik-Total-Limit', totalOf(before), decision.octets_left, octetsOf(session));
  const answer = await ask([...listed, ...total]);
  // The manual does not list the total among what a CoA changes (routeros.md §1.6): a router that minds gets the rest.
  return answer.outcome === 'nak' && total.length > 0 ? ask(listed) : answer;
}

function octetsOf(session: Session): number {
  return session.upload_octets + session.download_octets;
}

/** The quota that the router was told of; with a fair-use rate it was told of none. */
function totalOf(before: Entitlement): number | null {
  return hasFairUse(before) ? null : before.quota_octets;
}

/** A limit of octets as the router counts it, from the session's start. */
function limit(name: OctetLimit, before: number | null, left: number | null, used: number): Attribute[] {
  if (left === null && before === null) return [];
  return octetLimit(name, left === null ? 0 : Math.max(used + left, 1));
}

/** What else differs between two entitlements and can be changed in a live session (routeros.md §1.6). */
function changeable(session: Session, before: Entitlement, decision: Accept): Attribute[] {
  const quota = (way: 'upload' | 'download') => (hasFairUse(before) ? null : before[`${way}_quota_octets`]);
  const idle = decision.idle_timeout_seconds ?? (before.idle_timeout_seconds === null ? undefined : 0);
  return [
    ...(idle === undefined ? [] : [attribute('Idle-Timeout', idle)]),
    ...limit('Mikrotik-Recv-Limit', quota('upload'), decision.upload_octets_left, session.upload_octets),
    ...limit(
      'Mikrotik-Xmit-Limit',
      quota('download'),
      decision.download_octets_left,
      session.download_octets,
    ),
  ];
}

type Place = Pick<Entitlement, 'address_pool' | 'address_list'>;

/**
 * Whether the next entitlement needs what no CoA changes: another address, or another list (routeros.md §1.6). An address
 * of its own wins over either pool.
 */
function needsNewSession(
  before: Place,
  next: Place,
  { static_address }: Pick<AccessFacts, 'static_address'>,
) {
  const otherPool = static_address === null && before.address_pool !== next.address_pool;
  return otherPool || before.address_list !== next.address_list;
}

/**
 * The decision with the session's end moved behind that of the next entitlement in line, so that the router does not end
 * the session at the very moment at which the plan ends or its hours close, and the next one takes over.
 */
async function withNextInLine(
  db: Db,
  credentialId: string,
  facts: AccessFacts,
  decision: Accept,
  now: number,
): Promise<Accept> {
  const entitlement = facts.entitlement;
  const seconds = decision.session_timeout_seconds;
  if (entitlement?.state !== 'active' || seconds === null) return decision;
  const closes = openFor(entitlement, now);
  const at = Math.min(entitlement.ends_at ?? Infinity, closes === undefined ? Infinity : now + closes);
  // Another limit ends the session before.
  if (seconds < Math.ceil((at - now) / 1000)) return decision;
  const next = await nextInLine(db, { id: entitlement.id, credential_id: credentialId }, at);
  if (!next || needsNewSession(entitlement, next, facts)) return decision;
  const open = openFor(next, at);
  const more = Math.min(
    next.state === 'waiting' || next.ends_at === null
      ? next.validity_seconds
      : Math.ceil((next.ends_at - at) / 1000),
    next.online_seconds === null ? Number.MAX_SAFE_INTEGER : next.online_seconds - next.used_seconds,
    open === undefined ? Number.MAX_SAFE_INTEGER : Math.ceil(open / 1000),
  );
  return { ...decision, session_timeout_seconds: seconds + more };
}

export interface Enforced {
  /** What was done, for the task's record. */
  outcome: string;
  /** False when a session still is not as it should be. */
  complete: boolean;
  /** What carries the session that begins in its place. */
  next?: EntitlementFacts;
}

/** Ends one session if it is still open. Throws `not_found` for one that is not known, and when the store fails. */
export async function endSession(
  context: EnforceContext,
  sessionId: string,
  reason: string,
): Promise<Enforced> {
  const session = await getSession(context.db, sessionId);
  if (session.state === 'closed') return { outcome: 'The session had ended.', complete: true };
  const ended = await disconnectSession(context, session, reason);
  return endedOrGone(context, ended);
}

/** What an attempt to end a session came to; one that its router does not have any more is closed here as well. */
async function endedOrGone(context: EnforceContext, ended: Session): Promise<Enforced> {
  const told = ended.disconnect_detail ?? '';
  if (ended.disconnect_state === 'ack' || ended.disconnect_state === 'api') {
    return { outcome: told, complete: true };
  }
  const [gone] = await closeWhatIsGone(context, [ended]);
  return gone
    ? { outcome: `${told} The router does not have it any more.`, complete: true }
    : { outcome: told, complete: false };
}

/** The open sessions of a credential, with the one that another node may be writing down at this moment. */
async function heardSessions(db: Db, credentialId: string): Promise<Session[]> {
  return db.transaction().execute(async (tx) => {
    await holdRow(tx, 'credentials', credentialId);
    return openSessions(tx, credentialId);
  });
}

/**
 * Looks at every live session of a credential: one that may go on gets its new end and speed, one that may not is
 * ended. Throws only when the store fails.
 */
export async function enforceCredential(
  context: EnforceContext,
  credentialId: string,
  reason: string,
): Promise<Enforced> {
  const { db } = context;
  const credential = await getCredential(db, credentialId);
  const sessions = await heardSessions(db, credentialId);
  if (sessions.length === 0) return { outcome: 'No live session.', complete: true };
  const done = await Promise.all(
    sessions.map((session) => enforceSession(context, credential, session, reason)),
  );
  // Those that begin anew have their places, whose sessions are told to end; so they may sign in at once.
  const next = done.find((each) => each.next)?.next;
  if (sessions.length > 1) await keepPlaces(db, credentialId, context.clock.now(), next);
  return {
    outcome: done.map((each) => each.outcome).join(' '),
    complete: done.every((each) => each.complete),
  };
}

/** Why a session must not go on as fast as it is: missing this change would leave it better than what it is owed. */
const SLOWER = ['fair_use', 'plan_lowered'];
/** Changes that a router is asked for again: nobody whose end was moved is to be sent away at the old one. */
const LONGER = ['extended', 'clock_corrected', 'heard_late'];

/** An end that is seen coming: it is looked at some times before, and once it is there. */
export const ROLLING_OVER = 'rolling_over';

/** Changes that may have taken a rate away. */
const LIFTED = ['plan_changed', 'heard_late'];

/** Why a session ends whose guest goes on under a plan that needs a new one. */
export const NEXT_ENTITLEMENT = 'next_entitlement';

async function enforceSession(
  context: EnforceContext,
  credential: Credential,
  session: Session,
  reason: string,
): Promise<Enforced> {
  const { db } = context;
  const now = context.clock.now();
  const trusted = context.clockTrusted();
  const access = await currentAccess(db, credential.username, session.mac ?? '', now, trusted);
  const facts = access && (await asOfSession(db, access, session, trusted ? now : undefined));
  const decision = facts && authorize(facts, now, trusted, session.router_id);
  if (!facts?.entitlement || !decision?.accept) {
    return endNow(context, session, decision?.accept === false ? decision.reason : reason);
  }
  const goesOver = session.entitlement_id !== null && session.entitlement_id !== decision.entitlement_id;
  const before = goesOver ? await getEntitlement(db, session.entitlement_id as string) : undefined;
  if (before && needsNewSession(before, facts.entitlement, facts)) {
    return { ...(await endNow(context, session, NEXT_ENTITLEMENT)), next: facts.entitlement };
  }
  const until = trusted ? await withNextInLine(db, credential.id, facts, decision, now) : decision;
  const { entitlement, plan_id } = facts;
  const begins_at = entitlement.state === 'waiting' && trusted ? now : undefined;
  const done = await goOn(context, session, { entitlement, plan_id, until, before, begins_at, reason });
  // Another node, or this one beside, may have told the router something newer while this was on its way.
  const since = await currentAccess(db, credential.username, session.mac ?? '', context.clock.now(), trusted);
  return { ...done, complete: done.complete && isAsTold(entitlement, since?.entitlement) };
}

/** Whether what the router was told of an entitlement is still what the session is owed. */
function isAsTold(told: EntitlementFacts, owed: EntitlementFacts | undefined): boolean {
  if (told.id !== owed?.id) return false;
  // Its end is told as of its beginning where it began with this.
  const sameEnd = told.ends_at === null || told.ends_at === owed.ends_at;
  return sameEnd && JSON.stringify(currentRates(told)) === JSON.stringify(currentRates(owed));
}

/** Ends a session that may not go on, or not like this. */
async function endNow(context: EnforceContext, session: Session, reason: string): Promise<Enforced> {
  return endedOrGone(context, await disconnectSession(context, session, reason));
}

/** How long a session has lasted, in seconds: at least what it last told. */
function elapsedSeconds(session: Session, now: number): number {
  return Math.max(session.session_seconds, Math.floor((now - session.started_at) / 1000));
}

/**
 * The facts as they are for a live session: it holds its place, how many others there are was asked when it came in; and
 * what it has not told yet of its plan's online time is used as well. `now` where the clock is trusted.
 */
async function asOfSession(
  db: Db,
  access: AccessRecord,
  session: Session,
  now: number | undefined,
): Promise<AccessRecord> {
  const facts = { ...access, other_devices: 0 };
  const { entitlement } = access;
  if (now === undefined || entitlement?.id !== session.entitlement_id || entitlement.online_seconds === null)
    return facts;
  const { starts_at } = await getEntitlement(db, entitlement.id);
  const began = Math.floor(((starts_at ?? 0) - session.started_at) / 1000);
  const told = { ...session, session_seconds: Math.max(session.session_seconds, began) };
  const soFar = { ...session, session_seconds: elapsedSeconds(session, now), updated_at: now };
  const untold = soFar.session_seconds - told.session_seconds;
  const used = entitlement.used_seconds + untold - (await coveredSeconds(db, entitlement, told, soFar));
  // That it is used up is for a report to say: a session that is gone has used no more than it told.
  const used_seconds = Math.max(entitlement.used_seconds, Math.min(used, entitlement.online_seconds - 1));
  return { ...facts, entitlement: { ...entitlement, used_seconds } };
}

interface GoingOn {
  /** What carries the session from now on, and its plan. */
  entitlement: EntitlementFacts;
  plan_id: string | undefined;
  /** The decision, with the end that the router is to know. */
  until: Accept;
  /** The entitlement it goes over from; undefined where it stays. */
  before: Entitlement | undefined;
  /** Where the entitlement begins with this. */
  begins_at: number | undefined;
  reason: string;
}

/** Has a live session go on: tells its router, then has the entitlement carry it. */
async function goOn(context: EnforceContext, session: Session, going: GoingOn): Promise<Enforced> {
  const { db, clock } = context;
  const { entitlement, plan_id, until, before, begins_at, reason } = going;
  // What went over without its router's word still has the limits of the plan before.
  const owed = session.change_state !== null && session.change_state !== 'ack';
  const from = before ?? (owed ? await getEntitlement(db, entitlement.id) : undefined);
  const answer = await changeSession(context, session, until, from, owed || LIFTED.includes(reason));
  const agreed = answer.outcome === 'ack';
  const told = `${reason}: ${describe(answer)}`;
  await recordChange(db, session.id, answer.outcome, told, clock.now());
  if (begins_at !== undefined) {
    const instead = before && !agreed && (await insteadOfBeginning(context, session, going, told));
    if (instead) return instead;
    await startEntitlement(db, entitlement.id, begins_at);
  }
  if (plan_id) await moveSession(db, session.id, { id: entitlement.id, plan_id });
  const outcome = `${session.username} goes on. ${told}`;
  const slower = SLOWER.includes(reason) || (before !== undefined && isSlow(entitlement));
  if (!agreed && slower) return endThroughApi(context, session, told);
  // Elsewhere the router would end it by its old timeout, and the guest's next login gets the new one.
  const again = LONGER.includes(reason) || ((before !== undefined || owed) && reason !== ROLLING_OVER);
  return { outcome, complete: agreed || !again };
}

/** What is done where a plan would begin with a session whose router did not agree to it; undefined: it begins. */
async function insteadOfBeginning(
  context: EnforceContext,
  session: Session,
  { before, entitlement: next }: GoingOn,
  told: string,
): Promise<Enforced | undefined> {
  // What need not wait for the end of the plan before it begins with a session of its own.
  if (before?.state === 'active') return { ...(await endNow(context, session, NEXT_ENTITLEMENT)), next };
  if (session.updated_at > (before?.ended_at ?? 0)) return undefined;
  // A session that is gone without a word must not use up what its guest has bought for later.
  const [gone] = await closeWhatIsGone(context, [session]);
  return { outcome: `${told} The next plan waits for the session to speak.`, complete: gone !== undefined };
}

/** The API cannot change a rate that RADIUS gave; it can end the session, and the next login gets the right one. */
async function endThroughApi(context: EnforceContext, session: Session, told: string): Promise<Enforced> {
  const { db, clock } = context;
  const outcome = `${session.username} goes on. ${told}`;
  const router = await findRouter(db, session.router_id);
  const host = router && hostOf(router, session);
  if (!host) return { outcome, complete: false };
  const byApi = await removeThroughApi(context, { ...router, address: host }, session);
  if (byApi.removed) await recordDisconnect(db, session.id, 'api', `${told} ${byApi.detail}`, clock.now());
  return { outcome: `${outcome} ${byApi.detail}`.trim(), complete: byApi.removed };
}
