// Evidence in every order, repeated, late, forged or cut off: one payment, one entitlement, one task.
import { sql } from 'kysely';
import { expect, it } from 'vitest';
import {
  ageOrder,
  findOrderByToken,
  getOrder,
  sendOrder,
  startOrder,
  UNANSWERED_MS,
} from '../../src/billing/orders.ts';
import { settleEvidence } from '../../src/billing/settle.ts';
import type { Db } from '../../src/db/schema.ts';
import { NOW, somePlan, vault } from '../access/fixtures.ts';
import { onEveryStore } from '../support/stores.ts';
import {
  accepted,
  answerQuery,
  books,
  callBack,
  callback,
  keepCallback,
  keepQuery,
  MSISDN,
  orderFor,
  scriptedGateway,
  sentOrder,
} from './fixtures.ts';

async function expectOnePurchase(db: Db, orderId: string, receipt: string | null) {
  const { payments, entitlements, activations } = await books(db);
  expect(payments).toHaveLength(1);
  expect(entitlements).toHaveLength(1);
  expect(activations).toHaveLength(1);
  expect(payments[0]).toMatchObject({
    order_id: orderId,
    amount_cents: 2000,
    state: 'settled',
    receipt,
    entitlement_id: entitlements[0]?.id,
  });
  expect(entitlements[0]).toMatchObject({
    state: 'waiting',
    source: 'order',
    payment_id: payments[0]?.id,
    order_id: orderId,
    validity_seconds: 3600,
    rate_down_kbps: 5000,
    rate_up_kbps: 2000,
    max_devices: 1,
  });
  expect(JSON.parse(activations[0]?.payload ?? '')).toEqual({ order_id: orderId });
  expect(await getOrder(db, orderId)).toMatchObject({
    state: 'paid',
    entitlement_id: entitlements[0]?.id,
    credential_id: entitlements[0]?.credential_id,
    live_key: null,
    next_poll_at: null,
  });
}

onEveryStore('settling', (store, kind) => {
  it('a callback makes one payment, one entitlement and one task', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    expect(await callBack(store(), order.id, callback('1'))).toMatchObject({ granted: true });
    await expectOnePurchase(store(), order.id, 'UK1234ABCD');
    const { payments, evidence } = await books(store());
    expect(payments[0]).toMatchObject({ msisdn: MSISDN, received_at: Date.UTC(2027, 0, 15, 8) });
    expect(evidence[0]).toMatchObject({ state: 'used', payment_id: payments[0]?.id });
  });

  it('a callback before the answer to the push settles, and the answer only fills in', async () => {
    const plan = await somePlan(store());
    const started = await startOrder(store(), orderFor(plan.id), NOW);
    const token = started.token as string;
    expect(started.order.checkout_request_id).toBeNull();
    const found = await findOrderByToken(store(), token);
    expect(found?.id).toBe(started.order.id);
    await callBack(store(), started.order.id, callback('1'));
    const { gateway } = scriptedGateway(accepted('1'));
    await sendOrder(store(), gateway, { ...started, token }, 'http://box', () => NOW + 3000);
    await expectOnePurchase(store(), started.order.id, 'UK1234ABCD');
    expect(await getOrder(store(), started.order.id)).toMatchObject({
      checkout_request_id: 'ws_CO_1',
      merchant_request_id: 'm-1',
    });
  });

  it('the answer to the push is lost, and the callback still settles', async () => {
    const plan = await somePlan(store());
    const started = await startOrder(store(), orderFor(plan.id), NOW);
    const { gateway } = scriptedGateway({ outcome: 'unknown', problem: 'timeout' });
    const order = await sendOrder(
      store(),
      gateway,
      { ...started, token: started.token as string },
      'http://box',
      () => NOW,
    );
    expect(order).toMatchObject({ state: 'checking', checkout_request_id: null });
    await callBack(store(), order.id, callback('1'));
    await expectOnePurchase(store(), order.id, 'UK1234ABCD');
  });

  it('the same callback again is the same money', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    const first = await keepCallback(store(), order.id, callback('1'));
    expect(await keepCallback(store(), order.id, callback('1'))).toBeUndefined();
    await settleEvidence(store(), vault, first?.id ?? '', NOW);
    expect(await settleEvidence(store(), vault, first?.id ?? '', NOW + 1)).toBeUndefined();
    await expectOnePurchase(store(), order.id, 'UK1234ABCD');
  });

  it('the same callback delivered and settled several times at once is the same money', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    const kept = await Promise.all(
      Array.from({ length: 5 }, () => keepCallback(store(), order.id, callback('1'))),
    );
    const ids = kept.flatMap((evidence) => (evidence ? [evidence.id] : []));
    expect(ids).toHaveLength(1);
    const settled = await Promise.all(
      Array.from({ length: 5 }, () => settleEvidence(store(), vault, ids[0] as string, NOW)),
    );
    expect(settled.filter((one) => one?.granted)).toHaveLength(1);
    await expectOnePurchase(store(), order.id, 'UK1234ABCD');
  });

  it('the same money in other words is the same money', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    const bodies = [
      callback('1'),
      callback('1', { amount: '20.00', code: '0', phone: '2547*****678' }),
      callback('1', { phone: null }),
    ];
    for (const [index, body] of bodies.entries()) await callBack(store(), order.id, body, NOW + index);
    await expectOnePurchase(store(), order.id, 'UK1234ABCD');
    const { evidence } = await books(store());
    expect(evidence.map((one) => one.state)).toEqual(['used', 'duplicate', 'duplicate']);
  });

  it('callback and query about the same money, settled at once, grant once', async () => {
    const plan = await somePlan(store());
    for (let round = 0; round < 5; round++) {
      const order = await sentOrder(store(), plan.id, `r${round}`, { msisdn: `25471000000${round}` });
      const body = callback(`r${round}`, { receipt: `UK1234ABC${round}` });
      const kept = [
        await keepCallback(store(), order.id, body),
        await keepQuery(store(), order.id, '0'),
        await keepCallback(store(), order.id, body.replace('prose', 'other prose')),
      ];
      const settled = await Promise.all(
        kept.map((evidence) => settleEvidence(store(), vault, evidence?.id ?? '', NOW)),
      );
      expect(settled.filter((one) => one?.granted)).toHaveLength(1);
    }
    const { payments, entitlements, activations } = await books(store());
    expect(payments.map((payment) => payment.receipt).sort()).toEqual(
      [0, 1, 2, 3, 4].map((round) => `UK1234ABC${round}`),
    );
    expect(entitlements).toHaveLength(5);
    expect(activations).toHaveLength(5);
  });

  it('the query grants when no callback comes; the callback that comes later brings the receipt', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    expect(await answerQuery(store(), order.id, '0')).toMatchObject({ granted: true });
    await expectOnePurchase(store(), order.id, null);
    expect(await callBack(store(), order.id, callback('1'), NOW + 5000)).toMatchObject({ granted: false });
    await expectOnePurchase(store(), order.id, 'UK1234ABCD');
    const { evidence } = await books(store());
    expect(evidence[1]).toMatchObject({ state: 'used', summary: 'Receipt UK1234ABCD attached.' });
  });

  it('the query granted and the callback names another amount: the books hold what was paid', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await answerQuery(store(), order.id, '0');
    await callBack(store(), order.id, callback('1', { amount: 10 }), NOW + 5000);
    const { payments, entitlements } = await books(store());
    expect(payments).toHaveLength(1);
    expect(payments[0]).toMatchObject({ amount_cents: 1000, receipt: 'UK1234ABCD', state: 'settled' });
    expect(payments[0]?.note).toContain('KES 10');
    expect(entitlements).toHaveLength(1);
  });

  it('a refusal fails the order without money', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await callBack(store(), order.id, callback('1', { code: 1032 }));
    expect(await getOrder(store(), order.id)).toMatchObject({
      state: 'failed',
      result_code: '1032',
      live_key: null,
      // Asked about once more: see the jobs.
      next_poll_at: NOW + 10_000,
    });
    const { payments, entitlements, activations } = await books(store());
    expect([payments, entitlements, activations]).toEqual([[], [], []]);
  });

  it('money that comes after a failure still wins', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await answerQuery(store(), order.id, '1037');
    expect((await getOrder(store(), order.id)).state).toBe('failed');
    await callBack(store(), order.id, callback('1'), NOW + 3600_000);
    expect((await books(store())).payments).toEqual([]);
    await answerQuery(store(), order.id, '0', NOW + 3601_000);
    await expectOnePurchase(store(), order.id, 'UK1234ABCD');
    expect((await books(store())).evidence.map((one) => one.state)).toEqual(['used', 'used', 'used']);
  });

  it('a failure that nobody at M-PESA spoke of needs no second word', async () => {
    const plan = await somePlan(store());
    const { order } = await startOrder(store(), orderFor(plan.id), NOW);
    await ageOrder(store(), order, NOW + UNANSWERED_MS);
    expect((await getOrder(store(), order.id)).state).toBe('failed');
    await callBack(store(), order.id, callback('1'), NOW + 3600_000);
    await expectOnePurchase(store(), order.id, 'UK1234ABCD');
  });

  for (const [what, body, doubt] of [
    ['from a foreign source', callback('1'), 'It comes from 203.0.113.9.'],
    ['for another amount', callback('1', { amount: 30 }), undefined],
    ['for another phone', callback('1', { phone: 254799999999 }), undefined],
  ] as const) {
    it(`a success ${what} gives nothing before M-PESA confirms it, and nothing if M-PESA says no`, async () => {
      const plan = await somePlan(store());
      const order = await sentOrder(store(), plan.id, '1');
      await callBack(store(), order.id, body, NOW, doubt);
      const held = await books(store());
      expect([held.payments, held.entitlements]).toEqual([[], []]);
      expect(held.evidence[0]).toMatchObject({ state: 'waiting' });
      const tasks = await store()
        .selectFrom('tasks')
        .selectAll()
        .where('kind', '=', 'confirm_evidence')
        .execute();
      expect(tasks.map((task) => JSON.parse(task.payload))).toEqual([{ evidence_id: held.evidence[0]?.id }]);
      await answerQuery(store(), order.id, '1032', NOW + 1);
      const refused = await books(store());
      expect([refused.payments, refused.entitlements]).toEqual([[], []]);
      expect(refused.evidence[0]).toMatchObject({
        state: 'quarantined',
        summary: expect.stringContaining('1032'),
      });
    });
  }

  it('a success from a foreign source that M-PESA confirms is one purchase with its receipt', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await callBack(store(), order.id, callback('1'), NOW, 'It comes from 203.0.113.9.');
    await answerQuery(store(), order.id, '0', NOW + 1);
    await expectOnePurchase(store(), order.id, 'UK1234ABCD');
    expect((await books(store())).evidence[0]).toMatchObject({
      state: 'used',
      summary: 'M-PESA confirmed it.',
    });
  });

  it('a failure from a foreign source fails nothing; M-PESA is asked', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await callBack(store(), order.id, callback('1', { code: 1032 }), NOW + 5, 'It comes from 203.0.113.9.');
    expect(await getOrder(store(), order.id)).toMatchObject({ state: 'pending', next_poll_at: NOW + 5 });
  });

  it('a refusal after the money changes nothing', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await callBack(store(), order.id, callback('1'));
    await answerQuery(store(), order.id, '1032');
    await expectOnePurchase(store(), order.id, 'UK1234ABCD');
  });

  it('a code nobody knows is being checked, and M-PESA goes on being asked', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await callBack(store(), order.id, callback('1', { code: 7777 }));
    const after = await getOrder(store(), order.id);
    expect(after).toMatchObject({ state: 'checking', result_code: '7777' });
    expect(after.next_poll_at).not.toBeNull();
    await answerQuery(store(), order.id, '0');
    await expectOnePurchase(store(), order.id, null);
  });

  for (const [amount, paid] of [
    [10, 1000],
    [30, 3000],
  ] as const) {
    it(`paid KES ${amount} for KES 20: unmatched and seen, nothing granted, even after a query`, async () => {
      const plan = await somePlan(store());
      const order = await sentOrder(store(), plan.id, '1');
      await callBack(store(), order.id, callback('1', { amount }));
      expect((await books(store())).payments).toEqual([]);
      await answerQuery(store(), order.id, '0');
      const { payments, entitlements, activations } = await books(store());
      expect(payments).toHaveLength(1);
      expect(payments[0]).toMatchObject({ state: 'unmatched', amount_cents: paid, entitlement_id: null });
      expect([entitlements, activations]).toEqual([[], []]);
      expect((await getOrder(store(), order.id)).state).toBe('checking');
    });
  }

  it('a success without an amount in whole shillings gives nothing by itself; the query decides', async () => {
    const plan = await somePlan(store());
    for (const [index, amount] of [null, '20.50', -20, 'twenty', 0].entries()) {
      const order = await sentOrder(store(), plan.id, `a${index}`, { msisdn: `25471100000${index}` });
      await callBack(store(), order.id, callback(`a${index}`, { amount }));
      expect((await getOrder(store(), order.id)).state).toBe('pending');
    }
    const { payments, evidence } = await books(store());
    expect(payments).toEqual([]);
    expect(evidence.map((one) => one.state)).toEqual(Array(5).fill('quarantined'));
    await answerQuery(store(), evidence[0]?.order_id as string, '0');
    expect((await books(store())).entitlements).toHaveLength(1);
  });

  it('a success without a receipt gives nothing by itself, but is asked about at once', async () => {
    const plan = await somePlan(store());
    const started = await startOrder(store(), orderFor(plan.id), NOW);
    await callBack(store(), started.order.id, callback('1', { receipt: null }), NOW + 500);
    expect((await books(store())).payments).toEqual([]);
    const order = await getOrder(store(), started.order.id);
    expect(order).toMatchObject({ checkout_request_id: 'ws_CO_1', next_poll_at: NOW + 500 });
    await answerQuery(store(), order.id, '0');
    await expectOnePurchase(store(), order.id, null);
  });

  it('a success about another request is kept aside', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await callBack(store(), order.id, callback('2', { merchant: 'm-1' }));
    await callBack(store(), order.id, callback('1', { merchant: 'm-else' }));
    const { payments, entitlements, evidence } = await books(store());
    expect([payments, entitlements]).toEqual([[], []]);
    expect(evidence.map((one) => one.state)).toEqual(['quarantined', 'quarantined']);
    expect((await getOrder(store(), order.id)).state).toBe('pending');
  });

  it('an old success played again on a new order is kept aside', async () => {
    const plan = await somePlan(store());
    const old = await sentOrder(store(), plan.id, '1');
    await callBack(store(), old.id, callback('1'));
    const fresh = await startOrder(store(), orderFor(plan.id), NOW + 1000);
    await callBack(store(), fresh.order.id, callback('1'), NOW + 1000);
    const renamed = callback('2', { receipt: 'UK1234ABCD' });
    await callBack(store(), fresh.order.id, renamed, NOW + 2000);
    const { payments, entitlements, evidence } = await books(store());
    expect(payments).toHaveLength(1);
    expect(entitlements).toHaveLength(1);
    expect(evidence.map((one) => one.state)).toEqual(['used', 'quarantined', 'quarantined']);
  });

  it('a receipt that paid another order is not attached to one that the query settled', async () => {
    const plan = await somePlan(store());
    const one = await sentOrder(store(), plan.id, '1');
    const two = await sentOrder(store(), plan.id, '2', { msisdn: '254722000000' });
    await callBack(store(), one.id, callback('1'));
    await answerQuery(store(), two.id, '0', NOW + 1000);
    await callBack(store(), two.id, callback('2', { receipt: 'UK1234ABCD' }), NOW + 2000);
    const { payments, evidence } = await books(store());
    expect(payments.map((payment) => payment.receipt)).toEqual(['UK1234ABCD', null]);
    expect(evidence.at(-1)).toMatchObject({ state: 'quarantined' });
  });

  it('a second receipt for a request that is paid already is kept aside, to be seen', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await callBack(store(), order.id, callback('1'));
    await callBack(store(), order.id, callback('1', { receipt: 'UK9999ZZZZ' }), NOW + 1000);
    await expectOnePurchase(store(), order.id, 'UK1234ABCD');
    const { evidence } = await books(store());
    expect(evidence[1]).toMatchObject({ state: 'quarantined' });
  });

  it('two orders of one guest, both paid, give two entitlements on one credential', async () => {
    const plan = await somePlan(store());
    const one = await sentOrder(store(), plan.id, '1');
    await callBack(store(), one.id, callback('1'));
    const two = await sentOrder(store(), plan.id, '2');
    await callBack(store(), two.id, callback('2', { receipt: 'UK2222BBBB' }));
    const { payments, entitlements } = await books(store());
    expect(payments).toHaveLength(2);
    expect(entitlements.map((one) => one.state)).toEqual(['waiting', 'waiting']);
    expect(new Set(entitlements.map((one) => one.credential_id)).size).toBe(1);
  });

  it('two orders of one guest settled at once share one credential', async () => {
    const plan = await somePlan(store());
    const other = await somePlan(store(), { name: 'Other' });
    const one = await sentOrder(store(), plan.id, '1');
    const two = await sentOrder(store(), other.id, '2');
    await Promise.all([
      callBack(store(), one.id, callback('1')),
      callBack(store(), two.id, callback('2', { receipt: 'UK2222BBBB' })),
    ]);
    expect((await books(store())).entitlements).toHaveLength(2);
    expect(await store().selectFrom('credentials').selectAll().execute()).toHaveLength(1);
  });

  it('rubbish is kept and closed, never acted on', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    const rubbish = ['', '<html>', '{', '[]', 'null', '{"Body":{}}', 'a\0b', '😀'.repeat(9000)];
    for (const body of rubbish) await callBack(store(), order.id, body);
    const { payments, evidence } = await books(store());
    expect(payments).toEqual([]);
    expect(evidence).toHaveLength(rubbish.length);
    expect(evidence.every((one) => one.state === 'quarantined' && one.body.length <= 8192)).toBe(true);
    await callBack(store(), order.id, callback('1'));
    await expectOnePurchase(store(), order.id, 'UK1234ABCD');
  });

  it('a message nobody ordered is kept aside and never settled', async () => {
    const evidence = await keepCallback(store(), null, callback('1'));
    expect(evidence).toMatchObject({ state: 'quarantined', order_id: null });
    expect(await settleEvidence(store(), vault, evidence?.id ?? '', NOW)).toBeUndefined();
    const tasks = await store().selectFrom('tasks').selectAll().execute();
    expect(tasks).toEqual([]);
  });

  // Each table is made to refuse, in turn, what settling writes into it: the lights go out at that point.
  for (const table of ['payments', 'credentials', 'entitlements', 'tasks'] as const) {
    it(`the power fails at the write to ${table}: nothing is half-done, and a retry settles`, async () => {
      const plan = await somePlan(store());
      const order = await sentOrder(store(), plan.id, '1');
      const evidence = await keepCallback(store(), order.id, callback('1'));
      const repair = await breakInserts(store(), table, kind);
      await expect(settleEvidence(store(), vault, evidence?.id ?? '', NOW)).rejects.toThrow(/power/);
      const cut = await books(store());
      expect([cut.payments, cut.entitlements, cut.activations]).toEqual([[], [], []]);
      expect(cut.evidence[0]?.state).toBe('received');
      expect(await store().selectFrom('credentials').selectAll().execute()).toEqual([]);
      expect((await getOrder(store(), order.id)).state).toBe('pending');
      await repair();
      await settleEvidence(store(), vault, evidence?.id ?? '', NOW);
      await expectOnePurchase(store(), order.id, 'UK1234ABCD');
    });
  }
});

/** Has the database refuse inserts into a table; the function it gives back repairs it. */
async function breakInserts(db: Db, table: string, kind: string): Promise<() => Promise<void>> {
  const name = sql.ref(`cut_${table}`);
  if (kind === 'pglite' || kind === 'postgresql') {
    await sql`create or replace function cut() returns trigger language plpgsql as $$ begin raise exception 'power'; end $$`.execute(
      db,
    );
    await sql`create trigger ${name} before insert on ${sql.table(table)} execute function cut()`.execute(db);
    return async () => void (await sql`drop trigger ${name} on ${sql.table(table)}`.execute(db));
  }
  await sql`create trigger ${name} before insert on ${sql.table(table)} begin select raise(abort, 'power'); end`.execute(
    db,
  );
  return async () => void (await sql`drop trigger ${name}`.execute(db));
}
