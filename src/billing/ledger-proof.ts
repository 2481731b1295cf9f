// Proves the ledger: it balances, each entry does, and it says of every payment what the payment says.
import { sql } from 'kysely';
import type { Db } from '../db/schema.ts';
import { readSetting, writeSetting } from '../db/settings.ts';
import { formatMoney } from '../lib/money.ts';
import { bookPayment } from './ledger.ts';

const KEY = 'ledger_proof';
const BACKLOG_KEY = 'ledger_backlog';
/** Rows of one statement: everything else takes its turn between two. */
const SLICE = 500;
/** Payments booked in one transaction. */
const BOOKED_AT_ONCE = 50;
const MOST_PROBLEMS = 50;

export interface LedgerProof {
  ok: boolean;
  /** False while payments from before the ledger are still being booked. */
  complete: boolean;
  at: number;
  entries: number;
  payments: number;
  /** At most 50, in words for the operator. */
  problems: string[];
}

const pause = () => new Promise((resolve) => setImmediate(resolve));

/**
 * Reads the whole ledger in slices and compares: each entry's lines add up to nothing; the days' sums are those of
 * their lines, and add up to nothing; each payment is booked as its state says; a closed till is empty. Every
 * comparison is one statement, so that a payment that comes meanwhile is no difference.
 */
export async function proveLedger(db: Db, now: number): Promise<LedgerProof> {
  const problems: string[] = [];
  const add = (problem: string) => problems.length < MOST_PROBLEMS && problems.push(problem);
  const backlog = await readSetting<Backlog>(db, BACKLOG_KEY);
  const complete = backlog?.done === true;
  const entries = await proveEntries(db, add);
  await proveDays(db, add);
  const payments = await provePayments(db, complete, add);
  await proveTills(db, add);
  return { ok: problems.length === 0, complete, at: now, entries, payments, problems };
}

type Add = (problem: string) => void;

async function proveEntries(db: Db, add: Add): Promise<number> {
  let cursor = '';
  let count = 0;
  for (;;) {
    const { rows } = await sql<{ id: string; cause: string; cents: number | null }>`
      select e.id, e.cause, (select sum(l.amount_cents) from ledger_lines l where l.entry_id = e.id) as cents
      from ledger_entries e where e.id > ${cursor} order by e.id limit ${SLICE}`.execute(db);
    for (const row of rows) {
      if (row.cents === null) add(`The entry ${row.cause} has no lines.`);
      else if (Number(row.cents) !== 0)
        add(`The entry ${row.cause} is off by ${formatMoney(Number(row.cents))}.`);
    }
    count += rows.length;
    cursor = rows.at(-1)?.id ?? '';
    if (rows.length < SLICE) return count;
    await pause();
  }
}

async function proveDays(db: Db, add: Add): Promise<void> {
  const { rows: days } = await sql<{ day: string }>`
    select distinct day from ledger_days union select distinct day from ledger_entries order by day`.execute(
    db,
  );
  for (const { day } of days) {
    const { rows } = await sql<{ account: string; cents: number }>`
      select account, sum(cents) as cents from (
        select account, amount_cents as cents from ledger_lines where day = ${day}
        union all select account, -amount_cents from ledger_days where day = ${day}
      ) x group by account having sum(cents) <> 0`.execute(db);
    for (const row of rows)
      add(
        `The sum of ${row.account} on ${day} is off by ${formatMoney(Number(row.cents))} against its lines.`,
      );
    await pause();
  }
  const { rows } = await sql<{ cents: number | null }>`
    select sum(amount_cents) as cents from ledger_days`.execute(db);
  const sum = Number(rows[0]?.cents ?? 0);
  if (sum !== 0) add(`The ledger does not balance: ${formatMoney(sum)}.`);
}

interface PaymentRow {
  id: string;
  state: 'settled' | 'unmatched' | 'reversed';
  gateway: string;
  amount_cents: number;
  entries: number;
  mpesa: number;
  cash: number;
  sold: number;
  unmatched: number;
}

async function provePayments(db: Db, complete: boolean, add: Add): Promise<number> {
  let cursor = '';
  let count = 0;
  for (;;) {
    const { rows } = await sql<PaymentRow>`
      select p.id, p.state, p.gateway, p.amount_cents, count(l.entry_id) as entries,
        coalesce(sum(case when l.account = 'mpesa' then l.amount_cents else 0 end), 0) as mpesa,
        coalesce(sum(case when l.account in ('till', 'safe') then l.amount_cents else 0 end), 0) as cash,
        coalesce(sum(case when l.account in ('sales', 'refunds') then l.amount_cents else 0 end), 0) as sold,
        coalesce(sum(case when l.account = 'unmatched' then l.amount_cents else 0 end), 0) as unmatched
      from (select id, state, gateway, amount_cents from payments where id > ${cursor}
        order by id limit ${SLICE}) p
      left join ledger_entries e on e.payment_id = p.id
      left join ledger_lines l on l.entry_id = e.id
      group by p.id, p.state, p.gateway, p.amount_cents order by p.id`.execute(db);
    for (const row of rows) {
      const problem = differenceOf(row, complete);
      if (problem) add(`The payment ${row.id} (${row.state}) ${problem}.`);
    }
    count += rows.length;
    cursor = rows.at(-1)?.id ?? '';
    if (rows.length < SLICE) return count;
    await pause();
  }
}

/** What the ledger says of a payment otherwise than the payment itself. */
function differenceOf(row: PaymentRow, complete: boolean): string | undefined {
  if (Number(row.entries) === 0) {
    const due = row.state !== 'reversed' && Number(row.amount_cents) !== 0;
    return complete && due ? 'is not booked' : undefined;
  }
  const amount = row.state === 'reversed' ? 0 : Number(row.amount_cents);
  const isCash = row.gateway === 'cash';
  const expected: [string, number, number][] = [
    ['M-PESA', Number(row.mpesa), isCash ? 0 : amount],
    ['cash', Number(row.cash), isCash ? amount : 0],
    ['sales', Number(row.sold), row.state === 'settled' ? -amount : 0],
    ['unmatched money', Number(row.unmatched), row.state === 'unmatched' ? -amount : 0],
  ];
  const wrong = expected.find(([, booked, due]) => booked !== due);
  return wrong && `stands with ${formatMoney(wrong[1])} in ${wrong[0]} instead of ${formatMoney(wrong[2])}`;
}

async function proveTills(db: Db, add: Add): Promise<void> {
  const { rows } = await sql<{ id: string; cents: number }>`
    select t.id, sum(l.amount_cents) as cents from ledger_lines l
    join till_sessions t on t.id = l.holder
    where l.account = 'till' and t.closed_at is not null
    group by t.id having sum(l.amount_cents) <> 0`.execute(db);
  for (const row of rows) add(`The closed till ${row.id} still holds ${formatMoney(Number(row.cents))}.`);
}

interface Backlog {
  /** The last payment looked at. */
  at: string;
  done: boolean;
}

/**
 * Books what was paid before there was a ledger, in slices that begin where the last one ended, also after a power cut.
 * How many payments it looked at; nothing once all are booked.
 */
export async function bookBacklog(db: Db): Promise<number> {
  let looked = 0;
  for (;;) {
    const backlog = (await readSetting<Backlog>(db, BACKLOG_KEY)) ?? { at: '', done: false };
    if (backlog.done) return looked;
    const count = await db.transaction().execute(async (tx) => {
      const payments = await tx
        .selectFrom('payments')
        .select(['id', 'state', 'entitlement_id', 'created_at'])
        .where('id', '>', backlog.at)
        .orderBy('id')
        .limit(BOOKED_AT_ONCE)
        .execute();
      for (const payment of payments) await bookPayment(tx, payment.id, payment.created_at);
      const done = payments.length < BOOKED_AT_ONCE;
      await writeSetting(tx, BACKLOG_KEY, { at: payments.at(-1)?.id ?? backlog.at, done }, 0);
      return payments.length;
    });
    looked += count;
    await pause();
  }
}

/** The result of the last proof; undefined before the first. */
export async function lastProof(db: Db): Promise<LedgerProof | undefined> {
  return readSetting<LedgerProof>(db, KEY);
}

export async function recordProof(db: Db, proof: LedgerProof): Promise<void> {
  await writeSetting(db, KEY, proof, proof.at);
}
