// Tills: one cashier's cash from opening to closing, counted against what the ledger expects.
import type { Page, PageRequest } from '../db/page.ts';
import { readPage, unindexed } from '../db/page.ts';
import type { Db, Row } from '../db/schema.ts';
import { readSetting, writeSetting } from '../db/settings.ts';
import { holdRow } from '../db/several-nodes.ts';
import { AppError } from '../errors.ts';
import { newId } from '../lib/ids.ts';
import { type Actor, audit } from '../operators/audit.ts';
import { writeEntry } from './ledger.ts';
import { holderBalance } from './ledger-books.ts';

export type TillSession = Row<'till_sessions'>;

export interface TillSettings {
  /** Whether cash can be taken only into an open till. */
  required: boolean;
}

const KEY = 'till';

export async function readTillSettings(db: Db): Promise<TillSettings> {
  return { required: true, ...(await readSetting<Partial<TillSettings>>(db, KEY)) };
}

export async function updateTillSettings(
  db: Db,
  change: Partial<TillSettings>,
  now: number,
): Promise<TillSettings> {
  const after = { ...(await readTillSettings(db)), ...change };
  await writeSetting(db, KEY, after, now);
  return after;
}

export interface TillSessionView extends TillSession {
  account_name: string;
  /** What must lie in it: now while it is open, at its closing afterwards. */
  due_cents: number;
  sales: number;
  sales_cents: number;
  voided: number;
}

function entryOf(session: TillSession, action: string, after: unknown) {
  return { action, entity: 'till', entity_id: session.id, after };
}

/**
 * Opens an account's till with the change that lies in it.
 * @throws `conflict` when it is open already.
 */
export async function openTill(
  db: Db,
  accountId: string,
  openingCents: number,
  actor: Actor,
  now: number,
): Promise<TillSession> {
  return db.transaction().execute(async (tx) => {
    const session = await tx
      .insertInto('till_sessions')
      .values({
        id: newId(now),
        account_id: accountId,
        open_key: accountId,
        opening_cents: openingCents,
        opened_at: now,
      })
      .onConflict((oc) => oc.column('open_key').doNothing())
      .returningAll()
      .executeTakeFirst();
    if (!session) throw new AppError('conflict', 'Your till is open already.');
    await writeEntry(
      tx,
      {
        cause: `till:${session.id}:open`,
        kind: 'till',
        till_session_id: session.id,
        actor: actor.name,
        note: 'Opening float',
        lines: [
          { account: 'till', holder: session.id, amount_cents: openingCents },
          { account: 'safe', amount_cents: -openingCents },
        ],
      },
      now,
    );
    await audit(tx, actor, entryOf(session, 'open', { opening_cents: openingCents }), now);
    return session;
  });
}

export async function findOpenTill(db: Db, accountId: string): Promise<TillSession | undefined> {
  return db.selectFrom('till_sessions').selectAll().where('open_key', '=', accountId).executeTakeFirst();
}

/** The open till of an account, held until the transaction ends: it is not closed while a sale goes into it. */
export async function holdOpenTill(tx: Db, accountId: string): Promise<TillSession | undefined> {
  const open = await findOpenTill(tx, accountId);
  if (!open) return undefined;
  await holdRow(tx, 'till_sessions', open.id);
  return findOpenTill(tx, accountId);
}

/** Why a till that was asked for is not open. */
export async function whyNotOpen(db: Db, id: string): Promise<AppError> {
  const session = await db.selectFrom('till_sessions').select('id').where('id', '=', id).executeTakeFirst();
  return session
    ? new AppError('conflict', 'This till is closed.')
    : new AppError('not_found', 'There is no such till.');
}

/**
 * Closes a till: what was counted goes to the safe, and what is missing or too much is booked as a difference.
 * @throws `conflict` when it is closed already.
 */
export async function closeTill(
  db: Db,
  id: string,
  closing: { counted_cents: number; note?: string | undefined },
  actor: Actor,
  now: number,
): Promise<TillSession> {
  return db.transaction().execute(async (tx) => {
    await holdRow(tx, 'till_sessions', id);
    const expected = await holderBalance(tx, 'till', id);
    const counted = closing.counted_cents;
    const session = await tx
      .updateTable('till_sessions')
      .set({
        open_key: null,
        counted_cents: counted,
        counted_at: now,
        expected_cents: expected,
        difference_cents: counted - expected,
        note: closing.note ?? null,
        closed_by: actor.name,
        closed_at: now,
      })
      .where('id', '=', id)
      .where('closed_at', 'is', null)
      .returningAll()
      .executeTakeFirst();
    if (!session) throw await whyNotOpen(tx, id);
    await writeEntry(
      tx,
      {
        cause: `till:${id}:close`,
        kind: 'till',
        till_session_id: id,
        actor: actor.name,
        note: closing.note || 'Closing',
        lines: [
          { account: 'till', holder: id, amount_cents: -expected },
          { account: 'safe', amount_cents: counted },
          { account: 'differences', amount_cents: expected - counted },
        ],
      },
      now,
    );
    const { expected_cents, difference_cents, note } = session;
    const after = { counted_cents: counted, expected_cents, difference_cents, note };
    await audit(tx, actor, entryOf(session, 'close', after), now);
    return session;
  });
}

export interface TillFilter {
  account_id?: string | undefined;
  state?: 'open' | 'closed' | undefined;
}

export async function listTillSessions(
  db: Db,
  page: PageRequest,
  filter: TillFilter = {},
): Promise<Page<TillSessionView>> {
  let query = viewQuery(db);
  if (filter.account_id) query = query.where('t.account_id', '=', filter.account_id);
  if (filter.state === 'open') query = query.where('t.open_key', 'is not', null);
  if (filter.state === 'closed')
    query = query.where(filter.account_id ? unindexed('t.closed_by') : 't.closed_by', 'is not', null);
  const { items, next } = await readPage(query, 't.id', page);
  return { items: await Promise.all(items.map((row) => withFigures(db, row))), next };
}

export async function getTillSession(db: Db, id: string): Promise<TillSessionView> {
  const row = await viewQuery(db).where('t.id', '=', id).executeTakeFirst();
  if (!row) throw new AppError('not_found', 'There is no such till.');
  return withFigures(db, row);
}

function viewQuery(db: Db) {
  return db
    .selectFrom('till_sessions as t')
    .leftJoin('accounts as a', 'a.id', 't.account_id')
    .selectAll('t')
    .select('a.name as account_name');
}

async function withFigures(
  db: Db,
  row: TillSession & { account_name: string | null },
): Promise<TillSessionView> {
  const sales = await db
    .selectFrom('cash_sales as s')
    .innerJoin('payments as p', 'p.id', 's.payment_id')
    .select((eb) => [
      eb.fn.countAll<number>().as('count'),
      eb.fn.count<number>('s.voided_at').as('voided'),
      eb.fn
        .sum<number>(eb.case().when('p.state', '=', 'settled').then(eb.ref('p.amount_cents')).else(0).end())
        .as('cents'),
    ])
    .where('s.till_session_id', '=', row.id)
    .executeTakeFirstOrThrow();
  return {
    ...row,
    account_name: row.account_name ?? '',
    due_cents: row.expected_cents ?? (await holderBalance(db, 'till', row.id)),
    sales: Number(sales.count) - Number(sales.voided),
    sales_cents: Number(sales.cents ?? 0),
    voided: Number(sales.voided),
  };
}
