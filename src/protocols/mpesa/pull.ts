// Pulls the C2B payments of the last two days, which recovers notices that were lost.

import { findNoticeUrlProblem } from './c2b.ts';
import { type DarajaCall, refusedHere, type Unknown, unknownAnswer } from './daraja-call.ts';
import { eatFields } from './eat-time.ts';
import { type Refused, readError } from './refusals.ts';
import {
  asText,
  isObject,
  type Payer,
  parseCents,
  readDarajaTime,
  readPayer,
  readReceipt,
} from './shapes.ts';

/** Daraja keeps 48 hours for pulling. */
export const PULL_WINDOW_MS = 48 * 3_600_000;

/** A page is of undocumented size; more pages than this in two days is a fault, not trade. */
const MAX_PAGES = 500;

/** `nominated_msisdn` is the number named in the operator's papers with Safaricom, not the shortcode. */
export type PullRegistration = { nominated_msisdn: string; callback_url: string };

/** `already`: it had been registered before, which is as good. */
export type PullRegistrationResult = { outcome: 'registered'; already: boolean } | Refused | Unknown;

/**
 * One payment, matched by `receipt` and nothing else: the zone of `transaction_at` is not certain.
 * `amount_cents` is missing when the amount is not a positive sum.
 */
export type PullRow = Payer & {
  receipt: string;
  amount_cents?: number;
  amount_raw: string;
  account_reference: string;
  transaction_type: string;
  sender: string;
  organization_name: string;
  transaction_at?: number;
  transaction_time_raw: string;
};

/** Instants in epoch ms; `offset` counts rows. */
export type PullRequest = { from: number; to: number; offset: number };

/** `next_offset` is null after the last page. `unreadable` counts rows without a receipt. */
export type PullPage =
  | { outcome: 'page'; rows: PullRow[]; unreadable: number; next_offset: number | null }
  | Refused
  | Unknown;

/**
 * Every row of a window. `stopped` says why there may be more than `rows`; the rows are good all the same.
 * `from` is where the window began: never more than 48 hours ago.
 */
export type PullSweep = {
  from: number;
  to: number;
  rows: PullRow[];
  unreadable: number;
  stopped: Refused | Unknown | null;
};

const pad = (value: number) => String(value).padStart(2, '0');

/** `2026-10-02 08:36:00` in EAT. */
function formatPullTime(at: number): string {
  const f = eatFields(at);
  return `${f.year}-${pad(f.month)}-${pad(f.day)} ${pad(f.hour)}:${pad(f.minute)}:${pad(f.second)}`;
}

// Old captures write "Response Status", the documents ResponseStatus.
function spaceless(json: Record<string, unknown> | undefined): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(json ?? {}).map(([key, value]) => [key.replace(/\s/g, '').toLowerCase(), value]),
  );
}

export async function registerPull(
  call: DarajaCall,
  shortcode: string,
  request: PullRegistration,
): Promise<PullRegistrationResult> {
  const problem = findNoticeUrlProblem(request.callback_url);
  if (problem) return refusedHere(problem);
  if (!/^254[17]\d{8}$/.test(request.nominated_msisdn)) {
    return refusedHere('The nominated number must look like 2547XXXXXXXX or 2541XXXXXXXX.');
  }
  const answer = await call.post('/pulltransactions/v1/register', {
    ShortCode: shortcode,
    RequestType: 'Pull',
    NominatedNumber: request.nominated_msisdn,
    CallBackURL: request.callback_url,
  });
  if ('outcome' in answer) return answer;
  if (answer.kind !== 'answer' || readError(answer.json)) return unknownAnswer(answer);
  const fields = spaceless(answer.json);
  const status = asText(fields.responsestatus) || asText(fields.responsecode);
  if (status === '1000' || status === '1001') return { outcome: 'registered', already: status === '1001' };
  return unknownAnswer(answer);
}

function readRow(value: unknown): PullRow | undefined {
  if (!isObject(value)) return undefined;
  const fields = spaceless(value);
  const receipt = readReceipt(asText(fields.transactionid));
  if (receipt === undefined) return undefined;
  // Money that went back may be written as less than nothing.
  const back = /revers/i.test(asText(fields.transactiontype));
  const amount = parseCents(back ? asText(fields.amount).replace(/^-/, '') : asText(fields.amount));
  const at = readDarajaTime(asText(fields.trxdate));
  return {
    receipt,
    ...(amount === undefined ? {} : { amount_cents: amount }),
    amount_raw: asText(fields.amount),
    account_reference: asText(fields.billreference),
    ...readPayer(asText(fields.msisdn)),
    transaction_type: asText(fields.transactiontype),
    sender: asText(fields.sender),
    organization_name: asText(fields.organizationname),
    ...(at === undefined ? {} : { transaction_at: at }),
    transaction_time_raw: asText(fields.trxdate),
  };
}

/** One page. The rows come as a list inside a list; "1001" and `[[]]` are both an end. */
export async function pullPage(call: DarajaCall, shortcode: string, request: PullRequest): Promise<PullPage> {
  if (!(request.from < request.to)) return refusedHere('The window must end after it begins.');
  if (!Number.isSafeInteger(request.offset) || request.offset < 0)
    return refusedHere('The offset is a count of rows.');
  const answer = await call.post('/pulltransactions/v1/query', {
    ShortCode: shortcode,
    StartDate: formatPullTime(request.from),
    EndDate: formatPullTime(request.to),
    OffSetValue: String(request.offset),
  });
  if ('outcome' in answer) return answer;
  if (answer.kind !== 'answer' || readError(answer.json)) return unknownAnswer(answer);
  const fields = spaceless(answer.json);
  const code = asText(fields.responsecode);
  if (code !== '1000' && code !== '1001') return unknownAnswer(answer);
  const list = fields.response;
  if (list !== undefined && list !== null && !Array.isArray(list)) return unknownAnswer(answer);
  const found = (Array.isArray(list) ? list : []).flat().filter((row) => row !== null);
  // An answer that promises rows and shows none in a known shape must not pass for an end.
  if (code === '1000' && !Array.isArray(list)) return unknownAnswer(answer);
  const rows = found.map(readRow).filter((row) => row !== undefined);
  return {
    outcome: 'page',
    rows,
    unreadable: found.length - rows.length,
    next_offset: found.length === 0 ? null : request.offset + found.length,
  };
}

/** Every row between two instants (epoch ms), page after page until an empty one; `now` bounds the 48 hours. */
export async function pullWindow(
  call: DarajaCall,
  shortcode: string,
  window: { from: number; to: number; now: number },
): Promise<PullSweep> {
  const from = Math.max(window.from, window.now - PULL_WINDOW_MS);
  const { to } = window;
  const rows = new Map<string, PullRow>();
  const sweep = (stopped: PullSweep['stopped'], unreadable: number): PullSweep => ({
    from,
    to,
    rows: [...rows.values()],
    unreadable,
    stopped,
  });
  let unreadable = 0;
  let offset = 0;
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const page = await pullPage(call, shortcode, { from, to, offset });
    if (page.outcome !== 'page') return sweep(page, unreadable);
    const known = rows.size;
    for (const row of page.rows) rows.set(row.receipt, row);
    unreadable += page.unreadable;
    if (page.next_offset === null) return sweep(null, unreadable);
    // A gateway that pays no heed to the offset would send the first page for ever.
    if (rows.size === known && page.unreadable === 0) return sweep(null, unreadable);
    offset = page.next_offset;
  }
  return sweep({ outcome: 'unknown', cause: `more than ${MAX_PAGES} pages` }, unreadable);
}
