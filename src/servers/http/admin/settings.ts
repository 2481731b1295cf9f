// /api/v1/settings
import * as z from 'zod';
import { readOutageSettings, updateOutageSettings } from '../../../access/outages.ts';
import {
  completeMpesaSettings,
  readMpesaSettings,
  viewMpesaSettings,
  writeMpesaSettings,
} from '../../../billing/mpesa-settings.ts';
import { readPaymentPolicy, updatePaymentPolicy } from '../../../billing/policy.ts';
import { AppError } from '../../../errors.ts';
import { readAccountingSettings, updateAccountingSettings } from '../../../operators/accounting-settings.ts';
import { readBusiness, updateBusiness } from '../../../operators/business.ts';
import {
  accountingAnswer,
  businessAnswer,
  mpesaAnswer,
  outageSettingsAnswer,
  paymentPolicyAnswer,
  settingsAnswer,
  testAnswer,
} from './answers.ts';
import { changeSettings } from './change-settings.ts';
import { MANAGERS, present, route } from './route.ts';

const httpUrl = z
  .url({ protocol: /^https?$/, error: 'Write an address that begins with http:// or https://.' })
  .max(300)
  .transform((url) => url.replace(/\/+$/, ''));
/** An empty field of a form is nothing. */
const maybe = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (value === '' ? null : value), schema.nullable());
const digits = z
  .string()
  .trim()
  .regex(/^\d{4,10}$/, 'Digits only, as Safaricom gave them.');

const business = z
  .object({
    name: z.string().trim().min(1, 'Write the name that guests see.').max(60),
    currency: z.literal('KES', 'M-PESA in Kenya moves shillings: KES.'),
    support_phone: maybe(z.string().trim().max(30)),
    portal_url: maybe(httpUrl),
    appliance_address: maybe(z.union([z.ipv4(), z.ipv6()])),
    default_language: z.enum(['en', 'sw']),
  })
  .partial();

const accounting = z
  .object({
    missed_interims: z.coerce.number().int().min(2, 'One report may get lost: 2 or more.').max(100),
    sessions_kept_days: z.coerce.number().int().min(31, 'A month or more: 31 days.').max(3660),
  })
  .partial();

const outages = z
  .object({
    mode: z.enum(['off', 'ask', 'automatic']),
    minimum_seconds: z.number().int().min(120).max(86_400).describe('A shorter outage does not count'),
    maximum_seconds: z
      .number()
      .int()
      .min(60)
      .max(31 * 86_400)
      .describe('The most for one outage'),
  })
  .partial();

const paymentPolicy = z
  .object({
    second_payment: z
      .enum(['stack', 'wait'])
      .describe('A second payment for a paid order adds its time, or waits for a person'),
    paste_minutes: z
      .number()
      .int('Whole minutes.')
      .min(0, '0 is none.')
      .max(60, 'M-PESA answers sooner: 60 or less.')
      .describe('Access for a pasted M-PESA code before M-PESA confirms it'),
    paste_kbps: z
      .number()
      .int('Whole kbps.')
      .min(64, 'Slower than 64 kbps opens nothing.')
      .max(100_000, 'At most 100000 kbps.'),
  })
  .partial();

const secret = z.string().trim().max(500).optional();
const mpesa = z
  .object({
    environment: z.enum(['sandbox', 'production', 'simulator', 'custom']),
    base_url: maybe(httpUrl).optional(),
    shortcode: digits,
    kind: z.enum(['paybill', 'till']),
    till_number: maybe(digits).optional(),
    consumer_key: secret,
    consumer_secret: secret,
    passkey: secret,
    callback_base_url: maybe(httpUrl)
      .optional()
      .describe('Where M-PESA reaches the callback listener, through a tunnel'),
  })
  .refine((form) => !(form.environment === 'production' && form.callback_base_url?.startsWith('http:')), {
    path: ['callback_base_url'],
    message: 'Production wants https.',
  });

export const settingRoutes = [
  route({
    method: 'get',
    path: '/settings',
    summary: 'All settings, without secrets',
    access: MANAGERS,
    answer: settingsAnswer,
    handle: async ({ ctx }) => ({
      business: await readBusiness(ctx.db),
      mpesa: await viewMpesaSettings(ctx.db),
      accounting: await readAccountingSettings(ctx.db),
      outages: await readOutageSettings(ctx.db),
      payment_policy: await readPaymentPolicy(ctx.db),
    }),
  }),
  route({
    method: 'put',
    path: '/settings/outages',
    summary: 'Whether and how far entitlements are extended by an outage',
    access: MANAGERS,
    body: outages,
    answer: outageSettingsAnswer,
    handle: ({ ctx, actor, body, now }) =>
      changeSettings(ctx.db, actor, now, {
        name: 'outages',
        read: readOutageSettings,
        write: (tx) => updateOutageSettings(tx, present(body), now),
      }),
  }),
  route({
    method: 'put',
    path: '/settings/payment-policy',
    summary: 'What becomes of a second payment, and what a pasted M-PESA code gives before it is confirmed',
    access: MANAGERS,
    body: paymentPolicy,
    answer: paymentPolicyAnswer,
    handle: ({ ctx, actor, body, now }) =>
      changeSettings(ctx.db, actor, now, {
        name: 'payment policy',
        read: readPaymentPolicy,
        write: (tx) => updatePaymentPolicy(tx, present(body), now),
      }),
  }),
  route({
    method: 'put',
    path: '/settings/business',
    summary: 'What guests and routers know of the business',
    access: MANAGERS,
    body: business,
    answer: businessAnswer,
    handle: ({ ctx, actor, body, now }) =>
      changeSettings(ctx.db, actor, now, {
        name: 'business',
        read: readBusiness,
        write: (tx) => updateBusiness(tx, present(body), now),
      }),
  }),
  route({
    method: 'put',
    path: '/settings/accounting',
    summary: 'After how many missed reports a session counts as over, and how long sessions are kept',
    access: MANAGERS,
    body: accounting,
    answer: accountingAnswer,
    handle: ({ ctx, actor, body, now }) =>
      changeSettings(ctx.db, actor, now, {
        name: 'accounting',
        read: readAccountingSettings,
        write: (tx) => updateAccountingSettings(tx, present(body), now),
      }),
  }),
  route({
    method: 'put',
    path: '/settings/mpesa',
    summary: 'M-PESA keys; secrets that are left out stay',
    access: MANAGERS,
    body: mpesa,
    answer: mpesaAnswer,
    handle: ({ ctx, actor, body, now }) =>
      changeSettings(ctx.db, actor, now, {
        name: 'mpesa',
        read: viewMpesaSettings,
        write: async (tx) =>
          writeMpesaSettings(tx, ctx.vault, await completeMpesaSettings(tx, ctx.vault, body), now),
        replaced: (['consumer_key', 'consumer_secret', 'passkey'] as const).filter((name) => body[name]),
      }),
  }),
  route({
    method: 'post',
    path: '/settings/mpesa/test',
    summary: 'Try the M-PESA keys, stored or as a form holds them, step by step; costs nothing',
    access: MANAGERS,
    body: z.union([mpesa, z.object({}).strict()]),
    answer: testAnswer,
    async handle({ ctx, body }) {
      const form = 'environment' in body ? (body as z.infer<typeof mpesa>) : undefined;
      const settings = form
        ? await completeMpesaSettings(ctx.db, ctx.vault, form)
        : await readMpesaSettings(ctx.db, ctx.vault);
      if (!settings)
        throw new AppError('conflict', 'M-PESA is not set up.', { hint: 'Fill in the form first.' });
      const gateway = await ctx.tryMpesa(settings);
      const steps = await gateway.test();
      return { ok: steps.every((step) => step.ok), steps };
    },
  }),
];
