// The one error type that people are meant to read.

export type ErrorCode =
  | 'invalid'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'rate_limited'
  | 'unavailable'
  | 'internal';

export interface AppErrorDetails {
  cause?: unknown;
  /** What the reader can do about it. */
  hint?: string;
  /** Form field → what is wrong with it. */
  fields?: Record<string, string>;
}

/** A failure whose `message` is safe to show; `hint` says what to do next. */
export class AppError extends Error {
  override name = 'AppError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly fields: Record<string, string> | undefined;

  constructor(code: ErrorCode, message: string, details: AppErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.fields = details.fields;
  }
}

/** What went wrong, in one line, for a log or a recorded outcome. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
