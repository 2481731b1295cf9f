// What the admin pages owe to whoever uses them by keyboard, makes a mistake, or follows a link to what is gone.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { setUpOwner } from './support/api.ts';
import { type Device, fill, hasBrowser, openBrowser, openDesktop } from './support/browser.ts';
import { type Karibu, startKaribu } from './support/karibu.ts';

let karibu: Karibu;
let browser: Browser;
let desktop: Device;

beforeAll(async () => {
  if (!hasBrowser) return;
  karibu = await startKaribu();
  const owner = await setUpOwner(karibu.admin);
  browser = await openBrowser();
  desktop = await openDesktop(browser);
  const [host] = karibu.admin.split(':');
  const url = `http://${host}`;
  await desktop.context.addCookies([{ name: 'karibu_login', value: owner.token, url }]);
});

afterAll(async () => {
  await browser?.close();
  await karibu?.remove();
});

const open = (path: string) => desktop.page.goto(`http://${karibu.admin}${path}`);
const button = (name: string | RegExp) => desktop.page.getByRole('button', { name });
const reads = (text: string) => desktop.page.getByText(text).first().waitFor();

/** Where the focus is: the name of a field, else the words of what it is on; `outside` when a dialog is open around nothing. */
const focused = () =>
  desktop.page.evaluate(() => {
    const on = document.activeElement as HTMLInputElement;
    const dialog = document.querySelector('dialog[open]');
    // The body stands for the browser's own bar, which comes between the last and the first.
    if (dialog && on !== document.body && !dialog.contains(on)) return 'outside';
    return on.name || on.getAttribute('aria-label') || (on.textContent ?? '').trim();
  });

test.skipIf(!hasBrowser)('a dialog keeps the focus, also at a mistake, and gives it back', async () => {
  const { page } = desktop;
  for (const leave of [() => page.keyboard.press('Escape'), () => button('Close').click()]) {
    await open('/subscribers');
    await button('New subscriber').click();
    await page.getByRole('dialog').waitFor();
    await expect.poll(focused).toBe('name');
    const seen = [];
    for (const key of [...Array(9).fill('Tab'), ...Array(9).fill('Shift+Tab')]) {
      await page.keyboard.press(key);
      seen.push(await focused());
    }
    expect(seen).toEqual(expect.arrayContaining(['name', 'msisdn', 'notes', 'Add subscriber', 'Cancel']));
    expect(seen).not.toContain('outside');

    await fill(page, { name: 'Mwangi', msisdn: '12' });
    await button('Add subscriber').click();
    await reads('This is no Kenyan mobile number.');
    await page.waitForFunction(() => document.activeElement?.getAttribute('aria-invalid') === 'true');
    expect(await focused()).toBe('msisdn');

    await leave();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await expect.poll(focused).toBe('New subscriber');
  }
});

test.skipIf(!hasBrowser)(
  'a mistake among the finer terms opens them, and mending it leaves them open',
  async () => {
    const { page } = desktop;
    const pool = page.locator('[name="address_pool"]');
    await open('/plans/new');
    await fill(page, { name: '1 hour', price_cents: '20', validity_seconds: '1' });
    await page.getByText('Advanced').click();
    await pool.fill('no such name!');
    await page.getByText('Advanced').click();
    await pool.waitFor({ state: 'hidden' });
    await button('Create plan').click();
    await reads('as it is called on the router.');
    await page.waitForFunction(() => document.activeElement?.getAttribute('aria-invalid') === 'true');
    expect(await focused()).toBe('address_pool');
    await pool.pressSequentially('x');
    await page.getByText('as it is called on the router.').waitFor({ state: 'detached' });
    expect(await pool.isVisible()).toBe(true);
    await pool.fill('guests');
    await button('Create plan').click();
    await reads('1 hour is on sale.');
  },
);

test.skipIf(!hasBrowser)('what is not there is not tried again, but left; what failed is', async () => {
  const { page } = desktop;
  const address = '**/api/v1/subscribers/gone';
  await page.route(address, (route) => route.abort());
  await open('/subscribers/gone');
  await reads('Karibu did not answer.');
  await page.unroute(address);
  await button('Retry').click();
  await reads('There is no such subscriber.');
  expect(await button('Retry').count()).toBe(0);
  await page.getByRole('link', { name: 'Back' }).click();
  await reads('Everybody who bought');

  await open('/nowhere');
  await reads('There is no such page here.');
  expect(await button('Retry').count()).toBe(0);
  await page.getByRole('link', { name: 'Go to the start' }).click();
  await page.waitForURL(`http://${karibu.admin}/`);
  expect(desktop.errors).toEqual([]);
});
