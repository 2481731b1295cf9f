// Opens the store for one command.
import { mkdirSync } from 'node:fs';
import type { Config } from '../config.ts';
import { type Migrated, migrate } from '../db/migrate.ts';
import { openStore, withTimeToMigrate } from '../db/open.ts';
import type { Db } from '../db/schema.ts';
import { systemClock } from '../lib/clock.ts';
import { isPostgresUrl } from '../lib/database-url.ts';

/** Opens and migrates the store, runs `work`, closes it whatever happens. */
export async function withStore<T>(
  config: Config,
  work: (db: Db, migrated: Migrated) => Promise<T>,
): Promise<T> {
  mkdirSync(config.data_dir, { recursive: true, mode: 0o700 });
  const db = await openStore(config.database);
  try {
    const file = isPostgresUrl(config.database) ? {} : { file: config.database };
    const options = { now: systemClock.now(), ...file };
    return await work(db, await withTimeToMigrate(config.database, db, (store) => migrate(store, options)));
  } finally {
    await db.destroy();
  }
}
