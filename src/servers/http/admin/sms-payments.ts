// /api/v1/settings/sms-payments
import * as z from 'zod';
import {
  readSmsSettings,
  rotateSmsToken,
  smsToken,
  updateSmsSettings,
} from '../../../billing/sms-settings.ts';
import { formatMoney } from '../../../lib/money.ts';
import { audit } from '../../../operators/audit.ts';
import { parseConfirmationSms } from '../../../protocols/mpesa/index.ts';
import type { HttpContext } from '../context.ts';
import { smsSettingsAnswer, testAnswer } from './answers.ts';
import { changeSettings } from './change-settings.ts';
import { MANAGERS, present, type Route, route } from './route.ts';

async function shown(ctx: HttpContext) {
  const token = await smsToken(ctx.db, ctx.vault);
  const base = ctx.tunnel.publicUrl() ?? `http://127.0.0.1:${ctx.ports().callback}`;
  return {
    ...(await readSmsSettings(ctx.db)),
    address: token ? `${base}/cb/sms/${token}` : null,
    reachable: ctx.tunnel.publicUrl() !== undefined,
  };
}

export const smsPaymentRoutes: Route[] = [
  route({
    method: 'get',
    path: '/settings/sms-payments',
    summary: 'Payments told by forwarded SMS: where guests pay, and the forwarder’s address',
    access: MANAGERS,
    answer: smsSettingsAnswer,
    handle: ({ ctx }) => shown(ctx),
  }),
  route({
    method: 'put',
    path: '/settings/sms-payments',
    summary: 'Where guests pay by hand, and how far an SMS may be from its order',
    access: MANAGERS,
    body: z
      .object({
        enabled: z.boolean(),
        pay_to: z.enum(['till', 'pochi', 'paybill', 'send']),
        pay_to_number: z
          .string()
          .trim()
          .regex(/^\d{0,12}$/, 'Digits only.'),
        pay_to_name: z.string().trim().max(60),
        window_seconds: z.number().int().min(300).max(86_400),
        without_phone: z.boolean(),
      })
      .partial(),
    answer: smsSettingsAnswer,
    async handle({ ctx, actor, body, now }) {
      await changeSettings(ctx.db, actor, now, {
        name: 'sms payments',
        read: readSmsSettings,
        write: (tx) => updateSmsSettings(tx, present(body), now),
      });
      return shown(ctx);
    },
  }),
  route({
    method: 'post',
    path: '/settings/sms-payments/address',
    summary: 'Make a new address for the forwarder; the one before is refused from then on',
    access: MANAGERS,
    answer: smsSettingsAnswer,
    async handle({ ctx, actor, now }) {
      await ctx.db.transaction().execute(async (tx) => {
        await rotateSmsToken(tx, ctx.vault, now);
        await audit(tx, actor, { action: 'rotate', entity: 'settings', entity_name: 'sms payments' }, now);
      });
      return shown(ctx);
    },
  }),
  route({
    method: 'post',
    path: '/settings/sms-payments/test',
    summary: 'What Karibu reads in an SMS; nothing is kept',
    access: MANAGERS,
    body: z.object({ text: z.string().trim().min(1, 'Paste an M-PESA message.').max(1000) }),
    answer: testAnswer,
    async handle({ ctx, body }) {
      const sms = parseConfirmationSms(body.text);
      const { address } = await shown(ctx);
      const read = sms
        ? `${sms.receipt}: ${formatMoney(sms.amount_cents)} from ${sms.phone ?? 'no number'} ${sms.name ?? ''}`
        : 'It is no English M-PESA message about money received.';
      const steps = [
        { step: 'message', ok: sms !== undefined, message: read.trim() },
        {
          step: 'address',
          ok: address !== null,
          message: address ? 'The forwarder has an address.' : 'There is no address yet.',
          ...(address ? {} : { hint: 'Make one, and put it into the forwarding app.' }),
        },
      ];
      return { ok: steps.every((step) => step.ok), steps };
    },
  }),
];
