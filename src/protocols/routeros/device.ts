// The few things we ask of a router, with names and types of our own.
import { normalizeMac } from '../../lib/mac.ts';
import { type RouterClient, RouterOsError, type Row } from './client.ts';
import { parseDuration, parseFlag } from './values.ts';

/** What these calls need of a client. */
export type Router = Pick<RouterClient, 'run'>;

/** `/system identity`: the name people gave the router; it is the NAS-Identifier of its RADIUS packets. */
export async function identity(router: Router): Promise<string> {
  const [row] = await router.run('/system/identity/print', { '.proplist': 'name' });
  return row?.name ?? '';
}

export interface Resource {
  /** `7.15.3 (stable)`; parseVersion reads it. */
  version: string;
  /** Seconds since the router started; going backwards means that it has restarted. */
  uptimeSeconds: number | undefined;
  boardName: string;
  architecture: string;
}

export async function resource(router: Router): Promise<Resource> {
  const [row] = await router.run('/system/resource/print', {
    '.proplist': 'version,uptime,board-name,architecture-name',
  });
  return {
    version: row?.version ?? '',
    uptimeSeconds: parseDuration(row?.uptime ?? ''),
    boardName: row?.['board-name'] ?? '',
    architecture: row?.['architecture-name'] ?? '',
  };
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/**
 * `/system/clock`, epoch ms; undefined when it is written in no known way. The date is `jan/31/2026` up to 7.9 and
 * `2026-01-31` from 7.10, the offset from UTC `+03:00` or seconds.
 */
export async function clockTime(router: Router): Promise<number | undefined> {
  const [row] = await router.run('/system/clock/print', { '.proplist': 'date,time,gmt-offset' });
  const old = /^([a-z]{3})\/(\d{2})\/(\d{4})$/.exec(row?.date?.toLowerCase() ?? '');
  const month = old && String(MONTHS.indexOf(old[1] ?? '') + 1).padStart(2, '0');
  const date = old ? `${old[3]}-${month}-${old[2]}` : row?.date;
  const local = Date.parse(`${date}T${row?.time}Z`);
  const offset = row?.['gmt-offset'] ?? '';
  const zone = /^([+-]?)(\d{2}):(\d{2})$/.exec(offset);
  const minutes = zone
    ? (zone[1] === '-' ? -1 : 1) * (Number(zone[2]) * 60 + Number(zone[3]))
    : Number(offset) / 60;
  return Number.isFinite(local) && Number.isFinite(minutes) ? local - minutes * 60_000 : undefined;
}

export interface DeviceMode {
  /** `advanced`, `basic`, `home` …; devices shipped with 7.17 or later may forbid hotspots until someone presses a button. */
  mode: string;
  hotspotAllowed: boolean;
}

/** `/system device-mode`; undefined on versions that have none, where everything is allowed. */
export async function deviceMode(router: Router): Promise<DeviceMode | undefined> {
  try {
    const [row] = await router.run('/system/device-mode/print');
    if (!row) return undefined;
    const mode = row.mode ?? '';
    return {
      mode,
      hotspotAllowed:
        row.hotspot === undefined ? mode !== 'home' && mode !== 'basic' : parseFlag(row.hotspot),
    };
  } catch (error) {
    if (isUnknownCommand(error)) return undefined;
    throw error;
  }
}

export interface ActiveHotspotUser {
  id: string;
  user: string;
  address: string;
  /** `AA:BB:CC:DD:EE:FF`. */
  mac: string;
  /** The hotspot server's name. */
  server: string;
  uptimeSeconds: number | undefined;
  /** From the subscriber. */
  uploadOctets: number;
  /** To the subscriber. */
  downloadOctets: number;
  /** Whether RADIUS let it in, rather than a user kept on the router. */
  byRadius: boolean;
}

/** Who is logged in to the hotspots now. */
export async function activeHotspotUsers(router: Router): Promise<ActiveHotspotUser[]> {
  const rows = await router.run('/ip/hotspot/active/print', {
    '.proplist': '.id,user,address,mac-address,server,uptime,bytes-in,bytes-out,radius',
  });
  return rows.map((row) => ({
    id: row['.id'] ?? '',
    user: row.user ?? '',
    address: row.address ?? '',
    mac: macOf(row),
    server: row.server ?? '',
    uptimeSeconds: parseDuration(row.uptime ?? ''),
    uploadOctets: Number(row['bytes-in'] ?? 0),
    downloadOctets: Number(row['bytes-out'] ?? 0),
    byRadius: parseFlag(row.radius),
  }));
}

/**
 * Whether a device is logged in now, by hotspot or PPP. Throws when the router does not say so to the end: an answer
 * that breaks off is none.
 */
export async function isLoggedIn(router: Router, mac: string): Promise<boolean> {
  const wanted = normalizeMac(mac) ?? mac;
  return isActive(router, `?mac-address=${wanted}`, `?caller-id=${wanted}`);
}

/** The same of a user, on whatever device. */
export async function isUserLoggedIn(router: Router, user: string): Promise<boolean> {
  return isActive(router, `?user=${user}`, `?name=${user}`);
}

async function isActive(router: Router, hotspotQuery: string, pppQuery: string): Promise<boolean> {
  const hotspot = await router.run('/ip/hotspot/active/print', { '.proplist': '.id' }, [hotspotQuery]);
  if (hotspot.length > 0) return true;
  const ppp = await router.run('/ppp/active/print', { '.proplist': '.id' }, [pppQuery]);
  return ppp.length > 0;
}

export interface HotspotHost {
  id: string;
  mac: string;
  /** The address the device itself uses. */
  address: string;
  /** The address the hotspot knows it by; a login wants this one. */
  toAddress: string;
  server: string;
  authorized: boolean;
  bypassed: boolean;
}

/** The device with this MAC address as the hotspot sees it now; undefined when it is not there. */
export async function hotspotHostByMac(router: Router, mac: string): Promise<HotspotHost | undefined> {
  const wanted = normalizeMac(mac);
  if (wanted === undefined) return undefined;
  const rows = await router.run(
    '/ip/hotspot/host/print',
    { '.proplist': '.id,mac-address,address,to-address,server,authorized,bypassed' },
    [`?mac-address=${wanted}`],
  );
  const row = rows.at(-1);
  if (!row) return undefined;
  return {
    id: row['.id'] ?? '',
    mac: macOf(row),
    address: row.address ?? '',
    toAddress: row['to-address'] ?? row.address ?? '',
    server: row.server ?? '',
    authorized: parseFlag(row.authorized),
    bypassed: parseFlag(row.bypassed),
  };
}

export interface HotspotLogin {
  /** The address of the device's host row (`toAddress`): read it first, DHCP may have moved the device. */
  ip: string;
  mac: string;
  user: string;
  password: string;
}

/**
 * Logs a device in as if it had used the login page; the router asks RADIUS as usual. Throws RouterOsError `trap` when
 * the device is not there (`unknown host IP …`) or RADIUS says no.
 */
export async function hotspotLogin(router: Router, login: HotspotLogin): Promise<void> {
  await router.run('/ip/hotspot/active/login', {
    ip: login.ip,
    'mac-address': normalizeMac(login.mac) ?? login.mac,
    user: login.user,
    password: login.password,
  });
}

/** A user, on one device when `mac` is given. */
export interface WhoIsActive {
  user: string;
  mac?: string;
}

/**
 * Logs a user out of the hotspots. Answers how many sessions were ended: 0 when there was none. The router sends
 * Accounting Stop with Admin-Reset.
 */
export function removeHotspotActive(router: Router, which: WhoIsActive): Promise<number> {
  return removeActive(router, '/ip/hotspot/active', { user: 'user', mac: 'mac-address' }, which);
}

/**
 * Ends a user's PPP connections, PPPoE among them, where the MAC address is the caller id; as removeHotspotActive. 0 as
 * well on a router without PPP (version 6 without that package).
 */
export async function removePppActive(router: Router, which: WhoIsActive): Promise<number> {
  try {
    return await removeActive(router, '/ppp/active', { user: 'name', mac: 'caller-id' }, which);
  } catch (error) {
    if (isUnknownCommand(error)) return 0;
    throw error;
  }
}

async function removeActive(
  router: Router,
  menu: string,
  names: { user: string; mac: string },
  which: WhoIsActive,
): Promise<number> {
  const mac = which.mac === undefined ? undefined : (normalizeMac(which.mac) ?? which.mac);
  const rows = await router.run(`${menu}/print`, { '.proplist': `.id,${names.mac}` }, [
    `?${names.user}=${which.user}`,
  ]);
  let removed = 0;
  for (const row of rows) {
    const of = row[names.mac] ?? '';
    if (row['.id'] === undefined || (mac !== undefined && (normalizeMac(of) ?? of) !== mac)) continue;
    try {
      await router.run(`${menu}/remove`, { '.id': row['.id'] });
      removed += 1;
    } catch (error) {
      // It ended by itself between the two commands, which is what was wanted.
      if (!(error instanceof RouterOsError && error.message.includes('no such item'))) throw error;
    }
  }
  return removed;
}

export interface RadiusRow {
  id: string;
  address: string;
  /** `hotspot`, `ppp` … */
  services: string[];
  authenticationPort: number;
  accountingPort: number;
  disabled: boolean;
  /** `yes-for-request-resp` or `no`; undefined before 7.15. */
  requireMessageAuth: string | undefined;
}

/** The RADIUS servers the router is told to ask, in its order; never their secrets. */
export async function radiusRows(router: Router): Promise<RadiusRow[]> {
  const rows = await router.run('/radius/print', {
    '.proplist': '.id,address,service,authentication-port,accounting-port,disabled,require-message-auth',
  });
  return rows.map((row) => ({
    id: row['.id'] ?? '',
    address: row.address ?? '',
    services: (row.service ?? '').split(',').filter((service) => service !== ''),
    authenticationPort: Number(row['authentication-port'] ?? 1812),
    accountingPort: Number(row['accounting-port'] ?? 1813),
    disabled: parseFlag(row.disabled),
    requireMessageAuth: row['require-message-auth'],
  }));
}

export interface RadiusIncoming {
  accept: boolean;
  port: number;
}

/** Whether the router listens to CoA and Disconnect, and where. */
export async function radiusIncoming(router: Router): Promise<RadiusIncoming> {
  const [row] = await router.run('/radius/incoming/print', { '.proplist': 'accept,port' });
  return { accept: parseFlag(row?.accept), port: Number(row?.port ?? 3799) };
}

function macOf(row: Row): string {
  const text = row['mac-address'] ?? '';
  return normalizeMac(text) ?? text;
}

function isUnknownCommand(error: unknown): boolean {
  return (
    error instanceof RouterOsError && error.code === 'trap' && error.message.startsWith('no such command')
  );
}
