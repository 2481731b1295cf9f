// Words that M-PESA shows on a phone or sends to it.
import { eatFields } from '../../protocols/mpesa/eat-time.ts';
import type { LedgerEntry, Prompt, Reversal } from './network.ts';
import type { PushRequest } from './requests.ts';

const money = (shillings: number) => `Ksh${shillings.toLocaleString('en-US')}.00`;

/** The text of the PIN prompt; Daraja's limit of 182 characters is on this. */
export function promptText(request: PushRequest): string {
  const account = request.merchant.kind === 'till' ? '' : ` account ${request.account_reference}`;
  const amount = `KES ${request.amount_shillings.toLocaleString('en-US')}`;
  return `Do you want to pay ${amount} to ${request.merchant.name}${account}?`;
}

function when(at: number): string {
  const f = eatFields(at);
  const minute = String(f.minute).padStart(2, '0');
  return `${f.day}/${f.month}/${f.year % 100} at ${f.hour % 12 || 12}:${minute} ${f.hour < 12 ? 'AM' : 'PM'}`;
}

type Paid = Pick<LedgerEntry, 'receipt' | 'transaction_type' | 'amount_shillings' | 'account_reference'>;

/** The SMS after a payment; `wallet` in shillings, after it. */
export function paidText(payment: Paid, name: string, at: number, wallet: number): string {
  const amount = money(payment.amount_shillings);
  const paid =
    payment.transaction_type === 'CustomerBuyGoodsOnline'
      ? `${amount} paid to ${name}.`
      : `${amount} sent to ${name} for account ${payment.account_reference}`;
  return `${payment.receipt} Confirmed. ${paid} on ${when(at)} New M-PESA balance is ${money(wallet)}. Transaction cost, Ksh0.00.`;
}

/** The SMS after the decision; undefined for codes that send none. `wallet` in shillings, after the payment. */
export function smsText(prompt: Prompt, at: number, wallet: number): string | undefined {
  const amount = money(prompt.amount_shillings);
  const name = prompt.merchant_name;
  switch (prompt.result_code) {
    case '0':
      return prompt.receipt === null
        ? undefined
        : paidText({ ...prompt, receipt: prompt.receipt }, name, at, wallet);
    case '1':
      return `Failed. You do not have enough money in your M-PESA account to pay ${amount} to ${name}. Your M-PESA balance is ${money(wallet)}.`;
    case '2001':
      return 'You have entered the wrong PIN. Please try again with the correct M-PESA PIN.';
    default:
      return undefined;
  }
}

/** The SMS after a reversal. */
export function reversalSmsText(entry: LedgerEntry, reversal: Reversal, wallet: number): string {
  return `${reversal.receipt} Confirmed. Transaction ${entry.receipt} has been reversed on ${when(reversal.at)} and ${money(reversal.amount_shillings)} is credited to your M-PESA account. New M-PESA balance is ${money(wallet)}.`;
}

// ResultDesc as it was seen for each code; prose that no program should read.
const RESULT_PROSE: Record<string, string> = {
  '0': 'The service request is processed successfully.',
  '1': 'The balance is insufficient for the transaction.',
  '3': 'The transaction amount is above the maximum limit.',
  '17': 'Rule limited.',
  '26': 'System busy. The service request is rejected.',
  '1001': 'Unable to lock subscriber, a transaction is already in process for the current subscriber',
  '1019': 'Transaction has expired.',
  '1025': 'An error occurred while sending a push request',
  '1032': 'Request cancelled by user',
  '1037': 'No response from user.',
  '2001': 'The initiator information is invalid.',
  '2028': 'The request is not permitted according to product assignment.',
  '4999': 'The transaction is still under processing',
  '9999': 'An error occurred while sending a push request',
  SFC_IC0003: 'The operator does not exist.',
};

/** The prose for a code; the query words 1037 otherwise than the callback. */
export function resultProse(code: string, channel: 'callback' | 'query'): string {
  if (code === '1037' && channel === 'query') return 'DS timeout user cannot be reached';
  return RESULT_PROSE[code] ?? 'The service request failed.';
}

const INITIATOR_PROSE: Record<string, string> = {
  '0': 'The service request is processed successfully.',
  '1': 'The balance is insufficient for the transaction.',
  '21': 'The initiator is not allowed to initiate this request',
  '26': 'System busy. The service request is rejected.',
  '2001': 'The initiator information is invalid.',
  '2006': 'Declined due to account rule',
  '8006': 'The security credential is locked.',
  R000001: 'The transaction has already been reversed.',
  R000002: 'The OriginalTransactionID is invalid.',
};

/** The prose of an initiator's result. */
export const initiatorProse = (code: string): string =>
  INITIATOR_PROSE[code] ?? 'The service request failed.';
