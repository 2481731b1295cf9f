// Asks the routers we have an API account on whether they live, and since when.
import { noteRouterDown, noteRouterUp, readOutageSettings } from '../access/outages.ts';
import { closeSessionsBeforeBoot } from '../access/sessions.ts';
import { checkRouter } from '../network/check-router.ts';
import { apiOf } from '../network/router-api.ts';
import { allRouters, recordRouterState } from '../network/routers.ts';
import type { JobContext } from './context.ts';

/** What the router's count of seconds and the way to it may be off by. */
const SLACK_MS = 5000;

/**
 * A router that came up again has forgotten its sessions, and RouterOS is not known to say so in accounting
 * (routeros.md §1.5). One that does not answer, or does not say how long it is up, has nothing closed.
 */
export async function checkRouters(
  ctx: Pick<JobContext, 'db' | 'vault' | 'clock' | 'log' | 'knownTime'>,
): Promise<void> {
  for (const router of await allRouters(ctx.db)) {
    const api = apiOf(router, ctx.vault);
    if (!api) continue;
    const { steps, seen, uptime_seconds, clock_at } = await checkRouter(api, 0);
    const failed = steps.find((step) => !step.ok);
    await recordRouterState(
      ctx.db,
      router.id,
      seen ?? { error: failed?.message ?? 'Not reached.' },
      ctx.clock.now(),
    );
    if (ctx.knownTime.trusted()) {
      if (seen) await noteRouterUp(ctx.db, router.id, ctx.clock.now());
      else if ((await readOutageSettings(ctx.db)).mode !== 'off')
        await noteRouterDown(ctx.db, router, ctx.clock.now());
    }
    if (clock_at !== undefined) ctx.knownTime.hear({ name: `the router “${router.name}”`, at: clock_at });
    if (uptime_seconds !== undefined && ctx.knownTime.trusted()) {
      const bootedAt = ctx.clock.now() - uptime_seconds * 1000;
      const closed = await closeSessionsBeforeBoot(ctx.db, router.id, bootedAt - SLACK_MS);
      if (closed.length > 0) {
        ctx.log.info('closed sessions of a restarted router', { router: router.name, count: closed.length });
      }
    }
  }
}
