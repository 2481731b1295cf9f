// The guests of a storm against two nodes, at one router that lists both, and what they were told.
import { getString } from '../../src/protocols/radius/attributes.ts';
import { Code, type Packet } from '../../src/protocols/radius/packet.ts';
import { successBody } from '../e2e/payments/support/counter.ts';
import { send } from '../e2e/support/api.ts';
import type { Karibu } from '../e2e/support/karibu.ts';
import {
  isAccept,
  messageOf,
  type Nas,
  type NasSession,
  type Nodes,
  openNas,
  sessionOf,
} from '../e2e/support/nodes.ts';
import { HOUR, type Plan, type PortalOrder, SECRET } from '../e2e/support/shop.ts';
import { until } from '../e2e/support/until.ts';
import { type CoaPeer, openCoaPeer } from '../network/coa-peer.ts';
import { type Chance, chance } from '../protocols/radius/material.ts';

/** How long the router waits before it asks the other node: a refusal leaves after a second, a report is answered at once. */
const FOR_A_SIGN_IN = { timeoutMs: 700, attempts: 2 };
const FOR_A_REPORT = { timeoutMs: 400, attempts: 2 };
/** How often the whole list is asked until the router gives a report up. */
const PATIENCE = 8;
/** A session that missed three reports of a minute gives way to a device that asks; this is safely before. */
const SILENT_MS = 150_000;
const QUOTA = 3_000_000;
const FAIR_USE = 1_000_000;
const BRIEF_SECONDS = 20;
/** With so many online those who are in no party leave again. */
const MOST_ONLINE = 40;

export interface Terms {
  plan: Plan;
  max: number;
  /** What ends it. */
  quota: number | null;
  /** How long it lasts, in ms. */
  lasts: number;
}

/** What lets a guest in: a voucher's code, or what a payment gave. */
export interface Access {
  name: string;
  password: string;
  terms: Terms;
  sessions: Stay[];
  /** When its first sign-in was asked for: it lasts from then or later. */
  askedAt?: number;
  /** It was taken back, or that was tried; true once that was acknowledged. */
  takenBack?: boolean;
  /** Another plan may wait behind it, or have taken over. */
  hasMore?: boolean;
}

/** One connection, as the router has it. */
export interface Stay extends NasSession {
  access: Access;
  /** Epoch ms of its Accept; of its first acknowledged report; of the last. */
  acceptedAt: number;
  begunAt?: number;
  heardAt: number;
  /** What was told last, acknowledged or not; what was acknowledged last. */
  sent: Told;
  kept: Told;
  state: 'online' | 'told to go' | 'left' | 'vanished';
  /** Mikrotik-Rate-Limit as it stands at the router. */
  rate: string | undefined;
  /** A Disconnect came for it. */
  sentAway: boolean;
  stopSent: boolean;
  stopKept: boolean;
  /** One report after the other. */
  turn: Promise<unknown>;
}

interface Told {
  seconds: number;
  upload: number;
  download: number;
}

const NOTHING: Told = { seconds: 0, upload: 0, download: 0 };

export type Guests = Awaited<ReturnType<typeof openGuests>>;

export async function openGuests(two: Nodes, seed: number, demand: (holds: boolean, what: string) => void) {
  const by: Chance = chance(seed);
  const { shop, nodes } = two;
  const nas: Nas = openNas();
  const coa: CoaPeer = await openCoaPeer(Buffer.from(SECRET));
  const stays = new Map<string, Stay>();
  const accesses = new Map<string, Access>();
  /** Codes that were answered as redeemed, by whichever way. */
  const redeemed = new Set<string>();
  const cash = new Map<string, boolean>();
  const batches = new Map<string, { id?: string; count: number }>();
  const count = {
    ...{ sign_ins: 0, refused: 0, reports: 0, reports_at_both: 0, lost: 0, redeemed: 0, orders: 0 },
    ...{ callbacks_to_the_other: 0, sent_away: 0, disconnects: 0, changes: 0, strays: 0 },
    ...{ taken_back: 0, speeds: 0 },
  };
  let serial = 0;

  const nextMac = () => {
    const digits = (++serial).toString(16).toUpperCase().padStart(6, '0');
    return `5A:03:00:${digits.slice(0, 2)}:${digits.slice(2, 4)}:${digits.slice(4)}`;
  };
  /** As this router lists them; half of the guests are at one that lists them the other way round. */
  const listed = (): Karibu[] => (by.below(2) === 0 ? [...nodes] : [nodes[1], nodes[0]]);
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

  coa.agrees = (asked: Packet) => {
    const stay = stays.get(getString(asked, 'Acct-Session-Id') ?? '');
    if (asked.code === Code.CoaRequest) {
      if (stay?.state !== 'online') return false;
      count.changes++;
      const rate = getString(asked, 'Mikrotik-Rate-Limit');
      if (rate) stay.rate = rate;
      return true;
    }
    count.disconnects++;
    if (stay?.state !== 'online') {
      count.strays++;
      return stay?.state === 'told to go';
    }
    demand(mayBeSentAway(stay), `${nameOf(stay)} was told to go, and nobody is in its place`);
    stay.state = 'told to go';
    stay.sentAway = true;
    count.sent_away++;
    void leave(stay);
    return true;
  };
  const { items } = await shop.api.get<{ items: { id: string }[] }>('/routers');
  await shop.api.patch(`/routers/${items[0]!.id}`, { coa_port: coa.port });

  await shop.api.post('/till-sessions', { opening_cents: 0 });

  const nameOf = (stay: Stay) => `session ${stay.acct} of ${stay.mac} (${stay.access.name})`;

  /** With its quota used, or with as many other devices as the plan is for: at any time beside it, since nodes are late. */
  function mayBeSentAway(stay: Stay): boolean {
    const { terms, sessions } = stay.access;
    if (mayBeOver(stay.access)) return true;
    return new Set(sessions.map(({ mac }) => mac).filter((mac) => mac !== stay.mac)).size >= terms.max;
  }

  function mayBeOver(access: Access): boolean {
    const { terms, takenBack, hasMore, askedAt = Date.now() } = access;
    if (takenBack !== undefined || (terms.quota !== null && used(access) >= terms.quota)) return true;
    return !hasMore && Date.now() > askedAt + terms.lasts - 2000;
  }

  const used = ({ sessions }: Access) =>
    sessions.reduce((sum, { sent }) => sum + sent.upload + sent.download, 0);

  /** The devices of an access that certainly held a place at `at`, beside one. */
  function holders({ sessions }: Access, mac: string, at: number): Stay[] {
    return sessions.filter(
      (stay) =>
        stay.mac !== mac &&
        stay.state === 'online' &&
        stay.begunAt !== undefined &&
        stay.begunAt <= at &&
        Date.now() - stay.heardAt < SILENT_MS,
    );
  }

  function accessOf(name: string, password: string, kind: Terms): Access {
    const access = accesses.get(name) ?? { name, password, terms: kind, sessions: [] };
    accesses.set(name, access);
    return access;
  }

  /** A device signs in; undefined when it was refused, which only others may be (`alone`), or nobody answered. */
  async function signIn(access: Access, mac = nextMac(), alone = true): Promise<Stay | undefined> {
    const askedAt = Date.now();
    const usedUp = access.terms.quota !== null && keptOf(access) >= access.terms.quota;
    const isOver = usedUp || access.takenBack === true;
    access.askedAt ??= askedAt;
    const answer = await nas.logIn(listed(), access.name, access.password, mac, FOR_A_SIGN_IN);
    if (!answer) return undefined;
    if (!isAccept(answer)) {
      count.refused++;
      demand(
        !alone || mayBeOver(access),
        `${mac} was refused, alone on ${access.name}: ${messageOf(answer)}`,
      );
      return undefined;
    }
    const beside = holders(access, mac, askedAt);
    if (new Set(beside.map((one) => one.mac)).size >= access.terms.max) crowded.push({ access, mac, beside });
    demand(!isOver, `${access.name} was let in though its quota was used, or it was taken back`);
    count.sign_ins++;
    redeemed.add(access.name);
    const acct = `83${(++serial).toString(16).padStart(6, '0')}`;
    const stay: Stay = {
      ...sessionOf(answer, acct, access.name, mac),
      ...{
        access,
        rate: getString(answer, 'Mikrotik-Rate-Limit'),
        acceptedAt: Date.now(),
        heardAt: 0,
        sent: NOTHING,
        kept: NOTHING,
      },
      ...{
        state: 'online' as const,
        sentAway: false,
        stopSent: false,
        stopKept: false,
        turn: Promise.resolve(),
      },
    };
    for (const older of access.sessions) {
      if (older.mac === mac && older.state === 'online') older.state = 'vanished';
    }
    access.sessions.push(stay);
    stays.set(acct, stay);
    return stay;
  }

  /** Who was let in beside as many as the plan is for, unless one of those was to go by then. */
  const crowded: { access: Access; mac: string; beside: Stay[] }[] = [];

  const keptOf = ({ sessions }: Access) =>
    sessions.reduce((sum, { kept }) => sum + kept.upload + kept.download, 0);

  /** One report, asked for again and again as a router does; true when a node acknowledged it. */
  function report(stay: Stay, status: 'start' | 'interim' | 'stop', octets = 0): Promise<boolean> {
    const done = stay.turn.then(async () => {
      const isOver = stay.state !== 'online' && stay.state !== 'told to go';
      if (stay.stopSent || (isOver && status !== 'stop')) return false;
      const { sent } = stay;
      stay.sent = {
        seconds: Math.floor((Date.now() - stay.acceptedAt) / 1000),
        upload: sent.upload + octets / 10,
        download: sent.download + octets,
      };
      if (status === 'stop') stay.stopSent = true;
      return deliver(stay, status);
    });
    stay.turn = done.catch(() => false);
    return done;
  }

  async function deliver(stay: Stay, status: 'start' | 'interim' | 'stop'): Promise<boolean> {
    const told = stay.sent;
    const ask = (servers: Karibu[]) => nas.account(servers, stay, status, told, FOR_A_REPORT);
    for (let times = 0; times < PATIENCE; times++) {
      const servers = listed();
      const atBoth = by.below(4) === 0;
      const answers = atBoth ? await Promise.all(servers.map((node) => ask([node]))) : [await ask(servers)];
      if (!answers.includes(true)) continue;
      count.reports++;
      if (atBoth) count.reports_at_both++;
      stay.begunAt ??= Date.now();
      stay.heardAt = Date.now();
      stay.kept = told;
      if (status === 'stop') stay.stopKept = true;
      return true;
    }
    count.lost++;
    return false;
  }

  async function leave(stay: Stay): Promise<void> {
    await report(stay, 'stop', 10 * by.below(1000));
    stay.state = 'left';
  }

  const countOnline = () => [...stays.values()].filter(({ state }) => state === 'online').length;
  const someOctets = () => 10 * (1 + by.below(60_000));

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
    const [stay] = [...stays.values()].filter((one) => one.state === 'online' && one.begunAt).slice(-5);
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
    const { plan } = terms[by.pick(['single', 'fair', 'pair'] as const)];
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
    ...{ stays, accesses, redeemed, crowded, told200, cash, batches, count, terms, supply, coa },
    ...{
      single,
      racers,
      party,
      eater,
      fair,
      brief,
      revoker,
      speeds,
      buyer,
      till,
      printer,
      report,
      leave,
      deliver,
      signIn,
    },
    anyNode,
    mayBeOver,
    /** The router says everything again that nobody has acknowledged, and how those online are. */
    async tellAll(more = someOctets): Promise<void> {
      const left = [...stays.values()].filter((stay) => !stay.stopKept && stay.state !== 'vanished');
      await Promise.all(
        left.map((stay) => (stay.stopSent ? deliver(stay, 'stop') : report(stay, 'interim', more()))),
      );
    },
    async close() {
      await nas.close();
      await coa.close();
    },
  };
}

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
