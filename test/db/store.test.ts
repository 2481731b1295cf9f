import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { describe, expect, it } from 'vitest';
import { migrations } from '../../migrations/index.ts';
import { appliedMigrations, migrate } from '../../src/db/migrate.ts';
import { openSqlite } from '../../src/db/open.ts';
import { readPage } from '../../src/db/page.ts';
import {
  claimTasks,
  dueKinds,
  enqueueTask,
  finishTask,
  LEASE_MS,
  postponeTask,
  renewTasks,
} from '../../src/db/tasks.ts';
import { newId } from '../../src/lib/ids.ts';
import { onEveryStore } from '../support/stores.ts';

const NOW = 1_800_000_000_000;

onEveryStore('tasks', (store) => {
  const claim = (now: number) => claimTasks(store(), now, ['enforce']);

  it('are claimed once, and again only after the lease has run out', async () => {
    const id = await enqueueTask(store(), 'enforce', { credential_id: 'c', reason: 'test' }, NOW);
    const [first, second] = await Promise.all([claim(NOW), claim(NOW)]);
    expect([...first, ...second].map((task) => task.id)).toEqual([id]);
    expect(await claim(NOW + LEASE_MS - 1)).toEqual([]);
    expect((await claim(NOW + LEASE_MS))[0]).toMatchObject({ id, attempts: 2 });
  });

  it('stay with whoever renews the claim, until another has taken them', async () => {
    const id = await enqueueTask(store(), 'enforce', { credential_id: 'c', reason: 'test' }, NOW);
    const mine = await claim(NOW);
    await renewTasks(store(), mine, NOW + LEASE_MS - 1);
    expect(await claim(NOW + LEASE_MS)).toEqual([]);
    const [theirs] = await claim(NOW + 2 * LEASE_MS);
    expect(theirs).toMatchObject({ id, attempts: 2 });
    await renewTasks(store(), mine, NOW + 3 * LEASE_MS - 1);
    const [third] = await claim(NOW + 3 * LEASE_MS);
    expect(third).toMatchObject({ id, attempts: 3 });
    await postponeTask(store(), id, 'again', NOW + 3 * LEASE_MS, NOW);
    await renewTasks(store(), [third!], NOW + 3 * LEASE_MS);
    expect(await claim(NOW + 3 * LEASE_MS)).toHaveLength(1);
  });

  it('that are finished or not yet due are not claimed', async () => {
    const done = await enqueueTask(store(), 'enforce', { credential_id: 'a', reason: 'x' }, NOW);
    await finishTask(store(), done, 'ok', NOW);
    const later = await enqueueTask(store(), 'enforce', { credential_id: 'b', reason: 'x' }, NOW, NOW + 5000);
    expect(await claim(NOW)).toEqual([]);
    await postponeTask(store(), later, 'again', NOW + 9000, NOW);
    expect(await claim(NOW + 5000)).toEqual([]);
    expect((await claim(NOW + 9000)).map((task) => task.id)).toEqual([later]);
  });

  it('are looked for by kind: those that may be claimed now', async () => {
    const due = async (now: number) => [...(await dueKinds(store(), now))].sort();
    expect(await due(NOW)).toEqual([]);
    await enqueueTask(store(), 'enforce', { credential_id: 'a', reason: 'x' }, NOW);
    await enqueueTask(store(), 'activate', { order_id: 'o' }, NOW, NOW + 5000);
    expect(await due(NOW)).toEqual(['enforce']);
    await claim(NOW);
    expect(await due(NOW)).toEqual([]);
    expect(await due(NOW + LEASE_MS)).toEqual(['activate', 'enforce']);
  });

  it('written in a transaction that fails are not there', async () => {
    await expect(
      store()
        .transaction()
        .execute(async (tx) => {
          await enqueueTask(tx, 'enforce', { credential_id: 'c', reason: 'x' }, NOW);
          throw new Error('power');
        }),
    ).rejects.toThrow('power');
    expect(await claim(NOW)).toEqual([]);
  });
});

onEveryStore('pages', (store) => {
  it('go through a list once, newest first, and say where it ends', async () => {
    const ids = Array.from({ length: 25 }, (_, i) => newId(NOW + i));
    for (const id of ids) {
      await store().insertInto('settings').values({ key: id, value: '1', updated_at: NOW }).execute();
    }
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await readPage(store().selectFrom('settings').selectAll(), 'key', { limit: 10, cursor });
      seen.push(...page.items.map((item) => item.key));
      cursor = page.next ?? undefined;
    } while (cursor);
    expect(seen).toEqual(ids.toReversed());
  });
});

const shapes: string[][] = [];

onEveryStore('two transactions', (store, kind) => {
  // The others have one connection, where a transaction waits for the one before it.
  it.runIf(kind === 'postgresql')('that want what the other one holds both succeed', async () => {
    const rows = ['a', 'b'];
    for (const key of rows) {
      await store().insertInto('settings').values({ key, value: '0', updated_at: NOW }).execute();
    }
    let attempts = 0;
    let met = () => {};
    const meeting = new Promise<void>((resolve) => {
      met = resolve;
    });
    const add = (order: string[]) =>
      store()
        .transaction()
        .execute(async (tx) => {
          for (const key of order) {
            const last = key === order.at(-1);
            if (last) {
              if (++attempts === 2) met();
              await meeting;
            }
            await sql`update settings set updated_at = updated_at + 1 where key = ${key}`.execute(tx);
          }
        });
    await Promise.all([add(['a', 'b']), add(['b', 'a'])]);
    // Whoever had to give way may meet the other once more before it is done.
    expect(attempts).toBeGreaterThanOrEqual(3);
    const stored = await store().selectFrom('settings').select('updated_at').orderBy('key').execute();
    expect(stored.map((row) => row.updated_at)).toEqual([NOW + 2, NOW + 2]);
  });
});

onEveryStore('the store', (store) => {
  it('enforces foreign keys', async () => {
    const orphan = { id: 'x', account_id: 'none', token_hash: 'h', address: null, agent: null };
    await expect(
      store()
        .insertInto('logins')
        .values({ ...orphan, created_at: 0, expires_at: 0 })
        .execute(),
    ).rejects.toThrow();
  });

  it('has the same tables and columns on every database', async () => {
    const tables = await store().introspection.getTables();
    const shape = tables
      .map((t) => `${t.name}: ${t.columns.map((c) => `${c.name}${c.isNullable ? '?' : ''}`).join(' ')}`)
      .sort();
    shapes.push(shape);
    expect(shape.length).toBeGreaterThan(15);
    expect(shape).toEqual(shapes[0]);
  });

  it('keeps counters above 2^32 as numbers', async () => {
    await store()
      .insertInto('settings')
      .values({ key: 'n', value: '', updated_at: 9_007_199_254_740_991 })
      .execute();
    const row = await store()
      .selectFrom('settings')
      .selectAll()
      .where('key', '=', 'n')
      .executeTakeFirstOrThrow();
    expect(row.updated_at).toBe(9_007_199_254_740_991);
  });
});

describe('migrating a SQLite file', () => {
  it('takes a snapshot before it changes data, and refuses a newer database', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'karibu-migrate-'));
    const file = join(folder, 'karibu.db');
    const db = await openSqlite(file);
    expect(await migrate(db, { file, now: NOW })).toEqual({ applied: Object.keys(migrations) });
    const longer = {
      ...migrations,
      '9999-later': {
        up: async (later: typeof db) => void (await later.schema.dropTable('messages').execute()),
      },
    };
    const migrated = await migrate(db, { file, now: NOW, list: longer });
    expect(migrated.applied).toEqual(['9999-later']);
    expect(readdirSync(join(folder, 'snapshots'))).toEqual([`before-9999-later-${NOW}.db`]);

    const before = await openSqlite(migrated.snapshot as string);
    expect(await appliedMigrations(before)).toEqual(Object.keys(migrations));
    await before.destroy();

    await expect(migrate(db, { file, now: NOW })).rejects.toMatchObject({ code: 'conflict' });
    await db.destroy();
  });

  it('sets the pragmas that durability stands on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'karibu-pragmas-'));
    const db = await openSqlite(join(folder, 'karibu.db'));
    const pragma = async (name: string) => {
      const { rows } = await sql<Record<string, unknown>>`select * from ${sql.raw(`pragma_${name}`)}`.execute(
        db,
      );
      return Object.values(rows[0] ?? {})[0];
    };
    expect(await pragma('journal_mode')).toBe('wal');
    expect(await pragma('synchronous')).toBe(1);
    expect(await pragma('foreign_keys')).toBe(1);
    expect(await pragma('busy_timeout')).toBe(5000);
    await db.destroy();
  });
});
