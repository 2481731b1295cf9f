// The double-entry ledger, tills and what is sold for cash.
import type { Kysely } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db;
  await schema
    .createTable('ledger_entries')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('cause', 'text', (c) => c.notNull().unique())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('payment_id', 'text')
    .addColumn('till_session_id', 'text')
    .addColumn('note', 'text')
    .addColumn('actor', 'text')
    .addColumn('day', 'text', (c) => c.notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .execute();
  await schema.createIndex('ledger_entries_payment').on('ledger_entries').column('payment_id').execute();
  await schema.createIndex('ledger_entries_day').on('ledger_entries').columns(['day', 'id']).execute();
  await schema
    .createTable('ledger_lines')
    .addColumn('entry_id', 'text', (c) => c.notNull().references('ledger_entries.id'))
    .addColumn('account', 'text', (c) => c.notNull())
    .addColumn('holder', 'text', (c) => c.notNull())
    .addColumn('amount_cents', 'bigint', (c) => c.notNull())
    .addColumn('day', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('ledger_lines_key', ['entry_id', 'account', 'holder'])
    .execute();
  await schema
    .createIndex('ledger_lines_day')
    .on('ledger_lines')
    .columns(['day', 'account', 'entry_id', 'amount_cents'])
    .execute();
  await schema
    .createIndex('ledger_lines_account')
    .on('ledger_lines')
    .columns(['account', 'entry_id'])
    .execute();
  await schema
    .createIndex('ledger_lines_holder')
    .on('ledger_lines')
    .columns(['holder', 'account', 'amount_cents'])
    .execute();
  await schema
    .createTable('ledger_days')
    .addColumn('day', 'text', (c) => c.notNull())
    .addColumn('account', 'text', (c) => c.notNull())
    .addColumn('amount_cents', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('ledger_days_key', ['day', 'account'])
    .execute();

  await schema
    .createTable('till_sessions')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('account_id', 'text', (c) => c.notNull())
    // The account while the till is open: one open till each.
    .addColumn('open_key', 'text', (c) => c.unique())
    .addColumn('opening_cents', 'bigint', (c) => c.notNull())
    .addColumn('opened_at', 'bigint', (c) => c.notNull())
    .addColumn('counted_cents', 'bigint')
    .addColumn('counted_at', 'bigint')
    .addColumn('expected_cents', 'bigint')
    .addColumn('difference_cents', 'bigint')
    .addColumn('note', 'text')
    .addColumn('closed_by', 'text')
    .addColumn('closed_at', 'bigint')
    .execute();
  await schema
    .createIndex('till_sessions_account')
    .on('till_sessions')
    .columns(['account_id', 'id'])
    .execute();

  await schema
    .createTable('cash_sales')
    .addColumn('payment_id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('idempotency_key', 'text', (c) => c.notNull().unique())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('till_session_id', 'text')
    .addColumn('voucher_id', 'text')
    // The voucher while the sale stands: each is sold once.
    .addColumn('voucher_key', 'text', (c) => c.unique())
    .addColumn('voucher_made', 'bigint', (c) => c.notNull())
    .addColumn('voided_by', 'text')
    .addColumn('voided_at', 'bigint')
    .addColumn('void_reason', 'text')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .execute();
  await schema
    .createIndex('cash_sales_till')
    .on('cash_sales')
    .columns(['till_session_id', 'payment_id'])
    .execute();
  await schema
    .createIndex('cash_sales_account')
    .on('cash_sales')
    .columns(['account_id', 'payment_id'])
    .execute();
  await schema.createIndex('cash_sales_voucher').on('cash_sales').column('voucher_id').execute();
}
