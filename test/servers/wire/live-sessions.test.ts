// What the operator does reaches the live session: at once, through the API, or as soon as the router is there again.
import { createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { someVouchers } from '../../access/fixtures.ts';
import { type CoaPeer, openCoaPeer } from '../../network/coa-peer.ts';
import { startWire, until, type Wire } from './fixtures.ts';

type TestRouter = Awaited<ReturnType<Wire['addRouter']>>;
const macOf = (n: number) => `AA:BB:CC:00:01:${n.toString(16).padStart(2, '0').toUpperCase()}`;

let wire: Wire;
let closing: (() => unknown)[];
beforeEach(async () => {
  wire = await startWire();
  closing = [];
});
afterEach(async () => {
  for (const close of closing) await close();
  await wire.close();
});

let phones = 0;

/** A guest online at a router with a voucher. */
async function guestAt(router: TestRouter, change: Parameters<typeof someVouchers>[2] = {}) {
  const { codes, vouchers, plan } = await someVouchers(wire.db, 1, change);
  const code = codes[0] as string;
  const mac = macOf(++phones);
  router.addPhone({ mac });
  expect(await router.login(mac, code, code)).toHaveProperty('session');
  await router.idle();
  const session = (await wire.sessions()).find((each) => each.username === code);
  if (!session) throw new Error('no session');
  const online = () => router.sessions().some((each) => each.phone.mac === mac);
  const row = async () => (await wire.sessions()).find((each) => each.id === session.id);
  return { code, mac, plan, voucher: vouchers[0]?.id as string, session, online, row };
}

type Guest = Awaited<ReturnType<typeof guestAt>>;

/** Tasks whose time has not come yet are due. */
const comeDue = () => wire.db.updateTable('tasks').set({ run_at: 0 }).where('state', '=', 'ready').execute();
/** The one task that sees to the guest, while nobody works on it. */
const restingTask = () =>
  wire.db
    .selectFrom('tasks')
    .select(['state', 'attempts'])
    .where('kind', '=', 'enforce')
    .where('leased_until', 'is', null)
    .executeTakeFirst();

const ACTS: [string, (guest: Guest) => Promise<{ status: number }>][] = [
  [
    'a suspended subscriber',
    ({ session }) => wire.admin('PATCH', `/subscribers/${session.subscriber_id}`, { state: 'suspended' }),
  ],
  [
    'a revoked entitlement',
    ({ session }) => wire.admin('POST', `/entitlements/${session.entitlement_id}/revoke`, { reason: 'test' }),
  ],
  [
    'a cancelled voucher that was redeemed',
    ({ voucher }) => wire.admin('POST', `/vouchers/${voucher}/cancel`),
  ],
];

describe.each(ACTS)('%s', (_, act) => {
  it('is offline at once, by a Disconnect', async () => {
    const guest = await guestAt(await wire.addRouter('127.0.0.1'));
    expect(await act(guest)).toMatchObject({ status: 200 });
    await until(() => !guest.online());
    await until(async () => (await guest.row())?.state === 'closed');
    expect(await guest.row()).toMatchObject({ disconnect_state: 'ack', terminate_cause: 6 });
  });

  it('is offline through the API where the router refuses', async () => {
    const peer: CoaPeer = await openCoaPeer();
    peer.agrees = false;
    closing.push(() => peer.close());
    const router = await wire.addRouter('127.0.0.1', {}, { coa_port: peer.port });
    const guest = await guestAt(router);
    await act(guest);
    await until(() => !guest.online());
    await until(async () => (await guest.row())?.disconnect_state === 'api');
    expect(peer.asked).toHaveLength(1);
    expect((await guest.row())?.disconnect_detail).toContain('refused');
  });
});

/** A home online over PPPoE, on a credential made by the operator. */
async function homeAt(router: TestRouter) {
  const ok = async (path: string, body: unknown) =>
    (await wire.admin('POST', path, body)).json as { id: string };
  const plan = await ok('/plans', {
    ...{ name: 'Home', kind: 'pppoe', price_cents: 200_000, validity_seconds: 2_592_000, max_devices: 1 },
  });
  const subscriber = await ok('/subscribers', { name: 'Mwangi' });
  const username = `home-${++phones}`;
  const credential = await ok('/credentials', {
    ...{ subscriber_id: subscriber.id, username, password: 'siri-kubwa', static_address: '10.20.0.1' },
  });
  const entitlement = await ok('/entitlements', {
    ...{ credential_id: credential.id, plan_id: plan.id, reason: 'paid at the office' },
  });
  const mac = macOf(phones);
  const dial = (from = mac) => router.dial(from, username, 'siri-kubwa');
  expect(await dial()).toMatchObject({ session: { service: 'pppoe', phone: { ip: '10.20.0.1' } } });
  await router.idle();
  const online = () => router.sessions().some((each) => each.user === username);
  const row = async () => (await wire.sessions()).find((each) => each.username === username);
  return { mac, subscriber, entitlement, dial, online, row };
}

type Home = Awaited<ReturnType<typeof homeAt>>;

const HOME_ACTS: [string, (home: Home) => Promise<{ status: number }>][] = [
  [
    'whose subscriber is suspended',
    ({ subscriber }) => wire.admin('PATCH', `/subscribers/${subscriber.id}`, { state: 'suspended' }),
  ],
  [
    'whose entitlement is revoked',
    ({ entitlement }) => wire.admin('POST', `/entitlements/${entitlement.id}/revoke`, { reason: 'test' }),
  ],
  [
    'that is disconnected by hand',
    async ({ row }) => wire.admin('POST', `/sessions/${(await row())?.id}/disconnect`),
  ],
];

describe.each(HOME_ACTS)('a home on PPPoE %s', (_, act) => {
  it('is offline at once, by a Disconnect', async () => {
    const home = await homeAt(await wire.addRouter('127.0.0.1'));
    expect(await act(home)).toMatchObject({ status: 200 });
    await until(() => !home.online());
    await until(async () => (await home.row())?.state === 'closed');
    expect(await home.row()).toMatchObject({ disconnect_state: 'ack', terminate_cause: 6 });
  });

  it('is offline through the API where the router refuses', async () => {
    const peer = await openCoaPeer();
    peer.agrees = false;
    closing.push(() => peer.close());
    const home = await homeAt(await wire.addRouter('127.0.0.1', {}, { coa_port: peer.port }));
    await act(home);
    await until(() => !home.online());
    await until(async () => (await home.row())?.state === 'closed');
    await until(async () => (await home.row())?.disconnect_state === 'api');
    expect(peer.asked).toHaveLength(1);
    expect((await home.row())?.disconnect_detail).toContain('refused');
  });
});

describe('a home on PPPoE at a router that refuses', () => {
  it('loses no other connection: another home and a guest of the hotspot stay online', async () => {
    const peer = await openCoaPeer();
    peer.agrees = false;
    closing.push(() => peer.close());
    const router = await wire.addRouter('127.0.0.1', {}, { coa_port: peer.port });
    const [home, guest] = [await homeAt(router), await guestAt(router)];
    await wire.admin('PATCH', `/subscribers/${home.subscriber.id}`, { state: 'suspended' });
    await until(() => !home.online());
    expect(router.sessions().map((each) => each.phone.mac)).toEqual([guest.mac]);
  });
});

describe('a router that is silent to RADIUS while its API answers', () => {
  it.each<[string, (router: TestRouter) => Promise<Guest | Home>]>([
    ['a guest', guestAt],
    ['a home on PPPoE', homeAt],
  ])(
    'lets go of %s through the API, after three tries',
    async (_, arrive) => {
      const peer = await openCoaPeer();
      peer.answers = false;
      closing.push(() => peer.close());
      const { online, row } = await arrive(await wire.addRouter('127.0.0.1', {}, { coa_port: peer.port }));
      await wire.admin('PATCH', `/subscribers/${(await row())?.subscriber_id}`, { state: 'suspended' });
      await until(() => !online());
      await until(async () => (await row())?.disconnect_state === 'api');
      expect((await row())?.disconnect_detail).toContain('did not answer');
      expect(peer.asked).toHaveLength(3);
      await until(async () => (await restingTask())?.state === 'done');
    },
    20_000,
  );
});

describe('a router that is away', () => {
  it('is tried again until it is back, and the outcome stands on the session meanwhile', async () => {
    const router = await wire.addRouter('127.0.0.1', {}, { coa_port: 1, api_username: null });
    const guest = await guestAt(router);
    await wire.admin('PATCH', `/subscribers/${guest.session.subscriber_id}`, { state: 'suspended' });
    await until(async () => (await guest.row())?.disconnect_state === 'timeout');
    expect(await guest.row()).toMatchObject({
      state: 'open',
      disconnect_detail: expect.stringContaining('did not answer'),
    });
    expect(guest.online()).toBe(true);
    // However often that was: a live session is never given up.
    await until(restingTask);
    await wire.db.updateTable('tasks').set({ attempts: 40 }).where('kind', '=', 'enforce').execute();
    await comeDue();
    await until(async () => (await restingTask())?.attempts === 41);
    expect(await restingTask()).toEqual({ state: 'ready', attempts: 41 });

    await wire.db.updateTable('routers').set({ coa_port: router.addresses.coa.port }).execute();
    await comeDue();
    await until(() => !guest.online());
    await until(async () => (await guest.row())?.disconnect_state === 'ack');
    await until(async () => (await restingTask())?.state === 'done');
  }, 20_000);

  it('delays nobody at another, however many wait for it', async () => {
    const dead = await wire.addRouter('127.0.0.2', {}, { coa_port: 1, api_username: null });
    const alive = await wire.addRouter('127.0.0.1');
    const lost: Guest[] = [];
    for (let n = 0; n < 30; n++) lost.push(await guestAt(dead));
    const guest = await guestAt(alive);
    for (const { session } of lost) {
      await wire.admin('PATCH', `/subscribers/${session.subscriber_id}`, { state: 'suspended' });
    }
    await wire.admin('PATCH', `/subscribers/${guest.session.subscriber_id}`, { state: 'suspended' });
    await until(() => !guest.online());
    // None of those before it has had its three tries yet.
    const states = (await wire.sessions()).filter((each) => each.router_id === dead.id);
    expect(states.filter((each) => each.disconnect_state === 'timeout').length).toBeLessThan(30);
  }, 20_000);

  it('and whose session has ended meanwhile needs nothing more', async () => {
    const router = await wire.addRouter('127.0.0.1', {}, { coa_port: 1, api_username: null });
    const guest = await guestAt(router);
    await wire.admin('PATCH', `/subscribers/${guest.session.subscriber_id}`, { state: 'suspended' });
    await until(async () => (await guest.row())?.disconnect_state === 'timeout');
    router.logout(guest.mac);
    await router.idle();
    await until(restingTask);
    await comeDue();
    await until(async () => (await restingTask())?.state === 'done');
  }, 20_000);
});

describe('a plan that is made slower', () => {
  const rate = (router: TestRouter, guest: Guest) =>
    router.sessions().find((each) => each.phone.mac === guest.mac)?.rateLimit;

  it('slows the live session down, and what is sold already; time and data stay as they were sold', async () => {
    const router = await wire.addRouter('127.0.0.1');
    const guest = await guestAt(router);
    expect(rate(router, guest)).toBe('2M/5M');
    const change = { rate_down_kbps: 1000, rate_up_kbps: 500, validity_seconds: 60, max_devices: 3 };
    expect(await wire.admin('PATCH', `/plans/${guest.plan.id}`, change)).toMatchObject({ status: 200 });
    await until(() => rate(router, guest) === '500k/1M');
    await until(async () => (await guest.row())?.change_state === 'ack');
    expect((await guest.row())?.change_detail).toBe('plan_lowered: The router agreed.');
    expect(guest.online()).toBe(true);
    expect(await wire.db.selectFrom('entitlements').selectAll().execute()).toMatchObject([
      { rate_down_kbps: 1000, rate_up_kbps: 500, validity_seconds: 3600, max_devices: 1 },
    ]);
  });

  it('ends the session through the API where the router will not change it', async () => {
    const peer = await openCoaPeer();
    peer.agrees = false;
    closing.push(() => peer.close());
    const router = await wire.addRouter('127.0.0.1', {}, { coa_port: peer.port });
    const guest = await guestAt(router);
    await wire.admin('PATCH', `/plans/${guest.plan.id}`, { rate_down_kbps: 1000 });
    await until(() => !guest.online());
    await until(async () => (await guest.row())?.disconnect_state === 'api');
    expect(await guest.row()).toMatchObject({ change_state: 'nak' });
    expect(await router.login(guest.mac, guest.code, guest.code)).toHaveProperty('session');
    expect(rate(router, guest)).toBe('2M/1M');
  });

  it('leaves alone who has another plan, and nobody is asked when no speed changed', async () => {
    const router = await wire.addRouter('127.0.0.1');
    const guest = await guestAt(router);
    const other = await guestAt(router);
    await wire.admin('PATCH', `/plans/${guest.plan.id}`, { price_cents: 3000 });
    expect(await wire.db.selectFrom('tasks').select('id').where('kind', '=', 'enforce').execute()).toEqual(
      [],
    );
    await wire.admin('PATCH', `/plans/${guest.plan.id}`, { rate_down_kbps: 9000 });
    await until(() => rate(router, guest) === '2M/9M');
    await wire.admin('PATCH', `/plans/${guest.plan.id}`, { rate_down_kbps: null, rate_up_kbps: null });
    await until(() => rate(router, guest) === '0/0');
    expect(rate(router, other)).toBe('2M/5M');
  });
});

describe('what cannot be read is not empty', () => {
  const NEW = 'F2:11:22:33:44:55';
  const REFUSED = { error: 'Too many devices. Disconnect another device first.' };

  /** Answers like the API of a router up to a point: after so many connections' words it says no more, or hangs up. */
  async function brokenApi(
    answer: (socket: import('node:net').Socket, words: number) => void,
  ): Promise<number> {
    const server: Server = createServer((socket) => {
      let words = 0;
      socket.on('error', () => undefined);
      socket.on('data', () => answer(socket, ++words));
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    closing.push(() => server.close());
    return (server.address() as { port: number }).port;
  }
  const word = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
  const sentence = (...words: string[]) => Buffer.concat([...words.map(word), Buffer.from([0])]);

  async function guestOnTheMove() {
    const router = await wire.addRouter('127.0.0.1');
    const guest = await guestAt(router);
    router.addPhone({ mac: NEW });
    wire.ahead.ms += 60_000;
    return { router, guest };
  }

  it('a router that says over its API that the session is gone lets the guest in at that moment', async () => {
    const { router, guest } = await guestOnTheMove();
    expect(await router.login(NEW, guest.code, guest.code)).toEqual(REFUSED);
    router.powerCut();
    expect(await router.login(NEW, guest.code, guest.code)).toHaveProperty('session');
    expect(await guest.row()).toMatchObject({ state: 'closed', terminate_cause: null });
  });

  it('so it is of a home on PPPoE: it gives way when it is gone, and keeps its place while it is there', async () => {
    const router = await wire.addRouter('127.0.0.1');
    const home = await homeAt(router);
    wire.ahead.ms += 60_000;
    expect(await home.dial(NEW)).toEqual(REFUSED);
    expect(home.online()).toBe(true);
    router.powerCut();
    expect(await home.dial(NEW)).toHaveProperty('session');
  });

  it.each<[string, (socket: import('node:net').Socket, words: number) => void]>([
    ['does not answer', () => undefined],
    ['hangs up', (socket) => socket.destroy()],
    [
      'answers with an error',
      (socket, n) =>
        socket.write(
          n === 1
            ? sentence('!done')
            : Buffer.concat([sentence('!trap', '=message=not enough permissions (9)'), sentence('!done')]),
        ),
    ],
    [
      'answers half a list',
      (socket, n) => {
        if (n === 1) socket.write(sentence('!done'));
        else socket.write(sentence('!re', '=.id=*1').subarray(0, 6), () => socket.destroy());
      },
    ],
    [
      'hangs up before the end of an empty list',
      (socket, n) => {
        if (n === 1) socket.write(sentence('!done'));
        else socket.end();
      },
    ],
  ])('a router whose API %s has nothing closed', async (_, answer) => {
    const { router, guest } = await guestOnTheMove();
    router.powerCut();
    await wire.db
      .updateTable('routers')
      .set({ api_port: await brokenApi(answer) })
      .execute();
    expect(await router.login(NEW, guest.code, guest.code)).toEqual(REFUSED);
    expect(await guest.row()).toMatchObject({ state: 'open', gave_way_at: null });
  });
});
