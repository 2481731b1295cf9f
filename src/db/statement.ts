// Statements that run for every packet: compiled once for a store, run with other values each time.
import type { CompiledQuery, DialectAdapter, RawBuilder } from 'kysely';
import type { Db } from './schema.ts';

/** Runs in a store or a transaction; the values stand in the order of the parameters. */
export type Statement<R> = (db: Db, values: readonly unknown[]) => Promise<R[]>;

/**
 * Makes a statement of a text whose parameters stand for any value of their kind. For the few statements where
 * building the query costs more than running it.
 */
export function statement<R>(text: RawBuilder<R>): Statement<R> {
  // A transaction has the adapter of its store.
  const compiled = new WeakMap<DialectAdapter, CompiledQuery<R>>();
  return async (db, values) => {
    const { adapter } = db.getExecutor();
    let known = compiled.get(adapter);
    if (!known) {
      known = text.compile(db);
      compiled.set(adapter, known);
    }
    return (await db.executeQuery<R>({ ...known, parameters: values })).rows;
  };
}
