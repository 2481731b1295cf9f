// Configuration: flags and environment, read once.
import { AppError } from './errors.ts';
import { isPostgresUrl } from './lib/database-url.ts';
import type { LogLevel } from './log.ts';

export interface Address {
  host: string;
  port: number;
}

export interface Config {
  /** Holds the key file, and the database unless that is PostgreSQL. */
  data_dir: string;
  /** Path of the SQLite file, `:memory:`, or `postgres://…`. */
  database: string;
  admin: Address;
  portal: Address;
  callback: Address;
  radius_auth: Address;
  radius_acct: Address;
  /** Where the simulated M-PESA listens while the settings ask for it. */
  simulator: Address;
  /** What the programs of a tunnel get of our environment: where programs and keys lie, and none of our secrets. */
  tunnel_environment: Record<string, string>;
  log_level: LogLevel;
  /** How often routers report live sessions, seconds (RFC 2869 §5.16 wants no less than 60). */
  interim_seconds: number;
}

type Environment = Record<string, string | undefined>;

/** `host:port`, `[v6]:port` or `:port`. */
export function parseAddress(text: string, name: string): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]*)):(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  if (!match || port > 65_535) {
    throw new AppError('invalid', `${name}: “${text}” is not an address.`, {
      hint: 'Write it like 0.0.0.0:8080.',
    });
  }
  return { host: match[1] ?? (match[2] || '0.0.0.0'), port };
}

const LEVELS: readonly string[] = ['debug', 'info', 'warn', 'error'];

/**
 * Flags win over the environment, which wins over the defaults (DESIGN §6). Nothing else reads the environment.
 * @throws `invalid` naming the variable.
 */
export function readConfig(environment: Environment, flags: { data?: string | undefined } = {}): Config {
  const address = (name: string, standard: string) => parseAddress(environment[name] || standard, name);
  const data = flags.data || environment.KARIBU_DATA_DIR || './data';
  const level = environment.KARIBU_LOG_LEVEL || 'info';
  if (!LEVELS.includes(level)) {
    throw new AppError('invalid', `KARIBU_LOG_LEVEL: “${level}” is no level.`, {
      hint: `One of ${LEVELS.join(', ')}.`,
    });
  }
  const url = environment.KARIBU_DATABASE_URL;
  if (url && !isPostgresUrl(url)) {
    throw new AppError('invalid', 'KARIBU_DATABASE_URL must begin with postgres://.', {
      hint: 'Leave it out to use SQLite in the data folder.',
    });
  }
  return {
    data_dir: data,
    database: url || `${data}/karibu.db`,
    admin: address('KARIBU_ADMIN_LISTEN', '0.0.0.0:8080'),
    portal: address('KARIBU_PORTAL_LISTEN', '0.0.0.0:8081'),
    callback: address('KARIBU_CALLBACK_LISTEN', '127.0.0.1:8082'),
    radius_auth: address('KARIBU_RADIUS_AUTH_LISTEN', '0.0.0.0:1812'),
    radius_acct: address('KARIBU_RADIUS_ACCT_LISTEN', '0.0.0.0:1813'),
    simulator: address('KARIBU_SIMULATOR_LISTEN', '127.0.0.1:8083'),
    tunnel_environment: {
      PATH: environment.PATH ?? '/usr/local/bin:/usr/bin:/bin',
      HOME: environment.HOME ?? '/',
    },
    log_level: level as LogLevel,
    interim_seconds: 60,
  };
}
