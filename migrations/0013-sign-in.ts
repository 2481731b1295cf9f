// What each sign-in asks, in indexes that hold what is open or suspended alone.
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  // An index of all sessions, or the key of all subscribers, is hundreds of times as large: its pages are in no cache.
  await db.schema
    .createIndex('sessions_open')
    .on('sessions')
    .columns(['credential_id', 'mac', 'gave_way_at'])
    .where(sql.ref('state'), '=', sql.lit('open'))
    .execute();
  await sql`create index subscribers_suspended on subscribers ((id || '')) where state || '' = 'suspended'`.execute(
    db,
  );
}
