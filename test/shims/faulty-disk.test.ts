// What the shim does to a program that writes: Node, whose node:fs calls libc for everything.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { buildFaultyDisk, onFaultyDisk } from './build.ts';

const shim = buildFaultyDisk();
const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'karibu-shim-')));
const control = path.join(folder, 'control');
const disk = path.join(folder, 'disk');
afterAll(() => rmSync(folder, { recursive: true }));

/** Tries each way to change something in the folder and prints what came of it. */
const PROGRAM = `
import * as fs from 'node:fs';
const [, , disk, control, mode] = process.argv;
const said = {};
const attempt = (name, what) => { try { what(); said[name] = 'ok'; } catch (error) { said[name] = error.code; } };
fs.mkdirSync(disk, { recursive: true });
const file = fs.openSync(disk + '/file', 'w+');
fs.writeSync(file, 'hello');
fs.writeFileSync(control, mode);
attempt('write', () => fs.writeSync(file, 'more'));
attempt('pwrite', () => fs.writeSync(file, 'more', 0));
attempt('writev', () => fs.writevSync(file, [Buffer.from('a')]));
attempt('grow', () => fs.ftruncateSync(file, 100000));
attempt('shrink', () => fs.ftruncateSync(file, 1));
attempt('fsync', () => fs.fsyncSync(file));
attempt('fdatasync', () => fs.fdatasyncSync(file));
attempt('open for reading', () => fs.closeSync(fs.openSync(disk + '/file', 'r')));
attempt('open for writing', () => fs.closeSync(fs.openSync(disk + '/file', 'r+')));
attempt('make', () => fs.closeSync(fs.openSync(disk + '/made-' + mode, 'w')));
attempt('mkdir', () => fs.mkdirSync(disk + '/folder-' + mode));
attempt('rename', () => fs.renameSync(disk + '/file', disk + '/renamed'));
attempt('access', () => fs.accessSync(disk, fs.constants.W_OK));
attempt('elsewhere', () => fs.writeFileSync(control + '.other', 'x'));
const { bavail, bsize } = fs.statfsSync(disk);
const began = Date.now();
try { fs.fsyncSync(file); } catch (error) { said.last = error.code; }
console.log(JSON.stringify({ ...said, free: bavail * bsize <= 200e6 ? (bavail === 0 ? 'none' : 'little') : 'enough', ms: Date.now() - began }));
`;

function run(mode: string, flushMs = 0) {
  rmSync(control, { force: true });
  rmSync(disk, { recursive: true, force: true });
  const program = path.join(folder, 'program.mjs');
  writeFileSync(program, PROGRAM);
  const { stdout, stderr } = spawnSync('node', [program, disk, control, mode], {
    env: { PATH: process.env.PATH, ...onFaultyDisk(shim as string, { path: disk, control, flushMs }) },
    encoding: 'utf8',
  });
  if (!stdout) throw new Error(stderr);
  return JSON.parse(stdout) as Record<string, string> & { ms: number };
}

const WELL = {
  write: 'ok',
  pwrite: 'ok',
  writev: 'ok',
  grow: 'ok',
  shrink: 'ok',
  fsync: 'ok',
  fdatasync: 'ok',
  'open for reading': 'ok',
  'open for writing': 'ok',
  make: 'ok',
  mkdir: 'ok',
  rename: 'ok',
  access: 'ok',
  elsewhere: 'ok',
  free: 'enough',
};

describe.runIf(shim)('the faulty disk', () => {
  it('is well without a word in its control file', () => {
    expect(run('')).toMatchObject(WELL);
  });

  it('refuses what takes space when it is full, and says that none is free', () => {
    const refused = Object.fromEntries(
      ['write', 'pwrite', 'writev', 'grow', 'make', 'mkdir'].map((name) => [name, 'ENOSPC']),
    );
    expect(run('full')).toMatchObject({ ...WELL, ...refused, free: 'none' });
  });

  it('says that little is free when it is low', () => {
    expect(run('low')).toMatchObject({ ...WELL, free: 'little' });
  });

  it('refuses every change, not reads, when it is read-only', () => {
    const changes = ['write', 'pwrite', 'writev', 'grow', 'shrink', 'open for writing', 'make', 'mkdir'];
    const refused = Object.fromEntries([...changes, 'rename', 'access'].map((name) => [name, 'EROFS']));
    expect(run('readonly')).toMatchObject({ ...WELL, ...refused });
  });

  it('fails flushes when it is broken', () => {
    expect(run('broken')).toMatchObject({ ...WELL, fsync: 'EIO', fdatasync: 'EIO', last: 'EIO' });
  });

  it('takes at least as long to flush as it was told', () => {
    expect(run('', 30).ms).toBeGreaterThanOrEqual(29);
  });
});
