// Work to do after a commit: written in the transaction that makes it necessary, claimed by lease.
import { sql } from 'kysely';
import { newId } from '../lib/ids.ts';
import { insertStatement } from './insert.ts';
import type { Db, Row } from './schema.ts';
import { heldStatement, statement } from './statement.ts';

/**
 * How long a claim holds before another node (or this one, restarted) may take the task again. Whoever works on a task
 * renews it, so this is how long the tasks of a node that died wait for the others. The clocks of two nodes may differ by
 * less than this.
 */
export const LEASE_MS = 10_000;
/** How often a claim is renewed: two renewals may fail. */
export const RENEW_MS = 3000;

/** Every kind of task with its payload. */
export interface TaskPayloads {
  /** Turn a stored message about money into a payment. */
  settle_evidence: { evidence_id: string };
  /** Ask M-PESA whether a message about money that is not believed as it stands is true. */
  confirm_evidence: { evidence_id: string };
  /** Ask M-PESA about a code that a guest gave. */
  confirm_claim: { claim_id: string };
  /** Make the live sessions of a credential match its entitlement. */
  enforce: { credential_id: string; reason: string };
  /** Make the live sessions match a changed plan that began while it was changed. */
  follow_plan: { plan_id: string; since: number; reason: string };
  /** End one live session. */
  disconnect_session: { session_id: string; reason: string };
  /** Bring a guest online who has just paid. */
  activate: { order_id: string };
  /** Give entitlements back what they lost to an outage. */
  extend_entitlements: { outage_id: string };
  /** Settle the lines of a statement. */
  settle_statement: { import_id: string };
  /** Make the vouchers of a batch. */
  make_vouchers: { batch_id: string };
}
export type TaskKind = keyof TaskPayloads;
export const TASK_KINDS: readonly TaskKind[] = [
  'settle_evidence',
  'confirm_evidence',
  'confirm_claim',
  'enforce',
  'follow_plan',
  'disconnect_session',
  'activate',
  'extend_entitlements',
  'settle_statement',
  'make_vouchers',
];
export type Task = Row<'tasks'>;

const insertTask = insertStatement('tasks');

/** Writes a task; call it inside the transaction whose commit makes it true. */
export async function enqueueTask<K extends TaskKind>(
  db: Db,
  kind: K,
  payload: TaskPayloads[K],
  now: number,
  runAt = now,
): Promise<string> {
  const id = newId(now);
  await insertTask(db, {
    id,
    kind,
    payload: JSON.stringify(payload),
    state: 'ready',
    attempts: 0,
    run_at: runAt,
    leased_until: null,
    outcome: null,
    created_at: now,
    finished_at: null,
  });
  return id;
}

// The state stands in the text and not as a parameter: only so is the index on what is ready used.
const DUE = sql`t.state = 'ready' and t.run_at <= ${0} and (t.leased_until is null or t.leased_until <= ${0})`;

const dueTasks = statement(
  sql<{ id: string }>`select t.id from tasks t where t.kind = ${''} and ${DUE} order by t.run_at limit ${0}`,
);

/** Again as it was when it was found, or another node was quicker. */
const claimTask = statement(
  sql<Task>`
    update tasks set leased_until = ${0}, attempts = attempts + 1
    where id = ${''} and state = 'ready' and (leased_until is null or leased_until <= ${0}) returning *`,
);

/**
 * Takes up to `limit` due tasks of these kinds for LEASE_MS, those of the first kind first. Where there are none, nothing is
 * written. Safe between nodes: PostgreSQL checks the guard again on the row after waiting for another claimer.
 */
export async function claimTasks(
  db: Db,
  now: number,
  kinds: readonly TaskKind[],
  limit = 20,
): Promise<Task[]> {
  const due: string[] = [];
  for (const kind of kinds) {
    if (due.length === limit) break;
    const found = await dueTasks(db, [kind, now, now, limit - due.length]);
    due.push(...found.map(({ id }) => id));
  }
  if (due.length === 0) return [];
  return db.transaction().execute(async (tx) => {
    const claimed: Task[] = [];
    // In the order of their ids, whoever claims: two nodes then wait for each other instead of a deadlock.
    for (const id of due.sort()) claimed.push(...(await claimTask(tx, [now + LEASE_MS, id, now])));
    return claimed;
  });
}

const heldTasks = heldStatement(
  sql<Task>`select * from tasks t where t.kind = ${''} and ${DUE} order by t.run_at limit ${0}`,
);

/** Due tasks of a kind for one transaction that does their work and finishes them: nobody else has them until it ends. */
export async function holdTasks(tx: Db, now: number, kind: TaskKind, limit: number): Promise<Task[]> {
  return heldTasks(tx, [kind, now, now, limit]);
}

const kindsDue = statement(
  sql<{ kind: TaskKind }>`
    select k.kind from (${sql.join(
      TASK_KINDS.map((kind) => sql`select ${sql.lit(kind)} as kind`),
      sql` union all `,
    )}) k where exists (select 1 from tasks t where t.kind = k.kind and ${DUE})`,
);

/** The kinds of which something may be claimed now. */
export async function dueKinds(db: Db, now: number): Promise<Set<TaskKind>> {
  return new Set((await kindsDue(db, [now, now])).map(({ kind }) => kind));
}

/** Prolongs the claim on tasks that are being worked on; one that was finished, or claimed by another since, stays as it is. */
export async function renewTasks(db: Db, tasks: readonly Task[], now: number): Promise<void> {
  for (const { id, attempts } of tasks) {
    await db
      .updateTable('tasks')
      .set({ leased_until: now + LEASE_MS })
      .where('id', '=', id)
      .where('state', '=', 'ready')
      // Each claim counts one up.
      .where('attempts', '=', attempts)
      .where('leased_until', 'is not', null)
      .execute();
  }
}

/**
 * Gives back every claimed task. For the start of a store that no other program works on: whoever claimed them is gone,
 * and after a power cut a guest who has paid is not to wait for a lease.
 */
export async function releaseTasks(db: Db): Promise<void> {
  await db
    .updateTable('tasks')
    .set({ leased_until: null })
    .where('state', '=', sql.lit('ready'))
    .where('leased_until', 'is not', null)
    .execute();
}

const endTask = statement(
  sql`update tasks set state = 'done', outcome = ${''}, leased_until = null, finished_at = ${0} where id = ${''}`,
);

/** Marks a task done; `outcome` is what an operator may read about it. */
export async function finishTask(db: Db, id: string, outcome: string, now: number): Promise<void> {
  await endTask(db, [outcome, now, id]);
}

/**
 * Gives a task back to run again at `runAt`, or ends it as failed when `runAt` is null. One that another node has done
 * since, when the claim was over, stays done.
 */
export async function postponeTask(
  db: Db,
  id: string,
  outcome: string,
  runAt: number | null,
  now: number,
): Promise<void> {
  await db
    .updateTable('tasks')
    .set(
      runAt === null
        ? { state: 'failed', outcome, leased_until: null, finished_at: now }
        : { outcome, leased_until: null, run_at: runAt },
    )
    .where('id', '=', id)
    .where('state', '=', 'ready')
    .execute();
}

/** The clock was wrong by `byMs` from `since` on, as it was counted: what waits keeps its turn and its lease. */
export async function moveTasks(tx: Db, since: number, byMs: number): Promise<void> {
  await tx
    .updateTable('tasks')
    .set((eb) => ({ run_at: eb('run_at', '+', byMs), leased_until: eb('leased_until', '+', byMs) }))
    .where('state', '=', sql.lit('ready'))
    .where('run_at', '>=', since)
    .execute();
}

/** Deletes tasks finished before `before`. */
export async function forgetTasks(db: Db, before: number): Promise<void> {
  await db.deleteFrom('tasks').where('finished_at', '<', before).execute();
}
