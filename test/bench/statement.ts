// Measures how long a statement of 10,000 lines takes beside 10,000 payments.
//
//   npx bun test/bench/statement.ts [--lines 10000]
//
// A store on disk with as many payments as lines; the reading, as the worker does it. Then the import of it, which
// changes nothing, and as many lines that were lost: how long until the answer, and until all is settled.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readStatement } from '../../src/billing/statement.ts';
import { continueImport, prepareImport, startImport } from '../../src/billing/statement-import.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openSqlite } from '../../src/db/open.ts';
import { newId } from '../../src/lib/ids.ts';
import { formatEatTimestamp, makeReceipt } from '../../src/protocols/mpesa/index.ts';
import { NOW, vault } from '../access/fixtures.ts';
import { watchEventLoop } from './store/event-loop.ts';

const { values } = parseArgs({ options: { lines: { type: 'string', default: '10000' } } });
const lines = Number(values.lines);

const folder = mkdtempSync(join(tmpdir(), 'karibu-bench-'));
const db = await openSqlite(join(folder, 'karibu.db'));
await migrate(db, { now: NOW });

const rows = Array.from({ length: 2 * lines }, (_, n) => ({
  receipt: makeReceipt(NOW),
  at: NOW + n * 1000,
}));
for (let from = 0; from < lines; from += 500) {
  await db
    .insertInto('payments')
    .values(
      rows.slice(from, Math.min(from + 500, lines)).map(({ receipt, at }) => ({
        ...{ id: newId(at), gateway: 'mpesa' as const, receipt, checkout_request_id: null, order_id: null },
        ...{ subscriber_id: null, plan_id: null, entitlement_id: null, msisdn: null, amount_cents: 2000 },
        ...{ state: 'unmatched' as const, note: null, received_at: at, created_at: at },
      })),
    )
    .execute();
}

const head =
  'Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn,Balance,Balance Confirmed,Reason Type,Other Party Info,Linked Transaction ID,A/C No.';
function csv(of: typeof rows): string {
  const written = of.map(({ receipt, at }, n) => {
    const t = formatEatTimestamp(at);
    const when = `${t.slice(6, 8)}-${t.slice(4, 6)}-${t.slice(0, 4)} ${t.slice(8, 10)}:${t.slice(10, 12)}:${t.slice(12)}`;
    const party = `2547*****${String(n % 1000).padStart(3, '0')} - Achieng ${n % 250}`;
    return `${receipt},${when},${when},Pay Bill from ${party} Acc. nobody,Completed,20.00,,"5,000.00",true,Pay Utility,${party},,nobody`;
  });
  return [head, ...written.toReversed(), ''].join('\r\n');
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const from = performance.now();
  const done = await work();
  console.log(`${what}: ${Math.round(performance.now() - from)} ms`);
  return done;
}

async function importAll(text: string, words: string) {
  const started = await timed(`${words}: written down`, async () =>
    startImport(db, prepareImport(await readStatement(db, text, NOW)), 'bench', NOW),
  );
  const watch = watchEventLoop();
  const done = await timed(`${words}: settled`, () => continueImport(db, vault, started.id, () => NOW));
  const turns = watch.take().filter(({ workMs }) => workMs > 5);
  console.log(
    `  ${turns.length} turns over 5 ms (${turns.slice(0, 5).map((turn) => turn.workMs.toFixed(1))})`,
  );
  return done;
}

const text = csv(rows.slice(0, lines));
console.log(`${lines} lines, ${(text.length / 1e6).toFixed(1)} MB`);
await timed('read and matched', () => readStatement(db, text, NOW));
const again = await importAll(text, 'nothing new');
const found = await importAll(csv(rows.slice(lines)), `${lines} lost ones`);
if (again.matched !== lines || again.new !== 0 || found.new !== lines || found.unmatched !== lines) {
  console.error('the figures do not fit', again, found);
  process.exitCode = 1;
}
await db.destroy();
rmSync(folder, { recursive: true });
process.exit();
