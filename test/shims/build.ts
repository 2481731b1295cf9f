// Compiles the shim that makes a disk faulty.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('faulty-disk.c', import.meta.url));
const FOLDER = path.join(tmpdir(), 'karibu-shims');

function hasCompiler(command: string): boolean {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}

/**
 * Path of the compiled shim, for LD_PRELOAD; its source says what it takes. Undefined, with a plain message, where there
 * is no Linux with glibc or no C compiler.
 */
export function buildFaultyDisk(): string | undefined {
  if (process.platform !== 'linux') {
    console.log('skipped: the faulty disk needs Linux');
    return undefined;
  }
  const compiler = ['cc', 'gcc', 'clang'].find(hasCompiler);
  if (!compiler) {
    console.log('skipped: the faulty disk needs a C compiler (Debian package gcc)');
    return undefined;
  }
  mkdirSync(FOLDER, { recursive: true });
  // Put into place by renaming: another run may be loading the one that is there.
  const draft = mkdtempSync(path.join(FOLDER, 'build-'));
  const out = path.join(FOLDER, 'faulty-disk.so');
  const made = path.join(draft, 'faulty-disk.so');
  const args = ['-O2', '-Wall', '-shared', '-fPIC', '-o', made, SOURCE, '-lpthread'];
  const { status, stderr } = spawnSync(compiler, args, { encoding: 'utf8' });
  if (status !== 0) {
    rmSync(draft, { recursive: true });
    throw new Error(`${compiler} could not build ${SOURCE}:\n${stderr}`);
  }
  renameSync(made, out);
  rmSync(draft, { recursive: true });
  return out;
}

export interface FaultyDisk {
  /** Paths that begin with this are on the faulty disk. */
  path: string;
  /** Milliseconds that each flush takes more. */
  flushMs?: number;
  /** The file that says how the disk is. */
  control?: string;
}

/** The environment that puts a program on a faulty disk. */
export function onFaultyDisk(shim: string, disk: FaultyDisk): Record<string, string> {
  return {
    LD_PRELOAD: shim,
    FAULTY_DISK_PATH: disk.path,
    ...(disk.flushMs ? { FAULTY_DISK_FLUSH_MS: String(disk.flushMs) } : {}),
    ...(disk.control ? { FAULTY_DISK_CONTROL: disk.control } : {}),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(buildFaultyDisk() ?? '');
