// Brings a store to this program's version, and refuses one that is ahead of it.
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Migrator, sql } from 'kysely';
import { migrations } from '../../migrations/index.ts';
import { AppError } from '../errors.ts';
import type { Db } from './schema.ts';

export interface MigrateOptions {
  /** Path of the SQLite file, for the snapshot before the first change. Absent: no snapshot (memory, PostgreSQL). */
  file?: string;
  /** Epoch milliseconds, for the snapshot's name. */
  now: number;
  /** The list to bring the store to; tests give shorter or longer ones. */
  list?: typeof migrations;
}

export interface Migrated {
  applied: string[];
  snapshot?: string;
}

/** Names of the migrations this program knows, oldest first. */
export function knownMigrations(): string[] {
  return Object.keys(migrations);
}

/** Names of the migrations this store has had, oldest first; empty for a new one. */
export async function appliedMigrations(db: Db): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some((table) => table.name === 'kysely_migration')) return [];
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
  return rows.map((row) => row.name);
}

/**
 * Applies what is missing, in order. A store with migrations this program does not know was written by a newer one:
 * `conflict`, nothing touched. A SQLite file that holds data is copied (VACUUM INTO) before it is changed.
 */
export async function migrate(db: Db, options: MigrateOptions): Promise<Migrated> {
  const list = options.list ?? migrations;
  const applied = await appliedMigrations(db);
  const unknown = applied.filter((name) => !(name in list));
  if (unknown.length > 0) {
    throw new AppError(
      'conflict',
      `This database was written by a newer Karibu (it has ${unknown.join(', ')}).`,
      {
        hint: 'Install the newer version again, or restore a backup that this version made.',
      },
    );
  }
  const missing = Object.keys(list).filter((name) => !applied.includes(name));
  if (missing.length === 0) return { applied: [] };

  let snapshot: string | undefined;
  if (options.file && applied.length > 0 && existsSync(options.file)) {
    snapshot = join(dirname(options.file), 'snapshots', `before-${missing[0]}-${options.now}.db`);
    mkdirSync(dirname(snapshot), { recursive: true, mode: 0o700 });
    await sql`vacuum into ${sql.lit(snapshot)}`.execute(db);
  }
  const migrator = new Migrator({ db, provider: { getMigrations: async () => list } });
  const { error } = await migrator.migrateToLatest();
  if (error) {
    throw new AppError('internal', 'The database could not be brought to this version.', {
      cause: error,
      hint: snapshot ? `Nothing is lost: the state before is in ${snapshot}.` : 'Nothing was changed.',
    });
  }
  return snapshot ? { applied: missing, snapshot } : { applied: missing };
}
