// Credentials: the RADIUS user names with their secrets.
import { sql } from 'kysely';
import { insertStatement } from '../db/insert.ts';
import type { Page, PageRequest } from '../db/page.ts';
import { readPage } from '../db/page.ts';
import type { Db, Row } from '../db/schema.ts';
import { holdRow } from '../db/several-nodes.ts';
import { statement } from '../db/statement.ts';
import { AppError } from '../errors.ts';
import { randomCode, spellingsOf } from '../lib/codes.ts';
import { newId } from '../lib/ids.ts';
import type { Vault } from '../lib/secrets.ts';

export type Credential = Row<'credentials'>;

const USERNAME_LENGTH = 9;
const PASSWORD_LENGTH = 10;

const insertCredential = insertStatement('credentials', sql`returning *`);

/** A new credential with the given name and password; `conflict`-free names are the caller's affair. */
export async function createCredential(
  db: Db,
  vault: Vault,
  input: {
    subscriber_id: string;
    username: string;
    password: string;
    kind: Credential['kind'];
    device_mac: string | null;
    static_address?: string | null;
    router_id?: string | null;
  },
  now: number,
): Promise<Credential> {
  const { password, ...rest } = input;
  const [credential] = await insertCredential(db, {
    id: newId(now),
    static_address: null,
    router_id: null,
    ...rest,
    password_sealed: vault.seal(password),
    state: 'active',
    created_at: now,
    updated_at: now,
  });
  return credential as Credential;
}

const credentialOf = statement(
  sql<Credential>`
    select * from credentials where subscriber_id = ${''} and coalesce(device_mac, '') = ${''} and kind = 'hotspot'
      and state = 'active' order by id limit 1`,
);
const credentialById = statement(sql<Credential>`select * from credentials where id = ${''}`);

/**
 * The credential a purchase of this subscriber on this device belongs to. One a device: who buys again on the same
 * phone adds to what they have; who buys for a second phone with the same number gets access for the second phone.
 */
export async function credentialForDevice(
  db: Db,
  vault: Vault,
  subscriberId: string,
  mac: string | null,
  now: number,
): Promise<Credential> {
  // Two purchases at once must not make two credentials.
  await holdRow(db, 'subscribers', subscriberId);
  const [existing] = await credentialOf(db, [subscriberId, mac ?? '']);
  return (
    existing ??
    createCredential(
      db,
      vault,
      {
        subscriber_id: subscriberId,
        username: randomCode(USERNAME_LENGTH),
        password: randomCode(PASSWORD_LENGTH),
        kind: 'hotspot',
        device_mac: mac,
      },
      now,
    )
  );
}

export async function findCredential(db: Db, id: string): Promise<Credential | undefined> {
  return (await credentialById(db, [id]))[0];
}

export async function getCredential(db: Db, id: string): Promise<Credential> {
  const credential = await findCredential(db, id);
  if (!credential) throw new AppError('not_found', 'There is no such credential.');
  return credential;
}

export interface CredentialFilter {
  subscriber_id?: string | undefined;
  username?: string | undefined;
}

export async function listCredentials(
  db: Db,
  page: PageRequest,
  filter: CredentialFilter = {},
): Promise<Page<Credential>> {
  let query = db.selectFrom('credentials').selectAll();
  if (filter.subscriber_id) query = query.where('subscriber_id', '=', filter.subscriber_id);
  if (filter.username) query = query.where('username', 'in', spellingsOf(filter.username));
  return readPage(query, 'credentials.id', page);
}
