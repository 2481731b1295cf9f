// Devices: the MAC addresses seen for a subscriber.
import type { Db, Row } from '../db/schema.ts';
import { newId } from '../lib/ids.ts';

export type Device = Row<'devices'>;

/** Remembers that a subscriber used this device now. */
export async function sawDevice(db: Db, subscriberId: string, mac: string, now: number): Promise<void> {
  await db
    .insertInto('devices')
    .values({ id: newId(now), subscriber_id: subscriberId, mac, first_seen_at: now, last_seen_at: now })
    .onConflict((oc) => oc.columns(['subscriber_id', 'mac']).doUpdateSet({ last_seen_at: now }))
    .execute();
}
