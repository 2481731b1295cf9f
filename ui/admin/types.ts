// The shapes of /api/v1 as the admin pages read them.

export type Role = 'owner' | 'admin' | 'cashier' | 'support' | 'reseller';

export interface Page<T> {
  items: T[];
  next: string | null;
}

export interface Me {
  account: { id: string; email: string; name: string; role: Role };
  business_name: string;
  version: string;
  clock: ClockState;
  disk: {
    ok: boolean;
    problem?: 'full' | 'read_only' | 'failing' | 'away' | 'low';
    message?: string;
    hint?: string;
  };
}

/** `message` says what is wrong with the clock; absent while all is well. */
export interface ClockState {
  trusted: boolean;
  message?: string;
  hint?: string;
  box_at: number;
  counted_at: number;
}

/** What a plan need not have, and an entitlement copies. */
export interface FinerTerms {
  burst_rate_down_kbps: number | null;
  burst_rate_up_kbps: number | null;
  burst_threshold_down_kbps: number | null;
  burst_threshold_up_kbps: number | null;
  burst_seconds: number | null;
  idle_timeout_seconds: number | null;
  address_pool: string | null;
  address_list: string | null;
  upload_quota_octets: number | null;
  download_quota_octets: number | null;
  fair_use_rate_down_kbps: number | null;
  fair_use_rate_up_kbps: number | null;
  /** Minutes after midnight. */
  hours_from_minute: number | null;
  hours_to_minute: number | null;
  device_policy: 'refuse' | 'replace_oldest';
}

export interface Plan extends FinerTerms {
  id: string;
  name: string;
  description: string | null;
  kind: 'hotspot' | 'pppoe';
  price_cents: number;
  validity_seconds: number;
  online_seconds: number | null;
  quota_octets: number | null;
  rate_down_kbps: number | null;
  rate_up_kbps: number | null;
  max_devices: number;
  state: 'on_sale' | 'hidden' | 'archived';
  position: number;
  sold: number;
  created_at: number;
}

export interface VoucherBatch {
  id: string;
  plan_id: string;
  plan_name: string;
  name: string;
  count: number;
  made: number;
  state: 'making' | 'ready' | 'cancelled';
  price_cents: number;
  unused: number;
  redeemed: number;
  cancelled: number;
  created_at: number;
  ready_at: number | null;
}

export interface Voucher {
  id: string;
  /** Eight characters without the dash that they are shown with. */
  code: string;
  state: 'unused' | 'redeemed' | 'cancelled';
  plan_id: string;
  plan_name: string;
  batch_id: string;
  batch_name: string;
  redeemed_at: number | null;
  subscriber_id: string | null;
  entitlement_id: string | null;
  created_at: number;
}

export interface Subscriber {
  id: string;
  name: string | null;
  msisdn: string | null;
  state: 'active' | 'suspended';
  notes: string;
  created_at: number;
}

export interface Credential {
  id: string;
  subscriber_id: string;
  username: string;
  kind: string;
  state: string;
  device_mac: string | null;
  static_address: string | null;
  router_id: string | null;
  created_at: number;
}

export interface Entitlement extends FinerTerms {
  id: string;
  subscriber_id: string;
  msisdn: string | null;
  username: string | null;
  plan_id: string;
  plan_name: string;
  source: 'order' | 'voucher' | 'grant' | 'payment';
  order_id: string | null;
  voucher_id: string | null;
  state: 'waiting' | 'active' | 'ended' | 'revoked';
  not_before_at: number | null;
  overtakes: 0 | 1;
  starts_at: number | null;
  ends_at: number | null;
  ended_at: number | null;
  end_reason: string | null;
  validity_seconds: number;
  online_seconds: number | null;
  quota_octets: number | null;
  rate_down_kbps: number | null;
  rate_up_kbps: number | null;
  max_devices: number;
  used_seconds: number;
  used_upload_octets: number;
  used_download_octets: number;
  created_at: number;
}

export interface Session {
  id: string;
  username: string;
  subscriber_id: string | null;
  msisdn: string | null;
  entitlement_id: string | null;
  plan_name: string | null;
  router_id: string | null;
  router_name: string | null;
  mac: string | null;
  ip: string | null;
  state: 'open' | 'closed';
  started_at: number;
  updated_at: number;
  stopped_at: number | null;
  session_seconds: number;
  upload_octets: number;
  download_octets: number;
  terminate_cause: number | null;
  terminate_cause_name: string | null;
  ends_at: number | null;
  disconnect_state: null | 'requested' | 'ack' | 'nak' | 'timeout' | 'api' | 'failed';
  disconnect_detail: string | null;
  disconnect_at: number | null;
  gave_way_at: number | null;
  change_state: null | 'ack' | 'nak' | 'timeout' | 'failed';
  change_detail: string | null;
  change_at: number | null;
}

export interface Evidence {
  id: string;
  kind: string;
  state: string;
  received_at: number;
  summary: string | null;
  receipt: string | null;
  doubt: string | null;
  body: unknown;
  source_address: string | null;
}

export interface Order {
  id: string;
  state: 'pending' | 'paid' | 'failed' | 'checking';
  plan_id: string;
  plan_name: string;
  price_cents: number;
  msisdn: string;
  mac: string | null;
  ip: string | null;
  router_id: string | null;
  subscriber_id: string | null;
  entitlement_id: string | null;
  gateway: string;
  result_code: string | number | null;
  message: string | null;
  created_at: number;
  sent_at: number | null;
  paid_at: number | null;
  updated_at: number;
}

export interface OrderDetail extends Order {
  evidence: Evidence[];
  payments: Payment[];
}

export interface Payment {
  id: string;
  order_id: string | null;
  gateway: 'mpesa' | 'cash';
  receipt: string | null;
  receipt_pending: boolean;
  amount_cents: number;
  msisdn: string | null;
  state: 'settled' | 'unmatched' | 'reversed';
  /** Being sent back, or M-PESA would not. */
  reversal: 'asked' | 'refused' | 'unknown' | null;
  resolved_by: string | null;
  payer_name: string | null;
  account_reference: string | null;
  note: string | null;
  subscriber_id: string | null;
  entitlement_id: string | null;
  plan_name: string | null;
  received_at: number;
}

export interface PaymentDetail extends Payment {
  evidence: Evidence[];
}

/** An import of a statement: what came of it, as far as it is. */
export interface StatementImport {
  id: string;
  state: 'writing' | 'settling' | 'ready';
  lines: number;
  done: number;
  from_at: number | null;
  to_at: number | null;
  created_at: number;
  ready_at: number | null;
  rows: number;
  matched: number;
  new: number;
  settled: number;
  unmatched: number;
  reversed: number;
  returned: number;
  others: number;
  unreadable: number;
  to_check: { receipt: string; problem: string }[];
  missing_count: number;
  missing: Pick<Payment, 'id' | 'receipt' | 'amount_cents' | 'received_at' | 'state' | 'msisdn'>[];
}

export interface Router {
  id: string;
  name: string;
  address: string;
  has_radius_secret: boolean;
  message_authenticator: 'auto' | 'yes' | 'no';
  mac_login: 'no' | 'yes';
  coa_port: number;
  api_port: number;
  api_tls: 0 | 1;
  api_username: string | null;
  has_api_password: boolean;
  hotspot_host: string | null;
  hotspot_interface: string | null;
  hotspot_network: string | null;
  state: 'unknown' | 'online' | 'offline';
  identity: string | null;
  version: string | null;
  board: string | null;
  last_seen_at: number | null;
  last_error: string | null;
  online_sessions: number;
  created_at: number;
}

export interface UnknownSource {
  address: string;
  packets: number;
  first_seen_at: number;
  last_seen_at: number;
}

export interface TestAnswer {
  ok: boolean;
  steps: { step: string; ok: boolean; message: string; hint?: string | null }[];
}

export interface RouterScript {
  scripts: { name: string; title: string; text: string }[];
  radius_secret: string;
}

export interface Account {
  id: string;
  email: string;
  name: string;
  role: Role;
  state: 'active' | 'disabled';
  created_at: number;
  last_login_at: number | null;
}

export interface AuditEntry {
  id: string;
  at: number;
  account_id: string | null;
  actor: string;
  action: string;
  entity: string;
  entity_id: string | null;
  entity_name: string | null;
  before: unknown;
  after: unknown;
  address: string | null;
}

export interface BusinessSettings {
  name: string;
  currency: string;
  support_phone: string | null;
  portal_url: string | null;
  default_language: string;
  appliance_address: string | null;
}

export interface MpesaSettings {
  environment: 'sandbox' | 'production' | 'simulator' | 'custom';
  base_url: string | null;
  shortcode: string | null;
  kind: 'paybill' | 'till';
  till_number: string | null;
  callback_base_url: string | null;
  has_consumer_key: boolean;
  has_consumer_secret: boolean;
  has_passkey: boolean;
  configured: boolean;
}

export interface Settings {
  business: BusinessSettings;
  mpesa: MpesaSettings;
  accounting: AccountingSettings;
  outages: OutageSettings;
  payment_policy: PaymentPolicy;
}

export interface PaymentPolicy {
  second_payment: 'stack' | 'wait';
  paste_minutes: number;
  paste_kbps: number;
}

export interface AccountingSettings {
  missed_interims: number;
  sessions_kept_days: number;
}

export interface OutageSettings {
  mode: 'off' | 'ask' | 'automatic';
  minimum_seconds: number;
  maximum_seconds: number;
}

export interface Outage {
  id: string;
  kind: 'box' | 'router';
  router_id: string | null;
  router_name: string | null;
  from_at: number;
  to_at: number | null;
  state: 'open' | 'waiting' | 'approved' | 'dismissed';
  affected: number;
  extension_ms: number;
  extended: number;
  decided_by: string | null;
  decided_at: number | null;
  done_at: number | null;
  created_at: number;
}

/** What an entitlement was given back for an outage. */
export interface Extension {
  id: string;
  outage_id: string;
  entitlement_id: string;
  kind: 'box' | 'router';
  router_name: string | null;
  from_at: number;
  to_at: number | null;
  extended_ms: number;
  ends_at_before: number;
  ends_at_after: number;
  created_at: number;
}

/** `key` is the day, or the id of the plan or router; `name` is null for one that is no more. */
export interface UsageRow {
  key: string;
  name: string | null;
  online_seconds: number;
  upload_octets: number;
  download_octets: number;
}

export interface Usage {
  from: string;
  to: string;
  items: UsageRow[];
}

export interface DaySales {
  sales_cents: number;
  payments: number;
  vouchers_redeemed: number;
}

export interface SalesReport {
  total: DaySales;
  periods: (DaySales & { period: string })[];
  plans: (DaySales & { plan_id: string | null; plan_name: string | null })[];
}

export interface Overview {
  today: DaySales;
  yesterday: DaySales;
  yesterday_by_now: { sales_cents: number; payments: number };
  online_now: number;
  routers: { online: number; total: number };
  unmatched: { count: number; amount_cents: number };
  checking: { count: number };
  week: (DaySales & { day: string })[];
  last_payments: Payment[];
  ledger: { ok: boolean; at: number; problem: string | null } | null;
  top_plans: { plan_id: string; plan_name: string; sales_cents: number; payments: number }[];
}

export interface Lockout {
  router_id: string;
  router_name: string;
  /** Null: wrong sign-ins through the whole router are answered slowly. */
  mac: string | null;
  failures: number;
  until_at: number;
}

export interface SignIn {
  at: number;
  username: string;
  mac: string | null;
  router_id: string | null;
  router_name: string | null;
  result: 'accept' | 'reject';
  reason: string | null;
  message: string | null;
}

export type TunnelMode = 'none' | 'manual' | 'cloudflared' | 'ssh' | 'hub';

export interface TunnelSettings {
  mode: TunnelMode;
  proxies: string[];
  sender_header: 'x-forwarded-for' | 'cf-connecting-ip';
  url: string | null;
  ssh_host: string | null;
  ssh_port: number;
  ssh_user: string | null;
  ssh_identity_file: string | null;
  ssh_remote_port: number;
  hub_url: string | null;
  hub_box: string | null;
  has_cloudflared_token: boolean;
  has_hub_token: boolean;
}

export interface TunnelAnswer {
  settings: TunnelSettings;
  state: {
    mode: TunnelMode;
    stage: 'off' | 'unknown' | 'starting' | 'up' | 'unreachable' | 'waiting' | 'stopped';
    url: string | null;
    problem: string | null;
    hint: string | null;
    starts: number;
    started_at: number | null;
    checked_at: number | null;
    reached_at: number | null;
    next_start_at: number | null;
    lines: string[];
    waiting: number | null;
    taken: number | null;
  };
  door: {
    since_at: number;
    counts: Record<'taken' | 'quarantined' | 'slow' | 'too_large' | 'doubted' | 'checks', number>;
    last_taken_at: number | null;
    strangers: { at: number; address: string | null; why: string }[];
  };
  sources: { known: string[]; trusted: string[] };
}

export type GoLiveStep = 'keys' | 'shortcode' | 'push' | 'callback' | 'c2b' | 'pull' | 'initiator';

export interface GoLiveResult {
  step: GoLiveStep;
  state: 'unknown' | 'ok' | 'warning' | 'failed' | 'waiting' | 'again' | 'optional';
  at: number | null;
  message: string;
  hint: string | null;
}

export interface GoLiveAnswer {
  live: boolean;
  steps: GoLiveResult[];
  url: string | null;
  initiator: {
    name: string | null;
    has_password: boolean;
    has_certificate: boolean;
    password_set_at: number | null;
    password_ends_at: number | null;
    certificate_ends_at: number | null;
  };
}

export interface TillSession {
  id: string;
  account_id: string;
  account_name: string;
  opening_cents: number;
  opened_at: number;
  counted_cents: number | null;
  counted_at: number | null;
  expected_cents: number | null;
  difference_cents: number | null;
  due_cents: number;
  sales: number;
  sales_cents: number;
  voided: number;
  note: string | null;
  closed_by: string | null;
  closed_at: number | null;
}

export interface CurrentTill {
  required: boolean;
  session: TillSession | null;
}

/** A count of a till, or cash put in or taken out. */
export interface TillEvent {
  id: string;
  kind: 'count' | 'in' | 'out';
  purpose: 'float' | 'expense' | 'banked' | 'safe' | null;
  amount_cents: number | null;
  counted_cents: number | null;
  expected_cents: number;
  note: string | null;
  undo_of: string | null;
  undone: boolean;
  actor: string;
  at: number;
}

export interface CashSale {
  payment_id: string;
  plan_name: string;
  amount_cents: number;
  code: string | null;
  voucher_made: 0 | 1;
  voucher_state: 'unused' | 'redeemed' | 'cancelled' | null;
  voided_at: number | null;
  void_reason: string | null;
  account_name: string;
  msisdn: string | null;
  created_at: number;
}

/** What is printed for a cash sale. */
export interface Slip {
  sale: CashSale;
  business: { name: string; support_phone: string | null; portal_url: string | null };
  home: {
    subscriber_id: string;
    name: string | null;
    msisdn: string | null;
    username: string;
    state: string;
    ends_at: number | null;
  } | null;
  link: string | null;
  qr: { size: number; path: string } | null;
}

export interface LedgerAccount {
  account: string;
  name: string;
  balance_cents: number;
  day_cents: number;
  /** Whether money is moved to and from it by hand. */
  by_hand: boolean;
}

export interface LedgerProof {
  ok: boolean;
  complete: boolean;
  at: number;
  entries: number;
  payments: number;
  problems: string[];
}

export interface LedgerAccounts {
  day: string;
  items: LedgerAccount[];
  proof: LedgerProof | null;
}

export interface LedgerEntry {
  id: string;
  cause: string;
  kind: string;
  payment_id: string | null;
  note: string | null;
  actor: string | null;
  at: number;
  till_session_id: string | null;
  taken_back: boolean;
  lines: { account: string; holder: string; amount_cents: number }[];
}

export interface SmsPayments {
  enabled: boolean;
  pay_to: string;
  pay_to_number: string;
  pay_to_name: string;
  window_seconds: number;
  without_phone: boolean;
  address: string | null;
  reachable: boolean;
}
