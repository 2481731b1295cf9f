// What people type in forms becomes the stored units, and comes back the same.
import { describe, expect, it } from 'vitest';
import {
  DATA_OCTETS,
  DURATION_SECONDS,
  parseAmount,
  parseNumber,
  splitData,
  splitDuration,
  typedMoney,
} from '../../ui/shared/units.ts';

describe('a typed number', () => {
  it.each([
    ['', null],
    ['  ', null],
    ['20', 20],
    ['1,250', 1250],
    ['1 250.5', 1250.5],
    ['-3', -3],
    ['1e3', undefined],
    ['five', undefined],
    ['1.2.3', undefined],
  ])('%j is %j', (typed, number) => {
    expect(parseNumber(typed)).toBe(number);
  });
});

it('an amount is stored whole, in its smallest unit', () => {
  expect(parseAmount('20', 100)).toBe(2000);
  expect(parseAmount('0.29', 100)).toBe(29);
  expect(parseAmount('1.5', DATA_OCTETS.GB)).toBe(1_500_000_000);
  expect(parseAmount('', 100)).toBeNull();
  expect(parseAmount('x', 100)).toBeUndefined();
});

describe('a stored value comes back as it was typed', () => {
  it.each([
    [3600, '1 hours'],
    [86_400, '1 days'],
    [604_800, '7 days'],
    [5400, '90 minutes'],
    [90, '1.5 minutes'],
  ])('%d seconds are %s', (seconds, text) => {
    const { amount, unit } = splitDuration(seconds);
    expect(`${amount} ${unit}`).toBe(text);
    expect(amount * DURATION_SECONDS[unit]).toBe(seconds);
  });

  it.each([
    [1_000_000_000, '1 GB'],
    [1_500_000_000, '1.5 GB'],
    [500_000_000, '500 MB'],
    [1_234_500_000, '1234.5 MB'],
    [0, '0 MB'],
  ])('%d octets are %s', (octets, text) => {
    const { amount, unit } = splitData(octets);
    expect(`${amount} ${unit}`).toBe(text);
    expect(parseAmount(String(amount), DATA_OCTETS[unit])).toBe(octets);
  });

  it('shillings have cents only when there are any', () => {
    expect(typedMoney(2000)).toBe('20');
    expect(typedMoney(2050)).toBe('20.50');
  });
});
