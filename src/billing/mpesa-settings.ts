// The operator's M-PESA keys, stored with the secret ones sealed.
import type { Db } from '../db/schema.ts';
import { readSetting, writeSetting } from '../db/settings.ts';
import { AppError } from '../errors.ts';
import type { Vault } from '../lib/secrets.ts';

const KEY = 'mpesa';

export type MpesaEnvironment = 'sandbox' | 'production' | 'simulator' | 'custom';

/** Daraja's hosts (payments.md §1.1); a custom gateway is where the operator says, the simulator inside this program unless they do. */
const BASE_URLS: Partial<Record<MpesaEnvironment, string>> = {
  sandbox: 'https://sandbox.safaricom.co.ke',
  production: 'https://api.safaricom.co.ke',
};

interface Stored {
  environment: MpesaEnvironment;
  base_url: string | null;
  shortcode: string;
  kind: 'paybill' | 'till';
  till_number: string | null;
  callback_base_url: string | null;
  consumer_key_sealed: string;
  consumer_secret_sealed: string;
  passkey_sealed: string;
}

export interface MpesaSettings {
  environment: MpesaEnvironment;
  /** Empty for the simulator that this program runs itself. */
  base_url: string;
  shortcode: string;
  kind: 'paybill' | 'till';
  till_number: string | null;
  callback_base_url: string | null;
  consumer_key: string;
  consumer_secret: string;
  passkey: string;
}

/** A form: secrets left out keep the stored ones. */
export interface MpesaSettingsInput {
  environment: MpesaEnvironment;
  base_url?: string | null | undefined;
  shortcode: string;
  kind: 'paybill' | 'till';
  till_number?: string | null | undefined;
  callback_base_url?: string | null | undefined;
  consumer_key?: string | undefined;
  consumer_secret?: string | undefined;
  passkey?: string | undefined;
}

/** What may be shown: which secrets are there, never the secrets. */
export interface MpesaSettingsView {
  configured: boolean;
  environment: MpesaEnvironment;
  base_url: string | null;
  shortcode: string;
  kind: 'paybill' | 'till';
  till_number: string | null;
  callback_base_url: string | null;
  has_consumer_key: boolean;
  has_consumer_secret: boolean;
  has_passkey: boolean;
}

export async function viewMpesaSettings(db: Db): Promise<MpesaSettingsView> {
  const stored = await readSetting<Stored>(db, KEY);
  return {
    configured: stored !== undefined,
    environment: stored?.environment ?? 'sandbox',
    base_url: stored?.base_url ?? null,
    shortcode: stored?.shortcode ?? '',
    kind: stored?.kind ?? 'paybill',
    till_number: stored?.till_number ?? null,
    callback_base_url: stored?.callback_base_url ?? null,
    has_consumer_key: stored !== undefined,
    has_consumer_secret: stored !== undefined,
    has_passkey: stored !== undefined,
  };
}

/** The settings ready for use; undefined while none are stored. */
export async function readMpesaSettings(db: Db, vault: Vault): Promise<MpesaSettings | undefined> {
  const stored = await readSetting<Stored>(db, KEY);
  return stored && openStored(stored, vault);
}

function openStored(stored: Stored, vault: Vault): MpesaSettings {
  return {
    environment: stored.environment,
    base_url: stored.base_url ?? BASE_URLS[stored.environment] ?? '',
    shortcode: stored.shortcode,
    kind: stored.kind,
    till_number: stored.till_number,
    callback_base_url: stored.callback_base_url,
    consumer_key: vault.open(stored.consumer_key_sealed),
    consumer_secret: vault.open(stored.consumer_secret_sealed),
    passkey: vault.open(stored.passkey_sealed),
  };
}

/** A form completed with what is stored; `invalid` with the fields that are missing. Nothing is written. */
export async function completeMpesaSettings(
  db: Db,
  vault: Vault,
  input: MpesaSettingsInput,
): Promise<MpesaSettings> {
  const stored = await readSetting<Stored>(db, KEY);
  const known = stored && openStored(stored, vault);
  const complete = {
    environment: input.environment,
    base_url: input.base_url?.replace(/\/+$/, '') || BASE_URLS[input.environment] || '',
    shortcode: input.shortcode,
    kind: input.kind,
    till_number: input.till_number || null,
    callback_base_url:
      input.callback_base_url === undefined
        ? (known?.callback_base_url ?? null)
        : input.callback_base_url?.replace(/\/+$/, '') || null,
    consumer_key: input.consumer_key || known?.consumer_key || '',
    consumer_secret: input.consumer_secret || known?.consumer_secret || '',
    passkey: input.passkey || known?.passkey || '',
  };
  const fields: Record<string, string> = {};
  if (!complete.base_url && complete.environment === 'custom')
    fields.base_url = 'Give the address of the gateway.';
  if (!complete.consumer_key) fields.consumer_key = 'Copy the consumer key from the Daraja portal.';
  if (!complete.consumer_secret) fields.consumer_secret = 'Copy the consumer secret from the Daraja portal.';
  if (!complete.passkey) fields.passkey = 'The passkey came by e-mail when the shortcode went live.';
  if (Object.keys(fields).length > 0) {
    throw new AppError('invalid', 'The M-PESA settings are not complete.', { fields });
  }
  return complete;
}

export async function writeMpesaSettings(
  db: Db,
  vault: Vault,
  settings: MpesaSettings,
  now: number,
): Promise<void> {
  const stored: Stored = {
    environment: settings.environment,
    base_url: settings.base_url === BASE_URLS[settings.environment] ? null : settings.base_url,
    shortcode: settings.shortcode,
    kind: settings.kind,
    till_number: settings.till_number,
    callback_base_url: settings.callback_base_url,
    consumer_key_sealed: vault.seal(settings.consumer_key),
    consumer_secret_sealed: vault.seal(settings.consumer_secret),
    passkey_sealed: vault.seal(settings.passkey),
  };
  await writeSetting(db, KEY, stored, now);
}
