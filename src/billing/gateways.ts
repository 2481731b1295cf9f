// Payment gateways: what one has to do, and the list of them.
import type { Db } from '../db/schema.ts';
import type { Vault } from '../lib/secrets.ts';
import type { Money } from './money.ts';
import { openMpesaGateway } from './mpesa.ts';
import type { MpesaSettings } from './mpesa-settings.ts';

export interface PaymentRequest {
  amount_cents: number;
  msisdn: string;
  /** What the payer reads in the prompt and in their SMS. */
  account_reference: string;
  description: string;
  /** Where the gateway sends its notice: holds the order's secret token. */
  callback_url: string;
}

/**
 * `accepted`: the payer is being asked. `refused`: no request went out; `problem` is for the operator, `try_again`
 * says whether the guest may. `unknown`: it may have gone out, never ask again on this.
 */
export type PaymentRequestOutcome =
  | { outcome: 'accepted'; merchant_request_id: string; checkout_request_id: string }
  | { outcome: 'refused'; reason: string; problem: string }
  | { outcome: 'unknown'; problem: string };

/** `decided` carries the gateway's own words as evidence; anything else tells nothing about the money. */
export type PaymentQueryOutcome =
  | { outcome: 'decided'; result_code: string; body: string }
  | { outcome: 'undecided'; problem: string };

/** A notice about one payment request, read but not believed yet. */
export interface Notice {
  merchant_request_id: string;
  checkout_request_id: string;
  result_code: string;
  paid: boolean;
  /** Absent when the notice does not say, or says it unreadably. */
  amount_cents?: number | undefined;
  receipt?: string | undefined;
  msisdn?: string | undefined;
  /** Epoch ms. */
  transaction_at?: number | undefined;
}

/** One step of a Test button. */
export interface TestStep {
  step: string;
  ok: boolean;
  message: string;
  hint?: string;
}

/** Where M-PESA sends notices of payments by hand; `v1` names payers by a hash, `v2` by a masked number. */
export interface NoticeRegistration {
  version: 'v1' | 'v2';
  confirmation_url: string;
  validation_url: string;
  /** When nobody answers a validation. */
  when_unanswered: 'Completed' | 'Cancelled';
}

/** What was pulled of a span of time; `problem` says why there may be more. */
export interface Pulled {
  money: Money[];
  problem: string | null;
}

/** What comes of a question whose answer is a notice; `refused`: nothing was begun. */
export type AskedOutcome =
  | { outcome: 'asked'; conversation_id: string }
  | { outcome: 'refused'; problem: string; reason?: string }
  | { outcome: 'unknown'; problem: string };

/** Where such an answer goes; the second address hears when nothing was decided. */
export interface AnswerAddresses {
  result_url: string;
  timeout_url: string;
}

export interface PaymentGateway {
  requestPayment(request: PaymentRequest): Promise<PaymentRequestOutcome>;
  queryPayment(checkoutRequestId: string): Promise<PaymentQueryOutcome>;
  /** What came in by M-PESA between two instants, epoch ms, of the last two days. */
  pullMoney(from: number, to: number): Promise<Pulled>;
  /** Asks what became of a receipt. */
  askStatus(request: AnswerAddresses & { receipt: string }): Promise<AskedOutcome>;
  /** Sends money back. */
  reverse(
    request: AnswerAddresses & { receipt: string; amount_cents: number; remarks: string },
  ): Promise<AskedOutcome>;
  test(): Promise<TestStep[]>;
}

/** The world outside as far as gateways need it. */
export interface GatewayOutside {
  fetch: typeof fetch;
  now(): number;
  monotonic(): number;
  /** The address of our own simulated M-PESA, started if need be, which then knows this operator's keys. */
  simulatorUrl(settings: MpesaSettings): Promise<string>;
}

export type GatewayName = 'mpesa';
export type Gateways = Record<GatewayName, () => Promise<PaymentGateway | undefined>>;

/** Every gateway; each gives undefined while its settings are incomplete. */
export function createGateways(db: Db, vault: Vault, outside: GatewayOutside): Gateways {
  return {
    mpesa: openMpesaGateway(db, vault, outside),
  };
}
