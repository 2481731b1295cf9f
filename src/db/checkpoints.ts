// Has the write-ahead log copied into the database by another thread, so that nobody on this one waits for it.

/** As many rows make a log of some thousand pages, 4 KiB each: read again in a moment after a power cut. */
const ROWS = 2000;

export interface Checkpoints {
  /** Call it for each statement that writes, with the rows it changed. */
  wrote(rows: number): void;
  /** From now on `work` does the copying. It may reject; then it is asked again after as many rows. */
  handTo(work: () => Promise<void>): void;
}

/** Until the copying is handed to somebody SQLite does it itself, where the log has grown to 1,000 pages. */
export function createCheckpoints(): Checkpoints {
  let work: (() => Promise<void>) | undefined;
  let changed = 0;
  let running = false;

  async function run(copy: () => Promise<void>): Promise<void> {
    running = true;
    changed = 0;
    try {
      await copy();
    } finally {
      running = false;
    }
  }

  return {
    wrote(rows) {
      changed += rows;
      if (work && changed >= ROWS && !running) run(work).catch(() => undefined);
    },
    handTo(copy) {
      work = copy;
    },
  };
}
