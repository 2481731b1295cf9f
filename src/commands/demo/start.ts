// Starts everything the demo is made of, around the same program that runs in earnest.
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { recordAccounting } from '../../access/accounting.ts';
import { listPlansOnSale } from '../../access/plans.ts';
import { countOpenSessions, listSessions } from '../../access/sessions.ts';
import { listVoucherBatches, listVouchers } from '../../access/vouchers.ts';
import { type App, createApp } from '../../app.ts';
import type { Address, Config } from '../../config.ts';
import type { Db } from '../../db/schema.ts';
import { readSetting, writeSetting } from '../../db/settings.ts';
import { AppError } from '../../errors.ts';
import { DAY_MS, startOfDay } from '../../lib/days.ts';
import { newToken } from '../../lib/secrets.ts';
import { createLog, type Log } from '../../log.ts';
import { checkRouter } from '../../network/check-router.ts';
import { apiOf } from '../../network/router-api.ts';
import { getRouter, recordRouterState } from '../../network/routers.ts';
import { salesToday } from '../../reports/overview.ts';
import { listenHttp } from '../../servers/http/listen.ts';
import { createMpesaSimulator, type MpesaSimulator } from '../../simulators/mpesa/index.ts';
import { createRouterSimulator, type RouterSimulator } from '../../simulators/router/simulator.ts';
import { isInUse } from '../in-use.ts';
import { freeAddress } from '../ports.ts';
import { createDemoClock, type DemoClock } from './clock.ts';
import { createGuests } from './guests.ts';
import { createDemoPage, type DemoState } from './page.ts';
import { sampleSales } from './sample-week.ts';
import {
  connectMpesa,
  connectRouter,
  DEMO_ACCOUNTS,
  DEMO_PASSWORD,
  ensureBusinessData,
  GUEST_BATCH,
  VISITOR_BATCH,
  worksAllDay,
} from './set-up.ts';
import { createTape, type Tape } from './tape.ts';
import { createVisitorPhones, type VisitorPhones } from './visitor.ts';
import { writeSales } from './write-sample.ts';

/** Where things are when nobody says otherwise; taken ones give way to free ones. */
const STANDARD_PORTS = {
  admin: 8080,
  portal: 8081,
  callback: 8082,
  radius_auth: 1812,
  radius_acct: 1813,
} as const;
export const STANDARD_PAGE: Address = { host: '127.0.0.1', port: 8090 };

/** Live guests report every ten seconds, so that the admin's figures move while one looks. */
const INTERIM_SECONDS = 10;
const HOUR_MS = 3600_000;
const SETTING = 'demo';
const API_USER = 'karibu';

interface DemoSetting {
  /** Sample sales are written up to here. */
  sampled_until: number;
  /** How far the clock was put ahead in earlier runs. */
  ahead_ms: number;
}

export interface DemoOptions {
  /** Empties the demo's folder first. */
  fresh?: boolean;
  page?: Address;
  log?: Log;
  /** Simulated guests come and go; true. */
  guests?: boolean;
}

export interface Demo {
  /** URLs for a browser. */
  urls: { demo: string; admin: string; portal: string; mpesa: string; hotspot: string };
  radius: { auth: string; acct: string };
  account: { email: string; password: string };
  cashier: { email: string; password: string };
  data_dir: string;
  app: App;
  router: RouterSimulator;
  mpesa: MpesaSimulator;
  clock: DemoClock;
  stop(): Promise<void>;
}

/** The demo's own folder beside real data, never the operator's PostgreSQL. */
export function demoFolder(dataDir: string): string {
  return join(dataDir, 'demo');
}

async function demoConfig(config: Config): Promise<Config> {
  const dir = demoFolder(config.data_dir);
  const free = (name: keyof typeof STANDARD_PORTS, transport: 'tcp' | 'udp') =>
    freeAddress(config[name], STANDARD_PORTS[name], transport);
  return {
    ...config,
    data_dir: dir,
    database: join(dir, 'karibu.db'),
    admin: await free('admin', 'tcp'),
    portal: await free('portal', 'tcp'),
    callback: await free('callback', 'tcp'),
    radius_auth: await free('radius_auth', 'udp'),
    radius_acct: await free('radius_acct', 'udp'),
    interim_seconds: INTERIM_SECONDS,
  };
}

/** `0.0.0.0` and `::` are no addresses to go to. */
function urlOf(bound: string): string {
  return `http://${bound.replace(/^(0\.0\.0\.0|\[::\])(?=:)/, '127.0.0.1')}`;
}

/** Fills the days since the last run, at most a week, with what would have been sold. */
async function sampleUpToNow(app: App, routerId: string, known: DemoSetting | undefined, now: number) {
  const from = Math.max(known?.sampled_until ?? 0, startOfDay(now) - 6 * DAY_MS);
  const plans = (await listPlansOnSale(app.db)).filter(worksAllDay);
  await writeSales(app.db, { vault: app.vault, router_id: routerId }, sampleSales(from, now, plans), now);
}

/** Asks the router who it is, as its Test button does: the admin need not wait for the next look. */
async function meetRouter(app: App, id: string, authPort: number, now: number): Promise<void> {
  const { seen } = await checkRouter(apiOf(await getRouter(app.db, id), app.vault), authPort);
  if (seen) await recordRouterState(app.db, id, seen, now);
}

async function findBatch(db: Db, name: string): Promise<string | undefined> {
  const { items } = await listVoucherBatches(db, { limit: 100 }, { state: 'ready' });
  return items.find((batch) => batch.name === name)?.id;
}

async function unusedCode(app: App): Promise<string | null> {
  const batch_id = await findBatch(app.db, VISITOR_BATCH);
  if (!batch_id) return null;
  const { items } = await listVouchers(app.db, app.vault, { limit: 1 }, { state: 'unused', batch_id });
  return items[0]?.code ?? null;
}

interface Stage {
  app: App;
  clock: DemoClock;
  router: RouterSimulator;
  mpesa: MpesaSimulator;
  phones: VisitorPhones;
  tape: Tape;
}

/** What the page shows of this moment. */
async function readState(stage: Stage): Promise<DemoState> {
  const { app, clock, router, mpesa, phones, tape } = stage;
  const now = clock.now();
  const phone = phones.inHand();
  const live = router.sessions().find((session) => session.phone.mac === phone.mac);
  const { items } = await listSessions(app.db, { limit: 5 }, { state: 'open', mac: phone.mac });
  // After a power cut an older one may still look open to Karibu.
  const known = items.find((session) => session.acct_session_id === live?.id);
  return {
    now_at: now,
    ahead_ms: clock.aheadMs(),
    phone,
    phones: phones.list(),
    prompt: mpesa.prompts().some((prompt) => prompt.on_phone),
    session: live
      ? {
          username: live.user,
          seconds: Math.floor((now - live.startedAt) / 1000),
          upload_octets: live.uploadOctets,
          download_octets: live.downloadOctets,
          plan_name: known?.plan_name ?? null,
          ends_at: known?.ends_at ?? null,
          session_id: known?.id ?? null,
        }
      : null,
    voucher: await unusedCode(app),
    online_now: await countOpenSessions(app.db),
    sales_today_cents: await salesToday(app.db, now),
    tape: tape.lines(phone.mac),
  };
}

/**
 * Starts the demo and resolves when guests are online. Everything that was started is stopped again when a part fails.
 */
export async function startDemo(wanted: Config, options: DemoOptions = {}): Promise<Demo> {
  const config = await demoConfig(wanted);
  if (existsSync(config.database) && (await isInUse(config.database))) {
    throw new AppError('conflict', `The demo runs already on ${config.data_dir}.`, {
      hint: `Open http://${STANDARD_PAGE.host}:${STANDARD_PAGE.port}, or start another one with --data DIR.`,
    });
  }
  if (options.fresh) rmSync(config.data_dir, { recursive: true, force: true });
  const log = options.log ?? createLog(config.log_level);
  const clock = createDemoClock();
  const undo: (() => Promise<unknown> | unknown)[] = [];
  async function stop(): Promise<void> {
    for (const act of undo.reverse().splice(0)) await act();
  }

  try {
    const mpesa = createMpesaSimulator({ now: clock.now });
    await mpesa.start();
    undo.push(() => mpesa.stop());

    const api = { username: API_USER, password: newToken() };
    const router = createRouterSimulator({
      radius: { host: '127.0.0.1', authPort: 0, acctPort: 0, secret: '' },
      portal: { loginUrl: '', statusUrl: '', router: '' },
      api,
      identity: 'shop-front',
      phoneInLinks: true,
      now: clock.now,
    });
    await router.start();
    undo.push(() => router.stop());

    const page = createDemoPage();
    const pageListener = listenHttp(
      page.app,
      await freeAddress(options.page ?? STANDARD_PAGE, STANDARD_PAGE.port, 'tcp'),
    );
    undo.push(() => pageListener.stop());
    const origin = urlOf(pageListener.address);

    const app = await createApp(config, { clock, log, portalFrames: origin });
    let started = false;
    undo.push(() => (started ? app.stop() : app.db.destroy()));

    const known = await readSetting<DemoSetting>(app.db, SETTING);
    clock.putAhead(known?.ahead_ms ?? 0);
    const now = clock.now();
    await ensureBusinessData(app.db, app.vault, known ? now : startOfDay(now) - 6 * DAY_MS, now);
    await connectMpesa(app.db, app.vault, mpesa.baseUrl, now);
    const { id: routerId, radius_secret } = await connectRouter(
      app.db,
      app.vault,
      router.addresses,
      api,
      now,
    );
    // The simulated router was off: what it had open when the demo ended is over.
    await recordAccounting(app.db, [{ kind: 'router_restart', router_id: routerId, at: now }], now);
    await sampleUpToNow(app, routerId, known, now);
    const remember = (until: number) =>
      writeSetting(app.db, SETTING, { sampled_until: until, ahead_ms: clock.aheadMs() }, clock.now());
    await remember(now);

    const bound = await app.start();
    started = true;
    const urls = {
      demo: origin,
      admin: urlOf(bound.admin),
      portal: urlOf(bound.portal),
      mpesa: mpesa.baseUrl,
      hotspot: router.addresses.hotspot,
    };
    const portOf = (address: string) => Number(/:(\d+)$/.exec(address)?.[1]);
    router.configure({
      radius: {
        authPort: portOf(bound.radius_auth),
        acctPort: portOf(bound.radius_acct),
        secret: radius_secret,
      },
      portal: { loginUrl: `${urls.portal}/`, statusUrl: `${urls.portal}/status`, router: routerId },
    });
    await meetRouter(app, routerId, portOf(bound.radius_auth), clock.now());
    undo.push(async () => {
      // Every session gets its Stop, so that none looks open the next time.
      router.reboot();
      await router.idle();
      await remember(clock.now());
    });

    const phones = createVisitorPhones(router);
    const tape = createTape(router, mpesa, (mac) => phones.list().some((phone) => phone.mac === mac));
    undo.push(() => tape.stop());
    const guests = createGuests({
      db: app.db,
      vault: app.vault,
      clock,
      log,
      router,
      batchId: await findBatch(app.db, GUEST_BATCH),
    });
    if (options.guests !== false) {
      undo.push(() => guests.stop());
      await guests.start();
    }

    const stage = { app, clock, router, mpesa, phones, tape };
    page.open({
      urls,
      account: { email: (DEMO_ACCOUNTS[0] as { email: string }).email, password: DEMO_PASSWORD },
      state: () => readState(stage),
      take: (number, cookies) => phones.take(number, cookies),
      async powerCut() {
        tape.add({ at: clock.now(), by: 'You', text: 'cut the power at the router' });
        router.powerCut();
      },
      async passHour() {
        clock.putAhead(HOUR_MS);
        tape.add({ at: clock.now(), by: 'You', text: 'let an hour pass' });
        router.tick();
        await remember(clock.now());
      },
    });
    const [account, cashier] = DEMO_ACCOUNTS.map(({ email }) => ({ email, password: DEMO_PASSWORD }));
    return {
      urls,
      radius: { auth: bound.radius_auth, acct: bound.radius_acct },
      account: account as Demo['account'],
      cashier: cashier as Demo['cashier'],
      data_dir: config.data_dir,
      app,
      router,
      mpesa,
      clock,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
