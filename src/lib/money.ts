// Money as integers in minor units.

/** `KES 1,250`; cents are shown only when there are any. */
export function formatMoney(cents: number, currency = 'KES'): string {
  const whole = String(Math.trunc(Math.abs(cents) / 100)).replace(/\B(?=(\d{3})+$)/g, ',');
  const rest = Math.abs(cents) % 100;
  return `${cents < 0 ? '-' : ''}${currency} ${whole}${rest ? `.${String(rest).padStart(2, '0')}` : ''}`;
}

/** M-PESA moves whole shillings only (payments.md §4.2). */
export function isWholeShillings(cents: number): boolean {
  return Number.isSafeInteger(cents) && cents % 100 === 0;
}
