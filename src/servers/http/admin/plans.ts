// /api/v1/plans
import * as z from 'zod';
import { followPlan } from '../../../access/follow-plan.ts';
import {
  createPlan,
  getPlan,
  holdPlan,
  listPlans,
  type PlanInput,
  updatePlan,
} from '../../../access/plans.ts';
import { type Actor, audit } from '../../../operators/audit.ts';
import type { HttpContext } from '../context.ts';
import { pageOfAnswer, planAnswer } from './answers.ts';
import { MANAGERS, pageOf, pageQuery, present, route } from './route.ts';

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const positive = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
const TEN_YEARS_SECONDS = 315_360_000;
const seconds = z.number().int().min(1).max(TEN_YEARS_SECONDS);
const kbps = z.number().int().min(1).max(10_000_000);

/** What a pool or an address list is called on the router. */
const routerName = z
  .string()
  .trim()
  .regex(/^[\w.-]{1,60}$/, 'Letters, digits, dots, dashes and underscores, as it is called on the router.')
  .nullable();

const minute = z.number().int().min(0).max(1439).nullable();

/** Terms that a plan need not have. */
const finer = {
  burst_rate_down_kbps: kbps.nullable().describe('Speed for a short while; not below the rate'),
  burst_rate_up_kbps: kbps.nullable(),
  burst_threshold_down_kbps: kbps.nullable().describe('Average above which a burst ends; null is the rate'),
  burst_threshold_up_kbps: kbps.nullable(),
  burst_seconds: z.number().int().min(1).max(3600).nullable().describe('Over which the average is taken'),
  idle_timeout_seconds: z
    .number()
    .int()
    .min(30)
    .max(86_400)
    .nullable()
    .describe('A session without traffic for so long ends'),
  address_pool: routerName.describe('Framed-Pool; the pool must exist on the router'),
  address_list: routerName.describe('Mikrotik-Address-List'),
  upload_quota_octets: positive.nullable().describe('Beside the quota for both directions'),
  download_quota_octets: positive.nullable(),
  fair_use_rate_down_kbps: kbps.nullable().describe('After a quota is used; with neither, access ends then'),
  fair_use_rate_up_kbps: kbps.nullable(),
  hours_from_minute: minute.describe('Minutes after midnight in Nairobi; may be later than the end'),
  hours_to_minute: minute,
  device_policy: z.enum(['refuse', 'replace_oldest']).describe('With one device too many'),
};

const fields = {
  name: z.string().trim().min(1, 'Give the plan a name.').max(60),
  description: z.string().trim().max(300),
  kind: z.enum(['hotspot', 'pppoe']),
  price_cents: count.max(25_000_000).describe('Minor units; M-PESA takes whole shillings up to KES 250,000'),
  validity_seconds: seconds.describe('From the first login'),
  online_seconds: seconds.nullable().describe('Connected time; null counts validity alone'),
  quota_octets: positive.nullable().describe('Both directions; null is unlimited'),
  rate_down_kbps: kbps.nullable(),
  rate_up_kbps: kbps.nullable(),
  max_devices: z.number().int().min(1).max(100),
  ...finer,
  state: z.enum(['on_sale', 'hidden', 'archived']),
  position: z.number().int().min(0).max(10_000).describe('Order on the portal, lowest first'),
};

const create = z.object({
  ...fields,
  ...z.object(finer).partial().shape,
  description: fields.description.default(''),
  kind: fields.kind.default('hotspot'),
  online_seconds: fields.online_seconds.default(null),
  quota_octets: fields.quota_octets.default(null),
  rate_down_kbps: fields.rate_down_kbps.default(null),
  rate_up_kbps: fields.rate_up_kbps.default(null),
  max_devices: fields.max_devices.default(1),
  state: fields.state.default('on_sale'),
  position: fields.position.default(0),
});
const change = z.object(fields).partial();

export const planRoutes = [
  route({
    method: 'get',
    path: '/plans',
    summary: 'List plans, newest first',
    access: 'signed_in',
    query: pageQuery.extend({ state: fields.state.optional() }),
    answer: pageOfAnswer(planAnswer),
    handle: ({ ctx, query }) => listPlans(ctx.db, pageOf(query), query.state),
  }),
  route({
    method: 'post',
    path: '/plans',
    summary: 'Create a plan',
    access: MANAGERS,
    status: 201,
    body: create,
    answer: planAnswer,
    async handle({ ctx, actor, body, now }) {
      return ctx.db.transaction().execute(async (tx) => {
        const plan = await createPlan(tx, body, now);
        const entry = {
          action: 'create',
          entity: 'plan',
          entity_id: plan.id,
          entity_name: plan.name,
          after: plan,
        };
        await audit(tx, actor, entry, now);
        return plan;
      });
    },
  }),
  route({
    method: 'get',
    path: '/plans/{id}',
    summary: 'One plan',
    access: 'signed_in',
    answer: planAnswer,
    handle: ({ ctx, params }) => getPlan(ctx.db, params.id as string),
  }),
  route({
    method: 'patch',
    path: '/plans/{id}',
    summary:
      'Change a plan; what is sold already keeps its terms, but for the speeds, which change on live sessions too',
    access: MANAGERS,
    body: change,
    answer: planAnswer,
    handle: ({ ctx, actor, params, body, now }) =>
      changePlan(ctx, actor, params.id as string, present(body), 'update', now),
  }),
  route({
    method: 'delete',
    path: '/plans/{id}',
    summary: 'Archive a plan; PATCH its state to bring it back',
    access: MANAGERS,
    answer: planAnswer,
    handle: ({ ctx, actor, params, now }) =>
      changePlan(ctx, actor, params.id as string, { state: 'archived' }, 'archive', now),
  }),
];

async function changePlan(
  ctx: HttpContext,
  actor: Actor,
  id: string,
  values: Partial<PlanInput>,
  action: string,
  now: number,
) {
  const changed = await ctx.db.transaction().execute(async (tx) => {
    const before = await holdPlan(tx, id);
    const plan = await updatePlan(tx, id, values, now);
    await followPlan(tx, before, plan, now);
    await audit(
      tx,
      actor,
      { action, entity: 'plan', entity_id: id, entity_name: plan.name, before, after: plan },
      now,
    );
    return plan;
  });
  ctx.kick();
  return changed;
}
