// Reads the body of an STK callback.
import { parseEatTimestamp } from './eat-time.ts';
import { asText, type Fields, isObject, parseNotice, type UnreadableNotice } from './shapes.ts';

/**
 * A callback that could be read. Nothing in it is proof: callbacks are not signed.
 * - `paid`: result code "0". Without `receipt` or `amount_cents` it still needs a query before anything is given.
 * - `amount_cents`: only for whole shillings, the only amounts M-PESA moves; `amount_raw` is always the text sent.
 * - `transaction_at`: epoch ms, from Daraja's zone-less EAT digits in `transaction_date_raw`.
 * - `msisdn`: only a complete number; masked and hashed ones are left out.
 * - `oddities`: what was unexpected, for the log and the evidence page.
 */
export type StkCallback = {
  ok: true;
  paid: boolean;
  merchant_request_id: string;
  checkout_request_id: string;
  result_code: string;
  result_desc: string;
  amount_cents?: number;
  amount_raw?: string;
  receipt?: string;
  transaction_at?: number;
  transaction_date_raw?: string;
  msisdn?: string;
  oddities: string[];
};

export type CallbackProblem = {
  ok: false;
  problem: UnreadableNotice | 'not_a_callback' | 'no_checkout_id' | 'no_result_code';
};

// Four items in the 2025 documents, five in captures, six in Safaricom's own SDK: their order means nothing, and
// Balance usually comes without a Value.
function readItems(stkCallback: Fields, oddities: string[]): Map<string, string> {
  const items = new Map<string, string>();
  const metadata = stkCallback.CallbackMetadata;
  const list = isObject(metadata) ? metadata.Item : undefined;
  for (const item of Array.isArray(list) ? list : [list]) {
    if (!isObject(item)) continue;
    const name = asText(item.Name).toLowerCase();
    const value = asText(item.Value);
    if (name === '' || value === '') continue;
    if (items.has(name) && items.get(name) !== value) oddities.push(`two values for ${name}`);
    else items.set(name, value);
  }
  return items;
}

/**
 * Reads the raw body of an STK callback, whatever its types, order and extras; never throws.
 * Shapes: Daraja "M-PESA Express", and production captures of 2019–2023.
 */
export function parseStkCallback(bodyText: string): StkCallback | CallbackProblem {
  const read = parseNotice(bodyText);
  if (!read.ok) return read;
  const envelope = read.fields.Body;
  const stkCallback = isObject(envelope) ? envelope.stkCallback : undefined;
  if (!isObject(stkCallback)) return { ok: false, problem: 'not_a_callback' };
  const checkoutRequestId = asText(stkCallback.CheckoutRequestID);
  if (checkoutRequestId === '') return { ok: false, problem: 'no_checkout_id' };
  const resultCode = asText(stkCallback.ResultCode);
  if (resultCode === '') return { ok: false, problem: 'no_result_code' };

  const oddities: string[] = [];
  const items = readItems(stkCallback, oddities);
  const callback: StkCallback = {
    ok: true,
    paid: resultCode === '0',
    merchant_request_id: asText(stkCallback.MerchantRequestID),
    checkout_request_id: checkoutRequestId,
    result_code: resultCode,
    result_desc: asText(stkCallback.ResultDesc),
    oddities,
  };

  const amount = items.get('amount');
  if (amount !== undefined) {
    callback.amount_raw = amount;
    const cents = /^\d{1,9}(\.0+)?$/.test(amount) ? Number(amount) * 100 : 0;
    if (cents > 0) callback.amount_cents = cents;
    else oddities.push('the amount is not whole shillings');
  } else if (callback.paid) oddities.push('no amount');

  const receipt = items.get('mpesareceiptnumber')?.toUpperCase();
  if (receipt !== undefined && /^[A-Z0-9]{6,20}$/.test(receipt)) callback.receipt = receipt;
  else if (callback.paid) oddities.push(receipt === undefined ? 'no receipt' : 'the receipt is not one');

  const date = items.get('transactiondate');
  if (date !== undefined) {
    callback.transaction_date_raw = date;
    const at = parseEatTimestamp(date);
    if (at !== undefined) callback.transaction_at = at;
    else oddities.push('the transaction date is not one');
  }

  const phone = items.get('phonenumber')?.replace(/^\+/, '');
  if (phone !== undefined) {
    if (/^254[17]\d{8}$/.test(phone)) callback.msisdn = phone;
    else oddities.push('the phone number is masked or not complete');
  }
  return callback;
}
