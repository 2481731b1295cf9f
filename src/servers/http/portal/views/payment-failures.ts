// Which kind of failure an M-PESA result code is to a guest.
import type { PaymentFailure } from './types.ts';

// payments.md §1.6; codes that are not final (4999, unknown ones) are not failures but "checking".
const FAILURES: Record<string, PaymentFailure> = {
  1: 'insufficient_balance',
  2: 'service',
  3: 'limit',
  4: 'limit',
  8: 'service',
  11: 'account_refused',
  17: 'wait_two_minutes',
  20: 'service',
  21: 'service',
  22: 'service',
  26: 'busy',
  1001: 'session_busy',
  1019: 'expired',
  1025: 'unreachable',
  1032: 'cancelled',
  1037: 'unreachable',
  2001: 'wrong_pin',
  2006: 'not_registered',
  2028: 'service',
  2040: 'not_registered',
  8006: 'pin_locked',
  9999: 'busy',
  SFC_IC0003: 'service',
};

/** The words to use for a final M-PESA result code; `unknown` for one that is in no list. */
export function paymentFailure(resultCode: string | number | null | undefined): PaymentFailure {
  const code = String(resultCode ?? '');
  return Object.hasOwn(FAILURES, code) ? FAILURES[code]! : 'unknown';
}
