// Compares the organisation's statement with the payments, so that a lost notice is found and a forged one shows.
import { setImmediate } from 'node:timers/promises';
import type { Db } from '../db/schema.ts';
import { AppError } from '../errors.ts';
import { formatMoney } from '../lib/money.ts';
import type { Vault } from '../lib/secrets.ts';
import { parseStatement, type StatementPayment, type StatementReversal } from '../protocols/mpesa/index.ts';
import { keepEvidence } from './evidence.ts';
import { bookPayment } from './ledger.ts';
import { moneyOfStatement } from './money.ts';
import { findPaymentByReceipt, type Payment } from './payments.ts';
import { settleEvidence } from './settle.ts';
import { isOwnShortcode } from './trust.ts';
import { withdrawGrant } from './withdraw-grant.ts';

const CHUNK = 500;
/** M-PESA's clock and ours may differ: payments so near the statement's ends are not missed. */
const EDGE_MS = 5 * 60_000;
/** More are counted, not named. */
const MOST_NAMED = 500;

/** A payment of ours that the statement of its time does not have. */
export type MissingPayment = Pick<
  Payment,
  'id' | 'receipt' | 'amount_cents' | 'received_at' | 'state' | 'msisdn'
>;
/** What a person has to look at. */
export interface StatementDoubt {
  receipt: string;
  problem: string;
}

/** A statement beside the payments there are. */
export interface StatementReading {
  /** Lines below the columns. */
  rows: number;
  others: number;
  unreadable: number;
  /** Paid in, and known. */
  matched: number;
  fresh: StatementPayment[];
  /** Paid in, not known, and gone back since: nothing is given for it. */
  returned: StatementPayment[];
  /** Of payments that are not reversed yet, or not known when this was read. */
  reversals: StatementReversal[];
  to_check: StatementDoubt[];
  missing: MissingPayment[];
}

/** What came of an import. `settled` and `unmatched` are of `new`, what Karibu did not know. */
export interface StatementOutcome {
  rows: number;
  matched: number;
  new: number;
  settled: number;
  unmatched: number;
  reversed: number;
  /** Paid in and gone back, which Karibu knew nothing of. */
  returned: number;
  others: number;
  unreadable: number;
  to_check: StatementDoubt[];
  missing_count: number;
  /** The first 500. */
  missing: MissingPayment[];
}

/** Payments by receipt, in chunks that every store takes. */
async function findByReceipts(db: Db, receipts: readonly string[]) {
  const found = new Map<string, Pick<Payment, 'receipt' | 'amount_cents' | 'state'>>();
  for (let at = 0; at < receipts.length; at += CHUNK) {
    const known = await db
      .selectFrom('payments')
      .select(['receipt', 'amount_cents', 'state'])
      .where('receipt', 'in', receipts.slice(at, at + CHUNK))
      .execute();
    for (const payment of known) if (payment.receipt) found.set(payment.receipt, payment);
  }
  return found;
}

/** Payments between the first and the last line of a statement that are not on it. */
async function findMissing(db: Db, payments: readonly StatementPayment[]): Promise<MissingPayment[]> {
  const on = new Set(payments.map((payment) => payment.receipt));
  let [from, to] = [Number.POSITIVE_INFINITY, 0];
  for (const { at } of payments) {
    if (at === undefined) continue;
    from = Math.min(from, at);
    to = Math.max(to, at);
  }
  if (to - from <= 2 * EDGE_MS) return [];
  const ours = await db
    .selectFrom('payments')
    .select(['id', 'receipt', 'amount_cents', 'received_at', 'state', 'msisdn'])
    .where('received_at', '>', from + EDGE_MS)
    .where('received_at', '<', to - EDGE_MS)
    .where('gateway', '=', 'mpesa')
    .orderBy('received_at')
    .execute();
  return ours.filter(({ receipt }) => receipt === null || !on.has(receipt));
}

/**
 * Reads a statement beside the payments; writes nothing. Throws `invalid` when it is none, or another shortcode's.
 */
export async function readStatement(db: Db, text: string): Promise<StatementReading> {
  const statement = parseStatement(text);
  if (!statement.ok) {
    throw new AppError('invalid', 'This is no statement: no line names the columns.', {
      hint: 'Export the organisation statement from the M-PESA portal as CSV, with Receipt No. and Paid In.',
    });
  }
  const { shortcode, rows, others, unreadable, payments, reversals } = statement;
  if (shortcode && !(await isOwnShortcode(db, shortcode))) {
    throw new AppError('invalid', `This statement is of the shortcode ${shortcode}, which is not yours.`, {
      hint: 'Choose the statement of the shortcode in Settings.',
    });
  }
  const known = await findByReceipts(db, [
    ...new Set([...payments.map(({ receipt }) => receipt), ...reversals.map(({ of }) => of)]),
  ]);
  const back = new Map(reversals.map((reversal) => [reversal.of, reversal]));
  const wentBack = (row: StatementPayment) => back.get(row.receipt)?.amount_cents === row.amount_cents;
  const unknown = payments.filter(({ receipt }) => !known.has(receipt));
  const to_check: StatementDoubt[] = [];
  for (const { receipt, amount_cents } of payments) {
    const ours = known.get(receipt)?.amount_cents ?? amount_cents;
    if (ours === amount_cents) continue;
    to_check.push({
      receipt,
      problem: `The statement says ${formatMoney(amount_cents)}, Karibu ${formatMoney(ours)}.`,
    });
  }
  const told = new Map(payments.map((row) => [row.receipt, row.amount_cents]));
  for (const { receipt, of, amount_cents } of reversals) {
    const amount = known.get(of)?.amount_cents ?? told.get(of);
    if (amount === undefined)
      to_check.push({ receipt, problem: `It sent back ${of}, which Karibu does not know.` });
    else if (amount !== amount_cents) {
      to_check.push({
        receipt,
        problem: `${formatMoney(amount_cents)} of ${formatMoney(amount)} of ${of} went back.`,
      });
    }
  }
  return {
    ...{ rows, others, unreadable, to_check },
    matched: payments.length - unknown.length,
    fresh: unknown.filter((row) => !wentBack(row)),
    returned: unknown.filter(wentBack),
    reversals: reversals.filter(({ of, amount_cents }) => {
      const payment = known.get(of);
      return payment?.amount_cents === amount_cents && payment.state !== 'reversed';
    }),
    missing: await findMissing(db, payments),
  };
}

/** Marks the payment that a reversal undoes and takes back what it gave; false when that was done before. */
async function reversePayment(
  db: Db,
  reversal: StatementReversal,
  body: string,
  now: number,
): Promise<boolean> {
  const about = { kind: 'reversal' as const, order_id: null, receipt: reversal.of, source_address: null };
  await keepEvidence(db, { ...about, body, quarantine: 'About a payment sent back.' }, now);
  return db.transaction().execute(async (tx) => {
    const payment = await tx
      .updateTable('payments')
      .set({ state: 'reversed', reversal: null })
      .where('receipt', '=', reversal.of)
      .where('gateway', '=', 'mpesa')
      .where('amount_cents', '=', reversal.amount_cents)
      .where('state', '<>', 'reversed')
      .returningAll()
      .executeTakeFirst();
    if (!payment) return false;
    await tx
      .updateTable('evidence')
      .set({ state: 'used', summary: 'The money went back.', processed_at: now, payment_id: payment.id })
      .where('kind', '=', 'reversal')
      .where('receipt', '=', reversal.of)
      .where('state', '=', 'quarantined')
      .execute();
    await withdrawGrant(tx, payment as Payment, now);
    await bookPayment(tx, payment.id, now);
    return true;
  });
}

/** What an import kept that was cut off before it settled. */
async function findUnsettled(db: Db, receipt: string): Promise<{ id: string } | undefined> {
  return db
    .selectFrom('evidence')
    .select('id')
    .where('receipt', '=', receipt)
    .where('kind', '=', 'statement')
    .where('state', '=', 'received')
    .executeTakeFirst();
}

/**
 * Brings the payments to what the statement says, each receipt in transactions of its own: after a power cut the same
 * statement is imported again, and one that was imported changes nothing.
 */
export async function applyStatement(
  db: Db,
  vault: Vault,
  reading: StatementReading,
  now: number,
): Promise<StatementOutcome> {
  const { rows, others, unreadable, matched } = reading;
  const to_check = [...reading.to_check];
  const counts = { new: 0, settled: 0, unmatched: 0, reversed: 0, returned: reading.returned.length };
  const found = new Set<string>();
  for (const row of reading.returned) {
    const about = { kind: 'statement' as const, order_id: null, receipt: row.receipt, source_address: null };
    const quarantine = 'The money went back before Karibu knew of it.';
    await keepEvidence(db, { ...about, body: JSON.stringify(moneyOfStatement(row)), quarantine }, now);
    await setImmediate();
  }
  for (const row of reading.fresh) {
    const about = { kind: 'statement' as const, order_id: null, receipt: row.receipt, source_address: null };
    const body = JSON.stringify(moneyOfStatement(row));
    const evidence = await keepEvidence(db, { ...about, body }, now);
    if (evidence) counts.new++;
    const left = evidence ?? (await findUnsettled(db, row.receipt));
    if (left) await settleEvidence(db, vault, left.id, now);
    const payment = await findPaymentByReceipt(db, row.receipt);
    if (payment) found.add(payment.id);
    else to_check.push({ receipt: row.receipt, problem: 'It is kept aside: look at its evidence.' });
    if (evidence && payment?.state === 'settled') counts.settled++;
    else if (evidence) counts.unmatched++;
    // RADIUS packets are read between turns of the event loop.
    await setImmediate();
  }
  for (const reversal of reading.reversals) {
    if (await reversePayment(db, reversal, JSON.stringify(reversal), now)) counts.reversed++;
    await setImmediate();
  }
  const missing = reading.missing.filter(({ id }) => !found.has(id));
  return {
    ...{ rows, matched, ...counts, others, unreadable, to_check: to_check.slice(0, MOST_NAMED) },
    missing_count: missing.length,
    missing: missing.slice(0, MOST_NAMED),
  };
}
