// A guest walks from one of the operator's routers to the next, and comes back by the router's own memory.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { someVouchers } from '../../access/fixtures.ts';
import { SECRET, startWire, until, type Wire } from './fixtures.ts';

const MAC = 'AA:BB:CC:00:00:01';
const OTHER = 'AA:BB:CC:00:00:02';
const ONLINE = { session: expect.anything() };
const REFUSED = { error: 'Too many devices. Disconnect another device first.' };

let wire: Wire;
beforeEach(async () => {
  wire = await startWire();
});
afterEach(() => wire.close());

describe('a guest who walks to the next router', () => {
  /** Online at the first router; the voucher is for one device. */
  async function walker(
    mac_login: 'yes' | 'no',
    plan: Parameters<typeof someVouchers>[2] = {},
    options: Parameters<Wire['addRouter']>[1] = {},
  ) {
    const first = await wire.addRouter('127.0.0.1', options);
    const second = await wire.addRouter('127.0.0.2', options, { mac_login });
    for (const router of [first, second]) {
      router.addPhone({ mac: MAC });
      router.addPhone({ mac: OTHER });
    }
    const { codes } = await someVouchers(wire.db, 1, plan);
    const code = codes[0] as string;
    expect(await first.login(MAC, code, code)).toMatchObject(ONLINE);
    await first.idle();
    return { first, second, code };
  }

  it.each([
    ['the router’s cookie for the device, which says the name and password of the first login', 'no'],
    ['MAC login', 'yes'],
  ] as const)('goes on there by %s, while the first session is still open', async (_, macLogin) => {
    const { first, second, code } = await walker(macLogin);
    const [name, password] = macLogin === 'yes' ? [MAC, ''] : [code, code];
    expect(await second.login(MAC, name, password)).toMatchObject(ONLINE);
    await second.idle();
    const sessions = await wire.sessions();
    expect(sessions).toMatchObject([
      { router_id: first.id, state: 'open', gave_way_at: null },
      { router_id: second.id, state: 'open', gave_way_at: null },
    ]);
    expect(new Set(sessions.map((session) => session.entitlement_id)).size).toBe(1);
    expect(await wire.db.selectFrom('entitlements').selectAll().execute()).toHaveLength(1);
    // One device, one place: a second device is one too many at either router, whichever session is left.
    expect(await first.login(OTHER, code, code)).toEqual(REFUSED);
    first.removePhone(MAC);
    await first.idle();
    expect(await second.login(OTHER, code, code)).toEqual(REFUSED);
    // And back again. No Disconnect went to the first router: that would have deleted its cookie for the device.
    first.addPhone({ mac: MAC });
    expect(await first.login(MAC, code, code)).toMatchObject(ONLINE);
    await first.idle();
    expect((await wire.sessions()).map((session) => session.disconnect_state)).toEqual([null, null, null]);
  });

  it('counts what it used at both', async () => {
    const { first, second, code } = await walker('no');
    await second.login(MAC, code, code);
    first.addTraffic(MAC, 100, 1000);
    second.addTraffic(MAC, 20, 200);
    first.logout(MAC);
    second.logout(MAC);
    await Promise.all([first.idle(), second.idle()]);
    await until(async () => (await wire.sessions()).every((session) => session.state === 'closed'));
    expect(await wire.db.selectFrom('entitlements').selectAll().execute()).toMatchObject([
      { used_upload_octets: 120, used_download_octets: 1200 },
    ]);
  });

  it.each([
    ['keep to their Session-Timeout', false],
    ['leave it to Karibu', true],
  ])('has all of the online time and no more, where routers %s', async (_, ignoreLimits) => {
    const plan = { online_seconds: 1200, validity_seconds: 86_400 };
    const { first, second, code } = await walker('no', plan, { ignoreLimits });
    const minutes = async (count: number) => {
      for (let minute = 0; minute < count; minute++) {
        wire.ahead.ms += 60_000;
        for (const router of [first, second]) router.tick();
        await Promise.all([first.idle(), second.idle()]);
      }
    };
    const entitlement = () => wire.db.selectFrom('entitlements').selectAll().executeTakeFirstOrThrow();
    await minutes(10);
    const outcome = await second.login(MAC, code, code);
    if (!('session' in outcome)) throw new Error(outcome.error);
    await second.idle();
    const { startedAt, endsAt = Number.NaN } = outcome.session;
    expect((endsAt - startedAt) / 1000).toBe(1200 - (await entitlement()).used_seconds);
    // The first router does not notice and goes on telling of the same minutes.
    await minutes(9);
    expect([first, second].map((router) => router.sessions().length)).toEqual([1, 1]);
    const { state, used_seconds } = await entitlement();
    expect(state).toBe('active');
    expect(Math.abs(used_seconds - 1140)).toBeLessThan(10);
    await minutes(1);
    await until(() => second.sessions().length === 0);
    await until(() => first.sessions().length === 0);
    await until(async () => (await wire.sessions()).every((session) => session.state === 'closed'));
    expect(await entitlement()).toMatchObject({ state: 'ended', end_reason: 'online_time_used' });
    expect(Math.abs((await entitlement()).used_seconds - 1200)).toBeLessThan(10);
    for (const router of [first, second]) {
      expect(await router.login(MAC, code, code)).toEqual({
        error: expect.stringContaining('online time is used up'),
      });
    }
  });
});

/** What radclient says of this Access-Request: `Access-Accept` or `Access-Reject`. */
async function radclient(port: number, attributes: Record<string, string>): Promise<string> {
  const lines = Object.entries(attributes).map(([name, value]) => `${name} = "${value}"`);
  const running = promisify(execFile)('radclient', [
    '-x',
    '-r',
    '1',
    '-t',
    '5',
    `127.0.0.1:${port}`,
    'auth',
    SECRET,
  ]);
  running.child.stdin?.end(`${lines.join('\n')}\nMessage-Authenticator = 0x00\n`);
  const { stdout } = await running.catch((failed: { stdout: string }) => failed);
  return /Received (Access-\w+)/.exec(stdout)?.[1] ?? stdout;
}

describe('radclient, as a router sends it', () => {
  it('mac-cookie: the name and password of the first login again, by PAP and by CHAP, until the plan is over', async () => {
    await wire.addRouter('127.0.0.1');
    const { codes } = await someVouchers(wire.db, 1);
    const code = codes[0] as string;
    const ask = (method: 'User-Password' | 'CHAP-Password') =>
      radclient(wire.bound.auth.port, { 'User-Name': code, [method]: code, 'Calling-Station-Id': MAC });
    expect(await ask('User-Password')).toBe('Access-Accept');
    wire.ahead.ms = 1800_000;
    expect(await ask('User-Password')).toBe('Access-Accept');
    expect(await ask('CHAP-Password')).toBe('Access-Accept');
    expect(await wire.db.selectFrom('entitlements').selectAll().execute()).toHaveLength(1);
    wire.ahead.ms = 3600_000 + 60_000;
    expect(await ask('CHAP-Password')).toBe('Access-Reject');
  });

  it('MAC login: the address in each spelling of radius-mac-format', async () => {
    await wire.addRouter('127.0.0.1', {}, { mac_login: 'yes' });
    const { codes } = await someVouchers(wire.db, 1);
    await radclient(wire.bound.auth.port, {
      'User-Name': codes[0] as string,
      'User-Password': codes[0] as string,
      'Calling-Station-Id': MAC,
    });
    const spellings = [
      ...['AA:BB:CC:00:00:01', 'AABB:CC00:0001', 'AABBCC:000001', 'AA-BB-CC-00-00-01', 'AABBCC-000001'],
      ...['AABBCC000001', 'AA BB CC 00 00 01'],
    ];
    for (const spelled of spellings.flatMap((each) => [each, each.toLowerCase()])) {
      const request = { 'User-Name': spelled, 'Calling-Station-Id': spelled };
      expect([
        spelled,
        await radclient(wire.bound.auth.port, { ...request, 'User-Password': spelled }),
      ]).toEqual([spelled, 'Access-Accept']);
      expect(await radclient(wire.bound.auth.port, { ...request, 'CHAP-Password': 'mac-auth' })).toBe(
        'Access-Accept',
      );
    }
  });
});
