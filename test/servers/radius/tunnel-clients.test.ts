// Clients whose router tells no MAC address (L2TP, SSTP, PPTP): each holds a place of its plan, and a dead session gives way.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { updateRouter } from '../../../src/network/routers.ts';
import { attribute, getOctets } from '../../../src/protocols/radius/attributes.ts';
import type { Packet } from '../../../src/protocols/radius/packet.ts';
import { NOW, someAccess, vault } from '../../access/fixtures.ts';
import { API, MAC, routerWithApi, startRadius, told } from './fixtures.ts';

const HOME = '41.90.1.2';
const CAFE = '41.90.7.7';
const REFUSED = { reject: 'Too many devices. Disconnect another device first.' };
const ACCEPTED = { accept: true };

let radius: Awaited<ReturnType<typeof startRadius>>;
let access: Awaited<ReturnType<typeof someAccess>>;
let calls = 0;

beforeEach(async () => {
  radius = await startRadius();
  access = await someAccess(radius.db);
});
afterEach(async () => {
  await radius.requester.close();
  await radius.listeners.stop();
  await radius.db.destroy();
});

interface Call {
  /** Calling-Station-Id; `''` is none. */
  station: string;
  id: string;
  class: Buffer | undefined;
}

const ask = (station: string) =>
  radius.logIn({ username: access.credential.username, password: 'secret', mac: station });

function tell(status: 'Start' | 'Interim-Update' | 'Stop', call: Call, seconds = 0) {
  return radius.account(status, [
    attribute('User-Name', access.credential.username),
    attribute('Acct-Session-Id', call.id),
    attribute('NAS-Port-Id', 'l2tp'),
    attribute('Acct-Session-Time', seconds),
    ...(call.station ? [attribute('Calling-Station-Id', call.station)] : []),
    ...(call.class ? [attribute('Class', call.class)] : []),
  ]);
}

const callOf = (station: string, accept: Packet | undefined): Call => ({
  station,
  id: `8100${++calls}`,
  class: accept && getOctets(accept, 'Class'),
});

/** Signs in and starts its session. */
async function online(station: string): Promise<Call> {
  const accept = await ask(station);
  expect(told(accept)).toMatchObject(ACCEPTED);
  const call = callOf(station, accept);
  await tell('Start', call);
  return call;
}

const sessions = () => radius.db.selectFrom('sessions').selectAll().orderBy('acct_session_id').execute();
const open = async () => (await sessions()).filter(({ state }) => state === 'open').map(({ mac }) => mac);

it('a second client is one too many for a plan of one, and gets in when the first hangs up', async () => {
  const first = await online(HOME);
  expect(told(await ask(CAFE))).toEqual(REFUSED);
  expect(told(await ask(''))).toEqual(REFUSED);
  expect(told(await ask(MAC))).toEqual(REFUSED);
  await tell('Stop', first, 10);
  expect(told(await ask(CAFE))).toMatchObject(ACCEPTED);
});

it('the same client gets in again at once, its dead session or not', async () => {
  await online(HOME);
  radius.time.now += 5_000;
  await online(HOME);
  // Several clients may share an address: the older session may live, and is left to its silence.
  expect(await open()).toEqual([HOME, HOME]);
  expect(told(await ask(HOME))).toMatchObject(ACCEPTED);
  expect(told(await ask(CAFE))).toEqual(REFUSED);
  expect(await radius.db.selectFrom('devices').select('mac').execute()).toEqual([]);
});

it.each([HOME, ''])(
  'a dead one (calling from “%s”) gives way after three missed reports',
  async (station) => {
    await online(station);
    radius.time.now += 3 * 60_000;
    expect(told(await ask(CAFE))).toEqual(REFUSED);
    radius.time.now += 1000;
    await online(CAFE);
    expect(await open()).toEqual([CAFE]);
  },
);

it('clients that nothing stands for hold a place each', async () => {
  await radius.db.updateTable('entitlements').set({ max_devices: 2 }).execute();
  const first = await online('');
  await online('');
  expect(told(await ask(''))).toEqual(REFUSED);
  await tell('Stop', first, 10);
  await online('');
  expect(await open()).toEqual([null, null]);
});

it('the oldest goes where the plan replaces it', async () => {
  await radius.db.updateTable('entitlements').set({ device_policy: 'replace_oldest' }).execute();
  for (const station of [HOME, CAFE, '', '']) {
    radius.time.now += 1000;
    await online(station);
  }
  const rows = await sessions();
  expect(rows.map(({ mac }) => mac)).toEqual([HOME, CAFE, null, null]);
  expect(rows.map(({ gave_way_at }) => gave_way_at !== null)).toEqual([true, true, true, false]);
});

it.each([
  [HOME, CAFE],
  ['', ''],
])(
  'of two that sign in at one moment (“%s”, “%s”) the one heard of second is sent away',
  async (one, two) => {
    const accepts = [await ask(one), await ask(two)];
    expect(accepts.map(told)).toMatchObject([ACCEPTED, ACCEPTED]);
    await tell('Start', callOf(one, accepts[0]));
    await tell('Start', callOf(two, accepts[1]));
    expect((await sessions()).map(({ gave_way_at }) => gave_way_at)).toEqual([null, NOW]);
  },
);

it('online time of clients behind one address counts for each', async () => {
  await radius.db.updateTable('entitlements').set({ online_seconds: 3600, max_devices: 2 }).execute();
  const both = [await online(HOME), await online(HOME)];
  radius.time.now += 60_000;
  for (const call of both) await tell('Interim-Update', call, 60);
  expect(await radius.db.selectFrom('entitlements').select('used_seconds').execute()).toEqual([
    { used_seconds: 120 },
  ]);
});

it('a router with an API is asked for the user of a session that nothing stands for', async () => {
  const router = routerWithApi(radius);
  await router.start();
  try {
    await updateRouter(
      radius.db,
      vault,
      radius.router.id,
      { api_port: router.addresses.api.port, api_username: API.username, api_password: API.password },
      NOW,
    );
    for (const station of ['', HOME]) {
      await online(station);
      radius.time.now += 20_000;
      expect(told(await ask(CAFE))).toMatchObject(ACCEPTED);
      expect(await open()).toEqual([]);
    }
    // Somebody of that name is logged in there: it may be this one.
    await radius.db.updateTable('entitlements').set({ max_devices: 2 }).execute();
    router.addPhone({ mac: MAC });
    expect(await router.login(MAC, access.credential.username, 'secret')).toMatchObject({
      session: expect.anything(),
    });
    await router.idle();
    await online('');
    radius.time.now += 20_000;
    expect(told(await ask(CAFE))).toEqual(REFUSED);
    expect(await open()).toEqual([MAC, null]);
  } finally {
    await router.stop();
  }
});
