// When M-PESA is asked again about what it has not confirmed.

/** In ms from the beginning: most money shows within minutes, and what was made up must not be asked about all day. */
const ASK_AT_MS = [
  ...[1, 3, 8, 20, 45, 90, 180, 300, 600, 1200, 1800].map((seconds) => seconds * 1000),
  ...[1, 2, 4, 8, 16, 24, 36, 48].map((hours) => hours * 3600_000),
];

/** The time strictly after `now` for what began then; undefined when it was asked about for long enough (payments.md §1.7). */
export function nextAskAt(since: number, now: number): number | undefined {
  const at = ASK_AT_MS.find((offset) => since + offset > now);
  return at === undefined ? undefined : since + at;
}
