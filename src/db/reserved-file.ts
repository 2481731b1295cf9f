// Files whose room is taken on the disk beforehand: writing into them needs none, and a flush is of what was written alone.
import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Opens a file for reading and writing, made where it is missing, and fills it with zeros up to `octets`, on disk when
 * this returns. Gives its handle and what it held.
 * @throws what the system says.
 */
export function openReserved(path: string, octets: number): { fd: number; held: Buffer } {
  closeSync(openSync(path, 'a', 0o600));
  const fd = openSync(path, 'r+');
  try {
    const whole = Buffer.alloc(octets);
    const length = readSync(fd, whole, 0, octets, 0);
    if (length < octets) {
      writeSync(fd, whole, length, octets - length, length);
      fsyncSync(fd);
      const folder = openSync(dirname(path), 'r');
      fsyncSync(folder);
      closeSync(folder);
    }
    return { fd, held: whole.subarray(0, length) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
