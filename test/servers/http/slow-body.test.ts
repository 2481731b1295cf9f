// A body that dribbles in, on a real socket: it holds nothing up for longer than its time.
import { connect } from 'node:net';
import { Hono } from 'hono';
import { expect, test, vi } from 'vitest';
import { createCallbackCounter } from '../../../src/servers/http/callback-counts.ts';
import { guardCallbacks } from '../../../src/servers/http/callback-guard.ts';
import type { HttpContext, HttpEnv } from '../../../src/servers/http/context.ts';
import { listenHttp } from '../../../src/servers/http/listen.ts';

const HEAD = 'POST /cb/mpesa/x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';

test.runIf('Bun' in globalThis)(
  'a body that dribbles in is cut off, and a quick one beside it is read',
  async () => {
    const callbacks = createCallbackCounter(0);
    const ctx = {
      callbacks,
      tunnel: { senders: () => ({ mode: 'none', proxies: [], sender_header: 'x-forwarded-for' }) },
      clock: { now: () => 0 },
    };
    const app = new Hono<{ Bindings: HttpEnv }>();
    app.use(guardCallbacks(ctx as unknown as HttpContext, 300));
    const bodies: string[] = [];
    app.post('*', async (c) => {
      bodies.push(await c.req.text());
      return c.text('read');
    });
    const listener = listenHttp(app, { host: '127.0.0.1', port: 0 });
    const slow = connect(listener.port, '127.0.0.1');
    let answer = '';
    let closed = false;
    slow.on('data', (data) => {
      answer += data;
    });
    slow.on('close', () => {
      closed = true;
    });
    slow.on('error', () => undefined);
    slow.write(`${HEAD}Content-Length: 60000\r\n\r\n`);
    const drip = setInterval(() => slow.write('x'), 20);
    try {
      const quick = await fetch(`http://127.0.0.1:${listener.port}/cb/mpesa/x`, {
        method: 'POST',
        body: '{"a":1}',
      });
      expect(await quick.text()).toBe('read');
      await vi.waitFor(() => expect(answer).toMatch(/^HTTP\/1\.1 408/), { timeout: 10_000 });
      await vi.waitFor(() => expect(closed).toBe(true), { timeout: 10_000 });
      expect(bodies).toEqual(['{"a":1}']);
      expect(callbacks.read().counts.slow).toBe(1);
    } finally {
      clearInterval(drip);
      slow.destroy();
      await listener.stop();
    }
  },
);
