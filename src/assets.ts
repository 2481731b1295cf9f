// Reads the files that the binary carries inside itself.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { AppError } from './errors.ts';

/** The folder and the plain file name: `ui/admin.js`, `rsc-templates/hotspot.rsc`. */
export type AssetName = `${AssetFolder}/${string}`;
export type AssetFolder = 'ui' | 'rsc-templates';

// Bun serves embedded files under a virtual root, each embedded folder by its own last name
// (bun build --asset, Bun 1.4).
const compiled = import.meta.url.startsWith('file:///$bunfs/');
const FOLDERS: Record<AssetFolder, URL> = {
  ui: new URL(compiled ? './ui/' : '../dist/ui/', import.meta.url),
  'rsc-templates': new URL(compiled ? './rsc-templates/' : '../rsc-templates/', import.meta.url),
};

// One plain file name: a name from a request path can never climb out of its folder.
const NAME = /^(ui|rsc-templates)\/([a-z0-9][a-z0-9_.-]*)$/i;

/** The bytes of one asset. Throws `not_found` for a name that is no asset or a file that is not there. */
export function readAsset(name: AssetName): Buffer {
  const [, folder, file] = NAME.exec(name) ?? [];
  if (!folder || !file) throw new AppError('not_found', `There is no asset ${name}.`);
  try {
    return readFileSync(fileURLToPath(new URL(file, FOLDERS[folder as AssetFolder])));
  } catch (cause) {
    throw new AppError('not_found', `The asset ${name} is missing.`, {
      cause,
      hint: compiled ? 'The binary is incomplete: install it again.' : 'Run "npm run build" first.',
    });
  }
}

/** The names of the files in one folder of assets, sorted; empty when the folder is not there. */
export function listAssets(folder: AssetFolder): AssetName[] {
  try {
    return readdirSync(fileURLToPath(FOLDERS[folder]))
      .sort()
      .map((file) => `${folder}/${file}` as const);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
