// The bounds of a plan's fields, in words for whoever types one of them.

const MOST_SPEED = 10_000_000;
const TEN_YEARS = 315_360_000;
const speed = [1, MOST_SPEED, 'From 0.001 to 10,000 Mbps.'] as const;
const time = [1, TEN_YEARS, 'More than nothing, at most ten years.'] as const;
const data = [1, Number.MAX_SAFE_INTEGER, 'More than nothing; leave it empty for none.'] as const;

/** By field, in stored units as the server holds them: the least, the most, and what to say beyond. */
export const BOUNDS: Record<string, readonly [least: number, most: number, words: string]> = {
  price_cents: [0, 25_000_000, 'At most KES 250,000.'],
  validity_seconds: time,
  online_seconds: time,
  max_devices: [1, 100, 'From 1 to 100.'],
  quota_octets: data,
  upload_quota_octets: data,
  download_quota_octets: data,
  rate_down_kbps: speed,
  rate_up_kbps: speed,
  fair_use_rate_down_kbps: speed,
  fair_use_rate_up_kbps: speed,
  burst_rate_down_kbps: speed,
  burst_rate_up_kbps: speed,
  burst_threshold_down_kbps: speed,
  burst_threshold_up_kbps: speed,
  burst_seconds: [1, 3600, 'From 1 to 3,600 seconds.'],
  idle_timeout_seconds: [30, 86_400, 'From half a minute to 24 hours.'],
};

/** What is wrong with a field that is too small or too large; undefined for any other. */
export function beyond(name: string, value: unknown): string | undefined {
  const bounds = Object.hasOwn(BOUNDS, name) ? BOUNDS[name] : undefined;
  if (!bounds || typeof value !== 'number') return undefined;
  const [least, most, words] = bounds;
  return value < least || value > most ? words : undefined;
}
