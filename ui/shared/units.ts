// The units people type in forms, to and from the stored ones.

export type DurationUnit = 'minutes' | 'hours' | 'days';
export type DataUnit = 'MB' | 'GB';

export const DURATION_SECONDS: Record<DurationUnit, number> = { minutes: 60, hours: 3600, days: 86_400 };
export const DATA_OCTETS: Record<DataUnit, number> = { MB: 1_000_000, GB: 1_000_000_000 };

/** Seconds as the largest unit that keeps them whole: 86,400 → 1 day, 5,400 → 90 minutes. */
export function splitDuration(seconds: number): { amount: number; unit: DurationUnit } {
  for (const unit of ['days', 'hours'] as const) {
    if (seconds >= DURATION_SECONDS[unit] && seconds % DURATION_SECONDS[unit] === 0) {
      return { amount: seconds / DURATION_SECONDS[unit], unit };
    }
  }
  return { amount: seconds / 60, unit: 'minutes' };
}

/** Octets as GB when that reads shorter (up to two decimals), else MB. */
export function splitData(octets: number): { amount: number; unit: DataUnit } {
  const gigabytes = octets / DATA_OCTETS.GB;
  if (gigabytes >= 1 && Number(gigabytes.toFixed(2)) === gigabytes) return { amount: gigabytes, unit: 'GB' };
  return { amount: octets / DATA_OCTETS.MB, unit: 'MB' };
}

/**
 * A typed number, or null when the field is empty; undefined when it is no number at all.
 * Thousands may be grouped by commas or spaces.
 */
export function parseNumber(typed: string): number | null | undefined {
  const plain = typed.trim().replace(/[,\s]/g, '');
  if (plain === '') return null;
  return /^-?\d+(\.\d+)?$/.test(plain) ? Number(plain) : undefined;
}

/** A typed amount times its unit's size, rounded to a whole number; null and undefined as in parseNumber. */
export function parseAmount(typed: string, size: number): number | null | undefined {
  const amount = parseNumber(typed);
  return amount === null || amount === undefined ? amount : Math.round(amount * size);
}

/** `22:00` as minutes after midnight; null when empty, undefined when it is no time of day. */
export function parseTimeOfDay(typed: string): number | null | undefined {
  if (typed.trim() === '') return null;
  const found = /^([01]?\d|2[0-3])[:.]([0-5]\d)$/.exec(typed.trim());
  return found ? Number(found[1]) * 60 + Number(found[2]) : undefined;
}

/** Minutes after midnight as `22:00`. */
export function typedTimeOfDay(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
}

/** Cents as the shillings one types: 2000 → `20`, 2050 → `20.50`. */
export function typedMoney(cents: number): string {
  return cents % 100 === 0 ? String(cents / 100) : (cents / 100).toFixed(2);
}

/** Shillings as typed, with cents or without, as cents; undefined when it is no amount of money. */
export function parseMoney(typed: string): number | undefined {
  const plain = typed.replace(/[\s,]/g, '');
  return /^\d+(\.\d{1,2})?$/.test(plain) ? Math.round(Number(plain) * 100) : undefined;
}
