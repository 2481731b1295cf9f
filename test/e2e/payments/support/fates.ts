// Follows every shilling that M-PESA took to its end in Karibu's books.
import type { LedgerEntry, MpesaSimulator } from '../../../../src/simulators/mpesa/index.ts';
import type { Api } from '../../support/api.ts';
import { until } from '../../support/until.ts';

/** `pending`: granted, the receipt still to come. */
export type Fate = 'granted' | 'pending' | 'unmatched' | 'reversed';

export interface BookedPayment {
  id: string;
  gateway: string;
  order_id: string | null;
  receipt: string | null;
  amount_cents: number;
  state: 'settled' | 'unmatched' | 'reversed';
  entitlement_id: string | null;
}

interface Grant {
  id: string;
  source: string;
}

/** What Karibu's books hold of money; of several boxes with one shortcode, all of it. */
export interface Books {
  payments: BookedPayment[];
  checkouts: Map<string, string>;
  grants: Grant[];
}

/** Evidence that no payment, order or person has read yet is under way: what it is about may still change. */
export async function readBooks(api: Api): Promise<Books> {
  const orders = await api.all<{ id: string; checkout_request_id: string | null }>('/orders');
  return {
    payments: await api.all<BookedPayment>('/payments'),
    checkouts: new Map(orders.map((order) => [order.id, order.checkout_request_id ?? ''])),
    grants: await api.all<Grant>('/entitlements'),
  };
}

export interface Comparison {
  fates: Map<string, Fate>;
  problems: string[];
}

export interface Exceptions {
  /** Receipt → shillings that the callback named, where the simulator was told to name another sum than was paid. */
  told?: ReadonlyMap<string, number>;
  /** Receipts that may be unknown: no message that money came has reached Karibu yet. */
  unheard?: ReadonlySet<string>;
}

/** Holds each entry of M-PESA's ledger against the books: it is granted once, unmatched, or reversed; and no payment is of nowhere. */
export function compare(ledger: LedgerEntry[], books: Books, except: Exceptions = {}): Comparison {
  const problems: string[] = [];
  const fates = new Map<string, Fate>();
  const left = new Set(books.payments.filter(({ gateway }) => gateway === 'mpesa'));
  const take = (entry: LedgerEntry) => {
    const fitting = [...left].filter(
      ({ receipt, order_id }) =>
        receipt === entry.receipt ||
        (receipt === null &&
          entry.checkout_request_id !== '' &&
          books.checkouts.get(order_id ?? '') === entry.checkout_request_id),
    );
    if (fitting.length > 1) problems.push(`${entry.receipt} is ${fitting.length} payments`);
    for (const one of fitting) left.delete(one);
    return fitting[0];
  };
  for (const entry of ledger) {
    const payment = take(entry);
    if (!payment) {
      if (!except.unheard?.has(entry.receipt)) problems.push(`${entry.receipt} (${entry.source}) is lost`);
      continue;
    }
    const shillings = [entry.amount_shillings, except.told?.get(entry.receipt)];
    if (!shillings.includes(payment.amount_cents / 100))
      problems.push(`${entry.receipt} is KES ${payment.amount_cents / 100}, not ${entry.amount_shillings}`);
    if (payment.state === 'settled' && !payment.entitlement_id)
      problems.push(`${entry.receipt} is settled, and nothing was granted`);
    if (payment.state === 'unmatched' && payment.entitlement_id)
      problems.push(`${entry.receipt} is unmatched, and something was granted`);
    if (payment.state === 'reversed' && !entry.reversal)
      problems.push(`${entry.receipt} is reversed here, not at M-PESA`);
    const granted = payment.receipt === null ? 'pending' : 'granted';
    fates.set(entry.receipt, payment.state === 'settled' ? granted : payment.state);
  }
  for (const payment of left)
    problems.push(
      `payment ${payment.receipt ?? payment.id} of KES ${payment.amount_cents / 100} is of nowhere`,
    );
  const paid = books.payments.map((one) => one.entitlement_id).filter((id) => id !== null);
  const forMoney = books.grants.filter(({ source }) => source === 'order' || source === 'payment');
  if (new Set(paid).size !== paid.length) problems.push('two payments have one grant');
  const known = new Set(paid);
  for (const { id } of forMoney) if (!known.has(id)) problems.push(`grant ${id} has no payment`);
  return { fates, problems };
}

/** Waits until M-PESA's ledger and the books agree; throws with what differs when they do not within `seconds`. */
export async function booksAgree(
  mpesa: MpesaSimulator,
  apis: Api[],
  except: Exceptions = {},
  seconds = 10,
): Promise<Map<string, Fate>> {
  await mpesa.waitUntilQuiet();
  let last: Comparison | undefined;
  await until(
    'the books agree with M-PESA’s ledger',
    async () => {
      const all = await Promise.all(apis.map(readBooks));
      const books: Books = {
        payments: all.flatMap(({ payments }) => payments),
        checkouts: new Map(all.flatMap(({ checkouts }) => [...checkouts])),
        grants: all.flatMap(({ grants }) => grants),
      };
      last = compare(mpesa.ledger(), books, except);
      return last.problems.length === 0;
    },
    seconds,
  ).catch((error: Error) => {
    throw new Error(`${error.message}: ${last?.problems.join('; ')}`, { cause: error });
  });
  return (last as Comparison).fates;
}
