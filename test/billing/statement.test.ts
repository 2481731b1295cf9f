// The portal's statement beside the payments: what was lost, what went back, what was never there.
import { expect, it } from 'vitest';
import { keepEvidence } from '../../src/billing/evidence.ts';
import { moneyOfStatement } from '../../src/billing/money.ts';
import { applyStatement, readStatement } from '../../src/billing/statement.ts';
import type { Db } from '../../src/db/schema.ts';
import { writeSetting } from '../../src/db/settings.ts';
import { formatEatTimestamp } from '../../src/protocols/mpesa/index.ts';
import { NOW, somePlan, vault } from '../access/fixtures.ts';
import { onEveryStore } from '../support/stores.ts';
import { books, callBack, callback, MSISDN, sentOrder } from './fixtures.ts';

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

function statement(rows: Row[], shortcode = '600100'): string {
  const lines = rows.map(({ receipt, at = NOW, paid = '', back = '', linked = '', account = '' }) => {
    const t = formatEatTimestamp(at);
    const when = `${t.slice(6, 8)}-${t.slice(4, 6)}-${t.slice(0, 4)} ${t.slice(8, 10)}:${t.slice(10, 12)}:${t.slice(12)}`;
    const reason = back ? 'Transaction Reversal' : 'Pay Utility';
    return [receipt, when, 'Completed', paid, back, reason, `${MSISDN} - Achieng`, linked, account].join(',');
  });
  const head =
    'Receipt No.,Completion Time,Transaction Status,Paid In,Withdrawn,Reason Type,Other Party Info,Linked Transaction ID,A/C No.';
  return [`Short Code:,${shortcode}`, head, ...lines, ''].join('\n');
}

async function imported(db: Db, text: string, now = NOW + HOUR) {
  return applyStatement(db, vault, await readStatement(db, text), now);
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
    const { fresh } = await readStatement(store(), text);
    const about = { kind: 'statement' as const, order_id: null, receipt: 'VAF0000002', source_address: null };
    const body = JSON.stringify(moneyOfStatement(fresh[0] as (typeof fresh)[0]));
    await keepEvidence(store(), { ...about, body }, NOW);
    expect(await imported(store(), text)).toMatchObject({ ...nothing, to_check: [] });
    const { payments, entitlements, evidence } = await sorted(store());
    expect([payments.length, entitlements.length, evidence.length]).toEqual([1, 1, 1]);
  });

  it('reverses a payment whose money went back, whole sums alone, once', async () => {
    const plan = await somePlan(store());
    for (const n of [1, 2]) {
      const change = { msisdn: `25471200000${n}`, mac: `AA:BB:CC:00:00:0${n}` };
      const order = await sentOrder(store(), plan.id, `${n}`, change);
      await callBack(
        store(),
        order.id,
        callback(`${n}`, { receipt: `VAF000000${n}`, phone: change.msisdn }),
        NOW,
      );
    }
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
    const plan = await somePlan(store());
    for (const n of [1, 2]) {
      const change = { msisdn: `25471200000${n}`, mac: `AA:BB:CC:00:00:0${n}` };
      const order = await sentOrder(store(), plan.id, `${n}`, change);
      await callBack(
        store(),
        order.id,
        callback(`${n}`, { receipt: `VAF000000${n}`, phone: change.msisdn }),
        NOW,
      );
    }
    const around = [
      { receipt: 'VAF0000007', paid: '7.00', at: NOW - HOUR },
      { receipt: 'VAF0000008', paid: '8.00', at: NOW + HOUR },
    ];
    const outcome = await imported(store(), statement([...around, { receipt: 'VAF0000002', paid: '25.00' }]));
    expect(outcome.missing.map(({ receipt }) => receipt)).toEqual(['VAF0000001']);
    expect(outcome.missing_count).toBe(1);
    expect(outcome.to_check).toEqual([{ receipt: 'VAF0000002', problem: expect.stringContaining('25') }]);
    const later = around.map((row) => ({ ...row, at: row.at + 3 * HOUR }));
    expect((await readStatement(store(), statement(later))).missing).toEqual([]);
  });

  it('of another shortcode, or none at all, is refused', async () => {
    await writeSetting(store(), 'mpesa', { shortcode: '600100', till_number: '500200' }, NOW);
    const rows = [{ receipt: 'VAF0000001', paid: '20.00' }];
    await expect(readStatement(store(), statement(rows, '600999'))).rejects.toMatchObject({
      code: 'invalid',
    });
    expect((await readStatement(store(), statement(rows, '500200'))).fresh).toHaveLength(1);
    await expect(readStatement(store(), 'hello')).rejects.toMatchObject({ code: 'invalid' });
  });
});
