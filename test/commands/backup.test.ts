// Backup and restore: whole or not at all, and never over what is in use.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { migrations } from '../../migrations/index.ts';
import { listTar, readPieces, writeTar } from '../../src/commands/backup/tar.ts';
import { makeBackup } from '../../src/commands/backup.ts';
import { restoreBackup } from '../../src/commands/restore.ts';
import { tryKey, vaultOf } from '../../src/commands/sealed.ts';
import type { Config } from '../../src/config.ts';
import { openSqlite } from '../../src/db/open.ts';
import { configFor, NOW, planNames, storeFolder, temporaryFolder, withDb } from './store-folder.ts';

const rename = (config: Config, name: string) =>
  withDb(config, (db) => db.updateTable('plans').set({ name }).execute());

const keyOpens = (config: Config) =>
  withDb(config, async (db) => {
    const vault = vaultOf(readFileSync(join(config.data_dir, 'karibu.key'), 'utf8'));
    return vault ? tryKey(db, vault) : undefined;
  });

describe('the tar file', () => {
  test('is read by tar, and reads what tar wrote', () => {
    const folder = temporaryFolder();
    const body = Buffer.from('x'.repeat(1300));
    writeFileSync(join(folder, 'big'), body);
    const ours = join(folder, 'ours.tar');
    writeTar(
      ours,
      [
        { name: 'small.txt', size: 5, from: { octets: Buffer.from('hello') } },
        { name: 'big', size: body.length, from: { path: join(folder, 'big') } },
        { name: 'empty', size: 0, from: { octets: Buffer.alloc(0) } },
      ],
      NOW,
    );
    expect(execFileSync('tar', ['-tf', ours], { encoding: 'utf8' })).toBe('small.txt\nbig\nempty\n');
    expect(execFileSync('tar', ['-xOf', ours, 'big'])).toEqual(body);

    const theirs = join(folder, 'theirs.tar');
    execFileSync('tar', ['-cf', theirs, '-C', folder, './big', 'ours.tar']);
    const file = openSync(theirs, 'r');
    const entries = listTar(file);
    expect(entries.map((entry) => entry.name)).toEqual(['big', 'ours.tar']);
    const read: Buffer[] = [];
    const first = entries[0] as (typeof entries)[number];
    readPieces(file, first.offset, first.size, (piece) => void read.push(Buffer.from(piece)));
    closeSync(file);
    expect(Buffer.concat(read)).toEqual(body);
  });
});

describe('a backup', () => {
  test('holds one moment of a database that is in use, and not its key', async () => {
    const config = await storeFolder();
    const db = await openSqlite(config.database);
    await db.updateTable('plans').set({ name: 'in the journal still' }).execute();
    const { file, manifest } = await makeBackup(config, { withKey: false, now: NOW });
    await db.updateTable('plans').set({ name: 'later' }).execute();
    await db.destroy();

    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(manifest).toMatchObject({
      format: 1,
      has_key: false,
      database: { migrations: Object.keys(migrations) },
    });
    expect(execFileSync('tar', ['-tf', file], { encoding: 'utf8' })).toBe('manifest.json\nkaribu.db\n');
    const other = configFor(temporaryFolder());
    const restored = await restoreBackup(other, file, { force: false, now: NOW });
    expect(restored).toMatchObject({ key: 'missing', warning: expect.stringContaining('karibu.key') });
    expect(await planNames(other)).toEqual(['in the journal still']);
  });

  test('with the key makes a folder that reads its secrets', async () => {
    const config = await storeFolder();
    const { file } = await makeBackup(config, { withKey: true, now: NOW });
    const other = configFor(temporaryFolder());
    const restored = await restoreBackup(other, file, { force: false, now: NOW });
    expect(restored.key).toBe('restored');
    expect(restored.warning).toBeUndefined();
    expect(statSync(join(other.data_dir, 'karibu.key')).mode & 0o777).toBe(0o600);
    expect(await keyOpens(other)).toEqual({ tried: 1, opens: true });
    expect(readdirSync(other.data_dir).sort()).toEqual(['karibu.db', 'karibu.key']);
  });

  test('never writes over a file, and leaves nothing behind when it cannot be made', async () => {
    const config = await storeFolder();
    const folder = temporaryFolder();
    const to = join(folder, 'kept.tar');
    writeFileSync(to, 'mine');
    await expect(makeBackup(config, { to, withKey: false, now: NOW })).rejects.toMatchObject({
      code: 'conflict',
    });
    expect(readFileSync(to, 'utf8')).toBe('mine');
    writeFileSync(config.database, 'this is no database');
    await expect(
      makeBackup(config, { to: join(folder, 'b.tar'), withKey: false, now: NOW }),
    ).rejects.toThrow();
    expect(readdirSync(folder)).toEqual(['kept.tar']);
  });

  test('of PostgreSQL is left to its own tools, and of nothing is not made', async () => {
    const config = configFor(temporaryFolder());
    const postgres = { ...config, database: 'postgres://localhost/karibu' };
    await expect(makeBackup(postgres, { withKey: false, now: NOW })).rejects.toMatchObject({
      code: 'invalid',
      hint: expect.stringContaining('pg_dump'),
    });
    await expect(makeBackup(config, { withKey: false, now: NOW })).rejects.toMatchObject({
      code: 'not_found',
    });
    expect(existsSync(config.database)).toBe(false);
  });
});

describe('a restore', () => {
  test('over a database needs force, and keeps what was there', async () => {
    const config = await storeFolder();
    const { file } = await makeBackup(config, { withKey: true, now: NOW });
    await rename(config, 'newer');
    await expect(restoreBackup(config, file, { force: false, now: NOW })).rejects.toMatchObject({
      code: 'conflict',
      hint: expect.stringContaining('--force'),
    });
    expect(await planNames(config)).toEqual(['newer']);

    // What a power cut left for the store that goes is nothing to the one that comes.
    writeFileSync(join(config.data_dir, 'accounting.journal'), 'reports');
    const restored = await restoreBackup(config, file, { force: true, now: NOW });
    expect(existsSync(join(config.data_dir, 'accounting.journal'))).toBe(false);
    expect(await planNames(config)).toEqual(['1 hour']);
    expect(restored.key_snapshot).toBeUndefined();
    expect(await planNames({ ...config, database: restored.snapshot as string })).toEqual(['newer']);
  });

  test('is refused while the database is in use, whatever is forced', async () => {
    const config = await storeFolder();
    const { file } = await makeBackup(config, { withKey: false, now: NOW });
    const db = await openSqlite(config.database);
    await db.selectFrom('plans').select('id').execute();
    await expect(restoreBackup(config, file, { force: true, now: NOW })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('running'),
    });
    await db.updateTable('plans').set({ name: 'still mine' }).execute();
    await db.destroy();
    expect(await planNames(config)).toEqual(['still mine']);
  });

  test('of another installation brings its key and keeps the one that was there', async () => {
    const [from, to] = [await storeFolder(), await storeFolder()];
    const oldKey = readFileSync(join(to.data_dir, 'karibu.key'), 'utf8');
    const { file } = await makeBackup(from, { withKey: true, now: NOW });
    const restored = await restoreBackup(to, file, { force: true, now: NOW });
    expect(readFileSync(restored.key_snapshot as string, 'utf8')).toBe(oldKey);
    expect(await keyOpens(to)).toEqual({ tried: 1, opens: true });
  });

  test('says so when the key in the folder is another one', async () => {
    const [from, to] = [await storeFolder(), await storeFolder()];
    const { file } = await makeBackup(from, { withKey: false, now: NOW });
    const restored = await restoreBackup(to, file, { force: true, now: NOW });
    expect(restored.warning).toContain('not the one');
    expect(await keyOpens(to)).toEqual({ tried: 1, opens: false });
  });

  test.each(['first octets', 'the database', 'the end'])(
    'of a file damaged in %s changes nothing',
    async (part) => {
      const config = await storeFolder();
      const { file } = await makeBackup(config, { withKey: true, now: NOW });
      const size = statSync(file).size;
      const octets = readFileSync(file);
      if (part === 'the end') writeFileSync(file, octets.subarray(0, size - 8000));
      else {
        const out = openSync(file, 'r+');
        writeSync(out, 'damage', part === 'the database' ? Math.floor(size / 2) : 0);
        closeSync(out);
      }
      const other = configFor(temporaryFolder());
      await expect(restoreBackup(other, file, { force: true, now: NOW })).rejects.toMatchObject({
        code: 'invalid',
      });
      expect(readdirSync(other.data_dir)).toEqual([]);
    },
  );

  test('of a newer Karibu is refused', async () => {
    const config = await storeFolder();
    await withDb(config, (db) =>
      sql`insert into kysely_migration (name, timestamp) values ('9999-later', '2030')`.execute(db),
    );
    const { file } = await makeBackup(config, { withKey: false, now: NOW });
    const other = configFor(temporaryFolder());
    await expect(restoreBackup(other, file, { force: true, now: NOW })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('newer'),
    });
    expect(readdirSync(other.data_dir)).toEqual([]);
  });

  test('of a file that is no tar is refused in plain words', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'photo.jpg');
    writeFileSync(file, Buffer.alloc(4096, 7));
    chmodSync(file, 0o400);
    await expect(
      restoreBackup(configFor(temporaryFolder()), file, { force: false, now: NOW }),
    ).rejects.toMatchObject({ code: 'invalid', message: expect.stringContaining('no backup') });
  });
});
