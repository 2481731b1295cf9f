// Addresses of routers: one spelling each, and the longest prefix around a source.
import { describe, expect, it } from 'vitest';
import { canonicalAddress, createAddressTable } from '../../src/network/addresses.ts';

describe('the spelling of an address', () => {
  it.each([
    ['10.77.0.7', '10.77.0.7'],
    [' 10.77.0.7 ', '10.77.0.7'],
    ['10.77.0.7/32', '10.77.0.7'],
    ['10.77.0.9/24', '10.77.0.0/24'],
    ['10.77.255.255/17', '10.77.128.0/17'],
    ['255.255.255.255/1', '128.0.0.0/1'],
    ['1.2.3.4/0', '0.0.0.0/0'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8::/32', '2001:db8::/32'],
    ['2001:db8:ffff::1/33', '2001:db8:8000::/33'],
    ['::1', '::1'],
    ['::', '::'],
    ['::/0', '::/0'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:0:2:0:0:3:4', '1::2:0:0:3:4'],
    ['10:0:0:0:0:0:0:10', '10::10'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
    ['1:0:3:4:5:6:7:8', '1:0:3:4:5:6:7:8'],
    ['1::', '1::'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ])('%s is %s', (text, expected) => {
    expect(canonicalAddress(text)).toBe(expected);
  });

  it.each([
    '',
    'router.lan',
    '10.77.0',
    '10.77.0.256',
    '10.77.0.0/33',
    '10.77.0.0/',
    '10.77.0.0/-1',
    '10.77.0.0/24/8',
    '/24',
    '2001:db8::/129',
    'fe80::1%eth0',
    ':::',
  ])('%j is none', (text) => {
    expect(canonicalAddress(text)).toBeUndefined();
  });
});

describe('a source belongs to', () => {
  const table = createAddressTable(
    ['0.0.0.0/0', '10.77.0.0/16', '10.77.3.0/24', '10.77.3.7', '2001:db8::/32', '2001:db8:1::/48'].map(
      (address) => [address, { address }] as const,
    ),
    3,
  );

  it.each([
    ['10.77.3.7', '10.77.3.7'],
    ['10.77.3.8', '10.77.3.0/24'],
    ['10.77.4.8', '10.77.0.0/16'],
    ['10.78.0.1', '0.0.0.0/0'],
    ['2001:db8::9', '2001:db8::/32'],
    ['2001:db8:1::9', '2001:db8:1::/48'],
    ['2001:db9::9', undefined],
    ['fe80::1%eth0', undefined],
    ['nonsense', undefined],
  ])('%s: %s', (source, expected) => {
    // Twice, since the second answer comes from memory; more sources than it holds are asked for over this table.
    for (let times = 0; times < 2; times++) expect(table.find(source)?.address).toBe(expected);
  });

  it('nothing when there is nothing', () => {
    expect(createAddressTable<object>([]).find('10.0.0.1')).toBeUndefined();
  });
});
