// The RADIUS packet: octets to attributes, attributes to signed octets.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { type Attribute, octetsOf, WireAttribute } from './attribute.ts';
import { hmacMd5, md5 } from './digests.ts';

export type { Attribute };

/** Packet codes (RFC 2865 §3, RFC 2866 §3, RFC 5176 §2.3, RFC 5997 §2). */
export const Code = {
  AccessRequest: 1,
  AccessAccept: 2,
  AccessReject: 3,
  AccountingRequest: 4,
  AccountingResponse: 5,
  AccessChallenge: 11,
  StatusServer: 12,
  DisconnectRequest: 40,
  DisconnectAck: 41,
  DisconnectNak: 42,
  CoaRequest: 43,
  CoaAck: 44,
  CoaNak: 45,
} as const;

/** What identifies a request when its reply is made or checked. */
export interface RequestIdentity {
  code: number;
  identifier: number;
  authenticator: Buffer;
  attributes: readonly Attribute[];
}

/** A packet read from octets or made by encodeRequest. */
export interface Packet extends RequestIdentity {
  attributes: Attribute[];
  /** The packet as it is on the wire, padding removed. Attribute values are views into it. */
  bytes: Buffer;
  /**
   * Offset of Message-Authenticator's 16 octets in `bytes`; 0 when there is none, -1 when it is there
   * but has another length or comes twice, so that no value of it can be right.
   */
  messageAuthenticatorAt: number;
}

/** What encodeRequest needs; `authenticator` only counts for Access-Request and Status-Server. */
export interface RequestContent {
  code: number;
  identifier: number;
  attributes: readonly Attribute[];
  authenticator?: Buffer;
}

export interface EncodeRequestOptions {
  /** `true` is `'first'` (what CVE-2024-3596 asks for); RouterOS puts it `'last'`. Status-Server always has one. */
  messageAuthenticator?: boolean | 'first' | 'last';
}

export interface VerifyReplyOptions {
  requireMessageAuthenticator?: boolean;
}

const headerLength = 20;
const largestPacket = 4096;
const vendorSpecific = 26;
const messageAuthenticator = 80;
const proxyState = 33;
const zero16 = Buffer.alloc(16);

/** A fresh Request Authenticator: 16 unpredictable octets (RFC 2865 §3). */
export function newAuthenticator(): Buffer {
  return randomBytes(16);
}

/**
 * Reads a datagram. Undefined when it is malformed: length field outside 20..4096 or beyond the datagram,
 * an attribute shorter than 2 octets or running past the end. Octets after the length are padding (RFC 2865 §3).
 * The values are views into `datagram`, which must not be reused.
 */
export function decodePacket(datagram: Uint8Array): Packet | undefined {
  if (datagram.length < headerLength) return undefined;
  const length = (datagram[2]! << 8) | datagram[3]!;
  if (length < headerLength || length > largestPacket || length > datagram.length) return undefined;
  const whole = Buffer.isBuffer(datagram)
    ? datagram
    : Buffer.from(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  const bytes = whole.length === length ? whole : whole.subarray(0, length);

  const attributes: Attribute[] = [];
  let messageAuthenticatorAt = 0;
  let at = headerLength;
  while (at < length) {
    if (at + 2 > length) return undefined;
    const type = bytes[at]!;
    const end = at + bytes[at + 1]!;
    if (end < at + 2 || end > length) return undefined;
    if (type === vendorSpecific && readVendorAttributes(bytes, at + 2, end, attributes)) {
      at = end;
      continue;
    }
    if (type === messageAuthenticator) {
      messageAuthenticatorAt = messageAuthenticatorAt === 0 && end - at === 18 ? at + 2 : -1;
    }
    attributes.push(new WireAttribute(type, 0, bytes, at + 2, end));
    at = end;
  }
  return {
    code: bytes[0]!,
    identifier: bytes[1]!,
    authenticator: bytes.subarray(4, headerLength),
    attributes,
    bytes,
    messageAuthenticatorAt,
  };
}

/** Splits the inside of one type 26 into `into`; false (and nothing added) when its framing is not RFC 2865 §5.26's. */
function readVendorAttributes(bytes: Buffer, start: number, end: number, into: Attribute[]): boolean {
  if (end - start < 6) return false;
  const vendor = bytes.readUInt32BE(start);
  if (vendor === 0) return false;
  let at = start + 4;
  while (at < end) {
    if (at + 2 > end) return false;
    const length = bytes[at + 1]!;
    if (length < 2 || at + length > end) return false;
    at += length;
  }
  for (at = start + 4; at < end; at += bytes[at + 1]!) {
    into.push(new WireAttribute(bytes[at]!, vendor, bytes, at + 2, at + bytes[at + 1]!));
  }
  return true;
}

/**
 * Makes a request and signs it: a random authenticator for Access-Request and Status-Server (or the one given,
 * which User-Password was hidden with), a computed one for Accounting, Disconnect and CoA (RFC 2866 §3, RFC 5176 §2.3).
 * Send `.bytes`; keep the packet to check the reply. Throws when it would exceed 4096 octets.
 */
export function encodeRequest(
  request: RequestContent,
  secret: Buffer,
  options: EncodeRequestOptions = {},
): Packet {
  const randomlySigned = request.code === Code.AccessRequest || request.code === Code.StatusServer;
  const wanted = options.messageAuthenticator || request.code === Code.StatusServer;
  const position = !wanted ? 'none' : options.messageAuthenticator === 'last' ? 'last' : 'first';
  const authenticator = randomlySigned ? (request.authenticator ?? newAuthenticator()) : zero16;
  if (authenticator.length !== 16) throw new RangeError('A request authenticator has 16 octets');
  const { bytes, messageAuthenticatorAt } = layOut(
    request.code,
    request.identifier,
    authenticator,
    request.attributes,
    position,
  );
  if (messageAuthenticatorAt > 0) sign(bytes, messageAuthenticatorAt, secret);
  if (!randomlySigned) bytes.set(md5(bytes, secret), 4);
  const packet = decodePacket(bytes);
  if (!packet) throw new Error('An encoded request could not be read back');
  return packet;
}

/**
 * Makes and signs the reply to `request`. Access-Accept, -Reject and -Challenge carry Message-Authenticator as their first
 * attribute, always: RouterOS 7.15 and later refuse them without it (CVE-2024-3596). Other replies carry one when the
 * request did (RFC 5997 §3, RFC 5176 §3.4). The request's Proxy-State is copied as it was (RFC 2865 §5.33).
 * Throws when the reply would exceed 4096 octets.
 */
export function encodeReply(
  reply: { code: number; attributes: readonly Attribute[] },
  request: RequestIdentity,
  secret: Buffer,
): Buffer {
  const forAccess =
    reply.code === Code.AccessAccept ||
    reply.code === Code.AccessReject ||
    reply.code === Code.AccessChallenge;
  const signed = forAccess || request.attributes.some(isMessageAuthenticator);
  const states = request.attributes.filter(isProxyState);
  const { bytes, messageAuthenticatorAt } = layOut(
    reply.code,
    request.identifier,
    request.authenticator,
    states.length === 0 ? reply.attributes : [...reply.attributes, ...states],
    signed ? 'first' : 'none',
  );
  if (messageAuthenticatorAt > 0) sign(bytes, messageAuthenticatorAt, secret);
  bytes.set(md5(bytes, secret), 4);
  return bytes;
}

/** Lays the packet out with Message-Authenticator's octets zero; one already among `attributes` is left out. */
function layOut(
  code: number,
  identifier: number,
  authenticator: Buffer,
  attributes: readonly Attribute[],
  position: 'none' | 'first' | 'last',
): { bytes: Buffer; messageAuthenticatorAt: number } {
  let length = headerLength + (position === 'none' ? 0 : 18);
  for (const attribute of attributes) {
    if (!isMessageAuthenticator(attribute)) length += wireLength(attribute);
  }
  if (length > largestPacket) throw new RangeError(`A packet of ${length} octets exceeds ${largestPacket}`);

  const bytes = Buffer.allocUnsafe(length);
  bytes[0] = code;
  bytes[1] = identifier;
  bytes.writeUInt16BE(length, 2);
  bytes.set(authenticator, 4);
  let at = headerLength;
  let messageAuthenticatorAt = 0;
  if (position === 'first') {
    messageAuthenticatorAt = at + 2;
    at = writeZeroMessageAuthenticator(bytes, at);
  }
  for (const attribute of attributes) {
    if (!isMessageAuthenticator(attribute)) at = writeAttribute(bytes, at, attribute);
  }
  if (position === 'last') {
    messageAuthenticatorAt = at + 2;
    writeZeroMessageAuthenticator(bytes, at);
  }
  return { bytes, messageAuthenticatorAt };
}

function wireLength(attribute: Attribute): number {
  const octets = octetsOf(attribute);
  const length = octets + (attribute.vendor === 0 ? 2 : 8);
  if (length > 255) {
    throw new RangeError(`Attribute ${attribute.vendor}/${attribute.type} of ${octets} octets is too long`);
  }
  return length;
}

function writeAttribute(bytes: Buffer, at: number, attribute: Attribute): number {
  const { type, vendor } = attribute;
  const octets = octetsOf(attribute);
  let start = at;
  if (vendor !== 0) {
    bytes[at] = vendorSpecific;
    bytes[at + 1] = octets + 8;
    bytes.writeUInt32BE(vendor, at + 2);
    start = at + 6;
  }
  bytes[start] = type;
  bytes[start + 1] = octets + 2;
  if (attribute.writeTo) attribute.writeTo(bytes, start + 2);
  else bytes.set(attribute.value, start + 2);
  return start + 2 + octets;
}

function writeZeroMessageAuthenticator(bytes: Buffer, at: number): number {
  bytes[at] = messageAuthenticator;
  bytes[at + 1] = 18;
  bytes.set(zero16, at + 2);
  return at + 18;
}

function isMessageAuthenticator(attribute: Attribute): boolean {
  return attribute.type === messageAuthenticator && attribute.vendor === 0;
}

function isProxyState(attribute: Attribute): boolean {
  return attribute.type === proxyState && attribute.vendor === 0;
}

/** Puts HMAC-MD5 over the packet, whose Message-Authenticator is zero so far, in its place (RFC 2869 §5.14). */
function sign(bytes: Buffer, at: number, secret: Buffer): void {
  bytes.set(hmacMd5(secret, bytes), at);
}

/** A packet to be hashed is hashed at once, so that one piece of memory serves them all. */
const draft = Buffer.alloc(largestPacket);

/** A packet with another authenticator, until the next one is asked for. */
function draftOf(bytes: Buffer, authenticator: Buffer): Buffer {
  draft.set(bytes);
  draft.set(authenticator, 4);
  return draft.subarray(0, bytes.length);
}

/**
 * Whether an Accounting-, Disconnect- or CoA-Request was made with our secret:
 * MD5(code, id, length, 16 zero octets, attributes, secret) (RFC 2866 §3, RFC 5176 §2.3).
 */
export function verifyRequestAuthenticator(packet: Packet, secret: Buffer): boolean {
  return timingSafeEqual(md5(draftOf(packet.bytes, zero16), secret), packet.authenticator);
}

/**
 * Whether the Message-Authenticator of a request is right; false too when there is none. The authenticator field
 * counts as zero in Accounting-, Disconnect- and CoA-Requests (RFC 5176 §3.4), as sent in the others (RFC 2869 §5.14).
 */
export function verifyMessageAuthenticator(packet: Packet, secret: Buffer): boolean {
  const asSent = packet.code === Code.AccessRequest || packet.code === Code.StatusServer;
  return messageAuthenticatorFits(packet, asSent ? packet.authenticator : zero16, secret);
}

function messageAuthenticatorFits(packet: Packet, authenticator: Buffer, secret: Buffer): boolean {
  const { bytes, messageAuthenticatorAt: at } = packet;
  if (at <= 0) return false;
  const unsigned = draftOf(bytes, authenticator);
  unsigned.set(zero16, at);
  return timingSafeEqual(hmacMd5(secret, unsigned), bytes.subarray(at, at + 16));
}

/**
 * Reads a reply and says whether it answers `request` and was made with our secret; undefined when not: another
 * identifier, a code that cannot answer that request, a wrong Response Authenticator (RFC 2865 §3), a wrong
 * Message-Authenticator, or a missing one where it is required.
 */
export function verifyReply(
  replyBytes: Uint8Array,
  request: RequestIdentity,
  secret: Buffer,
  options: VerifyReplyOptions = {},
): Packet | undefined {
  const reply = decodePacket(replyBytes);
  if (!reply || reply.identifier !== request.identifier || !answers(reply.code, request.code))
    return undefined;
  const expected = md5(draftOf(reply.bytes, request.authenticator), secret);
  if (!timingSafeEqual(expected, reply.authenticator)) return undefined;
  if (reply.messageAuthenticatorAt === 0) return options.requireMessageAuthenticator ? undefined : reply;
  return messageAuthenticatorFits(reply, request.authenticator, secret) ? reply : undefined;
}

function answers(reply: number, request: number): boolean {
  switch (request) {
    case Code.AccessRequest:
      return reply === Code.AccessAccept || reply === Code.AccessReject || reply === Code.AccessChallenge;
    case Code.AccountingRequest:
      return reply === Code.AccountingResponse;
    case Code.StatusServer:
      return reply === Code.AccessAccept || reply === Code.AccountingResponse;
    case Code.DisconnectRequest:
      return reply === Code.DisconnectAck || reply === Code.DisconnectNak;
    case Code.CoaRequest:
      return reply === Code.CoaAck || reply === Code.CoaNak;
    default:
      return false;
  }
}
