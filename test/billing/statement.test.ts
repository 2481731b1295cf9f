// The portal's statement beside the payments: what was lost, what went back, what was never there.
import { expect, it } from 'vitest';
import { keepEvidence } from '../../src/billing/evidence.ts';
import { proveLedger } from '../../src/billing/ledger-proof.ts';
import { moneyOfStatement } from '../../src/billing/money.ts';
import { readStatement } from '../../src/billing/statement.ts';
import { continueImport, getImport, prepareImport, startImport } from '../../src/billing/statement-import.ts';
import type { Db } from '../../src/db/schema.ts';
import { writeSetting } from '../../src/db/settings.ts';
import { formatEatTimestamp } from '../../src/protocols/mpesa/index.ts';
import { NOW, somePlan, vault } from '../access/fixtures.ts';
import { onEveryStore } from '../support/stores.ts';
import { answerQuery, balance, books, callBack, callback, MSISDN, sentOrder } from './fixtures.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

interface Row {
  receipt: string;
  at?: number;
  paid?: string;
  back?: string;
  linked?: string;
  account?: string;
}

function statement(rows: Row[], shortcode = '600100', period?: string): string {
  const lines = rows.map(({ receipt, at = NOW, paid = '', back = '', linked = '', account = '' }) => {
    const t = formatEatTimestamp(at);
    const when = `${t.slice(6, 8)}-${t.slice(4, 6)}-${t.slice(0, 4)} ${t.slice(8, 10)}:${t.slice(10, 12)}:${t.slice(12)}`;
    const reason = back ? 'Transaction Reversal' : 'Pay Utility';
    return [
      receipt,
      when,
      'Completed',
      `"${paid}"`,
      `"${back}"`,
      reason,
      `${MSISDN} - Achieng`,
      linked,
      account,
    ].join(',');
  });
  const head =
    'Receipt No.,Completion Time,Transaction Status,Paid In,Withdrawn,Reason Type,Other Party Info,Linked Transaction ID,A/C No.';
  const preamble = [`Short Code:,${shortcode}`, ...(period ? [`Time Period:,${period}`] : [])];
  return [...preamble, head, ...lines, ''].join('\n');
}

/** An import written down, not worked off. */
async function started(db: Db, text: string, now = NOW + HOUR) {
  return startImport(db, prepareImport(await readStatement(db, text, now)), 'Asha', now);
}

async function imported(db: Db, text: string, now = NOW + HOUR) {
  const { id } = await started(db, text, now);
  return continueImport(db, vault, id, () => now);
}

/** Payments by the callbacks of two orders, `VAF0000001` and `VAF0000002`, of KES 20. */
async function twoPaid(db: Db) {
  const plan = await somePlan(db);
  for (const n of [1, 2]) {
    const change = { msisdn: `25471200000${n}`, mac: `AA:BB:CC:00:00:0${n}` };
    const order = await sentOrder(db, plan.id, `${n}`, change);
    await callBack(db, order.id, callback(`${n}`, { receipt: `VAF000000${n}`, phone: change.msisdn }), NOW);
  }
}

/** The books with the payments by receipt: ids of one instant have no order. */
async function sorted(db: Db) {
  const { payments, ...rest } = await books(db);
  return { ...rest, payments: payments.toSorted((a, b) => ((a.receipt ?? '') < (b.receipt ?? '') ? -1 : 1)) };
}

const nothing = { new: 0, settled: 0, unmatched: 0, reversed: 0, returned: 0 };

onEveryStore('a statement', (store) => {
  it('settles what was lost once, leaves what is known, and changes nothing the second time', async () => {
    const plan = await somePlan(store());
    const known = await sentOrder(store(), plan.id, '1');
    await callBack(store(), known.id, callback('1', { receipt: 'VAF0000001' }), NOW);
    const lost = await sentOrder(store(), plan.id, '2', { msisdn: '254712000002', mac: 'AA:BB:CC:00:00:02' });
    const text = statement([
      { receipt: 'VAF0000001', paid: '20.00' },
      { receipt: 'VAF0000002', paid: '20.00', account: `1hour${lost.short_code}` },
      { receipt: 'VAF0000003', paid: '1,733.00', account: 'nobody' },
    ]);
    const first = await imported(store(), text);
    expect(first).toMatchObject({ ...nothing, rows: 3, matched: 1, new: 2, settled: 1, unmatched: 1 });
    const after = await sorted(store());
    expect(after.payments.map(({ receipt, state }) => [receipt, state])).toEqual([
      ['VAF0000001', 'settled'],
      ['VAF0000002', 'settled'],
      ['VAF0000003', 'unmatched'],
    ]);
    expect(after.payments[1]?.order_id).toBe(lost.id);
    expect(after.entitlements).toHaveLength(2);
    expect(await imported(store(), text, NOW + 2 * HOUR)).toMatchObject({ ...nothing, matched: 3 });
    expect(await sorted(store())).toEqual(after);
  });

  it('resumes where the power went: what was kept and not settled is settled', async () => {
    const plan = await somePlan(store());
    const lost = await sentOrder(store(), plan.id, '1');
    const text = statement([{ receipt: 'VAF0000002', paid: '20.00', account: `1hour${lost.short_code}` }]);
    const { fresh } = await readStatement(store(), text, NOW);
    const about = { kind: 'statement' as const, order_id: null, receipt: 'VAF0000002', source_address: null };
    const body = JSON.stringify(moneyOfStatement(fresh[0] as (typeof fresh)[0]));
    await keepEvidence(store(), { ...about, body }, NOW);
    const first = await imported(store(), text);
    expect(first).toMatchObject({ ...nothing, new: 1, settled: 1, to_check: [] });
    const { payments, entitlements, evidence } = await sorted(store());
    expect([payments.length, entitlements.length, evidence.length]).toEqual([1, 1, 1]);
  });

  it('reverses a payment whose money went back, whole sums alone, once', async () => {
    await twoPaid(store());
    const text = statement([
      { receipt: 'VAF0000001', paid: '20.00' },
      { receipt: 'VAF0000002', paid: '20.00' },
      { receipt: 'VAF0000008', back: '-20.00', linked: 'VAF0000001' },
      { receipt: 'VAF0000009', back: '5.00', linked: 'VAF0000002' },
    ]);
    const outcome = await imported(store(), text);
    expect(outcome).toMatchObject({ ...nothing, matched: 2, reversed: 1 });
    expect(outcome.to_check.map(({ receipt }) => receipt)).toEqual(['VAF0000009']);
    const after = await sorted(store());
    expect(after.payments.map(({ state }) => state)).toEqual(['reversed', 'settled']);
    const [gone, kept] = after.payments.map((payment) =>
      after.entitlements.find(({ id }) => id === payment.entitlement_id),
    );
    expect([gone?.state, kept?.state]).toEqual(['revoked', 'waiting']);
    const ledger = await store()
      .selectFrom('ledger_entries')
      .selectAll()
      .where('payment_id', '=', after.payments[0]?.id as string)
      .execute();
    expect(ledger.map(({ kind }) => kind)).toEqual(['payment', 'reversal']);
    expect(await imported(store(), text, NOW + 2 * HOUR)).toMatchObject({ ...nothing, matched: 2 });
    expect(await sorted(store())).toEqual(after);
  });

  it('gives nothing for money that came and went back before it was known', async () => {
    const plan = await somePlan(store());
    const lost = await sentOrder(store(), plan.id, '1');
    const text = statement([
      { receipt: 'VAF0000001', paid: '20.00', account: `1hour${lost.short_code}` },
      { receipt: 'VAF0000008', back: '20.00', linked: 'VAF0000001' },
    ]);
    expect(await imported(store(), text)).toMatchObject({ ...nothing, returned: 1 });
    const { payments, entitlements, evidence } = await sorted(store());
    expect([payments, entitlements]).toEqual([[], []]);
    expect(evidence.map(({ kind, state }) => [kind, state])).toEqual([['statement', 'quarantined']]);
  });

  it('names the payments of its time that it has not, and sums that differ', async () => {
    await twoPaid(store());
    const around = [
      { receipt: 'VAF0000007', paid: '7.00', at: NOW - HOUR },
      { receipt: 'VAF0000008', paid: '8.00', at: NOW + HOUR },
    ];
    const outcome = await imported(store(), statement([...around, { receipt: 'VAF0000002', paid: '25.00' }]));
    expect(outcome.missing.map(({ receipt }) => receipt)).toEqual(['VAF0000001']);
    expect(outcome.missing_count).toBe(1);
    expect(outcome.to_check).toEqual([{ receipt: 'VAF0000002', problem: expect.stringContaining('25') }]);
    const later = around.map((row) => ({ ...row, at: row.at + 3 * HOUR }));
    expect((await readStatement(store(), statement(later), NOW + 9 * HOUR)).missing).toEqual([]);
  });

  it('goes on where it was cut off, part by part, and counts each line once', async () => {
    const plan = await somePlan(store());
    const lost = await sentOrder(store(), plan.id, '1');
    const rows = Array.from({ length: 230 }, (_, n) => ({
      receipt: `VAF${String(n).padStart(7, '0')}`,
      paid: n === 150 ? '20.00' : '1,733.00',
      account: n === 150 ? `1hour${lost.short_code}` : 'nobody',
      at: NOW + n * 1000,
    }));
    const { id, state, lines, done } = await started(store(), statement(rows));
    expect({ state, lines, done }).toEqual({ state: 'settling', lines: 230, done: 0 });
    const tasks = await store().selectFrom('tasks').selectAll().where('state', '=', 'ready').execute();
    expect(tasks.map(({ kind }) => kind)).toContain('settle_statement');
    let parts = 0;
    const cut = () => {
      if (++parts > 1) throw new Error('the power went');
      return NOW + HOUR;
    };
    await expect(continueImport(store(), vault, id, cut)).rejects.toThrow('the power went');
    expect(await getImport(store(), id)).toMatchObject({ state: 'settling', done: 100, unmatched: 100 });
    // Half of the next part was settled, and not counted.
    const half = await started(store(), statement(rows.slice(140, 160)));
    await continueImport(store(), vault, half.id, () => NOW + HOUR);
    const end = await continueImport(store(), vault, id, () => NOW + 2 * HOUR);
    expect(end).toMatchObject({
      state: 'ready',
      done: 230,
      new: 230,
      settled: 1,
      unmatched: 229,
      to_check: [],
    });
    const { payments, entitlements, evidence } = await sorted(store());
    expect([payments.length, entitlements.length, evidence.length]).toEqual([230, 1, 230]);
    // Nothing was left for another to settle, and working it off again changes nothing.
    const left = await store()
      .selectFrom('tasks')
      .select('kind')
      .where('kind', '=', 'settle_evidence')
      .execute();
    expect(left).toEqual([]);
    expect(await continueImport(store(), vault, id, () => NOW + 3 * HOUR)).toEqual(end);
  });

  it('that two nodes work off at the same moment has each line settled and counted once', async () => {
    const db = store();
    await twoPaid(db);
    const plan = await somePlan(db);
    const lost = [];
    for (const n of [3, 4]) {
      const change = { msisdn: `25471200000${n}`, mac: `AA:BB:CC:00:00:0${n}` };
      lost.push(await sentOrder(db, plan.id, `${n}`, change));
    }
    const rows: Row[] = Array.from({ length: 240 }, (_, n) => ({
      receipt: `VAG${String(n).padStart(7, '0')}`,
      ...{ paid: '1,733.00', account: 'nobody', at: NOW + n * 1000 },
    }));
    for (const [n, order] of lost.entries()) {
      rows[n * 120] = { ...(rows[n * 120] as Row), paid: '20.00', account: `1hour${order.short_code}` };
    }
    // Came and went back before it was known; was known, and went back.
    rows.push({ receipt: 'VAH0000001', back: '1733.00', linked: 'VAG0000007' });
    rows.push({ receipt: 'VAH0000002', back: '20.00', linked: 'VAF0000001' });
    rows.push({ receipt: 'VAF0000002', paid: '20.00' });
    const { id, lines } = await started(db, statement(rows));
    expect(lines).toBe(241);

    const done: number[] = [];
    const node = async () => {
      const end = await continueImport(db, vault, id, () => NOW + HOUR);
      done.push(end.done);
      return end;
    };
    const [one, other] = await Promise.all([node(), node()]);
    expect(one).toMatchObject({
      ...{ state: 'ready', lines: 241, done: 241, new: 239, settled: 2, unmatched: 237 },
      ...{ reversed: 1, returned: 1, to_check: [], missing: [] },
    });
    expect(other).toEqual(one);
    expect(done).toEqual([241, 241]);
    const { payments, entitlements, evidence, activations } = await sorted(db);
    const states = (state: string) => payments.filter((payment) => payment.state === state).length;
    expect([states('settled'), states('unmatched'), states('reversed')]).toEqual([3, 237, 1]);
    expect(new Set(payments.map(({ receipt }) => receipt)).size).toBe(241);
    expect(entitlements.map(({ state }) => state).sort()).toEqual(['revoked', ...Array(3).fill('waiting')]);
    expect(activations).toHaveLength(4);
    // Two callbacks, each line once.
    expect(evidence).toHaveLength(2 + 241);
    expect(await proveLedger(db, NOW)).toMatchObject({ ok: true, problems: [] });
    expect(await balance(db, 'unmatched')).toBe(-237 * 173_300);
    const parts = await db.selectFrom('statement_parts').selectAll().execute();
    expect(parts).toEqual([]);
  });

  it('a line that cannot be settled is told, and holds up no other', async () => {
    const text = statement([
      { receipt: 'VAF0000001', paid: '20.00', account: 'nobody' },
      { receipt: 'VAF0000002', paid: '20.00', account: 'nobody' },
    ]);
    const { id } = await started(store(), text);
    const [part] = await store().selectFrom('statement_parts').selectAll().execute();
    const lines = (part?.lines ?? '').replace('"account_reference":"nobody"', '"account_reference":7');
    await store().updateTable('statement_parts').set({ lines }).execute();
    const outcome = await continueImport(store(), vault, id, () => NOW);
    expect(outcome).toMatchObject({ state: 'ready', done: 2, unmatched: 1 });
    expect(outcome.to_check).toEqual([
      { receipt: 'VAF0000001', problem: expect.stringContaining('Not settled') },
    ]);
  });

  it('names the payments of the time that it says it speaks of', async () => {
    await twoPaid(store());
    const row = [{ receipt: 'VAF0000002', paid: '20.00', at: NOW }];
    const t = (at: number) => {
      const f = formatEatTimestamp(at);
      return `${f.slice(6, 8)}-${f.slice(4, 6)}-${f.slice(0, 4)}`;
    };
    const DAY = 24 * HOUR;
    const days = `From ${t(NOW)} To ${t(NOW)}`;
    const missing = async (text: string, now: number) =>
      (await readStatement(store(), text, now)).missing.map(({ receipt }) => receipt);
    expect(await missing(statement(row), NOW + 2 * DAY)).toEqual([]);
    expect(await missing(statement(row, '600100', days), NOW + 2 * DAY)).toEqual(['VAF0000001']);
    expect(await missing(statement([], '600100', days), NOW + 2 * DAY)).toHaveLength(2);
    // Of a day that is not over it is the last line that says how far the statement goes.
    const later = [...row, { receipt: 'VAF0000009', paid: '5.00', at: NOW - HOUR }];
    expect(await missing(statement(later, '600100', days), NOW + MINUTE)).toEqual([]);
    const other = `${t(NOW - 3 * DAY)} - ${t(NOW - 2 * DAY)}`;
    expect(await missing(statement([], '600100', other), NOW + 2 * DAY)).toEqual([]);
  });

  it('a payment whose receipt the statement brings is not missing on it', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await answerQuery(store(), order.id, '0', NOW);
    const rows = [
      { receipt: 'VAF0000001', paid: '20.00', account: `1hour${order.short_code}` },
      { receipt: 'VAF0000008', paid: '1,733.00', account: 'nobody', at: NOW - HOUR },
      { receipt: 'VAF0000009', paid: '1,733.00', account: 'nobody', at: NOW + HOUR },
    ];
    const { id, missing_count } = await started(store(), statement(rows), NOW + 2 * HOUR);
    expect(missing_count).toBe(1);
    const end = await continueImport(store(), vault, id, () => NOW + 2 * HOUR);
    expect(end).toMatchObject({ settled: 1, missing_count: 0, missing: [] });
  });

  it('of another shortcode, or none at all, is refused', async () => {
    await writeSetting(store(), 'mpesa', { shortcode: '600100', till_number: '500200' }, NOW);
    const rows = [{ receipt: 'VAF0000001', paid: '20.00' }];
    await expect(readStatement(store(), statement(rows, '600999'), NOW)).rejects.toMatchObject({
      code: 'invalid',
    });
    expect((await readStatement(store(), statement(rows, '500200'), NOW)).fresh).toHaveLength(1);
    await expect(readStatement(store(), 'hello', NOW)).rejects.toMatchObject({ code: 'invalid' });
  });
});
