// Subscribers: the persons or homes that buy.
import { sql } from 'kysely';
import type { Page, PageRequest } from '../db/page.ts';
import { readPage, unindexed } from '../db/page.ts';
import type { Db, Row } from '../db/schema.ts';
import { AppError } from '../errors.ts';
import { newId } from '../lib/ids.ts';
import { hashMsisdn } from '../lib/msisdn.ts';

export type Subscriber = Row<'subscribers'>;

/** A subscriber of whom nothing is known but, perhaps, a number. */
function newSubscriber(msisdn: string | null, now: number) {
  return {
    id: newId(now),
    name: null,
    msisdn,
    state: 'active' as const,
    notes: '',
    created_at: now,
    updated_at: now,
  };
}

/** A subscriber that the operator writes down. Throws `conflict` when another has the number (`2547…`). */
export async function addSubscriber(
  db: Db,
  input: { name: string | null; msisdn: string | null; notes: string },
  now: number,
): Promise<Subscriber> {
  const added = await db
    .insertInto('subscribers')
    .values({ ...newSubscriber(input.msisdn, now), name: input.name, notes: input.notes })
    .onConflict((oc) => oc.column('msisdn').doNothing())
    .returningAll()
    .executeTakeFirst();
  if (added) {
    await noteNumber(db, added);
    return added;
  }
  throw new AppError('conflict', 'Another subscriber has this phone number.', {
    hint: 'Search for the number in the list of subscribers.',
    fields: { msisdn: 'Another subscriber has this number.' },
  });
}

/** A subscriber nobody knows anything about: whoever holds a voucher. */
export async function createSubscriber(db: Db, now: number): Promise<Subscriber> {
  return db
    .insertInto('subscribers')
    .values(newSubscriber(null, now))
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** The subscriber with this phone number, made when new. Safe when two orders race for the same number. */
export async function subscriberForMsisdn(db: Db, msisdn: string, now: number): Promise<Subscriber> {
  await db
    .insertInto('subscribers')
    .values(newSubscriber(msisdn, now))
    .onConflict((oc) => oc.column('msisdn').doNothing())
    .execute();
  const subscriber = await db
    .selectFrom('subscribers')
    .selectAll()
    .where('msisdn', '=', msisdn)
    .executeTakeFirstOrThrow();
  await noteNumber(db, subscriber);
  return subscriber;
}

/** Writes a number into the hash book. */
async function noteNumber(db: Db, { id, msisdn }: Pick<Subscriber, 'id' | 'msisdn'>): Promise<void> {
  if (!msisdn) return;
  await db
    .insertInto('hash_book')
    .values({ msisdn_hash: hashMsisdn(msisdn), subscriber_id: id })
    .onConflict((oc) => oc.doNothing())
    .execute();
}

/** The subscriber whose number has this SHA-256 (lowercase hex), among those who gave us theirs; nobody else is looked up. */
export async function findSubscriberByHash(db: Db, hash: string): Promise<Subscriber | undefined> {
  return db
    .selectFrom('subscribers as s')
    .innerJoin('hash_book as h', 'h.subscriber_id', 's.id')
    .selectAll('s')
    .where('h.msisdn_hash', '=', hash)
    .executeTakeFirst();
}

export async function getSubscriber(db: Db, id: string): Promise<Subscriber> {
  const subscriber = await db.selectFrom('subscribers').selectAll().where('id', '=', id).executeTakeFirst();
  if (!subscriber) throw new AppError('not_found', 'There is no such subscriber.');
  return subscriber;
}

export interface SubscriberFilter {
  state?: Subscriber['state'] | undefined;
  msisdn?: string | undefined;
  /** Names that begin like this, in small or capital letters. */
  name_prefix?: string | undefined;
}

/** The first text behind all that begin with `prefix`: a range, so that the index on lower(name) serves. */
function after(prefix: string): string {
  const last = prefix.length - 1;
  return prefix.slice(0, last) + String.fromCharCode(prefix.charCodeAt(last) + 1);
}

export async function listSubscribers(
  db: Db,
  page: PageRequest,
  filter: SubscriberFilter = {},
): Promise<Page<Subscriber>> {
  let query = db.selectFrom('subscribers').selectAll();
  const byName = filter.msisdn || filter.name_prefix;
  if (filter.state) query = query.where(byName ? unindexed('state') : 'state', '=', filter.state);
  if (filter.msisdn) query = query.where('msisdn', '=', filter.msisdn);
  if (filter.name_prefix) {
    const prefix = filter.name_prefix.toLowerCase();
    const lower = sql<string>`lower(name)`;
    query = query.where(lower, '>=', prefix).where(lower, '<', after(prefix));
  }
  return readPage(query, 'subscribers.id', page);
}

export async function updateSubscriber(
  db: Db,
  id: string,
  change: Partial<Pick<Subscriber, 'name' | 'notes' | 'state'>>,
  now: number,
): Promise<Subscriber> {
  const subscriber = await db
    .updateTable('subscribers')
    .set({ ...change, updated_at: now })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();
  if (!subscriber) throw new AppError('not_found', 'There is no such subscriber.');
  return subscriber;
}
