// Outages of the box and of routers, with the extensions given for them.
import type { Kysely } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db;
  await schema
    .createTable('outages')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('key', 'text', (c) => c.notNull().unique())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('router_id', 'text')
    .addColumn('router_name', 'text')
    .addColumn('from_at', 'bigint', (c) => c.notNull())
    .addColumn('to_at', 'bigint')
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('extended', 'bigint', (c) => c.notNull())
    .addColumn('most_ms', 'bigint')
    .addColumn('decided_by', 'text')
    .addColumn('decided_at', 'bigint')
    .addColumn('done_at', 'bigint')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .execute();
  await schema.createIndex('outages_state').on('outages').columns(['state', 'id']).execute();
  await schema
    .createTable('extensions')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('outage_id', 'text', (c) => c.notNull().references('outages.id'))
    .addColumn('entitlement_id', 'text', (c) => c.notNull().references('entitlements.id'))
    .addColumn('extended_ms', 'bigint', (c) => c.notNull())
    .addColumn('ends_at_before', 'bigint', (c) => c.notNull())
    .addColumn('ends_at_after', 'bigint', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addUniqueConstraint('extensions_once', ['outage_id', 'entitlement_id'])
    .execute();
  await schema
    .createIndex('extensions_entitlement')
    .on('extensions')
    .columns(['entitlement_id', 'id'])
    .execute();
}
