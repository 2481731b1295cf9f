// A PostgreSQL that vanishes without a word: every wait for it ends, and it is used again as soon as it answers.
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isPostgresInstalled, type PostgresCluster, startPostgres } from '../../scripts/postgres.mjs';
import { asDiskError, diskTrouble } from '../../src/db/disk.ts';
import { createDiskWatch } from '../../src/db/disk-watch.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/open.ts';
import type { Db } from '../../src/db/schema.ts';
import { readSetting, writeSetting } from '../../src/db/settings.ts';
import { createLog } from '../../src/log.ts';
import { type BlackHole, openBlackHole } from '../support/black-hole.ts';

const NOW = Date.UTC(2026, 10, 21);
const CONNECTIONS = 3;
/** So that a test need not wait long; what is slow here is slow because a test made it so. */
const PATIENCE = { connect: 1000, answer: 1000, idle: 1500 };

describe.runIf(isPostgresInstalled())('a PostgreSQL that vanishes without a word', () => {
  let cluster: PostgresCluster;
  let hole: BlackHole;
  let db: Db;

  beforeAll(async () => {
    cluster = await startPostgres();
    const direct = await openPostgres(cluster.url, 1);
    await migrate(direct, { now: NOW });
    await direct.destroy();
  });
  afterAll(() => cluster.stop());

  beforeEach(async () => {
    hole = await openBlackHole(Number(new URL(cluster.url).port));
    const url = new URL(cluster.url);
    url.port = String(hole.port);
    db = await openPostgres(url.href, CONNECTIONS, PATIENCE);
  });
  afterEach(async () => {
    await db.destroy();
    await hole.close();
  });

  const pid = async (through = db) =>
    (await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(through)).rows[0]?.pid as number;
  /** All connections that there may be, each of them free afterwards. */
  async function pids(): Promise<Set<number>> {
    let inside = 0;
    let all = () => {};
    const together = new Promise<void>((resolve) => {
      all = resolve;
    });
    const one = () =>
      db.transaction().execute(async (tx) => {
        const own = await pid(tx);
        if (++inside === CONNECTIONS) all();
        await together;
        return own;
      });
    return new Set(await Promise.all(Array.from({ length: CONNECTIONS }, one)));
  }
  const failureOf = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: unknown) => error,
    );

  test('is not waited for, and its connections serve nobody after it came back', async () => {
    const before = await pids();
    hole.swallow();
    const failures = await Promise.all(Array.from({ length: 12 }, () => failureOf(pid())));
    for (const error of failures) expect(diskTrouble(error)).toBe('away');
    expect(asDiskError(failures[0])).toMatchObject({ code: 'unavailable' });
    hole.reopen();
    for (const one of await pids()) expect(before).not.toContain(one);
  });

  test('has let one wait in vain: the next hear of it from its knocking, and when it opens', async () => {
    await pids();
    hole.swallow();
    await Promise.all(Array.from({ length: CONNECTIONS }, () => failureOf(pid())));
    expect(diskTrouble(await failureOf(pid()))).toBe('away');
    // However many ask: only the pool itself knocks.
    const before = hole.attempts();
    const many = await Promise.all(Array.from({ length: 50 }, () => failureOf(pid())));
    for (const error of many) expect(diskTrouble(error)).toBe('away');
    expect(hole.attempts() - before).toBeLessThanOrEqual(2);
    hole.reopen();
    await expect.poll(() => failureOf(pid())).toBeUndefined();
    // Also who needs another connection than the one that was knocked with.
    await db.transaction().execute(async (tx) => expect(await pid()).not.toBe(await pid(tx)));
  });

  test('is another thing than connections that are all in use', async () => {
    const busy = await openPostgres(cluster.url, 1, { ...PATIENCE, connect: 600, answer: 5000 });
    await pid(busy);
    const long = sql`select pg_sleep(${0.9})`.execute(busy);
    expect(diskTrouble(await failureOf(pid(busy)))).toBe('away');
    // The next waits for its turn, and gets it.
    expect(await pid(busy)).toBeDefined();
    await long;
    await busy.destroy();
  });

  test('that took one connection is believed on none that was free meanwhile', async () => {
    const before = await pids();
    expect(before.size).toBe(CONNECTIONS);
    hole.swallow();
    expect(diskTrouble(await failureOf(pid()))).toBe('away');
    hole.reopen();
    // The others would hang, too: none of them is tried.
    expect(before).not.toContain(await pid());
  });

  test('is not waited for in a transaction either, which says what became of it', async () => {
    const failure = await failureOf(
      db.transaction().execute(async (tx) => {
        await writeSetting(tx, 'begun', 1, NOW);
        hole.swallow();
        await writeSetting(tx, 'never', 1, NOW);
      }),
    );
    expect(diskTrouble(failure)).toBe('away');
    expect(asDiskError(failure)?.message).toMatch(/nothing can be sold/);
    hole.reopen();
    expect(await readSetting(db, 'begun')).toBeUndefined();
  });

  test('leaves a commit whose answer is lost unknown, and says so', async () => {
    const failure = await failureOf(
      db.transaction().execute(async (tx) => {
        await writeSetting(tx, 'lost answer', 1, NOW);
        hole.swallowAnswers();
      }),
    );
    expect(diskTrouble(failure)).toBe('away');
    expect(asDiskError(failure)).toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/may be done, or not/),
    });
    hole.reopen();
    // It was.
    expect(await readSetting(db, 'lost answer')).toBe(1);
  });

  test('leaves a single write unknown too, but no look', async () => {
    // A transaction before it on the same connection is over.
    await db.transaction().execute((tx) => writeSetting(tx, 'before', 1, NOW));
    hole.swallowAnswers();
    const lookedAt = await failureOf(readSetting(db, 'single'));
    expect(asDiskError(lookedAt)?.message).toMatch(/nothing can be sold/);
    hole.reopen();
    await db.transaction().execute((tx) => writeSetting(tx, 'before', 2, NOW));
    hole.swallowAnswers();
    const written = await failureOf(writeSetting(db, 'single', 1, NOW));
    expect(asDiskError(written)?.message).toMatch(/may be done, or not/);
    hole.reopen();
    expect(await readSetting(db, 'single')).toBe(1);
  });

  test('gives up the transactions of whoever vanished, so that their rows are free again', async () => {
    await writeSetting(db, 'wanted', 1, NOW);
    await failureOf(
      db.transaction().execute(async (tx) => {
        await writeSetting(tx, 'wanted', 2, NOW);
        hole.swallow();
        await writeSetting(tx, 'never', 1, NOW);
      }),
    );
    hole.reopen();
    const direct = await openPostgres(cluster.url, 1);
    try {
      await writeSetting(direct, 'wanted', 3, NOW);
    } finally {
      await direct.destroy();
    }
    expect(await readSetting(db, 'wanted')).toBe(3);
  });

  test('is another thing than a statement that takes too long', async () => {
    const before = await pid();
    const failure = await failureOf(sql`select pg_sleep(${30})`.execute(db));
    expect(failure).toMatchObject({ code: '57014' });
    expect(diskTrouble(failure)).toBeUndefined();
    expect(await pid()).toBe(before);
  });

  test('is another thing than a while that several statements take together', async () => {
    const before = await pid();
    for (let n = 0; n < 2; n++) await sql`select pg_sleep(${0.7})`.execute(db);
    expect(await pid()).toBe(before);
  });

  test('is another thing than one that says why it lets nobody in', async () => {
    const url = new URL(cluster.url);
    url.pathname = '/nowhere';
    const nowhere = await openPostgres(url.href, 1, PATIENCE);
    const failure = await failureOf(pid(nowhere));
    expect([(failure as { code?: string }).code, diskTrouble(failure)]).toEqual(['3D000', undefined]);
    await nowhere.destroy();
  });

  test('is another thing than one that refuses how it is spoken to, which keeps no connection either', async () => {
    const direct = await openPostgres(cluster.url, 1, { ...PATIENCE, idle: -5 });
    for (let n = 0; n < 3; n++) expect(await failureOf(pid(direct))).toMatchObject({ code: '22023' });
    await direct.destroy();
  });

  test('and one that goes with a word are the same: nobody else gets the connection', async () => {
    const before = await pid();
    const sleeping = failureOf(sql`select pg_sleep(${0.9})`.execute(db));
    const direct = await openPostgres(cluster.url, 1);
    const asleep = () =>
      sql<{ pid: number }>`select pid from pg_stat_activity where pid = ${before} and state = 'active'`
        .execute(direct)
        .then(({ rows }) => rows.length);
    await expect.poll(asleep, { interval: 10 }).toBe(1);
    await sql`select pg_terminate_backend(${before})`.execute(direct);
    await direct.destroy();
    expect(diskTrouble(await sleeping)).toBe('away');
    expect(await pid()).not.toBe(before);
  });

  test('is told of once, and once more when it answers', async () => {
    const lines: { msg: string; problem?: string; refused?: number }[] = [];
    const log = createLog('debug', (line) => lines.push(JSON.parse(line)));
    const look = () => ({ free_octets: 9e9, read_only: false });
    const watch = createDiskWatch(db, '/data', { now: () => NOW, monotonic: () => NOW }, log, look);
    hole.swallow();
    for (const error of await Promise.all(Array.from({ length: 20 }, () => failureOf(pid())))) {
      watch.log.error('RADIUS request failed', { error });
    }
    await watch.check();
    expect(watch.state()).toMatchObject({ ok: false, problem: 'away' });
    expect(lines).toMatchObject([{ msg: expect.stringMatching(/does not answer/), problem: 'away' }]);
    const error = await failureOf(pid());
    hole.reopen();
    await watch.check();
    // Who asked before hears of it now.
    watch.log.error('job failed', { error });
    expect(watch.state()).toEqual({ ok: true });
    expect(lines.slice(1)).toMatchObject([{ msg: 'The database answers again.', refused: 21 }]);
    hole.swallow();
    watch.log.error('job failed', { error: await failureOf(pid()) });
    expect(watch.state()).toMatchObject({ problem: 'away' });
  });
});
