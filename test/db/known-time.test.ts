// The clock that lies: set back, set forward, stepped either way, before a start and while running.
import { beforeEach, expect, it } from 'vitest';
import { type Correction, createKnownTime } from '../../src/db/known-time.ts';
import type { Db } from '../../src/db/schema.ts';
import { DAY_MS } from '../../src/lib/days.ts';
import { HOUR, NOW } from '../access/fixtures.ts';
import { onEveryStore } from '../support/stores.ts';

const MINUTE = 60_000;

/** A machine: its true time, what its clock is off by, and which start of it this is. */
function machine(boots: boolean) {
  const world = {
    at: NOW,
    wrong: 0,
    boot: 1,
    bootedAt: NOW - DAY_MS,
    synchronizedAt: undefined as number | undefined,
  };
  return Object.assign(world, {
    clock: {
      now: () => world.at + world.wrong,
      monotonic: () => world.at - world.bootedAt + 0.25,
      ...(boots ? { boot: () => ({ id: `boot ${world.boot}`, ms: world.at - world.bootedAt }) } : {}),
      synchronizedAt: () => world.synchronizedAt,
    },
    /** Loses its power for so long; its clock then is off by `wrong`. */
    restart(offMs: number, wrong: number) {
      Object.assign(world, { at: world.at + offMs, wrong, boot: world.boot + 1 });
      world.bootedAt = world.at;
    },
  });
}

onEveryStore('the time as Karibu counts it', (store) => {
  let db: Db;
  let box: ReturnType<typeof machine>;
  let corrections: Correction[];
  beforeEach(() => {
    db = store();
    box = machine(true);
    corrections = [];
  });

  async function start(on = box) {
    const known = createKnownTime(db, on.clock, async (_tx, correction) => void corrections.push(correction));
    await known.load();
    await known.remember();
    return known;
  }
  const router = (known: Awaited<ReturnType<typeof start>>, at = box.at) =>
    known.hear({ name: 'the router', at });

  it('is the clock of the box while that runs well, small steps included', async () => {
    const known = await start();
    for (const wrong of [0, 30_000, -60_000]) {
      box.at += HOUR;
      box.wrong = wrong;
      expect(known.clock.now()).toBe(box.at + wrong);
      expect(await known.check()).toBeUndefined();
      expect(known.state()).toMatchObject({ trusted: true });
      expect(known.state().message).toBeUndefined();
    }
  });

  it.each([
    ['forward a month', 31 * DAY_MS, 'jumped forward by 31 days'],
    ['back to 1970', -NOW, 'jumped back by 57 years'],
    ['back an hour', -HOUR, 'jumped back by 60 minutes'],
  ])(
    'counts on when the clock steps %s, says so, and is well again when it steps back',
    async (_, wrong, says) => {
      const known = await start();
      box.at += HOUR;
      known.clock.now();
      box.wrong = wrong;
      box.at += 10 * MINUTE;
      expect(known.clock.now()).toBe(box.at);
      expect(await known.check()).toBeUndefined();
      expect(known.state()).toMatchObject({
        trusted: true,
        message: expect.stringContaining(says),
        hint: expect.any(String),
      });
      box.at += DAY_MS;
      expect(known.clock.now()).toBe(box.at);
      box.wrong = 0;
      expect(known.clock.now()).toBe(box.at);
      expect(known.state().message).toBeUndefined();
      expect(corrections).toEqual([]);
    },
  );

  it('follows a step that a router, a time server or M-PESA agrees with, and says by how much', async () => {
    box.wrong = -3 * HOUR;
    const known = await start();
    const started = known.clock.now();
    box.at += 5 * MINUTE;
    known.clock.now();
    box.wrong = 0;
    router(known, box.at - DAY_MS);
    expect(await known.check()).toBeUndefined();
    expect(known.clock.now()).toBe(box.at - 3 * HOUR);
    router(known);
    expect(await known.check()).toMatchObject({ by_ms: 3 * HOUR, since_at: started, witness: 'the router' });
    expect(known.clock.now()).toBe(box.at);
    expect(known.state().message).toBeUndefined();

    box.wrong = 5 * HOUR;
    expect(await known.check()).toBeUndefined();
    box.synchronizedAt = box.at - 2 * HOUR;
    expect(await known.check()).toBeUndefined();
    box.synchronizedAt = box.at + box.wrong - MINUTE;
    expect(await known.check()).toMatchObject({ by_ms: 5 * HOUR, witness: 'a time server' });
  });

  it('keeps what was confirmed before a step apart from what came after it', async () => {
    const known = await start();
    box.at += HOUR;
    router(known);
    await known.check();
    box.at += HOUR;
    known.clock.now();
    const before = box.at;
    box.wrong = 2 * HOUR;
    known.clock.now();
    box.at += 20 * MINUTE;
    expect(await known.confirm('owner@example.com')).toMatchObject({ since_at: before, by_ms: 2 * HOUR });
    expect(known.clock.now()).toBe(box.at + 2 * HOUR);
    expect(await known.confirm('owner@example.com')).toBeUndefined();
  });

  it('does not believe M-PESA’s contrary, nor itself: nothing is trusted until they agree', async () => {
    box.wrong = 5 * DAY_MS;
    const known = await start();
    known.hear({ name: 'M-PESA', at: box.at, decides: true });
    expect(await known.check()).toBeUndefined();
    expect(known.state()).toMatchObject({ trusted: false, message: expect.stringContaining('M-PESA') });
    await known.remember();
    expect((await start()).trusted()).toBe(false);
    box.wrong = 0;
    expect(await known.check()).toMatchObject({ by_ms: -5 * DAY_MS, witness: 'M-PESA' });
    expect(known.trusted()).toBe(true);
  });

  it('what another clock said is forgotten after ten minutes, and one that was never set is no witness', async () => {
    const known = await start();
    box.wrong = HOUR;
    router(known, box.at + HOUR);
    router(known, 1000);
    box.at += 11 * MINUTE;
    expect(await known.check()).toBeUndefined();
  });

  it('a start in 1970 counts from the last known time, trusts nothing, and is put right by itself', async () => {
    await start();
    box.restart(3 * HOUR, -(NOW + 3 * HOUR));
    const known = await start();
    expect(known.trusted()).toBe(false);
    expect(known.state().message).toMatch('was not set');
    expect(known.wasOff()).toBeUndefined();
    box.at += 10 * MINUTE;
    expect(known.clock.now()).toBe(NOW + 10 * MINUTE);
    expect(await known.check()).toBeUndefined();
    expect(await known.confirm('owner@example.com')).toBeUndefined();
    box.wrong = 0;
    expect(known.clock.now()).toBe(NOW + 10 * MINUTE);
    expect(await known.check()).toMatchObject({ since_at: NOW, by_ms: 3 * HOUR, at: box.at });
    expect(known.clock.now()).toBe(box.at);
    expect(known.trusted()).toBe(true);
    expect(known.wasOff()).toEqual({ from_at: NOW, to_at: NOW + 3 * HOUR });
  });

  it('a start after a week off is believed, one a month ahead only when somebody vouches for it', async () => {
    await start();
    box.restart(7 * DAY_MS, 0);
    const week = await start();
    expect(week.trusted()).toBe(true);
    expect(week.clock.now()).toBe(box.at);
    expect(week.wasOff()).toEqual({ from_at: NOW, to_at: box.at });
    const was = box.at;
    box.restart(HOUR, 31 * DAY_MS);
    const month = await start();
    expect(await month.check()).toBeUndefined();
    expect(month.trusted()).toBe(false);
    expect(month.state().message).toMatch('31 days ahead');
    expect(month.clock.now()).toBe(was);
    // Still so after the next power cut, and well when the clock is.
    box.restart(HOUR, 31 * DAY_MS);
    expect((await start()).trusted()).toBe(false);
    box.restart(HOUR, 0);
    const right = await start();
    expect(right.trusted()).toBe(true);
    expect(right.clock.now()).toBe(box.at);
  });

  it('a step before a power cut is still doubted after it, and one undone meanwhile is not', async () => {
    const known = await start();
    box.wrong = 2 * DAY_MS;
    known.clock.now();
    await known.remember();
    box.restart(HOUR, 2 * DAY_MS);
    expect((await start()).trusted()).toBe(false);
    box.restart(HOUR, 0);
    expect((await start()).trusted()).toBe(true);
  });

  it('a program that starts anew on a machine that ran on knows the time to the second', async () => {
    await start();
    box.at += HOUR;
    box.wrong = 5 * DAY_MS;
    const known = await start();
    expect(known.clock.now()).toBe(box.at);
    expect(known.state()).toMatchObject({ trusted: true, message: expect.stringContaining('5 days') });
  });

  it('a correction that cannot be written down is none', async () => {
    let broken = true;
    const known = createKnownTime(db, box.clock, async () => {
      if (broken) throw new Error('disk full');
    });
    box.wrong = HOUR;
    known.clock.now();
    await expect(known.confirm('owner@example.com')).rejects.toThrow('disk full');
    expect(known.clock.now()).toBe(box.at);
    broken = false;
    await known.confirm('owner@example.com');
    expect(known.clock.now()).toBe(box.at + HOUR);
  });
});
