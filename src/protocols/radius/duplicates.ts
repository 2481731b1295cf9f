// Which requests are being answered or were answered lately (RFC 5080 §2.2.2).

/** One request: no reply yet while it is being processed. */
export interface DuplicateEntry {
  at: number;
  reply: Buffer | undefined;
}

export interface DuplicateCache {
  /** The entry of a request seen within the lifetime. */
  find(key: string, now: number): DuplicateEntry | undefined;
  add(key: string, now: number): DuplicateEntry;
  /** Forgets the entry, so that a retransmission is processed. */
  remove(key: string, entry: DuplicateEntry): void;
  /** Lets go of everything when nothing was added for a lifetime; while requests come, they do that by themselves. */
  tidy(now: number): void;
  readonly size: number;
}

/**
 * Keeps entries for `lifetimeMs` and never more than `capacity` of them. Two generations of a map take turns: the older
 * one is dropped whole when the younger is full or as old as the lifetime, so that no entry needs a timer.
 */
export function createDuplicateCache(lifetimeMs: number, capacity: number): DuplicateCache {
  const half = Math.max(1, Math.floor(capacity / 2));
  let young = new Map<string, DuplicateEntry>();
  let old = new Map<string, DuplicateEntry>();
  let youngSince = Number.NEGATIVE_INFINITY;
  let newest = Number.NEGATIVE_INFINITY;

  return {
    find(key, now) {
      const entry = young.get(key) ?? old.get(key);
      return entry !== undefined && now - entry.at < lifetimeMs ? entry : undefined;
    },
    add(key, now) {
      if (young.size >= half || now - youngSince >= lifetimeMs) {
        old = young;
        young = new Map();
        youngSince = now;
      }
      newest = now;
      const entry: DuplicateEntry = { at: now, reply: undefined };
      young.set(key, entry);
      return entry;
    },
    remove(key, entry) {
      if (young.get(key) === entry) young.delete(key);
      else if (old.get(key) === entry) old.delete(key);
    },
    tidy(now) {
      if (now - newest < lifetimeMs) return;
      young.clear();
      old.clear();
    },
    get size() {
      return young.size + old.size;
    },
  };
}
