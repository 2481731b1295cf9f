// Every command: its name leads to its file.
import { parseArgs } from 'node:util';
import { readConfig } from '../config.ts';
import { asDiskError } from '../db/disk.ts';
import { AppError } from '../errors.ts';
import { account } from './account.ts';
import { backup } from './backup.ts';
import type { Command } from './command.ts';
import { demo } from './demo.ts';
import { doctor } from './doctor.ts';
import { migrate } from './migrate.ts';
import { restore } from './restore.ts';
import { serve } from './serve.ts';
import { version } from './version.ts';

const commands: Record<string, Command> = {
  serve,
  demo,
  migrate,
  backup,
  restore,
  doctor,
  account,
  version,
};

function help(): string {
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}`);
  return [
    'karibu: sells internet beside a MikroTik router',
    '',
    'Usage: karibu COMMAND [--data DIR] [--json]',
    '',
    ...lines,
    '',
    'karibu COMMAND --help says more. Settings are in the admin page; where it listens is in the environment',
    '(KARIBU_ADMIN_LISTEN, KARIBU_PORTAL_LISTEN, KARIBU_CALLBACK_LISTEN, KARIBU_RADIUS_AUTH_LISTEN,',
    'KARIBU_RADIUS_ACCT_LISTEN, KARIBU_DATA_DIR, KARIBU_DATABASE_URL, KARIBU_LOG_LEVEL).',
  ].join('\n');
}

async function readStdin(): Promise<string> {
  let text = '';
  for await (const chunk of process.stdin) text += chunk;
  return text;
}

const COMMON = {
  data: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

function readFlags(command: Command, rest: string[]) {
  try {
    return parseArgs({ args: rest, options: { ...COMMON, ...command.flags }, allowPositionals: true });
  } catch (cause) {
    throw new AppError('invalid', (cause as Error).message, { hint: command.usage });
  }
}

/** Runs one command line; the exit code: 0 done, 1 failed, 2 not understood. */
export async function runCommand(
  argv: string[],
  environment: Record<string, string | undefined>,
): Promise<number> {
  const [name = 'help', ...rest] = argv;
  if (name === 'help' || name === '--help' || name === '-h') {
    process.stdout.write(`${help()}\n`);
    return 0;
  }
  const command = commands[name === '--version' ? 'version' : name];
  if (!command) {
    process.stderr.write(`karibu: there is no command “${name}”\n\n${help()}\n`);
    return 2;
  }
  try {
    const { values, positionals } = readFlags(command, rest);
    const flags = values as Record<string, string | boolean | undefined>;
    if (flags.help) {
      process.stdout.write(`${command.summary}\n\nUsage: ${command.usage}\n`);
      return 0;
    }
    const print = (text: string, value: unknown) =>
      void process.stdout.write(`${flags.json ? JSON.stringify(value) : text}\n`);
    const said = Object.entries(environment).filter(([, value]) => value);
    const config = readConfig(
      { ...command.environment, ...Object.fromEntries(said) },
      { data: flags.data as string | undefined },
    );
    await command.run({ config, words: positionals, flags, readStdin, print });
    return 0;
  } catch (error) {
    const known = error instanceof AppError ? error : asDiskError(error);
    const lines = [
      `karibu: ${(known ?? (error as Error)).message}`,
      known?.hint,
      known?.cause && String(known.cause),
    ];
    process.stderr.write(`${lines.filter(Boolean).join('\n')}\n`);
    if (!known) process.stderr.write(`${(error as Error).stack}\n`);
    return known?.code === 'invalid' ? 2 : 1;
  }
}
