// Tells whether a key opens what a store has sealed.
import type { Db } from '../db/schema.ts';
import { readSetting } from '../db/settings.ts';
import { createVault, KEY_OCTETS, type Vault } from '../lib/secrets.ts';

/** The vault of a key file's text; undefined when it is no key. Makes and changes nothing. */
export function vaultOf(keyText: string): Vault | undefined {
  const key = Buffer.from(keyText.trim(), 'base64');
  return key.length === KEY_OCTETS ? createVault(key) : undefined;
}

/** Any sealed secrets of the store, one of each kind. */
async function someSealed(db: Db): Promise<string[]> {
  const router = await db.selectFrom('routers').select('radius_secret_sealed as sealed').limit(1).execute();
  const credential = await db
    .selectFrom('credentials')
    .select('password_sealed as sealed')
    .limit(1)
    .execute();
  const voucher = await db.selectFrom('vouchers').select('code_sealed as sealed').limit(1).execute();
  const mpesa = await readSetting<{ passkey_sealed?: string }>(db, 'mpesa');
  const kept = [...router, ...credential, ...voucher].map((row) => row.sealed);
  return mpesa?.passkey_sealed ? [...kept, mpesa.passkey_sealed] : kept;
}

/** How many kinds of secrets were tried, and whether the key opened all of them. */
export async function tryKey(db: Db, vault: Vault): Promise<{ tried: number; opens: boolean }> {
  const sealed = await someSealed(db);
  try {
    for (const secret of sealed) vault.open(secret);
    return { tried: sealed.length, opens: true };
  } catch {
    // A wrong key fails the authentication of AES-GCM; there is no other answer to tell.
    return { tried: sealed.length, opens: false };
  }
}
