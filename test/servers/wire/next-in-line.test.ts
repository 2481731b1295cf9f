// One plan after the other on live sessions: what the next one changes, without a new login.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PlanInput } from '../../../src/access/plans.ts';
import { endEntitlements } from '../../../src/jobs/end-entitlements.ts';
import { rollOver } from '../../../src/jobs/roll-over.ts';
import { sinceMidnight } from '../../../src/lib/days.ts';
import { logInAgain } from '../../../src/network/activate.ts';
import { somePlan, someVouchers } from '../../access/fixtures.ts';
import { openCoaPeer } from '../../network/coa-peer.ts';
import { startWire, until, type Wire } from './fixtures.ts';

type TestRouter = Awaited<ReturnType<Wire['addRouter']>>;
const macOf = (n: number) => `AA:BB:CC:00:03:0${n}`;
const ONLINE = { session: expect.anything() };

let wire: Wire;
beforeEach(async () => {
  wire = await startWire();
});
afterEach(async () => {
  // Nobody is to be asked any more when the routers are switched off.
  await until(() => wire.settled());
  await wire.close();
});

const macsAt = (router: TestRouter) =>
  router
    .sessions()
    .map((session) => session.phone.mac)
    .sort();

/** A guest with a voucher of the first plan, which the first login starts. */
async function guest(change: Partial<PlanInput>) {
  const { codes } = await someVouchers(wire.db, 1, change);
  const code = codes[0] as string;
  const buys = async (next: Partial<PlanInput>) => {
    const { id } = await wire.db
      .selectFrom('credentials')
      .select('id')
      .where('username', '=', code)
      .executeTakeFirstOrThrow();
    const plan = await somePlan(wire.db, { name: 'Next', ...next });
    const body = { credential_id: id, plan_id: plan.id, reason: 'bought at the counter' };
    const { status, json } = await wire.admin('POST', '/entitlements', body);
    expect(status).toBe(201);
    return json.id as string;
  };
  return { code, buys };
}

const entitlement = (id: string) =>
  wire.db.selectFrom('entitlements').selectAll().where('id', '=', id).executeTakeFirstOrThrow();

async function signIn(router: TestRouter, code: string, ...macs: string[]) {
  for (const mac of macs) {
    router.addPhone({ mac });
    expect(await router.login(mac, code, code)).toMatchObject(ONLINE);
    await router.idle();
    // Each is the older one by a second.
    wire.ahead.ms += 1000;
  }
}

describe('a plan for fewer devices that takes over', () => {
  it.each([
    ['refuse', 'the one that came last goes', [macOf(1), macOf(2)]],
    ['replace_oldest', 'the oldest goes', [macOf(2), macOf(3)]],
  ] as const)('keeps as many as it is for: with “%s” %s', async (device_policy, _, stay) => {
    const router = await wire.addRouter('127.0.0.1');
    const { code, buys } = await guest({ max_devices: 3 });
    await signIn(router, code, macOf(1), macOf(2), macOf(3));
    const next = await buys({ max_devices: 2, device_policy });
    wire.ahead.ms += 3600_000;
    await until(async () => (await entitlement(next)).state === 'active');
    await until(() => router.sessions().length === 2);
    expect(macsAt(router)).toEqual([...stay]);
  });
});

describe('a plan whose limit the router keeps', () => {
  const LIMITS: [string, Partial<PlanInput>, (router: TestRouter) => void][] = [
    ['data', { quota_octets: 1_000_000 }, (router) => router.addTraffic(macOf(1), 100_000, 900_001)],
    ['online time', { online_seconds: 600 }, () => {}],
  ];

  it.each(LIMITS)('(%s) is followed by the next one without a new login', async (_, terms, use) => {
    const router = await wire.addRouter('127.0.0.1', { ignoreLimits: false });
    const { code, buys } = await guest({ validity_seconds: 86_400, ...terms });
    await signIn(router, code, macOf(1));
    const next = await buys({ validity_seconds: 86_400 });
    use(router);
    wire.ahead.ms += 600_000;
    router.tick();
    await until(async () => (await entitlement(next)).state === 'active');
    await until(() => macsAt(router).includes(macOf(1)));
    await router.idle();
    await until(async () => {
      const [first, second] = await wire.sessions();
      return first?.state === 'closed' && second?.state === 'open' && second.entitlement_id === next;
    });
  });

  it('is followed without one also where the next plan needs another address', async () => {
    const router = await wire.addRouter('127.0.0.1');
    const { code, buys } = await guest({});
    await signIn(router, code, macOf(1));
    const next = await buys({ address_pool: 'fast', address_list: 'fast' });
    wire.ahead.ms += 3600_000;
    await until(async () => {
      const [first, second] = await wire.sessions();
      return first?.state === 'closed' && second?.state === 'open' && second.entitlement_id === next;
    });
    expect(await entitlement(next)).toMatchObject({ state: 'active' });
    expect((await wire.sessions())[0]).toMatchObject({ disconnect_state: 'ack', terminate_cause: 6 });
  });

  it.each([
    ['ends the session itself, a moment early', false, 1500],
    ['ends the session itself, too late', false, -60_000],
    ['leaves the end to us', true, 0],
  ])(
    'is followed without one also where its hours close and the router %s',
    async (_, ignoreLimits, early) => {
      const fast = { ms: 0 };
      const router = await wire.addRouter('127.0.0.1', { ignoreLimits, now: () => wire.now() + fast.ms });
      const closes = (Math.floor(wire.now() / 60_000) + 2) * 60_000;
      const { code, buys } = await guest({
        ...{ validity_seconds: 7 * 86_400, hours_from_minute: sinceMidnight(closes - 3600_000) / 60_000 },
        hours_to_minute: sinceMidnight(closes) / 60_000,
      });
      await signIn(router, code, macOf(1));
      const next = await buys({ address_pool: 'fast' });
      await until(() => wire.settled());
      wire.ahead.ms += closes - wire.now() - 5000;
      await rollOver(wire.jobs);
      fast.ms = early;
      wire.ahead.ms += 4000;
      router.tick();
      await router.idle();
      wire.ahead.ms += 1000;
      const second = async () => (await wire.sessions()).find((session) => session.entitlement_id === next);
      await until(async () => {
        wire.ahead.ms += 10;
        router.tick();
        await router.idle();
        return (await second())?.state === 'open';
      });
      expect(await entitlement(next)).toMatchObject({ state: 'active' });
      expect(macsAt(router)).toEqual([macOf(1)]);
    },
  );

  it('has no home logged in on the hotspot: it dials again by itself', async () => {
    const router = await wire.addRouter('127.0.0.1', { ignoreLimits: false });
    const ok = async (path: string, body: unknown) =>
      (await wire.admin('POST', path, body)).json as { id: string };
    const plan = await ok('/plans', {
      ...{ name: 'Home', kind: 'pppoe', price_cents: 100, validity_seconds: 3600, max_devices: 1 },
    });
    const { id: subscriber_id } = await ok('/subscribers', { name: 'Mwangi' });
    const credential = await ok('/credentials', { subscriber_id, username: 'home', password: 'siri-kubwa' });
    const grant = { credential_id: credential.id, plan_id: plan.id, reason: 'paid at the office' };
    await ok('/entitlements', grant);
    router.addPhone({ mac: macOf(1) });
    expect(await router.dial(macOf(1), 'home', 'siri-kubwa')).toMatchObject(ONLINE);
    await router.idle();
    const next = await ok('/entitlements', grant);
    wire.ahead.ms += 3600_000;
    router.tick();
    await router.idle();
    await until(async () => (await wire.sessions())[0]?.state === 'closed');
    await endEntitlements(wire.jobs);
    expect(await logInAgain(wire.jobs.enforcement, credential.id)).toBeUndefined();
    expect(router.sessions()).toEqual([]);
    expect((await entitlement(next.id)).state).toBe('waiting');
  });

  it('has nobody pushed out who took the place meanwhile', async () => {
    const router = await wire.addRouter('127.0.0.1', { ignoreLimits: false });
    const next = { validity_seconds: 86_400, device_policy: 'replace_oldest' as const };
    const { code, buys } = await guest({ ...next, quota_octets: 1_000_000 });
    await signIn(router, code, macOf(1));
    const id = await buys(next);
    // The way to the tasks is long: nobody looks before the other device is there.
    await wire.db.updateTable('tasks').set({ state: 'done' }).execute();
    router.addTraffic(macOf(1), 0, 1_000_001);
    router.tick();
    await router.idle();
    const credential = await wire.db
      .selectFrom('credentials')
      .select('id')
      .where('username', '=', code)
      .executeTakeFirstOrThrow();
    await wire.db.updateTable('tasks').set({ state: 'done' }).execute();
    await signIn(router, code, macOf(2));
    expect(await logInAgain(wire.jobs.enforcement, credential.id)).toBeUndefined();
    expect(macsAt(router)).toContain(macOf(2));
    expect((await entitlement(id)).state).toBe('active');
  });

  it('is followed by nothing where the guest left by themselves, or has no other plan', async () => {
    const router = await wire.addRouter('127.0.0.1', { ignoreLimits: false });
    const one = await guest({ validity_seconds: 86_400, quota_octets: 1_000_000 });
    const other = await guest({ validity_seconds: 86_400, quota_octets: 1_000_000 });
    await signIn(router, one.code, macOf(1));
    await signIn(router, other.code, macOf(2));
    const next = await one.buys({ validity_seconds: 86_400 });
    for (const mac of [macOf(1), macOf(2)]) router.addTraffic(mac, 100_000, 900_001);
    router.logout(macOf(1));
    router.tick();
    await router.idle();
    await until(async () => {
      const tasks = await wire.db.selectFrom('tasks').selectAll().where('kind', '=', 'enforce').execute();
      return (
        tasks.filter((task) => task.payload.includes('quota_used') && task.state === 'done').length === 2
      );
    });
    expect(router.sessions()).toEqual([]);
    expect((await entitlement(next)).state).toBe('waiting');
  });
});

describe('a plan that waits', () => {
  it('does not begin for a session that is gone without a word; it does with the next login', async () => {
    const router = await wire.addRouter('127.0.0.1', {}, { api_username: null });
    const { code, buys } = await guest({});
    await signIn(router, code, macOf(1));
    const next = await buys({});
    await until(() => wire.settled());
    router.powerCut();
    wire.ahead.ms += 3600_000;
    const task = () =>
      wire.db
        .selectFrom('tasks')
        .selectAll()
        .where('kind', '=', 'enforce')
        .where('payload', 'like', '%expired%')
        .where('outcome', 'is not', null)
        .executeTakeFirst();
    expect(await until(task)).toMatchObject({ outcome: expect.stringContaining('Not-Found') });
    expect(await entitlement(next)).toMatchObject({ state: 'waiting', starts_at: null });
    wire.ahead.ms += 600_000;
    const before = wire.now();
    await signIn(router, code, macOf(1));
    const begun = await entitlement(next);
    expect(begun).toMatchObject({ state: 'active' });
    expect(begun.starts_at).toBeGreaterThanOrEqual(before);
    wire.ahead.ms += 60_000;
    await wire.db.updateTable('tasks').set({ run_at: 0 }).where('state', '=', 'ready').execute();
  });

  it('begins with the next report of a session whose router changes nothing', async () => {
    const peer = await openCoaPeer();
    peer.agrees = false;
    const router = await wire.addRouter('127.0.0.1', {}, { coa_port: peer.port, api_username: null });
    const { code, buys } = await guest({});
    await signIn(router, code, macOf(1));
    const next = await buys({});
    wire.ahead.ms += 3600_000;
    await until(() => peer.asked.length > 1);
    expect((await entitlement(next)).state).toBe('waiting');
    wire.ahead.ms += 60_000;
    router.tick();
    await router.idle();
    await wire.db.updateTable('tasks').set({ run_at: 0 }).where('state', '=', 'ready').execute();
    await until(async () => (await entitlement(next)).state === 'active');
    await until(async () => (await wire.sessions())[0]?.entitlement_id === next);
    expect(await wire.sessions()).toMatchObject([{ state: 'open', change_state: 'nak' }]);
    peer.agrees = true;
    await until(() => wire.settled());
    await peer.close();
  });
});
