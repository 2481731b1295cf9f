// Posts to Daraja with a live token.
import { type Exchange, exchange, type Fetch } from './exchange.ts';
import { classifyError, type RefusalReason, type Refused, readError } from './refusals.ts';
import { createTokenSource, type SharedToken, type TokenResult } from './token.ts';

/** Where Daraja is and who asks; see MpesaConfig for each field. */
export type CallConfig = {
  baseUrl: string;
  consumerKey: string;
  consumerSecret: string;
  timeoutMs?: number;
  refreshEarlySeconds?: number;
  fetch?: Fetch;
  monotonicNow?: () => number;
  sharedToken?: SharedToken | undefined;
};

/** The request may have taken effect: `cause` says what was seen instead of an answer. */
export type Unknown = { outcome: 'unknown'; cause: string };

export type DarajaCall = {
  token(): Promise<TokenResult>;
  post(path: string, body: object): Promise<Exchange | Refused>;
};

export const refused = (reason: RefusalReason, code: string, message: string): Refused => ({
  outcome: 'refused',
  reason,
  code,
  message,
});

/** A mistake found before anything was sent. */
export const refusedHere = (message: string): Refused => refused('bad_request', 'local', message);

function secretsOf(body: object): string[] {
  const { Password: password, SecurityCredential: credential } = body as Record<string, unknown>;
  return [password, credential].filter((secret) => typeof secret === 'string' && secret !== '') as string[];
}

export function createDarajaCall(config: CallConfig): DarajaCall {
  const baseUrl = config.baseUrl.replace(/\/+$/, '');
  const timeoutMs = config.timeoutMs ?? 30_000;
  const fetch: Fetch = config.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const tokens = createTokenSource({
    baseUrl,
    consumerKey: config.consumerKey,
    consumerSecret: config.consumerSecret,
    fetch,
    monotonicNow: config.monotonicNow ?? (() => performance.now()),
    timeoutMs,
    refreshEarlySeconds: config.refreshEarlySeconds ?? 120,
    shared: config.sharedToken,
  });

  /** A token-class refusal is the only one repeated, once, because M-PESA never saw the call. */
  async function post(path: string, body: object): Promise<Exchange | Refused> {
    for (let attempt = 1; ; attempt += 1) {
      const got = await tokens.get();
      if (!got.ok) {
        // Whatever became of the token request, the call itself was never sent.
        const reason: RefusalReason =
          got.reason === 'credentials'
            ? 'token'
            : got.reason === 'rate_limited'
              ? 'rate_limited'
              : 'unreachable';
        return refused(reason, got.code, got.message);
      }
      const answer = await exchange(
        fetch,
        baseUrl + path,
        {
          method: 'POST',
          headers: {
            authorization: `Bearer ${got.token}`,
            'content-type': 'application/json',
            accept: 'application/json',
          },
          body: JSON.stringify(body),
        },
        timeoutMs,
        [got.token, ...secretsOf(body)],
      );
      if (answer.kind === 'unreachable')
        return refused('unreachable', answer.cause, 'Daraja could not be reached.');
      if (answer.kind === 'lost') return answer;
      const error = readError(answer.json);
      const cause =
        answer.status >= 400 || error ? classifyError(answer.status, error) : ('undecided' as const);
      // A token carries the products its app had when it was made, so a new product needs a new token too.
      if (cause === 'token' || cause === 'product') tokens.drop(got.token);
      if (cause === 'token' && attempt === 1) continue;
      if (cause === 'undecided') return answer;
      return refused(
        cause,
        error?.code || `HTTP ${answer.status}`,
        error?.message || 'Daraja refused the request.',
      );
    }
  }

  return { token: () => tokens.get(), post };
}

/** What an answer without the hoped-for fields may be called: nothing is known of the request's effect. */
export function unknownAnswer(answer: Exchange): Unknown {
  if (answer.kind !== 'answer') return { outcome: 'unknown', cause: answer.cause };
  const error = readError(answer.json);
  if (error) return { outcome: 'unknown', cause: `${error.code} ${error.message}`.trim() };
  return { outcome: 'unknown', cause: `HTTP ${answer.status} without a readable answer` };
}
