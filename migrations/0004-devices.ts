// Sessions that gave their place to another device, and what the router answered to the last change of a session.
import type { Kysely } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const [name, type] of [
    ['gave_way_at', 'bigint'],
    ['change_state', 'text'],
    ['change_detail', 'text'],
    ['change_at', 'bigint'],
  ] as const) {
    await db.schema.alterTable('sessions').addColumn(name, type).execute();
  }
}
