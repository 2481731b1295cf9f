// Both sides of the relay as processes that are killed without warning, again and again, while notices come in.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { newFolder, post, TOKEN } from './bench.ts';

const BUN = fileURLToPath(new URL('../../../node_modules/.bin/bun', import.meta.url));
const NOTICES = 150;
const CUTS = 6;

/** Starts a process and resolves with its first line. */
async function start(script: string, args: string[]): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn(BUN, [fileURLToPath(new URL(script, import.meta.url)), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> });
  const line = await new Promise<string>((resolve, reject) => {
    lines.once('line', resolve);
    child.once('exit', () => reject(new Error(`${script} ended`)));
  });
  return { child, line };
}

function kill(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('every notice that was said yes to is at the box once, in order, however often either side is cut off', async () => {
  const folder = newFolder();
  const kept = join(folder.path, 'relay');
  const journal = join(folder.path, 'journal');
  const port = await freePort();
  const baseUrl = `http://127.0.0.1:${port}`;
  let relay = (await start('./relay-process.ts', [kept, String(port)])).child;
  let box = (await start('./box-process.ts', [baseUrl, journal])).child;
  try {
    const promised: string[] = [];
    let sending = true;
    const sender = (async () => {
      for (let n = 0; n < NOTICES; n++) {
        const body = `notice ${n}`;
        // Sent until it is promised: the sender of this test is more patient than Daraja.
        while (sending && (await post(baseUrl, body).catch(() => 0)) !== 200) {
          await new Promise((resolve) => setImmediate(resolve));
        }
        promised.push(body);
      }
    })();
    for (let cut = 0; cut < CUTS; cut++) {
      const goal = ((cut + 1) * NOTICES) / (CUTS + 1);
      await vi.waitFor(() => expect(promised.length).toBeGreaterThan(goal), { timeout: 60_000, interval: 2 });
      if (cut % 2 === 0) {
        await kill(box);
        box = (await start('./box-process.ts', [baseUrl, journal])).child;
      } else {
        await kill(relay);
        relay = (await start('./relay-process.ts', [kept, String(port)])).child;
      }
    }
    await sender;
    sending = false;
    const read = () => readFileSync(journal, 'utf8').split('\n').filter(Boolean);
    await vi.waitFor(() => expect(read().length).toBeGreaterThanOrEqual(NOTICES), {
      timeout: 60_000,
      interval: 20,
    });
    expect(read()).toEqual(promised);
    const left = await vi.waitFor(async () => {
      const headers = { authorization: `Bearer ${TOKEN}`, 'karibu-box': 'kiosk' };
      const page = (await (await fetch(`${baseUrl}/relay/v1/notices`, { headers })).json()) as {
        waiting: number;
      };
      expect(page.waiting).toBe(0);
      return page.waiting;
    });
    expect(left).toBe(0);
  } finally {
    await kill(box);
    await kill(relay);
    folder.remove();
  }
}, 120_000);
