// The sales report counts as Nairobi does, and each shilling and voucher once.
import { expect, it } from 'vitest';
import { redeemVoucher } from '../../src/access/vouchers.ts';
import type { Db } from '../../src/db/schema.ts';
import { DAY_MS, dayStart } from '../../src/lib/days.ts';
import { newId } from '../../src/lib/ids.ts';
import { readSales, salesCsv } from '../../src/reports/sales.ts';
import { somePlan, someVouchers, vault } from '../access/fixtures.ts';
import { onEveryStore } from '../support/stores.ts';

const NONE = { sales_cents: 0, payments: 0, vouchers_redeemed: 0 };
const start = (day: string) => dayStart(day) as number;

function pay(
  db: Db,
  received_at: number,
  amount_cents: number,
  plan_id: string | null,
  state: 'settled' | 'unmatched' | 'reversed' = 'settled',
) {
  const values = {
    id: newId(received_at),
    plan_id,
    amount_cents,
    state,
    received_at,
    created_at: received_at,
  };
  return db
    .insertInto('payments')
    .values({
      ...values,
      gateway: 'mpesa',
      receipt: null,
      checkout_request_id: null,
      order_id: null,
      subscriber_id: null,
      entitlement_id: null,
      msisdn: null,
      note: null,
    })
    .execute();
}

onEveryStore('the sales report', (store) => {
  it('puts money and vouchers into their days and plans, days without either among them', async () => {
    const hour = await somePlan(store());
    const { plan: week, codes } = await someVouchers(store(), 2, { name: 'Week' });
    const from = start('2026-02-27');
    const to = start('2026-03-03');
    await pay(store(), from, 2000, hour.id);
    await pay(store(), from - 1, 500, hour.id);
    await pay(store(), start('2026-03-01') - 1, 3000, null, 'unmatched');
    await pay(store(), start('2026-03-01'), 4000, hour.id);
    await pay(store(), start('2026-03-01'), 9000, hour.id, 'reversed');
    await pay(store(), to - 1, 8000, week.id);
    await pay(store(), to, 700, week.id);
    for (const code of codes) await redeemVoucher(store(), vault, code, null, start('2026-03-02') + 5);

    const days = await readSales(store(), { from, to, by: 'day' });
    expect(days).toEqual({
      total: { sales_cents: 17_000, payments: 4, vouchers_redeemed: 2 },
      periods: [
        { period: '2026-02-27', ...NONE, sales_cents: 2000, payments: 1 },
        { period: '2026-02-28', ...NONE, sales_cents: 3000, payments: 1 },
        { period: '2026-03-01', ...NONE, sales_cents: 4000, payments: 1 },
        { period: '2026-03-02', sales_cents: 8000, payments: 1, vouchers_redeemed: 2 },
      ],
      plans: [
        { plan_id: week.id, plan_name: 'Week', sales_cents: 8000, payments: 1, vouchers_redeemed: 2 },
        { plan_id: hour.id, plan_name: hour.name, ...NONE, sales_cents: 6000, payments: 2 },
        { plan_id: null, plan_name: null, ...NONE, sales_cents: 3000, payments: 1 },
      ],
    });
    const months = await readSales(store(), { from, to, by: 'month' });
    expect(months).toMatchObject({ total: days.total, plans: days.plans });
    expect(months.periods.map((one) => [one.period, one.sales_cents])).toEqual([
      ['2026-02', 5000],
      ['2026-03', 12_000],
    ]);
    expect(salesCsv(months)).toBe(
      'period,sales_kes,payments,vouchers_redeemed\r\n2026-02,50,2,0\r\n2026-03,120,2,2\r\n',
    );
  });

  it('of a year without sales has all its days', async () => {
    const from = start('2028-01-01');
    const report = await readSales(store(), { from, to: from + 366 * DAY_MS, by: 'day' });
    expect(report).toMatchObject({ total: NONE, plans: [] });
    expect(report.periods.map((one) => one.period)).toEqual(
      expect.arrayContaining(['2028-01-01', '2028-02-29', '2028-12-31']),
    );
    expect(report.periods).toHaveLength(366);
  });
});
