// The server over real sockets: who is answered, how often, and what gets silence.
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { attribute, getString } from '../../../src/protocols/radius/attributes.ts';
import {
  createRadiusRequester,
  type RequestOptions,
  sendRequest,
} from '../../../src/protocols/radius/client.ts';
import { Code, encodeRequest, type Packet, verifyReply } from '../../../src/protocols/radius/packet.ts';
import {
  createRadiusServer,
  type RadiusClient,
  type RadiusServer,
  type RadiusServerOptions,
  type Reply,
} from '../../../src/protocols/radius/server.ts';
import { openUdp } from '../../../src/protocols/radius/udp.ts';
import { chance, mutate, openPeer, type Peer, read, vector } from './material.ts';

const secret = Buffer.from('testing123');
const accept: Reply = { code: Code.AccessAccept, attributes: [attribute('Session-Timeout', 3600)] };
const stored: Reply = { code: Code.AccountingResponse, attributes: [] };

let router: RadiusClient;
let known: boolean;
let server: RadiusServer;
let ports: { auth: number; acct: number };
let peer: Peer;
let now: number;
let errors: unknown[];
let onAccess: ReturnType<typeof vi.fn<RadiusServerOptions<RadiusClient>['onAccess']>>;
let onAccounting: ReturnType<typeof vi.fn<RadiusServerOptions<RadiusClient>['onAccounting']>>;

async function startServer(more: Partial<RadiusServerOptions<RadiusClient>> = {}): Promise<void> {
  await server?.stop();
  server = createRadiusServer({
    authListen: { host: '127.0.0.1', port: 0 },
    acctListen: { host: '127.0.0.1', port: 0 },
    findClient: (address) => (known && address === '127.0.0.1' ? router : undefined),
    onAccess: (...args) => onAccess(...args),
    onAccounting: (...args) => onAccounting(...args),
    onError: (error) => errors.push(error),
    now: () => now,
    ...more,
  });
  const bound = await server.start();
  ports = { auth: bound.auth.port, acct: bound.acct.port };
}

beforeEach(async () => {
  router = { id: 'r1', secret, requireMessageAuthenticator: 'auto' };
  known = true;
  now = 1000;
  errors = [];
  onAccess = vi.fn(() => accept);
  onAccounting = vi.fn(() => stored);
  peer = await openPeer();
  await startServer();
});
afterEach(async () => {
  await server.stop();
  await peer.close();
});

let identifier = 0;
function access(signed = true, ...more: Packet['attributes']): Packet {
  identifier = (identifier + 1) & 255;
  return encodeRequest(
    { code: Code.AccessRequest, identifier, attributes: [attribute('User-Name', 'amina'), ...more] },
    secret,
    { messageAuthenticator: signed },
  );
}
function accounting(name = 'amina'): Packet {
  identifier = (identifier + 1) & 255;
  return encodeRequest(
    { code: Code.AccountingRequest, identifier, attributes: [attribute('User-Name', name)] },
    secret,
  );
}
const to = (listener: 'auth' | 'acct', ...packets: { bytes: Buffer }[]) => {
  for (const { bytes } of packets) peer.send(bytes, ports[listener]);
};
const until = (condition: () => unknown) =>
  vi.waitFor(() => expect(condition()).toBeTruthy(), { interval: 2 });
const replies = (count: number) => until(() => peer.received.length >= count);
const silences = () =>
  Object.fromEntries(Object.entries(server.counters.silences).filter(([, count]) => count > 0));

/** A Status-Server behind the packets in question: once it is answered, they had their chance. */
async function nothingAnswered(listener: 'auth' | 'acct'): Promise<void> {
  const before = peer.received.length;
  const status = encodeRequest({ code: Code.StatusServer, identifier: 0, attributes: [] }, secret);
  to(listener, status);
  await replies(before + 1);
  expect(peer.received).toHaveLength(before + 1);
  expect(verifyReply(peer.received.at(-1)!, status, secret)).toBeDefined();
}

describe('answers', () => {
  test('an Access-Request and an Accounting-Request get what their handlers say, signed', async () => {
    const login = access();
    const start = accounting();
    to('auth', login);
    await replies(1);
    to('acct', start);
    await replies(2);
    const accepted = verifyReply(peer.received[0]!, login, secret, { requireMessageAuthenticator: true });
    expect(accepted?.code).toBe(Code.AccessAccept);
    expect(verifyReply(peer.received[1]!, start, secret)?.code).toBe(Code.AccountingResponse);
    expect(onAccess.mock.calls[0]![1]).toBe(router);
    expect(onAccess.mock.calls[0]![2]).toEqual({ address: '127.0.0.1', port: peer.port });
    expect(getString(onAccounting.mock.calls[0]![0], 'User-Name')).toBe('amina');
    expect(server.counters).toMatchObject({
      access_requests: 1,
      access_accepts: 1,
      accounting_requests: 1,
      accounting_responses: 1,
    });
  });

  test('a handler that answers later is waited for', async () => {
    let answer: (reply: Reply) => void = () => {};
    onAccess.mockImplementation(() => new Promise((resolve) => (answer = resolve)));
    const login = access();
    to('auth', login);
    await until(() => onAccess.mock.calls.length === 1);
    await nothingAnswered('auth');
    answer({ code: Code.AccessReject, attributes: [] });
    await replies(2);
    expect(verifyReply(peer.received[1]!, login, secret)?.code).toBe(Code.AccessReject);
  });

  test('Status-Server is answered on both ports without asking a handler', async () => {
    for (const listener of ['auth', 'acct'] as const) {
      const status = encodeRequest({ code: Code.StatusServer, identifier: 5, attributes: [] }, secret);
      const outcome = await sendRequest({
        host: '127.0.0.1',
        port: ports[listener],
        secret,
        code: Code.StatusServer,
        attributes: [],
        authenticator: status.authenticator,
        requireMessageAuthenticator: true,
      });
      expect('packet' in outcome && outcome.packet.code).toBe(
        listener === 'auth' ? Code.AccessAccept : Code.AccountingResponse,
      );
    }
    expect(onAccess).not.toHaveBeenCalled();
    expect(onAccounting).not.toHaveBeenCalled();
    expect(server.counters.status_requests).toBe(2);
  });

  test('an IPv4 router on an IPv6 socket is known by its IPv4 address', async () => {
    await startServer({ authListen: { host: '::', port: 0 }, acctListen: { host: '::', port: 0 } });
    const login = access();
    to('auth', login);
    await replies(1);
    expect(verifyReply(peer.received[0]!, login, secret)?.code).toBe(Code.AccessAccept);
    expect(onAccess.mock.calls[0]![2].address).toBe('127.0.0.1');
  });

  test('a thousand requests at once are all answered', async () => {
    onAccess.mockImplementation(async (request) => ({
      code: Code.AccessAccept,
      attributes: [attribute('Reply-Message', getString(request, 'User-Name') ?? '')],
    }));
    const requester = createRadiusRequester();
    const base: RequestOptions = {
      host: '127.0.0.1',
      port: ports.auth,
      secret,
      code: Code.AccessRequest,
      attributes: [],
      messageAuthenticator: true,
    };
    const names = Array.from({ length: 1000 }, (_, n) => `guest-${n}`);
    const outcomes = await Promise.all(
      names.map((name) => requester.request({ ...base, attributes: [attribute('User-Name', name)] })),
    );
    await requester.close();
    expect(outcomes.map((one) => 'packet' in one && getString(one.packet, 'Reply-Message'))).toEqual(names);
  });
});

describe('silence', () => {
  test('for a stranger, who is reported', async () => {
    known = false;
    const strangers: string[] = [];
    await startServer({ onUnknownClient: (address) => strangers.push(address) });
    to('auth', access());
    to('acct', accounting());
    await until(() => server.counters.silences.unknown_client === 2);
    known = true;
    await nothingAnswered('auth');
    await nothingAnswered('acct');
    expect(strangers).toEqual(['127.0.0.1', '127.0.0.1']);
    expect(onAccess).not.toHaveBeenCalled();
  });

  test('for a router without a secret', async () => {
    router.secret = Buffer.alloc(0);
    to('acct', encodeRequest({ code: 4, identifier: 1, attributes: [] }, router.secret));
    await until(() => server.counters.silences.unknown_client === 1);
    expect(onAccounting).not.toHaveBeenCalled();
  });

  test('for junk and for packets cut short', async () => {
    const login = access();
    to('auth', { bytes: Buffer.from('GET / HTTP/1.1\r\n\r\n') }, { bytes: login.bytes.subarray(0, -1) });
    to('auth', { bytes: chance(7).octets(300) }, { bytes: Buffer.alloc(0) });
    await nothingAnswered('auth');
    expect(silences()).toEqual({ malformed: 4 });
  });

  test('for a code that does not belong on the port', async () => {
    to('auth', accounting(), encodeRequest({ code: Code.CoaRequest, identifier: 1, attributes: [] }, secret));
    to('auth', { bytes: vector('rfc2865-7.1-reply') });
    await nothingAnswered('auth');
    to('acct', access());
    await nothingAnswered('acct');
    expect(silences()).toEqual({ wrong_code: 4 });
  });

  test('for requests made with another secret', async () => {
    router.secret = Buffer.from('another');
    to('auth', access());
    to('acct', accounting());
    to('acct', encodeRequest({ code: Code.StatusServer, identifier: 1, attributes: [] }, secret));
    await until(() => server.counters.silences.request_authenticator_wrong === 1);
    await until(() => server.counters.silences.message_authenticator_wrong === 2);
    router.secret = secret;
    await nothingAnswered('auth');
    await nothingAnswered('acct');
    expect(onAccess).not.toHaveBeenCalled();
    expect(onAccounting).not.toHaveBeenCalled();
  });

  test('for an Accounting-Request whose Message-Authenticator is wrong although its authenticator is right', async () => {
    const wrong = { type: 80, vendor: 0, value: Buffer.alloc(16, 1) };
    const signed = encodeRequest({ code: Code.AccountingRequest, identifier: 9, attributes: [] }, secret);
    const bytes = Buffer.concat([signed.bytes, Buffer.from([80, 18]), wrong.value]);
    bytes.writeUInt16BE(bytes.length, 2);
    bytes.fill(0, 4, 20);
    createHash('md5').update(bytes).update(secret).digest().copy(bytes, 4);
    to('acct', { bytes });
    await nothingAnswered('acct');
    expect(silences()).toEqual({ message_authenticator_wrong: 1 });
  });

  test('for Status-Server without Message-Authenticator', async () => {
    const status = encodeRequest({ code: Code.StatusServer, identifier: 9, attributes: [] }, secret).bytes;
    const bare = Buffer.from(status.subarray(0, 20));
    bare.writeUInt16BE(20, 2);
    to('auth', { bytes: bare });
    await nothingAnswered('auth');
    expect(silences()).toEqual({ message_authenticator_missing: 1 });
  });

  test('when the handler chooses it, and a retransmission is processed', async () => {
    onAccess.mockReturnValueOnce(undefined);
    const login = access();
    to('auth', login);
    await nothingAnswered('auth');
    to('auth', login);
    await replies(2);
    expect(onAccess).toHaveBeenCalledTimes(2);
    expect(silences()).toEqual({ handler_silent: 1 });
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('database is gone');
      },
    ],
    ['rejects', () => Promise.reject(new Error('database is gone'))],
    [
      'makes a reply that does not fit',
      () => ({
        code: 2,
        attributes: Array.from({ length: 20 }, () => attribute('Reply-Message', 'x'.repeat(253))),
      }),
    ],
  ])('when the handler %s, which is reported, and a retransmission is processed', async (_, fail) => {
    onAccounting.mockImplementationOnce(fail);
    const stop = accounting();
    to('acct', stop);
    await until(() => errors.length === 1);
    await nothingAnswered('acct');
    to('acct', stop);
    await replies(2);
    expect(verifyReply(peer.received[1]!, stop, secret)).toBeDefined();
    expect(onAccounting).toHaveBeenCalledTimes(2);
    expect(silences()).toEqual({ failed: 1 });
  });

  test('when finding the client fails', async () => {
    await startServer({
      findClient: () => {
        throw new Error('no table');
      },
    });
    to('auth', access());
    await until(() => errors.length === 1);
    expect(silences()).toEqual({ failed: 1 });
  });

  test('when more requests wait than may', async () => {
    await startServer({ mostInFlight: 1 });
    let answer: (reply: Reply) => void = () => {};
    onAccess.mockImplementationOnce(() => new Promise((resolve) => (answer = resolve)));
    to('auth', access(), access());
    await until(() => server.counters.silences.overloaded === 1);
    answer(accept);
    await replies(1);
    expect(onAccess).toHaveBeenCalledTimes(1);
  });
});

describe('Message-Authenticator', () => {
  test('is not demanded of a router that never sent one, and is once it did', async () => {
    to('auth', access(false));
    await replies(1);
    to('auth', access(true));
    await replies(2);
    to('auth', access(false));
    await nothingAnswered('auth');
    expect(silences()).toEqual({ message_authenticator_missing: 1 });
  });

  test('a wrong one does not make it demanded', async () => {
    const login = access(true);
    login.bytes[25]! ^= 1;
    to('auth', login);
    await nothingAnswered('auth');
    to('auth', access(false));
    await replies(2);
    expect(silences()).toEqual({ message_authenticator_wrong: 1 });
  });

  test('is demanded from the first packet when the setting says yes', async () => {
    router.requireMessageAuthenticator = 'yes';
    to('auth', access(false));
    await nothingAnswered('auth');
    to('auth', access(true));
    await replies(2);
  });

  test('is never demanded when the setting says no, but checked when present', async () => {
    router.requireMessageAuthenticator = 'no';
    to('auth', access(true));
    await replies(1);
    to('auth', access(false));
    await replies(2);
    const forged = access(true);
    forged.bytes[25]! ^= 1;
    to('auth', forged);
    await nothingAnswered('auth');
  });

  test('is demanded beside EAP-Message, and beside Proxy-State unless the setting says no', async () => {
    const state = attribute('Proxy-State', 'x');
    to('auth', access(false, state));
    await nothingAnswered('auth');
    router.requireMessageAuthenticator = 'no';
    to('auth', access(false, state));
    await replies(2);
    to('auth', access(false, attribute('EAP-Message', 'x')));
    await nothingAnswered('auth');
    expect(silences()).toEqual({ message_authenticator_missing: 2 });
  });
});

describe('a retransmission', () => {
  test('gets the same octets and is processed once', async () => {
    const login = access();
    const stop = accounting();
    for (let times = 1; times <= 3; times++) {
      to('auth', login);
      await replies(times * 2 - 1);
      to('acct', stop);
      await replies(times * 2);
    }
    expect(onAccess).toHaveBeenCalledTimes(1);
    expect(onAccounting).toHaveBeenCalledTimes(1);
    expect(new Set(peer.received.map((reply) => reply.toString('hex'))).size).toBe(2);
    expect(server.counters).toMatchObject({
      duplicates_answered: 4,
      access_accepts: 1,
      accounting_responses: 1,
    });
  });

  test('while the first is being processed is dropped: one answer serves both', async () => {
    let answer: (reply: Reply) => void = () => {};
    onAccounting.mockImplementation(() => new Promise((resolve) => (answer = resolve)));
    const stop = accounting();
    to('acct', stop, stop, stop);
    await until(() => server.counters.duplicates_dropped === 2);
    answer(stored);
    await replies(1);
    await nothingAnswered('acct');
    expect(onAccounting).toHaveBeenCalledTimes(1);
  });

  test('is processed anew once the reply is too old', async () => {
    const login = access();
    to('auth', login);
    await replies(1);
    now += 29_999;
    to('auth', login);
    await replies(2);
    expect(onAccess).toHaveBeenCalledTimes(1);
    now += 1;
    to('auth', login);
    await replies(3);
    expect(onAccess).toHaveBeenCalledTimes(2);
  });

  test('the same octets from another port are another request', async () => {
    const another = await openPeer();
    const stop = accounting();
    to('acct', stop);
    await replies(1);
    another.send(stop.bytes, ports.acct);
    await until(() => another.received.length === 1);
    expect(onAccounting).toHaveBeenCalledTimes(2);
    await another.close();
  });

  test('the same header with another authenticator is another request', async () => {
    const one = access();
    const two = encodeRequest({ code: 1, identifier: one.identifier, attributes: one.attributes }, secret, {
      messageAuthenticator: true,
    });
    expect(two.bytes.subarray(0, 4).equals(one.bytes.subarray(0, 4))).toBe(true);
    to('auth', one);
    await replies(1);
    to('auth', two);
    await replies(2);
    expect(onAccess).toHaveBeenCalledTimes(2);
    expect(verifyReply(peer.received[1]!, two, secret)).toBeDefined();
  });
});

describe('start and stop', () => {
  test('a port that is taken is an error, and leaves nothing bound', async () => {
    const taken = { host: '127.0.0.1', port: ports.acct };
    const free = await openPeer();
    await free.close();
    const second = createRadiusServer({
      authListen: { host: '127.0.0.1', port: free.port },
      acctListen: taken,
      findClient: () => undefined,
      onAccess: () => undefined,
      onAccounting: () => undefined,
      onError: () => {},
    });
    await expect(second.start()).rejects.toThrow('EADDRINUSE');
    const bound = { host: '127.0.0.1', port: free.port, onMessage: () => {}, onError: () => {} };
    await (await openUdp(bound)).close();
    await second.stop();
  });

  test('stopping lets a request under way be answered, and takes no other', async () => {
    let answer: (reply: Reply) => void = () => {};
    onAccounting.mockImplementation(() => new Promise((resolve) => (answer = resolve)));
    const stop = accounting();
    to('acct', stop);
    await until(() => onAccounting.mock.calls.length === 1);
    const stopped = server.stop();
    to('auth', access());
    // Sent after the others and read by the same process: by now those were read too.
    const late = await openPeer();
    late.send(accounting().bytes, ports.acct);
    late.send(accounting().bytes, late.port);
    await until(() => late.received.length === 1);
    answer(stored);
    await stopped;
    await replies(1);
    expect(onAccess).not.toHaveBeenCalled();
    expect(onAccounting).toHaveBeenCalledTimes(1);
    await late.close();
    expect(verifyReply(peer.received[0]!, stop, secret)).toBeDefined();
  });
});

test('of 2,000 mutated packets none that is not authentic reaches a handler or is answered', async () => {
  router.requireMessageAuthenticator = 'yes';
  const by = chance(20_26);
  const answered: Packet[] = [];
  const note = (reply: Reply) => (request: Packet) => {
    answered.push(request);
    return reply;
  };
  onAccess.mockImplementation(note(accept));
  onAccounting.mockImplementation(note(stored));
  const originals = [
    access(),
    accounting(),
    access(true, attribute('Class', by.octets(60))),
    accounting('x'),
  ];
  const whole = new Set(originals.map(({ bytes }) => bytes.toString('hex')));
  let sent = 0;
  for (let batch = 0; batch < 20; batch++) {
    for (let n = 0; n < 100; n++, sent++) {
      const original = by.pick(originals);
      to(original.code === Code.AccessRequest ? 'auth' : 'acct', { bytes: mutate(original.bytes, by) });
    }
    // So that no socket buffer overflows, which would make this a test of nothing.
    await until(() => seen() === sent);
  }
  function seen(): number {
    const { counters } = server;
    const silent = Object.values(counters.silences).reduce((sum, count) => sum + count, 0);
    return (
      silent +
      counters.access_requests +
      counters.accounting_requests +
      counters.duplicates_answered +
      counters.status_requests
    );
  }
  const { counters } = server;
  await replies(answered.length + counters.duplicates_answered);
  for (const { bytes } of answered) expect(whole).toContain(bytes.toString('hex'));
  for (const reply of peer.received) {
    expect(answered.some((request) => verifyReply(reply, request, secret))).toBe(true);
  }
  expect(errors).toEqual([]);
  expect(counters.silences.malformed).toBeGreaterThan(100);
  expect(counters.silences.message_authenticator_wrong).toBeGreaterThan(100);
  expect(counters.silences.request_authenticator_wrong).toBeGreaterThan(100);
  await nothingAnsweredAfterFuzz();
});

/** The server still works, and nothing was left to send. */
async function nothingAnsweredAfterFuzz(): Promise<void> {
  const before = peer.received.length;
  const login = access();
  to('auth', login);
  await replies(before + 1);
  expect(verifyReply(peer.received.at(-1)!, login, secret)).toBeDefined();
  expect(read(peer.received.at(-1)!).identifier).toBe(login.identifier);
}
