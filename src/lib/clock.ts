// Time as an argument: what the program asks when it wants to know how late it is.
import { readFileSync, statSync } from 'node:fs';
import { uptime } from 'node:os';

export interface Clock {
  /** Epoch milliseconds, as the machine believes. */
  now(): number;
  /** Milliseconds that only ever grow, unaffected by corrections of the wall clock. */
  monotonic(): number;
  /** Which start of the machine this is, with the milliseconds since; undefined where it does not say. */
  boot?(): { id: string; ms: number } | undefined;
  /** When, by the wall clock, the machine last took the time from the internet; undefined where it does not say. */
  synchronizedAt?(): number | undefined;
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id';
/** systemd-timesyncd touches it at each answer of a time server, every 34 minutes at the least. */
const SYNCHRONIZED = '/run/systemd/timesync/synchronized';

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  boot: () =>
    statSync(BOOT_ID, { throwIfNoEntry: false }) && {
      id: readFileSync(BOOT_ID, 'utf8').trim(),
      ms: uptime() * 1000,
    },
  synchronizedAt: () => statSync(SYNCHRONIZED, { throwIfNoEntry: false })?.mtimeMs,
};
