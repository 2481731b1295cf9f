// What the HTTP handlers need of the program.
import type { Gateways } from '../../billing/gateways.ts';
import type { MpesaGateway } from '../../billing/mpesa.ts';
import type { MpesaSettings } from '../../billing/mpesa-settings.ts';
import type { Spool } from '../../billing/spool.ts';
import type { DiskState } from '../../db/disk-watch.ts';
import type { ClockState, Correction } from '../../db/known-time.ts';
import type { Db } from '../../db/schema.ts';
import type { TaskKind } from '../../db/tasks.ts';
import type { Heavy } from '../../heavy/run.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Vault } from '../../lib/secrets.ts';
import type { Log } from '../../log.ts';
import type { EnforceContext } from '../../network/enforce.ts';
import type { Tunnel } from '../../network/tunnel/tunnel.ts';
import type { Initiator } from '../../protocols/mpesa/index.ts';
import type { Live } from '../live.ts';
import type { RadiusListeners } from '../radius/listen.ts';
import type { SignInLog } from '../radius/sign-in-log.ts';
import type { CallbackCounter } from './callback-counts.ts';

export interface HttpContext {
  db: Db;
  vault: Vault;
  clock: Clock;
  log: Log;
  gateways: Gateways;
  /** A gateway for settings that are not stored yet: the Test button. */
  tryMpesa(settings: MpesaSettings, initiator?: Initiator): Promise<MpesaGateway>;
  enforcement: EnforceContext;
  radius: Pick<RadiusListeners, 'reloadRouters' | 'unknownSources' | 'lockouts' | 'releaseLockout'>;
  signIns: SignInLog;
  tunnel: Pick<Tunnel, 'reload' | 'publicUrl' | 'state' | 'check' | 'hear' | 'senders'>;
  callbacks: CallbackCounter;
  heavy: Heavy;
  live: Live;
  /** Has waiting tasks run now instead of at the next second: of a kind, or whatever waits. */
  kick(kind?: TaskKind): void;
  /** Bound addresses, once listening: where routers, phones and gateways reach this box. */
  ports(): { portal: number; callback: number; radius_auth: number; radius_acct: number };
  /** Takes notices while the store takes nothing. */
  spool: Spool;
  /** Where M-PESA reaches this box. */
  noticeBaseUrl(): Promise<string>;
  clockState(): ClockState;
  /** Somebody vouches for what the box shows. */
  confirmClock(name: string): Promise<Correction | undefined>;
  diskState(): DiskState;
}

/** What the listener adds to each request. */
export interface HttpEnv {
  /** The peer's IP address. */
  address: string | null;
}
