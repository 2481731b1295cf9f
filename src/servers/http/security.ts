// Headers that every page carries.

import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';

const COMMON: Record<string, string> = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
};

const SELF = "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'";

export const ADMIN_POLICY = `${SELF}; img-src 'self' data:; form-action 'self'`;
/** The portal posts credentials to the router's own login page, whose address differs from site to site. */
export const PORTAL_POLICY = `${SELF}; form-action *`;

/** The callback door shows nothing. */
export const CALLBACK_POLICY = "default-src 'none'; frame-ancestors 'none'";

/** `frames`: the origins that may show the page in a frame (the demo's page shows the portal). */
export function securityHeaders(policy: string, frames?: string): MiddlewareHandler {
  const headers = { ...COMMON, 'content-security-policy': policy };
  if (frames) {
    headers['content-security-policy'] = policy.replace(
      "frame-ancestors 'none'",
      `frame-ancestors ${frames}`,
    );
    delete (headers as Record<string, string>)['x-frame-options'];
  }
  return async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(headers)) c.res.headers.set(name, value);
  };
}

export const MAX_BODY_OCTETS = 64 * 1024;

/** A statement of some 15,000 lines. */
export const MAX_STATEMENT_OCTETS = 4 * 1024 * 1024;

/** Refuses larger bodies with 413; no form or notice of ours comes near 64 KiB. */
export function limitBody(maxSize: number = MAX_BODY_OCTETS): MiddlewareHandler {
  return bodyLimit({ maxSize });
}
