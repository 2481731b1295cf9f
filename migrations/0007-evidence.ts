// Evidence that has to be confirmed first, money that comes without an order, and what M-PESA was asked about it.
import { createHash } from 'node:crypto';
import { type Kysely, sql } from 'kysely';

const AT_ONCE = 500;

export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db;
  for (const [table, name, type] of [
    ['evidence', 'receipt', 'text'],
    ['evidence', 'doubt', 'text'],
    ['orders', 'short_code', 'text'],
    ['payments', 'payer', 'text'],
    ['payments', 'payer_name', 'text'],
    ['payments', 'account_reference', 'text'],
    ['payments', 'reversal', 'text'],
    ['payments', 'resolved_by', 'text'],
    ['payments', 'resolved_at', 'bigint'],
  ] as const) {
    await schema.alterTable(table).addColumn(name, type).execute();
  }
  await schema.createIndex('evidence_receipt').on('evidence').columns(['receipt', 'id']).execute();
  await schema.createIndex('orders_short_code').unique().on('orders').column('short_code').execute();
  await schema.createIndex('payments_payer').on('payments').columns(['payer', 'id']).execute();
  await schema
    .createTable('hash_book')
    .addColumn('msisdn_hash', 'text', (c) => c.primaryKey().notNull())
    .addColumn('subscriber_id', 'text', (c) => c.notNull().references('subscribers.id'))
    .execute();
  await hashNumbers(db);

  // What a guest said about a payment: text is never money, so it waits here until M-PESA says the same.
  await schema
    .createTable('claims')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('receipt', 'text', (c) => c.notNull().unique())
    .addColumn('mac', 'text')
    .addColumn('ip', 'text')
    .addColumn('router_id', 'text')
    .addColumn('subscriber_id', 'text')
    .addColumn('credential_id', 'text')
    .addColumn('entitlement_id', 'text')
    .addColumn('payment_id', 'text')
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('problem', 'text')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('decided_at', 'bigint')
    .execute();
  await schema.createIndex('claims_state').on('claims').columns(['state', 'id']).execute();
  await schema.createIndex('claims_mac').on('claims').columns(['mac', 'state']).execute();

  await schema
    .createTable('mpesa_requests')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('live_key', 'text', (c) => c.unique())
    .addColumn('token_hash', 'text', (c) => c.notNull().unique())
    .addColumn('receipt', 'text')
    .addColumn('payment_id', 'text')
    .addColumn('amount_cents', 'bigint')
    .addColumn('conversation_id', 'text')
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('result_code', 'text')
    .addColumn('problem', 'text')
    .addColumn('asked_by', 'text')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('answered_at', 'bigint')
    .execute();
  await schema.createIndex('mpesa_requests_state').on('mpesa_requests').columns(['state', 'id']).execute();
  await schema.createIndex('mpesa_requests_receipt').on('mpesa_requests').column('receipt').execute();
  await schema.createIndex('mpesa_requests_payment').on('mpesa_requests').column('payment_id').execute();
}

/** SHA-256 of the digits, as M-PESA writes it in its notices (payments.md §1.8). */
async function hashNumbers(db: Kysely<unknown>): Promise<void> {
  for (let last = ''; ; ) {
    const { rows } = await sql<{ id: string; msisdn: string }>`
      select id, msisdn from subscribers where msisdn is not null and id > ${last} order by id limit ${sql.lit(AT_ONCE)}
    `.execute(db);
    for (const { id, msisdn } of rows) {
      const hash = createHash('sha256').update(msisdn).digest('hex');
      await sql`insert into hash_book (msisdn_hash, subscriber_id) values (${hash}, ${id})`.execute(db);
    }
    const end = rows.at(-1);
    if (!end) return;
    last = end.id;
  }
}
