// Attributes by name: reading their values, building them.
import { isIPv4 } from 'node:net';
import { type Attribute, NumberAttribute, octetsOf, TextAttribute, WireAttribute } from './attribute.ts';
import { type AttributeName, dictionary, type NameOfKind } from './dictionary.ts';

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

function find(packet: WithAttributes, name: AttributeName): Attribute | undefined {
  const { type, vendor } = dictionary[name];
  for (const attribute of packet.attributes) {
    if (attribute.type === type && attribute.vendor === vendor) return attribute;
  }
  return undefined;
}

/** Whether the packet carries the attribute at all. */
export function hasAttribute(packet: WithAttributes, name: AttributeName): boolean {
  return find(packet, name) !== undefined;
}

/** The first value as octets, whatever its kind. The one to compare passwords with: text loses what is not UTF-8. */
export function getOctets(packet: WithAttributes, name: AttributeName): Buffer | undefined {
  return find(packet, name)?.value;
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
  const found = find(packet, name);
  return found instanceof WireAttribute ? found.text : found?.value.toString('utf8');
}

function numberIn(packet: WithAttributes, name: AttributeName): number | undefined {
  const found = find(packet, name);
  if (found instanceof WireAttribute) return found.number;
  return found?.value.length === 4 ? found.value.readUInt32BE(0) : undefined;
}

/** The first value as an unsigned number; undefined also when it is not 4 octets long. */
export function getInteger(packet: WithAttributes, name: NameOfKind<'integer'>): number | undefined {
  return numberIn(packet, name);
}

/** The first value as epoch milliseconds; undefined also when it is not 4 octets long. */
export function getDate(packet: WithAttributes, name: NameOfKind<'date'>): number | undefined {
  const seconds = numberIn(packet, name);
  return seconds === undefined ? undefined : seconds * 1000;
}

/** The first value as dotted IPv4 text; undefined also when it is not 4 octets long. */
export function getAddress(packet: WithAttributes, name: NameOfKind<'ipaddr'>): string | undefined {
  const octets = numberIn(packet, name);
  if (octets === undefined) return undefined;
  return `${octets >>> 24}.${(octets >>> 16) & 255}.${(octets >>> 8) & 255}.${octets & 255}`;
}

/**
 * Builds an attribute. Throws RangeError for text or octets over 253 octets (247 for a vendor's), a number that is not
 * an unsigned 32-bit integer, an address that is not dotted IPv4.
 */
export function attribute<N extends AttributeName>(name: N, value: AttributeValue<N>): Attribute {
  const { type, vendor, kind } = dictionary[name];
  if (typeof value === 'number') {
    const number = kind === 'date' ? Math.floor(value / 1000) : value;
    if (!Number.isInteger(number) || number < 0 || number > 0xffffffff) {
      throw new RangeError(`${name} cannot be ${value}: it is an unsigned 32-bit number`);
    }
    return new NumberAttribute(type, vendor, number);
  }
  if (typeof value === 'string' && kind === 'ipaddr') {
    if (!isIPv4(value)) throw new RangeError(`${name} cannot be ${value}: it is an IPv4 address`);
    return { type, vendor, value: Buffer.from(value.split('.').map(Number)) };
  }
  const made =
    typeof value === 'string'
      ? new TextAttribute(type, vendor, value)
      : { type, vendor, value: Buffer.from(value.buffer, value.byteOffset, value.byteLength) };
  const octets = octetsOf(made);
  const most = vendor === 0 ? 253 : 247;
  if (octets > most) throw new RangeError(`${name} of ${octets} octets exceeds ${most}`);
  return made;
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
