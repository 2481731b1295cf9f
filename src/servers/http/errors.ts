// Errors as HTTP: the one map from our codes to statuses, written as problem+json (RFC 9457).
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { asDiskError, diskTrouble } from '../../db/disk.ts';
import { AppError, type ErrorCode } from '../../errors.ts';
import type { Log } from '../../log.ts';

export const STATUSES: Record<ErrorCode, ContentfulStatusCode> = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  rate_limited: 429,
  unavailable: 503,
  internal: 500,
};

const TITLES: Record<ErrorCode, string> = {
  invalid: 'The request is not right',
  unauthorized: 'Please sign in',
  forbidden: 'Not allowed',
  not_found: 'Not found',
  conflict: 'Not possible now',
  rate_limited: 'Too many requests',
  unavailable: 'Not available now',
  internal: 'Something went wrong',
};

/** Anything thrown, as an error that may be shown; what was not meant for people is hidden. */
export function asAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof HTTPException) {
    if (error.status === 413) return new AppError('invalid', 'The request is too large.');
    if (error.status < 500) return new AppError('invalid', error.message || 'The request is not right.');
  }
  const disk = asDiskError(error);
  if (disk) return disk;
  return new AppError('internal', 'Something went wrong on our side.', {
    cause: error,
    hint: 'Try again. If it stays, look at the log.',
  });
}

/** The status of anything thrown. A body over the limit has one of its own, which no code of ours stands for. */
export function statusOf(thrown: unknown): ContentfulStatusCode {
  if (thrown instanceof HTTPException && thrown.status === 413) return 413;
  return STATUSES[asAppError(thrown).code];
}

export function problem(c: Context, error: AppError, status = STATUSES[error.code]): Response {
  return c.body(
    JSON.stringify({
      type: 'about:blank',
      title: TITLES[error.code],
      status,
      code: error.code,
      detail: error.message,
      ...(error.hint ? { hint: error.hint } : {}),
      ...(error.fields ? { fields: error.fields } : {}),
    }),
    status,
    { 'content-type': 'application/problem+json' },
  );
}

/** Whether an error is one that the log must know of: nobody foresaw it, or the disk is at fault. */
export function isForLog(thrown: unknown): boolean {
  return asAppError(thrown).code === 'internal' || diskTrouble(thrown) !== undefined;
}

/** Answers a thrown error; what nobody foresaw is logged here, once. */
export function answerError(c: Context, thrown: unknown, log: Log): Response {
  const error = asAppError(thrown);
  if (isForLog(thrown))
    log.error('request failed', { error: thrown, path: c.req.path, method: c.req.method });
  return problem(c, error, statusOf(thrown));
}
