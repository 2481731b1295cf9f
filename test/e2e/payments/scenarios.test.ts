// What goes wrong with payments, played one by one against the compiled binary: no shilling is lost or used twice.
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { openStore } from '../../../src/db/open.ts';
import { readSetting, writeSetting } from '../../../src/db/settings.ts';
import type { Knobs, MpesaSimulator } from '../../../src/simulators/mpesa/index.ts';
import { buildFaultyDisk, onFaultyDisk } from '../../shims/build.ts';
import { type Api, setUpOwner } from '../support/api.ts';
import { evidenceRead, orderDetail } from '../support/books.ts';
import { type Karibu, startKaribu } from '../support/karibu.ts';
import { hasPostgres, openNodes } from '../support/nodes.ts';
import {
  HOUR,
  mpesaKeys,
  openShop,
  order,
  orderIn,
  type Plan,
  readOrder,
  type Shop,
  startRouter,
} from '../support/shop.ts';
import { until } from '../support/until.ts';
import {
  expectNothingGranted,
  type Guest,
  newGuest,
  post,
  promptOf,
  push,
  script,
  successBody,
} from './support/counter.ts';
import { booksAgree } from './support/fates.ts';
import { playScenarios } from './support/table.ts';

let shop: Shop;
/** Receipts of which M-PESA's notice named another sum. */
const told = new Map<string, number>();
/** Whose books are held against which ledger. */
let compared: { mpesa: MpesaSimulator; apis: Api[] };
/** What a scenario opened for itself. */
const closing: (() => Promise<void>)[] = [];

const scenario = playScenarios(() => booksAgree(compared.mpesa, compared.apis, { told }));

beforeAll(async () => {
  shop = await openShop();
  compared = { mpesa: shop.mpesa, apis: [shop.api] };
});

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  shop.mpesa.resetKnobs();
  shop.mpesa.setKnobs({ callback_delay_ms: 0, c2b_delay_ms: 0 });
  compared = { mpesa: shop.mpesa, apis: [shop.api] };
});

afterAll(() => shop?.close());

const paid = (id: string, seconds?: number) => orderIn(shop.karibu, id, 'paid', seconds);
const ask = (id: string) => shop.api.post(`/orders/${id}/query`);
const MINUTE = 60_000;
const PIN = { action: 'pin', pin: '1234' } as const;

/** A prompt that is on a guest's phone, as the person sees it. */
const onPhone = ({ msisdn }: Guest) => shop.mpesa.waitForPrompt((prompt) => prompt.msisdn === msisdn);

/** Makes an order older than it is, as the box's clock counts. */
async function grow(id: string, ms: number): Promise<void> {
  await shop.karibu.stop();
  const store = await openStore(path.join(shop.karibu.folder, 'data', 'karibu.db'));
  await store
    .updateTable('orders')
    .set((eb) => ({ created_at: eb('created_at', '-', ms), next_poll_at: Date.now() }))
    .where('id', '=', id)
    .execute();
  await store.destroy();
  const at = Date.now();
  await shop.karibu.restart();
  await until('its age has told', async () => {
    const { updated_at } = await shop.api.get<{ updated_at: number }>(`/orders/${id}`);
    return updated_at >= at;
  });
}

async function powerCut(): Promise<void> {
  await shop.karibu.kill9();
  await shop.karibu.restart();
}

scenario(1, 'the callback overtakes the answer to the push', async () => {
  const { id, guest } = await push(shop, { callback_before_response: true, accept_delay_ms: 300 });
  await paid(id);
  const { receipt, checkout_request_id, callbacks } = promptOf(shop, guest);
  expect(callbacks).toMatchObject([{ http_status: 200 }]);
  const detail = await until('the answer has come', async () => {
    const now = await orderDetail(shop, id);
    return now.checkout_request_id === null ? undefined : now;
  });
  expect(detail).toMatchObject({ checkout_request_id, payments: [{ receipt }] });
  return 'settled before the answer came';
});

scenario(2, 'the answer to the push is lost, the push is not', async () => {
  const before = shop.mpesa.counts().pushes;
  const lost = await push(shop, { drop: 'after_accept', outcome_delay_ms: 1000 });
  expect(['pending', 'checking']).toContain(lost.state);
  const again = await order(shop.karibu, shop.plan, lost.guest.number, lost.guest.mac);
  expect(again.id).toBe(lost.id);
  expect(again.message).not.toBe('');
  await paid(lost.id);
  expect(shop.mpesa.counts().pushes).toBe(before + 1);
  return 'one push, settled by its callback';
});

scenario(3, 'the push never arrives', async () => {
  const before = shop.mpesa.counts().pushes;
  const { id, guest } = await push(shop, { drop: 'before_accept' });
  const now = await until('the order waits', async () => {
    const state = await readOrder(shop.karibu, id);
    return state.state === 'checking' ? state : undefined;
  });
  expect(now.message).not.toBe('');
  expect((await order(shop.karibu, shop.plan, guest.number, guest.mac)).id).toBe(id);
  expect(() => promptOf(shop, guest)).toThrow();
  expect(shop.mpesa.counts().pushes).toBe(before + 1);
  await expectNothingGranted(shop, id);
  // The prompt of a lost push cannot live any more: the guest may pay anew.
  await grow(id, 4 * MINUTE);
  const again = await push(shop, {}, guest);
  expect(again.id).not.toBe(id);
  await paid(again.id);
  expect((await readOrder(shop.karibu, id)).state).toBe('checking');
  await grow(id, 7 * MINUTE);
  const expired = await orderIn(shop.karibu, id, 'failed');
  expect(expired.message).not.toBe('');
  await expectNothingGranted(shop, id);
  expect(shop.mpesa.counts().pushes).toBe(before + 2);
  expect(await orderDetail(shop, id)).toMatchObject({ result_code: 'unanswered' });
  return 'not sent again; paid anew after three minutes, given up after ten';
});

scenario(4, 'the callback comes n times, also at once', async () => {
  const { id, guest } = await push(shop, { callback_count: 8, callback_concurrent: true });
  await paid(id);
  await shop.mpesa.waitForCallbacks(promptOf(shop, guest).checkout_request_id, 8);
  const prompt = promptOf(shop, guest);
  for (let times = 0; times < 3; times++)
    expect(await post(prompt.callback_url, successBody(prompt))).toBe(200);
  expect(prompt.callbacks.map(({ http_status }) => http_status)).toEqual(Array(8).fill(200));
  const detail = await evidenceRead(shop, id, 2);
  expect(detail.evidence.filter(({ state }) => state === 'used')).toHaveLength(1);
  expect(detail.payments).toHaveLength(1);
  return '11 answered 200, one counted';
});

scenario(6, 'the callback names another amount than was asked for', async () => {
  for (const callback_amount_shillings of [15, 25]) {
    const { id, guest } = await push(shop, { callback_amount_shillings });
    const detail = await until('the payment is booked', async () => {
      const now = await orderDetail(shop, id);
      return now.payments.length > 0 ? now : undefined;
    });
    const receipt = promptOf(shop, guest).receipt as string;
    told.set(receipt, callback_amount_shillings);
    expect(detail.payments).toMatchObject([
      { receipt, state: 'unmatched', amount_cents: callback_amount_shillings * 100 },
    ]);
    expect(detail.entitlement_id).toBeNull();
  }
  return 'both wait for a person, nothing granted';
});

scenario(7, 'the power is cut after the callback was acknowledged', async () => {
  for (const delay of [0, 3, 12]) {
    const { id, guest } = await push(shop, { outcome: 'person' });
    const { checkout_request_id: checkout } = await onPhone(guest);
    shop.mpesa.answer(checkout, PIN);
    const { callbacks, receipt } = await shop.mpesa.waitForCallbacks(checkout);
    expect(callbacks).toMatchObject([{ http_status: 200 }]);
    await new Promise((resolve) => setTimeout(resolve, delay));
    await powerCut();
    await paid(id, 8);
    expect((await orderDetail(shop, id)).payments).toMatchObject([{ receipt }]);
  }
  return 'three cuts, each settled from the inbox';
});

scenario(8, 'the box is off when the callback comes', async () => {
  const { id, guest } = await push(shop, { outcome: 'person' });
  const { checkout_request_id: checkout } = await onPhone(guest);
  await shop.karibu.kill9();
  shop.mpesa.answer(checkout, PIN);
  const { callbacks } = await shop.mpesa.waitForCallbacks(checkout);
  expect(callbacks).toMatchObject([{ http_status: null }]);
  await shop.karibu.restart();
  await paid(id, 20);
  return 'found by the query after the start';
});

scenario(9, 'the money comes after the portal said failed', async () => {
  for (const code of ['1037', '1032']) {
    const { id, guest } = await push(shop, { callback_held: true });
    shop.mpesa.setKnobs({ query_result_code: code });
    await ask(id);
    await orderIn(shop.karibu, id, 'failed');
    shop.mpesa.setKnobs({ query_result_code: null });
    shop.mpesa.release(promptOf(shop, guest).checkout_request_id);
    await paid(id);
  }
  return 'failed, then paid';
});

scenario(10, 'the query says cancelled, a callback says paid', async () => {
  const { id, guest } = await push(shop, { outcome: '1032', callback_count: 0 });
  await ask(id);
  await orderIn(shop.karibu, id, 'failed');
  const prompt = promptOf(shop, guest);
  expect(await post(prompt.callback_url, successBody(prompt))).toBe(200);
  const detail = await evidenceRead(shop, id, 3);
  expect(detail.state).toBe('failed');
  expect(detail.evidence.filter(({ kind }) => kind === 'stk_callback')).toMatchObject([
    { state: 'quarantined' },
  ]);
  await expectNothingGranted(shop, id);
  return 'M-PESA asked again, nothing granted';
});

scenario(9, 'a callback says failed, the money was taken, and nothing more comes', async () => {
  const { id, guest } = await push(shop, { callback_result_code: '1032' });
  await orderIn(shop.karibu, id, 'failed');
  expect(promptOf(shop, guest).callbacks).toHaveLength(1);
  await paid(id, 20);
  return 'asked about once more, then granted';
});

scenario(12, 'the query gives noise for a while', async () => {
  const noises: Partial<Knobs>[] = [
    { query_error: 'processing_empty' },
    { query_error: 'no_transaction' },
    { query_error: 'internal' },
    { query_error: 'html_502' },
    { query_error: 'empty_200' },
    { query_error: 'system_busy' },
    { query_drop: true },
    { query_result_code: '4999' },
    { query_result_code: 'ZZ42' },
  ];
  const { id } = await push(shop, { callback_count: 0 });
  for (const noise of noises) {
    shop.mpesa.setKnobs({ query_error: null, query_drop: false, query_result_code: null, ...noise });
    await ask(id);
    expect(['pending', 'checking'], JSON.stringify(noise)).toContain(
      (await readOrder(shop.karibu, id)).state,
    );
  }
  shop.mpesa.setKnobs({ query_error: null, query_drop: false, query_result_code: null });
  await paid(id);
  return `${noises.length} kinds of noise, never failed`;
});

scenario(13, 'the query says paid, the callback never comes', async () => {
  const { id, guest } = await push(shop, { callback_held: true });
  await ask(id);
  await paid(id);
  expect((await orderDetail(shop, id)).payments).toMatchObject([{ receipt: null, receipt_pending: true }]);
  shop.mpesa.release(promptOf(shop, guest).checkout_request_id);
  const { receipt } = promptOf(shop, guest);
  await until('the receipt is attached', async () =>
    (await orderDetail(shop, id)).payments.every((one) => one.receipt === receipt),
  );
  return 'granted at once, the receipt attached when it came';
});

scenario(14, 'the guest pays twice', async () => {
  const first = await push(shop, { callback_held: true });
  shop.mpesa.setKnobs({ query_result_code: '1037' });
  await ask(first.id);
  await orderIn(shop.karibu, first.id, 'failed');
  shop.mpesa.setKnobs({ query_result_code: null, subscriber_lock: false });
  const held = promptOf(shop, first.guest).checkout_request_id;
  const second = await push(shop, {}, first.guest);
  expect(second.id).not.toBe(first.id);
  await paid(second.id);
  shop.mpesa.release(held);
  await paid(first.id);
  const orders = await Promise.all([first, second].map(({ id }) => orderDetail(shop, id)));
  expect(new Set(orders.map(({ entitlement_id }) => entitlement_id)).size).toBe(2);
  return 'both counted, the second waits in line';
});

scenario(15, 'Pay is tapped five times', async () => {
  const before = shop.mpesa.counts().pushes;
  const guest = newGuest();
  script(shop.mpesa, guest, { outcome: '0' });
  const taps = await Promise.all(
    Array.from({ length: 5 }, () => order(shop.karibu, shop.plan, guest.number, guest.mac)),
  );
  expect(new Set(taps.map(({ id }) => id)).size).toBe(1);
  await paid(taps[0]!.id);
  expect(shop.mpesa.counts().pushes).toBe(before + 1);
  return 'one push';
});

scenario(16, 'the token expires in the middle', async () => {
  const shapes = ['token_404', 'token_400', 'token_401_002', 'token_401_003', 'token_401_001'] as const;
  for (const shape of shapes) {
    const before = shop.mpesa.counts();
    shop.mpesa.setKnobs({ bearer_faults: [shape] });
    const { id } = await push(shop);
    await paid(id);
    const after = shop.mpesa.counts();
    expect(after.prompts - before.prompts, shape).toBe(1);
    expect(after.oauth - before.oauth, shape).toBe(1);
  }
  return 'five shapes, one new token and one prompt each';
});

scenario(17, 'two boxes kill each other’s token', async () => {
  const pair = await openShop();
  const second = await startKaribu();
  closing.push(
    () => second.remove(),
    () => pair.close(),
  );
  const api = await setUpOwner(second.admin);
  const plan = await api.post<Plan>('/plans', HOUR);
  await api.put('/settings/mpesa', mpesaKeys(pair.mpesa));
  compared = { mpesa: pair.mpesa, apis: [pair.api, api] };
  const boxes = [pair, { karibu: second, mpesa: pair.mpesa, plan }];
  for (let round = 0; round < 5; round++)
    await Promise.all(
      boxes.map(async (box) => {
        const guest = newGuest();
        // Where the other box was quicker twice, no prompt went out, and the guest taps again.
        const taken = await until('an order is taken', async () => {
          const sale = await push(box, {}, guest);
          return sale.state === 'failed' ? undefined : sale;
        });
        await orderIn(box.karibu, taken.id, 'paid');
      }),
    );
  const { prompts, pushes, oauth } = pair.mpesa.counts();
  expect(prompts).toBe(10);
  expect(oauth).toBeLessThanOrEqual(2 * pushes);
  return `10 prompts for 10 orders, ${oauth} tokens`;
});

if (hasPostgres)
  scenario(17, 'two nodes of one operator have one token', async () => {
    const two = await openNodes();
    closing.push(() => two.close());
    const { mpesa, plan, api } = two.shop;
    compared = { mpesa, apis: [api] };
    mpesa.setKnobs({ callback_delay_ms: 0 });
    const sell = async (node: Karibu) => {
      const sale = await push({ karibu: node, mpesa, plan });
      await orderIn(node, sale.id, 'paid');
    };
    for (let round = 0; round < 5; round++) await Promise.all(two.nodes.map(sell));
    expect(mpesa.counts()).toMatchObject({ prompts: 10, oauth: 1 });
    // M-PESA ends the token: one node asks for another, both go on with it.
    mpesa.setKnobs({ bearer_faults: ['token_404'] });
    for (const node of [...two.nodes, ...two.nodes]) await sell(node);
    expect(mpesa.counts()).toMatchObject({ prompts: 14, oauth: 2 });
    const [first, second] = two.nodes;
    await first.kill9();
    await sell(second);
    expect(mpesa.counts().oauth).toBe(2);
    await first.restart();
    await sell(first);
    expect(mpesa.counts()).toMatchObject({ prompts: 16, oauth: 2 });
    return '16 prompts with 2 tokens, one of them refused';
  });

scenario(18, 'Daraja is too busy to take the push', async () => {
  for (const stk_error of ['spike_arrest', 'quota', 'system_busy'] as const) {
    const before = shop.mpesa.counts();
    const refused = await push(shop, { stk_error });
    expect(refused.state, stk_error).toBe('failed');
    expect(refused.message).not.toBe('');
    const after = shop.mpesa.counts();
    expect([after.pushes - before.pushes, after.prompts - before.prompts]).toEqual([1, 0]);
    const again = await push(shop, {}, refused.guest);
    await paid(again.id);
  }
  return 'told to try again, one push for each try';
});

scenario(19, 'the clock is wrong at boot', async () => {
  const HOUR_MS = 3_600_000;
  await shop.karibu.stop();
  const store = await openStore(path.join(shop.karibu.folder, 'data', 'karibu.db'));
  const { boot_id: _, ...clock } = (await readSetting<{ boot_id?: string }>(store, 'clock'))!;
  // As after a power cut of a box whose clock then starts three hours behind.
  await writeSetting(store, 'clock', { ...clock, last_known_at: Date.now() + 3 * HOUR_MS }, Date.now());
  await store.destroy();
  await shop.karibu.restart();
  const { id, guest } = await push(shop);
  const { username, password } = await paid(id);
  const { simulator } = shop.router;
  simulator.addPhone({ mac: guest.mac });
  expect(await simulator.login(guest.mac, username!, password!)).toHaveProperty('session');
  // A machine that a time server sets right knows it by itself; otherwise a person says so.
  const { clock: state } = await shop.api.get<{ clock: { trusted: boolean } }>('/auth/me');
  const { box_at, counted_at } = await shop.api.get<{ box_at: number; counted_at: number }>('/clock');
  if (!state.trusted) await shop.api.post('/clock/confirm', { ahead_ms: box_at - counted_at });
  const { entitlement_id } = await orderDetail(shop, id);
  const ends = await until('the end is of the right time', async () => {
    const { ends_at } = await shop.api.get<{ ends_at: number | null }>(`/entitlements/${entitlement_id}`);
    return ends_at !== null && ends_at < Date.now() + HOUR_MS + 60_000 ? ends_at : undefined;
  });
  expect(ends).toBeGreaterThan(Date.now() + HOUR_MS - 60_000);
  return 'sold and online; the hour is an hour once the clock is right';
});

scenario(20, 'a callback is for another shortcode', async () => {
  const { id, guest } = await push(shop, { outcome: '1032', callback_count: 0 });
  const prompt = promptOf(shop, guest);
  const status = await post(prompt.callback_url, successBody(prompt), { businessshortcode: '999999' });
  expect(status).toBe(200);
  await orderIn(shop.karibu, id, 'failed');
  const { evidence } = await orderDetail(shop, id);
  expect(evidence.find(({ kind }) => kind === 'stk_callback')).toMatchObject({ state: 'quarantined' });
  await expectNothingGranted(shop, id);
  expect(shop.karibu.output()).toContain('It is for the shortcode 999999.');
  return 'kept aside and logged, M-PESA asked, nothing granted';
});

scenario(21, 'an old success is replayed at a new order', async () => {
  const old = await push(shop);
  await paid(old.id);
  const genuine = promptOf(shop, old.guest);
  const { id, guest } = await push(shop, { outcome: 'person' });
  const target = await onPhone(guest);
  expect(await post(target.callback_url, successBody(genuine))).toBe(200);
  const receipt = genuine.receipt as string;
  expect(await post(target.callback_url, successBody(target, { receipt }))).toBe(200);
  const detail = await evidenceRead(shop, id, 2);
  expect(detail.evidence.map(({ state }) => state)).toEqual(['quarantined', 'quarantined']);
  await expectNothingGranted(shop, id);
  shop.mpesa.answer(target.checkout_request_id, PIN);
  await paid(id);
  return 'kept aside; the order’s own money then counted';
});

scenario(22, 'a success is forged', async () => {
  const { id, guest } = await push(shop, { outcome: 'person' });
  const prompt = await onPhone(guest);
  const address = prompt.callback_url.replace(/[^/]+$/, 'guessed'.padEnd(43, 'x'));
  expect(await post(address, successBody(prompt))).toBe(200);
  await expectNothingGranted(shop, id);
  // The address has leaked: nothing that comes to it is believed before M-PESA says the same.
  const forgeries = [{ msisdn: '254700000001' }, { amount: 1 }, { checkout_request_id: 'ws_CO_1' }];
  for (const forgery of forgeries)
    expect(await post(prompt.callback_url, successBody(prompt, forgery))).toBe(200);
  await until('the forgeries were looked at', async () => {
    const { evidence } = await orderDetail(shop, id);
    return evidence.length >= forgeries.length && evidence.every(({ state }) => state !== 'received');
  });
  await expectNothingGranted(shop, id);
  shop.mpesa.answer(prompt.checkout_request_id, { action: 'cancel' });
  await orderIn(shop.karibu, id, 'failed');
  await until('the forgeries are kept aside', async () =>
    (await orderDetail(shop, id)).evidence
      .filter(({ kind, state }) => kind === 'stk_callback' && state !== 'used')
      .every(({ state }) => state === 'quarantined'),
  );
  await expectNothingGranted(shop, id);
  return 'a guessed address and three forgeries, nothing granted';
});

scenario(23, 'types and items of the callback vary', async () => {
  const variants: Partial<Omit<Knobs, 'rules'>>[] = [
    { callback_types: 'decimal' },
    { callback_types: 'string' },
    { callback_balance: 'absent', callback_shuffle: true },
    { callback_balance: 'value' },
    { callback_shortcode_header: false },
    { callback_receipt: false },
  ];
  const sales = await Promise.all(variants.map((variant) => push(shop, variant)));
  for (const { id } of sales) await paid(id);
  return `${variants.length} shapes; without a receipt M-PESA was asked`;
});

scenario(24, 'the payer’s number is masked or missing', async () => {
  for (const callback_phone of ['masked', 'absent'] as const) {
    const { id } = await push(shop, { callback_phone });
    await paid(id);
  }
  return 'known by the checkout id';
});

scenario(26, 'a notice is rubbish', async () => {
  const { id, guest } = await push(shop, { outcome: 'person' });
  const prompt = await onPhone(guest);
  const rubbish = [
    '',
    '{',
    'null',
    '[]',
    '<html>Welcome</html>',
    '{"Body":{"stkCallback":{}}}',
    'a'.repeat(60_000),
  ];
  const strange = prompt.callback_url.replace(/[^/]+$/, 'x'.repeat(43));
  for (const url of [prompt.callback_url, strange]) {
    for (const raw of rubbish) expect(await post(url, raw), raw.slice(0, 20)).toBe(200);
    // It hangs up on who goes on sending.
    expect([413, 'cut']).toContain(await post(url, 'a'.repeat(5_000_000)).catch(() => 'cut'));
    expect(await post(url, successBody(prompt).slice(1), { 'content-type': 'text/plain' })).toBe(200);
  }
  await expectNothingGranted(shop, id);
  shop.mpesa.answer(prompt.checkout_request_id, PIN);
  await paid(id);
  return '200 and kept aside, 413 for 5 MB; then paid';
});

const shim = buildFaultyDisk();
if (shim)
  scenario(27, 'the disk is full when the callback comes', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'karibu-faulty-'));
    const control = path.join(folder, 'control');
    writeFileSync(control, '');
    const disk = path.join(realpathSync(tmpdir()), 'karibu-e2e-');
    const full = await openShop(onFaultyDisk(shim, { path: disk, control }));
    closing.push(
      () => full.close(),
      async () => rmSync(folder, { recursive: true }),
    );
    compared = { mpesa: full.mpesa, apis: [full.api] };
    const { id, guest } = await push(full, { outcome: 'person' });
    const prompt = await full.mpesa.waitForPrompt(({ msisdn }) => msisdn === guest.msisdn);
    writeFileSync(control, 'full');
    full.mpesa.answer(prompt.checkout_request_id, PIN);
    const { callbacks } = await full.mpesa.waitForCallbacks(prompt.checkout_request_id);
    expect((await orderDetail(full, id)).state).toBe('pending');
    writeFileSync(control, '');
    await orderIn(full.karibu, id, 'paid', 40);
    return `answered ${callbacks[0]?.http_status}, settled when there was room`;
  });

scenario(28, 'the router is away when the money comes', async () => {
  const guest = newGuest();
  await shop.router.stop();
  const { id } = await push(shop, {}, guest);
  const { username, password } = await paid(id);
  const { entitlement_id } = await orderDetail(shop, id);
  const path = `/entitlements/${entitlement_id}`;
  expect(await shop.api.get(path)).toMatchObject({ state: 'waiting', starts_at: null });
  const back = Date.now();
  shop.router = await startRouter(shop.karibu);
  const { simulator } = shop.router;
  simulator.addPhone({ mac: guest.mac });
  expect(await simulator.login(guest.mac, username!, password!)).toHaveProperty('session');
  const { starts_at } = await until('the time runs', async () => {
    const now = await shop.api.get<{ state: string; starts_at: number }>(path);
    return now.state === 'active' ? now : undefined;
  });
  expect(starts_at).toBeGreaterThanOrEqual(back);
  return 'paid at once, time ran from the sign-in';
});

scenario(31, 'the keys are wrong after an edit', async () => {
  const keys = mpesaKeys(shop.mpesa);
  await shop.api.put('/settings/mpesa', { ...keys, passkey: 'f'.repeat(64) });
  const { id, message, state } = await push(shop);
  expect(state).toBe('failed');
  expect(message).not.toMatch(/PIN|your (phone|account)|enough money/i);
  expect(await orderDetail(shop, id)).toMatchObject({ result_code: 'refused:credentials' });
  await shop.api.put('/settings/mpesa', keys);
  const again = await push(shop);
  await paid(again.id);
  return 'told as ours, not the guest’s; sold again after repair';
});
