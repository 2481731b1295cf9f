// The shapes of what the admin API answers, for its OpenAPI document.
import * as z from 'zod';
import { ROLES } from '../../../operators/accounts.ts';

const id = z.string();
const text = z.string();
const maybeText = z.string().nullable();
const number = z.number().int();
const count = number.min(0);
const maybeCount = count.nullable();
const time = number.describe('Epoch milliseconds');
const maybeTime = time.nullable();
const flag = z.union([z.literal(0), z.literal(1)]);

/** One page of a list; `next` is the cursor of the page after, null at the end. */
export function pageOfAnswer<T extends z.ZodType>(item: T) {
  return z.strictObject({ items: z.array(item), next: maybeText });
}

/** The steps of a Test button. */
export const testAnswer = z.strictObject({
  ok: z.boolean(),
  steps: z.array(z.strictObject({ step: text, ok: z.boolean(), message: text, hint: z.string().optional() })),
});

const terms = {
  validity_seconds: count,
  online_seconds: maybeCount,
  quota_octets: maybeCount,
  rate_down_kbps: maybeCount,
  rate_up_kbps: maybeCount,
  max_devices: count,
  burst_rate_down_kbps: maybeCount,
  burst_rate_up_kbps: maybeCount,
  burst_threshold_down_kbps: maybeCount,
  burst_threshold_up_kbps: maybeCount,
  burst_seconds: maybeCount,
  idle_timeout_seconds: maybeCount,
  address_pool: maybeText,
  address_list: maybeText,
  upload_quota_octets: maybeCount,
  download_quota_octets: maybeCount,
  fair_use_rate_down_kbps: maybeCount,
  fair_use_rate_up_kbps: maybeCount,
  hours_from_minute: maybeCount,
  hours_to_minute: maybeCount,
  device_policy: z.enum(['refuse', 'replace_oldest']),
};

export const planAnswer = z.strictObject({
  id,
  name: text,
  description: text,
  kind: z.enum(['hotspot', 'pppoe']),
  price_cents: count,
  ...terms,
  state: z.enum(['on_sale', 'hidden', 'archived']),
  position: number,
  sold: count,
  created_at: time,
  updated_at: time,
});

export const routerAnswer = z.strictObject({
  id,
  name: text,
  address: text,
  has_radius_secret: z.boolean(),
  message_authenticator: z.enum(['auto', 'yes', 'no']),
  mac_login: z.enum(['no', 'yes']),
  coa_port: number,
  api_port: number,
  api_tls: flag,
  api_username: maybeText,
  has_api_password: z.boolean(),
  hotspot_host: maybeText,
  hotspot_interface: text,
  hotspot_network: text,
  state: z.enum(['unknown', 'online', 'offline']),
  identity: maybeText,
  version: maybeText,
  board: maybeText,
  last_seen_at: maybeTime,
  last_error: maybeText,
  online_sessions: count,
  created_at: time,
  updated_at: time,
});

/** A router just added: the RADIUS secret, this once, when it was made here. */
export const newRouterAnswer = routerAnswer.extend({ radius_secret: z.string().optional() });

export const unknownSourcesAnswer = z.strictObject({
  items: z.array(z.strictObject({ address: text, packets: count, first_seen_at: time, last_seen_at: time })),
});

export const scriptsAnswer = z.strictObject({
  scripts: z.array(z.strictObject({ name: z.enum(['hotspot', 'radius-only']), title: text, text })),
  radius_secret: text,
});

export const voucherBatchAnswer = z.strictObject({
  id,
  plan_id: id,
  plan_name: text,
  name: text,
  count,
  made: count,
  state: z.enum(['making', 'ready', 'cancelled']),
  price_cents: count,
  unused: count,
  redeemed: count,
  cancelled: count,
  created_by: maybeText,
  created_at: time,
  ready_at: maybeTime,
});

export const voucherAnswer = z.strictObject({
  id,
  code: text,
  state: z.enum(['unused', 'redeemed', 'cancelled']),
  plan_id: id,
  plan_name: text,
  batch_id: id,
  batch_name: text,
  redeemed_at: maybeTime,
  subscriber_id: maybeText,
  entitlement_id: maybeText,
  created_at: time,
});

export const subscriberAnswer = z.strictObject({
  id,
  name: maybeText,
  msisdn: maybeText,
  state: z.enum(['active', 'suspended']),
  notes: text,
  created_at: time,
  updated_at: time,
});

export const credentialAnswer = z.strictObject({
  id,
  subscriber_id: id,
  username: text,
  kind: z.enum(['hotspot', 'voucher', 'pppoe']),
  state: z.enum(['active', 'disabled']),
  device_mac: maybeText,
  static_address: maybeText,
  router_id: maybeText,
  created_at: time,
  updated_at: time,
});

/** A credential just made or changed: the password, this once, when it is new. */
export const changedCredentialAnswer = credentialAnswer.extend({ password: z.string().optional() });

export const entitlementAnswer = z.strictObject({
  id,
  subscriber_id: id,
  msisdn: maybeText,
  credential_id: id,
  username: text,
  plan_id: id,
  plan_name: text,
  source: z.enum(['order', 'voucher', 'grant', 'payment']),
  payment_id: maybeText,
  order_id: maybeText,
  voucher_id: maybeText,
  state: z.enum(['waiting', 'active', 'ended', 'revoked']),
  ...terms,
  not_before_at: maybeTime,
  overtakes: flag,
  starts_at: maybeTime,
  ends_at: maybeTime,
  ended_at: maybeTime,
  end_reason: maybeText,
  used_seconds: count,
  used_upload_octets: count,
  used_download_octets: count,
  created_at: time,
});

export const sessionAnswer = z.strictObject({
  id,
  router_id: id,
  router_name: maybeText,
  subscriber_id: maybeText,
  msisdn: maybeText,
  credential_id: maybeText,
  entitlement_id: maybeText,
  plan_id: maybeText,
  plan_name: maybeText,
  username: text,
  acct_session_id: text,
  nas_port_id: maybeText,
  nas_ip: maybeText,
  nas_source: maybeText,
  mac: maybeText.describe('Of a client of a tunnel (L2TP, SSTP, PPTP) the address that it calls from'),
  ip: maybeText,
  state: z.enum(['open', 'closed']),
  started_at: time,
  updated_at: time,
  stopped_at: maybeTime,
  session_seconds: count,
  upload_octets: count,
  download_octets: count,
  terminate_cause: maybeCount,
  terminate_cause_name: maybeText,
  ends_at: maybeTime,
  disconnect_state: z.enum(['requested', 'ack', 'nak', 'timeout', 'api', 'failed']).nullable(),
  disconnect_detail: maybeText,
  disconnect_at: maybeTime,
  gave_way_at: maybeTime.describe('When another device took its place'),
  change_state: z.enum(['ack', 'nak', 'timeout', 'failed']).nullable(),
  change_detail: maybeText.describe('What the router answered to the last change of rate and end'),
  change_at: maybeTime,
});

export const evidenceAnswer = z.strictObject({
  id,
  gateway: text,
  kind: z.enum([
    'stk_callback',
    'stk_query',
    'c2b',
    'c2b_validation',
    'pull',
    'transaction_status',
    'statement',
    'reversal',
    'cash',
    'sms',
  ]),
  order_id: maybeText,
  payment_id: maybeText,
  body: text,
  source_address: maybeText,
  state: z.enum(['received', 'waiting', 'used', 'duplicate', 'quarantined']),
  summary: maybeText,
  receipt: maybeText,
  doubt: maybeText,
  received_at: time,
  processed_at: maybeTime,
});

export const paymentAnswer = z.strictObject({
  id,
  gateway: z.enum(['mpesa', 'cash']),
  receipt: maybeText,
  receipt_pending: z.boolean(),
  checkout_request_id: maybeText,
  order_id: maybeText,
  subscriber_id: maybeText,
  plan_id: maybeText,
  plan_name: maybeText,
  entitlement_id: maybeText,
  msisdn: maybeText,
  payer: maybeText,
  payer_name: maybeText,
  account_reference: maybeText,
  amount_cents: count,
  state: z.enum(['settled', 'unmatched', 'reversed']),
  reversal: z.enum(['asked', 'refused', 'unknown']).nullable(),
  resolved_by: maybeText,
  resolved_at: maybeTime,
  note: maybeText,
  received_at: time,
  created_at: time,
});

export const paymentWithEvidenceAnswer = paymentAnswer.extend({ evidence: z.array(evidenceAnswer) });

export const statementAnswer = z.strictObject({
  id,
  state: z.enum(['writing', 'settling', 'ready']).describe('settling: a task works off its lines'),
  lines: count.describe('Lines to be worked off'),
  done: count.describe('Of these: worked off'),
  from_at: maybeTime.describe('The time it speaks of'),
  to_at: maybeTime,
  created_at: time,
  ready_at: maybeTime,
  rows: count.describe('Lines below the columns'),
  matched: count.describe('Paid in, and known before'),
  new: count.describe('Paid in, and not known before'),
  settled: count.describe('Of the new: given for what they paid'),
  unmatched: count.describe('Of the new: nobody could match them'),
  reversed: count.describe('Payments whose money went back'),
  returned: count.describe('Paid in and gone back, which was not known'),
  others: count.describe('Lines that are no payment: charges, payouts, what is not completed'),
  unreadable: count,
  to_check: z.array(z.strictObject({ receipt: text, problem: text })),
  missing_count: count.describe('Payments of the same time that the statement has not'),
  missing: z.array(
    z.strictObject({
      ...{ id, receipt: maybeText, amount_cents: count, received_at: time, msisdn: maybeText },
      state: paymentAnswer.shape.state,
    }),
  ),
});

export const orderAnswer = z.strictObject({
  id,
  state: z.enum(['pending', 'paid', 'failed', 'checking']),
  plan_id: id,
  plan_name: text,
  price_cents: count,
  msisdn: text,
  mac: maybeText,
  ip: maybeText,
  router_id: maybeText,
  subscriber_id: id,
  credential_id: maybeText,
  entitlement_id: maybeText,
  gateway: text,
  short_code: maybeText,
  merchant_request_id: maybeText,
  checkout_request_id: maybeText,
  result_code: maybeText,
  problem: maybeText,
  message: maybeText,
  polls: count,
  next_poll_at: maybeTime,
  created_at: time,
  sent_at: maybeTime,
  paid_at: maybeTime,
  updated_at: time,
});

export const wholeOrderAnswer = orderAnswer.extend({
  evidence: z.array(evidenceAnswer),
  payments: z.array(paymentAnswer),
});

export const messageAnswer = z.strictObject({
  id,
  channel: z.enum(['sms', 'email']),
  recipient: text,
  subscriber_id: maybeText,
  body: text,
  state: z.enum(['queued', 'sent', 'delivered', 'failed']),
  provider_id: maybeText,
  problem: maybeText,
  created_at: time,
  updated_at: time,
});

const role = z.enum(ROLES as [(typeof ROLES)[number], ...(typeof ROLES)[number][]]);

export const accountAnswer = z.strictObject({
  id,
  email: text,
  name: text,
  role,
  state: z.enum(['active', 'disabled']),
  last_login_at: maybeTime,
  created_at: time,
  updated_at: time,
});

const ownAccount = z.strictObject({ id, email: text, name: text, role });

export const setupNeededAnswer = z.strictObject({ needed: z.boolean() });
export const signedInAnswer = z.strictObject({ token: text, account: ownAccount });
export const signedOutAnswer = z.strictObject({ signed_out: z.literal(true) });
export const clockAnswer = z.strictObject({
  trusted: z.boolean(),
  message: z.string().optional().describe('What is wrong; absent while all is well'),
  hint: z.string().optional(),
  box_at: time.describe('What the clock of the box shows'),
  counted_at: time.describe('What Karibu goes by'),
});
export const outageAnswer = z.strictObject({
  id,
  kind: z.enum(['box', 'router']),
  router_id: maybeText,
  router_name: maybeText,
  from_at: time,
  to_at: maybeTime.describe('Null while it lasts'),
  state: z.enum(['open', 'waiting', 'approved', 'dismissed']),
  affected: number.describe('How many entitlements would be extended now'),
  extension_ms: number.describe('The most that one of them gets'),
  extended: number.describe('How many were extended'),
  decided_by: maybeText,
  decided_at: maybeTime,
  done_at: maybeTime,
  created_at: time,
});
export const extensionAnswer = z.strictObject({
  id,
  outage_id: id,
  entitlement_id: id,
  kind: z.enum(['box', 'router']),
  router_name: maybeText,
  from_at: time,
  to_at: maybeTime,
  extended_ms: number,
  ends_at_before: time,
  ends_at_after: time,
  created_at: time,
});
export const outageSettingsAnswer = z.strictObject({
  mode: z.enum(['off', 'ask', 'automatic']),
  minimum_seconds: number,
  maximum_seconds: number,
});

export const paymentPolicyAnswer = z.strictObject({
  second_payment: z.enum(['stack', 'wait']),
  paste_minutes: count,
  paste_kbps: count,
});

export const meAnswer = z.strictObject({
  account: ownAccount,
  business_name: text,
  version: text,
  clock: clockAnswer,
  disk: z.strictObject({
    ok: z.boolean(),
    problem: z.enum(['full', 'read_only', 'failing', 'away', 'low']).optional(),
    message: z.string().optional(),
    hint: z.string().optional(),
  }),
});

export const auditAnswer = z.strictObject({
  id,
  at: time,
  account_id: maybeText,
  actor: text,
  address: maybeText,
  action: text,
  entity: text,
  entity_id: maybeText,
  entity_name: maybeText,
  before: z.unknown(),
  after: z.unknown(),
});

export const businessAnswer = z.strictObject({
  name: text,
  currency: text,
  support_phone: maybeText,
  portal_url: maybeText,
  appliance_address: maybeText,
  default_language: z.enum(['en', 'sw']),
});

export const mpesaAnswer = z.strictObject({
  configured: z.boolean(),
  environment: z.enum(['sandbox', 'production', 'simulator', 'custom']),
  base_url: maybeText,
  shortcode: text,
  kind: z.enum(['paybill', 'till']),
  till_number: maybeText,
  callback_base_url: maybeText,
  has_consumer_key: z.boolean(),
  has_consumer_secret: z.boolean(),
  has_passkey: z.boolean(),
});

export const accountingAnswer = z.strictObject({ missed_interims: count, sessions_kept_days: count });

export const settingsAnswer = z.strictObject({
  business: businessAnswer,
  mpesa: mpesaAnswer,
  accounting: accountingAnswer,
  outages: outageSettingsAnswer,
  payment_policy: paymentPolicyAnswer,
});

export const usageAnswer = z.strictObject({
  from: text,
  to: text,
  items: z.array(
    z.strictObject({
      key: text,
      name: maybeText,
      online_seconds: count,
      upload_octets: count,
      download_octets: count,
    }),
  ),
});

const daySales = z.strictObject({ day: text, sales_cents: count, payments: count, vouchers_redeemed: count });

export const overviewAnswer = z.strictObject({
  today: daySales,
  yesterday: daySales,
  yesterday_by_now: z
    .strictObject({ sales_cents: count, payments: count })
    .describe('Yesterday up to the same time of day'),
  online_now: count,
  routers: z.strictObject({ online: count, total: count }),
  unmatched: z.strictObject({ count, amount_cents: count }),
  checking: z.strictObject({ count }),
  week: z.array(daySales).length(7),
  last_payments: z.array(paymentAnswer),
  ledger: z
    .strictObject({ ok: z.boolean(), at: time, problem: maybeText })
    .nullable()
    .describe('The last proof of the ledger; null before the first'),
  top_plans: z.array(z.strictObject({ plan_id: id, plan_name: text, sales_cents: count, payments: count })),
});

const salesFigures = { sales_cents: count, payments: count, vouchers_redeemed: count };

export const salesAnswer = z.strictObject({
  total: z.strictObject(salesFigures),
  periods: z.array(z.strictObject({ period: text, ...salesFigures })),
  plans: z.array(z.strictObject({ plan_id: id.nullable(), plan_name: maybeText, ...salesFigures })),
});

export const accessLogAnswer = z.strictObject({
  items: z.array(
    z.strictObject({
      at: time,
      username: text,
      mac: text,
      router_id: id,
      router_name: text,
      result: z.enum(['accept', 'reject']),
      reason: text,
      message: text,
    }),
  ),
  lockouts: z
    .array(
      z.strictObject({
        router_id: id,
        router_name: text,
        mac: maybeText,
        failures: count,
        until_at: time,
      }),
    )
    .describe(
      'Devices that are locked out; with mac null, a router whose wrong sign-ins are answered slowly',
    ),
});

export const cashSaleAnswer = z.strictObject({
  payment_id: id,
  account_id: id,
  account_name: text,
  till_session_id: maybeText,
  plan_id: id,
  plan_name: text,
  amount_cents: count,
  state: z.enum(['settled', 'unmatched', 'reversed']),
  msisdn: maybeText,
  entitlement_id: maybeText,
  voucher_id: maybeText,
  voucher_made: flag,
  voucher_state: z.enum(['unused', 'redeemed', 'cancelled']).nullable(),
  code: maybeText,
  voided_by: maybeText,
  voided_at: maybeTime,
  void_reason: maybeText,
  created_at: time,
});

export const tillSessionAnswer = z.strictObject({
  id,
  account_id: id,
  account_name: text,
  opening_cents: count,
  opened_at: time,
  counted_cents: maybeCount,
  counted_at: maybeTime,
  expected_cents: number.nullable(),
  difference_cents: number.nullable(),
  due_cents: number.describe('What must lie in it'),
  sales: count,
  sales_cents: count,
  voided: count,
  note: maybeText,
  closed_by: maybeText,
  closed_at: maybeTime,
});

export const tillEventAnswer = z.strictObject({
  id,
  till_session_id: id,
  kind: z.enum(['count', 'in', 'out']),
  purpose: z.enum(['float', 'expense', 'banked', 'safe']).nullable(),
  amount_cents: maybeCount,
  counted_cents: maybeCount,
  expected_cents: number.describe('What must lie in the till afterwards'),
  note: maybeText,
  undo_of: maybeText.describe('The event that this one takes back'),
  undone: z.boolean(),
  actor: text,
  at: time,
});

export const slipAnswer = z.strictObject({
  sale: cashSaleAnswer,
  business: z.strictObject({ name: text, support_phone: maybeText, portal_url: maybeText }),
  home: z
    .strictObject({
      subscriber_id: id,
      name: maybeText,
      msisdn: maybeText,
      username: text,
      state: z.enum(['waiting', 'active', 'ended', 'revoked']),
      ends_at: maybeTime,
    })
    .nullable()
    .describe('Whom a plan was sold to; null for a voucher'),
  link: maybeText.describe('Opens the portal with the code'),
  qr: z
    .strictObject({ size: count, path: text.describe('The `d` of an SVG path') })
    .nullable()
    .describe('The link, while the code works'),
});

export const currentTillAnswer = z.strictObject({
  required: z.boolean(),
  session: tillSessionAnswer.nullable(),
});
export const tillSettingsAnswer = z.strictObject({ required: z.boolean() });

export const ledgerEntryAnswer = z.strictObject({
  id,
  cause: text,
  kind: z.enum(['payment', 'settlement', 'reversal', 'correction', 'till', 'move']),
  payment_id: maybeText,
  till_session_id: maybeText,
  note: maybeText,
  actor: maybeText,
  day: text,
  at: time,
  taken_back: z.boolean().describe('Whether its opposite is booked'),
  lines: z.array(z.strictObject({ account: text, holder: text, amount_cents: number })),
});

export const ledgerProofAnswer = z.strictObject({
  ok: z.boolean(),
  complete: z.boolean(),
  at: time,
  entries: count,
  payments: count,
  problems: z.array(text),
});

export const ledgerAccountsAnswer = z.strictObject({
  day: text,
  items: z.array(
    z.strictObject({
      account: text,
      name: text,
      balance_cents: number,
      day_cents: number,
      by_hand: z.boolean(),
    }),
  ),
  proof: ledgerProofAnswer.nullable(),
});

export const smsSettingsAnswer = z.strictObject({
  enabled: z.boolean(),
  pay_to: z.enum(['till', 'pochi', 'paybill', 'send']),
  pay_to_number: text,
  pay_to_name: text,
  window_seconds: count,
  without_phone: z.boolean(),
  address: maybeText.describe('Where the forwarding app posts; null before one was made'),
  reachable: z.boolean().describe('Whether there is a way in from outside'),
});
