// Brings the payments to what a statement says, line by line, resumable after a power cut.
import { setImmediate } from 'node:timers/promises';
import { diskTrouble } from '../db/disk.ts';
import { type Page, type PageRequest, readPage } from '../db/page.ts';
import type { Db, Row } from '../db/schema.ts';
import { enqueueTask } from '../db/tasks.ts';
import { AppError, errorText } from '../errors.ts';
import { newId } from '../lib/ids.ts';
import type { Vault } from '../lib/secrets.ts';
import type { StatementReversal } from '../protocols/mpesa/index.ts';
import { keepEvidence } from './evidence.ts';
import { bookPayment } from './ledger.ts';
import { type Money, moneyOfStatement } from './money.ts';
import type { Payment } from './payments.ts';
import { settleIn } from './settle.ts';
import type { MissingPayment, StatementDoubt, StatementReading } from './statement.ts';
import { withdrawGrant } from './withdraw-grant.ts';

/** More are counted, not named. */
const MOST_NAMED = 500;
/** Lines that are counted as done together. */
const LINES_IN_A_PART = 100;
/** How long some lines hold the event loop: packets are answered in between. */
const TURN_MS = 2;

/** One line to be worked off: money that came, that came and went back unknown, or that went back. */
type Line = { paid: Money } | { returned: Money } | { reversal: StatementReversal };

/** A statement ready to be written down: what it says at once, and its lines as JSON, some in each part. */
export interface PreparedImport
  extends Pick<
    Row<'statement_imports'>,
    | 'rows'
    | 'matched'
    | 'found'
    | 'lines'
    | 'returned'
    | 'others'
    | 'unreadable'
    | 'missing_count'
    | 'to_check'
    | 'missing'
    | 'from_at'
    | 'to_at'
  > {
  parts: string[];
}

/** What came of an import, as far as it is. `settled` and `unmatched` are of `new`, what Karibu did not know. */
export interface StatementImport
  extends Omit<Row<'statement_imports'>, 'found' | 'to_check' | 'missing' | 'created_by'> {
  new: number;
  to_check: StatementDoubt[];
  missing: MissingPayment[];
}

/** Takes apart what was read; pure, and heavy for a long statement. */
export function prepareImport(reading: StatementReading): PreparedImport {
  const { rows, matched, others, unreadable, fresh, returned, reversals, to_check, missing, period } =
    reading;
  const lines: Line[] = [
    ...returned.map((row) => ({ returned: moneyOfStatement(row) })),
    ...fresh.map((row) => ({ paid: moneyOfStatement(row) })),
    ...reversals.map((reversal) => ({ reversal })),
  ];
  const parts: string[] = [];
  for (let at = 0; at < lines.length; at += LINES_IN_A_PART) {
    parts.push(JSON.stringify(lines.slice(at, at + LINES_IN_A_PART)));
  }
  return {
    ...{ rows, matched, others, unreadable, parts },
    ...{ found: fresh.length, returned: returned.length, lines: lines.length },
    missing_count: missing.length,
    to_check: JSON.stringify(to_check.slice(0, MOST_NAMED)),
    missing: JSON.stringify(missing.slice(0, MOST_NAMED)),
    from_at: period?.from ?? null,
    to_at: period?.to ?? null,
  };
}

/** Written down in one turn of the event loop. */
const PARTS_AT_ONCE = 10;
/** Whoever was writing an import down for so long is gone. */
const WRITING_MS = 600_000;

/** Writes an import down, then the task that works it off. What a power cut left half written is cleared away. */
export async function startImport(
  db: Db,
  prepared: PreparedImport,
  by: string,
  now: number,
): Promise<StatementImport> {
  const { parts, ...said } = prepared;
  const id = newId(now);
  await clearHalfWritten(db, now);
  await db
    .insertInto('statement_imports')
    .values({
      ...{ id, ...said, state: 'writing', done: 0, settled: 0, unmatched: 0, reversed: 0 },
      ...{ created_by: by, created_at: now, ready_at: null },
    })
    .execute();
  const rows = parts.map((lines, part) => ({ import_id: id, part, lines }));
  for (let at = 0; at < rows.length; at += PARTS_AT_ONCE) {
    await db
      .insertInto('statement_parts')
      .values(rows.slice(at, at + PARTS_AT_ONCE))
      .execute();
    await setImmediate();
  }
  await db.transaction().execute(async (tx) => {
    await tx.updateTable('statement_imports').set({ state: 'settling' }).where('id', '=', id).execute();
    await enqueueTask(tx, 'settle_statement', { import_id: id }, now);
  });
  return getImport(db, id);
}

async function clearHalfWritten(db: Db, now: number): Promise<void> {
  await db.transaction().execute(async (tx) => {
    const left = await tx
      .deleteFrom('statement_imports')
      .where('state', '=', 'writing')
      .where('created_at', '<', now - WRITING_MS)
      .returning('id')
      .execute();
    for (const { id } of left) await tx.deleteFrom('statement_parts').where('import_id', '=', id).execute();
  });
}

/**
 * Works an import off, part by part. Each line changes something once, and a part goes with the counting of it: after a
 * power cut it is called again and goes on. @throws `not_found`.
 */
export async function continueImport(
  db: Db,
  vault: Vault,
  id: string,
  now: () => number,
): Promise<StatementImport> {
  for (;;) {
    const next = await db
      .selectFrom('statement_parts')
      .selectAll()
      .where('import_id', '=', id)
      .orderBy('part')
      .limit(1)
      .executeTakeFirst();
    if (!next) return finishImport(db, id, now());
    const lines = JSON.parse(next.lines) as Line[];
    const failed = await settleLines(db, vault, lines, now());
    await countPart(db, next, lines, failed);
  }
}

/** Some lines share a commit, as many as a turn holds. What the store cannot take for itself is told, and left out. */
async function settleLines(
  db: Db,
  vault: Vault,
  lines: readonly Line[],
  now: number,
): Promise<StatementDoubt[]> {
  const failed: StatementDoubt[] = [];
  let alone = 0;
  for (let at = 0; at < lines.length; ) {
    try {
      at = await settleTurn(db, vault, lines, at, alone > 0 ? 1 : lines.length, now);
      if (alone > 0) alone--;
    } catch (error) {
      if (diskTrouble(error)) throw error;
      if (alone === 0) alone = LINES_IN_A_PART;
      else {
        failed.push({ receipt: receiptOf(lines[at] as Line), problem: `Not settled: ${errorText(error)}` });
        at++;
      }
    }
    await setImmediate();
  }
  return failed;
}

const receiptOf = (line: Line): string =>
  'paid' in line ? line.paid.receipt : 'returned' in line ? line.returned.receipt : line.reversal.of;

/** Works lines off from `from` on, at most `most`; where it came to. */
async function settleTurn(
  db: Db,
  vault: Vault,
  lines: readonly Line[],
  from: number,
  most: number,
  now: number,
): Promise<number> {
  const began = performance.now();
  return db.transaction().execute(async (tx) => {
    let at = from;
    do {
      await settleLine(tx, vault, lines[at] as Line, now);
      at++;
    } while (at < lines.length && at < from + most && performance.now() - began < TURN_MS);
    return at;
  });
}

async function settleLine(tx: Db, vault: Vault, line: Line, now: number): Promise<void> {
  if ('reversal' in line) return reversePayment(tx, line.reversal, now);
  const money = 'paid' in line ? line.paid : line.returned;
  const about = { kind: 'statement' as const, order_id: null, receipt: money.receipt, source_address: null };
  const body = JSON.stringify(money);
  if ('returned' in line) {
    const quarantine = 'The money went back before Karibu knew of it.';
    await keepEvidence(tx, { ...about, body, quarantine }, now);
    return;
  }
  const evidence =
    (await keepEvidence(tx, { ...about, body, settled_here: true }, now)) ??
    (await findUnsettled(tx, money.receipt));
  if (evidence) await settleIn(tx, vault, evidence.id, now);
}

/** What an import kept that was cut off before it settled. */
async function findUnsettled(tx: Db, receipt: string): Promise<{ id: string } | undefined> {
  return tx
    .selectFrom('evidence')
    .select('id')
    .where('receipt', '=', receipt)
    .where('kind', '=', 'statement')
    .where('state', '=', 'received')
    .executeTakeFirst();
}

/** Marks the payment that a reversal undoes and takes back what it gave, unless that was done before. */
async function reversePayment(tx: Db, reversal: StatementReversal, now: number): Promise<void> {
  const about = { kind: 'reversal' as const, order_id: null, receipt: reversal.of, source_address: null };
  const quarantine = 'About a payment sent back.';
  await keepEvidence(tx, { ...about, body: JSON.stringify(reversal), quarantine }, now);
  const payment = await tx
    .updateTable('payments')
    .set({ state: 'reversed', reversal: null })
    .where('receipt', '=', reversal.of)
    .where('gateway', '=', 'mpesa')
    .where('amount_cents', '=', reversal.amount_cents)
    .where('state', '<>', 'reversed')
    .returningAll()
    .executeTakeFirst();
  if (!payment) return;
  await tx
    .updateTable('evidence')
    .set({ state: 'used', summary: 'The money went back.', processed_at: now, payment_id: payment.id })
    .where('kind', '=', 'reversal')
    .where('receipt', '=', reversal.of)
    .where('state', '=', 'quarantined')
    .execute();
  await withdrawGrant(tx, payment as Payment, now);
  await bookPayment(tx, payment.id, now);
}

/** Counts a part by what the payments are now, and takes it away with that: nothing is counted twice. */
async function countPart(
  db: Db,
  part: Row<'statement_parts'>,
  lines: readonly Line[],
  failed: readonly StatementDoubt[],
): Promise<void> {
  const paid = lines.flatMap((line) => ('paid' in line ? [line.paid.receipt] : []));
  const back = lines.flatMap((line) => ('reversal' in line ? [line.reversal.of] : []));
  await db.transaction().execute(async (tx) => {
    const gone = await tx
      .deleteFrom('statement_parts')
      .where('import_id', '=', part.import_id)
      .where('part', '=', part.part)
      .returning('part')
      .executeTakeFirst();
    if (!gone) return;
    const payments =
      paid.length + back.length === 0
        ? []
        : await tx
            .selectFrom('payments')
            .select(['receipt', 'state'])
            .where('receipt', 'in', [...paid, ...back])
            .execute();
    const states = new Map(payments.map(({ receipt, state }) => [receipt, state]));
    const count = (receipts: readonly string[], state: Payment['state']) =>
      receipts.filter((receipt) => states.get(receipt) === state).length;
    const told = new Set(failed.map(({ receipt }) => receipt));
    const aside = paid
      .filter((receipt) => !states.has(receipt) && !told.has(receipt))
      .map((receipt) => ({ receipt, problem: 'It is kept aside: look at its evidence.' }));
    const { to_check } = await tx
      .selectFrom('statement_imports')
      .select('to_check')
      .where('id', '=', part.import_id)
      .executeTakeFirstOrThrow();
    const doubts = [...(JSON.parse(to_check) as StatementDoubt[]), ...failed, ...aside];
    await tx
      .updateTable('statement_imports')
      .set((eb) => ({
        done: eb('done', '+', lines.length),
        settled: eb('settled', '+', count(paid, 'settled')),
        unmatched: eb('unmatched', '+', count(paid, 'unmatched')),
        reversed: eb('reversed', '+', count(back, 'reversed')),
        to_check: JSON.stringify(doubts.slice(0, MOST_NAMED)),
      }))
      .where('id', '=', part.import_id)
      .execute();
  });
}

/** All is worked off: a payment whose receipt the statement brought is not missing on it. */
async function finishImport(db: Db, id: string, now: number): Promise<StatementImport> {
  const { missing, missing_count } = await getImport(db, id);
  const waiting = missing.flatMap((payment) => (payment.receipt === null ? [payment.id] : []));
  const named = new Set<string>();
  if (waiting.length > 0) {
    const still = await db
      .selectFrom('payments')
      .select('id')
      .where('id', 'in', waiting)
      .where('receipt', 'is', null)
      .execute();
    for (const payment of still) named.add(payment.id);
  }
  const left = missing.filter((payment) => payment.receipt !== null || named.has(payment.id));
  await db
    .updateTable('statement_imports')
    .set({
      ...{ state: 'ready', ready_at: now },
      ...{ missing: JSON.stringify(left), missing_count: missing_count - missing.length + left.length },
    })
    .where('id', '=', id)
    .where('state', '=', 'settling')
    .execute();
  return getImport(db, id);
}

function view(row: Row<'statement_imports'>): StatementImport {
  const { found, to_check, missing, created_by: _, ...rest } = row;
  return {
    ...{ ...rest, new: found },
    to_check: JSON.parse(to_check) as StatementDoubt[],
    missing: JSON.parse(missing) as MissingPayment[],
  };
}

/** @throws `not_found`. */
export async function getImport(db: Db, id: string): Promise<StatementImport> {
  const row = await db.selectFrom('statement_imports').selectAll().where('id', '=', id).executeTakeFirst();
  if (!row) throw new AppError('not_found', 'There is no such import.');
  return view(row);
}

/** Imports, the newest first. */
export async function listImports(db: Db, page: PageRequest): Promise<Page<StatementImport>> {
  const query = db.selectFrom('statement_imports').selectAll();
  const { items, next } = await readPage(query, 'statement_imports.id', page);
  return { items: items.map(view), next };
}
