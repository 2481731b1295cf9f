// Usage a day: the rollup that stays when raw sessions are gone.
import { sql } from 'kysely';
import type { Db } from '../db/schema.ts';
import { statement } from '../db/statement.ts';
import { dayOf } from '../lib/days.ts';

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

/** Adds to the day's usage of an entitlement at a router; days are Nairobi's. */
export async function addDailyUsage(
  db: Db,
  entitlement: { id: string; plan_id: string },
  routerId: string,
  delta: UsageDelta,
  now: number,
): Promise<void> {
  await addToDay(db, [
    dayOf(now),
    entitlement.id,
    routerId,
    entitlement.plan_id,
    delta.seconds,
    delta.upload,
    delta.download,
  ]);
}
