// How numbers, times and phone numbers read on a page.
import { formatMoney } from '../../src/lib/money.ts';

export { formatMoney };

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `1,250`: a plain count. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/**
 * `512 MB`, `1.5 GB`: octets in decimal units (1 GB = 1,000,000,000), as phones and mobile networks count.
 * Three significant digits at most, so a column of them stays narrow.
 */
export function formatOctets(octets: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let value = Math.max(0, octets);
  let unit = 0;
  while (Number(value.toPrecision(3)) >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const text = unit === 0 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
  return `${text} ${units[unit]}`;
}

/** `5 Mbps`, `512 kbps`; null is no limit. */
export function formatRate(kbps: number | null): string {
  if (kbps === null) return 'no limit';
  return kbps >= 1000 ? `${Number((kbps / 1000).toFixed(2))} Mbps` : `${kbps} kbps`;
}

/** `5 / 2 Mbps`: down, then up, in one unit when both share it. */
export function formatRates(downKbps: number | null, upKbps: number | null): string {
  if (downKbps === null && upKbps === null) return 'no speed limit';
  const [down, up] = [formatRate(downKbps), formatRate(upKbps)];
  const unit = / [kM]bps$/;
  const shared = unit.exec(down)?.[0] === unit.exec(up)?.[0] ? down.replace(unit, '') : down;
  return `${shared} / ${up}`;
}

/** `1 hour`, `90 minutes`, `7 days`, else `2 h 05 min`: a length of time as one says it when selling it. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole > 0 && whole % 86_400 === 0) return counted(whole / 86_400, 'day');
  if (whole > 0 && whole % 3600 === 0) return counted(whole / 3600, 'hour');
  if (whole < 7200 && whole % 60 === 0) return counted(whole / 60, 'minute');
  return whole < 3600 ? counted(whole, 'second') : formatElapsed(whole);
}

function counted(amount: number, unit: string): string {
  return `${formatCount(amount)} ${unit}${amount === 1 ? '' : 's'}`;
}

/** `2 d 4 h`, `1 h 05 min`, `42 s`: the two largest parts of a running time. */
export function formatElapsed(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ];
  if (days > 0) return hours > 0 ? `${formatCount(days)} d ${hours} h` : `${formatCount(days)} d`;
  if (hours > 0) return `${hours} h ${String(minutes).padStart(2, '0')} min`;
  if (minutes > 0) return `${minutes} min`;
  return `${whole} s`;
}

/** `Sat 21 Nov 2026, 14:05:09` in the reader's own zone, or in the one given. */
export function exactTime(at: number, timeZone?: string): string {
  return new Date(at).toLocaleString('en-GB', {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZone,
  });
}

/** `14:05`. */
export function clockTime(at: number, timeZone?: string): string {
  return new Date(at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', timeZone });
}

/** The calendar day as `2026-11-21`, to compare days without comparing hours. */
function dayKey(at: number, timeZone?: string): string {
  return new Date(at).toLocaleDateString('en-CA', { timeZone });
}

/**
 * How far `at` is from `now`, as people say it: `just now`, `5 min ago`, `in 2 h`, `yesterday 14:05`, `Tue 14:05`,
 * `12 Nov`, `12 Nov 2025`. Both epoch milliseconds.
 */
export function relativeTime(at: number, now: number, timeZone?: string): string {
  const distance = at - now;
  const size = Math.abs(distance);
  if (size < 45_000) return distance > 10_000 ? 'in a moment' : 'just now';
  if (size < 60 * MINUTE) return said(Math.max(1, Math.round(size / MINUTE)), 'min', distance);
  const day = dayKey(at, timeZone);
  if (day === dayKey(now, timeZone) || size < 6 * HOUR) return said(Math.round(size / HOUR), 'h', distance);
  if (day === dayKey(now - DAY, timeZone)) return `yesterday ${clockTime(at, timeZone)}`;
  if (day === dayKey(now + DAY, timeZone)) return `tomorrow ${clockTime(at, timeZone)}`;
  const date = new Date(at);
  if (size < 6 * DAY) {
    return `${date.toLocaleDateString('en-GB', { weekday: 'short', timeZone })} ${clockTime(at, timeZone)}`;
  }
  const sameYear = day.slice(0, 4) === dayKey(now, timeZone).slice(0, 4);
  return date.toLocaleDateString('en-GB', {
    day: 'numeric',
    month: 'short',
    year: sameYear ? undefined : 'numeric',
    timeZone,
  });
}

function said(amount: number, unit: string, distance: number): string {
  return distance < 0 ? `${amount} ${unit} ago` : `in ${amount} ${unit}`;
}

/** `0712 345 678` from the stored `254712345678`; anything else is shown as it is. */
export function formatMsisdn(msisdn: string): string {
  const found = /^254(\d{3})(\d{3})(\d{3})$/.exec(msisdn);
  return found ? `0${found[1]} ${found[2]} ${found[3]}` : msisdn;
}

/** `ABCD-2345` from the stored `ABCD2345`; a code that has its dash already keeps it. */
export function groupCode(code: string): string {
  return code.replaceAll('-', '').replace(/(.{4})(?=.)/g, '$1-');
}

/** How today compares: `+25%`, `−10%`, `same`, or undefined when there was nothing to compare with. */
export function formatChange(now: number, before: number): string | undefined {
  if (before === 0) return undefined;
  const rounded = Math.round(((now - before) / before) * 100);
  // Everything is gone only when nothing is left.
  const percent = now > 0 ? Math.max(rounded, -99) : rounded;
  if (percent === 0) return 'same';
  return percent > 0 ? `+${formatCount(percent)}%` : `−${formatCount(-percent)}%`;
}

/** `active` from `active`, `on sale` from `on_sale`: a state's own word. */
export function formatWord(word: string): string {
  return word.replaceAll('_', ' ');
}
