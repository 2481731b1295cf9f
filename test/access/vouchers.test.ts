// Vouchers: made whole, redeemed once, cancelled and brought back.
import { sql } from 'kysely';
import { expect, it } from 'vitest';
import { findAccess } from '../../src/access/entitlements.ts';
import {
  addVouchers,
  cancelVoucher,
  cancelVoucherBatch,
  createVoucherBatch,
  findVoucher,
  getVoucherBatch,
  listVouchers,
  redeemVoucher,
  restoreVoucher,
  sealCodes,
} from '../../src/access/vouchers.ts';
import type { Db } from '../../src/db/schema.ts';
import { onEveryStore } from '../support/stores.ts';
import { NOW, somePlan, someVouchers, vault } from './fixtures.ts';

const MAC = 'AA:BB:CC:00:00:01';

async function counters(db: Db, id: string) {
  const { made, redeemed, cancelled, state } = await getVoucherBatch(db, id);
  return { made, redeemed, cancelled, state };
}

async function count(db: Db, table: 'subscribers' | 'credentials' | 'entitlements'): Promise<number> {
  return (await db.selectFrom(table).select('id').execute()).length;
}

onEveryStore('a voucher', (store, kind) => {
  it('is redeemed with its own code as user name and password, for the plan it was sold with', async () => {
    const { codes, plan } = await someVouchers(store(), 1);
    const code = codes[0] as string;
    const redeemed = await redeemVoucher(store(), vault, code, MAC, NOW);
    expect(redeemed).toMatchObject({
      redeemed: true,
      username: code,
      password: code,
      entitlement: { state: 'waiting', source: 'voucher', plan_id: plan.id, validity_seconds: 3600 },
    });
    const access = await findAccess(store(), code, '');
    expect(access).toMatchObject({ credential_kind: 'voucher', entitlement: { state: 'waiting' } });
    expect(vault.open(access?.password_sealed as string)).toBe(code);
    const voucher = await findVoucher(store(), vault, code);
    expect(voucher).toMatchObject({
      state: 'redeemed',
      redeemed_at: NOW,
      subscriber_id: access?.subscriber_id,
      entitlement_id: access?.entitlement?.id,
    });
  });

  it('is known however it is typed', async () => {
    const { codes } = await someVouchers(store(), 1);
    const code = codes[0] as string;
    const typed = ` ${code.slice(0, 4).toLowerCase()} -${code.slice(4)}. `;
    expect(await redeemVoucher(store(), vault, typed, null, NOW)).toMatchObject({
      redeemed: true,
      username: code,
    });
  });

  it('goes to one of many who redeem it at once', async () => {
    const { codes, batchId } = await someVouchers(store(), 1);
    const all = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        redeemVoucher(store(), vault, codes[0] as string, `AA:BB:CC:00:00:0${i}`, NOW),
      ),
    );
    expect(all.filter((one) => one.redeemed)).toHaveLength(1);
    expect(all.filter((one) => !one.redeemed && one.reason === 'used')).toHaveLength(7);
    expect(await count(store(), 'entitlements')).toBe(1);
    expect(await count(store(), 'credentials')).toBe(1);
    expect(await counters(store(), batchId)).toMatchObject({ redeemed: 1 });
  });

  it('that is unknown, used or cancelled gives nothing and says why', async () => {
    const { codes, vouchers } = await someVouchers(store(), 2);
    await redeemVoucher(store(), vault, codes[0] as string, null, NOW);
    await cancelVoucher(store(), vouchers[1]?.id as string);
    const tried = ['ZZZZZZZZ', '', codes[0] as string, codes[1] as string];
    const reasons = [];
    for (const code of tried) {
      const answer = await redeemVoucher(store(), vault, code, null, NOW);
      reasons.push(answer.redeemed ? 'redeemed' : answer.reason);
    }
    expect(reasons).toEqual(['unknown', 'unknown', 'used', 'cancelled']);
    expect(await count(store(), 'entitlements')).toBe(1);
  });

  for (const table of ['subscribers', 'credentials', 'entitlements'] as const) {
    it(`stays unused when the power fails at the write to ${table}, and can be redeemed after`, async () => {
      const { codes, batchId } = await someVouchers(store(), 1);
      const repair = await refuseInserts(store(), table, kind);
      await expect(redeemVoucher(store(), vault, codes[0] as string, null, NOW)).rejects.toThrow(/power/);
      await repair();
      expect(await findVoucher(store(), vault, codes[0] as string)).toMatchObject({
        state: 'unused',
        redeemed_at: null,
      });
      for (const other of ['subscribers', 'credentials', 'entitlements'] as const) {
        expect(await count(store(), other)).toBe(0);
      }
      expect(await counters(store(), batchId)).toMatchObject({ redeemed: 0 });
      expect(await redeemVoucher(store(), vault, codes[0] as string, null, NOW)).toMatchObject({
        redeemed: true,
      });
    });
  }

  it('is cancelled and brought back once each, and the batch counts along', async () => {
    const { codes, vouchers, batchId } = await someVouchers(store(), 2);
    const id = vouchers[0]?.id as string;
    const cancelled = await Promise.allSettled([cancelVoucher(store(), id), cancelVoucher(store(), id)]);
    expect(cancelled.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await counters(store(), batchId)).toMatchObject({ cancelled: 1 });
    const restored = await Promise.allSettled([restoreVoucher(store(), id), restoreVoucher(store(), id)]);
    expect(restored.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await counters(store(), batchId)).toMatchObject({ cancelled: 0, redeemed: 0 });
    expect(await redeemVoucher(store(), vault, codes[0] as string, null, NOW)).toMatchObject({
      redeemed: true,
    });
    await expect(cancelVoucher(store(), id)).rejects.toMatchObject({ code: 'conflict' });
    await expect(restoreVoucher(store(), id)).rejects.toMatchObject({ code: 'conflict' });
    await expect(cancelVoucher(store(), 'none')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('that is redeemed and cancelled at once ends in one of the two', async () => {
    const { codes, vouchers, batchId } = await someVouchers(store(), 4);
    for (const [index, voucher] of vouchers.entries()) {
      const [redeemed, cancelled] = await Promise.allSettled([
        redeemVoucher(store(), vault, codes[index] as string, null, NOW),
        cancelVoucher(store(), voucher.id),
      ]);
      const got = redeemed.status === 'fulfilled' && redeemed.value.redeemed;
      expect(got).not.toBe(cancelled.status === 'fulfilled');
    }
    const { redeemed, cancelled } = await counters(store(), batchId);
    expect(redeemed + cancelled).toBe(4);
    expect(await count(store(), 'entitlements')).toBe(redeemed);
  });
});

onEveryStore('a batch of vouchers', (store) => {
  it('holds as many distinct codes as were asked for, none of them readable in the store', async () => {
    const { codes, batchId } = await someVouchers(store(), 1000);
    expect(new Set(codes).size).toBe(1000);
    expect(codes.every((code) => /^[2-9A-HJ-KM-NP-TW-Z]{8}$/.test(code))).toBe(true);
    expect(await counters(store(), batchId)).toEqual({
      made: 1000,
      redeemed: 0,
      cancelled: 0,
      state: 'ready',
    });
    const row = await store().selectFrom('vouchers').selectAll().limit(1).executeTakeFirstOrThrow();
    expect(JSON.stringify(row)).not.toContain(vault.open(row.code_sealed));
  });

  it('is finished after a crash, without a voucher more or less', async () => {
    const plan = await somePlan(store());
    const input = { plan_id: plan.id, count: 2300, name: 'Big', created_by: null, idempotency_key: null };
    const { id } = await createVoucherBatch(store(), input, NOW);
    expect(await addVouchers(store(), id, sealCodes(vault, 1000), NOW)).toMatchObject({
      made: 1000,
      state: 'making',
    });
    // The program ends here; two that start later both find the task.
    const makers = await Promise.all([0, 1].map(() => addVouchers(store(), id, sealCodes(vault, 1000), NOW)));
    expect(makers.map((one) => one.made).sort()).toEqual([2000, 2300]);
    expect(await addVouchers(store(), id, sealCodes(vault, 1000), NOW)).toMatchObject({
      made: 2300,
      state: 'ready',
    });
    const rows = await store().selectFrom('vouchers').select('code_fingerprint').execute();
    expect(new Set(rows.map((row) => row.code_fingerprint)).size).toBe(2300);
  });

  it('with the same idempotency key is the same batch, also when asked for twice at once', async () => {
    const plan = await somePlan(store());
    const input = { plan_id: plan.id, count: 5, name: 'Kiosk', created_by: null, idempotency_key: 'a:1' };
    const batches = await Promise.all([0, 1, 2].map(() => createVoucherBatch(store(), input, NOW)));
    expect(new Set(batches.map((batch) => batch.id)).size).toBe(1);
    expect(await store().selectFrom('tasks').selectAll().execute()).toHaveLength(1);
    const other = await createVoucherBatch(store(), { ...input, idempotency_key: null }, NOW);
    expect(other.id).not.toBe(batches[0]?.id);
  });

  it('is not made for an archived plan', async () => {
    const plan = await somePlan(store(), { state: 'archived' });
    const input = { plan_id: plan.id, count: 5, name: 'Kiosk', created_by: null, idempotency_key: null };
    await expect(createVoucherBatch(store(), input, NOW)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('loses its unused vouchers when it is cancelled; redeemed ones stay', async () => {
    const { codes, vouchers, batchId } = await someVouchers(store(), 4);
    await redeemVoucher(store(), vault, codes[0] as string, null, NOW);
    await cancelVoucher(store(), vouchers[1]?.id as string);
    await cancelVoucherBatch(store(), batchId);
    const ended = { made: 4, redeemed: 1, cancelled: 3, state: 'cancelled' };
    expect(await counters(store(), batchId)).toEqual(ended);
    await cancelVoucherBatch(store(), batchId);
    expect(await counters(store(), batchId)).toEqual(ended);
    const { items } = await listVouchers(store(), vault, {}, { batch_id: batchId, state: 'redeemed' });
    expect(items.map((voucher) => voucher.code)).toEqual([codes[0]]);
  });

  it('that is cancelled while it is made leaves no voucher that could be redeemed', async () => {
    const plan = await somePlan(store());
    for (let round = 0; round < 3; round++) {
      const input = { plan_id: plan.id, count: 3000, name: 'Big', created_by: null, idempotency_key: null };
      const { id } = await createVoucherBatch(store(), input, NOW);
      await Promise.all([
        addVouchers(store(), id, sealCodes(vault, 1000), NOW),
        cancelVoucherBatch(store(), id),
        addVouchers(store(), id, sealCodes(vault, 1000), NOW),
      ]);
      expect(await addVouchers(store(), id, sealCodes(vault, 1000), NOW)).toMatchObject({
        state: 'cancelled',
      });
      const { items } = await listVouchers(store(), vault, {}, { batch_id: id, state: 'unused' });
      expect(items).toEqual([]);
      const batch = await counters(store(), id);
      expect(batch.cancelled).toBe(batch.made);
    }
  });

  it('is searched by a whole code and filtered by state and plan', async () => {
    const one = await someVouchers(store(), 3);
    const two = await someVouchers(store(), 2);
    const find = async (filter: Parameters<typeof listVouchers>[3]) =>
      (await listVouchers(store(), vault, {}, filter)).items.map((voucher) => voucher.code).sort();
    expect(await find({ code: one.codes[0]?.toLowerCase() })).toEqual([one.codes[0]]);
    expect(await find({ code: one.codes[0]?.slice(0, 7) })).toEqual([]);
    expect(await find({ plan_id: two.plan.id })).toEqual([...two.codes].sort());
    expect(await find({ state: 'redeemed' })).toEqual([]);
  });
});

/** Has the database refuse inserts into a table; the function it gives back repairs it. */
async function refuseInserts(db: Db, table: string, kind: string): Promise<() => Promise<void>> {
  const name = sql.ref(`power_${table}`);
  const on = sql.table(table);
  if (kind === 'pglite' || kind === 'postgresql') {
    await sql`create or replace function power() returns trigger language plpgsql as $$ begin raise exception 'power'; end $$`.execute(
      db,
    );
    await sql`create trigger ${name} before insert on ${on} execute function power()`.execute(db);
    return async () => void (await sql`drop trigger ${name} on ${on}`.execute(db));
  }
  await sql`create trigger ${name} before insert on ${on} begin select raise(abort, 'power'); end`.execute(
    db,
  );
  return async () => void (await sql`drop trigger ${name}`.execute(db));
}
