// A phone comes back with another MAC address, and the operator acts on a live session: with the compiled binary.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasBrowser, openBrowser, openPhone, shot } from './support/browser.ts';
import { joinWifi } from './support/guest.ts';
import { openShop, type Shop } from './support/shop.ts';
import { until } from './support/until.ts';

let shop: Shop;
let browser: Browser;
beforeAll(async () => {
  if (!hasBrowser) return;
  shop = await openShop();
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  await shop?.close();
});

interface Voucher {
  id: string;
  code: string;
  subscriber_id: string;
  entitlement_id: string;
}

async function newVoucher(): Promise<Voucher> {
  const batch = await shop.api.post<{ id: string }>('/voucher-batches', { plan_id: shop.plan.id, count: 1 });
  const { items } = await shop.api.get<{ items: Voucher[] }>(`/voucher-batches/${batch.id}/vouchers`);
  return items[0] as Voucher;
}

const online = () => shop.router.simulator.sessions().map((session) => session.phone.mac);

describe.skipIf(!hasBrowser)('a phone without scripts that changes its MAC address', () => {
  test.each([
    [
      'en-GB',
      'Another device is using this plan',
      'Connect',
      'You go on from here',
      'Connect now',
      'You are online',
      '1',
    ],
    [
      'sw-KE',
      'Kifaa kingine kinatumia kifurushi hiki',
      'Unganisha',
      'Unaendelea hapa',
      'Unganisha sasa',
      'Uko mtandaoni',
      '2',
    ],
  ])(
    'goes on by its cookie, and its old session ends (%s)',
    async (locale, hint, connect, going, now, isOnline, n) => {
      const { simulator } = shop.router;
      const { page, context } = await openPhone(browser, { scripts: false, locale });
      const [old, changed] = [`5A:00:00:00:0B:0${n}`, `5A:00:00:00:0C:0${n}`];
      const { code } = await newVoucher();
      const pass = () => page.getByRole('button', { name: 'Continue / Endelea' }).click();
      await joinWifi(page, simulator, old);
      await pass();
      await page.locator('a[href^="/voucher"]').first().click();
      await shot(page, `devices-${locale}-1-code`);
      await page.locator('#code').fill(code);
      await page.locator('form.ask button').click();
      await page.getByRole('button', { name: now }).click();
      // The router leads on to the status page: a browser that is on its way there goes nowhere else.
      await page.waitForURL(/\/status/);
      await page.getByText(isOnline).first().waitFor();
      await simulator.idle();
      expect(online()).toContain(old);

      await joinWifi(page, simulator, changed);
      await pass();
      await page.getByText(hint).waitFor();
      await shot(page, `devices-${locale}-2-home`);
      await page.getByRole('button', { name: connect }).click();
      await page.getByText(going).waitFor();
      await shot(page, `devices-${locale}-3-continue`);
      await page.getByRole('button', { name: now }).click();
      await until(
        'it is online under its new address, and not under the old one',
        () => online().includes(changed) && !online().includes(old),
      );
      await context.close();
    },
  );
});

describe.skipIf(!hasBrowser)('what the operator does', () => {
  test.each<[string, (voucher: Voucher) => Promise<unknown>]>([
    ['a suspension', ({ subscriber_id: id }) => shop.api.patch(`/subscribers/${id}`, { state: 'suspended' })],
    [
      'a revoked entitlement',
      ({ entitlement_id: id }) => shop.api.post(`/entitlements/${id}/revoke`, { reason: 'test' }),
    ],
    ['a cancelled voucher', ({ id }) => shop.api.post(`/vouchers/${id}/cancel`, {})],
  ])('%s ends the live session within two seconds', async (name, act) => {
    const { simulator } = shop.router;
    const made = await newVoucher();
    const mac = `5A:00:00:00:0D:0${name.length % 10}`;
    simulator.addPhone({ mac });
    expect(await simulator.login(mac, made.code, made.code)).toHaveProperty('session');
    await simulator.idle();
    const voucher = await shop.api.get<Voucher>(`/vouchers/${made.id}`);
    const begun = performance.now();
    await act(voucher);
    await until(`${name} has reached the router`, () => !online().includes(mac), 10);
    const ms = Math.round(performance.now() - begun);
    console.log(`${name}: the session was over after ${ms} ms`);
    expect(ms).toBeLessThan(2000);
  });
});
