// The drawer of an open till: counted, cash put in or taken out, and the history of that.
import type { Page, PageRequest } from '../db/page.ts';
import { readPage } from '../db/page.ts';
import type { Db, LedgerAccount, Row } from '../db/schema.ts';
import { holdRow } from '../db/several-nodes.ts';
import { AppError } from '../errors.ts';
import { newId } from '../lib/ids.ts';
import { formatMoney } from '../lib/money.ts';
import { type Actor, audit } from '../operators/audit.ts';
import { writeEntry, writeOpposite } from './ledger.ts';
import { holderBalance } from './ledger-books.ts';
import { whyNotOpen } from './till.ts';

export type TillEvent = Row<'till_events'>;

/** Whether the event was taken back by a later one. */
export type TillEventView = TillEvent & { undone: boolean };

/** Why cash goes in or out: which way, and the other account. */
export const DRAWER_PURPOSES = {
  float: { kind: 'in', account: 'safe' },
  expense: { kind: 'out', account: 'expenses' },
  banked: { kind: 'out', account: 'bank' },
  safe: { kind: 'out', account: 'safe' },
} as const satisfies Record<string, { kind: 'in' | 'out'; account: LedgerAccount }>;

export type DrawerPurpose = keyof typeof DRAWER_PURPOSES;

/** Holds the till until the transaction ends. @throws when it is not open */
async function holdTill(tx: Db, id: string): Promise<void> {
  await holdRow(tx, 'till_sessions', id);
  const open = await tx
    .selectFrom('till_sessions')
    .select('id')
    .where('id', '=', id)
    .where('closed_at', 'is', null)
    .executeTakeFirst();
  if (!open) throw await whyNotOpen(tx, id);
}

type NewEvent = Pick<TillEvent, 'till_session_id' | 'kind' | 'expected_cents'> & Partial<TillEvent>;

/** Undefined when its key, or what it takes back, stands there already. */
async function writeEvent(
  tx: Db,
  event: NewEvent,
  actor: Actor,
  now: number,
): Promise<TillEvent | undefined> {
  return tx
    .insertInto('till_events')
    .values({
      idempotency_key: null,
      purpose: null,
      amount_cents: null,
      counted_cents: null,
      note: null,
      undo_of: null,
      ...event,
      id: newId(now),
      actor: actor.name,
      at: now,
    })
    .onConflict((oc) => oc.doNothing())
    .returningAll()
    .executeTakeFirst();
}

function auditOf(event: TillEvent, action: string) {
  const { kind, purpose, amount_cents, counted_cents, expected_cents, note } = event;
  const after = { kind, purpose, amount_cents, counted_cents, expected_cents, note };
  return { action, entity: 'till', entity_id: event.till_session_id, after };
}

/** Writes a count down without closing, beside what was expected at that moment. */
export async function countTill(
  db: Db,
  id: string,
  count: { counted_cents: number; note?: string | undefined },
  actor: Actor,
  now: number,
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await holdTill(tx, id);
    const { counted_cents } = count;
    const expected_cents = await holderBalance(tx, 'till', id);
    await tx
      .updateTable('till_sessions')
      .set({ counted_cents, counted_at: now })
      .where('id', '=', id)
      .execute();
    const about = { till_session_id: id, kind: 'count', counted_cents, expected_cents } as const;
    const event = await writeEvent(tx, { ...about, note: count.note || null }, actor, now);
    if (event) await audit(tx, actor, auditOf(event, 'count'), now);
  });
}

export interface DrawerMove {
  purpose: DrawerPurpose;
  amount_cents: number;
  note: string;
  /** The same key moves it once. */
  key: string;
}

function notEnough(cents: number): AppError {
  return new AppError('conflict', `Only ${formatMoney(cents)} should be in the drawer.`, {
    hint: 'Count it. More cash than sold is told when the till is closed.',
  });
}

/**
 * Cash put into an open till or taken out of it; what is expected follows. Repeating it with its key changes nothing.
 * @throws `conflict` when the till is closed, or holds less than is taken.
 */
export async function moveDrawer(
  db: Db,
  id: string,
  move: DrawerMove,
  actor: Actor,
  now: number,
): Promise<void> {
  const { kind, account } = DRAWER_PURPOSES[move.purpose];
  const cents = kind === 'in' ? move.amount_cents : -move.amount_cents;
  await db.transaction().execute(async (tx) => {
    await holdTill(tx, id);
    const before = await holderBalance(tx, 'till', id);
    const { purpose, amount_cents, note } = move;
    const event = await writeEvent(
      tx,
      {
        ...{ till_session_id: id, idempotency_key: `${id}:${move.key}`, kind, purpose },
        ...{ amount_cents, expected_cents: before + cents, note },
      },
      actor,
      now,
    );
    if (!event) return;
    if (before + cents < 0) throw notEnough(before);
    await writeEntry(
      tx,
      {
        ...{ cause: causeOf(event.id), kind: 'move', till_session_id: id, actor: actor.name, note },
        lines: [
          { account: 'till', holder: id, amount_cents: cents },
          { account, amount_cents: -cents },
        ],
      },
      now,
    );
    await audit(tx, actor, auditOf(event, kind === 'in' ? 'put in' : 'take out'), now);
  });
}

const causeOf = (eventId: string) => `drawer:${eventId}`;

/**
 * Takes a move of the drawer back by its opposite, once, while its till is open.
 * @throws `conflict` for a count, for what was taken back, and when the cash is no longer there.
 */
export async function undoDrawerMove(
  db: Db,
  id: string,
  eventId: string,
  reason: string,
  actor: Actor,
  now: number,
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await holdTill(tx, id);
    const move = await tx
      .selectFrom('ledger_entries')
      .selectAll()
      .where('cause', '=', causeOf(eventId))
      .where('till_session_id', '=', id)
      .executeTakeFirst();
    if (!move) throw new AppError('not_found', 'There is no such move of this till.');
    const moved = await tx
      .selectFrom('till_events')
      .selectAll()
      .where('id', '=', eventId)
      .executeTakeFirstOrThrow();
    const kind = moved.kind === 'in' ? 'out' : 'in';
    await writeOpposite(tx, move, reason, actor, now);
    const expected_cents = await holderBalance(tx, 'till', id);
    const { purpose, amount_cents } = moved;
    if (expected_cents < 0) throw notEnough(expected_cents + (amount_cents ?? 0));
    const about = { till_session_id: id, kind, purpose, amount_cents, expected_cents } as const;
    const event = await writeEvent(tx, { ...about, note: reason, undo_of: eventId }, actor, now);
    if (event) await audit(tx, actor, auditOf(event, 'take back'), now);
  });
}

/** What happened to a till besides its sales, newest first. */
export async function listTillEvents(db: Db, id: string, page: PageRequest): Promise<Page<TillEventView>> {
  const query = db
    .selectFrom('till_events as e')
    .leftJoin('till_events as u', 'u.undo_of', 'e.id')
    .selectAll('e')
    .select('u.id as undone_by')
    .where('e.till_session_id', '=', id);
  const { items, next } = await readPage(query, 'e.id', page);
  return { items: items.map(({ undone_by, ...event }) => ({ ...event, undone: undone_by !== null })), next };
}
