// A short run of the lives: the server lets guests do what the rules say, at each step.
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = path.join(import.meta.dirname, '../..');
const bun = path.join(root, 'node_modules/.bin/bun');

test('thirty guests may do at each step of their lives what the rules say', async () => {
  const args = [path.join(import.meta.dirname, 'lives.ts'), '--lives', '30', '--seed', '3606'];
  const { stdout } = await promisify(execFile)(bun, args, { cwd: root });
  expect(stdout).toContain('lives   30 of');
  expect(stdout.trimEnd().endsWith('\nok')).toBe(true);
}, 60_000);
