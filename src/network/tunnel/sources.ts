// From which addresses notices are expected; another one is told of, never refused.

import type { Db } from '../../db/schema.ts';
import { readSetting, writeSetting } from '../../db/settings.ts';
import { AppError } from '../../errors.ts';
import { DARAJA_SOURCES } from '../../protocols/mpesa/index.ts';
import { canonicalAddress, createAddressTable } from '../addresses.ts';

const KEY = 'callback_sources';

export interface CallbackSources {
  /** Addresses and prefixes. Empty: nothing is told of. */
  addresses: string[];
}

export async function readCallbackSources(db: Db): Promise<CallbackSources> {
  return { addresses: [...DARAJA_SOURCES], ...(await readSetting<Partial<CallbackSources>>(db, KEY)) };
}

/** @throws `invalid` naming what is no address or prefix. */
export async function updateCallbackSources(
  db: Db,
  addresses: readonly string[],
  now: number,
): Promise<CallbackSources> {
  const canonical = addresses.map((typed) => {
    const address = canonicalAddress(typed);
    if (!address) {
      const message = `“${typed}” is no address.`;
      throw new AppError('invalid', message, { fields: { addresses: message } });
    }
    return address;
  });
  const after = { addresses: [...new Set(canonical)] };
  await writeSetting(db, KEY, after, now);
  return after;
}

/** Whether a source is one of these. */
export function isListed(sources: CallbackSources, address: string): boolean {
  const table = createAddressTable(sources.addresses.map((own) => [own, { own }] as const));
  return table.find(canonicalAddress(address) ?? address) !== undefined;
}
