// Sends one HTTP request to Daraja, telling "never left this machine" from "may have arrived".

/** The part of the global fetch this protocol needs; tests and callers may pass their own. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/**
 * What became of one request.
 * - `answer`: a whole HTTP response; `json` is set when the body is a JSON object.
 * - `unreachable`: the request was not sent (refused connection, no DNS, TLS refused): safe to try again.
 * - `lost`: it was sent or may have been, and no whole answer came back: the outcome is unknown.
 */
export type Exchange =
  | { kind: 'answer'; status: number; text: string; json: Record<string, unknown> | undefined }
  | { kind: 'unreachable'; cause: string }
  | { kind: 'lost'; cause: string };

// Codes that can only arise before the first byte of the request is written, on Node (undici) and Bun.
const NEVER_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'ConnectionRefused',
  'FailedToOpenSocket',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

// Linux also reports these on an established connection, so they count only when connect() itself said so.
const NEVER_SENT_IN_CONNECT = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN', 'ETIMEDOUT']);

type SystemError = { name?: string; code?: unknown; syscall?: unknown; cause?: unknown; message?: string };

function describeFailure(thrown: unknown): { neverSent: boolean; cause: string } {
  let cause = thrown instanceof Error ? thrown.message : String(thrown);
  for (let e = thrown as SystemError | undefined; e && typeof e === 'object'; e = e.cause as SystemError) {
    if (e.name === 'TimeoutError' || e.name === 'AbortError') return { neverSent: false, cause: 'timeout' };
    if (typeof e.code === 'string') {
      cause = e.code;
      if (NEVER_SENT.has(e.code)) return { neverSent: true, cause };
      if (NEVER_SENT_IN_CONNECT.has(e.code) && e.syscall === 'connect') return { neverSent: true, cause };
    }
  }
  return { neverSent: false, cause };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return value && typeof value === 'object' && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch (error) {
    // Daraja answers with empty bodies and HTML pages too; the text and the status still say what happened.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * One request, one try; never throws for what the network or the far side does.
 * `timeoutMs` covers everything up to the last byte of the answer. `secrets` are taken out of the answer, which may
 * repeat what was sent, and whose words end in logs.
 */
export async function exchange(
  fetch: Fetch,
  url: string,
  request: { method: 'GET' | 'POST'; headers: Record<string, string>; body?: string },
  timeoutMs: number,
  secrets: string[] = [],
): Promise<Exchange> {
  try {
    const response = await fetch(url, {
      method: request.method,
      // A pooled connection that the far side has just closed tempts an HTTP client into sending a POST twice,
      // and Daraja turns two equal STK requests into two payments: every request gets its own connection.
      headers: { ...request.headers, connection: 'close' },
      keepalive: false,
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
      ...(request.body === undefined ? {} : { body: request.body }),
    });
    let text = await response.text();
    for (const secret of secrets) text = text.replaceAll(secret, '…');
    return { kind: 'answer', status: response.status, text, json: parseObject(text) };
  } catch (thrown) {
    const failure = describeFailure(thrown);
    return { kind: failure.neverSent ? 'unreachable' : 'lost', cause: failure.cause };
  }
}
