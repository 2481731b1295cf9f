// Plays the life of a guest over the wire, and judges each step by the rules.

import { grantEntitlement, revokeEntitlement } from '../../src/access/entitlements.ts';
import { followPlan } from '../../src/access/follow-plan.ts';
import { createPlan, getPlan, type Plan, updatePlan } from '../../src/access/plans.ts';
import { updateSubscriber } from '../../src/access/subscribers.ts';
import type { Db } from '../../src/db/schema.ts';
import { enqueueTask } from '../../src/db/tasks.ts';
import { getString } from '../../src/protocols/radius/attributes.ts';
import { type Act, type Life, oneOf, type Random, randomFrom } from './lives-draw.ts';
import {
  AHEAD_MS,
  type Cause,
  createJudge,
  MISSED_AT_THE_DOOR,
  MISSED_IN_ALL,
  type Session,
  SLACK_MS,
  Wrong,
} from './lives-judge.ts';
import {
  endings,
  goesOnSlow,
  hoursLeft,
  isOpen,
  mayRun,
  needsNewSession,
  openedAt,
  quotas,
  type Right,
  readReason,
  readSpeed,
  reasons,
  secondsLeft,
  speed,
  staysKnown,
} from './lives-rules.ts';
import {
  type Connection,
  INTERIM_SECONDS,
  type Method,
  type Report,
  startWorld,
  type WorldGuest,
  type WorldRouter,
} from './lives-world.ts';

export interface Played {
  wrong: Wrong | undefined;
  history: string[];
  /** How often the rules were asked. */
  steps: number;
}

export async function play(db: Db, life: Life): Promise<Played> {
  const history: string[] = [];
  const world = await startWorld(db, life.startsAt, life.routers, life.guests, life.journaled);
  const player = createPlayer(world, life, history);
  let wrong: Wrong | undefined;
  try {
    await player.run();
  } catch (error) {
    wrong = error instanceof Wrong ? error : new Wrong('it failed', String((error as Error).stack));
  } finally {
    await world.close();
  }
  return { wrong, history, steps: player.steps() };
}

function createPlayer(world: Awaited<ReturnType<typeof startWorld>>, life: Life, history: string[]) {
  const { time, routers, connections, guests, present } = world;
  const late: { report: Report; dueAt: number }[] = [];
  /** Connections that somebody walked away from: when their router notices. */
  const idleAt = new Map<Connection, number>();
  /** When a connection last agreed to what it was told, and whether a change of it was ever refused. */
  const agreedAt = new Map<Connection, number>();
  const refused = new Set<Connection>();
  const plans: Plan[] = [];
  let quiet = life.calm;
  let random: Random = randomFrom(life.seed);

  const judge = createJudge(world, life, history);
  const { told, suspended, due, expectBack, look, judgeSums, note, fail, check, live } = judge;
  const { nameOf, deviceOf, entitlement, rightsOf, runs, keptOut, placesOf } = judge;
  const { sessionsOf, rowOf, holdsPlace, devices, isGone } = judge;

  // What routers do.

  async function tell(report: Report): Promise<void> {
    const { connection } = report;
    const delay = Math.floor((time.now - report.at) / 1000);
    await world.tell(connection, report, delay);
    note(
      `  ${deviceOf(connection.mac)} at ${connection.router.address} ${connection.acctId}: ${report.kind} ` +
        `${report.seconds} s, ${report.up} up, ${report.down} down${delay > 0 ? `, ${delay} s late` : ''}`,
    );
    const cause: Cause = { by: 'report', report, at: time.now - delay * 1000, told: told.get(connection) };
    await look(cause);
  }

  async function say(connection: Connection, kind: Report['kind'], cause = 0): Promise<void> {
    const { router, up, down } = connection;
    const seconds = Math.floor((time.now - connection.since) / 1000);
    const report: Report = { connection, kind, seconds, up, down, cause, at: time.now };
    const fate = quiet ? 0 : random();
    if (isOff || !router.reachable || (fate > 0.72 && fate <= 0.82)) {
      return note(`  (lost: ${kind} of ${deviceOf(connection.mac)} at ${router.address})`);
    }
    if (fate > 0.88) return void late.push({ report, dueAt: time.now + 1000 * Math.ceil(random() * 200) });
    await tell(report);
    if (fate > 0.82) await tell(report);
  }

  async function end(connection: Connection, cause: number): Promise<void> {
    connection.live = false;
    idleAt.delete(connection);
    await say(connection, 'Stop', cause);
    const row = rowOf(connection);
    if (connection.guest?.isHome && cause >= 5 && row?.gave_way_at === null && random() < 0.8) {
      redials.push({ connection, dueAt: time.now + 1000 * Math.ceil(random() * 20) });
    }
  }

  const loggedIn: { answer: Answer; guest: WorldGuest }[] = [];
  /** Devices that are being logged in: a second time is once too often. */
  const loggingIn = new Set<string>();
  world.whenLoginAsked(async (router, mac, username) => {
    const guest = guests.find((one) => one.username === username);
    const device = life.devices.find((one) => one.mac === mac);
    if (!guest || !device || live().some((one) => one.router === router && one.mac === mac)) return false;
    if (loggingIn.has(mac)) return false;
    loggingIn.add(mac);
    const answer = await world.signIn(router, mac, guest, 'pap', device);
    loggedIn.push({ answer, guest });
    return answer.accepted;
  });

  /** The server had a router log a device in. */
  async function judgeLogin({ answer, guest }: { answer: Answer; guest: WorldGuest }): Promise<void> {
    note(`  ${deviceOf(answer.connection.mac)} is logged in again at ${answer.connection.router.address}`);
    noteAnswer(answer);
    if (!answer.accepted) return;
    const right = runs(guest.id);
    const may = right !== undefined && keptOut(guest, answer.connection.router).length === 0;
    check(may, 'no Accept without right', () => 'through the API');
    judgeAccept(right!, answer);
    await isOnline(answer);
  }

  async function redial({ guest, mac, router, ...connection }: Connection): Promise<void> {
    const device = life.devices.find((one) => one.mac === mac);
    if (isOff || !guest || !device || live().some((one) => one.mac === mac && one.guest === guest)) return;
    note(`  ${deviceOf(mac)} dials again`);
    await signIn({ guest, device, router, method: connection.method, lost: false });
  }

  /** Homes that dial again by themselves, and when. */
  const redials: { connection: Connection; dueAt: number }[] = [];
  const ended: { connection: Connection; cause: number }[] = [];
  world.whenEnded((connection, cause) => {
    connection.live = false;
    ended.push({ connection, cause });
  });

  function use(connection: Connection, ms: number): void {
    const { router, pace } = connection;
    const known = told.get(connection);
    // Half a turn of a counter that nobody was told of is a turn too many for anybody.
    const untold = Math.max(connection.up - (known?.up ?? 0), connection.down - (known?.down ?? 0));
    if (!router.gigawords && untold > 2 ** 30) return;
    const most = router.gigawords ? Number.POSITIVE_INFINITY : 2 ** 29;
    connection.up += Math.min(Math.floor((pace.up * ms) / 1000), most);
    connection.down += Math.min(Math.floor((pace.down * ms) / 1000), most);
  }

  /** Ends what its router ends by itself. */
  async function keepLimits(): Promise<void> {
    for (const connection of live()) {
      const { router, limits, up, down } = connection;
      const idle = idleAt.get(connection);
      if (idle !== undefined && idle <= time.now) {
        await end(connection, 4);
        continue;
      }
      if (!router.keepsLimits) continue;
      const used = up + down >= limits.total || up >= limits.up || down >= limits.down;
      if (!used && connection.endsAt > time.now) continue;
      if (!used) judgeCut(connection);
      cut.push({ connection, carrier: rowOf(connection)?.entitlement_id ?? null });
      await end(connection, used ? 10 : 5);
    }
  }

  /** Connections that ended with their plan, and what carried them. */
  const cut: { connection: Connection; carrier: string | null }[] = [];

  /** Where all goes well and the API can be used, who has another plan is online again. */
  function judgeBackAgain(): void {
    for (const { connection, carrier } of cut.splice(0)) {
      const { guest, router, mac } = connection;
      const right = runs(guest?.id);
      if (!life.calm || !guest || guest.isHome || !right || right.id === carrier) continue;
      if (!router.hasApi || present.get(mac) !== router || keptOut(guest, router).length > 0) continue;
      const others = sessionsOf(guest).filter((one) => holdsPlace(one) && one.mac !== mac);
      if (devices(others) >= placesOf(guest, right)) continue;
      const back = live().some((one) => one.mac === mac && one.router === router);
      check(back, 'who has another plan is logged in again', () => `${deviceOf(mac)} on ${nameOf(right.id)}`);
    }
  }

  /** Where all goes well nobody is cut off who may go on: the next plan takes over. */
  function judgeCut(connection: Connection): void {
    const right = runs(connection.guest?.id);
    const row = rowOf(connection);
    const carrier = entitlement(row?.entitlement_id ?? null);
    if (keptOut(connection.guest, connection.router).length > 0) return;
    if (!life.calm || !right || !carrier || !row || row.gave_way_at !== null) return;
    const byClock = (carrier.ends_at ?? 0) <= time.now || hoursLeft(carrier, time.now) === 0;
    const boughtAt = Math.max(0, ...rightsOf(connection.guest?.id).map((one) => one.created_at));
    const inTime = Math.max(connection.since, boughtAt) < time.now - AHEAD_MS;
    if (!byClock || !inTime || right.id === carrier.id) return;
    if (needsNewSession(carrier, right, connection.address !== undefined)) return;
    fail(
      'one plan follows the other',
      `${deviceOf(connection.mac)} is cut off with ${nameOf(right.id)} waiting`,
    );
  }

  /** When the box was switched on, and how long it was off before that, while that is not noted. */
  let onAt = Number.NEGATIVE_INFINITY;
  let off: { from: number; to: number } | undefined;
  let isOff = false;

  /** The box loses its power; routers and guests go on without it. */
  async function boxOff(seconds: number): Promise<void> {
    const from = time.now;
    isOff = true;
    await pass(seconds * 1000);
    isOff = false;
    onAt = time.now;
    off = { from, to: time.now };
  }

  async function decide(approve: boolean): Promise<void> {
    const [outage] = await world.outages();
    if (!outage) return;
    await world.decide(outage.id, approve ? 'approved' : 'dismissed');
    if (approve) expectBack({ from: outage.from_at, to: outage.to_at! });
  }

  async function runJobs(): Promise<void> {
    if (isOff) return;
    // The slower jobs run a minute after the start.
    const watches = time.now >= onAt + 60_000;
    if (watches && off && life.outages) {
      await world.wasOff(off, life.outages.mode);
      const long = off.to - off.from >= life.outages.minimum_seconds * 1000;
      if (life.outages.mode === 'automatic' && long) expectBack(off);
      off = undefined;
    }
    await world.runJobs(watches);
    // A Stop that the jobs brought about comes after them.
    await look({ by: 'jobs' });
    for (const [id, { ends_at, must }] of due) {
      check(!must || entitlement(id)?.ends_at === ends_at, 'lost time is given back', () => nameOf(id));
    }
    due.clear();
    judgeAsked();
    for (const one of judge.rows.entitlements.filter(({ state }) => state === 'active')) {
      check(endings(one, time.now).length === 0, 'what is over ends', () => nameOf(one.id));
    }
    for (const one of judge.rows.sessions.filter(({ state }) => state === 'open')) {
      const silent = time.now - one.updated_at > MISSED_IN_ALL * INTERIM_SECONDS * 1000;
      check(!silent || !watches, 'a silent session is closed', () => deviceOf(one.mac));
    }
    for (const { connection, cause } of ended.splice(0)) await end(connection, cause);
    for (const answer of loggedIn.splice(0)) await judgeLogin(answer);
    loggingIn.clear();
    judgeBackAgain();
  }

  /** The latest end that a router may have been told of: of what carries a session, and of what follows it. */
  function latestEnd(carrier: Right): number {
    const others = rightsOf(carrier.credential_id).filter(
      (one) => one.id !== carrier.id && endings(one, time.now).length === 0,
    );
    const more = Math.max(
      0,
      ...others.map((one) =>
        Math.max(secondsLeft({ ...one, state: 'waiting' }, time.now), one.validity_seconds),
      ),
    );
    return time.now + (secondsLeft(carrier, time.now) + more) * 1000 + SLACK_MS;
  }

  /** What a session has used of online time and not told yet is counted in an end that its router is told of. */
  function untold(row: Session | undefined, carrier: Right): Right {
    if (!row) return carrier;
    const since = Math.max(row.started_at + row.session_seconds * 1000, carrier.starts_at ?? 0);
    return { ...carrier, used_seconds: carrier.used_seconds + Math.max(0, time.now - since) / 1000 };
  }

  const staysOut = (session: Session) =>
    session.gave_way_at !== null ||
    /^(Disconnected by |credential_changed)/.test(session.disconnect_detail ?? '');

  function judgeAsked(): void {
    for (const { what, connection, answer, timeout, rate } of world.asked.splice(0)) {
      note(
        `    ${what} of ${connection ? deviceOf(connection.mac) : 'nobody'}: ${answer} ${timeout ?? ''} ${rate ?? ''}`,
      );
      if (!connection) continue;
      const row = rowOf(connection);
      const right = runs(connection.guest?.id);
      if (what === 'change') {
        if (answer !== 'ack') refused.add(connection);
        else agreedAt.set(connection, time.now);
        const carrier = entitlement(row?.entitlement_id ?? null);
        if (answer !== 'ack' || !carrier || !mayRun(carrier, time.now)) continue;
        const least = time.now + secondsLeft(untold(row, carrier), time.now) * 1000 - SLACK_MS;
        check(
          connection.endsAt <= latestEnd(carrier),
          'no end is told too late',
          () => `${timeout} s for ${nameOf(carrier.id)}`,
        );
        check(
          connection.endsAt >= least,
          'no end is told too early',
          () => `${timeout} s for ${nameOf(carrier.id)}`,
        );
      } else if (
        row &&
        right &&
        keptOut(connection.guest, connection.router).length === 0 &&
        !staysOut(row) &&
        !refused.has(connection)
      ) {
        // No change gives a session another address: a new one is needed for that.
        const before = entitlement(row.entitlement_id);
        if (before && needsNewSession(before, right, connection.address !== undefined)) {
          cut.push({ connection, carrier: before.id });
          continue;
        }
        fail(
          'nobody is sent away who may be online',
          `${deviceOf(connection.mac)}: ${row.disconnect_detail}`,
        );
      }
    }
  }

  // Time.

  function nextInstant(until: number): number {
    const instants = [
      until,
      onAt + 60_000,
      ...[...late, ...redials].map(({ dueAt }) => dueAt),
      ...idleAt.values(),
    ];
    for (const one of live()) {
      instants.push(one.reportAt);
      if (one.router.keepsLimits) instants.push(one.endsAt);
    }
    for (const one of judge.rows.entitlements) {
      if (one.state !== 'active' && one.state !== 'waiting') continue;
      const closes = time.now + hoursLeft(one, time.now);
      for (const at of [one.ends_at ?? Number.POSITIVE_INFINITY, closes]) {
        if (live().length > 0) instants.push(at - 25_000, at - 5000, at + 15_000);
        instants.push(at);
      }
    }
    return Math.min(...instants.filter((at) => at > time.now));
  }

  async function pass(ms: number): Promise<void> {
    const until = time.now + ms;
    while (time.now < until) {
      const at = nextInstant(until);
      const step = at - time.now;
      time.now = at;
      for (const one of live()) use(one, step);
      await keepLimits();
      for (const one of [...late]) {
        if (one.dueAt > time.now) continue;
        late.splice(late.indexOf(one), 1);
        if (one.report.connection.router.reachable && !isOff) await tell(one.report);
      }
      for (const one of [...redials]) {
        if (one.dueAt > time.now) continue;
        redials.splice(redials.indexOf(one), 1);
        await redial(one.connection);
      }
      for (const one of live()) {
        if (one.reportAt > time.now) continue;
        one.reportAt += INTERIM_SECONDS * 1000;
        await say(one, 'Interim-Update');
      }
      await runJobs();
    }
  }

  // What people do.

  /** Its connection with this router ends; from others it has walked away, which they notice later. */
  async function comesTo(router: WorldRouter, mac: string, cause: number, isHome = false): Promise<void> {
    if (!isHome) present.set(mac, router);
    for (const one of live()) {
      if (one.mac !== mac || one.guest?.isHome !== isHome) continue;
      if (one.router === router) await end(one, cause);
      else {
        one.pace = { up: 0, down: 0 };
        if (!idleAt.has(one)) idleAt.set(one, time.now + oneOf(random, [10_000, 120_000, 600_000]));
      }
    }
  }

  interface Chances {
    guest: WorldGuest;
    right: Right | undefined;
    /** The sessions of their other devices that hold a place, and those of them that can keep it. */
    others: Session[];
    inTheWay: Session[];
    full: boolean;
    /** Why not; none where they may. */
    refusal: string[];
  }

  /** What a guest may expect who signs in on a device. */
  function chancesOf(guest: WorldGuest, mac: string, router: WorldRouter): Chances {
    const right = runs(guest.id);
    const others = sessionsOf(guest).filter((one) => holdsPlace(one) && one.mac !== mac);
    const heardSince = time.now - MISSED_AT_THE_DOOR * INTERIM_SECONDS * 1000;
    const isSilent = (one: Session) => one.state === 'open' && one.updated_at < heardSince;
    // The routers are asked where nobody is known to be silent.
    const isDead = sessionsOf(guest).some(isSilent) ? isSilent : isGone;
    const full = right !== undefined && devices(others) >= placesOf(guest, right);
    const inTheWay = full ? others.filter((one) => !isDead(one)) : others;
    const stillFull = right !== undefined && devices(inTheWay) >= placesOf(guest, right);
    const out = keptOut(guest, router);
    const refusal =
      out.length > 0
        ? out
        : !right
          ? reasons(rightsOf(guest.id), time.now)
          : stillFull && right.device_policy === 'refuse'
            ? ['too_many_devices']
            : [];
    return { guest, right, others, inTheWay, full, refusal };
  }

  function noteAnswer(answer: Answer): string {
    const { accepted, packet, seconds, connection } = answer;
    const said = accepted ? 'Accept' : readReason(getString(packet, 'Reply-Message') ?? '');
    const which = accepted ? nameOf(connection.reference.split('/')[2]!) : '';
    note(`  ${said} ${seconds ?? ''} ${connection.rate ?? ''} ${which}`);
    return said;
  }

  function judgeRoom({ guest, right, inTheWay }: Chances, mac: string): void {
    const left = sessionsOf(guest).filter((one) => holdsPlace(one) && one.mac !== mac);
    const most = placesOf(guest, right);
    check(devices(left) < most, 'the oldest devices give way', () => `${devices(left)} beside it`);
    for (const one of inTheWay.filter(({ id }) => !left.some((other) => other.id === id))) {
      const sinceOf = (session: Session) =>
        Math.min(...inTheWay.filter((each) => each.mac === session.mac).map((each) => each.started_at));
      const older = left.every((other) => sinceOf(other) >= sinceOf(one));
      check(older, 'the oldest devices give way', () => `${deviceOf(one.mac)} did, and was not the oldest`);
    }
  }

  async function isOnline({ connection }: Answer): Promise<void> {
    connections.push(connection);
    agreedAt.set(connection, time.now);
    await say(connection, 'Start');
  }

  interface SignIn {
    guest: WorldGuest;
    device: Life['devices'][number];
    router: WorldRouter;
    method: Method;
    lost: boolean;
  }

  async function signIn({ guest, device, router, method, lost }: SignIn): Promise<void> {
    if (!router.reachable) return note('  (the router is not reachable)');
    await comesTo(router, device.mac, guest.isHome ? 2 : 1, guest.isHome);
    const chances = chancesOf(guest, device.mac, router);
    const { refusal, right } = chances;
    const answer = await world.signIn(router, device.mac, guest, method, device);
    const said = noteAnswer(answer);
    await look({ by: 'sign in', mac: device.mac, full: chances.full ? [guest.id] : [] });
    if (refusal.length > 0) {
      check(!answer.accepted, 'no Accept without right', () => `instead of [${refusal}]`);
      check(refusal.includes(said), 'a refusal says why', () => `${said} instead of [${refusal}]`);
      return;
    }
    check(answer.accepted && right !== undefined, 'who has paid gets in', () => `refused: ${said}`);
    judgeAccept(right!, answer);
    judgeRoom(chances, device.mac);
    if (lost) return note('  (the Accept is lost)');
    await isOnline(answer);
  }

  /** A device appears at a router, which tries it by its MAC address. */
  async function knock(act: Act & { what: 'knock' }): Promise<void> {
    const device = life.devices[act.device]!;
    const { mac } = device;
    const router = routers[act.router]!;
    if (!router.reachable) return note('  (the router is not reachable)');
    await comesTo(router, mac, oneOf(random, [2, 4]));
    const has = guests.filter((guest) => rightsOf(guest.id).some((right) => isOpen(right, time.now)));
    const own = has.filter((guest) => guest.ownMac === mac).map((guest) => chancesOf(guest, mac, router));
    const lastOn = (guest: WorldGuest) => staysKnown(sessionsOf(guest).filter((one) => one.mac === mac));
    const friends = has
      .filter((guest) => !guest.isHome && guest.ownMac !== mac && lastOn(guest))
      .map((guest) => chancesOf(guest, mac, router));
    const bought = own.filter(({ refusal }) => refusal.length === 0);
    const shared = friends.filter(({ refusal, full }) => refusal.length === 0 && !full);
    const answer = await world.signIn(router, mac, undefined, act.method, device);
    const said = noteAnswer(answer);
    await look({ by: 'sign in', mac, full: own.filter(({ full }) => full).map(({ guest }) => guest.id) });
    const may = router.macLogin ? (bought.length > 0 ? bought : shared) : [];
    if (may.length === 0) {
      check(!answer.accepted, 'no Accept without right', () => 'of a device that knocks');
      const why = [...own, ...friends].flatMap(({ refusal }) => refusal);
      const words = router.macLogin ? [...why, 'no_entitlement'] : ['unknown_user'];
      check(words.includes(said), 'a refusal says why', () => `${said} instead of [${words}]`);
      return;
    }
    check(answer.accepted, 'who has paid gets in', () => `refused as it knocks: ${said}`);
    const chosen = may.find(({ guest }) => guest === answer.connection.guest);
    if (!chosen)
      return fail('a knock is for what its device has', answer.connection.guest?.username ?? 'nobody');
    const waits = ({ guest }: Chances) =>
      rightsOf(guest.id).some(({ state }) => state === 'active') ? 0 : 1;
    const sooner = may.some(
      (other) =>
        chosen !== other &&
        may === shared &&
        waits(other) <= waits(chosen) &&
        (waits(other) < waits(chosen) ||
          (lastOn(other.guest)?.started_at ?? 0) > (lastOn(chosen.guest)?.started_at ?? 0) + 1000),
    );
    check(!sooner, 'what runs comes first, then the newest sign-in', () => chosen.guest.username);
    judgeAccept(chosen.right!, answer);
    judgeRoom(chosen, mac);
    await isOnline(answer);
  }

  async function sendAway(act: Act & { what: 'send away' }): Promise<void> {
    const { mac } = life.devices[act.device]!;
    const session = judge.rows.sessions.find((one) => one.state === 'open' && one.mac === mac);
    if (session) await world.sendAway(session.id);
  }

  type Answer = Awaited<ReturnType<typeof world.signIn>>;

  function judgeAccept(right: Right, answer: Answer): void {
    const { connection, seconds } = answer;
    check(connection.reference.split('/')[2] === right.id, 'the Accept is for what should run', () => {
      return `${nameOf(connection.reference.split('/')[2]!)} instead of ${nameOf(right.id)}`;
    });
    const address = connection.guest?.address ?? undefined;
    const pool = address === undefined ? (right.address_pool ?? undefined) : undefined;
    const given = [connection.address, connection.pool, connection.list];
    const due = [address, pool, right.address_list ?? undefined];
    check(given.join() === due.join(), 'a home has its address', () => `[${given}] instead of [${due}]`);
    const nearest = secondsLeft(right, time.now);
    check(
      seconds === nearest,
      'Session-Timeout is the nearest end',
      () => `${seconds} instead of ${nearest}`,
    );
    check(
      readSpeed(connection.rate) === speed(right),
      'the speed is the plan’s',
      () => `${connection.rate} instead of ${speed(right)}`,
    );
    const left = goesOnSlow(right) ? undefined : quotas(right);
    for (const name of ['total', 'up', 'down'] as const) {
      const due = left?.[name] ?? Number.POSITIVE_INFINITY;
      // A whole number of 2^32 octets is sent as one less.
      const words = due % 2 ** 32 === 0 ? due - 1 : due;
      check(
        connection.limits[name] === words,
        'the router hears what is left',
        () => `${name} ${connection.limits[name]} instead of ${due}`,
      );
    }
  }

  /** All at one moment, so that nobody's session is there yet when another's Accept is decided. */
  async function signInTogether(act: Act & { what: 'sign in together' }): Promise<void> {
    for (const one of live()) await end(one, 1);
    const guest = guests[act.guest]!;
    const right = runs(guest.id);
    const asking = life.devices.flatMap((device, index) => {
      const router = routers[act.routers[index]!]!;
      return router.reachable ? [{ device, router }] : [];
    });
    const answers = await Promise.all(
      asking.map(({ device, router }) => world.signIn(router, device.mac, guest, 'chap', device)),
    );
    note(`  ${answers.filter(({ accepted }) => accepted).length} Accepts`);
    await look({ by: 'sign in', mac: '', full: [guest.id] });
    for (const answer of answers) {
      const may = right !== undefined && keptOut(guest, answer.connection.router).length === 0;
      check(!answer.accepted || may, 'no Accept without right', () => deviceOf(answer.connection.mac));
      if (answer.accepted) await isOnline(answer);
    }
  }

  async function buy(act: Act & { what: 'buy' }): Promise<void> {
    const plan = plans[act.plan]!;
    await world.db.transaction().execute(async (tx) => {
      const { id: credential_id, subscriber_id } = guests[act.guest]!;
      const not_before_at = act.notBeforeSeconds === null ? null : time.now + act.notBeforeSeconds * 1000;
      await grantEntitlement(
        tx,
        { subscriber_id, credential_id, plan, source: 'grant', not_before_at },
        time.now,
      );
      await enqueueTask(tx, 'enforce', { credential_id, reason: 'extended' }, time.now);
    });
  }

  async function setSpeed(act: Act & { what: 'speed' }): Promise<void> {
    const change = { rate_up_kbps: act.up, rate_down_kbps: act.down };
    await world.db.transaction().execute(async (tx) => {
      const before = await getPlan(tx, plans[act.plan]!.id);
      const after = await updatePlan(tx, before.id, change, time.now);
      await followPlan(tx, before, after, time.now);
      plans[act.plan] = after;
    });
  }

  async function setState({ subscriber_id }: WorldGuest, state: 'active' | 'suspended'): Promise<void> {
    if (suspended.has(subscriber_id) === (state === 'suspended')) return;
    if (state === 'suspended') suspended.add(subscriber_id);
    else suspended.delete(subscriber_id);
    await world.db.transaction().execute(async (tx) => {
      await updateSubscriber(tx, subscriber_id, { state }, time.now);
      for (const { id } of guests.filter((one) => one.subscriber_id === subscriber_id)) {
        await enqueueTask(tx, 'enforce', { credential_id: id, reason: state }, time.now);
      }
    });
  }

  async function changeHome({ guest, change, router }: Act & { what: 'home' }): Promise<void> {
    const home = guests[guest]!;
    if (!home.isHome) return;
    if (change === 'password') {
      home.password = `${home.password}+`;
      home.changedAt = time.now;
      await world.changeHome(home, { password: home.password });
    } else if (change === 'address' || change === 'no address') {
      const last = home.address?.endsWith('.1') ? 2 : 1;
      const address = change === 'address' ? `10.9.${guest}.${last}` : null;
      if (address !== home.address) home.changedAt = time.now;
      home.address = address;
      await world.changeHome(home, { static_address: home.address });
    } else if (change === 'on' || change === 'off') {
      home.disabled = change === 'off';
      await world.changeHome(home, { state: change === 'on' ? 'active' : 'disabled' });
    } else {
      home.boundTo = change === 'bind' ? routers[router]! : null;
      await world.changeHome(home, { router_id: home.boundTo?.id ?? null });
    }
  }

  async function reboot(router: WorldRouter, isTold: boolean): Promise<void> {
    for (const one of live()) {
      if (one.router !== router) continue;
      one.live = false;
      idleAt.delete(one);
    }
    router.nextId = 1;
    if (!isTold || !router.reachable) return;
    const before = judge.rows;
    await world.tellReboot(router);
    await look({ by: 'reboot' });
    for (const one of before.sessions) {
      const is = judge.rows.sessions.find(({ id }) => id === one.id)!;
      const kept = one.state === 'open' && one.router_id !== router.id;
      check(kept === (is.state === 'open'), 'a reboot closes what its router had open', () =>
        deviceOf(one.mac),
      );
    }
  }

  async function act(one: Act): Promise<void> {
    random = randomFrom(one.seed);
    time.now += 1 + Math.floor(random() * 900);
    const { seed: _, ...said } = one;
    note(Object.values(said).join(' '));
    switch (one.what) {
      case 'pass':
        // Nobody stays for hours.
        if (one.seconds >= 7200) for (const each of live()) await end(each, 4);
        return pass(one.seconds * 1000);
      case 'buy':
        await buy(one);
        break;
      case 'sign in':
        await signIn({
          ...{ guest: guests[one.guest]!, device: life.devices[one.device]!, router: routers[one.router]! },
          ...{ method: one.method, lost: one.lost },
        });
        break;
      case 'home':
        await changeHome(one);
        break;
      case 'sign in together':
        await signInTogether(one);
        break;
      case 'knock':
        await knock(one);
        break;
      case 'send away':
        await sendAway(one);
        break;
      case 'sign out':
        for (const each of live()) if (each.mac === life.devices[one.device]!.mac) await end(each, 1);
        break;
      case 'vanish':
        for (const each of live()) if (each.mac === life.devices[one.device]!.mac) each.live = false;
        present.delete(life.devices[one.device]!.mac);
        break;
      case 'door':
        routers[one.router]!.door = one.door;
        break;
      case 'reach':
        routers[one.router]!.reachable = one.reachable;
        if (!one.reachable) routers[one.router]!.door = 'silent';
        else routers[one.router]!.door = 'agrees';
        break;
      case 'reboot':
        await reboot(routers[one.router]!, one.told);
        break;
      case 'suspend':
        await setState(guests[one.guest]!, 'suspended');
        break;
      case 'activate':
        await setState(guests[one.guest]!, 'active');
        break;
      case 'revoke': {
        const open = rightsOf(guests[one.guest]!.id).filter(
          ({ state }) => state === 'active' || state === 'waiting',
        );
        const which = open[one.which % Math.max(1, open.length)];
        if (which)
          await world.db.transaction().execute((tx) => revokeEntitlement(tx, which.id, 'test', time.now));
        break;
      }
      case 'speed':
        await setSpeed(one);
        break;
      case 'off':
        await boxOff(one.seconds);
        break;
      case 'decide':
        await decide(one.approve);
        break;
      case 'settle':
        await settle();
    }
    await look({ by: 'act' });
    await runJobs();
    due.clear();
  }

  /** Every router answers, and all that waits is done. */
  async function settle(): Promise<void> {
    quiet = true;
    for (const router of routers) Object.assign(router, { door: 'agrees', reachable: true });
    for (const { report } of late.splice(0)) await tell(report);
    const deadline = time.now + 15 * 60_000;
    let waited = false;
    for (;;) {
      for (const one of live()) await say(one, 'Interim-Update');
      await runJobs();
      const [next] = (await world.tasks()).sort((a, b) => a.run_at - b.run_at);
      if (!next && live().some(({ guest }) => !runs(guest?.id)) && !waited) {
        // Where hours have just closed, the router has a moment to end it by itself.
        await pass(20_000);
        waited = true;
        continue;
      }
      if (!next) break;
      check(next.state !== 'failed', 'no task is given up', () => `${next.kind}: ${next.outcome}`);
      check(
        time.now < deadline,
        'no task is left for ever',
        () => `${next.kind} ${next.payload}: ${next.outcome}`,
      );
      await pass(Math.max(1, next.run_at - time.now));
    }
    await judgeSettled();
    quiet = life.calm;
  }

  async function judgeSettled(): Promise<void> {
    await judgeSums();
    for (const connection of live()) {
      const right = runs(connection.guest?.id);
      const out = keptOut(connection.guest, connection.router).length > 0;
      const whose = `${deviceOf(connection.mac)} at ${connection.router.address}`;
      check(right !== undefined && !out, 'nobody is online without right', () => whose);
      if (connection.guest?.isHome) {
        const anew = connection.since >= connection.guest.changedAt;
        check(anew, 'a home with another address or password begins anew', () => whose);
      }
      const row = rowOf(connection);
      if (!right || !row) continue;
      check(row.state === 'open', 'a session is open while it lives', () => whose);
      const carrier = entitlement(row.entitlement_id)!;
      check(
        mayRun(carrier, time.now),
        'a session is on what may run',
        () => `${whose} on ${nameOf(carrier.id)}`,
      );
      const since = agreedAt.get(connection) ?? 0;
      // Hours that open, and a time that comes, wait for the next login.
      const grewInto = openedAt(right, time.now) > since || (right.not_before_at ?? 0) > since;
      check(carrier.id === right.id || grewInto, 'a session is on what should run', () => {
        return `${whose} on ${nameOf(carrier.id)} instead of ${nameOf(right.id)}`;
      });
      judgeSpeed(connection, carrier, whose);
      const end = connection.endsAt;
      // What is used of online time since the router was told, here or by another device, it cannot know.
      const byClock = latestEnd({ ...carrier, online_seconds: null });
      check(end <= byClock, 'no end is told too late', () => `${whose}: in ${(end - time.now) / 1000} s`);
      const due = time.now + secondsLeft(untold(row, carrier), time.now) * 1000;
      const early = end < due - SLACK_MS && !refused.has(connection);
      check(!early, 'no end is told too early', () => `${whose}: ${(end - due) / 1000} s`);
    }
    for (const guest of guests) {
      const held = new Set(live().flatMap((one) => (one.guest === guest ? [one.mac] : []))).size;
      const carriers = sessionsOf(guest).filter(holdsPlace);
      const most = Math.max(0, ...carriers.map((one) => placesOf(guest, entitlement(one.entitlement_id))));
      check(held <= most, 'a plan has its devices', () => `${held} devices online for ${most}`);
    }
  }

  function judgeSpeed(connection: Connection, carrier: Right, whose: string): void {
    const [is, due] = [readSpeed(connection.rate), speed(carrier)];
    if (is === due) return;
    const ways = (text: string) =>
      text === 'none' ? [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY] : text.split('/').map(Number);
    const faster = ways(is).some((rate, way) => rate > ways(due)[way]!);
    check(
      !faster && refused.has(connection),
      'the speed is the plan’s',
      () => `${whose}: ${is} instead of ${due}`,
    );
  }

  return {
    steps: () => judge.steps,
    async run(): Promise<void> {
      if (life.outages) await world.setOutagePolicy(life.outages);
      for (const [index, plan] of life.plans.entries()) {
        time.now += 1;
        plans[index] = await createPlan(world.db, plan, time.now);
      }
      for (const one of life.acts) await act(one);
      note('the end');
      await settle();
      redials.splice(0);
      for (const one of live()) await end(one, 1);
      present.clear();
      await pass(10 * 60_000);
      await settle();
      const open = judge.rows.sessions.filter(({ state }) => state === 'open');
      check(open.length === 0, 'a silent session is closed', () => `${open.length} are open`);
    },
  };
}
