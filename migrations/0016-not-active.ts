// Subscribers in any state but active are refused: a state that this version does not know lets nobody in.
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create index subscribers_not_active on subscribers ((id || '')) where state || '' <> 'active'`.execute(
    db,
  );
  await db.schema.dropIndex('subscribers_suspended').execute();
}
