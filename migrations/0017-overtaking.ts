// A plan need not end for the next one to run: while it is slow by its fair-use rate, and when its hours of the day close.
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('entitlements')
    .addColumn('overtakes', 'integer', (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema
    .createIndex('entitlements_closing')
    .on('entitlements')
    .column('hours_to_minute')
    .where(sql.ref('state'), '=', sql.lit('active'))
    .where(sql.ref('hours_to_minute'), 'is not', null)
    .execute();
}
