// Bundles the admin pages for the browser into dist/ui.
import { copyFile, mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Browsers in the field: Android WebViews of captive portals are the oldest. */
const TARGETS = ['es2020', 'chrome90', 'safari15', 'firefox90'];

/**
 * Writes admin.js, admin.css, admin.html and admin-icon.svg to `outdir`. Answers the files with their sizes in octets.
 * Throws what esbuild reports, with the place in the source.
 */
export async function buildUi({ outdir = join(root, 'dist/ui'), minify = true } = {}) {
  await mkdir(outdir, { recursive: true });
  await build({
    absWorkingDir: root,
    entryPoints: { admin: 'ui/admin/main.ts' },
    outdir,
    bundle: true,
    minify,
    format: 'iife',
    target: TARGETS,
    sourcemap: minify ? false : 'linked',
    charset: 'utf8',
    legalComments: 'none',
    logLimit: 10,
  });
  await build({
    absWorkingDir: root,
    entryPoints: { admin: 'ui/admin/admin.css' },
    outdir,
    bundle: true,
    minify,
    target: TARGETS,
  });
  await copyFile(join(root, 'ui/admin/index.html'), join(outdir, 'admin.html'));
  await copyFile(join(root, 'ui/admin/admin-icon.svg'), join(outdir, 'admin-icon.svg'));
  const names = ['admin.js', 'admin.css', 'admin.html', 'admin-icon.svg'];
  return Promise.all(names.map(async (name) => ({ name, octets: (await stat(join(outdir, name))).size })));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = await buildUi({ minify: !process.argv.includes('--readable') });
  for (const { name, octets } of files) console.log(`dist/ui/${name} ${(octets / 1000).toFixed(1)} KB`);
}
