// Fewer indexes of sessions: each costs a page of its own for each session that begins.
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db;
  // What is open has an index of its own; all sessions of a credential are among its subscriber's.
  await schema.dropIndex('sessions_credential').execute();
  // A user name is a credential's; only sessions that are nobody's are looked for by it.
  await schema.dropIndex('sessions_username').execute();
  await schema
    .createIndex('sessions_stranger')
    .on('sessions')
    .columns(['username', 'id'])
    .where(sql.ref('subscriber_id'), 'is', null)
    .execute();
}
