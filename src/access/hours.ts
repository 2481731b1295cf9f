// The hours of the day in which a plan may be used, on Nairobi's clock.
import type { Terms } from '../db/schema.ts';
import { DAY_MS, sinceMidnight } from '../lib/days.ts';

const MINUTE_MS = 60_000;

export type Hours = Pick<Terms, 'hours_from_minute' | 'hours_to_minute'>;

/** How long ago, in ms, that minute of the day was last reached: 0 at the very instant. */
function since(minute: number, now: number): number {
  return (sinceMidnight(now) - minute * MINUTE_MS + DAY_MS) % DAY_MS;
}

/**
 * Milliseconds until the window closes; 0 while it is closed, undefined where the plan has no hours. A window from
 * 22:00 to 06:00 passes midnight: it is open at 22:00 and closed at 06:00.
 */
export function openFor(hours: Hours, now: number): number | undefined {
  const { hours_from_minute: from, hours_to_minute: to } = hours;
  if (from === null || to === null) return undefined;
  const length = ((to - from) * MINUTE_MS + DAY_MS) % DAY_MS;
  return Math.max(0, length - since(from, now));
}

/** The instant at which the window last closed; undefined while it is open or where there is none. */
export function closedAt(hours: Hours, now: number): number | undefined {
  const { hours_to_minute: to } = hours;
  return openFor(hours, now) === 0 && to !== null ? now - since(to, now) : undefined;
}

/** The instant at which the window opens next, later than `now`; undefined while it is open or where there is none. */
export function opensAt(hours: Hours, now: number): number | undefined {
  const { hours_from_minute: from } = hours;
  return openFor(hours, now) === 0 && from !== null ? now - since(from, now) + DAY_MS : undefined;
}

/** The minute that begins next after `now`: its place in the day, as hours are given, and its first instant. */
export function nextMinute(now: number): { minute: number; at: number } {
  const at = (Math.floor(now / MINUTE_MS) + 1) * MINUTE_MS;
  return { minute: sinceMidnight(at) / MINUTE_MS, at };
}

/** `22:00`. */
function clock(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
}

/** `22:00–06:00`; undefined where there are none. */
export function hoursText(hours: Hours): string | undefined {
  const { hours_from_minute: from, hours_to_minute: to } = hours;
  return from === null || to === null ? undefined : `${clock(from)}–${clock(to)}`;
}
