// Runs the app on a seeded store, on ports of its own.
import { type App, type BoundAddresses, createApp } from '../../../src/app.ts';
import { readConfig } from '../../../src/config.ts';
import type { Clock } from '../../../src/lib/clock.ts';
import { SEEDED_AT } from '../seed.ts';

const ANY_PORT = '127.0.0.1:0';

/** A clock that went on where the store ends: sessions are live, entitlements still run. */
export function seededClock(): Clock {
  return { now: () => Math.floor(SEEDED_AT + performance.now()), monotonic: () => performance.now() };
}

/** Starts the app as `karibu serve` does; everything it listens on is loopback. */
export async function runApp(dataDir: string): Promise<{ app: App; bound: BoundAddresses }> {
  const config = readConfig(
    {
      KARIBU_ADMIN_LISTEN: ANY_PORT,
      KARIBU_PORTAL_LISTEN: ANY_PORT,
      KARIBU_CALLBACK_LISTEN: ANY_PORT,
      KARIBU_RADIUS_AUTH_LISTEN: ANY_PORT,
      KARIBU_RADIUS_ACCT_LISTEN: ANY_PORT,
      KARIBU_LOG_LEVEL: 'warn',
    },
    { data: dataDir },
  );
  const app = await createApp(config, { clock: seededClock() });
  return { app, bound: await app.start() };
}
