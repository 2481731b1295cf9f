// Passwords in an Access-Request: how they are hidden, what makes one right.
import { isUtf8 } from 'node:buffer';
import { timingSafeEqual } from 'node:crypto';
import { getOctets, type WithAttributes } from './attributes.ts';
import { dictionary, Vendor } from './dictionary.ts';
import { md5 } from './digests.ts';
import { verifyMsChap } from './mschap.ts';
import type { Attribute } from './packet.ts';

/** How the subscriber proves the password in this request. */
export type PasswordMethod = 'pap' | 'chap' | 'mschap1' | 'mschap2' | 'eap' | 'none';

/** What a password check reads of a request. */
export interface PasswordRequest extends WithAttributes {
  authenticator: Buffer;
}

const longestPassword = 128;
const noOctets = Buffer.alloc(0);

/** The weakest first. */
const METHODS: readonly PasswordMethod[] = ['none', 'pap', 'chap', 'mschap1', 'mschap2', 'eap'];

/** The place in METHODS of what an attribute belongs to; 0 for all that are no password's. */
function strengthOf({ type, vendor }: Attribute): number {
  if (vendor === Vendor.Microsoft) {
    if (type === dictionary['MS-CHAP2-Response'].type) return 4;
    return type === dictionary['MS-CHAP-Response'].type ? 3 : 0;
  }
  if (vendor !== 0) return 0;
  if (type === dictionary['User-Password'].type) return 1;
  if (type === dictionary['CHAP-Password'].type) return 2;
  return type === dictionary['EAP-Message'].type ? 5 : 0;
}

/** The strongest method whose attributes the request carries. */
export function passwordMethod(request: WithAttributes): PasswordMethod {
  let strongest = 0;
  for (const attribute of request.attributes) {
    const strength = strengthOf(attribute);
    if (strength > strongest) strongest = strength;
  }
  return METHODS[strongest] as PasswordMethod;
}

/**
 * Whether the request proves `password` (text is taken as UTF-8) by PAP, CHAP or MS-CHAP. False for every other method
 * and for a request that carries none. The time taken does not depend on where a wrong password differs. What an
 * Accept must carry for MS-CHAP comes from verifyMsChap.
 */
export function checkPassword(request: PasswordRequest, secret: Buffer, password: string | Buffer): boolean {
  const expected = typeof password === 'string' ? Buffer.from(password, 'utf8') : password;
  switch (passwordMethod(request)) {
    case 'pap':
      return checkPap(request, secret, expected);
    case 'chap':
      return checkChap(request, expected);
    case 'mschap1':
    case 'mschap2':
      return checkMsChap(request, expected);
    default:
      return false;
  }
}

/** Hides a password for User-Password (RFC 2865 §5.2). Throws RangeError over 128 octets. */
export function hidePassword(password: string | Buffer, secret: Buffer, authenticator: Buffer): Buffer {
  const plain = typeof password === 'string' ? Buffer.from(password, 'utf8') : password;
  if (plain.length > longestPassword) throw new RangeError('A password has at most 128 octets');
  const hidden = Buffer.alloc(Math.max(16, Math.ceil(plain.length / 16) * 16));
  plain.copy(hidden);
  let previous = authenticator;
  for (let at = 0; at < hidden.length; at += 16) {
    const mask = md5(secret, previous);
    for (let i = 0; i < 16; i++) hidden[at + i]! ^= mask[i]!;
    previous = hidden.subarray(at, at + 16);
  }
  return hidden;
}

/**
 * The User-Password of a request with its NUL padding off, undefined when there is none or its length is not one that
 * RFC 2865 §5.2 makes. A wrong secret shows only as a wrong password. An attribute without octets is an empty password.
 */
export function revealPassword(request: PasswordRequest, secret: Buffer): Buffer | undefined {
  const padded = revealPadded(request, secret);
  if (!padded) return undefined;
  let end = padded.length;
  while (end > 0 && padded[end - 1] === 0) end--;
  return padded.subarray(0, end);
}

function revealPadded(request: PasswordRequest, secret: Buffer): Buffer | undefined {
  const hidden = getOctets(request, 'User-Password');
  if (!hidden || hidden.length % 16 !== 0 || hidden.length > longestPassword) return undefined;
  const plain = Buffer.from(hidden);
  let previous = request.authenticator;
  for (let at = 0; at < plain.length; at += 16) {
    const mask = md5(secret, previous);
    for (let i = 0; i < 16; i++) plain[at + i]! ^= mask[i]!;
    previous = hidden.subarray(at, at + 16);
  }
  return plain;
}

function checkPap(request: PasswordRequest, secret: Buffer, expected: Buffer): boolean {
  const plain = revealPadded(request, secret);
  if (!plain || expected.length > plain.length) return false;
  const padded = Buffer.alloc(plain.length);
  expected.copy(padded);
  return timingSafeEqual(plain, padded);
}

/** The 16 octets a CHAP peer answers: MD5(id, password, challenge) (RFC 1994 §4.1). */
export function chapResponse(identifier: number, password: string | Buffer, challenge: Uint8Array): Buffer {
  return md5(
    Buffer.from([identifier]),
    typeof password === 'string' ? Buffer.from(password) : password,
    challenge,
  );
}

/** The value of CHAP-Password: the identifier, then the response (RFC 2865 §5.3). */
export function chapPassword(identifier: number, password: string | Buffer, challenge: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([identifier]), chapResponse(identifier, password, challenge)]);
}

/** The challenge is CHAP-Challenge, or the Request Authenticator when there is none (RFC 2865 §2.2). */
function checkChap(request: PasswordRequest, expected: Buffer): boolean {
  const answer = getOctets(request, 'CHAP-Password');
  if (answer?.length !== 17) return false;
  const challenge = getOctets(request, 'CHAP-Challenge') ?? request.authenticator;
  return timingSafeEqual(chapResponse(answer[0]!, expected, challenge), answer.subarray(1));
}

/** MS-CHAP hashes characters, so octets that are no text are nobody's password. */
function checkMsChap(request: PasswordRequest, expected: Buffer): boolean {
  if (!isUtf8(expected)) return false;
  return verifyMsChap(request, expected.toString('utf8'), getOctets(request, 'User-Name') ?? noOctets).ok;
}
