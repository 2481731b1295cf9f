// The duplicate cache: which requests it tells apart, how long, how much.
import { expect, test } from 'vitest';
import { createDuplicateCache, type DuplicateCache } from '../../../src/protocols/radius/duplicates.ts';

const ADDRESS = '10.0.0.1';
const PORT = 1645;

/** The octets of an Access-Request with this number in its authenticator. */
function packetOf(n: number): Buffer {
  const packet = Buffer.alloc(30, 7);
  packet.set([1, 9, 0, 30]);
  packet.writeUInt32BE(n, 16);
  return packet;
}

const replyOf = (n: number) => Buffer.from(`the reply to ${n}`);
const add = (cache: DuplicateCache, n: number, now: number) => cache.add(packetOf(n), ADDRESS, PORT, now);
const find = (cache: DuplicateCache, n: number, now: number) => cache.find(packetOf(n), ADDRESS, PORT, now);

test('a request is under way until it is answered, then its reply is found', () => {
  const cache = createDuplicateCache(30_000, 100);
  expect(find(cache, 1, 0)).toBeUndefined();
  const entry = add(cache, 1, 0);
  expect(find(cache, 1, 1)).toBe('under_way');
  cache.answer(entry, replyOf(1));
  expect(find(cache, 1, 2)).toEqual(replyOf(1));
  expect(find(cache, 2, 2)).toBeUndefined();
});

test('an entry is found for its lifetime, and not at its end', () => {
  const cache = createDuplicateCache(30_000, 100);
  add(cache, 1, 5_000);
  expect(find(cache, 1, 5_000)).toBe('under_way');
  expect(find(cache, 1, 34_999)).toBe('under_way');
  expect(find(cache, 1, 35_000)).toBeUndefined();
});

test('an entry survives the change of generations within its lifetime', () => {
  const cache = createDuplicateCache(30_000, 100);
  add(cache, 0, 0);
  const entry = add(cache, 1, 29_000);
  add(cache, 2, 30_000);
  cache.answer(entry, replyOf(1));
  expect(find(cache, 1, 58_999)).toEqual(replyOf(1));
});

test.each([
  ['code', 0],
  ['identifier', 1],
  ['length', 3],
  ['first octet of the authenticator', 4],
  ['last octet of the authenticator', 19],
])('another %s is another request', (_, at) => {
  const cache = createDuplicateCache(30_000, 100);
  add(cache, 1, 0);
  const other = packetOf(1);
  other[at]! ^= 0x80;
  expect(cache.find(other, ADDRESS, PORT, 1)).toBeUndefined();
  other[at]! ^= 0x80;
  // Behind the header nothing counts: the authenticator stands for it.
  other[25]! ^= 0x80;
  expect(cache.find(other, ADDRESS, PORT, 1)).toBe('under_way');
});

test('the same packet from another address or port is another request', () => {
  const cache = createDuplicateCache(30_000, 100);
  add(cache, 1, 0);
  for (const address of ['10.0.0.2', '10.0.1.0', '1.0.0.01', '10.0.0.1 ', '', 'fd00::1']) {
    expect(cache.find(packetOf(1), address, PORT, 1), address).toBeUndefined();
  }
  expect(cache.find(packetOf(1), ADDRESS, PORT + 1, 1)).toBeUndefined();
});

test('a removed entry is gone from either generation, a newer one of the same request stays', () => {
  const cache = createDuplicateCache(30_000, 4);
  const old = add(cache, 1, 0);
  const beside = add(cache, 2, 1);
  const newer = add(cache, 1, 2);
  cache.remove(old);
  expect(find(cache, 1, 3)).toBe('under_way');
  cache.remove(newer);
  expect(find(cache, 1, 3)).toBeUndefined();
  expect(find(cache, 2, 3)).toBe('under_way');
  cache.remove(beside);
  expect(find(cache, 2, 3)).toBeUndefined();
  expect(cache.size).toBe(0);
  for (let n = 0; n < 9; n++) add(cache, n, 4);
  expect(cache.size).toBe(4);
});

test('an entry whose generation is gone is neither answered nor removed in the place of another', () => {
  const cache = createDuplicateCache(30_000, 4);
  const late = add(cache, 0, 0);
  for (const n of [1, 2, 3, 4]) add(cache, n, n);
  cache.answer(late, replyOf(0));
  cache.remove(late);
  for (const n of [2, 3, 4]) expect(find(cache, n, 5)).toBe('under_way');
  expect(find(cache, 0, 5)).toBeUndefined();
});

test('it never holds more than its capacity, always the latest half of it, each with its own reply', () => {
  const cache = createDuplicateCache(30_000, 1000);
  let most = 0;
  for (let n = 0; n < 10_000; n++) {
    cache.answer(add(cache, n, n), replyOf(n));
    expect(cache.size).toBeLessThanOrEqual(1000);
    for (const latest of [n, n - 250, n - 499]) {
      if (latest >= 0) expect(find(cache, latest, n)).toEqual(replyOf(latest));
    }
    if (n < 1000) most = Math.max(most, cache.octets);
    expect(cache.octets).toBeLessThanOrEqual(2 * most);
  }
});

test('where few ask, what is older than two lifetimes is let go', () => {
  const cache = createDuplicateCache(30_000, 1000);
  for (let n = 0; n < 200; n++) {
    add(cache, n, 1000 * n);
    expect(cache.size).toBeLessThanOrEqual(60);
  }
});

test('a reply that was found stays as it is when its memory is used anew', () => {
  const cache = createDuplicateCache(30_000, 4);
  cache.answer(add(cache, 0, 0), replyOf(0));
  const found = find(cache, 0, 0);
  for (let n = 1; n < 9; n++) cache.answer(add(cache, n, n), replyOf(n));
  expect(found).toEqual(replyOf(0));
});

test('replies of any length are kept, an empty one too', () => {
  const cache = createDuplicateCache(30_000, 1000);
  const lengths = [0, 4096, 20, 4096, 128, 300];
  for (const length of lengths) cache.answer(add(cache, length, 0), Buffer.alloc(length, length));
  for (const length of lengths) expect(find(cache, length, 1)).toEqual(Buffer.alloc(length, length));
});

test('a lifetime after the last request nothing is held', () => {
  const cache = createDuplicateCache(30_000, 4);
  for (const n of [0, 1, 2]) add(cache, n, n);
  cache.tidy(30_001);
  expect(cache.size).toBe(3);
  expect(find(cache, 2, 30_001)).toBe('under_way');
  cache.tidy(30_002);
  expect(cache.size).toBe(0);
});
