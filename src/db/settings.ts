// Settings as JSON by key; what they mean is the affair of whoever owns the key.
import { sql } from 'kysely';
import type { Db } from './schema.ts';
import { statement } from './statement.ts';

const settingByKey = statement(sql<{ value: string }>`select value from settings where key = ${''}`);

const upsertSetting = statement(
  sql`
    insert into settings (key, value, updated_at) values (${''}, ${''}, ${0})
    on conflict (key) do update set value = excluded.value, updated_at = excluded.updated_at`,
);

/** The value stored under a key, or undefined. */
export async function readSetting<T>(db: Db, key: string): Promise<T | undefined> {
  const [row] = await settingByKey(db, [key]);
  return row ? (JSON.parse(row.value) as T) : undefined;
}

export async function writeSetting(db: Db, key: string, value: unknown, now: number): Promise<void> {
  await upsertSetting(db, [key, JSON.stringify(value), now]);
}
