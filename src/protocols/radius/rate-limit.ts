// Writes Mikrotik-Rate-Limit.

/** RouterOS reads `k` as 1000; whole megabits are shorter. */
function rate(kbps: number): string {
  return kbps % 1000 === 0 ? `${kbps / 1000}M` : `${kbps}k`;
}

/**
 * `rx/tx` in the router's view: what it receives is the subscriber's upload, so up comes first (routeros.md §1.4).
 * Undefined when neither direction is limited; one that is not, beside one that is, gets 10 Gbit/s.
 */
export function mikrotikRateLimit(limits: {
  rate_up_kbps: number | null;
  rate_down_kbps: number | null;
}): string | undefined {
  const { rate_up_kbps: up, rate_down_kbps: down } = limits;
  if (up === null && down === null) return undefined;
  const open = 10_000_000;
  return `${rate(up ?? open)}/${rate(down ?? open)}`;
}
