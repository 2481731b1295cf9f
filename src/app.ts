// The program: opens the store, builds servers and jobs, starts and stops them.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  createJournaledAccounting,
  JOURNAL_FILE,
  type JournaledAccounting,
} from './access/journaled-accounting.ts';
import { createGateways, type GatewayOutside } from './billing/gateways.ts';
import { mpesaGateway } from './billing/mpesa.ts';
import type { MpesaSettings } from './billing/mpesa-settings.ts';
import { noticeBaseUrl } from './billing/notice-base.ts';
import { openSpool } from './billing/spool.ts';
import type { Address, Config } from './config.ts';
import { cannotOpen } from './db/cannot-open.ts';
import { diskTrouble } from './db/disk.ts';
import { createDiskWatch } from './db/disk-watch.ts';
import { openVault } from './db/key-file.ts';
import { createKnownTime, type KnownTime } from './db/known-time.ts';
import { migrate } from './db/migrate.ts';
import { handCheckpointsTo, openForSignIns, openStore, withManners, withTimeToMigrate } from './db/open.ts';
import type { Db } from './db/schema.ts';
import { openSignals } from './db/signals.ts';
import { releaseTasks, type TaskKind } from './db/tasks.ts';
import { heavyHere, heavyInWorker } from './heavy/run.ts';
import type { JobContext } from './jobs/context.ts';
import { correctTimes } from './jobs/correct-times.ts';
import { type Schedule, startJobs } from './jobs/schedule.ts';
import { type Clock, systemClock } from './lib/clock.ts';
import { isPostgresUrl } from './lib/database-url.ts';
import type { Vault } from './lib/secrets.ts';
import { createLog, type Log } from './log.ts';
import type { EnforceContext } from './network/enforce.ts';
import { createTunnel } from './network/tunnel/tunnel.ts';
import { createCallbackCounter } from './servers/http/callback-counts.ts';
import type { HttpContext } from './servers/http/context.ts';
import { createAdminDoor, createCallbackDoor, createPortalDoor } from './servers/http/doors.ts';
import { type HttpListener, listenHttp } from './servers/http/listen.ts';
import { createLive, type LiveMessage } from './servers/live.ts';
import { createRadiusListeners } from './servers/radius/listen.ts';
import { createSignInLog } from './servers/radius/sign-in-log.ts';
import { createMpesaSimulator, type Merchant } from './simulators/mpesa/index.ts';
import { version } from './version.ts';

/**
 * The simulated M-PESA that staff train with: started when the settings ask for it, and anew for other keys. On a free
 * port where the usual one is taken.
 */
function createTrainingSimulator(listen: Address, log: Log) {
  let running: { key: string; simulator: MpesaSimulator } | undefined;

  async function startOn(merchant: Merchant, port: number): Promise<MpesaSimulator> {
    const simulator = createMpesaSimulator({ merchants: [merchant], listen: { host: listen.host, port } });
    await simulator.start();
    return simulator;
  }

  async function urlFor(settings: MpesaSettings): Promise<string> {
    const merchant: Merchant = {
      name: 'KARIBU WIFI',
      kind: settings.kind,
      shortcode: settings.shortcode,
      ...(settings.kind === 'till' ? { till_number: settings.till_number ?? settings.shortcode } : {}),
      passkey: settings.passkey,
      consumer_key: settings.consumer_key,
      consumer_secret: settings.consumer_secret,
    };
    const key = JSON.stringify(merchant);
    if (running?.key !== key) {
      await running?.simulator.stop();
      const simulator = await startOn(merchant, listen.port).catch(() => startOn(merchant, 0));
      running = { key, simulator };
      log.info('M-PESA simulator', { phone: `${simulator.baseUrl}/phone` });
    }
    return running.simulator.baseUrl;
  }

  // One at a time: two askers must not start two.
  let turn: Promise<unknown> = Promise.resolve();
  return {
    urlFor(settings: MpesaSettings): Promise<string> {
      const mine = turn.then(() => urlFor(settings));
      turn = mine.catch(() => undefined);
      return mine;
    },
    async stop() {
      await turn;
      await running?.simulator.stop();
    },
  };
}

/** The gateway's answers say what time it is there; over TLS nobody else can have said it. */
function hearingTime(ask: typeof fetch, knownTime: KnownTime): typeof fetch {
  const heard = async (...request: Parameters<typeof fetch>): Promise<Response> => {
    const response = await ask(...request);
    const at = Date.parse(response.headers.get('date') ?? '');
    if (response.url.startsWith('https:') && Number.isFinite(at)) {
      knownTime.hear({ name: 'M-PESA', at, decides: true });
    }
    return response;
  };
  return Object.assign(heard, ask);
}

type MpesaSimulator = ReturnType<typeof createMpesaSimulator>;

/** What nodes at one store tell each other. */
type NodeNews = LiveMessage | { kind: 'routers' };

/** The world outside the box; tests put simulators and clocks of their own here. */
export interface Outside {
  clock: Clock;
  log: Log;
  fetch: typeof fetch;
  /** Origins that may show the portal in a frame: the demo's page. */
  portalFrames?: string;
}

export interface BoundAddresses {
  admin: string;
  portal: string;
  callback: string;
  radius_auth: string;
  radius_acct: string;
}

export interface App {
  db: Db;
  vault: Vault;
  /** The doors as apps, for tests without sockets. */
  doors: {
    admin: ReturnType<typeof createAdminDoor>;
    portal: ReturnType<typeof createPortalDoor>;
    callback: ReturnType<typeof createCallbackDoor>;
  };
  start(): Promise<BoundAddresses>;
  stop(): Promise<void>;
}

/** The data folder, made where it is missing, with its key. */
function openFolder(dir: string): Vault {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return openVault(dir);
  } catch (error) {
    throw cannotOpen(dir, error);
  }
}

/** Opens the data folder and brings the database to this version. Nothing listens until start(). */
export async function createApp(config: Config, outside: Partial<Outside> = {}): Promise<App> {
  const system = outside.clock ?? systemClock;
  const out = outside.log ?? createLog(config.log_level);
  const vault = openFolder(config.data_dir);
  const store = await openStore(config.database);
  const isFile = !isPostgresUrl(config.database) && config.database !== ':memory:';
  let accounting: JournaledAccounting | undefined;
  const db = withManners(store, { before: () => accounting?.caughtUp() });
  const disk = createDiskWatch(db, config.data_dir, system, out);
  const { log } = disk;
  const migrated = await withTimeToMigrate(config.database, db, (patient) =>
    migrate(patient, { now: system.now(), ...(isFile ? { file: config.database } : {}) }),
  ).catch((error: unknown) => {
    throw cannotOpen(config.database, error);
  });
  if (migrated.applied.length > 0) log.info('database migrated', { ...migrated });

  const knownTime = createKnownTime(db, system, correctTimes);
  await knownTime.load();
  const { clock } = knownTime;
  const training = createTrainingSimulator(config.simulator, log);
  const gatewayOutside: GatewayOutside = {
    fetch: hearingTime(outside.fetch ?? fetch, knownTime),
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    simulatorUrl: (settings) => training.urlFor(settings),
  };
  const gateways = createGateways(db, vault, gatewayOutside);
  const enforcement: EnforceContext = { db, vault, clock, clockTrusted: () => knownTime.trusted() };
  const signals = openSignals<NodeNews>(config.database);
  const live = createLive((message) => signals.send(`${message.kind} ${message.event.id}`, message));
  // A store in memory is seen by its own connection alone; Node runs no TypeScript in a worker.
  const hasWorkers = 'Bun' in globalThis && config.database !== ':memory:';
  const workerStore = { database: config.database, data_dir: config.data_dir };
  const heavy = hasWorkers ? heavyInWorker(workerStore, log) : heavyHere({ db, vault });
  // A worker of its own: the log does not wait behind a sheet of 10,000 vouchers.
  const copier = hasWorkers ? heavyInWorker(workerStore, log) : undefined;
  if (copier) handCheckpointsTo(db, () => copier.run('checkpoint', {}));
  const signIns = createSignInLog();
  if (isFile) {
    accounting = createJournaledAccounting(store, join(config.data_dir, JOURNAL_FILE), {
      clock,
      log,
      diskRefuses: () => disk.refuses(),
      stored(sessions) {
        for (const session of sessions) live.publish('session', session);
      },
    });
  }
  const signInStore = await openForSignIns(config.database, store);
  const radius = createRadiusListeners(
    {
      db: signInStore,
      accounting,
      vault,
      clock,
      log,
      live,
      signIns,
      clockTrusted: () => knownTime.trusted(),
      interimSeconds: config.interim_seconds,
    },
    { auth: config.radius_auth, acct: config.radius_acct },
  );

  const tunnel = createTunnel({
    db,
    vault,
    clock,
    log,
    data_dir: config.data_dir,
    environment: config.tunnel_environment,
    fetch: outside.fetch ?? fetch,
    async deliver({ path, headers, body, source_address }) {
      const init = { method: 'POST', headers, body: Buffer.from(body, 'base64') };
      const { status } = await doors.callback.request(path, init, { address: source_address });
      // Anything else was taken, or will never be: only our own trouble has it come again.
      if (status >= 500) throw new Error(`The callback door answered ${status}.`);
    },
  });

  let schedule: Schedule | undefined;
  const kick = (kind?: TaskKind) => schedule?.kick(kind);
  const ports = {
    portal: config.portal.port,
    callback: config.callback.port,
    radius_auth: config.radius_auth.port,
    radius_acct: config.radius_acct.port,
  };
  const spool = openSpool(config.data_dir);
  const base = async () => tunnel.publicUrl() ?? (await noticeBaseUrl(db, ports.callback));
  const http: HttpContext = {
    db,
    vault,
    clock,
    log,
    gateways,
    tryMpesa: (settings, initiator) => mpesaGateway(settings, gatewayOutside, initiator),
    enforcement,
    radius: {
      ...radius,
      async reloadRouters() {
        await radius.reloadRouters();
        signals.send('routers', { kind: 'routers' });
      },
    },
    signIns,
    tunnel,
    callbacks: createCallbackCounter(clock.now()),
    heavy,
    live,
    kick,
    ports: () => ports,
    noticeBaseUrl: base,
    spool,
    clockState: () => knownTime.state(),
    diskState: () => disk.state(),
    confirmClock: (name) => knownTime.confirm(name),
  };
  const doors = {
    admin: createAdminDoor(http),
    portal: createPortalDoor(http, outside.portalFrames),
    callback: createCallbackDoor(http),
  };
  const jobContext: JobContext = {
    db,
    vault,
    clock,
    log,
    gateways,
    enforcement,
    knownTime,
    disk,
    heavy,
    live,
    interimSeconds: config.interim_seconds,
    noticeBaseUrl: base,
    spool,
    kick,
    recordHeard: () => radius.recordHeard(),
    reloadRouters: () => radius.reloadRouters(),
    reloadTunnel: () => tunnel.reload(),
  };

  function hear(news: NodeNews | undefined): void {
    if (news && news.kind !== 'routers') live.relay(news);
    else radius.reloadRouters().catch((error: unknown) => log.warn('routers not read', { error }));
  }

  const listeners: HttpListener[] = [];
  return {
    db,
    vault,
    doors,
    async start() {
      await accounting?.start();
      const bound = await radius.start();
      const admin = listenHttp(doors.admin, config.admin);
      const portal = listenHttp(doors.portal, config.portal);
      const callback = listenHttp(doors.callback, config.callback);
      listeners.push(admin, portal, callback);
      Object.assign(ports, {
        portal: portal.port,
        callback: callback.port,
        radius_auth: bound.auth.port,
        radius_acct: bound.acct.port,
      });
      try {
        await knownTime.remember();
        // A SQLite file has one program; with PostgreSQL another node may be at work.
        if (isFile) await releaseTasks(db);
      } catch (error) {
        // Who is online already is answered from what can be read; the rest waits for the disk.
        if (!diskTrouble(error)) throw error;
        log.error('nothing written at the start', { error });
      }
      await disk.check();
      await signals.start(hear);
      await tunnel.start(callback.port).catch((error: unknown) => log.error('tunnel not started', { error }));
      schedule = startJobs(jobContext);
      schedule.kick();
      const addresses = {
        admin: admin.address,
        portal: portal.address,
        callback: callback.address,
        radius_auth: `${bound.auth.host}:${bound.auth.port}`,
        radius_acct: `${bound.acct.host}:${bound.acct.port}`,
      };
      log.info('ready', { version, ...addresses });
      return addresses;
    },
    async stop() {
      // Doors first, so that nothing new comes in; RADIUS answers what it has taken; the store closes last.
      await tunnel.stop();
      await Promise.all(listeners.map((listener) => listener.stop()));
      await radius.stop();
      await accounting?.stop();
      await schedule?.stop();
      await training.stop();
      await heavy.stop();
      await copier?.stop();
      await signals.stop();
      if (signInStore !== store) await signInStore.destroy();
      await db.destroy();
    },
  };
}
