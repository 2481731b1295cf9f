// Listens for HTTP.
import type { Hono } from 'hono';
import { AppError } from '../../errors.ts';
import { createTurns } from '../../lib/turns.ts';
import type { HttpEnv } from './context.ts';

export interface HttpListener {
  /** `host:port` as bound. */
  address: string;
  port: number;
  stop(): Promise<void>;
}

/** Longer than the beat of the event stream, shorter than a forgotten connection should live. */
const IDLE_SECONDS = 60;

/** The doors share one event loop, so they share its turns. */
const turn = createTurns();

function bind<T>(serve: () => T, listen: { host: string; port: number }): T {
  try {
    return serve();
  } catch (cause) {
    throw new AppError('unavailable', `Cannot listen on ${listen.host}:${listen.port}.`, {
      cause,
      hint: 'Is Karibu, or another program, running there already? The KARIBU_…_LISTEN variables choose other ports.',
    });
  }
}

/** Serves an app on an address; port 0 picks one. Needs Bun, which is what ships. */
export function listenHttp(
  app: Hono<{ Bindings: HttpEnv }>,
  listen: { host: string; port: number },
): HttpListener {
  const serve = () =>
    Bun.serve({
      hostname: listen.host,
      port: listen.port,
      idleTimeout: IDLE_SECONDS,
      maxRequestBodySize: 1024 * 1024,
      async fetch(request, bun) {
        const address = bun.requestIP(request)?.address ?? null;
        await turn();
        return app.fetch(request, { address });
      },
      error: () => new Response('Something went wrong.', { status: 500 }),
    });
  const server = bind(serve, listen);
  const port = server.port as number;
  return {
    address: `${listen.host.includes(':') ? `[${listen.host}]` : listen.host}:${port}`,
    port,
    stop: () => server.stop(true),
  };
}
