// Homes on PPPoE: the address and the router of a credential; a grant by hand that counts once.
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db;
  await schema.alterTable('credentials').addColumn('static_address', 'text').execute();
  await schema.alterTable('credentials').addColumn('router_id', 'text').execute();
  // An address belongs to one of those that may sign in; a credential that is switched off gives its own free.
  await schema
    .createIndex('credentials_static_address')
    .unique()
    .on('credentials')
    .column('static_address')
    .where(sql.ref('state'), '=', sql.lit('active'))
    .execute();
  await schema.alterTable('entitlements').addColumn('idempotency_key', 'text').execute();
  await schema
    .createIndex('entitlements_idempotency_key')
    .unique()
    .on('entitlements')
    .column('idempotency_key')
    .execute();
}
