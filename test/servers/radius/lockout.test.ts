// Guessing at the RADIUS server: the guesser is slowed down, everybody else is not.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { accessLogAnswer } from '../../../src/servers/http/admin/answers.ts';
import { createLockout, LOCKOUT_LIMITS } from '../../../src/servers/radius/lockout.ts';
import { HOUR, NOW, someAccess, someVouchers } from '../../access/fixtures.ts';
import { MAC, startRadius, told } from './fixtures.ts';

let radius: Awaited<ReturnType<typeof startRadius>>;

afterEach(async () => {
  await radius.requester.close();
  await radius.listeners.stop();
  await radius.db.destroy();
});

const MINUTE = 60_000;
const OTHER_MAC = 'AA:BB:CC:00:00:02';
const WRONG = { reject: 'Unknown code or user name. Check it and try again.' };
const LOCKED = { reject: 'Too many wrong codes. Wait five minutes.' };
const UNKNOWN = { username: 'ZZZZZZZZ', password: '' };

async function guess(times: number, login: { username: string; password: string; mac?: string } = UNKNOWN) {
  let last: unknown;
  for (let n = 0; n < times; n++) last = told(await radius.logIn(login));
  return last;
}

describe('a device that guesses', () => {
  it('is refused after ten wrong codes, with a right one as well, until five minutes have passed', async () => {
    radius = await startRadius();
    const { codes } = await someVouchers(radius.db, 1);
    const right = { username: codes[0] as string, password: '' };
    expect(await guess(10)).toEqual(WRONG);
    expect(told(await radius.logIn(right))).toEqual(LOCKED);
    expect(radius.signIns.list()[0]).toMatchObject({ result: 'reject', reason: 'locked_out', mac: MAC });
    radius.time.now += 5 * MINUTE - 1;
    expect(told(await radius.logIn(right))).toEqual(LOCKED);
    radius.time.now += 1;
    expect(told(await radius.logIn(right))).toMatchObject({ accept: true });
  });

  it('is refused without a look into the store', async () => {
    radius = await startRadius();
    await guess(10);
    await radius.db.updateTable('credentials').set({ state: 'disabled' }).execute();
    const { db } = radius;
    const executor = db.getExecutor();
    let statements = 0;
    const execute = executor.executeQuery.bind(executor);
    executor.executeQuery = (...query) => {
      statements += 1;
      return execute(...query);
    };
    expect(await guess(1)).toEqual(LOCKED);
    expect(statements).toBe(0);
  });

  it('guesses passwords of a known name no further either', async () => {
    radius = await startRadius();
    const { credential } = await someAccess(radius.db);
    await guess(10, { username: credential.username, password: 'wrong' });
    expect(told(await radius.logIn({ username: credential.username, password: 'secret' }))).toEqual(LOCKED);
  });

  it('locks out itself alone: the same credential gets in from another device', async () => {
    radius = await startRadius();
    const { credential } = await someAccess(radius.db);
    await guess(20, { username: credential.username, password: 'wrong' });
    const right = { username: credential.username, password: 'secret', mac: OTHER_MAC };
    expect(told(await radius.logIn(right))).toMatchObject({ accept: true });
    expect(await guess(1, { ...UNKNOWN, mac: OTHER_MAC })).toEqual(WRONG);
  });

  it('is shown, with what it tried and when it ends', async () => {
    radius = await startRadius();
    await guess(9);
    expect(radius.listeners.lockouts()).toEqual([]);
    await guess(3);
    const shown = accessLogAnswer.parse({
      items: radius.signIns.list(),
      lockouts: radius.listeners.lockouts(),
    });
    expect(shown.lockouts).toEqual([
      {
        router_id: radius.router.id,
        router_name: 'Kiosk',
        mac: MAC,
        failures: 10,
        until_at: NOW + 5 * MINUTE,
      },
    ]);
    radius.time.now += 5 * MINUTE;
    expect(radius.listeners.lockouts()).toEqual([]);
  });
});

describe('nobody is locked out', () => {
  it('for wrong codes that are further apart', async () => {
    radius = await startRadius();
    for (let n = 0; n < 5; n++) {
      expect(await guess(9)).toEqual(WRONG);
      radius.time.now += 5 * MINUTE;
    }
    expect(await guess(1)).toEqual(WRONG);
  });

  it('for a plan that is over: the code was right', async () => {
    radius = await startRadius();
    const { credential } = await someAccess(radius.db);
    const login = { username: credential.username, password: 'secret' };
    await radius.logIn(login);
    radius.time.now += HOUR;
    expect(await guess(12, login)).toEqual({ reject: expect.stringContaining('expired') });
  });

  it('for being tried by its MAC address whenever it comes near', async () => {
    radius = await startRadius();
    expect(await guess(12, { username: 'aa-bb-cc-00-00-01', password: '' })).toEqual(WRONG);
  });

  it('because the router does not say which device asks', async () => {
    radius = await startRadius();
    expect(await guess(12, { ...UNKNOWN, mac: '' })).toEqual(WRONG);
  });
});

it('a guesser who changes the MAC address uses up the router’s budget: wrong codes are slow, right ones are not', async () => {
  radius = await startRadius({ ...LOCKOUT_LIMITS, perRouter: 3 });
  const { credential } = await someAccess(radius.db);
  await guess(1, { ...UNKNOWN, mac: 'AA:BB:CC:00:01:01' });
  await guess(1, { ...UNKNOWN, mac: 'AA:BB:CC:00:01:02' });
  const slow = radius.logIn({ ...UNKNOWN, mac: 'AA:BB:CC:00:01:03' });
  const right = { username: credential.username, password: 'secret' };
  let answered = false;
  void slow.then(() => {
    answered = true;
  });
  expect(told(await radius.logIn(right))).toMatchObject({ accept: true });
  await vi.waitFor(() =>
    expect(radius.listeners.lockouts()).toMatchObject([{ mac: null, failures: 3, router_name: 'Kiosk' }]),
  );
  expect(answered).toBe(false);
  // Stopping sends what waits, so that nothing here waits for the clock.
  await radius.listeners.stop();
  expect(told(await slow)).toEqual(WRONG);
});

it('remembers no more devices than it may', () => {
  const clock = { now: () => NOW, monotonic: () => 0 };
  const lockout = createLockout(clock, { ...LOCKOUT_LIMITS, perDevice: 1, mostDevices: 2 });
  const router = { id: 'r', name: 'Kiosk' };
  for (const device of ['a', 'b', 'c']) lockout.failed(router, device);
  expect(['a', 'b', 'c'].map((device) => lockout.isLockedOut('r', device))).toEqual([false, true, true]);
});
