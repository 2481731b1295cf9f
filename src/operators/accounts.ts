// Accounts: the persons who sign in to the admin UI.
import type { Page, PageRequest } from '../db/page.ts';
import { readPage } from '../db/page.ts';
import type { Db, Row } from '../db/schema.ts';
import { AppError } from '../errors.ts';
import { newId } from '../lib/ids.ts';
import { hashPassword, MIN_PASSWORD_LENGTH } from './passwords.ts';

export type Account = Row<'accounts'>;
export type Role = Account['role'];
export const ROLES: readonly Role[] = ['owner', 'admin', 'cashier', 'support', 'reseller'];

export interface AccountInput {
  email: string;
  name: string;
  role: Role;
  password: string;
}

/** An e-mail address as it is stored and looked up. */
export function normalizeEmail(typed: string): string {
  return typed.trim().toLowerCase();
}

function checkPassword(password: string): void {
  if (password.length < MIN_PASSWORD_LENGTH) {
    throw new AppError('invalid', 'The password is too short.', {
      fields: { password: `Use at least ${MIN_PASSWORD_LENGTH} characters.` },
    });
  }
}

/** @throws `conflict` when the e-mail address has an account. */
export async function createAccount(db: Db, input: AccountInput, now: number): Promise<Account> {
  checkPassword(input.password);
  return insertAccount(db, input, await hashPassword(input.password), now);
}

async function insertAccount(
  db: Db,
  input: AccountInput,
  passwordHash: string,
  now: number,
): Promise<Account> {
  const account = await db
    .insertInto('accounts')
    .values({
      id: newId(now),
      email: normalizeEmail(input.email),
      name: input.name,
      role: input.role,
      password_hash: passwordHash,
      state: 'active',
      last_login_at: null,
      created_at: now,
      updated_at: now,
    })
    .onConflict((oc) => oc.column('email').doNothing())
    .returningAll()
    .executeTakeFirst();
  if (!account) {
    throw new AppError('conflict', 'There is an account with this e-mail address.', {
      fields: { email: 'This address has an account already.' },
    });
  }
  return account;
}

/** The first account, an owner: refused (`conflict`) once there is any. Of two at the same moment one is made. */
export async function createFirstAccount(
  db: Db,
  input: Omit<AccountInput, 'role'>,
  now: number,
): Promise<Account> {
  checkPassword(input.password);
  const hash = await hashPassword(input.password);
  return db.transaction().execute(async (tx) => {
    // The settings row is what two setups at once collide on; an account made on the command line counts as well.
    const first = await tx
      .insertInto('settings')
      .values({ key: 'setup', value: JSON.stringify({ done: true }), updated_at: now })
      .onConflict((oc) => oc.column('key').doNothing())
      .returning('key')
      .executeTakeFirst();
    if (!first || (await hasAccounts(tx))) {
      throw new AppError('conflict', 'Karibu is already set up. Please sign in.');
    }
    return insertAccount(tx, { ...input, role: 'owner' }, hash, now);
  });
}

export async function hasAccounts(db: Db): Promise<boolean> {
  return (await db.selectFrom('accounts').select('id').limit(1).executeTakeFirst()) !== undefined;
}

export async function findAccountByEmail(db: Db, email: string): Promise<Account | undefined> {
  return db.selectFrom('accounts').selectAll().where('email', '=', normalizeEmail(email)).executeTakeFirst();
}

export async function getAccount(db: Db, id: string): Promise<Account> {
  const account = await db.selectFrom('accounts').selectAll().where('id', '=', id).executeTakeFirst();
  if (!account) throw new AppError('not_found', 'There is no such account.');
  return account;
}

export interface AccountChange {
  name?: string | undefined;
  role?: Role | undefined;
  state?: Account['state'] | undefined;
  password?: string | undefined;
}

/**
 * Changes an account. A new password or a disabled account ends its sign-ins. The last active owner stays one:
 * otherwise nobody could let anyone in again.
 */
export async function updateAccount(
  db: Db,
  id: string,
  change: AccountChange,
  now: number,
): Promise<Account> {
  if (change.password !== undefined) checkPassword(change.password);
  const hash = change.password === undefined ? undefined : await hashPassword(change.password);
  return db.transaction().execute(async (tx) => {
    // Changes nothing, but on PostgreSQL holds every owner: two that step down at once take turns.
    await tx
      .updateTable('accounts')
      .set((eb) => ({ role: eb.ref('role') }))
      .where('role', '=', 'owner')
      .execute();
    const account = await tx
      .updateTable('accounts')
      .set({
        ...(change.name !== undefined ? { name: change.name } : {}),
        ...(change.role !== undefined ? { role: change.role } : {}),
        ...(change.state !== undefined ? { state: change.state } : {}),
        ...(hash !== undefined ? { password_hash: hash } : {}),
        updated_at: now,
      })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirst();
    if (!account) throw new AppError('not_found', 'There is no such account.');
    const owner = await tx
      .selectFrom('accounts')
      .select('id')
      .where('role', '=', 'owner')
      .where('state', '=', 'active')
      .limit(1)
      .executeTakeFirst();
    if (!owner) {
      throw new AppError('conflict', 'One active owner must remain.', {
        hint: 'Make another account owner first.',
      });
    }
    if (hash !== undefined || account.state === 'disabled') {
      await tx.deleteFrom('logins').where('account_id', '=', id).execute();
    }
    return account;
  });
}

export async function listAccounts(db: Db, page: PageRequest): Promise<Page<Account>> {
  return readPage(db.selectFrom('accounts').selectAll(), 'accounts.id', page);
}
