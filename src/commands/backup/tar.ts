// Writes and reads plain tar files (POSIX ustar), so that a backup opens with any tool.
import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';

const BLOCK = 512;
const CHUNK = 1024 * 1024;
/** The size field has eleven octal digits. */
export const LARGEST_FILE = 0o77777777777;

/** One file to put in: its octets, or the path to copy them from. */
export interface TarSource {
  name: string;
  size: number;
  from: { octets: Uint8Array } | { path: string };
}

export interface TarEntry {
  name: string;
  size: number;
  /** Where its octets begin in the tar file. */
  offset: number;
}

function checksum(header: Buffer): number {
  let sum = 0;
  for (const [at, octet] of header.entries()) sum += at >= 148 && at < 156 ? 0x20 : octet;
  return sum;
}

/** One header block (POSIX.1-1988 ustar). `at` is epoch ms. */
function header({ name, size }: { name: string; size: number }, at: number): Buffer {
  if (Buffer.byteLength(name) > 99 || size > LARGEST_FILE) throw new RangeError(`${name} does not fit a tar`);
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  block.write(name, 0);
  block.write(octal(0o600, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(size, 11), 124);
  block.write(octal(Math.floor(at / 1000), 11), 136);
  block.write('0', 156);
  block.write('ustar\x0000', 257);
  block.write(`${checksum(block).toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function writeAll(file: number, octets: Uint8Array): void {
  let done = 0;
  while (done < octets.length) done += writeSync(file, octets, done);
}

/** Reads `size` octets from `offset` piece by piece. Throws when the file ends before. */
export function readPieces(
  file: number,
  offset: number,
  size: number,
  onPiece: (piece: Uint8Array) => void,
): void {
  const buffer = Buffer.alloc(Math.min(CHUNK, Math.max(size, 1)));
  let done = 0;
  while (done < size) {
    const count = readSync(file, buffer, 0, Math.min(buffer.length, size - done), offset + done);
    if (count === 0) throw new Error('the file ends too early');
    onPiece(buffer.subarray(0, count));
    done += count;
  }
}

/** Writes a new tar file, readable by its owner alone and flushed to the disk. Throws when `path` exists. */
export function writeTar(path: string, sources: TarSource[], at: number): void {
  const file = openSync(path, 'wx', 0o600);
  try {
    for (const source of sources) {
      writeAll(file, header(source, at));
      if ('octets' in source.from) writeAll(file, source.from.octets);
      else {
        const from = openSync(source.from.path, 'r');
        try {
          readPieces(from, 0, source.size, (piece) => writeAll(file, piece));
        } finally {
          closeSync(from);
        }
      }
      writeAll(file, Buffer.alloc((BLOCK - (source.size % BLOCK)) % BLOCK));
    }
    writeAll(file, Buffer.alloc(2 * BLOCK));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** The plain files in an open tar, in order. Throws for what is no tar or ends in the middle. */
export function listTar(file: number): TarEntry[] {
  const entries: TarEntry[] = [];
  const block = Buffer.alloc(BLOCK);
  let offset = 0;
  for (;;) {
    const count = readSync(file, block, 0, BLOCK, offset);
    if (count < BLOCK) throw new Error('it is no tar file, or it ends too early');
    if (block.every((octet) => octet === 0)) return entries;
    const text = (from: number, to: number) => block.toString('latin1', from, to).split('\0')[0] as string;
    if (Number.parseInt(text(148, 156), 8) !== checksum(block))
      throw new Error('it is no tar file, or damaged');
    const size = Number.parseInt(text(124, 136), 8);
    offset += BLOCK;
    if (['0', ''].includes(text(156, 157)))
      entries.push({ name: text(0, 100).replace(/^\.\//, ''), size, offset });
    offset += Math.ceil(size / BLOCK) * BLOCK;
  }
}
