// Remembers on a phone which credential it has. The MAC address in a link proves nothing: anyone can write one.
import type { Context } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { isId } from '../../../lib/ids.ts';
import { sameText, type Vault } from '../../../lib/secrets.ts';

const NAME = 'karibu_device';
const YEAR_SECONDS = 31_536_000;

/** Lax: the router's login page leads here from another site, by a redirect we follow with a GET. */
export function rememberCredential(c: Context, vault: Vault, credentialId: string): void {
  setCookie(c, NAME, `${credentialId}.${vault.sign(`device ${credentialId}`)}`, {
    httpOnly: true,
    sameSite: 'Lax',
    path: '/',
    maxAge: YEAR_SECONDS,
  });
}

/** The credential this phone was given, if the cookie is ours. */
export function rememberedCredential(c: Context, vault: Vault): string | undefined {
  const [id, signature] = getCookie(c, NAME)?.split('.') ?? [];
  if (!id || !signature || !isId(id)) return undefined;
  return sameText(signature, vault.sign(`device ${id}`)) ? id : undefined;
}
