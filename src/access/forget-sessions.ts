// Deletes sessions that ended long ago; the daily usage keeps their sums.
import type { Db } from '../db/schema.ts';
import { idAt } from '../lib/ids.ts';

export interface Forgotten {
  deleted: number;
  /** Where the next step goes on; undefined at the end. */
  after: string | undefined;
}

/**
 * One short step through the closed sessions, oldest first: deletes those of its `size` that ended before `before` and
 * belong to no entitlement that may still be used. Open sessions stay, however old.
 */
export async function forgetSessions(db: Db, before: number, after = '', size = 500): Promise<Forgotten> {
  const step = await db
    .selectFrom('sessions as x')
    .leftJoin('entitlements as e', 'e.id', 'x.entitlement_id')
    .select(['x.id', 'x.stopped_at', 'e.state'])
    .where('x.state', '=', 'closed')
    .where('x.id', '>', after)
    .where('x.id', '<', idAt(before))
    .orderBy('x.id')
    .limit(size)
    .execute();
  const over = step.filter(
    ({ stopped_at, state }) => (stopped_at ?? before) < before && state !== 'active' && state !== 'waiting',
  );
  // One that spoke since it was read is open, or closed later: it stays.
  const deleted =
    over.length === 0
      ? []
      : await db
          .deleteFrom('sessions')
          .where(
            'id',
            'in',
            over.map(({ id }) => id),
          )
          .where('stopped_at', '<', before)
          .returning('id')
          .execute();
  return { deleted: deleted.length, after: step.length < size ? undefined : step.at(-1)?.id };
}
