// A guest comes back with another MAC address: by the phone's cookie, the voucher code or the M-PESA receipt.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSessions } from '../../../src/access/sessions.ts';
import { updateSubscriber } from '../../../src/access/subscribers.ts';
import { settleEvidence } from '../../../src/billing/settle.ts';
import { somePlan, someVouchers, vault } from '../../access/fixtures.ts';
import { callback, keepCallback, sentOrder } from '../../billing/fixtures.ts';
import { startWire, until, type Wire } from './fixtures.ts';

const OLD = 'AA:BB:CC:00:00:01';
const NEW = 'F2:11:22:33:44:55';
const TABLET = 'AA:BB:CC:00:00:03';
const REFUSED = { error: 'Too many devices. Disconnect another device first.' };

let wire: Wire;
let router: Awaited<ReturnType<Wire['addRouter']>>;
beforeEach(async () => {
  wire = await startWire();
  router = await wire.addRouter('127.0.0.1');
  for (const mac of [OLD, NEW, TABLET]) router.addPhone({ mac });
});
afterEach(() => wire.close());

/** What the router's login page tells the portal of the phone that stands before it. */
const at = (mac: string) => ({ mac, 'link-login-only': `${router.addresses.hotspot}/login` });
const page = (path: string, mac: string, query = {}) =>
  `${path}?${new URLSearchParams({ ...at(mac), ...query })}`;

/** The form that brings the phone online, as the page has it. */
function loginForm(text: string) {
  const field = (name: string) => new RegExp(`name="${name}" value="([^"]*)"`).exec(text)?.[1];
  return {
    action: /<form method="post" action="([^"]+)"/.exec(text)?.[1],
    username: field('username') ?? '',
    password: field('password') ?? '',
    ctx: field('ctx') ?? '',
  };
}

async function connect(mac: string, text: string) {
  const { action, username, password } = loginForm(text);
  expect(action).toBe(`${router.addresses.hotspot}/login`);
  const outcome = await router.login(mac, username, password);
  await router.idle();
  return outcome;
}

const onRouter = () => router.sessions().map((session) => session.phone.mac);
const ONLINE = { session: expect.anything() };

async function redeemedVoucher(change: Parameters<typeof someVouchers>[2] = {}) {
  const { codes } = await someVouchers(wire.db, 1, change);
  const browse = wire.browser();
  const first = await browse('/voucher', { code: codes[0] as string, ...at(OLD) });
  expect(await connect(OLD, first.text)).toMatchObject(ONLINE);
  return { code: codes[0] as string, browse };
}

describe('the phone’s cookie', () => {
  it('gives it its place again, and ends the session of its former address', async () => {
    const { code, browse } = await redeemedVoucher();
    // Without the portal it is one device too many: the plan refuses the new one.
    expect(await router.login(NEW, code, code)).toEqual(REFUSED);
    const home = await browse(page('/', NEW));
    expect(home.text).toContain('Another device is using this plan');
    expect(loginForm(home.text).action).toBe('/continue');
    // Looking at the page has done nothing yet.
    expect(onRouter()).toEqual([OLD]);
    const { ctx } = loginForm(home.text);
    const going = await browse('/continue', { ctx });
    expect(going.text).toContain('You go on from here');
    expect(await connect(NEW, going.text)).toMatchObject(ONLINE);
    await until(() => onRouter().length === 1);
    await router.idle();
    expect(onRouter()).toEqual([NEW]);
    expect(await wire.sessions()).toMatchObject([
      { mac: OLD, state: 'closed', terminate_cause: 6, disconnect_state: 'ack' },
      { mac: NEW, state: 'open' },
    ]);
    expect(await wire.db.selectFrom('entitlements').selectAll().execute()).toHaveLength(1);
  });

  it('does so in Swahili, and again with each new address', async () => {
    const { browse } = await redeemedVoucher();
    const home = await browse(page('/', NEW, { lang: 'sw' }));
    expect(home.text).toContain('Kifaa kingine kinatumia kifurushi hiki');
    const going = await browse('/continue', { ctx: loginForm(home.text).ctx, lang: 'sw' });
    expect(going.text).toContain('Unaendelea hapa');
    await connect(NEW, going.text);
    await until(() => onRouter().length === 1);
    const third = await browse(page('/status', TABLET));
    expect(loginForm(third.text).action).toBe('/continue');
    await connect(TABLET, (await browse('/continue', { ctx: loginForm(third.text).ctx })).text);
    await until(() => onRouter().join() === TABLET);
  });

  it('makes its own former address give way, not the tablet that shares the plan', async () => {
    const { code, browse } = await redeemedVoucher({ max_devices: 2 });
    router.logout(OLD);
    await router.idle();
    const tablet = wire.browser();
    await connect(TABLET, (await tablet('/voucher', { code, ...at(TABLET) })).text);
    await connect(OLD, (await browse(page('/', OLD))).text);
    const home = await browse(page('/', NEW));
    await connect(NEW, (await browse('/continue', { ctx: loginForm(home.text).ctx })).text);
    await until(() => onRouter().length === 2);
    expect(onRouter().sort()).toEqual([TABLET, NEW].sort());
  });

  it('of nobody, or made by somebody else, moves nothing', async () => {
    await redeemedVoucher();
    const stranger = wire.browser();
    const { ctx } = loginForm((await stranger(page('/voucher', NEW))).text);
    expect(await stranger('/continue', { ctx })).toMatchObject({ status: 303 });
    expect((await wire.sessions()).map((session) => session.gave_way_at)).toEqual([null]);
    expect(onRouter()).toEqual([OLD]);
  });

  it('of a suspended subscriber takes no place', async () => {
    const { browse } = await redeemedVoucher();
    const { ctx } = loginForm((await browse(page('/', NEW))).text);
    const { id } = await wire.db.selectFrom('subscribers').select('id').executeTakeFirstOrThrow();
    await updateSubscriber(wire.db, id, { state: 'suspended' }, wire.now());
    await browse('/continue', { ctx });
    expect((await wire.sessions()).map((session) => session.gave_way_at)).toEqual([null]);
  });

  it('holds even when the router neither obeys nor answers: the former address holds no place any more', async () => {
    const { browse } = await redeemedVoucher();
    await wire.db.updateTable('routers').set({ coa_port: 1, api_username: null }).execute();
    const { ctx } = loginForm((await browse(page('/', NEW))).text);
    const going = await browse('/continue', { ctx });
    expect(await connect(NEW, going.text)).toMatchObject(ONLINE);
    const [session] = await wire.sessions();
    expect(session).toMatchObject({ mac: OLD, state: 'open', gave_way_at: expect.any(Number) });
    // It went; who comes back under it is a device too many like any other.
    router.logout(OLD);
    await router.idle();
    const { username, password } = loginForm(going.text);
    expect(await router.login(OLD, username, password)).toEqual(REFUSED);
  });
});

describe('a voucher code typed again', () => {
  it('brings the new address in and sends the old one away', async () => {
    const { code } = await redeemedVoucher();
    const again = await wire.browser()('/voucher', { code: code.toLowerCase(), ...at(NEW) });
    expect(await connect(NEW, again.text)).toMatchObject(ONLINE);
    await until(() => onRouter().join() === NEW);
    const [entitlement] = await wire.db.selectFrom('entitlements').selectAll().execute();
    expect(await openSessions(wire.db, entitlement?.credential_id as string)).toMatchObject([{ mac: NEW }]);
  });

  it('sends nobody away while the plan has room', async () => {
    const { code } = await redeemedVoucher({ max_devices: 2 });
    const again = await wire.browser()('/voucher', { code, ...at(NEW) });
    expect(await connect(NEW, again.text)).toMatchObject(ONLINE);
    expect(onRouter()).toEqual([OLD, NEW]);
    expect((await wire.sessions()).map((session) => session.gave_way_at)).toEqual([null, null]);
  });
});

describe('an M-PESA receipt', () => {
  async function paid(change: Parameters<typeof somePlan>[1] = {}) {
    const plan = await somePlan(wire.db, change);
    const order = await sentOrder(wire.db, plan.id, 'one', { mac: OLD });
    const evidence = await keepCallback(wire.db, order.id, callback('one'));
    const settled = await settleEvidence(wire.db, vault, evidence?.id as string, wire.now());
    expect(settled?.granted).toBe(true);
    return { receipt: 'UK1234ABCD', order };
  }

  it('brings the one who paid in on a new address, however it is typed, and sends the old one away', async () => {
    const { receipt, order } = await paid();
    const first = await wire.browser()(`/orders/${order.id}?${new URLSearchParams(at(OLD))}`);
    expect(await connect(OLD, first.text)).toMatchObject(ONLINE);
    const again = await wire.browser()('/voucher', { code: ' uk1234 abcd ', ...at(NEW) });
    expect(again.status).toBe(200);
    expect(await connect(NEW, again.text)).toMatchObject(ONLINE);
    await until(() => onRouter().join() === NEW);
    expect(receipt).toBe('UK1234ABCD');
  });

  it('of a plan that is over, of an unmatched payment and of nobody is refused, each in its words', async () => {
    const { receipt } = await paid();
    await wire.db.updateTable('entitlements').set({ state: 'ended', end_reason: 'expired' }).execute();
    const browse = wire.browser();
    const over = await browse('/voucher', { code: receipt, ...at(NEW) });
    expect(over).toMatchObject({ status: 409, text: expect.stringContaining('is over') });
    await wire.db.updateTable('payments').set({ state: 'unmatched', entitlement_id: null }).execute();
    const waits = await browse('/voucher', { code: receipt, ...at(NEW) });
    expect(waits).toMatchObject({ status: 409, text: expect.stringContaining('at the counter') });
    const kiswahili = await browse('/voucher', { code: receipt, lang: 'sw', ...at(NEW) });
    expect(kiswahili.text).toContain('Onyesha SMS ya M-PESA');
    const unknown = await browse('/voucher', { code: 'UK1234ABCE', lang: 'en', ...at(NEW) });
    expect(unknown).toMatchObject({ status: 400, text: expect.stringContaining('do not know this code') });
  });

  it('cannot be guessed for long: its tries count with those of vouchers', async () => {
    const { receipt } = await paid();
    const browse = wire.browser();
    for (let n = 0; n < 12; n++) {
      const wrong = await browse('/voucher', { code: `UK1234XX${n + 10}`, ...at(NEW) });
      expect(wrong.status).toBe(400);
    }
    expect((await browse('/voucher', { code: receipt, ...at(NEW) })).status).toBe(429);
  });
});
