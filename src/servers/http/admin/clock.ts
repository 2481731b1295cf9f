// /api/v1/clock
import * as z from 'zod';
import { AppError } from '../../../errors.ts';
import { audit } from '../../../operators/audit.ts';
import { clockAnswer } from './answers.ts';
import { MANAGERS, route } from './route.ts';

/** A page shows what was so when it was loaded; the clock must not have jumped anew since. */
const SAME_MS = 120_000;

export const clockRoutes = [
  route({
    method: 'get',
    path: '/clock',
    summary: 'What the clock of the box shows, what Karibu goes by, and what is wrong with it',
    access: 'signed_in',
    answer: clockAnswer,
    handle: async ({ ctx }) => ctx.clockState(),
  }),
  route({
    method: 'post',
    path: '/clock/confirm',
    summary: 'Vouch for what the clock of the box shows: Karibu goes by it from now on',
    access: MANAGERS,
    body: z.object({
      ahead_ms: z.number().int().describe('`box_at` less `counted_at`, as they were shown'),
    }),
    answer: clockAnswer,
    async handle({ ctx, actor, body }) {
      const { box_at, counted_at, message } = ctx.clockState();
      if (!message) throw new AppError('conflict', 'Nothing is wrong with the clock any more.');
      if (Math.abs(box_at - counted_at - body.ahead_ms) > SAME_MS) {
        throw new AppError('conflict', 'The clock has changed since.', {
          hint: 'Look at what it shows now.',
        });
      }
      const corrected = await ctx.confirmClock(actor.name);
      if (!corrected) {
        throw new AppError('conflict', 'This clock was never set: no such time can be right.', {
          hint: 'Set the time of the box first: timedatectl set-time',
        });
      }
      const entry = {
        action: 'confirm',
        entity: 'clock',
        before: { counted_at: corrected.at - corrected.by_ms },
      };
      await audit(ctx.db, actor, { ...entry, after: { counted_at: corrected.at } }, corrected.at);
      ctx.kick();
      return ctx.clockState();
    },
  }),
];
