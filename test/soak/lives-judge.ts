// Judges by the rules what changed in the store since it was last looked at.

import type { Row } from '../../src/db/schema.ts';
import type { Life } from './lives-draw.ts';
import { endings, isOpen, lostTo, type Right, shouldRun } from './lives-rules.ts';
import {
  type Connection,
  INTERIM_SECONDS,
  type Report,
  type Rows,
  type World,
  type WorldGuest,
  type WorldRouter,
} from './lives-world.ts';

export type Session = Row<'sessions'>;

/** Missed reports after which a session is in nobody's way, and after which it counts as over: the README's and the setting's. */
export const MISSED_AT_THE_DOOR = 3;
export const MISSED_IN_ALL = 5;
/** Whole seconds on both sides, and a packet that is on its way. */
export const SLACK_MS = 3000;
/** What may not have been told of yet. */
const YOUNG_MS = 10_000;
/** How long before an end its router hears of what comes next. */
export const AHEAD_MS = 30_000;

/** Where the server and the rules disagree. */
export class Wrong extends Error {
  readonly rule: string;
  constructor(rule: string, detail: string) {
    super(`${rule}: ${detail}`);
    this.rule = rule;
  }
}

/** What the server was told of a connection. */
interface Told {
  row: string;
  seconds: number;
  up: number;
  down: number;
}

export type Cause =
  | { by: 'act' | 'jobs' | 'reboot' }
  /** `full`: the credentials that may need a place for it. */
  | { by: 'sign in'; mac: string; full: string[] }
  | { by: 'report'; report: Report; at: number; told: Told | undefined };

/** How many whole seconds at least one of these sessions covers, each from its start as first reckoned. */
function covered(sessions: Session[]): number {
  let [seconds, reached] = [0, 0];
  for (const one of sessions.toSorted((a, b) => a.started_at - b.started_at)) {
    const from = Math.max(Math.floor(one.started_at / 1000), reached);
    reached = Math.max(reached, Math.floor(one.started_at / 1000) + one.session_seconds);
    seconds += Math.max(0, reached - from);
  }
  return seconds;
}

/** A judge of one life, who remembers what there was and what routers told; `history` is written to. */
export function createJudge(world: World, life: Life, history: string[]) {
  const { time, routers, connections, guests } = world;
  const told = new Map<Connection, Told>();
  /** Entitlements that shared a session with another. */
  const shared = new Set<string>();
  let rows: Rows = { entitlements: [], sessions: [] };
  const suspended = new Set<string>();
  let steps = 0;

  const clock = () => new Date(time.now + 3 * 3600_000).toISOString().slice(8, 23).replace('T', ' ');
  const note = (line: string) => void history.push(`${clock()}  ${line}`);
  const nameOf = (id: string | null) => {
    const index = rows.entitlements.findIndex((one) => one.id === id);
    return index < 0 ? String(id) : `E${index + 1}`;
  };
  const deviceOf = (mac: string | null) => `device ${mac?.slice(-1)}`;
  function fail(rule: string, detail: string): never {
    throw new Wrong(rule, `${detail} (${clock()})`);
  }
  function check(right: boolean, rule: string, detail: () => string): void {
    if (!right) fail(rule, detail());
  }
  const entitlement = (id: string | null) => rows.entitlements.find((one) => one.id === id);
  const rightsOf = (credentialId: string | null | undefined) =>
    rows.entitlements.filter((one) => one.credential_id === credentialId);
  const runs = (credentialId: string | null | undefined) => shouldRun(rightsOf(credentialId), time.now);
  /** Why a guest is kept out of a router, whatever they have bought. */
  const keptOut = (guest: WorldGuest | undefined, router: WorldRouter): string[] => [
    ...(suspended.has(guest?.subscriber_id ?? '') ? ['suspended'] : []),
    ...(guest?.disabled ? ['disabled'] : []),
    ...(guest?.boundTo && guest.boundTo !== router ? ['other_router'] : []),
  ];
  /** The places of a plan: one address is for one device. */
  const placesOf = (guest: WorldGuest | undefined, right: Right | undefined) =>
    right === undefined ? 0 : guest?.address ? 1 : right.max_devices;
  const sessionsOf = (guest: WorldGuest) => rows.sessions.filter((one) => one.credential_id === guest.id);
  const rowOf = (connection: Connection) => rows.sessions.find((one) => one.id === told.get(connection)?.row);
  const holdsPlace = (session: Session) => session.state === 'open' && session.gave_way_at === null;
  const devices = (sessions: Session[]) => new Set(sessions.map((one) => one.mac)).size;

  const live = () => connections.filter((one) => one.live);

  // What changed in the store, and whether anything may change it.

  function judgeEntitlement(before: Right | undefined, after: Right): void {
    const name = nameOf(after.id);
    if (!before) return;
    for (const term of ['validity_seconds', 'online_seconds', 'quota_octets', 'max_devices'] as const) {
      check(before[term] === after[term], 'what was sold stands', () => `${name} has another ${term}`);
    }
    for (const used of ['used_seconds', 'used_upload_octets', 'used_download_octets'] as const) {
      check(after[used] >= before[used], 'what was used stays used', () => `${name} ${used}`);
    }
    const extended = due.get(after.id);
    if (before.starts_at !== null) {
      const same = before.starts_at === after.starts_at && before.ends_at === after.ends_at;
      const given = extended?.ends_at === after.ends_at && before.starts_at === after.starts_at;
      check(same || given, 'an entitlement starts once', () => {
        return `${name} was given other times: ${after.ends_at} for ${before.ends_at}, due ${extended?.ends_at}`;
      });
      if (given) {
        note(`    ${name} is extended by ${(after.ends_at! - before.ends_at!) / 1000} s`);
        if (before.state === 'ended' && after.state === 'active') return;
      }
    }
    if (before.state === after.state) return;
    note(`    ${name} ${before.state} → ${after.state} ${after.end_reason ?? ''}`);
    const way = `${before.state} ${after.state}`;
    if (way === 'waiting active') {
      const right =
        after.starts_at === time.now && after.ends_at === time.now + after.validity_seconds * 1000;
      check(right, 'validity runs from the start', () => `${name} ${after.starts_at} to ${after.ends_at}`);
    } else if (way === 'active ended' || way === 'waiting ended') {
      const true_ = endings(after, time.now);
      const right = true_.includes(after.end_reason ?? '');
      check(right, 'nothing ends early', () => `${name} ended as ${after.end_reason}; true is [${true_}]`);
    } else if (after.state !== 'revoked' || before.state === 'ended') {
      fail('what is over is over', `${name}: ${way}`);
    }
  }

  /** Entitlements that get lost time back now: how far they reach then, and whether they must. */
  const due = new Map<string, { ends_at: number; must: boolean }>();

  /** Reckons what is due for an outage that is decided now. */
  function expectBack(off: { from: number; to: number }): void {
    const most = (life.outages?.maximum_seconds ?? 0) * 1000;
    for (const right of rows.entitlements) {
      const expired = right.state === 'ended' && right.end_reason === 'expired';
      if (right.state !== 'active' && !expired) continue;
      const ms = Math.min(lostTo(off, right), most);
      if (ms === 0 || endings({ ...right, ends_at: null }, time.now).length > 0) continue;
      const others = rightsOf(right.credential_id).filter(
        (one) => one.id !== right.id && isOpen(one, time.now),
      );
      due.set(right.id, { ends_at: Math.max(right.ends_at ?? 0, time.now) + ms, must: others.length === 0 });
    }
  }

  /** What starts must be what should run, were it still waiting. */
  function judgeStarts(before: Rows): void {
    const started = rows.entitlements.filter((after) => {
      const was = before.entitlements.find((one) => one.id === after.id);
      return was?.state === 'waiting' && after.starts_at !== null;
    });
    const as = (list: Right[]) =>
      rows.entitlements.map(
        (one): Right =>
          list.includes(one) ? { ...one, state: 'waiting', starts_at: null, ends_at: null } : one,
      );
    for (const [index, one] of started.entries()) {
      const mine = as(started.slice(index)).filter((each) => each.credential_id === one.credential_id);
      const right = shouldRun(mine, time.now);
      check(right?.id === one.id, 'the queue is used in order', () => {
        return `${nameOf(one.id)} was started where ${right ? nameOf(right.id) : 'nothing'} should run`;
      });
    }
  }

  /** Whether the API of its router says that there is no such session. */
  function isGone({ router_id, mac, started_at }: Session): boolean {
    const router = routers.find(({ id }) => id === router_id);
    const old = time.now - started_at >= YOUNG_MS;
    const there = live().some((one) => one.router === router && one.mac === mac);
    return router?.hasApi === true && router.reachable && old && !there;
  }

  function mayClose(before: Session, cause: Cause): boolean {
    const asked =
      cause.by === 'jobs' || (cause.by === 'sign in' && cause.full.includes(before.credential_id ?? ''));
    if (asked && isGone(before)) return true;
    const silentFor = time.now - before.updated_at;
    if (cause.by === 'jobs') return silentFor > MISSED_IN_ALL * INTERIM_SECONDS * 1000;
    if (cause.by === 'sign in') {
      const inTheWay = cause.full.includes(before.credential_id ?? '');
      return inTheWay && silentFor > MISSED_AT_THE_DOOR * INTERIM_SECONDS * 1000;
    }
    if (cause.by === 'reboot') return true;
    if (cause.by !== 'report') return false;
    if (cause.told?.row === before.id) return cause.report.kind === 'Stop';
    // A device has one session with one router: the older one gives way.
    const { connection } = cause.report;
    return (
      !cause.told &&
      cause.report.kind !== 'Stop' &&
      before.mac === connection.mac &&
      before.router_id === connection.router.id &&
      before.updated_at <= cause.at
    );
  }

  function judgeSession(before: Session, after: Session, cause: Cause): void {
    const whose = `the session of ${deviceOf(after.mac)} on ${nameOf(after.entitlement_id)}`;
    const spoke = cause.by === 'report' && cause.told?.row === after.id;
    const same =
      before.upload_octets === after.upload_octets &&
      before.download_octets === after.download_octets &&
      before.session_seconds === after.session_seconds;
    check(same || spoke, 'a report counts for its session', () => `${whose} changed`);
    if (before.state === 'open' && after.state === 'closed') {
      check(mayClose(before, cause), 'a live session is not closed', () => `${whose} by ${cause.by}`);
    } else if (before.state === 'closed' && after.state === 'open') {
      check(spoke, 'only a report opens a session again', () => `${whose} by ${cause.by}`);
    }
    if (before.entitlement_id !== after.entitlement_id) {
      for (const id of [before.entitlement_id, after.entitlement_id]) shared.add(id ?? '');
      note(`    ${whose} was on ${nameOf(before.entitlement_id)}`);
      const right = runs(after.credential_id);
      check(
        cause.by === 'jobs' && right?.id === after.entitlement_id,
        'a session goes over to what should run',
        () => {
          return `${whose}, where ${nameOf(right?.id ?? null)} should run, by ${cause.by}`;
        },
      );
    }
  }

  function judgePlaces(before: Rows, cause: Cause): void {
    for (const after of rows.sessions) {
      const was = before.sessions.find((one) => one.id === after.id);
      if (after.gave_way_at === null || was?.gave_way_at != null) continue;
      note(`    the session of ${deviceOf(after.mac)} gives way: ${after.disconnect_detail}`);
      const held = rows.sessions.filter((one) => {
        const earlier = before.sessions.find(({ id }) => id === one.id);
        const isOpen = earlier?.state === 'open' || one.state === 'open';
        return one.credential_id === after.credential_id && isOpen && earlier?.gave_way_at == null;
      });
      const guest = guests.find(({ id }) => id === after.credential_id);
      const pushed = cause.by === 'sign in' && cause.full.includes(after.credential_id ?? '');
      const asking = pushed ? [cause.mac] : [];
      const count = new Set([...held.map((one) => one.mac), ...asking]).size;
      // What is to carry the sessions that begin anew counts as well.
      const next = runs(after.credential_id);
      const carrier = cause.by === 'sign in' ? next : entitlement(after.entitlement_id);
      const places = Math.min(...[carrier, next ?? carrier].map((each) => placesOf(guest, each)));
      check(count > places, 'nobody loses their place without need', () => {
        return `${deviceOf(after.mac)}: ${count} devices on ${nameOf(carrier?.id ?? null)} for ${carrier?.max_devices}`;
      });
    }
  }

  function judgeReport(before: Rows, { report, at, told: known }: Cause & { by: 'report' }): void {
    const { connection, kind } = report;
    const whose = `of ${deviceOf(connection.mac)} at ${connection.router.address}`;
    const fresh = rows.sessions.filter((after) => !before.sessions.some((one) => one.id === after.id));
    check(fresh.length === (known ? 0 : 1), 'a session is written down once', () => `the one ${whose}`);
    const row = known?.row ?? fresh[0]!.id;
    const most: Told = {
      row,
      seconds: Math.max(known?.seconds ?? 0, report.seconds),
      up: Math.max(known?.up ?? 0, report.up),
      down: Math.max(known?.down ?? 0, report.down),
    };
    told.set(connection, most);
    const was = before.sessions.find((one) => one.id === row);
    const is = rows.sessions.find((one) => one.id === row)!;
    const stored = [is.session_seconds, is.upload_octets, is.download_octets].join();
    const right = [most.seconds, most.up, most.down].join();
    check(stored === right, 'counters are what was told', () => `${stored} instead of ${right} ${whose}`);
    const speaksAnew =
      was?.state === 'closed' &&
      was.terminate_cause === null &&
      report.seconds > was.session_seconds &&
      at >= (was.stopped_at ?? 0);
    const leftBehind = before.sessions.some(
      (one) =>
        one.state === 'open' &&
        one.mac === is.mac &&
        one.router_id === is.router_id &&
        one.started_at > Math.max(is.updated_at, is.started_at + 2000),
    );
    const open = kind !== 'Stop' && (was ? was.state === 'open' || speaksAnew : !leftBehind);
    // What comes at once is not asked about.
    const eitherWay = !was && leftBehind && at - is.updated_at < 4000;
    check((is.state === 'open') === open || eitherWay, 'a session is open while it lives', () => {
      return `the one ${whose} is ${is.state} after a ${kind}, was ${was?.state}`;
    });
    if (is.gave_way_at === null || was?.gave_way_at != null) {
      check(
        is.state === 'closed' || is.entitlement_id !== null,
        'a session has its entitlement',
        () => whose,
      );
    }
    // Each octet is used once, of what carries the session or carried it meanwhile.
    const from = at - (most.seconds - (known?.seconds ?? 0)) * 1000;
    const receivers: string[] = [];
    let [up, down] = [0, 0];
    for (const after of rows.entitlements) {
      const earlier = before.entitlements.find((one) => one.id === after.id)!;
      const more = [
        after.used_upload_octets - earlier.used_upload_octets,
        after.used_download_octets - earlier.used_download_octets,
        after.used_seconds - earlier.used_seconds,
      ];
      if (more.some((each) => each !== 0)) receivers.push(after.id);
      up += more[0]!;
      down += more[1]!;
    }
    const more = [
      is.upload_octets - (was?.upload_octets ?? 0),
      is.download_octets - (was?.download_octets ?? 0),
    ];
    check(up === more[0] && down === more[1], 'octets are used once', () => {
      return `${up} up and ${down} down for ${more.join(' and ')} ${whose}`;
    });
    for (const id of receivers) {
      const one = entitlement(id)!;
      if (id === is.entitlement_id) continue;
      shared.add(id).add(is.entitlement_id ?? '');
      const mine = id === was?.entitlement_id || (one.ended_at ?? 0) >= from - SLACK_MS;
      check(
        mine && one.credential_id === is.credential_id,
        'octets are of what carried the session',
        () => `${nameOf(id)} used for one ${whose}`,
      );
    }
  }

  /** Reads the store, and judges what changed since the last time. */
  async function look(cause: Cause): Promise<void> {
    steps += 1;
    const before = rows;
    rows = await world.rows();
    for (const after of rows.entitlements) {
      judgeEntitlement(
        before.entitlements.find((one) => one.id === after.id),
        after,
      );
    }
    judgeStarts(before);
    for (const after of rows.sessions) {
      const was = before.sessions.find((one) => one.id === after.id);
      if (was) judgeSession(was, after, cause);
      else check(cause.by === 'report', 'a session is told of', () => cause.by);
    }
    judgePlaces(before, cause);
    if (cause.by === 'report') judgeReport(before, cause);
    if (world.trouble.length > 0) fail('nothing goes wrong', world.trouble.join('; '));
  }

  async function judgeSums(): Promise<void> {
    const sum = <T>(list: T[], of: (one: T) => number) => list.reduce((total, one) => total + of(one), 0);
    const usage = await world.usage();
    for (const one of rows.entitlements) {
      const days = usage.filter((day) => day.entitlement_id === one.id);
      const right =
        sum(days, (day) => day.upload_octets) === one.used_upload_octets &&
        sum(days, (day) => day.download_octets) === one.used_download_octets;
      check(right, 'the days add up', () => `the octets of ${nameOf(one.id)}`);
      if (one.online_seconds === null || shared.has(one.id)) continue;
      const mine = rows.sessions.filter((session) => session.entitlement_id === one.id);
      const seconds = sum([...new Set(mine.map(({ mac }) => mac))], (mac) =>
        covered(mine.filter((session) => session.mac === mac)),
      );
      check(one.used_seconds === seconds, 'a second online counts once for a device', () => {
        return `${nameOf(one.id)} used ${one.used_seconds} of ${seconds} seconds`;
      });
    }
    for (const router of routers) {
      const days = usage.filter((day) => day.router_id === router.id);
      const mine = rows.sessions.filter((one) => one.router_id === router.id);
      for (const [name, column] of [
        ['upload_octets', 'upload_octets'],
        ['download_octets', 'download_octets'],
        ['online_seconds', 'session_seconds'],
      ] as const) {
        const [a, b] = [sum(days, (day) => day[name]), sum(mine, (one) => one[column])];
        check(a === b, 'the days add up', () => `${name} of ${router.address}: ${a} for ${b}`);
      }
    }
    const used = sum(rows.entitlements, (one) => one.used_seconds);
    const all = sum(rows.sessions, (one) => one.session_seconds);
    check(used <= all, 'a second online counts once', () => `${used} used of ${all}`);
  }

  return {
    /** The store as it was last looked at. */
    get rows() {
      return rows;
    },
    /** How often it was looked at. */
    get steps() {
      return steps;
    },
    ...{ told, suspended, due, expectBack, look, judgeSums, note, fail, check, live },
    ...{ nameOf, deviceOf, entitlement, rightsOf, runs, keptOut, placesOf },
    ...{ sessionsOf, rowOf, holdsPlace, devices, isGone },
  };
}
