// Which routers sign their requests, in memory for each packet and on disk for the next start.
import type { Db } from '../../db/schema.ts';
import {
  allSigningSources,
  recordSigningSources,
  type SigningSource,
} from '../../network/signing-sources.ts';
import type { SigningMemory } from '../../protocols/radius/server.ts';

export interface StoredSigning extends SigningMemory {
  /** Takes in what this and other nodes wrote down. */
  load(): Promise<void>;
  /** Writes down what is new since the last time. */
  record(): Promise<void>;
}

export function createSigningMemory(db: Db, now: () => number): StoredSigning {
  const known = new Map<string, Set<string>>();
  const fresh: SigningSource[] = [];

  function learn(routerId: string, source: string): boolean {
    const sources = known.get(routerId);
    if (!sources) known.set(routerId, new Set([source]));
    else if (sources.has(source)) return false;
    else sources.add(source);
    return true;
  }

  return {
    has: (routerId, source) => known.get(routerId)?.has(source) ?? false,
    add(routerId, source) {
      if (learn(routerId, source)) fresh.push({ router_id: routerId, source, since_at: now() });
    },
    async load() {
      for (const { router_id, source } of await allSigningSources(db)) learn(router_id, source);
    },
    async record() {
      const batch = [...fresh];
      await recordSigningSources(db, batch);
      fresh.splice(0, batch.length);
    },
  };
}
