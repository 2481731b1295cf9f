// Finds out whether a port can be listened on.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import type { Address } from '../config.ts';

export type Transport = 'tcp' | 'udp';

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? String(error);

function tryTcp({ host, port }: Address): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(codeOf(error)));
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}

function tryUdp({ host, port }: Address): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', (error) => {
      socket.close();
      resolve(codeOf(error));
    });
    socket.bind(port, host, () => socket.close(() => resolve(undefined)));
  });
}

/** Why this address cannot be listened on just now (`EADDRINUSE`, `EACCES` …); undefined when it can. */
export function findBindProblem(address: Address, transport: Transport): Promise<string | undefined> {
  return transport === 'tcp' ? tryTcp(address) : tryUdp(address);
}

/**
 * The address, or port 0 on the same host (which picks a free one) when it is taken. Only a standard port gives way:
 * one that was asked for is left to fail where it is bound.
 */
export async function freeAddress(
  wanted: Address,
  standardPort: number,
  transport: Transport,
): Promise<Address> {
  if (wanted.port !== standardPort || !(await findBindProblem(wanted, transport))) return wanted;
  return { ...wanted, port: 0 };
}
