// Finds the orders that money can be for by their price and time.
import type { Kysely } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.createIndex('orders_wish').on('orders').columns(['price_cents', 'created_at']).execute();
}
