// Checks the body of an STK push or query as strictly as Daraja does.
import { FAULTS, type Fault, invalidField } from './faults.ts';
import type { Merchant } from './merchants.ts';

export type PushRequest = {
  merchant: Merchant;
  transaction_type: string;
  amount_shillings: number;
  msisdn: string;
  party_b: string;
  callback_url: string;
  account_reference: string;
  description: string;
};

export type QueryRequest = { merchant: Merchant; checkout_request_id: string };

export type Checked<T> = { ok: true; request: T } | { ok: false; fault: Fault };
export type Fields = Record<string, unknown>;

export const no = (fault: Fault) => ({ ok: false, fault }) as const;

/** A JSON number or string as text; the documents mix both. */
export const asText = (value: unknown) =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';

export function readBody(
  contentType: string | undefined,
  body: string,
  firstField = 'BusinessShortCode',
): Checked<Fields> {
  // A form-encoded request is refused for its first field, not for its type.
  if (!/^application\/json\b/i.test(contentType ?? '')) return no(invalidField(firstField));
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return no(FAULTS.invalid_payload);
    return { ok: true, request: value as Fields };
  } catch (error) {
    if (error instanceof SyntaxError) return no(FAULTS.invalid_payload);
    throw error;
  }
}

function isTimestamp(text: string): boolean {
  if (!/^20\d{12}$/.test(text)) return false;
  const [month, day, hour, minute, second] = [4, 6, 8, 10, 12].map((at) => Number(text.slice(at, at + 2)));
  const days = new Date(Date.UTC(Number(text.slice(0, 4)), month as number, 0)).getUTCDate();
  return (
    month! >= 1 && month! <= 12 && day! >= 1 && day! <= days && hour! <= 23 && minute! <= 59 && second! <= 59
  );
}

/** Shortcode, timestamp and password, the three that both calls carry. */
function findMerchant(fields: Fields, merchants: readonly Merchant[]): Checked<Merchant> {
  const shortcode = asText(fields.BusinessShortCode);
  const timestamp = fields.Timestamp;
  if (typeof timestamp !== 'string' || !isTimestamp(timestamp)) return no(invalidField('Timestamp'));
  if (typeof fields.Password !== 'string' || fields.Password === '') return no(invalidField('Password'));
  const merchant = merchants.find((candidate) => candidate.shortcode === shortcode);
  if (!merchant) return no(FAULTS.no_merchant);
  const expected = Buffer.from(shortcode + merchant.passkey + timestamp).toString('base64');
  if (fields.Password !== expected) return no(FAULTS.wrong_credentials);
  return { ok: true, request: merchant };
}

export function isCallbackUrl(value: unknown, httpsOnly: boolean): value is string {
  if (typeof value !== 'string' || !URL.canParse(value)) return false;
  const parts = /^(https?):\/\/([^/?#]+)/.exec(value);
  if (!parts || (httpsOnly && parts[1] !== 'https')) return false;
  // A host with capitals was refused by the real one.
  return parts[2] === parts[2]?.toLowerCase();
}

/** POST /mpesa/stkpush/v1/processrequest. Fields are checked in the order of the documents. */
export function checkPush(
  contentType: string | undefined,
  body: string,
  merchants: readonly Merchant[],
  httpsOnly: boolean,
): Checked<PushRequest> {
  const read = readBody(contentType, body);
  if (!read.ok) return read;
  const fields = read.request;
  if (!/^\d{5,7}$/.test(asText(fields.BusinessShortCode))) return no(invalidField('BusinessShortCode'));
  const transactionType = fields.TransactionType;
  if (transactionType !== 'CustomerPayBillOnline' && transactionType !== 'CustomerBuyGoodsOnline') {
    return no(invalidField('TransactionType'));
  }
  const amount = asText(fields.Amount);
  if (!/^[1-9]\d{0,8}$/.test(amount)) return no(invalidField('Amount'));
  if (!/^254[17]\d{8}$/.test(asText(fields.PartyA))) return no(invalidField('PartyA'));
  if (!/^\d{5,8}$/.test(asText(fields.PartyB))) return no(invalidField('PartyB'));
  const msisdn = asText(fields.PhoneNumber);
  if (!/^254[17]\d{8}$/.test(msisdn)) return no(invalidField('PhoneNumber'));
  if (!isCallbackUrl(fields.CallBackURL, httpsOnly)) return no(invalidField('CallBackURL'));
  const reference = fields.AccountReference;
  if (typeof reference !== 'string' || !/^[A-Za-z0-9]{1,12}$/.test(reference)) {
    return no(invalidField('AccountReference'));
  }
  const description = fields.TransactionDesc ?? '';
  if (typeof description !== 'string' || description.length > 13) return no(invalidField('TransactionDesc'));
  const merchant = findMerchant(fields, merchants);
  if (!merchant.ok) return merchant;
  return {
    ok: true,
    request: {
      merchant: merchant.request,
      transaction_type: transactionType,
      amount_shillings: Number(amount),
      msisdn,
      party_b: asText(fields.PartyB),
      callback_url: fields.CallBackURL,
      account_reference: reference,
      description,
    },
  };
}

/** POST /mpesa/stkpushquery/v1/query. */
export function checkQuery(
  contentType: string | undefined,
  body: string,
  merchants: readonly Merchant[],
): Checked<QueryRequest> {
  const read = readBody(contentType, body);
  if (!read.ok) return read;
  const fields = read.request;
  if (!/^\d{5,7}$/.test(asText(fields.BusinessShortCode))) return no(invalidField('BusinessShortCode'));
  const checkoutRequestId = fields.CheckoutRequestID;
  if (typeof checkoutRequestId !== 'string' || !/^[\w-]{1,64}$/.test(checkoutRequestId)) {
    return no(invalidField('CheckoutRequestID'));
  }
  const merchant = findMerchant(fields, merchants);
  if (!merchant.ok) return merchant;
  return { ok: true, request: { merchant: merchant.request, checkout_request_id: checkoutRequestId } };
}

/**
 * The result code that M-PESA gives, after accepting, to a receiver that does not fit the merchant
 * (Daraja 3.0: wrong till mapping); undefined when it fits.
 */
export function findMappingFault(request: PushRequest, merchants: readonly Merchant[]): string | undefined {
  const { merchant } = request;
  const receiver = merchant.kind === 'till' ? merchant.till_number : merchant.shortcode;
  const type = merchant.kind === 'till' ? 'CustomerBuyGoodsOnline' : 'CustomerPayBillOnline';
  if (request.party_b === receiver) return request.transaction_type === type ? undefined : '2028';
  const known = merchants.some((m) => m.shortcode === request.party_b || m.till_number === request.party_b);
  return known ? '2028' : 'SFC_IC0003';
}
