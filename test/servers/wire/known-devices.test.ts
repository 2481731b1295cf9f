// The devices of one plan come back by their MAC addresses, as long as there is a place for them.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { someVouchers } from '../../access/fixtures.ts';
import { startWire, until, type Wire } from './fixtures.ts';

const FIRST = 'AA:BB:CC:00:00:01';
const SECOND = 'AA:BB:CC:00:00:02';
const THIRD = 'AA:BB:CC:00:00:03';
const STRANGER = 'AA:BB:CC:00:00:04';
const ONLINE = { session: expect.anything() };
const UNKNOWN = { error: 'No plan is running. Please buy one.' };

let wire: Wire;
let router: Awaited<ReturnType<Wire['addRouter']>>;
beforeEach(async () => {
  wire = await startWire();
  router = await wire.addRouter('127.0.0.1', {}, { mac_login: 'yes' });
});
afterEach(() => wire.close());

async function signIn(mac: string, code: string) {
  router.addPhone({ mac });
  const outcome = await router.login(mac, code, code);
  await router.idle();
  return outcome;
}
/** What a hotspot with login-by=mac asks when the device appears. */
async function appear(mac: string) {
  router.addPhone({ mac });
  const outcome = await router.login(mac, mac, '');
  await router.idle();
  return outcome;
}
async function leave(...macs: string[]) {
  for (const mac of macs) router.removePhone(mac);
  await router.idle();
}
const onRouter = () => router.sessions().map((session) => session.phone.mac);

async function voucher(change: Parameters<typeof someVouchers>[2]) {
  const { codes } = await someVouchers(wire.db, 1, change);
  return codes[0] as string;
}

describe('a plan for three devices', () => {
  it('lets each in again that has signed in with its code, and counts what it uses there', async () => {
    const code = await voucher({ max_devices: 3 });
    expect(await signIn(FIRST, code)).toMatchObject(ONLINE);
    expect(await appear(SECOND)).toEqual(UNKNOWN);
    expect(await signIn(SECOND, code)).toMatchObject(ONLINE);
    expect(await signIn(THIRD, code)).toMatchObject(ONLINE);
    await leave(FIRST, SECOND, THIRD);
    for (const mac of [THIRD, SECOND, FIRST]) expect(await appear(mac)).toMatchObject(ONLINE);
    expect(await appear(STRANGER)).toEqual(UNKNOWN);
    router.addTraffic(SECOND, 100, 1000);
    await leave(SECOND);
    await until(async () => {
      const [entitlement] = await wire.db.selectFrom('entitlements').selectAll().execute();
      return entitlement?.used_download_octets === 1000;
    });
    expect(await wire.db.selectFrom('entitlements').selectAll().execute()).toHaveLength(1);
  });

  it('lets one in at the next router, and not where MAC login is off', async () => {
    const code = await voucher({ max_devices: 3 });
    await signIn(FIRST, code);
    await signIn(SECOND, code);
    const next = await wire.addRouter('127.0.0.2', {}, { mac_login: 'yes' });
    next.addPhone({ mac: SECOND });
    expect(await next.login(SECOND, SECOND, '')).toMatchObject(ONLINE);
    await next.idle();
    const off = await wire.addRouter('127.0.0.3');
    off.addPhone({ mac: SECOND });
    expect(await off.login(SECOND, SECOND, '')).toEqual({
      error: 'Unknown code or user name. Check it and try again.',
    });
  });

  it('lets none in once it is over', async () => {
    const code = await voucher({ max_devices: 3 });
    await signIn(FIRST, code);
    await signIn(SECOND, code);
    await leave(FIRST, SECOND);
    wire.ahead.ms = 3600_000 + 1000;
    expect(await appear(SECOND)).toEqual(UNKNOWN);
    expect(await appear(FIRST)).toEqual(UNKNOWN);
  });
});

describe('a plan that is full', () => {
  it('has no device pushed out by one that comes by itself, and lets it in when a place is free', async () => {
    const code = await voucher({ max_devices: 2, device_policy: 'replace_oldest' });
    await signIn(FIRST, code);
    await signIn(SECOND, code);
    await leave(SECOND);
    await signIn(THIRD, code);
    expect(await appear(SECOND)).toEqual(UNKNOWN);
    // However long the others said nothing: nobody stands at the door who could mind.
    wire.ahead.ms += 240_000;
    expect(await appear(SECOND)).toEqual(UNKNOWN);
    expect(onRouter()).toEqual([FIRST, THIRD]);
    expect((await wire.sessions()).map(({ disconnect_state }) => disconnect_state)).toEqual([
      null,
      null,
      null,
    ]);
    await leave(THIRD);
    expect(await appear(SECOND)).toMatchObject(ONLINE);
  });

  it('ends as its policy says when a person signs in, and the one that gave way stays out until they do', async () => {
    const code = await voucher({ max_devices: 1, device_policy: 'replace_oldest' });
    await signIn(FIRST, code);
    expect(await signIn(SECOND, code)).toMatchObject(ONLINE);
    await until(() => onRouter().join() === SECOND);
    // The first device is as it was: where it was bought it comes in, by the policy of the plan.
    expect(await appear(FIRST)).toMatchObject(ONLINE);
    await until(() => onRouter().join() === FIRST);
    await router.idle();
    // The second was told to go: two phones do not throw each other out for ever, not even when there is room.
    expect(await appear(SECOND)).toEqual(UNKNOWN);
    await leave(FIRST);
    expect(await appear(SECOND)).toEqual(UNKNOWN);
    expect(await signIn(SECOND, code)).toMatchObject(ONLINE);
    await leave(SECOND);
    expect(await appear(SECOND)).toMatchObject(ONLINE);
  });

  it('of two that come by themselves at one moment for one place keeps one', async () => {
    const code = await voucher({ max_devices: 2 });
    await signIn(FIRST, code);
    for (const mac of [SECOND, THIRD]) {
      await signIn(mac, code);
      await leave(mac);
    }
    for (const mac of [SECOND, THIRD]) router.addPhone({ mac });
    await Promise.all([SECOND, THIRD].map((mac) => router.login(mac, mac, '')));
    await router.idle();
    await until(() => onRouter().length === 2);
    expect(onRouter()).toContain(FIRST);
  });
});

describe('a device that was told to go', () => {
  it('by the operator stays out until its person signs in; the first comes back as it did', async () => {
    const code = await voucher({ max_devices: 3 });
    await signIn(FIRST, code);
    await signIn(SECOND, code);
    for (const session of await wire.sessions()) {
      expect(await wire.admin('POST', `/sessions/${session.id}/disconnect`)).toMatchObject({ status: 200 });
    }
    await until(() => onRouter().length === 0);
    await router.idle();
    expect(await appear(SECOND)).toEqual(UNKNOWN);
    expect(await appear(FIRST)).toMatchObject(ONLINE);
    expect(await signIn(SECOND, code)).toMatchObject(ONLINE);
    await leave(SECOND);
    expect(await appear(SECOND)).toMatchObject(ONLINE);
  });

  it('by its own person, on the logout page, stays out too', async () => {
    const code = await voucher({ max_devices: 3 });
    await signIn(FIRST, code);
    await signIn(SECOND, code);
    router.logout(SECOND);
    await router.idle();
    expect(await appear(SECOND)).toEqual(UNKNOWN);
  });

  it('by the portal, for its new address, does not come back under the old one', async () => {
    const code = await voucher({ max_devices: 2 });
    await signIn(FIRST, code);
    await signIn(SECOND, code);
    const at = { mac: THIRD, 'link-login-only': `${router.addresses.hotspot}/login` };
    router.addPhone({ mac: THIRD });
    expect(await wire.browser()('/voucher', { code, ...at })).toMatchObject({ status: 200 });
    // The oldest gave its place up: the first. It comes back as before, and the second, which stayed, does too.
    await until(() => onRouter().join() === SECOND);
    expect(await signIn(THIRD, code)).toMatchObject(ONLINE);
    expect(await wire.browser()('/voucher', { code, ...at, mac: STRANGER })).toMatchObject({ status: 200 });
    await until(() => onRouter().join() === THIRD);
    await router.idle();
    expect(await appear(SECOND)).toEqual(UNKNOWN);
  });
});
