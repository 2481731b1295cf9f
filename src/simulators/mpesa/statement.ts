// Writes the organisation's statement as the M-PESA organisation portal exports it.
import { eatFields } from '../../protocols/mpesa/eat-time.ts';
import type { Knobs } from './knobs.ts';
import type { Merchant } from './merchants.ts';
import type { LedgerEntry } from './network.ts';
import { ownerName } from './people.ts';

// The portal's columns; their exact wording is not in Safaricom's public documents (UNCONFIRMED).
const COLUMNS = [
  'Receipt No.',
  'Completion Time',
  'Initiation Time',
  'Details',
  'Transaction Status',
  'Paid In',
  'Withdrawn',
  'Balance',
  'Balance Confirmed',
  'Reason Type',
  'Other Party Info',
  'Linked Transaction ID',
  'A/C No.',
];

const pad = (value: number) => String(value).padStart(2, '0');

/** `02-10-2026 08:36:00`, EAT. */
function when(at: number): string {
  const f = eatFields(at);
  return `${pad(f.day)}-${pad(f.month)}-${f.year} ${pad(f.hour)}:${pad(f.minute)}:${pad(f.second)}`;
}

const cell = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

type Line = { at: number; cells: (balance: number) => string[]; change: number };

function linesOf(entry: LedgerEntry, merchant: Merchant, knobs: Knobs): Line[] {
  const name = ownerName(entry.payer_msisdn);
  const phone =
    knobs.statement_msisdn === 'full'
      ? entry.payer_msisdn
      : `${entry.payer_msisdn.slice(0, 4)}*****${entry.payer_msisdn.slice(-3)}`;
  const party = `${phone} - ${name.first} ${name.last}`;
  const till = merchant.kind === 'till';
  const account = till ? '' : entry.account_reference;
  const details = till
    ? `Merchant Payment from ${party}`
    : `Pay Bill ${entry.source === 'stk' ? 'Online ' : ''}from ${party} Acc. ${account}`;
  const money = (shillings: number) => shillings.toFixed(2);
  const lines: Line[] = [
    {
      at: entry.paid_at,
      change: entry.amount_shillings,
      cells: (balance) => [
        entry.receipt,
        when(entry.paid_at),
        when(entry.paid_at),
        details,
        'Completed',
        money(entry.amount_shillings),
        '',
        money(balance),
        'true',
        till ? 'Customer Merchant Payment' : 'Pay Utility',
        party,
        '',
        account,
      ],
    },
  ];
  const { reversal } = entry;
  if (reversal) {
    lines.push({
      at: reversal.at,
      change: -reversal.amount_shillings,
      cells: (balance) => [
        reversal.receipt,
        when(reversal.at),
        when(reversal.at),
        `Transaction Reversal of ${entry.receipt} to ${party}`,
        'Completed',
        '',
        money(-reversal.amount_shillings),
        money(balance),
        'true',
        'Transaction Reversal',
        party,
        entry.receipt,
        account,
      ],
    });
  }
  return lines;
}

/**
 * The statement of one organisation between two instants (epoch ms), newest first. Knobs: `statement_preamble` puts
 * the portal's lines about the account above the columns, `statement_msisdn` hides numbers.
 */
export function statementCsv(
  merchant: Merchant,
  entries: LedgerEntry[],
  knobs: Knobs,
  window: { from: number; to: number },
): string {
  let balance = knobs.org_opening_shillings;
  const rows = entries
    .filter((entry) => entry.shortcode === merchant.shortcode)
    .flatMap((entry) => linesOf(entry, merchant, knobs))
    .sort((a, b) => a.at - b.at)
    .map((line) => {
      balance += line.change;
      return { at: line.at, cells: line.cells(balance) };
    })
    .filter((line) => line.at >= window.from && line.at <= window.to)
    .reverse();
  const preamble = [
    ['Account Holder:', merchant.name],
    ['Short Code:', merchant.shortcode],
    ['Account:', merchant.kind === 'till' ? 'Merchant Account' : 'Utility Account'],
    ['Time Period:', `From ${when(window.from)} To ${when(window.to)}`],
    ['Opening Balance:', knobs.org_opening_shillings.toFixed(2)],
    ['Closing Balance:', balance.toFixed(2)],
    [],
  ];
  const lines = [...(knobs.statement_preamble ? preamble : []), COLUMNS, ...rows.map((row) => row.cells)];
  return `${lines.map((cells) => cells.map(cell).join(',')).join('\r\n')}\r\n`;
}
