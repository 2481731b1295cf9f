// Accounting as a whole: whatever the network does to the routers' messages, the sums are those of what happened.
import { expect, it } from 'vitest';
import { type AccountingEvent, recordAccounting, type SessionReport } from '../../src/access/accounting.ts';
import { findAccess, getEntitlement, startEntitlement } from '../../src/access/entitlements.ts';
import {
  decideOutage,
  extendEntitlements,
  noteOutage,
  settleOutages,
  updateOutageSettings,
} from '../../src/access/outages.ts';
import {
  closeStaleSessions,
  giveWay,
  recordChange,
  recordDisconnect,
  type Session,
} from '../../src/access/sessions.ts';
import { redeemVoucher } from '../../src/access/vouchers.ts';
import type { Db } from '../../src/db/schema.ts';
import { DAY_MS, dayOf } from '../../src/lib/days.ts';
import { newId } from '../../src/lib/ids.ts';
import { type Chance, chance } from '../protocols/radius/material.ts';
import { onEveryStore } from '../support/stores.ts';
import { HOUR, NOW, report, someAccess, someVouchers, vault } from './fixtures.ts';

const WORD = 2 ** 32;
const MINUTE = 60_000;

type Access = Awaited<ReturnType<typeof someAccess>>;

interface Counters {
  session_seconds: number;
  upload_octets: number;
  download_octets: number;
}

const NOTHING: Counters = { session_seconds: 0, upload_octets: 0, download_octets: 0 };

/** Each counter for itself: the most that was told. */
function most(a: Counters, b: Counters): Counters {
  return {
    session_seconds: Math.max(a.session_seconds, b.session_seconds),
    upload_octets: Math.max(a.upload_octets, b.upload_octets),
    download_octets: Math.max(a.download_octets, b.download_octets),
  };
}

function plus(a: Counters, b: Counters, sign: 1 | -1 = 1): Counters {
  return {
    session_seconds: a.session_seconds + sign * b.session_seconds,
    upload_octets: a.upload_octets + sign * b.upload_octets,
    download_octets: a.download_octets + sign * b.download_octets,
  };
}

function countersOf({ session_seconds, upload_octets, download_octets }: Counters): Counters {
  return { session_seconds, upload_octets, download_octets };
}

function named(access: Access, acceptId: string) {
  return {
    username: access.credential.username,
    reference: {
      credential_id: access.credential.id,
      entitlement_id: access.entitlement.id,
      accept_id: acceptId,
    },
  };
}

async function all(db: Db): Promise<Session[]> {
  return db.selectFrom('sessions').selectAll().orderBy('started_at').orderBy('id').execute();
}

async function usedBy(db: Db, access: Access): Promise<Counters> {
  const { used_seconds, used_upload_octets, used_download_octets } = await getEntitlement(
    db,
    access.entitlement.id,
  );
  return {
    session_seconds: used_seconds,
    upload_octets: used_upload_octets,
    download_octets: used_download_octets,
  };
}

/** What is stored of every entitlement and router, by those two, of all days together; and the days. */
async function rollups(db: Db): Promise<{ used: Record<string, Counters>; days: string[] }> {
  const rows = await db.selectFrom('daily_usage').selectAll().orderBy('day').execute();
  const used: Record<string, Counters> = {};
  for (const row of rows) {
    const key = `${row.entitlement_id} ${row.router_id}`;
    used[key] = plus(used[key] ?? NOTHING, {
      session_seconds: row.online_seconds,
      upload_octets: row.upload_octets,
      download_octets: row.download_octets,
    });
  }
  return { used, days: [...new Set(rows.map((row) => row.day))] };
}

interface Truth {
  /** Different for each session that there was. */
  name: string;
  access: Access;
  router_id: string;
  counters: Counters;
  stopped: boolean;
}

interface Delivery {
  event: AccountingEvent;
  truth: Truth | undefined;
  /** When it reaches us. */
  now: number;
}

/** How the network treats one message: late, more than once, with or without its age. */
function deliver(event: AccountingEvent, truth: Truth | undefined, by: Chance): Delivery[] {
  const copies = by.pick([1, 1, 1, 2, 2, 3]);
  return Array.from({ length: copies }, (_, copy) => {
    const late = by.below(3) === 0 ? by.below(copy === 0 ? 20 : 180) * MINUTE : by.below(300);
    const now = event.at + late;
    // A retransmission says its age in Acct-Delay-Time; what the network itself repeats does not.
    return { event: by.below(2) === 0 ? event : { ...event, at: now }, truth, now };
  });
}

/** Two routers for two days, each rebooted a few times; their session ids begin again with each boot. */
function someHistory(accesses: Access[], by: Chance): { truths: Truth[]; deliveries: Delivery[] } {
  const truths: Truth[] = [];
  const deliveries: Delivery[] = [];
  for (const router_id of ['router-1', 'router-2']) {
    let boot = NOW;
    while (boot < NOW + 2 * DAY_MS) {
      const down = boot + (4 + by.below(20)) * 60 * MINUTE;
      deliveries.push(...deliver({ kind: 'router_restart', router_id, at: boot }, undefined, by));
      for (let count = 0; count < 4; count++) {
        const access = by.pick(accesses);
        const truth: Truth = {
          name: `${router_id} ${boot} ${count}`,
          access,
          router_id,
          counters: NOTHING,
          stopped: false,
        };
        truths.push(truth);
        const startedAt = boot + by.below(120) * MINUTE;
        const message = (kind: SessionReport['kind']): SessionReport => ({
          ...report({ kind, router_id, ...named(access, truth.name), ...truth.counters }),
          acct_session_id: `8010000${count}`,
          nas_port_id: 'bridge',
          mac: `AA:BB:CC:00:00:0${by.below(3)}`,
          at: startedAt + truth.counters.session_seconds * 1000,
          terminate_cause: kind === 'stop' ? 1 : null,
        });
        if (by.below(5) > 0) deliveries.push(...deliver(message('start'), truth, by));
        const interims = by.below(7);
        for (let interim = 1; interim <= interims; interim++) {
          truth.counters = plus(truth.counters, {
            session_seconds: 1 + by.below(600),
            upload_octets: by.below(3) === 0 ? 0 : by.below(2 ** 20),
            download_octets: by.below(2 ** 30) * by.pick([0, 1, 9]),
          });
          // What nothing later tells again must not be lost: the router repeats it until it is acknowledged.
          const lost = interim < interims && by.below(3) === 0;
          if (!lost) deliveries.push(...deliver(message('interim'), truth, by));
        }
        truth.stopped = by.below(4) > 0;
        if (truth.stopped) {
          truth.counters = plus(truth.counters, {
            session_seconds: by.below(600),
            upload_octets: by.below(WORD),
            download_octets: by.below(5),
          });
          deliveries.push(...deliver(message('stop'), truth, by));
        }
      }
      boot = down;
    }
  }
  return { truths, deliveries: deliveries.sort((a, b) => a.now - b.now) };
}

onEveryStore('a history of sessions', (store, kind) => {
  const seeds = kind === 'pglite' ? [1, 2] : [1, 2, 3, 4, 5, 6, 7, 8];
  it.each(seeds)(
    'of seed %i comes out exact, whatever is lost, repeated, late or out of order',
    async (seed) => {
      const by = chance(seed * 7919);
      const accesses: Access[] = [];
      for (let count = 0; count < 3; count++) {
        accesses.push(await someAccess(store(), { max_devices: 9, validity_seconds: 90 * 86_400 }));
      }
      const { truths, deliveries } = someHistory(accesses, by);
      const told = new Map<Truth, Counters>();
      const used: Record<string, Counters> = {};
      for (let at = 0; at < deliveries.length; ) {
        const batch = deliveries.slice(at, at + 1 + by.below(30));
        at += batch.length;
        const now = batch.at(-1)?.now ?? NOW;
        for (const { event, truth } of batch) {
          if (!truth || event.kind === 'router_restart') continue;
          const before = told.get(truth) ?? NOTHING;
          const after = most(before, countersOf(event));
          told.set(truth, after);
          const growth = plus(after, before, -1);
          const key = `${truth.access.entitlement.id} ${truth.router_id}`;
          if (Object.values(growth).some((counter) => counter > 0)) {
            used[key] = plus(used[key] ?? NOTHING, growth);
          }
        }
        await recordAccounting(
          store(),
          batch.map(({ event }) => event),
          now,
        );
      }
      // A session of which nothing at all arrived has used nothing.
      const seen = truths.filter((truth) => told.has(truth));
      for (const truth of seen) expect(told.get(truth)).toEqual(truth.counters);

      async function expectTruth() {
        const sessions = await all(store());
        const shown = (router: string, username: string, counters: Counters) =>
          JSON.stringify([router, username, countersOf(counters)]);
        expect(sessions.map((one) => shown(one.router_id, one.username, one)).sort()).toEqual(
          seen
            .map(({ router_id, access, counters }) => shown(router_id, access.credential.username, counters))
            .sort(),
        );
        for (const access of accesses) {
          const own = seen.filter((truth) => truth.access === access);
          const sum = own.reduce((total, { counters }) => plus(total, counters), NOTHING);
          expect(await usedBy(store(), access)).toEqual(sum);
        }
        const stored = await rollups(store());
        expect(stored.used).toEqual(used);
        const [first = '', last = ''] = [NOW, deliveries.at(-1)?.now ?? NOW].map(dayOf);
        expect(stored.days.filter((day) => day < first || day > last)).toEqual([]);
        expect(sessions.filter((one) => one.terminate_cause !== null)).toHaveLength(
          seen.filter(({ stopped }) => stopped).length,
        );
      }
      await expectTruth();

      // Long after the duplicate cache forgot it, all of it comes again, in any order: nothing moves, nothing opens.
      const later = (deliveries.at(-1)?.now ?? NOW) + DAY_MS;
      await closeStaleSessions(store(), later);
      const again = deliveries
        .map(({ event }) => ({ event: { ...event, at: later }, order: by.below(1e9) }))
        .sort((a, b) => a.order - b.order)
        .map(({ event }) => event);
      for (let at = 0; at < again.length; at += 50) {
        await recordAccounting(store(), again.slice(at, at + 50), later);
      }
      await expectTruth();
      expect((await all(store())).filter((one) => one.state === 'open')).toEqual([]);
    },
  );
});

onEveryStore('an accounting message', (store) => {
  const interim = (access: Access, session_seconds: number, change: Partial<SessionReport> = {}) =>
    report({
      ...named(access, 'a'),
      ...{ kind: 'interim', session_seconds, upload_octets: session_seconds },
      at: NOW + session_seconds * 1000,
      ...change,
    });
  const only = async () => {
    const sessions = await all(store());
    expect(sessions).toHaveLength(1);
    return sessions[0] as Session;
  };

  it('of another address of its router is of the same session, which our reference names', async () => {
    const access = await someAccess(store());
    for (const nas_source of [null, '10.7.0.4']) {
      const where = (seconds: number, nas_ip: string) =>
        interim(access, seconds, { acct_session_id: `s ${nas_source}`, nas_source, nas_ip });
      await recordAccounting(store(), [where(60, '10.0.0.1')], NOW);
      await recordAccounting(store(), [where(120, '10.0.0.2')], NOW);
    }
    const unnamed = (seconds: number, nas_ip: string) =>
      interim(access, seconds, { acct_session_id: 's', reference: null, nas_ip });
    await recordAccounting(store(), [unnamed(60, '10.0.0.1'), unnamed(120, '10.0.0.2')], NOW);
    expect((await all(store())).map((session) => session.session_seconds)).toEqual([120, 120, 120]);
  });

  it('of several sessions is stored in the order of their names, however they came', async () => {
    const access = await someAccess(store(), { max_devices: 9 });
    const told = ['80100001', '80100002', '80100003'].flatMap((acct_session_id) =>
      // Two routers count alike: then the keys decide.
      [1, 2, 3].map((router) =>
        interim(access, 60, {
          ...{ acct_session_id, router_id: `router-${router}`, mac: `AA:BB:CC:00:0${router}:01` },
        }),
      ),
    );
    const by = chance(8);
    const namesOf = (sessions: Session[]) => sessions.map((session) => session.unique_key);
    const stored = await recordAccounting(store(), told, NOW);
    expect(stored.map((session) => session.acct_session_id)).toEqual(
      told.map((one) => one.acct_session_id).sort(),
    );
    for (let round = 0; round < 5; round++) {
      const shuffled = told.toSorted(() => by.below(3) - 1);
      expect(namesOf(await recordAccounting(store(), shuffled, NOW))).toEqual(namesOf(stored));
    }
  });

  it('that does not tell the address leaves what an earlier one told; a new address takes its place', async () => {
    const access = await someAccess(store());
    const told = [
      { ip: null, nas_source: null },
      { ip: '10.5.48.20', nas_source: '10.7.0.4' },
      { ip: null, nas_source: null },
    ];
    for (const [n, change] of told.entries()) {
      await recordAccounting(store(), [interim(access, n, change)], NOW);
    }
    expect(await only()).toMatchObject({ ip: '10.5.48.20', nas_source: '10.7.0.4' });
    const moved = { ip: '10.5.48.21', nas_source: '10.7.0.5' };
    await recordAccounting(store(), [interim(access, 9, moved)], NOW);
    expect(await only()).toMatchObject(moved);
  });

  it.each([2, null])(
    'of a Stop (cause %s) ends its session for good, where and why it first said',
    async (cause) => {
      const access = await someAccess(store());
      await recordAccounting(
        store(),
        [interim(access, 60), interim(access, 100, { kind: 'stop', terminate_cause: cause })],
        NOW,
      );
      const ended = { state: 'closed', stopped_at: NOW + 100_000, terminate_cause: cause ?? 0 };
      expect(await only()).toMatchObject(ended);
      // Something later comes after it all the same, and the Stop again, which does not say how old it is.
      await recordAccounting(store(), [interim(access, 200)], NOW + 200_000);
      expect(await only()).toMatchObject({ ...ended, session_seconds: 200, updated_at: NOW + 200_000 });
      const again = interim(access, 100, { kind: 'stop', terminate_cause: 5, at: NOW + 300_000 });
      await recordAccounting(store(), [again], NOW + 300_000);
      expect(await only()).toMatchObject({ ...ended, session_seconds: 200 });
      // What arrives late moves nothing back.
      await recordAccounting(store(), [interim(access, 90)], NOW + 400_000);
      expect(await only()).toMatchObject({ ...ended, updated_at: NOW + 300_000 });
    },
  );

  it('of a Stop says when a session ended that was closed for its silence', async () => {
    const access = await someAccess(store());
    await recordAccounting(store(), [interim(access, 60)], NOW);
    expect(await closeStaleSessions(store(), NOW + HOUR)).toMatchObject([{ stopped_at: NOW + 60_000 }]);
    const stop = interim(access, 60, { kind: 'stop', terminate_cause: 4, at: NOW + 90_000 });
    await recordAccounting(store(), [stop], NOW + HOUR);
    expect(await only()).toMatchObject({
      ...{ state: 'closed', stopped_at: NOW + 90_000, terminate_cause: 4 },
    });
  });

  it('of a Stop says why a session ended, also when it was closed with the time that the Stop tells', async () => {
    const access = await someAccess(store());
    await recordAccounting(store(), [interim(access, 60)], NOW);
    await closeStaleSessions(store(), NOW + HOUR);
    await recordAccounting(store(), [interim(access, 60, { kind: 'stop', terminate_cause: 4 })], NOW + HOUR);
    expect(await only()).toMatchObject({ stopped_at: NOW + 60_000, terminate_cause: 4 });
  });

  it.each<[string, (id: string) => Promise<unknown>, string]>([
    [
      'gave its place up',
      (id) =>
        store()
          .transaction()
          .execute((tx) => giveWay(tx, id, 'replaced_by_device', NOW)),
      'replaced_by_device',
    ],
    [
      'a person ended',
      (id) => recordDisconnect(store(), id, 'ack', 'Disconnected by Amina: The router agreed.', NOW),
      'Disconnected by Amina',
    ],
  ])(
    'of a session that %s, and that speaks again after a silence, has it ended again',
    async (_, end, reason) => {
      const access = await someAccess(store());
      const [session] = await recordAccounting(store(), [interim(access, 60)], NOW);
      await end(session?.id ?? '');
      await store().deleteFrom('tasks').execute();
      await closeStaleSessions(store(), NOW + HOUR);
      await recordAccounting(store(), [interim(access, 600)], NOW + HOUR);
      expect(await only()).toMatchObject({ state: 'open' });
      const tasks = await store().selectFrom('tasks').selectAll().execute();
      expect(tasks.map((task) => [task.kind, JSON.parse(task.payload)])).toEqual([
        ['disconnect_session', { session_id: session?.id, reason }],
      ]);
    },
  );

  it('of a session that speaks again after a silence asks nothing of a guest who may be online, or a stranger', async () => {
    const access = await someAccess(store());
    const stranger = { username: 'nobody', reference: null, acct_session_id: 'x' };
    const told = (seconds: number) => [interim(access, seconds), interim(access, seconds, stranger)];
    await recordAccounting(store(), told(60), NOW);
    expect(await closeStaleSessions(store(), NOW + HOUR)).toHaveLength(2);
    await recordAccounting(store(), told(600), NOW + HOUR);
    expect((await all(store())).map((session) => session.state)).toEqual(['open', 'open']);
    expect(await store().selectFrom('tasks').selectAll().execute()).toEqual([]);
  });

  it('that begins at once is looked at where a slow guest bought, or the plan changed, since its Accept alone', async () => {
    const FAIR = { quota_octets: 1000, fair_use_rate_down_kbps: 1000, fair_use_rate_up_kbps: 500 };
    const looked = async (change: (access: Access) => Promise<unknown>, acceptedAt: number, terms = {}) => {
      const access = await someAccess(store(), terms);
      await startEntitlement(store(), access.entitlement.id, NOW);
      await store().updateTable('entitlements').set({ used_upload_octets: 1000 }).execute();
      await change(access);
      await store().deleteFrom('tasks').execute();
      const start = {
        ...named(access, newId(acceptedAt)),
        acct_session_id: access.credential.id,
        at: NOW + 30,
      };
      await recordAccounting(store(), [report(start)], NOW + 40);
      const tasks = await store().selectFrom('tasks').selectAll().execute();
      return tasks.map((task) => JSON.parse(task.payload).reason);
    };
    const buy = ({ grant }: Access) => grant(NOW + 20);
    const edit = ({ plan }: Access) =>
      store()
        .updateTable('plans')
        .set({ updated_at: NOW + 20 })
        .where('id', '=', plan.id)
        .execute();
    const once = ['heard_late'];
    expect(await looked(buy, NOW + 10, FAIR)).toEqual(once);
    expect(await looked(edit, NOW + 10, FAIR)).toEqual(once);
    expect(await looked(edit, NOW + 10)).toEqual(once);
    for (const change of [buy, edit]) expect(await looked(change, NOW + 25, FAIR)).toEqual([]);
    expect(await looked(async () => undefined, NOW + 10, FAIR)).toEqual([]);
    // Without a fair-use rate the next one waits for its turn.
    expect(await looked(buy, NOW + 10)).toEqual([]);
  });

  it('that comes after a home got another address, password or router has it dial in again', async () => {
    const began = async (changedAt: number) => {
      const access = await someAccess(store());
      await store()
        .updateTable('credentials')
        .set({ kind: 'pppoe', updated_at: changedAt })
        .where('id', '=', access.credential.id)
        .execute();
      const start = { ...named(access, newId(NOW + 10)), acct_session_id: access.credential.id };
      const [session] = await recordAccounting(store(), [report({ ...start, at: NOW + 30 })], NOW + 40);
      const tasks = await store().selectFrom('tasks').selectAll().execute();
      const told = tasks.map((task) => [task.kind, JSON.parse(task.payload)]);
      return told.filter(([, { session_id }]) => session_id === session?.id);
    };
    expect(await began(NOW + 5)).toEqual([]);
    expect(await began(NOW + 20)).toMatchObject([['disconnect_session', { reason: 'credential_changed' }]]);
  });

  it('of a voucher that another node redeemed a moment after this one was asked, goes on', async () => {
    const { codes } = await someVouchers(store(), 1);
    await redeemVoucher(store(), vault, codes[0] as string, null, NOW + 20);
    const access = await findAccess(store(), codes[0] as string, '');
    const named = {
      username: codes[0] as string,
      reference: {
        credential_id: access?.credential_id as string,
        entitlement_id: access?.entitlement?.id as string,
        accept_id: newId(NOW + 10),
      },
    };
    await recordAccounting(store(), [report({ ...named, at: NOW + 30 })], NOW + 40);
    expect(
      await store().selectFrom('tasks').selectAll().where('kind', '=', 'disconnect_session').execute(),
    ).toEqual([]);
  });

  it('of a session that speaks again after its plan got lost time back has its router hear of the new end', async () => {
    const access = await someAccess(store());
    const spoken = interim(access, 60, named(access, newId(NOW)));
    await recordAccounting(store(), [spoken], NOW + 60_000);
    await closeStaleSessions(store(), NOW + HOUR);
    await store().deleteFrom('tasks').execute();
    await updateOutageSettings(store(), { minimum_seconds: 60 }, NOW);
    await startEntitlement(store(), access.entitlement.id, NOW);
    await noteOutage(store(), { kind: 'box', from_at: NOW + 60_000, to_at: NOW + 600_000 }, NOW + 660_000);
    const [outage] = await settleOutages(store(), 60_000);
    await decideOutage(store(), outage?.id ?? '', 'approved', 'test', NOW + 660_000);
    expect(await extendEntitlements(store(), outage?.id ?? '', NOW + 660_000)).toBe(1);
    await store().deleteFrom('tasks').execute();
    const again = { ...spoken, session_seconds: 700, at: NOW + 700_000 };
    await recordAccounting(store(), [again], NOW + 700_000);
    const tasks = await store().selectFrom('tasks').selectAll().execute();
    expect(tasks.map((task) => JSON.parse(task.payload).reason)).toEqual(['heard_late']);
  });

  it('of a session that speaks again has its router asked again for what it did not agree to', async () => {
    const access = await someAccess(store());
    const spoken = interim(access, 60, named(access, newId(NOW)));
    const [session] = await recordAccounting(store(), [spoken], NOW + 60_000);
    const again = async (state: 'ack' | 'timeout', seconds: number) => {
      await recordChange(store(), session?.id ?? '', state, 'expired: said so.', NOW);
      await closeStaleSessions(store(), NOW + seconds * 1000 - 1);
      await store().deleteFrom('tasks').execute();
      const at = NOW + seconds * 1000;
      await recordAccounting(store(), [{ ...spoken, session_seconds: seconds, at }], at);
      const tasks = await store().selectFrom('tasks').selectAll().execute();
      return tasks.map((task) => JSON.parse(task.payload).reason);
    };
    expect(await again('ack', 700)).toEqual([]);
    expect(await again('timeout', 1400)).toEqual(['heard_late']);
  });

  it('of a second device at one address sends that one away, however many the plan is for', async () => {
    const access = await someAccess(store(), { max_devices: 3 });
    await store()
      .updateTable('credentials')
      .set({ kind: 'pppoe', static_address: '10.9.0.7' })
      .where('id', '=', access.credential.id)
      .execute();
    for (const name of ['1', '2']) {
      const start = { ...named(access, name), acct_session_id: name, mac: `AA:BB:CC:00:00:0${name}` };
      await recordAccounting(store(), [report(start)], NOW);
    }
    const sessions = await all(store());
    const away = sessions.filter((session) => session.gave_way_at !== null);
    expect(away.map((session) => session.acct_session_id)).toEqual(['2']);
  });

  it('of a Start that is over already sends nobody away', async () => {
    const access = await someAccess(store());
    const device = (mac: string, kind: SessionReport['kind'], seconds: number) =>
      interim(access, seconds, { ...named(access, mac), ...{ kind, mac, acct_session_id: mac } });
    const [first, second] = ['AA:BB:CC:00:00:01', 'AA:BB:CC:00:00:02'] as const;
    await recordAccounting(store(), [device(first, 'start', 0)], NOW);
    await recordAccounting(store(), [device(second, 'start', 0), device(second, 'stop', 5)], NOW);
    expect(await store().selectFrom('tasks').selectAll().execute()).toEqual([]);
  });

  it('that is the first of a session sends its own device away where the others hold all places, each device one', async () => {
    const access = await someAccess(store(), { max_devices: 2 });
    const start = (name: string, mac: string | null, change: Partial<SessionReport> = {}) =>
      report({ ...named(access, name), acct_session_id: name, mac, ...change });
    const sentAway = async () =>
      (await all(store()))
        .filter((session) => session.gave_way_at !== null)
        .map((session) => session.acct_session_id);
    const mac = (n: number) => `AA:BB:CC:00:00:0${n}`;
    // One device at two routers holds one place.
    const walked = [start('a', mac(1)), start('b', mac(1), { router_id: 'router-2' })];
    await recordAccounting(store(), walked, NOW);
    await recordAccounting(store(), [start('c', mac(2))], NOW);
    expect(await sentAway()).toEqual([]);
    await recordAccounting(store(), [start('d', mac(3))], NOW);
    expect(await sentAway()).toEqual(['d']);
    const [task] = await store().selectFrom('tasks').selectAll().execute();
    const gone = (await all(store())).find((session) => session.acct_session_id === 'd');
    expect(JSON.parse(task?.payload ?? '')).toEqual({ session_id: gone?.id, reason: 'too_many_devices' });
    // Who was told to go holds no place, though the session is still open.
    await recordAccounting(store(), [start('c', mac(2), { kind: 'stop' })], NOW);
    await recordAccounting(store(), [start('e', mac(4))], NOW);
    expect(await sentAway()).toEqual(['d']);
    // One whose Start was lost is one too many as well.
    const late = start('f', mac(5), { kind: 'interim', session_seconds: 60, at: NOW + 60_000 });
    await recordAccounting(store(), [late], NOW);
    expect((await sentAway()).sort()).toEqual(['d', 'f']);
  });

  it('of a Start counts each session without an address as a device of its own', async () => {
    const access = await someAccess(store(), { max_devices: 2 });
    const start = (name: string, mac: string | null) =>
      report({ ...named(access, name), acct_session_id: name, nas_port_id: name, mac });
    await recordAccounting(store(), [start('a', null), start('b', null)], NOW);
    await recordAccounting(store(), [start('c', 'AA:BB:CC:00:00:01')], NOW);
    const gone = (await all(store())).filter((session) => session.gave_way_at !== null);
    expect(gone.map((session) => session.acct_session_id)).toEqual(['c']);
  });

  it('with an id that another router, user or port has is of another session', async () => {
    const access = await someAccess(store(), { max_devices: 9 });
    const other = await someAccess(store());
    const base: Partial<SessionReport> = { ...named(access, 'a'), reference: null };
    const told = [
      report({ ...base, kind: 'interim', upload_octets: 1, session_seconds: 1 }),
      report({ ...base, kind: 'interim', upload_octets: 10, session_seconds: 1, router_id: 'router-2' }),
      report({ ...base, kind: 'interim', upload_octets: 100, session_seconds: 1, nas_port_id: 'ether2' }),
      report({
        ...base,
        kind: 'interim',
        upload_octets: 1000,
        session_seconds: 1,
        acct_session_id: '80100015',
      }),
      report({
        ...base,
        ...{ kind: 'interim', upload_octets: 10_000, session_seconds: 1 },
        username: other.credential.username,
      }),
    ];
    await recordAccounting(store(), told, NOW);
    await recordAccounting(store(), told.toReversed(), NOW + MINUTE);
    const octets = (await all(store())).map((session) => session.upload_octets);
    expect(octets.sort((a, b) => a - b)).toEqual([1, 10, 100, 1000, 10_000]);
  });

  it('that is repeated does not open a session that was closed for its silence or by a restart', async () => {
    const access = await someAccess(store(), { max_devices: 9 });
    const interim = (acct_session_id: string, mac: string, at: number) =>
      report({
        ...named(access, acct_session_id),
        ...{ kind: 'interim', acct_session_id, mac, at, session_seconds: 300, upload_octets: 7 },
      });
    const silent = interim('s1', 'AA:BB:CC:00:00:01', NOW);
    const restarted = interim('s2', 'AA:BB:CC:00:00:02', NOW + MINUTE);
    await recordAccounting(store(), [silent], NOW);
    expect(await closeStaleSessions(store(), NOW + 1)).toHaveLength(1);
    await recordAccounting(store(), [restarted], NOW + MINUTE);
    await recordAccounting(
      store(),
      [{ kind: 'router_restart', router_id: 'router-1', at: NOW + 2 * MINUTE }],
      NOW + 2 * MINUTE,
    );
    await recordAccounting(store(), [restarted, silent], NOW + 3 * MINUTE);
    const later = { at: NOW + 3 * MINUTE };
    const zero = { kind: 'start' as const, session_seconds: 0, upload_octets: 0 };
    await recordAccounting(
      store(),
      [
        { ...restarted, ...later },
        { ...silent, ...later },
        { ...restarted, ...zero, ...later },
      ],
      NOW + 3 * MINUTE,
    );
    expect((await all(store())).map((session) => [session.state, session.upload_octets])).toEqual([
      ['closed', 7],
      ['closed', 7],
    ]);
    // Later counters prove that it lives.
    await recordAccounting(store(), [{ ...silent, ...later, session_seconds: 301 }], NOW + 3 * MINUTE);
    expect((await all(store())).filter((session) => session.state === 'open')).toHaveLength(1);
  });

  it('of a time before its session gave way to a newer one is counted, and opens it no more', async () => {
    const access = await someAccess(store());
    const older = report({ ...named(access, 'a1'), acct_session_id: 's1', at: NOW });
    const newer = report({ ...named(access, 'a2'), acct_session_id: 's2', at: NOW + 600_000 });
    await recordAccounting(store(), [older, newer], NOW + 600_000);
    const late = { ...older, kind: 'interim' as const, session_seconds: 500, upload_octets: 5 };
    await recordAccounting(store(), [{ ...late, at: NOW + 599_000 }], NOW + 601_000);
    const first = async () => (await all(store())).find((session) => session.acct_session_id === 's1');
    expect(await first()).toMatchObject({ state: 'closed', upload_octets: 5, stopped_at: NOW + 600_000 });
    await recordAccounting(store(), [{ ...late, session_seconds: 700, at: NOW + 700_000 }], NOW + 700_000);
    expect(await first()).toMatchObject({ state: 'open' });
  });

  it.each<[string, Partial<SessionReport>[], Partial<SessionReport>, Partial<Session>]>([
    [
      'closes an older one of its device that has said nothing since, not even in that millisecond',
      [{ at: NOW }, { kind: 'interim', session_seconds: 600, at: NOW + 600_000 }],
      { at: NOW + 600_000 },
      { state: 'closed', stopped_at: NOW + 600_000 },
    ],
    [
      'leaves one that spoke since',
      [{ at: NOW }, { kind: 'interim', session_seconds: 900, at: NOW + 900_000 }],
      { at: NOW + 600_000 },
      { state: 'open', stopped_at: null },
    ],
    [
      'leaves one that began later, though it last spoke earlier',
      [{ at: NOW + 600_000 }],
      { kind: 'interim', session_seconds: 640, at: NOW + 650_000 },
      { state: 'open', stopped_at: null },
    ],
    [
      'leaves when and why an older one ended as it was told',
      [{ kind: 'stop', session_seconds: 100, terminate_cause: 5, at: NOW + 100_000 }],
      { at: NOW + 600_000 },
      { state: 'closed', stopped_at: NOW + 100_000, terminate_cause: 5 },
    ],
  ])('that is the first of a session %s', async (_, told, first, expected) => {
    const access = await someAccess(store());
    for (const change of told) {
      await recordAccounting(
        store(),
        [report({ ...named(access, 'a1'), acct_session_id: 's1', ...change })],
        NOW,
      );
    }
    const other = report({ ...named(access, 'a2'), acct_session_id: 's2', ...first });
    await recordAccounting(store(), [other], NOW + 900_000);
    const stored = await all(store());
    expect(stored.find((session) => session.acct_session_id === 's1')).toMatchObject(expected);
    expect(stored.find((session) => session.acct_session_id === 's2')).toMatchObject({ state: 'open' });
  });

  it.each([200, 700])(
    'that arrives late leaves the newer of two open that began in one second',
    async (at) => {
      const access = await someAccess(store());
      const acceptedAt = (time: number) => named(access, newId(time));
      const newer = report({ ...acceptedAt(NOW + 200), acct_session_id: 's2', at: NOW + 200 });
      const older = report({ ...acceptedAt(NOW), acct_session_id: 's1', at: NOW + at });
      await recordAccounting(store(), [newer], NOW + 200);
      await recordAccounting(store(), [older], NOW + 900);
      const stored = (await all(store())).find((session) => session.acct_session_id === 's2');
      expect(stored).toMatchObject({ state: 'open' });
    },
  );

  it('that arrives late, the first of an older session, leaves the newer one open', async () => {
    const access = await someAccess(store());
    const newer = report({ ...named(access, 'a2'), acct_session_id: 's2', at: NOW + 600_000 });
    const older = report({
      ...named(access, 'a1'),
      ...{
        kind: 'interim',
        acct_session_id: 's1',
        session_seconds: 500,
        upload_octets: 5,
        at: NOW + 500_000,
      },
    });
    await recordAccounting(store(), [newer, older], NOW + 601_000);
    const stored = (await all(store())).find((session) => session.acct_session_id === 's2');
    expect(stored).toMatchObject({ state: 'open' });
    expect(await usedBy(store(), access)).toMatchObject({ session_seconds: 500, upload_octets: 5 });
  });

  it('that arrives late, of a session that its device had left for a newer one, opens it only if it speaks again', async () => {
    const access = await someAccess(store());
    const newer = report({ ...named(access, 'a2'), acct_session_id: 's1', at: NOW + 600_000 });
    const start = { ...named(access, 'a1'), acct_session_id: 's1', at: NOW };
    const older = async () => (await all(store())).find(({ started_at }) => started_at === NOW);
    await recordAccounting(store(), [newer], NOW + 600_000);
    await recordAccounting(store(), [report(start)], NOW + 601_000);
    expect(await older()).toMatchObject({ state: 'closed', stopped_at: NOW, terminate_cause: null });
    const spoke = { kind: 'interim' as const, session_seconds: 610, upload_octets: 5, at: NOW + 610_000 };
    await recordAccounting(store(), [report({ ...start, ...spoke })], NOW + 610_000);
    expect(await older()).toMatchObject({ state: 'open', upload_octets: 5 });
    expect((await all(store())).filter(({ state }) => state === 'open')).toHaveLength(2);
  });

  it('of a router without gigawords counts on where its counters begin again at 2^32', async () => {
    const access = await someAccess(store());
    const told = (session_seconds: number, upload: number, download: number, change = {}): SessionReport =>
      report({
        ...named(access, 'a'),
        ...{ kind: 'interim', session_seconds, counters_wrap: true, at: NOW + session_seconds * 1000 },
        upload_octets: upload % WORD,
        download_octets: download % WORD,
        ...change,
      });
    const messages = [
      told(60, 100, WORD - 1000),
      told(120, 200, WORD + 500),
      told(180, 300, WORD + 2 ** 31 + 7),
      told(240, 400, 2 * WORD - 1),
      told(300, WORD - 1, 2 * WORD),
      told(360, WORD, 2 * WORD + 5, { kind: 'stop' }),
    ];
    // Repeated and late ones are not taken for another turn.
    for (const [index, message] of messages.entries()) {
      await recordAccounting(store(), [message, ...messages.slice(0, index), message], NOW);
    }
    const truth = { session_seconds: 360, upload_octets: WORD, download_octets: 2 * WORD + 5 };
    expect(await usedBy(store(), access)).toEqual(truth);
    // Of the same second as the Stop, and before its counter turned.
    await recordAccounting(store(), [told(360, WORD - 9, 2 * WORD - 9)], NOW);
    expect(await usedBy(store(), access)).toEqual(truth);
    expect(await all(store())).toMatchObject([{ ...truth, state: 'closed' }]);
  });

  it('of a router without gigawords counts a turn up to half of it, and no more', async () => {
    const access = await someAccess(store());
    const told = (session_seconds: number, upload: number, download: number): SessionReport =>
      report({
        ...named(access, 'a'),
        ...{ kind: 'interim', session_seconds, counters_wrap: true, at: NOW + session_seconds * 1000 },
        ...{ upload_octets: upload, download_octets: download },
      });
    await recordAccounting(store(), [told(60, WORD / 2 + 1, WORD / 2)], NOW);
    await recordAccounting(store(), [told(120, 0, 0)], NOW);
    expect(await usedBy(store(), access)).toMatchObject({ upload_octets: WORD, download_octets: WORD / 2 });
  });

  it('of a router without gigawords that says its Stop in the second of a report counts what came between', async () => {
    const access = await someAccess(store());
    const told = (kind: SessionReport['kind'], octets: number): SessionReport =>
      report({
        ...named(access, 'a'),
        ...{ kind, session_seconds: 60, counters_wrap: true, at: NOW + 60_000, upload_octets: octets % WORD },
      });
    const [before, turned, stop] = [
      told('interim', WORD - 9),
      told('interim', WORD + 5),
      told('stop', WORD + 7),
    ];
    await recordAccounting(store(), [before, turned, stop, before, turned], NOW);
    expect(await usedBy(store(), access)).toMatchObject({ session_seconds: 60, upload_octets: WORD + 7 });
    // More than a line can carry in a second is a counter that was set back.
    await recordAccounting(store(), [told('interim', WORD + WORD / 4 + 7)], NOW);
    expect(await usedBy(store(), access)).toMatchObject({ upload_octets: WORD + 7 });
  });

  it('whose counters went back, though its router could count on, takes nothing away and adds nothing', async () => {
    const access = await someAccess(store());
    const told = (session_seconds: number, octets: number, counters_wrap: boolean): SessionReport =>
      report({
        ...named(access, 'a'),
        ...{ kind: 'interim', session_seconds, counters_wrap, at: NOW + session_seconds * 1000 },
        upload_octets: octets,
        download_octets: octets,
      });
    await recordAccounting(store(), [told(60, WORD - 1, false), told(120, 5, false)], NOW);
    expect(await usedBy(store(), access)).toMatchObject({ session_seconds: 120, upload_octets: WORD - 1 });
    // Half way round or more is no wrap between two reports: it is a counter that was set to zero.
    await recordAccounting(store(), [{ ...told(180, 1000, true), kind: 'interim' }], NOW);
    expect(await usedBy(store(), access)).toMatchObject({ session_seconds: 180, upload_octets: WORD + 1000 });
    await recordAccounting(store(), [told(240, 900, true)], NOW);
    expect(await usedBy(store(), access)).toMatchObject({ session_seconds: 240, upload_octets: WORD + 1000 });
  });

  it('of a Stop before everything else closes for good, and is completed by what comes later', async () => {
    const access = await someAccess(store());
    const told = (kind: SessionReport['kind'], session_seconds: number, octets: number): SessionReport =>
      report({
        ...named(access, 'a'),
        ...{ kind, session_seconds, at: NOW + session_seconds * 1000, terminate_cause: null },
        upload_octets: octets,
        download_octets: 2 * octets,
      });
    // A Stop may carry less than the interim before it: some routers send it without counters.
    await recordAccounting(store(), [{ ...told('stop', 0, 0), at: NOW + 700_000, terminate_cause: 2 }], NOW);
    await recordAccounting(store(), [told('interim', 600, 50), told('start', 0, 0)], NOW);
    expect(await all(store())).toMatchObject([
      { state: 'closed', terminate_cause: 2, stopped_at: NOW + 700_000, session_seconds: 600 },
    ]);
    expect(await usedBy(store(), access)).toEqual({
      session_seconds: 600,
      upload_octets: 50,
      download_octets: 100,
    });
  });
});
