// Looks at the data folder: who may read it, its key, the room on its disk.
import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { KEY_FILE } from '../../db/key-file.ts';
import { errorText } from '../../errors.ts';
import type { Vault } from '../../lib/secrets.ts';
import { vaultOf } from '../sealed.ts';
import { type Check, fail, ok, warn } from './check.ts';

const modeOf = (mode: number) => (mode & 0o777).toString(8).padStart(4, '0');

export function checkFolder(dir: string): Check {
  const name = 'data folder';
  const stats = statSync(dir, { throwIfNoEntry: false });
  if (!stats?.isDirectory()) {
    return fail(name, `${dir} is no folder.`, 'Start Karibu once to make it, or name another: --data DIR');
  }
  try {
    accessSync(dir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    return fail(name, `${dir}: ${errorText(error)}`, 'It must belong to the user that Karibu runs as.');
  }
  const says = `${dir}, mode ${modeOf(stats.mode)}`;
  if (stats.mode & 0o022) {
    return fail(name, `${says}: others may write there.`, `chmod 700 ${dir}`);
  }
  if (stats.mode & 0o055) return warn(name, `${says}: others may look inside.`, `chmod 700 ${dir}`);
  return ok(name, says);
}

/** The key, looked at without making or changing one; the vault comes along when it is good. */
export function checkKeyFile(dir: string): { check: Check; vault?: Vault } {
  const name = 'key file';
  const path = join(dir, KEY_FILE);
  if (!existsSync(path)) {
    return { check: fail(name, `There is no ${path}.`, 'Put it back from where you keep its copy.') };
  }
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return { check: fail(name, errorText(error), 'It must belong to the user that Karibu runs as.') };
  }
  const vault = vaultOf(text);
  if (!vault) {
    return { check: fail(name, `${path} is not a key.`, 'Put it back from where you keep its copy.') };
  }
  const { mode } = statSync(path);
  if (mode & 0o077) {
    return {
      check: warn(name, `${path}, mode ${modeOf(mode)}: others may read it.`, `chmod 600 ${path}`),
      vault,
    };
  }
  return { check: ok(name, `${path}, mode ${modeOf(mode)}`), vault };
}

const MB = 1_000_000;
const LEAST_FREE = 100 * MB;
const GOOD_FREE = 500 * MB;

/** `needed` is what a copy of the database takes: a migration and a backup make one. */
export function checkSpace(dir: string, needed: number): Check {
  const name = 'disk space';
  const { bavail, bsize } = statfsSync(dir);
  const free = bavail * bsize;
  const says = `${Math.floor(free / MB).toLocaleString('en-US')} MB free`;
  if (free < LEAST_FREE)
    return fail(name, `${says}.`, 'Make room, or payments and sessions cannot be written.');
  if (free < GOOD_FREE + needed) {
    return warn(name, `${says}.`, 'Make room: an update copies the database first.');
  }
  return ok(name, says);
}
