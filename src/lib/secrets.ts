// Secrets at rest: sealed with a key that lies apart from the database.
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';

const IV_OCTETS = 12;
const TAG_OCTETS = 16;
export const KEY_OCTETS = 32;

export interface Vault {
  /** Text → `v1.` + base64 of IV, tag and AES-256-GCM ciphertext. */
  seal(text: string): string;
  /** The text again; throws when it was sealed with another key or altered. */
  open(sealed: string): string;
  /** A keyed fingerprint: finds a secret by equality without storing it. */
  fingerprint(text: string): string;
  /** Signs text that leaves the box and comes back (a portal context). */
  sign(text: string): string;
}

/** Derives separate keys for sealing, fingerprints and signatures from one 32-octet key. */
export function createVault(key: Uint8Array): Vault {
  if (key.length !== KEY_OCTETS) throw new Error(`a vault key has ${KEY_OCTETS} octets, not ${key.length}`);
  const derive = (purpose: string) =>
    Buffer.from(hkdfSync('sha256', key, '', `karibu ${purpose}`, KEY_OCTETS));
  const sealKey = derive('seal');
  const fingerprintKey = derive('fingerprint');
  const signKey = derive('sign');
  return {
    seal(text) {
      const iv = randomBytes(IV_OCTETS);
      const cipher = createCipheriv('aes-256-gcm', sealKey, iv);
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return `v1.${Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64')}`;
    },
    open(sealed) {
      if (!sealed.startsWith('v1.')) throw new Error('not a sealed secret');
      const octets = Buffer.from(sealed.slice(3), 'base64');
      const decipher = createDecipheriv('aes-256-gcm', sealKey, octets.subarray(0, IV_OCTETS));
      decipher.setAuthTag(octets.subarray(IV_OCTETS, IV_OCTETS + TAG_OCTETS));
      return (
        decipher.update(octets.subarray(IV_OCTETS + TAG_OCTETS), undefined, 'utf8') + decipher.final('utf8')
      );
    },
    fingerprint: (text) => createHmac('sha256', fingerprintKey).update(text).digest('base64url').slice(0, 27),
    sign: (text) => createHmac('sha256', signKey).update(text).digest('base64url').slice(0, 27),
  };
}

/**
 * The same vault, which remembers what it opened last: at most `capacity` secrets, each asked for again and again by the
 * phones that come back all day. Two generations of a map take turns: the older one is dropped whole. A capacity of two is
 * the least.
 */
export function rememberOpened(vault: Vault, capacity: number): Vault {
  const generation = Math.floor(capacity / 2);
  let young = new Map<string, string>();
  let old = new Map<string, string>();
  return {
    ...vault,
    open(sealed) {
      const known = young.get(sealed);
      if (known !== undefined) return known;
      const text = old.get(sealed) ?? vault.open(sealed);
      if (young.size >= generation) {
        old = young;
        young = new Map();
      }
      young.set(sealed, text);
      return text;
    },
  };
}

/** 128 random bits in base64url: a path or bearer token. */
export function newToken(): string {
  return randomBytes(16).toString('base64url');
}

/** What is stored of a random token. No salt: the token itself is unguessable. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}

/** Constant-time comparison of two texts. */
export function sameText(a: string, b: string): boolean {
  const left = createHash('sha256').update(a).digest();
  const right = createHash('sha256').update(b).digest();
  return timingSafeEqual(left, right);
}
