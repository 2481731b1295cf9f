// Inserts of one row into a table, each compiled once for the columns it names.
import { type Insertable, type RawBuilder, sql } from 'kysely';
import type { Db, Row, Tables } from './schema.ts';
import { type Statement, statement } from './statement.ts';

/**
 * Makes an insert for rows that always name the same columns in the same order, with `ending` behind it: what becomes of
 * a conflict, what comes back. For the inserts of every payment, where building the query costs more than running it.
 */
export function insertStatement<T extends keyof Tables & string>(
  table: T,
  ending: RawBuilder<unknown> = sql``,
): (db: Db, row: Insertable<Tables[T]>) => ReturnType<Statement<Row<T>>> {
  const made = new Map<string, Statement<Row<T>>>();
  return (db, row) => {
    const columns = Object.keys(row);
    const named = columns.join();
    let insert = made.get(named);
    if (!insert) {
      insert = statement(
        sql<Row<T>>`insert into ${sql.table(table)} (${sql.join(columns.map((column) => sql.ref(column)))})
          values (${sql.join(columns.map(() => ''))}) ${ending}`,
      );
      made.set(named, insert);
    }
    return insert(db, Object.values(row));
  };
}
