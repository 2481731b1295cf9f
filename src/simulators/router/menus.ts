// The menus and commands a simulated router has for those who talk to its API.
import { normalizeMac } from '../../lib/mac.ts';
import { TerminateCause } from '../../protocols/radius/dictionary.ts';
import { formatDuration } from '../../protocols/routeros/values.ts';
import { type ApiCommands, type ApiRow, Trap } from './api.ts';
import type { Events } from './events.ts';
import { chapProof, type Nas, type NasSettings, type Phone, type Service, type Session } from './nas.ts';

export interface MenuSettings extends NasSettings {
  /** `7.24 (stable)`. */
  version: string;
  boardName: string;
  /** What `/system/device-mode` says of hotspots. */
  hotspotAllowed: boolean;
  /** What the router sends to RADIUS for a login over the API: not documented, so a server must take both. */
  apiLoginMethod: 'pap' | 'chap';
  coaPort(): number;
}

/** What the API offers of this router. */
export function createMenus(
  settings: MenuSettings,
  nas: Nas,
  events: Events,
  world: { phones(): Phone[]; bootedAt(): number; now(): number },
): ApiCommands {
  const { phones, bootedAt, now } = world;

  function activeRow(session: Session): ApiRow {
    const left = session.endsAt === undefined ? undefined : Math.max(0, session.endsAt - now());
    return {
      '.id': session.rowId,
      server: settings.server,
      user: session.user,
      address: session.phone.ip,
      'mac-address': session.phone.mac,
      'login-by': 'http-chap',
      uptime: formatDuration((now() - session.startedAt) / 1000),
      ...(left === undefined ? {} : { 'session-time-left': formatDuration(left / 1000) }),
      'idle-time': formatDuration((now() - session.lastTrafficAt) / 1000),
      'keepalive-timeout': '2m',
      'bytes-in': String(session.uploadOctets),
      'bytes-out': String(session.downloadOctets),
      'packets-in': String(Math.ceil(session.uploadOctets / 1000)),
      'packets-out': String(Math.ceil(session.downloadOctets / 1000)),
      radius: 'true',
    };
  }

  function pppRow(session: Session): ApiRow {
    return {
      '.id': session.rowId,
      name: session.user,
      service: session.service,
      'caller-id': session.phone.mac,
      address: session.phone.ip,
      uptime: formatDuration((now() - session.startedAt) / 1000),
      encoding: '',
      'session-id': `0x${session.id}`,
      'limit-bytes-in': '0',
      'limit-bytes-out': '0',
      radius: 'true',
    };
  }

  const sessionsOf = (service: Service) => nas.sessions().filter((session) => session.service === service);

  function hostRow(phone: Phone, index: number): ApiRow {
    return {
      '.id': `*${(index + 1).toString(16).toUpperCase()}`,
      'mac-address': phone.mac,
      address: phone.ip,
      'to-address': phone.ip,
      server: settings.server,
      'bridge-port': settings.portId,
      authorized: String(nas.sessionOf(phone.mac) !== undefined),
      bypassed: 'false',
      'found-by': 'dhcp',
    };
  }

  function radiusRow(): ApiRow {
    const { radius } = settings;
    return {
      '.id': '*1',
      service: 'ppp,hotspot',
      address: radius.host,
      'authentication-port': String(radius.authPort),
      'accounting-port': String(radius.acctPort),
      timeout: `${radius.timeoutMs ?? 1000}ms`,
      protocol: 'udp',
      'require-message-auth': radius.requireMessageAuth === false ? 'no' : 'yes-for-request-resp',
      disabled: 'false',
      comment: 'karibu',
    };
  }

  const menus: Record<string, () => ApiRow[]> = {
    '/system/identity': () => [{ name: settings.identity }],
    '/system/resource': () => [
      {
        uptime: formatDuration((now() - bootedAt()) / 1000),
        version: settings.version,
        'cpu-count': '4',
        'cpu-load': '3',
        'free-memory': '871366656',
        'total-memory': '1073741824',
        'architecture-name': 'arm64',
        'board-name': settings.boardName,
        platform: 'MikroTik',
      },
    ],
    '/system/clock': () => {
      const [date = '', time = ''] = new Date(now() + 3 * 3600_000).toISOString().split('T');
      return [{ date, time: time.slice(0, 8), 'time-zone-name': 'Africa/Nairobi', 'gmt-offset': '+03:00' }];
    },
    '/system/device-mode': () => [
      {
        mode: settings.hotspotAllowed ? 'advanced' : 'home',
        hotspot: settings.hotspotAllowed ? 'yes' : 'no',
        scheduler: settings.hotspotAllowed ? 'yes' : 'no',
        fetch: settings.hotspotAllowed ? 'yes' : 'no',
        flagged: 'no',
      },
    ],
    '/ip/hotspot': () => [
      {
        '.id': '*1',
        name: settings.server,
        interface: settings.portId,
        profile: 'karibu',
        disabled: 'false',
      },
    ],
    '/ip/hotspot/active': () => sessionsOf('hotspot').map(activeRow),
    '/ppp/active': () => sessionsOf('pppoe').map(pppRow),
    '/ip/hotspot/host': () => phones().map(hostRow),
    '/radius': () => [radiusRow()],
    '/radius/incoming': () => [{ accept: 'true', port: String(settings.coaPort()) }],
  };

  function remove(service: Service, attributes: ApiRow): ApiRow {
    const ids = (attributes['.id'] ?? attributes.numbers ?? '').split(',');
    const found = ids.map((id) => sessionsOf(service).find((session) => session.rowId === id));
    if (found.some((session) => session === undefined)) throw new Trap('no such item', 0);
    for (const session of found) nas.stopSession(session!, TerminateCause['Admin-Reset']);
    return {};
  }

  async function login(attributes: ApiRow): Promise<ApiRow> {
    const { ip, user } = attributes;
    if (user === undefined) throw new Trap('missing =user=', 1);
    const mac = normalizeMac(attributes['mac-address'] ?? '');
    const phone = phones().find((each) => (ip === undefined ? each.mac === mac : each.ip === ip));
    if (!phone || (mac !== undefined && phone.mac !== mac))
      throw new Trap(`unknown host IP ${ip ?? ''}`.trim());
    if (nas.sessionOf(phone.mac)) throw new Trap('already logged in');
    const password = attributes.password ?? '';
    const outcome = await nas.login(
      phone,
      user,
      settings.apiLoginMethod === 'chap' ? chapProof(password) : { method: 'pap', password },
    );
    if ('error' in outcome) throw new Trap(outcome.error);
    return {};
  }

  return {
    rows: (menu) => (Object.hasOwn(menus, menu) ? menus[menu]!() : undefined),
    run(command, attributes) {
      if (command === '/ip/hotspot/active/login') return login(attributes);
      if (command === '/ip/hotspot/active/remove') return (async () => remove('hotspot', attributes))();
      if (command === '/ppp/active/remove') return (async () => remove('pppoe', attributes))();
      return undefined;
    },
    follow(menu, onRow) {
      if (menu !== '/ip/hotspot/active') return undefined;
      const rowIds = new Map(sessionsOf('hotspot').map((session) => [session.id, session.rowId]));
      return events.listen((event) => {
        if (event.type === 'session_started') {
          const session = nas.sessionOf(event.mac);
          if (session?.service !== 'hotspot') return;
          rowIds.set(session.id, session.rowId);
          onRow(activeRow(session));
        } else if (event.type === 'session_stopped' || event.type === 'session_vanished') {
          const rowId = rowIds.get(event.sessionId);
          rowIds.delete(event.sessionId);
          if (rowId !== undefined) onRow({ '.id': rowId, '.dead': 'yes' });
        }
      });
    },
  };
}
