// /api/v1/accounts, /api/v1/audit
import * as z from 'zod';
import {
  type Account,
  createAccount,
  getAccount,
  listAccounts,
  ROLES,
  updateAccount,
} from '../../../operators/accounts.ts';
import { audit, listAudit } from '../../../operators/audit.ts';
import { MIN_PASSWORD_LENGTH } from '../../../operators/passwords.ts';
import { accountAnswer, auditAnswer, pageOfAnswer } from './answers.ts';
import { idFilter, MANAGERS, OWNER, pageOf, pageQuery, present, route } from './route.ts';

const fields = {
  email: z.email('Write an e-mail address.').max(200),
  name: z.string().trim().min(1, 'Write a name.').max(100),
  role: z.enum(ROLES as [Account['role'], ...Account['role'][]]),
  password: z.string().min(MIN_PASSWORD_LENGTH, `Use at least ${MIN_PASSWORD_LENGTH} characters.`).max(200),
};

function viewAccount(account: Account) {
  const { password_hash: _, ...shown } = account;
  return shown;
}

export const accountRoutes = [
  route({
    method: 'get',
    path: '/accounts',
    summary: 'List accounts',
    access: OWNER,
    query: pageQuery,
    answer: pageOfAnswer(accountAnswer),
    async handle({ ctx, query }) {
      const page = await listAccounts(ctx.db, pageOf(query));
      return { items: page.items.map(viewAccount), next: page.next };
    },
  }),
  route({
    method: 'post',
    path: '/accounts',
    summary: 'Create an account',
    access: OWNER,
    status: 201,
    body: z.object(fields),
    answer: accountAnswer,
    async handle({ ctx, actor, body, now }) {
      const account = viewAccount(await createAccount(ctx.db, body, now));
      const entry = {
        action: 'create',
        entity: 'account',
        entity_id: account.id,
        entity_name: account.email,
      };
      await audit(ctx.db, actor, { ...entry, after: account }, now);
      return account;
    },
  }),
  route({
    method: 'get',
    path: '/accounts/{id}',
    summary: 'One account',
    access: OWNER,
    answer: accountAnswer,
    handle: async ({ ctx, params }) => viewAccount(await getAccount(ctx.db, params.id as string)),
  }),
  route({
    method: 'patch',
    path: '/accounts/{id}',
    summary: 'Change an account; a new password ends its sign-ins',
    access: OWNER,
    body: z
      .object({
        name: fields.name,
        role: fields.role,
        password: fields.password,
        state: z.enum(['active', 'disabled']),
      })
      .partial(),
    answer: accountAnswer,
    async handle({ ctx, actor, params, body, now }) {
      const before = viewAccount(await getAccount(ctx.db, params.id as string));
      const after = viewAccount(await updateAccount(ctx.db, before.id, present(body), now));
      const entry = { action: 'update', entity: 'account', entity_id: after.id, entity_name: after.email };
      await audit(
        ctx.db,
        actor,
        { ...entry, before, after: { ...after, password: body.password && 'changed' } },
        now,
      );
      return after;
    },
  }),
  route({
    method: 'get',
    path: '/audit',
    summary: 'Who changed what, newest first',
    access: MANAGERS,
    query: pageQuery.extend({
      entity: z.string().min(1).max(40).optional(),
      entity_id: idFilter,
      account_id: idFilter,
    }),
    answer: pageOfAnswer(auditAnswer),
    async handle({ ctx, query }) {
      const page = await listAudit(ctx.db, pageOf(query), query);
      const parse = (text: string | null) => (text === null ? null : (JSON.parse(text) as unknown));
      const items = page.items.map((entry) => ({
        ...entry,
        before: parse(entry.before),
        after: parse(entry.after),
      }));
      return { items, next: page.next };
    },
  }),
];
