// Builds the executable: `node scripts/build.mjs` for this machine, `--all` for every target in packaging/targets.json.
import './need-node.mjs';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { bun, quietly, root } from './run.mjs';
import { setup } from './setup.mjs';

const dist = path.join(root, 'dist');
const cache = path.join(dist, '.cache');
const EMBEDDED = ['dist/ui', 'rsc-templates'];
/** Loaded under Node only; the executable has Bun's own. */
const NODE_ONLY = ['better-sqlite3', 'hash-wasm'];

function json(name) {
  return JSON.parse(readFileSync(path.join(root, name), 'utf8'));
}

/** `0.1.0+1a2b3c4`, `0.1.0+1a2b3c4.modified`, or `0.1.0` where there is no git. */
function versionText() {
  const { version } = json('package.json');
  const commit = quietly('git', ['rev-parse', '--short=7', 'HEAD']);
  if (!commit.ok) return version;
  const changes = quietly('git', ['status', '--porcelain']);
  return `${version}+${commit.output.trim()}${changes.output.trim() === '' ? '' : '.modified'}`;
}

function must(what, command, args, options) {
  const { ok, output } = quietly(command, args, options);
  if (!ok) throw new Error(`${what} failed:\n${output.trim()}`);
  return output;
}

/** Bun's runtime for another system, from its npm package, checked against the lock file and kept in dist/.cache. */
function runtime(name) {
  const { version, integrity } = json('package-lock.json').packages[`node_modules/${name}`];
  const folder = path.join(cache, `${path.basename(name)}-${version}`);
  const kept = path.join(folder, 'bun');
  if (existsSync(kept)) return kept;
  console.log(`  fetching ${name} ${version}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const printed = must(`npm pack ${name}`, 'npm', ['pack', '--silent', `${name}@${version}`], {
    cwd: folder,
  });
  const archive = path.join(folder, path.basename(printed.trim().split('\n').at(-1)));
  const [algorithm, expected] = integrity.split('-');
  const actual = createHash(algorithm).update(readFileSync(archive)).digest('base64');
  if (actual !== expected) throw new Error(`${name} ${version} is not what package-lock.json describes.`);
  must('tar', 'tar', ['-xzf', archive, '-C', folder, 'package/bin/bun']);
  rmSync(archive);
  // Last, and by renaming: a kept runtime is always a whole one.
  renameSync(path.join(folder, 'package', 'bin', 'bun'), kept);
  return kept;
}

function compile(file, version, crossing) {
  const out = path.join(dist, file);
  // A running executable cannot be written to, but it can be replaced.
  const fresh = path.join(cache, file);
  const began = Date.now();
  must(`Compiling ${file}`, bun, [
    'build',
    '--compile',
    '--minify',
    '--sourcemap',
    // Parsing ahead of time more than halves the time to start, for 5 MB; top-level await needs the format.
    '--bytecode',
    '--format=esm',
    // What lies in the folder that it is started in must not change what it does.
    '--no-compile-autoload-dotenv',
    '--no-compile-autoload-bunfig',
    ...NODE_ONLY.flatMap((name) => ['--external', name]),
    ...EMBEDDED.filter((folder) => existsSync(path.join(root, folder))).map((folder) => `--asset=${folder}`),
    '--define',
    `KARIBU_VERSION=${JSON.stringify(version)}`,
    ...(crossing ? [`--target=${crossing.bun}`, `--compile-executable-path=${crossing.runtime}`] : []),
    'src/main.ts',
    // The second entry point: what the worker thread runs.
    'src/heavy/worker.ts',
    '--outfile',
    fresh,
  ]);
  renameSync(fresh, out);
  // The executable carries its source map inside.
  for (const map of [`${fresh}.map`, path.join(cache, 'worker.js.map')]) rmSync(map, { force: true });
  const megabytes = (statSync(out).size / 1e6).toFixed(1);
  console.log(`  dist/${file}  ${megabytes} MB  ${((Date.now() - began) / 1000).toFixed(1)} s`);
}

/** Builds the UI into dist/ui, then dist/karibu or every target. Throws with the compiler's own words. */
export async function build({ all = false } = {}) {
  mkdirSync(cache, { recursive: true });
  const version = versionText();
  console.log(`Building Karibu ${version} …`);
  const { buildUi } = await import('./build-ui.mjs');
  await buildUi({ outdir: path.join(dist, 'ui'), minify: true });
  if (!all) return compile('karibu', version);
  const { targets } = json('packaging/targets.json');
  for (const target of targets) {
    compile(target.file, version, { bun: target.bun, runtime: runtime(target.package) });
  }
  const sums = targets.map(({ file }) => {
    const sum = createHash('sha256')
      .update(readFileSync(path.join(dist, file)))
      .digest('hex');
    return `${sum}  ${file}\n`;
  });
  writeFileSync(path.join(dist, 'SHA256SUMS'), sums.join(''));
  console.log('  dist/SHA256SUMS');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    setup({ dev: false });
    await build({ all: process.argv.includes('--all') });
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}
