// A voucher batch on paper: its sheet as PDF, its codes as CSV.
import { getPlan } from '../access/plans.ts';
import { getVoucherBatch, listVouchers, MAX_BATCH, type VoucherView } from '../access/vouchers.ts';
import { MAX_LIMIT } from '../db/page.ts';
import { AppError } from '../errors.ts';
import { readBusiness } from '../operators/business.ts';
import { csvLine } from '../reports/csv.ts';
import { voucherSheet } from '../reports/voucher-sheet.ts';
import type { HeavyContext } from './functions.ts';

/** Vouchers on one PDF: 417 pages. */
const MOST_ON_SHEET = 10_000;

async function vouchersOf(
  { db, vault }: HeavyContext,
  batchId: string,
  state?: VoucherView['state'],
): Promise<VoucherView[]> {
  const vouchers: VoucherView[] = [];
  let cursor: string | undefined;
  do {
    const page = await listVouchers(db, vault, { limit: MAX_LIMIT, cursor }, { batch_id: batchId, state });
    vouchers.push(...page.items);
    cursor = page.next ?? undefined;
  } while (cursor && vouchers.length < MAX_BATCH);
  return vouchers;
}

/** The unused vouchers of a batch as a PDF. Throws `conflict` when there are none or too many for one sheet. */
export async function voucherSheetOf(ctx: HeavyContext, batchId: string): Promise<Uint8Array> {
  const batch = await getVoucherBatch(ctx.db, batchId);
  const unused = batch.made - batch.redeemed - batch.cancelled;
  if (unused <= 0) throw new AppError('conflict', 'This batch has no unused vouchers to print.');
  if (unused > MOST_ON_SHEET) {
    throw new AppError('conflict', `A sheet holds ${MOST_ON_SHEET.toLocaleString('en')} vouchers at most.`, {
      hint: 'Make smaller batches, or take the CSV to a print shop.',
    });
  }
  const business = await readBusiness(ctx.db);
  const vouchers = await vouchersOf(ctx, batchId, 'unused');
  return voucherSheet({
    business_name: business.name,
    portal_url: business.portal_url,
    plan: await getPlan(ctx.db, batch.plan_id),
    price_cents: batch.price_cents,
    codes: vouchers.map((voucher) => voucher.code),
  });
}

/** Every voucher of a batch with its code, a line each. */
export async function voucherCsv(ctx: HeavyContext, batchId: string): Promise<string> {
  const batch = await getVoucherBatch(ctx.db, batchId);
  const vouchers = await vouchersOf(ctx, batchId);
  const lines = vouchers.map((v) => csvLine([v.code, v.state, batch.plan_name, batch.name]));
  return ['code,state,plan,batch\r\n', ...lines].join('');
}
