// RADIUS as a hotspot speaks it, over real sockets: who gets in, what is stored, what gets silence.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { revokeEntitlement } from '../../../src/access/entitlements.ts';
import { updateSubscriber } from '../../../src/access/subscribers.ts';
import { cancelVoucher } from '../../../src/access/vouchers.ts';
import {
  attribute,
  getInteger,
  getOctets,
  getString,
  hasAttribute,
} from '../../../src/protocols/radius/attributes.ts';
import { type Attribute, Code, type Packet } from '../../../src/protocols/radius/packet.ts';
import { HOUR, NOW, report, someAccess, someVouchers } from '../../access/fixtures.ts';
import { MAC, online, startRadius, told } from './fixtures.ts';

let radius: Awaited<ReturnType<typeof startRadius>>;

beforeEach(async () => {
  radius = await startRadius();
});
afterEach(async () => {
  await radius.requester.close();
  await radius.listeners.stop();
  await radius.db.destroy();
});

const HOUR_ACCEPT = { accept: true, session_timeout: 3600, rate_limit: '2M/5M', interim: 60 };
/** How long nothing has to come to count as silence: an answer takes a millisecond or two. */
const SILENCE_MS = 400;
const OTHER_MAC = 'AA:BB:CC:00:00:02';

async function entitlement(id: string) {
  return radius.db.selectFrom('entitlements').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
}

describe('a paid guest', () => {
  for (const method of ['pap', 'chap'] as const) {
    it(`gets in by ${method} with the plan's time and speed`, async () => {
      const { credential } = await someAccess(radius.db);
      const login = { username: credential.username, password: 'secret', method };
      const accept = await radius.logIn(login);
      expect(told(accept)).toEqual(HOUR_ACCEPT);
      expect(getString(accept as Packet, 'Class')).toMatch(/^k1\/[0-9a-z]{26}\/[0-9a-z]{26}\/[0-9a-z]{26}$/);
      expect(told(await radius.logIn({ ...login, password: 'Secret' }))).toEqual({
        reject: 'Wrong password. Check it and try again.',
      });
      expect(told(await radius.logIn({ ...login, password: '' }))).toMatchObject({
        reject: expect.stringContaining('Wrong'),
      });
    });
  }

  it('has the time run from the first login', async () => {
    const access = await someAccess(radius.db);
    const login = { username: access.credential.username, password: 'secret' };
    await radius.logIn({ ...login, password: 'wrong' });
    expect(await entitlement(access.entitlement.id)).toMatchObject({ state: 'waiting' });
    await radius.logIn(login);
    radius.time.now = NOW + HOUR / 2;
    expect(told(await radius.logIn(login))).toMatchObject({ session_timeout: 1800 });
    expect(await entitlement(access.entitlement.id)).toMatchObject({ starts_at: NOW, ends_at: NOW + HOUR });
  });

  it('is told that the plan expired, at the end and not before', async () => {
    const access = await someAccess(radius.db);
    const login = { username: access.credential.username, password: 'secret' };
    await radius.logIn(login);
    radius.time.now = NOW + HOUR - 1;
    expect(told(await radius.logIn(login))).toMatchObject({ accept: true, session_timeout: 1 });
    radius.time.now = NOW + HOUR;
    expect(told(await radius.logIn(login))).toEqual({ reject: expect.stringContaining('expired') });
    expect(radius.signIns.list()[0]).toMatchObject({
      result: 'reject',
      reason: 'expired',
      router_name: 'Kiosk',
    });
  });

  it('goes on with the plan bought next', async () => {
    const access = await someAccess(radius.db);
    await access.grant();
    const login = { username: access.credential.username, password: 'secret' };
    await radius.logIn(login);
    radius.time.now = NOW + 2 * HOUR;
    expect(told(await radius.logIn(login))).toMatchObject({ accept: true, session_timeout: 3600 });
    radius.time.now = NOW + 4 * HOUR;
    expect(told(await radius.logIn(login))).toEqual({ reject: expect.stringContaining('expired') });
  });

  it('gets what is left of the quota, also above 4 GiB', async () => {
    const GIB = 1024 ** 3;
    const { credential } = await someAccess(radius.db, { quota_octets: 9 * GIB + 5 });
    const accept = (await radius.logIn({ username: credential.username, password: 'secret' })) as Packet;
    expect(getInteger(accept, 'Mikrotik-Total-Limit')).toBe(GIB + 5);
    expect(getInteger(accept, 'Mikrotik-Total-Limit-Gigawords')).toBe(2);
  });

  it('gets the bursts, the idle timeout and the names on the router that the plan has', async () => {
    const { credential } = await someAccess(radius.db, {
      burst_rate_down_kbps: 10_000,
      burst_rate_up_kbps: 4000,
      burst_threshold_down_kbps: 4000,
      burst_threshold_up_kbps: 1500,
      burst_seconds: 10,
      idle_timeout_seconds: 600,
      address_pool: 'guests',
      address_list: 'paid',
    });
    const accept = (await radius.logIn({ username: credential.username, password: 'secret' })) as Packet;
    expect(told(accept)).toMatchObject({ rate_limit: '2M/5M 4M/10M 1500k/4M 10/10' });
    expect(getInteger(accept, 'Idle-Timeout')).toBe(600);
    expect(getString(accept, 'Framed-Pool')).toBe('guests');
    expect(getString(accept, 'Mikrotik-Address-List')).toBe('paid');
  });

  it('gets none of them where the plan has none', async () => {
    const { credential } = await someAccess(radius.db);
    const accept = (await radius.logIn({ username: credential.username, password: 'secret' })) as Packet;
    for (const name of ['Idle-Timeout', 'Framed-Pool', 'Mikrotik-Address-List'] as const) {
      expect(hasAttribute(accept, name)).toBe(false);
    }
  });

  it('gets what is left of the quota of each direction, as the router sees them', async () => {
    const GIB = 1024 ** 3;
    const { credential } = await someAccess(radius.db, {
      upload_quota_octets: 5 * GIB,
      download_quota_octets: 8 * GIB + 3,
    });
    const accept = (await radius.logIn({ username: credential.username, password: 'secret' })) as Packet;
    expect(getInteger(accept, 'Mikrotik-Recv-Limit')).toBe(GIB);
    expect(getInteger(accept, 'Mikrotik-Recv-Limit-Gigawords')).toBe(1);
    expect(getInteger(accept, 'Mikrotik-Xmit-Limit')).toBe(3);
    expect(getInteger(accept, 'Mikrotik-Xmit-Limit-Gigawords')).toBe(2);
    expect(hasAttribute(accept, 'Mikrotik-Total-Limit')).toBe(false);
  });

  it('gets in at the fair-use rate after the quota, without a limit', async () => {
    const { credential, entitlement: granted } = await someAccess(radius.db, {
      quota_octets: 1000,
      fair_use_rate_down_kbps: 1000,
      fair_use_rate_up_kbps: 512,
    });
    const login = { username: credential.username, password: 'secret' };
    expect(told(await radius.logIn(login))).toMatchObject({ rate_limit: '2M/5M' });
    await radius.db
      .updateTable('entitlements')
      .set({ used_download_octets: 1000 })
      .where('id', '=', granted.id)
      .execute();
    const slow = (await radius.logIn(login)) as Packet;
    expect(told(slow)).toMatchObject({ rate_limit: '512k/1M' });
    expect(hasAttribute(slow, 'Mikrotik-Total-Limit')).toBe(false);
  });

  it('gets in during the hours of the plan, until they end, and is told them outside', async () => {
    const access = await someAccess(radius.db, { hours_from_minute: 22 * 60, hours_to_minute: 6 * 60 });
    const login = { username: access.credential.username, password: 'secret' };
    const told_hours = { reject: 'Your plan works from 22:00 to 06:00. Please come back then.' };
    expect(told(await radius.logIn(login))).toEqual(told_hours);
    expect(radius.signIns.list()[0]).toMatchObject({ reason: 'outside_hours', message: told_hours.reject });
    expect(await entitlement(access.entitlement.id)).toMatchObject({ state: 'waiting' });
    // NOW is 11:00 in Nairobi.
    radius.time.now = NOW + 18.5 * HOUR;
    expect(told(await radius.logIn(login))).toMatchObject({ accept: true, session_timeout: 1800 });
    radius.time.now = NOW + 19 * HOUR;
    expect(told(await radius.logIn(login))).toEqual(told_hours);
  });

  it('gets in from the start of the plan, and before is told when that is', async () => {
    const access = await someAccess(radius.db);
    await radius.db
      .updateTable('entitlements')
      .set({ not_before_at: NOW + HOUR })
      .execute();
    const login = { username: access.credential.username, password: 'secret' };
    expect(told(await radius.logIn(login))).toEqual({
      reject: 'Your plan starts on 15/01/2027 at 12:00. Please come back then.',
    });
    // One that may start at once comes before it, whichever was granted first.
    const second = await access.grant();
    expect(told(await radius.logIn(login))).toEqual(HOUR_ACCEPT);
    expect(await entitlement(second.id)).toMatchObject({ state: 'active' });
    radius.time.now = NOW + HOUR;
    expect(told(await radius.logIn(login))).toEqual(HOUR_ACCEPT);
    expect(await entitlement(access.entitlement.id)).toMatchObject({ starts_at: NOW + HOUR });
  });

  it('on a second device is told so; the same device comes back in', async () => {
    const { credential, entitlement: granted } = await someAccess(radius.db);
    const login = { username: credential.username, password: 'secret' };
    await radius.logIn(login);
    await online(
      radius.db,
      report({
        username: credential.username,
        mac: MAC,
        router_id: radius.router.id,
        reference: { credential_id: credential.id, entitlement_id: granted.id, accept_id: 'a' },
      }),
    );
    expect(told(await radius.logIn({ ...login, mac: OTHER_MAC }))).toEqual({
      reject: 'Too many devices. Disconnect another device first.',
    });
    expect(told(await radius.logIn({ ...login, mac: MAC.replaceAll(':', '-').toLowerCase() }))).toEqual(
      HOUR_ACCEPT,
    );
  });

  it('on one device too many takes the place of the oldest, once, where the plan says so', async () => {
    const { credential, entitlement: granted } = await someAccess(radius.db, {
      device_policy: 'replace_oldest',
      max_devices: 2,
    });
    const start = (mac: string, at: number) =>
      online(
        radius.db,
        report({
          username: credential.username,
          mac,
          acct_session_id: mac,
          router_id: radius.router.id,
          reference: { credential_id: credential.id, entitlement_id: granted.id, accept_id: mac },
          at,
        }),
      );
    await start(MAC, NOW + 2);
    await start(OTHER_MAC, NOW + 1);
    const login = { username: credential.username, password: 'secret', mac: 'AA:BB:CC:00:00:03' };
    for (const _ of [1, 2]) expect(told(await radius.logIn(login))).toMatchObject({ accept: true });
    const asked = await radius.db.selectFrom('sessions').selectAll().orderBy('started_at').execute();
    expect(asked.map((session) => [session.mac, session.disconnect_state])).toEqual([
      [OTHER_MAC, 'requested'],
      [MAC, null],
    ]);
    const tasks = await radius.db
      .selectFrom('tasks')
      .selectAll()
      .where('kind', '=', 'disconnect_session')
      .execute();
    expect(tasks.map((task) => JSON.parse(task.payload).session_id)).toEqual([asked[0]?.id]);
  });

  it('who is suspended, revoked or switched off is told which', async () => {
    const access = await someAccess(radius.db);
    const login = { username: access.credential.username, password: 'secret' };
    await updateSubscriber(radius.db, access.subscriber.id, { state: 'suspended' }, NOW);
    expect(told(await radius.logIn(login))).toEqual({ reject: expect.stringContaining('suspended') });
    await updateSubscriber(radius.db, access.subscriber.id, { state: 'active' }, NOW);
    await revokeEntitlement(radius.db, access.entitlement.id, 'x', NOW);
    expect(told(await radius.logIn(login))).toEqual({ reject: expect.stringContaining('withdrawn') });
    await radius.db.updateTable('credentials').set({ state: 'disabled' }).execute();
    expect(told(await radius.logIn(login))).toEqual({ reject: expect.stringContaining('switched off') });
  });

  it('whose subscriber is in a state that this version does not know is not let in', async () => {
    const access = await someAccess(radius.db);
    const login = { username: access.credential.username, password: 'secret' };
    for (const state of ['closed', 'Active', '', 'suspended ']) {
      await radius.db
        .updateTable('subscribers')
        .set({ state: state as 'active' })
        .execute();
      expect([state, told(await radius.logIn(login))]).toEqual([
        state,
        { reject: expect.stringContaining('suspended') },
      ]);
    }
    await updateSubscriber(radius.db, access.subscriber.id, { state: 'active' }, NOW);
    expect(told(await radius.logIn(login))).not.toHaveProperty('reject');
  });

  it('loses nothing while the clock is behind: the time starts when the clock is right', async () => {
    const access = await someAccess(radius.db);
    const login = { username: access.credential.username, password: 'secret' };
    radius.time.now = 1000;
    radius.time.trusted = false;
    expect(told(await radius.logIn(login))).toEqual(HOUR_ACCEPT);
    expect(await entitlement(access.entitlement.id)).toMatchObject({ state: 'waiting', ends_at: null });
    radius.time.now = NOW + 5 * HOUR;
    radius.time.trusted = true;
    expect(told(await radius.logIn(login))).toEqual(HOUR_ACCEPT);
    expect(await entitlement(access.entitlement.id)).toMatchObject({ ends_at: NOW + 6 * HOUR });
  });
});

describe('a voucher', () => {
  it.each([
    ['its code twice', (code: string) => [code, code]],
    ['its code and no password', (code: string) => [code, '']],
    ['small letters', (code: string) => [code.toLowerCase(), code.toLowerCase()]],
    ['small letters and no password', (code: string) => [code.toLowerCase(), '']],
    [
      'a dash',
      (code: string) => [`${code.slice(0, 4)}-${code.slice(4)}`, `${code.slice(0, 4)}-${code.slice(4)}`],
    ],
    ['a dash, the password without', (code: string) => [`${code.slice(0, 4)}-${code.slice(4)}`, code]],
    ['spaces', (code: string) => [` ${code.slice(0, 4)} ${code.slice(4)} `, '']],
  ] as const)('typed as %s gets in, by either method, and comes back', async (_, type) => {
    for (const method of ['pap', 'chap'] as const) {
      const { codes } = await someVouchers(radius.db, 1);
      const [username, password] = type(codes[0] as string) as [string, string];
      expect(told(await radius.logIn({ username, password, method }))).toEqual(HOUR_ACCEPT);
      radius.time.now += HOUR / 2;
      expect(told(await radius.logIn({ username, password, method }))).toMatchObject({
        session_timeout: 1800,
      });
      radius.time.now += HOUR / 2;
      expect(told(await radius.logIn({ username, password, method }))).toEqual({
        reject: expect.stringContaining('expired'),
      });
    }
  });

  it('is redeemed by its first login, once, also by two devices at once', async () => {
    const { codes } = await someVouchers(radius.db, 1);
    const username = codes[0] as string;
    await Promise.all([MAC, OTHER_MAC].map((mac) => radius.logIn({ username, password: '', mac })));
    expect(await radius.db.selectFrom('entitlements').selectAll().execute()).toHaveLength(1);
    expect(await radius.db.selectFrom('vouchers').selectAll().execute()).toMatchObject([
      { state: 'redeemed' },
    ]);
  });

  it('is not redeemed by a wrong password', async () => {
    const { codes } = await someVouchers(radius.db, 1);
    const answer = await radius.logIn({ username: codes[0] as string, password: 'guess' });
    expect(told(answer)).toEqual({ reject: expect.stringContaining('Wrong password') });
    expect(await radius.db.selectFrom('vouchers').selectAll().execute()).toMatchObject([{ state: 'unused' }]);
  });

  it('that is cancelled or unknown gives nothing', async () => {
    const { codes, vouchers } = await someVouchers(radius.db, 1);
    await cancelVoucher(radius.db, vouchers[0]?.id as string);
    const username = codes[0] as string;
    expect(told(await radius.logIn({ username, password: username }))).toEqual({
      reject: expect.stringContaining('switched off'),
    });
    for (const unknown of ['ZZZZZZZZ', 'nobody', '', ' ', '😀', "' or 1=1 --"]) {
      expect(told(await radius.logIn({ username: unknown, password: unknown }))).toEqual({
        reject: 'Unknown code or user name. Check it and try again.',
      });
    }
    expect(radius.signIns.list()[0]).toMatchObject({ reason: 'unknown_user', username: "' or 1=1 --" });
  });
});

describe('accounting', () => {
  async function accounting(): Promise<{ id: string; attributes: Attribute[] }> {
    const { credential, entitlement: granted } = await someAccess(radius.db);
    const accept = (await radius.logIn({ username: credential.username, password: 'secret' })) as Packet;
    const attributes = [
      attribute('User-Name', credential.username),
      attribute('Acct-Session-Id', '80100014'),
      attribute('NAS-Port-Id', 'bridge'),
      attribute('Calling-Station-Id', MAC),
      attribute('Framed-IP-Address', '10.5.48.20'),
      attribute('NAS-IP-Address', '10.5.48.1'),
      attribute('Class', getOctets(accept, 'Class') as Buffer),
    ];
    return { id: granted.id, attributes };
  }
  const sessions = () => radius.db.selectFrom('sessions').selectAll().execute();

  it('is on disk when the answer comes, with what the router received as upload', async () => {
    const { id, attributes } = await accounting();
    expect((await radius.account('Start', attributes))?.code).toBe(Code.AccountingResponse);
    expect(await sessions()).toMatchObject([
      { state: 'open', ip: '10.5.48.20', nas_ip: '10.5.48.1', mac: MAC, entitlement_id: id, started_at: NOW },
    ]);
    const counters = [
      attribute('Acct-Session-Time', 300),
      attribute('Acct-Input-Octets', 1000),
      attribute('Acct-Output-Octets', 7),
      attribute('Acct-Output-Gigawords', 2),
    ];
    radius.time.now = NOW + 300_000;
    await radius.account('Interim-Update', [...attributes, ...counters]);
    expect(await sessions()).toMatchObject([
      { upload_octets: 1000, download_octets: 2 * 2 ** 32 + 7, session_seconds: 300 },
    ]);
    radius.time.now = NOW + 310_000;
    await radius.account('Stop', [
      ...attributes,
      ...counters,
      attribute('Acct-Terminate-Cause', 1),
      attribute('Acct-Delay-Time', 10),
    ]);
    expect(await sessions()).toMatchObject([
      { state: 'closed', terminate_cause: 1, stopped_at: NOW + 300_000 },
    ]);
    expect(await entitlement(id)).toMatchObject({ used_seconds: 300, used_upload_octets: 1000 });
  });

  const counted = (seconds: number, up: number, down: number, gigawords: number | undefined) => [
    attribute('Acct-Session-Time', seconds),
    attribute('Acct-Input-Octets', up),
    attribute('Acct-Output-Octets', down),
    ...(gigawords === undefined ? [] : [attribute('Acct-Output-Gigawords', gigawords)]),
  ];

  it('after a reboot that counts from zero, under the same session id, user and port, adds to what was', async () => {
    const { id, attributes } = await accounting();
    await radius.account('Interim-Update', [...attributes, ...counted(600, 1000, 9000, 0)]);
    const { username } = await radius.db.selectFrom('sessions').select('username').executeTakeFirstOrThrow();
    const again = (await radius.logIn({ username, password: 'secret' })) as Packet;
    const anew = [
      ...attributes.filter(({ type }) => type !== 25),
      attribute('Class', getOctets(again, 'Class') as Buffer),
    ];
    await radius.account('Start', anew);
    await radius.account('Interim-Update', [...anew, ...counted(60, 10, 90, 0)]);
    // What the network held back from before the reboot.
    await radius.account('Interim-Update', [...attributes, ...counted(540, 900, 8000, 0)]);
    expect(await entitlement(id)).toMatchObject({
      used_seconds: 660,
      used_upload_octets: 1010,
      used_download_octets: 9090,
    });
    expect((await sessions()).filter(({ state }) => state === 'open')).toMatchObject([
      { session_seconds: 60 },
    ]);
  });

  it('of a router without gigawords goes on where 32 bits end, that of RouterOS is taken at its word', async () => {
    const { id, attributes } = await accounting();
    await radius.account('Interim-Update', [...attributes, ...counted(300, 5, 2 ** 32 - 10, undefined)]);
    await radius.account('Interim-Update', [...attributes, ...counted(600, 6, 30, undefined)]);
    expect(await entitlement(id)).toMatchObject({
      used_upload_octets: 6,
      used_download_octets: 2 ** 32 + 30,
    });
    await radius.account('Interim-Update', [...attributes, ...counted(900, 7, 20, 1)]);
    expect(await entitlement(id)).toMatchObject({ used_download_octets: 2 ** 32 + 30 });
    await radius.account('Stop', [...attributes, attribute('Acct-Session-Time', 950)]);
    expect(await entitlement(id)).toMatchObject({ used_seconds: 950, used_download_octets: 2 ** 32 + 30 });
  });

  it('with a counter that no session can have is acknowledged, and the counter is not believed', async () => {
    const { id, attributes } = await accounting();
    await radius.account('Interim-Update', [...attributes, ...counted(300, 5, 100, 0)]);
    const answer = await radius.account('Interim-Update', [
      ...attributes,
      ...counted(360, 8, 0xffffffff, 0xffffffff),
    ]);
    expect(answer?.code).toBe(Code.AccountingResponse);
    expect(await entitlement(id)).toMatchObject({
      used_seconds: 360,
      used_upload_octets: 8,
      used_download_octets: 100,
    });
  });

  it('of a router that names its ports by number only keeps two ports apart', async () => {
    const { id, attributes } = await accounting();
    const numbered = (port: number) => [
      ...attributes.filter(({ type }) => type !== 87 && type !== 25),
      attribute('NAS-Port', port),
    ];
    for (const port of [1, 2, 1, 2]) {
      await radius.account('Interim-Update', [...numbered(port), ...counted(60, port, 10, 0)]);
    }
    expect((await sessions()).map((one) => one.nas_port_id).sort()).toEqual(['1', '2']);
    expect(await entitlement(id)).toMatchObject({ used_seconds: 120, used_upload_octets: 3 });
  });

  it('of many sessions at once is stored whole', async () => {
    const { attributes } = await accounting();
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        radius.account('Start', [
          ...attributes.filter((one) => one.type !== 44 && one.type !== 31),
          attribute('Acct-Session-Id', `s${i}`),
        ]),
      ),
    );
    expect(answers.every((answer) => answer?.code === Code.AccountingResponse)).toBe(true);
    expect(await sessions()).toHaveLength(40);
  });

  it('of a restarted router closes what it had', async () => {
    const { attributes } = await accounting();
    await radius.account('Start', attributes);
    radius.time.now = NOW + 60_000;
    expect((await radius.account('Accounting-On', []))?.code).toBe(Code.AccountingResponse);
    expect(await sessions()).toMatchObject([{ state: 'closed', stopped_at: NOW + 60_000 }]);
  });

  it('that names no session, or an unknown status, is answered and stored nowhere', async () => {
    expect((await radius.account('Start', []))?.code).toBe(Code.AccountingResponse);
    expect((await radius.account(15, [attribute('Acct-Session-Id', 'x')]))?.code).toBe(
      Code.AccountingResponse,
    );
    expect(await sessions()).toEqual([]);
  });
});

describe('when the store fails', () => {
  it('a login gets silence, never a yes or a no', async () => {
    const { credential } = await someAccess(radius.db);
    await radius.db.destroy();
    const login = { username: credential.username, password: 'secret' };
    expect(told(await radius.logIn(login, SILENCE_MS))).toBe('silence');
    expect(told(await radius.logIn({ username: 'nobody', password: 'x' }, SILENCE_MS))).toBe('silence');
  });

  it('accounting gets silence, so that the router tells it again', async () => {
    await radius.db.destroy();
    const answer = await radius.account(
      'Start',
      [attribute('Acct-Session-Id', 'x'), attribute('User-Name', 'u')],
      SILENCE_MS,
    );
    expect(told(answer)).toBe('silence');
  });
});

describe('a router', () => {
  it('that is not ours is counted and gets silence, until it is added', async () => {
    const { address } = radius.router;
    await radius.db.updateTable('routers').set({ address: '192.0.2.1' }).execute();
    await radius.listeners.reloadRouters();
    expect(told(await radius.logIn({ username: 'u', password: 'p' }, SILENCE_MS))).toBe('silence');
    expect(radius.listeners.unknownSources()).toMatchObject([{ address: '127.0.0.1', packets: 1 }]);
    await radius.db.updateTable('routers').set({ address }).execute();
    await radius.listeners.reloadRouters();
    expect(told(await radius.logIn({ username: 'u', password: 'p' }))).toMatchObject({
      reject: expect.any(String),
    });
    expect(radius.listeners.unknownSources()).toEqual([]);
  });

  it('is known to live by its packets', async () => {
    await radius.logIn({ username: 'u', password: 'p' });
    await radius.listeners.recordHeard();
    const router = await radius.db.selectFrom('routers').selectAll().executeTakeFirstOrThrow();
    expect(router).toMatchObject({ state: 'online', last_seen_at: NOW });
  });
});
