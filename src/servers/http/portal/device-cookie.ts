// Remembers on a phone which credential it has. The MAC address in a link proves nothing: anyone can write one.
import type { Context } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { isId } from '../../../lib/ids.ts';
import { normalizeMac } from '../../../lib/mac.ts';
import { sameText, type Vault } from '../../../lib/secrets.ts';

const NAME = 'karibu_device';
const YEAR_SECONDS = 31_536_000;

/** What a phone carries: its credential, and the MAC address it was last known to have. */
export interface DeviceToken {
  credential_id: string;
  mac: string | null;
}

const signed = (id: string, mac: string) => (mac ? `device ${id} ${mac}` : `device ${id}`);

/** Lax: the router's login page leads here from another site, by a redirect we follow with a GET. */
export function rememberDevice(c: Context, vault: Vault, token: DeviceToken): void {
  const { credential_id: id } = token;
  const mac = token.mac?.replaceAll(':', '') ?? '';
  const value = [id, vault.sign(signed(id, mac)), ...(mac ? [mac] : [])].join('.');
  setCookie(c, NAME, value, { httpOnly: true, sameSite: 'Lax', path: '/', maxAge: YEAR_SECONDS });
}

/** What this phone carries, if the cookie is ours. */
export function rememberedDevice(c: Context, vault: Vault): DeviceToken | undefined {
  const [id, signature, mac = ''] = getCookie(c, NAME)?.split('.') ?? [];
  if (!id || !signature || !isId(id)) return undefined;
  if (!sameText(signature, vault.sign(signed(id, mac)))) return undefined;
  return { credential_id: id, mac: normalizeMac(mac) ?? null };
}
