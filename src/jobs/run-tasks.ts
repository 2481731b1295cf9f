// Runs the tasks that commits left behind.
import { setTimeout } from 'node:timers/promises';
import { followPlanLate } from '../access/follow-plan.ts';
import { extendEntitlements, getOutage } from '../access/outages.ts';
import { getVoucherBatch, makeVouchers } from '../access/vouchers.ts';
import { findOrder } from '../billing/orders.ts';
import { type Settled, settleEvidence, settleIn } from '../billing/settle.ts';
import { continueImport } from '../billing/statement-import.ts';
import { diskTrouble } from '../db/disk.ts';
import type { Db } from '../db/schema.ts';
import {
  claimTasks,
  dueKinds,
  finishTask,
  holdTasks,
  postponeTask,
  RENEW_MS,
  renewTasks,
  type Task,
  type TaskKind,
  type TaskPayloads,
} from '../db/tasks.ts';
import { errorText } from '../errors.ts';
import { createTurns } from '../lib/turns.ts';
import { activateOrder, logInAgain } from '../network/activate.ts';
import { endSession, enforceCredential } from '../network/enforce.ts';
import { confirmClaim } from './confirm-claim.ts';
import { confirmEvidence } from './confirm-evidence.ts';
import type { JobContext } from './context.ts';

/** Seconds until each next try; after the last the task has failed and stays to be seen. */
const RETRY_SECONDS = [1, 2, 5, 10, 30, 60, 300, 900, 3600];

/** The same for a live session that is not as it should be: until it is, or is over. A router may be away for hours. */
const LIVE_RETRY_SECONDS = [1, 2, 5, 10, 30, 60];

/** What a task did; `retry` when it must be done again soon, `again_at` when at its own time. */
interface Done {
  outcome: string;
  retry?: boolean;
  again_at?: number;
}

const outcomeOf = (settled: Settled | undefined) => (settled?.granted ? 'granted' : 'settled');

function tellOf(ctx: JobContext, settled: Settled | undefined): void {
  if (settled?.payment) ctx.live.publish('payment', settled.payment);
  if (settled?.granted) ctx.kick('activate');
}

const KINDS: { [K in TaskKind]: (ctx: JobContext, payload: TaskPayloads[K]) => Promise<Done> } = {
  async settle_evidence(ctx, { evidence_id }) {
    const settled = await settleEvidence(ctx.db, ctx.vault, evidence_id, ctx.clock.now());
    tellOf(ctx, settled);
    return { outcome: outcomeOf(settled) };
  },
  confirm_evidence: (ctx, { evidence_id }) => confirmEvidence(ctx, evidence_id),
  confirm_claim: (ctx, { claim_id }) => confirmClaim(ctx, claim_id),
  async enforce(ctx, { credential_id, reason }) {
    const { outcome, complete } = await enforceCredential(ctx.enforcement, credential_id, reason);
    const again = await logInAgain(ctx.enforcement, credential_id);
    return { outcome: again ? `${outcome} ${again}` : outcome, retry: !complete };
  },
  async follow_plan(ctx, change) {
    const sessions = await followPlanLate(ctx.db, change, ctx.clock.now());
    if (sessions > 0) ctx.kick('enforce');
    return { outcome: `${sessions} credentials` };
  },
  async disconnect_session(ctx, { session_id, reason }) {
    const { outcome, complete } = await endSession(ctx.enforcement, session_id, reason);
    return { outcome, retry: !complete };
  },
  async activate(ctx, { order_id }) {
    const order = await findOrder(ctx.db, order_id);
    if (!order) return { outcome: 'The order is gone.' };
    const { outcome, complete } = await activateOrder(ctx.enforcement, order);
    return { outcome, retry: !complete };
  },
  async extend_entitlements(ctx, { outage_id }) {
    while ((await extendEntitlements(ctx.db, outage_id, ctx.clock.now())) > 0) {
      ctx.kick();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { extended } = await getOutage(ctx.db, outage_id);
    return { outcome: `${extended} extended` };
  },
  async settle_statement(ctx, { import_id }) {
    const { done } = await continueImport(ctx.db, ctx.vault, import_id, () => ctx.clock.now());
    ctx.kick();
    return { outcome: `${done} lines` };
  },
  async make_vouchers(ctx, { batch_id }) {
    const batch = await makeVouchers(
      ctx.db,
      await getVoucherBatch(ctx.db, batch_id),
      (count) => ctx.heavy.run('seal_codes', { count }),
      ctx.clock,
      (made) => ctx.live.publish('batch', made),
    );
    return { outcome: `${batch.made} vouchers` };
  },
};

/**
 * Which tasks wait for each other. Lanes keep apart what takes its time for different reasons: a guest who has paid
 * waits neither for a router that is silent nor for a pile of vouchers.
 */
const LANES: { [K in TaskKind]: string } = {
  settle_evidence: 'settle evidence',
  confirm_evidence: 'confirm evidence',
  confirm_claim: 'confirm evidence',
  activate: 'activate',
  enforce: 'enforce',
  follow_plan: 'enforce',
  disconnect_session: 'enforce',
  extend_entitlements: 'extend entitlements',
  settle_statement: 'settle statement',
  make_vouchers: 'make vouchers',
};

/** Every lane with its kinds of task: each kind is in exactly one. */
export function taskLanes(): {
  name: string;
  kinds: TaskKind[];
  run: (ctx: JobContext) => Promise<void>;
  beside: boolean;
}[] {
  const kinds = Object.keys(LANES) as TaskKind[];
  return [...new Set(Object.values(LANES))].map((name) => {
    const own = kinds.filter((kind) => LANES[kind] === name);
    const run = own.includes('settle_evidence') ? settleWaiting : runTasks(own);
    return { name, kinds: own, run, beside: name in AT_ONCE };
  });
}

/** What is written when a task has run. */
type Ending = (tx: Db) => Promise<void>;

async function runTask(ctx: JobContext, task: Task): Promise<Ending> {
  const run = KINDS[task.kind as TaskKind] as
    | ((ctx: JobContext, payload: unknown) => Promise<Done>)
    | undefined;
  const later = RETRY_SECONDS[task.attempts - 1];
  const again = later === undefined ? null : later * 1000;
  try {
    if (!run) throw new Error(`no such kind of task: ${task.kind}`);
    const { outcome, retry, again_at } = await run(ctx, JSON.parse(task.payload));
    const now = ctx.clock.now();
    const soon = LIVE_RETRY_SECONDS[Math.min(task.attempts, LIVE_RETRY_SECONDS.length) - 1] as number;
    const at = again_at ?? (retry ? now + soon * 1000 : undefined);
    return at === undefined
      ? (tx) => finishTask(tx, task.id, outcome, now)
      : (tx) => postponeTask(tx, task.id, outcome, at, now);
  } catch (error) {
    ctx.log.warn('task failed', {
      task: task.kind,
      id: task.id,
      attempts: task.attempts,
      error: errorText(error),
    });
    const now = ctx.clock.now();
    return (tx) => postponeTask(tx, task.id, errorText(error), again && now + again, now);
  }
}

/** What waits for routers may wait for many of them at once; what works here takes turns. */
const AT_ONCE: { [lane: string]: number } = { enforce: 200, activate: 200 };
const FEW = 20;

/** The lanes share one event loop: one task begins in each of its turns, between which packets are answered. */
const turn = createTurns();
/** Asks a router and reads little: those of one claim read in one snapshot. */
const READS_LITTLE = Promise.resolve();

/**
 * Takes what is due of these kinds until nothing is, and resolves when that is done. A task that takes its time leaves
 * room for others: a router that is silent holds up nobody at another.
 */
export function runTasks(kinds: readonly TaskKind[]): (ctx: JobContext) => Promise<void> {
  const most = Math.max(...kinds.map((kind) => AT_ONCE[LANES[kind]] ?? FEW));
  return async (ctx) => {
    const underWay = new Map<Task, Promise<void>>();
    const ended: Ending[] = [];
    const renewing = keepClaims(ctx, underWay);
    try {
      for (;;) {
        if (ended.length > 0) await writeEndings(ctx, ended.splice(0));
        const room = Math.min(FEW, most - underWay.size);
        const tasks = room > 0 ? await claimTasks(ctx.db, ctx.clock.now(), kinds, room) : [];
        for (const task of tasks) {
          const begins = task.kind === 'activate' ? READS_LITTLE : turn();
          const run = begins.then(() => runTask(ctx, task));
          underWay.set(
            task,
            run.then((ending) => {
              ended.push(ending);
              underWay.delete(task);
            }),
          );
        }
        if (tasks.length > 0) continue;
        if (underWay.size === 0 && ended.length === 0) return;
        if (ended.length === 0) await Promise.race(underWay.values());
      }
    } finally {
      await renewing.stop();
    }
  };
}

/** The ends of several tasks share a commit; what cannot be written has its task run again, when the claim is over. */
async function writeEndings(ctx: JobContext, endings: readonly Ending[]): Promise<void> {
  await ctx.db.transaction().execute(async (tx) => {
    for (const write of endings) await write(tx);
  });
}

/** How long one group holds the event loop: the packets that came meanwhile are answered between two groups. */
const GROUP_MS = 3;
const MOST_IN_A_GROUP = 20;
/** Rest between two groups: in a storm some callbacks gather and share the next one's commit; a single one never waits. */
const GATHER_MS = 25;

/**
 * Settles what waits, in groups that share a commit: the money, the grants and the ends of their tasks. A group that
 * fails did nothing; then each is tried alone, and waits for its next time alone.
 */
export async function settleWaiting(ctx: JobContext): Promise<void> {
  try {
    while ((await dueKinds(ctx.db, ctx.clock.now())).has('settle_evidence')) {
      await turn();
      for (const settled of await settleGroup(ctx)) tellOf(ctx, settled);
      await setTimeout(GATHER_MS);
    }
  } catch (error) {
    // Alone they would meet the same disk.
    if (diskTrouble(error)) throw error;
    ctx.log.warn('a group was not settled', { error });
    await runTasks(['settle_evidence'])(ctx);
  }
}

async function settleGroup(ctx: JobContext): Promise<(Settled | undefined)[]> {
  const now = ctx.clock.now();
  return ctx.db.transaction().execute(async (tx) => {
    const group: (Settled | undefined)[] = [];
    const began = performance.now();
    for (const task of await holdTasks(tx, now, 'settle_evidence', MOST_IN_A_GROUP)) {
      const { evidence_id } = JSON.parse(task.payload) as TaskPayloads['settle_evidence'];
      const settled = await settleIn(tx, ctx.vault, evidence_id, now);
      await finishTask(tx, task.id, outcomeOf(settled), now);
      group.push(settled);
      if (performance.now() - began > GROUP_MS) break;
    }
    return group;
  });
}

/** Renews the claims on what is under way; what cannot be renewed may run a second time, which harms nothing. */
function keepClaims(ctx: JobContext, underWay: ReadonlyMap<Task, unknown>): { stop(): Promise<void> } {
  let renewal: Promise<void> | undefined;
  const timer = setInterval(() => {
    renewal = renewTasks(ctx.db, [...underWay.keys()], ctx.clock.now()).catch((error: unknown) =>
      ctx.log.warn('tasks not renewed', { error }),
    );
  }, RENEW_MS);
  return {
    async stop() {
      clearInterval(timer);
      await renewal;
    },
  };
}
