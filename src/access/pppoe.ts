// PPPoE credentials: made, changed, switched off or removed by the operator.
import { unindexed } from '../db/page.ts';
import type { Db } from '../db/schema.ts';
import { enqueueTask } from '../db/tasks.ts';
import { AppError } from '../errors.ts';
import { randomCode } from '../lib/codes.ts';
import { newId } from '../lib/ids.ts';
import type { Vault } from '../lib/secrets.ts';
import { type Credential, getCredential } from './credentials.ts';
import { beginAnew, openSessions } from './sessions.ts';

const PASSWORD_LENGTH = 10;

/** A password that survives a phone call. */
export function newPassword(): string {
  return randomCode(PASSWORD_LENGTH);
}

export interface PppoeInput {
  subscriber_id: string;
  username: string;
  /** A random one is made when it is left out. */
  password?: string | undefined;
  static_address: string | null;
  router_id: string | null;
}

function usernameTaken(username: string): AppError {
  return new AppError('conflict', `The user name ${username} is taken.`, {
    fields: { username: 'Another credential has this user name.' },
  });
}

function addressTaken(address: string, username: string): AppError {
  return new AppError('conflict', `${address} is the address of ${username}.`, {
    hint: 'Give each home an address of its own.',
    fields: { static_address: `${username} has this address.` },
  });
}

/** Throws `conflict` while another credential that may sign in has this address; the unique index has the last word. */
async function checkAddress(db: Db, address: string | null, exceptId: string): Promise<void> {
  if (address === null) return;
  const other = await db
    .selectFrom('credentials')
    .select('username')
    .where('static_address', '=', address)
    .where('state', '=', 'active')
    .where('id', '<>', exceptId)
    .executeTakeFirst();
  if (other) throw addressTaken(address, other.username);
}

/**
 * Makes a PPPoE credential; its password is returned this once. Throws `conflict` when the user name or the address is
 * another's. Call it in a transaction.
 */
export async function createPppoeCredential(
  db: Db,
  vault: Vault,
  input: PppoeInput,
  now: number,
): Promise<{ credential: Credential; password: string }> {
  const { password = newPassword(), ...rest } = input;
  await checkAddress(db, input.static_address, '');
  const credential = await db
    .insertInto('credentials')
    .values({
      id: newId(now),
      ...rest,
      password_sealed: vault.seal(password),
      kind: 'pppoe',
      state: 'active',
      device_mac: null,
      created_at: now,
      updated_at: now,
    })
    // Without a column: of two that take one address at the same moment, the second is told as well.
    .onConflict((oc) => oc.doNothing())
    .returningAll()
    .executeTakeFirst();
  if (credential) return { credential, password };
  await checkAddress(db, input.static_address, '');
  throw usernameTaken(input.username);
}

export interface PppoeChange {
  password?: string;
  static_address?: string | null;
  router_id?: string | null;
  state?: Credential['state'];
}

/** The router cannot change what these are in a live session: it asks anew, and gets the new ones. */
const NEEDS_NEW_SESSION = ['password_sealed', 'static_address'] as const;

/**
 * Changes a PPPoE credential and has its live sessions follow: one with another address or password begins anew, one
 * that may no longer be there ends. Throws `conflict` for an address that another has. Call it in a transaction.
 */
export async function changePppoeCredential(
  tx: Db,
  vault: Vault,
  id: string,
  change: PppoeChange,
  now: number,
): Promise<Credential> {
  const { password, ...rest } = change;
  const before = await getPppoeCredential(tx, id);
  const state = change.state ?? before.state;
  const address = change.static_address === undefined ? before.static_address : change.static_address;
  if (state === 'active') await checkAddress(tx, address, id);
  const after = await tx
    .updateTable('credentials')
    .set({
      ...rest,
      ...(password === undefined ? {} : { password_sealed: vault.seal(password) }),
      updated_at: now,
    })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
  if (after.state === 'active' && NEEDS_NEW_SESSION.some((name) => before[name] !== after[name])) {
    for (const session of await openSessions(tx, id)) await beginAnew(tx, session.id, now);
  }
  if (before.state !== after.state || before.router_id !== after.router_id) {
    await enqueueTask(tx, 'enforce', { credential_id: id, reason: 'credential_changed' }, now);
  }
  return after;
}

/** Removes a credential that nothing was ever granted to and that never was online; others can only be switched off. */
export async function deletePppoeCredential(db: Db, id: string): Promise<Credential> {
  const credential = await getPppoeCredential(db, id);
  const deleted = await db
    .deleteFrom('credentials')
    .where('id', '=', id)
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('entitlements').select('id').where('credential_id', '=', id))),
    )
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('sessions')
            .select('id')
            .where('subscriber_id', '=', credential.subscriber_id)
            .where(unindexed('credential_id'), '=', id),
        ),
      ),
    )
    .executeTakeFirst();
  if (Number(deleted.numDeletedRows) === 0) {
    throw new AppError('conflict', `${credential.username} has been used, and the books need it.`, {
      hint: 'Disable it instead: it can no longer sign in, and its address is free.',
    });
  }
  return credential;
}

async function getPppoeCredential(db: Db, id: string): Promise<Credential> {
  const credential = await getCredential(db, id);
  if (credential.kind !== 'pppoe') {
    throw new AppError('conflict', 'This credential belongs to a device or a voucher.', {
      hint: 'Only PPPoE credentials are changed by hand.',
    });
  }
  return credential;
}

/** How many credentials may sign in through this router alone. */
export async function countBoundTo(db: Db, routerId: string): Promise<number> {
  const { count } = await db
    .selectFrom('credentials')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where(unindexed('router_id'), '=', routerId)
    .executeTakeFirstOrThrow();
  return Number(count);
}
