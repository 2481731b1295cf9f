// A clock is put right: what was written while it was wrong lasts as long as it was sold, and no longer.
import { beforeEach, expect, it } from 'vitest';
import { recordAccounting } from '../../src/access/accounting.ts';
import {
  endDueEntitlements,
  getEntitlement,
  grantEntitlement,
  startEntitlement,
} from '../../src/access/entitlements.ts';
import { closeStaleSessions } from '../../src/access/sessions.ts';
import { startOrder } from '../../src/billing/orders.ts';
import { createKnownTime } from '../../src/db/known-time.ts';
import type { Db } from '../../src/db/schema.ts';
import { claimTasks, enqueueTask, LEASE_MS } from '../../src/db/tasks.ts';
import { correctTimes } from '../../src/jobs/correct-times.ts';
import { DAY_MS } from '../../src/lib/days.ts';
import { createAccount } from '../../src/operators/accounts.ts';
import { listAudit } from '../../src/operators/audit.ts';
import { findLogin, openLogin } from '../../src/operators/logins.ts';
import { HOUR, NOW, report, someAccess, somePlan } from '../access/fixtures.ts';
import { onEveryStore } from '../support/stores.ts';

const MINUTE = 60_000;

onEveryStore('a clock that is put right', (store) => {
  let db: Db;
  let world: { at: number; wrong: number };
  beforeEach(() => {
    db = store();
    world = { at: NOW, wrong: 0 };
  });

  /** Karibu starts on a machine whose clock is off by so much. */
  async function startWith(wrong: number) {
    world.wrong = wrong;
    const known = createKnownTime(
      db,
      { now: () => world.at + world.wrong, monotonic: () => world.at },
      correctTimes,
    );
    await known.load();
    return known;
  }

  it('that was slow: what started meanwhile keeps its whole time, what ran before ends when it should', async () => {
    await (await startWith(0)).remember();
    const old = await someAccess(db, { validity_seconds: 4 * 3600 });
    await startEntitlement(db, old.entitlement.id, NOW - HOUR);
    // Off for three hours; the box then begins with the time it last wrote down.
    world.at += 3 * HOUR;
    const known = await startWith(-3 * HOUR);
    const now = known.clock.now;
    const guest = await someAccess(db);
    await startEntitlement(db, guest.entitlement.id, now());
    await recordAccounting(db, [report({ username: guest.credential.username, at: now() })], now());
    world.at += 10 * MINUTE;
    now();
    world.wrong = 0;
    await known.confirm('owner@example.com');

    expect(await getEntitlement(db, guest.entitlement.id)).toMatchObject({
      starts_at: NOW + 3 * HOUR,
      ends_at: NOW + 4 * HOUR,
    });
    expect(await getEntitlement(db, old.entitlement.id)).toMatchObject({ ends_at: NOW + 3 * HOUR });
    expect(await closeStaleSessions(db, now() - 15 * MINUTE)).toEqual([]);
    const [session] = await db.selectFrom('sessions').selectAll().execute();
    expect(session).toMatchObject({ state: 'open', started_at: NOW + 3 * HOUR, updated_at: NOW + 3 * HOUR });
    const tasks = await db.selectFrom('tasks').selectAll().execute();
    expect(tasks.map((task) => [task.kind, JSON.parse(task.payload)])).toEqual([
      ['enforce', { credential_id: guest.credential.id, reason: 'clock_corrected' }],
    ]);
    expect((await listAudit(db, {})).items).toMatchObject([
      { actor: 'clock', action: 'correct', at: world.at, entity_name: 'by owner@example.com' },
    ]);
  });

  it('that was years ahead: who was cut off goes on, nobody has years, orders are asked about, logins end', async () => {
    const cut = await someAccess(db, { validity_seconds: 4 * 3600 });
    await startEntitlement(db, cut.entitlement.id, NOW - HOUR);
    const next = await someAccess(db, { validity_seconds: 4 * 3600 });
    await startEntitlement(db, next.entitlement.id, NOW - HOUR);
    const known = await startWith(1000 * DAY_MS);
    const now = known.clock.now;
    expect(await endDueEntitlements(db, now())).toBe(2);
    const again = await next.grant(now());
    await startEntitlement(db, again.id, now());
    const plan = await somePlan(db);
    const wish = { plan_id: plan.id, msisdn: '254712345678', mac: null, ip: null, router_id: null };
    const { order } = await startOrder(db, { ...wish, idempotency_key: null }, now());
    const owner = { email: 'a@karibu.example', name: 'A', role: 'owner' as const, password: 'long enough' };
    const account = await createAccount(db, owner, now());
    const token = await openLogin(db, account, { address: null, agent: null }, now());
    await enqueueTask(db, 'make_vouchers', { batch_id: 'x' }, now());
    await claimTasks(db, now(), ['make_vouchers']);
    world.at += 10 * MINUTE;
    now();
    world.wrong = 0;
    await known.confirm('owner@example.com');

    expect(await getEntitlement(db, cut.entitlement.id)).toMatchObject({
      state: 'active',
      ends_at: NOW + 3 * HOUR,
      end_reason: null,
    });
    // What runs now is not doubled by what it followed.
    expect(await getEntitlement(db, next.entitlement.id)).toMatchObject({ state: 'ended' });
    expect(await getEntitlement(db, again.id)).toMatchObject({ starts_at: NOW, ends_at: NOW + 4 * HOUR });
    expect(
      await db.selectFrom('orders').selectAll().where('id', '=', order.id).executeTakeFirst(),
    ).toMatchObject({
      created_at: NOW,
      next_poll_at: NOW + 10 * MINUTE,
    });
    expect(await findLogin(db, token, now() + 29 * DAY_MS)).toBeDefined();
    expect(await findLogin(db, token, now() + 31 * DAY_MS)).toBeUndefined();
    const waiting = await db.selectFrom('tasks').selectAll().where('kind', '=', 'make_vouchers').execute();
    expect(waiting).toMatchObject([{ run_at: NOW, leased_until: NOW + LEASE_MS }]);
  });

  it('that was not trusted: who came online meanwhile has their time from then on, used or not', async () => {
    await (await startWith(0)).remember();
    world.at += 2 * HOUR;
    const known = await startWith(-world.at);
    const now = known.clock.now;
    expect(known.trusted()).toBe(false);
    const online = await someAccess(db);
    const gone = await someAccess(db);
    const never = await someAccess(db);
    const told = (access: typeof online, id: string) =>
      report({
        username: access.credential.username,
        acct_session_id: id,
        mac: `AA:BB:CC:00:00:0${id}`,
        reference: {
          credential_id: access.credential.id,
          entitlement_id: access.entitlement.id,
          accept_id: id,
        },
        at: now(),
      });
    await recordAccounting(db, [told(online, '1'), told(gone, '2')], now());
    world.at += 20 * MINUTE;
    const bye = { kind: 'stop' as const, session_seconds: 1200, terminate_cause: 1 };
    await recordAccounting(db, [{ ...told(gone, '2'), ...bye }], now());
    world.at += 70 * MINUTE;
    for (const { entitlement } of [online, gone, never]) {
      expect(await getEntitlement(db, entitlement.id)).toMatchObject({ state: 'waiting', ends_at: null });
    }
    world.wrong = 0;
    await known.check();
    const began = NOW + 2 * HOUR;
    for (const { entitlement } of [online, gone]) {
      expect(await getEntitlement(db, entitlement.id)).toMatchObject({ state: 'active', starts_at: began });
    }
    expect(await endDueEntitlements(db, now())).toBe(2);
    expect(await getEntitlement(db, never.entitlement.id)).toMatchObject({ state: 'waiting' });
  });

  it('is written down once: a power cut in the middle leaves all as it was, and the next try does it', async () => {
    const known = await startWith(-HOUR);
    const { subscriber, credential, plan } = await someAccess(db);
    const grant = {
      subscriber_id: subscriber.id,
      credential_id: credential.id,
      plan,
      source: 'grant' as const,
    };
    const { id } = await grantEntitlement(db, grant, known.clock.now());
    await startEntitlement(db, id, known.clock.now());
    const cut = createKnownTime(
      db,
      { now: () => world.at + world.wrong, monotonic: () => world.at },
      async (tx, correction) => {
        await correctTimes(tx, correction);
        throw new Error('power cut');
      },
    );
    world.wrong = 0;
    await expect(cut.confirm('owner@example.com')).rejects.toThrow('power cut');
    expect(await getEntitlement(db, id)).toMatchObject({ starts_at: NOW - HOUR });
    await known.confirm('owner@example.com');
    await known.confirm('owner@example.com');
    expect(await getEntitlement(db, id)).toMatchObject({ starts_at: NOW });
  });
});
