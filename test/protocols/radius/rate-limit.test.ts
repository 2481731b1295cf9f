// Mikrotik-Rate-Limit, written as routeros.md §1.4 has its grammar.
import { expect, it } from 'vitest';
import { mikrotikRateLimit } from '../../../src/protocols/radius/rate-limit.ts';

const rates = { rate_down_kbps: 5000, rate_up_kbps: 2000 };

it.each([
  ['2M/5M', rates],
  ['512k/1500k', { rate_down_kbps: 1500, rate_up_kbps: 512 }],
  ['10000M/5M', { rate_down_kbps: 5000, rate_up_kbps: null }],
  ['2M/5M 4M/10M', { ...rates, burst_rate_down_kbps: 10_000, burst_rate_up_kbps: 4000 }],
  // A direction without a burst bursts to its own rate: not at all.
  ['2M/5M 2M/10M', { ...rates, burst_rate_down_kbps: 10_000 }],
  ['2M/5M 2M/10M 2M/4M', { ...rates, burst_rate_down_kbps: 10_000, burst_threshold_down_kbps: 4000 }],
  // A later field needs the earlier ones in their places.
  ['2M/5M 2M/10M 2M/5M 16/16', { ...rates, burst_rate_down_kbps: 10_000, burst_seconds: 16 }],
  ['2M/5M', { ...rates, burst_threshold_down_kbps: 4000, burst_seconds: 16 }],
] as const)('%s', (text, limits) => {
  expect(mikrotikRateLimit(limits)).toBe(text);
});

it('nothing when nothing is limited', () => {
  expect(mikrotikRateLimit({ rate_down_kbps: null, rate_up_kbps: null })).toBeUndefined();
});
