// M-PESA on bad days: callbacks lost, doubled, early, late; prompts cancelled; answers that never arrive.
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Knobs } from '../../src/simulators/mpesa/index.ts';
import { evidenceRead, expectBooksAgree, orderDetail } from './support/books.ts';
import { hasBrowser, openBrowser, openPhone, shot } from './support/browser.ts';
import { buy, joinWifi } from './support/guest.ts';
import { openShop, order, orderIn, readOrder, type Shop } from './support/shop.ts';
import { until } from './support/until.ts';

let shop: Shop;
let browser: Browser | undefined;
let guests = 0;

beforeAll(async () => {
  shop = await openShop();
  if (hasBrowser) browser = await openBrowser();
});

afterAll(async () => {
  await browser?.close();
  await shop?.close();
});

// Whatever happened: the books agree to the shilling.
afterEach(() => expectBooksAgree(shop));

/** Another phone, number and order, whose push goes as the knobs say; it pays by itself unless they say otherwise. */
async function push(knobs: Partial<Omit<Knobs, 'rules'>>) {
  guests += 1;
  const number = `07330000${String(guests).padStart(2, '0')}`;
  const msisdn = `254${number.slice(1)}`;
  const mac = `5A:00:00:00:0B:${String(guests).padStart(2, '0')}`;
  const rules = [
    ...shop.mpesa.knobs().rules,
    { match: { msisdn }, set: { outcome: '0', ...knobs }, times: 1 },
  ];
  shop.mpesa.setKnobs({ rules });
  const started = await order(shop.karibu, shop.plan, number, mac);
  return { ...started, number, msisdn, mac };
}

const promptOf = (msisdn: string) => shop.mpesa.prompts().find((prompt) => prompt.msisdn === msisdn)!;

describe('a callback', () => {
  test('that is lost is made up for by the query, at its pace', async () => {
    const lost = await push({ callback_count: 0 });
    const late = await push({ callback_held: true });
    await orderIn(shop.karibu, lost.id, 'paid', 25);
    await orderIn(shop.karibu, late.id, 'paid', 25);
    const { payments, evidence } = await orderDetail(shop, lost.id);
    expect(payments).toMatchObject([{ receipt: null, receipt_pending: true, state: 'settled' }]);
    expect(evidence).toMatchObject([{ kind: 'stk_query', state: 'used' }]);

    // When it comes after all, it brings the receipt and nothing else.
    shop.mpesa.release(promptOf(late.msisdn).checkout_request_id);
    const detail = await evidenceRead(shop, late.id, 2);
    expect(detail.payments).toMatchObject([
      { receipt: promptOf(late.msisdn).receipt, receipt_pending: false },
    ]);
  });

  test.each<[string, number, boolean]>([
    ['twice', 2, false],
    ['eight times at once', 8, true],
  ])('that comes %s grants once', async (_, callback_count, callback_concurrent) => {
    const { id, msisdn } = await push({ callback_count, callback_concurrent });
    await shop.mpesa.waitForCallbacks(promptOf(msisdn).checkout_request_id, callback_count);
    expect(promptOf(msisdn).callbacks.map(({ http_status }) => http_status)).toEqual(
      Array(callback_count).fill(200),
    );
    const detail = await evidenceRead(shop, id, 1);
    expect(detail.state).toBe('paid');
    expect(detail.evidence.filter(({ state }) => state === 'used')).toHaveLength(1);
    expect(detail.payments).toHaveLength(1);
  });

  test('that overtakes the answer to the push is believed', async () => {
    const { id } = await push({ callback_before_response: true, accept_delay_ms: 300 });
    await orderIn(shop.karibu, id, 'paid');
    const detail = await orderDetail(shop, id);
    expect(detail.payments).toHaveLength(1);
    expect(detail.checkout_request_id).not.toBeNull();
  });

  test.each<[string, Partial<Omit<Knobs, 'rules'>>]>([
    ['with decimal amounts', { callback_types: 'decimal' }],
    ['with everything as text', { callback_types: 'string' }],
    ['in another order, without balance', { callback_shuffle: true, callback_balance: 'absent' }],
    ['with a masked number', { callback_phone: 'masked' }],
    ['without a number', { callback_phone: 'absent' }],
    ['without the shortcode’s header', { callback_shortcode_header: false }],
  ])('%s is read', async (_, knobs) => {
    const { id } = await push(knobs);
    await orderIn(shop.karibu, id, 'paid');
    expect((await orderDetail(shop, id)).payments).toHaveLength(1);
  });

  test('of success after M-PESA said no gives nothing by itself; what M-PESA’s books show is given once', async () => {
    await shop.api.post('/go-live/pull', { msisdn: '0722000000' });
    const { id, msisdn } = await push({ callback_held: true, query_result_code: '1037' });
    await shop.api.post(`/orders/${id}/query`);
    await orderIn(shop.karibu, id, 'failed');
    shop.mpesa.release(promptOf(msisdn).checkout_request_id);
    await orderIn(shop.karibu, id, 'paid');
    expect((await orderDetail(shop, id)).payments).toHaveLength(1);
  });
});

describe('a push', () => {
  test('whose answer is lost is not sent again, and its callback settles it', async () => {
    const before = shop.mpesa.counts().pushes;
    const lost = await push({ drop: 'after_accept', outcome_delay_ms: 1000 });
    expect(['pending', 'checking']).toContain(lost.state);
    const again = await order(shop.karibu, shop.plan, lost.number, lost.mac);
    expect(again.id).toBe(lost.id);
    await orderIn(shop.karibu, lost.id, 'paid');
    expect(shop.mpesa.counts().pushes).toBe(before + 1);
  });

  test('that never arrived leaves the guest informed and nothing granted', async () => {
    const { id, msisdn } = await push({ drop: 'before_accept' });
    const now = await until('the order is no longer pending', async () => {
      const state = await readOrder(shop.karibu, id);
      return state.state === 'pending' ? undefined : state;
    });
    expect(['checking', 'failed']).toContain(now.state);
    expect(now.message).not.toBe('');
    expect(promptOf(msisdn)).toBeUndefined();
  });

  test('that is refused says so at once', async () => {
    const { state, message } = await push({ stk_error: 'busy_phone' });
    expect(state).toBe('failed');
    expect(message).toMatch(/busy with another M-PESA request/);
  });

  test('is one, however often Pay is tapped', async () => {
    const before = shop.mpesa.counts().prompts;
    const mac = '5A:00:00:00:0B:F0';
    const taps = await Promise.all(
      Array.from({ length: 5 }, () => order(shop.karibu, shop.plan, '0733 999 999', mac)),
    );
    expect(new Set(taps.map(({ id }) => id)).size).toBe(1);
    expect(shop.mpesa.counts().prompts).toBe(before + 1);
    shop.mpesa.answer(promptOf('254733999999').checkout_request_id, { action: 'pin', pin: '1234' });
    await orderIn(shop.karibu, taps[0]!.id, 'paid');
  });
});

describe('a guest', () => {
  test.each([
    ['1032', /cancelled/],
    ['2001', /PIN was wrong/],
    ['1', /not enough money/],
    ['1037', /could not reach your phone|ran out of time/],
    ['1019', /ran out of time/],
  ])('reads why a payment failed with %s, and may try again', async (code, words) => {
    const { id, number, mac } = await push({ outcome: code });
    const failed = await orderIn(shop.karibu, id, 'failed');
    expect(failed.message).toMatch(words);
    expect(failed).not.toHaveProperty('password');
    shop.mpesa.setKnobs({ outcome: '0' });
    const again = await order(shop.karibu, shop.plan, number, mac);
    expect(again.id).not.toBe(id);
    await orderIn(shop.karibu, again.id, 'paid');
    shop.mpesa.setKnobs({ outcome: 'person' });
  });

  test.skipIf(!hasBrowser)('sees it on the page, taps “Try again”, and is online', async () => {
    const { mpesa, router, plan } = shop;
    const { page, context } = await openPhone(browser!);
    const mac = '5A:00:00:00:0B:F1';
    await joinWifi(page, router.simulator, mac);
    await buy(page, plan.name, '0734 000 000');
    await page.getByRole('heading', { name: 'Check your phone' }).waitFor();
    const seen = new Set<string>();
    const nextPrompt = async () => {
      const prompt = await mpesa.waitForPrompt(
        (one) => one.msisdn === '254734000000' && !seen.has(one.checkout_request_id),
      );
      seen.add(prompt.checkout_request_id);
      return prompt.checkout_request_id;
    };
    mpesa.answer(await nextPrompt(), { action: 'cancel' });
    await page.getByText('The payment was cancelled.').waitFor();
    await shot(page, 'guest-10-cancelled');
    await page.getByRole('button', { name: /Try again/ }).click();
    await page.getByRole('heading', { name: 'Check your phone' }).waitFor();
    mpesa.answer(await nextPrompt(), { action: 'pin', pin: '0000' });
    await page.getByText('The M-PESA PIN was wrong.').waitFor();
    await shot(page, 'guest-11-wrong-pin');
    await page.getByRole('button', { name: /Try again/ }).click();
    await page.getByRole('heading', { name: 'Check your phone' }).waitFor();
    mpesa.answer(await nextPrompt(), { action: 'pin', pin: '1234' });
    await page.getByText('You are online').first().waitFor();
    expect(router.simulator.sessions().map(({ phone }) => phone.mac)).toContain(mac);
    await context.close();
  });
});
