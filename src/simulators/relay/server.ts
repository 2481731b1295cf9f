// A small store-and-forward relay (docs/relay.md): takes notices for boxes that nobody can reach, hands them over when asked.
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  KEPT_HEADERS,
  RELAY_BODY_OCTETS,
  RELAY_PAGE,
  RELAY_WAIT_SECONDS,
  type RelayPage,
} from '../../protocols/relay/index.ts';
import { type Keep, openKeep } from './keep.ts';

export interface RelayServerOptions {
  /** Where notices are kept, one folder a box. */
  folder: string;
  boxes: readonly { box: string; token: string }[];
  listen?: { host: string; port: number };
  now?: () => number;
  /** How many notices are kept for one box; more are refused with 503. */
  mostKept?: number;
}

const MOST_KEPT = 100_000;
/** A request that takes longer to arrive is cut off, ms. */
const REQUEST_MS = 15_000;
/** What Daraja wants to hear (payments.md §1.5). */
const ACCEPTED = { ResultCode: 0, ResultDesc: 'Accepted' };

const digest = (text: string) => createHash('sha256').update(text).digest();

interface Box {
  token: Buffer;
  keep: Keep;
  waiters: Set<() => void>;
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let octets = 0;
  for await (const chunk of request) {
    octets += (chunk as Buffer).length;
    if (octets > RELAY_BODY_OCTETS) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function send(response: ServerResponse, status: number, answer: unknown = {}): void {
  const close = status === 413 ? { connection: 'close' } : {};
  response.writeHead(status, { 'content-type': 'application/json', ...close }).end(JSON.stringify(answer));
}

/** A relay on a listener of its own (default 127.0.0.1, a free port). */
export function createRelayServer(options: RelayServerOptions) {
  const now = options.now ?? Date.now;
  const mostKept = options.mostKept ?? MOST_KEPT;
  const listen = options.listen ?? { host: '127.0.0.1', port: 0 };
  const boxes = new Map<string, Box>();
  let baseUrl = '';

  async function takeNotice(request: IncomingMessage, response: ServerResponse, box: Box, path: string) {
    const body = await readBody(request);
    if (!body) return send(response, 413);
    if (box.keep.notices().length >= mostKept) return send(response, 503);
    const headers = Object.fromEntries(
      KEPT_HEADERS.flatMap((name) => (request.headers[name] ? [[name, String(request.headers[name])]] : [])),
    );
    await box.keep.add({
      received_at: now(),
      source_address: request.socket.remoteAddress ?? null,
      path,
      headers,
      body: body.toString('base64'),
    });
    for (const wake of box.waiters) wake();
    send(response, 200, ACCEPTED);
  }

  /** Resolves when something is kept, the time is over, or whoever asked has gone. */
  function somethingKept(box: Box, seconds: number, response: ServerResponse): Promise<void> {
    if (box.keep.notices().length > 0 || seconds <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(done, seconds * 1000);
      function done() {
        clearTimeout(timer);
        box.waiters.delete(done);
        response.off('close', done);
        resolve();
      }
      box.waiters.add(done);
      response.on('close', done);
    });
  }

  function findAsker(request: IncomingMessage): Box | undefined {
    const box = boxes.get(String(request.headers['karibu-box'] ?? ''));
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    return box && timingSafeEqual(digest(token), box.token) ? box : undefined;
  }

  async function answerBox(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const box = findAsker(request);
    if (!box) return send(response, 401);
    if (request.method === 'GET' && url.pathname === '/relay/v1/notices') {
      const wait = Math.min(Number(url.searchParams.get('wait')) || 0, RELAY_WAIT_SECONDS);
      const limit = Math.min(Number(url.searchParams.get('limit')) || RELAY_PAGE, RELAY_PAGE);
      await somethingKept(box, wait, response);
      const kept = box.keep.notices();
      const page: RelayPage = {
        stream: box.keep.stream,
        notices: kept.slice(0, limit),
        waiting: kept.length,
      };
      return send(response, 200, page);
    }
    if (request.method === 'POST' && url.pathname === '/relay/v1/acknowledge') {
      const body = JSON.parse((await readBody(request))?.toString() || '{}') as Record<string, unknown>;
      if (body.stream !== box.keep.stream) return send(response, 409);
      if (!Number.isSafeInteger(body.through)) return send(response, 400);
      await box.keep.acknowledge(body.through as number);
      return send(response, 200, { waiting: box.keep.notices().length });
    }
    send(response, 404);
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://relay');
    if (url.pathname === '/healthz') return send(response, 200, { ok: true });
    if (url.pathname.startsWith('/relay/v1/')) return answerBox(request, response, url);
    const [, name = '', path] = /^\/n\/([^/]+)(\/cb\/.+)$/.exec(url.pathname) ?? [];
    const box = boxes.get(name);
    if (!box || !path || request.method !== 'POST') return send(response, 404);
    return takeNotice(request, response, box, `${path}${url.search}`);
  }

  const server = createServer({ requestTimeout: REQUEST_MS }, (request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (request.destroyed || response.destroyed) return;
      send(response, 500, { problem: error instanceof Error ? error.message : String(error) });
    });
  });

  return {
    get baseUrl() {
      return baseUrl;
    },
    async start(): Promise<{ baseUrl: string }> {
      for (const { box, token } of options.boxes) {
        const keep = await openKeep(join(options.folder, box));
        boxes.set(box, { token: digest(token), keep, waiters: new Set() });
      }
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(listen.port, listen.host, resolve);
      });
      baseUrl = `http://${listen.host}:${(server.address() as AddressInfo).port}`;
      return { baseUrl };
    },
    async stop(): Promise<void> {
      for (const box of boxes.values()) for (const wake of box.waiters) wake();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
    /** How many notices wait for a box. */
    waiting: (box: string): number => boxes.get(box)?.keep.notices().length ?? 0,
  };
}

export type RelayServer = ReturnType<typeof createRelayServer>;
