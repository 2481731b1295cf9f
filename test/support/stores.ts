// The stores that every store test runs on: SQLite by this runtime's driver, and PostgreSQL: a real one, else PGlite.
import { PGlite } from '@electric-sql/pglite';
import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient, sql } from 'kysely';
import { beforeEach, describe } from 'vitest';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres, openSqlite } from '../../src/db/open.ts';
import type { Db, Tables } from '../../src/db/schema.ts';

/** PGlite as a pool of one connection: whoever connects waits for the one before. */
function pglitePool(lite: PGlite): PostgresPool {
  let free: Promise<void> = Promise.resolve();
  return {
    async connect() {
      const before = free;
      let release = () => {};
      free = new Promise((resolve) => {
        release = resolve;
      });
      await before;
      const client = {
        async query(text: string, values: unknown[]) {
          const result = await lite.query(text, values);
          const command = text.trim().split(/\s/)[0]?.toUpperCase();
          return { command, rowCount: result.affectedRows ?? result.rows.length, rows: result.rows };
        },
        release,
      };
      return client as unknown as PostgresPoolClient;
    },
    end: () => lite.close(),
  };
}

interface StoreKind {
  name: string;
  open(): Promise<Db>;
}

const sqliteDriver = 'Bun' in globalThis ? 'bun:sqlite' : 'better-sqlite3';
const postgresUrl = process.env.KARIBU_TEST_POSTGRES_URL;

async function openRealPostgres(url: string): Promise<Db> {
  const name = `karibu_test_${process.pid}_${Math.random().toString(36).slice(2, 10)}`;
  const admin = await openPostgres(url, 1);
  await sql`create database ${sql.id(name)}`.execute(admin);
  await admin.destroy();
  const own = new URL(url);
  own.pathname = `/${name}`;
  return openPostgres(own.href, 5);
}

const postgres: StoreKind = postgresUrl
  ? { name: 'postgresql', open: () => openRealPostgres(postgresUrl) }
  : {
      name: 'pglite',
      open: async () =>
        new Kysely<Tables>({ dialect: new PostgresDialect({ pool: pglitePool(new PGlite()) }) }),
    };
const kinds: StoreKind[] = [{ name: sqliteDriver, open: () => openSqlite(':memory:') }, postgres];

const TABLES = [
  'hash_book claims mpesa_requests',
  'ledger_lines ledger_entries ledger_days cash_sales till_sessions',
  'audit logins accounts settings signing_sources daily_usage sessions evidence payments orders messages tasks',
  'extensions outages vouchers voucher_batches entitlements devices credentials subscribers plans routers',
]
  .join(' ')
  .split(' ') as (keyof Tables)[];

async function empty(db: Db): Promise<void> {
  for (const table of TABLES) await db.deleteFrom(table).execute();
}

/** One store of a kind serves a whole test file: PGlite takes seconds to start. */
const opened = new Map<string, Promise<Db>>();

async function openMigrated(kind: StoreKind): Promise<Db> {
  const db = await kind.open();
  await migrate(db, { now: 0 });
  return db;
}

/** Runs `tests` on every store, each test on an empty, migrated one. */
export function onEveryStore(title: string, tests: (store: () => Db, kind: string) => void): void {
  for (const kind of kinds) {
    describe(`${title} on ${kind.name}`, () => {
      let db: Db;
      beforeEach(async () => {
        if (!opened.has(kind.name)) opened.set(kind.name, openMigrated(kind));
        db = await (opened.get(kind.name) as Promise<Db>);
        await empty(db);
      });
      tests(() => db, kind.name);
    });
  }
}

/** A migrated SQLite store in memory, for tests that are not about the store. */
export async function memoryStore(): Promise<Db> {
  const db = await openSqlite(':memory:');
  await migrate(db, { now: 0 });
  return db;
}
