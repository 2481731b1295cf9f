// Looks at the database and what is set up in it.
import { existsSync } from 'node:fs';
import { sql } from 'kysely';
import { readMpesaSettings } from '../../billing/mpesa-settings.ts';
import type { Config } from '../../config.ts';
import { asDiskError } from '../../db/disk.ts';
import { createKnownTime, FIRST_BUILD_AT } from '../../db/known-time.ts';
import { appliedMigrations, knownMigrations } from '../../db/migrate.ts';
import { openStore } from '../../db/open.ts';
import type { Db } from '../../db/schema.ts';
import { errorText } from '../../errors.ts';
import type { Clock } from '../../lib/clock.ts';
import { isPostgresUrl } from '../../lib/database-url.ts';
import type { Vault } from '../../lib/secrets.ts';
import { checkRouter } from '../../network/check-router.ts';
import { apiOf } from '../../network/router-api.ts';
import { allRouters } from '../../network/routers.ts';
import { hasAccounts } from '../../operators/accounts.ts';
import { tryKey } from '../sealed.ts';
import { type Check, fail, ok, warn } from './check.ts';

async function checkIntegrity(db: Db, config: Config): Promise<Check> {
  const name = 'database';
  if (isPostgresUrl(config.database)) {
    await sql`select 1`.execute(db);
    return ok(name, 'PostgreSQL answers');
  }
  const { rows } = await sql<{ quick_check: string }>`pragma quick_check`.execute(db);
  if (rows[0]?.quick_check === 'ok') return ok(name, `${config.database} is sound`);
  return fail(
    name,
    `${config.database}: ${rows[0]?.quick_check}`,
    'Restore the last backup: karibu restore FILE',
  );
}

async function checkMigrations(db: Db): Promise<Check> {
  const name = 'migrations';
  const known = knownMigrations();
  const applied = await appliedMigrations(db);
  const unknown = applied.filter((one) => !known.includes(one));
  if (unknown.length > 0) {
    return fail(name, 'A newer Karibu wrote this database.', 'Install that version, or a later one.');
  }
  const missing = known.filter((one) => !applied.includes(one));
  if (missing.length === 0) return ok(name, `${applied.length} applied, none missing`);
  return warn(name, `${missing.join(', ')} not applied yet.`, 'karibu migrate, or just start Karibu.');
}

async function checkSealed(db: Db, vault: Vault): Promise<Check> {
  const name = 'sealed values';
  const { tried, opens } = await tryKey(db, vault);
  if (tried === 0) return ok(name, 'none stored yet');
  if (opens) return ok(name, 'the key opens them');
  return fail(
    name,
    'The key does not open what is stored.',
    'Put back the karibu.key that belongs to this database.',
  );
}

async function checkClock(db: Db, clock: Clock): Promise<Check> {
  const name = 'clock';
  const now = new Date(clock.now()).toISOString().slice(0, 16).replace('T', ' ');
  const hint = 'Set the time, or let it be set: timedatectl set-ntp true';
  if (clock.now() < FIRST_BUILD_AT) return fail(name, `It is not ${now}.`, hint);
  const known = createKnownTime(db, clock);
  await known.load();
  const { trusted, message } = known.state();
  if (!message) return ok(name, `${now} UTC`);
  return trusted ? warn(name, message, hint) : fail(name, message, hint);
}

async function checkAccounts(db: Db): Promise<Check> {
  if (await hasAccounts(db)) return ok('accounts', 'someone can sign in');
  return warn('accounts', 'Nobody can sign in yet.', 'Open the admin page, or: karibu account create');
}

async function checkRouters(db: Db, vault: Vault, authPort: number): Promise<Check> {
  const name = 'routers';
  const routers = await allRouters(db);
  if (routers.length === 0)
    return warn(name, 'None is added yet.', 'Add one in the admin page under Routers.');
  const asked = await Promise.all(
    routers.map(async (router) => {
      const api = apiOf(router, vault);
      return { name: router.name, result: api && (await checkRouter(api, authPort)) };
    }),
  );
  const withApi = asked.filter((one) => one.result);
  const silent = withApi.filter((one) => !one.result?.seen).map((one) => one.name);
  const says = `${withApi.length - silent.length} of ${withApi.length} reached, ${routers.length} in all`;
  if (silent.length === 0) return ok(name, says);
  return warn(name, `${says}; not ${silent.join(', ')}.`, 'Test them in the admin page: it says what to do.');
}

async function checkMpesa(db: Db, vault: Vault): Promise<Check> {
  const name = 'm-pesa';
  const settings = await readMpesaSettings(db, vault);
  if (!settings) {
    return warn(name, 'Not set up: only vouchers and cash.', 'Enter the Daraja keys in the admin page.');
  }
  const says = `${settings.environment}, ${settings.kind} ${settings.shortcode}`;
  if (settings.environment === 'production' || settings.environment === 'custom') return ok(name, says);
  return warn(name, `${says}: no real money moves.`, 'Choose production in the settings when you open.');
}

/** A check that breaks off is a failed one, in the words of what broke it. */
async function guarded(name: string, run: () => Promise<Check>): Promise<Check> {
  try {
    return await run();
  } catch (error) {
    const known = asDiskError(error);
    const hint = known?.hint ?? 'Look at the log, or restore the last backup.';
    return fail(name, known?.message ?? errorText(error), hint);
  }
}

/** Everything that is to be known from the store; what needs the key is left out when there is none. */
export async function checkStore(config: Config, vault: Vault | undefined, clock: Clock): Promise<Check[]> {
  if (!isPostgresUrl(config.database) && !existsSync(config.database)) {
    return [warn('database', `There is none at ${config.database} yet.`, 'Starting Karibu makes it.')];
  }
  let db: Db;
  try {
    db = await openStore(config.database);
  } catch (error) {
    return [fail('database', errorText(error), 'Is it a database of Karibu, and may this user read it?')];
  }
  try {
    const database = await guarded('database', () => checkIntegrity(db, config));
    if (database.state === 'fail') return [database];
    const schema = await guarded('migrations', () => checkMigrations(db));
    if (schema.state !== 'ok') return [database, schema];
    const checks = [
      database,
      schema,
      await guarded('clock', () => checkClock(db, clock)),
      await guarded('accounts', () => checkAccounts(db)),
    ];
    if (!vault) return checks;
    const sealed = await guarded('sealed values', () => checkSealed(db, vault));
    if (sealed.state === 'fail') return [...checks, sealed];
    return [
      ...checks,
      sealed,
      await guarded('routers', () => checkRouters(db, vault, config.radius_auth.port)),
      await guarded('m-pesa', () => checkMpesa(db, vault)),
    ];
  } finally {
    await db.destroy();
  }
}
