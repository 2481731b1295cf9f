// The ledger: every change of money as one entry whose lines add up to nothing, written with the change itself.
import { sql } from 'kysely';
import { insertStatement } from '../db/insert.ts';
import type { Db, LedgerAccount, Row } from '../db/schema.ts';
import { holdRow } from '../db/several-nodes.ts';
import { statement } from '../db/statement.ts';
import { AppError } from '../errors.ts';
import { dayOf } from '../lib/days.ts';
import { newId } from '../lib/ids.ts';
import { type Actor, audit } from '../operators/audit.ts';
import type { Payment } from './payments.ts';

export type LedgerEntry = Row<'ledger_entries'>;

/** Every account with the name people read. What comes in is positive: what was sold stands as a negative amount. */
export const LEDGER_ACCOUNTS: Record<LedgerAccount, string> = {
  mpesa: 'M-PESA float',
  till: 'Cash in tills',
  safe: 'Cash in the safe',
  bank: 'Bank',
  unmatched: 'Unmatched money held',
  sales: 'Sales',
  refunds: 'Refunds and reversals',
  commissions: 'Commissions and fees',
  expenses: 'Expenses',
  resellers: 'Resellers’ float',
  differences: 'Cash differences',
  owner: 'Owner',
};

export interface LedgerLine {
  account: LedgerAccount;
  /** The till session or reseller; absent where the account is one purse. */
  holder?: string;
  amount_cents: number;
}

interface EntryInput {
  /** Unique: the same cause is booked once. */
  cause: string;
  kind: LedgerEntry['kind'];
  payment_id?: string;
  till_session_id?: string | undefined;
  note?: string | undefined;
  actor?: string | undefined;
  lines: LedgerLine[];
}

const insertEntry = insertStatement('ledger_entries', sql`on conflict (cause) do nothing returning id`);
const insertLine = insertStatement('ledger_lines');
const addToDay = insertStatement(
  'ledger_days',
  sql`on conflict (day, account) do update set amount_cents = ledger_days.amount_cents + excluded.amount_cents`,
);

/**
 * Writes one entry with its lines; call it in the transaction of what it tells of. False when this cause is booked
 * already, or nothing moved. @throws when the lines do not add up to nothing: that is a bug, and nothing is written.
 */
export async function writeEntry(tx: Db, input: EntryInput, at: number): Promise<boolean> {
  const { lines, ...about } = input;
  const moved = lines.filter((line) => line.amount_cents !== 0);
  if (moved.length === 0) return false;
  const sum = moved.reduce((total, line) => total + line.amount_cents, 0);
  if (sum !== 0 || !moved.every((line) => Number.isSafeInteger(line.amount_cents))) {
    throw new AppError('internal', `The ledger entry ${input.cause} does not balance: ${sum} cents.`);
  }
  const day = dayOf(at);
  const [entry] = await insertEntry(tx, {
    id: newId(at),
    cause: about.cause,
    kind: about.kind,
    payment_id: about.payment_id ?? null,
    till_session_id: about.till_session_id ?? null,
    note: about.note ?? null,
    actor: about.actor ?? null,
    day,
    at,
  });
  if (!entry) return false;
  const rows = moved.map((line) => ({
    entry_id: entry.id,
    account: line.account,
    holder: line.holder ?? '',
    amount_cents: line.amount_cents,
    day,
  }));
  for (const row of rows) await insertLine(tx, row);
  // In one order, whoever books: two nodes then wait for each other instead of a deadlock.
  for (const { account, amount_cents } of rows.sort((a, b) => (a.account < b.account ? -1 : 1))) {
    await addToDay(tx, { day, account, amount_cents });
  }
  return true;
}

/** Where the money of payments can lie. */
const PURSES: readonly LedgerAccount[] = ['mpesa', 'till', 'safe'];

/** Where a payment's money moves now: M-PESA, the till it was put into while that is open, else the safe. */
async function purseOf(tx: Db, payment: Payment): Promise<Required<Omit<LedgerLine, 'amount_cents'>>> {
  if (payment.gateway !== 'cash') return { account: 'mpesa', holder: '' };
  const sale = await tx
    .selectFrom('cash_sales')
    .select('till_session_id')
    .where('payment_id', '=', payment.id)
    .executeTakeFirst();
  const safe = { account: 'safe', holder: '' } as const;
  if (!sale?.till_session_id) return safe;
  await holdRow(tx, 'till_sessions', sale.till_session_id);
  const till = await tx
    .selectFrom('till_sessions')
    .select('closed_at')
    .where('id', '=', sale.till_session_id)
    .executeTakeFirst();
  return till?.closed_at === null ? { account: 'till', holder: sale.till_session_id } : safe;
}

/**
 * Brings the ledger to what a payment is now: books the difference between its state and what is booked for it, so it
 * may be called after any change of a payment, and again. Call it in the transaction of the change. A settled payment is
 * a sale, an unmatched one is money held; a reversed one went back, and what was sold of it stands against refunds.
 */
export async function bookPayment(tx: Db, paymentId: string, now: number): Promise<boolean> {
  await holdRow(tx, 'payments', paymentId);
  const [payment] = (await paymentById(tx, [paymentId])) as [Payment];
  const booked = await bookedFor(tx, paymentId);
  const amount = payment.amount_cents;
  const target = {
    settled: { sales: -amount, refunds: 0, unmatched: 0, purse: amount },
    unmatched: { sales: 0, refunds: 0, unmatched: -amount, purse: amount },
    reversed: { sales: booked.sales, refunds: 0 - booked.sales, unmatched: 0, purse: 0 },
  }[payment.state];
  return writeEntry(
    tx,
    {
      cause: `payment:${paymentId}:${booked.entries}`,
      kind: booked.entries === 0 ? 'payment' : kindOf(payment.state, booked, target.unmatched),
      payment_id: paymentId,
      note: payment.note ?? undefined,
      lines: [
        { ...(await purseOf(tx, payment)), amount_cents: target.purse - booked.purse },
        { account: 'sales', amount_cents: target.sales - booked.sales },
        { account: 'refunds', amount_cents: target.refunds - booked.refunds },
        { account: 'unmatched', amount_cents: target.unmatched - booked.unmatched },
      ],
    },
    now,
  );
}

function kindOf(state: Payment['state'], booked: Booked, unmatched: number): LedgerEntry['kind'] {
  if (state === 'reversed') return 'reversal';
  return state === 'settled' && booked.unmatched !== unmatched ? 'settlement' : 'correction';
}

interface Booked {
  entries: number;
  purse: number;
  sales: number;
  refunds: number;
  unmatched: number;
}

const paymentById = statement(sql<Payment>`select * from payments where id = ${''}`);
const bookedLines = statement(
  sql<LedgerLine & { entry_id: string }>`
    select l.entry_id, l.account, l.amount_cents from ledger_entries e join ledger_lines l on l.entry_id = e.id
    where e.payment_id = ${''}`,
);

async function bookedFor(tx: Db, paymentId: string): Promise<Booked> {
  const rows = await bookedLines(tx, [paymentId]);
  const of = (...accounts: readonly LedgerAccount[]) =>
    rows
      .filter((row) => accounts.includes(row.account))
      .reduce((sum, row) => sum + Number(row.amount_cents), 0);
  const entries = new Set(rows.map(({ entry_id }) => entry_id)).size;
  return {
    entries,
    purse: of(...PURSES),
    sales: of('sales'),
    refunds: of('refunds'),
    unmatched: of('unmatched'),
  };
}

export interface MoveInput {
  from: LedgerAccount;
  to: LedgerAccount;
  /** Whose float, where one of the two is the resellers'. */
  holder?: string | undefined;
  amount_cents: number;
  note: string;
  /** The same key moves it once. */
  key: string;
}

/** Accounts that only payments and tills write. */
const NOT_BY_HAND: readonly LedgerAccount[] = ['till', 'sales', 'refunds', 'unmatched'];
export const BY_HAND = (Object.keys(LEDGER_ACCOUNTS) as LedgerAccount[]).filter(
  (account) => !NOT_BY_HAND.includes(account),
);

/**
 * Money that a person moved outside the program: M-PESA withdrawn to the bank, fees, a commission, a reseller's float, a
 * correction. False when its key was booked before.
 * @throws `invalid` for an account that is not moved by hand.
 */
export async function moveMoney(db: Db, input: MoveInput, actor: Actor, now: number): Promise<boolean> {
  const { from, to, amount_cents, note, key } = input;
  if (!BY_HAND.includes(from) || !BY_HAND.includes(to) || from === to || amount_cents <= 0) {
    throw new AppError('invalid', 'Choose two accounts and an amount.', {
      hint: 'Sales, tills and unmatched money change by themselves.',
    });
  }
  const holderOf = (account: LedgerAccount) => (account === 'resellers' ? (input.holder ?? '') : '');
  const lines = [
    { account: from, holder: holderOf(from), amount_cents: -amount_cents },
    { account: to, holder: holderOf(to), amount_cents },
  ];
  return db.transaction().execute(async (tx) => {
    const booked = await writeEntry(
      tx,
      { cause: `move:${key}`, kind: 'move', note, actor: actor.name, lines },
      now,
    );
    const { key: _, ...after } = input;
    const entry = { action: 'move', entity: 'ledger', entity_name: note, after };
    if (booked) await audit(tx, actor, entry, now);
    return booked;
  });
}

/** The cause of the entry that takes a move back. */
export function reversalCause(entryId: string): string {
  return `taken back:${entryId}`;
}

/**
 * Takes a move back by its opposite, once: nothing is ever deleted. Call it in a transaction.
 * @throws `conflict` for an entry that no person moved, that is itself an opposite, or was taken back already.
 */
export async function writeOpposite(
  tx: Db,
  move: LedgerEntry,
  reason: string,
  actor: Actor,
  now: number,
): Promise<void> {
  if (move.kind !== 'move' || move.cause.startsWith(reversalCause(''))) {
    throw new AppError('conflict', 'This entry is not taken back by hand.', {
      hint: 'Payments and tills book what corrects them.',
    });
  }
  const lines = await tx
    .selectFrom('ledger_lines')
    .select(['account', 'holder', 'amount_cents'])
    .where('entry_id', '=', move.id)
    .execute();
  const written = await writeEntry(
    tx,
    {
      cause: reversalCause(move.id),
      kind: 'move',
      till_session_id: move.till_session_id ?? undefined,
      note: `Taken back: ${reason}`,
      actor: actor.name,
      lines: lines.map((line) => ({ ...line, amount_cents: -line.amount_cents })),
    },
    now,
  );
  if (!written) throw new AppError('conflict', 'This was taken back already.');
}

/** Takes a move by hand back. @throws `conflict` as above, and for a till's, which its till takes back. */
export async function takeMoveBack(
  db: Db,
  entryId: string,
  reason: string,
  actor: Actor,
  now: number,
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    const move = await tx
      .selectFrom('ledger_entries')
      .selectAll()
      .where('id', '=', entryId)
      .executeTakeFirst();
    if (!move) throw new AppError('not_found', 'There is no such entry.');
    if (move.till_session_id) {
      throw new AppError('conflict', 'This belongs to a till.', { hint: 'Take it back on its till’s page.' });
    }
    await writeOpposite(tx, move, reason, actor, now);
    const entry = { action: 'take back', entity: 'ledger', entity_id: entryId, entity_name: move.note };
    await audit(tx, actor, { ...entry, after: { reason } }, now);
  });
}
