// What a device may use by its MAC address alone.
import { sql } from 'kysely';
import type { Db } from '../db/schema.ts';
import { statement } from '../db/statement.ts';
import { type AccessRecord, currentAccess } from './entitlements.ts';

const usernameOfDevice = statement(
  sql<{ username: string }>`
    select c.username from credentials c
    join entitlements e on e.credential_id = c.id and e.state in ('active', 'waiting')
    where c.device_mac = ${''} and c.state = 'active'
    order by e.state, e.id limit 1`,
);

/**
 * The facts about a credential that was bought or redeemed on this device (`AA:BB:CC:DD:EE:FF`) and has an entitlement
 * that runs, else one that waits; undefined when there is none. Bounded: a turn that finds no such entitlement after
 * all has ended one that was over.
 */
export async function currentDeviceAccess(
  db: Db,
  mac: string,
  now: number,
  clockTrusted: boolean,
): Promise<AccessRecord | undefined> {
  for (;;) {
    // Alphabetically, active comes before waiting.
    const [found] = await usernameOfDevice(db, [mac]);
    if (!found) return undefined;
    const access = await currentAccess(db, found.username, mac, now, clockTrusted);
    const state = access?.entitlement?.state;
    if (state === 'active' || state === 'waiting') return access;
  }
}
