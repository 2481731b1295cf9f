// Sessions: what routers tell, in any order and as often as they like, is counted once.
import { expect, it } from 'vitest';
import { type AccountingEvent, recordAccounting, type SessionReport } from '../../src/access/accounting.ts';
import { createCredential } from '../../src/access/credentials.ts';
import {
  endEntitlement,
  findAccess,
  getEntitlement,
  startEntitlement,
} from '../../src/access/entitlements.ts';
import {
  closeStaleSessions,
  lastSessions,
  listSessions,
  moveSession,
  openSessions,
  type Session,
} from '../../src/access/sessions.ts';
import { redeemVoucher } from '../../src/access/vouchers.ts';
import type { Db } from '../../src/db/schema.ts';
import { newId } from '../../src/lib/ids.ts';
import { onEveryStore } from '../support/stores.ts';
import { NOW, report, someAccess, someVouchers, vault } from './fixtures.ts';

const GIB = 1024 ** 3;
const MINUTE = 60_000;

type Access = Awaited<ReturnType<typeof someAccess>>;

/** Messages of one session of this access. */
function messages(access: Access, session: Partial<SessionReport> = {}) {
  const base: Partial<SessionReport> = {
    username: access.credential.username,
    reference: {
      credential_id: access.credential.id,
      entitlement_id: access.entitlement.id,
      accept_id: 'a1',
    },
    ...session,
  };
  const message =
    (kind: SessionReport['kind']) =>
    (seconds: number, upload: number, download: number): SessionReport =>
      report({
        ...base,
        kind,
        session_seconds: seconds,
        upload_octets: upload,
        download_octets: download,
        terminate_cause: kind === 'stop' ? 1 : null,
        at: NOW + seconds * 1000,
      });
  return { start: message('start'), interim: message('interim'), stop: message('stop') };
}

async function usage(db: Db, id: string): Promise<number[]> {
  const { used_seconds, used_upload_octets, used_download_octets } = await getEntitlement(db, id);
  return [used_seconds, used_upload_octets, used_download_octets];
}

async function daily(db: Db): Promise<number[][]> {
  const rows = await db.selectFrom('daily_usage').selectAll().orderBy('day').execute();
  return rows.map((row) => [row.online_seconds, row.upload_octets, row.download_octets]);
}

async function all(db: Db): Promise<Session[]> {
  return db.selectFrom('sessions').selectAll().orderBy('started_at').orderBy('id').execute();
}

onEveryStore('a session', (store) => {
  it('is found by the user name of its credential alone, however it was typed; a stranger’s by its own', async () => {
    const add = async (access: Access, username: string) => {
      const input = { subscriber_id: access.subscriber.id, username, password: 'secret', device_mac: null };
      return createCredential(store(), vault, { ...input, kind: 'hotspot' }, NOW);
    };
    const told = async (username: string) => {
      const [session] = await recordAccounting(
        store(),
        [report({ username, acct_session_id: username })],
        NOW,
      );
      return session?.id;
    };
    const found = async (username: string) =>
      (await listSessions(store(), { limit: 9 }, { username })).items.map((session) => session.id);
    const access = await someAccess(store());
    const code = await add(access, 'E8KPMWRPX');
    const home = await add(access, 'shop-1');
    const [ofCode, ofHome] = [await told(code.username), await told(home.username)];
    for (const typed of ['E8KPMWRPX', 'e8kpmwrpx', 'E8KP-MWRP-X', ' e8kp mwrpx ']) {
      expect([typed, await found(typed)]).toEqual([typed, [ofCode]]);
    }
    for (const typed of ['shop-1', 'SHOP-1', 'Shop-1']) {
      expect([typed, await found(typed)]).toEqual([typed, [ofHome]]);
    }
    // What is written exactly so comes before what may have been meant.
    const exact = await told((await add(await someAccess(store()), 'e8kpmwrpx')).username);
    expect(await found('e8kpmwrpx')).toEqual([exact]);
    expect(await found('E8KPMWRPX')).toEqual([ofCode]);

    const stranger = await told('stranger');
    expect(await found('stranger')).toEqual([stranger]);
    expect(await found('nobody')).toEqual([]);
  });

  it('is found by several of its marks at once', async () => {
    const access = await someAccess(store(), { max_devices: 9 });
    const told = [
      messages(access, { acct_session_id: 's1' }).start(0, 0, 0),
      messages(access, { acct_session_id: 's2', mac: 'AA:BB:CC:00:00:02' }).start(0, 0, 0),
      messages(access, { acct_session_id: 's3', router_id: 'router-2' }).start(0, 0, 0),
      messages(access, { acct_session_id: 's4', mac: 'AA:BB:CC:00:00:02' }).stop(5, 0, 0),
    ];
    await recordAccounting(store(), told, NOW);
    const found = async (filter: Parameters<typeof listSessions>[2]) =>
      (await listSessions(store(), { limit: 9 }, filter)).items
        .map((session) => session.acct_session_id)
        .sort();
    const { username } = access.credential;
    const mac = 'AA:BB:CC:00:00:02';
    expect(await found({ username, state: 'open' })).toEqual(['s1', 's2', 's3']);
    expect(await found({ username, state: 'closed' })).toEqual(['s4']);
    expect(await found({ username, mac })).toEqual(['s2', 's4']);
    expect(await found({ mac, state: 'open' })).toEqual(['s2']);
    expect(await found({ username, router_id: 'router-2' })).toEqual(['s3']);
    expect(await found({ router_id: 'router-1', state: 'closed' })).toEqual(['s4']);
    expect(await found({ subscriber_id: access.subscriber.id, mac, state: 'closed' })).toEqual(['s4']);
  });

  it('that is the last of its device is told for each device of the credential, among the newest twenty', async () => {
    const access = await someAccess(store(), { max_devices: 9 });
    const { credential, subscriber } = access;
    let told = 0;
    const tell = async (name: string, mac: string | null, change: Partial<SessionReport> = {}) => {
      const now = NOW + ++told * MINUTE;
      const { stop } = messages(access, { acct_session_id: name, mac, ...change });
      await recordAccounting(store(), [{ ...stop(5, 0, 0), at: now }], now);
    };
    const last = async () =>
      (await lastSessions(store(), credential)).map((session) => session.acct_session_id);
    const mac = (n: number) => `AA:BB:CC:00:00:0${n}`;
    for (const name of ['a', 'b']) await tell(name, mac(1));
    await tell('c', mac(2));
    await tell('d', null);
    await tell('e', null);
    const input = { subscriber_id: subscriber.id, username: 'other', password: 'x', device_mac: null };
    const other = await createCredential(store(), vault, { ...input, kind: 'hotspot' }, NOW);
    await tell('of the other', mac(3), { username: other.username, reference: null });
    expect(await last()).toEqual(['e', 'd', 'c', 'b']);
    for (let n = 0; n < 17; n++) await tell(`again ${n}`, mac(2));
    expect(await last()).toEqual(['again 16', 'e', 'd']);
  });

  it('is named by the time of its Accept first, where our reference says it', async () => {
    const access = await someAccess(store());
    const accept_id = newId(NOW);
    const reference = {
      credential_id: access.credential.id,
      entitlement_id: access.entitlement.id,
      accept_id,
    };
    const [session] = await recordAccounting(store(), [report({ reference })], NOW);
    expect(session?.unique_key.startsWith(accept_id.slice(0, 10))).toBe(true);
    expect(session?.unique_key).toHaveLength(37);
    // Rubbish in Class orders nothing.
    const [other] = await recordAccounting(
      store(),
      [report({ reference: { ...reference, accept_id: 'not an id of ours' } })],
      NOW,
    );
    expect(other?.unique_key).toMatch(/^[\w-]{27}$/);
  });

  it('opens with Start, grows with Interim, closes with Stop, and is counted as usage', async () => {
    const access = await someAccess(store());
    const { start, interim, stop } = messages(access);
    await recordAccounting(store(), [start(0, 0, 0)], NOW);
    expect(await all(store())).toMatchObject([
      {
        state: 'open',
        credential_id: access.credential.id,
        entitlement_id: access.entitlement.id,
        plan_id: access.plan.id,
        subscriber_id: access.subscriber.id,
        started_at: NOW,
        mac: 'AA:BB:CC:00:00:01',
      },
    ]);
    await recordAccounting(store(), [interim(300, 1000, 20_000)], NOW + 5 * MINUTE);
    expect(await usage(store(), access.entitlement.id)).toEqual([300, 1000, 20_000]);
    const [closed] = await recordAccounting(store(), [stop(400, 1500, 30_000)], NOW + 7 * MINUTE);
    expect(closed).toMatchObject({
      state: 'closed',
      stopped_at: NOW + 400_000,
      terminate_cause: 1,
      session_seconds: 400,
      upload_octets: 1500,
      download_octets: 30_000,
    });
    expect(await usage(store(), access.entitlement.id)).toEqual([400, 1500, 30_000]);
    expect(await daily(store())).toEqual([[400, 1500, 30_000]]);
    expect(await store().selectFrom('devices').selectAll().execute()).toMatchObject([
      { subscriber_id: access.subscriber.id, mac: 'AA:BB:CC:00:00:01' },
    ]);
  });

  it('is the same whatever order its messages come in, and however often each', async () => {
    const orders = [
      [0, 1, 2, 3],
      [3, 2, 1, 0],
      [3, 0, 2, 1],
      [1, 0, 3, 2],
      [0, 0, 2, 1, 1, 3, 3, 2, 0],
      [3, 3, 0, 0, 1, 2],
    ];
    for (const [index, order] of orders.entries()) {
      const access = await someAccess(store());
      const { start, interim, stop } = messages(access, {
        acct_session_id: `s${index}`,
        mac: `AA:BB:CC:00:01:0${index}`,
      });
      const told = [start(0, 0, 0), interim(300, 10, 20), interim(600, 30, 40), stop(700, 50, 60)];
      // One by one in this order, then all of them in one commit again.
      let furthest = 0;
      for (const which of order) {
        await recordAccounting(store(), [told[which] as SessionReport], NOW);
        furthest = Math.max(furthest, which);
        const { session_seconds, upload_octets, download_octets } = told[furthest] as SessionReport;
        const counted = await usage(store(), access.entitlement.id);
        expect(counted).toEqual([session_seconds, upload_octets, download_octets]);
      }
      const [session] = await recordAccounting(store(), told, NOW);
      expect(session).toMatchObject({
        state: 'closed',
        stopped_at: NOW + 700_000,
        started_at: NOW,
        session_seconds: 700,
        upload_octets: 50,
        download_octets: 60,
      });
      expect(await usage(store(), access.entitlement.id)).toEqual([700, 50, 60]);
    }
    expect(await all(store())).toHaveLength(orders.length);
    expect(await daily(store())).toEqual(Array(orders.length).fill([700, 50, 60]));
  });

  it('whose Start was lost begins as long ago as it says', async () => {
    const access = await someAccess(store());
    const [session] = await recordAccounting(store(), [messages(access).interim(600, 5, 6)], NOW);
    expect(session).toMatchObject({ state: 'open', started_at: NOW, updated_at: NOW + 600_000 });
    expect(await usage(store(), access.entitlement.id)).toEqual([600, 5, 6]);
  });

  it('keeps counting exactly above 4 GiB', async () => {
    const access = await someAccess(store());
    const { interim, stop } = messages(access);
    await recordAccounting(store(), [interim(60, 3, 4 * GIB + 5)], NOW);
    await recordAccounting(store(), [stop(120, 5 * GIB + 1, 900 * GIB + 7)], NOW);
    expect(await usage(store(), access.entitlement.id)).toEqual([120, 5 * GIB + 1, 900 * GIB + 7]);
    expect(await daily(store())).toEqual([[120, 5 * GIB + 1, 900 * GIB + 7]]);
  });

  it('counts each day for itself, from midnight in Nairobi', async () => {
    const access = await someAccess(store());
    const { interim } = messages(access);
    const midnight = Date.UTC(2027, 0, 15, 21);
    await recordAccounting(store(), [{ ...interim(60, 10, 10), at: midnight }], midnight);
    await recordAccounting(store(), [{ ...interim(120, 30, 30), at: midnight + MINUTE }], midnight + MINUTE);
    const rows = await store().selectFrom('daily_usage').selectAll().orderBy('day').execute();
    expect(rows.map((row) => [row.day, row.online_seconds, row.upload_octets])).toEqual([
      ['2027-01-15', 60, 10],
      ['2027-01-16', 60, 20],
    ]);
  });

  it('counts on the days in which it was, however late they are told of', async () => {
    const access = await someAccess(store());
    const { start, stop } = messages(access);
    const began = Date.UTC(2027, 0, 15, 19);
    const day = 86_400;
    await recordAccounting(store(), [{ ...start(0, 0, 0), at: began }], began);
    // Two hours of the first day, a whole one, and one hour of the third; stored a week later.
    const told = { ...stop(day + 3 * 3600, 2701, 27_000), at: began + (day + 3 * 3600) * 1000 };
    await recordAccounting(store(), [told], began + 7 * day * 1000);
    const rows = await store().selectFrom('daily_usage').selectAll().orderBy('day').execute();
    expect(rows.map((row) => [row.day, row.online_seconds, row.upload_octets, row.download_octets])).toEqual([
      ['2027-01-15', 2 * 3600, 200, 2000],
      ['2027-01-16', day, 2400, 24_000],
      ['2027-01-17', 3600, 101, 1000],
    ]);
  });

  it('with a counter of seconds that cannot be writes no more than a month of days', async () => {
    const access = await someAccess(store());
    await recordAccounting(store(), [{ ...messages(access).interim(2 ** 32 - 1, 7, 7), at: NOW }], NOW);
    const rows = await store().selectFrom('daily_usage').selectAll().execute();
    expect(rows).toHaveLength(32);
    expect(rows.reduce((sum, row) => sum + row.upload_octets, 0)).toBe(7);
  });

  it('with the id of an older one after the router rebooted is another session', async () => {
    const access = await someAccess(store());
    const reference = { credential_id: access.credential.id, entitlement_id: access.entitlement.id };
    const before = messages(access, { reference: { ...reference, accept_id: 'a1' } });
    const after = messages(access, { reference: { ...reference, accept_id: 'a2' } });
    await recordAccounting(store(), [before.interim(600, 100, 100)], NOW);
    await recordAccounting(store(), [after.start(0, 0, 0), after.interim(60, 7, 7)], NOW);
    expect(await all(store())).toHaveLength(2);
    expect(await usage(store(), access.entitlement.id)).toEqual([660, 107, 107]);
  });

  it('gives way to a newer one of the same device, not to one of another', async () => {
    const access = await someAccess(store(), { max_devices: 3 });
    const same = { mac: 'AA:BB:CC:00:00:01' };
    const first = messages(access, { acct_session_id: 's1', ...same });
    const second = messages(access, { acct_session_id: 's2', ...same });
    const other = messages(access, { acct_session_id: 's3', mac: 'AA:BB:CC:00:00:02' });
    await recordAccounting(store(), [first.start(0, 0, 0)], NOW);
    await recordAccounting(store(), [other.start(1, 0, 0), second.start(2, 0, 0)], NOW);
    const open = await openSessions(store(), access.credential.id);
    expect(open.map((session) => session.acct_session_id).sort()).toEqual(['s2', 's3']);
    // What the old one still tells counts.
    await recordAccounting(store(), [first.stop(90, 11, 12)], NOW);
    expect(await usage(store(), access.entitlement.id)).toEqual([93, 11, 12]);
  });

  it('of a device elsewhere stays open: a home has more than one router', async () => {
    const access = await someAccess(store());
    await recordAccounting(store(), [messages(access, { router_id: 'router-1' }).start(0, 0, 0)], NOW);
    await recordAccounting(store(), [messages(access, { router_id: 'router-2' }).start(0, 0, 0)], NOW);
    expect(await openSessions(store(), access.credential.id)).toHaveLength(2);
  });

  it('is over when its router says it starts anew, and only those of that router', async () => {
    const access = await someAccess(store(), { max_devices: 3 });
    const here = messages(access, { acct_session_id: 's1' });
    const there = messages(access, {
      acct_session_id: 's2',
      router_id: 'router-2',
      mac: 'AA:BB:CC:00:00:02',
    });
    const restart: AccountingEvent = { kind: 'router_restart', router_id: 'router-1', at: NOW + MINUTE };
    const afterwards = messages(access, { acct_session_id: 's3', mac: 'AA:BB:CC:00:00:03' });
    await recordAccounting(
      store(),
      [
        here.start(0, 0, 0),
        there.start(0, 0, 0),
        restart,
        { ...afterwards.start(0, 0, 0), at: NOW + 2 * MINUTE },
      ],
      NOW,
    );
    const open = await openSessions(store(), access.credential.id);
    expect(open.map((session) => session.acct_session_id).sort()).toEqual(['s2', 's3']);
    const closed = (await all(store())).find((session) => session.acct_session_id === 's1');
    expect(closed).toMatchObject({ state: 'closed', stopped_at: NOW + MINUTE });
  });

  it('that began after its router did stays open, though the router’s message comes late', async () => {
    const access = await someAccess(store(), { max_devices: 3 });
    const starts = [0, MINUTE, MINUTE + 1].map((since, n) => ({
      ...messages(access, { acct_session_id: `s${n}`, mac: `AA:BB:CC:00:00:0${n}` }).start(0, 0, 0),
      at: NOW + since,
    }));
    const restart: AccountingEvent = { kind: 'router_restart', router_id: 'router-1', at: NOW + MINUTE };
    await recordAccounting(store(), [...starts, restart], NOW + 2 * MINUTE);
    const open = await openSessions(store(), access.credential.id);
    expect(open.map((session) => session.acct_session_id)).toEqual(['s2']);
  });

  it('that fell silent is closed where it last spoke, and opens again when it speaks', async () => {
    const access = await someAccess(store());
    const { start, interim, stop } = messages(access);
    await recordAccounting(store(), [start(0, 0, 0), interim(300, 10, 10)], NOW);
    expect(await closeStaleSessions(store(), NOW + 300_000)).toEqual([]);
    expect(await closeStaleSessions(store(), NOW + 300_001)).toMatchObject([
      { state: 'closed', stopped_at: NOW + 300_000, session_seconds: 300 },
    ]);
    await recordAccounting(store(), [interim(900, 20, 20)], NOW);
    expect(await openSessions(store(), access.credential.id)).toMatchObject([{ stopped_at: null }]);
    await recordAccounting(store(), [stop(1000, 30, 30)], NOW);
    expect(await closeStaleSessions(store(), NOW + 99 * MINUTE)).toEqual([]);
    expect(await usage(store(), access.entitlement.id)).toEqual([1000, 30, 30]);
  });

  it('without Class belongs to whoever has the user name, and to what runs for it', async () => {
    const access = await someAccess(store());
    await startEntitlement(store(), access.entitlement.id, NOW);
    const { start, stop } = messages(access, { reference: null });
    await recordAccounting(store(), [start(0, 0, 0), stop(60, 1, 2)], NOW);
    expect(await all(store())).toMatchObject([{ entitlement_id: access.entitlement.id, state: 'closed' }]);
    expect(await usage(store(), access.entitlement.id)).toEqual([60, 1, 2]);
  });

  it('without Class counts for nothing that waits, or is over', async () => {
    const access = await someAccess(store());
    const waits = messages(access, { reference: null, acct_session_id: 's1' });
    const [first] = await recordAccounting(store(), [waits.interim(60, 1, 2)], NOW);
    expect(first).toMatchObject({ credential_id: access.credential.id, entitlement_id: null, plan_id: null });
    await endEntitlement(store(), access.entitlement.id, 'expired', NOW);
    const next = await startEntitlement(store(), (await access.grant()).id, NOW);
    const runs = messages(access, { reference: null, acct_session_id: 's2' });
    const [second] = await recordAccounting(store(), [runs.interim(60, 1, 2)], NOW);
    expect(second).toMatchObject({ entitlement_id: next.id });
  });

  it('without Class belongs to a voucher’s guest however the code was typed', async () => {
    const { codes } = await someVouchers(store(), 1);
    const code = codes[0] as string;
    await redeemVoucher(store(), vault, code, null, NOW);
    const { id } = await store().selectFrom('entitlements').selectAll().executeTakeFirstOrThrow();
    await startEntitlement(store(), id, NOW);
    const typed = ` ${code.slice(0, 4)}-${code.slice(4)}`.toLowerCase();
    await recordAccounting(store(), [report({ username: typed, kind: 'stop', upload_octets: 7 })], NOW);
    expect(await usage(store(), id)).toEqual([0, 7, 0]);
    expect(await all(store())).toMatchObject([{ username: typed, entitlement_id: id }]);
  });

  it('of a stranger is stored, and counts for nobody', async () => {
    await recordAccounting(store(), [report({ username: 'nobody', kind: 'stop', session_seconds: 5 })], NOW);
    await recordAccounting(
      store(),
      [
        report({
          username: 'nobody',
          acct_session_id: 'x',
          reference: { credential_id: newId(NOW), entitlement_id: newId(NOW), accept_id: 'a' },
          upload_octets: 9,
        }),
      ],
      NOW,
    );
    expect(await all(store())).toMatchObject([
      { credential_id: null, entitlement_id: null },
      { credential_id: null, entitlement_id: null },
    ]);
    expect(await daily(store())).toEqual([]);
  });

  it('that went over to the next plan uses each for its own time', async () => {
    const access = await someAccess(store(), { online_seconds: 600, quota_octets: 10_000 });
    const second = await access.grant();
    await startEntitlement(store(), access.entitlement.id, NOW);
    const { start, interim } = messages(access);
    const [session] = await recordAccounting(store(), [start(0, 0, 0), interim(300, 100, 1000)], NOW);
    const went = NOW + 400_000;
    await endEntitlement(store(), access.entitlement.id, 'expired', went - 1000);
    await startEntitlement(store(), second.id, went);
    await moveSession(store(), session?.id as string, second);
    // 100 s of these 300 were the first one's.
    await recordAccounting(store(), [interim(600, 400, 4000)], NOW);
    expect(await usage(store(), access.entitlement.id)).toEqual([400, 200, 2000]);
    expect(await usage(store(), second.id)).toEqual([200, 200, 2000]);
    // A report that was under way while it went over tells of the first one's time alone.
    await recordAccounting(store(), [interim(300, 100, 1000), interim(900, 500, 5000)], NOW);
    expect(await usage(store(), access.entitlement.id)).toEqual([400, 200, 2000]);
    expect(await usage(store(), second.id)).toEqual([500, 300, 3000]);
    expect(await daily(store())).toEqual(
      expect.arrayContaining([
        [400, 200, 2000],
        [500, 300, 3000],
      ]),
    );
    expect(await getEntitlement(store(), second.id)).toMatchObject({ state: 'active' });
  });

  it.each<[string, number[], number[]]>([
    ['no plan that ended long before', [-3600], [0, 400]],
    ['no plan that ended after its own had begun', [250], [0, 400]],
    ['the last of the plans that ended before', [50, 100], [0, 100, 300]],
  ])('that began before its plan did counts for %s', async (_, ended, expected) => {
    const access = await someAccess(store());
    const plans = [access.entitlement];
    while (plans.length <= ended.length) plans.push(await access.grant(NOW + plans.length));
    const at = (seconds: number) => NOW + seconds * 1000;
    for (const [n, seconds] of ended.entries()) {
      await startEntitlement(store(), plans[n]?.id ?? '', at(Math.min(seconds, 0)) - 7200_000);
      await endEntitlement(store(), plans[n]?.id ?? '', 'expired', at(seconds));
    }
    const last = await startEntitlement(store(), plans.at(-1)?.id ?? '', at(100));
    const { start, interim } = messages(access);
    const [session] = await recordAccounting(store(), [start(0, 0, 0)], NOW);
    await moveSession(store(), session?.id as string, last);
    await recordAccounting(store(), [interim(400, 0, 0)], NOW);
    const used = await Promise.all(plans.map(({ id }) => usage(store(), id)));
    expect(used.map(([seconds]) => seconds)).toEqual(expected);
  });

  it('that went over at midnight counts on either day for the plan of that day', async () => {
    const access = await someAccess(store());
    const second = await access.grant();
    const midnight = Date.UTC(2027, 0, 15, 21);
    await startEntitlement(store(), access.entitlement.id, midnight - 3600_000);
    const { start, interim } = messages(access);
    const [session] = await recordAccounting(
      store(),
      [{ ...start(0, 0, 0), at: midnight - 600_000 }],
      midnight,
    );
    await endEntitlement(store(), access.entitlement.id, 'expired', midnight);
    await startEntitlement(store(), second.id, midnight);
    await moveSession(store(), session?.id as string, second);
    await recordAccounting(store(), [{ ...interim(900, 90, 9), at: midnight + 300_000 }], midnight);
    const rows = await store().selectFrom('daily_usage').selectAll().orderBy('day').execute();
    expect(rows.map((row) => [row.day, row.entitlement_id, row.online_seconds, row.upload_octets])).toEqual([
      ['2027-01-15', access.entitlement.id, 600, 60],
      ['2027-01-16', second.id, 300, 30],
    ]);
  });

  it('whose last report under a plan comes when it went over already uses that plan alone', async () => {
    const access = await someAccess(store());
    const second = await access.grant();
    await startEntitlement(store(), access.entitlement.id, NOW);
    const { start, stop } = messages(access);
    const [session] = await recordAccounting(store(), [start(0, 0, 0)], NOW);
    await endEntitlement(store(), access.entitlement.id, 'expired', NOW + 400_000);
    await startEntitlement(store(), second.id, NOW + 400_500);
    await moveSession(store(), session?.id as string, second);
    await recordAccounting(store(), [stop(399, 70, 700)], NOW + 500_000);
    expect(await usage(store(), access.entitlement.id)).toEqual([399, 70, 700]);
    expect(await usage(store(), second.id)).toEqual([0, 0, 0]);
  });

  it('that uses up the quota ends the entitlement in the same commit, with one task for its live sessions', async () => {
    const access = await someAccess(store(), { quota_octets: 1000 });
    await startEntitlement(store(), access.entitlement.id, NOW);
    const { start, interim } = messages(access);
    await recordAccounting(store(), [start(0, 0, 0), interim(60, 400, 599)], NOW);
    expect(await getEntitlement(store(), access.entitlement.id)).toMatchObject({ state: 'active' });
    await recordAccounting(store(), [interim(61, 400, 600)], NOW + MINUTE);
    expect(await getEntitlement(store(), access.entitlement.id)).toMatchObject({
      state: 'ended',
      end_reason: 'quota_used',
      ended_at: NOW + MINUTE,
    });
    await recordAccounting(store(), [interim(62, 400, 700), interim(62, 400, 700)], NOW + MINUTE);
    const tasks = await store().selectFrom('tasks').selectAll().execute();
    expect(tasks.map((task) => [task.kind, JSON.parse(task.payload)])).toEqual([
      ['enforce', { credential_id: access.credential.id, reason: 'quota_used' }],
    ]);
    expect(await usage(store(), access.entitlement.id)).toEqual([62, 400, 700]);
  });

  it('that uses up the online time ends the entitlement', async () => {
    const access = await someAccess(store(), { online_seconds: 600 });
    await startEntitlement(store(), access.entitlement.id, NOW);
    await recordAccounting(store(), [messages(access).interim(600, 0, 0)], NOW);
    expect(await getEntitlement(store(), access.entitlement.id)).toMatchObject({
      state: 'ended',
      end_reason: 'online_time_used',
    });
  });

  it('of one group that cannot be stored takes the whole group with it: nothing is half-counted', async () => {
    const access = await someAccess(store());
    const { start, interim } = messages(access);
    const broken = { ...interim(60, 1, 1), upload_octets: null as unknown as number, acct_session_id: 'b' };
    await expect(
      recordAccounting(
        store(),
        [start(0, 0, 0), interim(60, 5, 5), { ...broken, router_id: null as never }],
        NOW,
      ),
    ).rejects.toThrow();
    expect(await all(store())).toEqual([]);
    expect(await usage(store(), access.entitlement.id)).toEqual([0, 0, 0]);
  });

  it('counts the other devices that are open now, each once', async () => {
    const access = await someAccess(store(), { max_devices: 5 });
    const name = access.credential.username;
    const others = async (mac: string) => (await findAccess(store(), name, mac))?.other_devices;
    expect(await others('AA:BB:CC:00:00:01')).toBe(0);
    const phone = messages(access, { acct_session_id: 's1', mac: 'AA:BB:CC:00:00:01' });
    await recordAccounting(
      store(),
      [
        phone.start(0, 0, 0),
        messages(access, { acct_session_id: 's2', mac: 'AA:BB:CC:00:00:02' }).start(0, 0, 0),
        messages(access, { acct_session_id: 's3', mac: 'AA:BB:CC:00:00:02', router_id: 'router-2' }).start(
          0,
          0,
          0,
        ),
        messages(access, { acct_session_id: 's4', mac: 'AA:BB:CC:00:00:03' }).stop(9, 0, 0),
      ],
      NOW,
    );
    expect(await others('AA:BB:CC:00:00:01')).toBe(1);
    expect(await others('AA:BB:CC:00:00:09')).toBe(2);
    expect(await others('')).toBe(2);
    await recordAccounting(store(), [phone.stop(10, 0, 0)], NOW);
    expect(await others('AA:BB:CC:00:00:09')).toBe(1);
  });
});
