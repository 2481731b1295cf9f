// The command line of the binary: what it prints, how it ends, what it refuses.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OWNER, send, setUpOwner, signIn } from './support/api.ts';
import { type Karibu, runKaribu, startKaribu } from './support/karibu.ts';

const BUN = fileURLToPath(new URL('../../node_modules/bun/bin/bun.exe', import.meta.url));

let folder: string;
let started: Karibu[] = [];

async function start(): Promise<Karibu> {
  const karibu = await startKaribu();
  started.push(karibu);
  return karibu;
}

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'karibu-cli-'));
});

afterEach(async () => {
  await Promise.all(started.map((karibu) => karibu.remove()));
  started = [];
  rmSync(folder, { recursive: true, force: true });
});

const run = (args: string[], input = '') => runKaribu(args, { input, cwd: folder });

describe('karibu', () => {
  test('version says which build this is', async () => {
    const plain = await run(['version']);
    expect(plain).toMatchObject({ code: 0, stderr: '' });
    expect(plain.stdout).toMatch(/^karibu \d+\.\d+\.\d+/);
    const json = await run(['version', '--json']);
    expect(JSON.parse(json.stdout)).toEqual({ version: plain.stdout.trim().split(' ')[1] });
    expect((await run(['--version'])).stdout).toBe(plain.stdout);
    // Asking leaves nothing behind.
    expect(readdirSync(folder)).toEqual([]);
  });

  test('help lists every command, and so does nothing at all', async () => {
    const help = await run(['help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    for (const command of ['serve', 'migrate', 'account', 'version']) expect(help.stdout).toContain(command);
    expect((await run([])).stdout).toBe(help.stdout);
    const about = await run(['account', '--help']);
    expect(about).toMatchObject({ code: 0 });
    expect(about.stdout).toContain('--password-stdin');
  });

  test.each([
    ['a command it does not know', ['sell'], /no command “sell”/],
    ['a flag it does not know', ['serve', '--fast'], /--fast/],
    ['an account verb it does not know', ['account', 'delete'], /account create/],
  ])('refuses %s with exit code 2', async (_, args, words) => {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(words);
  });

  test('refuses an address that is none with exit code 2', async () => {
    const environment = { KARIBU_ADMIN_LISTEN: 'everywhere' };
    const { code, stderr } = await runKaribu(['serve'], { environment, cwd: folder });
    expect(code).toBe(2);
    expect(stderr).toMatch(/KARIBU_ADMIN_LISTEN[\s\S]*0\.0\.0\.0:8080/);
  });
});

describe('karibu account', () => {
  test('makes an account whose owner can sign in, and resets its password', async () => {
    const karibu = await start();
    const at = (args: string[], input: string) => runKaribu(args, { input, cwd: karibu.folder });
    const { email, password } = OWNER;
    const made = await at(
      ['account', 'create', '--email', email, '--role', 'owner', '--password-stdin'],
      `${password}\n`,
    );
    expect(made).toMatchObject({ code: 0, stderr: '' });
    const api = await signIn(karibu.admin);

    const next = 'tembo na kifaru';
    const reset = await at(['account', 'reset-password', '--email', email, '--password-stdin'], next);
    expect(reset.code).toBe(0);
    // What was signed in is no longer, and the old password is gone.
    expect((await api.send('GET', '/auth/me')).status).toBe(401);
    await expect(signIn(karibu.admin)).rejects.toThrow(/401/);
    const login = await send('POST', `http://${karibu.admin}/api/v1/auth/login`, {
      body: { email, password: next },
    });
    expect(login.status).toBe(200);

    const twice = await at(['account', 'create', '--email', email, '--password-stdin'], password);
    expect(twice.code).toBe(1);
    const short = await at(['account', 'create', '--email', 'b@example.com', '--password-stdin'], 'short');
    expect(short.code).toBe(2);
    const unknown = await at(
      ['account', 'reset-password', '--email', 'c@example.com', '--password-stdin'],
      next,
    );
    expect(unknown.code).toBe(1);
    for (const { stderr } of [twice, short, unknown]) expect(stderr).toMatch(/^karibu: /);
    const { items } = (await adminOf(karibu.admin, next).then((get) => get('/audit'))) as {
      items: { action: string; actor: string }[];
    };
    expect(items.map(({ action, actor }) => `${actor}: ${action}`)).toEqual(
      expect.arrayContaining(['command line: create', 'command line: reset password']),
    );
  });

  test('asks for the password on standard input', async () => {
    const { code, stderr } = await run(['account', 'create', '--email', OWNER.email]);
    expect(code).toBe(2);
    expect(stderr).toContain('--password-stdin');
  });
});

async function adminOf(admin: string, password: string) {
  const body = { email: OWNER.email, password };
  const { body: login } = await send<{ token: string }>('POST', `http://${admin}/api/v1/auth/login`, {
    body,
  });
  return async (route: string) =>
    (
      await send('GET', `http://${admin}/api/v1${route}`, {
        headers: { authorization: `Bearer ${login.token}` },
      })
    ).body;
}

describe('karibu migrate', () => {
  test('brings an empty folder to this version, once', async () => {
    const first = await run(['migrate', '--json']);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    const { applied } = JSON.parse(first.stdout) as { applied: string[] };
    expect(applied.length).toBeGreaterThan(0);
    expect([...applied].sort()).toEqual(applied);
    expect(JSON.parse((await run(['migrate', '--json'])).stdout)).toEqual({ applied: [] });
    expect(existsSync(path.join(folder, 'data', 'karibu.db'))).toBe(true);
  });

  test('refuses a database that a newer version wrote, and leaves it alone', async () => {
    expect((await run(['migrate'])).code).toBe(0);
    const file = path.join(folder, 'data', 'karibu.db');
    const sql = `insert into kysely_migration (name, timestamp) values ('9999-from-the-future', '2030')`;
    execFileSync(BUN, [
      '-e',
      `new (require('bun:sqlite').Database)(process.argv[1]).run(process.argv[2])`,
      file,
      sql,
    ]);
    for (const args of [
      ['migrate'],
      ['serve'],
      ['account', 'create', '--email', 'a@example.com', '--password-stdin'],
    ]) {
      const refused = await run(args, OWNER.password);
      expect(refused).toMatchObject({ code: 1, stdout: '' });
      expect(refused.stderr).toMatch(/newer Karibu[\s\S]*9999-from-the-future/);
      expect(refused.stderr).toMatch(/Install the newer version/);
    }
  });
});

describe('karibu serve', () => {
  test('starts in an empty folder, is ready with one JSON line, and stops cleanly at SIGTERM', async () => {
    const karibu = await start();
    expect(readdirSync(karibu.folder)).toEqual(['data']);
    const key = path.join(karibu.folder, 'data', 'karibu.key');
    expect((statSync(key).mode & 0o777).toString(8)).toBe('600');
    const lines = karibu.output().trim().split('\n');
    for (const line of lines) expect(JSON.parse(line)).toHaveProperty('msg');
    for (const door of [karibu.admin, karibu.portal, karibu.callback]) {
      expect((await send('GET', `http://${door}/healthz`)).status).toBe(200);
    }
    await setUpOwner(karibu.admin);
    expect(await karibu.stop()).toEqual({ code: 0, signal: null });
    expect(karibu.output()).not.toMatch(/"level":"(error|warn)"/);
    await karibu.restart();
    await signIn(karibu.admin);
  });

  test('stops at SIGTERM although a browser listens to its events', async () => {
    const karibu = await start();
    const api = await setUpOwner(karibu.admin);
    const stream = await fetch(`http://${karibu.admin}/api/v1/events`, {
      headers: { authorization: `Bearer ${api.token}` },
    });
    expect(stream.headers.get('content-type')).toContain('text/event-stream');
    const drained = stream.text().catch(() => 'cut');
    expect(await karibu.stop()).toEqual({ code: 0, signal: null });
    await drained;
  });

  test.each(['admin', 'portal', 'callback', 'radius_auth', 'radius_acct'] as const)(
    'says what to do when %s’s port is taken, and ends with 1',
    async (name) => {
      const first = await start();
      const variable = `KARIBU_${name.toUpperCase()}_LISTEN`;
      const environment = Object.fromEntries(
        ['ADMIN', 'PORTAL', 'CALLBACK', 'RADIUS_AUTH', 'RADIUS_ACCT'].map((door) => [
          `KARIBU_${door}_LISTEN`,
          '127.0.0.1:0',
        ]),
      );
      environment[variable] = first[name];
      const second = await runKaribu(['serve'], { environment, cwd: folder });
      expect(second.code).toBe(1);
      expect(second.stderr).toContain(first[name]);
      expect(second.stderr).toMatch(/already|KARIBU_/);
      expect(second.stderr).not.toMatch(/\n {4}at /);
      expect(first.isRunning()).toBe(true);
    },
  );
});
