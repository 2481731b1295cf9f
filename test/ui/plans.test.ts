// What the plan's form and its lists say of bounds and hours.
import { expect, it } from 'vitest';
import type * as z from 'zod';
import { adminRoutes } from '../../src/servers/http/admin/api.ts';
import type { Route } from '../../src/servers/http/admin/route.ts';
import { BOUNDS, beyond } from '../../ui/admin/pages/plan-bounds.ts';
import { outsideHours } from '../../ui/admin/pages/plans.ts';

it.each([
  ['price_cents', 25_000_000, undefined],
  ['price_cents', 25_000_001, 'At most KES 250,000.'],
  ['price_cents', 0, undefined],
  ['max_devices', 0, 'From 1 to 100.'],
  ['max_devices', 101, 'From 1 to 100.'],
  ['rate_down_kbps', 0, 'From 0.001 to 10,000 Mbps.'],
  ['idle_timeout_seconds', 6, 'From half a minute to 24 hours.'],
  ['quota_octets', null, undefined],
  ['name', 'constructor', undefined],
])('%s of %s', (name, value, words) => {
  expect(beyond(name, value)).toBe(words);
});

it('the bounds of the form are those of the server', () => {
  const route = adminRoutes().find((one) => one.method === 'post' && one.path === '/plans');
  const { shape } = (route as Route).body as unknown as z.ZodObject<Record<string, z.ZodType>>;
  for (const [name, [least, most]] of Object.entries(BOUNDS)) {
    const taken = [least - 1, least, most, most + 1].map((value) => shape[name]?.safeParse(value).success);
    expect(taken, name).toEqual([false, true, true, false]);
  }
});

/** An instant by Nairobi's clock. */
const at = (hour: number) => Date.UTC(2026, 10, 21, hour - 3);
const hours = (from: number, to: number) => ({ hours_from_minute: from * 60, hours_to_minute: to * 60 });

it.each([
  ['a night plan at noon', hours(22, 6), at(12), true],
  ['a night plan at 22:00', hours(22, 6), at(22), false],
  ['a night plan after midnight', hours(22, 6), at(1), false],
  ['a night plan at 06:00', hours(22, 6), at(6), true],
  ['a day plan at noon', hours(8, 17), at(12), false],
  ['a day plan at 17:00', hours(8, 17), at(17), true],
  ['a day plan in the morning', hours(8, 17), at(7), true],
  ['a plan until midnight in the evening', hours(20, 0), at(23), false],
  ['a plan of the whole day', { hours_from_minute: null, hours_to_minute: null }, at(12), false],
])('%s is outside its hours: %#', (_, window, now, outside) => {
  expect(outsideHours(window, now)).toBe(outside);
});
