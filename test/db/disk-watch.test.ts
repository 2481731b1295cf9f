// The watch over the disk: what it takes for trouble, what it says and how often, when it believes in the disk again.
import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { cannotOpen } from '../../src/db/cannot-open.ts';
import { asDiskError, type DiskLook, diskTrouble, GOOD_FREE } from '../../src/db/disk.ts';
import { createDiskWatch, type DiskWatch } from '../../src/db/disk-watch.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openSqlite } from '../../src/db/open.ts';
import type { Db } from '../../src/db/schema.ts';
import { readSetting, writeSetting } from '../../src/db/settings.ts';
import { AppError } from '../../src/errors.ts';
import { createLog } from '../../src/log.ts';

const NOW = Date.UTC(2026, 10, 21);
const LONG = 'x'.repeat(100_000);

let db: Db;
let lines: { level: string; msg: string; [field: string]: unknown }[];
let look: DiskLook | Error;
let watch: DiskWatch;

beforeEach(async () => {
  db = await openSqlite(':memory:');
  await migrate(db, { now: NOW });
  lines = [];
  look = { free_octets: 9e9, read_only: false };
  watch = createDiskWatch(
    db,
    '/data',
    { now: () => NOW, monotonic: () => NOW },
    createLog('debug', (line) => lines.push(JSON.parse(line))),
    () => {
      if (look instanceof Error) throw look;
      return look;
    },
  );
});

/** SQLite's own error of a database that can take no more: as from a full disk. */
async function fill(): Promise<unknown> {
  await sql`pragma max_page_count = 1`.execute(db);
  return writeSetting(db, 'long', LONG, NOW).then(
    () => undefined,
    (error: unknown) => error,
  );
}

const makeRoom = () => sql`pragma max_page_count = 1000000`.execute(db);

const coded = (code: string, message = code) => Object.assign(new Error(message), { code });

test('a transaction that the full disk ended says so, and the next one is a new one', async () => {
  await sql`pragma max_page_count = 1`.execute(db);
  const written = db.transaction().execute((tx) => writeSetting(tx, 'long', LONG, NOW));
  const error = await written.catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'SQLITE_FULL' });
  expect(diskTrouble(error)).toBe('full');
  await makeRoom();
  await db.transaction().execute((tx) => writeSetting(tx, 'long', LONG, NOW));
  expect(await readSetting(db, 'long')).toBe(LONG);
});

test('what the disk is to blame for is told from what it is not, through its causes', () => {
  const trouble = (code: string) => diskTrouble(coded(code));
  expect(['SQLITE_FULL', 'ENOSPC', 'EDQUOT', '53100'].map(trouble)).toEqual(Array(4).fill('full'));
  expect(['SQLITE_READONLY', 'SQLITE_READONLY_DBMOVED', 'EROFS', '25006'].map(trouble)).toEqual(
    Array(4).fill('read_only'),
  );
  expect(['SQLITE_IOERR', 'SQLITE_IOERR_FSYNC', 'EIO'].map(trouble)).toEqual(Array(3).fill('failing'));
  expect(['SQLITE_BUSY', 'SQLITE_CONSTRAINT_UNIQUE', 'ECONNREFUSED', '23505'].map(trouble)).toEqual(
    Array(4).fill(undefined),
  );
  expect(diskTrouble(new Error('outer', { cause: coded('ENOSPC') }))).toBe('full');
  expect(diskTrouble('ENOSPC')).toBeUndefined();
  expect(asDiskError(coded('SQLITE_BUSY'))).toBeUndefined();
  expect(asDiskError(coded('SQLITE_FULL'))).toMatchObject({ code: 'unavailable' });
});

test('a thousand refusals make one line, and one more when the disk is written again', async () => {
  const error = await fill();
  for (let i = 0; i < 1000; i++) watch.log.error('RADIUS request failed', { error });
  look = { free_octets: 0, read_only: false };
  await watch.check();
  expect(lines).toMatchObject([{ level: 'error', problem: 'full' }]);
  expect(watch.state()).toMatchObject({ ok: false, problem: 'full', message: lines[0]!.msg });

  // Room as the system tells it is not enough, nor is a write that has just fitted: both are wanted.
  await makeRoom();
  await watch.check();
  expect(watch.state().ok).toBe(false);
  look = { free_octets: 9e9, read_only: false };
  await watch.check();
  expect(watch.state()).toEqual({ ok: true });
  expect(lines.slice(1)).toMatchObject([{ level: 'info', msg: 'The disk is written again.', refused: 1000 }]);
});

test('a disk that says it has room and takes nothing stays in trouble', async () => {
  const error = await fill();
  watch.log.warn('task failed', { error });
  await sql`drop table settings`.execute(db);
  await sql`create table settings (key text primary key, value text, updated_at bigint, check (0))`.execute(
    db,
  );
  await expect(watch.check()).rejects.toThrow(/CHECK/);
  expect(watch.state().ok).toBe(false);
});

test('every other line passes', () => {
  watch.log.error('request failed', { error: new Error('a bug') });
  watch.log.warn('callback without an order', { source_address: '10.0.0.1' });
  watch.log.info('ready');
  expect(lines.map(({ msg }) => msg)).toEqual(['request failed', 'callback without an order', 'ready']);
  expect(watch.state()).toEqual({ ok: true });
});

test('a write that failed on a disk that is read-only is told as that', () => {
  look = { free_octets: 9e9, read_only: true };
  watch.log.error('request failed', { error: coded('SQLITE_IOERR_WRITE') });
  expect(watch.state().problem).toBe('read_only');
});

test('trouble is seen by looking too, before anything is to be written', async () => {
  look = { free_octets: 9e9, read_only: true };
  await watch.check();
  await watch.check();
  expect(watch.state().problem).toBe('read_only');
  look = { free_octets: 9e9, read_only: false };
  await watch.check();
  expect(watch.state()).toEqual({ ok: true });
  look = coded('EIO');
  await watch.check();
  expect(watch.state().problem).toBe('failing');
  expect(lines.map(({ level }) => level)).toEqual(['error', 'info', 'error']);
});

test('little room is told of once, and is over when there is clearly more', async () => {
  for (const free_octets of [GOOD_FREE - 1, GOOD_FREE + 1, GOOD_FREE - 2, 100e6]) {
    look = { free_octets, read_only: false };
    await watch.check();
    expect(watch.state().problem).toBe('low');
  }
  expect(watch.state().message).toContain('100 MB');
  expect(lines).toMatchObject([{ level: 'warn', free: '499 MB' }]);
  look = { free_octets: 2 * GOOD_FREE, read_only: false };
  await watch.check();
  expect(watch.state()).toEqual({ ok: true });
});

test('an error met on opening is told in words, one that is not about files stays what it is', () => {
  const words = (code: string) => (cannotOpen('/nowhere/karibu.db', coded(code)) as Error).message;
  expect(words('SQLITE_NOTADB')).toBe('/nowhere/karibu.db is damaged, or no database.');
  expect(words('EACCES')).toBe('/nowhere/karibu.db may not be written.');
  expect(words('SQLITE_CANTOPEN')).toBe('/nowhere/karibu.db cannot be opened.');
  expect(words('ENOSPC')).toBe('/nowhere/karibu.db cannot be opened: its disk is full.');
  expect(words('EROFS')).toBe('/nowhere/karibu.db cannot be opened: its disk is read-only.');
  for (const error of [coded('ECONNREFUSED'), new AppError('conflict', 'newer')])
    expect(cannotOpen('/nowhere/karibu.db', error)).toBe(error);
});
