// The digests with which RADIUS hides passwords and signs packets.
import { createHmac, hash } from 'node:crypto';

/** A digest waits for nothing, so that one piece of memory serves them all. */
let message = Buffer.alloc(8192);

/**
 * MD5 of the parts one after the other, 16 octets (RFC 1321). In one call of the runtime's: to make, fill and collect an
 * object for it costs as much again.
 */
export function md5(...parts: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const part of parts) length += part.length;
  if (length > message.length) message = Buffer.alloc(length);
  let at = 0;
  for (const part of parts) {
    message.set(part, at);
    at += part.length;
  }
  return hash('md5', message.subarray(0, length), 'buffer');
}

/** HMAC-MD5, 16 octets (RFC 2104). */
export function hmacMd5(key: Uint8Array, octets: Uint8Array): Buffer {
  return createHmac('md5', key).update(octets).digest();
}
