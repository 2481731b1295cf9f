// Puts right what was written while the clock was wrong.
import { moveEntitlements } from '../access/entitlements.ts';
import { liveCredentials, moveLiveSessions } from '../access/sessions.ts';
import { moveOrders } from '../billing/orders.ts';
import type { Correction } from '../db/known-time.ts';
import type { Db } from '../db/schema.ts';
import { enqueueTask, moveTasks } from '../db/tasks.ts';
import { audit } from '../operators/audit.ts';
import { moveLogins } from '../operators/logins.ts';

const CLOCK = { account_id: null, name: 'clock', address: null };
/** A start with a good clock after a short pause is corrected by as much as the pause; nobody needs to read of it. */
const WORTH_TELLING_MS = 120_000;

/**
 * What lives moves along with the clock, so that it lasts as long as it was sold; what is over stays as it was written,
 * and the audit says by how much the clock was off. Live sessions then get their right end.
 */
export async function correctTimes(tx: Db, correction: Correction): Promise<void> {
  const { since_at, by_ms, at, witness } = correction;
  await moveEntitlements(tx, since_at, by_ms, at);
  await moveLiveSessions(tx, since_at, by_ms);
  await moveOrders(tx, since_at, by_ms, at);
  await moveTasks(tx, since_at, by_ms);
  await moveLogins(tx, since_at, by_ms);
  for (const credential_id of await liveCredentials(tx)) {
    await enqueueTask(tx, 'enforce', { credential_id, reason: 'clock_corrected' }, at);
  }
  if (Math.abs(by_ms) < WORTH_TELLING_MS) return;
  const entry = { action: 'correct', entity: 'clock', entity_name: `by ${witness}` };
  await audit(
    tx,
    CLOCK,
    { ...entry, before: { counted_at: at - by_ms }, after: { counted_at: at, since_at } },
    at,
  );
}
