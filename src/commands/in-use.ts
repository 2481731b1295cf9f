// Tells whether any process has a SQLite database open.
import { sql } from 'kysely';
import { openSqlite } from '../db/open.ts';
import { errorText } from '../errors.ts';

/**
 * SQLite gives up the WAL only for the one connection left: this fails while any process has the database open, and
 * leaves a database without a journal beside it when it does not.
 */
export async function isInUse(path: string): Promise<boolean> {
  const db = await openSqlite(path);
  try {
    await sql`pragma busy_timeout = 200`.execute(db);
    const { rows } = await sql<{ journal_mode: string }>`pragma journal_mode = delete`.execute(db);
    return rows[0]?.journal_mode !== 'delete';
  } catch (error) {
    if (/lock|busy/i.test(errorText(error))) return true;
    throw error;
  } finally {
    await db.destroy();
  }
}
