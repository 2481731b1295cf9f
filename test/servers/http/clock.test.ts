// What the admin API says of the clock, and who may vouch for it when.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { NOW } from '../../access/fixtures.ts';
import { startApp, type TestApp } from './fixtures.ts';

const DAY = 86_400_000;
let app: TestApp;
let owner: Awaited<ReturnType<TestApp['signedInAs']>>;
/** What the wall clock is off by; the time that passes is not. */
let wrong: number;
beforeEach(async () => {
  wrong = 0;
  app = await startApp({ clock: { now: () => NOW + wrong, monotonic: () => 1000 } });
  owner = await app.signedInAs('owner');
});
afterEach(() => app.close());

const confirm = (ahead_ms: unknown) => owner.call('POST', '/clock/confirm', { ahead_ms });

it('while all is well there is nothing to say and nothing to confirm', async () => {
  const clock = await owner.call('GET', '/clock');
  expect(clock.json).toEqual({ trusted: true, box_at: NOW, counted_at: NOW });
  expect(await confirm(0)).toMatchObject({
    status: 409,
    json: { code: 'conflict', detail: 'Nothing is wrong with the clock any more.' },
  });
});

it('a step is told to everybody who is signed in, and followed when a manager vouches for it, which is audited', async () => {
  wrong = 31 * DAY;
  const cashier = await app.signedInAs('cashier');
  const me = await cashier.call('GET', '/auth/me');
  expect(me.json.clock).toMatchObject({
    trusted: true,
    message: expect.stringContaining('jumped forward by 31 days'),
    hint: expect.stringContaining('say so here'),
    box_at: NOW + wrong,
    counted_at: NOW,
  });
  expect(await cashier.call('POST', '/clock/confirm', { ahead_ms: wrong })).toMatchObject({ status: 403 });
  expect(await confirm(wrong)).toMatchObject({
    status: 200,
    json: { trusted: true, box_at: NOW + wrong, counted_at: NOW + wrong },
  });
  expect((await owner.call('GET', '/clock')).json).not.toHaveProperty('message');
  const { json } = await owner.call('GET', '/audit?entity=clock');
  const byAction = (a: { action: string }, b: { action: string }) => a.action.localeCompare(b.action);
  expect(json.items.toSorted(byAction)).toMatchObject([
    {
      action: 'confirm',
      actor: owner.account.email,
      before: { counted_at: NOW },
      after: { counted_at: NOW + wrong },
    },
    { action: 'correct', actor: 'clock', entity_name: `by ${owner.account.email}` },
  ]);
});

it('a clock that changed since the page was read is not vouched for by that page', async () => {
  wrong = DAY;
  const seen = (await owner.call('GET', '/clock')).json;
  wrong = 40 * DAY;
  expect(await confirm(seen.box_at - seen.counted_at)).toMatchObject({
    status: 409,
    json: { detail: 'The clock has changed since.' },
  });
  expect((await owner.call('GET', '/clock')).json).toMatchObject({ counted_at: NOW });
});

it('1970 is nobody’s right time, and a difference that is none is refused with its field', async () => {
  wrong = -NOW;
  expect(await confirm(-NOW)).toMatchObject({
    status: 409,
    json: { detail: expect.stringContaining('never set'), hint: expect.stringContaining('timedatectl') },
  });
  const refused = await confirm('a day');
  expect(refused.status).toBe(400);
  expect(Object.keys(refused.json.fields)).toEqual(['ahead_ms']);
});
