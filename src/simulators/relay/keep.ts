// Keeps the notices of one box on disk until they are acknowledged.
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RelayNotice } from '../../protocols/relay/index.ts';

export interface Keep {
  stream: string;
  /** Those kept, oldest first; shared, not to be changed. */
  notices(): readonly RelayNotice[];
  /** Resolves when the notice is on disk, under the next sequence. */
  add(notice: Omit<RelayNotice, 'sequence'>): Promise<RelayNotice>;
  /** Forgets everything up to and with this sequence. */
  acknowledge(through: number): Promise<void>;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** All of it is there under its name, or nothing is: a power cut leaves no half. */
async function writeWhole(folder: string, name: string, text: string): Promise<void> {
  const beside = join(folder, `${name}.new`);
  const handle = await open(beside, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(beside, join(folder, name));
  await syncFolder(folder);
}

/** Opens the folder of one box, made where it is missing, with what was left in it. */
export async function openKeep(folder: string): Promise<Keep> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const files = await readdir(folder);
  if (!files.includes('stream')) await writeWhole(folder, 'stream', randomBytes(12).toString('base64url'));
  const stream = await readFile(join(folder, 'stream'), 'utf8');
  let through = files.includes('acknowledged')
    ? Number(await readFile(join(folder, 'acknowledged'), 'utf8'))
    : 0;
  const kept: RelayNotice[] = [];
  for (const name of files.filter((file) => /^\d{12}\.json$/.test(file)).sort()) {
    if (Number.parseInt(name, 10) <= through) await rm(join(folder, name));
    else kept.push(JSON.parse(await readFile(join(folder, name), 'utf8')) as RelayNotice);
  }
  let last = kept.at(-1)?.sequence ?? through;
  const fileOf = (sequence: number) => `${String(sequence).padStart(12, '0')}.json`;

  // One after the other: were a later notice readable before an earlier one is on disk, acknowledging the later one
  // would lose the earlier.
  let turn: Promise<unknown> = Promise.resolve();
  function inTurn<T>(act: () => Promise<T>): Promise<T> {
    const mine = turn.then(act);
    turn = mine.catch(() => undefined);
    return mine;
  }

  return {
    stream,
    notices: () => kept,
    add: (input) =>
      inTurn(async () => {
        const notice = { sequence: last + 1, ...input };
        await writeWhole(folder, fileOf(notice.sequence), JSON.stringify(notice));
        last = notice.sequence;
        kept.push(notice);
        return notice;
      }),
    acknowledge: (upTo) =>
      inTurn(async () => {
        if (upTo <= through) return;
        // First the mark, then the files: a cut between the two forgets nothing that was not acknowledged.
        await writeWhole(folder, 'acknowledged', String(Math.min(upTo, last)));
        through = Math.min(upTo, last);
        while (kept[0] && kept[0].sequence <= through) {
          await rm(join(folder, fileOf(kept[0].sequence)), { force: true });
          kept.shift();
        }
      }),
  };
}
