// Audit: who changed what, when, before and after.
import type { Page, PageRequest } from '../db/page.ts';
import { readPage } from '../db/page.ts';
import type { Db, Row } from '../db/schema.ts';
import { newId } from '../lib/ids.ts';

export type AuditEntry = Row<'audit'>;

/** Who acts: an account, or a part of the program. */
export interface Actor {
  account_id: string | null;
  name: string;
  address: string | null;
}

export interface Change {
  /** A verb: `create`, `update`, `cancel` … */
  action: string;
  entity: string;
  entity_id?: string | null;
  entity_name?: string | null;
  before?: unknown;
  after?: unknown;
}

/** Field names whose values are never written down, wherever they stand. */
const SECRET_FIELD = /(password|secret|passkey|consumer_key|_sealed|_hash|token)/;

function record(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  return JSON.stringify(value, (key, inner) => (SECRET_FIELD.test(key) && inner !== null ? '•••' : inner));
}

/** Writes an entry; call it in the transaction of the change it tells of, where there is one. */
export async function audit(db: Db, actor: Actor, change: Change, now: number): Promise<void> {
  await db
    .insertInto('audit')
    .values({
      id: newId(now),
      at: now,
      account_id: actor.account_id,
      actor: actor.name,
      address: actor.address,
      action: change.action,
      entity: change.entity,
      entity_id: change.entity_id ?? null,
      entity_name: change.entity_name ?? null,
      before: record(change.before),
      after: record(change.after),
    })
    .execute();
}

export interface AuditFilter {
  entity?: string | undefined;
  entity_id?: string | undefined;
  account_id?: string | undefined;
}

export async function listAudit(
  db: Db,
  page: PageRequest,
  filter: AuditFilter = {},
): Promise<Page<AuditEntry>> {
  let query = db.selectFrom('audit').selectAll();
  if (filter.entity) query = query.where('entity', '=', filter.entity);
  if (filter.entity_id) query = query.where('entity_id', '=', filter.entity_id);
  if (filter.account_id) query = query.where('account_id', '=', filter.account_id);
  return readPage(query, 'audit.id', page);
}
