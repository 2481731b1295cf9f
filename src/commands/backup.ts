// karibu backup: copies the database, whole and consistent, into one file.
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { sql } from 'kysely';
import type { Config } from '../config.ts';
import { appliedMigrations } from '../db/migrate.ts';
import { openSqlite } from '../db/open.ts';
import { AppError } from '../errors.ts';
import { systemClock } from '../lib/clock.ts';
import { isPostgresUrl } from '../lib/database-url.ts';
import { version } from '../version.ts';
import { DATABASE_FILE, KEY_FILE, MANIFEST_FILE, type Manifest, writeManifest } from './backup/manifest.ts';
import { readPieces, type TarSource, writeTar } from './backup/tar.ts';
import type { Command } from './command.ts';

/** Only SQLite is one file of ours; PostgreSQL has tools that know it better. */
export function sqliteFile(config: Config): string {
  if (!isPostgresUrl(config.database)) return config.database;
  throw new AppError('invalid', 'This Karibu keeps its data in PostgreSQL.', {
    hint: 'Use pg_dump and pg_restore, and keep the key file of the data folder with them.',
  });
}

/** SHA-256 in hex. */
export function hashFile(path: string): string {
  const hash = createHash('sha256');
  const file = openSync(path, 'r');
  try {
    readPieces(file, 0, statSync(path).size, (piece) => void hash.update(piece));
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}

/** Copies a database that may be in use: one moment of it, without its journal. `to` must not exist. */
export async function copyDatabase(from: string, to: string): Promise<string[]> {
  // Made first and empty, which VACUUM INTO allows, so that it is never readable by others.
  writeFileSync(to, '', { flag: 'wx', mode: 0o600 });
  const db = await openSqlite(from);
  try {
    await sql`vacuum into ${sql.lit(to)}`.execute(db);
    return await appliedMigrations(db);
  } finally {
    await db.destroy();
  }
}

function readKey(dataDir: string): Buffer {
  const path = join(dataDir, KEY_FILE);
  if (!existsSync(path)) throw new AppError('not_found', `There is no key at ${path}.`);
  return readFileSync(path);
}

function targetFile(config: Config, to: string | undefined, now: number): string {
  const stamp = new Date(now).toISOString().slice(0, 19).replaceAll(':', '').replace('T', '-');
  const name = `karibu-${stamp}.tar`;
  if (!to) return join(config.data_dir, 'backups', name);
  return statSync(to, { throwIfNoEntry: false })?.isDirectory() ? join(to, name) : to;
}

/** Makes a new or renamed file in a folder outlast a power cut. */
export function flushFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

export interface Backup {
  file: string;
  manifest: Manifest;
}

/**
 * Writes a backup that is there whole or not at all. Works while Karibu runs.
 * @throws `invalid` for PostgreSQL, `not_found` without a database, `conflict` when the file exists.
 */
export async function makeBackup(
  config: Config,
  options: { to?: string | undefined; withKey: boolean; now: number },
): Promise<Backup> {
  const from = sqliteFile(config);
  if (!existsSync(from)) {
    throw new AppError('not_found', `There is no database at ${from}.`, {
      hint: 'Name the data folder: --data DIR.',
    });
  }
  const file = resolve(targetFile(config, options.to, options.now));
  if (existsSync(file)) {
    throw new AppError('conflict', `${file} exists already.`, { hint: 'Give another name.' });
  }
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const key = options.withKey ? readKey(config.data_dir) : undefined;
  const copy = `${file}.${process.pid}.db`;
  const draft = `${file}.${process.pid}.part`;
  try {
    const migrations = await copyDatabase(from, copy);
    const octets = statSync(copy).size;
    const manifest: Manifest = {
      format: 1,
      karibu: version,
      made_at: options.now,
      database: { octets, sha256: hashFile(copy), migrations },
      has_key: key !== undefined,
    };
    const words = writeManifest(manifest);
    const sources: TarSource[] = [
      { name: MANIFEST_FILE, size: words.length, from: { octets: words } },
      { name: DATABASE_FILE, size: octets, from: { path: copy } },
    ];
    if (key) sources.push({ name: KEY_FILE, size: key.length, from: { octets: key } });
    writeTar(draft, sources, options.now);
    chmodSync(draft, 0o600);
    // By linking, not renaming: a file that appeared meanwhile is not written over.
    linkSync(draft, file);
    flushFolder(dirname(file));
    return { file, manifest };
  } finally {
    rmSync(copy, { force: true });
    rmSync(draft, { force: true });
  }
}

const KEY_INSIDE =
  'It holds the key: whoever has this file can read every stored secret. Keep it like the cash box.';

export const backup: Command = {
  summary: 'Copy the database into one file, also while Karibu runs',
  usage: [
    'karibu backup [--to FILE|FOLDER] [--with-key] [--data DIR] [--json]',
    '',
    '  --to        the file to write, or the folder to write it in (DIR/backups)',
    '  --with-key  put the key in as well; without it stored secrets cannot be read,',
    '              so keep DIR/karibu.key somewhere else once',
    '',
    'The file is a tar: manifest.json (version, time, SHA-256), karibu.db (SQLite), and karibu.key if asked for.',
  ].join('\n'),
  flags: { to: { type: 'string' }, 'with-key': { type: 'boolean' } },
  async run({ config, flags, print }) {
    const withKey = flags['with-key'] === true;
    const now = systemClock.now();
    const { file, manifest } = await makeBackup(config, {
      to: flags.to as string | undefined,
      withKey,
      now,
    });
    const about = withKey
      ? KEY_INSIDE
      : `The key is not in it: keep a copy of ${join(config.data_dir, KEY_FILE)} in another place.`;
    print(`Wrote ${file} (${(manifest.database.octets / 1e6).toFixed(1)} MB).\n${about}`, {
      file,
      ...manifest,
      ...(withKey ? { warning: KEY_INSIDE } : {}),
    });
  },
};
