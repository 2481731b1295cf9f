// The key that seals secrets: a file of its own, readable by nobody else, apart from the database.
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { createVault, KEY_OCTETS, type Vault } from '../lib/secrets.ts';

export const KEY_FILE = 'karibu.key';

/**
 * Opens the key in a data folder, making it on the first start. It appears whole or not at all: it is written beside,
 * flushed, and linked into place, so that a power cut leaves no half key and two starts at once agree on one.
 */
export function openVault(dataDir: string): Vault {
  const path = join(dataDir, KEY_FILE);
  if (!existsSync(path)) makeKey(path);
  chmodSync(path, 0o600);
  const key = Buffer.from(readFileSync(path, 'utf8').trim(), 'base64');
  if (key.length !== KEY_OCTETS) {
    throw new AppError('internal', `${path} is not a key.`, {
      hint: 'Put back the key file from your backup: without it stored secrets cannot be read.',
    });
  }
  return createVault(key);
}

function makeKey(path: string): void {
  const draft = `${path}.${process.pid}.${Date.now()}`;
  const file = openSync(draft, 'wx', 0o600);
  try {
    writeSync(file, `${randomBytes(KEY_OCTETS).toString('base64')}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    unlinkSync(draft);
  }
}
