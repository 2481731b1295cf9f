// Entitlements: granted once, started once, ended once, one after the other.
import { expect, it } from 'vitest';
import { recordAccounting } from '../../src/access/accounting.ts';
import { authorize } from '../../src/access/authorize.ts';
import { credentialForDevice } from '../../src/access/credentials.ts';
import {
  credentialsClosing,
  credentialsRollingOver,
  currentAccess,
  endDueEntitlements,
  endEntitlement,
  findAccess,
  getEntitlement,
  grantEntitlement,
  nextInLine,
  revokeEntitlement,
  startEntitlement,
} from '../../src/access/entitlements.ts';
import { followPlan, followPlanLate } from '../../src/access/follow-plan.ts';
import { getPlan, holdPlan, type PlanInput, updatePlan } from '../../src/access/plans.ts';
import { subscriberForMsisdn } from '../../src/access/subscribers.ts';
import type { Db } from '../../src/db/schema.ts';
import { newId } from '../../src/lib/ids.ts';
import { onEveryStore } from '../support/stores.ts';
import { HOUR, NOW, report, someAccess, vault } from './fixtures.ts';

async function enforceTasks(db: Db) {
  const tasks = await db.selectFrom('tasks').selectAll().orderBy('created_at').execute();
  return tasks.map((task) => [task.kind, JSON.parse(task.payload).reason]);
}

onEveryStore('an entitlement', (store) => {
  it('is granted once for a payment, also when many grant it at once', async () => {
    const { plan, subscriber, credential } = await someAccess(store());
    const sold = (await getPlan(store(), plan.id)).sold;
    const payment_id = newId(NOW);
    const grant = {
      subscriber_id: subscriber.id,
      credential_id: credential.id,
      plan,
      source: 'order' as const,
      payment_id,
    };
    const all = await Promise.all(Array.from({ length: 6 }, () => grantEntitlement(store(), grant, NOW)));
    expect(new Set(all.map((one) => one.id)).size).toBe(1);
    expect((await getPlan(store(), plan.id)).sold).toBe(sold + 1);
    const other = await grantEntitlement(store(), { ...grant, payment_id: newId(NOW) }, NOW);
    expect(other.id).not.toBe(all[0]?.id);
  });

  it('has the speeds of its plan as they are, though they changed since its plan was read', async () => {
    const { plan, subscriber, credential } = await someAccess(store());
    await store()
      .transaction()
      .execute(async (tx) => {
        await followPlan(tx, plan, await updatePlan(tx, plan.id, { rate_down_kbps: 900 }, NOW), NOW);
      });
    const grant = {
      subscriber_id: subscriber.id,
      credential_id: credential.id,
      plan,
      source: 'grant' as const,
    };
    const granted = await grantEntitlement(store(), grant, NOW);
    expect(granted).toMatchObject({ rate_down_kbps: 900, rate_up_kbps: plan.rate_up_kbps });
    expect(await getEntitlement(store(), granted.id)).toEqual(granted);
  });

  it('has the speeds of its plan after changes of that at one moment', async () => {
    const { plan, entitlement } = await someAccess(store());
    const change = (values: Partial<PlanInput>) =>
      store()
        .transaction()
        .execute(async (tx) => {
          const before = await holdPlan(tx, plan.id);
          await followPlan(tx, before, await updatePlan(tx, plan.id, values, NOW), NOW);
        });
    const { rate_down_kbps, rate_up_kbps } = plan;
    for (let times = 1; times <= 20; times++) {
      await Promise.all([
        change({ rate_down_kbps: 100 * times, rate_up_kbps }),
        change({ rate_down_kbps, rate_up_kbps: 100 * times }),
        change({ rate_down_kbps, rate_up_kbps }),
      ]);
      const { rate_down_kbps: down, rate_up_kbps: up } = await getPlan(store(), plan.id);
      expect(await getEntitlement(store(), entitlement.id)).toMatchObject({
        rate_down_kbps: down,
        rate_up_kbps: up,
      });
    }
  });

  it('has its session looked at again a while after its plan was changed where that had just begun', async () => {
    const access = await someAccess(store());
    const { plan, credential, entitlement } = access;
    const began = async (at: number, acct_session_id: string, other = access) =>
      recordAccounting(
        store(),
        [
          report({
            ...{ at, acct_session_id, mac: `AA:BB:CC:00:03:${acct_session_id}` },
            username: other.credential.username,
            reference: {
              credential_id: other.credential.id,
              entitlement_id: other.entitlement.id,
              accept_id: 'x',
            },
          }),
        ],
        at,
      );
    const long = await someAccess(store());
    await store()
      .updateTable('entitlements')
      .set({ plan_id: plan.id })
      .where('id', '=', long.entitlement.id)
      .execute();
    await began(NOW - HOUR, '01', long);
    await store()
      .transaction()
      .execute(async (tx) => {
        await followPlan(tx, plan, await updatePlan(tx, plan.id, { rate_down_kbps: 900 }, NOW), NOW);
      });
    const follows = await store().selectFrom('tasks').selectAll().where('kind', '=', 'follow_plan').execute();
    expect(follows).toMatchObject([{ state: 'ready' }]);
    const change = JSON.parse(follows[0]!.payload);
    await store().deleteFrom('tasks').execute();
    await began(NOW - 100, '02');
    await store().deleteFrom('tasks').execute();
    expect(await followPlanLate(store(), change, follows[0]!.run_at)).toBe(1);
    const tasks = await store().selectFrom('tasks').selectAll().execute();
    expect(tasks.map(({ kind, payload }) => [kind, JSON.parse(payload)])).toEqual([
      ['enforce', { credential_id: credential.id, reason: 'plan_lowered' }],
    ]);
    expect(follows[0]!.run_at).toBeGreaterThan(NOW + 5000);
    expect(entitlement.plan_id).toBe(plan.id);
  });

  it('is granted once for a voucher', async () => {
    const { plan, subscriber, credential } = await someAccess(store());
    const grant = {
      subscriber_id: subscriber.id,
      credential_id: credential.id,
      plan,
      source: 'voucher' as const,
    };
    const [one, two] = await Promise.all(
      [0, 1].map(() => grantEntitlement(store(), { ...grant, voucher_id: 'v1' }, NOW)),
    );
    expect(one?.id).toBe(two?.id);
  });

  it('keeps the terms it was sold with when the plan changes', async () => {
    const { plan, entitlement } = await someAccess(store());
    await updatePlan(store(), plan.id, { validity_seconds: 60, rate_down_kbps: 1, max_devices: 9 }, NOW);
    expect(await getEntitlement(store(), entitlement.id)).toMatchObject({
      validity_seconds: 3600,
      rate_down_kbps: 5000,
      max_devices: 1,
    });
  });

  it('runs from its first login, and only from the first', async () => {
    const { entitlement } = await someAccess(store());
    const started = await Promise.all(
      [0, 1, 2].map((second) => startEntitlement(store(), entitlement.id, NOW + second * 1000)),
    );
    const ends = (await getEntitlement(store(), entitlement.id)).ends_at as number;
    expect(started.map((one) => [one.state, one.ends_at])).toEqual(Array(3).fill(['active', ends]));
    expect(await startEntitlement(store(), entitlement.id, NOW + HOUR / 2)).toMatchObject({ ends_at: ends });
    expect(ends - (started[0]?.starts_at as number)).toBe(HOUR);
  });

  it('ends once, and has its live sessions looked after', async () => {
    const { entitlement } = await someAccess(store());
    await startEntitlement(store(), entitlement.id, NOW);
    const ended = await Promise.all(
      [1, 2].map((n) => endEntitlement(store(), entitlement.id, 'expired', NOW + n)),
    );
    expect(ended.sort()).toEqual([false, true]);
    expect(await enforceTasks(store())).toEqual([['enforce', 'expired']]);
    // Over is over: neither a login nor a person brings it back.
    expect(await startEntitlement(store(), entitlement.id, NOW)).toMatchObject({ state: 'ended' });
    await expect(revokeEntitlement(store(), entitlement.id, 'x', NOW)).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  it('is revoked once, whether it waits or runs', async () => {
    const { entitlement, grant } = await someAccess(store());
    const waiting = await grant();
    await startEntitlement(store(), entitlement.id, NOW);
    for (const id of [entitlement.id, waiting.id]) {
      await revokeEntitlement(store(), id, 'refunded', NOW);
      expect(await getEntitlement(store(), id)).toMatchObject({ state: 'revoked', end_reason: 'refunded' });
    }
    expect(await enforceTasks(store())).toEqual([
      ['enforce', 'revoked'],
      ['enforce', 'revoked'],
    ]);
    await expect(revokeEntitlement(store(), 'none', 'x', NOW)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('is ended by the job at its time and not before, whoever runs the job beside', async () => {
    const first = await someAccess(store());
    const second = await someAccess(store(), { validity_seconds: 60 });
    await startEntitlement(store(), first.entitlement.id, NOW);
    await startEntitlement(store(), second.entitlement.id, NOW);
    expect(await endDueEntitlements(store(), NOW + 59_999)).toBe(0);
    await Promise.all([endDueEntitlements(store(), NOW + 60_000), endDueEntitlements(store(), NOW + 60_000)]);
    expect(await getEntitlement(store(), second.entitlement.id)).toMatchObject({ state: 'ended' });
    expect(await getEntitlement(store(), first.entitlement.id)).toMatchObject({ state: 'active' });
    expect(await enforceTasks(store())).toEqual([['enforce', 'expired']]);
  });

  it('bought while another runs waits, and takes over when that one ends', async () => {
    const { credential, entitlement, grant } = await someAccess(store());
    const second = await grant();
    const name = credential.username;
    await startEntitlement(store(), entitlement.id, NOW);
    const during = await currentAccess(store(), name, '', NOW + HOUR - 1, true);
    expect(during?.entitlement?.id).toBe(entitlement.id);
    const after = await currentAccess(store(), name, '', NOW + HOUR, true);
    expect(after?.entitlement).toMatchObject({ id: second.id, state: 'waiting' });
    expect(authorize(after as never, NOW + HOUR, true, 'router-1')).toMatchObject({
      accept: true,
      entitlement_id: second.id,
      session_timeout_seconds: 3600,
    });
    expect(await getEntitlement(store(), entitlement.id)).toMatchObject({
      state: 'ended',
      end_reason: 'expired',
    });
    await startEntitlement(store(), second.id, NOW + 2 * HOUR);
    const last = await currentAccess(store(), name, '', NOW + 3 * HOUR, true);
    expect(last?.entitlement).toMatchObject({ id: second.id, state: 'ended', end_reason: 'expired' });
  });

  const BY_DAY = { hours_from_minute: 8 * 60, hours_to_minute: 12 * 60 };

  it('goes over to another of a guest who is online when it ends or its hours close, and only then', async () => {
    const { credential, entitlement, grant } = await someAccess(store(), BY_DAY);
    await startEntitlement(store(), entitlement.id, NOW);
    const over = async () => [
      (await credentialsRollingOver(store(), NOW, NOW + HOUR)).includes(credential.id),
      (await credentialsRollingOver(store(), NOW + HOUR, NOW + 2 * HOUR)).includes(credential.id),
      (await credentialsClosing(store(), 12 * 60)).includes(credential.id),
      (await credentialsClosing(store(), 8 * 60)).includes(credential.id),
    ];
    const told = report({ username: credential.username, acct_session_id: credential.id });
    await recordAccounting(store(), [told], NOW);
    expect(await over()).toEqual([false, false, false, false]);
    const other = await grant();
    expect(await over()).toEqual([true, false, true, false]);
    // One that runs beside it is another one as well.
    await startEntitlement(store(), other.id, NOW + 2 * HOUR);
    expect(await over()).toEqual([true, false, true, false]);
    await recordAccounting(store(), [{ ...told, kind: 'stop' }], NOW);
    expect(await over()).toEqual([false, false, false, false]);
    await recordAccounting(store(), [{ ...told, acct_session_id: `${credential.id}2` }], NOW);
    expect(await over()).toEqual([true, false, true, false]);
    await endEntitlement(store(), other.id, 'expired', NOW);
    expect(await over()).toEqual([false, false, false, false]);
  });

  const SLOW = { quota_octets: 1000, fair_use_rate_down_kbps: 1000, fair_use_rate_up_kbps: 500 };

  it('that is slow lets one run that was bought since, by its hours and not before its time', async () => {
    const { plan, subscriber, credential, entitlement, grant } = await someAccess(store(), SLOW);
    const current = async (now: number, trusted = true) =>
      (await currentAccess(store(), credential.username, '', now, trusted))?.entitlement?.id;
    await startEntitlement(store(), entitlement.id, NOW);
    const early = await grant();
    const used = report({ username: credential.username, acct_session_id: credential.id });
    await recordAccounting(store(), [{ ...used, upload_octets: 1000 }], NOW);
    expect(await current(NOW)).toBe(entitlement.id);
    const ids = { subscriber_id: subscriber.id, credential_id: credential.id };
    const buy = (terms: Partial<typeof plan>, not_before_at?: number) =>
      grantEntitlement(
        store(),
        {
          ...ids,
          plan: { ...plan, quota_octets: null, ...terms },
          source: 'grant',
          not_before_at: not_before_at ?? null,
        },
        NOW + 2,
      );
    const later = await buy({}, NOW + HOUR / 2);
    const morning = await buy({ hours_from_minute: 0, hours_to_minute: 6 * 60 });
    expect([early, later, morning].map((one) => one.overtakes)).toEqual([0, 1, 1]);
    expect(await current(NOW)).toBe(entitlement.id);
    expect(await current(NOW + HOUR / 2)).toBe(later.id);
    expect(await current(NOW + HOUR / 2, false)).toBe(entitlement.id);
    // The one that runs fast comes before the next that would.
    const last = await buy({});
    await startEntitlement(store(), last.id, NOW + 2);
    expect(await current(NOW + HOUR / 2)).toBe(last.id);
  });

  it('that was bought while another was slow waits for its turn once that one is over', async () => {
    const { plan, subscriber, credential, entitlement } = await someAccess(store(), SLOW);
    const ids = { subscriber_id: subscriber.id, credential_id: credential.id };
    const buy = (terms: Partial<typeof plan>, at: number) =>
      grantEntitlement(
        store(),
        { ...ids, plan: { ...plan, quota_octets: null, ...terms }, source: 'grant' },
        at,
      );
    await startEntitlement(store(), entitlement.id, NOW);
    // NOW is 11:00 in Nairobi.
    await buy({ hours_from_minute: 0, hours_to_minute: 6 * 60 }, NOW + 1);
    const early = await buy({}, NOW + 2);
    const used = report({ username: credential.username, acct_session_id: credential.id });
    await recordAccounting(store(), [{ ...used, upload_octets: 1000 }], NOW + 3);
    expect(await buy({}, NOW + 4)).toMatchObject({ overtakes: 1 });
    expect(await nextInLine(store(), entitlement, NOW + HOUR)).toMatchObject({ id: early.id });
    const access = await currentAccess(store(), credential.username, '', NOW + HOUR, true);
    expect(access?.entitlement).toMatchObject({ id: early.id });
  });

  it('ends by no clock that is not trusted', async () => {
    const { credential, entitlement } = await someAccess(store());
    await startEntitlement(store(), entitlement.id, NOW);
    const access = await currentAccess(store(), credential.username, '', NOW + 99 * HOUR, false);
    expect(access?.entitlement).toMatchObject({ state: 'active' });
  });

  it('that says why access is refused is the one that ended last', async () => {
    const { credential, entitlement, grant } = await someAccess(store());
    const second = await grant();
    await endEntitlement(store(), entitlement.id, 'quota_used', NOW);
    await endEntitlement(store(), second.id, 'expired', NOW);
    expect((await findAccess(store(), credential.username, ''))?.entitlement).toMatchObject({
      id: second.id,
    });
    expect(await findAccess(store(), 'nobody', '')).toBeUndefined();
  });
});

onEveryStore('a credential', (store) => {
  it('is one for each device of a subscriber, also when two purchases meet', async () => {
    const subscriber = await subscriberForMsisdn(store(), '254712345678', NOW);
    const get = (mac: string | null) =>
      store()
        .transaction()
        .execute((tx) => credentialForDevice(tx, vault, subscriber.id, mac, NOW));
    const same = await Promise.all(['A', 'A', 'A'].map(get));
    expect(new Set(same.map((one) => one.id)).size).toBe(1);
    const others = [await get('B'), await get(null), await get(null)];
    expect(new Set([...same, ...others].map((one) => one.id)).size).toBe(3);
    expect(vault.open(same[0]?.password_sealed as string)).toMatch(/^[2-9A-Z]{10}$/);
  });
});

onEveryStore('a subscriber', (store) => {
  it('is one for each number, also when two orders meet', async () => {
    const all = await Promise.all(
      [0, 1, 2].map((n) => subscriberForMsisdn(store(), '254712345678', NOW + n)),
    );
    expect(new Set(all.map((one) => one.id)).size).toBe(1);
  });
});
