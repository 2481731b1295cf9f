// Fills tables by the thousand through the driver, since no query builder is needed for that.
import { Database, type SQLQueryBindings, type Statement } from 'bun:sqlite';
import type { Row, Tables } from '../../../src/db/schema.ts';

/** Rows of one transaction: large enough that its cost vanishes, small enough to stay in memory. */
const CHUNK = 50_000;

export interface Bulk {
  insert<T extends keyof Tables>(table: T, row: Row<T>): void;
  run(sql: string, ...values: SQLQueryBindings[]): void;
  close(): void;
}

/**
 * Opens a migrated SQLite file for filling. Nothing is flushed until close(): a store that a power cut spoils is
 * simply made again. Foreign keys are checked once, at the end.
 */
export function openBulk(path: string): Bulk {
  const database = new Database(path, { readwrite: true });
  for (const pragma of ['journal_mode = OFF', 'synchronous = OFF', 'cache_size = -1048576']) {
    database.run(`pragma ${pragma}`);
  }
  const inserts = new Map<string, { columns: string[]; statement: Statement }>();
  let waiting = 0;
  database.run('begin');

  return {
    insert(table, row) {
      let known = inserts.get(table);
      if (!known) {
        const columns = Object.keys(row);
        const marks = columns.map(() => '?').join(', ');
        const statement = database.prepare(
          `insert into ${table} (${columns.map((name) => `"${name}"`).join(', ')}) values (${marks})`,
        );
        known = { columns, statement };
        inserts.set(table, known);
      }
      const values = row as unknown as Record<string, SQLQueryBindings>;
      known.statement.run(...known.columns.map((name) => values[name] as SQLQueryBindings));
      if (++waiting >= CHUNK) {
        database.run('commit');
        database.run('begin');
        waiting = 0;
      }
    },
    run(sql, ...values) {
      database.run(sql, values);
    },
    close() {
      database.run('commit');
      const broken = database.query('pragma foreign_key_check').all();
      if (broken.length > 0) throw new Error(`${broken.length} rows refer to nothing`);
      database.run('pragma journal_mode = WAL');
      database.run('pragma synchronous = FULL');
      for (const { statement } of inserts.values()) statement.finalize();
      database.close();
    },
  };
}
