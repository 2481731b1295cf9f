// /api/v1/ledger
import * as z from 'zod';
import { BY_HAND, LEDGER_ACCOUNTS, moveMoney, takeMoveBack } from '../../../billing/ledger.ts';
import { ledgerBalances, listLedgerEntries } from '../../../billing/ledger-books.ts';
import { lastProof, proveLedger, recordProof } from '../../../billing/ledger-proof.ts';
import type { LedgerAccount } from '../../../db/schema.ts';
import { AppError } from '../../../errors.ts';
import { dayOf, dayStart } from '../../../lib/days.ts';
import { ledgerAccountsAnswer, ledgerEntryAnswer, ledgerProofAnswer, pageOfAnswer } from './answers.ts';
import { idFilter, MANAGERS, OWNER, pageOf, pageQuery, type Route, route } from './route.ts';

const account = z.enum(Object.keys(LEDGER_ACCOUNTS) as [LedgerAccount, ...LedgerAccount[]]);
const byHand = z.enum(BY_HAND as [LedgerAccount, ...LedgerAccount[]]);
const day = z
  .string()
  .refine((text) => dayStart(text) !== undefined, 'Write a day like 2026-11-21.')
  .describe('A day in Nairobi, `2026-11-21`');

export const ledgerRoutes: Route[] = [
  route({
    method: 'get',
    path: '/ledger/entries',
    summary: 'List ledger entries with their lines, newest first',
    access: MANAGERS,
    query: pageQuery.extend({
      account: account.optional(),
      day: day.optional(),
      payment_id: idFilter,
      holder: idFilter.describe('A till or a reseller'),
    }),
    answer: pageOfAnswer(ledgerEntryAnswer),
    handle: ({ ctx, query }) => listLedgerEntries(ctx.db, pageOf(query), query),
  }),
  route({
    method: 'get',
    path: '/ledger/accounts',
    summary: 'Every ledger account with its balance, and what moved on a day (today when absent)',
    access: MANAGERS,
    query: z.object({ day: day.optional() }),
    answer: ledgerAccountsAnswer,
    async handle({ ctx, query, now }) {
      const of = query.day ?? dayOf(now);
      const items = await ledgerBalances(ctx.db, of);
      return {
        day: of,
        items: items.map((item) => ({ ...item, by_hand: BY_HAND.includes(item.account) })),
        proof: (await lastProof(ctx.db)) ?? null,
      };
    },
  }),
  route({
    method: 'post',
    path: '/ledger/proof',
    summary: 'Prove the ledger now, as it is done every night',
    access: MANAGERS,
    answer: ledgerProofAnswer,
    async handle({ ctx, now }) {
      const proof = await proveLedger(ctx.db, now);
      await recordProof(ctx.db, proof);
      if (!proof.ok) ctx.log.error('the ledger is wrong', { problems: proof.problems });
      return proof;
    },
  }),
  route({
    method: 'post',
    path: '/ledger/entries',
    summary:
      'Write down money moved by hand: to the bank, a fee, a reseller’s float. Takes an Idempotency-Key',
    access: OWNER,
    status: 201,
    body: z.object({
      from: byHand,
      to: byHand,
      amount_cents: z.number().int().min(1).max(10_000_000_000),
      holder: z.string().max(40).optional().describe('The reseller, for the resellers’ float'),
      note: z.string().trim().min(1, 'Say what it was.').max(200),
    }),
    answer: z.strictObject({ booked: z.boolean() }),
    async handle({ ctx, c, actor, body, now }) {
      const key = c.req.header('idempotency-key')?.slice(0, 200);
      if (!key) throw new AppError('invalid', 'Send an Idempotency-Key, so that a repeat counts once.');
      return { booked: await moveMoney(ctx.db, { ...body, key }, actor, now) };
    },
  }),
  route({
    method: 'post',
    path: '/ledger/entries/{id}/take-back',
    summary: 'Take a move by hand back by booking its opposite; both stay',
    access: OWNER,
    status: 204,
    body: z.object({ reason: z.string().trim().min(1, 'Say why.').max(180) }),
    handle: ({ ctx, actor, params, body, now }) =>
      takeMoveBack(ctx.db, params.id as string, body.reason, actor, now),
  }),
];
