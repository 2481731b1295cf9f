// What RADIUS has to remember of the routers' sources.
import type { Kysely } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('signing_sources')
    .addColumn('router_id', 'text', (c) => c.notNull())
    .addColumn('source', 'text', (c) => c.notNull())
    .addColumn('since_at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('signing_sources_key', ['router_id', 'source'])
    .execute();
}
