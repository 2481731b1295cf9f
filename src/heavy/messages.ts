// What the main thread and the worker say to each other.
import { AppError, type ErrorCode } from '../errors.ts';

/** Where the worker finds the store and its key. */
export interface WorkerStore {
  database: string;
  data_dir: string;
}

export type ToWorker = { id: number; name: string; input: unknown } | { end: true };

export type FromWorker = { id: number; output: unknown } | { id: number; error: PlainError };

/** An error as data: a copy between threads loses its class. */
export interface PlainError {
  message: string;
  stack: string | undefined;
  /** Set for an error that people are meant to read. */
  code?: ErrorCode;
  hint?: string | undefined;
}

export function toPlainError(error: unknown): PlainError {
  if (error instanceof AppError) {
    return { message: error.message, stack: error.stack, code: error.code, hint: error.hint };
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return { message, stack };
}

export function fromPlainError({ message, stack, code, hint }: PlainError): Error {
  const error = code ? new AppError(code, message, hint ? { hint } : {}) : new Error(message);
  if (stack) error.stack = stack;
  return error;
}
