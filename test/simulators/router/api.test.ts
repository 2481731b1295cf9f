// The simulated router's API, asked by our client and by two that others wrote.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createConnection } from 'node:net';
import { promisify } from 'node:util';
import { RouterOSAPI } from 'node-routeros';
import { afterEach, describe, expect, test } from 'vitest';
import { attribute, getInteger, getString } from '../../../src/protocols/radius/attributes.ts';
import { passwordMethod } from '../../../src/protocols/radius/passwords.ts';
import { connectRouter, type RouterClient } from '../../../src/protocols/routeros/client.ts';
import {
  activeHotspotUsers,
  deviceMode,
  hotspotHostByMac,
  hotspotLogin,
  identity,
  radiusIncoming,
  radiusRows,
  removeHotspotActive,
  resource,
} from '../../../src/protocols/routeros/device.ts';
import { createSentenceDecoder, encodeSentence } from '../../../src/protocols/routeros/sentence.ts';
import { type Bench, type BenchOptions, startBench } from './bench.ts';

const mac = '40:D3:AE:04:32:0C';
let bench: Bench | undefined;
let client: RouterClient | undefined;

afterEach(async () => {
  client?.close();
  await bench?.stop();
  client = undefined;
  bench = undefined;
});

async function start(options: BenchOptions = {}): Promise<Bench> {
  bench = await startBench(options);
  bench.router.addPhone({ mac, ip: '10.5.50.7' });
  bench.subscribers.set('V7K2P', { password: 'V7K2P', accept: [attribute('Session-Timeout', 3600)] });
  return bench;
}

async function connect(options: BenchOptions = {}, password = 'api-password'): Promise<RouterClient> {
  const { router } = await start(options);
  client = await connectRouter({
    ...router.addresses.api,
    username: 'karibu',
    password,
    connectTimeoutMs: 5000,
    commandTimeoutMs: 5000,
  });
  return client;
}

describe('our client', () => {
  test('is refused with a wrong password', async () => {
    await expect(connect({}, 'wrong')).rejects.toMatchObject({ code: 'login_refused', step: 'login' });
  });

  test('reads what the router is', async () => {
    const router = await connect({ identity: 'site-0007' });
    bench!.clock.at += 3_725_000;
    expect(await identity(router)).toBe('site-0007');
    expect(await resource(router)).toEqual({
      version: '7.24 (stable)',
      uptimeSeconds: 3725,
      boardName: 'hAP ax^2',
      architecture: 'arm64',
    });
    expect(await deviceMode(router)).toEqual({ mode: 'advanced', hotspotAllowed: true });
  });

  test('sees a router whose device-mode forbids hotspots', async () => {
    expect(await deviceMode(await connect({ hotspotAllowed: false }))).toEqual({
      mode: 'home',
      hotspotAllowed: false,
    });
  });

  test('reads where RADIUS is asked, and no secret', async () => {
    const router = await connect();
    expect(await radiusRows(router)).toMatchObject([
      {
        address: '127.0.0.1',
        services: ['ppp', 'hotspot'],
        disabled: false,
        requireMessageAuth: 'yes-for-request-resp',
      },
    ]);
    expect(await radiusIncoming(router)).toEqual({ accept: true, port: bench!.router.addresses.coa.port });
    expect(JSON.stringify(await router.run('/radius/print'))).not.toContain('bench-secret');
  });

  test.each(['pap', 'chap'] as const)(
    'logs a phone in, which the router asks RADIUS about by %s',
    async (method) => {
      const router = await connect({ apiLoginMethod: method });
      const host = await hotspotHostByMac(router, '40-d3-ae-04-32-0c');
      expect(host).toMatchObject({ mac, toAddress: '10.5.50.7', authorized: false });
      await hotspotLogin(router, { ip: host!.toAddress, mac, user: 'V7K2P', password: 'V7K2P' });
      expect(passwordMethod(bench!.access[0]!)).toBe(method);
      bench!.router.addTraffic(mac, 10, 20);
      expect(await activeHotspotUsers(router)).toMatchObject([
        { user: 'V7K2P', address: '10.5.50.7', mac, uploadOctets: 10, downloadOctets: 20, byRadius: true },
      ]);
      expect((await hotspotHostByMac(router, mac))?.authorized).toBe(true);
    },
  );

  test('hears why a login failed', async () => {
    const router = await connect();
    const login = { ip: '10.5.50.7', mac, user: 'V7K2P', password: 'wrong' };
    await expect(hotspotLogin(router, login)).rejects.toMatchObject({
      code: 'trap',
      message: 'Wrong password',
    });
    await expect(hotspotLogin(router, { ...login, ip: '10.5.50.9' })).rejects.toMatchObject({
      message: 'unknown host IP 10.5.50.9',
    });
    expect(await hotspotHostByMac(router, '02:00:00:00:00:99')).toBeUndefined();
  });

  test('ends sessions of a user, all or on one device, and hears how many', async () => {
    const router = await connect();
    const { accounting, router: simulator } = bench!;
    simulator.addPhone({ mac: '02:00:00:00:00:01' });
    for (const each of [mac, '02:00:00:00:00:01']) await simulator.login(each, 'V7K2P', 'V7K2P');
    expect(await removeHotspotActive(router, { user: 'V7K2P', mac: '020000000001' })).toBe(1);
    expect(simulator.sessions().map((session) => session.phone.mac)).toEqual([mac]);
    expect(await removeHotspotActive(router, { user: 'V7K2P' })).toBe(1);
    expect(await removeHotspotActive(router, { user: 'V7K2P' })).toBe(0);
    await simulator.idle();
    expect(getInteger(accounting.at(-1)!, 'Acct-Terminate-Cause')).toBe(6);
  });

  test('follows who comes and goes', async () => {
    const router = await connect();
    const { router: simulator } = bench!;
    const rows: Record<string, string>[] = [];
    let seen = () => {};
    const both = new Promise<void>((resolve) => {
      seen = resolve;
    });
    const stream = router.stream('/ip/hotspot/active/listen', (row) => {
      rows.push(row);
      if (rows.length === 2) seen();
    });
    // Answered after the router has read the listen before it.
    await identity(router);
    await simulator.login(mac, 'V7K2P', 'V7K2P');
    simulator.logout(mac);
    await both;
    await stream.cancel();
    expect(rows[0]).toMatchObject({ user: 'V7K2P', 'mac-address': mac });
    expect(rows[1]).toEqual({ '.id': rows[0]!['.id'], '.dead': 'yes' });
    expect(await identity(router)).toBe('karibu-demo');
  });

  test('queries, counts and picks', async () => {
    const router = await connect();
    const { router: simulator } = bench!;
    for (let i = 1; i < 5; i++) simulator.addPhone({ mac: `02:00:00:00:00:0${i}`, ip: `10.5.50.2${i}` });
    const print = (queries: string[]) =>
      router.run('/ip/hotspot/host/print', { '.proplist': 'address' }, queries);
    expect(await print(['?address=10.5.50.21', '?address=10.5.50.22', '?#|'])).toEqual([
      { address: '10.5.50.21' },
      { address: '10.5.50.22' },
    ]);
    expect(await print(['?address=10.5.50.21', '?#!'])).toHaveLength(4);
    expect(await print(['?authorized=yes'])).toEqual([]);
    expect(await print(['?nothing'])).toEqual([]);
    expect(await print(['?-nothing', '?>address=10.5.50.23'])).toHaveLength(2);
    expect(await router.run('/ip/hotspot/host/print', { 'count-only': '' })).toEqual([{ ret: '5' }]);
  });

  test('is told what does not exist', async () => {
    const router = await connect();
    await expect(router.run('/no/such/print')).rejects.toMatchObject({ code: 'trap', category: 0 });
    await expect(router.run('/ip/hotspot/active/remove', { '.id': '*FF' })).rejects.toMatchObject({
      message: 'no such item',
    });
  });

  test('loses its connection in a power cut', async () => {
    const router = await connect();
    bench!.router.powerCut();
    expect((await router.closed)?.code).toBe('connection_lost');
  });
});

describe('the wire', () => {
  /** Sends sentences and answers those that come back until `last`, or until the router hangs up. */
  async function converse(port: number, sentences: string[][], last: string[]): Promise<string[][]> {
    const socket = createConnection({ host: '127.0.0.1', port });
    const decoder = createSentenceDecoder();
    const heard: string[][] = [];
    for (const words of sentences) socket.write(encodeSentence(words));
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      heard.push(...decoder.push(chunk));
      if (heard.some((words) => words.join() === last.join())) break;
    }
    return heard;
  }

  test('a cancelled listen is interrupted once', async () => {
    const { router } = await start();
    const sentences = [
      ['/login', '=name=karibu', '=password=api-password'],
      ['/ip/hotspot/active/listen', '.tag=1'],
      ['/cancel', '=tag=1', '.tag=2'],
      ['/cancel', '.tag=3'],
    ];
    expect(await converse(router.addresses.api.port, sentences, ['!done', '.tag=3'])).toEqual([
      ['!done'],
      ['!trap', '=category=2', '=message=interrupted', '.tag=1'],
      ['!done', '.tag=1'],
      ['!done', '.tag=2'],
      ['!done', '.tag=3'],
    ]);
  });

  test('an empty print says !empty since 7.18 and not before', async () => {
    const sentences = [
      ['/login', '=name=karibu', '=password=api-password'],
      ['/ip/hotspot/active/print', '.tag=1'],
    ];
    const { router } = await start();
    expect(await converse(router.addresses.api.port, sentences, ['!done', '.tag=1'])).toContainEqual([
      '!empty',
      '.tag=1',
    ]);
    await bench!.stop();
    const { router: older } = await start({ version: '7.17.2 (stable)' });
    expect(await converse(older.addresses.api.port, sentences, ['!done', '.tag=1'])).toEqual([
      ['!done'],
      ['!done', '.tag=1'],
    ]);
  });

  test('nothing is said to those who have not logged in', async () => {
    const { router } = await start();
    const heard = await converse(router.addresses.api.port, [['/ip/hotspot/host/print']], []);
    expect(heard).toEqual([['!fatal', 'not logged in']]);
  });
});

describe('node-routeros', () => {
  // It dies of !empty, which 7.18 and later send, so the router says it is older.
  test('logs in, prints, listens and hears traps', async () => {
    const { router } = await start({ version: '7.17.2 (stable)', identity: 'site-0007' });
    const other = new RouterOSAPI({
      ...router.addresses.api,
      user: 'karibu',
      password: 'api-password',
      timeout: 5,
    });
    await other.connect();
    try {
      expect(await other.write('/system/identity/print')).toEqual([{ name: 'site-0007' }]);
      expect(await other.write('/ip/hotspot/active/print')).toEqual([]);
      await other.write('/ip/hotspot/active/login', ['=ip=10.5.50.7', '=user=V7K2P', '=password=V7K2P']);
      const rows = await other.write('/ip/hotspot/active/print', ['=.proplist=user,address', '?user=V7K2P']);
      expect(rows).toEqual([{ user: 'V7K2P', address: '10.5.50.7' }]);
      await expect(other.write('/no/such')).rejects.toThrow('no such command');
    } finally {
      await other.close();
    }
  });

  test('is refused with a wrong password', async () => {
    const { router } = await start();
    const other = new RouterOSAPI({ ...router.addresses.api, user: 'karibu', password: 'wrong', timeout: 5 });
    await expect(other.connect()).rejects.toThrow();
  });
});

const python = '/usr/bin/python3';

function haveLibrouteros(): boolean {
  if (!existsSync(python)) return false;
  try {
    execFileSync(python, ['-c', 'import librouteros'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    return (error as { status?: number }).status === 0;
  }
}

describe.skipIf(!haveLibrouteros())("Debian's python3-librouteros", () => {
  const script = `
import json, sys, librouteros
from librouteros.exceptions import TrapError
from librouteros.query import Key
port = int(sys.argv[1])
try:
    librouteros.connect(host='127.0.0.1', port=port, username='karibu', password='wrong')
    print('"wrong password taken"')
except TrapError as error:
    print(json.dumps(str(error)))
api = librouteros.connect(host='127.0.0.1', port=port, username='karibu', password='api-password')
print(json.dumps(list(api('/system/identity/print'))))
list(api('/ip/hotspot/active/login', ip='10.5.50.7', user='V7K2P', password='V7K2P'))
user, address = Key('user'), Key('address')
print(json.dumps(list(api.path('ip', 'hotspot', 'active').select(user, address).where(user == 'V7K2P'))))
try:
    list(api('/no/such'))
    print('"command taken"')
except TrapError as error:
    print(json.dumps(str(error)))
api.close()
`;

  test('logs in, prints, queries and hears traps', async () => {
    const { router, access } = await start({ version: '7.17.2 (stable)', identity: 'site-0007' });
    const { stdout } = await promisify(execFile)(python, ['-c', script, String(router.addresses.api.port)]);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toEqual([
      expect.stringContaining('invalid user name or password'),
      [{ name: 'site-0007' }],
      [{ user: 'V7K2P', address: '10.5.50.7' }],
      expect.stringContaining('no such command'),
    ]);
    expect(getString(access[0]!, 'User-Name')).toBe('V7K2P');
  });
});
