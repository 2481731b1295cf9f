// Every job there is, and when it runs.
import cron from 'node-cron';
import { dueKinds, type TaskKind } from '../db/tasks.ts';
import { checkDisk } from './check-disk.ts';
import { checkRouters } from './check-routers.ts';
import { closeStale } from './close-stale-sessions.ts';
import type { JobContext } from './context.ts';
import { drainSpool } from './drain-spool.ts';
import { endEntitlements } from './end-entitlements.ts';
import { endHours } from './end-hours.ts';
import { followReversals } from './follow-reversals.ts';
import { forget } from './forget.ts';
import { forgetOldSessions } from './forget-sessions.ts';
import { pollOrders } from './poll-orders.ts';
import { bookOldPayments, proveBooks } from './prove-ledger.ts';
import { pullPayments } from './pull-payments.ts';
import { EVERY_MS as ROLL_OVER_MS, rollOver } from './roll-over.ts';
import { taskLanes } from './run-tasks.ts';
import { watchClock } from './watch-clock.ts';
import { watchOutages } from './watch-outages.ts';

interface Job {
  name: string;
  /** Milliseconds between the end of one run and the next, or a cron expression in Nairobi's time. */
  every: number | string;
  run(ctx: JobContext): Promise<void>;
  /** Also runs as soon as a task of these kinds is due. */
  kinds?: readonly TaskKind[];
  /** Runs again while an earlier run still waits for a router. */
  beside?: boolean;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;

export const jobs: Job[] = [
  ...taskLanes().map((lane) => ({
    ...lane,
    every: SECOND,
  })),
  { name: 'end entitlements', every: SECOND, run: endEntitlements },
  { name: 'roll over', every: ROLL_OVER_MS, run: rollOver },
  { name: 'poll orders', every: SECOND, run: pollOrders },
  // Also how long it takes at most until what the disk refused is taken again.
  { name: 'check disk', every: 5 * SECOND, run: checkDisk },
  // Each minute it looks whether a sweep is due.
  { name: 'pull payments', every: MINUTE, run: pullPayments },
  { name: 'follow reversals', every: MINUTE, run: followReversals },
  { name: 'drain spool', every: 5 * SECOND, run: drainSpool },
  { name: 'note routers heard', every: 10 * SECOND, run: (ctx) => ctx.recordHeard() },
  { name: 'reload routers', every: 15 * SECOND, run: (ctx) => ctx.reloadRouters() },
  { name: 'reload tunnel', every: 15 * SECOND, run: (ctx) => ctx.reloadTunnel() },
  { name: 'watch the clock', every: SECOND, run: watchClock },
  { name: 'remember the time', every: MINUTE, run: (ctx) => ctx.knownTime.remember() },
  { name: 'close stale sessions', every: MINUTE, run: closeStale },
  { name: 'end hours', every: MINUTE, run: endHours },
  { name: 'watch outages', every: MINUTE, run: watchOutages },
  { name: 'check routers', every: MINUTE, run: checkRouters },
  { name: 'book old payments', every: 10 * SECOND, run: bookOldPayments },
  { name: 'prove the ledger', every: '10 3 * * *', run: proveBooks },
  { name: 'forget', every: '30 3 * * *', run: forget },
  { name: 'forget sessions', every: '40 3 * * *', run: forgetOldSessions },
];

export interface Schedule {
  /** Runs the waiting tasks of a kind now, or looks which kinds wait. */
  kick(kind?: TaskKind): void;
  /** No job starts after this; resolves when those that run have ended. */
  stop(): Promise<void>;
}

/** Starts every job. One that fails is logged and runs again at its next time; none runs beside itself, but where its work may. */
export function startJobs(ctx: JobContext): Schedule {
  let stopped = false;
  const timers = new Set<ReturnType<typeof setTimeout>>();
  const running = new Set<Promise<void>>();

  async function runOnce(job: Job): Promise<void> {
    try {
      await job.run(ctx);
    } catch (error) {
      if (!stopped) ctx.log.error('job failed', { job: job.name, error });
    }
  }

  function track(work: Promise<void>): Promise<void> {
    running.add(work);
    return work.finally(() => running.delete(work));
  }

  function repeat(job: Job, every: number): void {
    const timer = setTimeout(async () => {
      timers.delete(timer);
      const run = track(runOnce(job));
      if (!job.beside) await run;
      if (!stopped) repeat(job, every);
    }, every);
    timers.add(timer);
  }

  const daily = jobs.flatMap((job) => {
    if (typeof job.every === 'number') {
      repeat(job, job.every);
      return [];
    }
    return [
      cron.schedule(job.every, () => track(runOnce(job)), { timezone: 'Africa/Nairobi', noOverlap: true }),
    ];
  });

  // A kick while a job runs is remembered, so that what was committed meanwhile does not wait for the next second.
  function kickable(job: Job): () => void {
    let wanted = false;
    let running = false;
    async function drain(): Promise<void> {
      running = true;
      while (wanted && !stopped) {
        wanted = false;
        await runOnce(job);
      }
      running = false;
    }
    if (job.beside) return () => void (stopped || track(runOnce(job)));
    return () => {
      wanted = true;
      if (!running && !stopped) void track(drain());
    };
  }
  const lanes = jobs.flatMap((job) => (job.kinds ? [{ kinds: job.kinds, start: kickable(job) }] : []));

  async function startDue(): Promise<void> {
    try {
      const due = await dueKinds(ctx.db, ctx.clock.now());
      for (const { kinds, start } of lanes) if (kinds.some((kind) => due.has(kind))) start();
    } catch (error) {
      if (!stopped) ctx.log.error('tasks not looked for', { error });
    }
  }

  // However often it is kicked in one turn of the event loop, it looks once.
  let looking = false;

  return {
    kick(kind) {
      if (stopped) return;
      if (kind) {
        for (const { kinds, start } of lanes) if (kinds.includes(kind)) start();
        return;
      }
      if (looking) return;
      looking = true;
      setImmediate(() => {
        looking = false;
        if (!stopped) void track(startDue());
      });
    },
    async stop() {
      stopped = true;
      for (const timer of timers) clearTimeout(timer);
      for (const task of daily) await task.destroy();
      await Promise.allSettled(running);
    },
  };
}
