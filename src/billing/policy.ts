// What the operator wants done with money and claims that nobody could foresee.
import type { Db } from '../db/schema.ts';
import { readSetting, writeSetting } from '../db/settings.ts';

const KEY = 'payment_policy';

export interface PaymentPolicy {
  /** A second payment for an order that is paid: `stack` adds its time, `wait` leaves it to a person. */
  second_payment: 'stack' | 'wait';
  /** Minutes of access for a pasted M-PESA code before M-PESA confirms it; 0 is none. */
  paste_minutes: number;
  /** Its rate, both ways. */
  paste_kbps: number;
}

const DEFAULTS: PaymentPolicy = { second_payment: 'stack', paste_minutes: 0, paste_kbps: 512 };

export async function readPaymentPolicy(db: Db): Promise<PaymentPolicy> {
  return { ...DEFAULTS, ...(await readSetting<Partial<PaymentPolicy>>(db, KEY)) };
}

/** What is noted of a second payment that waits. */
export const SECOND_WAITS = 'A second payment for an order that is paid.';

/** Whether another payment for this order is left to a person. */
export async function secondWaits(db: Db, order: { state: string }): Promise<boolean> {
  return order.state === 'paid' && (await readPaymentPolicy(db)).second_payment === 'wait';
}

export async function updatePaymentPolicy(
  db: Db,
  change: Partial<PaymentPolicy>,
  now: number,
): Promise<PaymentPolicy> {
  const after = { ...(await readPaymentPolicy(db)), ...change };
  await writeSetting(db, KEY, after, now);
  return after;
}
