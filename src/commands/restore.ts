// karibu restore: puts a backup in the place of the database.
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { sql } from 'kysely';
import { JOURNAL_FILE } from '../access/journaled-accounting.ts';
import type { Config } from '../config.ts';
import { knownMigrations } from '../db/migrate.ts';
import { openSqlite } from '../db/open.ts';
import { AppError } from '../errors.ts';
import { systemClock } from '../lib/clock.ts';
import { DATABASE_FILE, KEY_FILE, MANIFEST_FILE, type Manifest, readManifest } from './backup/manifest.ts';
import { listTar, readPieces, type TarEntry } from './backup/tar.ts';
import { copyDatabase, flushFolder, hashFile, sqliteFile } from './backup.ts';
import type { Command } from './command.ts';
import { isInUse } from './in-use.ts';
import { tryKey, vaultOf } from './sealed.ts';

interface OpenBackup {
  file: number;
  manifest: Manifest;
  database: TarEntry;
  key: string | undefined;
}

function readOctets(file: number, entry: TarEntry): Buffer {
  const pieces: Buffer[] = [];
  readPieces(file, entry.offset, entry.size, (piece) => void pieces.push(Buffer.from(piece)));
  return Buffer.concat(pieces);
}

/** @throws `invalid` for a file that is no backup of ours, `conflict` for one of a newer Karibu. */
function openBackup(file: number, path: string): OpenBackup {
  let found: OpenBackup;
  try {
    const entries = listTar(file);
    const named = (name: string) => entries.find((entry) => entry.name === name);
    const [words, database, key] = [named(MANIFEST_FILE), named(DATABASE_FILE), named(KEY_FILE)];
    if (!words || !database) throw new Error('it holds no manifest or no database');
    const manifest = readManifest(readOctets(file, words));
    found = { file, manifest, database, key: key && readOctets(file, key).toString('utf8') };
  } catch (cause) {
    throw new AppError('invalid', `${path} is no backup that can be read.`, { cause });
  }
  const known = knownMigrations();
  const unknown = found.manifest.database.migrations.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new AppError('conflict', `This backup is from a newer Karibu (${found.manifest.karibu}).`, {
      hint: 'Install that version, or a later one, then restore.',
    });
  }
  return found;
}

/** Copies the database out beside its place and checks every octet of it. */
function unpackDatabase({ file, manifest, database }: OpenBackup, to: string): void {
  const out = openSync(to, 'wx', 0o600);
  try {
    readPieces(file, database.offset, database.size, (piece) => void writeSync(out, piece));
    fsyncSync(out);
  } finally {
    closeSync(out);
  }
  if (statSync(to).size !== manifest.database.octets || hashFile(to) !== manifest.database.sha256) {
    throw new AppError('invalid', 'The backup is damaged: its database is not what the manifest says.', {
      hint: 'Nothing was changed. Use another backup.',
    });
  }
}

/** Keeps what stands in the place, and answers where; undefined when the place is empty. */
async function keepPresent(
  config: Config,
  path: string,
  force: boolean,
  now: number,
): Promise<string | undefined> {
  if (!existsSync(path) || statSync(path).size === 0) return undefined;
  if (await isInUse(path)) {
    throw new AppError('conflict', 'Karibu is running on this data folder.', {
      hint: 'Stop it first: systemctl stop karibu',
    });
  }
  if (!force) {
    throw new AppError('conflict', `There is a database at ${path}.`, {
      hint: 'Restore into an empty folder (--data DIR), or replace it with --force: a copy of it is kept.',
    });
  }
  const snapshot = join(config.data_dir, 'snapshots', `before-restore-${now}.db`);
  mkdirSync(dirname(snapshot), { recursive: true, mode: 0o700 });
  await copyDatabase(path, snapshot);
  return snapshot;
}

/** Whether the key that will lie beside the restored database opens what it has sealed. */
async function checkKey(database: string, keyText: string | undefined): Promise<string | undefined> {
  const db = await openSqlite(database);
  try {
    const { rows } = await sql<{ quick_check: string }>`pragma quick_check`.execute(db);
    if (rows[0]?.quick_check !== 'ok') {
      throw new AppError('invalid', 'The database in the backup is damaged.', {
        hint: 'Nothing was changed. Use another backup.',
      });
    }
    const vault = keyText === undefined ? undefined : vaultOf(keyText);
    const { tried, opens } = vault ? await tryKey(db, vault) : { tried: 1, opens: false };
    if (opens || tried === 0) return undefined;
    return keyText === undefined
      ? 'The key is missing: put karibu.key into the data folder before the first start.'
      : 'The key in the data folder is not the one this backup was sealed with: put the right karibu.key there before the first start.';
  } finally {
    await db.destroy();
  }
}

function installKey(config: Config, key: string, now: number): string | undefined {
  const path = join(config.data_dir, KEY_FILE);
  const present = existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  if (present?.trim() === key.trim()) return undefined;
  let kept: string | undefined;
  if (present !== undefined) {
    kept = join(config.data_dir, 'snapshots', `before-restore-${now}.key`);
    mkdirSync(dirname(kept), { recursive: true, mode: 0o700 });
    writeFileSync(kept, present, { flag: 'wx', mode: 0o600, flush: true });
  }
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, key, { flag: 'wx', mode: 0o600, flush: true });
  renameSync(draft, path);
  return kept;
}

export interface Restored {
  database: string;
  from: { karibu: string; made_at: number };
  key: 'restored' | 'kept' | 'missing';
  snapshot?: string;
  key_snapshot?: string;
  warning?: string;
}

/**
 * Restores a backup. Everything is checked before anything in the data folder changes; the database is then replaced
 * in one step.
 * @throws `not_found`, `invalid` (no backup, damaged), `conflict` (newer, in use, or in the way without `force`).
 */
export async function restoreBackup(
  config: Config,
  path: string,
  options: { force: boolean; now: number },
): Promise<Restored> {
  const place = sqliteFile(config);
  if (!existsSync(path)) throw new AppError('not_found', `There is no file ${path}.`);
  mkdirSync(config.data_dir, { recursive: true, mode: 0o700 });
  const draft = `${place}.${process.pid}.restore`;
  const file = openSync(path, 'r');
  try {
    const opened = openBackup(file, path);
    unpackDatabase(opened, draft);
    const keyPath = join(config.data_dir, KEY_FILE);
    const ownKey = existsSync(keyPath) ? readFileSync(keyPath, 'utf8') : undefined;
    const warning = await checkKey(draft, opened.key ?? ownKey);
    const snapshot = await keepPresent(config, place, options.force, options.now);
    const keySnapshot = opened.key === undefined ? undefined : installKey(config, opened.key, options.now);
    // A journal of the old database would be taken for the new one's.
    for (const tail of ['-wal', '-shm', '-journal']) rmSync(`${place}${tail}`, { force: true });
    rmSync(join(config.data_dir, JOURNAL_FILE), { force: true });
    renameSync(draft, place);
    flushFolder(dirname(place));
    return {
      database: place,
      from: { karibu: opened.manifest.karibu, made_at: opened.manifest.made_at },
      key: opened.key !== undefined ? 'restored' : ownKey !== undefined ? 'kept' : 'missing',
      ...(snapshot ? { snapshot } : {}),
      ...(keySnapshot ? { key_snapshot: keySnapshot } : {}),
      ...(warning ? { warning } : {}),
    };
  } finally {
    closeSync(file);
    for (const tail of ['', '-wal', '-shm', '-journal']) rmSync(`${draft}${tail}`, { force: true });
  }
}

export const restore: Command = {
  summary: 'Put a backup in the place of the database',
  usage: [
    'karibu restore FILE [--force] [--data DIR] [--json]',
    '',
    '  --force   replace a database that is there; a copy of it is kept in DIR/snapshots',
    '',
    'Karibu must not be running on DIR. A damaged backup, or one of a newer Karibu, is refused.',
  ].join('\n'),
  flags: { force: { type: 'boolean' } },
  async run({ config, words, flags, print }) {
    const [path, ...rest] = words;
    if (!path || rest.length > 0) throw new AppError('invalid', 'Which backup? karibu restore FILE');
    const now = systemClock.now();
    const done = await restoreBackup(config, path, { force: flags.force === true, now });
    const made = new Date(done.from.made_at).toISOString().slice(0, 16).replace('T', ' ');
    const lines = [
      `Restored the backup of ${made} UTC (Karibu ${done.from.karibu}) to ${done.database}.`,
      done.snapshot && `What was there is in ${done.snapshot}.`,
      done.key_snapshot && `The key that was there is in ${done.key_snapshot}.`,
      done.warning && `Careful: ${done.warning}`,
    ];
    print(lines.filter(Boolean).join('\n'), done);
  },
};
