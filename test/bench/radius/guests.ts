// The guests of a seeded store, let in and with their passwords.
import { Database } from 'bun:sqlite';
import { join } from 'node:path';
import { openVault } from '../../../src/db/key-file.ts';
import { DAY_MS } from '../../../src/lib/days.ts';
import { SEEDED_AT } from '../seed.ts';
import type { Guest } from './requests.ts';

/** Lets everyone in the store in, so that every request costs an Accept. */
export function letEveryoneIn(file: string): void {
  const database = new Database(file, { readwrite: true });
  database.run(
    `update entitlements set state = 'active', starts_at = ?1, ends_at = ?2, ended_at = null, end_reason = null,
       used_seconds = 0, used_upload_octets = 0, used_download_octets = 0, quota_octets = null`,
    [SEEDED_AT, SEEDED_AT + 30 * DAY_MS],
  );
  database.run("update subscribers set state = 'active' where state <> 'active'");
  database.run('pragma wal_checkpoint(truncate)');
  database.close();
}

/** Every guest with an entitlement, with the password as it is. */
export function* readGuests(dataDir: string): Generator<Guest> {
  const vault = openVault(dataDir);
  const database = new Database(join(dataDir, 'karibu.db'), { readonly: true });
  const rows = database.query<{ password_sealed: string } & Omit<Guest, 'password'>, []>(
    `select c.username, c.password_sealed, c.device_mac as mac, c.id as credential_id, min(e.id) as entitlement_id
     from credentials c join entitlements e on e.credential_id = c.id group by c.id`,
  );
  for (const { password_sealed, ...guest } of rows.iterate()) {
    yield { ...guest, password: vault.open(password_sealed) };
  }
  database.close();
}
