// Whether a notice may be believed as it stands, or M-PESA is asked first.

import type { Db } from '../db/schema.ts';
import { readSetting, writeSetting } from '../db/settings.ts';

const KEY = 'notice_sources';

/**
 * Where M-PESA's notices come from (payments.md §1.9, from three SDKs). The list can change and nothing is signed, so
 * another source is no proof of anything: such a notice is only confirmed by a question before it counts.
 */
export const MPESA_SOURCES: readonly string[] = [
  ...['196.201.214.200', '196.201.214.206', '196.201.214.207', '196.201.214.208'],
  ...['196.201.213.44', '196.201.213.114'],
  ...['196.201.212.69', '196.201.212.74', '196.201.212.127', '196.201.212.128', '196.201.212.129'],
  ...['196.201.212.132', '196.201.212.136', '196.201.212.138'],
];

/** Where a notice came from, and for whom it says it is. */
export interface NoticeOrigin {
  source_address: string | null;
  /** Daraja's header `Businessshortcode`. */
  shortcode?: string | undefined;
}

interface Keys {
  environment: string;
  shortcode: string;
  till_number: string | null;
}

const isLoopback = (address: string) => address === '::1' || /^(::ffff:)?127\./.test(address);

/** The sources that the operator trusts beside M-PESA's own: a relay of theirs. */
export async function readTrustedSources(db: Db): Promise<string[]> {
  return (await readSetting<string[]>(db, KEY)) ?? [];
}

/** Takes the place of those that were trusted before. */
export async function writeTrustedSources(
  db: Db,
  addresses: readonly string[],
  now: number,
): Promise<string[]> {
  const trusted = [...new Set(addresses)];
  await writeSetting(db, KEY, trusted, now);
  return trusted;
}

const owns = (keys: Keys | undefined, shortcode: string) =>
  !keys || shortcode === keys.shortcode || shortcode === keys.till_number;

/** Whether a shortcode or till number is the operator's. Without keys stored nobody can say, and nothing is doubted. */
export async function isOwnShortcode(db: Db, shortcode: string): Promise<boolean> {
  return owns(await readSetting<Keys>(db, 'mpesa'), shortcode);
}

/**
 * Why a notice is not believed before M-PESA says the same when asked; undefined when nothing speaks against it. A tunnel
 * hands everything over from this very machine, so what comes from here is trusted from our own simulator alone.
 */
export async function doubtAbout(db: Db, origin: NoticeOrigin): Promise<string | undefined> {
  const keys = await readSetting<Keys>(db, 'mpesa');
  if (origin.shortcode && !owns(keys, origin.shortcode)) {
    return `It is for the shortcode ${origin.shortcode}.`;
  }
  const address = origin.source_address?.replace(/^::ffff:/, '') ?? '';
  const playing = keys?.environment === 'simulator' || keys?.environment === 'custom';
  if (MPESA_SOURCES.includes(address) || (playing && isLoopback(address))) return undefined;
  if ((await readTrustedSources(db)).includes(address)) return undefined;
  return `It comes from ${address || 'an unknown source'}, not from M-PESA’s addresses.`;
}
