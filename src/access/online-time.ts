// Online time: how much of what a session tells another session of the same device has told already.
import { sql } from 'kysely';
import type { Db } from '../db/schema.ts';
import { statement } from '../db/statement.ts';
import { DAY_MS } from '../lib/days.ts';
import { idAt } from '../lib/ids.ts';
import { isMac } from '../lib/mac.ts';
import type { Session } from './sessions.ts';

type Time = Pick<Session, 'started_at' | 'session_seconds'>;

/** A session that would end so much later than it was last heard was reckoned by a clock that was set since. */
const ONE_CLOCK_MS = 60_000;

const timesBeside = statement(
  sql<Time>`
    select started_at, session_seconds from sessions
    where mac = ${''} and id >= ${''} and id || '' <> ${''} and entitlement_id = ${''}
      and started_at < ${0} and started_at + session_seconds * 1000 > ${0}
      and started_at + session_seconds * 1000 <= updated_at + ${0}
    order by started_at`,
);

/**
 * The seconds of a session between `before` and `after` that other sessions of its device under the same entitlement
 * cover: a guest who walked to the next router is still told of by the first. A session covers whole seconds from its
 * start, and the start stays as it was first reckoned; so what all reports add, in whatever order, is exactly the time
 * that some session covers. Call it with the entitlement's row held, so that of two reports the later sees the earlier.
 */
export async function coveredSeconds(
  tx: Db,
  entitlement: { id: string; online_seconds: number | null },
  before: Session,
  after: Session,
): Promise<number> {
  const { id, mac, updated_at } = after;
  const start = Math.floor(after.started_at / 1000);
  const from = start + before.session_seconds;
  const to = start + after.session_seconds;
  if (entitlement.online_seconds === null || mac === null || !isMac(mac) || from === to) return 0;
  if (to * 1000 > updated_at + ONE_CLOCK_MS) return 0;
  // None lasts longer than the online time, but for what it had under the entitlement before.
  const oldest = idAt((from - entitlement.online_seconds) * 1000 - DAY_MS);
  const values = [mac, oldest, id, entitlement.id, to * 1000, from * 1000, ONE_CLOCK_MS];
  let covered = 0;
  let reached = from;
  for (const time of await timesBeside(tx, values)) {
    const begins = Math.floor(time.started_at / 1000);
    const ends = Math.min(begins + time.session_seconds, to);
    covered += Math.max(0, ends - Math.max(begins, reached));
    reached = Math.max(reached, ends);
  }
  return covered;
}
