// A file that puts small records on disk with one short write, ahead of the store that takes its time with them.
import { createHash } from 'node:crypto';
import { closeSync, existsSync, fdatasync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { openReserved } from './reserved-file.ts';

const syncFile = promisify(fdatasync);

/** Of each of the two halves that are written in turn: some ten thousand records. */
const HALF_OCTETS = 4 * 1024 * 1024;
/** What one write takes, about: more than waits where a flush takes an SD card's 8 ms. */
const CHARACTERS_AT_ONCE = 500_000;

/**
 * After a slow flush the next one waits for so much of its time: who was just answered asks again, and shares it instead
 * of missing it. With 8 ms a flush that is 10 ms a turn for everyone instead of 19 for each half.
 */
const GATHERING = 0.25;

/** Number of the frame (8 octets), length of its records (4), SHA-1 of both and the records (20). */
const HEAD_OCTETS = 32;

export interface JournalFrame<T> {
  /** Counts up for as long as the store lives. */
  number: number;
  records: T[];
}

export interface Journal<T> {
  /** Resolves when the record is on disk; rejects when the disk refuses: then the record may or may not be found again. */
  append(record: T): Promise<void>;
  close(): Promise<void>;
}

export interface JournalOptions<T> {
  path: string;
  /** The number before the first frame that this journal will write: higher than any that the store knows of. */
  last: number;
  /** Called for each frame that is on disk, before those who appended its records are told. */
  onDisk(frame: JournalFrame<T>): void;
  /** Has to put into the store, and on disk there, the records of all frames so far. */
  store(): Promise<void>;
  halfOctets?: number;
}

/** A record as JSON in a frame of its own place in the order; what a power cut left half written does not fit its hash. */
function encodeFrame(number: number, records: string[]): Buffer {
  const text = Buffer.from(`[${records.join(',')}]`);
  const frame = Buffer.alloc(HEAD_OCTETS + text.length);
  frame.writeBigUInt64BE(BigInt(number), 0);
  frame.writeUInt32BE(text.length, 8);
  text.copy(frame, HEAD_OCTETS);
  hashOf(frame, text.length).copy(frame, 12);
  return frame;
}

function hashOf(frame: Buffer, length: number): Buffer {
  return createHash('sha1')
    .update(frame.subarray(0, 12))
    .update(frame.subarray(HEAD_OCTETS, HEAD_OCTETS + length))
    .digest();
}

function decodeFrame(held: Buffer): { number: number; text: string; octets: number } | undefined {
  if (held.length < HEAD_OCTETS) return undefined;
  const number = Number(held.readBigUInt64BE(0));
  const length = held.readUInt32BE(8);
  if (number === 0 || HEAD_OCTETS + length > held.length) return undefined;
  if (!hashOf(held, length).equals(held.subarray(12, HEAD_OCTETS))) return undefined;
  return {
    number,
    text: held.toString('utf8', HEAD_OCTETS, HEAD_OCTETS + length),
    octets: HEAD_OCTETS + length,
  };
}

function writeWhole(fd: number, octets: Buffer, at: number): void {
  const written = writeSync(fd, octets, 0, octets.length, at);
  // Its room was taken beforehand: it is the disk that is at fault.
  if (written < octets.length) {
    throw Object.assign(new Error('The disk did not take the journal.'), { code: 'EIO' });
  }
}

/** The frames of one half: each follows the one before; behind them lie older ones, from when the half was last written. */
function framesOf<T>(half: Buffer): JournalFrame<T>[] {
  const frames: JournalFrame<T>[] = [];
  let at = 0;
  for (;;) {
    const frame = decodeFrame(half.subarray(at));
    const before = frames.at(-1);
    if (!frame || (before && frame.number !== before.number + 1)) return frames;
    frames.push({ number: frame.number, records: JSON.parse(frame.text) as T[] });
    at += frame.octets;
  }
}

/** What the journal at `path` holds after the frame `last`, oldest first; nothing where there is no journal. */
export function readJournal<T>(path: string, last: number, halfOctets = HALF_OCTETS): JournalFrame<T>[] {
  if (!existsSync(path)) return [];
  const fd = openSync(path, 'r');
  const half = Buffer.alloc(halfOctets);
  const frames = [0, halfOctets].flatMap((at) => {
    const length = readSync(fd, half, 0, halfOctets, at);
    return framesOf<T>(half.subarray(0, length));
  });
  closeSync(fd);
  return frames.filter((frame) => frame.number > last).sort((a, b) => a.number - b.number);
}

/**
 * Opens a journal for writing; read what it holds before. While one flush is under way the next frame gathers. When a
 * half is full the writing goes on in the other one, as soon as `store` has put away what that held. A flush that failed says
 * nothing about the next one, so after it the file is made anew once `store` has succeeded.
 * @throws what the system says where its room cannot be taken.
 */
export function createJournal<T>(options: JournalOptions<T>): Journal<T> {
  const { path, onDisk, store, halfOctets = HALF_OCTETS } = options;
  let fd = openReserved(path, 2 * halfOctets);
  let number = options.last;
  let half = 0;
  let used = 0;
  let suspect = false;
  /** Whether the half that is not written is free, once that is known. */
  let freed = Promise.resolve(true);
  const waiting: { record: T; text: string; done(): void; failed(error: unknown): void }[] = [];
  let running: Promise<void> | undefined;

  async function beginAnew(): Promise<void> {
    await store();
    unlinkSync(path);
    closeSync(fd);
    fd = openReserved(path, 2 * halfOctets);
    suspect = false;
    used = 0;
    freed = Promise.resolve(true);
  }

  async function room(octets: number): Promise<void> {
    if (octets > halfOctets) throw new Error('This is too long for the journal.');
    if (suspect) await beginAnew();
    if (used + octets <= halfOctets) return;
    if (!(await freed)) await store();
    half = 1 - half;
    used = 0;
    freed = store().then(
      () => true,
      () => false,
    );
  }

  async function writeFrame(group: typeof waiting): Promise<void> {
    const frame = encodeFrame(
      number + 1,
      group.map(({ text }) => text),
    );
    await room(frame.length);
    try {
      writeWhole(fd, frame, half * halfOctets + used);
      await syncFile(fd);
    } catch (error) {
      suspect = true;
      throw error;
    }
    number++;
    used += frame.length;
    onDisk({ number, records: group.map(({ record }) => record) });
  }

  function takeGroup(): typeof waiting {
    let count = 0;
    for (let characters = 0; count < waiting.length && characters < CHARACTERS_AT_ONCE; count++) {
      characters += waiting[count]?.text.length ?? 0;
    }
    return waiting.splice(0, count);
  }

  async function run(): Promise<void> {
    // Lets the packets that the system holds for us already come in first.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const group = takeGroup();
      const began = performance.now();
      try {
        await writeFrame(group);
        for (const { done } of group) done();
      } catch (error) {
        for (const { failed } of group) failed(error);
      }
      const ms = (performance.now() - began) * GATHERING;
      if (ms >= 1) await new Promise((resolve) => setTimeout(resolve, ms));
    }
    running = undefined;
  }

  return {
    append(record) {
      return new Promise((done, failed) => {
        waiting.push({ record, text: JSON.stringify(record), done, failed });
        running ??= run();
      });
    },
    async close() {
      await running;
      await freed;
      closeSync(fd);
    },
  };
}
