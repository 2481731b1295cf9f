// Builds a store of the size that a busy operator has after a year, for the other measurements to run on.
//
//   npx bun test/bench/seed.ts --data DIR [--vouchers N] [--entitlements N] [--sessions N]
//
// The rows are the same each time but for the sealed texts (each has an IV of its own). The key is the data folder's,
// so that the app runs on it: karibu serve --data DIR, with the account below.
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openVault } from '../../src/db/key-file.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openSqlite } from '../../src/db/open.ts';
import { writeSetting } from '../../src/db/settings.ts';
import { DAY_MS } from '../../src/lib/days.ts';
import { createAccount } from '../../src/operators/accounts.ts';
import { openBulk } from './store/bulk.ts';
import { fillCatalogue } from './store/catalogue.ts';
import { fillJournal } from './store/journal.ts';
import { createRandom } from './store/random.ts';
import { fillSales, fillSubscribers } from './store/sales.ts';
import { fillSessions } from './store/sessions.ts';
import { fillVouchers } from './store/vouchers.ts';

export const ACCOUNT = { email: 'bench@karibu.test', password: 'bench password' };

/** The instant up to which the store has lived; whoever runs on it starts its clock there. */
export const SEEDED_AT = Date.parse('2026-11-20T18:00:00+03:00');

export interface Sizes {
  vouchers: number;
  entitlements: number;
  sessions: number;
}

export const FULL: Sizes = { vouchers: 1_000_000, entitlements: 200_000, sessions: 2_000_000 };

const OPEN_SESSIONS = 3000;
/** Subscribers with a phone, for each entitlement: 80,000 of 200,000. */
const PHONES_SHARE = 0.4;

/** Makes the store in an empty folder; half of the entitlements are bought, half are from vouchers. */
export async function seedStore(dataDir: string, sizes: Sizes, tell = (_: string) => {}): Promise<string> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const file = join(dataDir, 'karibu.db');
  if (existsSync(file)) throw new Error(`${file} is there already`);
  const now = SEEDED_AT;
  const from = now - 365 * DAY_MS;
  const vault = openVault(dataDir);

  const db = await openSqlite(file);
  await migrate(db, { now });
  const owner = { ...ACCOUNT, name: 'Bench', role: 'owner' as const };
  const account = await createAccount(db, owner, from);
  await writeSetting(db, 'clock', { last_known_at: now }, now);
  await db.destroy();

  const random = createRandom(20_261_120);
  const bulk = openBulk(file);
  const started = performance.now();
  const step = (what: string) =>
    tell(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${what}`);
  const catalogue = fillCatalogue(bulk, random, vault, from);
  const granted = Math.floor(sizes.entitlements / 2);
  const vouchers = fillVouchers(bulk, random, vault, catalogue, {
    vouchers: sizes.vouchers,
    granted,
    from,
    now,
  });
  step('vouchers');
  const phones = Math.max(1, Math.floor(sizes.entitlements * PHONES_SHARE));
  const buyers = fillSubscribers(bulk, random, vault, phones, from, now);
  const bought = sizes.entitlements - vouchers.length;
  const sales = fillSales(bulk, random, vault, catalogue, { bought, buyers, vouchers, from, now });
  bulk.run('update plans set sold = (select count(*) from entitlements e where e.plan_id = plans.id)');
  step('subscribers, entitlements, orders, payments');
  const { sessions } = sizes;
  fillSessions(bulk, random, catalogue, sales, { sessions, open: OPEN_SESSIONS, from, now });
  step('sessions');
  const journal = { audit: 50_000, messages: 50_000, tasks: 20_000, account_id: account.id, from, now };
  fillJournal(bulk, random, journal);
  bulk.close();
  step('journal, references checked');
  return file;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      vouchers: { type: 'string' },
      entitlements: { type: 'string' },
      sessions: { type: 'string' },
    },
  });
  if (!values.data) throw new Error('Say where: --data DIR');
  const sizes = {
    vouchers: Number(values.vouchers ?? FULL.vouchers),
    entitlements: Number(values.entitlements ?? FULL.entitlements),
    sessions: Number(values.sessions ?? FULL.sessions),
  };
  const file = await seedStore(values.data, sizes, console.log);
  console.log(`${file}: ${(statSync(file).size / 1e6).toFixed(0)} MB`, sizes);
}
