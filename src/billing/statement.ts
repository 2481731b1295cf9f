// Reads the organisation's statement beside the payments, so that a lost notice is found and a forged one shows.
import type { Db } from '../db/schema.ts';
import { AppError } from '../errors.ts';
import { formatMoney } from '../lib/money.ts';
import {
  parseStatement,
  type StatementPayment,
  type StatementPeriod,
  type StatementReversal,
} from '../protocols/mpesa/index.ts';
import type { Payment } from './payments.ts';
import { isOwnShortcode } from './trust.ts';

const CHUNK = 500;
/** M-PESA's clock and ours may differ: payments so near the statement's ends are not missed. */
const EDGE_MS = 5 * 60_000;

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
  /** The time it speaks of; undefined when it names none and has no line with a time. */
  period: StatementPeriod | undefined;
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

/**
 * The time a statement speaks of: as it says itself, where that was over by `now`, else from its first line to its last,
 * since a statement of today ends when it was exported.
 */
function periodOf(
  said: StatementPeriod | undefined,
  payments: readonly StatementPayment[],
  now: number,
): StatementPeriod | undefined {
  let [from, to] = [Number.POSITIVE_INFINITY, 0];
  for (const { at } of payments) {
    if (at === undefined) continue;
    from = Math.min(from, at);
    to = Math.max(to, at);
  }
  if (said) return said.to < now ? said : to > said.from ? { from: said.from, to } : undefined;
  return to > from ? { from, to } : undefined;
}

/** Payments of a statement's time that are not on it: those without a receipt first, since the statement may bring it. */
async function findMissing(
  db: Db,
  period: StatementPeriod | undefined,
  payments: readonly StatementPayment[],
): Promise<MissingPayment[]> {
  if (!period || period.to - period.from <= 2 * EDGE_MS) return [];
  const on = new Set(payments.map((payment) => payment.receipt));
  const ours = await db
    .selectFrom('payments')
    .select(['id', 'receipt', 'amount_cents', 'received_at', 'state', 'msisdn'])
    .where('received_at', '>', period.from + EDGE_MS)
    .where('received_at', '<', period.to - EDGE_MS)
    .where('gateway', '=', 'mpesa')
    .orderBy('received_at')
    .execute();
  const missing = ours.filter(({ receipt }) => receipt === null || !on.has(receipt));
  const named = missing.filter(({ receipt }) => receipt !== null);
  return [...missing.filter(({ receipt }) => receipt === null), ...named];
}

/**
 * Reads a statement beside the payments; writes nothing. Throws `invalid` when it is none, or another shortcode's.
 */
export async function readStatement(db: Db, text: string, now: number): Promise<StatementReading> {
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
  const period = periodOf(statement.period, payments, now);
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
    missing: await findMissing(db, period, payments),
    period,
  };
}
