// The duplicate cache: how long, how much.
import { expect, test } from 'vitest';
import { createDuplicateCache } from '../../../src/protocols/radius/duplicates.ts';

test('an entry is found for its lifetime, and not at its end', () => {
  const cache = createDuplicateCache(30_000, 100);
  const entry = cache.add('a', 5_000);
  expect(cache.find('a', 5_000)).toBe(entry);
  expect(cache.find('a', 34_999)).toBe(entry);
  expect(cache.find('a', 35_000)).toBeUndefined();
  expect(cache.find('b', 5_000)).toBeUndefined();
});

test('an entry survives the change of generations within its lifetime', () => {
  const cache = createDuplicateCache(30_000, 100);
  cache.add('first', 0);
  const entry = cache.add('a', 29_000);
  cache.add('b', 30_000);
  expect(cache.find('a', 58_999)).toBe(entry);
});

test('a removed entry is gone from either generation, a newer one of the same key stays', () => {
  const cache = createDuplicateCache(30_000, 4);
  const old = cache.add('a', 0);
  cache.add('b', 1);
  const newer = cache.add('a', 2);
  cache.remove('a', old);
  expect(cache.find('a', 3)).toBe(newer);
  cache.remove('a', newer);
  expect(cache.find('a', 3)).toBeUndefined();
  const b = cache.find('b', 3)!;
  cache.remove('b', b);
  expect(cache.find('b', 3)).toBeUndefined();
});

test('it never holds more than its capacity, and always the latest half of it', () => {
  const cache = createDuplicateCache(30_000, 1000);
  for (let n = 0; n < 10_000; n++) {
    cache.add(String(n), n);
    expect(cache.size).toBeLessThanOrEqual(1000);
    if (n >= 499) expect(cache.find(String(n - 499), n)).toBeDefined();
  }
});

test('a lifetime after the last request nothing is held', () => {
  const cache = createDuplicateCache(30_000, 4);
  for (const [at, key] of ['a', 'b', 'c'].entries()) cache.add(key, at);
  cache.tidy(30_001);
  expect(cache.size).toBe(3);
  expect(cache.find('c', 30_001)).toBeDefined();
  cache.tidy(30_002);
  expect(cache.size).toBe(0);
});
