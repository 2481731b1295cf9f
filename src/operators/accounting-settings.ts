// How patient the accounting of sessions is, and how long it keeps them.
import type { Db } from '../db/schema.ts';
import { readSetting, writeSetting } from '../db/settings.ts';

const KEY = 'accounting';

export interface AccountingSettings {
  /** A session that misses so many reports in a row counts as over, with what it told last. */
  missed_interims: number;
  /** How many days a closed session stays on record. The daily usage stays for good. */
  sessions_kept_days: number;
}

/** One or two reports get lost on a busy link; twelve months is what an operator may be asked about. */
const DEFAULTS: AccountingSettings = { missed_interims: 5, sessions_kept_days: 365 };

export async function readAccountingSettings(db: Db): Promise<AccountingSettings> {
  return { ...DEFAULTS, ...(await readSetting<Partial<AccountingSettings>>(db, KEY)) };
}

export async function updateAccountingSettings(
  db: Db,
  change: Partial<AccountingSettings>,
  now: number,
): Promise<AccountingSettings> {
  const after = { ...(await readAccountingSettings(db)), ...change };
  await writeSetting(db, KEY, after, now);
  return after;
}
