// What happens to an open till besides its sales: counts, cash put in, cash taken out.
import type { Kysely } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db;
  await schema
    .createTable('till_events')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('till_session_id', 'text', (c) => c.notNull())
    .addColumn('idempotency_key', 'text', (c) => c.unique())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('purpose', 'text')
    .addColumn('amount_cents', 'bigint')
    .addColumn('counted_cents', 'bigint')
    .addColumn('expected_cents', 'bigint', (c) => c.notNull())
    .addColumn('note', 'text')
    // The event this one takes back: each is taken back once.
    .addColumn('undo_of', 'text', (c) => c.unique())
    .addColumn('actor', 'text', (c) => c.notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .execute();
  await schema.createIndex('till_events_till').on('till_events').columns(['till_session_id', 'id']).execute();
}
