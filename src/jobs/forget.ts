// Deletes what has served its time.
import { forgetTasks } from '../db/tasks.ts';
import { DAY_MS } from '../lib/days.ts';
import { forgetLogins } from '../operators/logins.ts';
import type { JobContext } from './context.ts';

const TASKS_KEPT_MS = 30 * DAY_MS;

export async function forget(ctx: JobContext): Promise<void> {
  const now = ctx.clock.now();
  await forgetTasks(ctx.db, now - TASKS_KEPT_MS);
  await forgetLogins(ctx.db, now);
}
