// MikroTik's limits of octets.
import { expect, test } from 'vitest';
import { getInteger } from '../../../src/protocols/radius/attributes.ts';
import { octetLimit } from '../../../src/protocols/radius/octet-limit.ts';

const WORD = 2 ** 32;

test.each([
  [0, 0, 0],
  [1, 1, 0],
  [WORD - 1, WORD - 1, 0],
  [WORD, WORD - 1, 0],
  [WORD + 1, 1, 1],
  [2 * WORD, WORD - 1, 1],
  [3 * WORD + 7, 7, 3],
])('a limit of %i octets is %i and %i gigawords', (octets, low, high) => {
  const attributes = octetLimit('Mikrotik-Recv-Limit', octets);
  expect(getInteger({ attributes }, 'Mikrotik-Recv-Limit')).toBe(low);
  expect(getInteger({ attributes }, 'Mikrotik-Recv-Limit-Gigawords')).toBe(high);
});
