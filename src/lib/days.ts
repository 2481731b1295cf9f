// The business day in Kenya: East Africa Time, UTC+3 all year, no daylight saving.

export const EAT_OFFSET_MS = 3 * 3600_000;
export const DAY_MS = 86_400_000;

/** `2026-11-21`, the day in Nairobi at this instant. */
export function dayOf(at: number): string {
  return new Date(at + EAT_OFFSET_MS).toISOString().slice(0, 10);
}

/** Milliseconds since midnight in Nairobi at this instant. */
export function sinceMidnight(at: number): number {
  return (((at + EAT_OFFSET_MS) % DAY_MS) + DAY_MS) % DAY_MS;
}

/** `21/11/2026 at 08:00` in Nairobi at this instant. */
export function dateText(at: number): string {
  const [day = '', time = ''] = new Date(at + EAT_OFFSET_MS).toISOString().split('T');
  return `${day.split('-').reverse().join('/')} at ${time.slice(0, 5)}`;
}

/** The instant at which a day, `2026-11-21`, begins in Nairobi; undefined for a text that is none. */
export function dayStart(day: string): number | undefined {
  const at = Date.parse(`${day}T00:00:00Z`) - EAT_OFFSET_MS;
  // A date that does not exist (31 April) comes back as another one.
  return Number.isNaN(at) || dayOf(at) !== day ? undefined : at;
}

/** The instant at which that day began in Nairobi. */
export function startOfDay(at: number): number {
  return Math.floor((at + EAT_OFFSET_MS) / DAY_MS) * DAY_MS - EAT_OFFSET_MS;
}
