// Measures how fast every list and the overview answer over HTTP on a seeded store.
//
//   npx bun test/bench/lists.ts --data DIR [--only TEXT] [--runs 20]
//
// DIR is what seed.ts made. Each list is read at its beginning, in its middle and near its end, by 50 and by 1,000, with
// every filter. Times are whole answers, read to the last octet by this same process: a little more than a browser
// waits for. A p95 over 100 ms is flagged; what other programs do to a shared machine shows in max and not in cpu.
import { parseArgs } from 'node:util';
import type { Db } from '../../src/db/schema.ts';
import { DAY_MS } from '../../src/lib/days.ts';
import { idAt } from '../../src/lib/ids.ts';
import { ACCOUNT, SEEDED_AT } from './seed.ts';
import { runApp } from './store/run.ts';

const LIMIT_MS = 100;

const { values } = parseArgs({
  options: { data: { type: 'string' }, only: { type: 'string' }, runs: { type: 'string' } },
});
if (!values.data) throw new Error('Say where the store is: --data DIR');
const runs = Number(values.runs ?? 20);

/** Where in a list: every list is ordered by ids, which begin with their time. */
const PLACES = {
  first: undefined,
  middle: idAt(SEEDED_AT - 180 * DAY_MS),
  end: idAt(SEEDED_AT - 364 * DAY_MS),
};

/** Every list with every filter, and the filters that the pages combine. */
async function listPaths(db: Db): Promise<string[]> {
  const plans = await db.selectFrom('plans').select('id').orderBy('position').execute();
  const [common, rare] = [plans[1]?.id, plans.at(-1)?.id];
  const router = (await db.selectFrom('routers').select('id').executeTakeFirstOrThrow()).id;
  const batch = await db
    .selectFrom('voucher_batches')
    .select('id')
    .where('id', '<', PLACES.middle as string)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirstOrThrow();
  const buyer = await db
    .selectFrom('payments')
    .select(['subscriber_id', 'msisdn', 'receipt'])
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirstOrThrow();
  const online = await db
    .selectFrom('sessions')
    .select(['username', 'mac'])
    .where('state', '=', 'open')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirstOrThrow();
  const account = (await db.selectFrom('accounts').select('id').executeTakeFirstOrThrow()).id;
  const each = (path: string, ...filters: string[]) => filters.map((filter) => `${path}?${filter}`);
  return [
    '/plans',
    ...each('/plans', 'state=on_sale', 'state=archived'),
    '/routers',
    '/accounts',
    '/audit',
    ...each('/audit', 'entity=plan', 'entity=nothing', `account_id=${account}`),
    ...each('/audit', `entity=plan&account_id=${account}`, 'entity=plan&entity_id=nothing'),
    '/voucher-batches',
    ...each('/voucher-batches', 'state=ready', 'state=making', `plan_id=${rare}`),
    `/voucher-batches?plan_id=${rare}&state=cancelled`,
    `/voucher-batches/${batch.id}/vouchers`,
    '/vouchers',
    ...each(
      '/vouchers',
      'state=unused',
      'state=redeemed',
      'state=cancelled',
      `plan_id=${common}`,
      'q=NOSUCHCD',
    ),
    ...each('/vouchers', `plan_id=${rare}&state=unused`, `plan_id=${rare}&state=cancelled`),
    ...each('/vouchers', `batch_id=${batch.id}`, `batch_id=${batch.id}&state=cancelled`),
    ...each(
      '/vouchers',
      `batch_id=${batch.id}&plan_id=${common}`,
      `batch_id=${batch.id}&plan_id=${rare}&state=unused`,
    ),
    '/subscribers',
    ...each(
      '/subscribers',
      'state=active',
      'state=suspended',
      'q=0712345678',
      'q=A',
      'q=Wanjiku%20O',
      'q=Zzz',
    ),
    ...each('/subscribers', 'state=suspended&q=A', 'state=active&q=Zzz'),
    ...['entitlements', 'sessions', 'payments', 'credentials'].map(
      (list) => `/subscribers/${buyer.subscriber_id}/${list}`,
    ),
    '/credentials',
    ...each('/credentials', `q=${online.username}`, 'q=nobody'),
    '/entitlements',
    ...each('/entitlements', 'state=waiting', 'state=active', 'state=ended', 'state=revoked'),
    ...each(
      '/entitlements',
      `subscriber_id=${buyer.subscriber_id}`,
      `subscriber_id=${buyer.subscriber_id}&state=revoked`,
    ),
    '/sessions',
    ...each('/sessions', 'state=open', 'state=closed', `router_id=${router}`, 'router_id=nothing'),
    ...each('/sessions', `state=open&router_id=${router}`, `state=closed&router_id=${router}`),
    ...each('/sessions', `q=${online.username}`, `q=${online.mac}`, `q=${buyer.msisdn}`, 'q=nobody'),
    ...each('/sessions', `state=open&q=${online.mac}`, `state=closed&q=${online.username}`),
    ...each('/sessions', `state=open&router_id=${router}&q=${buyer.msisdn}`),
    '/orders',
    ...each('/orders', 'state=pending', 'state=paid', 'state=failed', 'state=checking', `q=${buyer.msisdn}`),
    `/orders?state=checking&q=${buyer.msisdn}`,
    '/payments',
    ...each('/payments', 'state=settled', 'state=unmatched', 'state=reversed', `q=${buyer.msisdn}`),
    ...each('/payments', `q=${buyer.receipt}`, `state=unmatched&q=${buyer.msisdn}`, 'q=NOSUCHCODE'),
    '/messages',
    ...each('/messages', 'state=delivered', 'state=failed', 'state=queued'),
  ];
}

interface Figures {
  name: string;
  rows: number;
  /** The very first answer, with nothing of it in the store's own cache. */
  cold: number;
  p50: number;
  p95: number;
  max: number;
  /** Processor time of one answer, ours and the reader's: what other programs on the machine do not change. */
  cpu: number;
}

const { app, bound } = await runApp(values.data);
const base = `http://${bound.admin}/api/v1`;
const login = await fetch(`${base}/auth/login`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(ACCOUNT),
});
const { token } = (await login.json()) as { token: string };

async function measure(name: string, path: string): Promise<Figures> {
  const times: number[] = [];
  let text = '';
  const before = process.cpuUsage();
  for (let n = 0; n < runs; n++) {
    const started = performance.now();
    const response = await fetch(base + path, { headers: { authorization: `Bearer ${token}` } });
    text = await response.text();
    times.push(performance.now() - started);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text.slice(0, 300)}`);
  }
  const { user, system } = process.cpuUsage(before);
  const cold = times[0] as number;
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor((times.length - 1) * share)] as number;
  const rows = (JSON.parse(text) as { items?: unknown[] }).items?.length ?? 1;
  return { name, rows, cold, p50: at(0.5), p95: at(0.95), max: at(1), cpu: (user + system) / 1000 / runs };
}

const only = values.only ?? '';
const shown = (path: string) => path.replace(/[0-9a-hjkmnp-tv-z]{26}/g, '{id}');
const figures: Figures[] = [];
function print({ name, rows, cold, p50, p95, max, cpu }: Figures): void {
  const times = [cold, p50, p95, max, cpu].map((time) => time.toFixed(1).padStart(8)).join('');
  console.log(`${name.padEnd(76)}${String(rows).padStart(6)}${times}${p95 > LIMIT_MS ? '  OVER' : ''}`);
}

console.log(`Bun ${Bun.version}, ${runs} of each, ms`);
console.log(`${''.padEnd(76)}  rows    cold     p50     p95     max     cpu`);
for (const path of ['/reports/overview', '/reports/access-log', '/auth/me']) {
  if (!path.includes(only)) continue;
  figures.push(await measure(path, path));
  print(figures.at(-1) as Figures);
}
for (const path of await listPaths(app.db)) {
  if (!path.includes(only)) continue;
  for (const [place, cursor] of Object.entries(PLACES)) {
    for (const limit of [50, 1000]) {
      const joined = path.includes('?') ? '&' : '?';
      const whole = `${path}${joined}limit=${limit}${cursor ? `&cursor=${cursor}` : ''}`;
      figures.push(await measure(`${shown(path)} ${place}, ${limit}`, whole));
      print(figures.at(-1) as Figures);
    }
  }
}
const slow = figures.filter((each) => each.p95 > LIMIT_MS);
const slowest = figures.toSorted((a, b) => b.p95 - a.p95).slice(0, 5);
console.log(`\n${figures.length} measured, ${slow.length} with a p95 over ${LIMIT_MS} ms; the slowest:`);
for (const each of slowest) print(each);
await app.stop();
process.exit(slow.length > 0 ? 1 : 0);
