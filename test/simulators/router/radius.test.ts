// The simulated router on the RADIUS wire, against the order and the rules of a RouterOS 7 hotspot.
import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import {
  attribute,
  foldGigawords,
  getAddress,
  getDate,
  getInteger,
  getOctets,
  getString,
  gigawords,
} from '../../../src/protocols/radius/attributes.ts';
import { coa, disconnect } from '../../../src/protocols/radius/client.ts';
import { attributeName } from '../../../src/protocols/radius/dictionary.ts';
import { type Attribute, encodeReply, type Packet } from '../../../src/protocols/radius/packet.ts';
import { type Bench, type BenchOptions, secret, startBench } from './bench.ts';

const mac = '40:D3:AE:04:32:0C';
let bench: Bench | undefined;

afterEach(async () => {
  await bench?.stop();
  bench = undefined;
});

async function start(options: BenchOptions = {}): Promise<Bench> {
  bench = await startBench(options);
  bench.router.addPhone({ mac, ip: '10.5.50.7' });
  return bench;
}

/** A phone online as `V7K2P` with these attributes in its Accept; RADIUS is quiet. */
async function online(accept: Attribute[], options: BenchOptions = {}): Promise<Bench> {
  const started = await start(options);
  started.subscribers.set('V7K2P', { password: 'V7K2P', accept });
  expect(await started.router.login(mac, 'V7K2P', 'V7K2P')).toHaveProperty('session');
  await started.router.idle();
  return started;
}

function names(packet: Packet): string[] {
  return packet.attributes.map(({ vendor, type }) => attributeName(vendor, type));
}

/** What the last accounting packet says. */
function last(of: Bench): Record<string, unknown> {
  const packet = of.accounting.at(-1)!;
  return {
    status: getInteger(packet, 'Acct-Status-Type'),
    cause: getInteger(packet, 'Acct-Terminate-Cause'),
    seconds: getInteger(packet, 'Acct-Session-Time'),
    upload: foldGigawords(
      getInteger(packet, 'Acct-Input-Octets') ?? 0,
      getInteger(packet, 'Acct-Input-Gigawords') ?? 0,
    ),
    download: foldGigawords(
      getInteger(packet, 'Acct-Output-Octets') ?? 0,
      getInteger(packet, 'Acct-Output-Gigawords') ?? 0,
    ),
  };
}

describe('an Access-Request', () => {
  test('has the attributes of a RouterOS 7 hotspot in its order', async () => {
    const { access, router } = await online([]);
    expect(names(access[0]!)).toEqual([
      'NAS-Port-Type',
      'Calling-Station-Id',
      'Called-Station-Id',
      'NAS-Port-Id',
      'User-Name',
      'NAS-Port',
      'Acct-Session-Id',
      'Framed-IP-Address',
      'Mikrotik-Host-IP',
      'User-Password',
      'Service-Type',
      'WISPr-Logoff-URL',
      'NAS-Identifier',
      'NAS-IP-Address',
      'Message-Authenticator',
    ]);
    const packet = access[0]!;
    expect(getString(packet, 'Calling-Station-Id')).toBe(mac);
    expect(getString(packet, 'Called-Station-Id')).toBe('karibu');
    expect(getInteger(packet, 'Service-Type')).toBe(1);
    expect(getInteger(packet, 'NAS-Port-Type')).toBe(19);
    expect(getAddress(packet, 'Framed-IP-Address')).toBe('10.5.50.7');
    expect(getString(packet, 'Acct-Session-Id')).toMatch(/^80[0-9A-F]{6}$/);
    expect(getInteger(packet, 'NAS-Port')).toBe(Number.parseInt(getString(packet, 'Acct-Session-Id')!, 16));
    expect(getString(packet, 'WISPr-Logoff-URL')).toBe(`${router.addresses.hotspot}/logout`);
  });

  test('of a home that dials in is told from a hotspot’s, and RADIUS gives the address', async () => {
    const { access, accounting, router, subscribers } = await start();
    const accept = [attribute('Framed-IP-Address', '10.20.0.1'), attribute('Port-Limit', 1)];
    subscribers.set('home', { password: 'siri', accept });
    expect(await router.dial('02:00:00:00:00:01', 'home', 'siri')).toHaveProperty('session');
    await router.idle();
    const packet = access[0]!;
    expect(getInteger(packet, 'Service-Type')).toBe(2);
    expect(getInteger(packet, 'Framed-Protocol')).toBe(1);
    expect(getInteger(packet, 'NAS-Port-Type')).toBe(15);
    expect(getString(packet, 'Called-Station-Id')).toBe('karibu-pppoe');
    expect(names(packet)).not.toContain('Framed-IP-Address');
    expect(getAddress(accounting[0]!, 'Framed-IP-Address')).toBe('10.20.0.1');
    expect(names(accounting[0]!)).not.toContain('Mikrotik-Host-IP');
  });

  test('that is rejected says why, and no session begins', async () => {
    const { router, accounting, events } = await start();
    expect(await router.login(mac, 'nobody', 'x')).toEqual({ error: 'Unknown voucher' });
    expect(router.sessions()).toEqual([]);
    expect(accounting).toEqual([]);
    expect(events.map((event) => event.type)).toEqual(['access_sent', 'access_rejected']);
  });

  test('is sent three times, the same octets, when nobody answers', async () => {
    const { router, access } = await start({ reply: () => undefined, radiusTimeoutMs: 20 });
    expect(await router.login(mac, 'a', 'b')).toEqual({ error: 'RADIUS server is not responding' });
    expect(access).toHaveLength(3);
    for (const packet of access) expect(packet.bytes.equals(access[0]!.bytes)).toBe(true);
  });

  test.each([
    ['without a Message-Authenticator', 'none'],
    ['with a wrong Message-Authenticator', 'wrong'],
    ['made with another secret', 'secret'],
  ])('takes no reply %s', async (_name, fault) => {
    const { router, event } = await start({
      radiusTimeoutMs: 20,
      reply: (code, attributes, request) => spoiledReply(fault, code, attributes, request),
    });
    bench!.subscribers.set('a', { password: 'b' });
    expect(await router.login(mac, 'a', 'b')).toHaveProperty('error');
    await event('bad_reply');
  });
});

/** A reply as a careless server makes it. */
function spoiledReply(fault: string, code: number, attributes: Attribute[], request: Packet): Buffer {
  const key = Buffer.from(secret);
  if (fault === 'secret') return encodeReply({ code, attributes }, request, Buffer.from('other'));
  if (fault === 'none') {
    // An Accounting-Response is made without one; only the code differs, and it is signed again below.
    const bytes = encodeReply({ code: 5, attributes }, { ...request, attributes: [] }, key);
    bytes[0] = code;
    return resigned(bytes, request, key);
  }
  const bytes = encodeReply({ code, attributes }, request, key);
  bytes[25]! ^= 1;
  return resigned(bytes, request, key);
}

function resigned(bytes: Buffer, request: Packet, key: Buffer): Buffer {
  request.authenticator.copy(bytes, 4);
  createHash('md5').update(bytes).update(key).digest().copy(bytes, 4);
  return bytes;
}

describe('accounting', () => {
  test('Start has the attributes in their order, with Class and no Message-Authenticator', async () => {
    const { accounting, access, clock } = await online([attribute('Class', Buffer.from('token-1'))]);
    const packet = accounting[0]!;
    expect(names(packet)).toEqual([
      'Acct-Status-Type',
      'NAS-Port-Type',
      'Calling-Station-Id',
      'Called-Station-Id',
      'NAS-Port-Id',
      'User-Name',
      'NAS-Port',
      'Acct-Session-Id',
      'Framed-IP-Address',
      'Mikrotik-Host-IP',
      'Class',
      'Event-Timestamp',
      'NAS-Identifier',
      'Acct-Delay-Time',
      'NAS-IP-Address',
    ]);
    expect(getInteger(packet, 'Acct-Status-Type')).toBe(1);
    expect(getString(packet, 'Acct-Session-Id')).toBe(getString(access[0]!, 'Acct-Session-Id'));
    expect(getOctets(packet, 'Class')?.toString()).toBe('token-1');
    expect(getDate(packet, 'Event-Timestamp')).toBe(clock.at);
  });

  test('Interim-Updates come at Acct-Interim-Interval with what was used so far', async () => {
    const running = await online([attribute('Acct-Interim-Interval', 60)]);
    running.router.addTraffic(mac, 1000, 5_000_000_000);
    await running.advance(59);
    expect(running.accounting).toHaveLength(1);
    await running.advance(1);
    expect(last(running)).toMatchObject({ status: 3, seconds: 60, upload: 1000, download: 5_000_000_000 });
    expect(getInteger(running.accounting.at(-1)!, 'Acct-Output-Gigawords')).toBe(1);
    expect(getInteger(running.accounting.at(-1)!, 'Acct-Input-Gigawords')).toBe(0);
    await running.advance(60);
    expect(running.accounting).toHaveLength(3);
  });

  test('no interval means no interims', async () => {
    const running = await online([]);
    await running.advance(3600);
    expect(running.accounting).toHaveLength(1);
  });

  test('a Stop that nobody answers is told', async () => {
    const { router, event, accounting } = await online([], { silentAccounting: true, radiusTimeoutMs: 20 });
    router.logout(mac);
    await router.idle();
    expect(await event('accounting_timeout')).toMatchObject({ status: 'Start' });
    expect(accounting.filter((packet) => getInteger(packet, 'Acct-Status-Type') === 2)).toHaveLength(3);
  });

  test('what a phone uses is held to its rate limit', async () => {
    const running = await online([
      attribute('Mikrotik-Rate-Limit', '2M/5M 4M/10M'),
      attribute('Acct-Interim-Interval', 10),
    ]);
    running.router.addPhone({ mac, uploadKbps: 800, downloadKbps: 20_000 });
    await running.advance(10);
    expect(last(running)).toMatchObject({ upload: 1_000_000, download: 6_250_000 });
  });
});

describe('a session ends', () => {
  test('at Session-Timeout, with cause 5 and not a second more', async () => {
    const running = await online([attribute('Session-Timeout', 3600)]);
    await running.advance(3599);
    expect(running.router.sessions()).toHaveLength(1);
    await running.advance(500);
    expect(running.router.sessions()).toHaveLength(0);
    expect(last(running)).toMatchObject({ status: 2, cause: 5, seconds: 3600 });
    expect(names(running.accounting.at(-1)!)[1]).toBe('Acct-Terminate-Cause');
  });

  test('at Idle-Timeout, with cause 4', async () => {
    const running = await online([attribute('Idle-Timeout', 300)]);
    await running.advance(200);
    running.router.addTraffic(mac, 1, 1);
    await running.advance(200);
    expect(running.router.sessions()).toHaveLength(1);
    await running.advance(100);
    expect(last(running)).toMatchObject({ status: 2, cause: 4 });
  });

  test.each([
    ['Mikrotik-Total-Limit', 3_000_000_000, 2_999_999_999],
    ['Mikrotik-Recv-Limit', 5_999_999_999, 0],
    ['Mikrotik-Xmit-Limit', 0, 5_999_999_999],
  ] as const)('at %s over 4 GiB, with cause 10', async (name, upload, download) => {
    const { low, high } = gigawords(6_000_000_000);
    const running = await online([attribute(name, low), attribute(`${name}-Gigawords`, high)]);
    running.router.addTraffic(mac, upload, download);
    await running.advance(1);
    expect(running.router.sessions()).toHaveLength(1);
    const lastOctet = name === 'Mikrotik-Xmit-Limit' ? [0, 1] : [1, 0];
    running.router.addTraffic(mac, lastOctet[0]!, lastOctet[1]!);
    await running.advance(1);
    expect(last(running)).toMatchObject({
      status: 2,
      cause: 10,
      upload: upload + lastOctet[0]!,
      download: download + lastOctet[1]!,
    });
  });

  test('by nothing of these on a router that forgets its limits', async () => {
    const running = await online([attribute('Session-Timeout', 60), attribute('Mikrotik-Total-Limit', 10)], {
      ignoreLimits: true,
    });
    running.router.addTraffic(mac, 100, 100);
    await running.advance(3600);
    expect(running.router.sessions()).toHaveLength(1);
  });

  test('without a Stop in a power cut, and the next boot counts from other ids', async () => {
    const running = await online([]);
    const before = running.router.sessions()[0]!.id;
    running.router.powerCut();
    await running.router.idle();
    expect(running.router.sessions()).toEqual([]);
    expect(running.accounting).toHaveLength(1);
    await running.router.login(mac, 'V7K2P', 'V7K2P');
    const after = running.router.sessions()[0]!.id;
    expect(after).not.toBe(before);
    expect(after.slice(0, 3)).not.toBe(before.slice(0, 3));
  });

  test('with a Stop in a reboot', async () => {
    const running = await online([]);
    running.router.reboot();
    await running.router.idle();
    expect(last(running)).toMatchObject({ status: 2, cause: 7 });
  });
});

test('Port-Limit keeps a second phone out until the first has left', async () => {
  const { router } = await online([attribute('Port-Limit', 1)]);
  const second = router.addPhone({ mac: '02-00-00-00-00-01' });
  expect(await router.login(second.mac, 'V7K2P', 'V7K2P')).toEqual({
    error: 'no more sessions are allowed for user V7K2P',
  });
  router.logout(mac);
  expect(await router.login(second.mac, 'V7K2P', 'V7K2P')).toHaveProperty('session');
});

describe('incoming', () => {
  function target(of: Bench, attributes: Attribute[], over: object = {}) {
    return {
      host: '127.0.0.1',
      port: of.router.addresses.coa.port,
      secret: Buffer.from(secret),
      attributes,
      attempts: 1,
      timeoutMs: 2000,
      ...over,
    };
  }
  const name = attribute('User-Name', 'V7K2P');
  const ip = attribute('Framed-IP-Address', '10.5.50.7');

  test('a Disconnect ends the session with cause 6', async () => {
    const running = await online([]);
    expect(await disconnect(target(running, [name, ip]))).toEqual({ outcome: 'ack' });
    await running.router.idle();
    expect(last(running)).toMatchObject({ status: 2, cause: 6 });
    expect(await running.event('disconnect_received')).toMatchObject({ outcome: 'ack' });
  });

  test.each([
    ['another user', [attribute('User-Name', 'other'), ip]],
    ['another address', [name, attribute('Framed-IP-Address', '10.5.50.8')]],
    ['no address', [name]],
    ['another Acct-Session-Id', [name, ip, attribute('Acct-Session-Id', '80FFFFFF')]],
  ])('a Disconnect for %s is refused with 503', async (_name, attributes) => {
    const running = await online([]);
    expect(await disconnect(target(running, attributes))).toEqual({ outcome: 'nak', error_cause: 503 });
    expect(running.router.sessions()).toHaveLength(1);
  });

  test('a Disconnect with another secret, or from another address, gets silence', async () => {
    const running = await online([]);
    const wrong = target(running, [name, ip], { secret: Buffer.from('other'), timeoutMs: 30 });
    expect(await disconnect(wrong)).toEqual({ outcome: 'timeout' });
    running.router.configure({ radius: { host: '127.0.0.2' } });
    expect(await disconnect(target(running, [name, ip], { timeoutMs: 30 }))).toEqual({ outcome: 'timeout' });
    expect(running.router.sessions()).toHaveLength(1);
    const outcomes = running.events.filter((event) => event.type === 'disconnect_received');
    expect(outcomes.map((event) => 'outcome' in event && event.outcome)).toEqual(['silence', 'silence']);
  });

  test('a CoA changes rate and time', async () => {
    const running = await online([
      attribute('Session-Timeout', 3600),
      attribute('Mikrotik-Rate-Limit', '1M/1M'),
    ]);
    await running.advance(100);
    const change = [attribute('Mikrotik-Rate-Limit', '512k/512k'), attribute('Session-Timeout', 200)];
    expect(await coa(target(running, [name, ip, ...change]))).toEqual({ outcome: 'ack' });
    expect(running.router.sessions()[0]).toMatchObject({ rateLimit: '512k/512k' });
    await running.advance(99);
    expect(running.router.sessions()).toHaveLength(1);
    await running.advance(1);
    expect(last(running)).toMatchObject({ cause: 5, seconds: 200 });
  });
});
