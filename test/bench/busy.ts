// Measures sign-ins at 1,000 a second while the office is busy: vouchers made and printed, a year's report, portal pages.
//
//   npx bun test/bench/busy.ts [--credentials 100000] [--per-second 1000] [--seconds 20] [--data DIR]
//
// Three processes on 127.0.0.1: this one sends, one is the app, one is the office. First quiet, then busy. A request's
// time runs from when it was due, so that a server that stops for a moment is charged for all it kept waiting.
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { letEveryoneIn, readGuests } from './radius/guests.ts';
import { type RateResult, runRate } from './radius/rate.ts';
import { accessRequest } from './radius/requests.ts';
import { ACCOUNT, seedStore } from './seed.ts';
import { RADIUS_SECRET } from './store/catalogue.ts';
import { type LongTurn, watchEventLoop } from './store/event-loop.ts';
import { createRandom } from './store/random.ts';
import { runApp } from './store/run.ts';

const secret = Buffer.from(RADIUS_SECRET);
const IDENTIFIERS = 256;
/** Different requests made beforehand: a minute at the usual rate. */
const REQUESTS = 60_000;
const BATCH = 10_000;
const PAGES_AT_ONCE = 50;

interface Addresses {
  auth: number;
  admin: string;
  portal: string;
}

const role = process.env.BUSY_BENCH_ROLE;
if (role === 'app') await app(process.env.BUSY_BENCH_DATA ?? '');
else if (role === 'office') office();
else await measure();

async function app(dataDir: string): Promise<void> {
  const { bound } = await runApp(dataDir);
  const watch = watchEventLoop();
  process.on('message', (message) => {
    if (message === 'turns') process.send?.(watch.take());
    if (message === 'end') process.exit(0);
  });
  const http = (address: string) => (address.includes('://') ? address : `http://${address}`);
  process.send?.({
    auth: Number(bound.radius_auth.split(':').at(-1)),
    admin: http(bound.admin),
    portal: http(bound.portal),
  } satisfies Addresses);
}

/** What the office did; times of a whole one in milliseconds. */
interface Done {
  batches: number[];
  sheets: number[];
  reports: number[];
  pages: number[];
}

/** Does everything an office does, over and over, until it is told to end; then says how often. */
function office(): void {
  // Phones and browsers are other machines: what they cost here is not to be taken from the app.
  setPriority(19);
  const done: Done = { batches: [], sheets: [], reports: [], pages: [] };
  let over = false;
  process.on('message', async (message) => {
    if (message === 'end') {
      over = true;
      return;
    }
    const { admin, portal } = message as Addresses;
    const login = await fetch(`${admin}/api/v1/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(ACCOUNT),
    });
    const { token } = (await login.json()) as { token: string };
    const call = async (path: string, body?: unknown): Promise<Response> => {
      const response = await fetch(`${admin}/api/v1${path}`, {
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
      });
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
      return response;
    };
    const timed = async (times: number[], work: () => Promise<unknown>) => {
      const began = performance.now();
      await work();
      times.push(performance.now() - began);
    };
    const plans = (await (await call('/plans')).json()) as { items: { id: string }[] };

    async function printing(): Promise<void> {
      let id = '';
      await timed(done.batches, async () => {
        const made = await call('/voucher-batches', { plan_id: plans.items[0]?.id, count: BATCH });
        let batch = (await made.json()) as { id: string; state: string };
        id = batch.id;
        while (batch.state === 'making') {
          await new Promise((resolve) => setTimeout(resolve, 50));
          batch = (await (await call(`/voucher-batches/${id}`)).json()) as typeof batch;
        }
      });
      await timed(done.sheets, async () => (await call(`/voucher-batches/${id}/sheet.pdf`)).arrayBuffer());
    }
    const year = '/reports/sales?from=2025-11-21&to=2026-11-20&by=day';
    const reporting = () => timed(done.reports, async () => (await call(year)).json());
    async function page(): Promise<void> {
      const text = await (await fetch(portal)).text();
      const parts = [...text.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map((match) => match[1]);
      await Promise.all(parts.map(async (part) => (await fetch(`${portal}${part}`)).arrayBuffer()));
    }
    const browsing = () => Promise.all(Array.from({ length: PAGES_AT_ONCE }, () => timed(done.pages, page)));
    const repeat = async (work: () => Promise<unknown>, pause: number) => {
      while (!over) {
        await work();
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    };
    process.send?.('busy');
    await Promise.all([repeat(printing, 0), repeat(reporting, 500), repeat(browsing, 500)]);
    process.send?.(done);
  });
}

function answerOf<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const died = (code: number | null) =>
      reject(new Error(`a process of this bench ended with code ${code}`));
    child.once('exit', died);
    child.once('message', (message) => {
      child.off('exit', died);
      resolve(message as T);
    });
  });
}

function start(which: string, dataDir = ''): ChildProcess {
  const execArgv = which === 'app' ? (process.env.BUSY_BENCH_EXEC_ARGV?.split(' ') ?? []) : [];
  const env = { ...process.env, BUSY_BENCH_ROLE: which, BUSY_BENCH_DATA: dataDir };
  return fork(import.meta.filename, [], { env, execArgv });
}

function say(what: string, result: RateResult, turns: LongTurn[]): void {
  const ms = (value: number) => `${value.toFixed(2)} ms`;
  const codes = Object.entries(result.codes).map(([code, count]) => `${code}:${count}`);
  console.log(
    `${what.padEnd(6)} p50 ${ms(result.p50Ms)}  p99 ${ms(result.p99Ms)}  max ${ms(result.maxMs)}  ` +
      `(sender late by p99 ${ms(result.senderP99Ms)})  ${result.answered}/${result.sent} answered  ${codes.join(' ')}`,
  );
  const own = turns.filter((turn) => turn.workMs > 5);
  const disk = turns.filter((turn) => turn.ms - turn.workMs - turn.queuedMs > 5);
  const worst = own.slice(0, 8).map((turn) => turn.workMs.toFixed(1));
  console.log(
    `       event loop: ${turns.length} turns over 5 ms; ${own.length} by its own work (${worst.join(', ')}), ` +
      `${disk.length} waiting for the disk, the others for the processor`,
  );
}

function sayDone(done: Done): void {
  const of = (times: number[]) => {
    const sorted = [...times].sort((a, b) => a - b);
    return `${times.length} (median ${(sorted[Math.floor(sorted.length / 2)] ?? 0).toFixed(0)} ms)`;
  };
  console.log(
    `       meanwhile: batches of ${BATCH.toLocaleString('en')} ${of(done.batches)}, sheets ${of(done.sheets)}, ` +
      `years reported ${of(done.reports)}, portal pages ${of(done.pages)}`,
  );
}

async function measureStore(dataDir: string, seconds: number, perSecond: number): Promise<void> {
  letEveryoneIn(join(dataDir, 'karibu.db'));
  const guests = [...readGuests(dataDir)];
  console.log(`${guests.length.toLocaleString('en')} credentials, ${perSecond} Access-Requests a second`);
  const random = createRandom(11);
  const lanes = Array.from({ length: IDENTIFIERS }, (_, lane) =>
    Array.from({ length: Math.ceil(REQUESTS / IDENTIFIERS) }, () =>
      accessRequest(random.pick(guests), 'pap', lane, secret),
    ),
  );
  const server = start('app', dataDir);
  const addresses = await answerOf<Addresses>(server);
  const turns = () => {
    server.send('turns');
    return answerOf<LongTurn[]>(server);
  };
  const run = (length: number) => runRate({ port: addresses.auth, lanes, seconds: length, perSecond });
  await run(3);
  await turns();
  say('quiet', await run(seconds), await turns());

  const staff = start('office');
  staff.send(addresses);
  await answerOf(staff);
  say('busy', await run(seconds), await turns());
  staff.send('end');
  sayDone(await answerOf<Done>(staff));
  staff.disconnect();
  const gone = new Promise((resolve) => server.once('exit', resolve));
  server.send('end');
  await gone;
}

async function measure(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      credentials: { type: 'string' },
      seconds: { type: 'string' },
      'per-second': { type: 'string' },
    },
  });
  const seconds = Number(values.seconds ?? 20);
  const perSecond = Number(values['per-second'] ?? 1000);
  if (values.data) {
    await measureStore(values.data, seconds, perSecond);
    return;
  }
  const scratch = mkdtempSync(join(tmpdir(), 'karibu-busy-'));
  try {
    const dataDir = join(scratch, 'data');
    const entitlements = Math.ceil(Number(values.credentials ?? 100_000) / 0.83);
    await seedStore(dataDir, { vouchers: entitlements, entitlements, sessions: 0 });
    await measureStore(dataDir, seconds, perSecond);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
