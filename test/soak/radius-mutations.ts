// Mutates RADIUS packets with an eye for their structure, by a second implementation of the signatures.
import { createHash, createHmac } from 'node:crypto';
import type { Chance } from '../protocols/radius/material.ts';
import { mutate } from '../protocols/radius/material.ts';

/** An attribute as octets; `length` is what its length octet says, which may be a lie. */
interface Raw {
  type: number;
  length: number;
  value: Buffer;
}

export const md5 = (...parts: Uint8Array[]): Buffer =>
  createHash('md5').update(Buffer.concat(parts)).digest();

/** The attributes of type and value; undefined when the framing is wrong (RFC 2865 §5). */
export function split(body: Buffer): { type: number; value: Buffer; at: number }[] | undefined {
  const found = [];
  for (let at = 0; at < body.length; at += body[at + 1]!) {
    const length = body[at + 1];
    if (length === undefined || length < 2 || at + length > body.length) return undefined;
    found.push({ type: body[at]!, value: body.subarray(at + 2, at + length), at });
  }
  return found;
}

function join(head: Buffer, list: Raw[]): Buffer {
  const body = list.map(({ type, length, value }) =>
    Buffer.concat([Buffer.from([type, length & 255]), value]),
  );
  const bytes = Buffer.concat([head.subarray(0, 20), ...body]);
  bytes.writeUInt16BE(Math.min(bytes.length, 65535), 2);
  return bytes;
}

function honest(type: number, value: Buffer): Raw {
  return { type, value, length: value.length + 2 };
}

function changeOne(list: Raw[], by: Chance): void {
  const at = by.below(Math.max(list.length, 1));
  const one = list[at];
  if (!one) {
    list.push(honest(by.below(256), by.octets(by.below(20))));
    return;
  }
  switch (by.below(14)) {
    case 0:
      list.splice(at, 1);
      break;
    case 1:
      list.splice(by.below(list.length + 1), 0, { ...one });
      break;
    case 2: {
      const other = by.below(list.length);
      [list[at], list[other]] = [list[other]!, one];
      break;
    }
    case 3:
      list[at] = { ...one, type: by.below(256) };
      break;
    case 4:
      list[at] = { ...one, length: by.pick([0, 1, 2, 255, one.length - 1, one.length + 1, by.below(256)]) };
      break;
    case 5:
      list[at] = honest(one.type, by.octets(by.pick([0, 1, 3, 4, 5, 15, 16, 17, 128, 253])));
      break;
    case 6: {
      const value = Buffer.from(one.value);
      if (value.length > 0) value[by.below(value.length)] = by.below(256);
      list[at] = { ...one, value };
      break;
    }
    case 7:
      list.splice(
        by.below(list.length + 1),
        0,
        honest(by.pick([1, 2, 3, 31, 33, 79, 80]), by.octets(by.below(20))),
      );
      break;
    case 8: {
      // A vendor's attribute whose inner length may be wrong (RFC 2865 §5.26).
      const vendor = by.pick([
        [0, 0, 58, 140],
        [0, 0, 1, 55],
        [0, 0, 0, 0],
        [255, 255, 255, 255],
      ]);
      const inner = by.octets(by.below(30));
      const length = by.pick([inner.length + 2, 0, 1, 255, by.below(256)]);
      const value = Buffer.concat([Buffer.from([...vendor, by.below(40), length]), inner]);
      list.splice(by.below(list.length + 1), 0, honest(26, value));
      break;
    }
    case 9:
      list[at] = honest(26, Buffer.concat([Buffer.from([0, 0, 58, 140]), one.value]).subarray(0, 253));
      break;
    case 10: {
      // Message-Authenticator taken away, put elsewhere, twice, or of another length.
      const found = list.findIndex(({ type }) => type === 80);
      const signature = found >= 0 ? list.splice(found, 1)[0]! : honest(80, Buffer.alloc(16));
      const somewhere = () => by.below(list.length + 1);
      const how = by.below(4);
      if (how > 0) list.splice(somewhere(), 0, { ...signature });
      if (how === 2) list.splice(somewhere(), 0, { ...signature });
      if (how === 3) list.splice(somewhere(), 0, honest(80, by.octets(by.pick([0, 1, 15, 17, 32]))));
      break;
    }
    case 11: {
      // Counters, their gigawords, times and ages at their ends.
      const value = Buffer.alloc(4);
      value.writeUInt32BE(by.pick([0, 1, 0x7fffffff, 0x80000000, 0xffffffff, by.below(2 ** 32)]));
      const type = by.pick([5, 27, 40, 41, 42, 43, 46, 49, 52, 53, 55]);
      const found = list.findIndex((other) => other.type === type);
      list.splice(found < 0 ? at : found, found < 0 ? 0 : 1, honest(type, value));
      break;
    }
    case 12: {
      // Vendors within vendors, and several attributes in one frame.
      const inner = Buffer.concat([
        Buffer.from([by.pick([1, 8, 11, 25, 26]), one.value.length + 2]),
        one.value,
      ]);
      const frame = Buffer.concat([Buffer.from([0, 0, by.pick([1, 58]), by.pick([55, 140])]), inner, inner]);
      const nested = Buffer.concat([Buffer.from([0, 0, 1, 55, 26, frame.length + 2]), frame]);
      list[at] = honest(26, (by.below(2) === 0 ? frame : nested).subarray(0, 253));
      break;
    }
    default:
      list[at] = honest(one.type, one.value.subarray(0, by.below(one.value.length + 1)));
  }
}

/** Signs what a request of its code is signed with, as far as it has a place for it (RFC 2866 §3, RFC 3579 §3.2). */
export function sign(packet: Buffer, secret: Buffer): Buffer {
  const bytes = Buffer.from(packet);
  if (bytes.length < 20) return bytes;
  const accounting = bytes[0] === 4 || bytes[0] === 40 || bytes[0] === 43;
  if (accounting) bytes.fill(0, 4, 20);
  const length = Math.min(Math.max(bytes.readUInt16BE(2), 20), bytes.length);
  const place = split(bytes.subarray(20, length))?.find(
    ({ type, value }) => type === 80 && value.length === 16,
  );
  if (place) {
    bytes.fill(0, place.at + 22, place.at + 38);
    createHmac('md5', secret)
      .update(bytes.subarray(0, length))
      .digest()
      .copy(bytes, place.at + 22);
  }
  if (accounting) md5(bytes.subarray(0, length), secret).copy(bytes, 4);
  return bytes;
}

/** One mutated datagram: of attributes, of the header, of octets, or nothing but noise; signed again by chance. */
export function mutatePacket(seed: Buffer, secret: Buffer, by: Chance): Buffer {
  if (by.below(20) === 0) {
    const noise = by.octets(by.pick([0, 1, 19, 20, 21, 40, by.below(300), by.below(1500)]));
    // Without this hardly any noise has a length that fits.
    if (noise.length >= 20 && by.below(2) === 0) noise.writeUInt16BE(noise.length, 2);
    return noise;
  }
  const parts = by.below(6) === 0 ? undefined : split(seed.subarray(20));
  let bytes: Buffer;
  if (parts) {
    const list = parts.map(({ type, value }) => honest(type, Buffer.from(value)));
    for (let times = by.below(4); times > 0; times--) changeOne(list, by);
    bytes = join(seed, list);
  } else {
    bytes = Buffer.from(mutate(seed, by));
  }
  if (bytes.length >= 20) {
    if (by.below(3) > 0) bytes[1] = by.below(256);
    if (by.below(12) === 0) bytes[0] = by.pick([0, 1, 2, 3, 4, 5, 11, 12, 13, 40, 43, 255]);
    if (by.below(12) === 0) bytes[4 + by.below(16)] = by.below(256);
    if (by.below(15) === 0)
      bytes.writeUInt16BE(by.pick([0, 19, 20, bytes.length - 1, bytes.length + 1, 4097, 65535]), 2);
  }
  const choice = by.below(10);
  if (choice < 5) return sign(bytes, secret);
  return choice < 6 ? sign(bytes, Buffer.from('not the secret')) : bytes;
}
