// karibu account: makes an account, or gives one a new password.
import { AppError } from '../errors.ts';
import { systemClock } from '../lib/clock.ts';
import { createAccount, findAccountByEmail, ROLES, type Role, updateAccount } from '../operators/accounts.ts';
import { audit } from '../operators/audit.ts';
import type { Command, CommandInput } from './command.ts';
import { withStore } from './store.ts';

async function readPassword({ flags, readStdin }: CommandInput): Promise<string> {
  if (!flags['password-stdin']) {
    throw new AppError('invalid', 'The password is missing.', {
      hint: 'Pass it on standard input: echo "…" | karibu account … --password-stdin',
    });
  }
  return (await readStdin()).replace(/\r?\n$/, '');
}

function email({ flags }: CommandInput): string {
  const value = flags.email;
  if (typeof value !== 'string' || !/^[^\s@]+@[^\s@]+$/.test(value)) {
    throw new AppError('invalid', 'Give an e-mail address with --email.');
  }
  return value;
}

const ACTOR = { account_id: null, name: 'command line', address: null };

async function create(input: CommandInput): Promise<void> {
  const role = (input.flags.role ?? 'owner') as Role;
  if (!ROLES.includes(role)) throw new AppError('invalid', `--role is one of ${ROLES.join(', ')}.`);
  const address = email(input);
  const name = typeof input.flags.name === 'string' ? input.flags.name : (address.split('@')[0] as string);
  const password = await readPassword(input);
  await withStore(input.config, async (db) => {
    const now = systemClock.now();
    const account = await createAccount(db, { email: address, name, role, password }, now);
    await audit(
      db,
      ACTOR,
      { action: 'create', entity: 'account', entity_id: account.id, entity_name: account.email },
      now,
    );
    input.print(`Account ${account.email} (${account.role}) is made.`, {
      id: account.id,
      email: account.email,
      role,
    });
  });
}

async function resetPassword(input: CommandInput): Promise<void> {
  const address = email(input);
  const password = await readPassword(input);
  await withStore(input.config, async (db) => {
    const account = await findAccountByEmail(db, address);
    if (!account) throw new AppError('not_found', `No account has the address ${address}.`);
    const now = systemClock.now();
    await updateAccount(db, account.id, { password, state: 'active' }, now);
    await audit(
      db,
      ACTOR,
      { action: 'reset password', entity: 'account', entity_id: account.id, entity_name: account.email },
      now,
    );
    input.print(`${account.email} has a new password; its sign-ins have ended.`, { id: account.id });
  });
}

const VERBS: Record<string, (input: CommandInput) => Promise<void>> = {
  create,
  'reset-password': resetPassword,
};

export const account: Command = {
  summary: 'Make an account, or reset its password',
  usage:
    'karibu account create --email E [--role owner] [--name N] --password-stdin\n       karibu account reset-password --email E --password-stdin',
  flags: {
    email: { type: 'string' },
    role: { type: 'string' },
    name: { type: 'string' },
    'password-stdin': { type: 'boolean' },
  },
  async run(input) {
    const verb = VERBS[input.words[0] ?? ''];
    if (!verb) throw new AppError('invalid', 'karibu account create or karibu account reset-password?');
    await verb(input);
  },
};
