// What is acknowledged is on disk: commits wait for a flush that they share, and for nothing else.
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { describe, expect, it } from 'vitest';
import { createFlush, type Flush } from '../../src/db/flush.ts';
import { migrate } from '../../src/db/migrate.ts';
import { onSqlite, openSqlite, withManners } from '../../src/db/open.ts';
import type { Db } from '../../src/db/schema.ts';
import { keepStatements, type SqliteConnection } from '../../src/db/sqlite.ts';
import { statement } from '../../src/db/statement.ts';

async function connection(path: string): Promise<SqliteConnection> {
  if ('Bun' in globalThis) {
    const { Database } = await import('bun:sqlite');
    return keepStatements(new Database(path) as unknown as SqliteConnection);
  }
  const { default: Database } = await import('better-sqlite3');
  return keepStatements(new Database(path) as unknown as SqliteConnection);
}

/** A flush that ends when the test says so. */
function heldFlush() {
  const waiting: { done(): void; failed(error: unknown): void }[] = [];
  const flush: Flush = {
    flushed: () => new Promise((done, failed) => waiting.push({ done, failed })),
    async close() {},
  };
  return { flush, waiting };
}

async function heldStore() {
  const { flush, waiting } = heldFlush();
  const db = onSqlite({ writer: await connection(':memory:'), flush });
  const made = sql`create table rows (id integer primary key, text text)`.execute(db);
  await settle();
  for (const { done } of waiting.splice(0)) done();
  await made;
  return { db, waiting };
}

/** Long enough for whatever waits for nothing to be over. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

function outcomeOf(work: Promise<unknown>) {
  const state = { over: 'no' as 'no' | 'done' | 'failed' };
  work.then(
    () => {
      state.over = 'done';
    },
    () => {
      state.over = 'failed';
    },
  );
  return state;
}

const insert = (db: Db, id: number) => sql`insert into rows (id) values (${id})`.execute(db);
const count = async (db: Db) =>
  (await sql<{ n: number }>`select count(*) as n from rows`.execute(db)).rows[0]?.n;

describe('a commit', () => {
  it('is told of only after its flush, and meanwhile holds up no one who reads or writes', async () => {
    const { db, waiting } = await heldStore();
    const first = outcomeOf(insert(db, 1));
    const second = outcomeOf(db.transaction().execute(async (tx) => insert(tx, 2)));
    await settle();
    expect([first.over, second.over, waiting.length]).toEqual(['no', 'no', 2]);
    expect(await count(db)).toBe(2);
    for (const { done } of waiting) done();
    await settle();
    expect([first.over, second.over]).toEqual(['done', 'done']);
    await db.destroy();
  });

  it('whose flush fails is told as a failure, and the store goes on', async () => {
    const { db, waiting } = await heldStore();
    const work = outcomeOf(db.transaction().execute(async (tx) => insert(tx, 1)));
    await settle();
    for (const { failed } of waiting.splice(0)) failed(new Error('the card is gone'));
    await settle();
    expect(work.over).toBe('failed');
    const next = outcomeOf(db.transaction().execute(async (tx) => insert(tx, 2)));
    await settle();
    for (const { done } of waiting.splice(0)) done();
    await settle();
    expect(next.over).toBe('done');
    await db.destroy();
  });

  it('whose flush fails takes nothing back of the transaction that is under way by then', async () => {
    const { db, waiting } = await heldStore();
    const first = outcomeOf(db.transaction().execute((tx) => insert(tx, 1)));
    await settle();
    let go = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const second = outcomeOf(
      db.transaction().execute(async (tx) => {
        await insert(tx, 2);
        await gate;
        await insert(tx, 3);
      }),
    );
    await settle();
    for (const { failed } of waiting.splice(0)) failed(new Error('the card is gone'));
    await settle();
    expect([first.over, second.over]).toEqual(['failed', 'no']);
    go();
    await settle();
    for (const { done } of waiting.splice(0)) done();
    await settle();
    expect([second.over, await count(db)]).toEqual(['done', 3]);
    await db.destroy();
  });

  it('that was rolled back waits for no flush', async () => {
    const { db, waiting } = await heldStore();
    const work = db.transaction().execute(async (tx) => {
      await insert(tx, 1);
      throw new Error('changed our mind');
    });
    await expect(work).rejects.toThrow('changed our mind');
    expect(waiting).toEqual([]);
    expect(await count(db)).toBe(0);
    await db.destroy();
  });
});

describe('transactions', () => {
  it('follow each other in the order they were asked for', async () => {
    const db = onSqlite({ writer: await connection(':memory:') });
    await sql`create table rows (id integer primary key, text text)`.execute(db);
    const order: number[] = [];
    const one = (n: number) =>
      db.transaction().execute(async (tx) => {
        order.push(n);
        await insert(tx, n);
        await settle();
        expect(await count(tx)).toBe(n);
      });
    await Promise.all([one(1), one(2), one(3)]);
    expect(order).toEqual([1, 2, 3]);
    await db.destroy();
  });

  it('hold the lock from their beginning, so that none fails half-way', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'karibu-lock-')), 'karibu.db');
    const db = await openSqlite(file);
    await sql`create table rows (id integer primary key, text text)`.execute(db);
    const another = await connection(file);
    another.prepare('pragma busy_timeout = 0').all([]);
    await db.transaction().execute(async (tx) => {
      expect(await count(tx)).toBe(0);
      expect(() => another.prepare('insert into rows (id) values (1)').run([])).toThrow(/locked/);
      await insert(tx, 2);
    });
    another.close();
    expect(await count(db)).toBe(1);
    await db.destroy();
  });
});

describe('compiled statements', () => {
  it('are kept, and no more of them than five hundred', async () => {
    const kept = await connection(':memory:');
    const first = kept.prepare('select 0');
    for (let n = 1; n < 500; n++) kept.prepare(`select ${n}`);
    expect(kept.prepare('select 0')).toBe(first);
    kept.prepare('select 500');
    expect(kept.prepare('select 0')).not.toBe(first);
    kept.close();
  });
});

describe('flushing', () => {
  const folder = () => mkdtempSync(join(tmpdir(), 'karibu-flush-'));
  const noCheckpoint = () => {
    throw new Error('no checkpoint was expected');
  };

  it('is shared by all who ask while one is under way', async () => {
    const log = join(folder(), 'log');
    writeFileSync(log, 'a commit');
    const flush = createFlush(log, noCheckpoint);
    await Promise.all(Array.from({ length: 100 }, () => flush.flushed()));
    await flush.close();
  });

  it('has nothing to do without a log', async () => {
    const flush = createFlush(join(folder(), 'missing'), noCheckpoint);
    await flush.flushed();
    await flush.close();
  });

  it('that failed once is believed again only after a checkpoint took everything', async () => {
    let refuses = true;
    let checkpoints = 0;
    // A device is nothing that can be flushed.
    const flush = createFlush('/dev/null', () => {
      checkpoints++;
      if (refuses) throw new Error('still full');
    });
    await expect(flush.flushed()).rejects.toThrow();
    await expect(flush.flushed()).rejects.toThrow('still full');
    refuses = false;
    await flush.flushed();
    expect(checkpoints).toBe(2);
    await flush.close();
  });
});

describe('statements of packets', () => {
  const findRow = statement(sql<{ text: string }>`select text from rows where id = ${0}`);

  it('read what is committed, and at once what the reader has written himself', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'karibu-reader-')), 'karibu.db');
    const db = await openSqlite(file);
    await migrate(db, { now: 0 });
    await sql`create table rows (id integer primary key, text text)`.execute(db);
    expect(await findRow(db, [1])).toEqual([]);
    await sql`insert into rows values (1, 'one')`.execute(db);
    expect(await findRow(db, [1])).toEqual([{ text: 'one' }]);
    await db.transaction().execute(async (tx) => {
      await sql`update rows set text = 'two' where id = 1`.execute(tx);
      expect(await findRow(tx, [1])).toEqual([{ text: 'two' }]);
      expect(await findRow(db, [1])).toEqual([{ text: 'one' }]);
    });
    expect(await findRow(db, [1])).toEqual([{ text: 'two' }]);
    await db.destroy();
    // The last connection takes the log away with it: none is left open.
    expect(existsSync(`${file}-wal`)).toBe(false);
  });

  it('read a commit in the same turn of the event loop as what was before it', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'karibu-turn-')), 'karibu.db');
    const db = withManners(await openSqlite(file), { hasty: true });
    await sql`create table rows (id integer primary key, text text)`.execute(db);
    let turns = 0;
    setImmediate(() => turns++);
    expect(await findRow(db, [1])).toEqual([]);
    await sql`insert into rows values (1, 'one')`.execute(db);
    expect(await findRow(db, [1])).toEqual([{ text: 'one' }]);
    expect(turns).toBe(0);
    await db.destroy();
  });
});

describe('the snapshot of packets', () => {
  const findCount = statement(sql<{ n: number }>`select count(*) as n from rows`);

  it('is one for all that is read in a turn, and ends with it, whoever writes', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'karibu-snapshot-')), 'karibu.db');
    const db = await openSqlite(file);
    await sql`create table rows (id integer primary key, text text)`.execute(db);
    const another = await connection(file);
    const write = (id: number) => another.prepare('insert into rows (id) values (?)').run([id]);
    expect(findCount(db, [])).toEqual([{ n: 0 }]);
    write(1);
    expect(findCount(db, [])).toEqual([{ n: 0 }]);
    await settle();
    expect(findCount(db, [])).toEqual([{ n: 1 }]);
    await settle();
    write(2);
    expect(findCount(db, [])).toEqual([{ n: 2 }]);
    // A write of one's own ends it at once.
    write(3);
    await insert(withManners(db, { hasty: true }), 4);
    expect(findCount(db, [])).toEqual([{ n: 4 }]);
    another.close();
    await db.destroy();
  });
});

describe('a way into the store', () => {
  it('that is hasty is not told of the disk, while the others are', async () => {
    const { db, waiting } = await heldStore();
    const hasty = outcomeOf(insert(withManners(db, { hasty: true }), 1));
    const other = outcomeOf(insert(db, 2));
    await settle();
    expect([hasty.over, other.over, waiting.length]).toEqual(['done', 'no', 1]);
    for (const { done } of waiting) done();
    await db.destroy();
  });

  it('that waits for something first does so before a read, a write and a transaction', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'karibu-first-')), 'karibu.db');
    const store = await openSqlite(file);
    await sql`create table rows (id integer primary key, text text)`.execute(store);
    const findCount = statement(sql<{ n: number }>`select count(*) as n from rows`);
    let asked = 0;
    const db = withManners(store, {
      async before() {
        await insert(store, ++asked);
      },
    });
    expect(await findCount(db, [])).toEqual([{ n: 1 }]);
    expect(await count(db)).toBe(2);
    await insert(db, 100);
    expect(await db.transaction().execute((tx) => count(tx))).toBe(5);
    expect(asked).toBe(4);
    expect(await count(store)).toBe(5);
    await store.destroy();
  });
});
