// Slows down whoever guesses codes, without locking a whole site out.
import type { Clock } from '../../lib/clock.ts';

export interface LockoutLimits {
  windowMs: number;
  /** Wrong sign-ins of one device within the window, from which on it is locked out for as long. */
  perDevice: number;
  /** Wrong sign-ins through one router within the window, from which on its wrong ones are answered slowly. */
  perRouter: number;
  /** How many devices a router are remembered; beyond it the longest known is forgotten. */
  mostDevices: number;
}

/**
 * A person who mistypes a voucher needs three tries, not ten. The codes have at least 10^11 values, so that the 300
 * guesses in five minutes that a changing MAC address gets are no way in; a site full of guests stays far below it.
 */
export const LOCKOUT_LIMITS: LockoutLimits = {
  windowMs: 5 * 60_000,
  perDevice: 10,
  perRouter: 300,
  mostDevices: 5000,
};

/** A device that is locked out, or (`mac` null) a router whose wrong sign-ins are answered slowly. */
export interface LockoutEntry {
  router_id: string;
  router_name: string;
  mac: string | null;
  failures: number;
  until_at: number;
}

export interface Lockout {
  /** True while this device gets no answer but a refusal; `''` is a device that the router did not name. */
  isLockedOut(routerId: string, device: string): boolean;
  /** Counts a wrong sign-in; true when the router has had too many, so that the refusal should be slow. */
  failed(router: { id: string; name: string }, device: string): boolean;
  /** Lets a device try again as if it had guessed nothing; false when it is not locked out. */
  release(routerId: string, device: string): boolean;
  /** What is locked out or slow now, the longest first. */
  list(): LockoutEntry[];
}

/** Wrong sign-ins since `since`; those of a window count together. Over the limit until `until`. */
interface Tally {
  failures: number;
  since: number;
  until: number;
}

/**
 * In memory alone: a restart forgives, and a guesser cannot fill the disk. Counts by the monotonic clock, so that a
 * step of the wall clock neither locks out for hours nor frees.
 */
export function createLockout(clock: Clock, limits: LockoutLimits = LOCKOUT_LIMITS): Lockout {
  interface Site extends Tally {
    name: string;
    devices: Map<string, Tally>;
  }
  const sites = new Map<string, Site>();

  function add(tally: Tally, limit: number, now: number): void {
    if (now >= tally.until && now - tally.since >= limits.windowMs) {
      tally.failures = 0;
      tally.since = now;
    }
    tally.failures += 1;
    if (tally.failures >= limit && now >= tally.until) {
      tally.until = now + limits.windowMs;
      // What follows the lockout is a new window.
      tally.since = now;
    }
  }

  function siteOf(router: { id: string; name: string }, now: number): Site {
    const known = sites.get(router.id);
    if (known) return known;
    const site = { name: router.name, failures: 0, since: now, until: 0, devices: new Map() };
    sites.set(router.id, site);
    return site;
  }

  function deviceOf(site: Site, device: string, now: number): Tally {
    const known = site.devices.get(device);
    if (known) return known;
    const [oldest] = site.devices.keys();
    if (oldest !== undefined && site.devices.size >= limits.mostDevices) site.devices.delete(oldest);
    const tally = { failures: 0, since: now, until: 0 };
    site.devices.set(device, tally);
    return tally;
  }

  function isLockedOut(routerId: string, device: string): boolean {
    const tally = sites.get(routerId)?.devices.get(device);
    return tally !== undefined && tally.until > 0 && clock.monotonic() < tally.until;
  }

  return {
    isLockedOut,
    failed(router, device) {
      const now = clock.monotonic();
      const site = siteOf(router, now);
      add(site, limits.perRouter, now);
      // Devices that a router does not name are all of its devices: they share the router's budget alone.
      if (device !== '') add(deviceOf(site, device, now), limits.perDevice, now);
      return now < site.until;
    },
    release(routerId, device) {
      return isLockedOut(routerId, device) && sites.get(routerId)?.devices.delete(device) === true;
    },
    list() {
      const now = clock.monotonic();
      const entries: LockoutEntry[] = [];
      const note = (id: string, site: Site, mac: string | null, tally: Tally) => {
        if (tally.until <= now) return;
        const until_at = Math.round(clock.now() + tally.until - now);
        entries.push({ router_id: id, router_name: site.name, mac, failures: tally.failures, until_at });
      };
      for (const [id, site] of sites) {
        note(id, site, null, site);
        for (const [mac, tally] of site.devices) note(id, site, mac, tally);
      }
      return entries.sort((a, b) => b.until_at - a.until_at);
    },
  };
}
