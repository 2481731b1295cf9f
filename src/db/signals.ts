// Tells the other nodes at the same PostgreSQL what happened, so that they need not look for it.
import type pg from 'pg';
import { isPostgresUrl } from '../lib/database-url.ts';
import { newToken } from '../lib/secrets.ts';

/**
 * News between nodes: a hint that something changed, never the change itself, since a message is lost while a node is
 * not connected.
 */
export interface Signals<T> {
  /** Sent a moment later, with others; of several with one key only the last. */
  send(key: string, message: T): void;
  /** Calls `listener` with what the other nodes send, and with undefined when some of it may have been missed. */
  start(listener: (message: T | undefined) => void): Promise<void>;
  stop(): Promise<void>;
}

const CHANNEL = 'karibu_nodes';
const GATHER_MS = 300;
/** PostgreSQL takes less than 8000 octets in one; a storm of news is cut, since every node can look for itself. */
const MOST_OCTETS = 7000;
const MOST_PACKETS = 8;
const AGAIN_MS = 1000;
/** In milliseconds. Nothing may come for hours: how often the server is asked whether it is there, and waited for. */
const PATIENCE = { pulse: 10_000, answer: 5000 };

/** On SQLite there is no other node: nothing is sent, nothing comes. */
export function openSignals<T>(location: string, patience = PATIENCE): Signals<T> {
  if (isPostgresUrl(location)) return signalsThrough(location, patience);
  return { send() {}, async start() {}, async stop() {} };
}

/** Messages as few packets; what is too long or too much is left out. */
function pack(from: string, messages: Iterable<string>): string[] {
  const packets: string[][] = [[]];
  let octets = 0;
  for (const text of messages) {
    const size = Buffer.byteLength(text) + 1;
    if (size > MOST_OCTETS) continue;
    if (octets + size > MOST_OCTETS) {
      if (packets.length === MOST_PACKETS) break;
      packets.push([]);
      octets = 0;
    }
    packets.at(-1)?.push(text);
    octets += size;
  }
  return packets.map((texts) => `${from} [${texts.join()}]`);
}

function signalsThrough<T>(url: string, patience: typeof PATIENCE): Signals<T> {
  const self = newToken();
  const waiting = new Map<string, string>();
  let client: pg.Client | undefined;
  let listener: (message: T | undefined) => void = () => {};
  let gather: ReturnType<typeof setTimeout> | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;
  let pulse: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;

  /** Asks now and then: a server that vanished says nothing, like one that has no news. */
  function feel(from: pg.Client): void {
    pulse = setTimeout(() => {
      from.query('select 1').then(
        () => client === from && feel(from),
        () => lost(from),
      );
    }, patience.pulse);
  }

  function lost(from: pg.Client): void {
    if (client === from) {
      client = undefined;
      clearTimeout(pulse);
    }
    from.end().catch(() => undefined);
    if (stopped) return;
    clearTimeout(again);
    again = setTimeout(() => void connect().then((connected) => connected && listener(undefined)), AGAIN_MS);
  }

  /** False when there is no connection now: then it is tried again. */
  async function connect(): Promise<boolean> {
    const { default: driver } = await import('pg');
    const fresh = new driver.Client({
      connectionString: url,
      connectionTimeoutMillis: patience.answer,
      query_timeout: patience.answer,
      keepAlive: true,
      application_name: 'karibu signals',
    });
    fresh.on('error', () => lost(fresh));
    fresh.on('notification', ({ payload = '' }) => {
      const end = payload.indexOf(' ');
      if (payload.slice(0, end) === self) return;
      for (const message of JSON.parse(payload.slice(end)) as T[]) listener(message);
    });
    try {
      await fresh.connect();
      await fresh.query(`listen ${CHANNEL}`);
    } catch {
      // The store's own queries say what is wrong.
      lost(fresh);
      return false;
    }
    client = fresh;
    if (stopped) await leave(fresh);
    else feel(fresh);
    return !stopped;
  }

  /** Says goodbye, and does not wait long for a server that does not hear it. */
  async function leave(from: pg.Client): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const long = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, patience.answer);
    });
    await Promise.race([from.end().catch(() => undefined), long]);
    clearTimeout(timer);
  }

  async function flush(): Promise<void> {
    gather = undefined;
    const packets = pack(self, waiting.values());
    waiting.clear();
    const through = client;
    try {
      for (const packet of packets) await through?.query('select pg_notify($1, $2)', [CHANNEL, packet]);
    } catch {
      // Only a hint is lost; the connection's own error has it opened again.
    }
  }

  return {
    send(key, message) {
      if (stopped || !client) return;
      waiting.set(key, JSON.stringify(message));
      gather ??= setTimeout(() => void flush(), GATHER_MS);
    },
    async start(call) {
      listener = call;
      await connect();
    },
    async stop() {
      stopped = true;
      clearTimeout(gather);
      clearTimeout(again);
      clearTimeout(pulse);
      if (client) await leave(client);
    },
  };
}
