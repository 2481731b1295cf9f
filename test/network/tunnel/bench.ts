// A box with a callback door, and stand-ins for cloudflared and ssh that carry requests to it as the real ones do.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../../src/log.ts';
import { CHECK_PATH, proofOf } from '../../../src/network/tunnel/reach.ts';
import { type TunnelSettingsInput, updateTunnelSettings } from '../../../src/network/tunnel/settings.ts';
import type { Pace } from '../../../src/network/tunnel/supervise.ts';
import { createTunnel, type TunnelOptions } from '../../../src/network/tunnel/tunnel.ts';
import { vault } from '../../access/fixtures.ts';
import { memoryStore } from '../../support/stores.ts';

/**
 * What every stand-in begins with: it notes its start (pid, arguments, token), and can carry requests to the target that
 * its arguments name, as host → port of its own in the file `routes`.
 */
const PREFACE = `#!/usr/bin/env node
const { createServer, request } = require('node:http');
const { appendFileSync, readFileSync } = require('node:fs');
const home = process.env.HOME;
const args = process.argv.slice(2);
const starts = () => readFileSync(home + '/starts', 'utf8').trim().split('\\n').length;
appendFileSync(home + '/starts', JSON.stringify({ pid: process.pid, args, environment: Object.keys(process.env), token: process.env.TUNNEL_TOKEN }) + '\\n');
function carry(host, target, then) {
  const server = createServer((from, to) => {
    const on = request(target + from.url, { method: from.method, headers: { ...from.headers, 'cf-connecting-ip': '196.201.214.200' } }, (answer) => {
      to.writeHead(answer.statusCode, answer.headers);
      answer.pipe(to);
    });
    on.on('error', () => to.writeHead(502).end());
    from.pipe(on);
  });
  server.listen(0, '127.0.0.1', () => {
    appendFileSync(home + '/routes', host + ' ' + server.address().port + '\\n');
    then();
  });
}
const quick = (then = () => {}) => {
  const host = 'calm-river-' + starts() + '.trycloudflare.com';
  carry(host, args[args.indexOf('--url') + 1], () => {
    console.error('2026-01-01T00:00:00Z INF Requesting new quick Tunnel on trycloudflare.com...');
    console.error('2026-01-01T00:00:00Z INF |  https://' + host + '                        |');
    then();
  });
};
`;

export const FAST: Partial<Pace> = {
  soonMs: 20,
  checkMs: 40,
  patienceMs: 60_000,
  graceMs: 300,
  backoffMs: [1, 2, 5],
  steadyMs: 600_000,
};

export async function startBench(options: Partial<TunnelOptions> = {}) {
  const data = mkdtempSync(join(tmpdir(), 'karibu-tunnel-'));
  const home = join(data, 'home');
  const programs = join(data, 'programs');
  for (const folder of [home, programs]) mkdirSync(folder);
  const db = await memoryStore();
  const door = { open: true, answers: 0 };
  const server = createServer((request, response) => {
    const nonce = request.url?.startsWith(`${CHECK_PATH}/`)
      ? request.url.slice(CHECK_PATH.length + 1)
      : undefined;
    if (!nonce || !door.open) return void response.writeHead(door.open ? 404 : 500).end();
    door.answers += 1;
    response.end(proofOf(vault, nonce));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  const lines = (name: string) =>
    existsSync(join(home, name)) ? readFileSync(join(home, name), 'utf8').trim().split('\n') : [];

  /** The internet: a host that a stand-in has opened leads to it, others do not exist. */
  async function outsideIn(url: string, init: RequestInit): Promise<Response> {
    const { hostname, pathname } = new URL(url);
    const route = lines('routes').find((line) => line.startsWith(`${hostname} `));
    if (!route) throw Object.assign(new TypeError('fetch failed'), { cause: { code: 'ENOTFOUND' } });
    return fetch(`http://127.0.0.1:${route.split(' ')[1]}${pathname}`, init);
  }

  const tunnel = createTunnel({
    db,
    vault,
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    log: silentLog,
    data_dir: data,
    environment: { PATH: `${programs}:${process.env.PATH}`, HOME: home },
    fetch: outsideIn,
    deliver: async () => undefined,
    pace: FAST,
    ...options,
  });

  return {
    db,
    data,
    home,
    programs,
    door,
    port,
    tunnel,
    /** Puts a program on the path. */
    install(name: 'cloudflared' | 'ssh', script: string) {
      const file = join(programs, name);
      writeFileSync(file, PREFACE + script);
      chmodSync(file, 0o755);
    },
    set: (input: TunnelSettingsInput) => updateTunnelSettings(db, vault, input, 0),
    starts: () =>
      lines('starts').map(
        (line) => JSON.parse(line) as { pid: number; args: string[]; environment: string[]; token?: string },
      ),
    async close() {
      await tunnel.stop();
      await new Promise((resolve) => server.close(resolve));
      await db.destroy();
      rmSync(data, { recursive: true, force: true });
    },
  };
}

export type Bench = Awaited<ReturnType<typeof startBench>>;

/** Whether a process runs; one that only waits to be buried does not. */
export function isAlive(pid: number): boolean {
  try {
    const state = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0];
    return state !== 'Z' && state !== 'X';
  } catch {
    return false; // There is no such process.
  }
}
