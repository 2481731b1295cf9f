// Measures how many RADIUS requests a second the server answers on loopback, beside a bare echo of the same datagrams.
//
//   npx bun test/bench/radius-echo.ts [seconds-per-run]
//
// Everything stays on 127.0.0.1, each run lasts the seconds given (2) and the whole ends by itself. The senders are a
// process of their own, so that a machine with two cores gives one to each side. Figures mean something as ratios
// within one run only.
import { type ChildProcess, fork } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { attribute } from '../../src/protocols/radius/attributes.ts';
import { Code, decodePacket, encodeRequest, type Packet } from '../../src/protocols/radius/packet.ts';
import { chapPassword, checkPassword, hidePassword } from '../../src/protocols/radius/passwords.ts';
import { createRadiusServer } from '../../src/protocols/radius/server.ts';
import { openUdp } from '../../src/protocols/radius/udp.ts';

const secret = Buffer.from('testing123');
const seconds = Number(process.argv[2] ?? 2);
const subject = process.env.RADIUS_BENCH_SUBJECT;
const outstanding = 200;
const onBun = 'Bun' in globalThis;

if (subject) await serve(subject);
else await measureAll();

/** The side that answers, in the child process. */
async function serve(kind: string): Promise<void> {
  let port: number;
  let received = 0;
  if (kind === 'echo-dgram') {
    const socket = await openUdp({
      host: '127.0.0.1',
      port: 0,
      onMessage: (datagram, address, from) => {
        received++;
        socket.send(datagram, address, from);
      },
      onError: fail,
    });
    port = socket.port;
  } else if (kind === 'echo-bun') {
    const socket = await Bun.udpSocket({
      hostname: '127.0.0.1',
      port: 0,
      socket: {
        data(own, datagram, from, address) {
          received++;
          own.send(datagram, from, address);
        },
      },
    });
    port = socket.port;
  } else {
    const server = createRadiusServer({
      authListen: { host: '127.0.0.1', port: 0 },
      acctListen: { host: '127.0.0.1', port: 0 },
      findClient: () => ({ id: 'bench', secret, requireMessageAuthenticator: 'auto' }),
      onAccess: (request) => ({
        code: checkPassword(request, secret, 'V7K2P') ? Code.AccessAccept : Code.AccessReject,
        attributes: [
          attribute('Session-Timeout', 3600),
          attribute('Mikrotik-Rate-Limit', '2M/5M'),
          attribute('Acct-Interim-Interval', 300),
          attribute('Class', '01J9ZQ3T7M'),
        ],
      }),
      onAccounting: () => ({ code: Code.AccountingResponse, attributes: [] }),
      onError: fail,
    });
    const bound = await server.start();
    port = kind === 'accounting' ? bound.acct.port : bound.auth.port;
  }
  process.on('message', (message) => {
    if (message === 'stall') {
      // A garbage collection or a slow disk: the process reads nothing while packets arrive.
      process.send?.('stalling');
      const until = performance.now() + 300;
      while (performance.now() < until);
      received = 0;
    }
    if (message === 'count') process.send?.({ received, cpuMicros: cpuMicros() });
  });
  process.send?.({ port });
}

function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function fail(error: unknown): never {
  throw error;
}

/** What a RouterOS hotspot sends. */
function request(kind: string, identifier: number): Packet {
  const common = [
    attribute('NAS-Port-Type', 19),
    attribute('Calling-Station-Id', '40:D3:AE:04:32:0C'),
    attribute('Called-Station-Id', 'hotspot1'),
    attribute('NAS-Port-Id', 'bridge1'),
    attribute('User-Name', 'V7K2P'),
    attribute('NAS-Port', 2148532244),
    attribute('Acct-Session-Id', '80100014'),
    attribute('Framed-IP-Address', '10.5.50.2'),
    attribute('Mikrotik-Host-IP', '10.5.50.2'),
    attribute('NAS-Identifier', 'kiosk-7'),
    attribute('NAS-IP-Address', '10.99.0.2'),
  ];
  if (kind === 'accounting') {
    const counters = [attribute('Acct-Status-Type', 3), attribute('Acct-Input-Octets', identifier * 1000)];
    return encodeRequest(
      { code: Code.AccountingRequest, identifier, attributes: [...counters, ...common] },
      secret,
    );
  }
  const login = encodeRequest({ code: Code.AccessRequest, identifier, attributes: [] }, secret);
  const { authenticator } = login;
  const password =
    kind === 'chap'
      ? attribute('CHAP-Password', chapPassword(identifier, 'V7K2P', authenticator))
      : attribute('User-Password', hidePassword('V7K2P', secret, authenticator));
  return encodeRequest(
    { code: Code.AccessRequest, identifier, authenticator, attributes: [...common, password] },
    secret,
    { messageAuthenticator: 'last' },
  );
}

async function startSubject(kind: string): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(import.meta.filename, [], { env: { ...process.env, RADIUS_BENCH_SUBJECT: kind } });
  const { port } = await answerOf<{ port: number }>(child);
  return { child, port };
}

function answerOf<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve) => child.once('message', (message) => resolve(message as T)));
}

interface Figures {
  perSecond: number;
  /** Processor time of the answering process for each answer, system calls included: steadier than the rate. */
  microsEach: number;
}

/** Answers a second with 200 requests outstanding. Requests are made beforehand: they are the sender's cost. */
async function rate(kind: string): Promise<Figures> {
  const { child, port } = await startSubject(kind);
  const made = Array.from({ length: 60_000 }, (_, n) => request(kind, n & 255).bytes);
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
  let answered = 0;
  let sent = 0;
  const send = () => {
    // Over 60,000 the same octets come again from another port than before, so they are not retransmissions.
    sockets[Math.floor(sent / made.length) % sockets.length]!.send(
      made[sent++ % made.length]!,
      port,
      '127.0.0.1',
    );
  };
  const sockets = [
    socket,
    ...Array.from({ length: 15 }, () => createSocket({ type: 'udp4', recvBufferSize: 4 << 20 })),
  ];
  for (const each of sockets) {
    await new Promise<void>((resolve) => each.bind(0, '127.0.0.1', resolve));
    each.on('message', (reply) => {
      if (kind.startsWith('echo') || decodeCode(reply)) answered++;
      send();
    });
  }
  child.send('count');
  const before = await answerOf<{ cpuMicros: number }>(child);
  const started = performance.now();
  for (let n = 0; n < outstanding; n++) send();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const perSecond = answered / ((performance.now() - started) / 1000);
  child.send('count');
  const after = await answerOf<{ cpuMicros: number }>(child);
  for (const each of sockets) each.close();
  child.kill();
  return { perSecond, microsEach: (after.cpuMicros - before.cpuMicros) / answered };
}

function decodeCode(reply: Buffer): boolean {
  return reply[0] === Code.AccessAccept || reply[0] === Code.AccountingResponse;
}

/** How many of 2,000 datagrams are read that arrive while the process is busy for 300 ms. */
async function burst(kind: string): Promise<number> {
  const { child, port } = await startSubject(kind);
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const datagram = request('pap', 1).bytes;
  const stalling = answerOf(child);
  child.send('stall');
  await stalling;
  await Promise.all(
    Array.from(
      { length: 2000 },
      () => new Promise((resolve) => socket.send(datagram, port, '127.0.0.1', resolve)),
    ),
  );
  await new Promise((resolve) => setTimeout(resolve, 700));
  child.send('count');
  const { received } = await answerOf<{ received: number }>(child);
  socket.close();
  child.kill();
  return received;
}

async function measureAll(): Promise<void> {
  const size = decodePacket(request('pap', 1).bytes)?.bytes.length;
  console.log(
    `${onBun ? `Bun ${Bun.version}` : `Node ${process.version}`}, request of ${size} octets, ${outstanding} outstanding`,
  );
  const echo = await rate('echo-dgram');
  const report = (name: string, { perSecond, microsEach }: Figures) =>
    console.log(
      name.padEnd(42),
      `${Math.round(perSecond).toLocaleString('en').padStart(8)}/s`,
      `${(perSecond / echo.perSecond).toFixed(2)} of the echo`,
      `${microsEach.toFixed(1).padStart(6)} us of processor each`,
    );
  report('bare echo, node:dgram', echo);
  if (onBun) report('bare echo, Bun.udpSocket', await rate('echo-bun'));
  report('server, Access-Request with PAP, signed', await rate('pap'));
  report('server, Access-Request with CHAP, signed', await rate('chap'));
  report('server, Accounting-Request', await rate('accounting'));
  for (const kind of onBun ? ['echo-dgram', 'echo-bun'] : ['echo-dgram']) {
    console.log(`of 2,000 datagrams during a pause of 300 ms, ${kind} reads ${await burst(kind)}`);
  }
}
