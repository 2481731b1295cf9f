// Requests out: retransmitted unchanged, answered only by a true reply.
import { createHash } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { attribute } from '../../../src/protocols/radius/attributes.ts';
import {
  coa,
  createRadiusRequester,
  disconnect,
  type RequestOptions,
  sendRequest,
} from '../../../src/protocols/radius/client.ts';
import { ErrorCause } from '../../../src/protocols/radius/dictionary.ts';
import {
  Code,
  encodeReply,
  verifyMessageAuthenticator,
  verifyRequestAuthenticator,
} from '../../../src/protocols/radius/packet.ts';
import { openPeer, type Peer, plain, read } from './material.ts';

const secret = Buffer.from('testing123');
const session = [
  attribute('User-Name', 'amina'),
  attribute('Acct-Session-Id', '80100014'),
  attribute('Framed-IP-Address', '10.5.50.2'),
];
let router: Peer;
afterEach(() => router.close());

const target = (more: Partial<RequestOptions> = {}) => ({
  host: '127.0.0.1',
  port: router.port,
  secret,
  attributes: session,
  timeoutMs: 20,
  attempts: 20,
  ...more,
});
const replyTo = (datagram: Buffer, code: number, ...attributes: ReturnType<typeof attribute>[]) =>
  encodeReply({ code, attributes }, read(datagram), secret);

test('a Disconnect whose first packet is lost is sent again unchanged, and acknowledged', async () => {
  router = await openPeer((datagram, answer, count) => {
    if (count > 1) answer(replyTo(datagram, Code.DisconnectAck));
  });
  expect(await disconnect(target())).toEqual({ outcome: 'ack' });
  const [first, second] = router.received;
  expect(second!.equals(first!)).toBe(true);
  expect(read(first!).code).toBe(Code.DisconnectRequest);
  expect(plain(read(first!).attributes)).toEqual(plain(session));
  expect(verifyRequestAuthenticator(read(first!), secret)).toBe(true);
});

test('a NAK comes with its Error-Cause, or without when it has none', async () => {
  router = await openPeer((datagram, answer) => {
    const request = read(datagram);
    answer(
      request.code === Code.DisconnectRequest
        ? replyTo(
            datagram,
            Code.DisconnectNak,
            attribute('Error-Cause', ErrorCause['Session-Context-Not-Found']),
          )
        : replyTo(datagram, Code.CoaNak),
    );
  });
  expect(await disconnect(target())).toEqual({ outcome: 'nak', error_cause: 503 });
  expect(await coa(target())).toEqual({ outcome: 'nak' });
});

test('a CoA can carry a Message-Authenticator, and is acknowledged', async () => {
  router = await openPeer((datagram, answer) => answer(replyTo(datagram, Code.CoaAck)));
  const change = [...session, attribute('Mikrotik-Rate-Limit', '1M/2M')];
  expect(await coa(target({ attributes: change, messageAuthenticator: true }))).toEqual({ outcome: 'ack' });
  expect(read(router.received[0]!).code).toBe(Code.CoaRequest);
  expect(verifyMessageAuthenticator(read(router.received[0]!), secret)).toBe(true);
});

test('a router that stays silent is a timeout after the attempts asked for', async () => {
  router = await openPeer();
  expect(await disconnect(target({ timeoutMs: 5, attempts: 4 }))).toEqual({ outcome: 'timeout' });
  await expect.poll(() => router.received.length).toBe(4);
  expect(new Set(router.received.map((packet) => packet.toString('hex'))).size).toBe(1);
});

test('forged replies are ignored and the true one behind them is taken', async () => {
  router = await openPeer((datagram, answer) => {
    const request = read(datagram);
    const genuine = replyTo(datagram, Code.DisconnectNak);
    const changed = Buffer.from(genuine);
    changed[0] = Code.DisconnectAck;
    answer(changed);
    answer(encodeReply({ code: Code.DisconnectAck, attributes: [] }, request, Buffer.from('guessed')));
    answer(
      encodeReply(
        { code: Code.DisconnectAck, attributes: [] },
        { ...request, authenticator: Buffer.alloc(16) },
        secret,
      ),
    );
    answer(replyTo(datagram, Code.CoaAck));
    answer(Buffer.from([41]));
    answer(genuine);
  });
  let bad = 0;
  const outcome = await disconnect(target({ attempts: 1, timeoutMs: 5000, onBadReply: () => bad++ }));
  expect(outcome).toEqual({ outcome: 'nak' });
  expect(bad).toBe(4);
});

test('an Access reply without Message-Authenticator is bad where one is required, as in RouterOS', async () => {
  router = await openPeer((datagram, answer) => {
    const bare = Buffer.concat([
      Buffer.from([Code.AccessAccept, datagram[1]!, 0, 20]),
      datagram.subarray(4, 20),
    ]);
    answer(Buffer.concat([bare.subarray(0, 4), createHash('md5').update(bare).update(secret).digest()]));
  });
  let bad = 0;
  const login = {
    ...target({ attempts: 2, timeoutMs: 10 }),
    code: Code.AccessRequest,
    onBadReply: () => bad++,
  };
  expect(await sendRequest({ ...login, requireMessageAuthenticator: true })).toEqual({ timeout: true });
  expect(bad).toBe(2);
  expect(await sendRequest(login)).toHaveProperty('packet.code', Code.AccessAccept);
});

test('six hundred requests at once, and again, share three sockets with identifiers unique on each', async () => {
  const outstanding = new Set<string>();
  const sockets = new Set<number>();
  const held: (() => void)[] = [];
  router = await openPeer((datagram, answer, _, from) => {
    outstanding.add(`${from}/${datagram[1]}`);
    sockets.add(from);
    held.push(() => answer(replyTo(datagram, Code.AccountingResponse)));
    if (held.length === 600) for (const release of held.splice(0).reverse()) release();
  });
  const requester = createRadiusRequester();
  for (let wave = 0; wave < 2; wave++) {
    outstanding.clear();
    const outcomes = await Promise.all(
      Array.from({ length: 600 }, (_, n) =>
        requester.request({
          ...target({ timeoutMs: 10_000, attempts: 1 }),
          code: Code.AccountingRequest,
          attributes: [attribute('Acct-Session-Id', String(n))],
        }),
      ),
    );
    expect(outcomes.filter((outcome) => 'packet' in outcome)).toHaveLength(600);
    expect(outstanding.size).toBe(600);
    expect(sockets.size).toBe(3);
  }
  await requester.close();
});

test('closing ends what waits as a timeout, and no request is taken afterwards', async () => {
  router = await openPeer();
  const requester = createRadiusRequester({ localAddress: '127.0.0.1' });
  const options = { ...target({ timeoutMs: 60_000 }), code: Code.AccountingRequest };
  const waiting = requester.request(options);
  await expect.poll(() => router.received.length).toBe(1);
  await requester.close();
  expect(await waiting).toEqual({ timeout: true });
  await expect(requester.request(options)).rejects.toThrow('closed');
});

test('a local address that is not ours is an error, not a timeout', async () => {
  router = await openPeer();
  await expect(disconnect({ ...target(), localAddress: '192.0.2.77' })).rejects.toThrow('EADDRNOTAVAIL');
});
