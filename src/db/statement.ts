// Statements that run for every packet: compiled once for a store, run with other values each time.
import { type CompiledQuery, type DialectAdapter, PostgresAdapter, type RawBuilder, sql } from 'kysely';
import type { Db } from './schema.ts';
import { DirectSqliteAdapter } from './sqlite.ts';

/**
 * Runs in a store or a transaction; the values stand in the order of the parameters. What SQLite answers without waiting is
 * returned as it is: a promise for each statement of each packet would cost as much as finding its row.
 */
export type Statement<R> = (db: Db, values: readonly unknown[]) => R[] | Promise<R[]>;

/**
 * Makes a statement of a text whose parameters stand for any value of their kind. For the few statements where
 * building the query costs more than running it.
 */
export function statement<R>(text: RawBuilder<R>): Statement<R> {
  return compileOnce(() => text);
}

/**
 * A select whose rows no other transaction changes before this one ends: on PostgreSQL it locks them, on SQLite whoever
 * writes has the store to himself.
 */
export function heldStatement<R>(text: RawBuilder<R>): Statement<R> {
  return compileOnce((adapter) => (adapter instanceof PostgresAdapter ? sql<R>`${text} for update` : text));
}

function compileOnce<R>(textFor: (adapter: DialectAdapter) => RawBuilder<R>): Statement<R> {
  // A transaction has the adapter of its store.
  const compiled = new WeakMap<DialectAdapter, { query: CompiledQuery<R>; reads: boolean }>();
  return (db, values) => {
    const { adapter } = db.getExecutor();
    const direct = adapter instanceof DirectSqliteAdapter ? adapter.direct : undefined;
    let known = compiled.get(adapter);
    if (!known) {
      const query = textFor(adapter).compile(db);
      known = { query, reads: direct?.reads(query.sql) === true };
      compiled.set(adapter, known);
    }
    const { query, reads } = known;
    if (direct && db.isTransaction) return direct.inTransaction(query.sql, values) as R[];
    if (direct && reads) {
      const read = () => direct.read(query.sql, values) as R[];
      const waiting = (adapter as DirectSqliteAdapter).manners.before?.();
      return waiting ? waiting.then(read) : read();
    }
    return db.executeQuery<R>({ ...query, parameters: values }).then(({ rows }) => rows);
  };
}
