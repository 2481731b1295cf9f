// Kills the compiled Karibu again and again in a storm of all it does, to hold what it acknowledged against it.

import { attribute, getString } from '../../src/protocols/radius/attributes.ts';
import { createRadiusRequester } from '../../src/protocols/radius/client.ts';
import type { Attribute, Packet } from '../../src/protocols/radius/packet.ts';
import { hidePassword } from '../../src/protocols/radius/passwords.ts';
import { send } from '../e2e/support/api.ts';
import { openShop, type PortalOrder, SECRET, type Shop } from '../e2e/support/shop.ts';
import { until } from '../e2e/support/until.ts';
import { chance } from '../protocols/radius/material.ts';
import { numbers } from './options.ts';

const given = numbers({ rounds: 50, seed: Date.now() % 0x7fffffff });
const by = chance(given.seed);
const secret = Buffer.from(SECRET);
/** A round's storm is cut after at most so long. */
const MOST_STORM_MS = 1200;
const GUESTS_AT_ONCE = 6;
const BUYERS_AT_ONCE = 3;
const VOUCHERS_A_ROUND = 60;

interface Session {
  id: string;
  code: string;
  mac: string;
  className: string;
  /** What was asked for last, acknowledged or not. */
  sent: number;
  /** What the last acknowledged report said. */
  kept: number;
  begun: boolean;
  stopSent: boolean;
  stopKept: boolean;
  /** Epoch ms of the last acknowledged report. */
  heardAt: number;
}

interface Purchase {
  id: string;
  checkout: string;
}

interface StoredSession {
  acct_session_id: string;
  mac: string | null;
  state: string;
  terminate_cause: string | null;
  download_octets: number;
  upload_octets: number;
}

const sessions = new Map<string, Session>();
/** Codes that were answered as redeemed, by whichever way. */
const redeemed = new Set<string>();
const purchases: Purchase[] = [];
const totals = {
  logins: 0,
  reports: 0,
  portal_redeemed: 0,
  radius_redeemed: 0,
  orders: 0,
  callbacks: 0,
  nameless: 0,
  refused: 0,
};
const violations: string[] = [];
const [START, STOP, INTERIM] = [1, 2, 3] as const;
let serial = 0;

/** A session that missed three reports of a minute gives its place to a device that asks; this is safely before. */
const SILENT_MS = 150_000;
const isLive = ({ begun, stopSent, heardAt }: Session) =>
  begun && !stopSent && Date.now() - heardAt < SILENT_MS;

function demand(holds: boolean, what: string): void {
  if (!holds) violations.push(what);
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const nextMac = () => {
  const digits = (++serial).toString(16).toUpperCase().padStart(6, '0');
  return `5A:00:01:${digits.slice(0, 2)}:${digits.slice(2, 4)}:${digits.slice(4)}`;
};

function createAsker(shop: Shop) {
  const requester = createRadiusRequester();
  const port = (address: string) => Number(address.split(':').at(-1));
  async function ask(kind: 'auth' | 'acct', attributes: Attribute[], authenticator?: Buffer) {
    const outcome = await requester.request({
      host: '127.0.0.1',
      port: port(kind === 'auth' ? shop.karibu.radius_auth : shop.karibu.radius_acct),
      secret,
      code: kind === 'auth' ? 1 : 4,
      attributes,
      ...(authenticator ? { authenticator } : {}),
      messageAuthenticator: true,
      attempts: 1,
      timeoutMs: 2500,
    });
    return 'packet' in outcome ? outcome.packet : undefined;
  }
  return {
    close: () => requester.close(),
    logIn(name: string, password: string, mac: string): Promise<Packet | undefined> {
      const authenticator = by.octets(16);
      return ask(
        'auth',
        [
          attribute('User-Name', name),
          attribute('User-Password', hidePassword(password, secret, authenticator)),
          attribute('Calling-Station-Id', mac),
        ],
        authenticator,
      );
    },
    account(session: Session, status: number, octets: number): Promise<Packet | undefined> {
      return ask('acct', [
        attribute('Acct-Status-Type', status),
        attribute('User-Name', session.code),
        attribute('Class', session.className),
        attribute('Acct-Session-Id', session.id),
        attribute('Calling-Station-Id', session.mac),
        attribute('Acct-Session-Time', Math.floor(octets / 1000)),
        attribute('Acct-Input-Octets', octets / 10),
        attribute('Acct-Output-Octets', octets),
      ]);
    },
  };
}

type Asker = ReturnType<typeof createAsker>;

/** A guest redeems a voucher by one way or the other, comes online and is accounted for until the plug is pulled. */
async function guest(shop: Shop, asker: Asker, code: string, over: () => boolean): Promise<void> {
  const mac = nextMac();
  let [name, password] = [code, code];
  if (by.below(2) === 0) {
    const url = `http://${shop.karibu.portal}/api/redeem`;
    const answer = await send<{ username: string; password: string }>('POST', url, { body: { code, mac } });
    if (answer.status !== 200) {
      demand(false, `a fresh voucher was refused with ${answer.status} ${JSON.stringify(answer.body)}`);
      return;
    }
    redeemed.add(code);
    totals.portal_redeemed++;
    ({ username: name, password } = answer.body);
  }
  if (over()) return;
  const login = await asker.logIn(name, password, mac);
  if (!login) return;
  if (login.code !== 2) {
    demand(false, `a voucher's first login was refused: ${getString(login, 'Reply-Message')}`);
    return;
  }
  if (!redeemed.has(code)) totals.radius_redeemed++;
  redeemed.add(code);
  totals.logins++;
  const className = getString(login, 'Class')!;
  const id = `8${(++serial).toString(16).padStart(7, '0')}`;
  const session: Session = {
    ...{ id, code: name, mac, className, sent: 0, kept: 0 },
    ...{ begun: false, stopSent: false, stopKept: false, heardAt: 0 },
  };
  sessions.set(id, session);
  for (const status of [START, INTERIM, INTERIM, INTERIM, STOP] as const) {
    if (over() || (status === STOP && by.below(2) === 0)) return;
    session.sent = status === START ? 0 : session.sent + 10 * (1 + by.below(100_000));
    if (status === STOP) session.stopSent = true;
    const octets = session.sent;
    if (!(await asker.account(session, status, octets))) return;
    totals.reports++;
    session.begun = true;
    session.heardAt = Date.now();
    session.kept = octets;
    if (status === STOP) session.stopKept = true;
  }
}

/** Someone pays on the portal: M-PESA calls back when the PIN is in. */
async function buyer(shop: Shop): Promise<void> {
  const msisdn = `2547${String(10_000_000 + ++serial)}`;
  const url = `http://${shop.karibu.portal}/api/orders`;
  const body = { plan_id: shop.plan.id, msisdn: `0${msisdn.slice(3)}`, mac: nextMac() };
  const answer = await send<PortalOrder>('POST', url, { body });
  if (answer.status !== 201) {
    demand(false, `an order was refused with ${answer.status} ${JSON.stringify(answer.body)}`);
    return;
  }
  totals.orders++;
  const prompt = await until(
    'the prompt',
    () => shop.mpesa.prompts().find((one) => one.msisdn === msisdn),
    5,
  );
  purchases.push({ id: answer.body.id, checkout: prompt.checkout_request_id });
}

/** Keeps so many at it until the storm is over; a connection that the kill broke is the end of that one's try. */
async function keepAt(count: number, over: () => boolean, one: () => Promise<void>): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async () => {
      while (!over()) await one().catch(() => pause(5));
    }),
  );
}

async function checkAll(shop: Shop, asker: Asker, full: boolean): Promise<void> {
  const { api, mpesa } = shop;
  await mpesa.waitUntilQuiet();
  const stored = new Map(
    (await api.all<StoredSession>('/sessions')).map((one) => [one.acct_session_id, one] as const),
  );
  for (const session of sessions.values()) {
    if (!session.begun) continue;
    const found = stored.get(session.id);
    demand(found !== undefined, `session ${session.id} was acknowledged, and is gone`);
    if (!found) continue;
    const { download_octets: down, upload_octets: up } = found;
    demand(
      down === session.kept || down === session.sent,
      `session ${session.id}: ${down} octets, not ${session.kept}`,
    );
    demand(up === down / 10, `session ${session.id}: ${up} octets up to ${down} down`);
    if (session.stopKept)
      demand(found.state === 'closed', `session ${session.id} had its Stop, and is ${found.state}`);
    else if (isLive(session))
      demand(
        found.state === 'open',
        `session ${session.id} had no Stop, and is ${found.state} (${found.terminate_cause})`,
      );
  }
  const open = [...stored.values()].filter(({ state }) => state === 'open');
  demand(new Set(open.map(({ mac }) => mac)).size === open.length, 'a device has two open sessions');

  // Another device is refused on a credential whose one place is taken.
  const taken = [...sessions.values()].filter(isLive);
  for (let times = 0; times < 3 && taken.length > 0; times++) {
    const { code, heardAt } = by.pick(taken);
    if (!redeemed.has(code)) continue;
    const answer = await asker.logIn(code, code, nextMac());
    demand(
      answer?.code === 3,
      `a second device on ${code} got ${answer ? answer.code : 'silence'}, ${Date.now() - heardAt} ms after its last report`,
    );
    totals.refused++;
  }
  for (const code of [...redeemed].slice(-3)) {
    const url = `http://${shop.karibu.portal}/api/redeem`;
    const answer = await send('POST', url, { body: { code, mac: nextMac() } });
    demand(answer.status === 409, `redeeming ${code} again answered ${answer.status}`);
  }

  const ledger = mpesa.ledger();
  const acknowledged = ledger.filter(({ callback_http_status }) => callback_http_status === 200);
  totals.callbacks = acknowledged.length;
  type Payment = {
    order_id: string | null;
    amount_cents: number;
    state: string;
    entitlement_id: string | null;
  };
  type Order = { id: string; state: string; checkout_request_id: string | null };
  const settled = async () => {
    const payments = await api.all<Payment>('/payments');
    return payments.filter(({ state }) => state === 'settled');
  };
  const orders = await api.all<Order>('/orders');
  const orderOf = new Map(orders.map(({ id, checkout_request_id }) => [checkout_request_id, id] as const));
  // A callback that found nobody is made up for by a query, which has its own time: at the end all are due. But when
  // the kill swallowed M-PESA's answer to the push as well, nothing can name the payment: a person must look.
  const known = ledger.filter((entry) => orderOf.has(entry.checkout_request_id));
  const nameless = ledger.filter((entry) => !orderOf.has(entry.checkout_request_id));
  demand(
    nameless.every(({ callback_http_status }) => callback_http_status !== 200),
    'an acknowledged callback has no order',
  );
  totals.nameless = nameless.length;
  const due = (full ? known : acknowledged).map((entry) => orderOf.get(entry.checkout_request_id));
  const payments = await until(
    'every payment that was acknowledged is settled',
    async () => {
      const now = await settled();
      const paid = new Set(now.map(({ order_id }) => order_id));
      return due.every((id) => paid.has(id ?? '')) ? now : undefined;
    },
    full ? 90 : 20,
  ).catch(async (error: Error) => {
    demand(false, error.message);
    return settled();
  });
  demand(
    new Set(payments.map(({ order_id }) => order_id)).size === payments.length,
    'an order was paid twice',
  );
  if (full) {
    const there = known.reduce((sum, { amount_shillings }) => sum + amount_shillings, 0);
    const here = payments.reduce((sum, { amount_cents }) => sum + amount_cents, 0) / 100;
    const waiting = orders.filter(({ checkout_request_id }) => checkout_request_id === null);
    demand(waiting.length >= nameless.length, 'a nameless payment has no order that waits for it');
    demand(
      waiting.every(({ state }) => state === 'pending' || state === 'checking' || state === 'sending'),
      `an order whose push had no answer is ${waiting.map(({ state }) => state)}`,
    );
    demand(there === here, `M-PESA took KES ${there}, the books have KES ${here}`);
  }
  type Granted = { id: string; source: string; order_id: string | null; voucher_id?: string | null };
  const read = async () => ({
    granted: await api.all<Granted>('/entitlements'),
    money: (await settled()).length,
    vouchers: (await api.all<{ state: string; code: string }>('/vouchers')).filter(
      ({ state }) => state === 'redeemed',
    ),
  });
  const { granted, money, vouchers } = await read();
  const forMoney = granted.filter(({ source }) => source === 'order').length;
  const forVouchers = granted.filter(({ source }) => source === 'voucher').length;
  // Between two readings a query may settle one more; at the end nothing is under way.
  if (full) demand(forMoney === money, `${money} payments, ${forMoney} entitlements for them`);
  demand(
    forVouchers === vouchers.length,
    `${vouchers.length} vouchers redeemed, ${forVouchers} entitlements for them`,
  );
  const here = new Set(vouchers.map(({ code }) => code));
  for (const code of redeemed) demand(here.has(code), `voucher ${code} was answered as redeemed, and is not`);
}

async function main(): Promise<void> {
  console.log(`seed ${given.seed}, ${given.rounds} rounds`);
  const shop = await openShop();
  const asker = createAsker(shop);
  try {
    const count = given.rounds * VOUCHERS_A_ROUND;
    const batch = await shop.api.post<{ id: string }>('/voucher-batches', { plan_id: shop.plan.id, count });
    const codes = await until(
      'the vouchers are made',
      async () => {
        const list = await shop.api.all<{ code: string }>(`/voucher-batches/${batch.id}/vouchers`);
        return list.length === count ? list.map(({ code }) => code) : undefined;
      },
      60,
    );
    console.log('round  cut after  logins  reports  redeemed  orders  callbacks  violations');
    for (let round = 1; round <= given.rounds && violations.length === 0; round++) {
      shop.mpesa.setKnobs({ outcome: '0', callback_delay_ms: by.below(60) });
      const cut = 100 + by.below(MOST_STORM_MS - 100);
      let isOver = false;
      const over = () => isOver;
      const supply = codes.splice(0, VOUCHERS_A_ROUND);
      const storm = Promise.all([
        keepAt(GUESTS_AT_ONCE, over, async () => {
          const code = supply.pop();
          await (code ? guest(shop, asker, code, over) : pause(20));
        }),
        keepAt(BUYERS_AT_ONCE, over, () => buyer(shop)),
      ]);
      await pause(cut);
      const killed = shop.karibu.kill9();
      isOver = true;
      await killed;
      await storm;
      await shop.karibu.restart();
      await checkAll(shop, asker, round === given.rounds);
      const cells = [
        ...[
          round,
          `${cut} ms`,
          totals.logins,
          totals.reports,
          redeemed.size,
          totals.orders,
          totals.callbacks,
        ],
        violations.length,
      ];
      console.log(cells.map((cell, at) => String(cell).padStart([5, 11, 8, 9, 10, 8, 11, 12][at]!)).join(''));
    }
    const ledger = shop.mpesa.ledger();
    const money = ledger.reduce((sum, { amount_shillings }) => sum + amount_shillings, 0);
    console.log(
      `totals ${JSON.stringify({ ...totals, sessions: sessions.size, payments: ledger.length, shillings: money })}`,
    );
  } finally {
    await asker.close();
    await shop.close();
  }
  if (violations.length > 0) {
    for (const what of violations.slice(0, 20)) console.log(`failure: ${what}`);
    console.log(`         ${violations.length} in all; --seed ${given.seed} --rounds ${given.rounds}`);
    process.exit(1);
  }
  console.log('ok');
}

await main().catch((error: unknown) => {
  console.log(`failure: ${error instanceof Error ? error.stack : error}`);
  console.log(`         --seed ${given.seed} --rounds ${given.rounds}`);
  process.exit(1);
});
