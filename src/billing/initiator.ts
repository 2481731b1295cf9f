// The API operator that may ask for statuses, reversals and balances: name, sealed password, M-PESA's certificate.
import type { Db } from '../db/schema.ts';
import { readSetting, writeSetting } from '../db/settings.ts';
import { AppError } from '../errors.ts';
import type { Vault } from '../lib/secrets.ts';
import { type Initiator, makeSecurityCredential } from '../protocols/mpesa/index.ts';

const KEY = 'mpesa_initiator';
const DAY = 86_400_000;

/** An initiator's password ends so long after it was set (payments.md §1.10). */
export const PASSWORD_DAYS = 90;

interface Stored {
  name: string;
  password_sealed: string;
  certificate: string;
  password_set_at: number;
  certificate_ends_at: number;
}

export interface InitiatorView {
  name: string | null;
  has_password: boolean;
  has_certificate: boolean;
  password_set_at: number | null;
  password_ends_at: number | null;
  certificate_ends_at: number | null;
}

/** What is left out stays; `password_set_at` is when it was set on the organisation portal, now unless told. */
export interface InitiatorInput {
  name?: string | undefined;
  password?: string | undefined;
  certificate?: string | undefined;
  password_set_at?: number | undefined;
}

export async function viewInitiator(db: Db): Promise<InitiatorView> {
  const stored = await readSetting<Stored>(db, KEY);
  return {
    name: stored?.name ?? null,
    has_password: stored !== undefined,
    has_certificate: stored !== undefined,
    password_set_at: stored?.password_set_at ?? null,
    password_ends_at: stored ? stored.password_set_at + PASSWORD_DAYS * DAY : null,
    certificate_ends_at: stored?.certificate_ends_at ?? null,
  };
}

/** Changes with whatever is stored of it. */
export async function initiatorMark(db: Db): Promise<unknown> {
  return readSetting<Stored>(db, KEY);
}

/** Ready for a request, under a credential of its own each time; undefined while none is set up. */
export async function openInitiator(db: Db, vault: Vault): Promise<Initiator | undefined> {
  const stored = await readSetting<Stored>(db, KEY);
  if (!stored) return undefined;
  const made = makeSecurityCredential(vault.open(stored.password_sealed), stored.certificate);
  return made.ok ? { name: stored.name, securityCredential: made.credential } : undefined;
}

/** @throws `invalid` naming what is missing, or is no certificate. */
export async function updateInitiator(
  db: Db,
  vault: Vault,
  input: InitiatorInput,
  now: number,
): Promise<void> {
  const known = await readSetting<Stored>(db, KEY);
  const name = input.name || known?.name || '';
  const password = input.password || (known ? vault.open(known.password_sealed) : '');
  const certificate = input.certificate || known?.certificate || '';
  const fields: Record<string, string> = {};
  if (!name) fields.name = 'The user name of the API operator on the organisation portal.';
  if (!password) fields.password = 'The password of that API operator.';
  if (!certificate) fields.certificate = 'M-PESA’s certificate, from the Daraja portal.';
  const made = Object.keys(fields).length === 0 ? makeSecurityCredential(password, certificate) : undefined;
  if (made && !made.ok) fields[made.problem] = made.message;
  if (!made?.ok) throw new AppError('invalid', 'The initiator is not complete.', { fields });
  const stored: Stored = {
    name,
    password_sealed: vault.seal(password),
    certificate,
    password_set_at: input.password_set_at ?? (input.password ? now : (known?.password_set_at ?? now)),
    certificate_ends_at: made.expires_at,
  };
  await writeSetting(db, KEY, stored, now);
}
