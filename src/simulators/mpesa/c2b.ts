// Tells an organisation of payments: C2B validation before, C2B confirmation after.
import { createHash } from 'node:crypto';
import { formatEatTimestamp } from '../../protocols/mpesa/eat-time.ts';
import { type Delivery, postOnce } from './delivery.ts';
import type { Knobs } from './knobs.ts';
import type { Merchant } from './merchants.ts';
import type { LedgerEntry } from './network.ts';
import { ownerName } from './people.ts';

export type C2bRegistration = {
  version: 'v1' | 'v2';
  response_type: 'Completed' | 'Cancelled';
  confirmation_url: string;
  validation_url: string;
};

/** What both stages of a payment carry; a payment under validation has no ledger entry yet. */
export type C2bPayment = Pick<
  LedgerEntry,
  'receipt' | 'payer_msisdn' | 'amount_shillings' | 'shortcode' | 'party_b' | 'account_reference' | 'paid_at'
>;

function msisdnText(msisdn: string, version: 'v1' | 'v2', knobs: Knobs): string {
  if (knobs.c2b_msisdn === 'absent') return '';
  if (knobs.c2b_msisdn === 'full') return msisdn;
  if (version === 'v1') return createHash('sha256').update(msisdn).digest('hex');
  return knobs.c2b_mask === 'spaced'
    ? `${msisdn.slice(0, 4)} ***** ${msisdn.slice(-3)}`
    : `${msisdn.slice(0, 5)}****${msisdn.slice(-3)}`;
}

/** The flat body of both stages, all strings as Daraja writes them (Daraja "C2B"; the till as captured in production). */
export function c2bBody(
  payment: C2bPayment,
  merchant: Merchant,
  version: 'v1' | 'v2',
  knobs: Knobs,
  balanceShillings: number | undefined,
): string {
  if (knobs.c2b_body !== null) return knobs.c2b_body;
  const till = merchant.kind === 'till';
  const name = ownerName(payment.payer_msisdn);
  const amount = (knobs.c2b_amount_shillings ?? payment.amount_shillings).toFixed(2);
  const shortcode = till && knobs.c2b_till_shortcode === 'till' ? payment.party_b : payment.shortcode;
  const bare = till && knobs.c2b_till_names === 'first_only';
  return JSON.stringify({
    TransactionType: till ? knobs.c2b_till_type : 'Pay Bill',
    TransID: payment.receipt,
    TransTime: formatEatTimestamp(payment.paid_at),
    TransAmount: knobs.c2b_types === 'number' ? Number(amount) : amount,
    BusinessShortCode: knobs.c2b_shortcode ?? shortcode,
    BillRefNumber: till ? '' : payment.account_reference,
    InvoiceNumber: '',
    OrgAccountBalance: balanceShillings === undefined ? '' : balanceShillings.toFixed(2),
    ThirdPartyTransID: '',
    MSISDN: msisdnText(payment.payer_msisdn, version, knobs),
    FirstName: name.first,
    ...(bare ? {} : { MiddleName: '', LastName: name.last }),
  });
}

/** `timeout`: nobody answered in time or at all, so the registered ResponseType decides. */
export type Verdict = { kind: 'accepted' } | { kind: 'rejected'; code: string } | { kind: 'timeout' };

export async function askValidation(
  registration: C2bRegistration,
  body: string,
  knobs: Knobs,
  outside: { now: () => number; signal: AbortSignal },
): Promise<Verdict> {
  const answer = await postOnce(registration.validation_url, body, knobs.c2b_headers, {
    ...outside,
    timeoutMs: knobs.c2b_validation_timeout_ms,
  });
  const code = /"ResultCode"\s*:\s*"?(\w+)/.exec(answer.text)?.[1];
  if (answer.http_status !== 200 || code === undefined) return { kind: 'timeout' };
  return code === '0' ? { kind: 'accepted' } : { kind: 'rejected', code };
}

/** One confirmation, once. */
export async function sendConfirmation(
  registration: C2bRegistration,
  body: string,
  knobs: Knobs,
  outside: { now: () => number; signal: AbortSignal },
): Promise<Delivery> {
  const { text: _, ...delivery } = await postOnce(registration.confirmation_url, body, knobs.c2b_headers, {
    ...outside,
    timeoutMs: knobs.callback_timeout_ms,
  });
  return delivery;
}
