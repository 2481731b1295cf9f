// Statements of the M-PESA portal: what came of each, and the lines that are still to be settled.
import type { Kysely } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db;
  const counts = [
    'rows',
    'matched',
    'found',
    'lines',
    'done',
    'settled',
    'unmatched',
    'reversed',
    'returned',
  ];
  let imports = schema
    .createTable('statement_imports')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('state', 'text', (c) => c.notNull());
  for (const column of [...counts, 'others', 'unreadable', 'missing_count']) {
    imports = imports.addColumn(column, 'bigint', (c) => c.notNull());
  }
  await imports
    .addColumn('to_check', 'text', (c) => c.notNull())
    .addColumn('missing', 'text', (c) => c.notNull())
    .addColumn('from_at', 'bigint')
    .addColumn('to_at', 'bigint')
    .addColumn('created_by', 'text')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('ready_at', 'bigint')
    .execute();
  await schema
    .createTable('statement_parts')
    .addColumn('import_id', 'text', (c) => c.notNull())
    .addColumn('part', 'bigint', (c) => c.notNull())
    .addColumn('lines', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('statement_parts_key', ['import_id', 'part'])
    .execute();
  // A thousand numbers share a mask: with the name it is few.
  await schema.dropIndex('payments_payer').execute();
  await schema
    .createIndex('payments_payer_name')
    .on('payments')
    .columns(['payer', 'payer_name', 'subscriber_id'])
    .execute();
}
