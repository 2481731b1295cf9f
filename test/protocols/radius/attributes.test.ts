// Attributes by name.
import { expect, test } from 'vitest';
import {
  attribute,
  foldGigawords,
  getAddress,
  getAll,
  getDate,
  getInteger,
  getString,
  gigawords,
  hasAttribute,
} from '../../../src/protocols/radius/attributes.ts';
import {
  attributeName,
  dictionary,
  ErrorCause,
  TerminateCause,
  valueName,
} from '../../../src/protocols/radius/dictionary.ts';
import { Code, encodeRequest } from '../../../src/protocols/radius/packet.ts';
import { plain } from './material.ts';

test('what is built by name is read by name', () => {
  const packet = {
    attributes: [
      attribute('User-Name', 'Wanjikũ'),
      attribute('Session-Timeout', 4294967295),
      attribute('Framed-IP-Address', '10.5.50.255'),
      attribute('Event-Timestamp', 1_790_000_000_999),
      attribute('Mikrotik-Rate-Limit', '2M/5M'),
      attribute('Class', Buffer.from([0, 255])),
      attribute('Class', Buffer.from([1])),
    ],
  };
  expect(getString(packet, 'User-Name')).toBe('Wanjikũ');
  expect(getInteger(packet, 'Session-Timeout')).toBe(4294967295);
  expect(getAddress(packet, 'Framed-IP-Address')).toBe('10.5.50.255');
  expect(getDate(packet, 'Event-Timestamp')).toBe(1_790_000_000_000);
  expect(getString(packet, 'Mikrotik-Rate-Limit')).toBe('2M/5M');
  expect(getAll(packet, 'Class')).toEqual([Buffer.from([0, 255]), Buffer.from([1])]);
  expect(hasAttribute(packet, 'Idle-Timeout')).toBe(false);
  expect(getString(packet, 'Reply-Message')).toBeUndefined();
});

test('what is written into a packet is the value, octet by octet, and is read the same by name', () => {
  const attributes = [
    attribute('User-Name', 'Wanjikũ €𝄞'),
    attribute('Reply-Message', 'half a pair \ud834'),
    attribute('Reply-Message', ''),
    attribute('Session-Timeout', 4294967295),
    attribute('Framed-IP-Address', '255.5.50.128'),
    attribute('Event-Timestamp', 1_790_000_000_999),
    attribute('Mikrotik-Rate-Limit', '2M/5M'),
    attribute('Mikrotik-Total-Limit', 0),
    attribute('Class', Buffer.from([0, 255])),
  ];
  const secret = Buffer.from('testing123');
  const packet = encodeRequest({ code: Code.AccessRequest, identifier: 1, attributes }, secret);
  expect(plain(packet.attributes)).toEqual(plain(attributes));
  for (const from of [packet, { attributes }]) {
    expect(getString(from, 'User-Name')).toBe('Wanjikũ €𝄞');
    expect(getString(from, 'Reply-Message')).toBe('half a pair \ufffd');
    expect(getInteger(from, 'Session-Timeout')).toBe(4294967295);
    expect(getAddress(from, 'Framed-IP-Address')).toBe('255.5.50.128');
    expect(getDate(from, 'Event-Timestamp')).toBe(1_790_000_000_000);
    expect(getInteger(from, 'Mikrotik-Total-Limit')).toBe(0);
  }
});

test('the same number of another vendor is another attribute', () => {
  const packet = { attributes: [attribute('Mikrotik-Recv-Limit', 5)] };
  expect(getString(packet, 'User-Name')).toBeUndefined();
  expect(getInteger(packet, 'Mikrotik-Recv-Limit')).toBe(5);
});

test('a number or address of a wrong length is as good as absent', () => {
  const short = { type: dictionary['Session-Timeout'].type, vendor: 0, value: Buffer.from([1, 2, 3]) };
  const long = { type: dictionary['Framed-IP-Address'].type, vendor: 0, value: Buffer.alloc(5) };
  const content = { code: Code.AccessRequest, identifier: 1, attributes: [short, long] };
  for (const from of [content, encodeRequest(content, Buffer.from('testing123'))]) {
    expect(getInteger(from, 'Session-Timeout')).toBeUndefined();
    expect(getAddress(from, 'Framed-IP-Address')).toBeUndefined();
  }
});

test.each([
  ['text of 254 octets', () => attribute('User-Name', 'x'.repeat(254))],
  ['text of 127 characters that are 254 octets', () => attribute('User-Name', 'ũ'.repeat(127))],
  ["a vendor's text of 248 octets", () => attribute('Mikrotik-Group', 'x'.repeat(248))],
  ['a negative number', () => attribute('Session-Timeout', -1)],
  ['a fraction', () => attribute('Session-Timeout', 1.5)],
  ['a number of 33 bits', () => attribute('Session-Timeout', 2 ** 32)],
  ['not a number', () => attribute('Session-Timeout', Number.NaN)],
  ['an address that is none', () => attribute('Framed-IP-Address', '10.5.50.256')],
  ['an IPv6 address in an IPv4 attribute', () => attribute('NAS-IP-Address', '::1')],
])('%s cannot be built', (_, build) => {
  expect(build).toThrow(RangeError);
});

test('the longest text that fits is 253 octets, 247 for a vendor', () => {
  expect(attribute('User-Name', 'x'.repeat(253)).value).toHaveLength(253);
  expect(attribute('Mikrotik-Group', 'x'.repeat(247)).value).toHaveLength(247);
});

test.each([
  [0, 0, 0],
  [4294967295, 4294967295, 0],
  [4294967296, 0, 1],
  [5_000_000_000, 705032704, 1],
  [Number.MAX_SAFE_INTEGER, 4294967295, 2097151],
])('%i octets split and fold back', (octets, low, high) => {
  expect(gigawords(octets)).toEqual({ low, high });
  expect(foldGigawords(low, high)).toBe(octets);
});

test('a counter without its gigawords twin stands for itself', () => {
  expect(foldGigawords(162_000)).toBe(162_000);
});

test('a volume that is not a whole number of octets does not split', () => {
  for (const volume of [-1, 0.5, Number.NaN, 2 ** 53]) expect(() => gigawords(volume)).toThrow(RangeError);
});

test('every name has a number of its own, and numbers have their names', () => {
  const numbers = Object.values(dictionary).map(({ vendor, type }) => `${vendor}/${type}`);
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(attributeName(14988, 8)).toBe('Mikrotik-Rate-Limit');
  expect(attributeName(0, 250)).toBe('0/250');
  expect(valueName(TerminateCause, 6)).toBe('Admin-Reset');
  expect(valueName(ErrorCause, 503)).toBe('Session-Context-Not-Found');
  expect(valueName(TerminateCause, 99)).toBeUndefined();
});
