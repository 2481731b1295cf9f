// The first tables. Frozen: later changes come as later files.
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  const schema = db.schema;

  await schema
    .createTable('accounts')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('email', 'text', (c) => c.notNull().unique())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('role', 'text', (c) => c.notNull())
    .addColumn('password_hash', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('last_login_at', 'bigint')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .execute();

  await schema
    .createTable('logins')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('account_id', 'text', (c) => c.notNull().references('accounts.id'))
    .addColumn('token_hash', 'text', (c) => c.notNull().unique())
    .addColumn('address', 'text')
    .addColumn('agent', 'text')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('expires_at', 'bigint', (c) => c.notNull())
    .execute();
  await schema.createIndex('logins_account').on('logins').column('account_id').execute();

  await schema
    .createTable('settings')
    .addColumn('key', 'text', (c) => c.primaryKey().notNull())
    .addColumn('value', 'text', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .execute();

  await schema
    .createTable('audit')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addColumn('account_id', 'text')
    .addColumn('actor', 'text', (c) => c.notNull())
    .addColumn('address', 'text')
    .addColumn('action', 'text', (c) => c.notNull())
    .addColumn('entity', 'text', (c) => c.notNull())
    .addColumn('entity_id', 'text')
    .addColumn('entity_name', 'text')
    .addColumn('before', 'text')
    .addColumn('after', 'text')
    .execute();
  await schema.createIndex('audit_entity').on('audit').columns(['entity', 'entity_id', 'id']).execute();
  await schema.createIndex('audit_entity_all').on('audit').columns(['entity', 'id']).execute();
  await schema.createIndex('audit_account').on('audit').columns(['account_id', 'id']).execute();

  await schema
    .createTable('routers')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('address', 'text', (c) => c.notNull().unique())
    .addColumn('radius_secret_sealed', 'text', (c) => c.notNull())
    .addColumn('message_authenticator', 'text', (c) => c.notNull())
    .addColumn('mac_login', 'text', (c) => c.notNull())
    .addColumn('coa_port', 'bigint', (c) => c.notNull())
    .addColumn('api_port', 'bigint', (c) => c.notNull())
    .addColumn('api_tls', 'bigint', (c) => c.notNull())
    .addColumn('api_username', 'text')
    .addColumn('api_password_sealed', 'text')
    .addColumn('hotspot_host', 'text')
    .addColumn('hotspot_interface', 'text', (c) => c.notNull())
    .addColumn('hotspot_network', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('identity', 'text')
    .addColumn('version', 'text')
    .addColumn('board', 'text')
    .addColumn('last_seen_at', 'bigint')
    .addColumn('last_error', 'text')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .execute();

  await schema
    .createTable('plans')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('description', 'text', (c) => c.notNull())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('price_cents', 'bigint', (c) => c.notNull())
    .addColumn('validity_seconds', 'bigint', (c) => c.notNull())
    .addColumn('online_seconds', 'bigint')
    .addColumn('quota_octets', 'bigint')
    .addColumn('rate_down_kbps', 'bigint')
    .addColumn('rate_up_kbps', 'bigint')
    .addColumn('max_devices', 'bigint', (c) => c.notNull())
    .addColumn('burst_rate_down_kbps', 'bigint')
    .addColumn('burst_rate_up_kbps', 'bigint')
    .addColumn('burst_threshold_down_kbps', 'bigint')
    .addColumn('burst_threshold_up_kbps', 'bigint')
    .addColumn('burst_seconds', 'bigint')
    .addColumn('idle_timeout_seconds', 'bigint')
    .addColumn('address_pool', 'text')
    .addColumn('address_list', 'text')
    .addColumn('upload_quota_octets', 'bigint')
    .addColumn('download_quota_octets', 'bigint')
    .addColumn('fair_use_rate_down_kbps', 'bigint')
    .addColumn('fair_use_rate_up_kbps', 'bigint')
    .addColumn('hours_from_minute', 'bigint')
    .addColumn('hours_to_minute', 'bigint')
    .addColumn('device_policy', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('position', 'bigint', (c) => c.notNull())
    .addColumn('sold', 'bigint', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .execute();

  await schema
    .createTable('voucher_batches')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('plan_id', 'text', (c) => c.notNull().references('plans.id'))
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('count', 'bigint', (c) => c.notNull())
    .addColumn('made', 'bigint', (c) => c.notNull())
    .addColumn('redeemed', 'bigint', (c) => c.notNull())
    .addColumn('cancelled', 'bigint', (c) => c.notNull())
    .addColumn('price_cents', 'bigint', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('idempotency_key', 'text', (c) => c.unique())
    .addColumn('created_by', 'text')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('ready_at', 'bigint')
    .execute();
  await schema.createIndex('voucher_batches_plan').on('voucher_batches').columns(['plan_id', 'id']).execute();
  await schema.createIndex('voucher_batches_state').on('voucher_batches').columns(['state', 'id']).execute();

  await schema
    .createTable('vouchers')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('batch_id', 'text', (c) => c.notNull().references('voucher_batches.id'))
    .addColumn('plan_id', 'text', (c) => c.notNull())
    .addColumn('code_fingerprint', 'text', (c) => c.notNull().unique())
    .addColumn('code_sealed', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('entitlement_id', 'text')
    .addColumn('subscriber_id', 'text')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('redeemed_at', 'bigint')
    .execute();
  await schema.createIndex('vouchers_batch').on('vouchers').columns(['batch_id', 'state', 'id']).execute();
  await schema.createIndex('vouchers_batch_all').on('vouchers').columns(['batch_id', 'id']).execute();
  await schema.createIndex('vouchers_state').on('vouchers').columns(['state', 'id']).execute();
  await schema.createIndex('vouchers_plan').on('vouchers').columns(['plan_id', 'id']).execute();
  await schema
    .createIndex('vouchers_plan_state')
    .on('vouchers')
    .columns(['plan_id', 'state', 'id'])
    .execute();
  await schema.createIndex('vouchers_redeemed').on('vouchers').column('redeemed_at').execute();

  await schema
    .createTable('subscribers')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('name', 'text')
    .addColumn('msisdn', 'text', (c) => c.unique())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('notes', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .execute();
  await schema.createIndex('subscribers_name').on('subscribers').expression(sql`lower(name)`).execute();
  await schema.createIndex('subscribers_state').on('subscribers').columns(['state', 'id']).execute();

  await schema
    .createTable('credentials')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('subscriber_id', 'text', (c) => c.notNull().references('subscribers.id'))
    .addColumn('username', 'text', (c) => c.notNull().unique())
    .addColumn('password_sealed', 'text', (c) => c.notNull())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('device_mac', 'text')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .execute();
  await schema
    .createIndex('credentials_subscriber')
    .on('credentials')
    .columns(['subscriber_id', 'device_mac'])
    .execute();
  await schema.createIndex('credentials_device').on('credentials').column('device_mac').execute();

  await schema
    .createTable('devices')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('subscriber_id', 'text', (c) => c.notNull().references('subscribers.id'))
    .addColumn('mac', 'text', (c) => c.notNull())
    .addColumn('first_seen_at', 'bigint', (c) => c.notNull())
    .addColumn('last_seen_at', 'bigint', (c) => c.notNull())
    .addUniqueConstraint('devices_subscriber_mac', ['subscriber_id', 'mac'])
    .execute();
  await schema.createIndex('devices_mac').on('devices').columns(['mac', 'last_seen_at']).execute();

  await schema
    .createTable('entitlements')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('subscriber_id', 'text', (c) => c.notNull().references('subscribers.id'))
    .addColumn('credential_id', 'text', (c) => c.notNull().references('credentials.id'))
    .addColumn('plan_id', 'text', (c) => c.notNull().references('plans.id'))
    .addColumn('source', 'text', (c) => c.notNull())
    .addColumn('payment_id', 'text', (c) => c.unique())
    .addColumn('order_id', 'text')
    .addColumn('voucher_id', 'text', (c) => c.unique())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('validity_seconds', 'bigint', (c) => c.notNull())
    .addColumn('online_seconds', 'bigint')
    .addColumn('quota_octets', 'bigint')
    .addColumn('rate_down_kbps', 'bigint')
    .addColumn('rate_up_kbps', 'bigint')
    .addColumn('max_devices', 'bigint', (c) => c.notNull())
    .addColumn('burst_rate_down_kbps', 'bigint')
    .addColumn('burst_rate_up_kbps', 'bigint')
    .addColumn('burst_threshold_down_kbps', 'bigint')
    .addColumn('burst_threshold_up_kbps', 'bigint')
    .addColumn('burst_seconds', 'bigint')
    .addColumn('idle_timeout_seconds', 'bigint')
    .addColumn('address_pool', 'text')
    .addColumn('address_list', 'text')
    .addColumn('upload_quota_octets', 'bigint')
    .addColumn('download_quota_octets', 'bigint')
    .addColumn('fair_use_rate_down_kbps', 'bigint')
    .addColumn('fair_use_rate_up_kbps', 'bigint')
    .addColumn('hours_from_minute', 'bigint')
    .addColumn('hours_to_minute', 'bigint')
    .addColumn('device_policy', 'text', (c) => c.notNull())
    .addColumn('not_before_at', 'bigint')
    .addColumn('starts_at', 'bigint')
    .addColumn('ends_at', 'bigint')
    .addColumn('ended_at', 'bigint')
    .addColumn('end_reason', 'text')
    .addColumn('used_seconds', 'bigint', (c) => c.notNull())
    .addColumn('used_upload_octets', 'bigint', (c) => c.notNull())
    .addColumn('used_download_octets', 'bigint', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .execute();
  await schema
    .createIndex('entitlements_credential')
    .on('entitlements')
    .columns(['credential_id', 'state', 'id'])
    .execute();
  await schema.createIndex('entitlements_ends').on('entitlements').columns(['state', 'ends_at']).execute();
  await schema.createIndex('entitlements_state').on('entitlements').columns(['state', 'id']).execute();
  await schema
    .createIndex('entitlements_subscriber')
    .on('entitlements')
    .columns(['subscriber_id', 'id'])
    .execute();
  await schema.createIndex('entitlements_order').on('entitlements').column('order_id').execute();

  await schema
    .createTable('sessions')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('unique_key', 'text', (c) => c.notNull().unique())
    .addColumn('router_id', 'text', (c) => c.notNull())
    .addColumn('subscriber_id', 'text')
    .addColumn('credential_id', 'text')
    .addColumn('entitlement_id', 'text')
    .addColumn('plan_id', 'text')
    .addColumn('username', 'text', (c) => c.notNull())
    .addColumn('acct_session_id', 'text', (c) => c.notNull())
    .addColumn('nas_port_id', 'text')
    .addColumn('nas_ip', 'text')
    .addColumn('nas_source', 'text')
    .addColumn('mac', 'text')
    .addColumn('ip', 'text')
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('started_at', 'bigint', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .addColumn('stopped_at', 'bigint')
    .addColumn('session_seconds', 'bigint', (c) => c.notNull())
    .addColumn('upload_octets', 'bigint', (c) => c.notNull())
    .addColumn('download_octets', 'bigint', (c) => c.notNull())
    .addColumn('terminate_cause', 'bigint')
    .addColumn('disconnect_state', 'text')
    .addColumn('disconnect_detail', 'text')
    .addColumn('disconnect_at', 'bigint')
    .execute();
  await schema.createIndex('sessions_state').on('sessions').columns(['state', 'id']).execute();
  await schema
    .createIndex('sessions_credential')
    .on('sessions')
    .columns(['credential_id', 'state', 'id'])
    .execute();
  await schema.createIndex('sessions_subscriber').on('sessions').columns(['subscriber_id', 'id']).execute();
  await schema.createIndex('sessions_username').on('sessions').columns(['username', 'id']).execute();
  await schema.createIndex('sessions_router').on('sessions').columns(['router_id', 'id']).execute();
  await schema.createIndex('sessions_mac').on('sessions').columns(['mac', 'id']).execute();

  await schema
    .createTable('daily_usage')
    .addColumn('day', 'text', (c) => c.notNull())
    .addColumn('entitlement_id', 'text', (c) => c.notNull())
    .addColumn('router_id', 'text', (c) => c.notNull())
    .addColumn('plan_id', 'text', (c) => c.notNull())
    .addColumn('online_seconds', 'bigint', (c) => c.notNull())
    .addColumn('upload_octets', 'bigint', (c) => c.notNull())
    .addColumn('download_octets', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('daily_usage_key', ['day', 'entitlement_id', 'router_id'])
    .execute();

  await schema
    .createTable('orders')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('plan_id', 'text', (c) => c.notNull().references('plans.id'))
    .addColumn('subscriber_id', 'text', (c) => c.notNull().references('subscribers.id'))
    .addColumn('credential_id', 'text')
    .addColumn('entitlement_id', 'text')
    .addColumn('router_id', 'text')
    .addColumn('msisdn', 'text', (c) => c.notNull())
    .addColumn('mac', 'text')
    .addColumn('ip', 'text')
    .addColumn('price_cents', 'bigint', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('live_key', 'text', (c) => c.unique())
    .addColumn('idempotency_key', 'text', (c) => c.unique())
    .addColumn('gateway', 'text', (c) => c.notNull())
    .addColumn('callback_token_hash', 'text', (c) => c.notNull().unique())
    .addColumn('merchant_request_id', 'text')
    .addColumn('checkout_request_id', 'text', (c) => c.unique())
    .addColumn('result_code', 'text')
    .addColumn('problem', 'text')
    .addColumn('polls', 'bigint', (c) => c.notNull())
    .addColumn('next_poll_at', 'bigint')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('sent_at', 'bigint')
    .addColumn('paid_at', 'bigint')
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .execute();
  await schema.createIndex('orders_state').on('orders').columns(['state', 'id']).execute();
  await schema.createIndex('orders_poll').on('orders').column('next_poll_at').execute();
  await schema.createIndex('orders_msisdn').on('orders').columns(['msisdn', 'id']).execute();
  await schema.createIndex('orders_subscriber').on('orders').columns(['subscriber_id', 'id']).execute();

  await schema
    .createTable('payments')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('gateway', 'text', (c) => c.notNull())
    .addColumn('receipt', 'text', (c) => c.unique())
    .addColumn('checkout_request_id', 'text', (c) => c.unique())
    .addColumn('order_id', 'text')
    .addColumn('subscriber_id', 'text')
    .addColumn('plan_id', 'text')
    .addColumn('entitlement_id', 'text')
    .addColumn('msisdn', 'text')
    .addColumn('amount_cents', 'bigint', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('note', 'text')
    .addColumn('received_at', 'bigint', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .execute();
  // Holds all that sales are added up from.
  await schema
    .createIndex('payments_received')
    .on('payments')
    .columns(['received_at', 'state', 'plan_id', 'amount_cents'])
    .execute();
  await schema.createIndex('payments_state').on('payments').columns(['state', 'id']).execute();
  await schema.createIndex('payments_order').on('payments').column('order_id').execute();
  await schema.createIndex('payments_subscriber').on('payments').columns(['subscriber_id', 'id']).execute();
  await schema.createIndex('payments_msisdn').on('payments').columns(['msisdn', 'id']).execute();

  await schema
    .createTable('evidence')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('gateway', 'text', (c) => c.notNull())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('dedupe_key', 'text', (c) => c.notNull().unique())
    .addColumn('order_id', 'text')
    .addColumn('payment_id', 'text')
    .addColumn('body', 'text', (c) => c.notNull())
    .addColumn('source_address', 'text')
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('summary', 'text')
    .addColumn('received_at', 'bigint', (c) => c.notNull())
    .addColumn('processed_at', 'bigint')
    .execute();
  await schema.createIndex('evidence_order').on('evidence').columns(['order_id', 'id']).execute();
  await schema.createIndex('evidence_payment').on('evidence').columns(['payment_id', 'id']).execute();
  await schema.createIndex('evidence_state').on('evidence').columns(['state', 'id']).execute();

  await schema
    .createTable('tasks')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('payload', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('attempts', 'bigint', (c) => c.notNull())
    .addColumn('run_at', 'bigint', (c) => c.notNull())
    .addColumn('leased_until', 'bigint')
    .addColumn('outcome', 'text')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('finished_at', 'bigint')
    .execute();
  await schema.createIndex('tasks_due').on('tasks').columns(['state', 'run_at']).execute();
  await schema.createIndex('tasks_finished').on('tasks').column('finished_at').execute();

  await schema
    .createTable('messages')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('channel', 'text', (c) => c.notNull())
    .addColumn('recipient', 'text', (c) => c.notNull())
    .addColumn('subscriber_id', 'text')
    .addColumn('body', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('provider_id', 'text')
    .addColumn('problem', 'text')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .execute();
  await schema.createIndex('messages_state').on('messages').columns(['state', 'id']).execute();
}
