// Tells requests that never left from requests that may have arrived, on real sockets.

import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { exchange } from '../../../src/protocols/mpesa/exchange.ts';

const open: Server[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

async function serve(onRequest: (socket: Socket, request: string) => void) {
  let requests = 0;
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', (data) => {
      requests += 1;
      onRequest(socket, data.toString());
    });
  });
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return { url, requests: () => requests };
}

const post = (url: string, timeoutMs = 5000) =>
  exchange((u, init) => fetch(u, init), url, { method: 'POST', headers: {}, body: '{}' }, timeoutMs);

describe('a request', () => {
  it('to a closed port was never sent', async () => {
    const { url } = await serve(() => undefined);
    await new Promise((resolve) => open.pop()?.close(resolve));
    expect(await post(url)).toMatchObject({ kind: 'unreachable' });
  });

  it('whose connection is cut is lost, and was sent once', async () => {
    const far = await serve((socket) => socket.destroy());
    expect(await post(far.url)).toMatchObject({ kind: 'lost' });
    expect(far.requests()).toBe(1);
  });

  it('whose answer is cut short is lost', async () => {
    const far = await serve((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"Respon'));
    expect(await post(far.url)).toMatchObject({ kind: 'lost' });
  });

  it('without an answer in time is lost', async () => {
    const far = await serve(() => undefined);
    expect(await post(far.url, 50)).toEqual({ kind: 'lost', cause: 'timeout' });
  });

  it('asks for a connection of its own', async () => {
    let head = '';
    const far = await serve((socket, request) => {
      head = request.toLowerCase();
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}');
    });
    expect(await post(far.url)).toEqual({ kind: 'answer', status: 200, text: '{}', json: {} });
    expect(head).toContain('connection: close');
  });

  it('is not sent on to where a redirect points', async () => {
    const far = await serve((socket) =>
      socket.end('HTTP/1.1 307 Moved\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n'),
    );
    expect(await post(far.url)).toMatchObject({ kind: 'answer', status: 307, json: undefined });
    expect(far.requests()).toBe(1);
  });
});
