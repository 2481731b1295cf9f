// Sends RADIUS requests: the same packet again until its reply comes.
import { isIPv6 } from 'node:net';
import { getInteger } from './attributes.ts';
import { type Attribute, Code, encodeRequest, type Packet, verifyReply } from './packet.ts';
import { openUdp, type UdpSocket } from './udp.ts';

export interface RequestOptions {
  /** An IP address. */
  host: string;
  port: number;
  secret: Buffer;
  code: number;
  attributes: readonly Attribute[];
  /** What User-Password was hidden with; a fresh one when absent. Only Access-Request and Status-Server have it. */
  authenticator?: Buffer;
  messageAuthenticator?: boolean | 'first' | 'last';
  /** Ignore replies without Message-Authenticator, as RouterOS 7.15 does for Access-Requests. */
  requireMessageAuthenticator?: boolean;
  /** How long each attempt waits; 1000. */
  timeoutMs?: number;
  /** How often the packet is sent at most; 3, as RouterOS was seen to do. */
  attempts?: number;
  /** A packet came under our identifier that is no true reply to it: forged, or made with another secret. */
  onBadReply?(): void;
}

/** `error` is the system's last refusal to send, if there was one: no route, for instance. */
export type RequestOutcome = { packet: Packet } | { timeout: true; error?: Error };

export interface RadiusRequester {
  request(options: RequestOptions): Promise<RequestOutcome>;
  /** Requests still waiting end as timeouts. */
  close(): Promise<void>;
}

/** What a NAS answered to a Disconnect- or CoA-Request; `error_cause` as in ErrorCause (RFC 5176 §3.5). */
export interface ChangeOutcome {
  outcome: 'ack' | 'nak' | 'timeout';
  error_cause?: number;
}

export type ChangeOptions = Omit<RequestOptions, 'code' | 'authenticator' | 'requireMessageAuthenticator'>;

/** One socket with its 256 identifiers, which is all that may be outstanding on it (RFC 2865 §3). */
interface Lane {
  opened: Promise<UdpSocket>;
  waiting: ((datagram: Buffer) => void)[];
  localAddress: string;
  /** False once the socket failed or could not be opened. */
  usable: boolean;
  free: number;
  next: number;
}

/**
 * Opens sockets as they are needed, one for every 256 requests outstanding. `localAddress` is the address to send from
 * (RouterOS takes Disconnect and CoA only from an address in its `/radius` list).
 */
export function createRadiusRequester(settings: { localAddress?: string } = {}): RadiusRequester {
  const lanes: Lane[] = [];
  const cancels = new Set<() => void>();
  let closed = false;

  function openLane(localAddress: string): Lane {
    const lane: Lane = {
      waiting: [],
      localAddress,
      usable: true,
      free: 256,
      next: 0,
      opened: openUdp({
        host: localAddress,
        port: 0,
        onMessage: (datagram) => {
          if (datagram.length >= 20) lane.waiting[datagram[1]!]?.(datagram);
        },
        onError: () => {
          lane.usable = false;
        },
      }),
    };
    lanes.push(lane);
    return lane;
  }

  /** The identifier least lately used: an old reply that comes late meets a request it does not fit. */
  function takeIdentifier(lane: Lane): number {
    while (lane.waiting[lane.next]) lane.next = (lane.next + 1) & 255;
    const identifier = lane.next;
    lane.next = (lane.next + 1) & 255;
    lane.free--;
    return identifier;
  }

  async function request(options: RequestOptions): Promise<RequestOutcome> {
    if (closed) throw new Error('The RADIUS requester is closed');
    const localAddress = settings.localAddress ?? (isIPv6(options.host) ? '::' : '0.0.0.0');
    const lane =
      lanes.find((each) => each.usable && each.free > 0 && each.localAddress === localAddress) ??
      openLane(localAddress);
    const identifier = takeIdentifier(lane);
    try {
      const packet = encodeRequest({ ...options, identifier }, options.secret, options);
      return await exchange(lane, packet, options);
    } finally {
      delete lane.waiting[identifier];
      lane.free++;
    }
  }

  function exchange(lane: Lane, packet: Packet, options: RequestOptions): Promise<RequestOutcome> {
    return new Promise((resolve, reject) => {
      const attempts = options.attempts ?? 3;
      let sent = 0;
      let refusal: Error | undefined;
      let timer: NodeJS.Timeout | undefined;
      const settle = (outcome: RequestOutcome): void => {
        clearTimeout(timer);
        cancels.delete(cancel);
        resolve(outcome);
      };
      const cancel = (): void => settle(refusal ? { timeout: true, error: refusal } : { timeout: true });
      cancels.add(cancel);
      lane.waiting[packet.identifier] = (datagram) => {
        const reply = verifyReply(datagram, packet, options.secret, options);
        if (reply) settle({ packet: reply });
        else options.onBadReply?.();
      };
      const attempt = (socket: UdpSocket): void => {
        if (sent >= attempts) {
          cancel();
          return;
        }
        sent++;
        socket.send(packet.bytes, options.host, options.port, (error) => {
          refusal = error;
        });
        timer = setTimeout(attempt, options.timeoutMs ?? 1000, socket);
      };
      lane.opened.then(
        (socket) => {
          if (cancels.has(cancel)) attempt(socket);
        },
        (error) => {
          lane.usable = false;
          cancels.delete(cancel);
          reject(error);
        },
      );
    });
  }

  return {
    request,
    async close() {
      closed = true;
      for (const cancel of [...cancels]) cancel();
      const opened = await Promise.allSettled(lanes.map((lane) => lane.opened));
      await Promise.all(opened.map((lane) => (lane.status === 'fulfilled' ? lane.value.close() : undefined)));
    },
  };
}

/** One request from a socket of its own. Many at a time: createRadiusRequester. */
export async function sendRequest(
  options: RequestOptions & { localAddress?: string },
): Promise<RequestOutcome> {
  const requester = createRadiusRequester({ localAddress: options.localAddress });
  try {
    return await requester.request(options);
  } finally {
    await requester.close();
  }
}

/** Ends a session (RFC 5176 §2.1). */
export function disconnect(options: ChangeOptions & { localAddress?: string }): Promise<ChangeOutcome> {
  return change({ ...options, code: Code.DisconnectRequest });
}

/** Changes a session while it lasts (RFC 5176 §2.2). */
export function coa(options: ChangeOptions & { localAddress?: string }): Promise<ChangeOutcome> {
  return change({ ...options, code: Code.CoaRequest });
}

async function change(options: RequestOptions & { localAddress?: string }): Promise<ChangeOutcome> {
  const answer = await sendRequest(options);
  if ('timeout' in answer) return { outcome: 'timeout' };
  const { packet } = answer;
  if (packet.code === Code.DisconnectAck || packet.code === Code.CoaAck) return { outcome: 'ack' };
  const cause = getInteger(packet, 'Error-Cause');
  return cause === undefined ? { outcome: 'nak' } : { outcome: 'nak', error_cause: cause };
}
