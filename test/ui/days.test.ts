// Which days a report is asked for.
import { expect, it } from 'vitest';
import { dayBefore, monthText, salesMonths, salesSpan, salesYears } from '../../ui/admin/days.ts';

const TODAY = '2026-11-21';
const span = (year: string | null, month: string | null) => salesSpan({ year, month }, TODAY);

it('days begin at midnight in Nairobi', () => {
  expect(dayBefore(0, Date.parse('2026-11-21T20:59:59Z'))).toBe('2026-11-21');
  expect(dayBefore(0, Date.parse('2026-11-21T21:00:00Z'))).toBe('2026-11-22');
  expect(dayBefore(29, Date.parse('2026-03-01T09:00:00Z'))).toBe('2026-01-31');
});

it('sales are those of this month, up to today, unless others are asked for', () => {
  const month = { year: '2026', month: '11', by: 'day', from: '2026-11-01', to: TODAY, current: true };
  expect(span(null, null)).toEqual(month);
  expect(span('2026', '11')).toEqual(month);
  expect(span('1999', '02')).toEqual(month);
});

it('a month ends with its last day', () => {
  expect(span('2026', '02')).toMatchObject({ from: '2026-02-01', to: '2026-02-28', current: false });
  expect(span('2024', '02')).toMatchObject({ to: '2024-02-29' });
  expect(span('2025', '12')).toMatchObject({ from: '2025-12-01', to: '2025-12-31', by: 'day' });
});

it('a year is shown by month, this one up to today', () => {
  expect(span('2025', null)).toMatchObject({
    from: '2025-01-01',
    to: '2025-12-31',
    by: 'month',
    current: false,
  });
  expect(span('2026', '')).toMatchObject({ from: '2026-01-01', to: TODAY, by: 'month', current: true });
});

it('a month that has not begun is not asked for', () => {
  expect(span('2026', '12')).toMatchObject({ month: '', by: 'month' });
  expect(span('2026', '13')).toMatchObject({ month: '' });
  expect(salesMonths('2026', TODAY)).toHaveLength(11);
  expect(salesMonths('2025', TODAY)).toHaveLength(12);
  expect(salesYears(TODAY)).toEqual(['2026', '2025', '2024', '2023', '2022']);
  expect(monthText('2025-08')).toBe('August');
});
