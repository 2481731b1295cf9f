// A session that is heard of late, or again after a silence, is held to what changed meanwhile.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeStaleSessions } from '../../../src/access/sessions.ts';
import { somePlan, someVouchers } from '../../access/fixtures.ts';
import { startWire, until, type Wire } from './fixtures.ts';

type TestRouter = Awaited<ReturnType<Wire['addRouter']>>;
const MAC = 'AA:BB:CC:00:02:01';
const OTHER = 'AA:BB:CC:00:02:02';
const ONLINE = { session: expect.anything() };
const MINUTE = 60_000;

let wire: Wire;
beforeEach(async () => {
  wire = await startWire();
});
afterEach(() => wire.close());

const onlineAt = (router: TestRouter, mac = MAC) =>
  router.sessions().some((session) => session.phone.mac === mac);
const rowOf = async (mac: string) => (await wire.sessions()).find((session) => session.mac === mac);

async function guestAt(router: TestRouter, change: Parameters<typeof someVouchers>[2] = {}) {
  const { codes, vouchers } = await someVouchers(wire.db, 1, { validity_seconds: 30 * 86_400, ...change });
  const code = codes[0] as string;
  router.addPhone({ mac: MAC });
  expect(await router.login(MAC, code, code)).toMatchObject(ONLINE);
  return { code, voucher: vouchers[0]?.id as string };
}

/** The way to a router is down for longer than its sessions are waited for. */
async function silenceOf(router: TestRouter) {
  await router.idle();
  wire.ahead.ms += 20 * MINUTE;
  expect(await closeStaleSessions(wire.db, wire.now() - 5 * MINUTE)).toHaveLength(1);
}

const ACTS: [string, (guest: { code: string; voucher: string }) => Promise<{ status: number }>][] = [
  [
    'whose subscriber was suspended',
    async ({ code }) => {
      const { subscriber_id } = await wire.db
        .selectFrom('credentials')
        .select('subscriber_id')
        .where('username', '=', code)
        .executeTakeFirstOrThrow();
      return wire.admin('PATCH', `/subscribers/${subscriber_id}`, { state: 'suspended' });
    },
  ],
  [
    'whose entitlement was revoked',
    async () => {
      const { id } = await wire.db.selectFrom('entitlements').select('id').executeTakeFirstOrThrow();
      return wire.admin('POST', `/entitlements/${id}/revoke`, { reason: 'test' });
    },
  ],
  ['whose voucher was cancelled', async ({ voucher }) => wire.admin('POST', `/vouchers/${voucher}/cancel`)],
];

describe.each(ACTS)('a guest %s', (_, act) => {
  it('while the way to the router was down is offline when it speaks again', async () => {
    const router = await wire.addRouter('127.0.0.1');
    const guest = await guestAt(router);
    await silenceOf(router);
    expect(await act(guest)).toMatchObject({ status: 200 });
    await until(() => wire.settled());
    expect(onlineAt(router)).toBe(true);
    router.tick();
    await until(() => !onlineAt(router));
    await until(async () => (await rowOf(MAC))?.disconnect_state === 'ack');
  });

  it('between the Accept and a Start that was lost is offline with the first report', async () => {
    const router = await wire.addRouter('127.0.0.1');
    const { auth, acct } = wire.bound;
    // Nobody answers accounting there.
    router.configure({ radius: { acctPort: auth.port } });
    const guest = await guestAt(router);
    await act(guest);
    await until(() => wire.settled());
    router.configure({ radius: { acctPort: acct.port } });
    wire.ahead.ms += MINUTE;
    router.tick();
    await until(() => !onlineAt(router));
  });
});

describe('a session that was silent for long', () => {
  it.each(['refuse', 'replace_oldest'] as const)(
    'ends when it speaks again after another device got its place (policy: %s)',
    async (device_policy) => {
      const [first, second] = [await wire.addRouter('127.0.0.1'), await wire.addRouter('127.0.0.2')];
      const { code } = await guestAt(first, { device_policy });
      await silenceOf(first);
      second.addPhone({ mac: OTHER });
      expect(await second.login(OTHER, code, code)).toMatchObject(ONLINE);
      await second.idle();
      first.tick();
      await until(() => !onlineAt(first));
      await first.idle();
      expect(onlineAt(second, OTHER)).toBe(true);
      expect(await rowOf(MAC)).toMatchObject({ disconnect_detail: expect.stringContaining('too_many') });
    },
  );

  it('keeps its place when it speaks again, where nobody took it', async () => {
    const [first, second] = [await wire.addRouter('127.0.0.1'), await wire.addRouter('127.0.0.2')];
    const { code } = await guestAt(first);
    await silenceOf(first);
    first.tick();
    await first.idle();
    second.addPhone({ mac: OTHER });
    expect(await second.login(OTHER, code, code)).not.toMatchObject(ONLINE);
    expect(await rowOf(MAC)).toMatchObject({ state: 'open', disconnect_state: null, change_state: null });
    expect(onlineAt(first)).toBe(true);
  });

  it('and was to give way goes when it speaks again', async () => {
    const [first, second] = [await wire.addRouter('127.0.0.1'), await wire.addRouter('127.0.0.2')];
    const { code } = await guestAt(first, { device_policy: 'replace_oldest', max_devices: 1 });
    await first.idle();
    await wire.db.updateTable('routers').set({ coa_port: 9, api_username: null }).execute();
    second.addPhone({ mac: OTHER });
    expect(await second.login(OTHER, code, code)).toMatchObject(ONLINE);
    await second.idle();
    wire.ahead.ms += 20 * MINUTE;
    second.tick();
    await second.idle();
    await closeStaleSessions(wire.db, wire.now() - 5 * MINUTE);
    await wire.db.updateTable('tasks').set({ run_at: 0 }).where('state', '=', 'ready').execute();
    await until(() => wire.settled());
    await wire.db
      .updateTable('routers')
      .set({ coa_port: first.addresses.coa.port })
      .where('id', '=', first.id)
      .execute();
    expect(onlineAt(first)).toBe(true);
    first.tick();
    await until(() => !onlineAt(first));
    expect(onlineAt(second, OTHER)).toBe(true);
  });

  it('and ran out meanwhile goes on with the plan that took over', async () => {
    const router = await wire.addRouter('127.0.0.1');
    const { code } = await guestAt(router, { validity_seconds: 900 });
    const credential = await wire.db
      .selectFrom('credentials')
      .selectAll()
      .where('username', '=', code)
      .executeTakeFirstOrThrow();
    const plan = await wire.db.selectFrom('plans').selectAll().executeTakeFirstOrThrow();
    const granted = await wire.admin('POST', '/entitlements', {
      ...{ credential_id: credential.id, plan_id: plan.id, reason: 'test' },
    });
    expect(granted).toMatchObject({ status: 201 });
    await until(() => wire.settled());
    await silenceOf(router);
    const running = () =>
      wire.db.selectFrom('entitlements').select('id').where('state', '=', 'active').executeTakeFirst();
    await until(async () => !(await running()) && (await wire.settled()));
    router.tick();
    await until(async () => (await rowOf(MAC))?.entitlement_id === granted.json.id);
    expect(onlineAt(router)).toBe(true);
  });
});

/** What changes how a live session should go on, without ending it. */
const CHANGES: [string, (code: string) => Promise<unknown>, string][] = [
  [
    'its plan was made slower',
    async () => {
      const { id } = await wire.db.selectFrom('plans').select('id').executeTakeFirstOrThrow();
      return wire.admin('PATCH', `/plans/${id}`, { rate_up_kbps: 300, rate_down_kbps: 700 });
    },
    '300k/700k',
  ],
  [
    'its plan lost its limits of speed',
    async () => {
      const { id } = await wire.db.selectFrom('plans').select('id').executeTakeFirstOrThrow();
      return wire.admin('PATCH', `/plans/${id}`, { rate_up_kbps: null, rate_down_kbps: null });
    },
    '0/0',
  ],
  [
    'its quota was used, with a fair-use rate after it',
    () => wire.db.updateTable('entitlements').set({ used_upload_octets: 2_000_000 }).execute(),
    '100k/200k',
  ],
  [
    'a faster plan was bought, since it is slow by fair use',
    async (code) => {
      await wire.db.updateTable('entitlements').set({ used_upload_octets: 2_000_000 }).execute();
      const { id } = await wire.db
        .selectFrom('credentials')
        .select('id')
        .where('username', '=', code)
        .executeTakeFirstOrThrow();
      const plan = await somePlan(wire.db, { rate_up_kbps: 8000, rate_down_kbps: 9000 });
      return wire.admin('POST', '/entitlements', { credential_id: id, plan_id: plan.id, reason: 'test' });
    },
    '8M/9M',
  ],
];

describe.each(CHANGES)('a guest who was not heard while %s', (_, change, rate) => {
  const FAIR = { quota_octets: 1_000_000, fair_use_rate_up_kbps: 100, fair_use_rate_down_kbps: 200 };
  const rateAt = (router: TestRouter) =>
    router.sessions().find((session) => session.phone.mac === MAC)?.rateLimit;

  it('has the new speed when the session speaks again', async () => {
    const router = await wire.addRouter('127.0.0.1');
    const { code } = await guestAt(router, FAIR);
    await silenceOf(router);
    await change(code);
    await until(() => wire.settled());
    expect(rateAt(router)).toBe('2M/5M');
    router.tick();
    await until(() => rateAt(router) === rate);
  });

  it('has it with the first report after a Start that was lost', async () => {
    const router = await wire.addRouter('127.0.0.1');
    const { auth, acct } = wire.bound;
    router.configure({ radius: { acctPort: auth.port } });
    const { code } = await guestAt(router, FAIR);
    wire.ahead.ms += MINUTE;
    await change(code);
    await until(() => wire.settled());
    router.configure({ radius: { acctPort: acct.port } });
    router.tick();
    await until(() => rateAt(router) === rate);
  });
});
