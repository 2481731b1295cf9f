// The command line: exit codes, help, one JSON value on stdout.
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { runCommand } from '../../src/commands/index.ts';
import { storeFolder, temporaryFolder } from './store-folder.ts';

const QUIET_PORTS = Object.fromEntries(
  ['ADMIN', 'PORTAL', 'CALLBACK', 'RADIUS_AUTH', 'RADIUS_ACCT'].map((door) => [
    `KARIBU_${door}_LISTEN`,
    '127.0.0.1:0',
  ]),
);

describe('karibu', () => {
  let stdout = '';
  let stderr = '';
  beforeEach(() => {
    stdout = '';
    stderr = '';
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      stdout += text;
      return true;
    });
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      stderr += text;
      return true;
    });
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });
  const run = (...argv: string[]) => runCommand(argv, QUIET_PORTS);

  test.each(['demo', 'backup', 'restore', 'doctor'])(
    '%s is listed, and says how it is used',
    async (name) => {
      expect(await run('help')).toBe(0);
      expect(stdout).toContain(`  ${name} `);
      stdout = '';
      expect(await run(name, '--help')).toBe(0);
      expect(stdout).toContain(`Usage: karibu ${name}`);
    },
  );

  test('backup prints what it wrote as JSON, restore takes it, doctor agrees', async () => {
    const { data_dir } = await storeFolder();
    const to = join(temporaryFolder(), 'b.tar');
    expect(await run('backup', '--with-key', '--to', to, '--data', data_dir, '--json')).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ file: to, has_key: true, warning: expect.any(String) });

    const other = temporaryFolder();
    stdout = '';
    expect(await run('restore', to, '--data', other, '--json')).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ key: 'restored', database: join(other, 'karibu.db') });

    stdout = '';
    expect(await run('doctor', '--data', other, '--json')).toBe(0);
    const { ok, checks } = JSON.parse(stdout);
    expect(ok).toBe(true);
    expect(checks).toContainEqual({ check: 'sealed values', state: 'ok', message: 'the key opens them' });
  });

  test('what fails exits with 1 and says why on stderr, and still prints its JSON', async () => {
    const nowhere = join(temporaryFolder(), 'nowhere');
    expect(await run('doctor', '--data', nowhere, '--json')).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false });
    expect(stderr).toContain('One check failed');
    expect(await run('backup', '--data', nowhere)).toBe(1);
    expect(stderr).toContain('no database');
    expect(await run('restore', join(nowhere, 'b.tar'), '--data', nowhere)).toBe(1);
    expect(stderr).toContain('There is no file');
  });

  test('what is not understood exits with 2', async () => {
    expect(await run('restore')).toBe(2);
    expect(await run('doctor', '--loud')).toBe(2);
    expect(await run('fly')).toBe(2);
  });
});
