// Attributes by name: reading their values, building them.
import { isIPv4 } from 'node:net';
import { type AttributeName, dictionary, type NameOfKind } from './dictionary.ts';
import type { Attribute } from './packet.ts';

/** Anything that carries attributes: a packet or a reply under way. */
export interface WithAttributes {
  readonly attributes: readonly Attribute[];
}

/**
 * What attribute() takes for a name: text or octets for strings, dotted text for an IPv4 address, an unsigned
 * 32-bit number for integers, epoch milliseconds for dates, octets for everything else.
 */
export type AttributeValue<N extends AttributeName> =
  N extends NameOfKind<'integer' | 'date'>
    ? number
    : N extends NameOfKind<'ipaddr'>
      ? string
      : N extends NameOfKind<'string' | 'octets'>
        ? string | Uint8Array
        : Uint8Array;

function find(packet: WithAttributes, name: AttributeName): Buffer | undefined {
  const { type, vendor } = dictionary[name];
  for (const attribute of packet.attributes) {
    if (attribute.type === type && attribute.vendor === vendor) return attribute.value;
  }
  return undefined;
}

/** Whether the packet carries the attribute at all. */
export function hasAttribute(packet: WithAttributes, name: AttributeName): boolean {
  return find(packet, name) !== undefined;
}

/** The first value as octets, whatever its kind. The one to compare passwords with: text loses what is not UTF-8. */
export function getOctets(packet: WithAttributes, name: AttributeName): Buffer | undefined {
  return find(packet, name);
}

/** Every value as octets, in the packet's order. */
export function getAll(packet: WithAttributes, name: AttributeName): Buffer[] {
  const { type, vendor } = dictionary[name];
  const values: Buffer[] = [];
  for (const attribute of packet.attributes) {
    if (attribute.type === type && attribute.vendor === vendor) values.push(attribute.value);
  }
  return values;
}

/** The first value as text; octets that are not UTF-8 become U+FFFD. */
export function getString(packet: WithAttributes, name: NameOfKind<'string' | 'octets'>): string | undefined {
  return find(packet, name)?.toString('utf8');
}

/** The first value as an unsigned number; undefined also when it is not 4 octets long. */
export function getInteger(packet: WithAttributes, name: NameOfKind<'integer'>): number | undefined {
  const value = find(packet, name);
  return value?.length === 4 ? value.readUInt32BE(0) : undefined;
}

/** The first value as epoch milliseconds; undefined also when it is not 4 octets long. */
export function getDate(packet: WithAttributes, name: NameOfKind<'date'>): number | undefined {
  const value = find(packet, name);
  return value?.length === 4 ? value.readUInt32BE(0) * 1000 : undefined;
}

/** The first value as dotted IPv4 text; undefined also when it is not 4 octets long. */
export function getAddress(packet: WithAttributes, name: NameOfKind<'ipaddr'>): string | undefined {
  const value = find(packet, name);
  return value?.length === 4 ? `${value[0]}.${value[1]}.${value[2]}.${value[3]}` : undefined;
}

/**
 * Builds an attribute. Throws RangeError for text or octets over 253 octets (247 for a vendor's), a number that is not
 * an unsigned 32-bit integer, an address that is not dotted IPv4.
 */
export function attribute<N extends AttributeName>(name: N, value: AttributeValue<N>): Attribute {
  const { type, vendor, kind } = dictionary[name];
  const octets = toOctets(name, kind, value);
  const most = vendor === 0 ? 253 : 247;
  if (octets.length > most) {
    throw new RangeError(`${name} of ${octets.length} octets exceeds ${most}`);
  }
  return { type, vendor, value: octets };
}

function toOctets(name: string, kind: string, value: string | number | Uint8Array): Buffer {
  if (typeof value === 'number') {
    const number = kind === 'date' ? Math.floor(value / 1000) : value;
    if (!Number.isInteger(number) || number < 0 || number > 0xffffffff) {
      throw new RangeError(`${name} cannot be ${value}: it is an unsigned 32-bit number`);
    }
    const octets = Buffer.allocUnsafe(4);
    octets.writeUInt32BE(number, 0);
    return octets;
  }
  if (typeof value === 'string') {
    if (kind !== 'ipaddr') return Buffer.from(value, 'utf8');
    if (!isIPv4(value)) throw new RangeError(`${name} cannot be ${value}: it is an IPv4 address`);
    return Buffer.from(value.split('.').map(Number));
  }
  return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

/**
 * Splits a volume for a limit or counter with its Gigawords twin: `low` is the low 32 bits, `high` how many times 2^32
 * fit (RFC 2869 §5.1). Exact up to 2^53 octets; throws RangeError beyond, below zero, or for a fraction.
 */
export function gigawords(octets: number): { low: number; high: number } {
  if (!Number.isSafeInteger(octets) || octets < 0) {
    throw new RangeError(`${octets} is not a number of octets`);
  }
  return { low: octets % 0x100000000, high: Math.floor(octets / 0x100000000) };
}

/** The volume that a counter and its Gigawords twin stand for; a missing twin counts as zero. */
export function foldGigawords(low: number, high = 0): number {
  return high * 0x100000000 + low;
}
