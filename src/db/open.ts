// Opens the store: SQLite in a file or in memory, or PostgreSQL. The one place that knows which.
import {
  Kysely,
  PostgresDialect,
  type SqliteDatabase,
  SqliteDialect,
  SqliteQueryCompiler,
  type SqliteStatement,
} from 'kysely';
import { isPostgresUrl } from '../lib/database-url.ts';
import { cannotOpen } from './cannot-open.ts';
import type { Db, Tables } from './schema.ts';
import { PersistentKysely } from './several-nodes.ts';

/**
 * Set explicitly because the two drivers' defaults differ in silence (bun:sqlite: no foreign keys, no busy
 * timeout). busy_timeout comes first: changing the journal mode may already have to wait for another process.
 */
const PRAGMAS = [
  'busy_timeout = 5000',
  'journal_mode = WAL',
  'synchronous = FULL',
  'foreign_keys = ON',
  'cache_size = -65536',
  'temp_store = MEMORY',
];

/** More distinct statements than the program has; a bound all the same, since some lists build theirs. */
const STATEMENT_CACHE = 500;

/** How long a query waits for a connection: a router asks again after 3 s, and gives up after three times. */
const CONNECT_MS = 5000;

interface RawDatabase {
  readonly inTransaction: boolean;
  prepare(sql: string): SqliteStatement;
  close(): void;
}

/**
 * A rollback that does nothing where SQLite has rolled back by itself, as it does when the disk is full or fails
 * (sqlite.org/lang_transaction.html §3): its complaint that there is nothing to roll back would hide what happened.
 */
function rollbackOf(raw: RawDatabase): SqliteStatement & { finalize(): void } {
  const statement = raw.prepare('rollback') as SqliteStatement & { finalize?(): void };
  const nothing = { changes: 0, lastInsertRowid: 0 };
  return {
    finalize: () => statement.finalize?.(),
    reader: false,
    all: () => [],
    run: () => (raw.inTransaction ? statement.run([]) : nothing),
    *iterate() {},
  };
}

/** Keeps compiled statements, and takes the write lock where a transaction begins instead of half-way through. */
function forKysely(raw: RawDatabase): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  return {
    prepare(sql) {
      const text = sql === 'begin' ? 'begin immediate' : sql;
      let statement = statements.get(text);
      if (!statement) {
        if (statements.size >= STATEMENT_CACHE) statements.clear();
        statement = text === 'rollback' ? rollbackOf(raw) : raw.prepare(text);
        statements.set(text, statement);
      }
      return statement;
    },
    close() {
      // bun:sqlite keeps a database with living statements open, its journal and locks included, until they are collected.
      for (const statement of statements.values()) (statement as { finalize?(): void }).finalize?.();
      statements.clear();
      raw.close();
    },
  };
}

async function openSqliteFile(path: string): Promise<RawDatabase> {
  if ('Bun' in globalThis) {
    const { Database } = await import('bun:sqlite');
    const database = new Database(path, { create: true, readwrite: true });
    for (const pragma of PRAGMAS) database.run(`pragma ${pragma}`);
    return database as unknown as RawDatabase;
  }
  const { default: Database } = await import('better-sqlite3');
  const database = new Database(path);
  for (const pragma of PRAGMAS) database.pragma(pragma);
  return database as unknown as RawDatabase;
}

/**
 * Writes a parameter as `+?`, which means the same. With a bare `?` beside `=` or in a limit SQLite (seen in 3.54) plans
 * by the value it is bound to, so it prepares the statement anew each time it runs: up to three times the cost of
 * running it. The plans are then also the same whatever is looked for.
 */
class SteadyQueryCompiler extends SqliteQueryCompiler {
  protected override getCurrentParameterPlaceholder(): string {
    return '+?';
  }
}

class SteadySqliteDialect extends SqliteDialect {
  override createQueryCompiler(): SqliteQueryCompiler {
    return new SteadyQueryCompiler();
  }
}

/** A store on an open SQLite database, with the statements as they are written here. */
export function onSqlite(database: SqliteDatabase): Db {
  return new Kysely<Tables>({ dialect: new SteadySqliteDialect({ database }) });
}

/** A store on a SQLite file; `:memory:` for one that is gone when it closes. */
export async function openSqlite(path: string): Promise<Db> {
  return onSqlite(forKysely(await openSqliteFile(path)));
}

/** A store on PostgreSQL. int8 is read as a number: every counter and time here fits in 2^53. */
export async function openPostgres(url: string, connections = 10): Promise<Db> {
  const { default: pg } = await import('pg');
  const types = new pg.TypeOverrides();
  for (const numeric of [pg.types.builtins.INT8, pg.types.builtins.NUMERIC])
    types.setTypeParser(numeric, Number);
  const pool = new pg.Pool({
    connectionString: url,
    max: connections,
    types,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
  });
  // A connection that breaks, idle or between two statements, must not end the program: the query that needs it fails,
  // and the next one opens another.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return new PersistentKysely({ dialect: new PostgresDialect({ pool }) });
}

/**
 * A store where `location` says: a PostgreSQL URL, or the path of a SQLite file.
 * @throws `unavailable`, saying why, for a file that cannot be opened.
 */
export async function openStore(location: string): Promise<Db> {
  if (isPostgresUrl(location)) return openPostgres(location);
  try {
    return await openSqlite(location);
  } catch (error) {
    throw cannotOpen(location, error);
  }
}
