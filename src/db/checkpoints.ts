// Has the write-ahead log copied into the database by another thread, so that nobody on this one waits for it.

/** As many writes make a log of some thousand pages, 4 KiB each: read again in a moment after a power cut. */
const WRITES = 2000;

export interface Checkpoints {
  /** Call it for each statement that writes. */
  wrote(): void;
  /** From now on `work` does the copying. It may reject; then it is asked again after as many writes. */
  handTo(work: () => Promise<void>): void;
}

/** Until the copying is handed to somebody SQLite does it itself, where the log has grown to 1,000 pages. */
export function createCheckpoints(): Checkpoints {
  let work: (() => Promise<void>) | undefined;
  let writes = 0;
  let running = false;

  async function run(copy: () => Promise<void>): Promise<void> {
    running = true;
    writes = 0;
    try {
      await copy();
    } finally {
      running = false;
    }
  }

  return {
    wrote() {
      writes++;
      if (work && writes >= WRITES && !running) run(work).catch(() => undefined);
    },
    handTo(copy) {
      work = copy;
    },
  };
}
