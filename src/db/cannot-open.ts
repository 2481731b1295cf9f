// Says in words for people why the store cannot be opened.
import { dirname } from 'node:path';
import { AppError } from '../errors.ts';
import { DISK_WORDS, type DiskLook, diskTrouble, lookAtDisk } from './disk.ts';

const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code ?? '');

/** The disk of the nearest folder above that exists. */
function lookNear(path: string): DiskLook | undefined {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      return lookAtDisk(folder);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || folder === dirname(folder)) return undefined;
    }
  }
}

/**
 * An error met while the data folder or the database at `path` was opened, as one for people. What is one already, or
 * says nothing about files, stays as it is.
 */
export function cannotOpen(path: string, error: unknown): unknown {
  if (error instanceof AppError) return error;
  const code = codeOf(error);
  const say = (message: string, hint: string) => new AppError('unavailable', message, { cause: error, hint });
  if (/^SQLITE_(NOTADB|CORRUPT)/.test(code)) {
    return say(
      `${path} is damaged, or no database.`,
      'Keep a copy of it, then restore the last backup: karibu restore FILE',
    );
  }
  if (/^(EACCES|EPERM|SQLITE_(PERM|AUTH|READONLY.*))$/.test(code)) {
    return say(`${path} may not be written.`, 'It must belong to the user that Karibu runs as.');
  }
  const trouble = diskTrouble(error);
  if (trouble === 'away') {
    return say(
      'The database does not answer.',
      'Look whether PostgreSQL runs, and the network to it, then start Karibu again.',
    );
  }
  if (!trouble && !code.startsWith('SQLITE_CANTOPEN')) return error;
  // SQLite names the step that failed; why it did is seen by looking.
  const disk = lookNear(path);
  const why = disk?.read_only ? 'read_only' : disk?.free_octets === 0 ? 'full' : trouble;
  if (!why)
    return say(
      `${path} cannot be opened.`,
      'The folder must be there and belong to the user that Karibu runs as.',
    );
  const words = { full: 'its disk is full', read_only: 'its disk is read-only', failing: 'its disk fails' };
  return say(`${path} cannot be opened: ${words[why]}.`, DISK_WORDS[why].hint);
}
