// Two nodes on one PostgreSQL, as one router sees them that lists both; alone it prints what it saw.
import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { getString } from '../../src/protocols/radius/attributes.ts';
import { type CoaPeer, openCoaPeer } from '../network/coa-peer.ts';
import { type Api, type List, send, signIn } from './support/api.ts';
import type { Payment } from './support/books.ts';
import type { Karibu } from './support/karibu.ts';
import {
  hasPostgres,
  isAccept,
  messageOf,
  type Nas,
  type NasSession,
  type Nodes,
  openNas,
  openNodes,
  sessionOf,
} from './support/nodes.ts';
import { HOUR, order, type Plan, SECRET } from './support/shop.ts';
import { until } from './support/until.ts';

interface StoredSession {
  id: string;
  acct_session_id: string;
  state: string;
  session_seconds: number;
  upload_octets: number;
  download_octets: number;
  disconnect_state: string | null;
}

interface Entitlement {
  id: string;
  state: string;
  source: string;
  end_reason: string | null;
  used_seconds: number;
  used_upload_octets: number;
  used_download_octets: number;
}

let two: Nodes;
let first: Karibu;
let second: Karibu;
let both: Karibu[];
let api: Api;
let nas: Nas;
let coa: CoaPeer;
const saw: [what: string, figure: string][] = [];

beforeAll(async () => {
  if (!hasPostgres) return;
  two = await openNodes();
  [first, second] = two.nodes;
  both = two.nodes;
  api = two.shop.api;
  nas = openNas();
  coa = await openCoaPeer(Buffer.from(SECRET));
  const { items } = await api.get<List<{ id: string }>>('/routers');
  await api.patch(`/routers/${items[0]!.id}`, { coa_port: coa.port });
});

afterAll(async () => {
  if (!hasPostgres) return;
  const width = Math.max(...saw.map(([what]) => what.length));
  console.log(saw.map(([what, figure]) => `${what.padEnd(width)}  ${figure}`).join('\n'));
  await nas.close();
  await coa.close();
  await two.close();
});

let serial = 0;
function nextMac(): string {
  const digits = (++serial).toString(16).toUpperCase().padStart(4, '0');
  return `5A:02:00:00:${digits.slice(0, 2)}:${digits.slice(2)}`;
}
const nextAcct = () => `82${(++serial).toString(16).padStart(6, '0')}`;
const seconds = (since: number) => `${((Date.now() - since) / 1000).toFixed(1)} s`;

/** Codes of fresh vouchers for a plan with these terms. */
async function vouchers(count: number, terms: object = {}): Promise<{ batch: string; codes: string[] }> {
  const plan = await api.post<Plan>('/plans', { ...HOUR, name: `Plan ${++serial}`, ...terms });
  const { id } = await api.post<{ id: string }>('/voucher-batches', { plan_id: plan.id, count });
  const codes = await until('the vouchers are made', async () => {
    const made = await api.all<{ code: string }>(`/voucher-batches/${id}/vouchers`);
    return made.length === count ? made.map(({ code }) => code) : undefined;
  });
  return { batch: id, codes };
}

/** A device that is online by its code, signed in at these servers. */
async function online(servers: Karibu[], code: string): Promise<NasSession> {
  const mac = nextMac();
  const accept = await nas.logIn(servers, code, code, mac);
  if (!isAccept(accept)) throw new Error(`${code} was refused: ${messageOf(accept)}`);
  const session = sessionOf(accept, nextAcct(), code, mac);
  expect(await nas.account(servers, session, 'start')).toBe(true);
  return session;
}

const sessionsOf = async (code: string) => (await api.get<List<StoredSession>>(`/sessions?q=${code}`)).items;

async function entitlementOf(code: string): Promise<Entitlement> {
  const { items } = await api.get<List<{ subscriber_id: string }>>(`/credentials?q=${code}`);
  const list = await api.get<List<Entitlement>>(`/entitlements?subscriber_id=${items[0]!.subscriber_id}`);
  expect(list.items).toHaveLength(1);
  return list.items[0]!;
}

const timesAsked = ({ acct }: NasSession) =>
  coa.asked.filter((packet) => getString(packet, 'Acct-Session-Id') === acct).length;

describe.skipIf(!hasPostgres)('two nodes', () => {
  test('grant a voucher once and keep one device, whichever nodes two devices ask at the same moment', async () => {
    const { batch, codes } = await vouchers(20);
    let letIn = 0;
    let sentAway = 0;
    await Promise.all(
      codes.map(async (code) => {
        const macs = [nextMac(), nextMac()];
        const answers = await Promise.all(both.map((node, n) => nas.logIn([node], code, code, macs[n]!)));
        const sessions = answers.flatMap((answer, n) =>
          isAccept(answer) ? [sessionOf(answer, nextAcct(), code, macs[n]!)] : [],
        );
        letIn += sessions.length;
        expect(sessions.length).toBeGreaterThan(0);
        await Promise.all(sessions.map((one, n) => nas.account([both[n]!], one, 'start')));
        const gone = await until(`one device of ${code} stays`, async () => {
          const left = sessions.filter((one) => timesAsked(one) > 0);
          return left.length === sessions.length - 1 ? left : undefined;
        });
        for (const one of gone) await nas.account(both, one, 'stop', { seconds: 1 });
        sentAway += gone.length;
        const open = (await sessionsOf(code)).filter(({ state }) => state === 'open');
        expect(open).toHaveLength(1);
        // Who comes later is refused at once, at either.
        for (const node of both)
          expect(messageOf(await nas.logIn([node], code, code, nextMac()))).toMatch(/Too many/);
        await entitlementOf(code);
        for (const one of sessions) expect(timesAsked(one)).toBeLessThan(2);
      }),
    );
    expect(await api.get(`/voucher-batches/${batch}`)).toMatchObject({ redeemed: 20 });
    saw.push(['20 codes, each by two devices at once', `${letIn} let in, ${sentAway} sent away, 20 granted`]);
  });

  test('count quota and online time once, with reports that alternate and reach both', async () => {
    const { codes } = await vouchers(1, { quota_octets: 1_000_000, max_devices: 2 });
    const code = codes[0]!;
    const sessions = [await online([first], code), await online([second], code)];
    for (let minute = 1; minute <= 6; minute++) {
      const told = { seconds: 60 * minute, upload: 1000 * minute, download: 50_000 * minute };
      await Promise.all(
        sessions.map(async (session, n) => {
          const order = minute % 2 === n ? both : [second, first];
          // The answer of the first was lost on its way: the router repeats the report at the other one.
          const sent = order.map((node) => nas.account([node], session, 'interim', told));
          expect(await Promise.all(sent)).toEqual([true, true]);
        }),
      );
    }
    expect(await entitlementOf(code)).toMatchObject({
      state: 'active',
      used_seconds: 2 * 360,
      used_upload_octets: 2 * 6000,
      used_download_octets: 2 * 300_000,
    });
    await nas.account([second], sessions[0]!, 'interim', { seconds: 420, upload: 7000, download: 690_000 });
    for (const session of sessions) {
      await until('the session was ended', () => timesAsked(session) > 0);
      await nas.account(both, session, 'stop', { seconds: 421, upload: 7000, download: 690_000 });
    }
    for (const node of both) expect(isAccept(await nas.logIn([node], code, code, nextMac()))).toBe(false);
    const ended = await entitlementOf(code);
    expect(ended).toMatchObject({ state: 'ended', end_reason: 'quota_used', used_seconds: 2 * 421 });
    saw.push(['24 reports, each at both nodes', 'counted once, ended at the quota, refused at both']);
  });

  test('each hold back who guesses at them', async () => {
    const mac = nextMac();
    const guess = async (node: Karibu, times: number) => {
      const tries = Array.from({ length: times }, (_, n) =>
        nas.logIn([node], `WRONG${n}`, 'x', mac, { timeoutMs: 4000, attempts: 1 }),
      );
      return (await Promise.all(tries)).map(messageOf);
    };
    await guess(first, 10);
    expect((await guess(first, 1))[0]).toMatch(/Too many wrong|wait/i);
    // What is counted is in each node's memory: a guesser gets as many tries again where the router asks the other.
    expect((await guess(second, 1))[0]).toMatch(/Unknown code/);
    await guess(second, 9);
    expect((await guess(second, 1))[0]).toMatch(/Too many wrong|wait/i);
    saw.push(['wrong codes of one device before it is held back', '10 at each node']);
  });

  test('know of a router, its secret and its end within seconds, whichever node was told', async () => {
    const secret = 'siri-mpya-ya-pili';
    const other = openNas(secret, '127.0.0.2');
    const changed = openNas(SECRET, '127.0.0.2');
    const { codes } = await vouchers(1);
    const quick = { timeoutMs: 250, attempts: 1 };
    const known = (asker: Nas, node: Karibu, yes: boolean) =>
      until(
        `the router is ${yes ? '' : 'no longer '}known`,
        async () =>
          ((await asker.logIn([node], codes[0]!, codes[0]!, '5A:02:00:00:FF:FF', quick)) !== undefined) ===
          yes,
        10,
      );
    let since = Date.now();
    const { id } = await api.post<{ id: string }>('/routers', {
      name: 'Second kiosk',
      address: '127.0.0.2',
      radius_secret: secret,
    });
    await known(other, second, true);
    saw.push(['a router added at the first answers at the second', seconds(since)]);
    const atSecond = await signIn(second.admin);
    since = Date.now();
    await atSecond.patch(`/routers/${id}`, { radius_secret: SECRET });
    await known(changed, first, true);
    saw.push(['its new secret, told to the second, at the first', seconds(since)]);
    await api.send('DELETE', `/routers/${id}`);
    await known(changed, second, false);
    await other.close();
    await changed.close();
  });

  test('show on an open admin page of one what happens at the other', async () => {
    const { codes } = await vouchers(1);
    const { token } = await signIn(second.admin);
    const end = new AbortController();
    const page = await fetch(`http://${second.admin}/api/v1/events`, {
      headers: { authorization: `Bearer ${token}` },
      signal: end.signal,
    });
    let told = '';
    const reading = (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of page.body!) told += decoder.decode(chunk);
    })().catch(() => undefined);
    const since = Date.now();
    await online([first], codes[0]!);
    await until('the page hears of the session', () => told.includes(`"username":"${codes[0]}"`));
    saw.push(['a session at the first on a page of the second', seconds(since)]);
    end.abort();
    await reading;
  });

  test('end a session from either, wherever it reports', async () => {
    const { codes } = await vouchers(2);
    const atSecond = await signIn(second.admin);
    const one = await online([first], codes[0]!);
    const [stored] = await sessionsOf(codes[0]!);
    const ended = await atSecond.post<StoredSession>(`/sessions/${stored!.id}/disconnect`);
    expect(ended.disconnect_state).toBe('ack');
    expect(timesAsked(one)).toBe(1);
    const two = await online([first], codes[1]!);
    const since = Date.now();
    const { id } = await entitlementOf(codes[1]!);
    await atSecond.post(`/entitlements/${id}/revoke`, { reason: 'test' });
    await until('the revoked session was ended', () => timesAsked(two) > 0, 2);
    saw.push(['a grant revoked at the second, its session at the first', seconds(since)]);
    for (const session of [one, two]) await nas.account(both, session, 'stop', { seconds: 5 });
  });

  test('take over what a killed one was at', async () => {
    const { codes } = await vouchers(1);
    const code = codes[0]!;
    const session = await online([first], code);
    coa.answers = false;
    const { id } = await entitlementOf(code);
    await api.post(`/entitlements/${id}/revoke`, { reason: 'test' });
    await until('the router was asked', () => timesAsked(session) > 0);
    await first.kill9();
    const since = Date.now();
    const asked = timesAsked(session);
    coa.answers = true;
    expect(isAccept(await nas.logIn(both, code, code, session.mac, IMPATIENT))).toBe(false);
    saw.push(['the other answers a login after the kill', seconds(since)]);
    await until('the other node asks the router', () => timesAsked(session) > asked, 15);
    saw.push(['the other does what the killed one was at', seconds(since)]);
    await nas.account(both, session, 'stop', { seconds: 5 }, IMPATIENT);
    await first.restart();
    expect(isAccept(await nas.logIn([first], code, code, session.mac))).toBe(false);
  });

  test('lose nothing acknowledged when one after the other is killed in a storm', storm, 180_000);

  test('stop cleanly, having had no error', async () => {
    for (const node of both) {
      expect(await node.stop()).toEqual({ code: 0, signal: null });
      expect(node.output()).not.toMatch(/"level":"error"/);
    }
  });
});

const KILLS = Number(process.env.KARIBU_E2E_KILLS ?? 4);

/** Less patient than RouterOS by default (1100 ms): 0.8 s until the other node is asked. */
const IMPATIENT = { timeoutMs: 400, attempts: 2 };

/** How often the whole list is asked. */
const PATIENCE = 6;

interface Told extends NasSession {
  sent: number;
  kept: number;
  begun: boolean;
  stopSent: boolean;
  stopKept: boolean;
}

async function storm(): Promise<void> {
  const { shop } = two;
  const { codes } = await vouchers(60 + 150 * KILLS);
  const kept: Told[] = [];
  const redeemed = new Set<string>();
  const count = { logins: 0, reports: 0, redeems: 0, orders: 0, silences: 0 };
  let longest = 0;
  let isOver = false;
  // As the router lists them; half of the guests are at a router that lists them the other way round.
  const order1 = () => (randomInt(2) === 0 ? both : [second, first]);

  async function timed<T>(ask: () => Promise<T | undefined | false>): Promise<T | undefined | false> {
    const since = Date.now();
    let answer = await ask();
    // A router repeats itself; on a machine with much else to do both nodes may be late once.
    for (let times = 1; !answer && times < PATIENCE; times++) answer = await ask();
    longest = Math.max(longest, Date.now() - since);
    if (!answer) count.silences++;
    return answer;
  }

  async function guest(code: string): Promise<void> {
    const mac = nextMac();
    const servers = order1();
    if (randomInt(2) === 0) {
      const url = `http://${servers[0]!.portal}/api/redeem`;
      const answer = await send('POST', url, { body: { code, mac } }).catch(() => undefined);
      if (answer) expect(answer.status).toBe(200);
      if (answer) redeemed.add(code);
      if (answer) count.redeems++;
    }
    const accept = await timed(() => nas.logIn(servers, code, code, mac, IMPATIENT));
    if (!accept) return;
    expect(messageOf(accept)).toBe('');
    redeemed.add(code);
    count.logins++;
    const state = { sent: 0, kept: 0, begun: false, stopSent: false, stopKept: false };
    const session: Told = { ...sessionOf(accept, nextAcct(), code, mac), ...state };
    kept.push(session);
    const stops = randomInt(2) === 0;
    for (const status of ['start', 'interim', 'interim', 'interim', 'stop'] as const) {
      if (status === 'stop' && !stops) return;
      if (status !== 'start') session.sent += 10 * (1 + randomInt(100_000));
      if (status === 'stop') session.stopSent = true;
      const told = {
        seconds: Math.ceil(session.sent / 1000),
        upload: session.sent / 10,
        download: session.sent,
      };
      if (!(await timed(() => nas.account(servers, session, status, told, IMPATIENT)))) return;
      count.reports++;
      session.begun = true;
      session.kept = session.sent;
      session.stopKept = status === 'stop';
    }
  }

  async function buyer(): Promise<void> {
    const msisdn = `07${String(60_000_000 + ++serial)}`;
    // A node that is down takes no order: the guest taps again.
    await order(order1()[0]!, shop.plan, msisdn, nextMac());
    count.orders++;
  }

  const keepAt = (hands: number, one: () => Promise<unknown>) =>
    Promise.all(
      Array.from({ length: hands }, async () => {
        while (!isOver) await one();
      }),
    );
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  shop.mpesa.setKnobs({ outcome: '0', callback_delay_ms: 20 });
  const raging = Promise.all([
    keepAt(6, async () => {
      const code = codes.pop();
      await (code ? guest(code) : pause(50));
    }),
    keepAt(2, () => buyer().catch(() => pause(50))),
  ]);
  for (let kill = 0; kill < KILLS; kill++) {
    // Long enough for a request that waited for the one that was down to reach this one.
    await pause(1000 + randomInt(1200));
    const victim = both[kill % 2]!;
    await victim.kill9();
    await pause(300 + randomInt(700));
    await victim.restart();
  }
  await pause(300);
  isOver = true;
  await raging;

  await shop.mpesa.waitUntilQuiet();
  const stored = new Map(
    (await api.all<StoredSession>('/sessions')).map((one) => [one.acct_session_id, one] as const),
  );
  for (const { acct, begun, sent, kept: least, stopKept, stopSent } of kept) {
    if (!begun) continue;
    const found = stored.get(acct);
    expect(found, `session ${acct} was acknowledged`).toBeDefined();
    expect([least, sent]).toContain(found!.download_octets);
    expect(found!.upload_octets).toBe(found!.download_octets / 10);
    if (stopKept || !stopSent) expect(found!.state).toBe(stopKept ? 'closed' : 'open');
  }
  const used = await api.all<{ code: string; state: string }>('/vouchers?state=redeemed');
  const usedCodes = new Set(used.map(({ code }) => code));
  for (const code of redeemed) expect(usedCodes.has(code), `${code} was answered as redeemed`).toBe(true);
  const granted = await api.all<Entitlement>('/entitlements');
  expect(granted.filter(({ source }) => source === 'voucher')).toHaveLength(used.length);

  const ledger = shop.mpesa.ledger();
  const callbacks = ledger.filter(({ callback_http_status }) => callback_http_status === 200);
  const orders = await api.all<{ id: string; checkout_request_id: string | null }>('/orders');
  const orderOf = new Map(orders.map((one) => [one.checkout_request_id, one.id] as const));
  for (const { checkout_request_id } of callbacks) expect(orderOf.has(checkout_request_id)).toBe(true);
  // A callback to a node that was down is made up for by a query of either. Where the kill swallowed M-PESA's answer to
  // the push, nothing names the payment: a person must look.
  const known = ledger.flatMap((entry) => orderOf.get(entry.checkout_request_id) ?? []);
  const payments = await until(
    'every payment is settled',
    async () => {
      const settled = (await api.all<Payment>('/payments')).filter(({ state }) => state === 'settled');
      return settled.length >= known.length ? settled : undefined;
    },
    60,
  );
  expect(payments.map(({ order_id }) => order_id).sort()).toEqual([...known].sort());
  const forMoney = (await api.all<Entitlement>('/entitlements')).filter(({ source }) => source === 'order');
  expect(forMoney.map(({ id }) => id).sort()).toEqual(payments.map((one) => one.entitlement_id).sort());
  // One node was always there: the router had an answer to each thing it asked.
  expect(count.silences).toBe(0);
  saw.push(
    [`storm with ${KILLS} kills: logins, reports`, `${count.logins}, ${count.reports}; nothing unanswered`],
    ['longest wait for an answer, asking each twice for 0.4 s', `${(longest / 1000).toFixed(1)} s`],
    [
      'vouchers redeemed, payments settled',
      `${used.length}, ${payments.length} (${callbacks.length} callbacks answered)`,
    ],
  );
}
