// Payments: money that arrived.
import type { Page, PageRequest } from '../db/page.ts';
import { readPage, unindexed } from '../db/page.ts';
import type { Db, Row } from '../db/schema.ts';
import { AppError } from '../errors.ts';

export type Payment = Row<'payments'>;

export interface PaymentView extends Payment {
  plan_name: string | null;
}

export interface PaymentFilter {
  state?: Payment['state'] | undefined;
  receipt?: string | undefined;
  msisdn?: string | undefined;
  subscriber_id?: string | undefined;
  order_id?: string | undefined;
}

function viewQuery(db: Db) {
  return db
    .selectFrom('payments as m')
    .leftJoin('plans as p', 'p.id', 'm.plan_id')
    .selectAll('m')
    .select('p.name as plan_name');
}

export async function listPayments(
  db: Db,
  page: PageRequest,
  filter: PaymentFilter = {},
): Promise<Page<PaymentView>> {
  let query = viewQuery(db);
  const narrow = filter.receipt ?? filter.msisdn ?? filter.subscriber_id ?? filter.order_id;
  if (filter.state) query = query.where(narrow ? unindexed('m.state') : 'm.state', '=', filter.state);
  if (filter.receipt) query = query.where('m.receipt', '=', filter.receipt);
  if (filter.msisdn) query = query.where('m.msisdn', '=', filter.msisdn);
  if (filter.subscriber_id) query = query.where('m.subscriber_id', '=', filter.subscriber_id);
  if (filter.order_id) query = query.where('m.order_id', '=', filter.order_id);
  return readPage(query, 'm.id', page);
}

/** The payment with this M-PESA receipt, in capitals. */
export async function findPaymentByReceipt(db: Db, receipt: string): Promise<Payment | undefined> {
  return db.selectFrom('payments').selectAll().where('receipt', '=', receipt).executeTakeFirst();
}

export async function getPayment(db: Db, id: string): Promise<PaymentView> {
  const payment = await viewQuery(db).where('m.id', '=', id).executeTakeFirst();
  if (!payment) throw new AppError('not_found', 'There is no such payment.');
  return payment;
}
