// Commits together what arrives together: while one commit is under way, the next group gathers.
import { diskTrouble } from '../../db/disk.ts';

export interface GroupCommit<T> {
  /** Resolves when the item is on disk; rejects when its group could not be committed. */
  add(item: T): Promise<void>;
}

/**
 * One flush (milliseconds on an SD card) serves every item that waits. `most` bounds a group: what is being
 * committed holds up sign-ins, some 5 ms for a hundred sessions.
 */
export function createGroupCommit<T>(commit: (items: T[]) => Promise<void>, most = 100): GroupCommit<T> {
  interface Waiting {
    item: T;
    done(): void;
    failed(error: unknown): void;
  }
  const waiting: Waiting[] = [];
  let running = false;

  async function run(): Promise<void> {
    running = true;
    // Lets the packets that the system holds for us already come in first.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const group = waiting.splice(0, most);
      try {
        await commit(group.map((entry) => entry.item));
        for (const entry of group) entry.done();
      } catch (error) {
        // One item that the store refuses must not keep the others from the disk for ever; a disk refuses them all.
        if (group.length === 1 || diskTrouble(error)) for (const entry of group) entry.failed(error);
        else for (const entry of group) await commit([entry.item]).then(entry.done, entry.failed);
      }
    }
    running = false;
  }

  return {
    add(item) {
      return new Promise((done, failed) => {
        waiting.push({ item, done, failed });
        if (!running) void run();
      });
    },
  };
}
