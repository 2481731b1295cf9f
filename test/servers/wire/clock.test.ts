// The lying clock while RADIUS sessions run: nobody is cut off, nobody gets free time, the admin says what happened.
import { afterEach, describe, expect, it } from 'vitest';
import { checkRouters } from '../../../src/jobs/check-routers.ts';
import { closeStale } from '../../../src/jobs/close-stale-sessions.ts';
import { endEntitlements } from '../../../src/jobs/end-entitlements.ts';
import { endHours } from '../../../src/jobs/end-hours.ts';
import { rollOver } from '../../../src/jobs/roll-over.ts';
import { watchClock } from '../../../src/jobs/watch-clock.ts';
import { DAY_MS } from '../../../src/lib/days.ts';
import type { RouterEvent } from '../../../src/simulators/router/simulator.ts';
import { HOUR, someVouchers } from '../../access/fixtures.ts';
import { startWire, until, type Wire } from './fixtures.ts';

const MINUTE = 60_000;
const LONG = 'AA:BB:CC:00:00:01';
const SHORT = 'AA:BB:CC:00:00:02';
const NEW = 'AA:BB:CC:00:00:03';
const OVER = { error: 'Your plan has expired. Please buy again.' };

let wire: Wire;
let router: Awaited<ReturnType<Wire['addRouter']>>;
let events: RouterEvent[];
afterEach(() => wire.close());

/** A box whose clock is off by `wrongMs`, one router with an API or without, three phones. */
async function open(wrongMs = 0, api = false) {
  wire = await startWire(wrongMs);
  router = await wire.addRouter('127.0.0.1', {}, api ? {} : { api_username: null });
  events = [];
  router.onEvent((event) => void events.push(event));
  for (const mac of [LONG, SHORT, NEW]) router.addPhone({ mac });
}

const received = (type: 'coa_received' | 'disconnect_received') =>
  events.filter((event) => event.type === type).length;
const onRouter = () => router.sessions().map((session) => session.phone.mac);

async function voucher(hours: number) {
  const { codes } = await someVouchers(wire.db, 1, { validity_seconds: hours * 3600 });
  return codes[0] as string;
}

/** Logs a phone in, or in again, and gives the Session-Timeout that the router was told, seconds. */
async function logIn(mac: string, code: string): Promise<number | undefined> {
  const outcome = await router.login(mac, code, code);
  await router.idle();
  if (!('session' in outcome)) throw new Error(outcome.error);
  const { endsAt, startedAt } = outcome.session;
  return endsAt === undefined ? undefined : (endsAt - startedAt) / 1000;
}

/** What is left of a session as the router has it, seconds. */
function leftOnRouter(mac: string): number {
  const endsAt = router.sessions().find((session) => session.phone.mac === mac)?.endsAt ?? Number.NaN;
  return (endsAt - wire.now()) / 1000;
}

/** Hours as seconds, give or take what the test itself takes. */
function about(seconds: number | undefined, hours: number) {
  expect(seconds).toBeGreaterThan(hours * 3600 - 60);
  expect(seconds).toBeLessThanOrEqual(hours * 3600 + 5);
}

/** Time passes, with a report every 5 minutes as routers send them; then everything runs that ends anything. */
async function pass(ms: number) {
  for (let gone = 0; gone < ms; gone += 5 * MINUTE) {
    wire.ahead.ms += Math.min(5 * MINUTE, ms - gone);
    router.tick();
    await router.idle();
  }
  await watchClock(wire.jobs);
  for (const job of [endEntitlements, endHours, closeStale, rollOver]) await job(wire.jobs);
  await settled();
}

/** Every session is as the tasks that were left behind want it. */
const settled = () =>
  until(async () => {
    const waiting = wire.db.selectFrom('tasks').select('id').where('state', '=', 'ready');
    return (await waiting.where('kind', '=', 'enforce').execute()).length === 0;
  });

async function entitlementOf(code: string) {
  return wire.db
    .selectFrom('entitlements as e')
    .innerJoin('credentials as c', 'c.id', 'e.credential_id')
    .selectAll('e')
    .where('c.username', '=', code)
    .executeTakeFirstOrThrow();
}

async function told() {
  const me = await wire.admin('GET', '/auth/me');
  const clock = await wire.admin('GET', '/clock');
  expect(me.json.clock).toMatchObject({ trusted: clock.json.trusted });
  expect((me.json.clock as { message?: string }).message).toBe(clock.json.message);
  return clock.json as { trusted: boolean; message?: string; box_at: number; counted_at: number };
}

/** Two guests of the same time: one for four hours, one for one hour that is over now, both by a right clock. */
async function twoHoursIn() {
  const long = await voucher(4);
  const short = await voucher(1);
  about(await logIn(LONG, long), 4);
  about(await logIn(SHORT, short), 1);
  await pass(2 * HOUR);
  await until(async () => (await wire.sessions()).some((session) => session.state === 'closed'));
  await settled();
  expect(onRouter()).toEqual([LONG]);
  expect(await entitlementOf(short)).toMatchObject({ state: 'ended', end_reason: 'expired' });
  events.length = 0;
  return { long, short, ends_at: (await entitlementOf(long)).ends_at as number };
}

describe('a clock that jumps while sessions run', () => {
  it.each([
    ['back to 1970', () => -wire.now(), 'jumped back by 57 years'],
    ['back three hours', () => -3 * HOUR, 'jumped back by 3 hours'],
    ['forward three hours', () => 3 * HOUR, 'jumped forward by 3 hours'],
    ['forward a month', () => 31 * DAY_MS, 'jumped forward by 31 days'],
  ])('%s: all go on as before, and so they do when it is right again', async (_, wrong, message) => {
    await open();
    const { long, short, ends_at } = await twoHoursIn();
    wire.wrong.ms = wrong();
    await pass(30 * MINUTE);
    const state = await told();
    expect(state).toMatchObject({ trusted: true, message: expect.stringContaining(message) });
    expect(Math.abs(state.counted_at - wire.now())).toBeLessThan(MINUTE);
    about(await logIn(LONG, long), 1.5);
    expect(await router.login(SHORT, short, short)).toEqual(OVER);
    const fresh = await voucher(1);
    about(await logIn(NEW, fresh), 1);
    expect((await entitlementOf(fresh)).ends_at).toBeLessThanOrEqual(wire.now() + HOUR);
    expect(received('disconnect_received')).toBe(0);

    wire.wrong.ms = 0;
    await pass(15 * MINUTE);
    expect(await told()).not.toHaveProperty('message');
    about(await logIn(LONG, long), 1.25);
    about(await logIn(NEW, fresh), 0.75);
    expect(await router.login(SHORT, short, short)).toEqual(OVER);
    expect(await entitlementOf(long)).toMatchObject({ ends_at });
    expect(received('disconnect_received')).toBe(0);
    // And then everything ends when it was to end.
    await pass(HOUR);
    await until(() => onRouter().join() === LONG);
    await pass(HOUR);
    await until(() => onRouter().length === 0);
    expect(await router.login(LONG, long, long)).toEqual(OVER);
  });
});

describe('NTP steps a clock that was wrong', () => {
  it.each([
    ['forward', -3 * HOUR],
    ['back', 3 * HOUR],
  ])('%s: what runs lasts as long as it was sold, by a new end, without a Disconnect', async (_, wrongMs) => {
    await open(wrongMs);
    const { long, short, ends_at } = await twoHoursIn();
    expect(Math.abs(ends_at - (wire.now() + wrongMs + 2 * HOUR))).toBeLessThan(MINUTE);
    wire.wrong.ms = 0;
    wire.synchronized.at = wire.now();
    await pass(0);
    expect(await told()).toMatchObject({ trusted: true });
    expect(await told()).not.toHaveProperty('message');
    expect(await entitlementOf(long)).toMatchObject({ state: 'active', ends_at: expect.any(Number) });
    expect((await entitlementOf(long)).ends_at).toBeGreaterThan(ends_at - wrongMs - MINUTE);
    expect((await entitlementOf(long)).ends_at).toBeLessThan(ends_at - wrongMs + MINUTE);
    // The live session was told its end anew, and it is the one it had.
    expect([received('coa_received'), received('disconnect_received')]).toEqual([1, 0]);
    about(leftOnRouter(LONG), 2);
    about(await logIn(LONG, long), 2);
    expect(await router.login(SHORT, short, short)).toEqual(OVER);
    const audit = await wire.admin('GET', '/audit?entity=clock');
    expect(audit.json.items).toMatchObject([{ action: 'correct', entity_name: 'by a time server' }]);
    await pass(2 * HOUR + 5 * MINUTE);
    await until(() => onRouter().length === 0);
  });

  it('and a router’s clock vouches for the step just as well', async () => {
    await open(-3 * HOUR, true);
    const { long } = await twoHoursIn();
    wire.wrong.ms = 0;
    await checkRouters(wire.jobs);
    await pass(0);
    expect(await told()).not.toHaveProperty('message');
    about(leftOnRouter(LONG), 2);
    about(await logIn(LONG, long), 2);
    const audit = await wire.admin('GET', '/audit?entity=clock');
    expect(audit.json.items).toMatchObject([{ entity_name: 'by the router “Router 127.0.0.1”' }]);
  });
});

describe('a box that comes back from a power cut', () => {
  it.each([
    ['in 1970', () => -wire.now() - 30 * MINUTE, 'was not set'],
    ['a day behind', () => -DAY_MS, 'is behind'],
    ['a month ahead', () => 31 * DAY_MS, '31 days ahead'],
  ])(
    '%s trusts nothing: nothing ends, nothing is granted an end, until the clock is right',
    async (_, wrong, message) => {
      await open();
      const { long, short, ends_at } = await twoHoursIn();
      await wire.restart(30 * MINUTE, wrong());
      await pass(10 * MINUTE);
      expect(await told()).toMatchObject({
        trusted: false,
        message: expect.stringMatching(new RegExp(`${message}.*Nothing expires until it is right`)),
      });
      // The one that runs is accepted; until when, nobody knows yet.
      expect(await logIn(LONG, long)).toBeUndefined();
      expect(await router.login(SHORT, short, short)).toEqual(OVER);
      const fresh = await voucher(1);
      about(await logIn(NEW, fresh), 1);
      expect(await entitlementOf(fresh)).toMatchObject({ state: 'waiting', starts_at: null, ends_at: null });
      // Longer than the first had left: by a clock in doubt nobody is sent away.
      await pass(20 * MINUTE);
      expect(onRouter().sort()).toEqual([LONG, NEW]);
      expect(await entitlementOf(long)).toMatchObject({ state: 'active', ends_at });
      expect(received('disconnect_received')).toBe(0);

      wire.wrong.ms = 0;
      wire.synchronized.at = wire.now();
      await pass(0);
      expect(await told()).toMatchObject({ trusted: true });
      expect(await told()).not.toHaveProperty('message');
      // An hour has gone for the one; the other's time runs from its first moment online, which was 20 minutes ago.
      expect(await entitlementOf(long)).toMatchObject({ state: 'active', ends_at });
      about(leftOnRouter(LONG), 1);
      about(leftOnRouter(NEW), 40 / 60);
      about(await logIn(LONG, long), 1);
      about(await logIn(NEW, fresh), 40 / 60);
      expect(await router.login(SHORT, short, short)).toEqual(OVER);
      expect(received('disconnect_received')).toBe(0);
      await pass(65 * MINUTE);
      await until(() => onRouter().length === 0);
      expect(await router.login(LONG, long, long)).toEqual(OVER);
    },
  );

  it('what is over by the count alone goes on while that is in doubt, and ends when it is known', async () => {
    await open();
    const { long } = await twoHoursIn();
    await wire.restart(0, -DAY_MS);
    await pass(2 * HOUR + 10 * MINUTE);
    expect((await entitlementOf(long)).ends_at).toBeLessThan((await told()).counted_at);
    expect(await logIn(LONG, long)).toBeUndefined();
    expect([onRouter(), received('disconnect_received')]).toEqual([[LONG], 0]);
    wire.wrong.ms = 0;
    await pass(0);
    await until(() => onRouter().length === 0);
    expect(await router.login(LONG, long, long)).toEqual(OVER);
  });

  it('lets a person vouch for the clock, once it can be right', async () => {
    await open();
    const { long } = await twoHoursIn();
    await wire.restart(0, 31 * DAY_MS);
    const { box_at, counted_at } = await told();
    const ahead_ms = box_at - counted_at;
    expect(await wire.admin('POST', '/clock/confirm', { ahead_ms: ahead_ms - HOUR })).toMatchObject({
      status: 409,
    });
    expect((await wire.admin('POST', '/clock/confirm', { ahead_ms })).json).toMatchObject({ trusted: true });
    await settled();
    // They say that it was off for a month: what ran until then is over.
    await pass(0);
    await until(() => onRouter().length === 0);
    expect(await router.login(LONG, long, long)).toEqual(OVER);
  });
});
