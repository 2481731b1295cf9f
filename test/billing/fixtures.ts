// Orders on their way and the messages M-PESA sends about them.
import { keepEvidence } from '../../src/billing/evidence.ts';
import type {
  PaymentGateway,
  PaymentQueryOutcome,
  PaymentRequest,
  PaymentRequestOutcome,
} from '../../src/billing/gateways.ts';
import { ledgerBalances } from '../../src/billing/ledger-books.ts';
import { type Order, type OrderInput, sendOrder, startOrder } from '../../src/billing/orders.ts';
import { settleEvidence } from '../../src/billing/settle.ts';
import type { Db } from '../../src/db/schema.ts';
import { dayOf } from '../../src/lib/days.ts';
import { NOW, vault } from '../access/fixtures.ts';

export const MSISDN = '254712345678';

export function orderFor(planId: string, change: Partial<OrderInput> = {}): OrderInput {
  return {
    plan_id: planId,
    msisdn: MSISDN,
    mac: 'AA:BB:CC:00:00:01',
    ip: '10.5.48.20',
    router_id: null,
    idempotency_key: null,
    ...change,
  };
}

/** A gateway that answers as told, and remembers what it was asked. */
export function scriptedGateway(
  answer: PaymentRequestOutcome,
  query: PaymentQueryOutcome = { outcome: 'undecided', problem: '4999 still processing' },
) {
  const requests: PaymentRequest[] = [];
  const queries: string[] = [];
  const gateway: PaymentGateway = {
    requestPayment: async (request) => {
      requests.push(request);
      return answer;
    },
    queryPayment: async (id) => {
      queries.push(id);
      return query;
    },
    pullMoney: async () => ({ money: [], problem: null }),
    askStatus: async () => ({ outcome: 'refused', problem: 'no initiator' }),
    reverse: async () => ({ outcome: 'refused', problem: 'no initiator' }),
    test: async () => [],
  };
  return { gateway, requests, queries };
}

export function accepted(id: string): PaymentRequestOutcome {
  return { outcome: 'accepted', merchant_request_id: `m-${id}`, checkout_request_id: `ws_CO_${id}` };
}

/** An order whose prompt is on the phone, under the identifiers `m-<id>` and `ws_CO_<id>`. */
export async function sentOrder(
  db: Db,
  planId: string,
  id: string,
  change: Partial<OrderInput> = {},
): Promise<Order> {
  const { order, plan, token } = await startOrder(db, orderFor(planId, change), NOW);
  if (!token) throw new Error('the order joined another one');
  const { gateway } = scriptedGateway(accepted(id));
  return sendOrder(db, gateway, { order, plan, token }, 'http://box', () => NOW);
}

/** The body of a callback as Daraja sends it (payments.md §1.5). */
export function callback(
  id: string,
  change: {
    code?: number | string;
    amount?: unknown;
    receipt?: string | null;
    phone?: unknown;
    merchant?: string;
  } = {},
): string {
  const { code = 0, amount = 20, receipt = 'UK1234ABCD', phone = 254712345678 } = change;
  const items = [
    { Name: 'Amount', Value: amount },
    ...(receipt === null ? [] : [{ Name: 'MpesaReceiptNumber', Value: receipt }]),
    { Name: 'Balance' },
    { Name: 'TransactionDate', Value: 20270115110000 },
    ...(phone === null ? [] : [{ Name: 'PhoneNumber', Value: phone }]),
  ];
  const stkCallback = {
    MerchantRequestID: change.merchant ?? `m-${id}`,
    CheckoutRequestID: `ws_CO_${id}`,
    ResultCode: code,
    ResultDesc: 'prose',
    ...(String(code) === '0' ? { CallbackMetadata: { Item: items } } : {}),
  };
  return JSON.stringify({ Body: { stkCallback } });
}

export async function keepCallback(db: Db, orderId: string | null, body: string, now = NOW, doubt?: string) {
  const source_address = '196.201.214.200';
  return keepEvidence(db, { kind: 'stk_callback', order_id: orderId, body, source_address, doubt }, now);
}

/** What the job keeps when the query was answered. */
export async function keepQuery(db: Db, orderId: string, code: string, now = NOW) {
  const body = JSON.stringify({ outcome: 'decided', result_code: code, result_desc: 'prose' });
  return keepEvidence(db, { kind: 'stk_query', order_id: orderId, body, source_address: null }, now);
}

/** Keeps a callback and settles it. */
export async function callBack(db: Db, orderId: string, body: string, now = NOW, doubt?: string) {
  const evidence = await keepCallback(db, orderId, body, now, doubt);
  return evidence && settleEvidence(db, vault, evidence.id, now);
}

export async function answerQuery(db: Db, orderId: string, code: string, now = NOW) {
  const evidence = await keepQuery(db, orderId, code, now);
  return evidence && settleEvidence(db, vault, evidence.id, now);
}

/** Everything that money can have led to. */
export async function books(db: Db) {
  const [payments, entitlements, evidence, tasks] = await Promise.all([
    db.selectFrom('payments').selectAll().orderBy('id').execute(),
    db.selectFrom('entitlements').selectAll().orderBy('id').execute(),
    db.selectFrom('evidence').selectAll().orderBy('id').execute(),
    db.selectFrom('tasks').selectAll().orderBy('id').execute(),
  ]);
  return { payments, entitlements, evidence, activations: tasks.filter((task) => task.kind === 'activate') };
}

/** What an account of the ledger holds, in cents. */
export async function balance(db: Db, account: string): Promise<number> {
  return (await ledgerBalances(db, dayOf(NOW))).find((row) => row.account === account)?.balance_cents ?? 0;
}
