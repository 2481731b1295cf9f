// Measures how many RADIUS requests a second the running app answers over UDP, beside an echo and FreeRADIUS.
//
//   npx bun test/bench/access.ts [--credentials 1000,100000] [--in-flight 100] [--seconds 5] [--no-freeradius]
//   npx bun test/bench/access.ts --data DIR      (a store of seed.ts; its entitlements are all made active)
//   npx bun test/bench/access.ts --data DIR --guests 1000      (so many of the store's guests ask, the others do not)
//
// Each number of credentials gets a store of its own in a temporary folder. The sender is this process, what answers is
// another: two cores give one to each. Everything is on 127.0.0.1, and each part lasts the seconds given at most.
// Figures mean something as ratios within one run.
import { Database } from 'bun:sqlite';
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openUdp } from '../../src/protocols/radius/udp.ts';
import { buildFaultyDisk, onFaultyDisk } from '../shims/build.ts';
import { hasFreeradius, startFreeradius } from './radius/freeradius.ts';
import { letEveryoneIn, readGuests } from './radius/guests.ts';
import { type LoadResult, runLoad } from './radius/load.ts';
import { hasMariadb } from './radius/mariadb.ts';
import { accessRequest, accountingOfSession } from './radius/requests.ts';
import { seedStore } from './seed.ts';
import { RADIUS_SECRET } from './store/catalogue.ts';
import { createRandom } from './store/random.ts';
import { runApp } from './store/run.ts';

const secret = Buffer.from(RADIUS_SECRET);
/** Access-Requests made beforehand: as many different guests, so that the store cannot answer from a few pages. */
const REQUESTS = 60_000;
/** Who is measured beside us, and for what. */
const PEERS = [
  { name: 'FreeRADIUS', store: 'sqlite', checks: false, auth: true, acct: true },
  { name: 'FreeRADIUS with checks', store: 'sqlite', checks: true, auth: true, acct: false },
  {
    name: 'FreeRADIUS as packaged',
    store: 'sqlite_as_packaged',
    site: 'as_packaged',
    checks: false,
    auth: true,
    acct: true,
  },
  { name: 'FreeRADIUS on MariaDB', store: 'mariadb', checks: false, auth: false, acct: true },
] as const;
/** Sessions that are over, in every store. */
const SESSIONS_BEFORE = 500_000;
/** What a flush takes more on an SD card. */
const SLOW_FLUSH_MS = 8;
/** Sessions made beforehand, five packets each. */
const SESSIONS = 30_000;
const SESSIONS_TO_WARM_UP = 8000;
const WARM_UP_SECONDS = 1;
/** Begins the names of this run's sessions: what an earlier run left in the store is no session of ours. */
const RUN = Date.now().toString(36);

const subject = process.env.ACCESS_BENCH_SUBJECT;
if (subject) await serve(subject, process.env.ACCESS_BENCH_DATA ?? '');
else await measureAll();

/** The side that answers, in the child process. */
async function serve(kind: string, dataDir: string): Promise<void> {
  const portOf = (address: string) => Number(address.split(':').at(-1));
  let ports: { auth: number; acct: number };
  if (kind === 'echo') {
    const socket = await openUdp({
      host: '127.0.0.1',
      port: 0,
      onMessage: (datagram, address, port) => socket.send(datagram, address, port),
      onError: (error) => {
        throw error;
      },
    });
    ports = { auth: socket.port, acct: socket.port };
  } else {
    const { bound } = await runApp(dataDir);
    ports = { auth: portOf(bound.radius_auth), acct: portOf(bound.radius_acct) };
  }
  process.on('message', (message) => {
    if (message === 'cpu') {
      const { user, system } = process.cpuUsage();
      process.send?.(user + system);
    }
    // Ends the process by its own hand, so that a profile is written.
    if (message === 'end') process.exit(0);
  });
  process.send?.(ports);
}

function answerOf<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve) => child.once('message', (message) => resolve(message as T)));
}

interface Subject {
  name: string;
  auth: number;
  acct: number;
  cpuMicros(): Promise<number> | number;
  stop(): Promise<void>;
}

async function startSubject(
  kind: 'echo' | 'app',
  dataDir: string,
  environment: Record<string, string> = {},
): Promise<Subject> {
  const env = { ...process.env, ...environment, ACCESS_BENCH_SUBJECT: kind, ACCESS_BENCH_DATA: dataDir };
  const execArgv = process.env.ACCESS_BENCH_EXEC_ARGV?.split(' ') ?? [];
  const child = fork(import.meta.filename, [], { env, execArgv: kind === 'app' ? execArgv : [] });
  const ports = await answerOf<{ auth: number; acct: number }>(child);
  return {
    name: kind === 'app' ? 'Karibu' : 'bare echo',
    ...ports,
    cpuMicros() {
      child.send('cpu');
      return answerOf<number>(child);
    },
    async stop() {
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.send('end');
      await gone;
    },
  };
}

function countSessions(dataDir: string): number {
  const database = new Database(join(dataDir, 'karibu.db'), { readonly: true });
  const row = database.query<{ n: number }, []>('select count(*) as n from sessions').get();
  database.close();
  return row?.n ?? 0;
}

function report(name: string, load: LoadResult, cpuMicros: number, base?: LoadResult): void {
  const columns = [
    `${Math.round(load.perSecond).toLocaleString('en').padStart(8)}/s`,
    base ? `${(load.perSecond / base.perSecond).toFixed(2).padStart(5)} of the echo` : ''.padEnd(17),
    `p50 ${load.p50Ms.toFixed(2).padStart(6)} ms`,
    `p99 ${load.p99Ms.toFixed(2).padStart(6)} ms`,
    `${(cpuMicros / load.answered).toFixed(1).padStart(6)} us of processor each`,
    load.retried > 0 ? `${load.retried} retried` : '',
    load.forged > 0 ? `${load.forged} FORGED` : '',
    Object.entries(load.codes)
      .map(([code, count]) => `${code}:${count}`)
      .join(' '),
  ];
  console.log(name.padEnd(34), columns.filter(Boolean).join('  '));
}

/** Commits of one row a second, each flushed: what accounting would make without gathering. */
function bareCommits(folder: string, seconds: number): number {
  const database = new Database(join(folder, 'commits.db'), { create: true });
  for (const pragma of ['journal_mode = WAL', 'synchronous = FULL']) database.run(`pragma ${pragma}`);
  database.run('create table rows (id integer primary key, text text)');
  const insert = database.prepare('insert into rows (text) values (?)');
  const started = performance.now();
  let count = 0;
  while (performance.now() - started < seconds * 1000) {
    insert.run('a row');
    count++;
  }
  insert.finalize();
  database.close();
  return count / seconds;
}

async function measureStore(dataDir: string, scratch: string, options: Options): Promise<void> {
  letEveryoneIn(join(dataDir, 'karibu.db'));
  const everyone = [...readGuests(dataDir)];
  const sessions = countSessions(dataDir);
  const random = createRandom(7);
  const { inFlight, seconds } = options;
  const guests = options.guests
    ? Array.from({ length: options.guests }, () => random.pick(everyone))
    : everyone;
  console.log(
    `\n${everyone.length.toLocaleString('en')} credentials, ${sessions.toLocaleString('en')} sessions in the store, ` +
      `${guests.length.toLocaleString('en')} guests`,
  );
  const lanesOf = (make: (lane: number) => Buffer[]) =>
    Array.from({ length: inFlight }, (_, lane) => make(lane));
  const access = (method: 'pap' | 'chap') =>
    lanesOf((lane) =>
      Array.from({ length: Math.ceil(REQUESTS / inFlight) }, () =>
        accessRequest(random.pick(guests), method, lane, secret),
      ),
    );
  const accounting = (first: string, count = SESSIONS) =>
    lanesOf((lane) =>
      Array.from({ length: Math.ceil(count / inFlight) }, (_, n) =>
        accountingOfSession(random.pick(guests), `${RUN}${first}${lane.toString(16)}x${n}`, lane, secret),
      ).flat(),
    );
  const [pap, chap] = [access('pap'), access('chap')];

  async function run(
    subject: Subject,
    what: string,
    port: number,
    lanes: Buffer[][],
    base?: LoadResult,
    warmUp?: Buffer[][],
  ) {
    const echo = subject.name === 'bare echo';
    const again = !warmUp;
    // What has run once is compiled: a server is measured as it runs all day.
    await runLoad({ port, lanes: warmUp ?? lanes, seconds: WARM_UP_SECONDS, secret, again, echo });
    const before = await subject.cpuMicros();
    const load = await runLoad({ port, lanes, seconds, secret, again, echo });
    report(`${subject.name}, ${what}`, load, (await subject.cpuMicros()) - before, base);
    return load;
  }

  const echo = await startSubject('echo', dataDir);
  const base = await run(echo, 'PAP packets', echo.auth, pap);
  await echo.stop();

  const app = await startSubject('app', dataDir);
  const ours = await run(app, 'Access-Request, PAP', app.auth, pap, base);
  await run(app, 'Access-Request, CHAP', app.auth, chap, base);
  const oursAcct = await run(
    app,
    'accounting, durable',
    app.acct,
    accounting('1'),
    base,
    accounting('2', SESSIONS_TO_WARM_UP),
  );
  await app.stop();

  const ratios: string[] = [];
  const peers = options.freeradius && hasFreeradius() ? PEERS : [];
  for (const { name, auth, acct, ...peer } of peers) {
    if (peer.store === 'mariadb' && !hasMariadb()) continue;
    const folder = join(scratch, name.replaceAll(' ', '-'));
    const started = await startFreeradius(folder, everyone, RADIUS_SECRET, { ...peer, sessions });
    const subject = { name, ...started };
    if (auth) {
      const theirs = await run(subject, 'Access-Request, PAP', started.auth, pap, base);
      ratios.push(`${(ours.perSecond / theirs.perSecond).toFixed(1)} times ${name} in Access-Requests`);
    }
    if (acct) {
      const theirs = await run(
        subject,
        'accounting, durable',
        started.acct,
        accounting('1'),
        base,
        accounting('2', SESSIONS_TO_WARM_UP),
      );
      ratios.push(`${(oursAcct.perSecond / theirs.perSecond).toFixed(1)} times ${name} in accounting`);
    }
    await started.stop();
  }
  for (const ratio of ratios) console.log(`Karibu: ${ratio}`);

  const shim = buildFaultyDisk();
  if (shim) {
    const slow = onFaultyDisk(shim, { path: dataDir, flushMs: SLOW_FLUSH_MS });
    const card = await startSubject('app', dataDir, slow);
    await run(
      { ...card, name: 'Karibu, slow card' },
      'accounting, durable',
      card.acct,
      accounting('3'),
      base,
      accounting('4', SESSIONS_TO_WARM_UP),
    );
    await card.stop();
  }
  const commits = bareCommits(scratch, 1);
  console.log(
    `one row a commit on this disk: ${Math.round(commits).toLocaleString('en')}/s; ` +
      `our accounting: ${(oursAcct.perSecond / commits).toFixed(1)} messages for each`,
  );
}

/** A temporary folder, gone afterwards. */
async function withScratch(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'karibu-bench-'));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Options {
  inFlight: number;
  seconds: number;
  /** How many of the store's guests ask; undefined for all of them. */
  guests: number | undefined;
  freeradius: boolean;
}

async function measureAll(): Promise<void> {
  const { values } = parseArgs({
    allowNegative: true,
    options: {
      data: { type: 'string' },
      credentials: { type: 'string' },
      guests: { type: 'string' },
      'in-flight': { type: 'string' },
      seconds: { type: 'string' },
      freeradius: { type: 'boolean', default: true },
    },
  });
  const options = {
    inFlight: Math.min(256, Number(values['in-flight'] ?? 100)),
    seconds: Number(values.seconds ?? 5),
    guests: values.guests === undefined ? undefined : Number(values.guests),
    freeradius: values.freeradius === true,
  };
  console.log(`Bun ${Bun.version}, ${options.inFlight} in flight, ${options.seconds} s each`);
  if (values.data) {
    await withScratch((scratch) => measureStore(values.data as string, scratch, options));
    return;
  }
  for (const count of (values.credentials ?? '1000,100000').split(',').map(Number)) {
    await withScratch(async (scratch) => {
      const dataDir = join(scratch, 'data');
      // A credential for each voucher used and each phone: 0.9 for an entitlement; fewer of them ever bought.
      const entitlements = Math.ceil(count / 0.83);
      await seedStore(dataDir, { vouchers: entitlements, entitlements, sessions: SESSIONS_BEFORE });
      await measureStore(dataDir, scratch, options);
    });
  }
  process.exit(0);
}
