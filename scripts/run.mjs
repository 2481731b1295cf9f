// Runs other programs for the scripts.
import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Where `npm ci` put Bun; on every system Bun's installer calls it bun.exe. */
export const bun = path.join(root, 'node_modules', 'bun', 'bin', 'bun.exe');

/** Runs to the end in silence: `{ ok, output }`, with both streams in `output`. */
export function quietly(command, args, options = {}) {
  const done = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  });
  const said = `${done.stdout ?? ''}${done.stderr ?? ''}`;
  return { ok: done.status === 0, output: done.error ? `${said}${done.error.message}` : said };
}

/** True when the program can be found on the PATH. */
export function isInstalled(command) {
  return quietly('sh', ['-c', `command -v "$0"`, command]).ok;
}

const running = new Set();

/** Ends what `loudly` started, with all of its children. */
export function endRunning(signal) {
  for (const child of running) {
    try {
      process.kill(-child.pid, signal);
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  }
}

/** Runs with its output shown; resolves to `{ ok, why }`. Ended with its children after `minutes`. */
export function loudly(command, args, { minutes = 30, env = {} } = {}) {
  return new Promise((resolve) => {
    // A group of its own, so that its workers end with it.
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env },
      detached: true,
    });
    let late = false;
    const limit = setTimeout(() => {
      late = true;
      endRunning('SIGKILL');
    }, minutes * 60_000);
    const finish = (result) => {
      clearTimeout(limit);
      running.delete(child);
      resolve(result);
    };
    running.add(child);
    child.on('error', (error) => finish({ ok: false, why: error.message }));
    child.on('exit', (code, signal) => {
      if (late) finish({ ok: false, why: `not done after ${minutes} minutes` });
      else finish({ ok: code === 0, why: code === 0 ? '' : `ended with ${signal ?? code}` });
    });
  });
}
