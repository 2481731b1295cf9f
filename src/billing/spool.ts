// Keeps notices about money in a file of its own while the store takes nothing.
import { fsyncSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openReserved } from '../db/reserved-file.ts';
import type { RawNotice } from './notices.ts';

/** Written full of nothing at the start, so that a full disk still has room for it: some two thousand notices. */
const ROOM_OCTETS = 2 * 1024 * 1024;
const END = 0x0a;

export interface Spool {
  /** On disk when this returns true; false when this file takes nothing either, or is full. */
  keep(notice: RawNotice): boolean;
  /** What it holds, oldest first. */
  read(): RawNotice[];
  /** Forgets what it held: call it when all of that is in the store. Nothing may be kept in between. */
  clear(): void;
}

/** The spool of a data folder. A line that a power cut left half written was never acknowledged. */
export function openSpool(dataDir: string): Spool {
  const file = join(dataDir, 'notices.spool');
  let handle: number | undefined;
  let used = 0;

  function reserve(): number {
    const fd = openReserved(file, ROOM_OCTETS);
    const held = Buffer.alloc(ROOM_OCTETS);
    readSync(fd, held, 0, ROOM_OCTETS, 0);
    used = held.lastIndexOf(END) + 1;
    return fd;
  }

  function ready(): number {
    handle ??= reserve();
    return handle;
  }

  function tryReady(): number | undefined {
    try {
      return ready();
    } catch {
      return undefined; // The disk takes nothing, not even this: whoever calls says so to M-PESA.
    }
  }
  tryReady();

  return {
    keep(notice) {
      const line = Buffer.from(`${JSON.stringify(notice)}\n`);
      const fd = tryReady();
      if (fd === undefined || used + line.length > ROOM_OCTETS) return false;
      try {
        writeSync(fd, line, 0, line.length, used);
        fsyncSync(fd);
      } catch {
        return false; // As above; what was written of it is written over by the next.
      }
      used += line.length;
      return true;
    },
    read() {
      if (used === 0) return [];
      const held = Buffer.alloc(used);
      readSync(ready(), held, 0, used, 0);
      return held
        .toString('utf8')
        .split('\n')
        .filter((line) => line !== '')
        .flatMap((line) => {
          try {
            return [JSON.parse(line) as RawNotice];
          } catch {
            return []; // Half of a line that was never acknowledged.
          }
        });
    },
    clear() {
      const fd = ready();
      writeSync(fd, Buffer.alloc(used), 0, used, 0);
      fsyncSync(fd);
      used = 0;
    },
  };
}
