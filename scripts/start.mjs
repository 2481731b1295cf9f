// Shows Karibu to a newcomer: installs and builds what is missing, then runs the demo.
import './need-node.mjs';
import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build } from './build.mjs';
import { root } from './run.mjs';
import { setup } from './setup.mjs';

const binary = path.join(root, 'dist', 'karibu');
const SOURCES = ['src', 'ui', 'migrations', 'rsc-templates', 'scripts', 'package.json', 'package-lock.json'];

/** The time of the newest change under a file or folder, a removed file included; 0 when there is none. */
function newest(place) {
  const stats = statSync(place, { throwIfNoEntry: false });
  if (!stats) return 0;
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(stats.mtimeMs, ...readdirSync(place).map((name) => newest(path.join(place, name))));
}

function isCurrent() {
  const built = newest(binary);
  return built > 0 && SOURCES.every((place) => newest(path.join(root, place)) <= built);
}

try {
  setup({ dev: false });
  if (!isCurrent()) await build();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}

const demo = spawn(binary, ['demo', ...process.argv.slice(2)], { stdio: 'inherit' });

// Ctrl-C at a terminal reaches the demo by itself; it closes its books and this script waits for that.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) demo.kill(signal);
  });
demo.on('error', (error) => {
  console.error(`The demo did not start: ${error.message}`);
  process.exit(1);
});
demo.on('exit', (code, signal) => process.exit(code ?? 128 + (os.constants.signals[signal] ?? 0)));
