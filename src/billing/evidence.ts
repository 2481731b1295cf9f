// Evidence: every message about money, kept as it came before anything is made of it.
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { insertStatement } from '../db/insert.ts';
import { type Page, type PageRequest, readPage, unindexed } from '../db/page.ts';
import type { Db, Row } from '../db/schema.ts';
import { heldStatement, statement } from '../db/statement.ts';
import { enqueueTask } from '../db/tasks.ts';
import { newId } from '../lib/ids.ts';

export type Evidence = Row<'evidence'>;

/** Longer bodies are cut for the record; a genuine callback has about 500 characters. */
const KEPT_LENGTH = 8192;

export interface EvidenceInput {
  kind: Evidence['kind'];
  /** The order it is about; null when it could not be attributed: then it is kept aside, not acted on. */
  order_id: string | null;
  body: string;
  source_address: string | null;
  /** Why it is kept aside. */
  quarantine?: string;
  /** The M-PESA code it is about, where it came without an order. */
  receipt?: string;
  /** Why it is not believed before M-PESA says the same when asked. */
  doubt?: string | undefined;
  /** The caller settles it in its own transaction: no task is left for it. */
  settled_here?: boolean;
  /** What makes it another message than one with the same words: the question that it answers. */
  occasion?: string;
}

/** What is settled by its M-PESA code, whether or not an order is known. */
export const BY_RECEIPT: ReadonlySet<Evidence['kind']> = new Set([
  'sms',
  'c2b',
  'pull',
  'transaction_status',
  'statement',
]);

const insertEvidence = insertStatement('evidence', sql`on conflict (dedupe_key) do nothing returning *`);

/**
 * Keeps a message and, if it can be acted on, the task that settles it: one transaction, the caller's or one of its own;
 * then it is on disk when this returns.
 * The same message about the same order a second time changes nothing. NUL, which PostgreSQL's text cannot hold, is
 * written as U+FFFD.
 */
export async function keepEvidence(db: Db, input: EvidenceInput, now: number): Promise<Evidence | undefined> {
  const digest = createHash('sha256').update(input.body).digest('base64url');
  const about = input.order_id ?? input.receipt ?? 'none';
  const occasion = input.occasion ? `:${input.occasion}` : '';
  const acted = input.quarantine === undefined && (input.order_id !== null || BY_RECEIPT.has(input.kind));
  const keep = async (tx: Db): Promise<Evidence | undefined> => {
    const [evidence] = await insertEvidence(tx, {
      id: newId(now),
      gateway: 'mpesa',
      kind: input.kind,
      dedupe_key: `${input.kind}:${about}:${digest}${occasion}`,
      order_id: input.order_id,
      payment_id: null,
      receipt: input.receipt ?? null,
      doubt: input.doubt ?? null,
      body: input.body.replaceAll('\0', '\ufffd').slice(0, KEPT_LENGTH),
      source_address: input.source_address,
      state: acted ? 'received' : 'quarantined',
      summary: input.quarantine ?? null,
      received_at: now,
      processed_at: null,
    });
    if (evidence && acted && !input.settled_here)
      await enqueueTask(tx, 'settle_evidence', { evidence_id: evidence.id }, now);
    return evidence;
  };
  return db.isTransaction ? keep(db) : db.transaction().execute(keep);
}

const unsettledEvidence = heldStatement(
  sql<Evidence>`select * from evidence where id = ${''} and state = 'received'`,
);

/** Evidence that nothing was made of yet; two who settle it wait for each other until the transaction ends. */
export async function takeEvidence(tx: Db, id: string): Promise<Evidence | undefined> {
  return (await unsettledEvidence(tx, [id]))[0];
}

const endEvidence = statement(
  sql`update evidence set state = ${''}, summary = ${''}, processed_at = ${0}, payment_id = ${''} where id = ${''}`,
);

/** Closes a piece of evidence with what was made of it. */
export async function closeEvidence(
  db: Db,
  id: string,
  state: Evidence['state'],
  summary: string,
  now: number,
  paymentId: string | null = null,
): Promise<void> {
  await endEvidence(db, [state, summary, now, paymentId, id]);
}

export async function listOrderEvidence(db: Db, orderId: string): Promise<Evidence[]> {
  return db
    .selectFrom('evidence')
    .selectAll()
    .where('order_id', '=', orderId)
    .orderBy('id')
    .limit(200)
    .execute();
}

export async function listPaymentEvidence(db: Db, paymentId: string): Promise<Evidence[]> {
  return db
    .selectFrom('evidence')
    .selectAll()
    .where('payment_id', '=', paymentId)
    .orderBy('id')
    .limit(200)
    .execute();
}

export async function getEvidence(db: Db, id: string): Promise<Evidence | undefined> {
  return db.selectFrom('evidence').selectAll().where('id', '=', id).executeTakeFirst();
}

/** Evidence that M-PESA has not confirmed, or that was kept aside: what a person may want to look at. */
export interface EvidenceFilter {
  state?: Evidence['state'] | undefined;
  receipt?: string | undefined;
  order_id?: string | undefined;
  payment_id?: string | undefined;
}

export async function listEvidence(
  db: Db,
  page: PageRequest,
  filter: EvidenceFilter = {},
): Promise<Page<Evidence>> {
  let query = db.selectFrom('evidence').selectAll();
  const narrow = filter.receipt ?? filter.order_id ?? filter.payment_id;
  if (filter.receipt) query = query.where('receipt', '=', filter.receipt);
  if (filter.order_id) query = query.where('order_id', '=', filter.order_id);
  if (filter.payment_id) query = query.where('payment_id', '=', filter.payment_id);
  if (filter.state) query = query.where(narrow ? unindexed('state') : 'state', '=', filter.state);
  return readPage(query, 'evidence.id', page);
}
