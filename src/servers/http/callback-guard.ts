// What every request to the callback door goes through: who sent it, how much, how slowly.
import type { MiddlewareHandler } from 'hono';
import type { HttpContext, HttpEnv } from './context.ts';
import { MAX_BODY_OCTETS } from './security.ts';
import { senderOf } from './sender.ts';

/** A genuine notice has about 500 octets and comes in one piece. */
const BODY_MS = 10_000;

/** The whole body, or why there is none. What has not come in time never will. */
async function readBody(
  body: ReadableStream<Uint8Array>,
  withinMs: number,
): Promise<Uint8Array<ArrayBuffer> | 'too_large' | 'slow'> {
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let octets = 0;
  let late: () => void = () => undefined;
  const deadline = new Promise<'slow'>((resolve) => {
    late = () => resolve('slow');
  });
  const timer = setTimeout(late, withinMs);
  try {
    for (;;) {
      const part = await Promise.race([reader.read(), deadline]);
      if (part === 'slow') return 'slow';
      if (part.done) return new Uint8Array(Buffer.concat(chunks));
      octets += part.value.length;
      if (octets > MAX_BODY_OCTETS) return 'too_large';
      chunks.push(part.value);
    }
  } finally {
    clearTimeout(timer);
    // Nobody reads on; how letting go of it went changes nothing.
    reader.cancel().catch(() => undefined);
  }
}

/**
 * Puts the believed source in the place of the peer, and the whole body in the place of the stream: `413` over 64 KiB,
 * `408` when it dribbles in.
 */
export function guardCallbacks(
  ctx: Pick<HttpContext, 'tunnel' | 'callbacks' | 'clock'>,
  bodyMs: number = BODY_MS,
): MiddlewareHandler<{ Bindings: HttpEnv }> {
  return async (c, next) => {
    c.env.address = senderOf(c.env.address, ctx.tunnel.senders(), (name) => c.req.header(name));
    const { body } = c.req.raw;
    if (body) {
      const read = await readBody(body, bodyMs);
      if (read === 'too_large' || read === 'slow') {
        ctx.callbacks.note(read, ctx.clock.now());
        c.header('connection', 'close');
        return c.json({ error: read === 'slow' ? 'too slow' : 'too large' }, read === 'slow' ? 408 : 413);
      }
      const { method, url, headers } = c.req.raw;
      c.req.raw = new Request(url, { method, headers, body: read });
    }
    await next();
  };
}
