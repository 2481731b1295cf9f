// Looks whether the routers we have an API account on can be reached.
import { checkRouter } from '../network/check-router.ts';
import { apiOf } from '../network/router-api.ts';
import { allRouters, recordRouterState } from '../network/routers.ts';
import type { JobContext } from './context.ts';

export async function checkRouters(ctx: JobContext): Promise<void> {
  for (const router of await allRouters(ctx.db)) {
    const api = apiOf(router, ctx.vault);
    if (!api) continue;
    const { steps, seen } = await checkRouter(api, 0);
    const failed = steps.find((step) => !step.ok);
    await recordRouterState(
      ctx.db,
      router.id,
      seen ?? { error: failed?.message ?? 'Not reached.' },
      ctx.clock.now(),
    );
  }
}
