// The digests with which RADIUS hides passwords and signs packets.
import { hash } from 'node:crypto';

const BLOCK = 64;

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

/** What a key makes the first block of the inner and of the outer digest. */
interface Pads {
  inner: Buffer;
  outer: Buffer;
}

/** A router's secret signs all of its packets. */
const padsOf = new WeakMap<Uint8Array, Pads>();

function makePads(key: Uint8Array): Pads {
  const pad = (octet: number) => {
    const block = Buffer.alloc(BLOCK, octet);
    for (const [at, own] of (key.length > BLOCK ? md5(key) : key).entries()) block[at]! ^= own;
    return block;
  };
  return { inner: pad(0x36), outer: pad(0x5c) };
}

/** HMAC-MD5, 16 octets (RFC 2104). The key must not change its octets afterwards. */
export function hmacMd5(key: Uint8Array, octets: Uint8Array): Buffer {
  let pads = padsOf.get(key);
  if (!pads) {
    pads = makePads(key);
    padsOf.set(key, pads);
  }
  return md5(pads.outer, md5(pads.inner, octets));
}
