// Usage a day: the rollup that stays when raw sessions are gone.
import type { Db } from '../db/schema.ts';
import { dayOf } from '../lib/days.ts';

export interface UsageDelta {
  seconds: number;
  upload: number;
  download: number;
}

/** Adds to the day's usage of an entitlement at a router; days are Nairobi's. */
export async function addDailyUsage(
  db: Db,
  entitlement: { id: string; plan_id: string },
  routerId: string,
  delta: UsageDelta,
  now: number,
): Promise<void> {
  await db
    .insertInto('daily_usage')
    .values({
      day: dayOf(now),
      entitlement_id: entitlement.id,
      router_id: routerId,
      plan_id: entitlement.plan_id,
      online_seconds: delta.seconds,
      upload_octets: delta.upload,
      download_octets: delta.download,
    })
    .onConflict((oc) =>
      oc.columns(['day', 'entitlement_id', 'router_id']).doUpdateSet((eb) => ({
        online_seconds: eb('daily_usage.online_seconds', '+', eb.ref('excluded.online_seconds')),
        upload_octets: eb('daily_usage.upload_octets', '+', eb.ref('excluded.upload_octets')),
        download_octets: eb('daily_usage.download_octets', '+', eb.ref('excluded.download_octets')),
      })),
    )
    .execute();
}
