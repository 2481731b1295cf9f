// Tunnel programs under supervision, with stand-ins that print, die, hang and carry requests as the real ones do.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { viewTunnelSettings } from '../../../src/network/tunnel/settings.ts';
import { vault } from '../../access/fixtures.ts';
import { type Bench, FAST, isAlive, startBench } from './bench.ts';

const BUN = fileURLToPath(new URL('../../../node_modules/.bin/bun', import.meta.url));
const PATIENT = { timeout: 20_000, interval: 10 };

let bench: Bench;
beforeEach(async () => {
  bench = await startBench();
});
afterEach(() => bench.close());

const until = (check: () => void) => vi.waitFor(check, PATIENT);
const stage = () => bench.tunnel.state().stage;
const isUp = () => until(() => expect(stage()).toBe('up'));

async function reopen(options: Parameters<typeof startBench>[0]) {
  await bench.close();
  bench = await startBench(options);
}

describe('cloudflared', () => {
  test('is found at the address that it prints, and proved to be this box from outside in', async () => {
    bench.install('cloudflared', 'quick();');
    await bench.set({ mode: 'cloudflared' });
    await bench.tunnel.start(bench.port);
    await isUp();
    expect(bench.tunnel.publicUrl()).toBe('https://calm-river-1.trycloudflare.com');
    expect(bench.starts()[0]?.args).toEqual([
      'tunnel',
      '--no-autoupdate',
      '--url',
      `http://127.0.0.1:${bench.port}`,
    ]);
    expect(bench.door.answers).toBeGreaterThan(0);
    expect(bench.tunnel.state()).toMatchObject({ problem: null, starts: 1, pid: bench.starts()[0]?.pid });
    expect(bench.tunnel.state().lines.join()).toContain('quick Tunnel');
  });

  test('takes the token of a named tunnel from its environment, never from its arguments', async () => {
    bench.install('cloudflared', `carry('wifi.example.co.ke', 'http://127.0.0.1:${bench.port}', () => {});`);
    await bench.set({
      mode: 'cloudflared',
      cloudflared_token: 'eyJsecret',
      url: 'https://wifi.example.co.ke',
    });
    await bench.tunnel.start(bench.port);
    await isUp();
    const [start] = bench.starts();
    expect(start).toMatchObject({ args: ['tunnel', '--no-autoupdate', 'run'], token: 'eyJsecret' });
    expect(start?.environment.filter((name) => !name.startsWith('__')).sort()).toEqual(
      ['HOME', 'KARIBU_TUNNEL_OF', 'PATH', 'TUNNEL_TOKEN'].sort(),
    );
    expect(JSON.stringify(await viewTunnelSettings(bench.db))).not.toContain('eyJsecret');
  });

  test('that dies is started again, and its new address is taken', async () => {
    bench.install(
      'cloudflared',
      'quick(() => { if (starts() < 3) setTimeout(() => process.exit(1), 100); });',
    );
    await bench.set({ mode: 'cloudflared' });
    await bench.tunnel.start(bench.port);
    await until(() => expect(bench.tunnel.publicUrl()).toBe('https://calm-river-3.trycloudflare.com'));
    await isUp();
    expect(bench.tunnel.state().starts).toBe(3);
  });

  test('that keeps dying is tried ever less often, and the page says why', async () => {
    await reopen({ pace: { ...FAST, backoffMs: [1, 1, 3_600_000] } });
    bench.install('cloudflared', "console.error('ERR no such tunnel'); process.exit(3);");
    await bench.set({ mode: 'cloudflared' });
    await bench.tunnel.start(bench.port);
    await until(() => expect(bench.tunnel.state()).toMatchObject({ stage: 'waiting', starts: 3 }));
    const state = bench.tunnel.state();
    expect(state.problem).toBe('cloudflared ended by itself (exit code 3).');
    expect(state.lines).toContain('ERR no such tunnel');
    expect(state.next_start_at! - Date.now()).toBeGreaterThan(3_000_000);
    expect(state.pid).toBeNull();
  });

  test('that hangs, deaf even to a polite end, is killed and started again', async () => {
    await reopen({ pace: { ...FAST, patienceMs: 400 } });
    bench.install(
      'cloudflared',
      "if (starts() === 1) { process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); } else quick();",
    );
    await bench.set({ mode: 'cloudflared' });
    await bench.tunnel.start(bench.port);
    await until(() => expect(bench.starts().length).toBeGreaterThan(1));
    expect(isAlive(bench.starts()[0]!.pid)).toBe(false);
    await isUp();
  });

  test('that is up while the door does not answer is no way in', async () => {
    bench.install('cloudflared', 'quick();');
    await bench.set({ mode: 'cloudflared' });
    await bench.tunnel.start(bench.port);
    await isUp();
    bench.door.open = false;
    await until(() => expect(stage()).toBe('unreachable'));
    expect(bench.tunnel.state()).toMatchObject({
      problem: 'The public address answers HTTP 500.',
      hint: 'The tunnel stands, but does not reach the callback listener of this box.',
    });
    bench.door.open = true;
    await isUp();
    expect(bench.starts()).toHaveLength(1);
  });

  test('that is not installed is said so, and what to do', async () => {
    await reopen({ environment: { PATH: '/nowhere', HOME: '/' } });
    await bench.set({ mode: 'cloudflared' });
    await bench.tunnel.start(bench.port);
    await until(() => expect(bench.tunnel.state().problem).toMatch(/not on this box/));
    expect(bench.tunnel.state().hint).toMatch(/Install cloudflared/);
  });

  test('ends with the program, with everything that it started', async () => {
    bench.install(
      'cloudflared',
      `const { spawn } = require('node:child_process');
       const helper = spawn('sleep', ['1000'], { stdio: 'ignore' });
       appendFileSync(home + '/helper', helper.pid + '\\n');
       quick();`,
    );
    await bench.set({ mode: 'cloudflared' });
    await bench.tunnel.start(bench.port);
    await isUp();
    const { readFileSync } = await import('node:fs');
    const pids = [bench.starts()[0]!.pid, Number(readFileSync(join(bench.home, 'helper'), 'utf8'))];
    expect(pids.map(isAlive)).toEqual([true, true]);
    await bench.tunnel.stop();
    await until(() => expect(pids.map(isAlive)).toEqual([false, false]));
  });

  test('runs on when only the proxies to believe change, and they count at once', async () => {
    bench.install('cloudflared', 'quick();');
    await bench.set({ mode: 'cloudflared' });
    await bench.tunnel.start(bench.port);
    await isUp();
    await bench.set({ proxies: ['127.0.0.1'] });
    await bench.tunnel.reload();
    expect(bench.tunnel.senders()).toMatchObject({ mode: 'cloudflared', proxies: ['127.0.0.1'] });
    expect(bench.tunnel.state().stage).toBe('up');
    expect(bench.starts()).toHaveLength(1);
  });

  test('of another setting takes the place of the one before, which ends', async () => {
    bench.install('cloudflared', 'quick();');
    bench.install(
      'ssh',
      "console.log('https://kiosk.tunnel.example tunneled'); setInterval(() => {}, 1000);",
    );
    await bench.set({ mode: 'cloudflared' });
    await bench.tunnel.start(bench.port);
    await isUp();
    await bench.set({ mode: 'ssh', ssh_host: 'tunnel.example' });
    await Promise.all([bench.tunnel.reload(), bench.tunnel.reload()]);
    await until(() => expect(bench.tunnel.publicUrl()).toBe('https://kiosk.tunnel.example'));
    const [first, ...others] = bench.starts();
    expect(isAlive(first!.pid)).toBe(false);
    expect(others).toHaveLength(1);
    await bench.set({ mode: 'none' });
    await bench.tunnel.reload();
    expect(bench.tunnel.publicUrl()).toBeUndefined();
    expect(isAlive(others[0]!.pid)).toBe(false);
  });
});

describe('ssh', () => {
  test('is called with arguments that no setting can turn into options, and asks nothing', async () => {
    bench.install('ssh', `carry('kiosk.example.co.ke', 'http://127.0.0.1:${bench.port}', () => {});`);
    await bench.set({
      mode: 'ssh',
      url: 'https://kiosk.example.co.ke',
      ssh_host: 'server.example',
      ssh_port: 2222,
      ssh_user: 'karibu',
      ssh_identity_file: '/etc/karibu/key',
      ssh_remote_port: 9000,
    });
    await bench.tunnel.start(bench.port);
    await isUp();
    const { args } = bench.starts()[0]!;
    expect(args.slice(-2)).toEqual(['--', 'server.example']);
    expect(args.join(' ')).toContain(`-p 2222 -i /etc/karibu/key -R 9000:127.0.0.1:${bench.port} -l karibu`);
    expect(args).toContain('BatchMode=yes');
    expect(args).toContain('ExitOnForwardFailure=yes');
    expect(args).toContain(`UserKnownHostsFile=${join(bench.data, 'tunnel', 'known_hosts')}`);
  });

  test('is found at the port that the server chose', async () => {
    bench.install(
      'ssh',
      `carry('server.example', 'http://127.0.0.1:${bench.port}', () =>
         console.error('Allocated port 40123 for remote forward to 127.0.0.1:${bench.port}'));`,
    );
    await bench.set({ mode: 'ssh', ssh_host: 'server.example' });
    await bench.tunnel.start(bench.port);
    await isUp();
    expect(bench.tunnel.publicUrl()).toBe('http://server.example:40123');
  });
});

describe('an address that the operator gives', () => {
  test('is proved only by this box’s own answer', async () => {
    bench.install('cloudflared', 'quick();');
    await bench.set({ mode: 'manual', url: 'https://wifi.example.co.ke' });
    await bench.tunnel.start(bench.port);
    expect(bench.tunnel.publicUrl()).toBe('https://wifi.example.co.ke');
    expect(stage()).toBe('unknown');
    expect(await bench.tunnel.check()).toMatchObject({
      ok: false,
      problem: expect.stringMatching(/ENOTFOUND/),
    });
    expect(stage()).toBe('unreachable');
    writeFileSync(join(bench.home, 'routes'), `wifi.example.co.ke ${bench.port}\n`);
    expect(await bench.tunnel.check()).toEqual({ ok: true, url: 'https://wifi.example.co.ke' });
    expect(stage()).toBe('up');
    expect(bench.starts()).toEqual([]);
  });

  test('at which another box answers is not taken for this one', async () => {
    const { createServer } = await import('node:http');
    const other = createServer((_, response) => response.end('a proof of somebody else'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    await bench.set({ mode: 'manual', url: 'https://wifi.example.co.ke' });
    await bench.tunnel.start(bench.port);
    const { port } = other.address() as { port: number };
    writeFileSync(join(bench.home, 'routes'), `wifi.example.co.ke ${port}\n`);
    expect(await bench.tunnel.check()).toMatchObject({
      ok: false,
      problem: 'Something else than this box answers there.',
    });
    other.close();
  });
});

describe('a program whose box lost its power', () => {
  test('is found and ended at the next start, and nobody else’s is', async () => {
    bench.install('cloudflared', 'quick();');
    const script = fileURLToPath(new URL('./owner-process.ts', import.meta.url));
    const start = async (owner: string) => {
      const child = spawn(BUN, [script, owner, bench.programs, bench.home], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const lines = createInterface({ input: child.stdout });
      const pid = await new Promise<number>((resolve) => lines.once('line', (line) => resolve(Number(line))));
      return { child, pid };
    };
    const mine = await start(bench.data);
    const other = await start(`${bench.data}-of-somebody-else`);
    try {
      for (const { child } of [mine, other]) {
        await new Promise((resolve) => {
          child.once('exit', resolve);
          child.kill('SIGKILL');
        });
      }
      expect([mine, other].map(({ pid }) => isAlive(pid))).toEqual([true, true]);
      await bench.set({ mode: 'none' });
      await bench.tunnel.start(bench.port);
      await until(() => expect(isAlive(mine.pid)).toBe(false));
      expect(isAlive(other.pid)).toBe(true);
    } finally {
      process.kill(other.pid, 'SIGKILL');
    }
  });
});

describe('settings', () => {
  test.each([
    [{ mode: 'manual' }, 'url'],
    [{ mode: 'ssh' }, 'ssh_host'],
    [{ mode: 'cloudflared', cloudflared_token: 'x' }, 'url'],
    [{ mode: 'hub', hub_url: 'https://hub.example', hub_box: 'kiosk' }, 'hub_token'],
  ] as const)('%j lack %s', async (input, field) => {
    await expect(bench.set(input)).rejects.toMatchObject({
      code: 'invalid',
      fields: { [field]: expect.any(String) },
    });
    expect((await viewTunnelSettings(bench.db)).mode).toBe('none');
  });

  test('keep their tokens sealed, and lose one only when it is taken away', async () => {
    await bench.set({ mode: 'hub', hub_url: 'https://hub.example', hub_box: 'kiosk', hub_token: 'tok-en' });
    await bench.set({ hub_box: 'shop' });
    const row = await bench.db
      .selectFrom('settings')
      .select('value')
      .where('key', '=', 'tunnel')
      .executeTakeFirst();
    expect(row?.value).not.toContain('tok-en');
    const stored = JSON.parse(row!.value) as { hub_token_sealed: string; hub_box: string };
    expect([vault.open(stored.hub_token_sealed), stored.hub_box]).toEqual(['tok-en', 'shop']);
    await expect(bench.set({ hub_token: null })).rejects.toMatchObject({ code: 'invalid' });
    await bench.set({ mode: 'none', hub_token: null });
    expect(await viewTunnelSettings(bench.db)).toMatchObject({ mode: 'none', has_hub_token: false });
  });
});
