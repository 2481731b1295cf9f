// The pull sweep: at the start, every ten minutes, after an outage; nothing twice, no gap.
import { expect, it } from 'vitest';
import { keepGoLive } from '../../src/billing/go-live.ts';
import type { Money } from '../../src/billing/money.ts';
import { startOrder } from '../../src/billing/orders.ts';
import { settleEvidence } from '../../src/billing/settle.ts';
import { pullPayments } from '../../src/jobs/pull-payments.ts';
import { silentLog } from '../../src/log.ts';
import { NOW, somePlan, vault } from '../access/fixtures.ts';
import { accepted, books, orderFor, scriptedGateway } from '../billing/fixtures.ts';
import { memoryStore } from '../support/stores.ts';

const MINUTE = 60_000;

async function box() {
  const db = await memoryStore();
  await keepGoLive(db, 'pull', { step: 'pull', ok: true, message: '' }, '', NOW);
  const time = { now: NOW };
  const asked: [number, number][] = [];
  const answer = { money: [] as Money[], problem: null as string | null };
  const { gateway } = scriptedGateway(accepted('1'));
  gateway.pullMoney = async (from, to) => {
    asked.push([from, to]);
    return answer;
  };
  const ctx = {
    ...{ db, log: silentLog, gateways: { mpesa: async () => gateway }, kick: () => {} },
    clock: { now: () => time.now, monotonic: () => time.now },
    knownTime: { trusted: () => true } as never,
  };
  return { db, time, asked, answer, run: () => pullPayments(ctx) };
}

it('sweeps two days at the first start, then every ten minutes with an hour of overlap', async () => {
  const { db, time, asked, run } = await box();
  await run();
  expect(asked).toEqual([[NOW - 48 * 60 * MINUTE, NOW]]);
  time.now += 9 * MINUTE;
  await run();
  expect(asked).toHaveLength(1);
  time.now += MINUTE;
  await run();
  expect(asked[1]).toEqual([NOW - 60 * MINUTE, NOW + 10 * MINUTE]);
  await db.destroy();
});

it('a sweep that failed is repeated a minute later from where the last good one ended', async () => {
  const { db, time, asked, answer, run } = await box();
  await run();
  answer.problem = 'Daraja could not be reached';
  for (let minute = 10; minute <= 200; minute++) {
    time.now = NOW + minute * MINUTE;
    await run();
  }
  expect(asked).toHaveLength(192);
  answer.problem = null;
  time.now += MINUTE;
  await run();
  expect(asked.at(-1)).toEqual([NOW - 60 * MINUTE, NOW + 201 * MINUTE]);
  await db.destroy();
});

it('a payment whose answer and callback were both lost is found and settled, once', async () => {
  const { db, time, answer, run } = await box();
  const plan = await somePlan(db);
  const { order } = await startOrder(db, orderFor(plan.id), NOW);
  const about = { account_reference: `1hour${order.short_code}`, payer_name: '', at: NOW + MINUTE };
  answer.money = [{ receipt: 'VAF1234XYZ', amount_cents: 2000, ...about }];
  for (let sweep = 0; sweep < 3; sweep++) {
    await run();
    time.now += 10 * MINUTE;
    const kept = await db.selectFrom('evidence').select('id').where('state', '=', 'received').execute();
    for (const { id } of kept) await settleEvidence(db, vault, id, time.now);
  }
  const { payments, entitlements, evidence } = await books(db);
  expect(payments).toMatchObject([{ order_id: order.id, receipt: 'VAF1234XYZ', state: 'settled' }]);
  expect(entitlements).toHaveLength(1);
  expect(evidence).toHaveLength(1);
  await db.destroy();
});
