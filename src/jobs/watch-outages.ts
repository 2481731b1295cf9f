// Notes outages that are over, and has them extended where the operator wants that done by itself.
import {
  decideOutage,
  noteOutage,
  type Outage,
  readOutageSettings,
  settleOutages,
} from '../access/outages.ts';
import { audit } from '../operators/audit.ts';
import type { JobContext } from './context.ts';

/** What waited for a person before that stays theirs to decide. */
const AUTOMATIC_MS = 3600_000;
const POLICY = { account_id: null, name: 'outage policy', address: null };

/** While the clock is not trusted nobody knows how long anything was down. */
export async function watchOutages(
  ctx: Pick<JobContext, 'db' | 'clock' | 'knownTime' | 'log' | 'kick'>,
): Promise<void> {
  const { mode, minimum_seconds } = await readOutageSettings(ctx.db);
  if (mode === 'off' || !ctx.knownTime.trusted()) return;
  const now = ctx.clock.now();
  const minimumMs = minimum_seconds * 1000;
  const off = ctx.knownTime.wasOff();
  if (off && off.to_at - off.from_at >= minimumMs) await noteOutage(ctx.db, { kind: 'box', ...off }, now);
  for (const outage of await settleOutages(ctx.db, minimumMs)) {
    const { kind, router_name, from_at, to_at } = outage;
    ctx.log.warn('outage over', { kind, router: router_name, from_at, to_at, mode });
  }
  if (mode !== 'automatic') return;
  const waiting = await ctx.db
    .selectFrom('outages')
    .selectAll()
    .where('state', '=', 'waiting')
    .where('to_at', '>=', now - AUTOMATIC_MS)
    .execute();
  for (const outage of waiting) await approve(ctx, outage, now);
}

async function approve(ctx: Pick<JobContext, 'db' | 'kick'>, outage: Outage, now: number): Promise<void> {
  await ctx.db.transaction().execute(async (tx) => {
    await decideOutage(tx, outage.id, 'approved', POLICY.name, now);
    const entry = { action: 'approve', entity: 'outage', entity_id: outage.id };
    const name = outage.router_name ?? 'the box';
    await audit(
      tx,
      POLICY,
      { ...entry, entity_name: name, after: { from_at: outage.from_at, to_at: outage.to_at } },
      now,
    );
  });
  ctx.kick();
}
