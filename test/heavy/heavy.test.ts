// Heavy work runs in a thread of its own, and its end harms nobody but who asked.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { KEY_FILE } from '../../src/db/key-file.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openReader, openSqlite } from '../../src/db/open.ts';
import { writeSetting } from '../../src/db/settings.ts';
import { type Heavy, heavyInWorker } from '../../src/heavy/run.ts';
import { silentLog } from '../../src/log.ts';
import { NOW, someVouchers, vault } from '../access/fixtures.ts';

let folder: string;
let database: string;
let heavy: Heavy | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'karibu-heavy-'));
  database = join(folder, 'karibu.db');
});
afterEach(async () => {
  await heavy?.stop();
  heavy = undefined;
  rmSync(folder, { recursive: true, force: true });
});

describe('the worker', () => {
  const script = new URL('./scripted-worker.mjs', import.meta.url);
  const start = (idleMs?: number) => {
    heavy = heavyInWorker({ database, data_dir: folder }, silentLog, {
      script,
      ...(idleMs ? { idleMs } : {}),
    });
    return (batch_id: string) => (heavy as Heavy).run('voucher_csv', { batch_id });
  };

  it('stays for the next work, and ends when there has been none for a while', async () => {
    const ask = start(1);
    const first = await ask('echo');
    await vi.waitUntil(async () => (await ask('echo')) !== first);
    const lasting = start();
    expect(await lasting('echo')).toBe(await lasting('echo'));
  });

  it.each([
    ['die', 'voucher_csv was not finished: the worker ended with code 3'],
    ['throw', 'voucher_csv was not finished: a fault outside every function'],
  ])('that dies (%s) fails what it was doing, and the next call has a new one', async (how, message) => {
    const ask = start();
    const silent = ask('silent');
    const dying = ask(how);
    await expect(silent).rejects.toThrow(message);
    await expect(dying).rejects.toThrow(message);
    expect(await ask('echo')).toMatch(/^thread/);
  });

  it('takes no more than sixteen at once', async () => {
    const ask = start();
    const under = Array.from({ length: 16 }, () => ask('silent').catch((error: Error) => error.message));
    await expect(ask('echo')).rejects.toMatchObject({ code: 'unavailable' });
    await heavy?.stop();
    expect(new Set(await Promise.all(under))).toEqual(
      new Set(['voucher_csv was not finished: Karibu is stopping']),
    );
    expect(await ask('echo')).toMatch(/^thread/);
  });
});

it('a reader beside the main connection writes nothing', async () => {
  const db = await openSqlite(database);
  await migrate(db, { now: NOW });
  const reader = await openReader(database);
  await expect(writeSetting(reader, 'clock', {}, NOW)).rejects.toThrow(/readonly|read-only/);
  expect(await reader.selectFrom('settings').selectAll().execute()).toEqual([]);
  await reader.destroy();
  await db.destroy();
});

describe.runIf('Bun' in globalThis)('the worker of Karibu', () => {
  it('reads the store on a connection of its own, and opens codes with the key', async () => {
    const db = await openSqlite(database);
    await migrate(db, { now: NOW });
    writeFileSync(join(folder, KEY_FILE), Buffer.alloc(32, 7).toString('base64'));
    const { batchId, codes } = await someVouchers(db, 60);
    heavy = heavyInWorker({ database, data_dir: folder }, silentLog);
    const csv = await heavy.run('voucher_csv', { batch_id: batchId });
    expect(
      csv
        .split('\r\n')
        .slice(1, -1)
        .map((line) => line.split(',')[0]),
    ).toEqual(codes);
    const sheet = await heavy.run('voucher_sheet', { batch_id: batchId });
    expect(Buffer.from(sheet.subarray(0, 5)).toString()).toBe('%PDF-');
    const [sealed] = await heavy.run('seal_codes', { count: 1 });
    expect(vault.open(sealed?.code_sealed ?? '')).toMatch(/^\w{8}$/);
    await db.destroy();
  });

  it('passes on what people are meant to read, and has no store without a file', async () => {
    const db = await openSqlite(database);
    await migrate(db, { now: NOW });
    await db.destroy();
    heavy = heavyInWorker({ database, data_dir: folder }, silentLog);
    await expect(heavy.run('voucher_sheet', { batch_id: 'none' })).rejects.toMatchObject({
      name: 'AppError',
      code: 'not_found',
      message: 'There is no such voucher batch.',
    });
    await heavy.stop();
    heavy = heavyInWorker({ database: join(folder, 'no', 'such.db'), data_dir: folder }, silentLog);
    await expect(heavy.run('voucher_csv', { batch_id: 'none' })).rejects.toThrow(/unable to open/);
  });
});
