// What the portal's routes share.
import type { HttpContext } from '../context.ts';
import { createRateLimit, type RateLimit } from '../rate-limit.ts';

export interface PortalContext extends HttpContext {
  /** Codes tried, a device: typing errors pass, guessing does not. */
  codeTries: RateLimit;
  /** Codes tried, a site: phones behind one router share an address, and a guesser changes its MAC. */
  siteCodeTries: RateLimit;
  /** Orders started, a device or address. */
  orderTries: RateLimit;
}

const WINDOW_MS = 300_000;

export function portalContext(ctx: HttpContext): PortalContext {
  return {
    ...ctx,
    codeTries: createRateLimit(12, WINDOW_MS),
    siteCodeTries: createRateLimit(600, WINDOW_MS),
    orderTries: createRateLimit(60, WINDOW_MS),
  };
}
