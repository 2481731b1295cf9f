// What transactions of several nodes need on PostgreSQL; on SQLite one that writes has the store to itself.
import { Kysely, PostgresAdapter, type Transaction, type TransactionBuilder } from 'kysely';
import type { Db, Tables } from './schema.ts';

/** serialization_failure and deadlock_detected: PostgreSQL ended one transaction so that another can go on. */
const GIVEN_UP = new Set(['40001', '40P01']);
const ATTEMPTS = 5;

function wasGivenUp(error: unknown): boolean {
  return error instanceof Error && 'code' in error && GIVEN_UP.has(String(error.code));
}

/**
 * A store that runs a transaction again which PostgreSQL gave up: nothing of it happened, and it touches nothing but the
 * store, so the second time is as good as the first. After five times the error is the caller's.
 */
export class PersistentKysely extends Kysely<Tables> {
  override transaction(): TransactionBuilder<Tables> {
    const builder = super.transaction();
    const once = builder.execute.bind(builder);
    builder.execute = async <T>(work: (tx: Transaction<Tables>) => Promise<T>): Promise<T> => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await once(work);
        } catch (error) {
          if (attempt === ATTEMPTS || !wasGivenUp(error)) throw error;
        }
      }
    };
    return builder;
  }
}

/** Whether other nodes may share this store. */
export function mayHaveNodes(db: Db): boolean {
  return db.getExecutor().adapter instanceof PostgresAdapter;
}

/**
 * Holds one row until the transaction ends: another transaction that wants it waits, and what it reads afterwards holds
 * what this one did. For a rule about several rows, which no guarded update can keep.
 */
export async function holdRow(
  tx: Db,
  table: 'credentials' | 'voucher_batches' | 'payments' | 'plans' | 'till_sessions' | 'subscribers',
  id: string,
): Promise<void> {
  if (!mayHaveNodes(tx)) return;
  // A plain lock would wait for whoever inserts a row that refers to this one.
  await tx.selectFrom(table).select('id').where('id', '=', id).forNoKeyUpdate().execute();
}
