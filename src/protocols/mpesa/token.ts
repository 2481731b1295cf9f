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

/**
 * Where several programs that ask as one app keep their one token, since each new token may end the one before. Without it
 * they would take turns killing each other's.
 */
export interface SharedToken {
  /** The token as it stands, and for how many ms it is good before it should be replaced. */
  read(): Promise<{ token: string; good_ms: number } | undefined>;
  /** Whether this program may ask for a new one; the others wait for it, or until it has had its time. */
  begin(): Promise<boolean>;
  /** Keeps the new token and lets the others on; undefined when there is none. */
  end(made: { token: string; good_ms: number } | undefined): Promise<void>;
}

export type TokenSource = {
  /** The live token, or a fresh one; callers that come together share one request. */
  get(): Promise<TokenResult>;
  /** Forgets this token if it is still the live one. */
  drop(token: string): void;
};

/** How long another program's request is waited for, and how often is looked. */
const WAIT_MS = 10_000;
const LOOK_MS = 50;

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
  shared?: SharedToken | undefined;
}): TokenSource {
  const authorization = `Basic ${Buffer.from(`${options.consumerKey}:${options.consumerSecret}`).toString('base64')}`;
  let live: { token: string; refreshAt: number } | undefined;
  let inFlight: Promise<TokenResult> | undefined;
  let refused: string | undefined;

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

  /** What another program keeps, unless it was refused; otherwise one of them asks for a new one. */
  async function fetchShared(shared: SharedToken): Promise<TokenResult> {
    const giveUpAt = options.monotonicNow() + WAIT_MS;
    const take = async () => {
      const kept = await shared.read();
      if (!kept || kept.token === refused || kept.good_ms <= 0) return undefined;
      live = { token: kept.token, refreshAt: options.monotonicNow() + kept.good_ms };
      return kept;
    };
    while (options.monotonicNow() < giveUpAt) {
      const kept = await take();
      if (kept) return { ok: true, token: kept.token };
      if (await shared.begin()) {
        // Another one may have ended its asking since the look: a new token would kill that one.
        const fresh = await take();
        if (fresh) {
          await shared.end(fresh);
          return { ok: true, token: fresh.token };
        }
        const result = await fetchToken();
        const good = live
          ? { token: live.token, good_ms: live.refreshAt - options.monotonicNow() }
          : undefined;
        await shared.end(result.ok ? good : undefined);
        return result;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    return fetchToken();
  }

  return {
    async get() {
      if (live && options.monotonicNow() < live.refreshAt) return { ok: true, token: live.token };
      inFlight ??= (options.shared ? fetchShared(options.shared) : fetchToken()).finally(() => {
        inFlight = undefined;
      });
      return inFlight;
    },
    drop(token) {
      // A token that another call has already replaced must not take its successor with it.
      if (live?.token !== token) return;
      live = undefined;
      refused = token;
    },
  };
}
