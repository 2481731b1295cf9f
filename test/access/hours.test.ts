// Hours of the day on Nairobi's clock, over midnight and at their edges.
import { expect, it } from 'vitest';
import { closedAt, hoursText, nextMinute, openFor, opensAt } from '../../src/access/hours.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** An instant by Nairobi's clock on 21 November 2026. */
const at = (hour: number, minute = 0) => Date.UTC(2026, 10, 21, hour - 3, minute);
const hours = (from: number, to: number) => ({ hours_from_minute: from * 60, hours_to_minute: to * 60 });
const night = hours(22, 6);
const day = hours(8, 17);

it.each([
  ['a night plan in the evening', night, at(23), 7 * HOUR],
  ['a night plan at its first instant', night, at(22), 8 * HOUR],
  ['a night plan just before', night, at(22) - 1, 0],
  ['a night plan after midnight', night, at(0, 30), 5.5 * HOUR],
  ['a night plan at its last instant', night, at(6) - 1, 1],
  ['a night plan in the morning', night, at(6), 0],
  ['a night plan at noon', night, at(12), 0],
  ['a day plan at noon', day, at(12), 5 * HOUR],
  ['a day plan at night', day, at(2), 0],
  ['a plan until midnight', hours(20, 0), at(23, 59), MINUTE],
  ['a plan from midnight', hours(0, 5), at(0), 5 * HOUR],
])('%s', (_, window, now, left) => {
  expect(openFor(window, now)).toBe(left);
  expect(closedAt(window, now) === undefined).toBe(left > 0);
});

it('opens when the window begins next', () => {
  expect(opensAt(night, at(12))).toBe(at(22));
  expect(opensAt(night, at(6))).toBe(at(22));
  expect(opensAt(day, at(20))).toBe(at(8) + 24 * HOUR);
  expect(opensAt(night, at(23))).toBeUndefined();
  expect(opensAt({ hours_from_minute: null, hours_to_minute: null }, at(12))).toBeUndefined();
});

it('closed when the window last ended', () => {
  expect(closedAt(night, at(12))).toBe(at(6));
  expect(closedAt(day, at(2))).toBe(at(17) - 24 * HOUR);
});

it.each([
  [at(5, 59), 360, at(6)],
  [at(5, 59) + 59_999, 360, at(6)],
  [at(6), 361, at(6, 1)],
  [at(23, 59) + 1, 0, at(24)],
])('the minute that begins next after %s is the %s. of the day', (now, minute, begins) => {
  expect(nextMinute(now)).toEqual({ minute, at: begins });
});

it('is the whole day without hours', () => {
  const none = { hours_from_minute: null, hours_to_minute: null };
  expect(openFor(none, at(12))).toBeUndefined();
  expect(closedAt(none, at(12))).toBeUndefined();
  expect(hoursText(none)).toBeUndefined();
  expect(hoursText({ ...none, hours_from_minute: 0 })).toBeUndefined();
  expect(hoursText({ hours_from_minute: 0, hours_to_minute: 300 })).toBe('00:00–05:00');
  expect(hoursText({ hours_from_minute: 1325, hours_to_minute: 5 })).toBe('22:05–00:05');
});
