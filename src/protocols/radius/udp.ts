// A UDP socket as RADIUS needs it, the same on Bun and Node.
import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns';
import { isIP, isIPv4, isIPv6 } from 'node:net';

export interface UdpOptions {
  /** Address to bind; an IPv6 one (such as `::`) also takes IPv4. */
  host: string;
  /** 0 picks a free port. */
  port: number;
  /** `address` is without the `::ffff:` of IPv4 on an IPv6 socket. `datagram` belongs to the receiver. */
  onMessage(datagram: Buffer, address: string, port: number): void;
  /** A socket error after binding, such as a reply that the system refused to send. */
  onError(error: Error): void;
}

export interface UdpSocket {
  host: string;
  port: number;
  /** `onRefused` gets the system's refusal to send; without it, onError does. */
  send(datagram: Buffer, address: string, port: number, onRefused?: (error: Error) => void): void;
  close(): Promise<void>;
}

// The system grants at most its own limit (net.core.rmem_max), without an error when that is less.
export const RECEIVE_BUFFER = 4 * 1024 * 1024;

/** Binds a socket; rejects when the address or port is not to be had. */
export function openUdp(options: UdpOptions): Promise<UdpSocket> {
  const socket = createSocket({
    type: isIPv6(options.host) ? 'udp6' : 'udp4',
    recvBufferSize: RECEIVE_BUFFER,
    lookup: lookupUnlessAddress,
  });
  socket.on('message', (datagram, sender) =>
    options.onMessage(datagram, plainAddress(sender.address), sender.port),
  );
  return new Promise((resolve, reject) => {
    // Bun's error leaves the port out.
    const refuse = (cause: Error) =>
      reject(new Error(`UDP ${options.host}:${options.port}: ${cause.message}`, { cause }));
    socket.once('error', refuse);
    socket.bind({ address: options.host, port: options.port, exclusive: true }, () => {
      socket.removeListener('error', refuse);
      socket.on('error', options.onError);
      resolve(wrap(socket));
    });
  });
}

/** An address needs no resolver: with this, a datagram has left when send returns, even if close follows. */
const lookupUnlessAddress: typeof lookup = ((host: string, options: object, done: LookupCallback) => {
  const family = isIP(host);
  if (family === 0) lookup(host, options, done);
  else done(null, host, family);
}) as typeof lookup;

type LookupCallback = (error: NodeJS.ErrnoException | null, address: string, family: number) => void;

function wrap(socket: Socket): UdpSocket {
  const bound = socket.address();
  const onIPv6 = bound.family === 'IPv6';
  let closed: Promise<void> | undefined;
  return {
    host: bound.address,
    port: bound.port,
    send(datagram, address, port, onRefused) {
      if (closed) return;
      const to = onIPv6 && isIPv4(address) ? `::ffff:${address}` : address;
      if (onRefused) socket.send(datagram, port, to, (error) => error && onRefused(error));
      else socket.send(datagram, port, to);
    },
    close() {
      closed ??= new Promise((resolve) => socket.close(() => resolve()));
      return closed;
    },
  };
}

/** `::ffff:192.0.2.1` is how an IPv6 socket spells the IPv4 address 192.0.2.1 (RFC 4291 §2.5.5.2). */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}
