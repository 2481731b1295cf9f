// A PostgreSQL cluster of its own for one test run.

import { randomBytes } from 'node:crypto';
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { isInstalled, quietly } from './run.mjs';

/** Debian keeps the server's programs off the PATH, one folder a version. */
function programs() {
  const debian = '/usr/lib/postgresql';
  try {
    const versions = readdirSync(debian).sort((a, b) => Number(b) - Number(a));
    for (const version of versions) {
      const folder = path.join(debian, version, 'bin');
      if (readdirSync(folder).includes('initdb')) return folder;
    }
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  const asked = quietly('pg_config', ['--bindir']);
  return asked.ok && isInstalled(path.join(asked.output.trim(), 'initdb')) ? asked.output.trim() : undefined;
}

export function isPostgresInstalled() {
  return programs() !== undefined;
}

/** False when there is no such process. */
function signal(pid, name) {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if (error.code === 'ESRCH') return false;
    throw error;
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/**
 * Starts a cluster on a free loopback port: `{ url, halt, kill9, resume, stop }`. `halt` ends the server as a crash would,
 * `kill9` kills all of its processes; `resume` starts it again on the same data and port. `stop` is synchronous, so that
 * an exit handler can call it, and leaves nothing behind. Throws with the server's own words when it does not come up.
 */
export async function startPostgres() {
  const bin = programs();
  const folder = mkdtempSync(path.join(os.tmpdir(), 'karibu-postgres-'));
  const password = randomBytes(18).toString('hex');
  // The server refuses to run as root.
  let asOwner = (command, args) => quietly(command, args, { cwd: folder });
  if (process.getuid() === 0) {
    const id = (which) => Number(quietly('id', [which, 'postgres']).output);
    chownSync(folder, id('-u'), id('-g'));
    asOwner = (command, args) =>
      quietly('runuser', ['-u', 'postgres', '--', command, ...args], { cwd: folder });
  }
  const data = path.join(folder, 'data');
  const logFile = path.join(folder, 'log');
  const halt = () => asOwner(path.join(bin, 'pg_ctl'), ['stop', '-D', data, '-m', 'immediate', '-w']);
  const kill9 = async () => {
    const [postmaster] = readFileSync(path.join(data, 'postmaster.pid'), 'utf8').split('\n');
    const children = readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8').split(' ');
    // The postmaster first, which would start others.
    const pids = [postmaster, ...children].map(Number).filter((pid) => pid > 0);
    for (const pid of pids) signal(pid, 'SIGKILL');
    // Its lock holds until nobody has its number any more.
    while (pids.some((pid) => signal(pid, 0))) await setTimeout(10);
  };
  const stop = () => {
    halt();
    rmSync(folder, { recursive: true, force: true });
  };
  const must = (what, result) => {
    if (result.ok) return;
    const log = quietly('tail', ['-n', '15', logFile]);
    stop();
    throw new Error(`${what} failed: ${result.output.trim()}\n${log.ok ? log.output : ''}`);
  };
  const passwordFile = path.join(folder, 'password');
  // initdb reads it before anyone else may enter the folder, which is its owner's alone.
  writeFileSync(passwordFile, password);
  must(
    'initdb',
    asOwner(path.join(bin, 'initdb'), [
      ...['-D', data, '-U', 'karibu', '-E', 'UTF8', '--locale=C', '-A', 'scram-sha-256', '--no-sync'],
      `--pwfile=${passwordFile}`,
    ]),
  );
  const port = await freePort();
  // Losing power loses only this run, so nothing waits for the disk.
  const options = `-c listen_addresses=127.0.0.1 -c port=${port} -c unix_socket_directories= -c fsync=off -c max_connections=200`;
  const resume = () =>
    must(
      'PostgreSQL',
      asOwner(path.join(bin, 'pg_ctl'), ['start', '-D', data, '-l', logFile, '-w', '-o', options]),
    );
  resume();
  return { url: `postgres://karibu:${password}@127.0.0.1:${port}/postgres`, halt, kill9, resume, stop };
}
