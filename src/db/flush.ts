// Puts on disk what SQLite has committed to its write-ahead log, one flush for all commits that wait.
import { close, fdatasync, open } from 'node:fs';
import { promisify } from 'node:util';

const openFile = promisify(open);
const syncFile = promisify(fdatasync);
const closeFile = promisify(close);

export interface Flush {
  /** Resolves when everything committed before the call is on disk; rejects when the disk refuses. */
  flushed(): Promise<void>;
  /** Lets a flush under way end; call it after the database has closed. */
  close(): Promise<void>;
}

/**
 * Flushes the file of a write-ahead log off the event loop, so that a card that takes its time holds up nothing but those
 * who wait for it. SQLite itself (`synchronous=NORMAL`) keeps the log in order and flushes it before and after each checkpoint,
 * so a power cut can only take commits that nobody was told of.
 *
 * After a flush that failed the system may call the next one a success without having written anything. So the
 * log counts as lost from then on, and what waits is believed only after `checkpoint` has copied all of it into the
 * database and flushed that; it throws until it can.
 */
export function createFlush(logPath: string, checkpoint: () => void): Flush {
  let file: number | undefined;
  let suspect = false;
  let waiting: { done(): void; failed(error: unknown): void }[] = [];
  let running: Promise<void> | undefined;

  async function flushOnce(): Promise<void> {
    if (suspect) {
      checkpoint();
      suspect = false;
      return;
    }
    try {
      file ??= await openFile(logPath, 'r');
    } catch (error) {
      // Without a log SQLite has written to the database itself, and flushed that.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    try {
      await syncFile(file);
    } catch (error) {
      suspect = true;
      throw error;
    }
  }

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting;
      waiting = [];
      try {
        await flushOnce();
        for (const { done } of group) done();
      } catch (error) {
        for (const { failed } of group) failed(error);
      }
    }
    running = undefined;
  }

  return {
    flushed() {
      return new Promise((done, failed) => {
        waiting.push({ done, failed });
        running ??= run();
      });
    },
    async close() {
      await running;
      if (file !== undefined) await closeFile(file);
      file = undefined;
    },
  };
}
