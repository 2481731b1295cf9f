// Live sessions made to match what was sold, as the router's CoA door sees it.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { recordAccounting } from '../../src/access/accounting.ts';
import { endEntitlement, startEntitlement } from '../../src/access/entitlements.ts';
import { followPlan } from '../../src/access/follow-plan.ts';
import { type PlanInput, updatePlan } from '../../src/access/plans.ts';
import { getSession, openSessions } from '../../src/access/sessions.ts';
import type { Db } from '../../src/db/schema.ts';
import type { JobContext } from '../../src/jobs/context.ts';
import { endHours } from '../../src/jobs/end-hours.ts';
import { type EnforceContext, endSession, enforceCredential } from '../../src/network/enforce.ts';
import { createRouter } from '../../src/network/routers.ts';
import { getInteger, getString } from '../../src/protocols/radius/attributes.ts';
import { Code, type Packet } from '../../src/protocols/radius/packet.ts';
import { HOUR, NOW, report, someAccess, vault } from '../access/fixtures.ts';
import { memoryStore } from '../support/stores.ts';
import { type CoaPeer, openCoaPeer } from './coa-peer.ts';

let db: Db;
let peer: CoaPeer;
let context: EnforceContext;
let routerId: string;
const time = { now: NOW };

beforeEach(async () => {
  time.now = NOW;
  db = await memoryStore();
  peer = await openCoaPeer();
  const clock = { now: () => time.now, monotonic: () => time.now };
  context = { db, vault, clock, clockTrusted: () => true };
  const { router } = await createRouter(
    db,
    vault,
    {
      name: 'Kiosk',
      address: '127.0.0.1',
      radius_secret: 'radius-secret',
      message_authenticator: 'auto',
      coa_port: peer.port,
      api_port: 8728,
      api_tls: 0,
      api_username: null,
      hotspot_host: null,
      hotspot_interface: 'bridge',
      hotspot_network: '10.5.48.0/22',
    },
    NOW,
  );
  routerId = router.id;
});
afterEach(async () => {
  await peer.close();
  await db.destroy();
});

/** A guest online under a plan with these terms; `used` reports the octets of the session so far. */
async function guestOnline(terms: Partial<PlanInput>) {
  const access = await someAccess(db, terms);
  await startEntitlement(db, access.entitlement.id, time.now);
  const message = (mac = 'AA:BB:CC:00:00:01') => ({
    username: access.credential.username,
    router_id: routerId,
    mac,
    acct_session_id: `s${mac.slice(-2)}`,
    reference: {
      credential_id: access.credential.id,
      entitlement_id: access.entitlement.id,
      accept_id: mac,
    },
    at: time.now,
  });
  await recordAccounting(db, [report(message())], time.now);
  const used = (upload_octets: number, download_octets: number) =>
    recordAccounting(
      db,
      [report({ ...message(), kind: 'interim', upload_octets, download_octets })],
      time.now,
    );
  return { ...access, message, used };
}

async function enforceTasks() {
  const tasks = await db.selectFrom('tasks').selectAll().where('kind', '=', 'enforce').execute();
  return tasks.map((task) => JSON.parse(task.payload));
}

const FAIR_USE = { fair_use_rate_down_kbps: 1000, fair_use_rate_up_kbps: 512 };

it('a session that crosses its quota goes on at the fair-use rate, by one CoA', async () => {
  const { credential, used } = await guestOnline({ quota_octets: 1000, ...FAIR_USE });
  await used(400, 599);
  expect(await enforceTasks()).toEqual([]);
  await used(400, 600);
  await used(800, 900);
  const tasks = await enforceTasks();
  expect(tasks).toEqual([{ credential_id: credential.id, reason: 'fair_use' }]);
  expect(await enforceCredential(context, credential.id, 'fair_use')).toMatchObject({ complete: true });
  expect(peer.asked.map((packet) => [packet.code, getString(packet, 'Mikrotik-Rate-Limit')])).toEqual([
    [Code.CoaRequest, '512k/1M'],
  ]);
});

it.each([
  [{ upload_quota_octets: 1000 }, [1000, 0]],
  [{ download_quota_octets: 1000 }, [0, 1000]],
] as const)('with %j it slows down as well', async (quota, [upload, download]) => {
  const { used } = await guestOnline({ ...quota, ...FAIR_USE });
  await used(upload - 1 < 0 ? 5000 : upload - 1, download - 1 < 0 ? 5000 : download - 1);
  expect(await enforceTasks()).toEqual([]);
  await used(upload || 5000, download || 5000);
  expect(await enforceTasks()).toMatchObject([{ reason: 'fair_use' }]);
});

it('a change that reaches the router after a newer one is followed by the newer one again', async () => {
  const { plan, credential } = await guestOnline({});
  const sell = (rate_down_kbps: number) =>
    db.transaction().execute(async (tx) => {
      await followPlan(tx, plan, await updatePlan(tx, plan.id, { rate_down_kbps }, time.now), time.now);
    });
  const follow = () => enforceCredential(context, credential.id, 'plan_changed');
  await sell(3000);
  // Lost on its way, and sent again a second later.
  peer.answers = false;
  const first = follow();
  while (peer.asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  peer.answers = true;
  await sell(4000);
  expect(await follow()).toMatchObject({ complete: true });
  expect(await first).toMatchObject({ complete: false });
  expect(await follow()).toMatchObject({ complete: true });
  const rates = peer.asked.map((packet) => getString(packet, 'Mikrotik-Rate-Limit'));
  expect(rates).toEqual(['2M/3M', '2M/4M', '2M/3M', '2M/4M']);
});

it('a router that refuses the fair-use rate is asked again', async () => {
  const { credential, used } = await guestOnline({ quota_octets: 1000, ...FAIR_USE });
  await used(0, 1000);
  peer.agrees = false;
  expect(await enforceCredential(context, credential.id, 'fair_use')).toMatchObject({ complete: false });
});

it('a router that refuses the fair-use rate when the faster plan is over is asked again', async () => {
  const { credential, used, grant } = await guestOnline({ ...FAIR_USE, quota_octets: 1000 });
  await used(0, 1000);
  await startEntitlement(db, (await grant()).id, NOW);
  const running = await db.selectFrom('entitlements').selectAll().execute();
  const fast = running.find((one) => one.overtakes === 1);
  await db
    .updateTable('sessions')
    .set({ entitlement_id: fast?.id ?? null })
    .execute();
  await endEntitlement(db, fast?.id ?? '', 'expired', NOW);
  peer.agrees = false;
  expect(await enforceCredential(context, credential.id, 'expired')).toMatchObject({ complete: false });
  peer.agrees = true;
  expect(await enforceCredential(context, credential.id, 'expired')).toMatchObject({ complete: true });
});

it('a plan without a limit of speed that overtakes one that is slow takes the fair-use rate back', async () => {
  const terms = { rate_up_kbps: null, rate_down_kbps: null };
  const { credential, used, grant } = await guestOnline({ ...FAIR_USE, ...terms, quota_octets: 1000 });
  await used(0, 1000);
  await grant();
  await enforceCredential(context, credential.id, 'extended');
  expect(peer.asked.map((packet) => getString(packet, 'Mikrotik-Rate-Limit'))).toEqual(['0/0']);
});

it('a home with an address of its own goes on when the next plan has another pool, which it does not use', async () => {
  const { credential, entitlement, grant } = await guestOnline({});
  const next = await grant();
  await db.updateTable('entitlements').set({ address_pool: 'fast' }).where('id', '=', next.id).execute();
  await db.updateTable('credentials').set({ kind: 'pppoe', static_address: '10.9.0.7' }).execute();
  await endEntitlement(db, entitlement.id, 'expired', NOW);
  await enforceCredential(context, credential.id, 'expired');
  expect(peer.asked.map((packet) => packet.code)).toEqual([Code.CoaRequest]);
});

it('a router that refuses the speed and the data of the plan that took over is asked again until it agrees', async () => {
  const { credential, entitlement, grant } = await guestOnline({});
  const next = await grant();
  const terms = { rate_up_kbps: 300, rate_down_kbps: 700, upload_quota_octets: 5000 };
  await db.updateTable('entitlements').set(terms).where('id', '=', next.id).execute();
  await startEntitlement(db, next.id, NOW);
  await endEntitlement(db, entitlement.id, 'expired', NOW);
  peer.agrees = false;
  for (let time = 0; time < 3; time++) {
    expect(await enforceCredential(context, credential.id, 'expired')).toMatchObject({ complete: false });
    const asked = peer.asked.pop() as Packet;
    expect(getString(asked, 'Mikrotik-Rate-Limit')).toBe('300k/700k');
    expect(getInteger(asked, 'Mikrotik-Recv-Limit')).toBe(5000);
  }
  // What only sees an end coming leaves that to the others.
  expect(await enforceCredential(context, credential.id, 'rolling_over')).toMatchObject({ complete: true });
  peer.agrees = true;
  expect(await enforceCredential(context, credential.id, 'expired')).toMatchObject({ complete: true });
});

it.each(['extended', 'clock_corrected', 'heard_late'])(
  'a router that refuses an end that was %s is asked again',
  async (reason) => {
    const { credential } = await guestOnline({});
    peer.agrees = false;
    expect(await enforceCredential(context, credential.id, reason)).toMatchObject({ complete: false });
    peer.agrees = true;
    expect(await enforceCredential(context, credential.id, reason)).toMatchObject({ complete: true });
    // Another change is not worth asking twice.
    peer.agrees = false;
    expect(await enforceCredential(context, credential.id, 'plan_changed')).toMatchObject({ complete: true });
  },
);

it('without a fair-use rate the quota of one direction is the end', async () => {
  const { credential, used } = await guestOnline({ upload_quota_octets: 1000 });
  await used(1000, 0);
  expect(await enforceTasks()).toEqual([{ credential_id: credential.id, reason: 'quota_used' }]);
  await enforceCredential(context, credential.id, 'quota_used');
  expect(peer.asked.map((packet) => packet.code)).toEqual([Code.DisconnectRequest]);
});

// NOW is 11:00 in Nairobi.
const MORNING = { hours_from_minute: 8 * 60, hours_to_minute: 12 * 60, validity_seconds: 86_400 };

it('a session that outlives the hours of its plan is ended by the job, once told', async () => {
  const { credential } = await guestOnline(MORNING);
  let trusted = true;
  const job = {
    db,
    clock: context.clock,
    knownTime: { trusted: () => trusted } as JobContext['knownTime'],
    kick: () => undefined,
  };
  time.now = NOW + HOUR - 1;
  await endHours(job);
  // The router has a moment to do it by itself.
  time.now = NOW + HOUR + 5000;
  await endHours(job);
  trusted = false;
  time.now = NOW + HOUR + 60_000;
  await endHours(job);
  expect(await enforceTasks()).toEqual([]);
  trusted = true;
  await endHours(job);
  expect(await enforceTasks()).toEqual([{ credential_id: credential.id, reason: 'outside_hours' }]);
  expect(await enforceCredential(context, credential.id, 'outside_hours')).toMatchObject({ complete: true });
  expect(peer.asked.map((packet) => packet.code)).toEqual([Code.DisconnectRequest]);
  time.now += 60_000;
  await endHours(job);
  expect(await enforceTasks()).toHaveLength(1);
});

it('a change between two reports counts the online time since the last one', async () => {
  const { credential, message } = await guestOnline({ validity_seconds: 86_400, online_seconds: 3600 });
  const told = async (seconds: number) => {
    time.now = NOW + seconds * 1000;
    const { at, ...rest } = message();
    const interim = report({ ...rest, kind: 'interim', session_seconds: seconds, at });
    await recordAccounting(db, [interim], time.now);
  };
  const end = async (seconds: number) => {
    time.now = NOW + seconds * 1000;
    peer.asked.length = 0;
    await enforceCredential(context, credential.id, 'plan_changed');
    expect(peer.asked.map((packet) => packet.code)).toEqual([Code.CoaRequest]);
    return getInteger(peer.asked[0] as Packet, 'Session-Timeout');
  };
  await told(600);
  expect(await end(600)).toBe(3600);
  expect(await end(640)).toBe(3600);
  // What is used up without a report is for the router to end: a session that is gone has not used it.
  await told(3590);
  expect(await end(3650)).toBe(3651);
  context.clockTrusted = () => false;
  expect(await end(3650)).toBe(3660);
});

it('a change counts no online time from before the plan began', async () => {
  const { credential, entitlement, grant, message } = await guestOnline({ online_seconds: 3600 });
  await grant();
  await recordAccounting(db, [report({ ...message(), kind: 'interim', session_seconds: 0 })], NOW);
  // It goes over half a minute after its last report.
  time.now = NOW + 30_000;
  await endEntitlement(db, entitlement.id, 'expired', time.now);
  await enforceCredential(context, credential.id, 'expired');
  time.now = NOW + 40_000;
  await enforceCredential(context, credential.id, 'plan_changed');
  expect(peer.asked.map((packet) => getInteger(packet, 'Session-Timeout'))).toEqual([3630, 3630]);
});

it('a change counts what another session of the device has told of the same time once', async () => {
  const { credential, message } = await guestOnline({ online_seconds: 3600 });
  const walked = { ...message(), acct_session_id: 'walked', nas_port_id: 'there' };
  walked.reference = { ...walked.reference, accept_id: 'there' };
  await recordAccounting(db, [report({ ...walked, router_id: 'there' })], NOW);
  time.now = NOW + 10_000;
  const stop = { ...walked, router_id: 'there', kind: 'stop' as const, session_seconds: 10, at: time.now };
  await recordAccounting(db, [report(stop)], time.now);
  time.now = NOW + 30_000;
  await enforceCredential(context, credential.id, 'plan_changed');
  expect(peer.asked.map((packet) => getInteger(packet, 'Session-Timeout'))).toEqual([3600]);
});

it('one session is ended by itself, and one that is over is left alone', async () => {
  const { credential, message } = await guestOnline({ max_devices: 2 });
  await recordAccounting(db, [report(message('AA:BB:CC:00:00:02'))], NOW);
  const open = await openSessions(db, credential.id);
  const second = open.find((session) => session.mac === 'AA:BB:CC:00:00:02');
  const first = open.find((session) => session !== second);
  expect(await endSession(context, first?.id as string, 'replaced_by_device')).toMatchObject({
    complete: true,
  });
  expect(peer.asked.map((packet) => getString(packet, 'Acct-Session-Id'))).toEqual([first?.acct_session_id]);
  expect(await getSession(db, second?.id as string)).toMatchObject({ disconnect_state: null });
  peer.agrees = false;
  expect(await endSession(context, second?.id as string, 'replaced_by_device')).toMatchObject({
    complete: false,
  });
  await recordAccounting(db, [report({ ...message('AA:BB:CC:00:00:02'), kind: 'stop' })], NOW);
  const before = peer.asked.length;
  expect(await endSession(context, second?.id as string, 'x')).toMatchObject({ complete: true });
  expect(peer.asked).toHaveLength(before);
});
