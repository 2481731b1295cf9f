// The main job from nothing, in a real browser: the operator sets Karibu up, guests pay or redeem and are online.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMpesaSimulator, type MpesaSimulator } from '../../src/simulators/mpesa/index.ts';
import type { Session } from '../../src/simulators/router/simulator.ts';
import { type Api, type List, OWNER, send, signIn } from './support/api.ts';
import {
  type Device,
  fill,
  hasBrowser,
  openBrowser,
  openDesktop,
  openPhone,
  shot,
} from './support/browser.ts';
import { buy, enterPin, joinWifi } from './support/guest.ts';
import { type Karibu, startKaribu } from './support/karibu.ts';
import { hasRadclient, radclient } from './support/radclient.ts';
import {
  API_USER,
  HOUR,
  mpesaKeys,
  order,
  orderIn,
  type Plan,
  SECRET,
  startRouter,
  type TestRouter,
} from './support/shop.ts';
import { until } from './support/until.ts';

const AMINA = { mac: '5A:00:00:00:00:01', msisdn: '254712345678' };
const BRIAN = { mac: '5A:00:00:00:00:02' };
const CHEBET = { mac: '5A:00:00:00:00:03' };
const DAUDI = { mac: '5A:00:00:00:00:04' };

interface SessionRow {
  id: string;
  username: string;
  mac: string;
  state: 'open' | 'closed';
  upload_octets: number;
  download_octets: number;
  disconnect_state: string | null;
  disconnect_detail: string | null;
}

let karibu: Karibu;
let mpesa: MpesaSimulator;
let router: TestRouter;
let browser: Browser;
let desktop: Device;
let api: Api;
let folder: string;

beforeAll(async () => {
  if (!hasBrowser) return;
  folder = mkdtempSync(path.join(tmpdir(), 'karibu-sheet-'));
  karibu = await startKaribu();
  mpesa = createMpesaSimulator({ knobs: { callback_delay_ms: 200 } });
  await mpesa.start();
  router = await startRouter(karibu);
  browser = await openBrowser();
  desktop = await openDesktop(browser);
});

afterAll(async () => {
  await browser?.close();
  await router?.stop();
  await mpesa?.stop();
  await karibu?.remove();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const atAdmin = (address: string) => `http://${karibu.admin}${address}`;
const routerPort = () => String(router.simulator.addresses.api.port);

/** What the router holds about a phone's session: what the Access-Accept gave it. */
async function routerSession(mac: string): Promise<Session> {
  return until(`${mac} is online at the router`, () =>
    router.simulator.sessions().find((session) => session.phone.mac === mac),
  );
}

const access = (username: string, password: string, mac: string) =>
  radclient('auth', karibu.radius_auth, SECRET, {
    'User-Name': username,
    'User-Password': password,
    'Calling-Station-Id': mac,
    'NAS-Identifier': 'radclient',
  });

describe.skipIf(!hasBrowser)('the operator', () => {
  test('makes the owner’s account on the first-run page, and signs in', async () => {
    const { page, context } = desktop;
    await page.goto(atAdmin('/'));
    await page.getByRole('heading', { name: 'Karibu!' }).waitFor();
    await shot(page, 'admin-01-first-run');
    const { email, name, password, business_name } = OWNER;
    await fill(page, { business_name, name, email, password: 'kort' });
    await page.getByRole('button', { name: 'Create the owner’s account' }).click();
    await page.locator('.field.has-error').waitFor();
    await fill(page, { password });
    await page.getByRole('button', { name: 'Create the owner’s account' }).click();
    await page.getByRole('heading', { name: 'Karibu!' }).waitFor({ state: 'detached' });

    await context.clearCookies();
    await page.goto(atAdmin('/'));
    await fill(page, { email, password: 'not this one' });
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').waitFor();
    await fill(page, { password });
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText(business_name).first().waitFor();
    await shot(page, 'admin-02-overview-empty');
    const cookies = await context.cookies();
    expect(cookies.find((cookie) => cookie.name === 'karibu_login')).toMatchObject({
      httpOnly: true,
      sameSite: 'Strict',
    });
    api = await signIn(karibu.admin);
  });

  test('adds the router, and the Test button says which step failed', async () => {
    const { page } = desktop;
    await page.goto(atAdmin('/routers/new'));
    await fill(page, {
      name: 'Kiosk',
      address: '127.0.0.1',
      radius_secret: SECRET,
      api_username: API_USER.username,
      api_password: 'not this one',
      api_port: routerPort(),
    });
    const button = page.getByRole('button', { name: 'Test the connection' });
    await button.click();
    const failed = page.locator('.steps li.bad');
    await failed.waitFor();
    expect(await failed.textContent()).toMatch(/login[\s\S]*password/i);
    await shot(page, 'admin-03-router-test-fails');

    await fill(page, { api_port: '1' });
    await button.click();
    await until('the test says that nothing answers', async () =>
      /connect/i.test((await failed.allInnerTexts()).join()),
    );
    await fill(page, { api_port: routerPort(), api_password: API_USER.password });
    await button.click();
    await page.getByText('Everything works.').waitFor();
    expect(await page.locator('.steps li.good b').allInnerTexts()).toEqual(
      expect.arrayContaining(['connect', 'login', 'identity', 'radius', 'disconnect']),
    );
    await shot(page, 'admin-04-router-test-works');

    await page.locator('details.advanced summary').click();
    await fill(page, { coa_port: String(router.simulator.addresses.coa.port) });
    await page.getByRole('button', { name: 'Add the router' }).click();
    await page.getByRole('heading', { name: 'Kiosk' }).waitFor();
    await page.getByRole('button', { name: 'Show the lines' }).click();
    await page.locator('.script pre').first().waitFor();
    expect(
      await page
        .locator('.script pre')
        .allInnerTexts()
        .then((texts) => texts.join()),
    ).toContain(SECRET);
    await page.getByRole('button', { name: 'Test the connection' }).click();
    await page.getByText('Everything works.').waitFor();
    const { items } = await api.get<List<{ state: string; identity: string }>>('/routers');
    expect(items).toMatchObject([{ name: 'Kiosk', state: 'online', identity: 'karibu-demo' }]);
    await page.goto(atAdmin('/routers'));
    await page.locator('a.row-link', { hasText: 'Kiosk' }).waitFor();
    await shot(page, 'admin-05-routers');
  });

  test('puts the plan on sale', async () => {
    const { page } = desktop;
    await page.goto(atAdmin('/plans/new'));
    await page.getByRole('button', { name: 'Create plan' }).click();
    await page.locator('.field.has-error').first().waitFor();
    await fill(page, {
      name: HOUR.name,
      price_cents: '20',
      validity_seconds: '1',
      rate_down_kbps: '5',
      rate_up_kbps: '2',
      max_devices: '1',
    });
    await shot(page, 'admin-06-plan');
    await page.getByRole('button', { name: 'Create plan' }).click();
    await page.locator('a.row-link', { hasText: HOUR.name }).waitFor();
    const { items } = await api.get<List<Plan>>('/plans');
    expect(items).toMatchObject([{ ...HOUR, state: 'on_sale', quota_octets: null, online_seconds: null }]);
  });

  test('writes the M-PESA keys, and the Test button says which step failed', async () => {
    const { page } = desktop;
    await page.goto(atAdmin('/settings/mpesa'));
    const keys = mpesaKeys(mpesa);
    await fill(page, { environment: keys.environment });
    await fill(page, { ...keys, passkey: 'not this one' });
    const button = page.getByRole('button', { name: 'Test these keys' });
    await button.click();
    const failed = page.locator('.steps li.bad');
    await failed.waitFor();
    expect(await failed.textContent()).toMatch(/shortcode[\s\S]*passkey/i);
    await shot(page, 'admin-07-mpesa-test-fails');
    await fill(page, { passkey: keys.passkey });
    await button.click();
    await page.getByText('Everything works.').waitFor();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('configured', { exact: true }).waitFor();
    await shot(page, 'admin-08-mpesa-works');
    // Nothing secret comes back to the browser.
    expect(JSON.stringify(await api.get('/settings'))).not.toContain(keys.passkey);
  });
});

describe.skipIf(!hasBrowser)('a guest who pays', () => {
  let phone: Device;
  let username = '';
  let password = '';

  beforeAll(async () => {
    phone = await openPhone(browser);
    // Without an API user the portal page is the only way in, so that it is what this shows.
    const [stored] = (await api.get<List<{ id: string }>>('/routers')).items;
    await api.patch(`/routers/${stored!.id}`, { api_username: null });
  });

  test('is led to the portal, pays, and is online without doing anything more', async () => {
    const { page } = phone;
    await joinWifi(page, router.simulator, AMINA.mac);
    await page.locator('a.ticket', { hasText: HOUR.name }).waitFor();
    expect(page.url()).toContain(karibu.portal);
    await shot(page, 'guest-01-plans');

    await page.locator('a.ticket', { hasText: HOUR.name }).click();
    await page.locator('#msisdn').fill('0812 345 678');
    await page.locator('form.ask button').click();
    await page.getByText('This is not a Kenyan mobile number.').waitFor();
    await shot(page, 'guest-02-wrong-number');
    await page.locator('#msisdn').fill('0712 345 678');
    await page.locator('form.ask button').click();
    await page.getByRole('heading', { name: 'Check your phone' }).waitFor();
    await shot(page, 'guest-03-check-your-phone');

    const handset = await phone.context.newPage();
    await enterPin(handset, mpesa, AMINA.msisdn, '1234');
    expect(await handset.locator('#ask').textContent()).toContain('20');
    await shot(handset, 'guest-04-pin-prompt');
    await handset.locator('#send').click();

    await page.getByText('You are online').first().waitFor();
    await shot(page, 'guest-05-online');
    expect(page.url()).toContain(`${karibu.portal}/status`);
    const left = await page.locator('h1.figure').textContent();
    expect(left).toMatch(/^(59:\d\d|1:00:00)$/);
    await handset
      .getByText(/Confirmed/)
      .first()
      .waitFor();
    await handset.close();
    expect(phone.errors).toEqual([]);
  });

  test('got one payment, one entitlement, and the Access-Accept of the plan', async () => {
    const payments = await api.all<Record<string, unknown>>('/payments');
    const [entry] = mpesa.ledger();
    expect(payments).toMatchObject([
      { amount_cents: 2000, state: 'settled', receipt: entry!.receipt, msisdn: AMINA.msisdn },
    ]);
    expect(await api.all('/entitlements')).toMatchObject([
      { source: 'order', state: 'active', plan_name: HOUR.name, max_devices: 1 },
    ]);
    const session = await routerSession(AMINA.mac);
    expect(session.rateLimit).toBe('2M/5M');
    expect(session.endsAt! - session.startedAt).toBeGreaterThan(3_590_000);
    expect(session.endsAt! - session.startedAt).toBeLessThanOrEqual(3_600_000);
    expect(session.interimSeconds).toBeGreaterThanOrEqual(60);
    expect(session.class).toHaveLength(1);
    // The portal page logged the phone in through the login page, by CHAP.
    expect(router.events.filter(({ type }) => type === 'access_sent')).toMatchObject([
      { mac: AMINA.mac, method: 'chap' },
    ]);
  });

  test('is seen live by the operator, without a reload', async () => {
    const { page } = desktop;
    await page.goto(atAdmin('/sessions'));
    const row = page.locator('table tbody tr', { hasText: AMINA.mac });
    await row.waitFor();
    await page.locator('#page .pulse').waitFor();
    await page.evaluate(() => {
      document.body.dataset.loaded = 'once';
    });
    router.simulator.addTraffic(AMINA.mac, 3_000_000, 25_000_000);
    router.advance(61_000);
    await row.getByText('↓ 25 MB').waitFor();
    await row.getByText('↑ 3 MB').waitFor();
    expect(await page.evaluate(() => document.body.dataset.loaded)).toBe('once');
    await shot(page, 'admin-09-sessions-live');
    const { items } = await api.get<List<SessionRow>>('/sessions?state=open');
    expect(items).toMatchObject([
      { mac: AMINA.mac, state: 'open', upload_octets: 3_000_000, download_octets: 25_000_000 },
    ]);
    await page.goto(atAdmin('/'));
    await page.getByText('KES 20').first().waitFor();
    await shot(page, 'admin-10-overview');
  });

  test('cannot lend the credential to a second phone', async () => {
    const paid = (await api.all<{ id: string }>('/orders')).at(0)!;
    const told = await orderIn(karibu, paid.id, 'paid');
    username = told.username!;
    password = told.password!;
    const second = await openPhone(browser);
    const { url } = router.simulator.addPhone({ mac: BRIAN.mac });
    const login = new URL('/login', url);
    login.search = new URLSearchParams({ phone: BRIAN.mac, username, password }).toString();
    await second.page.goto(login.href);
    await second.page.getByText('Your plan is already in use on another device.').waitFor();
    await shot(second.page, 'guest-06-too-many-devices');
    expect(router.simulator.sessions().map(({ phone: { mac } }) => mac)).toEqual([AMINA.mac]);
    await second.context.close();
  });

  test.skipIf(!hasRadclient)('is told what is wrong with a name or a password', async () => {
    const wrong = await access(username, 'not this one', AMINA.mac);
    expect(wrong.code).toBe('Access-Reject');
    expect(wrong.output).toMatch(/Reply-Message = "Wrong password/);
    const unknown = await access('nobody', 'x', AMINA.mac);
    expect(unknown.code).toBe('Access-Reject');
    expect(unknown.output).toMatch(/Reply-Message = "Unknown/);
    const other = await access(username, password, BRIAN.mac);
    expect(other.output).toMatch(/Access-Reject[\s\S]*Reply-Message = "Too many devices/);
    const right = await access(username, password, AMINA.mac);
    expect(right.code).toBe('Access-Accept');
    expect(right.output).toMatch(/Session-Timeout = 3[0-9]{3}\b/);
    expect(right.output).toContain('Mikrotik-Rate-Limit = "2M/5M"');
    expect(right.output).toMatch(/Acct-Interim-Interval = \d+/);
    expect(right.output).toMatch(/Class = 0x/);
    expect(right.output).toContain('Message-Authenticator');
    await desktop.page.goto(atAdmin('/sign-ins'));
    await desktop.page.getByText('nobody').first().waitFor();
    await shot(desktop.page, 'admin-11-sign-ins');
  });

  test('logs out on the status page, and comes back with one tap', async () => {
    const { page } = phone;
    await page.goto(`http://${karibu.portal}/status`);
    await page.getByText('You are online').first().waitFor();
    router.simulator.logout(AMINA.mac);
    await router.simulator.idle();
    await page.goto(router.simulator.addPhone({ mac: AMINA.mac }).url);
    await page.getByRole('button', { name: 'Connect' }).click();
    await page.getByText('You are online').first().waitFor();
    expect(await api.all('/payments')).toHaveLength(1);
  });

  test('is ended at the end even though the router does nothing, and reads why', async () => {
    const brief = await api.post<Plan>('/plans', {
      ...HOUR,
      name: 'A moment',
      price_cents: 500,
      validity_seconds: 3,
    });
    mpesa.setKnobs({ rules: [{ match: { amount_shillings: 5 }, set: { outcome: '0' } }] });
    const started = await order(karibu, brief, '0712 000 111', BRIAN.mac);
    const paid = await orderIn(karibu, started.id, 'paid');
    router.simulator.addPhone({ mac: BRIAN.mac });
    const outcome = await router.simulator.login(BRIAN.mac, paid.username!, paid.password!);
    expect(outcome).toHaveProperty('session');
    const onlineAt = Date.now();
    await until('the Disconnect-Request is here', () =>
      router.events.some(({ type }) => type === 'disconnect_received'),
    );
    expect(router.events.filter(({ type }) => type === 'disconnect_received')).toMatchObject([
      { outcome: 'ack' },
    ]);
    expect(Date.now() - onlineAt).toBeLessThan(8000);
    const session = await until('the session is closed with the router’s answer', async () => {
      const { items } = await api.get<List<SessionRow>>(`/sessions?q=${encodeURIComponent(BRIAN.mac)}`);
      return items.find((item) => item.state === 'closed' && item.disconnect_state !== 'requested');
    });
    expect(session).toMatchObject({ disconnect_state: 'ack' });
    expect(session.disconnect_detail).toMatch(/agreed/);
    expect(await router.simulator.login(BRIAN.mac, paid.username!, paid.password!)).toMatchObject({
      error: expect.stringContaining('expired'),
    });
    if (hasRadclient) {
      const late = await access(paid.username!, paid.password!, BRIAN.mac);
      expect(late.output).toMatch(/Access-Reject[\s\S]*Reply-Message = ".*expired/);
    }
    await desktop.page.goto(atAdmin(`/sessions/${session.id}`));
    await desktop.page.getByText(/the router disconnected it/i).waitFor();
    await shot(desktop.page, 'admin-12-session-ended');
    await api.patch(`/plans/${brief.id}`, { state: 'hidden' });
  });
});

describe.skipIf(!hasBrowser)('a voucher', () => {
  let codes: string[] = [];

  test('is made in a batch by the operator', async () => {
    const { page } = desktop;
    await api.put('/settings/business', { portal_url: `http://${karibu.portal}` });
    await page.goto(atAdmin('/vouchers'));
    await page.getByRole('button', { name: 'New batch' }).click();
    await fill(page, { count: '12', name: 'Kiosk, November' });
    await shot(page, 'admin-13-new-batch');
    await page.getByRole('button', { name: 'Make the batch' }).click();
    await page.locator('code.code').first().waitFor();
    await until('all codes are shown', async () => (await page.locator('code.code').count()) === 12);
    codes = (await page.locator('code.code').allInnerTexts()).map((code) => code.replace('-', ''));
    expect(new Set(codes).size).toBe(12);
    await shot(page, 'admin-14-batch');
  });

  test('is printed on a sheet whose codes can be read and scanned', async () => {
    const { page, context } = desktop;
    const href = await page.getByRole('link', { name: 'Print sheet' }).getAttribute('href');
    const answer = await context.request.get(atAdmin(href!));
    expect(answer.headers()['content-type']).toContain('application/pdf');
    const pdf = path.join(folder, 'sheet.pdf');
    writeFileSync(pdf, await answer.body());
    expect(readFileSync(pdf).subarray(0, 5).toString()).toBe('%PDF-');
    if (existsSync('/usr/bin/pdftotext') && existsSync('/usr/bin/pdftoppm')) {
      const text = execFileSync('/usr/bin/pdftotext', ['-layout', pdf, '-'], { encoding: 'utf8' });
      for (const code of codes) expect(text).toContain(`${code.slice(0, 4)}-${code.slice(4)}`);
      expect(text).toContain('KES 20');
      if (existsSync('/usr/bin/zbarimg')) {
        // zbarimg misses one code in a hundred on a full page: it looks from three distances, as a phone would.
        const seen = new Set<string>();
        for (const dpi of ['150', '200', '300']) {
          execFileSync('/usr/bin/pdftoppm', ['-r', dpi, '-png', pdf, path.join(folder, `page${dpi}`)]);
          const picture = path.join(folder, `page${dpi}-1.png`);
          const read = execFileSync('/usr/bin/zbarimg', ['-q', '--raw', picture], { encoding: 'utf8' });
          for (const line of read.trim().split('\n')) seen.add(line);
        }
        const scanned = [...seen].sort();
        expect(scanned).toEqual(codes.map((code) => `http://${karibu.portal}/voucher?code=${code}`).sort());
      } else console.log('skipped: the QR codes, because zbarimg is not installed (zbar-tools)');
    } else console.log('skipped: the sheet’s text, because pdftotext is not installed (poppler-utils)');
  });

  test('is redeemed on the portal as it was typed, and brings the phone online', async () => {
    const phone = await openPhone(browser);
    const { page } = phone;
    await joinWifi(page, router.simulator, CHEBET.mac);
    await page.getByText('I have a voucher').click();
    await page.locator('#code').fill('AAAA-2222');
    await page.locator('form.ask button').click();
    await page.getByText('We do not know this code.').waitFor();
    await shot(page, 'guest-07-unknown-code');
    const typed = `${codes[0]!.slice(0, 4)}-${codes[0]!.slice(4)}`.toLowerCase();
    await page.locator('#code').fill(typed);
    await page.locator('form.ask button').click();
    await page.getByText('You are online').first().waitFor();
    await shot(page, 'guest-08-voucher-online');
    expect(router.events.filter(({ type }) => type === 'access_sent').at(-1)).toMatchObject({
      mac: CHEBET.mac,
      method: 'chap',
      user: codes[0],
    });
    expect((await routerSession(CHEBET.mac)).rateLimit).toBe('2M/5M');
    await phone.context.close();
  });

  test('is never redeemed twice, neither in turn nor at once', async () => {
    const redeem = (code: string, mac: string) =>
      send('POST', `http://${karibu.portal}/api/redeem`, { body: { code, mac } });
    const again = await redeem(codes[0]!, DAUDI.mac);
    expect(again).toMatchObject({
      status: 409,
      body: { code: 'conflict', detail: 'This code is used already.' },
    });

    const at_once = await Promise.all(
      Array.from({ length: 8 }, (_, i) => redeem(codes[1]!, `5A:00:00:00:01:0${i}`)),
    );
    expect(at_once.map(({ status }) => status).sort()).toEqual([200, ...Array<number>(7).fill(409)]);
    const granted = await api.all<{ source: string }>('/entitlements');
    expect(granted.filter(({ source }) => source === 'voucher')).toHaveLength(2);
  });

  test('works as a user name on the router’s own login page', async () => {
    router.simulator.addPhone({ mac: DAUDI.mac });
    const outcome = await router.simulator.login(DAUDI.mac, codes[2]!, '');
    expect(outcome).toHaveProperty('session');
    await router.simulator.idle();
    const { items } = await api.get<List<SessionRow>>(`/sessions?state=open&q=${codes[2]}`);
    expect(items).toMatchObject([{ mac: DAUDI.mac, username: codes[2] }]);
  });

  test.skipIf(!hasRadclient)('works in small letters with an empty password, or its own code', async () => {
    const small = codes[3]!.toLowerCase();
    const first = await access(small, '', '5A:00:00:00:02:01');
    expect(first.output).toContain('Received Access-Accept');
    expect(first.output).toContain('Mikrotik-Rate-Limit = "2M/5M"');
    expect((await access(codes[4]!, codes[4]!, '5A:00:00:00:02:02')).code).toBe('Access-Accept');
    expect((await access(codes[5]!, 'not this one', '5A:00:00:00:02:03')).code).toBe('Access-Reject');
    const [batch] = await api.all<{ unused: number; redeemed: number }>('/voucher-batches');
    expect(batch).toMatchObject({ redeemed: 5, unused: 7 });
  });

  test('that was cancelled lets nobody in', async () => {
    const [batch] = await api.all<{ id: string }>('/voucher-batches');
    const vouchers = await api.all<{ id: string; code: string }>(`/voucher-batches/${batch!.id}/vouchers`);
    const cancelled = vouchers.find(({ code }) => code === codes[6])!;
    await api.post(`/vouchers/${cancelled.id}/cancel`);
    router.simulator.addPhone({ mac: '5A:00:00:00:02:04' });
    expect(await router.simulator.login('5A:00:00:00:02:04', codes[6]!, '')).toHaveProperty('error');
    const answer = await send('POST', `http://${karibu.portal}/api/redeem`, { body: { code: codes[6] } });
    expect(answer.status).toBe(409);
  });
});

describe.skipIf(!hasBrowser)('the session of a guest', () => {
  test('is ended by the operator’s Disconnect button', async () => {
    const { page } = desktop;
    const { items } = await api.get<List<SessionRow>>('/sessions?state=open');
    const mine = items.find(({ mac }) => mac === CHEBET.mac)!;
    await page.goto(atAdmin(`/sessions/${mine.id}`));
    await page.getByRole('button', { name: 'Disconnect…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Disconnect', exact: true }).click();
    await page.getByText(/the router disconnected it/i).waitFor();
    await shot(page, 'admin-15-disconnected');
    expect(router.simulator.sessions().some(({ phone: { mac } }) => mac === CHEBET.mac)).toBe(false);
    expect(desktop.errors).toEqual([]);
  });

  test('of a paying guest begins through the router’s API where there is one', async () => {
    const [stored] = (await api.get<List<{ id: string }>>('/routers')).items;
    await api.patch(`/routers/${stored!.id}`, {
      api_username: API_USER.username,
      api_password: API_USER.password,
      api_port: router.simulator.addresses.api.port,
    });
    const phone = await openPhone(browser);
    const mac = '5A:00:00:00:03:01';
    await joinWifi(phone.page, router.simulator, mac);
    await buy(phone.page, HOUR.name, '0112 345 678');
    await phone.page.getByRole('heading', { name: 'Check your phone' }).waitFor();
    const prompt = await mpesa.waitForPrompt(({ msisdn }) => msisdn === '254112345678');
    mpesa.answer(prompt.checkout_request_id, { action: 'pin', pin: '1234' });
    await routerSession(mac);
    await phone.page.getByText('You are online').first().waitFor();
    expect(
      router.events.filter((event) => event.type === 'session_started' && event.mac === mac),
    ).toHaveLength(1);
    await phone.context.close();
  });
});
