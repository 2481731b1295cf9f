// A callback that is not believed: M-PESA is asked until it says, and its word decides.
import { expect, it } from 'vitest';
import type { PaymentQueryOutcome } from '../../src/billing/gateways.ts';
import { startOrder } from '../../src/billing/orders.ts';
import { settleEvidence } from '../../src/billing/settle.ts';
import { doubtAbout, isOwnShortcode } from '../../src/billing/trust.ts';
import type { Db } from '../../src/db/schema.ts';
import { writeSetting } from '../../src/db/settings.ts';
import { confirmEvidence } from '../../src/jobs/confirm-evidence.ts';
import { silentLog } from '../../src/log.ts';
import { HOUR, NOW, somePlan, vault } from '../access/fixtures.ts';
import { accepted, books, callback, keepCallback, orderFor, scriptedGateway } from '../billing/fixtures.ts';
import { memoryStore, onEveryStore } from '../support/stores.ts';

const FOREIGN = 'It comes from 203.0.113.9.';

async function heldCallback(db: Db) {
  const plan = await somePlan(db);
  const { order } = await startOrder(db, orderFor(plan.id), NOW);
  const evidence = await keepCallback(db, order.id, callback('1'), NOW, FOREIGN);
  await settleEvidence(db, vault, evidence?.id ?? '', NOW);
  return { order, id: evidence?.id ?? '' };
}

function contextOf(db: Db, answer: PaymentQueryOutcome, now = NOW + 1000) {
  const { gateway, queries } = scriptedGateway(accepted('1'), answer);
  const clock = { now: () => now, monotonic: () => now };
  const noticeBaseUrl = async () => 'http://box';
  return {
    db,
    clock,
    log: silentLog,
    gateways: { mpesa: async () => gateway },
    kick: () => {},
    queries,
    noticeBaseUrl,
  };
}

const decided = (code: string): PaymentQueryOutcome => ({
  outcome: 'decided',
  result_code: code,
  body: JSON.stringify({ outcome: 'decided', result_code: code }),
});

async function settleAll(db: Db) {
  const waiting = await db.selectFrom('evidence').select('id').where('state', '=', 'received').execute();
  for (const { id } of waiting) await settleEvidence(db, vault, id, NOW + 2000);
}

onEveryStore('confirming a callback', (store) => {
  it('asks about the very request it names, and grants once when M-PESA says paid', async () => {
    const { order, id } = await heldCallback(store());
    const ctx = contextOf(store(), decided('0'));
    expect(await confirmEvidence(ctx, id)).toEqual({ outcome: 'asked: 0' });
    expect(ctx.queries).toEqual(['ws_CO_1']);
    await settleAll(store());
    const { payments, entitlements, evidence } = await books(store());
    expect(payments).toMatchObject([{ order_id: order.id, receipt: 'UK1234ABCD', state: 'settled' }]);
    expect(entitlements).toHaveLength(1);
    expect(evidence.map((one) => one.state)).toEqual(['used', 'used']);
    expect(await confirmEvidence(ctx, id)).toEqual({ outcome: 'It is decided.' });
  });

  it('grants nothing when M-PESA says no, and keeps the callback aside to be seen', async () => {
    const { id } = await heldCallback(store());
    await confirmEvidence(contextOf(store(), decided('1032')), id);
    await settleAll(store());
    const { payments, entitlements, evidence } = await books(store());
    expect([payments, entitlements]).toEqual([[], []]);
    expect(evidence[0]).toMatchObject({ state: 'quarantined', summary: expect.stringContaining('1032') });
  });

  it('asks again while M-PESA does not say, for two days', async () => {
    const { id } = await heldCallback(store());
    const unsaid: PaymentQueryOutcome = { outcome: 'undecided', problem: '500.001.1001' };
    const times = [NOW];
    for (let at: number | undefined = NOW; at !== undefined; ) {
      expect((await books(store())).evidence[0]?.state).toBe('waiting');
      const done: { again_at?: number } = await confirmEvidence(contextOf(store(), unsaid, at), id);
      at = done.again_at;
      if (at !== undefined) times.push(at);
    }
    expect(times.slice(0, 4)).toEqual([NOW, NOW + 1000, NOW + 3000, NOW + 8000]);
    expect(times.at(-1)).toBe(NOW + 48 * HOUR);
    expect(times.length).toBe(20);
    expect((await books(store())).evidence[0]?.state).toBe('quarantined');
  });
});

it('M-PESA’s own addresses are believed, this machine for the simulator alone, another shortcode never', async () => {
  const db = await memoryStore();
  const keys = { environment: 'production', shortcode: '600100', till_number: '700200' };
  await writeSetting(db, 'mpesa', keys, NOW);
  expect(await doubtAbout(db, { source_address: '196.201.214.200' })).toBeUndefined();
  expect(await doubtAbout(db, { source_address: '::ffff:196.201.212.69' })).toBeUndefined();
  expect(await doubtAbout(db, { source_address: '127.0.0.1' })).toContain('127.0.0.1');
  expect(await doubtAbout(db, { source_address: null })).toContain('unknown');
  expect(await doubtAbout(db, { source_address: '196.201.214.200', shortcode: '999999' })).toContain(
    '999999',
  );
  expect(await isOwnShortcode(db, '700200')).toBe(true);
  await writeSetting(db, 'notice_sources', ['203.0.113.9'], NOW);
  expect(await doubtAbout(db, { source_address: '203.0.113.9' })).toBeUndefined();
  await writeSetting(db, 'mpesa', { ...keys, environment: 'simulator' }, NOW);
  expect(await doubtAbout(db, { source_address: '127.0.0.1' })).toBeUndefined();
  await db.destroy();
});
