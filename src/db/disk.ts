// What is wrong with what the store is on, its disk or the way to its server, read from an error or seen by looking.
import { accessSync, constants, statfsSync } from 'node:fs';
import { AppError } from '../errors.ts';

/**
 * `failing`: it takes writes and does not keep them, or no longer answers. `away`: the store is a PostgreSQL that does
 * not answer, which is the same to all who write: it is nobody's fault here, and passes.
 */
export type DiskTrouble = 'full' | 'read_only' | 'failing' | 'away';

/**
 * Codes by which SQLite (result codes, sqlite.org/rescode.html), the system (errno) and PostgreSQL (appendix A) say that
 * the disk is at fault. A write refused by a read-only file system is SQLITE_IOERR_WRITE: only looking tells them apart.
 */
const CODES: [RegExp, DiskTrouble][] = [
  [/^(SQLITE_FULL|ENOSPC|EDQUOT|53100)$/, 'full'],
  [/^(SQLITE_READONLY.*|EROFS|25006)$/, 'read_only'],
  [/^(SQLITE_IOERR.*|EIO|58030)$/, 'failing'],
  // Our own words: see patience.ts.
  [/^DATABASE_AWAY(_MAYBE_DONE)?$/, 'away'],
];

/** An error of the store; `asked_at` (of `performance.now()`) is when a server that is away was asked. */
type StoreError = Error & { code: string; asked_at?: number };

/** The error, or the one of its causes, that tells of a trouble. */
function troubleIn(error: unknown): { kind: DiskTrouble; error: StoreError } | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as { code?: unknown };
  const found = typeof code === 'string' ? CODES.find(([pattern]) => pattern.test(code)) : undefined;
  return found ? { kind: found[1], error: error as StoreError } : troubleIn(error.cause);
}

/** What an error, or one of its causes, says about the disk; undefined when it is about something else. */
export function diskTrouble(error: unknown): DiskTrouble | undefined {
  return troubleIn(error)?.kind;
}

/** Whether it tells of a server that was asked before `at` (of `performance.now()`): how it was then is no news. */
export function isStale(error: unknown, at: number): boolean {
  const asked = troubleIn(error)?.error.asked_at;
  return asked !== undefined && asked < at;
}

const MB = 1_000_000;
/** Below this a busy day's journal, or one voucher sheet, may be what fills it. */
export const LEAST_FREE = 100 * MB;
/** Below this it is time to make room: an update, a backup and the logs of a few days still fit. */
export const GOOD_FREE = 500 * MB;

export interface DiskLook {
  free_octets: number;
  read_only: boolean;
}

/**
 * The disk of a folder, as the system tells of it. Whoever may not write in the folder learns nothing about the disk.
 * @throws what the system says, when the folder is gone or the disk no longer answers.
 */
export function lookAtDisk(dir: string): DiskLook {
  const { bavail, bsize } = statfsSync(dir);
  let read_only = false;
  try {
    accessSync(dir, constants.W_OK);
  } catch (error) {
    read_only = diskTrouble(error) === 'read_only';
  }
  return { free_octets: bavail * bsize, read_only };
}

/** Octets as whole megabytes, for people. */
export function megabytes(octets: number): string {
  return `${Math.floor(octets / MB).toLocaleString('en-US')} MB`;
}

/** What people are told of each trouble, and what to do about it. */
export const DISK_WORDS: Record<DiskTrouble, { message: string; hint: string }> = {
  full: {
    message: 'The disk is full: nothing can be sold or counted.',
    hint: 'Make room on this box: delete old backups and files that are not Karibu’s. Then it goes on by itself.',
  },
  read_only: {
    message: 'The disk has become read-only: nothing can be sold or counted.',
    hint: 'An SD card that wears out does this. Copy the data folder to another one, restart this box, and change the card.',
  },
  failing: {
    message: 'The disk fails: nothing can be sold or counted.',
    hint: 'The SD card or its reader is failing. Copy the data folder to another one, and change the card.',
  },
  away: {
    message: 'The database does not answer: nothing can be sold or counted.',
    hint: 'Look whether PostgreSQL runs, and the network to it. When it answers, Karibu goes on by itself.',
  },
};

/** An error that the disk is to blame for, in words for people; undefined for any other. */
export function asDiskError(error: unknown): AppError | undefined {
  const trouble = troubleIn(error);
  if (!trouble) return undefined;
  // The answer to a commit, or to a write of its own, got lost.
  if (trouble.error.code === 'DATABASE_AWAY_MAYBE_DONE') {
    return new AppError('unavailable', 'The database stopped answering: this may be done, or not.', {
      cause: error,
      hint: 'When it answers again, look whether it is done before you do it once more.',
    });
  }
  const { message, hint } = DISK_WORDS[trouble.kind];
  return new AppError('unavailable', message, { cause: error, hint });
}
