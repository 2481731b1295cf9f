// Opens the store: SQLite in a file or in memory, or PostgreSQL. The one place that knows which.
import { statSync } from 'node:fs';
import { Kysely, PostgresDialect } from 'kysely';
import { isPostgresUrl } from '../lib/database-url.ts';
import { cannotOpen } from './cannot-open.ts';
import { createFlush } from './flush.ts';
import {
  MIGRATION_PATIENCE,
  patientPool,
  REPORT_PATIENCE,
  SIGN_IN_PATIENCE,
  WORK_PATIENCE,
} from './patience.ts';
import type { Db, Tables } from './schema.ts';
import { PersistentKysely } from './several-nodes.ts';
import {
  DirectSqliteAdapter,
  KaribuSqliteDialect,
  keepStatements,
  type Manners,
  type SqliteConnection,
  type SqliteParts,
  SqliteStore,
} from './sqlite.ts';

/**
 * Set explicitly because the two drivers' defaults differ in silence (bun:sqlite: no foreign keys, no busy
 * timeout). busy_timeout comes first: changing the journal mode may already have to wait for another process.
 */
const PRAGMAS = [
  'busy_timeout = 5000',
  'journal_mode = WAL',
  // A commit is flushed before anybody is told of it: see flush.ts. FULL would flush it on the event loop.
  'synchronous = NORMAL',
  'foreign_keys = ON',
  'temp_store = MEMORY',
];
// The system's own cache holds the rest; more of it here only keeps an idle program large.
const WRITER = ['cache_size = -4096'];
const READER = ['cache_size = -2048', `mmap_size = ${4 * 2 ** 30}`, 'query_only = ON'];
/**
 * SQLite maps no more of a file than this (SQLITE_MAX_MMAP_SIZE). What lies behind it is read page by page, unless the cache
 * has it: where some thousand guests come back a sign-in takes 6 µs less then, a report of accounting a fifth less.
 */
const MOST_MAPPED = 0x7fff0000;
const LARGE_CACHE = 'cache_size = -65536';

/** What a connection to this file is told first: the pragmas of all, `own`, and more memory for a large file. */
function pragmasFor(path: string, own: readonly string[]): string[] {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return [...PRAGMAS, ...own, ...(size > MOST_MAPPED ? [LARGE_CACHE] : [])];
}

type Connect = (path: string, pragmas: readonly string[]) => SqliteConnection;

async function loadDriver(): Promise<Connect> {
  if ('Bun' in globalThis) {
    const { Database } = await import('bun:sqlite');
    return (path, pragmas) => {
      const database = new Database(path, { create: true, readwrite: true });
      for (const pragma of pragmas) database.run(`pragma ${pragma}`);
      return keepStatements(database as unknown as SqliteConnection);
    };
  }
  const { default: Database } = await import('better-sqlite3');
  return (path, pragmas) => {
    const database = new Database(path);
    for (const pragma of pragmas) database.pragma(pragma);
    return keepStatements(database as unknown as SqliteConnection);
  };
}

/** A store on open SQLite connections. */
export function onSqlite(parts: SqliteParts): Db {
  return new Kysely<Tables>({ dialect: new KaribuSqliteDialect(new SqliteStore(parts)) });
}

/**
 * The same SQLite store for others, who are treated otherwise; closing one closes it for all. A store on PostgreSQL has
 * one manner only, and comes back as it is.
 */
export function withManners(db: Db, manners: Manners): Db {
  const { adapter } = db.getExecutor();
  if (!(adapter instanceof DirectSqliteAdapter)) return db;
  return new Kysely<Tables>({ dialect: new KaribuSqliteDialect(adapter.store, manners) });
}

/** Resolves when all that a SQLite store has committed is on disk; rejects when the disk refuses. */
export async function storeFlushed(db: Db): Promise<void> {
  const { adapter } = db.getExecutor();
  if (adapter instanceof DirectSqliteAdapter) await adapter.store.flushed();
}

/** A store on a SQLite file; `:memory:` for one that is gone when it closes. */
export async function openSqlite(path: string): Promise<Db> {
  const connect = await loadDriver();
  const writer = connect(path, pragmasFor(path, WRITER));
  if (path === ':memory:') return onSqlite({ writer });
  return onSqlite({
    writer,
    openReader: () => connect(path, pragmasFor(path, READER)),
    flush: createFlush(`${path}-wal`, () => checkpoint(writer)),
  });
}

/**
 * Has the write-ahead log of a SQLite store copied by `work` from now on: on another thread, through a connection of its
 * own, since the copying takes as long as the card takes. It gives the length of the log in pages. A store on PostgreSQL looks after itself.
 */
export function handCheckpointsTo(db: Db, work: () => Promise<number>): void {
  const { adapter } = db.getExecutor();
  if (adapter instanceof DirectSqliteAdapter) adapter.store.handCheckpointsTo(work);
}

/** Copies all of the log into the database, flushing both; throws when it cannot. */
function checkpoint(connection: SqliteConnection): void {
  const [row] = connection.prepare('pragma wal_checkpoint(full)').all([]) as Checkpoint[];
  const whole = row !== undefined && row.busy === 0 && row.log === row.checkpointed;
  // The code by which the flush before failed: it is still the disk that is at fault.
  if (!whole) throw Object.assign(new Error('The disk did not take the log.'), { code: 'EIO' });
}

interface Checkpoint {
  busy: number;
  log: number;
  checkpointed: number;
}

/**
 * A connection beside the main one, for reading much at once: it changes no row (checkpoints aside) and keeps few
 * pages in memory. The store must exist and be migrated.
 */
export async function openReader(location: string): Promise<Db> {
  if (isPostgresUrl(location)) return openPostgres(location, 2, REPORT_PATIENCE);
  const connect = await loadDriver();
  const pragmas = ['busy_timeout = 5000', 'query_only = ON', 'temp_store = MEMORY'];
  return onSqlite({ writer: connect(location, pragmas) });
}

/** How long nothing may come on a connection before TCP asks whether the other end is there. */
const KEEP_ALIVE_MS = 10_000;

/** A store on PostgreSQL. int8 is read as a number: every counter and time here fits in 2^53. */
export async function openPostgres(url: string, connections = 10, patience = WORK_PATIENCE): Promise<Db> {
  const { default: pg } = await import('pg');
  const types = new pg.TypeOverrides();
  for (const numeric of [pg.types.builtins.INT8, pg.types.builtins.NUMERIC])
    types.setTypeParser(numeric, Number);
  const pool = new pg.Pool({
    connectionString: url,
    max: connections,
    types,
    connectionTimeoutMillis: patience.connect,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
  });
  // A connection that breaks, idle or between two statements, must not end the program: the query that needs it fails,
  // and the next one opens another.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return new PersistentKysely({ dialect: new PostgresDialect({ pool: patientPool(pool, patience) }) });
}

/**
 * The store as those who sign in are answered from: on PostgreSQL through connections of their own, so that they wait
 * neither for other work nor for an answer that would come too late. On SQLite it is `db` itself. Close both.
 */
export async function openForSignIns(location: string, db: Db): Promise<Db> {
  return isPostgresUrl(location) ? openPostgres(location, 10, SIGN_IN_PATIENCE) : db;
}

/** Runs `migrate` on the store, on PostgreSQL through a connection that lets a statement take its time. */
export async function withTimeToMigrate<T>(
  location: string,
  db: Db,
  migrate: (db: Db) => Promise<T>,
): Promise<T> {
  if (!isPostgresUrl(location)) return migrate(db);
  const patient = await openPostgres(location, 2, MIGRATION_PATIENCE);
  try {
    return await migrate(patient);
  } finally {
    await patient.destroy();
  }
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
