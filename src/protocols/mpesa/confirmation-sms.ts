// The SMS by which M-PESA tells a receiver of money: personal line, Pochi, till and paybill, in English.

export interface ConfirmationSms {
  /** The M-PESA code, in capitals. */
  receipt: string;
  amount_cents: number;
  channel: 'personal' | 'pochi' | 'till' | 'paybill';
  /** As it stands there: `0712345678`, `2547***456`; absent in a Pochi's. */
  phone: string | undefined;
  name: string | undefined;
  account: string | undefined;
  /** Epoch ms; the text names the minute in Nairobi. */
  at: number;
  balance_cents: number | undefined;
}

const MONEY = '(?:ksh|kes)\\.?\\s*(?:ksh\\.?\\s*)?([\\d,]+(?:\\.\\d{1,2})?)';
const WHEN = 'on (\\d{1,2}/\\d{1,2}/\\d{2,4}) at (\\d{1,2}:\\d{2}\\s*[ap]m)';
const HEAD = /^\s*([a-z0-9]{8,12}) confirmed\b[.,]?\s*/i;
/** `You have received Ksh20.00 from JANE 0712***456 on 2/10/26 at 7:37 PM` (personal line, Pochi). */
const RECEIVED = new RegExp(`^you have received ${MONEY} from (.+?)(?: for account (.+?))? ${WHEN}`, 'i');
/** `on 2/10/26 at 7:37 PMKsh20.00 received from 254712345678 JANE. …` (till; paybill with its account). */
const AT_BUSINESS = new RegExp(
  `^${WHEN}\\s*${MONEY} received from (.+?)\\.?\\s*(?:account number (.+?)\\.?\\s*)?new `,
  'i',
);
/** `Ksh20.00 received from JANE 0712***456 for account A1 on 2/10/26 at 7:37 PM` and `… paid by …`. */
const PAID_BY = new RegExp(`^${MONEY} (?:received from|paid by) (.+?)(?: for account (.+?))? ${WHEN}`, 'i');
const PHONE = /\+?(?:254|0)?[17]?\d{0,8}\*{2,}\d{2,}|\+?(?:254|0)[17]\d{8}\b/;
const BALANCE = new RegExp(`new ([a-z-]+) balance is ${MONEY}`, 'i');

/** `Reversal of transaction UJ… has been successfully reversed`, `Transaction UJ… has been reversed`. */
const REVERSED = /\btransaction ([a-z0-9]{8,12}) has been (?:successfully )?reversed\b/i;

/** An SMS that tells a receiver that money went back: under which code it had come, and how much, where it says so. */
export interface ReversalSms {
  of: string;
  amount_cents: number | undefined;
}

/** Reads it; undefined for any other text, and for money that came back to the reader. */
export function parseReversalSms(text: string): ReversalSms | undefined {
  const plain = text.replace(/\s+/g, ' ').trim();
  const of = HEAD.test(plain) ? REVERSED.exec(plain)?.[1]?.toUpperCase() : undefined;
  if (!of || /credited to your/i.test(plain)) return undefined;
  const amount = new RegExp(`${MONEY} (?:is|was|has been) debited`, 'i').exec(plain)?.[1];
  return { of, amount_cents: amount === undefined ? undefined : centsOf(amount) };
}

function centsOf(text: string): number {
  return Math.round(Number(text.replaceAll(',', '')) * 100);
}

/** `2/10/26` and `7:37 PM` in Nairobi; undefined for a moment that does not exist. */
function momentOf(date: string, time: string): number | undefined {
  const [day = 0, month = 0, year = 0] = date.split('/').map(Number);
  const clock = /^(\d+):(\d+)\s*([ap])m$/i.exec(time);
  if (!clock) return undefined;
  const [, hour = '', minute = '', half = ''] = clock;
  const hours = (Number(hour) % 12) + (half.toLowerCase() === 'p' ? 12 : 0);
  const fullYear = year < 100 ? 2000 + year : year;
  const at = Date.UTC(fullYear, month - 1, day, hours, Number(minute));
  const back = new Date(at);
  const real = back.getUTCMonth() === month - 1 && back.getUTCDate() === day && Number(hour) <= 12;
  return real ? at - 3 * 3600_000 : undefined;
}

/**
 * Reads the text of an M-PESA SMS about money received; undefined for any other, also one that tells of money sent,
 * withdrawn or reversed. Spaces differ between phones and forwarders, capitals too.
 */
export function parseConfirmationSms(text: string): ConfirmationSms | undefined {
  const plain = text.replace(/\s+/g, ' ').trim();
  const head = HEAD.exec(plain);
  const receipt = head?.[1]?.toUpperCase();
  // From the tenth of a month on one in ten genuine codes has no digit at all.
  if (!head || !receipt || !/[A-Z]/.test(receipt)) return undefined;
  const rest = plain.slice(head[0].length);
  const parts = partsOf(rest);
  const at = parts && momentOf(parts.date, parts.time);
  if (!parts || at === undefined) return undefined;
  const amount = centsOf(parts.amount);
  if (!Number.isSafeInteger(amount) || amount <= 0) return undefined;
  const phone = PHONE.exec(parts.from)?.[0];
  const name = parts.from
    .replace(phone ?? '', '')
    .replace(/\s+/g, ' ')
    .replace(/[.\s]+$/, '')
    .trim();
  const balance = BALANCE.exec(rest);
  return {
    receipt,
    amount_cents: amount,
    channel: channelOf(balance?.[1], parts.account),
    phone: phone?.replace('+', ''),
    name: name || undefined,
    account: parts.account?.trim() || undefined,
    at,
    balance_cents: balance?.[2] ? centsOf(balance[2]) : undefined,
  };
}

interface Parts {
  amount: string;
  from: string;
  account: string | undefined;
  date: string;
  time: string;
}

function partsOf(rest: string): Parts | undefined {
  const business = AT_BUSINESS.exec(rest);
  if (business) {
    const [, date = '', time = '', amount = '', from = '', account] = business;
    return { amount, from, account, date, time };
  }
  const other = RECEIVED.exec(rest) ?? PAID_BY.exec(rest);
  if (!other) return undefined;
  const [, amount = '', from = '', account, date = '', time = ''] = other;
  return { amount, from, account, date, time };
}

function channelOf(balance: string | undefined, account: string | undefined): ConfirmationSms['channel'] {
  const word = balance?.toLowerCase();
  if (word === 'utility' || account) return 'paybill';
  if (word === 'account' || word === 'till') return 'till';
  return word === 'business' ? 'pochi' : 'personal';
}
