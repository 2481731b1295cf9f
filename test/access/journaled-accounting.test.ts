// Accounting by way of the journal: nothing acknowledged is lost or counted twice, and nobody sees less than was told.
import { cpSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { recordAccounting } from '../../src/access/accounting.ts';
import { createJournaledAccounting } from '../../src/access/journaled-accounting.ts';
import type { Session } from '../../src/access/sessions.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openSqlite, withManners } from '../../src/db/open.ts';
import type { Db } from '../../src/db/schema.ts';
import { silentLog } from '../../src/log.ts';
import { chance } from '../protocols/radius/material.ts';
import { NOW, report, someAccess } from './fixtures.ts';

const newFolder = () => mkdtempSync(join(tmpdir(), 'karibu-accounting-'));
const opened: Db[] = [];

afterEach(async () => {
  for (const db of opened.splice(0)) await db.destroy();
});

async function openStore(folder: string) {
  const store = await openSqlite(join(folder, 'karibu.db'));
  opened.push(store);
  await migrate(store, { now: NOW });
  return store;
}

/** Karibu on a data folder: `db` is what everybody uses, `store` the store behind it. */
async function open(folder: string, before = async (_: Db): Promise<unknown> => undefined) {
  const store = await openStore(folder);
  await before(store);
  const disk = { refuses: false };
  const published: Session[] = [];
  const lost: unknown[] = [];
  const accounting = createJournaledAccounting(store, join(folder, 'accounting.journal'), {
    clock: { now: () => NOW },
    log: { ...silentLog, error: (message, fields) => void lost.push({ message, ...fields }) },
    diskRefuses: () => disk.refuses,
    stored: (sessions) => published.push(...sessions),
  });
  const db = withManners(store, { before: () => accounting.caughtUp() });
  await accounting.start();
  return { folder, store, db, disk, accounting, published, lost };
}

/** What a power cut leaves: the files as they are now. */
function afterPowerCut(folder: string): string {
  const copy = newFolder();
  cpSync(folder, copy, { recursive: true });
  return copy;
}

const sessionsOf = (db: Db) => db.selectFrom('sessions').selectAll().orderBy('unique_key').execute();
const rows = async (db: Db, table: 'daily_usage' | 'entitlements') =>
  (await sql<object>`select * from ${sql.table(table)} order by 1, 2, 3`.execute(db)).rows;

/** All that accounting writes, but for the ids that are made on the way. */
async function everything(db: Db) {
  const sessions = (await sessionsOf(db)).map(({ id, ...session }) => session);
  return { sessions, usage: await rows(db, 'daily_usage'), entitlements: await rows(db, 'entitlements') };
}

describe('an acknowledged report', () => {
  it('is there for whoever looks, though the store lags behind', async () => {
    const { db, store, accounting, published } = await open(newFolder());
    const { credential } = await someAccess(db);
    await accounting.add(report({ username: credential.username }));
    expect(await sessionsOf(store)).toEqual([]);
    expect(published).toEqual([]);
    expect(await sessionsOf(db)).toMatchObject([{ username: credential.username, state: 'open' }]);
    expect(published).toMatchObject([{ username: credential.username }]);
    expect(await sessionsOf(store)).toHaveLength(1);
  });

  it('is stored by itself soon, and the reports of a session in one go', async () => {
    const { store, accounting, published } = await open(newFolder());
    for (const session_seconds of [0, 60, 120]) {
      await accounting.add(report({ kind: session_seconds ? 'interim' : 'start', session_seconds }));
    }
    while (published.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(published).toMatchObject([{ session_seconds: 120 }]);
    expect(await sessionsOf(store)).toMatchObject([{ session_seconds: 120, state: 'open' }]);
  });

  it('counts for the one who asks for access', async () => {
    const { db, store, accounting } = await open(newFolder());
    const { credential } = await someAccess(db);
    const other = await someAccess(db);
    await accounting.add(report({ username: credential.username, acct_session_id: 'a' }));
    await accounting.add(report({ username: other.credential.username, acct_session_id: 'b' }));
    const asking = { credential_id: credential.id, username: credential.username };
    expect(await accounting.catchUp(asking)).toBe(true);
    expect(await sessionsOf(store)).toMatchObject([{ username: credential.username }]);
    expect(accounting.catchUp(asking)).toBeUndefined();
  });

  it('outlives a power cut before it is stored, once', async () => {
    const first = await open(newFolder());
    const { credential, entitlement } = await someAccess(first.db);
    const reference = { credential_id: credential.id, entitlement_id: entitlement.id, accept_id: 'a' };
    const interim = report({ kind: 'interim', reference, session_seconds: 60, upload_octets: 7 });
    await first.accounting.add(interim);
    const second = await open(afterPowerCut(first.folder));
    expect(await sessionsOf(second.store)).toMatchObject([
      { upload_octets: 7, entitlement_id: entitlement.id },
    ]);
    const third = await open(afterPowerCut(second.folder));
    await third.accounting.add(interim);
    expect(await sessionsOf(third.db)).toHaveLength(1);
    expect(await rows(third.db, 'entitlements')).toMatchObject([{ used_upload_octets: 7, used_seconds: 60 }]);
  });

  it('is in the store when Karibu has stopped, and comes from the journal no more', async () => {
    const first = await open(newFolder());
    await first.accounting.add(report());
    await first.accounting.stop();
    expect(await sessionsOf(first.store)).toHaveLength(1);
    await first.store.deleteFrom('sessions').execute();
    const second = await open(afterPowerCut(first.folder));
    expect(await sessionsOf(second.db)).toEqual([]);
  });
});

describe('a router that begins again', () => {
  it('ends what was acknowledged before it said so, and nothing that came after', async () => {
    const { db, accounting } = await open(newFolder());
    await accounting.add(report({ acct_session_id: 'old', at: NOW }));
    await accounting.add({ kind: 'router_restart', router_id: 'router-1', at: NOW + 1 });
    await accounting.add(report({ acct_session_id: 'new', at: NOW + 2 }));
    const states = (await sessionsOf(db)).map(({ acct_session_id, state }) => [acct_session_id, state]);
    expect(states.sort()).toEqual([
      ['new', 'open'],
      ['old', 'closed'],
    ]);
  });
});

describe('a store that takes nothing', () => {
  const fill = (db: Db) => sql`pragma max_page_count = 1`.execute(db);
  const empty = (db: Db) => sql`pragma max_page_count = 1000000`.execute(db);
  /** More than the last page has room for. */
  const big = (n: number) => report({ acct_session_id: `${n}`, username: 'x'.repeat(250) });
  const many = Array.from({ length: 60 }, (_, n) => big(n));

  it('has nothing more acknowledged, loses nothing of what was, and is asked again', async () => {
    const { db, store, accounting, published } = await open(newFolder());
    await Promise.all(many.map((one) => accounting.add(one)));
    await fill(store);
    expect(await sessionsOf(db)).toEqual([]);
    await expect(accounting.add(big(100))).rejects.toMatchObject({ code: 'SQLITE_FULL' });
    expect(accounting.catchUp({ credential_id: 'none', username: 'x'.repeat(250) })).toBeUndefined();
    await empty(store);
    await accounting.add(big(101));
    while (published.length < 61) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await sessionsOf(store)).toHaveLength(61);
  });

  it('lets what it was told wait in the journal over a restart', async () => {
    const first = await open(newFolder());
    await Promise.all(many.map((one) => first.accounting.add(one)));
    await fill(first.store);
    await first.accounting.stop();
    const second = await open(afterPowerCut(first.folder));
    expect(await sessionsOf(second.store)).toHaveLength(60);
  });

  it('at the start as well gets what the journal held as soon as it takes something', async () => {
    const first = await open(newFolder());
    await Promise.all(many.map((one) => first.accounting.add(one)));
    const second = await open(afterPowerCut(first.folder), fill);
    await expect(second.accounting.add(big(100))).rejects.toMatchObject({ code: 'SQLITE_FULL' });
    await expect(second.accounting.add(big(100))).rejects.toMatchObject({ code: 'SQLITE_FULL' });
    await empty(second.store);
    await second.accounting.add(big(101));
    expect(await sessionsOf(second.db)).toHaveLength(61);
    expect(second.published).toHaveLength(61);
  });

  it('has nothing acknowledged from the journal alone once the disk is known to refuse', async () => {
    const { store, disk, accounting } = await open(newFolder());
    await fill(store);
    disk.refuses = true;
    await expect(Promise.all(many.map((one) => accounting.add(one)))).rejects.toMatchObject({
      code: 'SQLITE_FULL',
    });
    await empty(store);
    await accounting.add(big(100));
    expect((await sessionsOf(store)).map((one) => one.acct_session_id)).toContain('100');
  });

  it('because another program writes is asked again, and loses nothing', async () => {
    const { folder, store, accounting, published } = await open(newFolder());
    await accounting.add(report());
    await sql`pragma busy_timeout = 0`.execute(store);
    const other = await openSqlite(join(folder, 'karibu.db'));
    await other.transaction().execute(async (tx) => {
      await tx.updateTable('settings').set({ updated_at: 0 }).execute();
      await expect(
        accounting.add(report({ acct_session_id: 'b' })).then(() => accounting.caughtUp()),
      ).resolves.toBeUndefined();
      await expect(accounting.add(report({ acct_session_id: 'c' }))).rejects.toMatchObject({
        code: 'SQLITE_BUSY',
      });
    });
    await other.destroy();
    while (published.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    expect((await sessionsOf(store)).map((one) => one.acct_session_id).sort()).toEqual(['80100014', 'b']);
  });

  it('for one report takes the others, and says which is lost', async () => {
    const { db, accounting, lost } = await open(newFolder());
    const broken = report({ acct_session_id: 'b', session_seconds: {} as number });
    for (const one of [report({ acct_session_id: 'a' }), broken, report({ acct_session_id: 'c' })]) {
      await accounting.add(one);
    }
    expect((await sessionsOf(db)).map((one) => one.acct_session_id).sort()).toEqual(['a', 'c']);
    expect(lost).toMatchObject([{ reports: [{ acct_session_id: 'b' }] }]);
  });
});

/** Holds the turn to write, as long work does: whoever wants to store something waits until it is let go. */
async function holdTurn(store: Db): Promise<() => Promise<void>> {
  let letGo = () => {};
  let begun = () => {};
  const until = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const inside = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const held = store.connection().execute(async () => {
    begun();
    await until;
  });
  await inside;
  return async () => {
    letGo();
    await held;
  };
}

describe('the order in which a session was told of', () => {
  /**
   * The nth report of a session. It has another address than the one before, and counters that begin again every few
   * reports, so that what is stored tells in which order it was taken, and whether one is missing.
   */
  const nth = (name: string, n: number) =>
    report({
      kind: n === 0 ? 'start' : 'interim',
      ...{ acct_session_id: name, username: name, mac: null, session_seconds: n, ip: `10.5.48.${n}` },
      ...{ upload_octets: (n * 1.5e9) % 2 ** 32, download_octets: 0, counters_wrap: true, at: NOW + n },
    });

  /** A box whose store another program can keep from being written. */
  async function openBesideAnother() {
    const box = await open(newFolder());
    await sql`pragma busy_timeout = 0`.execute(box.store);
    const other = await openSqlite(join(box.folder, 'karibu.db'));
    opened.push(other);
    return {
      ...box,
      /** Has the store refuse what waits for its turn, which `turn` then gives. */
      async refuse(turn: () => Promise<void>, told: () => Promise<unknown>) {
        await other.transaction().execute(async () => {
          await turn();
          await told();
        });
      },
    };
  }

  async function plainly(events: Parameters<typeof recordAccounting>[1]) {
    const store = await openStore(newFolder());
    for (const event of events) await recordAccounting(store, [event], NOW);
    return (await everything(store)).sessions;
  }

  it('is kept when the store refuses what was told while more is told', async () => {
    const { db, store, accounting, lost, refuse } = await openBesideAnother();
    for (const name of ['a', 'b']) for (const n of [0, 1, 2]) await accounting.add(nth(name, n));
    const turn = await holdTurn(store);
    const storing = accounting.caughtUp();
    // On disk, and behind what is about to be refused.
    for (const n of [3, 4, 5]) for (const name of ['a', 'b', 'c']) await accounting.add(nth(name, n));
    await refuse(turn, async () => storing);
    expect(lost).toMatchObject([{ message: 'accounting waits for the store' }]);
    for (const _ of [1, 2]) {
      await refuse(
        async () => {},
        () => expect(accounting.add(nth('a', 6))).rejects.toMatchObject({ code: 'SQLITE_BUSY' }),
      );
    }
    for (const n of [6, 7]) for (const name of ['a', 'b', 'c']) await accounting.add(nth(name, n));
    const events = ['a', 'b', 'c'].flatMap((name) =>
      Array.from({ length: 8 }, (_, n) => nth(name, n)).slice(name === 'c' ? 3 : 0),
    );
    expect((await everything(db)).sessions).toEqual(await plainly(events));
  });

  it.each([1, 2, 3])('is kept in a storm that the store refuses again and again (seed %i)', async (seed) => {
    const by = chance(seed * 7919);
    const { db, store, accounting, lost, refuse } = await openBesideAnother();
    const told = Array.from({ length: 100 }, () => 0);
    let refusedAdds = 0;
    /** The next report of each of some sessions; one that was not acknowledged comes again before any later one. */
    const tell = (sessions: Iterable<number>) =>
      Promise.all(
        [...sessions].map((session) =>
          accounting.add(nth(`s${session}`, told[session] ?? 0)).then(
            () => {
              told[session] = (told[session] ?? 0) + 1;
            },
            () => {
              refusedAdds++;
            },
          ),
        ),
      );
    for (let turn = 0; turn < 60; turn++) {
      const some = new Set(Array.from({ length: 1 + by.below(60) }, () => by.below(told.length)));
      const refuses = by.below(2) === 0;
      const go = await holdTurn(store);
      const storing = accounting.caughtUp();
      const telling = tell(some);
      // Those that wait for the store get no answer before it has its turn; the others have theirs before or after.
      const turns = by.below(40);
      for (let waited = 0; waited < turns; waited++) await new Promise((resolve) => setImmediate(resolve));
      if (refuses) await refuse(go, () => Promise.all([telling, storing]));
      else {
        await go();
        await Promise.all([telling, storing]);
      }
    }
    expect(lost.length).toBeGreaterThan(5);
    expect(refusedAdds).toBeGreaterThan(5);
    // Those that got no answer send it again.
    await tell(told.keys());
    const events = told.flatMap((count, session) =>
      Array.from({ length: count }, (_, n) => nth(`s${session}`, n)),
    );
    expect((await everything(db)).sessions).toEqual(await plainly(events));
  });
});

describe('a storm of reports', () => {
  it.each([1, 2, 3, 4])('with power cuts leaves what plain accounting leaves (seed %i)', async (seed) => {
    const by = chance(seed * 104_729);
    const plain = await openStore(newFolder());
    const accesses: Awaited<ReturnType<typeof someAccess>>[] = [];
    for (let n = 0; n < 20; n++) {
      // Some sell online time, which sessions of one device share.
      accesses.push(await someAccess(plain, { max_devices: 9, online_seconds: n % 2 === 0 ? null : 1e6 }));
    }
    let box = await open(await copyOf(plain));
    const sessions = Array.from({ length: 600 }, (_, n) => ({ n, id: '', told: 0, over: false }));
    let at = 0;
    for (let turn = 0; turn < 25; turn++) {
      const events = Array.from({ length: 1 + by.below(150) }, () => {
        const session = sessions[by.below(sessions.length)] as (typeof sessions)[number];
        const access = accesses[session.n % accesses.length] as (typeof accesses)[number];
        return next(session, access, by.below(4) === 0, NOW + at++);
      });
      await recordAccounting(plain, events, NOW);
      // A router sends the next report of a session when it has the answer to the last.
      await Promise.all(
        [...bySession(events).values()].map(async (reports) => {
          for (const one of reports) await box.accounting.add(one);
        }),
      );
      if (by.below(3) === 0) {
        const access = accesses[by.below(accesses.length)] as (typeof accesses)[number];
        await box.accounting.catchUp({
          credential_id: access.credential.id,
          username: access.credential.username,
        });
      }
      if (by.below(5) === 0) box = await open(afterPowerCut(box.folder));
    }
    expect(await everything(box.db)).toEqual(await everything(plain));
    expect(box.lost).toEqual([]);
  });

  async function copyOf(store: Db): Promise<string> {
    await sql`pragma wal_checkpoint(full)`.execute(store);
    const { rows: files } = await sql<{ file: string }>`select file from pragma_database_list`.execute(store);
    const folder = newFolder();
    cpSync(files[0]?.file ?? '', join(folder, 'karibu.db'));
    return folder;
  }

  function bySession<T extends { acct_session_id: string }>(events: T[]): Map<string, T[]> {
    const groups = new Map<string, T[]>();
    for (const event of events) {
      groups.set(event.acct_session_id, [...(groups.get(event.acct_session_id) ?? []), event]);
    }
    return groups;
  }

  function next(
    session: { n: number; id: string; told: number; over: boolean },
    access: Awaited<ReturnType<typeof someAccess>>,
    stops: boolean,
    at: number,
  ) {
    const kind = session.told === 0 ? 'start' : stops || session.over ? 'stop' : 'interim';
    session.over = kind === 'stop';
    // As RouterOS counts them.
    if (kind === 'start') session.id = (0x80000000 + at).toString(16);
    const seconds = session.told++;
    return report({
      kind,
      username: access.credential.username,
      acct_session_id: session.id,
      mac: `AA:BB:CC:00:${String(session.n % 100).padStart(2, '0')}:01`,
      reference: {
        credential_id: access.credential.id,
        entitlement_id: access.entitlement.id,
        accept_id: `a${session.n}`,
      },
      session_seconds: seconds,
      upload_octets: seconds * 3,
      download_octets: seconds * 5,
      terminate_cause: kind === 'stop' ? 1 : null,
      at,
    });
  }
});
