// /api/v1/payments/cash: what is sold over the counter, its slip, and taking it back.
import * as z from 'zod';
import { getEntitlementView } from '../../../access/entitlements.ts';
import { getSubscriber } from '../../../access/subscribers.ts';
import { type CashSale, getCashSale, sellForCash, voidCashSale } from '../../../billing/cash.ts';
import { AppError } from '../../../errors.ts';
import { normalizeMsisdn } from '../../../lib/msisdn.ts';
import type { Account } from '../../../operators/accounts.ts';
import { readBusiness } from '../../../operators/business.ts';
import { qrPath, qrPicture } from '../../../reports/qr.ts';
import type { HttpContext } from '../context.ts';
import { cashSaleAnswer, slipAnswer } from './answers.ts';
import { type Route, route } from './route.ts';

export const CASHIERS = ['owner', 'admin', 'cashier'] as const;

export const manages = (account: Account) => account.role === 'owner' || account.role === 'admin';

export function viewSale({ idempotency_key: _, voucher_key: __, ...shown }: CashSale) {
  return shown;
}

/** A till its caller may see: one's own, and every one for who manages. */
export function checkOwn(account: Account, owner: string): void {
  if (!manages(account) && account.id !== owner) {
    throw new AppError('forbidden', 'This is another cashier’s till.', { hint: 'Ask the owner.' });
  }
}

/** What a slip says beside its sale: whose shop, whose home, and the code as a link. */
async function slipOf(ctx: HttpContext, sale: CashSale) {
  const { name, support_phone, portal_url } = await readBusiness(ctx.db);
  const entitlement = sale.entitlement_id ? await getEntitlementView(ctx.db, sale.entitlement_id) : undefined;
  const home = entitlement && (await getSubscriber(ctx.db, entitlement.subscriber_id));
  const works = sale.code !== null && sale.voucher_state === 'unused' && sale.voided_at === null;
  const link = works && portal_url ? `${portal_url}/voucher?code=${sale.code}` : null;
  const picture = link ? qrPicture(link) : undefined;
  return {
    sale: viewSale(sale),
    business: { name, support_phone, portal_url },
    home:
      entitlement && home
        ? {
            subscriber_id: home.id,
            name: home.name,
            msisdn: home.msisdn,
            username: entitlement.username,
            state: entitlement.state,
            ends_at: entitlement.ends_at,
          }
        : null,
    link,
    qr: picture ? { size: picture.size, path: qrPath(picture) } : null,
  };
}

const newSale = z
  .object({
    plan_id: z.string().max(40).optional(),
    credential_id: z.string().max(40).optional().describe('A home’s credential: the plan goes to it'),
    voucher_code: z
      .string()
      .trim()
      .min(1, 'Write the code.')
      .max(60)
      .optional()
      .describe('A printed voucher'),
    msisdn: z.string().max(40).optional().describe('The guest’s number, if they give it'),
  })
  .refine((body) => (body.plan_id === undefined) !== (body.voucher_code === undefined), {
    path: ['plan_id'],
    message: 'Name the plan or a printed voucher, one of them.',
  });

export const cashSaleRoutes: Route[] = [
  route({
    method: 'post',
    path: '/payments/cash',
    summary: 'Sell a plan or a printed voucher for cash; the code is in the answer. Takes an Idempotency-Key',
    access: CASHIERS,
    status: 201,
    body: newSale,
    answer: cashSaleAnswer,
    async handle({ ctx, c, actor, body, now }) {
      const key = c.req.header('idempotency-key')?.slice(0, 200);
      if (!key) throw new AppError('invalid', 'Send an Idempotency-Key, so that a repeat sells once.');
      const msisdn = body.msisdn ? normalizeMsisdn(body.msisdn) : undefined;
      if (body.msisdn && !msisdn) {
        throw new AppError('invalid', 'This is not a Kenyan mobile number.', {
          fields: { msisdn: 'Write it like 0712 345 678.' },
        });
      }
      const account_id = c.get('account').id;
      const sale = await sellForCash(ctx.db, ctx.vault, { ...body, msisdn, account_id, key }, actor, now);
      ctx.live.publish('payment', {
        id: sale.payment_id,
        amount_cents: sale.amount_cents,
        receipt: null,
        received_at: sale.created_at,
      });
      ctx.kick();
      return viewSale(sale);
    },
  }),
  route({
    method: 'get',
    path: '/payments/{id}/cash',
    summary: 'The cash sale behind a payment, with its code for printing again',
    access: CASHIERS,
    answer: cashSaleAnswer,
    async handle({ ctx, c, params }) {
      const sale = await getCashSale(ctx.db, ctx.vault, params.id as string);
      checkOwn(c.get('account'), sale.account_id);
      return viewSale(sale);
    },
  }),
  route({
    method: 'get',
    path: '/payments/{id}/slip',
    summary: 'What is printed for a cash sale, the first time or again',
    access: CASHIERS,
    answer: slipAnswer,
    async handle({ ctx, c, params }) {
      const sale = await getCashSale(ctx.db, ctx.vault, params.id as string);
      checkOwn(c.get('account'), sale.account_id);
      return slipOf(ctx, sale);
    },
  }),
  route({
    method: 'post',
    path: '/payments/{id}/void',
    summary: 'Take a mistaken cash sale back, while nothing of it was used',
    access: CASHIERS,
    body: z.object({ reason: z.string().trim().min(1, 'Say why.').max(200) }),
    answer: cashSaleAnswer,
    async handle({ ctx, c, actor, params, body, now }) {
      const account = c.get('account');
      const by = { account_id: account.id, manages: manages(account), reason: body.reason };
      const sale = await voidCashSale(ctx.db, ctx.vault, params.id as string, by, actor, now);
      ctx.kick();
      return viewSale(sale);
    },
  }),
];
