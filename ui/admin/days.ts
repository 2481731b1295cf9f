// Days as Nairobi counts them, and the spans of days that reports are asked for.

const DAY_MS = 86_400_000;

/** The day in Nairobi so many days before `now`, `2026-11-21`. */
export function dayBefore(days: number, now = Date.now()): string {
  return new Date(now - days * DAY_MS).toLocaleDateString('en-CA', { timeZone: 'Africa/Nairobi' });
}

/** `Sat 21 Nov` for `2026-11-21`. */
export function dayText(day: string): string {
  return new Date(`${day}T12:00:00`).toLocaleDateString('en-GB', {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
  });
}

/** `November` for `2026-11` or `11`. */
export function monthText(month: string): string {
  return new Date(2026, Number(month.slice(-2)) - 1, 1).toLocaleDateString('en-GB', { month: 'long' });
}

export interface SalesSpan {
  year: string;
  /** `11`; empty for the whole year. */
  month: string;
  /** First and last day; the last one is never after today. */
  from: string;
  to: string;
  by: 'day' | 'month';
  /** Whether today is in it. */
  current: boolean;
}

/** How far back the choices go. */
const YEARS = 5;

export function salesYears(today: string): string[] {
  const year = Number(today.slice(0, 4));
  return Array.from({ length: YEARS }, (_, back) => String(year - back));
}

/** The months of a year that have begun, `01` first. */
export function salesMonths(year: string, today: string): string[] {
  const count = year === today.slice(0, 4) ? Number(today.slice(5, 7)) : 12;
  return Array.from({ length: count }, (_, index) => String(index + 1).padStart(2, '0'));
}

/**
 * The span that an address asks for: without a year this month, without a month (or with one that has not begun) the
 * whole year. `today` is `2026-11-21`.
 */
export function salesSpan(query: { year: string | null; month: string | null }, today: string): SalesSpan {
  const year = salesYears(today).find((each) => each === query.year);
  if (!year) return monthSpan(today.slice(0, 4), today.slice(5, 7), today);
  if (query.month && salesMonths(year, today).includes(query.month))
    return monthSpan(year, query.month, today);
  const current = year === today.slice(0, 4);
  return {
    ...{ year, month: '', by: 'month', current },
    ...{ from: `${year}-01-01`, to: current ? today : `${year}-12-31` },
  };
}

function monthSpan(year: string, month: string, today: string): SalesSpan {
  const last = new Date(Date.UTC(Number(year), Number(month), 0)).toISOString().slice(0, 10);
  const current = `${year}-${month}` === today.slice(0, 7);
  return {
    ...{ year, month, by: 'day', current },
    ...{ from: `${year}-${month}-01`, to: current ? today : last },
  };
}
