// Devices: the MAC addresses seen for a subscriber.
import { sql } from 'kysely';
import type { Db, Row } from '../db/schema.ts';
import { statement } from '../db/statement.ts';
import { newId } from '../lib/ids.ts';

export type Device = Row<'devices'>;

/** A device that connects again and again is not written down each time. */
const SEEN_LATELY_MS = 10 * 60_000;

const upsertDevice = statement(
  sql`
    insert into devices (id, subscriber_id, mac, first_seen_at, last_seen_at)
    values (${''}, ${''}, ${''}, ${0}, ${0})
    on conflict (subscriber_id, mac) do update set last_seen_at = excluded.last_seen_at
      where abs(excluded.last_seen_at - devices.last_seen_at) >= ${sql.lit(SEEN_LATELY_MS)}`,
);

/** Remembers that a subscriber used this device now, give or take ten minutes. */
export async function sawDevice(db: Db, subscriberId: string, mac: string, now: number): Promise<void> {
  await upsertDevice(db, [newId(now), subscriberId, mac, now, now]);
}
