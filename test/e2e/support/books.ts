// Compares Karibu's books with M-PESA's.
import { expect } from 'vitest';
import type { Shop } from './shop.ts';
import { until } from './until.ts';

export interface Evidence {
  id: string;
  kind: string;
  state: string;
  summary: string | null;
}

export interface Payment {
  id: string;
  order_id: string | null;
  receipt: string | null;
  receipt_pending: boolean;
  amount_cents: number;
  state: string;
  entitlement_id: string | null;
}

export interface OrderDetail {
  id: string;
  state: string;
  checkout_request_id: string | null;
  entitlement_id: string | null;
  result_code: string | null;
  evidence: Evidence[];
  payments: Payment[];
}

export const orderDetail = (shop: Shop, id: string) => shop.api.get<OrderDetail>(`/orders/${id}`);

/** Waits until so many pieces of evidence of an order have been read, none is left unread. */
export function evidenceRead(shop: Shop, id: string, count: number): Promise<OrderDetail> {
  return until(`${count} pieces of evidence of order ${id} are read`, async () => {
    const detail = await orderDetail(shop, id);
    const read = detail.evidence.filter(({ state }) => state !== 'received');
    return read.length >= count && read.length === detail.evidence.length ? detail : undefined;
  });
}

/**
 * Every shilling M-PESA took is one settled payment here with exactly one entitlement, and no other payment or
 * entitlement for money exists.
 */
export async function expectBooksAgree({ api, mpesa }: Shop): Promise<void> {
  await mpesa.waitUntilQuiet();
  const ledger = mpesa.ledger();
  const payments = await api.all<Payment>('/payments');
  const orders = await api.all<{ id: string; checkout_request_id: string | null }>('/orders');
  const checkoutOf = new Map(orders.map((order) => [order.id, order.checkout_request_id]));
  const here = payments.map((payment) => ({
    checkout: checkoutOf.get(payment.order_id ?? ''),
    cents: payment.amount_cents,
    state: payment.state,
  }));
  const there = ledger.map((entry) => ({
    checkout: entry.checkout_request_id,
    cents: entry.amount_shillings * 100,
    state: 'settled',
  }));
  const byCheckout = (
    a: { checkout?: string | null | undefined },
    b: { checkout?: string | null | undefined },
  ) => (a.checkout ?? '').localeCompare(b.checkout ?? '');
  expect(here.sort(byCheckout)).toEqual(there.sort(byCheckout));
  for (const { receipt, order_id } of payments) {
    const entry = ledger.find((one) => one.checkout_request_id === checkoutOf.get(order_id ?? ''));
    expect([null, entry?.receipt]).toContain(receipt);
  }
  const granted = await api.all<{ id: string; source: string; order_id: string | null }>('/entitlements');
  const forMoney = granted.filter(({ source }) => source === 'order');
  expect(forMoney.map(({ id }) => id).sort()).toEqual(payments.map((one) => one.entitlement_id).sort());
  expect(new Set(forMoney.map(({ order_id }) => order_id)).size).toBe(forMoney.length);
}
