// SQLite behind Kysely: one connection that writes, one that reads for the packets, commits told when they are on disk.
import { setTimeout } from 'node:timers/promises';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  type QueryCompiler,
  type QueryResult,
  SqliteAdapter,
  SqliteDialect,
  SqliteQueryCompiler,
} from 'kysely';
import { type Checkpoints, createCheckpoints } from './checkpoints.ts';
import type { Flush } from './flush.ts';

export interface SqliteStatement {
  /** Whether it gives rows. */
  readonly reader: boolean;
  /** Whether it leaves the file as it is. */
  readonly readonly: boolean;
  all(parameters: readonly unknown[]): unknown[];
  run(parameters: readonly unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint };
  finalize?(): void;
}

/** What bun:sqlite and better-sqlite3 have in common. */
export interface SqliteConnection {
  readonly inTransaction: boolean;
  prepare(sql: string): SqliteStatement;
  close(): void;
}

/** More distinct statements than the program has; a bound all the same, since some lists build theirs. */
const STATEMENT_CACHE = 500;

/** Keeps compiled statements; its close ends them too. */
export function keepStatements(raw: SqliteConnection): SqliteConnection {
  const statements = new Map<string, SqliteStatement>();
  return {
    get inTransaction() {
      return raw.inTransaction;
    },
    prepare(sql) {
      let statement = statements.get(sql);
      if (!statement) {
        if (statements.size >= STATEMENT_CACHE) statements.clear();
        statement = raw.prepare(sql);
        statements.set(sql, statement);
      }
      return statement;
    },
    close() {
      // bun:sqlite keeps a database with living statements open, its journal and locks included, until they are collected.
      for (const statement of statements.values()) statement.finalize?.();
      statements.clear();
      raw.close();
    },
  };
}

export interface SqliteParts {
  writer: SqliteConnection;
  /** Opens another connection to the same file, for what packets read; where there is none they read as all others do. */
  openReader?(): SqliteConnection;
  /** Without one a commit counts as durable at once. */
  flush?: Flush;
}

/** Of 4 KiB. A log of so many begins again at its front: 16 MB. */
const PAGES_OF_A_LONG_LOG = 4000;
/** With two, a storm of accounting had a p99 of 27 to 32 ms instead of 36 to 39, and a tenth more of it went through. */
const MORE_COPIES = 2;
/** With so many the other thread has failed, and SQLite copies them where they are written: 120 MB. */
const PAGES_OF_A_LOST_LOG = 30_000;
/** A thread that takes longer for a few pages has lost its disk, or itself: then writing goes on without it. */
const LONGEST_PAUSE_MS = 2000;

/**
 * Runs statements without Kysely's journey, for the few that run for every packet. Reads outside a transaction share a
 * snapshot as long as the event loop is busy with what it has received: to begin one costs as much as the reading.
 * Whatever commits ends the snapshot, so nobody reads what was before his own write.
 */
export class DirectStatements {
  readonly #parts: SqliteParts;
  readonly #checkpoints: Checkpoints;
  #reader: SqliteConnection | undefined;
  #reading = false;

  constructor(parts: SqliteParts, checkpoints: Checkpoints) {
    this.#parts = parts;
    this.#checkpoints = checkpoints;
  }

  /** On the writing connection, whose transaction must be the caller's. */
  inTransaction(sql: string, parameters: readonly unknown[]): unknown[] {
    const statement = this.#parts.writer.prepare(sql);
    // better-sqlite3 refuses all() for what returns no rows.
    const rows = statement.reader ? statement.all(parameters) : [];
    const changes = statement.reader ? rows.length : Number(statement.run(parameters).changes);
    if (!statement.readonly) this.#checkpoints.wrote(changes);
    return rows;
  }

  /** Whether the statement can be run by `read`. */
  reads(sql: string): boolean {
    return this.#parts.openReader !== undefined && this.#parts.writer.prepare(sql).readonly;
  }

  /** On the reading connection: what is committed. Only for what `reads` says. */
  read(sql: string, parameters: readonly unknown[]): unknown[] {
    this.#reader ??= this.#parts.openReader?.();
    const reader = this.#reader as SqliteConnection;
    if (!this.#reading) {
      reader.prepare('begin').run([]);
      this.#reading = true;
      setImmediate(() => this.endSnapshot());
    }
    return reader.prepare(sql).all(parameters);
  }

  endSnapshot(): void {
    if (!this.#reading) return;
    this.#reading = false;
    this.#reader?.prepare('commit').run([]);
  }

  close(): void {
    this.endSnapshot();
    this.#reader?.close();
    this.#reader = undefined;
  }
}

/** How a store treats whoever reads and writes through it. */
export interface Manners {
  /** Has to be over before anything is read or written; undefined when there is nothing to wait for. */
  before?(): Promise<void> | undefined;
  /** A commit is told of at once, not when it is on disk. */
  hasty?: boolean;
}

/** How a `Statement` finds the direct way from the store it is given. */
export class DirectSqliteAdapter extends SqliteAdapter {
  readonly store: SqliteStore;
  readonly manners: Manners;

  constructor(store: SqliteStore, manners: Manners) {
    super();
    this.store = store;
    this.manners = manners;
  }

  get direct(): DirectStatements {
    return this.store.direct;
  }
}

/** The connections of one store, and whose turn it is to write. */
export class SqliteStore {
  readonly parts: SqliteParts;
  readonly checkpoints = createCheckpoints();
  readonly direct: DirectStatements;
  readonly #queue: (() => void)[] = [];
  #held = false;

  constructor(parts: SqliteParts) {
    this.parts = parts;
    this.direct = new DirectStatements(parts, this.checkpoints);
  }

  async takeTurn(): Promise<void> {
    if (this.#held) await new Promise<void>((resolve) => this.#queue.push(resolve));
    this.#held = true;
  }

  endTurn(): void {
    const next = this.#queue.shift();
    if (next) next();
    else this.#held = false;
  }

  async flushed(): Promise<void> {
    await this.parts.flush?.flushed();
  }

  /**
   * Has another thread copy the log from now on; what SQLite still does here is for when that thread fails. `work` gives
   * the length of the log in pages.
   */
  handCheckpointsTo(work: () => Promise<number>): void {
    this.parts.writer.prepare(`pragma wal_autocheckpoint = ${PAGES_OF_A_LOST_LOG}`).all([]);
    this.checkpoints.handTo(async () => {
      if ((await work()) < PAGES_OF_A_LONG_LOG) return;
      // Each time less was written meanwhile; the last of it is copied while nobody writes: only a log that is copied to its
      // end, and that nobody reads, begins again at its front (sqlite.org/wal.html §6). Otherwise a storm makes it ever longer.
      for (let more = MORE_COPIES; more > 0; more--) await work();
      await this.takeTurn();
      try {
        await Promise.race([work(), setTimeout(LONGEST_PAUSE_MS, undefined, { ref: false })]);
      } finally {
        this.direct.endSnapshot();
        this.endTurn();
      }
    });
  }

  async close(): Promise<void> {
    this.direct.close();
    this.parts.writer.close();
    await this.parts.flush?.close();
  }
}

/** The writing connection in one caller's hands, from its acquisition to its release. */
class Hold implements DatabaseConnection {
  readonly #driver: SqliteDriver;
  inTransaction = false;
  committed = false;
  released = false;

  constructor(driver: SqliteDriver) {
    this.#driver = driver;
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const statement = this.#driver.writer.prepare(sql);
    let result: QueryResult<R>;
    let changes: number | bigint;
    if (statement.reader) {
      result = { rows: statement.all(parameters) as R[] };
      changes = result.rows.length;
    } else {
      const outcome = statement.run(parameters);
      changes = outcome.changes;
      result = { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(outcome.lastInsertRowid) };
    }
    if (!statement.readonly) this.#driver.checkpoints.wrote(Number(changes));
    if (!this.inTransaction && !statement.readonly) await this.#driver.acknowledge(this);
    return result;
  }

  // biome-ignore lint/correctness/useYield: nothing in the program streams rows.
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('This store does not stream');
  }
}

/**
 * Kysely's driver on one writing connection. A transaction takes the write lock where it begins instead of half-way
 * through. Whoever has committed hands the connection on before waiting for the disk: the commits of all that wait
 * share one flush.
 */
class SqliteDriver implements Driver {
  readonly writer: SqliteConnection;
  readonly checkpoints: Checkpoints;
  readonly #store: SqliteStore;
  readonly #manners: Manners;

  constructor(store: SqliteStore, manners: Manners) {
    this.writer = store.parts.writer;
    this.checkpoints = store.checkpoints;
    this.#store = store;
    this.#manners = manners;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<Hold> {
    await this.#manners.before?.();
    await this.#store.takeTurn();
    return new Hold(this);
  }

  async releaseConnection(hold: Hold): Promise<void> {
    if (hold.released) return;
    hold.released = true;
    this.#store.endTurn();
  }

  async acknowledge(hold: Hold): Promise<void> {
    this.#store.direct.endSnapshot();
    await this.releaseConnection(hold);
    if (!this.#manners.hasty) await this.#store.flushed();
  }

  async beginTransaction(hold: Hold): Promise<void> {
    this.writer.prepare('begin immediate').run([]);
    hold.inTransaction = true;
  }

  async commitTransaction(hold: Hold): Promise<void> {
    this.writer.prepare('commit').run([]);
    hold.committed = true;
    await this.acknowledge(hold);
  }

  async rollbackTransaction(hold: Hold): Promise<void> {
    // Kysely also rolls back when only the flush has failed: that commit cannot be taken back.
    if (hold.committed) return;
    // SQLite has rolled back by itself where the disk is full or fails (sqlite.org/lang_transaction.html §3): its complaint
    // that there is nothing to roll back would hide what happened.
    if (!this.writer.inTransaction) return;
    this.writer.prepare('rollback').run([]);
  }

  async destroy(): Promise<void> {
    await this.#store.close();
  }
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

export class KaribuSqliteDialect extends SqliteDialect {
  readonly #store: SqliteStore;
  readonly #manners: Manners;

  constructor(store: SqliteStore, manners: Manners = {}) {
    super({ database: store.parts.writer as never });
    this.#store = store;
    this.#manners = manners;
  }

  override createDriver(): Driver {
    return new SqliteDriver(this.#store, this.#manners);
  }

  override createQueryCompiler(): QueryCompiler {
    return new SteadyQueryCompiler();
  }

  override createAdapter(): SqliteAdapter {
    return new DirectSqliteAdapter(this.#store, this.#manners);
  }
}
