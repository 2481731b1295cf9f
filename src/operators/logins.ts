// Logins: who is signed in, proved by a random token of which only the hash is stored.
import type { Db } from '../db/schema.ts';
import { AppError } from '../errors.ts';
import { DAY_MS } from '../lib/days.ts';
import { newId } from '../lib/ids.ts';
import { hashToken, newToken } from '../lib/secrets.ts';
import { type Account, findAccountByEmail } from './accounts.ts';
import { hashPassword, verifyPassword } from './passwords.ts';

export const LOGIN_LIFETIME_MS = 30 * DAY_MS;

export interface LoginFrom {
  address: string | null;
  agent: string | null;
}

let decoyHash: Promise<string> | undefined;

/**
 * Checks e-mail and password and makes a login.
 * @throws `unauthorized`, in the same words and after the same work whether the address or the password is wrong.
 */
export async function logIn(
  db: Db,
  email: string,
  password: string,
  from: LoginFrom,
  now: number,
): Promise<{ account: Account; token: string }> {
  const account = await findAccountByEmail(db, email);
  decoyHash ??= hashPassword('nobody has this password');
  const right = await verifyPassword(password, account?.password_hash ?? (await decoyHash));
  if (!account || !right || account.state !== 'active') {
    throw new AppError('unauthorized', 'The e-mail address or the password is wrong.', {
      hint: 'An owner can set a new password, or run: karibu account reset-password',
    });
  }
  return { account, token: await openLogin(db, account, from, now) };
}

/** A login for an account already proved, such as the first one at the moment it is made. */
export async function openLogin(db: Db, account: Account, from: LoginFrom, now: number): Promise<string> {
  const token = newToken();
  await db
    .insertInto('logins')
    .values({
      id: newId(now),
      account_id: account.id,
      token_hash: hashToken(token),
      address: from.address,
      agent: from.agent?.slice(0, 200) ?? null,
      created_at: now,
      expires_at: now + LOGIN_LIFETIME_MS,
    })
    .execute();
  await db.updateTable('accounts').set({ last_login_at: now }).where('id', '=', account.id).execute();
  return token;
}

/** The active account a token stands for; undefined when it is unknown, over or disabled. */
export async function findLogin(db: Db, token: string, now: number): Promise<Account | undefined> {
  return db
    .selectFrom('logins as l')
    .innerJoin('accounts as a', 'a.id', 'l.account_id')
    .selectAll('a')
    .where('l.token_hash', '=', hashToken(token))
    .where('l.expires_at', '>', now)
    .where('a.state', '=', 'active')
    .executeTakeFirst();
}

export async function closeLogin(db: Db, token: string): Promise<void> {
  await db.deleteFrom('logins').where('token_hash', '=', hashToken(token)).execute();
}

/** The clock was wrong by `byMs` from `since` on, as it was counted: logins made meanwhile last as long as any. */
export async function moveLogins(tx: Db, since: number, byMs: number): Promise<void> {
  await tx
    .updateTable('logins')
    .set((eb) => ({ created_at: eb('created_at', '+', byMs), expires_at: eb('expires_at', '+', byMs) }))
    .where('created_at', '>=', since)
    .execute();
}

/** Deletes logins that are over. */
export async function forgetLogins(db: Db, now: number): Promise<void> {
  await db.deleteFrom('logins').where('expires_at', '<=', now).execute();
}
