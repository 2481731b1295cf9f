// The drawer of a till: counted without closing, cash put in and taken out, and what is expected follows.
import { expect, it } from 'vitest';
import { sellForCash } from '../../src/billing/cash.ts';
import { countTill, listTillEvents, moveDrawer, undoDrawerMove } from '../../src/billing/drawer.ts';
import { takeMoveBack } from '../../src/billing/ledger.ts';
import { ledgerBalances, listLedgerEntries } from '../../src/billing/ledger-books.ts';
import { bookBacklog, proveLedger } from '../../src/billing/ledger-proof.ts';
import { closeTill, getTillSession, openTill } from '../../src/billing/till.ts';
import type { Db } from '../../src/db/schema.ts';
import { dayOf } from '../../src/lib/days.ts';
import { listAudit } from '../../src/operators/audit.ts';
import { NOW, somePlan, vault } from '../access/fixtures.ts';
import { onEveryStore } from '../support/stores.ts';

const actor = { account_id: 'cashier1', name: 'asha@example.com', address: null };

async function balances(db: Db) {
  const rows = await ledgerBalances(db, dayOf(NOW));
  return Object.fromEntries(
    rows.filter((row) => row.balance_cents).map((row) => [row.account, row.balance_cents]),
  );
}

const events = async (db: Db, id: string) => (await listTillEvents(db, id, {})).items;
const due = async (db: Db, id: string) => (await getTillSession(db, id)).due_cents;

onEveryStore('the drawer', (store) => {
  it('counts are kept beside what was expected at that moment', async () => {
    const till = await openTill(store(), 'cashier1', 10_000, actor, NOW);
    await countTill(store(), till.id, { counted_cents: 9_500, note: 'fifty?' }, actor, NOW + 1);
    const plan = await somePlan(store());
    await sellForCash(store(), vault, { account_id: 'cashier1', plan_id: plan.id, key: 'k' }, actor, NOW + 2);
    await countTill(store(), till.id, { counted_cents: 12_000 }, actor, NOW + 3);
    expect(await events(store(), till.id)).toMatchObject([
      { kind: 'count', counted_cents: 12_000, expected_cents: 12_000, note: null, at: NOW + 3 },
      { kind: 'count', counted_cents: 9_500, expected_cents: 10_000, note: 'fifty?', actor: actor.name },
    ]);
    expect(await getTillSession(store(), till.id)).toMatchObject({ counted_cents: 12_000, closed_at: null });
    const counts = (await listAudit(store(), {}, { entity: 'till' })).items.filter(
      (one) => one.action === 'count',
    );
    expect(counts).toHaveLength(2);
  });

  it('cash in and out moves the ledger, once for its key, and what is expected follows', async () => {
    const till = await openTill(store(), 'cashier1', 10_000, actor, NOW);
    let at = NOW;
    const move = (purpose: 'float' | 'expense' | 'banked' | 'safe', amount_cents: number, key: string) =>
      moveDrawer(store(), till.id, { purpose, amount_cents, note: `${purpose} it`, key }, actor, at++);
    await move('float', 5_000, 'a');
    await Promise.all([move('expense', 2_000, 'b'), move('expense', 2_000, 'b')]);
    await move('banked', 6_000, 'c');
    await move('safe', 1_000, 'd');
    expect(await due(store(), till.id)).toBe(6_000);
    expect(await balances(store())).toEqual({ till: 6_000, safe: -14_000, expenses: 2_000, bank: 6_000 });
    expect((await events(store(), till.id)).map((one) => [one.kind, one.expected_cents])).toEqual([
      ['out', 6_000],
      ['out', 7_000],
      ['out', 13_000],
      ['in', 15_000],
    ]);
    const { items } = await listAudit(store(), {}, { entity: 'till' });
    expect(items.filter((one) => one.action === 'take out')).toHaveLength(3);
    await closeTill(store(), till.id, { counted_cents: 6_000 }, actor, NOW);
    expect(await balances(store())).toEqual({ safe: -8_000, expenses: 2_000, bank: 6_000 });
    await bookBacklog(store());
    expect(await proveLedger(store(), NOW)).toMatchObject({ ok: true, problems: [] });
  });

  it('no more is taken out than lies in it, and nothing of a till that is closed', async () => {
    const till = await openTill(store(), 'cashier1', 1_000, actor, NOW);
    const move = { purpose: 'banked' as const, amount_cents: 1_001, note: 'bank', key: 'k' };
    await expect(moveDrawer(store(), till.id, move, actor, NOW)).rejects.toThrow('Only KES 10');
    expect(await events(store(), till.id)).toEqual([]);
    await moveDrawer(store(), till.id, { ...move, amount_cents: 1_000 }, actor, NOW);
    const [out] = await events(store(), till.id);
    await closeTill(store(), till.id, { counted_cents: 0 }, actor, NOW);
    await expect(moveDrawer(store(), till.id, { ...move, key: 'l' }, actor, NOW)).rejects.toThrow('closed');
    await expect(countTill(store(), till.id, { counted_cents: 0 }, actor, NOW)).rejects.toThrow('closed');
    const undo = undoDrawerMove(store(), till.id, out?.id as string, 'no', actor, NOW);
    await expect(undo).rejects.toThrow('closed');
    await expect(moveDrawer(store(), 'nowhere', move, actor, NOW)).rejects.toThrow('no such till');
  });

  it('a move is taken back once, by its opposite, on its own till’s page', async () => {
    const till = await openTill(store(), 'cashier1', 1_000, actor, NOW);
    const move = { purpose: 'expense' as const, amount_cents: 400, note: 'water', key: 'k' };
    await moveDrawer(store(), till.id, move, actor, NOW);
    const [booked] = (await listLedgerEntries(store(), {}, { account: 'expenses' })).items;
    await expect(takeMoveBack(store(), booked?.id as string, 'no', actor, NOW)).rejects.toThrow('till');
    const [out] = await events(store(), till.id);
    const undo = () => undoDrawerMove(store(), till.id, out?.id as string, 'wrong key', actor, NOW + 1);
    await undo();
    await expect(undo()).rejects.toThrow('already');
    expect(await due(store(), till.id)).toBe(1_000);
    expect(await balances(store())).toEqual({ till: 1_000, safe: -1_000 });
    expect(await events(store(), till.id)).toMatchObject([
      { kind: 'in', undo_of: out?.id, note: 'wrong key', undone: false, expected_cents: 1_000 },
      { kind: 'out', undone: true },
    ]);
    const [back] = await events(store(), till.id);
    const again = undoDrawerMove(store(), till.id, back?.id as string, 'no', actor, NOW);
    await expect(again).rejects.toThrow('no such move');
  });

  it('a float is not taken back once it was spent', async () => {
    const till = await openTill(store(), 'cashier1', 0, actor, NOW);
    const move = (purpose: 'float' | 'expense', key: string) =>
      moveDrawer(store(), till.id, { purpose, amount_cents: 500, note: 'x', key }, actor, NOW);
    await move('float', 'a');
    await move('expense', 'b');
    const float = (await events(store(), till.id)).find((one) => one.kind === 'in');
    const undo = undoDrawerMove(store(), till.id, float?.id as string, 'no', actor, NOW);
    await expect(undo).rejects.toThrow('Only KES 0');
    expect(await due(store(), till.id)).toBe(0);
  });
});
