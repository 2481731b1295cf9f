// MS-CHAP, versions 1 and 2, as a RADIUS server sees it.
import { createCipheriv, createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { attribute, getOctets, type WithAttributes } from './attributes.ts';
import { Vendor } from './dictionary.ts';
import { md5 } from './digests.ts';
import { md4 } from './md4.ts';
import type { Attribute } from './packet.ts';

/** What verifyMsChap reads of a request; the keys are hidden with its authenticator. */
export interface MsChapRequest extends WithAttributes {
  authenticator: Buffer;
}

/**
 * `mppe` adds what the NAS needs to encrypt the link. RouterOS takes MS-MPPE-Encryption-Types as `use-encryption` and
 * the policy as `require-encryption`, over its PPP profile's, so ask for it only where encryption is wanted.
 */
export type MsChapOptions = { mppe?: false } | { mppe: true; secret: Buffer };

/** `reply` belongs into the Access-Accept: a peer of version 2 hangs up without MS-CHAP2-Success (RFC 2759 §5). */
export type MsChapOutcome = { ok: false } | { ok: true; version: 1 | 2; reply: Attribute[] };

/** A response that was found right, and what the reply is made of. */
interface Proof {
  identifier: number;
  ntHash: Buffer;
  ntResponse: Buffer;
  /** What the peer answered: the NAS's challenge, or for version 2 the hash of both challenges and the name. */
  challenge: Buffer;
}

/**
 * Whether the request proves `password` by MS-CHAP2-Response or, without one, by MS-CHAP-Response. `userName` is the
 * name as the peer sent it. False when attributes are missing or have another length than RFC 2548 §2.1 says. The time
 * taken does not depend on where a wrong response differs.
 */
export function verifyMsChap(
  request: MsChapRequest,
  password: string,
  userName: Uint8Array,
  options: MsChapOptions = {},
): MsChapOutcome {
  const keys = options.mppe ? { secret: options.secret, authenticator: request.authenticator } : undefined;
  const ntHash = ntPasswordHash(password);
  if (getOctets(request, 'MS-CHAP2-Response')) {
    const proof = prove2(request, ntHash, userName);
    if (!proof) return { ok: false };
    const reply = [successAttribute(proof)];
    if (keys) reply.push(...encryptionAttributes(), ...version2Keys(proof, keys));
    return { ok: true, version: 2, reply };
  }
  const proof = prove1(request, ntHash);
  if (!proof) return { ok: false };
  const reply = keys ? [...encryptionAttributes(), version1Keys(proof, keys)] : [];
  return { ok: true, version: 1, reply };
}

/**
 * MS-CHAP-Error for the Access-Reject, undefined when the request has no MS-CHAP response to which it could belong.
 * `code` is one of RFC 2759 §6: 646 outside allowed hours, 647 disabled, 649 no permission, 691 wrong name or password.
 * The peer may not try again on the same link (R=0); the challenge is there because the format has one.
 */
export function msChapError(request: WithAttributes, code = 691): Attribute | undefined {
  const second = getOctets(request, 'MS-CHAP2-Response');
  const response = second ?? getOctets(request, 'MS-CHAP-Response');
  if (!response || response.length === 0) return undefined;
  // Version 1 has challenges of 8 octets and V=2 (RFC 2433 §6).
  const challenge = randomBytes(second ? 16 : 8)
    .toString('hex')
    .toUpperCase();
  const text = `E=${code} R=0 C=${challenge} V=${second ? 3 : 2}`;
  return attribute('MS-CHAP-Error', Buffer.concat([response.subarray(0, 1), Buffer.from(text)]));
}

/** NtPasswordHash (RFC 2759 §8.3): MD4 of the password as UTF-16, little end first. */
export function ntPasswordHash(password: string): Buffer {
  return md4(Buffer.from(password, 'utf16le'));
}

/** ChallengeHash (RFC 2759 §8.2), 8 octets. The name is hashed as it is given, a domain too. */
export function challengeHash(
  peerChallenge: Uint8Array,
  authenticatorChallenge: Uint8Array,
  userName: Uint8Array,
): Buffer {
  return sha1(peerChallenge, authenticatorChallenge, userName).subarray(0, 8);
}

/** ChallengeResponse (RFC 2759 §8.5): the 24 octets of an NT-Response to a challenge of 8. */
export function ntResponse(challenge: Uint8Array, ntHash: Uint8Array): Buffer {
  const padded = Buffer.alloc(21);
  padded.set(ntHash);
  return Buffer.concat([0, 7, 14].map((at) => desEncrypt(challenge, padded.subarray(at, at + 7))));
}

/**
 * The response is ident, flags, 24 octets for LAN Manager, 24 for NT (RFC 2548 §2.1.3). The flag that asks for the NT
 * one is not read: a right one proves the password in any case, and the weaker LAN Manager one proves nothing here.
 */
function prove1(request: WithAttributes, ntHash: Buffer): Proof | undefined {
  const value = getOctets(request, 'MS-CHAP-Response');
  const challenge = getOctets(request, 'MS-CHAP-Challenge');
  if (value?.length !== 50 || challenge?.length !== 8) return undefined;
  const given = value.subarray(26);
  if (!timingSafeEqual(ntResponse(challenge, ntHash), given)) return undefined;
  return { identifier: value[0]!, ntHash, ntResponse: given, challenge };
}

/** The response is ident, flags, peer challenge (16), reserved (8), NT-Response (24) (RFC 2548 §2.3.2). */
function prove2(request: WithAttributes, ntHash: Buffer, userName: Uint8Array): Proof | undefined {
  const value = getOctets(request, 'MS-CHAP2-Response');
  const authenticatorChallenge = getOctets(request, 'MS-CHAP-Challenge');
  if (value?.length !== 50 || authenticatorChallenge?.length !== 16) return undefined;
  const given = value.subarray(26);
  for (const name of hashedNames(userName)) {
    const challenge = challengeHash(value.subarray(2, 18), authenticatorChallenge, name);
    if (timingSafeEqual(ntResponse(challenge, ntHash), given)) {
      return { identifier: value[0]!, ntHash, ntResponse: given, challenge };
    }
  }
  return undefined;
}

/** The names a peer may have hashed: without its domain as RFC 2759 §4 says, then whole, as some do. */
function hashedNames(userName: Uint8Array): Uint8Array[] {
  const backslash = userName.indexOf(0x5c);
  return backslash < 0 ? [userName] : [userName.subarray(backslash + 1), userName];
}

const signingMagic = Buffer.from('Magic server to client signing constant');
const iterationMagic = Buffer.from('Pad to make it do more than one iteration');

/** GenerateAuthenticatorResponse (RFC 2759 §8.7), behind the ident (RFC 2548 §2.3.3). */
function successAttribute(proof: Proof): Attribute {
  const digest = sha1(md4(proof.ntHash), proof.ntResponse, signingMagic);
  const response = sha1(digest, proof.challenge, iterationMagic).toString('hex').toUpperCase();
  return attribute(
    'MS-CHAP2-Success',
    Buffer.concat([Buffer.from([proof.identifier]), Buffer.from(`S=${response}`)]),
  );
}

interface KeyHiding {
  secret: Buffer;
  authenticator: Buffer;
}

/** Encryption allowed, with 128-bit keys only: 40 and 56 bits protect nobody (RFC 2548 §2.4.4, §2.4.5). */
function encryptionAttributes(): Attribute[] {
  return [attribute('MS-MPPE-Encryption-Policy', 1), attribute('MS-MPPE-Encryption-Types', 4)];
}

/**
 * MS-CHAP-MPPE-Keys (RFC 2548 §2.4.1): 8 octets for 40-bit keys, which are not offered, 16 for 128-bit ones, 8 zeros,
 * all hidden as a User-Password is. The 16 are the hash of the hash: that is what RFC 3079 §2.4 starts from, and what
 * FreeRADIUS sends and pppd expects.
 */
function version1Keys(proof: Proof, { secret, authenticator }: KeyHiding): Attribute {
  const keys = Buffer.concat([Buffer.alloc(8), md4(proof.ntHash), Buffer.alloc(8)]);
  return { type: 12, vendor: Vendor.Microsoft, value: hide(keys, secret, authenticator) };
}

const masterMagic = Buffer.from('This is the MPPE Master Key');
const serverReceiveMagic = Buffer.from(
  'On the client side, this is the send key; on the server side, it is the receive key.',
);
const serverSendMagic = Buffer.from(
  'On the client side, this is the receive key; on the server side, it is the send key.',
);
const firstPad = Buffer.alloc(40);
const secondPad = Buffer.alloc(40, 0xf2);

/** The start keys of RFC 3079 §3.4 for 128 bits; the NAS makes the session keys from them. */
function version2Keys(proof: Proof, hiding: KeyHiding): Attribute[] {
  const master = sha1(md4(proof.ntHash), proof.ntResponse, masterMagic).subarray(0, 16);
  const startKey = (magic: Buffer) => sha1(master, firstPad, magic, secondPad).subarray(0, 16);
  // A salt has its first bit set and comes only once in a packet (RFC 2548 §2.4.2).
  const salt = randomBytes(2);
  salt[0]! |= 0x80;
  const otherSalt = Buffer.from([salt[0]!, salt[1]! ^ 1]);
  return [
    attribute('MS-MPPE-Send-Key', hideKey(startKey(serverSendMagic), salt, hiding)),
    attribute('MS-MPPE-Recv-Key', hideKey(startKey(serverReceiveMagic), otherSalt, hiding)),
  ];
}

/** Salt, then length, key and zeros, hidden (RFC 2548 §2.4.2). */
function hideKey(key: Buffer, salt: Buffer, { secret, authenticator }: KeyHiding): Buffer {
  const plain = Buffer.alloc(Math.ceil((1 + key.length) / 16) * 16);
  plain[0] = key.length;
  key.copy(plain, 1);
  return Buffer.concat([salt, hide(plain, secret, Buffer.concat([authenticator, salt]))]);
}

/** Each 16 octets are masked with the MD5 of the secret and the masked 16 before them; `first` starts the chain. */
function hide(plain: Buffer, secret: Buffer, first: Buffer): Buffer {
  const hidden = Buffer.from(plain);
  let previous = first;
  for (let at = 0; at < hidden.length; at += 16) {
    const mask = md5(secret, previous);
    for (let i = 0; i < 16; i++) hidden[at + i]! ^= mask[i]!;
    previous = hidden.subarray(at, at + 16);
  }
  return hidden;
}

function sha1(...parts: Uint8Array[]): Buffer {
  const hash = createHash('sha1');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/**
 * One block of DES under a key of 7 octets (RFC 2759 §8.6). Node has no single DES; triple DES with the same key
 * thrice is it, and `des-ede3` is its ECB mode by the one name that Bun knows as well.
 */
function desEncrypt(block: Uint8Array, sevenOctets: Uint8Array): Buffer {
  const key = Buffer.alloc(24);
  for (let i = 0; i < 8; i++) {
    const before = sevenOctets[i - 1] ?? 0;
    const here = sevenOctets[i] ?? 0;
    // Seven bits to an octet; the eighth is a parity bit that DES does not use.
    key[i] = ((before << (8 - i)) | (here >> i)) & 0xfe;
  }
  key.copy(key, 8, 0, 8);
  key.copy(key, 16, 0, 8);
  return createCipheriv('des-ede3', key, null).setAutoPadding(false).update(block);
}
