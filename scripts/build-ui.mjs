// Bundles the admin and portal pages for the browser into dist/ui.
import { copyFile, mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

// The admin page runs in an ordinary browser; the portal also in the old WebViews that open captive portals.
// Scripts are lowered by language year: esbuild refuses destructuring for the Safari versions that half support it.
const PAGES = [
  {
    name: 'admin',
    script: 'ui/admin/main.ts',
    style: 'ui/admin/admin.css',
    scriptTarget: 'es2020',
    styleTarget: ['chrome90', 'safari15', 'firefox90'],
    files: { 'ui/admin/index.html': 'admin.html', 'ui/admin/admin-icon.svg': 'admin-icon.svg' },
  },
  {
    name: 'portal',
    script: 'ui/portal/portal.ts',
    style: 'ui/portal/portal.css',
    scriptTarget: 'es2018',
    styleTarget: ['chrome66', 'safari12', 'firefox68'],
    files: {},
  },
];

async function buildPage(page, outdir, minify) {
  const shared = { absWorkingDir: root, bundle: true, minify, outdir, logLimit: 10 };
  await build({
    ...shared,
    entryPoints: { [page.name]: page.script },
    format: 'iife',
    target: page.scriptTarget,
    sourcemap: minify ? false : 'linked',
    charset: 'utf8',
    legalComments: 'none',
  });
  await build({ ...shared, entryPoints: { [page.name]: page.style }, target: page.styleTarget });
  for (const [from, to] of Object.entries(page.files)) await copyFile(join(root, from), join(outdir, to));
  return [`${page.name}.js`, `${page.name}.css`, ...Object.values(page.files)];
}

/**
 * Writes admin.js, admin.css, admin.html, admin-icon.svg, portal.js and portal.css to `outdir`. Answers the files with
 * their sizes in octets. Throws what esbuild reports, with the place in the source.
 */
export async function buildUi({ outdir = join(root, 'dist/ui'), minify = true } = {}) {
  await mkdir(outdir, { recursive: true });
  const names = (await Promise.all(PAGES.map((page) => buildPage(page, outdir, minify)))).flat();
  return Promise.all(names.map(async (name) => ({ name, octets: (await stat(join(outdir, name))).size })));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = await buildUi({ minify: !process.argv.includes('--readable') });
  for (const { name, octets } of files) console.log(`dist/ui/${name} ${(octets / 1000).toFixed(1)} KB`);
}
