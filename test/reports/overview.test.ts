// The overview counts days as Nairobi does, and money as it came.
import { expect, it } from 'vitest';
import { recordAccounting } from '../../src/access/accounting.ts';
import { redeemVoucher } from '../../src/access/vouchers.ts';
import { DAY_MS, startOfDay } from '../../src/lib/days.ts';
import { newId } from '../../src/lib/ids.ts';
import { readOverview, salesToday } from '../../src/reports/overview.ts';
import { voucherSheet } from '../../src/reports/voucher-sheet.ts';
import { HOUR_PLAN, NOW, report, somePlan, someVouchers, vault } from '../access/fixtures.ts';
import { callBack, callback, sentOrder } from '../billing/fixtures.ts';
import { onEveryStore } from '../support/stores.ts';

onEveryStore('the overview', (store) => {
  it('of an empty business is zeros for a week', async () => {
    const overview = await readOverview(store(), NOW);
    expect(overview).toMatchObject({
      today: { sales_cents: 0, payments: 0, vouchers_redeemed: 0 },
      online_now: 0,
      routers: { online: 0, total: 0 },
      unmatched: { count: 0, amount_cents: 0 },
      checking: { count: 0 },
      top_plans: [],
    });
    expect(overview.week.map((day) => day.day)).toEqual([
      '2027-01-09',
      '2027-01-10',
      '2027-01-11',
      '2027-01-12',
      '2027-01-13',
      '2027-01-14',
      '2027-01-15',
    ]);
  });

  it('puts each shilling into its day, and what needs a person beside it', async () => {
    const plan = await somePlan(store());
    const midnight = startOfDay(NOW);
    const pay = (received_at: number, amount_cents: number, state: 'settled' | 'unmatched' | 'reversed') =>
      store()
        .insertInto('payments')
        .values({
          id: newId(received_at),
          gateway: 'mpesa',
          receipt: null,
          checkout_request_id: null,
          order_id: null,
          subscriber_id: null,
          plan_id: plan.id,
          entitlement_id: null,
          msisdn: null,
          amount_cents,
          state,
          note: null,
          received_at,
          created_at: received_at,
        })
        .execute();
    await pay(midnight, 2000, 'settled');
    await pay(midnight - 1, 8000, 'settled');
    await pay(NOW - DAY_MS - 1, 1500, 'settled');
    await pay(NOW - DAY_MS, 700, 'settled');
    await pay(midnight + 5, 1000, 'unmatched');
    await pay(midnight + 6, 5000, 'reversed');
    await pay(midnight - 7 * DAY_MS, 40_000, 'settled');
    const overview = await readOverview(store(), NOW);
    expect(overview.today).toMatchObject({ sales_cents: 3000, payments: 2 });
    expect(overview.yesterday).toMatchObject({ sales_cents: 10_200, payments: 3 });
    expect(overview.yesterday_by_now).toEqual({ sales_cents: 1500, payments: 1 });
    expect(overview.unmatched).toEqual({ count: 1, amount_cents: 1000 });
    expect(overview.top_plans).toEqual([
      { plan_id: plan.id, plan_name: '1 hour', sales_cents: 12_200, payments: 4 },
    ]);
    expect(overview.week.reduce((sum, day) => sum + day.sales_cents, 0)).toBe(13_200);
    expect(await salesToday(store(), NOW)).toBe(3000);
  });

  it('counts redeemed vouchers, who is online, and orders that are being checked', async () => {
    const { codes } = await someVouchers(store(), 2);
    await redeemVoucher(store(), vault, codes[0] as string, null, NOW);
    await redeemVoucher(store(), vault, codes[1] as string, null, NOW - DAY_MS);
    await recordAccounting(
      store(),
      [report(), report({ acct_session_id: 'b' }), report({ acct_session_id: 'c', kind: 'stop' })],
      NOW,
    );
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await callBack(store(), order.id, callback('1', { code: 7777 }));
    const overview = await readOverview(store(), NOW);
    expect([overview.today.vouchers_redeemed, overview.yesterday.vouchers_redeemed]).toEqual([1, 1]);
    expect(overview.online_now).toBe(2);
    expect(overview.checking.count).toBe(1);
  });
});

it('the voucher sheet is a PDF, whatever the names hold', async () => {
  for (const name of ['1 hour', '😀 — Ünïcode 時間', 'x'.repeat(60)]) {
    const codes = Array.from({ length: 25 }, () => 'ABCD2345');
    const pdf = await voucherSheet({
      business_name: name,
      portal_url: 'http://10.5.48.2:8081',
      plan: { ...HOUR_PLAN, name },
      price_cents: 2000,
      codes,
    } as unknown as Parameters<typeof voucherSheet>[0]);
    expect(Buffer.from(pdf.slice(0, 5)).toString()).toBe('%PDF-');
  }
});
