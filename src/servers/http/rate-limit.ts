// Counts tries by key within a window, in memory.

export interface RateLimit {
  /** Counts one try; false when the key has had its share. */
  take(key: string, now: number): boolean;
  /** Forgets a key: the right password clears the wrong ones. */
  clear(key: string): void;
  /** Takes one try back: it was no failure. */
  giveBack(key: string): void;
}

const MOST_KEYS = 10_000;

/** At most `limit` tries a key in each window of `windowMs`. Two generations of counters, so nothing needs a timer. */
export function createRateLimit(limit: number, windowMs: number): RateLimit {
  let since = Number.NEGATIVE_INFINITY;
  let counts = new Map<string, number>();
  return {
    take(key, now) {
      if (now - since >= windowMs || now < since || counts.size > MOST_KEYS) {
        counts = new Map();
        since = now;
      }
      const tries = (counts.get(key) ?? 0) + 1;
      counts.set(key, tries);
      return tries <= limit;
    },
    clear(key) {
      counts.delete(key);
    },
    giveBack(key) {
      counts.set(key, Math.max(0, (counts.get(key) ?? 0) - 1));
    },
  };
}
