// Files whose room is taken on the disk beforehand: writing into them needs none, and a flush is of what was written alone.
import { closeSync, fstatSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const NOTHING = Buffer.alloc(64 * 1024);

/**
 * Opens a file for reading and writing, made where it is missing, and fills it with zeros up to `octets`, on disk when
 * this returns. Gives its handle.
 * @throws what the system says.
 */
export function openReserved(path: string, octets: number): number {
  closeSync(openSync(path, 'a', 0o600));
  const fd = openSync(path, 'r+');
  try {
    let length = fstatSync(fd).size;
    if (length >= octets) return fd;
    while (length < octets) {
      length += writeSync(fd, NOTHING, 0, Math.min(NOTHING.length, octets - length), length);
    }
    fsyncSync(fd);
    const folder = openSync(dirname(path), 'r');
    fsyncSync(folder);
    closeSync(folder);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
