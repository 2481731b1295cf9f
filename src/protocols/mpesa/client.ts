// Is the client of one shortcode on Daraja.
import { type C2bRegistration, type C2bRegistrationResult, registerC2bUrls } from './c2b.ts';
import { createDarajaCall, refused, refusedHere, unknownAnswer } from './daraja-call.ts';
import { type DynamicQrRequest, type DynamicQrResult, dynamicQr } from './dynamic-qr.ts';
import { formatEatTimestamp } from './eat-time.ts';
import type { Fetch } from './exchange.ts';
import {
  type AccountBalanceRequest,
  accountBalance,
  type InitiatedResult,
  type Initiator,
  type ReversalRequest,
  reverse,
  type TransactionStatusRequest,
  transactionStatus,
} from './initiator.ts';
import {
  type PullPage,
  type PullRegistration,
  type PullRegistrationResult,
  type PullRequest,
  type PullSweep,
  pullPage,
  pullWindow,
  registerPull,
} from './pull.ts';
import { type Refused, readError } from './refusals.ts';
import { describeResult } from './result-codes.ts';
import { asText } from './shapes.ts';
import type { SharedToken, TokenResult } from './token.ts';

/**
 * - `shortcode`: the paybill; for a till the head-office (store) number used at go-live.
 * - `tillNumber`: the receiving till, needed for kind `till`.
 * - `timeoutMs`: for one request up to the last byte of its answer.
 * - `phoneAs`: JSON type of PartyA and PhoneNumber. Documents say string; a live operator reports that strings
 *   ended in 1037 and numbers did not.
 * - `initiator`: only needed for transaction status, reversal and balance.
 * - `refreshEarlySeconds`: how long before its end a token is replaced (default 120).
 * - `sharedToken`: where several programs that ask as this app keep their token.
 * - `now` (epoch ms) dates the requests; `monotonicNow` (ms) ages the token.
 */
export type MpesaConfig = {
  baseUrl: string;
  consumerKey: string;
  consumerSecret: string;
  shortcode: string;
  kind: 'paybill' | 'till';
  tillNumber?: string;
  passkey: string;
  timeoutMs?: number;
  phoneAs?: 'string' | 'number';
  initiator?: Initiator;
  refreshEarlySeconds?: number;
  fetch?: Fetch;
  now?: () => number;
  monotonicNow?: () => number;
  sharedToken?: SharedToken | undefined;
};

/** `account_reference` is shown in the prompt and printed in the payer's SMS. `callback_url` is per request. */
export type StkPush = {
  amount_shillings: number;
  msisdn: string;
  account_reference: string;
  description: string;
  callback_url: string;
};

/**
 * - `accepted`: a prompt is on its way; nothing is paid yet.
 * - `refused`: no prompt was sent.
 * - `unknown`: a prompt may have been sent: never push again on this, wait for evidence.
 */
export type StkPushResult =
  | {
      outcome: 'accepted';
      merchant_request_id: string;
      checkout_request_id: string;
      customer_message: string;
    }
  | Refused
  | { outcome: 'unknown'; cause: string };

/**
 * - `decided`: M-PESA gave a final code; "0" is paid (the query knows no receipt, amount or phone).
 * - `pending`: no verdict yet, `code` is what was said instead (4999, 500.001.1001, a code not in the table …).
 * - `refused`: the query itself was refused, which says nothing of the payment.
 * - `unknown`: no answer.
 */
export type StkQueryResult =
  | { outcome: 'decided'; result_code: string; result_desc: string }
  | { outcome: 'pending'; code: string; message: string }
  | Refused
  | { outcome: 'unknown'; cause: string };

export type MpesaClient = {
  token(): Promise<TokenResult>;
  stkPush(request: StkPush): Promise<StkPushResult>;
  stkQuery(checkoutRequestId: string): Promise<StkQueryResult>;
  /** Tells Daraja where notices of payments by hand go; in production that is possible once. */
  registerC2bUrls(request: C2bRegistration): Promise<C2bRegistrationResult>;
  /** Allows pulling for this shortcode; needed once. */
  registerPull(request: PullRegistration): Promise<PullRegistrationResult>;
  /** One page of the payments of a window. */
  pullPage(request: PullRequest): Promise<PullPage>;
  /** All payments between two instants, epoch ms, of the last 48 hours. */
  pullWindow(window: { from: number; to: number }): Promise<PullSweep>;
  /** Asks what became of a transaction; readTransactionStatus reads what comes to the result address. */
  transactionStatus(request: TransactionStatusRequest): Promise<InitiatedResult>;
  /** Sends a payment back; readReversal reads what comes to the result address. */
  reverse(request: ReversalRequest): Promise<InitiatedResult>;
  /** Asks for the balances; readAccountBalance reads what comes to the result address. */
  accountBalance(request: AccountBalanceRequest): Promise<InitiatedResult>;
  dynamicQr(request: DynamicQrRequest): Promise<DynamicQrResult>;
};

/** base64(shortcode + passkey + timestamp), plain concatenation (Daraja, "M-PESA Express", field Password). */
export function stkPassword(shortcode: string, passkey: string, timestamp: string): string {
  return Buffer.from(shortcode + passkey + timestamp).toString('base64');
}

/** What is wrong with a push that Daraja would refuse (or worse, accept and fail later); undefined when it is fine. */
export function findPushProblem(request: StkPush): string | undefined {
  const amount = request.amount_shillings;
  if (!Number.isInteger(amount) || amount < 1) return 'The amount must be whole shillings, at least KES 1.';
  if (amount > 250_000) return 'The amount is above the M-PESA limit of KES 250,000.';
  if (!/^254[17]\d{8}$/.test(request.msisdn))
    return 'The phone number must look like 2547XXXXXXXX or 2541XXXXXXXX.';
  if (!/^[A-Za-z0-9]{1,12}$/.test(request.account_reference)) {
    return 'The account reference must be 1 to 12 letters and digits.';
  }
  if (request.description.length > 13) return 'The description must be at most 13 characters.';
  if (!URL.canParse(request.callback_url)) return 'The callback address is not a URL.';
  const host = /^https?:\/\/([^/?#]+)/i.exec(request.callback_url)?.[1];
  if (!host) return 'The callback address must begin with https:// (or http:// on the sandbox).';
  // Daraja refused a host with capitals as Invalid CallBackURL.
  if (host !== host.toLowerCase()) return 'The host of the callback address must be in small letters.';
  return undefined;
}

function findConfigProblem(config: MpesaConfig): string | undefined {
  if (!/^\d{5,7}$/.test(config.shortcode)) return 'The shortcode must be 5 to 7 digits.';
  if (config.kind === 'till' && !/^\d{5,8}$/.test(config.tillNumber ?? '')) {
    return 'A till needs its till number besides the store number.';
  }
  if (config.passkey === '') return 'The passkey is missing.';
  return undefined;
}

/** A client for one shortcode. Its answers are values; it throws only for mistakes of the program. */
export function createMpesaClient(config: MpesaConfig): MpesaClient {
  const now = config.now ?? Date.now;
  const call = createDarajaCall(config);
  const { shortcode, initiator } = config;
  const receiver = {
    kind: config.kind,
    number: config.kind === 'till' ? (config.tillNumber ?? shortcode) : shortcode,
  };

  async function stkPush(request: StkPush): Promise<StkPushResult> {
    const problem = findConfigProblem(config) ?? findPushProblem(request);
    if (problem) return refusedHere(problem);
    const timestamp = formatEatTimestamp(now());
    const phone = config.phoneAs === 'number' ? Number(request.msisdn) : request.msisdn;
    const answer = await call.post('/mpesa/stkpush/v1/processrequest', {
      BusinessShortCode: Number(config.shortcode),
      Password: stkPassword(config.shortcode, config.passkey, timestamp),
      Timestamp: timestamp,
      TransactionType: config.kind === 'till' ? 'CustomerBuyGoodsOnline' : 'CustomerPayBillOnline',
      Amount: String(request.amount_shillings),
      PartyA: phone,
      PartyB: config.kind === 'till' ? config.tillNumber : config.shortcode,
      PhoneNumber: phone,
      CallBackURL: request.callback_url,
      AccountReference: request.account_reference,
      TransactionDesc: request.description,
    });
    if ('outcome' in answer) return answer;
    if (answer.kind !== 'answer' || readError(answer.json)) return unknownAnswer(answer);
    const responseCode = asText(answer.json?.ResponseCode);
    const checkoutRequestId = asText(answer.json?.CheckoutRequestID);
    if (answer.status === 200 && responseCode === '0' && checkoutRequestId !== '') {
      return {
        outcome: 'accepted',
        merchant_request_id: asText(answer.json?.MerchantRequestID),
        checkout_request_id: checkoutRequestId,
        customer_message: asText(answer.json?.CustomerMessage),
      };
    }
    if (answer.status === 200 && responseCode !== '' && responseCode !== '0' && checkoutRequestId === '') {
      return refused('rejected', responseCode, asText(answer.json?.ResponseDescription));
    }
    return unknownAnswer(answer);
  }

  async function stkQuery(checkoutRequestId: string): Promise<StkQueryResult> {
    const problem = findConfigProblem(config);
    if (problem) return refusedHere(problem);
    const timestamp = formatEatTimestamp(now());
    const answer = await call.post('/mpesa/stkpushquery/v1/query', {
      BusinessShortCode: Number(config.shortcode),
      Password: stkPassword(config.shortcode, config.passkey, timestamp),
      Timestamp: timestamp,
      CheckoutRequestID: checkoutRequestId,
    });
    if ('outcome' in answer) return answer;
    if (answer.kind !== 'answer') return { outcome: 'unknown', cause: answer.cause };
    const error = readError(answer.json);
    // 500.001.1001 answers about one poll in five even for a decided transaction: it says nothing.
    if (error) return { outcome: 'pending', code: error.code, message: error.message };
    const resultCode = asText(answer.json?.ResultCode);
    if (answer.status !== 200 || resultCode === '') {
      return { outcome: 'pending', code: `HTTP ${answer.status}`, message: '' };
    }
    const resultDesc = asText(answer.json?.ResultDesc);
    if (!describeResult(resultCode).final)
      return { outcome: 'pending', code: resultCode, message: resultDesc };
    return { outcome: 'decided', result_code: resultCode, result_desc: resultDesc };
  }

  return {
    token: call.token,
    stkPush,
    stkQuery,
    registerC2bUrls: (request) => registerC2bUrls(call, shortcode, request),
    registerPull: (request) => registerPull(call, shortcode, request),
    pullPage: (request) => pullPage(call, shortcode, request),
    pullWindow: (window) => pullWindow(call, shortcode, { ...window, now: now() }),
    transactionStatus: (request) => transactionStatus(call, shortcode, initiator, request),
    reverse: (request) => reverse(call, shortcode, initiator, request),
    accountBalance: (request) => accountBalance(call, shortcode, initiator, request),
    dynamicQr: (request) => dynamicQr(call, receiver, request),
  };
}
