// Watches what the store is on, a disk or a server: says once that nothing is written, and once that it is again.
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../log.ts';
import {
  DISK_WORDS,
  type DiskLook,
  type DiskTrouble,
  diskTrouble,
  GOOD_FREE,
  isStale,
  lookAtDisk,
  megabytes,
} from './disk.ts';
import type { Db } from './schema.ts';
import { writeSetting } from './settings.ts';

const KEY = 'disk';
/** A full disk is believed to have room again when there is more than a burst of commits takes, or it would flutter. */
const ROOM_AGAIN = 10_000_000;
/** Little room is over when there is clearly more: the log is not to say so at each file that comes and goes. */
const ROOM_ENOUGH = 1.1 * GOOD_FREE;

export interface DiskState {
  ok: boolean;
  /** `low`: everything works, and will not for long. */
  problem?: DiskTrouble | 'low';
  message?: string;
  hint?: string;
}

export interface DiskWatch {
  /**
   * A log for everything that uses the store. An error that the disk is to blame for makes one line when the trouble
   * begins; while it lasts further ones are counted. Everything else passes.
   */
  log: Log;
  /** Looks at the disk and, in trouble, tries whether it can be written again. */
  check(): Promise<void>;
  state(): DiskState;
  /** Whether it is known to take nothing. */
  refuses(): boolean;
}

interface Trouble {
  kind: DiskTrouble;
  since: number;
  refused: number;
}

/** `dir` is the data folder; `look` is how its disk is looked at. */
export function createDiskWatch(
  db: Db,
  dir: string,
  clock: Clock,
  out: Log,
  look: (dir: string) => DiskLook = lookAtDisk,
): DiskWatch {
  let trouble: Trouble | undefined;
  let low: number | undefined;
  /** When a write last ended a trouble, of `performance.now()`. */
  let wellAt = Number.NEGATIVE_INFINITY;

  /** What the system tells, or that it no longer does. */
  function lookNow(): DiskLook | { error: unknown } {
    try {
      return look(dir);
    } catch (error) {
      return { error };
    }
  }

  function begin(kind: DiskTrouble, error?: unknown): void {
    const now = lookNow();
    const really = kind === 'failing' && 'read_only' in now && now.read_only ? 'read_only' : kind;
    trouble = { kind: really, since: clock.monotonic(), refused: error ? 1 : 0 };
    const { message, hint } = DISK_WORDS[really];
    out.error(message, { problem: really, hint, ...(error ? { error } : {}) });
  }

  /** Whether an error was the disk's; then it has been told of. */
  function took(error: unknown): boolean {
    const kind = diskTrouble(error);
    if (!kind) return false;
    if (trouble) trouble.refused += 1;
    // Whoever asked while the server was away may hear of it after it has come back.
    else if (!isStale(error, wellAt)) begin(kind, error);
    return true;
  }

  /** Whether the disk looks as if it could be written; how a server is cannot be seen from here. */
  function looksWell({ kind }: Trouble): boolean {
    if (kind === 'away') return true;
    const now = lookNow();
    if ('error' in now || now.read_only) return false;
    return kind !== 'full' || now.free_octets >= ROOM_AGAIN;
  }

  async function tryAgain(was: Trouble): Promise<void> {
    if (!looksWell(was)) return;
    try {
      await db.transaction().execute((tx) => writeSetting(tx, KEY, { written_at: clock.now() }, clock.now()));
    } catch (error) {
      if (took(error)) return;
      throw error;
    }
    trouble = undefined;
    wellAt = performance.now();
    out.info(was.kind === 'away' ? 'The database answers again.' : 'The disk is written again.', {
      problem: was.kind,
      seconds: Math.round((clock.monotonic() - was.since) / 1000),
      refused: was.refused,
    });
  }

  function checkRoom(free: number): void {
    if (free < GOOD_FREE) {
      if (low === undefined) out.warn('There is little room left on the disk.', { free: megabytes(free) });
      low = free;
    } else if (free >= ROOM_ENOUGH) {
      low = undefined;
    }
  }

  return {
    log: {
      debug: out.debug,
      info: out.info,
      warn: (msg, fields) => void (took(fields?.error) || out.warn(msg, fields)),
      error: (msg, fields) => void (took(fields?.error) || out.error(msg, fields)),
    },
    async check() {
      if (trouble) return tryAgain(trouble);
      const now = lookNow();
      if ('error' in now) begin(diskTrouble(now.error) ?? 'failing', now.error);
      else if (now.read_only) begin('read_only');
      else checkRoom(now.free_octets);
    },
    refuses: () => trouble !== undefined,
    state() {
      if (trouble) return { ok: false, problem: trouble.kind, ...DISK_WORDS[trouble.kind] };
      if (low === undefined) return { ok: true };
      return {
        ok: false,
        problem: 'low',
        message: `There is little room left on the disk: ${megabytes(low)}.`,
        hint: 'Make room before it is full: delete old backups and files that are not Karibu’s.',
      };
    },
  };
}
