// Runs MariaDB in a folder of its own, as the database of a peer.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

const SERVER = '/usr/sbin/mariadbd';
const INSTALL = '/usr/bin/mariadb-install-db';
const CLIENT = '/usr/bin/mariadb';
/** How FreeRADIUS speaks to it: Debian package freeradius-mysql. */
const DRIVER = '/usr/lib/freeradius/rlm_sql_mysql.so';

export function hasMariadb(): boolean {
  return [SERVER, INSTALL, CLIENT, DRIVER].every((file) => existsSync(file));
}

export interface Mariadb {
  /** Runs statements; throws with what the server said. */
  run(sql: string, database?: string): void;
  cpuMicros(): number;
  stop(): Promise<void>;
}

/** Starts it on loopback with its own settings: each commit is flushed. */
export async function startMariadb(
  folder: string,
  port: number,
  cpuOf: (child: ChildProcess) => number,
): Promise<Mariadb> {
  mkdirSync(folder, { recursive: true });
  const data = join(folder, 'data');
  const socket = join(folder, 'sock');
  const installed = spawnSync(
    INSTALL,
    ['--no-defaults', `--datadir=${data}`, '--user=root', '--auth-root-authentication-method=normal'],
    { encoding: 'utf8' },
  );
  if (installed.status !== 0) throw new Error(`MariaDB made no data folder: ${installed.stderr}`);
  const child = spawn(
    SERVER,
    [
      '--no-defaults',
      `--datadir=${data}`,
      `--socket=${socket}`,
      '--bind-address=127.0.0.1',
      `--port=${port}`,
      '--user=root',
    ],
    { stdio: 'ignore' },
  );
  const client = (sql: string, database: string[]) =>
    spawnSync(CLIENT, ['--no-defaults', `--socket=${socket}`, '-uroot', ...database], {
      input: sql,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
  const until = performance.now() + 20_000;
  while (client('select 1', []).status !== 0) {
    if (child.exitCode !== null || performance.now() > until) throw new Error('MariaDB did not start');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    run(sql, database) {
      const { status, stderr } = client(sql, database ? [database] : []);
      if (status !== 0) throw new Error(stderr);
    },
    cpuMicros: () => cpuOf(child),
    async stop() {
      if (child.exitCode !== null) return;
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.kill('SIGTERM');
      await gone;
    },
  };
}
