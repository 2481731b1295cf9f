// An audit entry shows what changed in words and units.
import { expect, it } from 'vitest';
import { differences } from '../../ui/admin/differences.ts';

it('only what changed is shown, in the units people read', () => {
  const before = { name: '1 hour', price_cents: 1500, quota_octets: null, rate_down_kbps: 5000 };
  const after = { name: '1 hour', price_cents: 2000, quota_octets: 1_000_000_000, rate_down_kbps: 5000 };
  expect(differences(before, after)).toEqual([
    { field: 'price', before: 'KES 15', after: 'KES 20' },
    { field: 'quota', before: undefined, after: '1 GB' },
  ]);
});

it('a new thing has no before and a removed one no after', () => {
  expect(differences(null, { state: 'active' })).toEqual([
    { field: 'state', before: undefined, after: 'active' },
  ]);
  expect(differences({ state: 'active' }, null)).toEqual([
    { field: 'state', before: 'active', after: undefined },
  ]);
});

it('sides stored as JSON text are read', () => {
  expect(differences('{"state":"active"}', '{"state":"disabled"}')).toEqual([
    { field: 'state', before: 'active', after: 'disabled' },
  ]);
});
