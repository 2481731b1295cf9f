// The places of a plan: which devices hold one, and who gives way.
import type { Db, Terms } from '../db/schema.ts';
import { holdRow } from '../db/several-nodes.ts';
import { getEntitlement } from './entitlements.ts';
import { giveWay, openSessions, type Session } from './sessions.ts';

/** The devices other than `mac` that hold a place, the one that came first leading, each with its open sessions. */
export function devicesBeside(
  sessions: Session[],
  mac: string,
): { mac: string | null; sessions: Session[] }[] {
  const devices = new Map<string, { mac: string | null; sessions: Session[] }>();
  for (const session of sessions) {
    if (session.mac === mac || session.gave_way_at !== null) continue;
    const key = session.mac ?? session.id;
    const device = devices.get(key) ?? { mac: session.mac, sessions: [] };
    device.sessions.push(session);
    devices.set(key, device);
  }
  const since = (device: { sessions: Session[] }) =>
    Math.min(...device.sessions.map((session) => session.started_at));
  return [...devices.values()].sort((a, b) => since(a) - since(b));
}

/**
 * Has the oldest devices of a credential disconnected until `beside` are left next to the one that asks. A device that
 * was told to go already is not counted again: whoever knocks twice costs nobody else their place.
 */
export async function replaceOldestDevices(
  db: Db,
  credentialId: string,
  mac: string,
  beside: number,
  now: number,
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await holdRow(tx, 'credentials', credentialId);
    const devices = devicesBeside(await openSessions(tx, credentialId), mac);
    const leaving = devices.slice(0, Math.max(0, devices.length - beside));
    for (const session of leaving.flatMap((device) => device.sessions)) {
      await giveWay(tx, session.id, 'replaced_by_device', now);
    }
  });
}

/** Who comes back: a device, and the address that it had when it was last seen, if that is remembered. */
export interface Returning {
  mac: string;
  previous_mac: string | null;
}

/** The devices that must go for this one to have a place: its own former address, then the oldest over the number. */
export function devicesInTheWay(sessions: Session[], returning: Returning, maxDevices: number) {
  const beside = devicesBeside(sessions, returning.mac);
  const former = beside.filter((device) => device.mac !== null && device.mac === returning.previous_mac);
  const others = beside.filter((device) => !former.includes(device));
  return [...former, ...others.slice(0, Math.max(0, others.length - (maxDevices - 1)))];
}

/**
 * Gives a guest who came back with another MAC address their place again: what is in the way is disconnected, and holds
 * no place from this moment, whatever its router answers. Whoever calls this has seen proof that the access is theirs.
 * True when a device gave way.
 */
export async function takePlace(
  db: Db,
  credentialId: string,
  returning: Returning,
  maxDevices: number,
  now: number,
): Promise<boolean> {
  return db.transaction().execute(async (tx) => {
    await holdRow(tx, 'credentials', credentialId);
    const leaving = devicesInTheWay(await openSessions(tx, credentialId), returning, maxDevices);
    for (const session of leaving.flatMap((device) => device.sessions)) {
      await giveWay(tx, session.id, 'replaced_by_device', now);
    }
    return leaving.length > 0;
  });
}

/**
 * Has devices disconnected that are more than the plan is for which now carries their sessions, or is to carry the new ones
 * that they begin (`next`): it took over from one for more devices. Where a new device is refused the last that came go,
 * else the oldest.
 */
export async function keepPlaces(
  db: Db,
  credentialId: string,
  now: number,
  next?: Pick<Terms, 'max_devices' | 'device_policy'>,
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await holdRow(tx, 'credentials', credentialId);
    // Of a session without a device nobody knows whether it is another's.
    const devices = devicesBeside(await openSessions(tx, credentialId), '').filter(({ mac }) => mac !== null);
    const [carrier, ...others] = new Set(
      devices.flatMap((device) => device.sessions.map((session) => session.entitlement_id)),
    );
    if (devices.length < 2 || !carrier || (others.length > 0 && !next)) return;
    const { max_devices, device_policy } = next ?? (await getEntitlement(tx, carrier));
    const over = Math.max(0, devices.length - max_devices);
    const leaving =
      device_policy === 'refuse' ? devices.slice(devices.length - over) : devices.slice(0, over);
    for (const session of leaving.flatMap((device) => device.sessions)) {
      await giveWay(tx, session.id, 'too_many_devices', now);
    }
  });
}
