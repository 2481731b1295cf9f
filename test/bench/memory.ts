// Measures the memory of the compiled binary at rest: with 5,000 open sessions, after a restart, after 100,000 vouchers.
//
//   node scripts/build.mjs && npx bun test/bench/memory.ts [--sessions 5000] [--vouchers 100000] [--rest 60]
//
// Resident memory (VmRSS of /proc/PID/status) after the seconds of rest, of which the part that belongs to files on disk
// (the executable and the mapped database) can be given back at any time; RssAnon is what nobody else can use.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { letEveryoneIn, readGuests } from './radius/guests.ts';
import { runLoad } from './radius/load.ts';
import { accountingOfSession } from './radius/requests.ts';
import { ACCOUNT, SEEDED_AT, seedStore } from './seed.ts';
import { RADIUS_SECRET } from './store/catalogue.ts';

const BINARY = join(import.meta.dirname, '../../dist/karibu');
const secret = Buffer.from(RADIUS_SECRET);
const LANES = 50;

if (!existsSync(BINARY))
  throw new Error('There is no dist/karibu: build it first, with node scripts/build.mjs');

interface Running {
  process: ChildProcess;
  admin: string;
  acct: number;
}

async function start(dataDir: string): Promise<Running> {
  const free = '127.0.0.1:0';
  const child = spawn(BINARY, ['serve', '--data', dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      KARIBU_ADMIN_LISTEN: free,
      KARIBU_PORTAL_LISTEN: free,
      KARIBU_CALLBACK_LISTEN: free,
      KARIBU_RADIUS_AUTH_LISTEN: free,
      KARIBU_RADIUS_ACCT_LISTEN: free,
    },
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as { msg: string; admin: string; radius_acct: string };
    if (said.msg !== 'ready') continue;
    child.stdout.resume();
    return {
      process: child,
      admin: `http://${said.admin}`,
      acct: Number(said.radius_acct.split(':').at(-1)),
    };
  }
  throw new Error('Karibu ended before it was ready');
}

async function stop({ process: child }: Running): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await gone;
}

async function rest(seconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

function say(what: string, { process: child }: Running): void {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  const mb = (name: string) => (Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) * 1024) / 1e6;
  const parts = `anonymous ${mb('RssAnon').toFixed(0)} MB, files ${mb('RssFile').toFixed(0)} MB`;
  console.log(`${what.padEnd(44)} ${mb('VmRSS').toFixed(0).padStart(4)} MB  (${parts})`);
}

async function makeVouchers(admin: string, count: number): Promise<void> {
  const post = async (path: string, body: unknown, token = '') => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
    const answer = await fetch(`${admin}/api/v1${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as { token: string; id: string };
  };
  const { token } = await post('/auth/login', ACCOUNT);
  const get = async <T>(path: string) => {
    const answer = await fetch(`${admin}/api/v1${path}`, { headers: { authorization: `Bearer ${token}` } });
    return (await answer.json()) as T;
  };
  const plans = await get<{ items: { id: string }[] }>('/plans');
  const { id } = await post('/voucher-batches', { plan_id: plans.items[0]?.id, count }, token);
  while ((await get<{ state: string }>(`/voucher-batches/${id}`)).state === 'making') await rest(0.2);
}

const { values } = parseArgs({
  options: { sessions: { type: 'string' }, vouchers: { type: 'string' }, rest: { type: 'string' } },
});
const sessions = Number(values.sessions ?? 5000);
const vouchers = Number(values.vouchers ?? 100_000);
const seconds = Number(values.rest ?? 60);
const scratch = mkdtempSync(join(tmpdir(), 'karibu-memory-'));
let running: Running | undefined;
try {
  await seedStore(scratch, { vouchers: 10_000, entitlements: 10_000, sessions: 0 });
  letEveryoneIn(join(scratch, 'karibu.db'));
  const guests = [...readGuests(scratch)].slice(0, sessions);
  running = await start(scratch);
  await rest(seconds);
  say(`idle, a store up to ${new Date(SEEDED_AT).toISOString().slice(0, 10)}`, running);
  const lanes = Array.from({ length: LANES }, (_, lane) =>
    guests
      .filter((_, at) => at % LANES === lane)
      // Start and two Interims of each: it stays open.
      .flatMap((guest, at) =>
        accountingOfSession(guest, `${lane.toString(16)}x${at}`, lane, secret).slice(0, 3),
      ),
  );
  await runLoad({ port: running.acct, lanes, seconds: 60, secret, again: false });
  await rest(seconds);
  say(`idle, ${guests.length.toLocaleString('en')} sessions opened over the wire`, running);
  await stop(running);
  running = await start(scratch);
  await rest(seconds);
  say('the same after a restart', running);
  await makeVouchers(running.admin, vouchers);
  say(`${vouchers.toLocaleString('en')} vouchers made just now`, running);
  await rest(seconds);
  say('the same at rest', running);
} finally {
  if (running) await stop(running);
  rmSync(scratch, { recursive: true, force: true });
}
