// A data folder with a small store in it, for the commands that work on files.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createPlan } from '../../src/access/plans.ts';
import { addVouchers, createVoucherBatch, sealCodes } from '../../src/access/vouchers.ts';
import { type Config, readConfig } from '../../src/config.ts';
import { openVault } from '../../src/db/key-file.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openSqlite } from '../../src/db/open.ts';
import type { Db } from '../../src/db/schema.ts';

export const NOW = Date.UTC(2026, 10, 21, 9, 30);

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'karibu-commands-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Where nothing listens that a machine running these tests may have. */
export function configFor(dataDir: string): Config {
  const none = '127.0.0.1:0';
  return readConfig(
    {
      KARIBU_ADMIN_LISTEN: none,
      KARIBU_PORTAL_LISTEN: none,
      KARIBU_CALLBACK_LISTEN: none,
      KARIBU_RADIUS_AUTH_LISTEN: none,
      KARIBU_RADIUS_ACCT_LISTEN: none,
    },
    { data: dataDir },
  );
}

export async function withDb<T>(config: Config, work: (db: Db) => Promise<T>): Promise<T> {
  const db = await openSqlite(config.database);
  try {
    return await work(db);
  } finally {
    await db.destroy();
  }
}

/** A folder with a database of three vouchers, and its key. */
export async function storeFolder(): Promise<Config> {
  const config = configFor(temporaryFolder());
  const vault = openVault(config.data_dir);
  await withDb(config, async (db) => {
    await migrate(db, { now: NOW });
    const plan = await createPlan(
      db,
      {
        name: '1 hour',
        description: '',
        kind: 'hotspot',
        price_cents: 2000,
        state: 'on_sale',
        position: 0,
        validity_seconds: 3600,
        online_seconds: null,
        quota_octets: null,
        rate_down_kbps: null,
        rate_up_kbps: null,
        max_devices: 1,
      },
      NOW,
    );
    const wanted = { plan_id: plan.id, count: 3, name: 'Three', created_by: null, idempotency_key: null };
    const batch = await createVoucherBatch(db, wanted, NOW);
    await addVouchers(db, batch.id, sealCodes(vault, 1000), NOW);
  });
  return config;
}

export async function planNames(config: Config): Promise<string[]> {
  return withDb(config, async (db) =>
    (await db.selectFrom('plans').select('name').orderBy('name').execute()).map((row) => row.name),
  );
}
