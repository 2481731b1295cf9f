// What the RADIUS handlers need of the program.
import type { JournaledAccounting } from '../../access/journaled-accounting.ts';
import type { Db } from '../../db/schema.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Vault } from '../../lib/secrets.ts';
import type { Log } from '../../log.ts';
import type { RadiusClient } from '../../protocols/radius/server.ts';
import type { Live } from '../live.ts';
import type { SignInLog } from './sign-in-log.ts';

/** A router as its RADIUS packets are handled: `id` is the router's. */
export interface Nas extends RadiusClient {
  name: string;
  /** Known by a prefix: what it is the packets of differs by their source. */
  byPrefix: boolean;
  /** Whether a device gets in by its MAC address alone. */
  macLogin: boolean;
}

export interface RadiusContext {
  db: Db;
  /** Takes accounting ahead of the store, which lags behind it; without one it is stored before it is acknowledged. */
  accounting?: Pick<JournaledAccounting, 'add' | 'catchUp'> | undefined;
  vault: Vault;
  clock: Clock;
  log: Log;
  clockTrusted(): boolean;
  signIns: SignInLog;
  live: Live;
  /** How often routers report live sessions, seconds. */
  interimSeconds: number;
}
