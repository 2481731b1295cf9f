// The listeners on a PostgreSQL that vanishes: silence and no pile of requests, and everything acknowledged afterwards is kept.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { isPostgresInstalled, type PostgresCluster, startPostgres } from '../../../scripts/postgres.mjs';
import { migrate } from '../../../src/db/migrate.ts';
import { openPostgres } from '../../../src/db/open.ts';
import type { Db } from '../../../src/db/schema.ts';
import { attribute, getOctets } from '../../../src/protocols/radius/attributes.ts';
import type { Packet } from '../../../src/protocols/radius/packet.ts';
import { NOW, someAccess } from '../../access/fixtures.ts';
import { type BlackHole, openBlackHole } from '../../support/black-hole.ts';
import { MAC, startRadius, told } from './fixtures.ts';

const PATIENCE = { connect: 500, answer: 500, idle: 1000 };
/** How long an answer may take where there is one. */
const ANSWERED_MS = 15_000;

describe.runIf(isPostgresInstalled())('RADIUS on a PostgreSQL that vanishes', () => {
  let cluster: PostgresCluster;
  let hole: BlackHole;
  let db: Db;
  let radius: Awaited<ReturnType<typeof startRadius>>;

  beforeAll(async () => {
    cluster = await startPostgres();
  });
  afterAll(() => cluster.stop());
  beforeEach(async () => {
    hole = await openBlackHole(Number(new URL(cluster.url).port));
    const url = new URL(cluster.url);
    url.port = String(hole.port);
    db = await openPostgres(url.href, 3, PATIENCE);
    await migrate(db, { now: NOW });
    radius = await startRadius(undefined, db);
  });
  afterEach(async () => {
    await radius.requester.close();
    await radius.listeners.stop();
    await db.destroy();
    await hole.close();
  });

  it('keeps silent, keeps no request waiting, and answers again when the store does', async () => {
    const { counters } = radius.listeners;
    const { credential, entitlement } = await someAccess(db);
    const login = { username: credential.username, password: 'secret' };
    const accept = (await radius.logIn(login, ANSWERED_MS)) as Packet;
    expect(told(accept)).toMatchObject({ accept: true });
    const account = (kind: 'Start' | 'Interim-Update', seconds: number, timeoutMs = ANSWERED_MS) =>
      radius.account(
        kind,
        [
          attribute('User-Name', credential.username),
          attribute('Acct-Session-Id', '80100014'),
          attribute('Calling-Station-Id', MAC),
          attribute('Class', getOctets(accept, 'Class') as Buffer),
          attribute('Acct-Session-Time', seconds),
          attribute('Acct-Input-Octets', seconds * 10),
        ],
        timeoutMs,
      );
    expect(await account('Start', 0)).toBeDefined();

    hole.swallow();
    const rejected = counters.access_rejects;
    const asked = Array.from({ length: 120 }, (_, n) =>
      n % 2 === 0 ? radius.logIn(login, 20) : account('Interim-Update', n, 20),
    );
    for (const answer of await Promise.all(asked)) expect(answer).toBeUndefined();
    // Each of them has ended by the patience with the store, not by a router's that does not wait.
    await vi.waitUntil(() => counters.silences.failed >= asked.length, { timeout: ANSWERED_MS });
    expect(counters.silences.failed).toBe(asked.length);
    expect(counters.access_rejects).toBe(rejected);

    hole.reopen();
    // The first may still wait for a connection that was begun before.
    const back = await vi.waitUntil(() => radius.logIn(login, 1000), { timeout: ANSWERED_MS });
    expect(told(back)).toMatchObject({ accept: true });
    expect(await account('Interim-Update', 600)).toBeDefined();
    const direct = await openPostgres(cluster.url, 1);
    const sessions = await direct.selectFrom('sessions').selectAll().execute();
    const used = await direct
      .selectFrom('entitlements')
      .selectAll()
      .where('id', '=', entitlement.id)
      .execute();
    await direct.destroy();
    expect(sessions).toMatchObject([{ state: 'open', session_seconds: 600, upload_octets: 6000 }]);
    expect(used).toMatchObject([{ used_seconds: 600, used_upload_octets: 6000 }]);
  });
});
