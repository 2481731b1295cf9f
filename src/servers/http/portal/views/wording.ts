// Numbers a guest reads: durations, data, speed, the clock.
import { hoursText } from '../../../../access/hours.ts';
import { formatMoney } from '../../../../lib/money.ts';
import { type TextKey, text } from '../texts.ts';
import type { EntitlementView, Lang, PlanView } from './types.ts';

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;
const WEEK = 604_800;
const EAT_OFFSET_MS = 3 * 3600_000;

function counted(lang: Lang, n: number, one: TextKey, many: TextKey): string {
  return text(lang, n === 1 ? one : many, { n });
}

/** A length of time that is sold: `1 hour`, `2 weeks`, `90 minutes`; the largest unit that fits evenly. */
export function soldTime(lang: Lang, seconds: number): string {
  if (seconds >= WEEK && seconds % WEEK === 0) return counted(lang, seconds / WEEK, 'week', 'weeks');
  if (seconds >= DAY && seconds % DAY === 0) return counted(lang, seconds / DAY, 'day', 'days');
  if (seconds >= HOUR && seconds % HOUR === 0) return counted(lang, seconds / HOUR, 'hour', 'hours');
  return counted(lang, Math.max(1, Math.round(seconds / MINUTE)), 'minute', 'minutes');
}

/** A length of time that is left: `2 d 5 h`, `1 h 20 min`, `43 min`; a number is never parted from its unit. Minutes are rounded up, so 60 s before the end it is still `1 min`. */
export function leftTime(lang: Lang, seconds: number): string {
  if (seconds < MINUTE) return text(lang, 'moments');
  const minutes = Math.ceil(seconds / MINUTE);
  const days = Math.floor(minutes / 1440);
  const hours = Math.floor((minutes % 1440) / 60);
  const rest = minutes % 60;
  const parts: [TextKey, number][] =
    days > 0
      ? [
          ['short_day', days],
          ['short_hour', hours],
        ]
      : [
          ['short_hour', hours],
          ['short_minute', rest],
        ];
  return parts
    .filter(([, n]) => n > 0)
    .map(([key, n]) => text(lang, key, { n }).replace(' ', '\u00a0'))
    .join(' ');
}

/**
 * `1 GB`, `350 MB`. `total` decides whether a GB is 2^30 or 10^9, so that a plan sold as 1 GB
 * reads as 1 GB whichever the operator meant.
 */
export function dataSize(octets: number, total = octets): string {
  const step = total > 0 && total % 1_048_576 === 0 ? 1024 : 1000;
  const [unit, size] =
    octets >= step ** 3 ? ['GB', step ** 3] : octets >= step ** 2 ? ['MB', step ** 2] : ['KB', step];
  const n = octets / Number(size);
  // Rounded down: nobody is promised more than there is.
  return `${n >= 100 ? Math.floor(n) : Math.floor(n * 10) / 10} ${unit}`;
}

/** `5 Mbps`, `512 kbps`. */
export function speed(kbps: number): string {
  return kbps >= 1000 ? `${Math.round(kbps / 100) / 10} Mbps` : `${kbps} kbps`;
}

/** `KES 20`. */
export function price(cents: number): string {
  return formatMoney(cents);
}

/** `1 device`, `2 devices`. */
export function devices(lang: Lang, n: number): string {
  return counted(lang, n, 'device', 'devices');
}

/** An instant on Nairobi's clock: `today at 15:42`, `Sat 3 Jan at 15:42`. */
export function clockTime(lang: Lang, at: number, now: number): string {
  const local = new Date(at + EAT_OFFSET_MS);
  const dayNumber = (instant: number) => Math.floor((instant + EAT_OFFSET_MS) / (DAY * 1000));
  const ahead = dayNumber(at) - dayNumber(now);
  const time = local.toISOString().slice(11, 16);
  const weekday = text(lang, 'weekdays').split(',')[local.getUTCDay()];
  const month = text(lang, 'months').split(',')[local.getUTCMonth()];
  const day =
    ahead === 0
      ? text(lang, 'today')
      : ahead === 1
        ? text(lang, 'tomorrow')
        : `${weekday} ${local.getUTCDate()} ${month}`;
  return text(lang, 'clock', { day, time });
}

/**
 * What a plan gives, in the order people ask: data, time, speed, devices; what its
 * name already says is left out. Short parts are not broken at the end of a line.
 */
export function planLine(lang: Lang, plan: PlanView): string {
  const validity = soldTime(lang, plan.validity_seconds);
  const time = plan.online_seconds
    ? text(lang, 'online_within', { online: soldTime(lang, plan.online_seconds), validity })
    : validity;
  const gives = [
    plan.quota_octets ? dataSize(plan.quota_octets) : undefined,
    plan.download_quota_octets
      ? text(lang, 'data_down', { size: dataSize(plan.download_quota_octets) })
      : undefined,
    plan.upload_quota_octets
      ? text(lang, 'data_up', { size: dataSize(plan.upload_quota_octets) })
      : undefined,
    time,
    hoursText({
      hours_from_minute: plan.hours_from_minute ?? null,
      hours_to_minute: plan.hours_to_minute ?? null,
    }),
    plan.rate_down_kbps ? speed(plan.rate_down_kbps) : undefined,
    plan.fair_use_rate_down_kbps
      ? text(lang, 'then_speed', { speed: speed(plan.fair_use_rate_down_kbps) })
      : undefined,
    devices(lang, plan.max_devices),
  ];
  const named = plan.name.trim().toLowerCase();
  return gives
    .filter((part): part is string => part !== undefined && part.toLowerCase() !== named)
    .map((part) => (part.length <= 12 ? part.replaceAll(' ', '\u00a0') : part))
    .join('\u00a0· ');
}

/** When an entitlement that cannot be started yet may be; undefined for any other. */
export function startsLater(entitlement: EntitlementView, now: number): number | undefined {
  const from = entitlement.not_before_at ?? null;
  return entitlement.until_at === null && from !== null && from > now ? from : undefined;
}

/** Seconds left of an entitlement, whichever of its clocks ends first; null when it has not started. */
export function secondsLeft(entitlement: EntitlementView, now: number): number | null {
  const untilEnd = entitlement.until_at === null ? null : (entitlement.until_at - now) / 1000;
  const online = entitlement.online_left_seconds ?? null;
  if (untilEnd === null) return online === null ? null : Math.max(0, Math.floor(online));
  return Math.max(0, Math.floor(online === null ? untilEnd : Math.min(untilEnd, online)));
}
