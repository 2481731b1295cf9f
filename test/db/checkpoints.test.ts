// The log is copied by whoever was asked to, once at a time, and again after a failure.
import { mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { expect, it } from 'vitest';
import { createCheckpoints } from '../../src/db/checkpoints.ts';
import { handCheckpointsTo, openReader, openSqlite, withManners } from '../../src/db/open.ts';
import { statement } from '../../src/db/statement.ts';
import { heavyFunctions } from '../../src/heavy/functions.ts';
import { createVault } from '../../src/lib/secrets.ts';

const findRow = statement(sql`select text from rows where id = ${0}`);
const settle = () => new Promise((resolve) => setImmediate(resolve));

function write(checkpoints: ReturnType<typeof createCheckpoints>, times: number): void {
  for (let n = 0; n < times; n++) checkpoints.wrote(1);
}

it('is asked for after two thousand rows, and not again while it is under way', async () => {
  const checkpoints = createCheckpoints();
  let asked = 0;
  let done = () => {};
  checkpoints.handTo(() => {
    asked++;
    return new Promise<void>((resolve) => {
      done = resolve;
    });
  });
  write(checkpoints, 1999);
  expect(asked).toBe(0);
  write(checkpoints, 5000);
  expect(asked).toBe(1);
  done();
  await settle();
  checkpoints.wrote(1);
  expect(asked).toBe(2);
});

it('is asked for again after it failed', async () => {
  const checkpoints = createCheckpoints();
  let asked = 0;
  checkpoints.handTo(async () => {
    asked++;
    throw new Error('the worker died');
  });
  write(checkpoints, 2000);
  await settle();
  write(checkpoints, 2000);
  expect(asked).toBe(2);
});

it('copies what was written into the database through another connection', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'karibu-checkpoint-')), 'karibu.db');
  const db = await openSqlite(file);
  await sql`create table rows (id integer primary key)`.execute(db);
  // What is not copied is in the log alone.
  const before = statSync(file).size;
  let copied = 0;
  handCheckpointsTo(db, async () => {
    const reader = await openReader(file);
    const pages = await heavyFunctions.checkpoint({ db: reader, vault: createVault(Buffer.alloc(32)) }, {});
    await reader.destroy();
    copied++;
    return pages;
  });
  await db.transaction().execute(async (tx) => {
    for (let id = 0; id < 2100; id++) await sql`insert into rows values (${id})`.execute(tx);
  });
  await db.transaction().execute(async (tx) => {
    for (let id = 2100; id < 2200; id++) await sql`insert into rows values (${id})`.execute(tx);
  });
  await expect.poll(() => copied).toBeGreaterThan(0);
  expect(statSync(file).size).toBeGreaterThan(before);
  await db.destroy();
});

it('is asked for also by what packets write in a transaction', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'karibu-checkpoint-')), 'karibu.db');
  const db = await openSqlite(file);
  await sql`create table rows (id integer primary key)`.execute(db);
  let asked = 0;
  handCheckpointsTo(db, async () => {
    asked++;
    return 0;
  });
  const insertRow = statement(sql`insert into rows values (${0})`);
  await db.transaction().execute(async (tx) => {
    for (let id = 0; id < 2100; id++) await insertRow(tx, [id]);
  });
  expect(asked).toBe(1);
  await db.destroy();
});

it('that never ends holds writers up for a moment only', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'karibu-checkpoint-')), 'karibu.db');
  const db = await openSqlite(file);
  await sql`create table rows (id integer primary key)`.execute(db);
  let passes = 0;
  // Three times it says that the log is long; then the thread is lost.
  handCheckpointsTo(db, () => (++passes < 4 ? Promise.resolve(1_000_000) : new Promise(() => {})));
  await db.transaction().execute(async (tx) => {
    for (let id = 0; id < 2100; id++) await sql`insert into rows values (${id})`.execute(tx);
  });
  await expect.poll(() => passes).toBe(4);
  await sql`insert into rows values (5000)`.execute(db);
  const { rows } = await sql<{ n: number }>`select count(*) as n from rows`.execute(db);
  expect(rows[0]?.n).toBe(2101);
  await db.destroy();
});

it('is done once more where the log is long, while nobody writes, so that it begins again', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'karibu-checkpoint-')), 'karibu.db');
  const db = await openSqlite(file);
  await sql`create table rows (id integer primary key, text text)`.execute(db);
  const passes: ((meanwhile?: () => Promise<void>) => Promise<void>)[] = [];
  handCheckpointsTo(db, () => {
    return new Promise((resolve) => {
      passes.push(async (meanwhile) => {
        const reader = await openReader(file);
        // Packets read all the time: what they see must not keep the log from beginning again.
        findRow(db, [1]);
        const context = { db: reader, vault: createVault(Buffer.alloc(32)) };
        const pages = await heavyFunctions.checkpoint(context, {});
        await meanwhile?.();
        resolve(pages);
        await reader.destroy();
      });
    });
  });
  const write = (from: number, count: number, length: number, store = db) =>
    store.transaction().execute(async (tx) => {
      const text = 'x'.repeat(length);
      for (let id = from; id < from + count; id++)
        await sql`insert into rows values (${id}, ${text})`.execute(tx);
    });
  await write(0, 2100, 100);
  await expect.poll(() => passes.length).toBe(1);
  await passes[0]?.();
  await settle();
  expect(passes).toHaveLength(1);

  await write(5000, 2100, 20_000);
  // While it is copied, and twice more what came meanwhile, everybody writes.
  for (const pass of [1, 2, 3]) {
    await expect.poll(() => passes.length).toBe(pass + 1);
    await write(10_000 + pass, 1, 1);
    // Something is always left for the last one.
    await passes[pass]?.(() => write(11_000 + pass, 1, 1));
  }
  await expect.poll(() => passes.length).toBe(5);
  let written = false;
  // It waits for no flush: nothing but the copying can hold it up.
  const writing = write(10_010, 1, 1, withManners(db, { hasty: true })).then(() => {
    written = true;
  });
  await settle();
  expect(written).toBe(false);
  await passes[4]?.();
  await writing;
  const { rows } = await sql<{ log: number }>`pragma wal_checkpoint(passive)`.execute(db);
  expect(rows[0]?.log).toBeLessThan(10);
  await db.destroy();
});
