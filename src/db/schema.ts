// The tables as the code sees them: one interface a table, one field a column.
import type { Generated, Kysely, Selectable, Transaction } from 'kysely';

export interface AccountsTable {
  id: string;
  email: string;
  name: string;
  role: 'owner' | 'admin' | 'cashier' | 'support' | 'reseller';
  password_hash: string;
  state: 'active' | 'disabled';
  last_login_at: number | null;
  created_at: number;
  updated_at: number;
}

/** A sign-in to the admin UI or API. */
export interface LoginsTable {
  id: string;
  account_id: string;
  token_hash: string;
  address: string | null;
  agent: string | null;
  created_at: number;
  expires_at: number;
}

export interface SettingsTable {
  key: string;
  /** JSON; secrets inside are sealed one by one. */
  value: string;
  updated_at: number;
}

export interface AuditTable {
  id: string;
  at: number;
  account_id: string | null;
  actor: string;
  address: string | null;
  action: string;
  entity: string;
  entity_id: string | null;
  entity_name: string | null;
  before: string | null;
  after: string | null;
}

export interface RoutersTable {
  id: string;
  name: string;
  address: string;
  radius_secret_sealed: string;
  message_authenticator: 'auto' | 'yes' | 'no';
  /** Whether a device gets in by its MAC address alone, when it has an entitlement. */
  mac_login: 'no' | 'yes';
  coa_port: number;
  api_port: number;
  api_tls: 0 | 1;
  api_username: string | null;
  api_password_sealed: string | null;
  /** Host of the hotspot's login page: the only host the portal posts a credential to. */
  hotspot_host: string | null;
  hotspot_interface: string;
  hotspot_network: string;
  state: 'unknown' | 'online' | 'offline';
  identity: string | null;
  version: string | null;
  board: string | null;
  last_seen_at: number | null;
  last_error: string | null;
  created_at: number;
  updated_at: number;
}

/** The terms that most plans leave empty. */
export interface FinerTerms {
  /** Speed for a short while, above the rate; null is no burst. */
  burst_rate_down_kbps: number | null;
  burst_rate_up_kbps: number | null;
  /** The average above which a burst ends; null is the rate itself. */
  burst_threshold_down_kbps: number | null;
  burst_threshold_up_kbps: number | null;
  /** Over how long that average is taken; null leaves it to the router. */
  burst_seconds: number | null;
  /** A session without traffic for so long ends. */
  idle_timeout_seconds: number | null;
  /** Names on the router: where the address comes from, which list it is put on. */
  address_pool: string | null;
  address_list: string | null;
  /** Octets included in one direction, beside the quota for both. */
  upload_quota_octets: number | null;
  download_quota_octets: number | null;
  /** The rate once a quota is used; with neither, the quota is the end. */
  fair_use_rate_down_kbps: number | null;
  fair_use_rate_up_kbps: number | null;
  /** Minutes after midnight in Nairobi between which it may be used; a window may pass midnight. Both or neither. */
  hours_from_minute: number | null;
  hours_to_minute: number | null;
  /** With one device too many: refuse it, or let the oldest one go. */
  device_policy: 'refuse' | 'replace_oldest';
}

/** What a plan gives; an entitlement keeps a copy, so that a later change of the plan alters only the speeds of what is sold. */
export interface Terms extends FinerTerms {
  validity_seconds: number;
  online_seconds: number | null;
  quota_octets: number | null;
  rate_down_kbps: number | null;
  rate_up_kbps: number | null;
  max_devices: number;
}

export interface PlansTable extends Terms {
  id: string;
  name: string;
  description: string;
  kind: 'hotspot' | 'pppoe';
  price_cents: number;
  state: 'on_sale' | 'hidden' | 'archived';
  position: number;
  sold: number;
  created_at: number;
  updated_at: number;
}

export interface VoucherBatchesTable {
  id: string;
  plan_id: string;
  name: string;
  count: number;
  made: number;
  redeemed: number;
  cancelled: number;
  price_cents: number;
  state: 'making' | 'ready' | 'cancelled';
  idempotency_key: string | null;
  created_by: string | null;
  created_at: number;
  ready_at: number | null;
}

export interface VouchersTable {
  id: string;
  batch_id: string;
  plan_id: string;
  code_fingerprint: string;
  code_sealed: string;
  state: 'unused' | 'redeemed' | 'cancelled';
  entitlement_id: string | null;
  subscriber_id: string | null;
  created_at: number;
  redeemed_at: number | null;
}

export interface SubscribersTable {
  id: string;
  name: string | null;
  msisdn: string | null;
  state: 'active' | 'suspended';
  notes: string;
  created_at: number;
  updated_at: number;
}

export interface CredentialsTable {
  id: string;
  subscriber_id: string;
  username: string;
  password_sealed: string;
  kind: 'hotspot' | 'voucher' | 'pppoe';
  state: 'active' | 'disabled';
  /** The device this credential was bought on; another purchase there adds to it. */
  device_mac: string | null;
  /** The address a PPPoE session of it gets, of one active credential alone. */
  static_address: string | null;
  /** The one router it may sign in through; null is any. */
  router_id: string | null;
  created_at: number;
  updated_at: number;
}

export interface DevicesTable {
  id: string;
  subscriber_id: string;
  mac: string;
  first_seen_at: number;
  last_seen_at: number;
}

export interface EntitlementsTable extends Terms {
  id: string;
  subscriber_id: string;
  credential_id: string;
  plan_id: string;
  /** payment: by hand, without an order. */
  source: 'order' | 'voucher' | 'grant' | 'payment';
  payment_id: string | null;
  order_id: string | null;
  voucher_id: string | null;
  /** waiting: not started; active: running from starts_at; ended; revoked. */
  state: 'waiting' | 'active' | 'ended' | 'revoked';
  /** It cannot be started before; null is at once. */
  not_before_at: number | null;
  /** 1 where an earlier plan ran at its fair-use rate when this one was bought: it need not wait for that one's end. */
  overtakes: number;
  starts_at: number | null;
  ends_at: number | null;
  ended_at: number | null;
  end_reason: string | null;
  used_seconds: number;
  used_upload_octets: number;
  used_download_octets: number;
  /** Of a grant by hand: the same one is granted once. */
  idempotency_key: string | null;
  created_at: number;
}

export interface SessionsTable {
  id: string;
  unique_key: string;
  router_id: string;
  subscriber_id: string | null;
  credential_id: string | null;
  entitlement_id: string | null;
  plan_id: string | null;
  username: string;
  acct_session_id: string;
  nas_port_id: string | null;
  /** NAS-IP-Address as the router says it: goes back verbatim in Disconnect and CoA. */
  nas_ip: string | null;
  /** Where the packets last came from, of a router that is known by a prefix: Disconnect and CoA go there. */
  nas_source: string | null;
  /** What stands for the device: its MAC address, else the address that it calls from (L2TP, SSTP, PPTP). */
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
  disconnect_state: 'requested' | 'ack' | 'nak' | 'timeout' | 'api' | 'failed' | null;
  disconnect_detail: string | null;
  disconnect_at: number | null;
  /** When another device took its place: from then on it holds none, however long its router keeps it. */
  gave_way_at: number | null;
  /** What the router answered to the last change of rate or end. */
  change_state: 'ack' | 'nak' | 'timeout' | 'failed' | null;
  change_detail: string | null;
  change_at: number | null;
}

/** A source of a router that has sent a right Message-Authenticator. */
export interface SigningSourcesTable {
  router_id: string;
  source: string;
  since_at: number;
}

export interface DailyUsageTable {
  day: string;
  entitlement_id: string;
  router_id: string;
  plan_id: string;
  online_seconds: number;
  upload_octets: number;
  download_octets: number;
}

/** A column that may be left out of a new row: then it is null. */
type Absent<T> = Generated<T | null>;

export interface OrdersTable {
  id: string;
  plan_id: string;
  subscriber_id: string;
  credential_id: string | null;
  entitlement_id: string | null;
  router_id: string | null;
  msisdn: string;
  mac: string | null;
  ip: string | null;
  price_cents: number;
  /** pending: on the phone; checking: outcome unknown; failed may still become paid: money wins. */
  state: 'pending' | 'paid' | 'failed' | 'checking';
  /** number + plan + device while the order lives, so that a second tap joins the first. */
  live_key: string | null;
  idempotency_key: string | null;
  gateway: 'mpesa' | 'sms';
  callback_token_hash: string;
  /** What the payer's SMS names: part of the account reference, and accepted from who pays by hand. */
  short_code: Absent<string>;
  merchant_request_id: string | null;
  checkout_request_id: string | null;
  result_code: string | null;
  problem: string | null;
  polls: number;
  next_poll_at: number | null;
  created_at: number;
  sent_at: number | null;
  paid_at: number | null;
  updated_at: number;
}

export interface PaymentsTable {
  id: string;
  gateway: 'mpesa' | 'cash';
  /** The M-PESA code; null while only a query has told of the money. */
  receipt: string | null;
  checkout_request_id: string | null;
  order_id: string | null;
  subscriber_id: string | null;
  plan_id: string | null;
  entitlement_id: string | null;
  msisdn: string | null;
  /** The payer's number as M-PESA wrote it, where that is a hash or a mask. */
  payer: Absent<string>;
  payer_name: Absent<string>;
  /** What the payer typed as the account. */
  account_reference: Absent<string>;
  amount_cents: number;
  state: 'settled' | 'unmatched' | 'reversed';
  /**
   * asked: M-PESA is to send the money back and has not said that it did; refused: it said no; unknown: it never said
   * anything.
   */
  reversal: Absent<'asked' | 'refused' | 'unknown'>;
  /** Who decided what an unmatched payment is for. */
  resolved_by: Absent<string>;
  resolved_at: Absent<number>;
  note: string | null;
  received_at: number;
  created_at: number;
}

export interface EvidenceTable {
  id: string;
  gateway: 'mpesa' | 'cash';
  kind:
    | 'stk_callback'
    | 'stk_query'
    | 'c2b'
    | 'c2b_validation'
    | 'pull'
    | 'transaction_status'
    | 'statement'
    | 'reversal'
    | 'cash'
    | 'sms';
  dedupe_key: string;
  /** The M-PESA code it is about, where it came without an order. */
  receipt: Absent<string>;
  /** Why it is not believed before M-PESA says the same when asked. */
  doubt: Absent<string>;
  order_id: string | null;
  payment_id: string | null;
  /** The message as it came, capped in length. */
  body: string;
  source_address: string | null;
  /** waiting: not believed yet. */
  state: 'received' | 'waiting' | 'used' | 'duplicate' | 'quarantined';
  summary: string | null;
  received_at: number;
  processed_at: number | null;
}

export interface TasksTable {
  id: string;
  kind: string;
  payload: string;
  state: 'ready' | 'done' | 'failed';
  attempts: number;
  run_at: number;
  leased_until: number | null;
  outcome: string | null;
  created_at: number;
  finished_at: number | null;
}

export interface MessagesTable {
  id: string;
  channel: 'sms' | 'email';
  recipient: string;
  subscriber_id: string | null;
  body: string;
  state: 'queued' | 'sent' | 'delivered' | 'failed';
  provider_id: string | null;
  problem: string | null;
  created_at: number;
  updated_at: number;
}

/** The box or a router was down. */
export interface OutagesTable {
  id: string;
  /** Kind, router and beginning: each is noted once. */
  key: string;
  kind: 'box' | 'router';
  router_id: string | null;
  router_name: string | null;
  from_at: number;
  /** Null while it lasts. */
  to_at: number | null;
  /** open: not over, or not looked at; waiting: for a person. */
  state: 'open' | 'waiting' | 'approved' | 'dismissed';
  /** How many entitlements were extended for it. */
  extended: number;
  /** The most that one of them gets, as it was when it was decided. */
  most_ms: number | null;
  decided_by: string | null;
  decided_at: number | null;
  /** When the last of them was extended. */
  done_at: number | null;
  created_at: number;
}

/** What an entitlement was given back for an outage. */
export interface ExtensionsTable {
  id: string;
  outage_id: string;
  entitlement_id: string;
  extended_ms: number;
  ends_at_before: number;
  ends_at_after: number;
  created_at: number;
}

/** One booking: its lines add up to nothing. */
export interface LedgerEntriesTable {
  id: string;
  /** What it was booked for, so that it is booked once. */
  cause: string;
  kind: 'payment' | 'settlement' | 'reversal' | 'correction' | 'till' | 'move';
  payment_id: string | null;
  till_session_id: string | null;
  note: string | null;
  /** Who moved the money, where it was a person. */
  actor: string | null;
  /** The day in Nairobi of `at`. */
  day: string;
  at: number;
}

export type LedgerAccount =
  | 'mpesa'
  | 'till'
  | 'safe'
  | 'bank'
  | 'expenses'
  | 'owner'
  | 'sales'
  | 'refunds'
  | 'commissions'
  | 'unmatched'
  | 'resellers'
  | 'differences';

export interface LedgerLinesTable {
  entry_id: string;
  account: LedgerAccount;
  /** The till session or the reseller whose money it is; '' where the account is one purse. */
  holder: string;
  /** Into the account is positive, out of it negative. */
  amount_cents: number;
  day: string;
}

/** The lines of a day added up, written with them. */
export interface LedgerDaysTable {
  day: string;
  account: LedgerAccount;
  amount_cents: number;
}

/** One cashier’s till from its opening to its closing. */
export interface TillSessionsTable {
  id: string;
  account_id: string;
  open_key: string | null;
  opening_cents: number;
  opened_at: number;
  counted_cents: number | null;
  counted_at: number | null;
  expected_cents: number | null;
  difference_cents: number | null;
  note: string | null;
  closed_by: string | null;
  closed_at: number | null;
}

/** What happened to an open till besides its sales. */
export interface TillEventsTable {
  id: string;
  till_session_id: string;
  idempotency_key: string | null;
  kind: 'count' | 'in' | 'out';
  /** Where the cash came from or went to; null for a count. */
  purpose: 'float' | 'expense' | 'banked' | 'safe' | null;
  amount_cents: number | null;
  counted_cents: number | null;
  /** What must lie in it afterwards. */
  expected_cents: number;
  note: string | null;
  /** The event that this one takes back. */
  undo_of: string | null;
  actor: string;
  at: number;
}

/** A payment in cash: who took it, into which till, for which voucher. */
export interface CashSalesTable {
  payment_id: string;
  idempotency_key: string;
  account_id: string;
  /** Null: sold without a till, the money went to the owner’s safe. */
  till_session_id: string | null;
  voucher_id: string | null;
  voucher_key: string | null;
  /** 1 when the voucher was made for this sale. */
  voucher_made: 0 | 1;
  voided_by: string | null;
  voided_at: number | null;
  void_reason: string | null;
  created_at: number;
}

/** The hash book: the numbers that our own guests gave, as M-PESA hides them in its notices. */
export interface HashBookTable {
  /** SHA-256 of the number in hex. */
  msisdn_hash: string;
  subscriber_id: string;
}

/** What a guest says about a payment of theirs, until M-PESA says the same. */
export interface ClaimsTable {
  id: string;
  receipt: string;
  mac: string | null;
  ip: string | null;
  router_id: string | null;
  subscriber_id: string | null;
  credential_id: string | null;
  /** The few minutes given on trust. */
  entitlement_id: string | null;
  payment_id: string | null;
  state: 'waiting' | 'confirmed' | 'refused';
  problem: string | null;
  created_at: number;
  decided_at: number | null;
}

/** What M-PESA was asked to look up or to send back; it answers later, by a notice. */
export interface MpesaRequestsTable {
  id: string;
  kind: 'transaction_status' | 'reversal' | 'account_balance';
  /** Set while an answer is awaited: nothing is asked twice at once. */
  live_key: string | null;
  token_hash: string;
  receipt: string | null;
  payment_id: string | null;
  amount_cents: number | null;
  conversation_id: string | null;
  state: 'asked' | 'done' | 'failed';
  result_code: string | null;
  problem: string | null;
  asked_by: string | null;
  created_at: number;
  answered_at: number | null;
}

export interface StatementImportsTable {
  id: string;
  /** writing: its parts are being written down; settling: a task works them off. */
  state: 'writing' | 'settling' | 'ready';
  rows: number;
  matched: number;
  /** Payments that Karibu did not know. */
  found: number;
  /** Lines to be worked off, and those that are. */
  lines: number;
  done: number;
  settled: number;
  unmatched: number;
  reversed: number;
  returned: number;
  others: number;
  unreadable: number;
  missing_count: number;
  /** JSON: what a person has to look at. */
  to_check: string;
  /** JSON: the first payments of ours that the statement has not. */
  missing: string;
  /** The time it speaks of. */
  from_at: number | null;
  to_at: number | null;
  created_by: string | null;
  created_at: number;
  ready_at: number | null;
}

export interface StatementPartsTable {
  import_id: string;
  part: number;
  /** JSON: some lines, gone when they are worked off. */
  lines: string;
}

export interface Tables {
  statement_imports: StatementImportsTable;
  statement_parts: StatementPartsTable;
  ledger_entries: LedgerEntriesTable;
  ledger_lines: LedgerLinesTable;
  ledger_days: LedgerDaysTable;
  till_sessions: TillSessionsTable;
  till_events: TillEventsTable;
  cash_sales: CashSalesTable;
  hash_book: HashBookTable;
  claims: ClaimsTable;
  mpesa_requests: MpesaRequestsTable;
  outages: OutagesTable;
  extensions: ExtensionsTable;
  accounts: AccountsTable;
  logins: LoginsTable;
  settings: SettingsTable;
  audit: AuditTable;
  routers: RoutersTable;
  plans: PlansTable;
  voucher_batches: VoucherBatchesTable;
  vouchers: VouchersTable;
  subscribers: SubscribersTable;
  credentials: CredentialsTable;
  devices: DevicesTable;
  entitlements: EntitlementsTable;
  sessions: SessionsTable;
  daily_usage: DailyUsageTable;
  signing_sources: SigningSourcesTable;
  orders: OrdersTable;
  payments: PaymentsTable;
  evidence: EvidenceTable;
  tasks: TasksTable;
  messages: MessagesTable;
}

/** The store, or a transaction on it: functions that take `db` first run inside either. */
export type Db = Kysely<Tables>;
export type Tx = Transaction<Tables>;
export type Row<T extends keyof Tables> = Selectable<Tables[T]>;
