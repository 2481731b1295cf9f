// Outages: who gets how much time back, and that nobody gets it twice.
import { beforeEach, expect, it } from 'vitest';
import { recordAccounting } from '../../src/access/accounting.ts';
import {
  endDueEntitlements,
  endEntitlement,
  getEntitlement,
  revokeEntitlement,
  startEntitlement,
} from '../../src/access/entitlements.ts';
import {
  decideOutage,
  extendEntitlements,
  listExtensions,
  listOutages,
  noteOutage,
  noteRouterDown,
  noteRouterUp,
  settleOutages,
  updateOutageSettings,
} from '../../src/access/outages.ts';
import { createKnownTime } from '../../src/db/known-time.ts';
import type { Db } from '../../src/db/schema.ts';
import { watchOutages } from '../../src/jobs/watch-outages.ts';
import { silentLog } from '../../src/log.ts';
import { listAudit } from '../../src/operators/audit.ts';
import { onEveryStore } from '../support/stores.ts';
import { HOUR, NOW, report, someAccess } from './fixtures.ts';

const MINUTE = 60_000;
const ROUTER = { id: 'router-1', name: 'Kiosk', last_seen_at: NOW };

onEveryStore('an outage', (store) => {
  let db: Db;
  beforeEach(() => {
    db = store();
  });

  /** Somebody whose plan of so many hours began so long before the outage. */
  async function guest(hours: number, before: number, online = true) {
    const access = await someAccess(db, { validity_seconds: hours * 3600 });
    await startEntitlement(db, access.entitlement.id, NOW - before);
    if (online) {
      const session = { username: access.credential.username, acct_session_id: access.entitlement.id };
      await recordAccounting(db, [report({ ...session, at: NOW - before })], NOW - before);
      await recordAccounting(
        db,
        [report({ ...session, kind: 'interim', session_seconds: 60, at: NOW - MINUTE })],
        NOW,
      );
    }
    return access.entitlement.id;
  }
  const endOf = async (id: string) => (await getEntitlement(db, id)).ends_at;
  const waiting = async () => (await listOutages(db, {}, 'waiting')).items;
  async function approve(now: number) {
    const [outage] = await waiting();
    const id = outage?.id ?? '';
    await db.transaction().execute((tx) => decideOutage(tx, id, 'approved', 'owner@example.com', now));
    while ((await extendEntitlements(db, id, now)) > 0);
    return id;
  }
  const boxOff = (to_at = NOW + 2 * HOUR) => noteOutage(db, { kind: 'box', from_at: NOW, to_at }, to_at);

  it('of the box gives everybody who had a plan running the time back that they lost, and no other', async () => {
    const day = await guest(24, HOUR, false);
    const ends = await guest(2, HOUR);
    const over = await guest(1, 2 * HOUR);
    const later = await guest(1, -3 * HOUR, false);
    const waits = (await someAccess(db)).entitlement.id;
    await boxOff();
    await boxOff();
    expect(await settleOutages(db, 10 * MINUTE)).toHaveLength(1);
    const now = NOW + 2 * HOUR + MINUTE;
    await endDueEntitlements(db, now);
    expect(await waiting()).toMatchObject([{ affected: 2, extension_ms: 2 * HOUR }]);
    await db.deleteFrom('tasks').execute();
    const id = await approve(now);

    expect(await endOf(day)).toBe(NOW + 25 * HOUR);
    // It lost its last hour, and runs for it from now on.
    expect(await getEntitlement(db, ends)).toMatchObject({
      state: 'active',
      ends_at: now + HOUR,
      ended_at: null,
    });
    expect(await getEntitlement(db, over)).toMatchObject({ state: 'ended' });
    expect(await endOf(later)).toBe(NOW + 4 * HOUR);
    expect(await getEntitlement(db, waits)).toMatchObject({ state: 'waiting' });
    expect((await listExtensions(db, {}, { entitlement_id: day })).items).toMatchObject([
      {
        outage_id: id,
        extended_ms: 2 * HOUR,
        ends_at_before: NOW + 23 * HOUR,
        ends_at_after: NOW + 25 * HOUR,
      },
    ]);
    expect((await listOutages(db, {})).items).toMatchObject([
      { state: 'approved', extended: 2, affected: 0, done_at: now, decided_by: 'owner@example.com' },
    ]);
    const kinds = await db.selectFrom('tasks').select(['kind', 'payload']).orderBy('kind').execute();
    expect(kinds.map((task) => task.kind)).toEqual(['enforce', 'enforce', 'extend_entitlements']);
  });

  it('is decided once, and given once, however often it is tried', async () => {
    const id = await guest(24, HOUR);
    await boxOff();
    await settleOutages(db, 10 * MINUTE);
    const outage = await approve(NOW + 3 * HOUR);
    const decide = (decision: 'approved' | 'dismissed') =>
      db.transaction().execute((tx) => decideOutage(tx, outage, decision, 'x', NOW));
    await expect(decide('approved')).rejects.toThrow('approved already');
    await expect(decide('dismissed')).rejects.toThrow('approved already');
    // As if the power had gone before the end was written down.
    await db.updateTable('outages').set({ done_at: null }).execute();
    while ((await extendEntitlements(db, outage, NOW + 4 * HOUR)) > 0);
    expect(await endOf(id)).toBe(NOW + 25 * HOUR);
    await boxOff();
    expect(await settleOutages(db, 10 * MINUTE)).toEqual([]);
  });

  it('gives no more than the policy’s most, and none that is too short counts', async () => {
    const id = await guest(24, HOUR);
    await updateOutageSettings(db, { maximum_seconds: 1800 }, NOW);
    await boxOff();
    await settleOutages(db, 10 * MINUTE);
    expect(await waiting()).toMatchObject([{ extension_ms: 30 * MINUTE }]);
    await approve(NOW + 3 * HOUR);
    expect(await endOf(id)).toBe(NOW + 23.5 * HOUR);
    await noteOutage(db, { kind: 'box', from_at: NOW + 5 * HOUR, to_at: NOW + 5 * HOUR + 9 * MINUTE }, NOW);
    expect(await settleOutages(db, 10 * MINUTE)).toEqual([]);
    expect((await listOutages(db, {})).items).toHaveLength(1);
  });

  it('of a router is for who was online there, from its last contact to the next', async () => {
    const there = await guest(24, HOUR);
    const elsewhere = await guest(24, HOUR, false);
    const outside = await guest(24, HOUR, false);
    const at = NOW - HOUR;
    const { username } = await db
      .selectFrom('credentials as c')
      .innerJoin('entitlements as e', 'e.credential_id', 'c.id')
      .select('c.username')
      .where('e.id', '=', elsewhere)
      .executeTakeFirstOrThrow();
    await recordAccounting(db, [report({ username, router_id: 'router-2', acct_session_id: 'x', at })], at);
    await noteRouterDown(db, ROUTER, NOW + MINUTE);
    await noteRouterDown(db, ROUTER, NOW + 2 * MINUTE);
    expect(await settleOutages(db, 10 * MINUTE)).toEqual([]);
    await noteRouterUp(db, ROUTER.id, NOW + HOUR);
    await noteRouterUp(db, ROUTER.id, NOW + 2 * HOUR);
    await settleOutages(db, 10 * MINUTE);
    expect(await waiting()).toMatchObject([
      { kind: 'router', router_name: 'Kiosk', from_at: NOW, to_at: NOW + HOUR, affected: 1 },
    ]);
    await approve(NOW + HOUR);
    expect(await endOf(there)).toBe(NOW + 24 * HOUR);
    expect(await endOf(elsewhere)).toBe(NOW + 23 * HOUR);
    expect(await endOf(outside)).toBe(NOW + 23 * HOUR);
  });

  it('of a router beside one of the box counts what both were down for once', async () => {
    const id = await guest(24, HOUR);
    await boxOff(NOW + HOUR);
    await noteRouterDown(db, ROUTER, NOW + HOUR + MINUTE);
    await noteRouterUp(db, ROUTER.id, NOW + 2 * HOUR);
    await settleOutages(db, 10 * MINUTE);
    expect((await waiting()).map((outage) => [outage.kind, outage.from_at]).toSorted()).toEqual([
      ['box', NOW],
      ['router', NOW + HOUR],
    ]);
    await noteOutage(
      db,
      { kind: 'router', router: ROUTER, from_at: NOW + 5 * MINUTE, to_at: NOW + 3 * HOUR },
      NOW,
    );
    await settleOutages(db, 10 * MINUTE);
    while ((await waiting()).length > 0) await approve(NOW + 3 * HOUR);
    expect(await endOf(id)).toBe(NOW + 23 * HOUR + 3 * HOUR);
  });

  /** The one router outage that waits, from `from_at` on. */
  async function routerDown(from_at: number, hours = 1) {
    await noteOutage(db, { kind: 'router', router: ROUTER, from_at, to_at: from_at + hours * HOUR }, from_at);
    await settleOutages(db, 10 * MINUTE);
    return (await waiting())[0];
  }
  /** Approves whatever waits, the oldest note first. */
  async function approveAll(now: number) {
    while ((await waiting()).length > 0) await approve(now);
  }

  it('of a router that was never seen is none', async () => {
    await noteRouterDown(db, { ...ROUTER, last_seen_at: null }, NOW);
    expect((await listOutages(db, {})).items).toEqual([]);
  });

  it('of a router begins with its last contact, or where the last outage of the box ended after that', async () => {
    const since = async () =>
      (await listOutages(db, {})).items.find((outage) => outage.router_id === ROUTER.id)?.from_at;
    await noteOutage(db, { kind: 'box', from_at: NOW - 3 * HOUR, to_at: NOW - HOUR }, NOW);
    const another = { ...ROUTER, id: 'router-2' };
    await noteOutage(db, { kind: 'router', router: another, from_at: NOW, to_at: NOW + 3 * HOUR }, NOW);
    await noteRouterDown(db, ROUTER, NOW + 4 * HOUR);
    expect(await since()).toBe(NOW);
    await db.deleteFrom('outages').where('router_id', '=', ROUTER.id).execute();
    await noteOutage(db, { kind: 'box', from_at: NOW, to_at: NOW + HOUR }, NOW);
    await noteOutage(db, { kind: 'box', from_at: NOW + 2 * HOUR, to_at: NOW + 3 * HOUR }, NOW);
    await noteRouterDown(db, ROUTER, NOW + 4 * HOUR);
    expect(await since()).toBe(NOW + 3 * HOUR);
  });

  it('of a router is over when that one is heard of, not another', async () => {
    await noteRouterDown(db, ROUTER, NOW);
    await noteRouterDown(db, { ...ROUTER, id: 'router-2' }, NOW);
    await noteRouterUp(db, ROUTER.id, NOW + HOUR);
    const ends = (await listOutages(db, {})).items.map((outage) => [outage.router_id, outage.to_at]);
    expect(ends.sort()).toEqual([
      [ROUTER.id, NOW + HOUR],
      ['router-2', null],
    ]);
  });

  it('counts from the shortest that the policy names; one that waits stays, however the policy changes', async () => {
    await boxOff(NOW + 10 * MINUTE);
    expect(await settleOutages(db, 10 * MINUTE)).toHaveLength(1);
    expect(await settleOutages(db, HOUR)).toEqual([]);
    expect(await waiting()).toHaveLength(1);
  });

  it('of a router is for who was live there when it began, by what the router last reported', async () => {
    const told = (id: string, username: string, at: number, change = {}) =>
      recordAccounting(
        db,
        [report({ username, acct_session_id: id, kind: 'interim', session_seconds: 60, at, ...change })],
        at,
      );
    const live = async (last: number, change = {}) => {
      const access = await someAccess(db, { validity_seconds: 86_400 });
      await startEntitlement(db, access.entitlement.id, NOW - HOUR);
      await told(access.entitlement.id, access.credential.username, NOW + last, change);
      return access;
    };
    const there = await live(-10 * MINUTE);
    await live(-10 * MINUTE - 1);
    await live(-MINUTE, { router_id: 'router-2' });
    // It came after the router was last heard of.
    await live(5 * MINUTE);
    // The same person is online there with another credential, whose plan is not this one.
    const other = await live(-HOUR);
    const { credential } = await live(-MINUTE);
    await db
      .updateTable('sessions')
      .set({ subscriber_id: other.subscriber.id })
      .where('credential_id', '=', credential.id)
      .execute();
    expect(await routerDown(NOW)).toMatchObject({ affected: 1 });
    await approve(NOW + HOUR);
    expect(await endOf(there.entitlement.id)).toBe(NOW + 24 * HOUR);
  });

  it('of a router behind one of the box is for who was live when the box went', async () => {
    const id = await guest(24, HOUR);
    await boxOff(NOW + 2 * HOUR);
    await routerDown(NOW + 2 * HOUR);
    const both = (await waiting()).map((outage) => [outage.kind, outage.affected]);
    expect(both.sort()).toEqual([
      ['box', 1],
      ['router', 1],
    ]);
    await approveAll(NOW + 3 * HOUR);
    expect(await endOf(id)).toBe(NOW + 26 * HOUR);
  });

  it('touches none that ended as it began or started as it was over, and of one that started in it the rest', async () => {
    await guest(1, HOUR, false);
    await guest(1, -2 * HOUR, false);
    const inside = await guest(24, -90 * MINUTE, false);
    await boxOff();
    await settleOutages(db, 10 * MINUTE);
    expect(await waiting()).toMatchObject([{ affected: 1 }]);
    await approve(NOW + 3 * HOUR);
    expect(await endOf(inside)).toBe(NOW + 90 * MINUTE + 24 * HOUR + 30 * MINUTE);
  });

  it('brings nothing back that was used up or taken back, or that another plan followed', async () => {
    const used = await guest(2, HOUR);
    const revoked = await guest(2, HOUR);
    const followed = await someAccess(db, { validity_seconds: 7200 });
    await startEntitlement(db, followed.entitlement.id, NOW - HOUR);
    await endEntitlement(db, used, 'quota_used', NOW - 1);
    await revokeEntitlement(db, revoked, 'test', NOW - 1);
    await endEntitlement(db, followed.entitlement.id, 'expired', NOW + HOUR);
    await startEntitlement(db, (await followed.grant()).id, NOW + 2 * HOUR);
    await boxOff();
    await settleOutages(db, 10 * MINUTE);
    expect(await waiting()).toMatchObject([{ affected: 0 }]);
    await approve(NOW + 3 * HOUR);
    const states = [used, revoked, followed.entitlement.id].map((id) => getEntitlement(db, id));
    expect((await Promise.all(states)).map((one) => one.state)).toEqual(['ended', 'revoked', 'ended']);
  });

  it('brings none to life of which a report after its end used up the rest', async () => {
    const id = await guest(1, 0);
    const used = { quota_octets: 1000, used_upload_octets: 1000 };
    await db.updateTable('entitlements').set(used).where('id', '=', id).execute();
    await endEntitlement(db, id, 'expired', NOW + HOUR);
    await boxOff();
    await settleOutages(db, 10 * MINUTE);
    await approve(NOW + 3 * HOUR);
    expect(await getEntitlement(db, id)).toMatchObject({ state: 'ended', ends_at: NOW + HOUR });
  });

  it.each([true, false])(
    'gives what it took back from now on to a plan that ran out in it (ended by then: %s)',
    async (ended) => {
      const id = await guest(2, HOUR);
      await boxOff();
      await settleOutages(db, 10 * MINUTE);
      const now = NOW + 2 * HOUR + MINUTE;
      if (ended) await endDueEntitlements(db, now);
      await approve(now);
      expect(await getEntitlement(db, id)).toMatchObject({ state: 'active', ends_at: now + HOUR });
    },
  );

  it('that is dismissed, or not decided, gives nothing; one that is done gives nothing more', async () => {
    const id = await guest(24, HOUR);
    await boxOff();
    await settleOutages(db, 10 * MINUTE);
    const [outage] = await waiting();
    const extend = () => extendEntitlements(db, outage?.id ?? '', NOW + 3 * HOUR);
    expect(await extend()).toBe(0);
    await db.transaction().execute((tx) => decideOutage(tx, outage?.id ?? '', 'dismissed', 'x', NOW));
    expect(await extend()).toBe(0);
    expect(await endOf(id)).toBe(NOW + 23 * HOUR);
    expect(await db.selectFrom('tasks').selectAll().execute()).toEqual([]);

    await db
      .updateTable('outages')
      .set({ state: 'approved', done_at: NOW + 2 * HOUR })
      .execute();
    expect(await extend()).toBe(0);
    expect(await endOf(id)).toBe(NOW + 23 * HOUR);
  });

  it('keeps the most that was the policy’s when it was decided', async () => {
    const id = await guest(24, HOUR);
    await updateOutageSettings(db, { maximum_seconds: 1800 }, NOW);
    await boxOff();
    await settleOutages(db, 10 * MINUTE);
    const [outage] = await waiting();
    await db.transaction().execute((tx) => decideOutage(tx, outage?.id ?? '', 'approved', 'x', NOW));
    await updateOutageSettings(db, { maximum_seconds: 7200 }, NOW);
    while ((await extendEntitlements(db, outage?.id ?? '', NOW + 3 * HOUR)) > 0);
    expect(await endOf(id)).toBe(NOW + 23.5 * HOUR);
    expect((await listOutages(db, {})).items).toMatchObject([{ extension_ms: 30 * MINUTE }]);
  });

  it('is given once by nodes that do it at the same moment', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.push(await guest(24, HOUR, false));
    await boxOff();
    await settleOutages(db, 10 * MINUTE);
    const [outage] = await waiting();
    await db.transaction().execute((tx) => decideOutage(tx, outage?.id ?? '', 'approved', 'x', NOW));
    const extend = () => extendEntitlements(db, outage?.id ?? '', NOW + 3 * HOUR);
    await Promise.all([extend(), extend(), extend()]);
    for (const id of ids) expect(await endOf(id)).toBe(NOW + 25 * HOUR);
    expect((await listOutages(db, {})).items).toMatchObject([{ extended: 5 }]);
  });

  it.each<[string, [number, number][], number]>([
    [
      'one after the other',
      [
        [0, 1],
        [2, 4],
      ],
      3,
    ],
    [
      'a later one first',
      [
        [5, 6],
        [1, 2],
      ],
      2,
    ],
    [
      'one inside another, then one over both',
      [
        [0, 4],
        [1, 2],
        [0.5, 5],
      ],
      5,
    ],
    [
      'one inside a longer one, with another behind',
      [
        [0, 4],
        [5, 6],
        [1, 2],
      ],
      5,
    ],
    [
      'the parts first, then all of it',
      [
        [1, 2],
        [3, 4],
        [0, 5],
      ],
      5,
    ],
  ])('beside others counts each lost hour once: %s', async (_, spans, lost) => {
    const id = await guest(24, HOUR);
    for (const [from, to] of spans) {
      await noteOutage(db, { kind: 'box', from_at: NOW + from * HOUR, to_at: NOW + to * HOUR }, NOW);
      await settleOutages(db, 10 * MINUTE);
      await approve(NOW + 7 * HOUR);
    }
    expect(await endOf(id)).toBe(NOW + (23 + lost) * HOUR);
  });

  it('of which all was given back already brings nothing to life, and is not listed', async () => {
    const id = await guest(3, HOUR);
    const now = NOW + 30 * HOUR;
    await boxOff(NOW + HOUR);
    await settleOutages(db, 10 * MINUTE);
    await approve(NOW + HOUR);
    expect(await endOf(id)).toBe(NOW + 3 * HOUR);
    await endDueEntitlements(db, now);
    await db.deleteFrom('tasks').execute();
    await noteOutage(db, { kind: 'box', from_at: NOW + MINUTE, to_at: NOW + HOUR }, now);
    await settleOutages(db, 10 * MINUTE);
    await approve(now);
    expect(await getEntitlement(db, id)).toMatchObject({ state: 'ended', ends_at: NOW + 3 * HOUR });
    expect((await listExtensions(db, {}, { entitlement_id: id })).items).toHaveLength(1);
    const kinds = await db.selectFrom('tasks').select('kind').execute();
    expect(kinds).toEqual([{ kind: 'extend_entitlements' }]);
  });

  it('is extended by itself where the policy says so, with one audit entry, and noted not at all where it is off', async () => {
    const id = await guest(24, HOUR);
    let at = NOW;
    const system = { now: () => at, monotonic: () => at };
    await createKnownTime(db, system).remember();
    at = NOW + 2 * HOUR;
    const knownTime = createKnownTime(db, system);
    await knownTime.load();
    const ctx = { db, clock: knownTime.clock, knownTime, log: silentLog, kick: () => undefined };
    await updateOutageSettings(db, { mode: 'off' }, NOW);
    await watchOutages(ctx);
    expect((await listOutages(db, {})).items).toEqual([]);
    await updateOutageSettings(db, { mode: 'automatic' }, NOW);
    await watchOutages(ctx);
    await watchOutages(ctx);
    const [outage] = (await listOutages(db, {}, 'approved')).items;
    expect(outage).toMatchObject({ kind: 'box', from_at: NOW, to_at: at, decided_by: 'outage policy' });
    while ((await extendEntitlements(db, outage?.id ?? '', at)) > 0);
    expect(await endOf(id)).toBe(NOW + 25 * HOUR);
    expect((await listAudit(db, {})).items).toMatchObject([{ actor: 'outage policy', action: 'approve' }]);
  });
});
