// A router loses its power with guests online: who may come back in, and when.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createKnownTime } from '../../../src/db/known-time.ts';
import { checkRouters } from '../../../src/jobs/check-routers.ts';
import { silentLog } from '../../../src/log.ts';
import { updateRouter } from '../../../src/network/routers.ts';
import type { RouterSimulator } from '../../../src/simulators/router/simulator.ts';
import { NOW, someAccess, vault } from '../../access/fixtures.ts';
import { API, MAC, routerWithApi, startRadius } from './fixtures.ts';

const NEW_MAC = 'AA:BB:CC:00:00:02';
const REFUSED = { error: 'Too many devices. Disconnect another device first.' };
const ONLINE = { session: expect.anything() };

let radius: Awaited<ReturnType<typeof startRadius>>;
let router: RouterSimulator;
let guest: string;

beforeEach(async () => {
  radius = await startRadius();
  router = routerWithApi(radius);
  await router.start();
  router.addPhone({ mac: MAC });
  router.addPhone({ mac: NEW_MAC });
  guest = (await someAccess(radius.db)).credential.username;
  expect(await router.login(MAC, guest, 'secret')).toMatchObject(ONLINE);
  router.addTraffic(MAC, 1000, 2000);
  await pass(60);
});
afterEach(async () => {
  await router.stop();
  await radius.requester.close();
  await radius.listeners.stop();
  await radius.db.destroy();
});

/** Lets the router live through so many seconds. */
async function pass(seconds: number): Promise<void> {
  radius.time.now += seconds * 1000;
  router.tick();
  await router.idle();
}
const signIn = async (mac: string) => {
  const outcome = await router.login(mac, guest, 'secret');
  await router.idle();
  return outcome;
};
const sessions = () => radius.db.selectFrom('sessions').selectAll().orderBy('started_at').execute();

it('a phone with a new address waits while the dead session was heard of lately, and gets in after three missed reports', async () => {
  router.powerCut();
  await pass(3 * 60);
  expect(await signIn(NEW_MAC)).toEqual(REFUSED);
  expect(await sessions()).toMatchObject([{ state: 'open', mac: MAC }]);
  await pass(1);
  expect(await signIn(NEW_MAC)).toMatchObject(ONLINE);
  expect(await sessions()).toMatchObject([
    {
      mac: MAC,
      state: 'closed',
      stopped_at: NOW + 60_000,
      session_seconds: 60,
      upload_octets: 1000,
      download_octets: 2000,
      terminate_cause: null,
    },
    { mac: NEW_MAC, state: 'open' },
  ]);
});

it('the same phone gets in at once, and has one session', async () => {
  router.powerCut();
  await pass(10);
  expect(await signIn(MAC)).toMatchObject(ONLINE);
  expect((await sessions()).map(({ state }) => state)).toEqual(['closed', 'open']);
});

it('a session that reports keeps its place, however long it lasts', async () => {
  for (let minutes = 0; minutes < 10; minutes++) await pass(60);
  expect(await signIn(NEW_MAC)).toEqual(REFUSED);
  expect(await sessions()).toMatchObject([{ mac: MAC, state: 'open' }]);
});

it('a clock that is not trusted calls no session dead', async () => {
  router.powerCut();
  await pass(3600 - 120);
  radius.time.trusted = false;
  expect(await signIn(NEW_MAC)).toEqual(REFUSED);
  radius.time.trusted = true;
  expect(await signIn(NEW_MAC)).toMatchObject(ONLINE);
});

it('a router that says it restarted has nothing open: the new address gets in at once', async () => {
  router.powerCut();
  await pass(10);
  await radius.account('Accounting-On', []);
  expect(await signIn(NEW_MAC)).toMatchObject(ONLINE);
});

it('a router whose uptime began again has nothing open from before; one that is silent keeps everything', async () => {
  await updateRouter(
    radius.db,
    vault,
    radius.router.id,
    { api_port: router.addresses.api.port, api_username: API.username, api_password: API.password },
    NOW,
  );
  const clock = { now: () => radius.time.now, monotonic: () => radius.time.now };
  const knownTime = createKnownTime(radius.db, clock);
  await knownTime.remember();
  const job = { db: radius.db, vault, clock, log: silentLog, knownTime };

  await checkRouters(job);
  expect(await sessions()).toMatchObject([{ state: 'open' }]);

  await pass(10);
  router.powerCut();
  await pass(10);
  expect(await sessions()).toMatchObject([{ state: 'open' }]);
  await checkRouters(job);
  expect(await sessions()).toMatchObject([
    { state: 'closed', stopped_at: NOW + 60_000, upload_octets: 1000 },
  ]);
  expect(await signIn(NEW_MAC)).toMatchObject(ONLINE);

  await router.stop();
  await checkRouters(job);
  expect((await sessions()).map(({ state }) => state)).toEqual(['closed', 'open']);
});
