// Taking payments by forwarded SMS: where guests pay, the forwarder's secret address, how far an SMS may be from its order.
import type { Db } from '../db/schema.ts';
import { readSetting, writeSetting } from '../db/settings.ts';
import { newToken, sameText, type Vault } from '../lib/secrets.ts';

const KEY = 'sms_payments';

export interface SmsSettings {
  enabled: boolean;
  /** What the guest pays to. */
  pay_to: 'till' | 'pochi' | 'paybill' | 'send';
  pay_to_number: string;
  /** The name M-PESA shows the payer. */
  pay_to_name: string;
  /** How long after an order its SMS still settles it. */
  window_seconds: number;
  /** A Pochi's SMS names no phone: give it to the only order of its amount. */
  without_phone: boolean;
}

interface Stored extends SmsSettings {
  token_sealed: string | null;
}

const DEFAULTS: Stored = {
  enabled: false,
  pay_to: 'till',
  pay_to_number: '',
  pay_to_name: '',
  window_seconds: 1800,
  without_phone: false,
  token_sealed: null,
};

async function readStored(db: Db): Promise<Stored> {
  return { ...DEFAULTS, ...(await readSetting<Partial<Stored>>(db, KEY)) };
}

export async function readSmsSettings(db: Db): Promise<SmsSettings> {
  const { token_sealed: _, ...settings } = await readStored(db);
  return settings;
}

/** Whether guests pay by hand and an SMS tells of it. */
export async function smsPaymentsOpen(db: Db): Promise<SmsSettings | undefined> {
  const settings = await readSmsSettings(db);
  return settings.enabled && settings.pay_to_number !== '' ? settings : undefined;
}

export async function updateSmsSettings(
  db: Db,
  change: Partial<SmsSettings>,
  now: number,
): Promise<SmsSettings> {
  await writeSetting(db, KEY, { ...(await readStored(db)), ...change }, now);
  return readSmsSettings(db);
}

/** The secret part of the forwarder's address; undefined before one was made. */
export async function smsToken(db: Db, vault: Vault): Promise<string | undefined> {
  const { token_sealed } = await readStored(db);
  return token_sealed === null ? undefined : vault.open(token_sealed);
}

/** A new address; the one before is worth nothing from then on. */
export async function rotateSmsToken(db: Db, vault: Vault, now: number): Promise<string> {
  const token = newToken();
  await writeSetting(db, KEY, { ...(await readStored(db)), token_sealed: vault.seal(token) }, now);
  return token;
}

export async function isSmsToken(db: Db, vault: Vault, token: string): Promise<boolean> {
  const known = await smsToken(db, vault);
  return known !== undefined && sameText(known, token);
}
