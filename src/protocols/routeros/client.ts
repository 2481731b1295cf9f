// One connection to a router's API: log in, run commands, follow streams.
import { createHash } from 'node:crypto';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { createSentenceDecoder, encodeSentence, type ReadSentence, readSentence } from './sentence.ts';

/** What failed, so that a Test button can say which step it was. */
export type RouterOsErrorCode =
  | 'cannot_connect'
  | 'tls_failed'
  | 'login_refused'
  | 'timed_out'
  | 'connection_lost'
  | 'unexpected_answer'
  | 'trap';

export type RouterOsStep = 'connect' | 'tls' | 'login' | 'command';

/** A failure on the way to the router, or an answer of its that says no. Never carries the password. */
export class RouterOsError extends Error {
  override name = 'RouterOsError';
  readonly code: RouterOsErrorCode;
  readonly step: RouterOsStep;
  /** Of a trap: 0 missing item or command, 1 bad value, 2 interrupted, 3 scripting, 4 general, 5 API, 6 TTY. */
  readonly category: number | undefined;

  constructor(
    code: RouterOsErrorCode,
    step: RouterOsStep,
    message: string,
    details: { category?: number; cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.step = step;
    this.category = details.category;
  }
}

export interface RouterTls {
  /** SHA-256 fingerprint of the certificate, hex with or without colons. It alone is what counts when given. */
  fingerprint?: string;
  /** Whether the certificate must lead to a known authority; true when nothing is said. */
  rejectUnauthorized?: boolean;
}

export interface ConnectRouterOptions {
  host: string;
  /** 8728 plain, 8729 with TLS. */
  port: number;
  username: string;
  password: string;
  tls?: RouterTls;
  /** For TCP and TLS together. */
  connectTimeoutMs: number;
  /** For the login, and for each command that does not bring its own. */
  commandTimeoutMs: number;
  /**
   * Answer the MD5 challenge of RouterOS before 6.43. The password went out in clear by then, so this is for routers
   * known to be that old.
   */
  allowLegacyLogin?: boolean;
}

export type Row = Record<string, string>;
export type CommandAttributes = Readonly<Record<string, string | number | boolean>>;

export interface RunOptions {
  timeoutMs?: number;
}

export interface StreamOptions {
  attributes?: CommandAttributes;
  queries?: readonly string[];
}

export interface RouterStream {
  /** Asks the router to stop; resolves when it has, and no row comes after that. */
  cancel(): Promise<void>;
  /** Settles when the stream is over: undefined when it was cancelled or finished, else what ended it. Never rejects. */
  ended: Promise<Error | undefined>;
}

export interface RouterClient {
  /**
   * Runs a command to its end. Attributes are written `=name=value` (true as `yes`), queries as they are (`?name=x`,
   * `?#|`). Answers the rows; a value that comes with `!done` (the `.id` of an `add`) is a last row `{ ret }`.
   * Commands run in parallel over the one connection. Throws RouterOsError: `trap` when the router refuses,
   * `timed_out` (the command is cancelled on the router), `connection_lost`.
   */
  run(
    command: string,
    attributes?: CommandAttributes,
    queries?: readonly string[],
    options?: RunOptions,
  ): Promise<Row[]>;
  /**
   * Starts a command that goes on by itself (`/…/listen`, `monitor`) and hands over every row. A router sends no initial
   * snapshot: print first. A removed row has `.dead` = `true` or `yes`.
   */
  stream(command: string, onRow: (row: Row) => void, options?: StreamOptions): RouterStream;
  /** Ends the connection; what still runs fails with `connection_lost`. */
  close(): void;
  /** Settles when the connection is over: undefined after close(), else why. Never rejects. */
  closed: Promise<RouterOsError | undefined>;
}

/** A command on its way. */
interface Pending {
  onRow(row: Row): void;
  onEnd(error: RouterOsError | undefined): void;
  trap?: RouterOsError;
}

/**
 * Connects and logs in (RouterOS 6.43 and later: name and password in one sentence; run it over TLS or a tunnel).
 * Throws RouterOsError with the step that failed.
 */
export async function connectRouter(options: ConnectRouterOptions): Promise<RouterClient> {
  const socket = await openSocket(options);
  const connection = talk(socket);
  try {
    await logIn(connection, options);
  } catch (error) {
    connection.close();
    throw error;
  }
  return createClient(connection, options.commandTimeoutMs);
}

/** TCP, then TLS on top of it, so that the two failures can be told apart. */
function openSocket(options: ConnectRouterOptions): Promise<Socket> {
  const { host, port, tls, connectTimeoutMs } = options;
  return new Promise((resolve, reject) => {
    let step: 'connect' | 'tls' = 'connect';
    let secured: TLSSocket | undefined;
    const tcp = connectTcp({ host, port });

    function fail(code: RouterOsErrorCode, message: string, cause?: unknown): void {
      clearTimeout(timer);
      // Not both: Node crashes when the socket under a TLS socket goes first.
      (secured ?? tcp).destroy();
      reject(new RouterOsError(code, step, message, { cause }));
    }
    function failed(error: Error): void {
      if (step === 'connect')
        fail('cannot_connect', `Cannot connect to ${host}:${port}: ${error.message}`, error);
      else fail('tls_failed', `TLS with ${host}:${port} failed: ${error.message}`, error);
    }
    function closed(): void {
      failed(new Error('the connection was closed'));
    }
    function ready(socket: Socket): void {
      clearTimeout(timer);
      for (const each of [tcp, secured]) each?.off('error', failed).off('close', closed);
      resolve(socket);
    }
    const timer = setTimeout(() => {
      fail('timed_out', `No connection to ${host}:${port} within ${connectTimeoutMs} ms`);
    }, connectTimeoutMs);

    tcp.on('error', failed).on('close', closed);
    tcp.once('connect', () => {
      tcp.setNoDelay(true);
      tcp.setKeepAlive(true, 30_000);
      if (!tls) {
        ready(tcp);
        return;
      }
      step = 'tls';
      const socket = connectTls({
        socket: tcp,
        rejectUnauthorized: tls.fingerprint === undefined && tls.rejectUnauthorized !== false,
        ...(isIP(host) === 0 ? { servername: host } : {}),
      });
      secured = socket;
      tcp.on('error', (error) => socket.destroy(error));
      socket.on('error', failed).on('close', closed);
      socket.once('secureConnect', () => {
        if (tls.fingerprint !== undefined) {
          const seen = bareFingerprint(socket.getPeerCertificate()?.fingerprint256 ?? '');
          if (seen === '' || seen !== bareFingerprint(tls.fingerprint)) {
            fail('tls_failed', `${host}:${port} showed another certificate than the one that is known`);
            return;
          }
        }
        ready(socket);
      });
    });
  });
}

function bareFingerprint(fingerprint: string): string {
  return fingerprint.replace(/[^0-9a-fA-F]/g, '').toUpperCase();
}

/** Sentences with tags over an open socket. */
interface Connection {
  /** Sends an encoded command; its replies go to `pending` until the router ends it. Failures reach onEnd. */
  send(tag: string, sentence: Buffer, pending: Pending): void;
  /** Stops listening for a command's replies. */
  forget(tag: string): void;
  close(): void;
  closed: Promise<RouterOsError | undefined>;
}

function talk(socket: Socket): Connection {
  const decoder = createSentenceDecoder();
  const pendings = new Map<string, Pending>();
  let over: RouterOsError | undefined;
  let settleClosed: (error: RouterOsError | undefined) => void;
  const closed = new Promise<RouterOsError | undefined>((resolve) => {
    settleClosed = resolve;
  });

  function finish(error: RouterOsError, asked = false): void {
    if (over) return;
    over = error;
    socket.destroy();
    const left = [...pendings.values()];
    pendings.clear();
    for (const pending of left) pending.onEnd(pending.trap ?? error);
    settleClosed(asked ? undefined : error);
  }

  function receive(sentence: ReadSentence): void {
    const { word, attributes } = sentence;
    if (word === '!fatal') {
      const reason = sentence.others[0] ?? attributes.message ?? 'no reason given';
      finish(new RouterOsError('connection_lost', 'command', `The router closed the connection: ${reason}`));
      return;
    }
    const tag = sentence.api.tag ?? '';
    const pending = pendings.get(tag);
    if (!pending) return;
    switch (word) {
      case '!re':
        pending.onRow(attributes);
        break;
      case '!empty':
        break;
      case '!trap':
        pending.trap ??= trapError(attributes);
        break;
      case '!done':
        pendings.delete(tag);
        if (attributes.ret !== undefined) pending.onRow({ ret: attributes.ret });
        pending.onEnd(pending.trap);
        break;
      default:
        finish(new RouterOsError('unexpected_answer', 'command', 'What answers there is not a RouterOS API'));
    }
  }

  socket.on('data', (chunk: Buffer) => {
    try {
      for (const words of decoder.push(chunk)) {
        if (over) return;
        receive(readSentence(words));
      }
    } catch (error) {
      const message = 'What answers there is not a RouterOS API';
      finish(new RouterOsError('unexpected_answer', 'command', message, { cause: error }));
    }
  });
  socket.on('error', (error) => {
    finish(new RouterOsError('connection_lost', 'command', `The connection was lost: ${error.message}`));
  });
  socket.on('close', () => {
    finish(new RouterOsError('connection_lost', 'command', 'The router closed the connection'));
  });

  return {
    send(tag, sentence, pending) {
      if (over) {
        pending.onEnd(over);
        return;
      }
      pendings.set(tag, pending);
      socket.write(sentence);
    },
    forget(tag) {
      pendings.delete(tag);
    },
    close() {
      finish(new RouterOsError('connection_lost', 'command', 'The connection was closed'), true);
    },
    closed,
  };
}

function encodeCommand(tag: string, words: readonly string[]): Buffer {
  return encodeSentence(tag === '' ? words : [...words, `.tag=${tag}`]);
}

function trapError(attributes: Row): RouterOsError {
  const category = attributes.category === undefined ? undefined : Number(attributes.category);
  return new RouterOsError('trap', 'command', attributes.message ?? 'The router refused the command', {
    ...(category === undefined || Number.isNaN(category) ? {} : { category }),
  });
}

/** Collects a command's rows until its end, or gives up after `timeoutMs` and calls `onTimeout`. */
function collect(
  connection: Connection,
  tag: string,
  words: readonly string[],
  timeoutMs: number,
  onTimeout: () => void,
): Promise<Row[]> {
  // Before the promise: a value that cannot be sent is the caller's mistake, and nothing has begun yet.
  const sentence = encodeCommand(tag, words);
  return new Promise((resolve, reject) => {
    const rows: Row[] = [];
    const timer = setTimeout(() => {
      connection.forget(tag);
      onTimeout();
      const message = `The router did not finish ${words[0]} within ${timeoutMs} ms`;
      reject(new RouterOsError('timed_out', 'command', message));
    }, timeoutMs);
    connection.send(tag, sentence, {
      onRow: (row) => rows.push(row),
      onEnd(error) {
        clearTimeout(timer);
        if (error) reject(error);
        else resolve(rows);
      },
    });
  });
}

async function logIn(connection: Connection, options: ConnectRouterOptions): Promise<void> {
  const { username, password, commandTimeoutMs } = options;
  // Without a tag, as in the manual: what a router allows before login is limited.
  const attempt = (words: string[]) =>
    collect(connection, '', ['/login', ...words], commandTimeoutMs, () => {});
  try {
    const rows = await attempt([`=name=${username}`, `=password=${password}`]);
    const challenge = rows.at(-1)?.ret;
    if (challenge === undefined) return;
    if (!options.allowLegacyLogin) {
      const message = 'The router asks for the login of RouterOS before 6.43, which is not allowed here';
      throw new RouterOsError('login_refused', 'login', message);
    }
    await attempt([`=name=${username}`, `=response=${legacyLoginResponse(password, challenge)}`]);
  } catch (error) {
    if (!(error instanceof RouterOsError) || error.code === 'login_refused') throw error;
    const { code, message, category, cause } = error;
    throw new RouterOsError(code === 'trap' ? 'login_refused' : code, 'login', message, {
      ...(category === undefined ? {} : { category }),
      cause,
    });
  }
}

/** `=response=` of the login before 6.43: 00, then MD5(00, password, challenge) in hex. `challenge` is the hex of `=ret=`. */
export function legacyLoginResponse(password: string, challenge: string): string {
  const digest = createHash('md5')
    .update(Buffer.from([0]))
    .update(password, 'utf8')
    .update(Buffer.from(challenge, 'hex'))
    .digest('hex');
  return `00${digest}`;
}

function createClient(connection: Connection, commandTimeoutMs: number): RouterClient {
  let lastTag = 0;
  const nextTag = () => String(++lastTag);

  function cancelOnRouter(tag: string): void {
    const own = nextTag();
    connection.send(own, encodeCommand(own, ['/cancel', `=tag=${tag}`]), {
      onRow: () => {},
      onEnd: () => {},
    });
  }

  async function run(
    command: string,
    attributes: CommandAttributes = {},
    queries: readonly string[] = [],
    options: RunOptions = {},
  ): Promise<Row[]> {
    const tag = nextTag();
    const words = commandWords(command, attributes, queries);
    return collect(connection, tag, words, options.timeoutMs ?? commandTimeoutMs, () => cancelOnRouter(tag));
  }

  function stream(command: string, onRow: (row: Row) => void, options: StreamOptions = {}): RouterStream {
    const tag = nextTag();
    const words = commandWords(command, options.attributes ?? {}, options.queries ?? []);
    const sentence = encodeCommand(tag, words);
    let cancelled = false;
    let failure: Error | undefined;
    const ended = new Promise<Error | undefined>((resolve) => {
      connection.send(tag, sentence, {
        onRow(row) {
          if (cancelled) return;
          try {
            onRow(row);
          } catch (error) {
            // The reader's own failure ends its stream, not the connection that others share.
            failure = error instanceof Error ? error : new Error(String(error));
            cancelled = true;
            cancelOnRouter(tag);
          }
        },
        onEnd(error) {
          resolve(failure ?? (cancelled ? undefined : error));
        },
      });
    });
    return {
      ended,
      async cancel() {
        if (!cancelled) {
          cancelled = true;
          cancelOnRouter(tag);
        }
        await ended;
      },
    };
  }

  return { run, stream, close: connection.close, closed: connection.closed };
}

function commandWords(command: string, attributes: CommandAttributes, queries: readonly string[]): string[] {
  if (!command.startsWith('/')) throw new RangeError(`${command} is not a command: it starts with a slash`);
  const words = [command];
  for (const [name, value] of Object.entries(attributes)) {
    words.push(`=${name}=${value === true ? 'yes' : value === false ? 'no' : value}`);
  }
  for (const query of queries) {
    if (!query.startsWith('?'))
      throw new RangeError(`${query} is not a query: it starts with a question mark`);
    words.push(query);
  }
  return words;
}
