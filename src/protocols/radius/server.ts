// A RADIUS server: which packets deserve an answer, each answered once.
import { hasAttribute } from './attributes.ts';
import { createDuplicateCache, type DuplicateEntry } from './duplicates.ts';
import {
  type Attribute,
  Code,
  decodePacket,
  encodeReply,
  type Packet,
  verifyMessageAuthenticator,
  verifyRequestAuthenticator,
} from './packet.ts';
import { openUdp, type UdpSocket } from './udp.ts';
import { openUdpInTurns } from './udp-in-turns.ts';

export interface Endpoint {
  host: string;
  port: number;
}

/** A NAS we share a secret with. An empty secret is no secret: its packets are those of a stranger. */
export interface RadiusClient {
  id: string;
  secret: Buffer;
  /**
   * Whether an Access-Request must carry Message-Authenticator. `auto`: once this client has sent a right one.
   * Until then, one without it that carries Proxy-State is refused, which is what the attack of CVE-2024-3596 needs.
   */
  requireMessageAuthenticator: 'auto' | 'yes' | 'no';
}

/** Which sources of a client have sent a right Message-Authenticator; asked for every packet, so in memory. */
export interface SigningMemory {
  has(clientId: string, address: string): boolean;
  add(clientId: string, address: string): void;
}

export interface Reply {
  code: number;
  attributes: readonly Attribute[];
  /** How long an Access-Reject waits before it leaves, instead of the server's `rejectDelayMs`. */
  delayMs?: number;
}

/** Where a request came from. */
export interface Sender {
  address: string;
  port: number;
}

export type Listener = 'auth' | 'acct';

/** Undefined means silence: the NAS will ask again, and the retransmission is processed anew. */
export type RequestHandler<C extends RadiusClient> = (
  request: Packet,
  client: C,
  sender: Sender,
) => Promise<Reply | undefined> | Reply | undefined;

/** Why a packet got no answer. */
export type SilenceReason =
  | 'unknown_client'
  | 'malformed'
  | 'wrong_code'
  | 'message_authenticator_missing'
  | 'message_authenticator_wrong'
  | 'request_authenticator_wrong'
  | 'overloaded'
  | 'handler_silent'
  | 'failed';

export interface RadiusServerOptions<C extends RadiusClient> {
  authListen: Endpoint;
  acctListen: Endpoint;
  /** Called for every packet, so it must be a look-up in memory. */
  findClient(address: string): C | undefined;
  onAccess: RequestHandler<C>;
  onAccounting: RequestHandler<C>;
  /** A handler threw, a reply could not be made, or the system refused to send. Must not throw. */
  onError(error: unknown, context: { listener: Listener; address?: string }): void;
  onUnknownClient?(address: string): void;
  /** What outlives this server; without it a restart forgets who signs. */
  signing?: SigningMemory;
  onSilence?(reason: SilenceReason, address: string): void;
  /** Milliseconds that only go forward, to age the duplicate cache. */
  now?(): number;
  /** How long a reply is kept for retransmissions; 30 s. */
  duplicateLifetimeMs?: number;
  /** How many requests the duplicate cache holds at most; 131,072. */
  duplicateCapacity?: number;
  /** How many requests may wait for their handler before new ones get silence; 20,000. */
  mostInFlight?: number;
  /** How long an Access-Reject waits before it leaves, so that guessing is slow; 0, at once. */
  rejectDelayMs?: number;
  /** How many Access-Rejects may wait; beyond it they leave at once, so that guessing cannot fill the memory; 10,000. */
  mostDelayed?: number;
  /** Calls back after so many milliseconds; returns the way to call it off. Timers of the runtime unless given. */
  later?(callback: () => void, ms: number): () => void;
}

export interface RadiusCounters {
  access_requests: number;
  access_accepts: number;
  access_rejects: number;
  access_challenges: number;
  accounting_requests: number;
  accounting_responses: number;
  status_requests: number;
  /** Retransmissions that got the reply of the first again. */
  duplicates_answered: number;
  /** Retransmissions that came while the first was being processed. */
  duplicates_dropped: number;
  silences: Record<SilenceReason, number>;
}

export interface RadiusServer {
  start(): Promise<{ auth: Endpoint; acct: Endpoint }>;
  /**
   * Takes no more requests, sends the Access-Rejects that wait, lets requests under way be answered (for 2 s at most),
   * closes the sockets.
   */
  stop(): Promise<void>;
  /** Gives back the memory of replies that nobody asks for any more; call it now and then. */
  tidy(): void;
  readonly counters: RadiusCounters;
}

const stopPatienceMs = 2000;

function signingUntilRestart(): SigningMemory {
  const known = new Set<string>();
  return {
    has: (clientId, address) => known.has(`${clientId} ${address}`),
    add: (clientId, address) => void known.add(`${clientId} ${address}`),
  };
}

function laterByTimeout(callback: () => void, ms: number): () => void {
  const timeout = setTimeout(callback, ms);
  return () => clearTimeout(timeout);
}

/**
 * A server on two ports, as RFC 2865 and 2866 want them, answering Status-Server on both (RFC 5997). Rubbish gets
 * silence: packets of strangers, malformed ones, ones that fail an authenticator are counted and never answered.
 * A retransmission is never processed while the first is, and gets the same octets afterwards.
 * Replies leave from the socket the request came to; RouterOS discards others. An Access-Reject leaves late when that is
 * asked for: nothing else waits for it, and a retransmission meanwhile counts as one of a request under way.
 */
export function createRadiusServer<C extends RadiusClient>(options: RadiusServerOptions<C>): RadiusServer {
  const now = options.now ?? (() => performance.now());
  const mostInFlight = options.mostInFlight ?? 20_000;
  const duplicates = createDuplicateCache(
    options.duplicateLifetimeMs ?? 30_000,
    options.duplicateCapacity ?? 131_072,
  );
  const rejectDelayMs = options.rejectDelayMs ?? 0;
  const mostDelayed = options.mostDelayed ?? 10_000;
  const later = options.later ?? laterByTimeout;
  /** Sends one Access-Reject that waits, at once. */
  const delayed = new Set<() => void>();
  const counters = noCounts();
  const signing = options.signing ?? signingUntilRestart();
  let sockets: { auth: UdpSocket; acct: UdpSocket } | undefined;
  let inFlight = 0;
  let stopping = false;
  let whenIdle: (() => void) | undefined;

  function silence(reason: SilenceReason, address: string): void {
    counters.silences[reason]++;
    options.onSilence?.(reason, address);
    if (reason === 'unknown_client') options.onUnknownClient?.(address);
  }

  function fail(error: unknown, listener: Listener, address: string): void {
    silence('failed', address);
    options.onError(error, { listener, address });
  }

  function receive(listener: Listener, datagram: Buffer, address: string, port: number): void {
    if (stopping) return;
    try {
      consider(listener, datagram, { address, port });
    } catch (error) {
      fail(error, listener, address);
    }
  }

  function consider(listener: Listener, datagram: Buffer, sender: Sender): void {
    const client = options.findClient(sender.address);
    const request = client && client.secret.length > 0 ? decodePacket(datagram) : undefined;
    const reason = findReasonForSilence(listener, request, client, sender.address);
    if (reason || !request || !client) {
      silence(reason ?? 'malformed', sender.address);
    } else if (request.code === Code.StatusServer) {
      answerStatus(listener, request, client, sender);
    } else {
      handleOnce(listener, request, client, sender);
    }
  }

  function findReasonForSilence(
    listener: Listener,
    request: Packet | undefined,
    client: C | undefined,
    address: string,
  ): SilenceReason | undefined {
    if (!client || client.secret.length === 0) return 'unknown_client';
    if (!request) return 'malformed';
    const expected = listener === 'auth' ? Code.AccessRequest : Code.AccountingRequest;
    if (request.code !== expected && request.code !== Code.StatusServer) return 'wrong_code';
    return findFlaw(request, client, address);
  }

  /** Why a packet cannot be believed, undefined when it can. */
  function findFlaw(request: Packet, client: C, address: string): SilenceReason | undefined {
    const signed = request.messageAuthenticatorAt !== 0;
    if (signed && !verifyMessageAuthenticator(request, client.secret)) return 'message_authenticator_wrong';
    if (request.code === Code.AccountingRequest) {
      return verifyRequestAuthenticator(request, client.secret) ? undefined : 'request_authenticator_wrong';
    }
    if (!signed) return mustBeSigned(request, client, address) ? 'message_authenticator_missing' : undefined;
    if (request.code === Code.AccessRequest) signing.add(client.id, address);
    return undefined;
  }

  function mustBeSigned(request: Packet, client: C, address: string): boolean {
    if (request.code === Code.StatusServer || client.requireMessageAuthenticator === 'yes') return true;
    // RFC 3579 §3.2: whatever the setting, an EAP-Message proves nothing without it.
    if (hasAttribute(request, 'EAP-Message')) return true;
    if (client.requireMessageAuthenticator === 'no') return false;
    return signing.has(client.id, address) || hasAttribute(request, 'Proxy-State');
  }

  function answerStatus(listener: Listener, request: Packet, client: C, sender: Sender): void {
    counters.status_requests++;
    const code = listener === 'auth' ? Code.AccessAccept : Code.AccountingResponse;
    send(listener, encodeReply({ code, attributes: [] }, request, client.secret), sender);
  }

  function handleOnce(listener: Listener, request: Packet, client: C, sender: Sender): void {
    const { address, port } = sender;
    const at = now();
    const earlier = duplicates.find(request.bytes, address, port, at);
    if (earlier === 'under_way') {
      counters.duplicates_dropped++;
    } else if (earlier) {
      counters.duplicates_answered++;
      send(listener, earlier, sender);
    } else if (inFlight >= mostInFlight) {
      silence('overloaded', address);
    } else {
      handle(listener, request, client, sender, duplicates.add(request.bytes, address, port, at));
    }
  }

  function handle(
    listener: Listener,
    request: Packet,
    client: C,
    sender: Sender,
    entry: DuplicateEntry,
  ): void {
    if (listener === 'auth') counters.access_requests++;
    else counters.accounting_requests++;
    const handler = listener === 'auth' ? options.onAccess : options.onAccounting;

    const finish = (reply: Reply | undefined): void => {
      if (reply) {
        const encoded = encodeReply(reply, request, client.secret);
        afterItsDelay(reply, () => {
          duplicates.answer(entry, encoded);
          count(reply.code);
          send(listener, encoded, sender);
        });
      } else {
        duplicates.remove(entry);
        silence('handler_silent', sender.address);
      }
    };
    const giveUp = (error: unknown): void => {
      duplicates.remove(entry);
      fail(error, listener, sender.address);
    };

    try {
      const outcome = handler(request, client, sender);
      if (outcome instanceof Promise) void track(outcome, finish, giveUp);
      else finish(outcome);
    } catch (error) {
      giveUp(error);
    }
  }

  function afterItsDelay(reply: Reply, leave: () => void): void {
    const ms = reply.code === Code.AccessReject ? (reply.delayMs ?? rejectDelayMs) : 0;
    if (ms <= 0 || stopping || delayed.size >= mostDelayed) {
      leave();
      return;
    }
    const callOff = later(() => {
      delayed.delete(leaveNow);
      leave();
    }, ms);
    const leaveNow = () => {
      callOff();
      delayed.delete(leaveNow);
      leave();
    };
    delayed.add(leaveNow);
  }

  /** Counts a request as under way until its answer is out. */
  async function track(
    outcome: Promise<Reply | undefined>,
    finish: (reply: Reply | undefined) => void,
    giveUp: (error: unknown) => void,
  ): Promise<void> {
    inFlight++;
    try {
      finish(await outcome);
    } catch (error) {
      giveUp(error);
    } finally {
      inFlight--;
      if (inFlight === 0) whenIdle?.();
    }
  }

  function count(code: number): void {
    if (code === Code.AccessAccept) counters.access_accepts++;
    else if (code === Code.AccessReject) counters.access_rejects++;
    else if (code === Code.AccessChallenge) counters.access_challenges++;
    else if (code === Code.AccountingResponse) counters.accounting_responses++;
  }

  function send(listener: Listener, reply: Buffer, sender: Sender): void {
    sockets?.[listener].send(reply, sender.address, sender.port);
  }

  function listen(listener: Listener, endpoint: Endpoint): Promise<UdpSocket> {
    const open = 'Bun' in globalThis ? openUdpInTurns : openUdp;
    return open({
      ...endpoint,
      onMessage: (datagram, address, port) => receive(listener, datagram, address, port),
      onError: (error) => options.onError(error, { listener }),
    });
  }

  return {
    counters,
    tidy: () => duplicates.tidy(now()),
    async start() {
      const auth = await listen('auth', options.authListen);
      try {
        sockets = { auth, acct: await listen('acct', options.acctListen) };
      } catch (error) {
        await auth.close();
        throw error;
      }
      stopping = false;
      return {
        auth: { host: auth.host, port: auth.port },
        acct: { host: sockets.acct.host, port: sockets.acct.port },
      };
    },
    async stop() {
      stopping = true;
      for (const leaveNow of [...delayed]) leaveNow();
      if (inFlight > 0) {
        await new Promise<void>((resolve) => {
          const patience = setTimeout(resolve, stopPatienceMs);
          whenIdle = () => {
            clearTimeout(patience);
            resolve();
          };
        });
        whenIdle = undefined;
      }
      const open = sockets;
      sockets = undefined;
      if (open) await Promise.all([open.auth.close(), open.acct.close()]);
    },
  };
}

function noCounts(): RadiusCounters {
  return {
    access_requests: 0,
    access_accepts: 0,
    access_rejects: 0,
    access_challenges: 0,
    accounting_requests: 0,
    accounting_responses: 0,
    status_requests: 0,
    duplicates_answered: 0,
    duplicates_dropped: 0,
    silences: {
      unknown_client: 0,
      malformed: 0,
      wrong_code: 0,
      message_authenticator_missing: 0,
      message_authenticator_wrong: 0,
      request_authenticator_wrong: 0,
      overloaded: 0,
      handler_silent: 0,
      failed: 0,
    },
  };
}
