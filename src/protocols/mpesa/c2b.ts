// Speaks C2B: payments that a person makes by hand to a paybill or till.
import { createHash } from 'node:crypto';
import { type DarajaCall, refusedHere, type Unknown, unknownAnswer } from './daraja-call.ts';
import { type Refused, readError } from './refusals.ts';
import {
  asText,
  type Payer,
  parseCents,
  parseNotice,
  readDarajaTime,
  readPayer,
  readReceipt,
  type UnreadableNotice,
} from './shapes.ts';

/**
 * - `version`: v1 notices carry the SHA-256 of the payer's number, v2 notices a masked one.
 * - `when_unanswered`: what M-PESA does when validation is on and nobody answers within 8 seconds.
 */
export type C2bRegistration = {
  version: 'v1' | 'v2';
  confirmation_url: string;
  validation_url: string;
  when_unanswered: 'Completed' | 'Cancelled';
};

/**
 * `already_registered`: production takes the addresses once; they may be others than these. They are deleted on the
 * Daraja portal under Self Services → URL Management.
 */
export type C2bRegistrationResult =
  | { outcome: 'registered' }
  | { outcome: 'already_registered'; message: string }
  | Refused
  | Unknown;

// Daraja, "Register URL": these words are refused in any case; so are the hosts of public request bins.
const FORBIDDEN_IN_URL = /m-?pesa|safaricom|exe|cmd|sql|query|ngrok|mockbin|requestbin/i;

/** What is wrong with a C2B or pull address; undefined when Daraja takes it. Production wants https as well. */
export function findNoticeUrlProblem(url: string): string | undefined {
  if (!URL.canParse(url)) return 'The address is not a URL.';
  const host = /^https?:\/\/([^/?#]+)/i.exec(url)?.[1];
  if (!host) return 'The address must begin with https:// (or http:// on the sandbox).';
  if (host !== host.toLowerCase()) return 'The host of the address must be in small letters.';
  const word = FORBIDDEN_IN_URL.exec(url)?.[0];
  return word === undefined ? undefined : `Daraja refuses addresses that contain “${word}”.`;
}

export async function registerC2bUrls(
  call: DarajaCall,
  shortcode: string,
  request: C2bRegistration,
): Promise<C2bRegistrationResult> {
  const problem =
    findNoticeUrlProblem(request.confirmation_url) ?? findNoticeUrlProblem(request.validation_url);
  if (problem) return refusedHere(problem);
  const answer = await call.post(`/mpesa/c2b/${request.version}/registerurl`, {
    ShortCode: shortcode,
    ResponseType: request.when_unanswered,
    ConfirmationURL: request.confirmation_url,
    ValidationURL: request.validation_url,
  });
  if ('outcome' in answer) return answer;
  if (answer.kind !== 'answer') return unknownAnswer(answer);
  const error = readError(answer.json);
  if (error && /already registered|duplicate notification info/i.test(error.message)) {
    return { outcome: 'already_registered', message: error.message };
  }
  if (error || answer.status !== 200) return unknownAnswer(answer);
  return /^0+$/.test(asText(answer.json?.ResponseCode)) ? { outcome: 'registered' } : unknownAnswer(answer);
}

/**
 * A validation or confirmation that could be read. Nothing in it is proof: notices are not signed.
 * - `kind`: `till` carries no account reference; `other` is a TransactionType not seen before.
 * - `account_reference`: as the person typed it, trimmed; may be empty.
 * - `amount_cents`: missing when the amount is not a positive sum; `amount_raw` is always the text sent.
 * - `payer_name`: what was given of first, middle and last name; may be empty.
 */
export type C2bNotice = Payer & {
  ok: true;
  kind: 'paybill' | 'till' | 'other';
  transaction_type: string;
  receipt: string;
  amount_cents?: number;
  amount_raw: string;
  shortcode: string;
  account_reference: string;
  payer_name: string;
  transaction_at?: number;
  transaction_time_raw: string;
  org_balance_cents?: number;
  invoice_number: string;
  third_party_id: string;
  oddities: string[];
};

export type C2bProblem = {
  ok: false;
  problem: UnreadableNotice | 'no_receipt' | 'no_shortcode';
};

/**
 * Reads the raw body of a C2B validation or confirmation; never throws. Shapes: Daraja "C2B", v1 and v2, a production
 * capture of a till (payments.md §1.8).
 */
export function parseC2bNotice(bodyText: string): C2bNotice | C2bProblem {
  const read = parseNotice(bodyText);
  if (!read.ok) return read;
  const field = (name: string) => asText(read.fields[name]);
  const receipt = readReceipt(field('TransID'));
  if (receipt === undefined) return { ok: false, problem: 'no_receipt' };
  const shortcode = field('BusinessShortCode');
  if (!/^\d{5,8}$/.test(shortcode)) return { ok: false, problem: 'no_shortcode' };

  const oddities: string[] = [];
  const type = field('TransactionType');
  const kind = /pay ?bill/i.test(type) ? 'paybill' : /merchant|buy ?goods/i.test(type) ? 'till' : 'other';
  if (kind === 'other') oddities.push('a transaction type not seen before');
  const payer = readPayer(field('MSISDN'));
  if (Object.keys(payer).length === 0) oddities.push('no phone number');
  const amount = parseCents(field('TransAmount'));
  if (amount === undefined) oddities.push('the amount is not a sum of money');
  else if (amount % 100 !== 0) oddities.push('the amount is not whole shillings');
  const at = readDarajaTime(field('TransTime'));
  if (at === undefined) oddities.push('the transaction time is not one');
  const balance = parseCents(field('OrgAccountBalance'), { zero: true, negative: true });
  return {
    ok: true,
    kind,
    transaction_type: type,
    receipt,
    ...(amount === undefined ? {} : { amount_cents: amount }),
    amount_raw: field('TransAmount'),
    shortcode,
    account_reference: field('BillRefNumber'),
    ...payer,
    payer_name: [field('FirstName'), field('MiddleName'), field('LastName')].filter(Boolean).join(' '),
    ...(at === undefined ? {} : { transaction_at: at }),
    transaction_time_raw: field('TransTime'),
    ...(balance === undefined ? {} : { org_balance_cents: balance }),
    invoice_number: field('InvoiceNumber'),
    third_party_id: field('ThirdPartyTransID'),
    oddities,
  };
}

/** Why a validation says no: invalid MSISDN, account number, amount, KYC, shortcode, other. */
export type C2bRejection = 'C2B00011' | 'C2B00012' | 'C2B00013' | 'C2B00014' | 'C2B00015' | 'C2B00016';

/** The body to answer a validation with; without a rejection the payment goes on. */
export const c2bValidationAnswer = (rejection?: C2bRejection) =>
  rejection === undefined
    ? { ResultCode: '0', ResultDesc: 'Accepted' }
    : { ResultCode: rejection, ResultDesc: 'Rejected' };

/** The body to answer every confirmation with: the money has moved, there is nothing left to refuse. */
export const C2B_CONFIRMATION_ANSWER = { ResultCode: 0, ResultDesc: 'Success' } as const;

/** The hash that C2B v1 notices carry: lower-case hex SHA-256 of the bare `2547…` digits, without salt. */
export const hashMsisdn = (msisdn: string): string => createHash('sha256').update(msisdn).digest('hex');

/** Could this masked number (`2547*****126`) be that one? A hint for a person, never a match. */
export function fitsMask(masked: string, msisdn: string): boolean {
  const parts = /^(\d*)\*+(\d*)$/.exec(masked);
  if (!parts || (parts[1] === '' && parts[2] === '')) return false;
  return msisdn.startsWith(parts[1] as string) && msisdn.endsWith(parts[2] as string);
}
