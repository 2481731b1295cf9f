// The portal's JSON API, for its own script and for login pages that operators write themselves.
import { Hono } from 'hono';
import * as z from 'zod';
import { listPlansOnSale, type Plan } from '../../../access/plans.ts';
import { findOrder } from '../../../billing/orders.ts';
import { AppError } from '../../../errors.ts';
import { isId } from '../../../lib/ids.ts';
import { normalizeMac } from '../../../lib/mac.ts';
import { parse } from '../admin/route.ts';
import type { HttpEnv } from '../context.ts';
import { readJson } from '../input.ts';
import { claimPaid } from './claim.ts';
import type { PortalContext } from './context.ts';
import { accessByCode, answerOrder, buyPlan, openCredential, redeemCode } from './purchase.ts';

/** An empty or absent address is none; a wrong one is an error. */
const mac = z
  .string()
  .max(40)
  .nullish()
  .transform((text, issues) => {
    if (!text) return null;
    const normal = normalizeMac(text);
    if (!normal) issues.addIssue({ code: 'custom', message: 'This is no MAC address.' });
    return normal ?? null;
  });
const ip = z
  .union([z.literal(''), z.ipv4(), z.ipv6()])
  .nullish()
  .transform((text) => text || null);

const newOrder = z.object({ plan_id: z.string().max(40), msisdn: z.string().max(40), mac, ip });
const redeem = z.object({ code: z.string().trim().min(1, 'Write the code.').max(60), mac, ip });
const claim = z.object({ text: z.string().trim().min(1, 'Paste the M-PESA message.').max(600), mac, ip });

function viewPlan(plan: Plan) {
  const { id, name, description, price_cents, validity_seconds, online_seconds, quota_octets } = plan;
  const { rate_down_kbps, rate_up_kbps, max_devices } = plan;
  const { download_quota_octets, upload_quota_octets, hours_from_minute, hours_to_minute } = plan;
  const { fair_use_rate_down_kbps, fair_use_rate_up_kbps } = plan;
  return {
    ...{ id, name, description, price_cents, validity_seconds, online_seconds, quota_octets },
    ...{ rate_down_kbps, rate_up_kbps, max_devices },
    ...{ hours_from_minute, hours_to_minute },
    ...{ download_quota_octets, upload_quota_octets, fair_use_rate_down_kbps, fair_use_rate_up_kbps },
  };
}

const REFUSALS = {
  unknown: () =>
    new AppError('not_found', 'This code is not known.', { hint: 'Check each letter and number.' }),
  used: () =>
    new AppError('conflict', 'This code is used already.', { hint: 'If it is yours, sign in with it.' }),
  cancelled: () => new AppError('conflict', 'This code was cancelled.', { hint: 'Ask where you bought it.' }),
  receipt_over: () =>
    new AppError('conflict', 'The plan this code paid for is over.', { hint: 'Buy another one.' }),
  receipt_waits: () =>
    new AppError('conflict', 'This payment is known, but not what it is for.', {
      hint: 'Show the M-PESA message at the counter.',
    }),
};

const CLAIM_REFUSALS = {
  no_code: () =>
    new AppError('invalid', 'There is no M-PESA code in this.', {
      hint: 'Send the ten letters and digits at the start of the SMS, of one payment.',
    }),
  no_wifi: () =>
    new AppError('invalid', 'A code is claimed for a device.', { hint: 'Send its MAC address as `mac`.' }),
  other_device: () =>
    new AppError('conflict', 'This code was given by another phone.', {
      hint: 'Use that phone, or show the M-PESA message to the person who runs this WiFi.',
    }),
  unknown: () =>
    new AppError('not_found', 'M-PESA does not know this code.', {
      hint: 'Show the M-PESA message to the person who runs this WiFi.',
    }),
  receipt_over: REFUSALS.receipt_over,
  receipt_waits: REFUSALS.receipt_waits,
  too_many_codes: () =>
    new AppError('rate_limited', 'This phone gave several codes that M-PESA has not confirmed.', {
      hint: 'Show the M-PESA message to the person who runs this WiFi.',
    }),
};

export function createPortalApi(ctx: PortalContext): Hono<{ Bindings: HttpEnv }> {
  const api = new Hono<{ Bindings: HttpEnv }>();

  api.get('/plans', async (c) => {
    const plans = await listPlansOnSale(ctx.db);
    return c.json({ items: plans.map(viewPlan), next: null });
  });

  api.post('/orders', async (c) => {
    const body = parse(newOrder, await readJson(c.req.raw), 'body');
    const key = c.req.header('idempotency-key')?.slice(0, 200) ?? null;
    const order = await buyPlan(ctx, { ...body, router_id: null, idempotency_key: key });
    return c.json(await answerOrder(ctx, order, 'en'), 201);
  });

  api.get('/orders/:id', async (c) => {
    const id = c.req.param('id');
    const order = isId(id) ? await findOrder(ctx.db, id) : undefined;
    if (!order) throw new AppError('not_found', 'There is no such order.');
    c.header('cache-control', 'no-store');
    return c.json(await answerOrder(ctx, order, c.req.query('lang') === 'sw' ? 'sw' : 'en'));
  });

  api.post('/redeem', async (c) => {
    const body = parse(redeem, await readJson(c.req.raw), 'body');
    const redemption = await redeemCode(ctx, body.code, body.mac, c.env.address);
    if (!redemption.redeemed) throw REFUSALS[redemption.reason]();
    const { username, password, entitlement } = redemption;
    return c.json({
      username,
      password,
      entitlement_id: entitlement.id,
      validity_seconds: entitlement.validity_seconds,
    });
  });

  // A voucher or an M-PESA receipt, used before or not: this device goes on with its access.
  api.post('/continue', async (c) => {
    const body = parse(redeem, await readJson(c.req.raw), 'body');
    const entered = await accessByCode(ctx, body.code, {
      mac: body.mac,
      previous_mac: null,
      address: c.env.address,
    });
    if ('refused' in entered) throw REFUSALS[entered.refused]();
    return c.json(await openCredential(ctx, entered.access.credential_id));
  });

  // A guest says they have paid: `yours` and `slow` bring a credential, `checking` is asked again with the same text.
  api.post('/claims', async (c) => {
    const body = parse(claim, await readJson(c.req.raw), 'body');
    const { text, mac, ip } = body;
    const guest = { mac, ip, previous_mac: null, router_id: null, address: c.env.address };
    const answer = await claimPaid(ctx, text, guest);
    if (answer.state === 'refused') throw CLAIM_REFUSALS[answer.reason]();
    if (answer.state === 'checking') return c.json({ state: answer.state });
    const own = await openCredential(ctx, answer.access.credential_id);
    const minutes = answer.state === 'slow' ? { validity_seconds: answer.validity_seconds } : {};
    return c.json({ state: answer.state, ...own, ...minutes });
  });

  return api;
}
