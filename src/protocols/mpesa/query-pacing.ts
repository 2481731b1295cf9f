// Says when to ask M-PESA again about a push that is not decided.

// payments.md §1.7: first at 10 s, every 5 s to 90 s, then 15 s, 60 s, 5 min, hourly, to 48 h.
const STEPS: readonly { until_ms: number; every_ms: number }[] = [
  { until_ms: 90_000, every_ms: 5_000 },
  { until_ms: 3 * 60_000, every_ms: 15_000 },
  { until_ms: 15 * 60_000, every_ms: 60_000 },
  { until_ms: 3_600_000, every_ms: 5 * 60_000 },
  { until_ms: 48 * 3_600_000, every_ms: 3_600_000 },
];

/** When nothing is asked before. */
export const FIRST_QUERY_MS = 10_000;

/** After this nothing is asked any more; a later success still comes by callback, pull or statement. */
export const LAST_QUERY_MS = 48 * 3_600_000;

/** How long to wait, in ms, before the next query of a push that is `ageMs` old; undefined when asking has ended. */
export function nextQueryDelayMs(ageMs: number): number | undefined {
  if (ageMs < FIRST_QUERY_MS) return FIRST_QUERY_MS - Math.max(0, ageMs);
  return STEPS.find((step) => ageMs < step.until_ms)?.every_ms;
}
