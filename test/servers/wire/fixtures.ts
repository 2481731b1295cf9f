// The whole program with its doors open, and simulated routers that talk to it over real sockets.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGateways } from '../../../src/billing/gateways.ts';
import { openSpool } from '../../../src/billing/spool.ts';
import { createDiskWatch } from '../../../src/db/disk-watch.ts';
import { createKnownTime } from '../../../src/db/known-time.ts';
import { heavyHere } from '../../../src/heavy/run.ts';
import type { JobContext } from '../../../src/jobs/context.ts';
import { correctTimes } from '../../../src/jobs/correct-times.ts';
import { type Schedule, startJobs } from '../../../src/jobs/schedule.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { silentLog } from '../../../src/log.ts';
import type { EnforceContext } from '../../../src/network/enforce.ts';
import { createRouter } from '../../../src/network/routers.ts';
import { createTunnel } from '../../../src/network/tunnel/tunnel.ts';
import { createAccount } from '../../../src/operators/accounts.ts';
import { openLogin } from '../../../src/operators/logins.ts';
import type { Endpoint } from '../../../src/protocols/radius/server.ts';
import { createCallbackCounter } from '../../../src/servers/http/callback-counts.ts';
import type { HttpContext } from '../../../src/servers/http/context.ts';
import { createAdminDoor, createPortalDoor } from '../../../src/servers/http/doors.ts';
import { createLive } from '../../../src/servers/live.ts';
import { createRadiusListeners } from '../../../src/servers/radius/listen.ts';
import { LOCKOUT_LIMITS } from '../../../src/servers/radius/lockout.ts';
import { createSignInLog } from '../../../src/servers/radius/sign-in-log.ts';
import {
  createRouterSimulator,
  type RouterSimulator,
  type RouterSimulatorOptions,
} from '../../../src/simulators/router/simulator.ts';
import { vault } from '../../access/fixtures.ts';
import { memoryStore } from '../../support/stores.ts';

export const SECRET = 'radius-secret';
export const API = { username: 'karibu', password: 'nenosiri' };

/**
 * `ahead.ms` moves the time on; the routers follow it, and so does the program's clock. `wrong.ms` is what the clock of
 * the program's box is off by beside that, from the first moment on where it is told; `synchronized.at` is when, by that
 * clock, a time server last set it.
 */
export async function startWire(wrongMs = 0) {
  const db = await memoryStore();
  const ahead = { ms: 0 };
  const wrong = { ms: wrongMs };
  const synchronized = { at: undefined as number | undefined };
  const now = () => systemClock.now() + ahead.ms;
  const boxClock = {
    now: () => now() + wrong.ms,
    monotonic: () => systemClock.monotonic() + ahead.ms,
    synchronizedAt: () => synchronized.at,
  };
  const free = { host: '127.0.0.1', port: 0 };

  /** The program as one start of it: what it keeps in memory is gone with the next. */
  async function openProgram(listen: { auth: Endpoint; acct: Endpoint }) {
    const knownTime = createKnownTime(db, boxClock, correctTimes);
    await knownTime.load();
    const { clock } = knownTime;
    const disk = createDiskWatch(db, tmpdir(), clock, silentLog);
    const heavy = heavyHere({ db, vault });
    const live = createLive();
    const signIns = createSignInLog();
    const trusted = () => knownTime.trusted();
    const enforcement: EnforceContext = { db, vault, clock, clockTrusted: trusted };
    const outside = {
      ...{ fetch, now: clock.now, monotonic: clock.monotonic },
      simulatorUrl: async () => 'http://127.0.0.1:9',
    };
    const gateways = createGateways(db, vault, outside);
    const radius = createRadiusListeners(
      { db, vault, clock, log: silentLog, live, signIns, clockTrusted: trusted, interimSeconds: 60 },
      listen,
      { rejectDelayMs: 0, lockout: LOCKOUT_LIMITS },
    );
    const bound = await radius.start();
    let schedule: Schedule | undefined;
    const kick = () => schedule?.kick();
    const tunnel = createTunnel({
      ...{ db, vault, clock, log: silentLog, fetch, data_dir: tmpdir(), environment: {} },
      deliver: async () => undefined,
    });
    const http: HttpContext = {
      ...{ tunnel, callbacks: createCallbackCounter(clock.now()) },
      ...{ db, vault, clock, log: silentLog, gateways, enforcement, radius, signIns, live, heavy, kick },
      tryMpesa: () => {
        throw new Error('no M-PESA in these tests');
      },
      ports: () => ({ portal: 0, callback: 0, radius_auth: bound.auth.port, radius_acct: bound.acct.port }),
      spool: openSpool(mkdtempSync(join(tmpdir(), 'karibu-spool-'))),
      noticeBaseUrl: async () => 'http://127.0.0.1:9',
      clockState: () => knownTime.state(),
      confirmClock: (name) => knownTime.confirm(name),
      diskState: () => disk.state(),
    };
    const doors = { admin: createAdminDoor(http), portal: createPortalDoor(http) };
    await knownTime.remember();
    const jobs: JobContext = {
      spool: openSpool(mkdtempSync(join(tmpdir(), 'karibu-spool-'))),
      noticeBaseUrl: async () => 'http://127.0.0.1:9',
      ...{ db, vault, clock, log: silentLog, gateways, enforcement, knownTime, disk, live, heavy, kick },
      interimSeconds: 60,
      recordHeard: () => radius.recordHeard(),
      reloadRouters: () => radius.reloadRouters(),
      reloadTunnel: () => tunnel.reload(),
    };
    schedule = startJobs(jobs);
    return {
      ...{ radius, bound, doors, jobs, knownTime },
      async stop() {
        await radius.stop();
        await schedule?.stop();
      },
    };
  }

  let program = await openProgram({ auth: free, acct: free });
  const { bound } = program;
  const routers: RouterSimulator[] = [];

  /** A router at an address of its own (`127.0.0.…`), known to the program; with its API, unless told otherwise. */
  async function addRouter(
    address: string,
    options: Partial<RouterSimulatorOptions> = {},
    settings: { coa_port?: number; api_username?: string | null; mac_login?: 'yes' | 'no' } = {},
  ) {
    const simulator = createRouterSimulator({
      radius: {
        host: '127.0.0.1',
        authPort: bound.auth.port,
        acctPort: bound.acct.port,
        secret: SECRET,
        timeoutMs: 5000,
      },
      portal: { loginUrl: 'http://127.0.0.1/', statusUrl: 'http://127.0.0.1/status', router: address },
      api: API,
      listen: { host: address },
      nasIp: address,
      tickMs: 0,
      ignoreLimits: true,
      now,
      ...options,
    });
    await simulator.start();
    routers.push(simulator);
    const { router } = await createRouter(
      db,
      vault,
      {
        name: `Router ${address}`,
        address,
        radius_secret: SECRET,
        message_authenticator: 'auto',
        mac_login: settings.mac_login ?? 'no',
        coa_port: settings.coa_port ?? simulator.addresses.coa.port,
        api_port: simulator.addresses.api.port,
        api_tls: 0,
        api_username: settings.api_username === undefined ? API.username : settings.api_username,
        api_password: API.password,
        hotspot_host: null,
        hotspot_interface: 'bridge',
        hotspot_network: '10.5.48.0/22',
      },
      now(),
    );
    await program.radius.reloadRouters();
    return Object.assign(simulator, { id: router.id });
  }

  const account = await createAccount(
    db,
    { email: 'owner@example.com', name: 'Owner', role: 'owner', password: 'correct horse battery' },
    now(),
  );
  const token = await openLogin(db, account, { address: null, agent: null }, now());

  /** Calls the admin API as the owner. */
  async function admin(method: string, path: string, body: unknown = {}) {
    const response = await program.doors.admin.request(
      `/api/v1${path}`,
      {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(method === 'GET' ? {} : { body: JSON.stringify(body) }),
      },
      { address: '127.0.0.1' },
    );
    const json = response.status === 204 ? {} : await response.json();
    return { status: response.status, json: json as Record<string, unknown> };
  }

  /** A phone's browser on the portal: it keeps cookies, follows no redirect, runs no script. */
  function browser() {
    const cookies = new Map<string, string>();
    return async (path: string, fields?: Record<string, string>) => {
      const response = await program.doors.portal.request(
        path,
        {
          ...(fields ? { method: 'POST', body: new URLSearchParams(fields).toString() } : {}),
          headers: {
            cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
            ...(fields ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
          },
        },
        { address: '127.0.0.1' },
      );
      for (const cookie of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
        cookies.set(name, value);
      }
      return {
        status: response.status,
        location: response.headers.get('location'),
        text: await response.text(),
      };
    };
  }

  return {
    ...{ db, now, ahead, wrong, synchronized, bound, addRouter, admin, browser },
    get jobs() {
      return program.jobs;
    },
    sessions: () => db.selectFrom('sessions').selectAll().orderBy('id').execute(),
    /** Whether no live session is still to be looked at or ended. */
    async settled() {
      const task = await db
        .selectFrom('tasks')
        .select('id')
        .where('kind', 'in', ['enforce', 'disconnect_session'])
        .where('state', '=', 'ready')
        .executeTakeFirst();
      return task === undefined;
    },
    /** The box loses its power for so long; when it comes back its clock is off by `wrongMs`. */
    async restart(offMs: number, wrongMs: number) {
      await program.knownTime.remember();
      await program.stop();
      ahead.ms += offMs;
      wrong.ms = wrongMs;
      program = await openProgram(bound);
    },
    async close() {
      await Promise.all(routers.map((router) => router.stop()));
      await program.stop();
      await db.destroy();
    },
  };
}

export type Wire = Awaited<ReturnType<typeof startWire>>;

/** Asks again and again until it is so; the test's own time limit ends the waiting. */
export async function until<T>(find: () => T | Promise<T>): Promise<NonNullable<T>> {
  for (;;) {
    const found = await find();
    if (found) return found as NonNullable<T>;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
