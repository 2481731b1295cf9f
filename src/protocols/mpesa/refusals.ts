// Classifies Daraja's error answers, which reuse one code for many causes.
import { asText } from './shapes.ts';

/**
 * Why Daraja refused a request.
 * - `busy_phone`: another M-PESA session is open on this phone; no prompt was sent; wait 60 s or more.
 * - `credentials`: shortcode, passkey and timestamp do not agree.
 * - `shortcode`: no such merchant, or it is not live for M-PESA Express.
 * - `token`: the consumer key and secret, or the token made of them, are not accepted.
 * - `product`: the Daraja app lacks this product.
 * - `initiator`: this call needs an initiator, and none is set up.
 * - `rate_limited`: spike arrest or quota; the request was not processed.
 * - `bad_request`: a field is wrong (also when found before sending: code `local`).
 * - `unreachable`: nothing was sent.
 * - `rejected`: HTTP 200 with a ResponseCode other than "0".
 */
export type RefusalReason =
  | 'busy_phone'
  | 'credentials'
  | 'shortcode'
  | 'token'
  | 'product'
  | 'initiator'
  | 'rate_limited'
  | 'bad_request'
  | 'unreachable'
  | 'rejected';

export type Refused = { outcome: 'refused'; reason: RefusalReason; code: string; message: string };

/** `undecided` means the answer does not say whether the request took effect. */
export type ErrorClass = RefusalReason | 'undecided';

export type ErrorAnswer = { code: string; message: string };

// Messages end in logs, and some products repeat what was sent: phone numbers are cut to their end.
const asMessage = (value: unknown) => asText(value).replace(/\d{9,}/g, (digits) => `…${digits.slice(-3)}`);

/**
 * Reads the code and message of an error body: Daraja's envelope, Pull's own, an Apigee fault; undefined for none.
 * The message holds no full phone number.
 */
export function readError(json: Record<string, unknown> | undefined): ErrorAnswer | undefined {
  if (!json) return undefined;
  if ('errorCode' in json || 'errorMessage' in json) {
    return { code: asText(json.errorCode), message: asMessage(json.errorMessage) };
  }
  // Pull writes its errors where others write success: ResponseCode "401.001".
  const code = asText(json.ResponseCode);
  if (/^[45]\d\d\.\d/.test(code)) {
    return { code, message: asMessage(json.ResponseMessage) || asMessage(json.ResponseDescription) };
  }
  const fault = json.fault as { faultstring?: unknown; detail?: { errorcode?: unknown } } | undefined;
  if (fault && typeof fault === 'object') {
    return { code: asText(fault.detail?.errorcode), message: asMessage(fault.faultstring) };
  }
  return undefined;
}

// One failure, five shapes, by product (reference: Daraja 3.0 pages of each API).
const TOKEN_CODES = new Set(['404.001.03', '400.003.01', '401.002.01', '401.003.01', '401.001']);

/** Names the cause of an error answer from its HTTP status, code and message together. */
export function classifyError(status: number, error: ErrorAnswer | undefined): ErrorClass {
  const code = error?.code ?? '';
  const message = (error?.message ?? '').toLowerCase();
  if (message.includes('apiproduct')) return 'product';
  if (TOKEN_CODES.has(code) || message.includes('invalid access token')) return 'token';
  if (message.includes('access token expired')) return 'token';
  // 500.001.1001 stands for half a dozen causes: only the prose tells them apart.
  if (message.includes('wrong credentials')) return 'credentials';
  if (message.includes('merchant does not exist')) return 'shortcode';
  if (message.includes('unable to lock subscriber')) return 'busy_phone';
  if (code === '500.003.02' || code === '500.003.03' || status === 429) return 'rate_limited';
  if (message.includes('spike arrest') || message.includes('quota violation')) return 'rate_limited';
  if (message.includes('system is busy')) return 'rate_limited';
  if (status === 401) return 'token';
  // 408 comes from a proxy that gave up waiting: the request may have gone through.
  if (status >= 400 && status < 500 && status !== 408) return 'bad_request';
  if (/^40[0-9]\./.test(code)) return 'bad_request';
  return 'undecided';
}
