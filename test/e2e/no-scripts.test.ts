// The same purchase in a browser without scripts, as captive portals' mini-browsers may be: forms and refreshes only.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasBrowser, openBrowser, openPhone, shot } from './support/browser.ts';
import { buy, joinWifi } from './support/guest.ts';
import { openShop, type Shop } from './support/shop.ts';

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

const ENGLISH = {
  locale: 'en-GB',
  title: 'Choose your internet',
  pending: 'Check your phone',
  connect: 'Connect now',
  online: 'You are online',
  voucher: 'I have a voucher',
  paid: 'Paid already?',
  checking: 'We are checking your payment',
  checkNow: 'Check now',
};
const SWAHILI = {
  locale: 'sw-KE',
  title: 'Chagua kifurushi',
  pending: 'Angalia simu yako',
  connect: 'Unganisha sasa',
  online: 'Uko mtandaoni',
  voucher: 'Nina vocha',
  paid: 'Umelipa?',
  checking: 'Tunahakikisha malipo yako',
  checkNow: 'Angalia sasa',
};

/** The router's own page leads on by a button when it cannot by itself. */
async function passLoginPage(page: Awaited<ReturnType<typeof openPhone>>['page']) {
  await page.getByRole('button', { name: 'Continue / Endelea' }).click();
}

describe.skipIf(!hasBrowser)('without scripts', () => {
  test.each([
    ['in English', ENGLISH, '5A:00:00:00:0A:01', '0722 000 001'],
    ['in Swahili', SWAHILI, '5A:00:00:00:0A:02', '0722 000 002'],
  ])('a guest pays and is online, %s', async (_, words, mac, number) => {
    const { mpesa, router } = shop;
    const { page, context } = await openPhone(browser, { scripts: false, locale: words.locale });
    await joinWifi(page, router.simulator, mac);
    await passLoginPage(page);
    await page.getByRole('heading', { name: words.title }).waitFor();
    await shot(page, `guest-plain-${words.locale}-1-plans`);
    await buy(page, shop.plan.name, number);
    await page.getByRole('heading', { name: words.pending }).waitFor();
    await shot(page, `guest-plain-${words.locale}-2-pending`);
    const msisdn = `254${number.replace(/\D/g, '').slice(1)}`;
    const prompt = await mpesa.waitForPrompt((one) => one.msisdn === msisdn);
    mpesa.answer(prompt.checkout_request_id, { action: 'pin', pin: '1234' });
    // The page refreshes by itself until the money is there; then one tap connects.
    await page.getByRole('button', { name: words.connect }).click();
    await page.getByText(words.online).first().waitFor();
    await shot(page, `guest-plain-${words.locale}-3-online`);
    expect(router.simulator.sessions().map(({ phone }) => phone.mac)).toContain(mac);
    expect(router.events.filter((event) => event.type === 'access_sent' && event.mac === mac)).toMatchObject([
      { method: 'chap' },
    ]);
    await context.close();
  });

  test.each([
    ['in English', ENGLISH, '5A:00:00:00:0A:03'],
    ['in Swahili', SWAHILI, '5A:00:00:00:0A:04'],
  ])('a guest redeems a voucher, %s', async (_, words, mac) => {
    const { api, plan, router } = shop;
    const batch = await api.post<{ id: string }>('/voucher-batches', { plan_id: plan.id, count: 1 });
    const [voucher] = await api.all<{ code: string }>(`/voucher-batches/${batch.id}/vouchers`);
    const { page, context } = await openPhone(browser, { scripts: false, locale: words.locale });
    await joinWifi(page, router.simulator, mac);
    await passLoginPage(page);
    await page.getByText(words.voucher).click();
    await page.locator('#code').fill(voucher!.code);
    await page.locator('form.ask button').click();
    await page.getByRole('button', { name: words.connect }).click();
    await page.getByText(words.online).first().waitFor();
    expect(router.simulator.sessions().map(({ phone }) => phone.mac)).toContain(mac);
    await context.close();
  });

  test.each([
    ['in English', ENGLISH, '5A:00:00:00:0A:06', 'UKL1111AAA'],
    ['in Swahili', SWAHILI, '5A:00:00:00:0A:07', 'UKL1111BBB'],
  ])(
    'a guest who has paid pastes the SMS and is told that it is checked, %s',
    async (_, words, mac, code) => {
      const { page, context } = await openPhone(browser, { scripts: false, locale: words.locale });
      await joinWifi(page, shop.router.simulator, mac);
      await passLoginPage(page);
      await page.getByText(words.paid).click();
      await page.locator('#text').fill('I have paid');
      await page.locator('form.ask button').click();
      await page.getByRole('alert').waitFor();
      await shot(page, `guest-plain-${words.locale}-4-no-code`);
      await page
        .locator('#text')
        .fill(`${code} Confirmed. Ksh20.00 sent to KARIBU WIFI on 21/11/26 at 11:01 AM.`);
      await page.locator('form.ask button').click();
      await page.getByRole('heading', { name: words.checking }).waitFor();
      await shot(page, `guest-plain-${words.locale}-5-claimed`);
      await page.getByRole('button', { name: words.checkNow }).click();
      await page.getByText(code).waitFor();
      expect(shop.router.simulator.sessions().map(({ phone }) => phone.mac)).not.toContain(mac);
      await context.close();
    },
  );

  test('the language can be changed, and stays', async () => {
    const { page, context } = await openPhone(browser, { scripts: false });
    await joinWifi(page, shop.router.simulator, '5A:00:00:00:0A:05');
    await passLoginPage(page);
    await page.getByRole('link', { name: 'Kiswahili' }).click();
    await page.getByRole('heading', { name: SWAHILI.title }).waitFor();
    await page.goto(`http://${shop.karibu.portal}/voucher`);
    await page.getByRole('link', { name: 'English' }).waitFor();
    expect(await page.locator('html').getAttribute('lang')).toBe('sw');
    await context.close();
  });

  test('the portal loads nothing from elsewhere', async () => {
    const { page, context } = await openPhone(browser);
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).host));
    await page.goto(`http://${shop.karibu.portal}/`);
    await page.goto(`http://${shop.karibu.portal}/voucher`);
    expect(new Set(asked)).toEqual(new Set([shop.karibu.portal]));
    await context.close();
  });
});
