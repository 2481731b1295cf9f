// The digests, beside those of the runtime's library.
import { createHash, createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { hmacMd5, md5 } from '../../../src/protocols/radius/digests.ts';
import { chance } from './material.ts';

const random = chance(41);

test('MD5 of parts is MD5 of them joined, however long, whatever was hashed before', () => {
  for (const lengths of [[], [0], [16, 16], [3, 4096, 60], [8192], [8193], [1, 2, 3], [20_000, 5], [64]]) {
    const parts = lengths.map((length) => random.octets(length));
    expect(md5(...parts)).toEqual(createHash('md5').update(Buffer.concat(parts)).digest());
  }
});

test('a digest stays as it is when the next one is made', () => {
  const first = md5(Buffer.from('one'));
  const copy = Buffer.from(first);
  md5(Buffer.from('two'));
  expect(first).toEqual(copy);
});

test('HMAC-MD5 is that of the library', () => {
  const [key, text] = [random.octets(80), random.octets(200)];
  expect(hmacMd5(key, text)).toEqual(createHmac('md5', key).update(text).digest());
});
