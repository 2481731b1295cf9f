// The terms of a plan: which are wrong together, though each is right by itself.
import { expect, it } from 'vitest';
import { checkTerms, hasFairUse, NO_FINER_TERMS, TERM_NAMES, termsOf } from '../../src/access/terms.ts';
import type { Terms } from '../../src/db/schema.ts';
import { HOUR_PLAN } from './fixtures.ts';

const PLAN = termsOf({ ...NO_FINER_TERMS, ...HOUR_PLAN });

/** The fields that are complained of. */
function wrong(change: Partial<Terms>): string[] {
  try {
    checkTerms({ ...PLAN, ...change });
    return [];
  } catch (error) {
    const { code, fields } = error as { code: string; fields: Record<string, string> };
    expect(code).toBe('invalid');
    return Object.keys(fields);
  }
}

it.each<[string, Partial<Terms>, string[]]>([
  ['nothing finer', {}, []],
  ['a burst as fast as the rate', { burst_rate_down_kbps: 5000, burst_rate_up_kbps: 2000 }, []],
  ['a burst slower than the rate', { burst_rate_down_kbps: 4999 }, ['burst_rate_down_kbps']],
  ['a slower one on the way up', { burst_rate_up_kbps: 1999 }, ['burst_rate_up_kbps']],
  ['a burst beyond no rate', { rate_up_kbps: null, burst_rate_up_kbps: 9000 }, ['burst_rate_up_kbps']],
  ['a threshold at its burst', { burst_rate_down_kbps: 9000, burst_threshold_down_kbps: 9000 }, []],
  [
    'a threshold above its burst',
    { burst_rate_down_kbps: 9000, burst_threshold_down_kbps: 9001 },
    ['burst_threshold_down_kbps'],
  ],
  [
    'a threshold beside the burst of the other way',
    { burst_rate_down_kbps: 9000, burst_threshold_up_kbps: 8000 },
    ['burst_threshold_up_kbps'],
  ],
  ['the length of no burst', { burst_seconds: 8 }, ['burst_seconds']],
  ['the length of a burst one way', { burst_seconds: 8, burst_rate_up_kbps: 3000 }, []],
  ['a fair-use rate after no quota', { fair_use_rate_up_kbps: 64 }, ['fair_use_rate_up_kbps']],
  ['a fair-use rate after the quota', { fair_use_rate_down_kbps: 64, quota_octets: 0 }, []],
  ['one after the upload quota', { fair_use_rate_down_kbps: 64, upload_quota_octets: 1000 }, []],
  ['one after the download quota', { fair_use_rate_up_kbps: 64, download_quota_octets: 1000 }, []],
  ['hours without an end', { hours_from_minute: 0 }, ['hours_to_minute']],
  ['hours without a beginning', { hours_to_minute: 0 }, ['hours_from_minute']],
  ['hours from midnight', { hours_from_minute: 0, hours_to_minute: 300 }, []],
  ['hours of no length', { hours_from_minute: 0, hours_to_minute: 0 }, ['hours_to_minute']],
  [
    'several at once, all of which are named',
    { burst_rate_down_kbps: 1, burst_threshold_up_kbps: 1, hours_from_minute: 60 },
    ['burst_rate_down_kbps', 'burst_threshold_up_kbps', 'hours_to_minute'],
  ],
])('%s', (_, change, expected) => {
  expect(wrong(change)).toEqual(expected);
});

it('go on slower after the quota where either way has a fair-use rate', () => {
  expect(hasFairUse(PLAN)).toBe(false);
  expect(hasFairUse({ ...PLAN, fair_use_rate_down_kbps: 64 })).toBe(true);
  expect(hasFairUse({ ...PLAN, fair_use_rate_up_kbps: 64 })).toBe(true);
});

it('are copied whole, and nothing else of the plan', () => {
  const terms = termsOf({ ...PLAN, id: 'p', price_cents: 2000 } as Terms);
  expect(terms).toEqual(PLAN);
  expect(terms).toMatchObject({ validity_seconds: 3600, rate_down_kbps: 5000, max_devices: 1 });
  expect(Object.keys(terms).sort()).toEqual([...TERM_NAMES].sort());
});
