// Reads what a request brings, before anything is made of it.
import type { MiddlewareHandler } from 'hono';
import { AppError } from '../../errors.ts';

/** PostgreSQL's text cannot hold NUL, and nobody means it: refused on every store alike. */
export function refuseNul(text: string): void {
  if (text.includes('\0')) throw new AppError('invalid', 'The request holds a NUL character.');
}

/** Refuses an address with a NUL: in its path it names nothing, in its query it asks for nothing. */
export function refuseNulInAddress(): MiddlewareHandler {
  return async (c, next) => {
    const [path = '', query = ''] = c.req.url.split('?', 2);
    if (path.includes('%00')) throw new AppError('not_found', 'There is nothing at this address.');
    if (query.includes('%00')) refuseNul('\0');
    await next();
  };
}

function noNul(_key: string, value: unknown): unknown {
  if (typeof value === 'string') refuseNul(value);
  return value;
}

/** The body as text. */
export async function readText(request: Request): Promise<string> {
  const text = await request.text();
  refuseNul(text);
  return text;
}

/** The body as JSON; an empty one is `{}`, whose missing fields the schema then names. */
export async function readJson(request: Request): Promise<unknown> {
  const text = await request.text();
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text, noNul);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('invalid', 'The body is not JSON.', { cause: error });
  }
}
