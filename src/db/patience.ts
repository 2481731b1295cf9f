// How long PostgreSQL is waited for: a server that vanished without a word must not hold anybody up without end.
import type { PostgresPool, PostgresPoolClient } from 'kysely';
import type pg from 'pg';

/** In milliseconds. */
export interface Patience {
  /** For a connection, be it a new one or one that others use. */
  connect: number;
  /** For the answer to one statement. The server is told to give it up a little earlier. */
  answer: number;
  /**
   * How long a transaction may do nothing at the server before it ends it. Only the database is used in one: whoever does
   * nothing is gone, and holds the rows that those who came back want.
   */
  idle: number;
}

const IDLE_MS = 10_000;

/** Who signs in: a router asks again after 3 s, and gives up after three times. */
export const SIGN_IN_PATIENCE: Patience = { connect: 3000, answer: 3000, idle: 5000 };
/** What people, M-PESA and the jobs wait for. */
export const WORK_PATIENCE: Patience = { connect: 5000, answer: 15_000, idle: IDLE_MS };
/** One look at all that there is, for a report. */
export const REPORT_PATIENCE: Patience = { connect: 5000, answer: 2 * 60_000, idle: IDLE_MS };
/** A new index on a large table. */
export const MIGRATION_PATIENCE: Patience = { connect: 5000, answer: 60 * 60_000, idle: 60_000 };

/** How often a server that lets nobody in is knocked at, and how long somebody waits to hear of it, in milliseconds. */
const KNOCK_MS = 800;
const KNOCK_PATIENCE_MS = 1000;

/** What the server may take of the time that is waited for its answer, which then still comes in time. */
const SERVERS_SHARE = 0.8;
/**
 * By SQLSTATE (PostgreSQL, appendix A): the server is going, coming or full, or the connection is lost. Any other is an
 * answer to a statement.
 */
const SERVER_AWAY = /^(08...|53300|57P0[1-3])$/;

/** Whether the server said it; an error of the driver has no severity. */
const isAnswer = (error: unknown): error is Error & { severity: string; code?: string } =>
  error instanceof Error && 'severity' in error;

const saysAway = (error: unknown): boolean => isAnswer(error) && SERVER_AWAY.test(error.code ?? '');

function away(cause: unknown, asked_at: number, mayBeDone = false): Error {
  const code = mayBeDone ? 'DATABASE_AWAY_MAYBE_DONE' : 'DATABASE_AWAY';
  return Object.assign(new Error('The database does not answer.', { cause }), { code, asked_at });
}

/** Whether the store changes by this statement alone, so that it may have changed though no answer came. */
function changes(text: string, inTransaction: boolean): boolean {
  return text === 'commit' || (!inTransaction && !/^\s*(select|begin|start|rollback)\b/i.test(text));
}

interface Connection {
  client: PostgresPoolClient;
  /** Nobody else gets it. */
  isSuspect(): boolean;
}

/**
 * A pool whose every wait ends. A connection whose answer does not come in time is closed, never given to the next; the
 * others are not believed in either as soon as they are free, since what took one may have taken them all. That the
 * server is away comes as the error `DATABASE_AWAY`, and `DATABASE_AWAY_MAYBE_DONE` where nobody knows what it still did.
 * Once it let somebody wait in vain for a connection, the next wait for the pool's own knocking alone, a second at most.
 */
export function patientPool(pool: pg.Pool, patience: Patience): PostgresPool {
  const connections = new WeakMap<pg.PoolClient, Connection>();
  let doubts = 0;
  let ended = false;
  /** When a new connection was last greeted, of `performance.now()`. */
  let wellAt = Number.NEGATIVE_INFINITY;
  /** Set while the server lets nobody in: what the last who asked was told, and how the others hear that it does again. */
  let shut: { cause: unknown; askedAt: number; opened: Promise<void>; open: () => void } | undefined;
  let knocking: ReturnType<typeof setTimeout> | undefined;

  function shutOut(cause: unknown, askedAt: number): void {
    if (ended || askedAt < wellAt) return;
    if (shut) {
      Object.assign(shut, { cause, askedAt });
      return;
    }
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    shut = { cause, askedAt, opened, open };
    knocking = setTimeout(knock, KNOCK_MS).unref();
  }

  function knock(): void {
    if (!shut || ended) return;
    knocking = setTimeout(knock, KNOCK_MS).unref();
    // One that is free says more than a new one could.
    if (pool.idleCount > 0) return;
    open()
      .then(greeted)
      .then(
        ({ client }) => client.release(),
        () => undefined, // How it stands is written down by then.
      );
  }

  /** Waits where the server lets nobody in; throws that it is away unless it opens meanwhile. */
  async function waitAtTheDoor({ opened, cause, askedAt }: NonNullable<typeof shut>): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const inVain = new Promise<never>((_, reject) => {
      const tell = () => reject(away(cause, askedAt));
      timer = setTimeout(tell, Math.min(KNOCK_PATIENCE_MS, patience.connect));
    });
    await Promise.race([opened, inVain]).finally(() => clearTimeout(timer));
  }

  function connectionOf(client: pg.PoolClient): Connection {
    const doubtsBefore = doubts;
    /** Why nothing more comes from it. */
    let lost: unknown;
    /** What was said of it first: that a commit got no answer must not be covered by the rollback that follows. */
    let told: Error | undefined;
    client.on('error', (error) => {
      lost ??= error;
    });

    let inTransaction = false;

    function tell(askedAt: number, mayBeDone: boolean): Error {
      told ??= away(lost, askedAt, mayBeDone);
      return told;
    }

    async function query(text: string, values: unknown[]) {
      const askedAt = performance.now();
      if (lost) throw tell(askedAt, false);
      const timer = setTimeout(() => {
        doubts += 1;
        lost = new Error(`no answer within ${patience.answer} ms`);
        // While a statement is under way this takes no leave of the server, and the statement fails.
        client.end().catch(() => undefined);
      }, patience.answer);
      const mayBeDone = changes(text, inTransaction);
      if (/^(begin|start transaction)\b/.test(text)) inTransaction = true;
      else if (text === 'commit' || text === 'rollback') inTransaction = false;
      try {
        return await client.query(text, values);
      } catch (error) {
        if (saysAway(error)) lost ??= error;
        if (!lost) throw error;
        throw tell(askedAt, mayBeDone);
      } finally {
        clearTimeout(timer);
      }
    }

    const isSuspect = () => lost !== undefined || doubtsBefore !== doubts;
    return {
      isSuspect,
      // Nobody here reads through a cursor, the other thing that the type allows.
      client: { query, release: () => client.release(isSuspect()) } as unknown as PostgresPoolClient,
    };
  }

  async function open(): Promise<pg.PoolClient> {
    const askedAt = performance.now();
    // Else it waits for one that others use, as long as they use it.
    const isNew = pool.idleCount === 0 && pool.totalCount < pool.options.max;
    try {
      return await pool.connect();
    } catch (error) {
      if (ended || (isAnswer(error) && !saysAway(error))) throw error;
      const inVain = performance.now() - askedAt > patience.connect / 2;
      if (isNew && inVain) shutOut(error, askedAt);
      throw away(error, askedAt);
    }
  }

  /** What the server is told at first: what to give up by itself, when nobody hears it any more. */
  const greeting = `select ${Object.entries({
    statement_timeout: Math.round(patience.answer * SERVERS_SHARE),
    idle_in_transaction_session_timeout: patience.idle,
    tcp_keepalives_idle: 15,
    tcp_keepalives_interval: 5,
    tcp_keepalives_count: 3,
  })
    .map(([name, value]) => `set_config('${name}', '${value}', false)`)
    .join()}`;

  async function greeted(client: pg.PoolClient): Promise<Connection> {
    const connection = connectionOf(client);
    try {
      await connection.client.query(greeting, []);
    } catch (error) {
      client.release(true);
      throw error;
    }
    connections.set(client, connection);
    wellAt = performance.now();
    shut?.open();
    shut = undefined;
    return connection;
  }

  return {
    async connect() {
      for (;;) {
        if (shut && pool.idleCount === 0) await waitAtTheDoor(shut);
        const client = await open();
        const connection = connections.get(client) ?? (await greeted(client));
        if (!connection.isSuspect()) return connection.client;
        client.release(true);
      }
    },
    end() {
      ended = true;
      clearTimeout(knocking);
      return pool.end();
    },
  };
}
