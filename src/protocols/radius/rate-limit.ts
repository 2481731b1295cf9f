// Writes Mikrotik-Rate-Limit.

/** RouterOS reads `k` as 1000; whole megabits are shorter. */
function rate(kbps: number): string {
  return kbps % 1000 === 0 ? `${kbps / 1000}M` : `${kbps}k`;
}

/** For a direction that is not limited beside one that is: 10 Gbit/s. */
const OPEN_KBPS = 10_000_000;

export interface RateLimits {
  rate_up_kbps: number | null;
  rate_down_kbps: number | null;
  burst_rate_up_kbps?: number | null;
  burst_rate_down_kbps?: number | null;
  burst_threshold_up_kbps?: number | null;
  burst_threshold_down_kbps?: number | null;
  burst_seconds?: number | null;
}

/**
 * `rx/tx [rx-burst/tx-burst [rx-threshold/tx-threshold [rx-time/tx-time]]]` in the router's view: what it receives is
 * the subscriber's upload, so up comes first (routeros.md §1.4). A field that is not given is the rate itself where a
 * later one needs its place. Undefined when neither direction is limited.
 */
export function mikrotikRateLimit(limits: RateLimits): string | undefined {
  const { rate_up_kbps: up, rate_down_kbps: down } = limits;
  if (up === null && down === null) return undefined;
  const pair = (upKbps?: number | null, downKbps?: number | null) =>
    `${rate(upKbps ?? up ?? OPEN_KBPS)}/${rate(downKbps ?? down ?? OPEN_KBPS)}`;
  const { burst_rate_up_kbps: burstUp, burst_rate_down_kbps: burstDown, burst_seconds: seconds } = limits;
  const fields = [pair()];
  if (burstUp || burstDown) {
    fields.push(pair(burstUp, burstDown));
    const { burst_threshold_up_kbps: above, burst_threshold_down_kbps: below } = limits;
    if (above || below || seconds) fields.push(pair(above, below));
    if (seconds) fields.push(`${seconds}/${seconds}`);
  }
  return fields.join(' ');
}
