// What the jobs need of the program.
import type { Gateways } from '../billing/gateways.ts';
import type { Spool } from '../billing/spool.ts';
import type { DiskWatch } from '../db/disk-watch.ts';
import type { KnownTime } from '../db/known-time.ts';
import type { Db } from '../db/schema.ts';
import type { TaskKind } from '../db/tasks.ts';
import type { Heavy } from '../heavy/run.ts';
import type { Clock } from '../lib/clock.ts';
import type { Vault } from '../lib/secrets.ts';
import type { Log } from '../log.ts';
import type { EnforceContext } from '../network/enforce.ts';

/** Something open admin pages want to know; the servers pass it on. */
export interface Publisher {
  publish(
    kind: 'payment',
    event: { id: string; amount_cents: number; receipt: string | null; received_at: number },
  ): void;
  publish(kind: 'batch', event: { id: string; made: number; count: number; state: string }): void;
}

export interface JobContext {
  db: Db;
  vault: Vault;
  clock: Clock;
  log: Log;
  gateways: Gateways;
  enforcement: EnforceContext;
  knownTime: KnownTime;
  disk: DiskWatch;
  heavy: Heavy;
  live: Publisher;
  interimSeconds: number;
  /** Takes notices while the store takes nothing. */
  spool: Spool;
  /** Where M-PESA reaches this box. */
  noticeBaseUrl(): Promise<string>;
  /** Has waiting tasks run now: of a kind, or whatever waits. */
  kick(kind?: TaskKind): void;
  /** Writes down which routers were heard. */
  recordHeard(): Promise<void>;
  /** Takes in routers that another node changed. */
  reloadRouters(): Promise<void>;
  /** Takes in a way in that another node changed. */
  reloadTunnel(): Promise<void>;
}
