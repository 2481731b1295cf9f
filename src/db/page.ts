// Lists paged by the database on an index: newest first, from a cursor on.
import { type RawBuilder, type SelectQueryBuilder, sql } from 'kysely';

export const MAX_LIMIT = 1000;
export const DEFAULT_LIMIT = 50;

/** Which part of a list: `cursor` is the `next` of the answer before. */
export interface PageRequest {
  limit?: number | undefined;
  cursor?: string | undefined;
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

/**
 * A text column as a value no index is looked up by: for a condition that many rows meet, beside one that few do.
 * SQLite keeps no statistics here and would take either index.
 */
export function unindexed(column: string): RawBuilder<string> {
  return sql<string>`${sql.ref(column)} || ''`;
}

/**
 * Runs a query as one page, ordered by `column` (an id: sortable by time and unique) descending. Asks for one row
 * more than wanted, so that `next` is null exactly at the end.
 */
export async function readPage<DB, TB extends keyof DB, O>(
  query: SelectQueryBuilder<DB, TB, O>,
  column: string,
  request: PageRequest,
  direction: 'asc' | 'desc' = 'desc',
): Promise<Page<O>> {
  const limit = Math.min(Math.max(request.limit ?? DEFAULT_LIMIT, 1), MAX_LIMIT);
  // The column's name cannot be checked against a generic table; every caller passes its table's id.
  const untyped = query as unknown as SelectQueryBuilder<Record<string, Record<string, unknown>>, string, O>;
  let paged = untyped.orderBy(column, direction).limit(limit + 1);
  if (request.cursor) paged = paged.where(column, direction === 'desc' ? '<' : '>', request.cursor);
  const rows = await paged.execute();
  const items = rows.slice(0, limit);
  const last = items.at(-1) as Record<string, unknown> | undefined;
  const name = column.split('.').at(-1) as string;
  return { items, next: rows.length > limit ? String(last?.[name]) : null };
}
