// Reads money out of evidence that names its M-PESA code.
import { hashMsisdn } from '../lib/msisdn.ts';
import {
  type C2bNotice,
  type ConfirmationSms,
  fitsMask,
  type Payer,
  type PullRow,
  parseC2bNotice,
  parseConfirmationSms,
  parseInitiatorResult,
  parseReversalSms,
  type ReversalSms,
  readPayer,
  readTransactionStatus,
  type StatementPayment,
} from '../protocols/mpesa/index.ts';
import type { Evidence } from './evidence.ts';

/** Money that arrived under an M-PESA code. `account_reference` is what the payer typed; may be empty. */
export interface Money extends Payer {
  receipt: string;
  /** Absent when the message names none that is whole shillings. */
  amount_cents?: number | undefined;
  /** Whose it is; absent where the message comes from our own account. */
  shortcode?: string | undefined;
  account_reference: string;
  payer_name: string;
  /** Epoch ms. */
  at?: number | undefined;
  /** Told by a forwarded SMS. */
  by_sms?: boolean;
  /** It went back: `receipt` or `account_reference` is the code under which it had come. */
  went_back?: boolean;
}

/** Whether the payer that a message names can be this number: in full, by its hash, or by what a mask leaves of it. */
export function canBePayer(payer: Payer, msisdn: string): boolean {
  if (payer.msisdn) return payer.msisdn === msisdn;
  if (payer.msisdn_sha256) return payer.msisdn_sha256 === hashMsisdn(msisdn);
  return payer.msisdn_masked !== undefined && fitsMask(payer.msisdn_masked, msisdn);
}

const whole = (cents: number | undefined) =>
  cents !== undefined && cents > 0 && cents % 100 === 0 ? cents : undefined;

/** The payer alone: at most one of the three is set. */
function payerOf({ msisdn, msisdn_sha256, msisdn_masked }: Payer): Payer {
  return {
    ...(msisdn ? { msisdn } : {}),
    ...(msisdn_sha256 ? { msisdn_sha256 } : {}),
    ...(msisdn_masked ? { msisdn_masked } : {}),
  };
}

export function moneyOfC2b(notice: C2bNotice): Money {
  return {
    ...payerOf(notice),
    receipt: notice.receipt,
    amount_cents: whole(notice.amount_cents),
    shortcode: notice.shortcode,
    account_reference: notice.account_reference,
    payer_name: notice.payer_name,
    at: notice.transaction_at,
  };
}

/** A row of our own account's books. */
function moneyOfRow(
  row: Payer & Pick<Money, 'receipt' | 'amount_cents' | 'account_reference'>,
  payer_name: string,
  at: number | undefined,
): Money {
  const { receipt, account_reference } = row;
  return {
    ...payerOf(row),
    receipt,
    amount_cents: whole(row.amount_cents),
    account_reference,
    payer_name,
    at,
  };
}

/** No document names a row of money that went back (UNCONFIRMED); one that does is never money that came in. */
export function moneyOfPullRow(row: PullRow): Money {
  const money = moneyOfRow(row, row.sender, row.transaction_at);
  return /revers/i.test(row.transaction_type) ? { ...money, went_back: true } : money;
}

export const moneyOfStatement = (row: StatementPayment): Money => moneyOfRow(row, row.payer_name, row.at);

/** Numbers stand there as `0712***678` too. A sum with cents is money like any other: a person sees it. */
function moneyOfSms(sms: ConfirmationSms): Money {
  return {
    ...readPayer((sms.phone ?? '').replace(/^0?(?=[17]\d*\*)/, '254')),
    receipt: sms.receipt,
    amount_cents: sms.amount_cents,
    account_reference: sms.account ?? '',
    payer_name: sms.name ?? '',
    at: sms.at,
    by_sms: true,
  };
}

function moneyOfReversalSms(sms: ReversalSms): Money {
  const { of, amount_cents } = sms;
  return { receipt: of, amount_cents, account_reference: '', payer_name: '', by_sms: true, went_back: true };
}

/** Money whose status M-PESA was asked about; undefined unless it is complete, or went back. */
function moneyOfStatus(body: string): Money | undefined {
  const result = parseInitiatorResult(body);
  const status = result.ok ? readTransactionStatus(result) : undefined;
  if (!status?.receipt) return undefined;
  // No document names this status (UNCONFIRMED).
  const wentBack = /^revers/i.test(status.status_raw);
  if (status.status !== 'completed' && !wentBack) return undefined;
  const payer = status.debit_party;
  return {
    ...(payer?.msisdn ? { msisdn: payer.msisdn } : {}),
    receipt: status.receipt,
    amount_cents: whole(status.amount_cents),
    ...(status.credit_party ? { shortcode: status.credit_party.identifier } : {}),
    account_reference: '',
    payer_name: payer?.name ?? '',
    at: status.finalised_at ?? status.initiated_at,
    ...(wentBack ? { went_back: true } : {}),
  };
}

/** Whether the status of a transaction says that its money will never come. */
export function isOver(body: string): boolean {
  const result = parseInitiatorResult(body);
  const status = result.ok ? readTransactionStatus(result)?.status : undefined;
  return status === 'cancelled' || status === 'declined' || status === 'expired';
}

/** What a piece of evidence says came in; undefined when it says nothing of the kind. */
export function readMoney(evidence: Pick<Evidence, 'kind' | 'body'>): Money | undefined {
  if (evidence.kind === 'c2b') {
    const notice = parseC2bNotice(evidence.body);
    return notice.ok ? moneyOfC2b(notice) : undefined;
  }
  if (evidence.kind === 'sms') {
    const sms = parseConfirmationSms(evidence.body);
    if (sms) return moneyOfSms(sms);
    const reversal = parseReversalSms(evidence.body);
    return reversal && moneyOfReversalSms(reversal);
  }
  if (evidence.kind === 'transaction_status') return moneyOfStatus(evidence.body);
  // Rows of a pull or a statement are read before they are kept.
  return JSON.parse(evidence.body) as Money;
}
