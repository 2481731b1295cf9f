// Evidence: every message about money, kept as it came before anything is made of it.
import { createHash } from 'node:crypto';
import type { Db, Row } from '../db/schema.ts';
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
}

/**
 * Keeps a message and, if it is about an order, the task that settles it: one transaction, on disk when this returns.
 * The same message about the same order a second time changes nothing. NUL, which PostgreSQL's text cannot hold, is
 * written as U+FFFD.
 */
export async function keepEvidence(db: Db, input: EvidenceInput, now: number): Promise<Evidence | undefined> {
  const digest = createHash('sha256').update(input.body).digest('base64url');
  return db.transaction().execute(async (tx) => {
    const evidence = await tx
      .insertInto('evidence')
      .values({
        id: newId(now),
        gateway: 'mpesa',
        kind: input.kind,
        dedupe_key: `${input.kind}:${input.order_id ?? 'none'}:${digest}`,
        order_id: input.order_id,
        payment_id: null,
        body: input.body.replaceAll('\0', '\ufffd').slice(0, KEPT_LENGTH),
        source_address: input.source_address,
        state: input.order_id ? 'received' : 'quarantined',
        summary: input.quarantine ?? null,
        received_at: now,
        processed_at: null,
      })
      .onConflict((oc) => oc.column('dedupe_key').doNothing())
      .returningAll()
      .executeTakeFirst();
    if (evidence?.order_id) await enqueueTask(tx, 'settle_evidence', { evidence_id: evidence.id }, now);
    return evidence;
  });
}

/** Closes a piece of evidence with what was made of it. */
export async function closeEvidence(
  db: Db,
  id: string,
  state: Evidence['state'],
  summary: string,
  now: number,
  paymentId: string | null = null,
): Promise<void> {
  await db
    .updateTable('evidence')
    .set({ state, summary, processed_at: now, payment_id: paymentId })
    .where('id', '=', id)
    .execute();
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
