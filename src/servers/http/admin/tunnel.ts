// /api/v1/tunnel: the way in to the callback door.
import * as z from 'zod';
import { MPESA_SOURCES, readTrustedSources, writeTrustedSources } from '../../../billing/trust.ts';
import {
  SENDER_HEADERS,
  TUNNEL_MODES,
  updateTunnelSettings,
  viewTunnelSettings,
} from '../../../network/tunnel/settings.ts';
import type { HttpContext } from '../context.ts';
import { testAnswer } from './answers.ts';
import { changeSettings } from './change-settings.ts';
import { MANAGERS, present, route } from './route.ts';

const text = z.string();
const maybeText = text.nullable();
const count = z.number().int().min(0);
const maybeTime = z.number().int().nullable();

/** Lower case: a host with capitals was refused as an invalid CallBackURL (payments.md §1.9). */
const publicUrl = z
  .url({ protocol: /^https?$/, error: 'Write an address that begins with https://.' })
  .max(300)
  .transform((url) => new URL(url))
  .refine((url) => !url.search && !url.hash && !url.username, 'Write the address alone.')
  .transform((url) => url.href.replace(/\/+$/, ''));
const maybe = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (value === '' ? null : value), schema.nullable()).optional();

// These become arguments of a program: none may look like an option.
const host = z
  .string()
  .trim()
  .max(253)
  .regex(/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/, 'Write a host name or an address.');
const user = z
  .string()
  .trim()
  .max(64)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/, 'Write a user name.');
const file = z
  .string()
  .trim()
  .max(300)
  .regex(/^\/[\w./@+ -]*$/, 'Write a whole path, from / on.');
const box = z
  .string()
  .trim()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'Small letters, digits and dashes.');
const token = z.string().trim().max(2000).regex(/^\S*$/, 'A token has no spaces.');

const address = z.union([z.ipv4(), z.ipv6()], 'Write addresses, one a line.');

const form = z.object({
  mode: z.enum(TUNNEL_MODES).optional(),
  proxies: z.array(address).max(20).optional().describe('Proxies whose header about the sender is believed'),
  sender_header: z.enum(SENDER_HEADERS).optional(),
  url: maybe(publicUrl),
  cloudflared_token: maybe(token),
  ssh_host: maybe(host),
  ssh_port: z.coerce.number().int().min(1).max(65_535).optional(),
  ssh_user: maybe(user),
  ssh_identity_file: maybe(file),
  ssh_remote_port: z.coerce.number().int().min(0).max(65_535).optional(),
  hub_url: maybe(publicUrl),
  hub_box: maybe(box),
  hub_token: maybe(token),
});

const settingsShape = z.strictObject({
  mode: z.enum(TUNNEL_MODES),
  proxies: z.array(text),
  sender_header: z.enum(SENDER_HEADERS),
  url: maybeText,
  ssh_host: maybeText,
  ssh_port: count,
  ssh_user: maybeText,
  ssh_identity_file: maybeText,
  ssh_remote_port: count,
  hub_url: maybeText,
  hub_box: maybeText,
  has_cloudflared_token: z.boolean(),
  has_hub_token: z.boolean(),
});

const tunnelAnswer = z.strictObject({
  settings: settingsShape,
  state: z.strictObject({
    mode: z.enum(TUNNEL_MODES),
    stage: z.enum(['off', 'unknown', 'starting', 'up', 'unreachable', 'waiting', 'stopped']),
    url: maybeText,
    problem: maybeText,
    hint: maybeText,
    pid: count.nullable(),
    starts: count,
    started_at: maybeTime,
    checked_at: maybeTime,
    reached_at: maybeTime,
    next_start_at: maybeTime,
    lines: z.array(text).describe('What the program printed last'),
    waiting: count.nullable().describe('Notices that wait at the relay'),
    taken: count.nullable().describe('Notices that the relay has handed over since the start'),
  }),
  door: z.strictObject({
    since_at: z.number().int(),
    counts: z.strictObject({
      taken: count,
      quarantined: count,
      slow: count,
      too_large: count,
      doubted: count,
      checks: count,
    }),
    last_taken_at: maybeTime,
    strangers: z.array(z.strictObject({ at: z.number().int(), address: maybeText, why: text })),
  }),
  sources: z.strictObject({
    known: z.array(text).describe('M-PESA’s own, as they are known'),
    trusted: z.array(text).describe('Added by the operator'),
  }),
});

async function wholeTunnel(ctx: HttpContext) {
  return {
    settings: await viewTunnelSettings(ctx.db),
    state: ctx.tunnel.state(),
    door: ctx.callbacks.read(),
    sources: { known: [...MPESA_SOURCES], trusted: await readTrustedSources(ctx.db) },
  };
}

export const tunnelRoutes = [
  route({
    method: 'get',
    path: '/tunnel',
    summary: 'The way in to the callback door: its settings, its state, and what has come through the door',
    access: MANAGERS,
    answer: tunnelAnswer,
    handle: ({ ctx }) => wholeTunnel(ctx),
  }),
  route({
    method: 'put',
    path: '/tunnel',
    summary: 'Change the way in; what is left out stays, tokens too',
    access: MANAGERS,
    body: form,
    answer: tunnelAnswer,
    async handle({ ctx, actor, body, now }) {
      await changeSettings(ctx.db, actor, now, {
        name: 'tunnel',
        read: viewTunnelSettings,
        write: (tx) => updateTunnelSettings(tx, ctx.vault, present(body), now),
        replaced: (['cloudflared_token', 'hub_token'] as const).filter((name) => body[name]),
      });
      await ctx.tunnel.reload();
      return wholeTunnel(ctx);
    },
  }),
  route({
    method: 'put',
    path: '/tunnel/sources',
    summary:
      'Addresses that are trusted beside M-PESA’s own; notices of others are confirmed by a question first',
    access: MANAGERS,
    body: z.object({
      trusted: z.array(address).max(100),
    }),
    answer: tunnelAnswer,
    async handle({ ctx, actor, body, now }) {
      await changeSettings(ctx.db, actor, now, {
        name: 'callback sources',
        read: async (tx) => ({ trusted: await readTrustedSources(tx) }),
        write: (tx) => writeTrustedSources(tx, body.trusted, now),
      });
      return wholeTunnel(ctx);
    },
  }),
  route({
    method: 'post',
    path: '/tunnel/test',
    summary: 'Ask for the callback door at its public address, from outside in',
    access: MANAGERS,
    body: z.object({}).strict(),
    answer: testAnswer,
    async handle({ ctx }) {
      const reach = await ctx.tunnel.check();
      const step = reach.ok
        ? { step: 'callback', ok: true, message: `This box answers at ${reach.url}` }
        : { step: 'callback', ok: false, message: reach.problem, hint: reach.hint };
      return { ok: reach.ok, steps: [step] };
    },
  }),
];
