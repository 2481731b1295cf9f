// The way in to the callback door: what the settings ask for, running.
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Db } from '../../db/schema.ts';
import { errorText } from '../../errors.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Vault } from '../../lib/secrets.ts';
import type { Log } from '../../log.ts';
import { createRelayClient, type RelayClient, type RelayNotice } from '../../protocols/relay/index.ts';
import { endLeftovers } from './leftovers.ts';
import { cloudflaredCall, sshCall } from './programs.ts';
import { askFromOutside, createEcho, type Reach } from './reach.ts';
import { readTunnelSettings, type SenderRule, type TunnelMode, type TunnelSettings } from './settings.ts';
import { NOT_STARTED, type Pace, type ProgramState, type Supervised, supervise } from './supervise.ts';

/** off: there is no way in; unknown: nobody has looked yet. */
export type TunnelStage = 'off' | 'unknown' | 'starting' | 'up' | 'unreachable' | 'waiting' | 'stopped';

/** The way in as the admin page shows it. */
export interface TunnelState extends Omit<ProgramState, 'stage'> {
  mode: TunnelMode;
  stage: TunnelStage;
  /** Notices that wait at the relay, and those it has handed over since the start. */
  waiting: number | null;
  taken: number | null;
}

export interface TunnelOptions {
  db: Db;
  vault: Vault;
  clock: Clock;
  log: Log;
  data_dir: string;
  /** PATH and HOME for the programs. */
  environment: Record<string, string>;
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Puts a notice through the callback door; resolves once it is on disk. */
  deliver(notice: RelayNotice): Promise<void>;
  pace?: Partial<Pace>;
  /** For the relay; see its client. */
  relay?: { waitSeconds?: number; backoffMs?: readonly number[] };
}

export interface Tunnel {
  /** Ends what an earlier run left behind, and starts what the settings ask for. */
  start(callbackPort: number): Promise<void>;
  /** Takes in changed settings. */
  reload(): Promise<void>;
  stop(): Promise<void>;
  /** Where the world reaches the callback door; undefined without a way in. */
  publicUrl(): string | undefined;
  state(): TunnelState;
  /** Asks from outside now. */
  check(): Promise<Reach>;
  /** The door heard a number that may be ours. */
  hear(nonce: string): void;
  /** Which hops are believed about who sent a notice. */
  senders(): SenderRule;
}

const NOTHING = { ...NOT_STARTED, waiting: null, taken: null };

/** The settings that a running tunnel was started with. */
function wayOf({ proxies: _, sender_header: __, ...way }: TunnelSettings): string {
  return JSON.stringify(way);
}

const NO_HOPS: SenderRule = { mode: 'none', proxies: [], sender_header: 'x-forwarded-for' };

/** Nothing runs before start(). */
export function createTunnel(options: TunnelOptions): Tunnel {
  const { db, vault, clock, log } = options;
  const owner = resolve(options.data_dir);
  const echo = createEcho(options.fetch);
  let port = 0;
  let settings: TunnelSettings | undefined;
  let program: Supervised | undefined;
  let relay: RelayClient | undefined;
  /** Of the ways that nothing of ours keeps running. */
  let asked: { checked_at: number; reached_at: number | null; reach: Reach } | undefined;

  function startProgram(wanted: TunnelSettings): void {
    const folder = join(owner, 'tunnel');
    if (wanted.mode === 'ssh') mkdirSync(folder, { recursive: true, mode: 0o700 });
    const call =
      wanted.mode === 'ssh'
        ? sshCall(wanted, port, join(folder, 'known_hosts'))
        : cloudflaredCall(wanted, port);
    program = supervise({
      call,
      environment: options.environment,
      owner,
      reach: (url) => askFromOutside(options.fetch, url, vault),
      now: clock.now,
      monotonic: clock.monotonic,
      warn: (message, fields) => log.warn(message, fields),
      ...(options.pace ? { pace: options.pace } : {}),
    });
  }

  function startRelay(wanted: TunnelSettings): void {
    relay = createRelayClient({
      baseUrl: wanted.hub_url as string,
      box: wanted.hub_box as string,
      token: wanted.hub_token as string,
      fetch: options.fetch,
      now: clock.now,
      async deliver(notice) {
        await options.deliver(notice).catch((error: unknown) => {
          log.warn('notice of the relay not taken', { error: errorText(error) });
          throw error;
        });
      },
      ...options.relay,
    });
    relay.start();
  }

  async function halt(): Promise<void> {
    await Promise.all([program?.stop(), relay?.stop()]);
    program = undefined;
    relay = undefined;
    asked = undefined;
  }

  // One change at a time: two must not both start a program.
  let turn: Promise<void> = Promise.resolve();
  let stopping = false;
  function inTurn(act: () => Promise<void>): Promise<void> {
    const mine = turn.then(act);
    turn = mine.catch(() => undefined);
    return mine;
  }

  async function reload(): Promise<void> {
    const wanted = await readTunnelSettings(db, vault);
    if (stopping || JSON.stringify(wanted) === JSON.stringify(settings)) return;
    // Whom to believe is asked of the settings alone: no reason to start a program anew, which may cost its address.
    const runsOn = settings !== undefined && wayOf(wanted) === wayOf(settings);
    settings = wanted;
    if (runsOn) return;
    await halt();
    if (port === 0) return;
    if (wanted.mode === 'ssh' || wanted.mode === 'cloudflared') startProgram(wanted);
    if (wanted.mode === 'hub') startRelay(wanted);
  }

  function publicUrl(): string | undefined {
    if (program) return program.state().url ?? undefined;
    if (settings?.mode === 'hub') return `${settings.hub_url}/n/${settings.hub_box}`;
    return settings?.mode === 'manual' ? (settings.url ?? undefined) : undefined;
  }

  function state(): TunnelState {
    const mode = settings?.mode ?? 'none';
    const url = publicUrl() ?? null;
    if (program) return { ...NOTHING, mode, ...program.state() };
    if (mode === 'none') return { ...NOTHING, mode, stage: 'off' };
    const answer = asked?.reach;
    const told = {
      ...NOTHING,
      mode,
      url,
      checked_at: asked?.checked_at ?? null,
      reached_at: asked?.reached_at ?? null,
      problem: answer && !answer.ok ? answer.problem : null,
      hint: answer && !answer.ok ? answer.hint : null,
    };
    if (relay) {
      const { state: of, problem, answered_at, waiting, taken } = relay.state();
      const stage = of === 'up' ? 'up' : of === 'starting' ? 'starting' : 'unreachable';
      const hint = of === 'refused' ? 'Check the name of this box and its token.' : told.hint;
      const checked_at = Math.max(answered_at ?? 0, told.checked_at ?? 0) || null;
      return { ...told, stage, problem: problem ?? told.problem, hint, checked_at, waiting, taken };
    }
    return { ...told, stage: answer ? (answer.ok ? 'up' : 'unreachable') : 'unknown' };
  }

  async function check(): Promise<Reach> {
    if (program) return program.check();
    const url = publicUrl();
    if (!url) {
      return {
        ok: false,
        problem: 'There is no way in from outside.',
        hint: 'Choose one, or go without: Karibu then asks M-PESA about every payment itself.',
      };
    }
    const reach = relay ? await echo.check(url) : await askFromOutside(options.fetch, url, vault);
    const at = clock.now();
    asked = { checked_at: at, reached_at: reach.ok ? at : (asked?.reached_at ?? null), reach };
    return reach;
  }

  return {
    start: (callbackPort) =>
      inTurn(async () => {
        port = callbackPort;
        const ended = endLeftovers(owner);
        if (ended > 0) log.warn('ended tunnel programs of an earlier run', { ended });
        settings = undefined;
        await reload();
      }),
    reload: () => inTurn(reload),
    async stop() {
      stopping = true;
      await inTurn(halt);
    },
    publicUrl,
    state,
    check,
    hear: (nonce) => echo.hear(nonce),
    senders: () => settings ?? NO_HOPS,
  };
}
