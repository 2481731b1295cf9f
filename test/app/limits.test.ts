// Every limit of a plan, played over the wire: sold by the API, asked for in RADIUS, changed by CoA.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { getInteger, getString, hasAttribute } from '../../src/protocols/radius/attributes.ts';
import { Code, type Packet } from '../../src/protocols/radius/packet.ts';
import { HOUR, NOW } from '../access/fixtures.ts';
import { until } from '../e2e/support/until.ts';
import { type Site, startSite } from './site.ts';

let site: Site;
let devices = 0;
beforeAll(async () => {
  site = await startSite();
});
afterAll(() => site.close());
beforeEach(() => site.begin());

const GIB = 2 ** 30;
const MINUTE = 60_000;
// NOW is 11:00 in Nairobi.
const NIGHT = { hours_from_minute: 22 * 60, hours_to_minute: 6 * 60, validity_seconds: 7 * 86_400 };

async function someHome(terms: Record<string, unknown>) {
  const home = await site.home(terms);
  const device = site.device(`AA:BB:CC:01:00:${String(++devices).padStart(2, '0')}`);
  return { ...home, device };
}

async function someOnline(terms: Record<string, unknown>) {
  const home = await someHome(terms);
  const accept = await home.logIn(home.device);
  expect(accept.code).toBe(Code.AccessAccept);
  await home.device.start();
  return { ...home, accept };
}

/** What the CoA door was asked for this user name. */
const asked = (username: string, code: number): Packet[] =>
  site.peer.asked.filter((packet) => packet.code === code && getString(packet, 'User-Name') === username);
const coaOf = (username: string) => until('a CoA', () => asked(username, Code.CoaRequest).at(-1), 10);
const disconnectOf = (username: string) =>
  until('a Disconnect', () => asked(username, Code.DisconnectRequest).at(-1), 10);
const limits = (packet: Packet, name: 'Total' | 'Recv' | 'Xmit') => [
  getInteger(packet, `Mikrotik-${name}-Limit`),
  getInteger(packet, `Mikrotik-${name}-Limit-Gigawords`),
];
const why = (packet: Packet) => getString(packet, 'Reply-Message');

it('validity runs by the wall clock from the first login, online or not', async () => {
  const { accept, device, logIn } = await someOnline({ validity_seconds: 3600 });
  expect(getInteger(accept, 'Session-Timeout')).toBe(3600);
  await device.stop(60);
  site.time.now = NOW + 45 * MINUTE;
  expect(getInteger(await logIn(device), 'Session-Timeout')).toBe(900);
  site.time.now = NOW + HOUR;
  expect(why(await logIn(device))).toContain('expired');
});

it('online time pauses while the device is offline', async () => {
  const { accept, device, logIn } = await someOnline({ validity_seconds: 86_400, online_seconds: 3600 });
  expect(getInteger(accept, 'Session-Timeout')).toBe(3600);
  await device.stop(600);
  site.time.now = NOW + 5 * HOUR;
  expect(getInteger(await logIn(device), 'Session-Timeout')).toBe(3000);
  await device.start();
  await device.stop(3000);
  expect(why(await logIn(device))).toContain('online time is used up');
});

it('a quota above 4 GiB goes out in gigawords and comes back in them', async () => {
  const { accept, device, logIn } = await someOnline({ quota_octets: 10 * GIB });
  expect(limits(accept, 'Total')).toEqual([2 * GIB, 2]);
  await device.interim(60, 4 * GIB + 1, GIB);
  await device.stop(120, 4 * GIB + 2, 5 * GIB);
  expect(limits(await logIn(device), 'Total')).toEqual([GIB - 2, 0]);
  await device.start();
  await device.stop(60, 0, GIB);
  expect(why(await logIn(device))).toContain('quota');
});

it.each([
  ['upload', 'Recv', [5 * GIB, 0]],
  ['download', 'Xmit', [0, 5 * GIB]],
] as const)(
  'a quota for the %s alone is told to the router and ends the session',
  async (way, name, [up, down]) => {
    const { accept, credential, device } = await someOnline({ [`${way}_quota_octets`]: 5 * GIB });
    expect(limits(accept, name)).toEqual([GIB, 1]);
    await device.interim(60, down, up);
    await device.interim(120, up || down, down || up);
    await disconnectOf(credential.username);
  },
);

it('bursts, pool, address list and idle timeout are in the Accept', async () => {
  const { accept } = await someOnline({
    rate_down_kbps: 5000,
    rate_up_kbps: 2000,
    burst_rate_down_kbps: 10_000,
    burst_rate_up_kbps: 4000,
    burst_threshold_down_kbps: 4000,
    burst_threshold_up_kbps: 1500,
    burst_seconds: 10,
    address_pool: 'guests',
    address_list: 'paid',
    idle_timeout_seconds: 900,
  });
  expect(getString(accept, 'Mikrotik-Rate-Limit')).toBe('2M/5M 4M/10M 1500k/4M 10/10');
  expect(getString(accept, 'Framed-Pool')).toBe('guests');
  expect(getString(accept, 'Mikrotik-Address-List')).toBe('paid');
  expect(getInteger(accept, 'Idle-Timeout')).toBe(900);
});

it('Session-Timeout is the nearest of validity, online time and hours', async () => {
  const nearest = async (terms: Record<string, unknown>) =>
    getInteger((await someOnline({ validity_seconds: 86_400, ...terms })).accept, 'Session-Timeout');
  const morning = { hours_from_minute: 8 * 60, hours_to_minute: 12 * 60 };
  expect(await nearest({ ...morning, online_seconds: 7200 })).toBe(3600);
  expect(await nearest({ ...morning, online_seconds: 600 })).toBe(600);
  expect(await nearest({ ...morning, online_seconds: 600, validity_seconds: 300 })).toBe(300);
});

it('a night plan is refused by day in words, and ends in the morning', async () => {
  const { device, logIn } = await someHome(NIGHT);
  expect(why(await logIn(device))).toContain('works from 22:00 to 06:00');
  site.time.now = NOW + 12 * HOUR;
  expect(getInteger(await logIn(device), 'Session-Timeout')).toBe(7 * 3600);
});

it('a grant that starts later is refused until then', async () => {
  const { credential, plan, grant, entitlement, device, logIn } = await someHome({});
  await site.ok('POST', `/entitlements/${entitlement.id}/revoke`, { reason: 'test' });
  await grant(plan.id, NOW + 24 * HOUR);
  expect(why(await logIn(device))).toContain('starts on');
  site.time.now = NOW + 24 * HOUR;
  expect((await logIn(device)).code, credential.username).toBe(Code.AccessAccept);
});

it('after the quota the live session is slowed down by CoA, and the next login as well', async () => {
  const { credential, device, logIn, accept } = await someOnline({
    quota_octets: GIB,
    rate_down_kbps: 5000,
    rate_up_kbps: 2000,
    fair_use_rate_down_kbps: 1000,
    fair_use_rate_up_kbps: 512,
  });
  expect(hasAttribute(accept, 'Mikrotik-Total-Limit')).toBe(false);
  await device.interim(60, 0, GIB);
  expect(getString(await coaOf(credential.username), 'Mikrotik-Rate-Limit')).toBe('512k/1M');
  await device.stop(90, 0, GIB);
  expect(getString(await logIn(device), 'Mikrotik-Rate-Limit')).toBe('512k/1M');
});

it('with one device too many the plan decides: the new one is refused, or the oldest goes', async () => {
  const strict = await someOnline({});
  expect(why(await strict.logIn(site.device('AA:BB:CC:02:00:01')))).toContain('Too many devices');
  const kind = await someOnline({ device_policy: 'replace_oldest' });
  expect((await kind.logIn(site.device('AA:BB:CC:02:00:02'))).code).toBe(Code.AccessAccept);
  await disconnectOf(kind.credential.username);
});

describe('the next one in line', () => {
  it('is told to the router before the first ends, and takes over with all of its limits', async () => {
    const { credential, grant, device } = await someOnline({
      quota_octets: 5 * GIB,
      idle_timeout_seconds: 900,
      rate_down_kbps: 5000,
      rate_up_kbps: 2000,
    });
    const next = await site.sellHomes({ validity_seconds: 7200, rate_down_kbps: 3000, rate_up_kbps: 1000 });
    const queued = await grant(next.id);
    await device.interim(60, GIB, 0);
    site.time.now = NOW + HOUR - 20_000;
    await until('the later end', () =>
      asked(credential.username, Code.CoaRequest).some(
        (p) => getInteger(p, 'Session-Timeout') === 3600 + 7200,
      ),
    );
    site.peer.asked.length = 0;
    site.time.now = NOW + HOUR;
    const coa = await coaOf(credential.username);
    expect(getInteger(coa, 'Session-Timeout')).toBe(3600 + 7200);
    expect(getString(coa, 'Mikrotik-Rate-Limit')).toBe('1M/3M');
    expect(limits(coa, 'Total')).toEqual([0, 0]);
    expect(getInteger(coa, 'Idle-Timeout')).toBe(0);
    expect(asked(credential.username, Code.DisconnectRequest)).toEqual([]);
    const taken = () => site.ok('GET', `/entitlements/${queued.id}`);
    await until('the next plan', async () => (await taken()).state === 'active');
    await device.interim(3600, GIB, 0);
    // Stored by itself: reports that are stored together are split in proportion to the time.
    expect(await taken()).toMatchObject({ used_upload_octets: 0 });
    site.time.now = NOW + HOUR + 100_000;
    await device.interim(3700, GIB + 500, 0);
    expect(await taken()).toMatchObject({ state: 'active', used_upload_octets: 500 });
  });

  it('with a quota gives the router its own, counted from the start of the session', async () => {
    const { credential, plan, grant, device } = await someOnline({ quota_octets: 5 * GIB });
    await grant(plan.id);
    await device.interim(60, 2 * GIB, GIB);
    site.time.now = NOW + HOUR;
    const told = () =>
      asked(credential.username, Code.CoaRequest).find((packet) => (limits(packet, 'Total')[1] ?? 0) > 0);
    await until('the new quota', () => told() !== undefined);
    // A router that answers late is asked again, without what it may mind. Eight times 2^30 is a round number.
    expect(limits(told() as Packet, 'Total')).toEqual([2 ** 32 - 1, 1]);
  });

  it('for a router that minds the total goes without it', async () => {
    const { credential, plan, grant } = await someOnline({ quota_octets: 5 * GIB });
    await grant(plan.id);
    await coaOf(credential.username);
    site.peer.asked.length = 0;
    site.peer.agrees = false;
    site.time.now = NOW + HOUR;
    await until('two CoAs', () => asked(credential.username, Code.CoaRequest).length >= 2);
    const [first, second] = asked(credential.username, Code.CoaRequest) as [Packet, Packet];
    expect(hasAttribute(first, 'Mikrotik-Total-Limit')).toBe(true);
    expect(hasAttribute(second, 'Mikrotik-Total-Limit')).toBe(false);
    expect(hasAttribute(second, 'Session-Timeout')).toBe(true);
  });

  it.each([[{ address_list: 'fast' }], [{ address_pool: 'fast' }]])(
    'with %j has the session begin anew, for no CoA changes that',
    async (terms) => {
      const { credential, grant, device, logIn } = await someOnline({});
      await grant((await site.sellHomes(terms)).id);
      site.time.now = NOW + HOUR;
      await disconnectOf(credential.username);
      await device.stop(3600);
      const accept = await logIn(device);
      expect([getString(accept, 'Mikrotik-Address-List'), getString(accept, 'Framed-Pool')]).toContain(
        'fast',
      );
    },
  );

  it('runs while the first is outside its hours, and the first has its turn again in them', async () => {
    const { entitlement, grant, device, logIn, plan } = await someHome(NIGHT);
    site.time.now = NOW + 12 * HOUR;
    await logIn(device);
    await device.start();
    await device.stop(60);
    site.time.now = NOW + 20 * HOUR;
    expect(why(await logIn(device))).toContain('works from');
    const day = await site.sellHomes({ validity_seconds: 86_400, rate_down_kbps: 3000, rate_up_kbps: 1000 });
    const granted = await grant(day.id);
    expect(getString(await logIn(device), 'Mikrotik-Rate-Limit')).toBe('1M/3M');
    await device.start();
    await device.stop(60, 0, 777);
    expect(await site.ok('GET', `/entitlements/${granted.id}`)).toMatchObject({ used_download_octets: 777 });
    site.time.now = NOW + 36 * HOUR;
    await logIn(device);
    await device.start();
    await device.stop(60, 0, 888);
    expect(await site.ok('GET', `/entitlements/${entitlement.id}`), plan.name).toMatchObject({
      state: 'active',
      used_download_octets: 888,
    });
  });

  const SLOW_AFTER_A_GIB = {
    quota_octets: GIB,
    rate_down_kbps: 5000,
    rate_up_kbps: 2000,
    fair_use_rate_down_kbps: 1000,
    fair_use_rate_up_kbps: 512,
  };
  const rates = (username: string) =>
    asked(username, Code.CoaRequest).map((packet) => getString(packet, 'Mikrotik-Rate-Limit'));

  it('bought while the first is slow takes over at once; afterwards the slow one goes on', async () => {
    const { credential, entitlement, grant, device, logIn } = await someOnline({
      ...SLOW_AFTER_A_GIB,
      validity_seconds: 86_400,
    });
    await device.interim(60, 0, GIB);
    await until('the slow rate', () => rates(credential.username).includes('512k/1M'));
    const hour = await site.sellHomes({ rate_down_kbps: 8000, rate_up_kbps: 3000 });
    const bought = await grant(hour.id);
    await until('the fast rate', () => rates(credential.username).at(-1) === '3M/8M');
    const now = (id: string) => site.ok('GET', `/entitlements/${id}`);
    await until('its start', async () => (await now(bought.id)).state === 'active');
    expect(await now(entitlement.id)).toMatchObject({ state: 'active' });
    // What is used now is the bought one's, and a new login gets its speed and its end.
    await device.interim(120, 500, GIB);
    expect(await now(bought.id)).toMatchObject({ used_upload_octets: 500 });
    expect(await now(entitlement.id)).toMatchObject({ used_upload_octets: 0 });
    const again = await logIn(device);
    expect(getString(again, 'Mikrotik-Rate-Limit')).toBe('3M/8M');
    expect(getInteger(again, 'Session-Timeout')).toBe(3600);
    site.peer.asked.length = 0;
    site.time.now = NOW + HOUR - 20_000;
    await until('the later end', () =>
      asked(credential.username, Code.CoaRequest).some((p) => getInteger(p, 'Session-Timeout') === 86_400),
    );
    site.time.now = NOW + HOUR;
    await until('the slow rate again', () => rates(credential.username).at(-1) === '512k/1M');
    expect(asked(credential.username, Code.DisconnectRequest)).toEqual([]);
    expect(getString(await logIn(device), 'Mikrotik-Rate-Limit')).toBe('512k/1M');
  });

  it('bought before the first got slow waits for its end', async () => {
    const { credential, grant, device, logIn } = await someOnline(SLOW_AFTER_A_GIB);
    const queued = await grant((await site.sellHomes({ rate_down_kbps: 8000, rate_up_kbps: 3000 })).id);
    await device.interim(60, 0, GIB);
    await until('the slow rate', () => rates(credential.username).includes('512k/1M'));
    expect(getString(await logIn(device), 'Mikrotik-Rate-Limit')).toBe('512k/1M');
    expect(await site.ok('GET', `/entitlements/${queued.id}`)).toMatchObject({ state: 'waiting' });
  });

  it('of a router that will not hear of the faster one, the session begins anew', async () => {
    const { credential, grant, device, logIn } = await someOnline(SLOW_AFTER_A_GIB);
    await device.interim(60, 0, GIB);
    await until('the slow rate', () => rates(credential.username).includes('512k/1M'));
    site.peer.agrees = false;
    const bought = await grant((await site.sellHomes({ rate_down_kbps: 8000, rate_up_kbps: 3000 })).id);
    await disconnectOf(credential.username);
    const now = () => site.ok('GET', `/entitlements/${bought.id}`);
    // Nothing of it is used up while nobody knows whether the guest has it.
    expect(await now()).toMatchObject({ state: 'waiting' });
    await device.stop(90, 0, GIB);
    expect(getString(await logIn(device), 'Mikrotik-Rate-Limit')).toBe('3M/8M');
    expect(await now()).toMatchObject({ state: 'active' });
  });

  it('is told to the router before the hours of the first close, and goes on from there', async () => {
    // Its hours close at 12:00, an hour from now.
    const { credential, entitlement, grant } = await someOnline({
      ...{ hours_from_minute: 8 * 60, hours_to_minute: 12 * 60, validity_seconds: 7 * 86_400 },
      ...{ rate_down_kbps: 5000, rate_up_kbps: 2000 },
    });
    const day = await site.sellHomes({ validity_seconds: 7200, rate_down_kbps: 3000, rate_up_kbps: 1000 });
    const granted = await grant(day.id);
    const laterEnd = () =>
      asked(credential.username, Code.CoaRequest).some(
        (p) => getInteger(p, 'Session-Timeout') === 3600 + 7200,
      );
    await until('the later end', laterEnd);
    site.peer.asked.length = 0;
    site.time.now = NOW + HOUR - 9000;
    await until('the later end, told again', laterEnd);
    expect(await site.ok('GET', `/entitlements/${granted.id}`)).toMatchObject({ state: 'waiting' });
    site.time.now = NOW + HOUR;
    await until('its rate', () => rates(credential.username).at(-1) === '1M/3M');
    await until(
      'its start',
      async () => (await site.ok('GET', `/entitlements/${granted.id}`)).state === 'active',
    );
    expect(await site.ok('GET', `/entitlements/${entitlement.id}`)).toMatchObject({ state: 'active' });
    expect(asked(credential.username, Code.DisconnectRequest)).toEqual([]);
  });
});
