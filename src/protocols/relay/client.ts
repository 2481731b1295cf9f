// Fetches notices from a store-and-forward relay and acknowledges those that are safe here (docs/relay.md).
import { RELAY_PAGE, RELAY_WAIT_SECONDS, type RelayNotice, type RelayPage, readRelayPage } from './notice.ts';

export interface RelayClientOptions {
  /** `https://hub.example`, without a slash at its end. */
  baseUrl: string;
  /** What the relay calls this box. */
  box: string;
  token: string;
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Resolves once the notice is on disk; a rejection has it come again. The same one may come twice. */
  deliver: (notice: RelayNotice) => Promise<void>;
  now: () => number;
  /** How long a question waits at the relay for something to come, seconds. */
  waitSeconds?: number;
  /** How long after the first, second … failure in a row it is tried again, ms. */
  backoffMs?: readonly number[];
}

export interface RelayState {
  state: 'starting' | 'up' | 'failing' | 'refused';
  /** What went wrong last; null while all is well. */
  problem: string | null;
  /** Epoch ms of the last answer. */
  answered_at: number | null;
  /** Notices that the relay still kept at its last answer. */
  waiting: number;
  /** Acknowledged since the start. */
  taken: number;
}

export interface RelayClient {
  /** Where the world sends this box's notices. */
  publicUrl: string;
  state(): RelayState;
  start(): void;
  /** Lets go of the relay; what is being delivered is finished first. */
  stop(): Promise<void>;
}

const BACKOFF_MS = [1000, 2000, 5000, 10_000, 30_000, 60_000];
/** Beyond its own waiting a relay answers within this, ms. */
const PATIENCE_MS = 15_000;

class Refused extends Error {}

function describe(error: unknown): string {
  const { name, code, cause, message } = error as Error & { code?: string; cause?: { code?: string } };
  if (name === 'TimeoutError') return 'The relay did not answer in time.';
  const word = cause?.code ?? code;
  return word ? `The relay cannot be reached (${word}).` : (message ?? String(error));
}

/** Draws notices one page after the other. It keeps nothing itself: what was not acknowledged the relay gives again. */
export function createRelayClient(options: RelayClientOptions): RelayClient {
  const { baseUrl, box, now } = options;
  const backoffMs = options.backoffMs ?? BACKOFF_MS;
  const waitSeconds = options.waitSeconds ?? RELAY_WAIT_SECONDS;
  const end = new AbortController();
  const state: RelayState = { state: 'starting', problem: null, answered_at: null, waiting: 0, taken: 0 };
  let running: Promise<void> = Promise.resolve();

  async function ask(path: string, init: RequestInit, patienceMs: number): Promise<unknown> {
    const response = await options.fetch(`${baseUrl}/relay/v1${path}`, {
      ...init,
      headers: {
        authorization: `Bearer ${options.token}`,
        'karibu-box': box,
        'content-type': 'application/json',
      },
      redirect: 'manual',
      signal: AbortSignal.any([end.signal, AbortSignal.timeout(patienceMs)]),
    });
    const text = await response.text();
    if (response.status === 401 || response.status === 403) throw new Refused('The relay refused the token.');
    if (response.status !== 200) throw new Error(`The relay answered HTTP ${response.status}.`);
    return JSON.parse(text) as unknown;
  }

  async function acknowledge(stream: string, through: number): Promise<void> {
    await ask('/acknowledge', { method: 'POST', body: JSON.stringify({ stream, through }) }, PATIENCE_MS);
  }

  /** Delivers in order; what came before one that fails is acknowledged all the same. */
  async function take(page: RelayPage): Promise<void> {
    let safe = 0;
    let count = 0;
    try {
      for (const notice of page.notices) {
        await options.deliver(notice);
        safe = notice.sequence;
        count += 1;
        if (end.signal.aborted) break;
      }
    } finally {
      if (safe > 0 && !end.signal.aborted) {
        await acknowledge(page.stream, safe);
        state.taken += count;
        state.waiting = Math.max(0, page.waiting - count);
      }
    }
  }

  async function draw(): Promise<void> {
    const path = `/notices?wait=${waitSeconds}&limit=${RELAY_PAGE}`;
    const page = readRelayPage(await ask(path, { method: 'GET' }, waitSeconds * 1000 + PATIENCE_MS));
    if (!page) throw new Error('The relay sent something that is no page of notices.');
    Object.assign(state, { state: 'up', problem: null, answered_at: now(), waiting: page.waiting });
    await take(page);
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, ms);
      function done() {
        clearTimeout(timer);
        end.signal.removeEventListener('abort', done);
        resolve();
      }
      end.signal.addEventListener('abort', done);
    });
  }

  async function run(): Promise<void> {
    let failures = 0;
    while (!end.signal.aborted) {
      try {
        await draw();
        failures = 0;
      } catch (error) {
        if (end.signal.aborted) return;
        const refused = error instanceof Refused;
        const problem = describe(error);
        Object.assign(state, { state: refused ? 'refused' : 'failing', problem });
        const at = refused ? backoffMs.length - 1 : Math.min(failures, backoffMs.length - 1);
        failures += 1;
        await pause(backoffMs[at] as number);
      }
    }
  }

  return {
    publicUrl: `${baseUrl}/n/${box}`,
    state: () => ({ ...state }),
    start() {
      running = run();
    },
    async stop() {
      end.abort();
      await running;
    },
  };
}
