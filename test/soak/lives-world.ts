// A Karibu without a schedule, on time that stands until it is moved, and routers that talk to it over real sockets.
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createCredential } from '../../src/access/credentials.ts';
import {
  createJournaledAccounting,
  type JournaledAccounting,
} from '../../src/access/journaled-accounting.ts';
import {
  decideOutage,
  noteOutage,
  type OutageSettings,
  updateOutageSettings,
} from '../../src/access/outages.ts';
import { changePppoeCredential, createPppoeCredential, type PppoeChange } from '../../src/access/pppoe.ts';
import { DISCONNECTED_BY, getSession } from '../../src/access/sessions.ts';
import { createSubscriber } from '../../src/access/subscribers.ts';
import { createKnownTime } from '../../src/db/known-time.ts';
import { withManners } from '../../src/db/open.ts';
import type { Db, Row, Tables } from '../../src/db/schema.ts';
import { dueKinds } from '../../src/db/tasks.ts';
import { closeStale } from '../../src/jobs/close-stale-sessions.ts';
import type { JobContext } from '../../src/jobs/context.ts';
import { endEntitlements } from '../../src/jobs/end-entitlements.ts';
import { endHours } from '../../src/jobs/end-hours.ts';
import { rollOver } from '../../src/jobs/roll-over.ts';
import { runTasks } from '../../src/jobs/run-tasks.ts';
import { watchOutages } from '../../src/jobs/watch-outages.ts';
import type { Log } from '../../src/log.ts';
import { disconnectSession } from '../../src/network/enforce.ts';
import { createRouter } from '../../src/network/routers.ts';
import {
  attribute,
  foldGigawords,
  getAddress,
  getInteger,
  getString,
} from '../../src/protocols/radius/attributes.ts';
import { createRadiusRequester } from '../../src/protocols/radius/client.ts';
import { AcctStatusType } from '../../src/protocols/radius/dictionary.ts';
import { challengeHash, ntPasswordHash, ntResponse } from '../../src/protocols/radius/mschap.ts';
import {
  type Attribute,
  Code,
  decodePacket,
  encodeReply,
  newAuthenticator,
  type Packet,
} from '../../src/protocols/radius/packet.ts';
import { chapPassword, hidePassword } from '../../src/protocols/radius/passwords.ts';
import { openUdp } from '../../src/protocols/radius/udp.ts';
import { createLive } from '../../src/servers/live.ts';
import { createRadiusListeners } from '../../src/servers/radius/listen.ts';
import { LOCKOUT_LIMITS } from '../../src/servers/radius/lockout.ts';
import { createSignInLog } from '../../src/servers/radius/sign-in-log.ts';
import { type ApiRow, createApiServer, Trap } from '../../src/simulators/router/api.ts';
import { vault } from '../access/fixtures.ts';

export const INTERIM_SECONDS = 60;
const SECRET = Buffer.from('radius-secret');

/** A connection as its router has it. */
export interface Connection {
  router: WorldRouter;
  acctId: string;
  /** Class, as the Accept gave it. */
  reference: string;
  /** Who it is of, by that reference. */
  guest: WorldGuest | undefined;
  /** User-Name: the guest's, or the address of a device that knocked. */
  username: string;
  mac: string;
  method: Method;
  /** Epoch ms. */
  since: number;
  up: number;
  down: number;
  /** Octets a second, both ways. */
  pace: { up: number; down: number };
  /** Epoch ms at which the router ends it; Infinity where it was told of no end. */
  endsAt: number;
  rate: string | undefined;
  /** Of a home: what it was given. */
  address: string | undefined;
  pool: string | undefined;
  list: string | undefined;
  /** Octets at which the router ends it. */
  limits: { total: number; up: number; down: number };
  live: boolean;
  /** What the next report is due at. */
  reportAt: number;
}

/** A Disconnect or CoA that came to a router's door, or what was removed through its API. */
export interface Asked {
  what: 'disconnect' | 'change' | 'remove';
  connection: Connection | undefined;
  answer: 'ack' | 'nak' | 'none';
  /** Seconds from the connection's start, as it was told. */
  timeout: number | undefined;
  rate: string | undefined;
}

export interface WorldRouter {
  id: string;
  address: string;
  /** Whether it counts gigawords. */
  gigawords: boolean;
  /** Whether it ends connections at their limits by itself. */
  keepsLimits: boolean;
  /** Whether it tries each device that appears by its MAC address, and is allowed to. */
  macLogin: boolean;
  /** Whether its API can be used. */
  hasApi: boolean;
  door: 'agrees' | 'refuses' | 'silent';
  /** Whether packets come through at all. */
  reachable: boolean;
  nextId: number;
}

export type RouterKind = Pick<WorldRouter, 'gigawords' | 'keepsLimits' | 'macLogin' | 'hasApi'>;

/** What a guest is made of. */
export interface GuestKind {
  /** The device that their credential was bought on. */
  ownMac: string | null;
  /** Whether they are the person of the guest before them, with one more credential. */
  samePerson: boolean;
  /** A home on PPPoE, with an address of its own or without. */
  home: { address: string | null } | null;
}

export interface WorldGuest {
  /** Of the credential. */
  id: string;
  subscriber_id: string;
  username: string;
  password: string;
  ownMac: string | null;
  isHome: boolean;
  address: string | null;
  /** The one router it may sign in through. */
  boundTo: WorldRouter | null;
  disabled: boolean;
  /** When its sessions had to begin anew. */
  changedAt: number;
}

export type Ended = (connection: Connection, cause: number) => void;

/** A login that a router was asked for through its API; whether it let the device in. */
export type LoginAsked = (router: WorldRouter, mac: string, username: string) => Promise<boolean>;

/** The low 32 bits of a counter and what is above them. */
function words(name: 'Input' | 'Output', octets: number, gigawords: boolean): Attribute[] {
  const low = attribute(`Acct-${name}-Octets`, octets % 2 ** 32);
  return gigawords ? [low, attribute(`Acct-${name}-Gigawords`, Math.floor(octets / 2 ** 32))] : [low];
}

/** A limit of octets and its gigawords as a router hears of it; Infinity for none, undefined where it is not told. */
function limitOf(packet: Packet, name: 'Total' | 'Recv' | 'Xmit'): number | undefined {
  const low = getInteger(packet, `Mikrotik-${name}-Limit`);
  if (low === undefined) return undefined;
  const octets = foldGigawords(low, getInteger(packet, `Mikrotik-${name}-Limit-Gigawords`) ?? 0);
  return octets === 0 ? Number.POSITIVE_INFINITY : octets;
}

export type Method = 'pap' | 'chap' | 'mschap2';

/** RFC 2548 §2.3.2, RFC 2759 §8. */
function msChap2(username: string, password: string, challenge: Buffer): Attribute[] {
  const peer = Buffer.alloc(16, 9);
  const hash = challengeHash(peer, challenge, Buffer.from(username));
  const response = ntResponse(hash, ntPasswordHash(password));
  return [
    attribute('MS-CHAP-Challenge', challenge),
    attribute('MS-CHAP2-Response', Buffer.concat([Buffer.from([3, 0]), peer, Buffer.alloc(8), response])),
  ];
}

const TABLES: (keyof Tables)[] = [
  ...(['audit', 'extensions', 'outages'] as const),
  ...(['daily_usage', 'sessions', 'tasks', 'entitlements', 'devices', 'credentials'] as const),
  ...(['hash_book', 'subscribers', 'plans', 'routers', 'settings', 'signing_sources'] as const),
];

export type World = Awaited<ReturnType<typeof startWorld>>;

/** A world with nobody in it but guests who have bought nothing, at `startsAt`; in a store that is emptied for it. */
export async function startWorld(
  store: Db,
  startsAt: number,
  kinds: RouterKind[],
  people: GuestKind[],
  journaled: boolean,
) {
  let accounting: JournaledAccounting | undefined;
  const db = withManners(store, { before: () => accounting?.caughtUp() });
  for (const table of TABLES) await db.deleteFrom(table).execute();
  const time = { now: startsAt };
  const trouble: string[] = [];
  const cry = (message: string, more?: Record<string, unknown>) =>
    trouble.push(`${message} ${String(more?.error ?? '')}`);
  const warn = (message: string, more?: Record<string, unknown>) =>
    message === 'outage over' ? 0 : cry(message, more);
  const log: Log = { debug() {}, info() {}, warn, error: cry };
  const knownTime = createKnownTime(db, { now: () => time.now, monotonic: () => time.now });
  await knownTime.load();
  const { clock } = knownTime;
  const clockTrusted = () => knownTime.trusted();
  const folder = journaled ? await mkdtemp(path.join(tmpdir(), 'karibu-lives-')) : undefined;
  if (folder) {
    accounting = createJournaledAccounting(store, path.join(folder, 'journal'), {
      ...{ clock, log, diskRefuses: () => false, stored() {} },
    });
  }
  const radius = createRadiusListeners(
    {
      // Packets read what is stored; they wait for what concerns them.
      ...{ db: store, accounting, vault, clock, log, clockTrusted, interimSeconds: INTERIM_SECONDS },
      ...{ live: createLive(), signIns: createSignInLog() },
    },
    { auth: { host: '127.0.0.1', port: 0 }, acct: { host: '127.0.0.1', port: 0 } },
    { rejectDelayMs: 0, lockout: LOCKOUT_LIMITS },
  );
  const bound = await radius.start();
  const connections: Connection[] = [];
  const asked: Asked[] = [];
  let onEnded: Ended = () => {};
  let onLogin: LoginAsked = async () => false;
  /** Which devices are in the hotspot of a router. */
  const present = new Map<string, WorldRouter>();

  function answer(router: WorldRouter, packet: Packet): Asked {
    const what = packet.code === Code.DisconnectRequest ? 'disconnect' : 'change';
    const id = getString(packet, 'Acct-Session-Id');
    const mac = getString(packet, 'Calling-Station-Id');
    const name = getString(packet, 'User-Name');
    const connection = connections.find(
      (one) =>
        one.live && one.router === router && one.acctId === id && one.mac === mac && one.username === name,
    );
    const timeout = getInteger(packet, 'Session-Timeout');
    const rate = getString(packet, 'Mikrotik-Rate-Limit');
    const agrees = router.door === 'agrees' && connection !== undefined;
    const answer = agrees ? 'ack' : router.door === 'silent' || !router.reachable ? 'none' : 'nak';
    if (answer !== 'ack' || !connection) return { what, connection, answer, timeout, rate };
    if (what === 'disconnect') onEnded(connection, 6);
    else {
      if (timeout !== undefined) connection.endsAt = connection.since + timeout * 1000;
      if (rate !== undefined) connection.rate = rate;
      connection.limits.total = limitOf(packet, 'Total') ?? connection.limits.total;
      connection.limits.up = limitOf(packet, 'Recv') ?? connection.limits.up;
      connection.limits.down = limitOf(packet, 'Xmit') ?? connection.limits.down;
    }
    return { what, connection, answer, timeout, rate };
  }

  function apiOf(router: WorldRouter) {
    const idOf = (connection: Connection) => `*${connections.indexOf(connection) + 1}`;
    const active = (isHome: boolean) =>
      connections.filter(
        (one) => one.live && one.router === router && (one.guest?.isHome ?? false) === isHome,
      );
    const menus: Record<string, () => ApiRow[]> = {
      '/ip/hotspot/active': () =>
        active(false).map((one) => ({ '.id': idOf(one), user: one.username, 'mac-address': one.mac })),
      '/ppp/active': () =>
        active(true).map((one) => ({ '.id': idOf(one), name: one.username, 'caller-id': one.mac })),
      '/ip/hotspot/host': () =>
        [...present].flatMap(([mac, where], index) =>
          where === router
            ? [
                {
                  ...{ '.id': `*${index + 1}`, 'mac-address': mac, address: `10.5.50.${index + 1}` },
                  authorized: String(active(false).some((one) => one.mac === mac)),
                },
              ]
            : [],
        ),
    };
    async function remove(isHome: boolean, id: string | undefined): Promise<ApiRow> {
      const connection = active(isHome).find((one) => idOf(one) === id);
      if (!connection) throw new Trap('no such item', 0);
      asked.push({ what: 'remove', connection, answer: 'ack', timeout: undefined, rate: undefined });
      onEnded(connection, 6);
      return {};
    }
    async function login(attributes: ApiRow): Promise<ApiRow> {
      if (!(await onLogin(router, attributes['mac-address'] ?? '', attributes.user ?? ''))) {
        throw new Trap('RADIUS server refused');
      }
      return {};
    }
    const api = createApiServer({
      ...{ username: 'karibu', password: 'api-secret', sendsEmpty: true },
      commands: {
        rows: (menu) => menus[menu]?.(),
        run(command, attributes) {
          if (command === '/ip/hotspot/active/remove') return remove(false, attributes['.id']);
          if (command === '/ppp/active/remove') return remove(true, attributes['.id']);
          return command === '/ip/hotspot/active/login' ? login(attributes) : undefined;
        },
        follow: () => undefined,
      },
    });
    // Who cannot be reached hangs up.
    api.server.prependListener('connection', (socket) => {
      if (!router.reachable) socket.destroy();
    });
    return api;
  }

  async function addRouter(kind: RouterKind, address: string) {
    const router: WorldRouter = { ...kind, address, id: '', door: 'agrees', reachable: true, nextId: 1 };
    const last = new Map<string, Buffer>();
    const api = apiOf(router);
    if (router.hasApi) await new Promise<void>((done) => api.server.listen(0, address, done));
    const api_port = router.hasApi ? (api.server.address() as AddressInfo).port : 8728;
    const door = await openUdp({
      host: address,
      port: 0,
      // Who asked has given up by now.
      onError() {},
      onMessage(datagram, from, port) {
        const packet = decodePacket(datagram);
        if (!packet) return;
        // A packet that comes again gets the answer that it got (RFC 5176 §2.3).
        const key = `${port} ${packet.identifier} ${packet.authenticator.toString('hex')}`;
        const again = last.get(key);
        if (again) return void (again.length > 0 && door.send(again, from, port));
        const done = answer(router, packet);
        asked.push(done);
        const [yes, no] =
          packet.code === Code.CoaRequest
            ? [Code.CoaAck, Code.CoaNak]
            : [Code.DisconnectAck, Code.DisconnectNak];
        const code = done.answer === 'ack' ? yes : no;
        const reply =
          done.answer === 'none' ? Buffer.alloc(0) : encodeReply({ code, attributes: [] }, packet, SECRET);
        last.set(key, reply);
        if (reply.length > 0) door.send(reply, from, port);
      },
    });
    const added = await createRouter(
      db,
      vault,
      {
        ...{
          name: address,
          address,
          radius_secret: SECRET.toString(),
          message_authenticator: 'auto' as const,
          mac_login: kind.macLogin ? ('yes' as const) : ('no' as const),
        },
        ...{
          coa_port: door.port,
          ...{ api_port, api_tls: 0 as const, api_username: router.hasApi ? 'karibu' : null },
          ...{ api_password: 'api-secret', hotspot_host: null },
        },
        ...{ hotspot_interface: 'bridge', hotspot_network: '10.5.48.0/22' },
      },
      time.now,
    );
    router.id = added.router.id;
    return { router, door, api, requester: createRadiusRequester({ localAddress: address }) };
  }

  const sites: Awaited<ReturnType<typeof addRouter>>[] = [];
  for (const [index, kind] of kinds.entries()) {
    time.now += 1;
    sites.push(await addRouter(kind, `127.0.0.${index + 1}`));
  }
  await radius.reloadRouters();
  const guests: WorldGuest[] = [];
  for (const [index, { ownMac, samePerson, home }] of people.entries()) {
    time.now += 1;
    const before = samePerson ? guests.at(-1) : undefined;
    const subscriber_id = before?.subscriber_id ?? (await createSubscriber(db, time.now)).id;
    const username = `guest ${index + 1}`;
    const password = 'secret';
    const address = home?.address ?? null;
    const input = { subscriber_id, username, password };
    const { id } = home
      ? (
          await createPppoeCredential(
            db,
            vault,
            { ...input, static_address: address, router_id: null },
            time.now,
          )
        ).credential
      : await createCredential(db, vault, { ...input, kind: 'hotspot', device_mac: ownMac }, time.now);
    guests.push({
      ...{ id, ...input, ownMac: home ? null : ownMac, isHome: home !== null, address },
      ...{ boundTo: null, disabled: false, changedAt: 0 },
    });
  }

  async function ask(
    router: WorldRouter,
    code: number,
    port: number,
    attributes: Attribute[],
    authenticator?: Buffer,
  ): Promise<Packet> {
    const site = sites.find((one) => one.router === router);
    const outcome = await site!.requester.request({
      ...{ host: '127.0.0.1', port, secret: SECRET, code, attributes, attempts: 1, timeoutMs: 600_000 },
      ...(authenticator ? { messageAuthenticator: true, authenticator } : {}),
    });
    if (!('packet' in outcome)) throw new Error('The server was silent.');
    return outcome.packet;
  }

  const who = (username: string, mac: string, acctId: string, isHome = false) => [
    attribute('User-Name', username),
    attribute('Calling-Station-Id', mac),
    attribute('NAS-Port-Id', isHome ? 'ether2' : 'bridge'),
    attribute('Acct-Session-Id', acctId),
  ];

  const enforcement = { db, vault, clock, clockTrusted };
  const jobs = {
    ...{ db, vault, clock, log, knownTime, interimSeconds: INTERIM_SECONDS, kick() {} },
    enforcement,
  } as unknown as JobContext;
  const runEnforce = runTasks(['enforce', 'follow_plan', 'disconnect_session', 'extend_entitlements']);

  return {
    ...{ db, time, trouble, connections, asked, guests, present },
    routers: sites.map((site) => site.router),
    /** Hears of each connection that a router ended on request. */
    whenEnded(hear: Ended) {
      onEnded = hear;
    },
    /** Does what a router does that is asked to log a device in. */
    whenLoginAsked(does: LoginAsked) {
      onLogin = does;
    },
    /** Asks for access, for nobody by the address alone; the connection is there only if the answer is an Accept. */
    async signIn(
      router: WorldRouter,
      mac: string,
      guest: WorldGuest | undefined,
      method: Method,
      pace: Connection['pace'],
    ) {
      const username = guest?.username ?? mac;
      const password = guest?.password ?? mac;
      const acctId = `8010${String(router.nextId++).padStart(4, '0')}`;
      const challenge = newAuthenticator();
      const proof = {
        pap: () => [attribute('User-Password', hidePassword(password, SECRET, challenge))],
        chap: () => [
          attribute('CHAP-Challenge', challenge),
          attribute('CHAP-Password', chapPassword(7, password, challenge)),
        ],
        mschap2: () => msChap2(username, password, challenge),
      }[method]();
      const asking = [...who(username, mac, acctId, guest?.isHome), ...proof];
      const packet = await ask(router, Code.AccessRequest, bound.auth.port, asking, challenge);
      const seconds = getInteger(packet, 'Session-Timeout');
      const reference = getString(packet, 'Class') ?? '';
      const connection: Connection = {
        ...{ router, acctId, mac, since: time.now, up: 0, down: 0, pace: { ...pace }, live: true },
        ...{ reference, username, method, guest: guests.find((one) => one.id === reference.split('/')[1]) },
        endsAt: seconds === undefined ? Number.POSITIVE_INFINITY : time.now + seconds * 1000,
        rate: getString(packet, 'Mikrotik-Rate-Limit'),
        address: getAddress(packet, 'Framed-IP-Address'),
        pool: getString(packet, 'Framed-Pool'),
        list: getString(packet, 'Mikrotik-Address-List'),
        limits: {
          total: limitOf(packet, 'Total') ?? Number.POSITIVE_INFINITY,
          up: limitOf(packet, 'Recv') ?? Number.POSITIVE_INFINITY,
          down: limitOf(packet, 'Xmit') ?? Number.POSITIVE_INFINITY,
        },
        reportAt: time.now + INTERIM_SECONDS * 1000,
      };
      return { accepted: packet.code === Code.AccessAccept, packet, seconds, connection };
    },
    /** Tells of a connection, as it stood `delay` seconds ago. */
    async tell(
      connection: Connection,
      report: Pick<Report, 'kind' | 'seconds' | 'up' | 'down' | 'cause'>,
      delay: number,
    ) {
      const { router } = connection;
      await ask(router, Code.AccountingRequest, bound.acct.port, [
        ...who(connection.username, connection.mac, connection.acctId, connection.guest?.isHome),
        attribute('Acct-Status-Type', AcctStatusType[report.kind]),
        attribute('NAS-IP-Address', router.address),
        attribute('Framed-IP-Address', connection.address ?? '10.5.50.20'),
        attribute('Class', connection.reference),
        attribute('Acct-Session-Time', report.seconds),
        ...words('Input', report.up, router.gigawords),
        ...words('Output', report.down, router.gigawords),
        ...(delay > 0 ? [attribute('Acct-Delay-Time', delay)] : []),
        ...(report.kind === 'Stop' ? [attribute('Acct-Terminate-Cause', report.cause)] : []),
      ]);
    },
    /** The router says that it has begun again. */
    async tellReboot(router: WorldRouter) {
      await ask(router, Code.AccountingRequest, bound.acct.port, [
        attribute('Acct-Status-Type', AcctStatusType['Accounting-On']),
        attribute('NAS-IP-Address', router.address),
      ]);
    },
    /** The operator changes a home's credential. */
    async changeHome(guest: WorldGuest, change: PppoeChange) {
      await db.transaction().execute((tx) => changePppoeCredential(tx, vault, guest.id, change, time.now));
    },
    setOutagePolicy: (settings: OutageSettings) => updateOutageSettings(db, settings, time.now),
    /** The box has come back after this; a policy that asks for nobody does not note it. */
    async wasOff(off: { from: number; to: number }, mode: OutageSettings['mode']) {
      if (mode === 'off') return;
      await noteOutage(db, { kind: 'box', from_at: off.from, to_at: off.to }, time.now);
    },
    /** What waits for a person's decision, oldest first. */
    outages: () =>
      db.selectFrom('outages').selectAll().where('state', '=', 'waiting').orderBy('from_at').execute(),
    async decide(outageId: string, decision: 'approved' | 'dismissed') {
      await db.transaction().execute((tx) => decideOutage(tx, outageId, decision, 'Asha', time.now));
    },
    /** A person of the operator's ends a session. */
    async sendAway(sessionId: string) {
      await disconnectSession(enforcement, await getSession(db, sessionId), `${DISCONNECTED_BY}Asha`);
    },
    /** What the schedule would do now. */
    async runJobs(watches: boolean) {
      if (watches) await watchOutages(jobs);
      await endEntitlements(jobs);
      if (watches) await closeStale(jobs);
      await endHours(jobs);
      await rollOver(jobs);
      await this.runTasks();
    },
    async runTasks() {
      if ((await dueKinds(db, time.now)).size > 0) await runEnforce(jobs);
    },
    rows: async (): Promise<Rows> => ({
      entitlements: await db.selectFrom('entitlements').selectAll().orderBy('id').execute(),
      sessions: await db.selectFrom('sessions').selectAll().orderBy('id').execute(),
    }),
    tasks: () => db.selectFrom('tasks').selectAll().where('state', '<>', 'done').execute(),
    usage: () => db.selectFrom('daily_usage').selectAll().execute(),
    async close() {
      await radius.stop();
      await accounting?.stop();
      if (folder) await rm(folder, { recursive: true });
      for (const { door, requester, api } of sites) {
        api.dropConnections();
        if (api.server.listening) await new Promise((done) => api.server.close(done));
        await requester.close();
        await door.close();
      }
    },
  };
}

export interface Rows {
  entitlements: Row<'entitlements'>[];
  sessions: Row<'sessions'>[];
}

/** What a router says of a connection. */
export interface Report {
  connection: Connection;
  kind: 'Start' | 'Interim-Update' | 'Stop';
  seconds: number;
  up: number;
  down: number;
  cause: number;
  /** When it was written. */
  at: number;
}
