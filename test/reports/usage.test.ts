// Usage reports: the daily rollups, summed by day, plan or router.
import { expect, it } from 'vitest';
import { addDailyUsage } from '../../src/access/usage.ts';
import { DAY_MS, dayOf } from '../../src/lib/days.ts';
import { createRouter } from '../../src/network/routers.ts';
import { readUsage, usageCsv } from '../../src/reports/usage.ts';
import { NOW, somePlan, vault } from '../access/fixtures.ts';
import { onEveryStore } from '../support/stores.ts';

onEveryStore('usage', (store) => {
  async function someUsage() {
    const [hour, day] = [await somePlan(store()), await somePlan(store(), { name: '1 day' })];
    const { router } = await createRouter(
      store(),
      vault,
      {
        ...{ name: 'Kiosk', address: '10.0.0.1', message_authenticator: 'auto', coa_port: 3799 },
        ...{ api_port: 8728, api_tls: 0, api_username: null, hotspot_host: null },
        ...{ hotspot_interface: 'bridge', hotspot_network: '10.5.48.0/22' },
      },
      NOW,
    );
    const use = (ago: number, entitlement: string, plan_id: string, routerId: string, octets: number) =>
      addDailyUsage(
        store(),
        { id: entitlement, plan_id },
        routerId,
        { seconds: 60, upload: octets, download: 10 * octets },
        NOW - ago * DAY_MS,
      );
    await use(0, 'e1', hour.id, router.id, 1);
    await use(0, 'e1', hour.id, router.id, 2);
    await use(0, 'e2', day.id, 'gone', 2 ** 33);
    await use(2, 'e1', hour.id, 'gone', 10);
    await use(3, 'e1', hour.id, router.id, 1000);
    return { hour, day, router, from: dayOf(NOW - 2 * DAY_MS), to: dayOf(NOW) };
  }

  it('by day has every day of them, the first and the last included', async () => {
    const { from, to } = await someUsage();
    const rows = await readUsage(store(), from, to, 'day');
    expect(rows.map((row) => [row.key, row.online_seconds, row.upload_octets, row.download_octets])).toEqual([
      ['2027-01-13', 60, 10, 100],
      ['2027-01-14', 0, 0, 0],
      ['2027-01-15', 180, 3 + 2 ** 33, 30 + 10 * 2 ** 33],
    ]);
  });

  it('by plan and by router has the largest first, also what is no more', async () => {
    const { hour, day, router, from, to } = await someUsage();
    const short = async (by: 'plan' | 'router') =>
      (await readUsage(store(), from, to, by)).map((row) => [row.key, row.name, row.upload_octets]);
    expect(await short('plan')).toEqual([
      [day.id, '1 day', 2 ** 33],
      [hour.id, '1 hour', 13],
    ]);
    expect(await short('router')).toEqual([
      ['gone', null, 2 ** 33 + 10],
      [router.id, 'Kiosk', 3],
    ]);
  });

  it('as CSV has a line each, a name that would run in a spreadsheet made harmless', async () => {
    const { day, from, to } = await someUsage();
    await store().updateTable('plans').set({ name: '=1+1' }).where('id', '=', day.id).execute();
    expect(usageCsv('plan', await readUsage(store(), from, to, 'plan'))).toBe(
      `plan,online_seconds,upload_octets,download_octets\r\n'=1+1,60,${2 ** 33},${10 * 2 ** 33}\r\n1 hour,180,13,130\r\n`,
    );
    const byRouter = usageCsv('router', await readUsage(store(), from, to, 'router'));
    expect(byRouter.split('\r\n')[1]).toMatch(/^gone,/);
  });

  it('of a year is read, of more or of days in the wrong order it is refused', async () => {
    expect(await readUsage(store(), '2026-01-01', '2026-12-31', 'day')).toHaveLength(365);
    await expect(readUsage(store(), '2025-01-01', '2026-12-31', 'day')).rejects.toThrow('a year apart');
    await expect(readUsage(store(), '2026-01-02', '2026-01-01', 'day')).rejects.toThrow('a year apart');
  });
});
