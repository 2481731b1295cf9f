// What the portal's pages are given: plain data, already decided, nothing to look up.

export type Lang = 'en' | 'sw';

/** The business a guest buys from, as its settings say. */
export interface BusinessView {
  name: string;
  /** As people write it, `0712 345 678`; becomes a tel: link. */
  support_phone?: string | null;
  /** A path on this listener (`/logo`); nothing is loaded from another host. */
  logo?: string | null;
}

/** The hotspot this phone stands behind, as its router's redirect told it. */
export interface HotspotView {
  /** The router's identity or the site's name. */
  name?: string | null;
  mac?: string | null;
  ip?: string | null;
  link_login_only?: string | null;
  link_logout?: string | null;
}

/** What each page needs. */
export interface PageView {
  lang: Lang;
  business: BusinessView;
  /** Absent when the phone is not behind a router we know. */
  context?: HotspotView | null;
  /** The signed opaque value that carries the context; every form and link repeats it. */
  ctx?: string | null;
  /** The time now, epoch ms. */
  now_at: number;
}

/** A plan as a guest reads it; names as in the store. */
export interface PlanView {
  id: string;
  name: string;
  price_cents: number;
  validity_seconds: number;
  /** Connected time included, which pauses while offline; null when only validity counts. */
  online_seconds?: number | null;
  /** null is unlimited. */
  quota_octets?: number | null;
  /** Octets included in one direction. */
  download_quota_octets?: number | null;
  upload_quota_octets?: number | null;
  /** Minutes after midnight in Nairobi between which it works; null is the whole day. */
  hours_from_minute?: number | null;
  hours_to_minute?: number | null;
  /** Speed after the data is used; null when access ends then. */
  fair_use_rate_down_kbps?: number | null;
  rate_down_kbps?: number | null;
  rate_up_kbps?: number | null;
  max_devices: number;
}

/** The login form of the router, ready to be posted by the phone. */
export interface ConnectView {
  /** `link-login-only`; the route has checked that it is this router's. */
  action: string;
  username: string;
  /** In clear, or the CHAP answer in hex. */
  password: string;
  /** Where the router sends the phone afterwards; http or https. */
  dst?: string | null;
  /** The script may post the form by itself, once. False when the router has just refused it. */
  auto: boolean;
  /** Another device must go first: the form then leads to `/continue`, which sees to that. */
  takes_place?: boolean;
}

/** A credential that has access, and the way to use it. */
export interface AccessView {
  username: string;
  /** In clear, shown when there is no router to post to; equal to the username or empty for a voucher. */
  password: string;
  /** Absent when the phone is not behind a router we know. */
  connect?: ConnectView | null;
}

/** An entitlement as a guest reads it. */
export interface EntitlementView {
  plan_name: string;
  /** null when it has not started: it starts at the first connection. */
  until_at: number | null;
  /** For one that cannot be started before. */
  not_before_at?: number | null;
  /** For one that has not started: how long it will last. */
  validity_seconds?: number | null;
  /** What is left of the connected time; null when only `until_at` counts. */
  online_left_seconds?: number | null;
  /** null is unlimited. */
  quota_octets?: number | null;
  quota_left_octets?: number | null;
  download_quota_octets?: number | null;
  download_left_octets?: number | null;
  upload_quota_octets?: number | null;
  upload_left_octets?: number | null;
  rate_down_kbps?: number | null;
  rate_up_kbps?: number | null;
  /** A slower speed follows its data, instead of the end. */
  has_fair_use?: boolean;
  /** That data is used: the rates above are the slower ones. What is bought now runs at once. */
  slow?: boolean;
  /** Only outside its hours of the day: those hours, `22:00–06:00`, and when they come again. */
  closed_until?: { hours: string; opens_at: number } | null;
  /** Names of the other plans that this phone has, in the order in which they are used. */
  others?: string[];
  max_devices: number;
  /** Devices online now under it. */
  devices_online?: number | null;
}

/** `GET /` and `POST /`. */
export interface HomeView extends PageView {
  plans: PlanView[];
  /** False when no payment can be taken now: the plans are shown with the way to get a voucher. Default true. */
  payments_open?: boolean;
  /** `error` (better `error-orig`) as the router sent it; said in words a guest understands. */
  router_error?: string | null;
  /** This device already has something left. */
  entitlement?: EntitlementView | null;
  /** The login for it; absent when the device is already online or there is no router. */
  connect?: ConnectView | null;
  /** The device is online now: the card leads to /status. */
  online?: boolean;
}

/** `unavailable`: the gateway could not be reached, nothing was charged. */
export type BuyError = 'invalid_msisdn' | 'unavailable' | 'too_many_tries';

/** `GET /buy` and the answer to a `POST /buy` that made no order. */
export interface BuyView extends PageView {
  plan: PlanView;
  /** As typed, or remembered. */
  msisdn?: string | null;
  error?: BuyError | null;
}

/** Why a payment failed; `paymentFailure()` makes it from an M-PESA result code. */
export type PaymentFailure =
  | 'insufficient_balance'
  | 'cancelled'
  | 'unreachable'
  | 'expired'
  | 'wrong_pin'
  | 'pin_locked'
  | 'session_busy'
  | 'wait_two_minutes'
  | 'busy'
  | 'limit'
  | 'not_registered'
  | 'account_refused'
  | 'service'
  | 'unknown';

/** `GET /orders/:id`. */
export interface OrderView extends PageView {
  state: 'pending' | 'checking' | 'failed' | 'paid';
  order: {
    id: string;
    price_cents: number;
    /** `0712•••678` (maskMsisdn); never the whole number. */
    msisdn_masked?: string | null;
    /** When the prompt on the phone is given up, epoch ms. */
    prompt_until_at?: number | null;
  };
  plan: PlanView;
  /** Where the guest pays by hand, when no phone is asked. */
  pay_to?: { kind: 'till' | 'pochi' | 'paybill' | 'send'; number: string; name: string } | null;
  /** With state `failed`. */
  failure?: PaymentFailure | null;
  /** With state `paid`. */
  access?: AccessView | null;
}

/** `receipt_over`: the plan that an M-PESA receipt paid for is over; `receipt_waits`: a person must look at the payment. */
export type VoucherError =
  | 'unknown'
  | 'used'
  | 'cancelled'
  | 'expired'
  | 'receipt_over'
  | 'receipt_waits'
  | 'too_many_tries';

/** `GET /voucher` and `POST /voucher`. */
export interface VoucherView extends PageView {
  /** As typed. */
  code?: string | null;
  error?: VoucherError | null;
  /** After a redeem: the page connects. */
  access?: AccessView | null;
  plan_name?: string | null;
}

/** `unknown`: M-PESA does not know the code; `other_device`: another phone gave it first; else as `VoucherError`. */
export type ClaimError =
  | 'no_code'
  | 'no_wifi'
  | 'other_device'
  | 'unknown'
  | 'receipt_over'
  | 'receipt_waits'
  | 'too_many_codes'
  | 'too_many_tries';

/** `GET /paid` and `POST /paid`. */
export interface PaidView extends PageView {
  /** As pasted. */
  text?: string | null;
  error?: ClaimError | null;
  /** The M-PESA code that is being asked about, while nothing is open yet. */
  checking?: string | null;
  /** The page connects: to the plan that was paid, or with `slow_seconds` to some slow minutes on trust. */
  access?: AccessView | null;
  slow_seconds?: number | null;
}

/** `POST /continue`: the phone goes on with what it has. */
export interface ContinueView extends PageView {
  access: AccessView;
}

/** `GET /status`; `none` is a device we know nothing of. */
export interface StatusView extends PageView {
  state: 'online' | 'offline' | 'ended' | 'none';
  /** With `online` and `offline`; with `ended` when known. */
  entitlement?: EntitlementView | null;
  /** With `offline`, behind a router. */
  connect?: ConnectView | null;
  /** With `ended`: what ran out; `stopped` by the operator. */
  ended_by?: 'time' | 'quota' | 'stopped' | null;
}

/** Any page that could not be shown. */
export interface ErrorView extends PageView {
  kind: 'not_found' | 'bad_request' | 'too_many_requests' | 'server_error';
}
