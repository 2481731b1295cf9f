// Usage a day: the rollup that stays when raw sessions are gone.
import { sql } from 'kysely';
import type { Db } from '../db/schema.ts';
import { statement } from '../db/statement.ts';
import { DAY_MS, dayOf, startOfDay } from '../lib/days.ts';

export interface UsageDelta {
  seconds: number;
  upload: number;
  download: number;
}

const addToDay = statement(
  sql`
    insert into daily_usage
      (day, entitlement_id, router_id, plan_id, online_seconds, upload_octets, download_octets)
    values (${''}, ${''}, ${''}, ${''}, ${0}, ${0}, ${0})
    on conflict (day, entitlement_id, router_id) do update set
      online_seconds = daily_usage.online_seconds + excluded.online_seconds,
      upload_octets = daily_usage.upload_octets + excluded.upload_octets,
      download_octets = daily_usage.download_octets + excluded.download_octets`,
);

/** Adds to the usage of an entitlement at a router on the day of `at`; days are Nairobi's. */
export async function addDailyUsage(
  db: Db,
  entitlement: { id: string; plan_id: string },
  routerId: string,
  delta: UsageDelta,
  at: number,
): Promise<void> {
  await addToDay(db, [
    dayOf(at),
    entitlement.id,
    routerId,
    entitlement.plan_id,
    delta.seconds,
    delta.upload,
    delta.download,
  ]);
}

/** What was used in more days than that is spread over the last of them: nothing but a broken counter says so much. */
const MOST_DAYS = 31;

/** Adds what was used until `to`, which is when it happened and not when it was told, to each day's usage its share. */
export async function addUsageUntil(
  db: Db,
  entitlement: { id: string; plan_id: string },
  routerId: string,
  delta: UsageDelta,
  to: number,
): Promise<void> {
  let left = delta;
  let from = to - Math.min(delta.seconds * 1000, MOST_DAYS * DAY_MS);
  for (let midnight = startOfDay(from) + DAY_MS; midnight < to; midnight += DAY_MS) {
    const share = (midnight - from) / (to - from);
    const part = {
      seconds: Math.floor(left.seconds * share),
      upload: Math.floor(left.upload * share),
      download: Math.floor(left.download * share),
    };
    await addDailyUsage(db, entitlement, routerId, part, from);
    left = {
      seconds: left.seconds - part.seconds,
      upload: left.upload - part.upload,
      download: left.download - part.download,
    };
    from = midnight;
  }
  await addDailyUsage(db, entitlement, routerId, left, from);
}
