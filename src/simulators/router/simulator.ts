// A MikroTik router that is not there, its hotspot and its PPPoE server: API, RADIUS and web pages as RouterOS 7 shows them.
import type { Server } from 'node:http';
import type { AddressInfo, Server as TcpServer } from 'node:net';
import { normalizeMac } from '../../lib/mac.ts';
import { TerminateCause } from '../../protocols/radius/dictionary.ts';
import type { UdpSocket } from '../../protocols/radius/udp.ts';
import { isAtLeast, parseVersion, type RouterVersion } from '../../protocols/routeros/values.ts';
import { createApiServer } from './api.ts';
import { createEvents, type RouterListener } from './events.ts';
import { createHotspotServer } from './hotspot.ts';
import { listenIncoming } from './incoming.ts';
import { createMenus } from './menus.ts';
import { createNas, type LoginOutcome, type Phone, type RadiusSettings, type Session } from './nas.ts';
import { type HotspotPages, type PortalAddresses, portalPages } from './pages.ts';

export type { RouterEvent, RouterListener } from './events.ts';
export type { LoginOutcome, Phone, RadiusSettings, Session } from './nas.ts';
export type { HotspotPages, PortalAddresses } from './pages.ts';

export interface RouterSimulatorOptions {
  radius: RadiusSettings;
  portal: PortalAddresses;
  api: { username: string; password: string };
  /** `/system identity`; `karibu-demo`. */
  identity?: string;
  /** Where to listen: `127.0.0.1`, ports 0. */
  listen?: { host?: string; apiPort?: number; coaPort?: number; hotspotPort?: number };
  /** What RADIUS is told this router's address is; `127.0.0.1`. */
  nasIp?: string;
  /** Name of the `/ip hotspot` row; `karibu`. */
  server?: string;
  /** `bridge-hotspot`. */
  portId?: string;
  /** What the login page takes; both http-chap and http-pap, and CHAP is what it offers. */
  loginBy?: readonly ('http-chap' | 'http-pap')[];
  /** How a login over the API is sent to RADIUS; `pap`. */
  apiLoginMethod?: 'pap' | 'chap';
  /** `7.24 (stable)`; before 7.18 the API sends no `!empty`. */
  version?: string;
  boardName?: string;
  /** Whether device-mode lets hotspots run; true. */
  hotspotAllowed?: boolean;
  /** Never ends a session by itself; false. */
  ignoreLimits?: boolean;
  /** What a CoA's Session-Timeout counts from; `from_start`. */
  coaSessionTimeout?: 'from_start' | 'from_now';
  /** Pages in the router's own `$(…)` language, instead of ours. */
  pages?: Partial<HotspotPages>;
  /** Puts the phone's MAC address into every link, for browsers that cannot keep it in a cookie; false. */
  phoneInLinks?: boolean;
  /** Epoch ms; the machine's clock. */
  now?(): number;
  /** How often tick() is called by itself; 1000, and 0 is never. */
  tickMs?: number;
}

const latest: RouterVersion = { major: 7, minor: 24, patch: 0 };

export interface NewPhone {
  mac: string;
  /** The next free one of 10.5.50.0/24 unless said. */
  ip?: string;
  /** What it uses while online, in kbps before the rate limit; 0. */
  uploadKbps?: number;
  downloadKbps?: number;
}

export interface RouterSimulator {
  /** Opens the three doors; `addresses` is right from then on. */
  start(): Promise<void>;
  /** Closes them; sessions vanish without a Stop. */
  stop(): Promise<void>;
  addresses: {
    api: { host: string; port: number };
    coa: { host: string; port: number };
    /** `http://127.0.0.1:1234`. */
    hotspot: string;
  };
  /** Points the router elsewhere, for what is only known after it has started. */
  configure(change: { radius?: Partial<RadiusSettings>; portal?: Partial<PortalAddresses> }): void;
  /** A phone joins the WiFi; the answer's `url` is what its browser opens first. */
  addPhone(phone: NewPhone): Phone & { url: string };
  /** A phone leaves the WiFi; its session ends as lost. */
  removePhone(mac: string): void;
  phones(): Phone[];
  /** Logs a phone in with a password in clear, as a form without CHAP does. */
  login(mac: string, user: string, password: string): Promise<LoginOutcome>;
  logout(mac: string): void;
  /** A home's router dials in over PPPoE, with PAP; it needs no phone. Its address is the one RADIUS gives, or a free one. */
  dial(mac: string, user: string, password: string): Promise<LoginOutcome>;
  sessions(): Session[];
  /** Octets a phone uses at once; limits are looked at on the next tick. Throws when it is not online. */
  addTraffic(mac: string, uploadOctets: number, downloadOctets: number): void;
  /** Does what is due by now: traffic, limits, timeouts, interims. */
  tick(): void;
  /** Calls the listener for every event; the answer stops that. */
  onEvent(listener: RouterListener): () => void;
  /** Resolves when no RADIUS exchange is under way. */
  idle(): Promise<void>;
  /** The plug is pulled and put back: sessions are gone without a Stop, API connections drop, uptime starts again. */
  powerCut(): void;
  /** As a power cut, but every session gets its Stop first. */
  reboot(): void;
}

/** Makes a router that is off; start() switches it on. */
export function createRouterSimulator(options: RouterSimulatorOptions): RouterSimulator {
  const now = options.now ?? Date.now;
  const host = options.listen?.host ?? '127.0.0.1';
  const radius: RadiusSettings = { ...options.radius };
  const portal: PortalAddresses = { ...options.portal };
  const events = createEvents();
  const phones = new Map<string, Phone>();
  const addresses: RouterSimulator['addresses'] = {
    api: { host, port: 0 },
    coa: { host, port: 0 },
    hotspot: `http://${host}:0`,
  };
  let bootedAt = now();
  let timer: NodeJS.Timeout | undefined;
  let incoming: UdpSocket | undefined;

  const settings = {
    radius,
    identity: options.identity ?? 'karibu-demo',
    sourceAddress: options.listen?.host,
    nasIp: options.nasIp ?? '127.0.0.1',
    server: options.server ?? 'karibu',
    portId: options.portId ?? 'bridge-hotspot',
    pppoe: { name: 'karibu-pppoe', interface: 'ether2' },
    ignoreLimits: options.ignoreLimits ?? false,
    coaSessionTimeout: options.coaSessionTimeout ?? ('from_start' as const),
    logoffUrl: () => `${addresses.hotspot}/logout`,
    version: options.version ?? '7.24 (stable)',
    boardName: options.boardName ?? 'hAP ax^2',
    hotspotAllowed: options.hotspotAllowed ?? true,
    apiLoginMethod: options.apiLoginMethod ?? ('pap' as const),
    coaPort: () => addresses.coa.port,
  };
  const nas = createNas(settings, events, now);
  const listPhones = () => [...phones.values()];
  const api = createApiServer({
    ...options.api,
    sendsEmpty: isAtLeast(parseVersion(settings.version) ?? latest, { major: 7, minor: 18, patch: 0 }),
    commands: createMenus(settings, nas, events, { phones: listPhones, bootedAt: () => bootedAt, now }),
  });
  const web = createHotspotServer(
    {
      identity: settings.identity,
      server: settings.server,
      loginBy: options.loginBy ?? ['http-chap', 'http-pap'],
      pages: () => ({ ...portalPages(portal), ...options.pages }),
      origin: () => addresses.hotspot,
      phoneInLinks: options.phoneInLinks ?? false,
      phones: listPhones,
      now,
    },
    nas,
  );

  function getPhone(mac: string): Phone {
    const phone = phones.get(normalizeMac(mac) ?? '');
    if (!phone) throw new Error(`No phone ${mac} is on this WiFi`);
    return phone;
  }

  function restart(): void {
    nas.forgetAll();
    api.dropConnections();
    bootedAt = now();
  }

  function freeIp(network = '10.5.50'): string {
    const taken = new Set([...listPhones(), ...nas.sessions().map(({ phone }) => phone)].map(({ ip }) => ip));
    for (let last = 10; last < 255; last++) {
      const ip = `${network}.${last}`;
      if (!taken.has(ip)) return ip;
    }
    throw new Error('No address is left for another phone');
  }

  return {
    addresses,
    async start() {
      const { apiPort = 0, coaPort = 0, hotspotPort = 0 } = options.listen ?? {};
      addresses.api.port = await listen(api.server, host, apiPort);
      addresses.hotspot = `http://${host}:${await listen(web, host, hotspotPort)}`;
      incoming = await listenIncoming({ host, port: coaPort }, settings, nas, events, now);
      addresses.coa.port = incoming.port;
      const tickMs = options.tickMs ?? 1000;
      if (tickMs > 0) timer = setInterval(nas.tick, tickMs);
    },
    async stop() {
      clearInterval(timer);
      nas.forgetAll();
      api.dropConnections();
      web.closeAllConnections();
      await Promise.all([close(api.server), close(web), incoming?.close(), nas.close()]);
    },
    configure(change) {
      Object.assign(radius, change.radius);
      Object.assign(portal, change.portal);
    },
    addPhone(added) {
      const mac = normalizeMac(added.mac);
      if (mac === undefined) throw new Error(`${added.mac} is no MAC address`);
      const known = phones.get(mac);
      // The same object, because a session that is open belongs to it.
      const phone: Phone = Object.assign(known ?? {}, {
        mac,
        ip: added.ip ?? known?.ip ?? freeIp(),
        uploadBps: (added.uploadKbps ?? 0) * 1000,
        downloadBps: (added.downloadKbps ?? 0) * 1000,
      });
      phones.set(mac, phone);
      return { ...phone, url: `${addresses.hotspot}/?phone=${encodeURIComponent(mac)}` };
    },
    removePhone(mac) {
      const phone = getPhone(mac);
      phones.delete(phone.mac);
      const session = nas.sessionOf(phone.mac);
      if (session) nas.stopSession(session, TerminateCause['Lost-Carrier']);
    },
    phones: listPhones,
    login: (mac, user, password) => nas.login(getPhone(mac), user, { method: 'pap', password }),
    dial(mac, user, password) {
      const caller = normalizeMac(mac);
      if (caller === undefined) throw new Error(`${mac} is no MAC address`);
      const home: Phone = { mac: caller, ip: freeIp('100.64.0'), uploadBps: 0, downloadBps: 0 };
      return nas.login(home, user, { method: 'pap', password }, 'pppoe');
    },
    logout(mac) {
      const session = nas.sessionOf(getPhone(mac).mac);
      if (session) nas.stopSession(session, TerminateCause['User-Request']);
    },
    sessions: nas.sessions,
    addTraffic(mac, uploadOctets, downloadOctets) {
      const session = nas.sessionOf(getPhone(mac).mac);
      if (!session) throw new Error(`${mac} is not online`);
      nas.addTraffic(session, uploadOctets, downloadOctets);
    },
    tick: nas.tick,
    onEvent: events.listen,
    idle: nas.idle,
    powerCut: restart,
    reboot() {
      for (const session of nas.sessions()) nas.stopSession(session, TerminateCause['Admin-Reboot']);
      restart();
    },
  };
}

function listen(server: Server | TcpServer, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function close(server: Server | TcpServer): Promise<void> {
  if (!server.listening) return Promise.resolve();
  return new Promise((resolve) => server.close(() => resolve()));
}
