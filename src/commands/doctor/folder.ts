// Looks at the data folder: who may read it, its key, the room on its disk.
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DISK_WORDS, diskTrouble, GOOD_FREE, LEAST_FREE, lookAtDisk, megabytes } from '../../db/disk.ts';
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
    if (diskTrouble(error) === 'read_only') {
      return fail(name, `${dir} is on a disk that is read-only.`, DISK_WORDS.read_only.hint);
    }
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

/** `needed` is what a copy of the database takes: a migration and a backup make one. */
export function checkSpace(dir: string, needed: number): Check {
  const name = 'disk space';
  const { free_octets: free } = lookAtDisk(dir);
  const says = `${megabytes(free)} free`;
  if (free < LEAST_FREE)
    return fail(name, `${says}.`, 'Make room, or payments and sessions cannot be written.');
  if (free < GOOD_FREE + needed) {
    return warn(name, `${says}.`, 'Make room: an update copies the database first.');
  }
  return ok(name, says);
}

/** Files are stamped by the same clock; NTP may step it back a little. */
const AHEAD_MS = 120_000;

/** The clock beside what the disk remembers of it: a file of the database written later than now. */
export function checkDiskClock(database: string, now: number): Check {
  const name = 'clock of the disk';
  const written = [database, `${database}-wal`]
    .map((path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0)
    .reduce((latest, at) => Math.max(latest, at), 0);
  const text = new Date(written).toISOString().slice(0, 16).replace('T', ' ');
  if (written === 0) return ok(name, 'nothing is written yet');
  if (written <= now + AHEAD_MS) return ok(name, `the database was last written ${text} UTC`);
  return warn(
    name,
    `The database was last written ${text} UTC, which is later than this box says it is.`,
    'Set the time, or let it be set: timedatectl set-ntp true',
  );
}
