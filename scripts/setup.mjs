// Makes node_modules complete for what is about to run.
import './need-node.mjs';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { bun, quietly, root } from './run.mjs';

const modules = path.join(root, 'node_modules');
const npmsRecord = path.join(modules, '.package-lock.json');
const noNative = path.join(modules, '.no-better-sqlite3.json');
const here = `${process.platform} ${process.arch} ABI ${process.versions.modules}`;

function json(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    // Missing and half-written mean the same here: install again.
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function esbuildRuns() {
  return quietly(process.execPath, ['-e', 'require("esbuild").transformSync("1")']).ok;
}

function betterSqliteLoads() {
  return quietly(process.execPath, ['-e', 'new (require("better-sqlite3"))(":memory:").close()']).ok;
}

/** Why compiling better-sqlite3 failed in this very tree and Node, or undefined. */
function nativeFailure() {
  const note = json(noNative);
  return note?.here === here ? note.why : undefined;
}

/** The packages of the lock file. Throws when it was made for another package.json. */
function locked() {
  const asked = json(path.join(root, 'package.json'));
  const { packages } = json(path.join(root, 'package-lock.json'));
  for (const kind of ['dependencies', 'devDependencies'])
    if (!isDeepStrictEqual(asked[kind], packages[''][kind]))
      throw new Error(
        `package-lock.json does not match the ${kind} of package.json: run "npm install" and commit both.`,
      );
  return packages;
}

/**
 * What the tree lacks, or undefined. It looks at the tree itself instead of trusting a note that an earlier run left,
 * so an install that was cut short, by us or by someone else's npm, is never taken for a whole one.
 */
export function lacks(withDev) {
  const wanted = locked();
  const installed = json(npmsRecord)?.packages;
  if (!installed) return 'node_modules is missing or unfinished';
  for (const [place, entry] of Object.entries(wanted)) {
    // Optional ones are mostly for other systems; whether ours came is seen below, when the programs run.
    if (place === '' || entry.optional || (entry.dev && !withDev) || entry.devOptional) continue;
    if (installed[place]?.version !== entry.version)
      return `${place.replace(/^node_modules\//, '')} is not the locked version`;
    if (!existsSync(path.join(root, place, 'package.json'))) return `${place} is gone`;
  }
  if (!quietly(bun, ['--version']).ok) return 'bun does not run';
  if (!esbuildRuns()) return 'esbuild does not run';
  if (withDev && !betterSqliteLoads() && !nativeFailure()) return 'better-sqlite3 is not compiled';
  return undefined;
}

function must(what, command, args, options) {
  const { ok, output } = quietly(command, args, options);
  if (!ok) throw new Error(`${what} failed:\n${output.trim().split('\n').slice(-25).join('\n')}`);
}

/** Node's own headers when they lie beside the node binary, so that compiling needs no download. */
function headers() {
  const prefix = path.resolve(path.dirname(process.execPath), '..');
  return existsSync(path.join(prefix, 'include', 'node', 'node.h')) ? { npm_config_nodedir: prefix } : {};
}

/**
 * Installs the locked packages when something is missing: all of them, or the ones that run and build Karibu.
 * Answers `{ betterSqlite: true | false, why }`; `why` says why there is none. Throws when the install fails.
 */
export function setup({ dev }) {
  const lack = lacks(dev);
  if (lack) {
    console.log(`Installing packages (${lack}) …`);
    rmSync(modules, { recursive: true, force: true });
    // Not `npm ci`: it refuses a lock file that lacks an optional package for another system, which is what npm
    // writes when a registry does not have that one (npm issue 9846). `--no-save` leaves the lock file alone too,
    // and `lacks` compares every version with it afterwards.
    // Packages run no scripts of their own; the three that need one get it below, each with its failure told apart.
    must('npm install', 'npm', [
      'install',
      '--no-save',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--include=optional',
      dev ? '--include=dev' : '--omit=dev',
    ]);
    must("bun's install", process.execPath, ['install.js'], { cwd: path.join(modules, 'bun') });
    must("esbuild's install", process.execPath, ['install.js'], { cwd: path.join(modules, 'esbuild') });
    if (dev) compileBetterSqlite();
    const still = lacks(dev);
    if (still) throw new Error(`Packages were installed, but ${still}. Remove node_modules and try again.`);
  }
  const why = dev ? nativeFailure() : 'not needed here';
  return { betterSqlite: why === undefined, why };
}

function compileBetterSqlite() {
  const { ok, output } = quietly(
    'npm',
    ['rebuild', 'better-sqlite3', '--ignore-scripts=false', '--foreground-scripts'],
    {
      env: { ...process.env, ...headers() },
    },
  );
  if (ok && betterSqliteLoads()) return;
  const lines = output.split('\n').filter((line) => /\berror\b|ERR!|not found/i.test(line));
  const why = (lines[0] ?? 'it compiled, but does not load').trim().slice(0, 200);
  writeFileSync(noNative, JSON.stringify({ here, why }));
}
