// How far M-PESA's payments have been pulled.
import type { Db } from '../db/schema.ts';
import { readSetting, writeSetting } from '../db/settings.ts';

const KEY = 'pull_position';

export interface PullPosition {
  /** Everything before this is in the store, epoch ms; 0 is nothing yet. */
  until_at: number;
  swept_at: number;
  /** Why the last sweep did not reach its end. */
  problem: string | null;
}

export async function readPullPosition(db: Db): Promise<PullPosition> {
  return (await readSetting<PullPosition>(db, KEY)) ?? { until_at: 0, swept_at: 0, problem: null };
}

export async function writePullPosition(db: Db, position: PullPosition, now: number): Promise<void> {
  await writeSetting(db, KEY, position, now);
}
