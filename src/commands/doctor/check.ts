// One thing that was looked at, and what it is like.

export interface Check {
  check: string;
  /** `warn` works but deserves a look; `fail` does not work. */
  state: 'ok' | 'warn' | 'fail';
  message: string;
  hint?: string;
}

export const ok = (check: string, message: string): Check => ({ check, state: 'ok', message });
export const warn = (check: string, message: string, hint: string): Check => ({
  check,
  state: 'warn',
  message,
  hint,
});
export const fail = (check: string, message: string, hint: string): Check => ({
  check,
  state: 'fail',
  message,
  hint,
});
