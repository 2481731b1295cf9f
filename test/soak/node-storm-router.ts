// The one router of a storm against two nodes: it lists both, and knows who is online and what it was told.
import { getString } from '../../src/protocols/radius/attributes.ts';
import { Code, type Packet } from '../../src/protocols/radius/packet.ts';
import type { Karibu } from '../e2e/support/karibu.ts';
import {
  isAccept,
  messageOf,
  type NasSession,
  type Nodes,
  openNas,
  sessionOf,
} from '../e2e/support/nodes.ts';
import { type Plan, SECRET } from '../e2e/support/shop.ts';
import { openCoaPeer } from '../network/coa-peer.ts';
import type { Chance } from '../protocols/radius/material.ts';

/** How long the router waits before it asks the other node: a refusal leaves after a second, a report is answered at once. */
const FOR_A_SIGN_IN = { timeoutMs: 700, attempts: 2 };
const FOR_A_REPORT = { timeoutMs: 400, attempts: 2 };
/** How often the whole list is asked until the router gives a report up. */
const PATIENCE = 8;
/** A session that missed three reports of a minute gives way to a device that asks; this is safely before. */
const SILENT_MS = 150_000;
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

export type Demand = (holds: boolean, what: string) => void;
export type Router = Awaited<ReturnType<typeof openRouter>>;

export async function openRouter({ shop, nodes }: Nodes, by: Chance, demand: Demand) {
  const nas = openNas();
  const coa = await openCoaPeer(Buffer.from(SECRET));
  const stays = new Map<string, Stay>();
  const accesses = new Map<string, Access>();
  /** Who was let in beside as many as the plan is for, unless one of those was to go by then. */
  const crowded: { access: Access; mac: string; beside: Stay[] }[] = [];
  const count = {
    ...{ sign_ins: 0, refused: 0, reports: 0, reports_at_both: 0, lost: 0 },
    ...{ sent_away: 0, disconnects: 0, changes: 0, strays: 0 },
  };
  let serial = 0;

  const nextMac = () => {
    const digits = (++serial).toString(16).toUpperCase().padStart(6, '0');
    return `5A:03:00:${digits.slice(0, 2)}:${digits.slice(2, 4)}:${digits.slice(4)}`;
  };
  /** As this router lists them; half of the guests are at one that lists them the other way round. */
  const listed = (): Karibu[] => (by.below(2) === 0 ? [...nodes] : [nodes[1], nodes[0]]);

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

  return {
    ...{ stays, accesses, crowded, count, coa, nextMac, listed, someOctets },
    ...{ accessOf, mayBeOver, keptOf, countOnline, signIn, report, leave },
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
