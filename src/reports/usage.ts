// Usage over some days, by day, plan or router, from the daily rollups.
import type { Db } from '../db/schema.ts';
import { AppError } from '../errors.ts';
import { DAY_MS, dayOf } from '../lib/days.ts';
import { csvLine } from './csv.ts';

export type UsageGroup = 'day' | 'plan' | 'router';

export interface UsageRow {
  /** The day, or the id of the plan or router. */
  key: string;
  /** Null for a plan or router that is no more, and for a day. */
  name: string | null;
  online_seconds: number;
  upload_octets: number;
  download_octets: number;
}

const MOST_DAYS = 366;

function daysBetween(from: string, to: string): string[] {
  const [first, last] = [Date.parse(from), Date.parse(to)];
  const count = Math.round((last - first) / DAY_MS) + 1;
  if (!(count >= 1 && count <= MOST_DAYS)) {
    throw new AppError('invalid', 'Choose a first and a last day, at most a year apart.', {
      fields: { to: 'Not before the first day, and at most a year after it.' },
    });
  }
  // Noon in Nairobi of each day.
  return Array.from({ length: count }, (_, index) => dayOf(first + index * DAY_MS + DAY_MS / 4));
}

const COLUMNS = { day: 'day', plan: 'plan_id', router: 'router_id' } as const;

/**
 * Sums from the first to the last day, both included, `2026-11-21`. By day: each day, the oldest first; else the most
 * octets first. Reads a day at a time and lets others have their turn between two: a year takes long, a day does not.
 */
export async function readUsage(db: Db, from: string, to: string, by: UsageGroup): Promise<UsageRow[]> {
  const sums = new Map<string, UsageRow>();
  const add = (key: string): UsageRow => {
    const known = sums.get(key);
    if (known) return known;
    const fresh = { key, name: null, online_seconds: 0, upload_octets: 0, download_octets: 0 };
    sums.set(key, fresh);
    return fresh;
  };
  for (const day of daysBetween(from, to)) {
    const rows = await db
      .selectFrom('daily_usage')
      .select((eb) => [
        `${COLUMNS[by]} as key`,
        eb.fn.sum<number>('online_seconds').as('online_seconds'),
        eb.fn.sum<number>('upload_octets').as('upload_octets'),
        eb.fn.sum<number>('download_octets').as('download_octets'),
      ])
      .where('day', '=', day)
      .groupBy(COLUMNS[by])
      .execute();
    if (by === 'day') add(day);
    for (const row of rows) {
      const sum = add(row.key);
      sum.online_seconds += Number(row.online_seconds);
      sum.upload_octets += Number(row.upload_octets);
      sum.download_octets += Number(row.download_octets);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  const usage = [...sums.values()];
  if (by === 'day') return usage;
  const named = await db
    .selectFrom(by === 'plan' ? 'plans' : 'routers')
    .select(['id', 'name'])
    .execute();
  const names = new Map(named.map(({ id, name }) => [id, name]));
  const octets = (row: UsageRow) => row.upload_octets + row.download_octets;
  return usage
    .map((row) => ({ ...row, name: names.get(row.key) ?? null }))
    .sort((a, b) => octets(b) - octets(a));
}

/** One line a day, plan or router; one that is no more is told by its id. */
export function usageCsv(by: UsageGroup, rows: readonly UsageRow[]): string {
  const lines = rows.map((row) =>
    csvLine([row.name ?? row.key, row.online_seconds, row.upload_octets, row.download_octets]),
  );
  return [`${by},online_seconds,upload_octets,download_octets\r\n`, ...lines].join('');
}
