// /api/v1/auth

import type { Context } from 'hono';
import { deleteCookie, setCookie } from 'hono/cookie';
import * as z from 'zod';
import { AppError } from '../../../errors.ts';
import {
  type Account,
  createFirstAccount,
  hasAccounts,
  normalizeEmail,
  updateAccount,
} from '../../../operators/accounts.ts';
import { audit } from '../../../operators/audit.ts';
import { readBusiness, updateBusiness } from '../../../operators/business.ts';
import { closeLogin, LOGIN_LIFETIME_MS, logIn, openLogin } from '../../../operators/logins.ts';
import { MIN_PASSWORD_LENGTH, verifyPassword } from '../../../operators/passwords.ts';
import { version } from '../../../version.ts';
import { createRateLimit } from '../rate-limit.ts';
import { meAnswer, setupNeededAnswer, signedInAnswer, signedOutAnswer } from './answers.ts';
import { type HonoEnv, route } from './route.ts';

export const LOGIN_COOKIE = 'karibu_login';

const email = z.email('Write an e-mail address.').max(200);
const newPassword = z
  .string()
  .min(MIN_PASSWORD_LENGTH, `Use at least ${MIN_PASSWORD_LENGTH} characters.`)
  .max(200);

function signedIn(c: Context<HonoEnv>, account: Account, token: string) {
  setCookie(c, LOGIN_COOKIE, token, {
    httpOnly: true,
    sameSite: 'Strict',
    path: '/',
    maxAge: LOGIN_LIFETIME_MS / 1000,
    secure: new URL(c.req.url).protocol === 'https:',
  });
  return { token, account: viewAccount(account) };
}

function viewAccount(account: Account) {
  return { id: account.id, email: account.email, name: account.name, role: account.role };
}

function from(c: Context<HonoEnv>) {
  return { address: c.env.address, agent: c.req.header('user-agent') ?? null };
}

/** Ten wrong passwords in a quarter of an hour, for each address and for each account. */
const TRIES = 10;
const TRIES_WINDOW_MS = 900_000;

/** The routes, with counters of their own: each program (and each test) starts from zero. */
export function authRoutes() {
  const tries = createRateLimit(TRIES, TRIES_WINDOW_MS);

  async function limited<T>(keys: string[], now: number, work: () => Promise<T>): Promise<T> {
    const allowed = keys.map((key) => tries.take(key, now)).every(Boolean);
    if (!allowed) {
      throw new AppError('rate_limited', 'Too many tries.', {
        hint: 'Wait a quarter of an hour, then try again.',
      });
    }
    const result = await work();
    for (const key of keys) tries.clear(key);
    return result;
  }

  return [
    route({
      method: 'get',
      path: '/auth/setup',
      summary: 'Whether the first account is still to be made',
      access: 'anyone',
      answer: setupNeededAnswer,
      handle: async ({ ctx }) => ({ needed: !(await hasAccounts(ctx.db)) }),
    }),
    route({
      method: 'post',
      path: '/auth/setup',
      summary: 'Make the first account, an owner, and sign in',
      access: 'anyone',
      status: 201,
      body: z.object({
        email,
        name: z.string().trim().min(1, 'Write your name.').max(100),
        password: newPassword,
        business_name: z.string().trim().min(1).max(60).optional(),
      }),
      answer: signedInAnswer,
      async handle({ ctx, c, body, now }) {
        const account = await createFirstAccount(ctx.db, body, now);
        if (body.business_name) await updateBusiness(ctx.db, { name: body.business_name }, now);
        const actor = { account_id: account.id, name: account.email, address: c.env.address };
        await audit(
          ctx.db,
          actor,
          { action: 'set up', entity: 'account', entity_id: account.id, entity_name: account.email },
          now,
        );
        return signedIn(c, account, await openLogin(ctx.db, account, from(c), now));
      },
    }),
    route({
      method: 'post',
      path: '/auth/login',
      summary: 'Sign in; the answer holds a bearer token and sets the UI’s cookie',
      access: 'anyone',
      body: z.object({ email: z.string().max(200), password: z.string().max(200) }),
      answer: signedInAnswer,
      handle: ({ ctx, c, body, now }) =>
        limited([`address ${c.env.address}`, `account ${normalizeEmail(body.email)}`], now, async () => {
          const { account, token } = await logIn(ctx.db, body.email, body.password, from(c), now);
          const actor = { account_id: account.id, name: account.email, address: c.env.address };
          await audit(
            ctx.db,
            actor,
            { action: 'sign in', entity: 'account', entity_id: account.id, entity_name: account.email },
            now,
          );
          return signedIn(c, account, token);
        }),
    }),
    route({
      method: 'post',
      path: '/auth/logout',
      summary: 'Sign out',
      access: 'signed_in',
      answer: signedOutAnswer,
      async handle({ ctx, c }) {
        await closeLogin(ctx.db, c.get('token'));
        deleteCookie(c, LOGIN_COOKIE, { path: '/' });
        return { signed_out: true };
      },
    }),
    route({
      method: 'get',
      path: '/auth/me',
      summary: 'Who is signed in, and to what',
      access: 'signed_in',
      answer: meAnswer,
      handle: async ({ ctx, c }) => ({
        account: viewAccount(c.get('account')),
        business_name: (await readBusiness(ctx.db)).name,
        version,
        clock: ctx.clockState(),
        disk: ctx.diskState(),
      }),
    }),
    route({
      method: 'post',
      path: '/auth/password',
      summary: 'Change one’s own password; other sign-ins end',
      access: 'signed_in',
      body: z.object({ current_password: z.string().max(200), password: newPassword }),
      answer: signedInAnswer,
      async handle({ ctx, c, actor, body, now }) {
        const account = c.get('account');
        await limited([`account ${account.email}`], now, () => verifyCurrent(account, body.current_password));
        const changed = await updateAccount(ctx.db, account.id, { password: body.password }, now);
        await audit(
          ctx.db,
          actor,
          { action: 'change password', entity: 'account', entity_id: account.id, entity_name: account.email },
          now,
        );
        return signedIn(c, changed, await openLogin(ctx.db, changed, from(c), now));
      },
    }),
  ];
}

async function verifyCurrent(account: Account, password: string): Promise<void> {
  if (!(await verifyPassword(password, account.password_hash))) {
    throw new AppError('invalid', 'The current password is wrong.', {
      fields: { current_password: 'This is not your password now.' },
    });
  }
}
