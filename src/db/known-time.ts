// Remembers the last time the box knew, so that a clock that starts in 1970 is noticed (DESIGN promise 8).
import type { Clock } from '../lib/clock.ts';
import type { Db } from './schema.ts';
import { readSetting, writeSetting } from './settings.ts';

const KEY = 'clock';
/** NTP may step a clock back a little; that is no lie worth telling anyone. */
const TOLERANCE_MS = 120_000;

export interface KnownTime {
  /** Reads what was remembered; call it before anything that depends on time. */
  load(): Promise<void>;
  /** Writes down the time, if it is believed. */
  remember(): Promise<void>;
  trusted(): boolean;
  state(): { trusted: boolean; message?: string };
}

export function createKnownTime(db: Db, clock: Clock): KnownTime {
  let lastKnown = 0;
  const trusted = () => clock.now() >= lastKnown - TOLERANCE_MS;
  return {
    async load() {
      lastKnown = (await readSetting<{ last_known_at: number }>(db, KEY))?.last_known_at ?? 0;
    },
    async remember() {
      if (!trusted()) return;
      lastKnown = Math.max(lastKnown, clock.now());
      await writeSetting(db, KEY, { last_known_at: lastKnown }, clock.now());
    },
    trusted,
    state() {
      if (trusted()) return { trusted: true };
      const last = new Date(lastKnown).toISOString().slice(0, 16).replace('T', ' ');
      return {
        trusted: false,
        message: `The clock of this box is behind: it was ${last} UTC already. Nothing expires until it is right.`,
      };
    },
  };
}
