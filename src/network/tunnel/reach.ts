// Asks for the callback door at its public address, as a stranger would, and proves that it was this box that answered.
import { newToken, sameText, type Vault } from '../../lib/secrets.ts';

export type Reach = { ok: true; url: string } | { ok: false; problem: string; hint: string };

/** Below the callback door's address: answers a number with this box's signature of it. */
export const CHECK_PATH = '/cb/check';

const TIMEOUT_MS = 10_000;

/** What the door answers for a number. */
export function proofOf(vault: Vault, nonce: string): string {
  return vault.sign(`reach ${nonce}`);
}

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

function whyNot(error: unknown): Reach {
  const { name, code, cause } = error as { name?: string; code?: string; cause?: { code?: string } };
  if (name === 'TimeoutError') {
    return {
      ok: false,
      problem: 'The public address did not answer in time.',
      hint: 'Is the internet slow, or down?',
    };
  }
  const word = cause?.code ?? code ?? (error instanceof Error ? error.message : String(error));
  return {
    ok: false,
    problem: `The public address cannot be reached (${word}).`,
    hint: 'Check that this box has internet, and that the address is right.',
  };
}

/** GET of a fresh number at the public address. Whatever else answers there is not this box. */
export async function askFromOutside(ask: Fetch, url: string, vault: Vault): Promise<Reach> {
  const nonce = newToken();
  try {
    const response = await ask(`${url}${CHECK_PATH}/${nonce}`, {
      method: 'GET',
      redirect: 'manual',
      headers: { accept: 'text/plain', 'cache-control': 'no-cache' },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = (await response.text()).slice(0, 200).trim();
    if (response.status === 200 && sameText(text, proofOf(vault, nonce))) return { ok: true, url };
    if (response.status === 200) {
      return {
        ok: false,
        problem: 'Something else than this box answers there.',
        hint: 'The address must lead to the callback listener of this box.',
      };
    }
    return {
      ok: false,
      problem: `The public address answers HTTP ${response.status}.`,
      hint:
        response.status >= 500
          ? 'The tunnel stands, but does not reach the callback listener of this box.'
          : 'The address must lead to the callback listener, without a path or a redirect.',
    };
  } catch (error) {
    return whyNot(error);
  }
}

/** Through a relay nothing comes back at once: a number is posted, and must come in by itself. */
export function createEcho(ask: Fetch) {
  const awaited = new Map<string, () => void>();
  return {
    /** The door heard this number. */
    hear(nonce: string): void {
      awaited.get(nonce)?.();
    },
    async check(url: string, patienceMs = TIMEOUT_MS): Promise<Reach> {
      const nonce = newToken();
      const heard = new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(false), patienceMs);
        awaited.set(nonce, () => {
          clearTimeout(timer);
          resolve(true);
        });
      });
      try {
        const response = await ask(`${url}${CHECK_PATH}/${nonce}`, {
          method: 'POST',
          body: '{}',
          redirect: 'manual',
          headers: { 'content-type': 'application/json' },
          signal: AbortSignal.timeout(TIMEOUT_MS),
        });
        await response.text();
        if (response.status !== 200) {
          return {
            ok: false,
            problem: `The relay answers HTTP ${response.status} for this box’s address.`,
            hint: 'Check the address of the relay and the name of this box.',
          };
        }
        if (await heard) return { ok: true, url };
        return {
          ok: false,
          problem: 'The relay took a notice, but it has not come in.',
          hint: 'Check the token; while older notices wait, they come first.',
        };
      } catch (error) {
        return whyNot(error);
      } finally {
        awaited.get(nonce)?.();
        awaited.delete(nonce);
      }
    },
  };
}
