// The doctor: names what is wrong, and only that.
import { chmodSync, existsSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { examine } from '../../src/commands/doctor.ts';
import type { Config } from '../../src/config.ts';
import { openVault } from '../../src/db/key-file.ts';
import { writeSetting } from '../../src/db/settings.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { createAccount } from '../../src/operators/accounts.ts';
import { configFor, NOW, storeFolder, temporaryFolder, withDb } from './store-folder.ts';

const clockAt = (at: number): Clock => ({ now: () => at, monotonic: () => 0 });

/** Check → state, of those that are not ok. */
async function complaints(config: Config, at = NOW, written = at): Promise<Record<string, string>> {
  // The disk's stamps are of this machine's clock, the tests have one of their own.
  if (existsSync(config.database)) utimesSync(config.database, written / 1000, written / 1000);
  const checks = await examine(config, clockAt(at));
  return Object.fromEntries(
    checks.filter((check) => check.state !== 'ok').map((check) => [check.check, check.state]),
  );
}

/** What a store without accounts, routers and keys is told. */
const EMPTY = { accounts: 'warn', routers: 'warn', 'm-pesa': 'warn' };

test('a new installation has nothing wrong but what is not set up yet', async () => {
  const config = await storeFolder();
  expect(await complaints(config)).toEqual(EMPTY);
  const owner = { email: 'a@karibu.example', name: 'A', role: 'owner' as const, password: 'long enough' };
  await withDb(config, (db) => createAccount(db, owner, NOW));
  expect(await complaints(config)).toEqual({ routers: 'warn', 'm-pesa': 'warn' });
});

test('a folder that is not there, and an empty one, are told apart', async () => {
  expect(await complaints(configFor(join(temporaryFolder(), 'nowhere')))).toEqual({ 'data folder': 'fail' });
  expect(await complaints(configFor(temporaryFolder()))).toEqual({ 'key file': 'fail', database: 'warn' });
});

test('others’ eyes and hands on the folder and the key are noticed', async () => {
  const config = await storeFolder();
  chmodSync(config.data_dir, 0o755);
  chmodSync(join(config.data_dir, 'karibu.key'), 0o644);
  expect(await complaints(config)).toEqual({ 'data folder': 'warn', 'key file': 'warn', ...EMPTY });
  chmodSync(config.data_dir, 0o777);
  expect((await complaints(config))['data folder']).toBe('fail');
});

test('a key that does not open what is stored fails', async () => {
  const config = await storeFolder();
  rmSync(join(config.data_dir, 'karibu.key'));
  openVault(config.data_dir);
  expect(await complaints(config)).toEqual({ 'sealed values': 'fail', accounts: 'warn' });
  writeFileSync(join(config.data_dir, 'karibu.key'), 'not a key\n');
  expect(await complaints(config)).toEqual({ 'key file': 'fail', accounts: 'warn' });
});

test('a damaged database and a newer one fail', async () => {
  const newer = await storeFolder();
  await withDb(newer, (db) =>
    sql`insert into kysely_migration (name, timestamp) values ('9999-later', '2030')`.execute(db),
  );
  expect(await complaints(newer)).toEqual({ migrations: 'fail' });
  const damaged = await storeFolder();
  writeFileSync(damaged.database, 'this is no database');
  expect(await complaints(damaged)).toEqual({ database: 'fail' });
});

test('a clock that has never been set, or fell behind, fails', async () => {
  const config = await storeFolder();
  expect((await complaints(config, 1000)).clock).toBe('fail');
  await withDb(config, (db) => writeSetting(db, 'clock', { last_known_at: NOW }, NOW));
  expect((await complaints(config, NOW - 3600_000)).clock).toBe('fail');
  expect((await complaints(config, NOW + 1000)).clock).toBeUndefined();
});

test('a port that Karibu holds is fine, one that another program holds is not', async () => {
  let answer = '{"ok":true}';
  const server = createServer((_request, response) => response.end(answer));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const config = { ...(await storeFolder()), portal: { host: '127.0.0.1', port } };
  expect(await complaints(config)).toEqual(EMPTY);
  answer = '<title>Something else</title>';
  expect(await complaints(config)).toEqual({ ...EMPTY, 'portal door': 'fail' });
});

test('a database that was written later than the clock says is noticed', async () => {
  const config = await storeFolder();
  expect(await complaints(config, NOW, NOW + 60_000)).toEqual(EMPTY);
  expect(await complaints(config, NOW, NOW + 3_600_000)).toEqual({ 'clock of the disk': 'warn', ...EMPTY });
});
