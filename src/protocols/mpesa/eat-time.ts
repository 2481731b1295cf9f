// Converts between instants and the zone-less YYYYMMDDHHmmss text that Daraja writes in East Africa Time.

/** EAT is UTC+3 all year, with no daylight saving. */
const EAT_OFFSET_MS = 3 * 60 * 60 * 1000;

const pad = (value: number, width = 2) => String(value).padStart(width, '0');

/** The calendar fields of an instant (epoch ms) as a clock in Nairobi shows them; month is 1–12. */
export function eatFields(at: number) {
  const d = new Date(at + EAT_OFFSET_MS);
  return {
    year: d.getUTCFullYear(),
    month: d.getUTCMonth() + 1,
    day: d.getUTCDate(),
    hour: d.getUTCHours(),
    minute: d.getUTCMinutes(),
    second: d.getUTCSeconds(),
    millisecond: d.getUTCMilliseconds(),
  };
}

/** `YYYYMMDDHHmmss` in EAT for an instant in epoch ms (Daraja, "M-PESA Express", field Timestamp). */
export function formatEatTimestamp(at: number): string {
  const f = eatFields(at);
  return `${pad(f.year, 4)}${pad(f.month)}${pad(f.day)}${pad(f.hour)}${pad(f.minute)}${pad(f.second)}`;
}

/** The instant (epoch ms) of a `YYYYMMDDHHmmss` EAT text; undefined when it names no real date and time. */
export function parseEatTimestamp(text: string): number | undefined {
  if (!/^\d{14}$/.test(text)) return undefined;
  const part = (from: number, to: number) => Number(text.slice(from, to));
  const at =
    Date.UTC(part(0, 4), part(4, 6) - 1, part(6, 8), part(8, 10), part(10, 12), part(12, 14)) - EAT_OFFSET_MS;
  // Date.UTC carries month 13 or second 61 over into the next unit; writing it back shows that.
  return formatEatTimestamp(at) === text ? at : undefined;
}
