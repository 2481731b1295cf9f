// Orders: nobody is asked twice, and one that nobody answers comes to an end.
import { describe, expect, it } from 'vitest';
import {
  ageOrder,
  askAboutOrder,
  claimOrdersToPoll,
  getOrder,
  LIVE_MS,
  nextPollAt,
  sendOrder,
  startOrder,
  UNANSWERED_MS,
} from '../../src/billing/orders.ts';
import { HOUR, NOW, somePlan } from '../access/fixtures.ts';
import { onEveryStore } from '../support/stores.ts';
import { accepted, callBack, callback, orderFor, scriptedGateway, sentOrder } from './fixtures.ts';

onEveryStore('an order', (store) => {
  it('is on disk, with the time of its first question, before the payer is asked', async () => {
    const plan = await somePlan(store());
    const { order, token } = await startOrder(store(), orderFor(plan.id), NOW);
    expect(token).toMatch(/^[\w-]{22}$/);
    const stored = await getOrder(store(), order.id);
    expect(stored).toMatchObject({ state: 'pending', price_cents: 2000, next_poll_at: NOW + LIVE_MS });
    expect(JSON.stringify(stored)).not.toContain(token);
  });

  it('is joined by a second tap, also by many at once', async () => {
    const plan = await somePlan(store());
    const started = await Promise.all(
      Array.from({ length: 6 }, () => startOrder(store(), orderFor(plan.id), NOW)),
    );
    expect(started.filter((one) => one.token !== undefined)).toHaveLength(1);
    expect(new Set(started.map((one) => one.order.id)).size).toBe(1);
  });

  it('is joined by its idempotency key, also by many at once, and when it is long decided', async () => {
    const plan = await somePlan(store());
    const input = orderFor(plan.id, { idempotency_key: 'tap-1' });
    const started = await Promise.all(Array.from({ length: 4 }, () => startOrder(store(), input, NOW)));
    expect(started.filter((one) => one.token !== undefined)).toHaveLength(1);
    const id = started[0]?.order.id as string;
    await callBack(store(), id, callback('1', { code: 1032 }));
    const again = await startOrder(store(), input, NOW + HOUR);
    expect(again).toMatchObject({ order: { id }, token: undefined });
  });

  it('is not joined by another number, plan or device that has the same idempotency key', async () => {
    const plan = await somePlan(store());
    const other = await somePlan(store(), { name: 'Other' });
    const key = { idempotency_key: '1' };
    await startOrder(store(), orderFor(plan.id, key), NOW);
    for (const input of [
      orderFor(plan.id, { ...key, msisdn: '254799999999' }),
      orderFor(other.id, key),
      orderFor(plan.id, { ...key, mac: 'AA:BB:CC:00:00:02' }),
      orderFor(plan.id, { ...key, mac: null }),
    ]) {
      await expect(startOrder(store(), input, NOW)).rejects.toMatchObject({ code: 'conflict' });
    }
  });

  it('of another device, number or plan stands by itself', async () => {
    const plan = await somePlan(store());
    const other = await somePlan(store(), { name: 'Other' });
    const ids = new Set<string>();
    for (const input of [
      orderFor(plan.id),
      orderFor(other.id),
      orderFor(plan.id, { mac: 'AA:BB:CC:00:00:02' }),
      orderFor(plan.id, { msisdn: '254799999999' }),
    ]) {
      ids.add((await startOrder(store(), input, NOW)).order.id);
    }
    expect(ids.size).toBe(4);
  });

  it('is refused for a plan that is not on sale to guests, or whose price M-PESA cannot move', async () => {
    const refused = [
      { state: 'hidden' },
      { state: 'archived' },
      { kind: 'pppoe' },
      { price_cents: 0 },
      { price_cents: 2050 },
    ] as const;
    for (const change of refused) {
      const plan = await somePlan(store(), change);
      await expect(startOrder(store(), orderFor(plan.id), NOW)).rejects.toMatchObject({ code: 'conflict' });
    }
    await expect(startOrder(store(), orderFor('none'), NOW)).rejects.toMatchObject({ code: 'not_found' });
    expect(await store().selectFrom('orders').selectAll().execute()).toEqual([]);
  });

  it('asks once for the price, with a reference M-PESA takes and the token in the address', async () => {
    const plan = await somePlan(store(), { name: '1 hour — <b>fast</b> & cheap' });
    const started = await startOrder(store(), orderFor(plan.id), NOW);
    const token = started.token as string;
    const { gateway, requests } = scriptedGateway(accepted('1'));
    const order = await sendOrder(
      store(),
      gateway,
      { ...started, token },
      'https://x.example',
      () => NOW + 900,
    );
    expect(requests).toEqual([
      {
        amount_cents: 2000,
        msisdn: '254712345678',
        account_reference: expect.stringMatching(/^[A-Za-z0-9]{1,12}$/),
        description: 'Internet',
        callback_url: `https://x.example/cb/mpesa/${token}`,
      },
    ]);
    expect(order).toMatchObject({
      state: 'pending',
      checkout_request_id: 'ws_CO_1',
      sent_at: NOW + 900,
      next_poll_at: NOW + 10_900,
    });
  });

  it('that M-PESA refused has failed, and the guest may order again at once', async () => {
    const plan = await somePlan(store());
    const started = await startOrder(store(), orderFor(plan.id), NOW);
    const { gateway } = scriptedGateway({
      outcome: 'refused',
      reason: 'busy_phone',
      problem: '500.001.1001',
    });
    const order = await sendOrder(
      store(),
      gateway,
      { ...started, token: started.token as string },
      'http://box',
      () => NOW,
    );
    expect(order).toMatchObject({ state: 'failed', result_code: 'refused:busy_phone', next_poll_at: null });
    expect((await startOrder(store(), orderFor(plan.id), NOW)).token).toBeDefined();
  });

  it('whose request may or may not have gone out is being checked and blocks a second prompt', async () => {
    const plan = await somePlan(store());
    const started = await startOrder(store(), orderFor(plan.id), NOW);
    const { gateway } = scriptedGateway({ outcome: 'unknown', problem: 'timeout' });
    const token = started.token as string;
    const order = await sendOrder(store(), gateway, { ...started, token }, 'http://box', () => NOW);
    expect(order).toMatchObject({ state: 'checking', problem: 'timeout' });
    expect((await startOrder(store(), orderFor(plan.id), NOW + 60_000)).order.id).toBe(order.id);
  });

  it('is claimed by one poller at its time, and by none once it is decided', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    expect(await claimOrdersToPoll(store(), NOW + 9999)).toEqual([]);
    const claims = await Promise.all([
      claimOrdersToPoll(store(), NOW + 10_000),
      claimOrdersToPoll(store(), NOW + 10_000),
    ]);
    expect(claims.flat().map((one) => [one.id, one.polls, one.next_poll_at])).toEqual([
      [order.id, 1, NOW + 15_000],
    ]);
    await callBack(store(), order.id, callback('1'));
    expect(await claimOrdersToPoll(store(), NOW + HOUR)).toEqual([]);
  });

  it('is pending for three minutes, then being checked while the guest may order again', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await ageOrder(store(), order, NOW + LIVE_MS - 1);
    expect(await getOrder(store(), order.id)).toMatchObject({ state: 'pending' });
    expect((await startOrder(store(), orderFor(plan.id), NOW)).order.id).toBe(order.id);
    await ageOrder(store(), order, NOW + LIVE_MS);
    expect(await getOrder(store(), order.id)).toMatchObject({ state: 'checking', live_key: null });
    expect((await startOrder(store(), orderFor(plan.id), NOW)).order.id).not.toBe(order.id);
    await ageOrder(store(), order, NOW + 40 * HOUR);
    expect((await getOrder(store(), order.id)).state).toBe('checking');
  });

  it('without an identifier fails after ten minutes, and not before', async () => {
    const plan = await somePlan(store());
    const { order } = await startOrder(store(), orderFor(plan.id), NOW);
    await ageOrder(store(), order, NOW + UNANSWERED_MS - 1);
    expect((await getOrder(store(), order.id)).state).toBe('checking');
    await ageOrder(store(), order, NOW + UNANSWERED_MS);
    expect(await getOrder(store(), order.id)).toMatchObject({
      state: 'failed',
      result_code: 'unanswered',
      next_poll_at: null,
    });
  });

  it('that is paid does not age', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await callBack(store(), order.id, callback('1'));
    await ageOrder(store(), order, NOW + 50 * HOUR);
    expect((await getOrder(store(), order.id)).state).toBe('paid');
  });

  it('keeps what M-PESA said when it could not tell, and is asked only when there is an identifier', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    const { gateway, queries } = scriptedGateway(accepted('x'));
    await askAboutOrder(store(), gateway, order, NOW);
    expect(await getOrder(store(), order.id)).toMatchObject({
      problem: '4999 still processing',
      state: 'pending',
    });
    await askAboutOrder(store(), gateway, { ...order, checkout_request_id: null }, NOW);
    expect(queries).toEqual(['ws_CO_1']);
  });
});

describe('the times at which M-PESA is asked', () => {
  const after = (seconds: number) => {
    const next = nextPollAt(NOW, NOW + seconds * 1000);
    return next === null ? null : (next - NOW) / 1000;
  };
  it.each([
    [-100, 10],
    [0, 10],
    [10, 15],
    [14.9, 15],
    [85, 90],
    [90, 105],
    [119, 120],
    [120, 180],
    [300, 600],
    [1800, 3600],
    [3600, 7200],
    [7199, 7200],
    [7200, 10_800],
    [48 * 3600 - 1, 48 * 3600],
    [48 * 3600, null],
  ])('after %s s come at %s s', (age, next) => {
    expect(after(age)).toBe(next);
  });
});
