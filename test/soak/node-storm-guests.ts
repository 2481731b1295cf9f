// The guests of a storm against two nodes and their operator: what they do, and what they were told.
import { successBody } from '../e2e/payments/support/counter.ts';
import { send } from '../e2e/support/api.ts';
import type { Karibu } from '../e2e/support/karibu.ts';
import type { Nodes } from '../e2e/support/nodes.ts';
import { HOUR, type Plan, type PortalOrder } from '../e2e/support/shop.ts';
import { until } from '../e2e/support/until.ts';
import type { Chance } from '../protocols/radius/material.ts';
import type { Demand, Router, Stay, Terms } from './node-storm-router.ts';

/** With so many online those who are in no party leave again. */
const MOST_ONLINE = 40;
const QUOTA = 3_000_000;
const FAIR_USE = 1_000_000;
const BRIEF_SECONDS = 20;

export type Guests = Awaited<ReturnType<typeof openGuests>>;

export async function openGuests({ shop, nodes }: Nodes, router: Router, by: Chance, demand: Demand) {
  const { accessOf, countOnline, keptOf, leave, listed, nextMac, report, signIn, someOctets } = router;
  /** Codes that were answered as redeemed, by whichever way. */
  const redeemed = new Set<string>();
  const cash = new Map<string, boolean>();
  const batches = new Map<string, { id?: string; count: number }>();
  const count = { redeemed: 0, orders: 0, callbacks_to_the_other: 0, taken_back: 0, speeds: 0 };
  let serial = 0;

  const anyNode = () => by.pick(nodes);

  const hour = { max: 1, quota: null, lasts: HOUR.validity_seconds * 1000 };
  const terms = {
    single: { ...hour, plan: shop.plan },
    pair: { ...hour, plan: await sell({ name: 'Two phones', max_devices: 2 }), max: 2 },
    quota: { ...hour, plan: await sell({ name: 'Three megabytes', quota_octets: QUOTA }), quota: QUOTA },
    fair: {
      ...hour,
      plan: await sell({
        ...{ name: 'Fair', quota_octets: FAIR_USE },
        ...{ fair_use_rate_down_kbps: 256, fair_use_rate_up_kbps: 128 },
      }),
    },
    brief: {
      ...hour,
      plan: await sell({ name: 'Brief', validity_seconds: BRIEF_SECONDS }),
      lasts: BRIEF_SECONDS * 1000,
    },
  } satisfies Record<string, Terms>;
  const supply: Record<keyof typeof terms, string[]> = {
    single: [],
    pair: [],
    quota: [],
    fair: [],
    brief: [],
  };

  function sell(own: object): Promise<Plan> {
    return shop.api.post<Plan>('/plans', { ...HOUR, ...own });
  }

  await shop.api.post('/till-sessions', { opening_cents: 0 });

  /** Online: a Start, some reports, then gone, or silently back, or there until a later round. */
  async function surf(stay: Stay, over: () => boolean): Promise<void> {
    await report(stay, 'start');
    for (let reports = by.below(4); reports > 0 && !over(); reports--) {
      await report(stay, 'interim', someOctets());
    }
    if (over()) return;
    const fate = by.below(10);
    if (fate < 4 || countOnline() > MOST_ONLINE) return leave(stay);
    if (fate >= 6) return;
    // The device is back without a Stop: its router lost the session.
    const again = await signIn(stay.access, stay.mac);
    if (again) await report(again, 'start');
  }

  async function redeemAt(node: Karibu, code: string, mac: string): Promise<number | undefined> {
    const answer = await send('POST', `http://${node.portal}/api/redeem`, { body: { code, mac } }).catch(
      () => undefined,
    );
    if (answer?.status === 200) {
      redeemed.add(code);
      count.redeemed++;
    }
    return answer?.status;
  }

  async function single(over: () => boolean): Promise<void> {
    const code = supply.single.pop();
    if (!code) return pause(50);
    const access = accessOf(code, code, terms.single);
    const mac = nextMac();
    if (by.below(2) === 0) {
      const status = await redeemAt(anyNode(), code, mac);
      demand([200, 503, 500, undefined].includes(status), `a fresh voucher was refused with ${status}`);
    }
    const stay = await signIn(access, mac);
    if (stay) await surf(stay, over);
  }

  /** Two phones redeem one code at both nodes at the same moment. */
  async function racers(over: () => boolean): Promise<void> {
    const code = supply.single.pop();
    if (!code) return pause(50);
    const access = accessOf(code, code, terms.single);
    const macs = [nextMac(), nextMac()];
    const statuses = await Promise.all(nodes.map((node, n) => redeemAt(node, code, macs[n]!)));
    const won = statuses.filter((status) => status === 200).length;
    demand(won < 2, `${code} was redeemed twice at one moment`);
    if (statuses.every((status) => status === 200 || status === 409)) {
      demand(won === 1, `${code} was redeemed by nobody: ${statuses}`);
    }
    const both = await Promise.all(macs.map((mac) => signIn(access, mac, false)));
    await Promise.all(both.map((stay) => stay && report(stay, 'start')));
    for (const stay of both) if (stay && !over()) await report(stay, 'interim', someOctets());
  }

  /** More phones at one moment than the plan is for, half of them at a router that lists the other node first. */
  async function party(over: () => boolean): Promise<void> {
    const code = supply.pair.pop();
    if (!code) return pause(50);
    const access = accessOf(code, code, terms.pair);
    const macs = Array.from({ length: 3 + by.below(2) }, nextMac);
    const came = await Promise.all(macs.map((mac) => signIn(access, mac, false)));
    const accepted = came.filter((stay) => stay !== undefined);
    await Promise.all(accepted.map((stay) => report(stay, 'start')));
    for (let reports = 2; reports > 0 && !over(); reports--) {
      await Promise.all(accepted.map((stay) => report(stay, 'interim', someOctets())));
    }
    if (over()) return;
    // One who comes late, while others are online; then one goes.
    await signIn(access, nextMac(), false).then((stay) => stay && report(stay, 'start'));
    const goes = accepted.find((stay) => stay.state === 'online');
    if (goes && by.below(2) === 0) await leave(goes);
  }

  /** Uses up a quota: then it is over, at both nodes. */
  async function eater(over: () => boolean): Promise<void> {
    const code = supply.quota.pop();
    if (!code) return pause(50);
    const access = accessOf(code, code, terms.quota);
    const stay = await signIn(access);
    if (!stay) return;
    await report(stay, 'start');
    while (!over() && stay.state === 'online' && keptOf(access) < QUOTA) {
      await report(stay, 'interim', 5 * someOctets());
    }
    if (keptOf(access) >= QUOTA) await signIn(access, stay.mac);
  }

  /** Goes on slowly after a quota. */
  async function fair(over: () => boolean): Promise<void> {
    const code = supply.fair.pop();
    if (!code) return pause(50);
    const stay = await signIn(accessOf(code, code, terms.fair));
    if (!stay) return;
    await report(stay, 'start');
    for (let reports = 2 + by.below(3); reports > 0 && !over(); reports--) {
      await report(stay, 'interim', 2 * someOctets());
    }
    if (!over() && (by.below(2) === 0 || countOnline() > MOST_ONLINE)) await leave(stay);
  }

  /** Runs out in the middle of the storm; half of them have more, which takes over. */
  async function brief(over: () => boolean): Promise<void> {
    const code = supply.brief.pop();
    if (!code) return pause(50);
    const access = accessOf(code, code, terms.brief);
    const stay = await signIn(access);
    if (!stay) return;
    await report(stay, 'start');
    if (by.below(2) === 0) {
      access.hasMore = true;
      const [, credential_id] = stay.class.split('/');
      const body = { credential_id, plan_id: shop.plan.id, reason: 'storm' };
      const status = await admin('POST', '/entitlements', body);
      if (status !== 201) access.takenBack = false;
    }
    while (!over() && stay.state === 'online') {
      await report(stay, 'interim', someOctets());
      await pause(by.below(1000));
    }
  }

  /** The operator asks a node; the status, if there is one. */
  async function admin(method: string, path: string, body: object): Promise<number | undefined> {
    const headers = { authorization: `Bearer ${shop.api.token}` };
    const url = `http://${anyNode().admin}/api/v1${path}`;
    return (await send(method, url, { body, headers }).catch(() => undefined))?.status;
  }

  /** The operator takes back what somebody is online by. */
  async function revoker(): Promise<void> {
    await pause(by.below(800));
    const [stay] = [...router.stays.values()]
      .filter((one: Stay) => one.state === 'online' && one.begunAt)
      .slice(-5);
    if (!stay || stay.access.hasMore) return;
    stay.access.takenBack ??= false;
    const entitlement = stay.class.split('/')[2];
    const status = await admin('POST', `/entitlements/${entitlement}/revoke`, { reason: 'storm' });
    if (status !== 200) return;
    stay.access.takenBack = true;
    count.taken_back++;
  }

  /** The operator changes the speed of what is sold: all who are online hear of it. */
  async function speeds(): Promise<void> {
    await pause(by.below(1500));
    // Not of what parties have: whoever is told of another speed is looked at, and one device too many would go by that.
    const { plan } = terms[by.pick(['single', 'fair'] as const)];
    const rates = { rate_down_kbps: 1000 * (2 + by.below(8)), rate_up_kbps: 1000 * (1 + by.below(4)) };
    if ((await admin('PATCH', `/plans/${plan.id}`, rates)) === 200) count.speeds++;
  }

  /** Someone pays on the portal, now and then tapping at both nodes; M-PESA calls back when the PIN is in. */
  async function buyer(over: () => boolean): Promise<void> {
    const msisdn = `2547${String(20_000_000 + ++serial)}`;
    const mac = nextMac();
    const body = { plan_id: shop.plan.id, msisdn: `0${msisdn.slice(3)}`, mac };
    // A tap that is sent to the other node as well says so by its key, however much later it is read.
    const headers = { 'idempotency-key': msisdn };
    const answers = await Promise.all(
      listed()
        .slice(0, 1 + by.below(2))
        .map((node) =>
          send<PortalOrder>('POST', `http://${node.portal}/api/orders`, { body, headers }).catch(
            () => undefined,
          ),
        ),
    );
    const ids = new Set(answers.flatMap((answer) => (answer?.status === 201 ? [answer.body.id] : [])));
    demand(ids.size < 2, `one tap of ${msisdn} made two orders`);
    const taken = answers.find((answer) => answer?.status === 201)?.body;
    if (!taken) return pause(50);
    count.orders++;
    const prompt = await until(
      'the prompt is paid',
      () => shop.mpesa.prompts().find((one) => one.msisdn === msisdn && one.receipt !== null) ?? over(),
      10,
    );
    if (prompt === true) return;
    if (by.below(2) === 0) {
      // What stands before the nodes may tell the same of money to both.
      const { pathname } = new URL(prompt.callback_url);
      const url = `http://${anyNode().callback}${pathname}`;
      const told = await send('POST', url, { raw: successBody(prompt) }).catch(() => undefined);
      if (told?.status === 200) told200.add(prompt.checkout_request_id);
      count.callbacks_to_the_other++;
    }
    if (by.below(2) === 0) return;
    const paid = await until(
      'the order is paid',
      async () => {
        const url = `http://${anyNode().portal}/api/orders/${taken.id}`;
        const now = await send<PortalOrder>('GET', url).catch(() => undefined);
        return now?.body.state === 'paid' ? now.body : over();
      },
      30,
    );
    if (paid === true || !paid.username || !paid.password) return;
    const stay = await signIn(accessOf(paid.username, paid.password, terms.single), mac);
    if (stay) await surf(stay, over);
  }

  /** Checkout requests of which a notice, besides M-PESA's own, was answered 200. */
  const told200 = new Set<string>();

  /** Cash with one key, rung up at both nodes at the same moment. */
  async function till(): Promise<void> {
    const key = `cash-${++serial}`;
    cash.set(key, false);
    const answers = await Promise.all(
      nodes.map(({ admin }) =>
        send('POST', `http://${admin}/api/v1/payments/cash`, {
          body: { plan_id: shop.plan.id },
          headers: { authorization: `Bearer ${shop.api.token}`, 'idempotency-key': key },
        }).catch(() => undefined),
      ),
    );
    if (answers.some((answer) => answer?.status === 201)) cash.set(key, true);
    for (const answer of answers) {
      const status = answer?.status;
      demand([201, 500, 503, undefined].includes(status), `cash answered ${status}`);
    }
    await pause(100 + by.below(300));
  }

  /** Vouchers are made while the nodes fall. */
  async function printer(): Promise<void> {
    const key = `batch-${++serial}`;
    const size = 100 + by.below(400);
    batches.set(key, { count: size });
    for (const node of listed()) {
      const answer = await send<{ id: string }>('POST', `http://${node.admin}/api/v1/voucher-batches`, {
        body: { plan_id: terms.pair.plan.id, count: size },
        headers: { authorization: `Bearer ${shop.api.token}`, 'idempotency-key': key },
      }).catch(() => undefined);
      if (answer?.status === 201) batches.set(key, { id: answer.body.id, count: size });
    }
    await pause(500 + by.below(1000));
  }

  return {
    ...{ redeemed, told200, cash, batches, count, terms, supply, anyNode },
    ...{ single, racers, party, eater, fair, brief, revoker, speeds, buyer, till, printer },
  };
}

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
