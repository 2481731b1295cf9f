// Runs the tasks that commits left behind.

import { extendEntitlements, getOutage } from '../access/outages.ts';
import { getVoucherBatch, makeVouchers } from '../access/vouchers.ts';
import { findOrder } from '../billing/orders.ts';
import { settleEvidence } from '../billing/settle.ts';
import {
  claimTasks,
  finishTask,
  postponeTask,
  RENEW_MS,
  renewTasks,
  type Task,
  type TaskKind,
  type TaskPayloads,
} from '../db/tasks.ts';
import { errorText } from '../errors.ts';
import { activateOrder } from '../network/activate.ts';
import { endSession, enforceCredential } from '../network/enforce.ts';
import type { JobContext } from './context.ts';

/** Seconds until each next try; after the last the task has failed and stays to be seen. */
const RETRY_SECONDS = [1, 2, 5, 10, 30, 60, 300, 900, 3600];

/** What a task did; `retry` when it must be done again. */
interface Done {
  outcome: string;
  retry?: boolean;
}

const KINDS: { [K in TaskKind]: (ctx: JobContext, payload: TaskPayloads[K]) => Promise<Done> } = {
  async settle_evidence(ctx, { evidence_id }) {
    const settled = await settleEvidence(ctx.db, ctx.vault, evidence_id, ctx.clock.now());
    if (settled?.payment) ctx.live.publish('payment', settled.payment);
    if (settled?.granted) ctx.kick();
    return { outcome: settled?.granted ? 'granted' : 'settled' };
  },
  async enforce(ctx, { credential_id, reason }) {
    const { outcome, complete } = await enforceCredential(ctx.enforcement, credential_id, reason);
    return { outcome, retry: !complete };
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
  activate: 'activate',
  enforce: 'enforce',
  disconnect_session: 'enforce',
  extend_entitlements: 'extend entitlements',
  make_vouchers: 'make vouchers',
};

/** Every lane with its kinds of task: each kind is in exactly one. */
export function taskLanes(): { name: string; kinds: TaskKind[] }[] {
  const kinds = Object.keys(LANES) as TaskKind[];
  return [...new Set(Object.values(LANES))].map((name) => ({
    name,
    kinds: kinds.filter((kind) => LANES[kind] === name),
  }));
}

async function runTask(ctx: JobContext, task: Task): Promise<void> {
  const run = KINDS[task.kind as TaskKind] as
    | ((ctx: JobContext, payload: unknown) => Promise<Done>)
    | undefined;
  const later = RETRY_SECONDS[task.attempts - 1];
  const again = later === undefined ? null : later * 1000;
  try {
    if (!run) throw new Error(`no such kind of task: ${task.kind}`);
    const { outcome, retry } = await run(ctx, JSON.parse(task.payload));
    const now = ctx.clock.now();
    if (retry) await postponeTask(ctx.db, task.id, outcome, again && now + again, now);
    else await finishTask(ctx.db, task.id, outcome, now);
  } catch (error) {
    ctx.log.warn('task failed', {
      task: task.kind,
      id: task.id,
      attempts: task.attempts,
      error: errorText(error),
    });
    const now = ctx.clock.now();
    await postponeTask(ctx.db, task.id, errorText(error), again && now + again, now);
  }
}

/** Takes what is due of these kinds until nothing is; tasks of one claim run side by side. */
export function runTasks(kinds: readonly TaskKind[]): (ctx: JobContext) => Promise<void> {
  return async (ctx) => {
    for (;;) {
      const tasks = await claimTasks(ctx.db, ctx.clock.now(), kinds);
      if (tasks.length === 0) return;
      await whileRenewing(ctx, tasks, Promise.all(tasks.map((task) => runTask(ctx, task))));
    }
  };
}

/** Keeps a claim alive until the work is done; what cannot be renewed may run a second time, which harms nothing. */
async function whileRenewing(ctx: JobContext, tasks: readonly Task[], work: Promise<unknown>): Promise<void> {
  let renewal: Promise<void> | undefined;
  const timer = setInterval(() => {
    renewal = renewTasks(ctx.db, tasks, ctx.clock.now()).catch((error: unknown) =>
      ctx.log.warn('tasks not renewed', { error: errorText(error) }),
    );
  }, RENEW_MS);
  try {
    await work;
  } finally {
    clearInterval(timer);
    await renewal;
  }
}
