// Checks the bodies of C2B, pull, status, reversal, balance and QR as strictly as Daraja does.
import { parseEatTimestamp } from '../../protocols/mpesa/eat-time.ts';
import { FAULTS, invalidField } from './faults.ts';
import type { Merchant } from './merchants.ts';
import { asText, type Checked, type Fields, isCallbackUrl, no } from './requests.ts';

/** Whose requests these are, and whether addresses must be https. */
export type Asker = { merchants: readonly Merchant[]; app: string; httpsOnly: boolean };

/** The organisation of a shortcode, if this app's keys belong to it. */
function findOwn(asker: Asker, shortcode: string): Merchant | undefined {
  return asker.merchants.find((m) => m.shortcode === shortcode && m.consumer_key === asker.app);
}

// Daraja, "Register URL": refused in any case.
const FORBIDDEN_IN_URL = /m-?pesa|safaricom|exe|cmd|sql|query|ngrok|mockbin|requestbin/i;

const isNoticeUrl = (value: unknown, httpsOnly: boolean): value is string =>
  isCallbackUrl(value, httpsOnly) && !FORBIDDEN_IN_URL.test(value);

export type RegisterRequest = {
  merchant: Merchant;
  response_type: 'Completed' | 'Cancelled';
  confirmation_url: string;
  validation_url: string;
};

/** POST /mpesa/c2b/v1|v2/registerurl. */
export function checkRegister(asker: Asker, fields: Fields): Checked<RegisterRequest> {
  const merchant = findOwn(asker, asText(fields.ShortCode));
  if (!merchant) return no(invalidField('ShortCode'));
  const type = fields.ResponseType;
  if (type !== 'Completed' && type !== 'Cancelled') return no(invalidField('ResponseType'));
  const { ConfirmationURL: confirmation, ValidationURL: validation } = fields;
  if (!isNoticeUrl(confirmation, asker.httpsOnly)) return no(invalidField('ConfirmationURL'));
  if (!isNoticeUrl(validation, asker.httpsOnly)) return no(invalidField('ValidationURL'));
  return {
    ok: true,
    request: { merchant, response_type: type, confirmation_url: confirmation, validation_url: validation },
  };
}

export type SimulateRequest = {
  to: string;
  msisdn: string;
  account_reference: string;
  amount_shillings: number;
};

/** POST /mpesa/c2b/v1|v2/simulate, which only the sandbox has. */
export function checkSimulate(asker: Asker, fields: Fields): Checked<SimulateRequest> {
  const merchant = findOwn(asker, asText(fields.ShortCode));
  if (!merchant) return no(invalidField('ShortCode'));
  const command = merchant.kind === 'till' ? 'CustomerBuyGoodsOnline' : 'CustomerPayBillOnline';
  if (fields.CommandID !== command) return no(invalidField('CommandID'));
  const amount = asText(fields.Amount);
  if (!/^[1-9]\d{0,5}$/.test(amount)) return no(invalidField('Amount'));
  const msisdn = asText(fields.Msisdn);
  if (!/^254[17]\d{8}$/.test(msisdn)) return no(invalidField('Msisdn'));
  const reference = asText(fields.BillRefNumber);
  if (merchant.kind === 'paybill' && !/^.{1,20}$/.test(reference)) return no(invalidField('BillRefNumber'));
  return {
    ok: true,
    request: {
      to: merchant.till_number ?? merchant.shortcode,
      msisdn,
      account_reference: reference,
      amount_shillings: Number(amount),
    },
  };
}

/** POST /pulltransactions/v1/register. */
export function checkPullRegister(asker: Asker, fields: Fields): Checked<Merchant> {
  const merchant = findOwn(asker, asText(fields.ShortCode));
  if (!merchant) return no(FAULTS.bad_pull_shortcode);
  if (fields.RequestType !== 'Pull') return no(invalidField('RequestType'));
  if (!/^254[17]\d{8}$/.test(asText(fields.NominatedNumber))) return no(invalidField('NominatedNumber'));
  if (!isNoticeUrl(fields.CallBackURL, asker.httpsOnly)) return no(invalidField('CallBackURL'));
  return { ok: true, request: merchant };
}

export type PullRequest = { merchant: Merchant; from: number; to: number; offset: number };

/** `2026-10-02 08:36:00` in EAT as epoch ms. */
function readPullTime(value: unknown): number | undefined {
  const parts = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)$/.exec(asText(value));
  return parts ? parseEatTimestamp(parts.slice(1).join('')) : undefined;
}

/** POST /pulltransactions/v1/query. */
export function checkPull(asker: Asker, fields: Fields): Checked<PullRequest> {
  const merchant = findOwn(asker, asText(fields.ShortCode));
  if (!merchant) return no(FAULTS.bad_pull_shortcode);
  const from = readPullTime(fields.StartDate);
  if (from === undefined) return no(invalidField('StartDate'));
  const to = readPullTime(fields.EndDate);
  if (to === undefined || to < from) return no(invalidField('EndDate'));
  const offset = asText(fields.OffSetValue);
  if (!/^\d{1,9}$/.test(offset)) return no(invalidField('OffSetValue'));
  return { ok: true, request: { merchant, from, to, offset: Number(offset) } };
}

/** What status, reversal and balance have in common. */
export type InitiatorRequest = {
  merchant: Merchant;
  initiator: string;
  credential: string;
  result_url: string;
  timeout_url: string;
  receipt: string;
  original_conversation_id: string;
  amount_shillings: number;
};

const COMMANDS = {
  status: 'TransactionStatusQuery',
  reversal: 'TransactionReversal',
  balance: 'AccountBalance',
} as const;

export type InitiatorApi = keyof typeof COMMANDS;

/** POST /mpesa/transactionstatus/v1/query, /mpesa/reversal/v1/request, /mpesa/accountbalance/v1/query. */
export function checkInitiated(api: InitiatorApi, asker: Asker, fields: Fields): Checked<InitiatorRequest> {
  const { Initiator: initiator, SecurityCredential: credential } = fields;
  if (typeof initiator !== 'string' || initiator === '') return no(invalidField('Initiator'));
  if (typeof credential !== 'string' || !/^[A-Za-z0-9+/]{40,}=*$/.test(credential)) {
    return no(invalidField('SecurityCredential'));
  }
  if (fields.CommandID !== COMMANDS[api]) return no(invalidField('CommandID'));
  const receipt = asText(fields.TransactionID);
  const conversation = asText(fields.OriginalConversationID);
  if (api === 'reversal' || (api === 'status' && conversation === '')) {
    if (!/^[A-Z0-9]{6,20}$/.test(receipt)) return no(invalidField('TransactionID'));
  }
  // Daraja's own spelling of the reversal's field.
  const [partyField, typeField, type] =
    api === 'reversal'
      ? (['ReceiverParty', 'RecieverIdentifierType', '11'] as const)
      : (['PartyA', 'IdentifierType', '4'] as const);
  const merchant = findOwn(asker, asText(fields[partyField]));
  if (!merchant) return no(invalidField(partyField));
  if (asText(fields[typeField]) !== type) return no(invalidField(typeField));
  const amount = asText(fields.Amount);
  if (api === 'reversal' && !/^[1-9]\d{0,5}$/.test(amount)) return no(invalidField('Amount'));
  const { ResultURL: resultUrl, QueueTimeOutURL: timeoutUrl } = fields;
  if (!isCallbackUrl(resultUrl, asker.httpsOnly)) return no(invalidField('ResultURL'));
  if (!isCallbackUrl(timeoutUrl, asker.httpsOnly)) return no(invalidField('QueueTimeOutURL'));
  const remarks = fields.Remarks;
  if (typeof remarks !== 'string' || remarks.length < 2 || remarks.length > 100)
    return no(invalidField('Remarks'));
  return {
    ok: true,
    request: {
      merchant,
      initiator,
      credential,
      result_url: resultUrl,
      timeout_url: timeoutUrl,
      receipt,
      original_conversation_id: conversation,
      amount_shillings: Number(amount || '0'),
    },
  };
}

/** POST /mpesa/qrcode/v1/generate. */
export function checkQr(asker: Asker, fields: Fields): Checked<{ text: string; pixels: number }> {
  if (typeof fields.MerchantName !== 'string' || fields.MerchantName.trim() === '') {
    return no(invalidField('MerchantName'));
  }
  if (!/^.{1,20}$/.test(asText(fields.RefNo))) return no(invalidField('RefNo'));
  if (!/^[1-9]\d{0,5}$/.test(asText(fields.Amount))) return no(invalidField('Amount'));
  const code = asText(fields.TrxCode);
  if (!['PB', 'BG', 'WA', 'SM', 'SB'].includes(code)) return no(invalidField('TrxCode'));
  const cpi = asText(fields.CPI);
  const own = asker.merchants.some(
    (m) => m.consumer_key === asker.app && (m.kind === 'till' ? m.till_number : m.shortcode) === cpi,
  );
  if (!own) return no(invalidField('CPI'));
  if (!/^[1-9]\d{1,3}$/.test(asText(fields.Size))) return no(invalidField('Size'));
  const text = `${code}|${cpi}|${asText(fields.RefNo)}|${asText(fields.Amount)}`;
  return { ok: true, request: { text, pixels: Number(asText(fields.Size)) } };
}
