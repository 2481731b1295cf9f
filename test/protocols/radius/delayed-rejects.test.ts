// Access-Rejects that leave late: what waits, what does not, and what ends the waiting.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { attribute, getString } from '../../../src/protocols/radius/attributes.ts';
import { Code, encodeRequest, type Packet, verifyReply } from '../../../src/protocols/radius/packet.ts';
import { createRadiusServer, type RadiusServer, type Reply } from '../../../src/protocols/radius/server.ts';
import { openPeer, type Peer } from './material.ts';

const secret = Buffer.from('testing123');

let server: RadiusServer;
let port: number;
let peer: Peer;
let waiting: { callback(): void; ms: number }[];

beforeEach(async () => {
  waiting = [];
  server = createRadiusServer({
    authListen: { host: '127.0.0.1', port: 0 },
    acctListen: { host: '127.0.0.1', port: 0 },
    findClient: () => ({ id: 'r1', secret, requireMessageAuthenticator: 'auto' }),
    onAccess: answerByName,
    onAccounting: () => ({ code: Code.AccountingResponse, attributes: [] }),
    onError: (error) => {
      throw error;
    },
    rejectDelayMs: 1000,
    mostDelayed: 2,
    later(callback, ms) {
      const timer = { callback, ms };
      waiting.push(timer);
      return () => {
        waiting = waiting.filter((one) => one !== timer);
      };
    },
  });
  port = (await server.start()).auth.port;
  peer = await openPeer();
});
afterEach(async () => {
  await server.stop();
  await peer.close();
});

/** `right` gets in; everybody else does not: `slow` after three seconds, others after the server's delay. */
function answerByName(request: Packet): Reply {
  const name = getString(request, 'User-Name') ?? '';
  if (name === 'right') return { code: Code.AccessAccept, attributes: [] };
  const reply = { code: Code.AccessReject, attributes: [attribute('Reply-Message', name)] };
  return name === 'slow' ? { ...reply, delayMs: 3000 } : reply;
}

let identifier = 0;
function ask(name: string): Packet {
  identifier = (identifier + 1) & 255;
  const request = encodeRequest(
    { code: Code.AccessRequest, identifier, attributes: [attribute('User-Name', name)] },
    secret,
    { messageAuthenticator: true },
  );
  peer.send(request.bytes, port);
  return request;
}
const until = (condition: () => unknown) =>
  vi.waitFor(() => expect(condition()).toBeTruthy(), { interval: 2 });
/** The codes of what has come, once that many have. */
async function codes(count: number): Promise<number[]> {
  await until(() => peer.received.length >= count);
  return peer.received.map((reply) => reply[0] as number);
}
function pass(ms: number): void {
  const due = waiting.filter((one) => one.ms <= ms);
  waiting = waiting.filter((one) => one.ms > ms);
  for (const one of due) one.callback();
}

test('an Access-Reject leaves after its delay, an Access-Accept that came later at once', async () => {
  const wrong = ask('wrong');
  await until(() => waiting.length === 1);
  expect(waiting[0]?.ms).toBe(1000);
  ask('right');
  expect(await codes(1)).toEqual([Code.AccessAccept]);
  expect(server.counters.access_rejects).toBe(0);
  pass(1000);
  expect(await codes(2)).toEqual([Code.AccessAccept, Code.AccessReject]);
  const reject = verifyReply(peer.received[1] as Buffer, wrong, secret, {
    requireMessageAuthenticator: true,
  });
  expect(reject && getString(reject, 'Reply-Message')).toBe('wrong');
  expect(server.counters.access_rejects).toBe(1);
});

test('a reply may ask for a delay of its own', async () => {
  ask('slow');
  ask('wrong');
  await until(() => waiting.length === 2);
  pass(1000);
  expect(await codes(1)).toEqual([Code.AccessReject]);
  expect(waiting.map((one) => one.ms)).toEqual([3000]);
});

test('a retransmission meanwhile is dropped, one afterwards gets the same octets', async () => {
  const wrong = ask('wrong');
  await until(() => waiting.length === 1);
  peer.send(wrong.bytes, port);
  await until(() => server.counters.duplicates_dropped === 1);
  expect(waiting).toHaveLength(1);
  pass(1000);
  await codes(1);
  peer.send(wrong.bytes, port);
  await codes(2);
  expect(peer.received[1]).toEqual(peer.received[0]);
  expect(server.counters).toMatchObject({ access_requests: 1, access_rejects: 1, duplicates_answered: 1 });
});

test('more than may wait leave at once', async () => {
  ask('one');
  ask('two');
  ask('three');
  expect(await codes(1)).toEqual([Code.AccessReject]);
  expect(waiting).toHaveLength(2);
  pass(1000);
  await codes(3);
  ask('four');
  await until(() => waiting.length === 1);
});

test('stopping sends those that wait, and leaves no timer behind', async () => {
  const wrong = ask('wrong');
  await until(() => waiting.length === 1);
  await server.stop();
  expect(await codes(1)).toEqual([Code.AccessReject]);
  expect(verifyReply(peer.received[0] as Buffer, wrong, secret)).toBeDefined();
  expect(waiting).toEqual([]);
});

test('the timers of the runtime serve where no others are given', async () => {
  const plain = createRadiusServer({
    authListen: { host: '127.0.0.1', port: 0 },
    acctListen: { host: '127.0.0.1', port: 0 },
    findClient: () => ({ id: 'r1', secret, requireMessageAuthenticator: 'auto' }),
    onAccess: answerByName,
    onAccounting: () => undefined,
    onError: () => {},
    rejectDelayMs: 20,
  });
  port = (await plain.start()).auth.port;
  ask('wrong');
  expect(await codes(1)).toEqual([Code.AccessReject]);
  await plain.stop();
});
