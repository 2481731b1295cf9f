// What the portal's routes share.
import type { HttpContext } from '../context.ts';
import { createRateLimit, type RateLimit } from '../rate-limit.ts';

export interface PortalContext extends HttpContext {
  /** Wrong codes, a device: typing errors pass, guessing does not. */
  codeTries: RateLimit;
  /** Wrong codes, an address: phones behind one router share it, and a guesser changes its MAC. */
  siteCodeTries: RateLimit;
  /** Prompts sent, a phone number: nobody is to be pestered by a stranger on the WiFi. */
  promptsToPhone: RateLimit;
  /** Orders started, a device. */
  orderTries: RateLimit;
}

const WINDOW_MS = 300_000;

export function portalContext(ctx: HttpContext): PortalContext {
  return {
    ...ctx,
    codeTries: createRateLimit(12, WINDOW_MS),
    siteCodeTries: createRateLimit(600, WINDOW_MS),
    promptsToPhone: createRateLimit(10, WINDOW_MS),
    orderTries: createRateLimit(30, WINDOW_MS),
  };
}
