// Which sources of which routers sign their Access-Requests: from then on they must, restart or not.
import type { Db, Row } from '../db/schema.ts';

export type SigningSource = Row<'signing_sources'>;

/** Every source that has sent a right Message-Authenticator. */
export async function allSigningSources(db: Db): Promise<SigningSource[]> {
  return db.selectFrom('signing_sources').selectAll().execute();
}

/** Remembers sources; one that is known keeps its first time. */
export async function recordSigningSources(db: Db, sources: SigningSource[]): Promise<void> {
  if (sources.length === 0) return;
  await db
    .insertInto('signing_sources')
    .values(sources)
    .onConflict((oc) => oc.columns(['router_id', 'source']).doNothing())
    .execute();
}
