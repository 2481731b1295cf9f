// What M-PESA said last of the money in the operator's account.
import type { Db } from '../db/schema.ts';
import { readSetting, writeSetting } from '../db/settings.ts';
import type { AccountBalance } from '../protocols/mpesa/index.ts';

const KEY = 'mpesa_balance';

export interface KnownBalance {
  /** The question that this answers. */
  request_id: string;
  at: number;
  accounts: AccountBalance[];
}

export async function readBalance(db: Db): Promise<KnownBalance | undefined> {
  return readSetting<KnownBalance>(db, KEY);
}

export async function writeBalance(db: Db, balance: KnownBalance): Promise<void> {
  await writeSetting(db, KEY, balance, balance.at);
}
