// Reading the ledger: entries with their lines, balances, one day's movements.
import type { Page, PageRequest } from '../db/page.ts';
import { readPage, unindexed } from '../db/page.ts';
import type { Db, LedgerAccount } from '../db/schema.ts';
import { LEDGER_ACCOUNTS, type LedgerEntry, reversalCause } from './ledger.ts';

export interface LedgerEntryView extends LedgerEntry {
  /** Whether its opposite is booked. */
  taken_back: boolean;
  lines: { account: LedgerAccount; holder: string; amount_cents: number }[];
}

export interface LedgerFilter {
  account?: LedgerAccount | undefined;
  /** `2026-11-21`, a day in Nairobi. */
  day?: string | undefined;
  payment_id?: string | undefined;
  /** The till session or reseller whose money moved. */
  holder?: string | undefined;
}

export async function listLedgerEntries(
  db: Db,
  page: PageRequest,
  filter: LedgerFilter = {},
): Promise<Page<LedgerEntryView>> {
  let query = db.selectFrom('ledger_entries as e').selectAll('e');
  if (filter.payment_id) query = query.where('e.payment_id', '=', filter.payment_id);
  if (filter.day) query = query.where(filter.payment_id ? unindexed('e.day') : 'e.day', '=', filter.day);
  const { account, holder } = filter;
  if (account || holder) {
    query = query.where((eb) => {
      let lines = eb.selectFrom('ledger_lines as l').select('l.entry_id').whereRef('l.entry_id', '=', 'e.id');
      if (account) lines = lines.where('l.account', '=', account);
      if (holder) lines = lines.where('l.holder', '=', holder);
      return eb.exists(lines);
    });
  }
  const { items, next } = await readPage(query, 'e.id', page);
  const lines = items.length
    ? await db
        .selectFrom('ledger_lines')
        .select(['entry_id', 'account', 'holder', 'amount_cents'])
        .where(
          'entry_id',
          'in',
          items.map((entry) => entry.id),
        )
        .orderBy('amount_cents', 'desc')
        .execute()
    : [];
  const moves = items.filter((entry) => entry.kind === 'move').map((entry) => reversalCause(entry.id));
  const opposites = moves.length
    ? await db.selectFrom('ledger_entries').select('cause').where('cause', 'in', moves).execute()
    : [];
  const causes = new Set(opposites.map(({ cause }) => cause));
  return {
    items: items.map((entry) => ({
      ...entry,
      taken_back: causes.has(reversalCause(entry.id)),
      lines: lines.filter((line) => line.entry_id === entry.id).map(({ entry_id: _, ...line }) => line),
    })),
    next,
  };
}

export interface AccountBalance {
  account: LedgerAccount;
  name: string;
  balance_cents: number;
  /** What moved on the day asked for. */
  day_cents: number;
}

/** Every account as it stands, and what moved on one day; from the days' sums, so that it is quick at any size. */
export async function ledgerBalances(db: Db, day: string): Promise<AccountBalance[]> {
  const rows = await db
    .selectFrom('ledger_days')
    .select((eb) => [
      'account',
      eb.fn.sum<number>('amount_cents').as('balance_cents'),
      eb.fn
        .sum<number>(eb.case().when('day', '=', day).then(eb.ref('amount_cents')).else(0).end())
        .as('day_cents'),
    ])
    .groupBy('account')
    .execute();
  return (Object.entries(LEDGER_ACCOUNTS) as [LedgerAccount, string][]).map(([account, name]) => {
    const row = rows.find((one) => one.account === account);
    return {
      account,
      name,
      balance_cents: Number(row?.balance_cents ?? 0),
      day_cents: Number(row?.day_cents ?? 0),
    };
  });
}

/** What lies in one till, or what one reseller has. */
export async function holderBalance(db: Db, account: LedgerAccount, holder: string): Promise<number> {
  const row = await db
    .selectFrom('ledger_lines')
    .select((eb) => eb.fn.sum<number>('amount_cents').as('cents'))
    .where('holder', '=', holder)
    .where('account', '=', account)
    .executeTakeFirst();
  return Number(row?.cents ?? 0);
}
