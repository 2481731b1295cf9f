// The log is copied by whoever was asked to, once at a time, and again after a failure.
import { mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { expect, it } from 'vitest';
import { createCheckpoints } from '../../src/db/checkpoints.ts';
import { handCheckpointsTo, openReader, openSqlite } from '../../src/db/open.ts';
import { heavyFunctions } from '../../src/heavy/functions.ts';
import { createVault } from '../../src/lib/secrets.ts';

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
    await heavyFunctions.checkpoint({ db: reader, vault: createVault(Buffer.alloc(32)) }, {});
    await reader.destroy();
    copied++;
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

it('is done a second time while nobody writes, so that the log begins again', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'karibu-checkpoint-')), 'karibu.db');
  const db = await openSqlite(file);
  await sql`create table rows (id integer primary key, text text)`.execute(db);
  const passes: (() => Promise<void>)[] = [];
  handCheckpointsTo(db, () => {
    return new Promise<void>((resolve) => {
      passes.push(async () => {
        const reader = await openReader(file);
        await heavyFunctions.checkpoint({ db: reader, vault: createVault(Buffer.alloc(32)) }, {});
        await reader.destroy();
        resolve();
      });
    });
  });
  const long = 'x'.repeat(2000);
  await db.transaction().execute(async (tx) => {
    for (let id = 0; id < 2100; id++) await sql`insert into rows values (${id}, ${long})`.execute(tx);
  });
  await expect.poll(() => passes.length).toBe(1);
  // While the first is under way everybody writes.
  await sql`insert into rows values (3000, '')`.execute(db);
  await passes[0]?.();
  await expect.poll(() => passes.length).toBe(2);
  let written = false;
  const write = sql`insert into rows values (3001, '')`.execute(db).then(() => {
    written = true;
  });
  await settle();
  expect(written).toBe(false);
  await passes[1]?.();
  await write;
  const { rows } = await sql<{ log: number }>`pragma wal_checkpoint(passive)`.execute(db);
  expect(rows[0]?.log).toBeLessThan(10);
  await db.destroy();
});
