// Reads the organisation's statement as the M-PESA organisation portal exports it (CSV).
import { parseEatTimestamp } from './eat-time.ts';
import { type Payer, parseCents, readDarajaTime, readPayer, readReceipt } from './shapes.ts';

/** Money that a customer paid in. `at` in epoch ms, missing where the time could not be read. */
export type StatementPayment = Payer & {
  receipt: string;
  amount_cents: number;
  account_reference: string;
  payer_name: string;
  at?: number;
};

/** Money that went back. `of` is the receipt of the payment that it undoes. */
export type StatementReversal = { receipt: string; of: string; amount_cents: number };

/** The time a statement speaks of, in epoch ms; `to` is the last instant of it. */
export type StatementPeriod = { from: number; to: number };

/**
 * What a statement says, each receipt once. `others` counts lines that are no business of payments: charges, payouts,
 * whatever is not completed; `unreadable` those whose receipt or sum is none. `shortcode` and `period` as the lines above
 * the columns name them.
 */
export type Statement =
  | {
      ok: true;
      shortcode?: string;
      period?: StatementPeriod;
      rows: number;
      payments: StatementPayment[];
      reversals: StatementReversal[];
      others: number;
      unreadable: number;
    }
  | { ok: false; problem: 'no_columns' };

// Their exact wording is in no public document of Safaricom's (UNCONFIRMED): spelled without spaces and signs, and each
// by any of these names.
const COLUMNS = {
  receipt: ['receiptno', 'receiptnumber', 'receipt', 'mpesareceiptnumber', 'transactionid', 'transid'],
  at: ['completiontime', 'completedtime', 'finalisedtime', 'transactiontime', 'initiationtime', 'date'],
  details: ['details', 'description', 'transactiondetails'],
  status: ['transactionstatus', 'status'],
  paid_in: ['paidin', 'amountin', 'moneyin', 'credit'],
  withdrawn: ['withdrawn', 'withdrawal', 'withdrawals', 'paidout', 'amountout', 'moneyout', 'debit'],
  reason: ['reasontype', 'transactiontype', 'type'],
  party: ['otherpartyinfo', 'otherparty', 'oppositeparty'],
  linked: ['linkedtransactionid', 'linkedtransaction', 'originaltransactionid'],
  account: ['acno', 'accountno', 'accountnumber', 'accountreference', 'billreferencenumber'],
} as const;

type Column = keyof typeof COLUMNS;
type Line = (column: Column) => string;

/** The lines above the columns are few; a file without columns is not searched to its end. */
const MOST_PREAMBLE = 100;

/** The cells of a CSV text (RFC 4180, any line end), line by line; lines with nothing in them are left out. */
function readCells(text: string, separator: string): string[][] {
  const lines: string[][] = [];
  let line: string[] = [];
  const end = () => {
    if (line.some((cell) => cell !== '')) lines.push(line);
    line = [];
  };
  let at = 0;
  while (at < text.length) {
    let cell = '';
    if (text[at] === '"') {
      let from = at + 1;
      for (;;) {
        const quote = text.indexOf('"', from);
        cell += text.slice(from, quote < 0 ? undefined : quote);
        at = quote < 0 ? text.length : quote + 1;
        if (quote < 0 || text[at] !== '"') break;
        cell += '"';
        from = at + 1;
      }
    }
    const from = at;
    while (at < text.length && text[at] !== separator && text[at] !== '\n' && text[at] !== '\r') at++;
    line.push((cell + text.slice(from, at)).trim());
    if (text[at] !== separator) end();
    at++;
  }
  end();
  return lines;
}

function findColumns(cells: readonly string[]): Partial<Record<Column, number>> | undefined {
  const names = cells.map((cell) => cell.toLowerCase().replace(/[^a-z]/g, ''));
  const found: Partial<Record<Column, number>> = {};
  for (const [column, wordings] of Object.entries(COLUMNS) as [Column, readonly string[]][]) {
    const wording = wordings.find((word) => names.includes(word));
    if (wording) found[column] = names.indexOf(wording);
  }
  return found.receipt !== undefined && found.paid_in !== undefined ? found : undefined;
}

/** `02-10-2026 08:36:00` with any of - / . and with or without seconds, the day first; or as Daraja writes times. */
function readTime(text: string): number | undefined {
  const match = /^(\d{2})[-/.](\d{2})[-/.](\d{4}) (\d{2}):(\d{2})(?::(\d{2}))?$/.exec(text);
  if (!match) return readDarajaTime(text);
  const [, day, month, year, hour, minute, second = '00'] = match;
  return parseEatTimestamp(`${year}${month}${day}${hour}${minute}${second}`);
}

const DAY_MS = 86_400_000;
const INSTANT = /\d{2}[-/.]\d{2}[-/.]\d{4}(?: \d{2}:\d{2}(?::\d{2})?)?/g;

/** `From 01-10-2026 00:00:00 To 31-10-2026 23:59:59`, or two days: then the second is in it to its end. */
function readPeriod(text: string): StatementPeriod | undefined {
  const [first = '', last = ''] = text.match(INSTANT) ?? [];
  const day = (written: string) => (written.length === 10 ? `${written} 00:00` : written);
  const [from, to] = [readTime(day(first)), readTime(day(last))];
  if (from === undefined || to === undefined) return undefined;
  const end = last.length === 10 ? to + DAY_MS - 1 : to;
  return end > from ? { from, to: end } : undefined;
}

/** Cents of a sum that may be written below zero; undefined for none. */
function readSum(text: string): number | undefined {
  const cents = parseCents(text, { negative: true });
  return cents === undefined ? undefined : Math.abs(cents);
}

/** What the line calls itself, without what the payer typed, who may type anything. */
const nameOf = (line: Line) => line('reason') || line('details').replace(/\bAcc\..*$/s, '');

function readPaidIn(line: Line, receipt: string, amount: number): StatementPayment {
  const details = line('details');
  const party = line('party') || (/\bfrom (.*?)(?: Acc\.|$)/s.exec(details)?.[1] ?? '');
  const [phone = '', ...name] = party.split(' - ');
  const at = readTime(line('at'));
  return {
    ...readPayer(phone),
    receipt,
    amount_cents: amount,
    account_reference: line('account') || (/\bAcc\.\s*(.*)$/s.exec(details)?.[1] ?? ''),
    payer_name: name.join(' - ').trim(),
    ...(at === undefined ? {} : { at }),
  };
}

function readReversal(line: Line, receipt: string, amount: number): StatementReversal {
  const told = /\b(?:of|for) ([A-Z0-9]{10})\b/.exec(line('details'))?.[1];
  return { receipt, of: readReceipt(line('linked')) ?? told ?? receipt, amount_cents: amount };
}

/** Reads a statement whose columns are in any order, under any lines about the account. Never throws. */
export function parseStatement(text: string): Statement {
  const plain = text.replace(/^\uFEFF/, '');
  for (const separator of [',', ';', '\t']) {
    const cells = readCells(plain, separator);
    const head = cells.slice(0, MOST_PREAMBLE).findIndex((line) => findColumns(line) !== undefined);
    if (head >= 0) return readLines(cells, head);
  }
  return { ok: false, problem: 'no_columns' };
}

/**
 * Whether a line has more cells than there are columns: some program wrote `1,020.00` without its quotes, and what stands
 * under Paid In is one shilling.
 */
function isShifted(row: readonly string[], columns: number): boolean {
  return row.slice(columns).some((cell) => cell !== '');
}

function readLines(cells: readonly string[][], head: number): Statement {
  const width = cells[head]?.length ?? 0;
  const columns = findColumns(cells[head] ?? []) ?? {};
  const named = cells.slice(0, head).find((line) => /^short\s*code:?$/i.test(line[0] ?? ''));
  const shortcode = /\d{5,8}/.exec(named?.slice(1).join(' ') ?? '')?.[0];
  const about = cells.slice(0, head).find((line) => /period|date range/i.test(line[0] ?? ''));
  const period = about && readPeriod(about.slice(1).join(' '));
  const payments = new Map<string, StatementPayment>();
  const reversals = new Map<string, StatementReversal>();
  let [others, unreadable] = [0, 0];
  for (const row of cells.slice(head + 1)) {
    const line: Line = (column) => row[columns[column] ?? -1] ?? '';
    const receipt = readReceipt(line('receipt'));
    const [paid, withdrawn] = [readSum(line('paid_in')), readSum(line('withdrawn'))];
    const back = /\brevers(al|ed)\b/i.test(nameOf(line));
    const noSum = !paid && !withdrawn && /[1-9]/.test(line('paid_in') + line('withdrawn'));
    // Money came or went: a line that has it both ways is not in its columns either.
    if (!receipt || noSum || (paid && withdrawn) || isShifted(row, width)) unreadable++;
    else if (line('status') && !/^completed$/i.test(line('status'))) others++;
    else if (paid && !back) {
      if (!payments.has(receipt)) payments.set(receipt, readPaidIn(line, receipt, paid));
    } else if (withdrawn && back) reversals.set(receipt, readReversal(line, receipt, withdrawn));
    else others++;
  }
  return {
    ok: true,
    ...(shortcode ? { shortcode } : {}),
    ...(period ? { period } : {}),
    rows: cells.length - head - 1,
    payments: [...payments.values()],
    reversals: [...reversals.values()],
    others,
    unreadable,
  };
}
