// How numbers and times read on a page.
import { describe, expect, it } from 'vitest';
import {
  formatChange,
  formatDuration,
  formatElapsed,
  formatMsisdn,
  formatOctets,
  formatRates,
  formatWord,
  relativeTime,
} from '../../ui/shared/format.ts';

const ZONE = 'Africa/Nairobi';
const at = (text: string) => Date.parse(`${text}+03:00`);

describe('octets', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1 KB'],
    [512_000_000, '512 MB'],
    [999_500, '1 MB'],
    [999_600_000, '1 GB'],
    [1_500_000_000, '1.5 GB'],
    [2_345_000_000_000, '2.35 TB'],
    [-5, '0 B'],
  ])('%d reads %s', (octets, text) => {
    expect(formatOctets(octets)).toBe(text);
  });
});

describe('lengths of time', () => {
  it.each([
    [60, '1 minute'],
    [3600, '1 hour'],
    [5400, '90 minutes'],
    [7500, '2 h 05 min'],
    [86_400, '1 day'],
    [604_800, '7 days'],
    [90, '90 seconds'],
    [0, '0 minutes'],
  ])('%d seconds of validity read %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });

  it.each([
    [0, '0 s'],
    [59, '59 s'],
    [61, '1 min'],
    [3900, '1 h 05 min'],
    [86_400, '1 d'],
    [93_600, '1 d 2 h'],
  ])('%d seconds connected read %s', (seconds, text) => {
    expect(formatElapsed(seconds)).toBe(text);
  });
});

describe('rates', () => {
  it.each([
    [5000, 2000, '5 / 2 Mbps'],
    [5000, 512, '5 Mbps / 512 kbps'],
    [null, null, 'no speed limit'],
    [5000, null, '5 Mbps / no limit'],
    [1500, 1500, '1.5 / 1.5 Mbps'],
  ])('%s down, %s up read %s', (down, up, text) => {
    expect(formatRates(down, up)).toBe(text);
  });
});

describe('moments', () => {
  const now = at('2026-11-21T14:00:00');
  it.each([
    ['2026-11-21T13:59:40', 'just now'],
    ['2026-11-21T13:55:00', '5 min ago'],
    ['2026-11-21T09:00:00', '5 h ago'],
    ['2026-11-21T16:00:00', 'in 2 h'],
    ['2026-11-20T14:05:00', 'yesterday 14:05'],
    ['2026-11-22T21:05:00', 'tomorrow 21:05'],
    ['2026-11-17T08:30:00', 'Tue 08:30'],
    ['2026-11-01T08:30:00', '1 Nov'],
    ['2025-11-21T08:30:00', '21 Nov 2025'],
  ])('%s reads %s', (then, text) => {
    expect(relativeTime(at(then), now, ZONE)).toBe(text);
  });

  it('counts the days of the place, not of UTC', () => {
    // 23:30 in Nairobi is 20:30 UTC of the same day; at 07:00 it was yesterday there.
    expect(relativeTime(at('2026-11-20T23:30:00'), at('2026-11-21T07:00:00'), ZONE)).toBe('yesterday 23:30');
  });
});

it('a phone number reads as people write it', () => {
  expect(formatMsisdn('254712345678')).toBe('0712 345 678');
  expect(formatMsisdn('254110345678')).toBe('0110 345 678');
  expect(formatMsisdn('2547•••678')).toBe('2547•••678');
});

it('a change against nothing is not a percentage', () => {
  expect(formatChange(500, 0)).toBeUndefined();
  expect(formatChange(125, 100)).toBe('+25%');
  expect(formatChange(90, 100)).toBe('−10%');
  expect(formatChange(100, 100)).toBe('same');
  expect(formatChange(1000, 309_000)).toBe('−99%');
  expect(formatChange(0, 100)).toBe('−100%');
});

it('a state reads as words', () => {
  expect(formatWord('on_sale')).toBe('on sale');
});
