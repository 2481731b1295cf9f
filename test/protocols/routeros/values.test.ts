// The texts RouterOS writes for times and versions.
import { expect, test } from 'vitest';
import {
  formatDuration,
  isAtLeast,
  parseDuration,
  parseDurationMs,
  parseFlag,
  parseVersion,
} from '../../../src/protocols/routeros/values.ts';

test.each([
  ['1w2d3h4m5s', 788_645],
  ['3d00:00:00', 259_200],
  ['1w3d01:02:03', 867_723],
  ['00:05:00', 300],
  ['5m', 300],
  ['0s', 0],
  ['1h30s', 3630],
  ['90', 90],
  ['1s100ms', 1],
  ['00:00:01.5', 1],
])('%s is %i seconds', (text, seconds) => {
  expect(parseDuration(text)).toBe(seconds);
});

test.each(['', 'none', 'never', '5 m', '-1s', '1x', '1:2', 'm', '1d2'])('%j is no time', (text) => {
  expect(parseDuration(text)).toBeUndefined();
});

test('milliseconds are kept where they matter', () => {
  expect(parseDurationMs('1s100ms')).toBe(1100);
  expect(parseDurationMs('300ms')).toBe(300);
});

test('a time written is a time read', () => {
  for (const seconds of [0, 1, 59, 60, 3600, 86_399, 604_800, 788_645, 10_000_000]) {
    expect(parseDuration(formatDuration(seconds))).toBe(seconds);
  }
  expect(formatDuration(788_645)).toBe('1w2d3h4m5s');
});

test('flags are true or yes', () => {
  expect(['true', 'yes', 'false', 'no', '', undefined].map(parseFlag)).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});

test('versions compare by number', () => {
  expect(parseVersion('7.15.3 (stable)')).toEqual({ major: 7, minor: 15, patch: 3 });
  expect(parseVersion('7.16beta2')).toEqual({ major: 7, minor: 16, patch: 0 });
  expect(parseVersion('unknown')).toBeUndefined();
  const at = (text: string) => parseVersion(text)!;
  expect(isAtLeast(at('7.9'), at('7.15'))).toBe(false);
  expect(isAtLeast(at('7.15'), at('7.15'))).toBe(true);
  expect(isAtLeast(at('7.15.3'), at('7.15.4'))).toBe(false);
  expect(isAtLeast(at('8.0'), at('7.99.9'))).toBe(true);
});
