// Finds out whether a port can be listened on.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import type { Address } from '../../config.ts';

export type Transport = 'tcp' | 'udp';

function tryTcp({ host, port }: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

function tryUdp({ host, port }: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', () => {
      socket.close();
      resolve(false);
    });
    socket.bind(port, host, () => socket.close(() => resolve(true)));
  });
}

/** Whether this address could be bound just now. */
export function isFree(address: Address, transport: Transport): Promise<boolean> {
  return transport === 'tcp' ? tryTcp(address) : tryUdp(address);
}

/**
 * The address, or port 0 on the same host (which picks a free one) when it is taken. Only a standard address gives way:
 * one that was asked for is left to fail where it is bound.
 */
export async function freeAddress(
  wanted: Address,
  standardPort: number,
  transport: Transport,
): Promise<Address> {
  if (wanted.port !== standardPort || (await isFree(wanted, transport))) return wanted;
  return { ...wanted, port: 0 };
}
