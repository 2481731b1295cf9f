// Holds Daraja's error answers by name, as they look on the wire.
import { randomUUID } from 'node:crypto';

/** Either an error row, or any raw answer (`body` may be empty or HTML). */
export type Fault =
  | { http_status: number; code: string; message: string }
  | { http_status: number; body: string };

const row = (http_status: number, code: string, message: string): Fault => ({ http_status, code, message });

/** The error table of the Daraja 3.0 pages, with the shapes seen on the wire. */
export const FAULTS = {
  invalid_grant_type: row(400, '400.008.02', 'Invalid grant type passed'),
  invalid_auth_type: row(400, '400.008.01', 'Invalid Authentication passed'),
  bad_keys_empty: { http_status: 400, body: '' },
  bad_keys_html: { http_status: 401, body: '<html><body><h1>401 Unauthorized</h1></body></html>' },
  token_404: row(404, '404.001.03', 'Invalid Access Token'),
  token_400: row(400, '400.003.01', 'Invalid Access Token'),
  token_401_002: row(401, '401.002.01', 'Error Occurred - Invalid Access Token - XXX'),
  token_401_003: row(401, '401.003.01', 'Error Occurred - Invalid Access Token - XXX'),
  token_401_001: row(401, '401.001', 'Invalid Access Token'),
  no_product: {
    http_status: 401,
    body: '{"fault":{"faultstring":"Invalid API call as no apiproduct match found","detail":{"errorcode":"keymanagement.service.InvalidAPICallAsNoApiProductMatchFound"}}}',
  },
  invalid_payload: row(400, '400.002.05', 'Invalid Request Payload'),
  bad_request: row(400, '400.003.02', 'Bad Request'),
  not_found: row(404, '404.001.01', 'Resource not found'),
  invalid_header: row(404, '404.001.04', 'Invalid Authentication Header'),
  wrong_verb: row(405, '405.001', 'Method Not Allowed'),
  wrong_credentials: row(500, '500.001.1001', '[MerchantValidate] - Wrong credentials'),
  no_merchant: row(500, '500.001.1001', 'Merchant does not exist'),
  busy_phone: row(
    500,
    '500.001.1001',
    'Unable to lock subscriber, a transaction is already in process for the current subscriber',
  ),
  processing: row(500, '500.001.1001', 'The transaction is being processed'),
  processing_empty: row(200, '500.001.1001', ''),
  no_transaction: row(500, '500.001.1001', 'The transaction does not Exist'),
  spike_arrest: row(500, '500.003.02', 'Error Occurred: Spike Arrest Violation'),
  system_busy: row(500, '500.003.02', 'System is busy. Please try again in few minutes.'),
  quota: row(500, '500.003.03', 'Error Occurred: Quota Violation'),
  internal: row(500, '500.003.1001', 'Internal Server Error'),
  urls_registered: row(500, '500.003.1001', 'Urls are already registered.'),
  bad_pull_shortcode: {
    http_status: 400,
    body: '{"ResponseRefID":"18633-7271245-1","ResponseCode":"400.001","ResponseMessage":"Bad Request - Invalid ShortCode"}',
  },
  pull_token: {
    http_status: 401,
    body: '{"ResponseRefID":"18633-7271245-2","ResponseCode":"401.001","ResponseMessage":"Invalid Access Token"}',
  },
  html_502: { http_status: 502, body: '<html><body><h1>502 Bad Gateway</h1></body></html>' },
  empty_200: { http_status: 200, body: '' },
  html_200: {
    http_status: 200,
    body: '<!doctype html><title>Welcome</title><p>Please sign in to the network.',
  },
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof FAULTS;

/** The five shapes of a refused bearer. */
export const TOKEN_FAULTS = [
  'token_404',
  'token_400',
  'token_401_002',
  'token_401_003',
  'token_401_001',
] as const satisfies FaultName[];

/** `Bad Request - Invalid Amount` and its like. */
export const invalidField = (name: string): Fault => row(400, '400.002.02', `Bad Request - Invalid ${name}`);

let counter = 1000;

/** The last four groups of a v4 UUID, then a counter: the form of requestId and MerchantRequestID. */
export function requestId(): string {
  counter = counter >= 9_999_999 ? 1000 : counter + 1;
  return randomUUID().slice(9) + counter;
}

/** The body of a fault as Daraja writes it. */
export function faultBody(fault: Fault): string {
  if ('body' in fault) return fault.body;
  return JSON.stringify({ requestId: requestId(), errorCode: fault.code, errorMessage: fault.message });
}
