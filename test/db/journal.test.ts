// What the journal has told is on disk is found again, and nothing that a power cut left half written.
import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createJournal, type JournalFrame, type JournalOptions, readJournal } from '../../src/db/journal.ts';

const HALF = 4096;
const newPath = () => join(mkdtempSync(join(tmpdir(), 'karibu-journal-')), 'test.journal');
const records = (frames: JournalFrame<string>[]) => frames.flatMap((frame) => frame.records);

function open(path: string, options: Partial<JournalOptions<string>> = {}) {
  const seen: JournalFrame<string>[] = [];
  const journal = createJournal<string>({
    path,
    last: 0,
    halfOctets: HALF,
    onDisk: (frame) => seen.push(frame),
    store: async () => undefined,
    ...options,
  });
  return { journal, seen };
}

describe('a journal', () => {
  it('holds what it told is on disk, in its order, and gathers what comes together', async () => {
    const path = newPath();
    const { journal, seen } = open(path);
    const first = Array.from({ length: 50 }, (_, n) => `a${n}`);
    await Promise.all(first.map((record) => journal.append(record)));
    await journal.append('last');
    // As after a power cut: nobody closed it.
    const frames = readJournal<string>(path, 0, HALF);
    expect(frames).toEqual(seen);
    expect(frames.map((frame) => frame.number)).toEqual([1, 2]);
    expect(records(frames)).toEqual([...first, 'last']);
    expect(records(readJournal<string>(path, 1, HALF))).toEqual(['last']);
    await journal.close();
  });

  it('tells of a frame before those who wait for it', async () => {
    const order: string[] = [];
    const { journal } = open(newPath(), { onDisk: ({ records: [record] }) => order.push(`disk ${record}`) });
    await journal.append('a').then(() => order.push('told a'));
    await journal.append('b').then(() => order.push('told b'));
    expect(order).toEqual(['disk a', 'told a', 'disk b', 'told b']);
    await journal.close();
  });

  it('ends at a frame that is half written, and begins with nothing where there is no file', async () => {
    const path = newPath();
    expect(readJournal(path, 0, HALF)).toEqual([]);
    const { journal } = open(path);
    for (const record of ['a', 'b', 'c']) await journal.append(record);
    await journal.close();
    const whole = readFileSync(path);
    const at = whole.indexOf('["b"]');
    for (let octet = at - 32; octet < at + 5; octet++) {
      const torn = Buffer.from(whole);
      torn[octet] = (torn[octet] ?? 0) ^ 1;
      writeFileSync(path, torn);
      expect(records(readJournal<string>(path, 0, HALF))).toEqual(['a']);
    }
    writeFileSync(path, whole.subarray(0, at + 3));
    expect(records(readJournal<string>(path, 0, HALF))).toEqual(['a']);
  });

  it('goes on in its other half only when the store has what that held', async () => {
    const path = newPath();
    const asked: (() => void)[] = [];
    const { journal, seen } = open(path, { store: () => new Promise((done) => asked.push(done)) });
    const long = 'x'.repeat(1500);
    let told = 0;
    const appended = (async () => {
      for (let n = 1; n <= 11; n++) {
        await journal.append(`${n} ${long}`);
        told = n;
      }
    })();
    const turns = () => new Promise((resolve) => setTimeout(resolve, 30));
    // Two fit into a half. Both halves are full, and the store has not answered for the first.
    while (told < 4) await turns();
    await turns();
    expect([told, asked.length]).toEqual([4, 1]);
    expect(readJournal(path, 0, HALF)).toEqual(seen);
    while (told < 11) {
      asked.shift()?.();
      await turns();
    }
    await appended;
    const kept = readJournal<string>(path, 0, HALF);
    expect(kept).toEqual(seen.slice(-kept.length));
    expect(kept.length).toBe(3);
    for (const done of asked) done();
    await journal.close();
  });

  it('takes nothing while the store refuses what the other half holds, and goes on when it no longer does', async () => {
    let refuses = true;
    const { journal } = open(newPath(), {
      async store() {
        if (refuses) throw new Error('the disk is full');
      },
    });
    const long = 'x'.repeat(1500);
    for (let n = 0; n < 4; n++) await journal.append(long);
    await expect(journal.append(long)).rejects.toThrow('the disk is full');
    await expect(journal.append(long)).rejects.toThrow('the disk is full');
    refuses = false;
    await journal.append(long);
    await journal.close();
  });

  it('written anew from the front hides none of what is newer, and shows none of what is older', async () => {
    const path = newPath();
    const { journal } = open(path);
    for (const record of ['a', 'b', 'c']) await journal.append(record);
    await journal.close();
    const again = open(path, { last: 3 });
    await again.journal.append('d');
    expect(readJournal(path, 0, HALF)).toEqual([{ number: 4, records: ['d'] }]);
    await again.journal.close();
  });

  it('refuses what does not fit, and takes the next', async () => {
    const path = newPath();
    const { journal } = open(path);
    await expect(journal.append('x'.repeat(HALF))).rejects.toThrow('too long');
    await journal.append('short');
    copyFileSync(path, `${path}.copy`);
    expect(records(readJournal<string>(`${path}.copy`, 0, HALF))).toEqual(['short']);
    await journal.close();
  });
});
