// What runs by itself: settling, activating, asking, ending, closing, forgetting; once each, and again after a failure.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { recordAccounting } from '../../src/access/accounting.ts';
import { endEntitlement, getEntitlement, startEntitlement } from '../../src/access/entitlements.ts';
import { createVoucherBatch, getVoucherBatch } from '../../src/access/vouchers.ts';
import type { PaymentGateway } from '../../src/billing/gateways.ts';
import { getOrder, LIVE_MS } from '../../src/billing/orders.ts';
import { openSpool } from '../../src/billing/spool.ts';
import { continueImport, getImport, startImport } from '../../src/billing/statement-import.ts';
import { createDiskWatch } from '../../src/db/disk-watch.ts';
import { createKnownTime } from '../../src/db/known-time.ts';
import type { Db } from '../../src/db/schema.ts';
import {
  claimTasks,
  enqueueTask,
  LEASE_MS,
  postponeTask,
  RENEW_MS,
  type TaskKind,
} from '../../src/db/tasks.ts';
import { heavyHere } from '../../src/heavy/run.ts';
import { closeStale } from '../../src/jobs/close-stale-sessions.ts';
import type { JobContext } from '../../src/jobs/context.ts';
import { endEntitlements } from '../../src/jobs/end-entitlements.ts';
import { forget } from '../../src/jobs/forget.ts';
import { forgetOldSessions } from '../../src/jobs/forget-sessions.ts';
import { pollOrders } from '../../src/jobs/poll-orders.ts';
import { runTasks, settleWaiting } from '../../src/jobs/run-tasks.ts';
import { jobs } from '../../src/jobs/schedule.ts';
import { silentLog } from '../../src/log.ts';
import { updateAccountingSettings } from '../../src/operators/accounting-settings.ts';
import { HOUR, NOW, report, someAccess, somePlan, vault } from '../access/fixtures.ts';
import {
  accepted,
  books,
  callBack,
  callback,
  keepCallback,
  scriptedGateway,
  sentOrder,
} from '../billing/fixtures.ts';
import { memoryStore } from '../support/stores.ts';

let db: Db;
let ctx: JobContext;
let time: { now: number; wrong: number };
let gateway: PaymentGateway | undefined;
let published: { kind: string; event: object }[];
let kicks: number;

beforeEach(async () => {
  db = await memoryStore();
  time = { now: NOW, wrong: 0 };
  kicks = 0;
  published = [];
  gateway = undefined;
  const system = { now: () => time.now, monotonic: () => time.now - time.wrong };
  const knownTime = createKnownTime(db, system);
  const { clock } = knownTime;
  await knownTime.remember();
  ctx = {
    db,
    vault,
    clock,
    log: silentLog,
    gateways: { mpesa: async () => gateway },
    enforcement: { db, vault, clock, clockTrusted: () => knownTime.trusted() },
    knownTime,
    disk: createDiskWatch(db, tmpdir(), clock, silentLog),
    heavy: heavyHere({ db, vault }),
    live: { publish: (kind: string, event: object) => void published.push({ kind, event }) },
    interimSeconds: 60,
    spool: openSpool(mkdtempSync(join(tmpdir(), 'karibu-spool-'))),
    noticeBaseUrl: async () => 'http://box',
    kick: () => {
      kicks++;
    },
    recordHeard: async () => {},
    reloadRouters: async () => {},
    reloadTunnel: async () => {},
  };
});
afterEach(() => db.destroy());

const ALL: TaskKind[] = ['settle_evidence', 'activate', 'enforce', 'make_vouchers'];
const run = (kinds = ALL) => runTasks(kinds)(ctx);
/** By time, and those of one millisecond by kind: their ids are in no order. */
const tasks = () => db.selectFrom('tasks').selectAll().orderBy('created_at').orderBy('kind').execute();

describe('tasks', () => {
  it('of every kind are run by some job', async () => {
    await enqueueTask(db, 'enforce', { credential_id: 'x', reason: 'x' }, NOW);
    expect(jobs.filter((job) => job.kinds).map((job) => job.name)).toEqual([
      'settle evidence',
      'confirm evidence',
      'activate',
      'enforce',
      'extend entitlements',
      'settle statement',
      'make vouchers',
    ]);
    for (const kind of ALL) await enqueueTask(db, kind, {} as never, NOW);
    for (const job of jobs.filter((one) => one.kinds)) await job.run(ctx);
    expect((await tasks()).every(({ attempts, state }) => attempts === 1 || state === 'done')).toBe(true);
  });

  it('settle and activate what a callback brought, and tell the open pages', async () => {
    const plan = await somePlan(db);
    const order = await sentOrder(db, plan.id, '1');
    await keepCallback(db, order.id, callback('1'));
    await run(['settle_evidence']);
    expect(published).toMatchObject([
      { kind: 'payment', event: { amount_cents: 2000, receipt: 'UK1234ABCD' } },
    ]);
    expect(kicks).toBe(1);
    await run();
    expect((await tasks()).map((task) => [task.kind, task.state, task.attempts])).toEqual([
      ['activate', 'done', 1],
      ['settle_evidence', 'done', 1],
    ]);
    expect((await books(db)).entitlements).toHaveLength(1);
  });

  it('settle what waits in groups, each callback once; one that cannot be settled holds up no other', async () => {
    const plan = await somePlan(db);
    for (const n of ['1', '2', '3']) {
      const change = { msisdn: `25471200000${n}`, mac: `AA:BB:CC:00:00:0${n}` };
      const order = await sentOrder(db, plan.id, n, change);
      const body = callback(n, { receipt: `UK0000000${n}`, phone: Number(change.msisdn) });
      await keepCallback(db, order.id, body);
    }
    const second = (await tasks()).map(({ id }) => id).sort()[1] as string;
    await db.updateTable('tasks').set({ payload: '{' }).where('id', '=', second).execute();
    await settleWaiting(ctx);
    expect((await books(db)).payments).toHaveLength(2);
    const settling = (await tasks()).filter(({ kind }) => kind === 'settle_evidence');
    expect(settling.map(({ state, outcome }) => [state, outcome?.slice(0, 7)]).sort()).toEqual([
      ['done', 'granted'],
      ['done', 'granted'],
      ['ready', expect.any(String)],
    ]);
    const [evidence] = await db.selectFrom('evidence').selectAll().where('state', '=', 'received').execute();
    const payload = JSON.stringify({ evidence_id: evidence?.id });
    await db.updateTable('tasks').set({ payload, run_at: NOW }).where('id', '=', second).execute();
    await settleWaiting(ctx);
    const { payments, entitlements, activations } = await books(db);
    expect([payments.length, entitlements.length, activations.length]).toEqual([3, 3, 3]);
    expect(new Set(payments.map(({ receipt }) => receipt)).size).toBe(3);
    expect(published).toHaveLength(3);
  });

  it('whose claim is over are done by another node too; what the slow one says then changes nothing', async () => {
    const line = (n: number) => ({
      paid: {
        ...{
          receipt: `VAG${String(n).padStart(7, '0')}`,
          amount_cents: 173_300,
          account_reference: 'nobody',
        },
        ...{ payer_name: '', msisdn: '254799999999', at: NOW },
      },
    });
    const parts = [0, 1].map((part) =>
      JSON.stringify(Array.from({ length: 50 }, (_, n) => line(part * 50 + n))),
    );
    const nothing = { rows: 100, matched: 0, returned: 0, others: 0, unreadable: 0, missing_count: 0 };
    const { id } = await startImport(
      db,
      {
        ...nothing,
        found: 100,
        lines: 100,
        to_check: '[]',
        missing: '[]',
        from_at: null,
        to_at: null,
        parts,
      },
      'Asha',
      NOW,
    );
    const [slow] = await claimTasks(db, NOW, ['settle_statement']);
    time.now += LEASE_MS;
    await Promise.all([continueImport(db, vault, id, () => time.now), run(['settle_statement'])]);
    expect(await getImport(db, id)).toMatchObject({ state: 'ready', done: 100, settled: 0, unmatched: 100 });
    for (const again of [time.now + 1000, null]) {
      await postponeTask(db, slow?.id as string, 'It failed here.', again, time.now);
      expect((await tasks()).filter(({ kind }) => kind === 'settle_statement')).toMatchObject([
        { state: 'done', attempts: 2, outcome: '100 lines' },
      ]);
    }
    expect((await books(db)).payments).toHaveLength(100);
  });

  it('interrupted by a power cut run again when the lease is over, and grant once', async () => {
    const plan = await somePlan(db);
    const order = await sentOrder(db, plan.id, '1');
    await keepCallback(db, order.id, callback('1'));
    await db
      .updateTable('tasks')
      .set({ leased_until: NOW + LEASE_MS, attempts: 1 })
      .execute();
    await run();
    expect((await books(db)).payments).toEqual([]);
    time.now += LEASE_MS;
    await run();
    await db.updateTable('tasks').set({ state: 'ready', finished_at: null }).execute();
    await run();
    const { payments, entitlements, activations } = await books(db);
    expect([payments.length, entitlements.length, activations.length]).toEqual([1, 1, 1]);
  });

  it('that take longer than their claim keep it: nobody runs them a second time meanwhile', async () => {
    const order = await sentOrder(db, (await somePlan(db)).id, '1');
    await keepCallback(db, order.id, callback('1'), NOW, 'It comes from elsewhere.');
    await run(['settle_evidence']);
    let answer: (said: { outcome: 'undecided'; problem: string }) => void = () => undefined;
    const asked = new Promise<void>((heard) => {
      const queryPayment = () => {
        heard();
        return new Promise<{ outcome: 'undecided'; problem: string }>((resolve) => {
          answer = resolve;
        });
      };
      gateway = { ...scriptedGateway(accepted('x')).gateway, queryPayment };
    });
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const running = run(['confirm_evidence']);
      await asked;
      time.now += LEASE_MS - 1;
      vi.advanceTimersByTime(RENEW_MS);
      const lease = () => tasks().then((all) => all.find(({ kind }) => kind === 'confirm_evidence'));
      await vi.waitUntil(async () => (await lease())?.leased_until === time.now + LEASE_MS);
      time.now += LEASE_MS - 1;
      expect(await claimTasks(db, time.now, ['confirm_evidence'])).toEqual([]);
      answer({ outcome: 'undecided', problem: 'still processing' });
      await running;
      expect(await lease()).toMatchObject({ state: 'ready', leased_until: null, attempts: 1 });
    } finally {
      vi.useRealTimers();
    }
  });

  it('that fail are tried again, later each time, and at last stay as failed', async () => {
    await enqueueTask(db, 'make_vouchers', { batch_id: 'none' }, NOW);
    const waits: number[] = [];
    for (let i = 0; i < 20 && (await tasks())[0]?.state === 'ready'; i++) {
      await run();
      const [task] = await tasks();
      expect(task?.outcome).toBe('There is no such voucher batch.');
      if (task?.state === 'ready') waits.push(task.run_at - time.now);
      time.now = task?.run_at ?? time.now;
    }
    expect(waits).toEqual([1, 2, 5, 10, 30, 60, 300, 900, 3600].map((seconds) => seconds * 1000));
    expect((await tasks())[0]).toMatchObject({ state: 'failed', attempts: 10 });
  });

  it('that could not do their work yet come again later: a session whose router is not there now', async () => {
    const { credential, entitlement } = await someAccess(db);
    await startEntitlement(db, entitlement.id, NOW);
    await recordAccounting(db, [report({ username: credential.username })], NOW);
    await db.updateTable('entitlements').set({ state: 'ended' }).execute();
    await enqueueTask(db, 'enforce', { credential_id: credential.id, reason: 'expired' }, NOW);
    await run();
    expect(await tasks()).toMatchObject([
      {
        state: 'ready',
        attempts: 1,
        run_at: NOW + 1000,
        outcome: expect.stringContaining('no longer known'),
      },
    ]);
  });

  it('with rubbish inside fail without harm to the others', async () => {
    await enqueueTask(db, 'enforce', { credential_id: 'none', reason: 'x' }, NOW);
    await db.updateTable('tasks').set({ payload: '{' }).execute();
    const { credential } = await someAccess(db);
    await enqueueTask(db, 'enforce', { credential_id: credential.id, reason: 'x' }, NOW + 1, NOW);
    await run();
    expect((await tasks()).map((task) => task.state)).toEqual(['ready', 'done']);
  });

  it('make a large batch of vouchers to its end, telling how far it is', async () => {
    const plan = await somePlan(db);
    const input = { plan_id: plan.id, count: 2500, name: 'Big', created_by: null, idempotency_key: null };
    const { id } = await createVoucherBatch(db, input, NOW);
    await run();
    expect(await getVoucherBatch(db, id)).toMatchObject({ state: 'ready', made: 2500 });
    expect(published.map(({ event }) => (event as { made: number }).made)).toEqual([1000, 2000, 2500]);
  });
});

describe('polling', () => {
  it('asks when the callback does not come, and settles what M-PESA says', async () => {
    const plan = await somePlan(db);
    const order = await sentOrder(db, plan.id, '1');
    const undecided = scriptedGateway(accepted('x'));
    gateway = undecided.gateway;
    time.now = NOW + 10_000;
    await pollOrders(ctx);
    expect(undecided.queries).toEqual(['ws_CO_1']);
    expect(await getOrder(db, order.id)).toMatchObject({
      state: 'pending',
      polls: 1,
      problem: '4999 still processing',
    });
    await pollOrders(ctx);
    expect(undecided.queries).toHaveLength(1);
    const body = JSON.stringify({ outcome: 'decided', result_code: '0', result_desc: '' });
    gateway = scriptedGateway(accepted('x'), { outcome: 'decided', result_code: '0', body }).gateway;
    time.now = NOW + 15_000;
    await pollOrders(ctx);
    await run();
    expect(await getOrder(db, order.id)).toMatchObject({ state: 'paid', next_poll_at: null });
    expect((await books(db)).payments).toMatchObject([{ receipt: null, amount_cents: 2000 }]);
  });

  it('never calls an order failed because M-PESA cannot tell', async () => {
    const plan = await somePlan(db);
    const order = await sentOrder(db, plan.id, '1');
    const { gateway: silent, queries } = scriptedGateway(accepted('x'));
    gateway = silent;
    const states = new Set<string>();
    for (let hours = 0; hours < 50; hours += 0.25) {
      time.now = NOW + hours * HOUR;
      await pollOrders(ctx);
      states.add((await getOrder(db, order.id)).state);
    }
    expect([...states]).toEqual(['pending', 'checking']);
    expect(queries.length).toBeGreaterThan(40);
    expect((await getOrder(db, order.id)).next_poll_at).toBeNull();
  });

  it('asks once more about an order that a callback called failed: what M-PESA says then counts', async () => {
    const plan = await somePlan(db);
    const [lie, truth] = [
      await sentOrder(db, plan.id, '1'),
      await sentOrder(db, plan.id, '2', { msisdn: '254712345679' }),
    ];
    await callBack(db, lie.id, callback('1', { code: 1032 }), NOW + 4000);
    await callBack(db, truth.id, callback('2', { code: 1032 }), NOW + 4000);
    const { gateway: scripted, queries } = scriptedGateway(accepted('x'));
    gateway = scripted;
    const codes: Record<string, string> = { ws_CO_1: '0', ws_CO_2: '1032' };
    scripted.queryPayment = async (id) => {
      queries.push(id);
      // Noise first, as M-PESA is wont (payments.md §1.7).
      if (time.now < NOW + 15_000) return { outcome: 'undecided', problem: '500.001.1001' };
      const body = JSON.stringify({ outcome: 'decided', result_code: codes[id] });
      return { outcome: 'decided', result_code: codes[id] as string, body };
    };
    for (let seconds = 5; seconds < 600; seconds += 5) {
      time.now = NOW + seconds * 1000;
      await pollOrders(ctx);
      await run();
    }
    expect(queries.sort()).toEqual(['ws_CO_1', 'ws_CO_1', 'ws_CO_2', 'ws_CO_2']);
    expect(await getOrder(db, lie.id)).toMatchObject({ state: 'paid', next_poll_at: null });
    expect(await getOrder(db, truth.id)).toMatchObject({ state: 'failed', next_poll_at: null });
    expect((await books(db)).payments).toMatchObject([{ order_id: lie.id, state: 'settled' }]);
  });

  it('stops asking about a failed order when its prompt cannot live any more', async () => {
    const plan = await somePlan(db);
    const order = await sentOrder(db, plan.id, '1');
    await callBack(db, order.id, callback('1', { code: 1037 }), NOW + 4000);
    const { gateway: silent, queries } = scriptedGateway(accepted('x'));
    gateway = silent;
    for (let minutes = 0; minutes < 120; minutes += 0.25) {
      time.now = NOW + minutes * 60_000;
      await pollOrders(ctx);
    }
    expect(queries.length).toBeLessThan(16);
    expect(await getOrder(db, order.id)).toMatchObject({ state: 'failed', next_poll_at: null });
  });

  it('asks about the others while M-PESA takes its time over one', async () => {
    const plan = await somePlan(db);
    await sentOrder(db, plan.id, '1');
    await sentOrder(db, plan.id, '2', { msisdn: '254712345679' });
    const scripted = scriptedGateway(accepted('x'));
    let bothAsked = () => {};
    const both = new Promise<void>((resolve) => {
      bothAsked = resolve;
    });
    // No answer comes before both were asked: one after the other would wait here for ever.
    const queryPayment: PaymentGateway['queryPayment'] = async (id) => {
      const answer = await scripted.gateway.queryPayment(id);
      if (scripted.queries.length === 2) bothAsked();
      await both;
      return answer;
    };
    gateway = { ...scripted.gateway, queryPayment };
    time.now = NOW + 10_000;
    await pollOrders(ctx);
    expect(scripted.queries.sort()).toEqual(['ws_CO_1', 'ws_CO_2']);
  });

  it('lets an order age also while no gateway is set up', async () => {
    const plan = await somePlan(db);
    const order = await sentOrder(db, plan.id, '1');
    time.now = NOW + LIVE_MS;
    await pollOrders(ctx);
    expect((await getOrder(db, order.id)).state).toBe('checking');
  });
});

describe('time', () => {
  it('ends what is due and leaves a task for its sessions; more than one batch of them', async () => {
    const { entitlement, grant } = await someAccess(db);
    const ids = [entitlement.id];
    for (let i = 0; i < 520; i++) ids.push((await grant()).id);
    for (const id of ids) await startEntitlement(db, id, NOW);
    time.now = NOW + HOUR;
    await endEntitlements(ctx);
    expect(await db.selectFrom('entitlements').select('id').where('state', '=', 'active').execute()).toEqual(
      [],
    );
    expect((await tasks()).length).toBe(521);
    expect(kicks).toBe(2);
  });

  it('ends and closes nothing while the clock is behind what it was', async () => {
    const { entitlement, credential } = await someAccess(db);
    await startEntitlement(db, entitlement.id, NOW - 2 * HOUR);
    await recordAccounting(db, [report({ username: credential.username, at: NOW - 400 * 24 * HOUR })], NOW);
    time.wrong = -200 * 24 * HOUR;
    time.now = NOW + time.wrong;
    await ctx.knownTime.load();
    await endEntitlements(ctx);
    await closeStale(ctx);
    expect(await getEntitlement(db, entitlement.id)).toMatchObject({ state: 'active' });
    expect(await db.selectFrom('sessions').selectAll().execute()).toMatchObject([{ state: 'open' }]);
    Object.assign(time, { now: NOW, wrong: 0 });
    await ctx.knownTime.check();
    await endEntitlements(ctx);
    await closeStale(ctx);
    expect(await getEntitlement(db, entitlement.id)).toMatchObject({ state: 'ended' });
    expect(await db.selectFrom('sessions').selectAll().execute()).toMatchObject([{ state: 'closed' }]);
  });

  it('closes a session after five missed reports and not before', async () => {
    await recordAccounting(db, [report()], NOW);
    time.now = NOW + 300_000;
    await closeStale(ctx);
    expect(await db.selectFrom('sessions').selectAll().execute()).toMatchObject([{ state: 'open' }]);
    time.now += 1;
    await closeStale(ctx);
    expect(await db.selectFrom('sessions').selectAll().execute()).toMatchObject([
      { state: 'closed', stopped_at: NOW },
    ]);
  });

  it('closes a session after as many missed reports as the operator says', async () => {
    await updateAccountingSettings(db, { missed_interims: 10 }, NOW);
    await recordAccounting(db, [report({ kind: 'interim', session_seconds: 60, upload_octets: 9 })], NOW);
    time.now = NOW + 600_000;
    await closeStale(ctx);
    expect(await db.selectFrom('sessions').selectAll().execute()).toMatchObject([{ state: 'open' }]);
    time.now += 1;
    await closeStale(ctx);
    expect(await db.selectFrom('sessions').selectAll().execute()).toMatchObject([
      { state: 'closed', stopped_at: NOW, session_seconds: 60, upload_octets: 9 },
    ]);
  });

  it('deletes sessions a year after they ended, not the open ones, those of a living plan, or the daily usage', async () => {
    const DAY = 24 * HOUR;
    const sessions = async (kind: 'interim' | 'stop', ended: boolean, ids: string[]) => {
      const { credential, entitlement } = await someAccess(db);
      await startEntitlement(db, entitlement.id, NOW);
      const { username } = credential;
      const told = ids.map((acct_session_id) =>
        report({ username, kind, acct_session_id, session_seconds: 60, upload_octets: 5 }),
      );
      await recordAccounting(db, told, NOW);
      if (ended) await endEntitlement(db, entitlement.id, 'expired', NOW);
    };
    // More than one step of the job.
    const old = Array.from({ length: 520 }, (_, count) => `old ${count}`);
    await sessions('stop', true, old);
    await sessions('interim', true, ['open']);
    await sessions('stop', false, ['living']);
    const left = async () => {
      const rows = await db.selectFrom('sessions').select('acct_session_id').execute();
      return rows.map((row) => row.acct_session_id).sort();
    };
    const usage = await db.selectFrom('daily_usage').selectAll().execute();
    expect(usage.map((row) => row.upload_octets).sort()).toEqual([2600, 5, 5]);
    await recordAccounting(db, [report({ acct_session_id: 'late', kind: 'stop', at: NOW + 1 })], NOW);
    time.now = NOW + 365 * DAY;
    await ctx.knownTime.remember();
    await forgetOldSessions(ctx);
    expect(await left()).toHaveLength(523);
    time.now += 1;
    await forgetOldSessions(ctx);
    expect(await left()).toEqual(['late', 'living', 'open']);
    expect(await db.selectFrom('daily_usage').selectAll().execute()).toEqual(usage);
    await updateAccountingSettings(db, { sessions_kept_days: 400 }, NOW);
    time.now = NOW + 399 * DAY;
    await forgetOldSessions(ctx);
    expect(await left()).toEqual(['late', 'living', 'open']);
    time.now = NOW + 401 * DAY;
    await forgetOldSessions(ctx);
    expect(await left()).toEqual(['living', 'open']);
  });

  it('forgets finished tasks after a month, never one that waits', async () => {
    await enqueueTask(
      db,
      'enforce',
      { credential_id: (await someAccess(db)).credential.id, reason: 'x' },
      NOW,
    );
    await enqueueTask(db, 'enforce', { credential_id: 'later', reason: 'x' }, NOW, NOW + 99 * 24 * HOUR);
    await run();
    time.now = NOW + 30 * 24 * HOUR;
    await forget(ctx);
    expect(await tasks()).toHaveLength(2);
    time.now += 1;
    await forget(ctx);
    expect(await tasks()).toMatchObject([{ state: 'ready' }]);
  });
});
