// Settings as JSON by key; what they mean is the affair of whoever owns the key.
import { sql } from 'kysely';
import type { Db } from './schema.ts';
import { statement } from './statement.ts';

const settingByKey = statement(sql<{ value: string }>`select value from settings where key = ${''}`);

/** The value stored under a key, or undefined. */
export async function readSetting<T>(db: Db, key: string): Promise<T | undefined> {
  const [row] = await settingByKey(db, [key]);
  return row ? (JSON.parse(row.value) as T) : undefined;
}

export async function writeSetting(db: Db, key: string, value: unknown, now: number): Promise<void> {
  await db
    .insertInto('settings')
    .values({ key, value: JSON.stringify(value), updated_at: now })
    .onConflict((oc) => oc.column('key').doUpdateSet({ value: JSON.stringify(value), updated_at: now }))
    .execute();
}
