// A short run of the RADIUS fuzz: the codec and a running server, with each setting for Message-Authenticator.
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = path.join(import.meta.dirname, '../..');
const bun = path.join(root, 'node_modules/.bin/bun');

test('ten thousand mutated packets bring no crash, no answer to the unauthentic, no Accept without right', async () => {
  const args = [path.join(import.meta.dirname, 'radius-fuzz.ts')];
  args.push('--packets', '10000', '--server', '3000', '--seed', '3576');
  const { stdout } = await promisify(execFile)(bun, args, { cwd: root });
  for (const setting of ['yes', 'auto', 'no']) expect(stdout).toContain(`server  ${setting}: 3000 packets`);
  expect(stdout.trimEnd().endsWith('\nok')).toBe(true);
}, 60_000);
