// Keeps one live OAuth token for one Daraja app.
import { exchange, type Fetch } from './exchange.ts';
import { readError } from './refusals.ts';

export type TokenResult =
  | { ok: true; token: string }
  | {
      ok: false;
      reason: 'credentials' | 'rate_limited' | 'unreachable' | 'unknown';
      code: string;
      message: string;
    };

export type TokenSource = {
  /** The live token, or a fresh one; callers that come together share one request. */
  get(): Promise<TokenResult>;
  /** Forgets this token if it is still the live one. */
  drop(token: string): void;
};

/** Daraja tokens live an hour; used when `expires_in` is missing or unreadable. */
const DEFAULT_LIFE_SECONDS = 3599;

/**
 * Expiry is counted on `monotonicNow` (ms), because a wall clock that jumps back after a power cut makes a dead
 * token look fresh. Each request may kill the token before it (Daraja FAQ), so a token is fetched only when the
 * last one is within `refreshEarlySeconds` of its end or was dropped.
 */
export function createTokenSource(options: {
  baseUrl: string;
  consumerKey: string;
  consumerSecret: string;
  fetch: Fetch;
  monotonicNow: () => number;
  timeoutMs: number;
  refreshEarlySeconds: number;
}): TokenSource {
  const authorization = `Basic ${Buffer.from(`${options.consumerKey}:${options.consumerSecret}`).toString('base64')}`;
  let live: { token: string; refreshAt: number } | undefined;
  let inFlight: Promise<TokenResult> | undefined;

  async function fetchToken(): Promise<TokenResult> {
    // Counted from before the request, so a slow answer never makes the token look younger than it is.
    const askedAt = options.monotonicNow();
    const answer = await exchange(
      options.fetch,
      `${options.baseUrl}/oauth/v1/generate?grant_type=client_credentials`,
      { method: 'GET', headers: { authorization, accept: 'application/json' } },
      options.timeoutMs,
    );
    if (answer.kind !== 'answer') {
      return { ok: false, reason: 'unreachable', code: answer.cause, message: 'Daraja did not answer.' };
    }
    const token = answer.json?.access_token;
    if (answer.status === 200 && typeof token === 'string' && token !== '') {
      const stated = Number(answer.json?.expires_in);
      const lifeSeconds = Number.isFinite(stated) && stated > 0 ? stated : DEFAULT_LIFE_SECONDS;
      const early = Math.min(options.refreshEarlySeconds, lifeSeconds / 2);
      live = { token, refreshAt: askedAt + (lifeSeconds - early) * 1000 };
      return { ok: true, token };
    }
    const error = readError(answer.json);
    const code = error?.code || `HTTP ${answer.status}`;
    const message = error?.message || 'Daraja gave no token.';
    // Exact bodies for wrong keys are not documented: 400 or 401, often with nothing in them.
    if (answer.status === 400 || answer.status === 401)
      return { ok: false, reason: 'credentials', code, message };
    if (answer.status === 429 || code.startsWith('500.003.0')) {
      return { ok: false, reason: 'rate_limited', code, message };
    }
    return { ok: false, reason: 'unknown', code, message };
  }

  return {
    async get() {
      if (live && options.monotonicNow() < live.refreshAt) return { ok: true, token: live.token };
      inFlight ??= fetchToken().finally(() => {
        inFlight = undefined;
      });
      return inFlight;
    },
    drop(token) {
      // A token that another call has already replaced must not take its successor with it.
      if (live?.token === token) live = undefined;
    },
  };
}
