// A cashier's day in a real browser: the till, a voucher with its slip, a home's plan, cash taken out, counted, closed.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Api, type List, setUpOwner } from './support/api.ts';
import { type Device, fill, hasBrowser, openBrowser, openPhone, shot } from './support/browser.ts';
import { type Karibu, startKaribu } from './support/karibu.ts';
import { HOUR } from './support/shop.ts';

const CASHIER = { email: 'asha@example.co.ke', name: 'Asha', role: 'cashier', password: 'twiga na simba' };
/** What a roll of 80 mm prints, in CSS pixels. */
const ROLL_PX = (72 / 25.4) * 96;

let karibu: Karibu;
let browser: Browser;
let phone: Device;
let owner: Api;
let home: { id: string };

beforeAll(async () => {
  if (!hasBrowser) return;
  karibu = await startKaribu();
  owner = await setUpOwner(karibu.admin);
  await owner.put('/settings/business', { portal_url: `http://${karibu.portal}` });
  await owner.post('/accounts', CASHIER);
  await owner.post('/plans', HOUR);
  await owner.post('/plans', { ...HOUR, name: 'Home 5M', kind: 'pppoe', price_cents: 150_000 });
  home = await owner.post('/subscribers', { name: 'Mwangi, gate 4', msisdn: '0712345678' });
  await owner.post('/credentials', { subscriber_id: home.id, username: 'mwangi-gate-4' });
  browser = await openBrowser();
  phone = await openPhone(browser);
  await phone.page.addInitScript(() => {
    window.print = () => document.body.setAttribute('data-printed', 'once');
  });
});

afterAll(async () => {
  await browser?.close();
  await karibu?.remove();
});

const tap = (name: string | RegExp) => phone.page.getByRole('button', { name }).click();
const link = (name: string) => phone.page.getByRole('link', { name }).click();
const reads = (text: string | RegExp) => phone.page.getByText(text).first().waitFor();

test.skipIf(!hasBrowser)('from opening the till to closing it, every shilling is told', async () => {
  const { page } = phone;
  await page.goto(`http://${karibu.admin}/`);
  await fill(page, { email: CASHIER.email, password: CASHIER.password });
  await page.keyboard.press('Enter');

  await reads('Your till is closed');
  await fill(page, { opening: '500' });
  await tap('Open the till');
  await reads('Your till is open.');

  await tap(/^1 hour/);
  await tap(/^Money taken/);
  const code = (await page.locator('.big-code').textContent()) ?? '';
  await link('Print a slip');
  await page.locator('body[data-printed]').waitFor();
  expect(new URL(page.url()).search).toBe('');
  expect(await page.locator('.slip-code').textContent()).toBe(code);
  await shot(page, 'counter-slip');
  await page.emulateMedia({ media: 'print' });
  expect(await page.locator('.tabs').isVisible()).toBe(false);
  expect((await page.locator('.slip').boundingBox())?.width).toBeLessThanOrEqual(Math.ceil(ROLL_PX));
  await page.emulateMedia({ media: null });
  const guest = await fetch(`http://${karibu.portal}/api/redeem`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code, mac: '5A:00:00:00:00:09' }),
  });
  expect(guest.status).toBeLessThan(300);

  await page.goto(`http://${karibu.admin}/sell`);
  await page.getByPlaceholder('Name or phone').fill('mwangi');
  await tap(/^Mwangi, gate 4/);
  await tap(/^Home 5M/);
  await tap(/^Money taken/);
  await reads('It begins with the next sign-in');
  await shot(page, 'counter-home');
  await tap('Done');
  const granted = await owner.get<List<{ plan_name: string }>>(`/subscribers/${home.id}/entitlements`);
  expect(granted.items.map((one) => one.plan_name)).toEqual(['Home 5M']);

  await page.goto(`http://${karibu.admin}/till`);
  await tap('Cash in or out');
  await fill(page, { amount: '250' });
  await page.getByLabel('What for').fill('Water');
  await tap('Write it down');
  await reads('KES 250 written down.');
  const due = 500 + HOUR.price_cents / 100 + 1500 - 250;
  await fill(page, { counted: String(due - 10) });
  await tap('Note the count');
  await reads(/KES 10 missing/);
  await link('History');
  await reads('An expense paid');
  await shot(page, 'counter-till');
  await fill(page, { counted: String(due) });
  await tap('Close the till');
  await tap('Close it');
  await reads('Closed by');

  const books = await owner.get<{ items: { account: string; balance_cents: number }[] }>('/ledger/accounts');
  const standing = Object.fromEntries(books.items.map((one) => [one.account, one.balance_cents / 100]));
  expect(standing).toMatchObject({ till: 0, differences: 0, expenses: 250, safe: due - 500 });
  expect(await owner.post('/ledger/proof')).toMatchObject({ ok: true, problems: [] });
  expect(phone.errors).toEqual([]);
});
