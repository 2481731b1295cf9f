// The ledger: written with the money it tells of, once, and proved against it.
import { expect, it } from 'vitest';
import { bookPayment, moveMoney, takeMoveBack, writeEntry } from '../../src/billing/ledger.ts';
import { ledgerBalances, listLedgerEntries } from '../../src/billing/ledger-books.ts';
import { bookBacklog, proveLedger } from '../../src/billing/ledger-proof.ts';
import type { Db, LedgerAccount } from '../../src/db/schema.ts';
import { dayOf } from '../../src/lib/days.ts';
import { listAudit } from '../../src/operators/audit.ts';
import { NOW, somePlan } from '../access/fixtures.ts';
import { onEveryStore } from '../support/stores.ts';
import { answerQuery, books, callBack, callback, sentOrder } from './fixtures.ts';

const owner = { account_id: 'owner1', name: 'owner', address: null };

async function balance(db: Db, account: LedgerAccount): Promise<number> {
  const rows = await ledgerBalances(db, dayOf(NOW));
  return rows.find((row) => row.account === account)?.balance_cents as number;
}

async function setState(db: Db, id: string, state: 'settled' | 'unmatched' | 'reversed') {
  await db.transaction().execute(async (tx) => {
    await tx.updateTable('payments').set({ state }).where('id', '=', id).execute();
    await bookPayment(tx, id, NOW + 1);
  });
}

async function proved(db: Db) {
  await bookBacklog(db);
  return proveLedger(db, NOW);
}

onEveryStore('the ledger', (store) => {
  it('a paid order is a sale, booked once however often its callback comes', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await callBack(store(), order.id, callback('1'));
    await answerQuery(store(), order.id, '0');
    const { items } = await listLedgerEntries(store(), {});
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({ kind: 'payment', day: dayOf(NOW) });
    expect(items[0]?.lines).toEqual([
      { account: 'mpesa', holder: '', amount_cents: 2000 },
      { account: 'sales', holder: '', amount_cents: -2000 },
    ]);
    expect(await proved(store())).toMatchObject({ ok: true, complete: true, entries: 1, payments: 1 });
  });

  it('money of another amount is held until it is settled or sent back', async () => {
    const plan = await somePlan(store());
    for (const id of ['1', '2']) {
      const order = await sentOrder(store(), plan.id, id, { mac: `AA:BB:CC:00:00:0${id}` });
      await callBack(store(), order.id, callback(id, { amount: 50, receipt: `UK1234ABC${id}` }));
      await answerQuery(store(), order.id, '0');
    }
    expect(await balance(store(), 'unmatched')).toBe(-10_000);
    const [first, second] = (await books(store())).payments;
    await setState(store(), first?.id as string, 'settled');
    await setState(store(), second?.id as string, 'reversed');
    expect(await balance(store(), 'unmatched')).toBe(0);
    expect(await balance(store(), 'mpesa')).toBe(5000);
    expect(await balance(store(), 'sales')).toBe(-5000);
    expect(await balance(store(), 'refunds')).toBe(0);
    expect(await proved(store())).toMatchObject({ ok: true });
  });

  it('a sale that is reversed stands against refunds, and again as a sale when that was wrong', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await callBack(store(), order.id, callback('1'));
    const [payment] = (await books(store())).payments;
    await setState(store(), payment?.id as string, 'reversed');
    await setState(store(), payment?.id as string, 'reversed');
    expect(await balance(store(), 'sales')).toBe(-2000);
    expect(await balance(store(), 'refunds')).toBe(2000);
    expect(await balance(store(), 'mpesa')).toBe(0);
    await setState(store(), payment?.id as string, 'settled');
    expect(await balance(store(), 'refunds')).toBe(0);
    expect(await balance(store(), 'mpesa')).toBe(2000);
    expect(await proved(store())).toMatchObject({ ok: true, entries: 3 });
  });

  it('a receipt that tells another amount corrects what the query said', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await answerQuery(store(), order.id, '0');
    await callBack(store(), order.id, callback('1', { amount: 30 }), NOW + 5);
    expect(await balance(store(), 'sales')).toBe(-3000);
    expect((await listLedgerEntries(store(), {})).items[0]).toMatchObject({ kind: 'correction' });
    expect(await proved(store())).toMatchObject({ ok: true });
  });

  it('an entry that does not add up is refused with everything around it', async () => {
    const lines = [
      { account: 'mpesa' as const, amount_cents: 100 },
      { account: 'sales' as const, amount_cents: -99 },
    ];
    await expect(
      store()
        .transaction()
        .execute((tx) => writeEntry(tx, { cause: 'x', kind: 'move', lines }, NOW)),
    ).rejects.toThrow('does not balance');
    expect((await listLedgerEntries(store(), {})).items).toEqual([]);
  });

  it('money moved by hand counts once for its key, is audited, and never goes into sales', async () => {
    const move = { from: 'mpesa' as const, to: 'bank' as const, amount_cents: 500, note: 'Friday', key: 'k' };
    expect(await moveMoney(store(), move, owner, NOW)).toBe(true);
    expect(await moveMoney(store(), move, owner, NOW)).toBe(false);
    expect(await balance(store(), 'bank')).toBe(500);
    for (const to of ['sales', 'till', 'unmatched', 'refunds', 'mpesa'] as const) {
      await expect(moveMoney(store(), { ...move, to, key: to }, owner, NOW)).rejects.toThrow('two accounts');
    }
    const { items } = await listAudit(store(), {});
    expect(items).toMatchObject([
      { action: 'move', entity: 'ledger', entity_name: 'Friday', actor: 'owner' },
    ]);
    expect(JSON.parse(items[0]?.after ?? '')).toMatchObject({ from: 'mpesa', to: 'bank', amount_cents: 500 });
  });

  it('a move by hand is taken back once, by its opposite; what payments booked is not', async () => {
    const move = { from: 'safe' as const, to: 'bank' as const, amount_cents: 700, note: 'bank', key: 'k' };
    await moveMoney(store(), move, owner, NOW);
    const [booked] = (await listLedgerEntries(store(), {})).items;
    const id = booked?.id as string;
    expect(booked).toMatchObject({ taken_back: false });
    await takeMoveBack(store(), id, 'typed twice', owner, NOW + 1);
    await expect(takeMoveBack(store(), id, 'again', owner, NOW + 2)).rejects.toThrow('already');
    expect([await balance(store(), 'safe'), await balance(store(), 'bank')]).toEqual([0, 0]);
    const { items } = await listLedgerEntries(store(), {});
    expect(items).toMatchObject([
      { note: 'Taken back: typed twice', taken_back: false },
      { note: 'bank', taken_back: true },
    ]);
    await expect(takeMoveBack(store(), items[0]?.id as string, 'no', owner, NOW)).rejects.toThrow('by hand');
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await callBack(store(), order.id, callback('1'));
    const [sale] = (await listLedgerEntries(store(), {}, { account: 'sales' })).items;
    await expect(takeMoveBack(store(), sale?.id as string, 'no', owner, NOW)).rejects.toThrow('by hand');
    const actions = (await listAudit(store(), {})).items.map(({ action }) => action);
    expect(actions).toEqual(['take back', 'move']);
    expect(await proved(store())).toMatchObject({ ok: true });
  });

  it('payments from before the ledger are booked in slices, once', async () => {
    const payments = Array.from({ length: 120 }, (_, i) => ({
      id: `p${String(i).padStart(4, '0')}`,
      gateway: 'mpesa' as const,
      receipt: `OLD${i}`,
      amount_cents: 1000,
      state: i % 3 ? ('settled' as const) : ('unmatched' as const),
      received_at: NOW,
      created_at: NOW,
    }));
    await store().insertInto('payments').values(payments).execute();
    expect(await proveLedger(store(), NOW)).toMatchObject({ ok: true, complete: false });
    expect(await bookBacklog(store())).toBe(120);
    expect(await bookBacklog(store())).toBe(0);
    expect(await balance(store(), 'mpesa')).toBe(120_000);
    expect(await proveLedger(store(), NOW)).toMatchObject({ ok: true, complete: true, payments: 120 });
  });

  it('the proof finds a changed line, a lost entry, a changed payment and a payment without an entry', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await callBack(store(), order.id, callback('1'));
    await bookBacklog(store());
    const wrong = async () => (await proveLedger(store(), NOW)).problems.join('\n');
    expect(await wrong()).toBe('');
    await store()
      .updateTable('ledger_lines')
      .set({ amount_cents: 1999 })
      .where('account', '=', 'mpesa')
      .execute();
    expect(await wrong()).toMatch(/is off by -KES 0\.01/);
    await store()
      .updateTable('ledger_lines')
      .set({ amount_cents: 2000 })
      .where('account', '=', 'mpesa')
      .execute();
    await store()
      .updateTable('ledger_days')
      .set({ amount_cents: 1 })
      .where('account', '=', 'sales')
      .execute();
    expect(await wrong()).toMatch(/The ledger does not balance/);
    await store()
      .updateTable('ledger_days')
      .set({ amount_cents: -2000 })
      .where('account', '=', 'sales')
      .execute();
    await store().updateTable('payments').set({ amount_cents: 2100 }).execute();
    expect(await wrong()).toMatch(/stands with KES 20 in M-PESA instead of KES 21/);
    await store().updateTable('payments').set({ amount_cents: 2000 }).execute();
    expect(await wrong()).toBe('');
    await store().deleteFrom('ledger_lines').execute();
    await store().deleteFrom('ledger_entries').execute();
    await store().deleteFrom('ledger_days').execute();
    expect(await wrong()).toMatch(/is not booked/);
  });
});
