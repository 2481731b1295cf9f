// Starts the compiled binary in an empty folder, and ends it.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The build of this machine, unless KARIBU_E2E_BINARY names another one to hold to the same tests. */
export const BINARY =
  process.env.KARIBU_E2E_BINARY ?? fileURLToPath(new URL('../../../dist/karibu', import.meta.url));

/** What the ready line says: `host:port` of every listener. */
export interface Addresses {
  admin: string;
  portal: string;
  callback: string;
  radius_auth: string;
  radius_acct: string;
}

const LISTENERS = ['admin', 'portal', 'callback', 'radius_auth', 'radius_acct'] as const;
const START_MS = 20_000;

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface Karibu extends Addresses {
  readonly pid: number;
  /** The empty folder it was started in; its data lies in `data` below. */
  readonly folder: string;
  /** Everything it wrote so far, on both streams. */
  output(): string;
  isRunning(): boolean;
  /** Asks it to stop, as systemd does. */
  stop(): Promise<Ended>;
  /** Pulls the plug. */
  kill9(): Promise<Ended>;
  /** Starts it again on the same folder and the same addresses. */
  restart(): Promise<void>;
  /** Ends it if it runs, and removes its folder. */
  remove(): Promise<void>;
}

interface Running {
  child: ChildProcess;
  addresses: Addresses;
  ended: Promise<Ended>;
  output(): string;
}

function clean(environment: Record<string, string>): Record<string, string> {
  return { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...environment };
}

/** Spawns the binary; resolves at its ready line, rejects with what it said when it ends before that. */
async function launch(folder: string, environment: Record<string, string>): Promise<Running> {
  if (!existsSync(BINARY)) throw new Error(`${BINARY} is missing: node scripts/build.mjs`);
  const child = spawn(BINARY, ['serve'], { cwd: folder, env: clean(environment) });
  let output = '';
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`Karibu was not ready after ${START_MS} ms:\n${output}`));
    }, START_MS);
    const look = () => {
      const ready = output.split('\n').find((line) => line.includes('"msg":"ready"') && line.endsWith('}'));
      if (!ready) return;
      clearTimeout(timer);
      resolve({ child, addresses: JSON.parse(ready) as Addresses, ended, output: () => output });
    };
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk;
      look();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      output += chunk;
    });
    child.once('error', reject);
    ended.then(({ code, signal }) => {
      clearTimeout(timer);
      reject(new Error(`Karibu ended (${code ?? signal}) before it was ready:\n${output}`));
    });
  });
}

const ANY_PORT = Object.fromEntries(
  LISTENERS.map((name) => [`KARIBU_${name.toUpperCase()}_LISTEN`, '127.0.0.1:0']),
);

function fixed(addresses: Addresses): Record<string, string> {
  return Object.fromEntries(
    LISTENERS.map((name) => [`KARIBU_${name.toUpperCase()}_LISTEN`, addresses[name]]),
  );
}

/** Starts Karibu in a new empty folder on free ports of 127.0.0.1. */
export async function startKaribu(environment: Record<string, string> = {}): Promise<Karibu> {
  const folder = mkdtempSync(path.join(tmpdir(), 'karibu-e2e-'));
  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  let running = await launch(folder, { ...ANY_PORT, ...environment }).catch((error: unknown) => {
    removeFolder();
    throw error;
  });
  const { addresses } = running;
  let said = '';

  async function end(signal: NodeJS.Signals): Promise<Ended> {
    running.child.kill(signal);
    return running.ended;
  }
  const isRunning = () => running.child.exitCode === null && running.child.signalCode === null;

  return {
    ...addresses,
    folder,
    get pid() {
      return running.child.pid as number;
    },
    output: () => said + running.output(),
    isRunning,
    stop: () => end('SIGTERM'),
    kill9: () => end('SIGKILL'),
    async restart() {
      said += running.output();
      running = await launch(folder, { ...environment, ...fixed(addresses) });
    },
    async remove() {
      if (isRunning()) await end('SIGKILL');
      removeFolder();
    },
  };
}

export interface CommandAnswer extends Ended {
  stdout: string;
  stderr: string;
}

/** Runs one command of the binary to its end. */
export function runKaribu(
  args: string[],
  {
    input = '',
    environment = {},
    cwd = tmpdir(),
  }: {
    input?: string;
    environment?: Record<string, string>;
    cwd?: string;
  } = {},
): Promise<CommandAnswer> {
  return new Promise((resolve, reject) => {
    const child = spawn(BINARY, args, { cwd, env: clean(environment) });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk;
    });
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    // A command that never reads its input may have closed it already.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}
