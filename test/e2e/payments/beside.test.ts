// What M-PESA tells beside the callback: notices of payments by hand and twins of those by prompt, rows that are pulled.
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { SIMULATED_CERTIFICATE, SIMULATED_INITIATOR } from '../../../src/simulators/mpesa/index.ts';
import { send } from '../support/api.ts';
import { orderDetail } from '../support/books.ts';
import { openShop, order, orderIn, type Shop } from '../support/shop.ts';
import { until } from '../support/until.ts';
import {
  expectNothingGranted,
  type Guest,
  newGuest,
  post,
  promptOf,
  push,
  script,
} from './support/counter.ts';
import { type BookedPayment, booksAgree } from './support/fates.ts';
import { playScenarios } from './support/table.ts';

let shop: Shop;

const scenario = playScenarios(() => booksAgree(shop.mpesa, [shop.api]));

const QUIET = { callback_delay_ms: 0, c2b_delay_ms: 0 };

const wayIn = (mode: 'none' | 'manual') =>
  shop.api.put('/tunnel', { mode, url: `http://${shop.karibu.callback}` });

beforeAll(async () => {
  shop = await openShop();
  shop.mpesa.setKnobs(QUIET);
  await wayIn('manual');
  await shop.api.post('/go-live/c2b', { version: 'v1' });
  await shop.api.post('/go-live/pull', { msisdn: '0722000000' });
  await wayIn('none');
});

afterEach(() => {
  shop.mpesa.resetKnobs();
  shop.mpesa.setKnobs(QUIET);
});

afterAll(() => shop?.close());

const paid = (id: string) => orderIn(shop.karibu, id, 'paid');

async function payByHand(guest: Guest, account_reference: string, amount_shillings = 20): Promise<string> {
  const to = shop.mpesa.merchants[0]!.shortcode;
  const wish = { msisdn: guest.msisdn, to, account_reference, amount_shillings };
  const result = await shop.mpesa.payByHand(wish);
  if (!result.ok) throw new Error(result.problem);
  return result.receipt;
}

interface Told extends BookedPayment {
  note: string | null;
  subscriber_id: string | null;
  evidence: { kind: string; state: string }[];
}

/** A payment with everything that told of it, once it is booked. */
async function bookedAs(receipt: string): Promise<Told> {
  const found = await until(`${receipt} is booked`, async () => {
    const payments = await shop.api.all<BookedPayment>(`/payments?q=${receipt}`);
    return payments[0];
  });
  return shop.api.get<Told>(`/payments/${found.id}`);
}

/** Waits until so many kinds of evidence tell of a payment. */
const toldBy = (receipt: string, kinds: string[]) =>
  until(`${kinds} tell of ${receipt}`, async () => {
    const booked = await bookedAs(receipt);
    const told = booked.evidence.map(({ kind }) => kind);
    return kinds.every((kind) => told.includes(kind)) && booked;
  });

const expectOne = async (receipt: string) =>
  expect(await shop.api.all<BookedPayment>(`/payments?q=${receipt}`)).toHaveLength(1);

scenario(5, 'one receipt is told by callback and by C2B', async () => {
  for (const c2b_delay_ms of [0, 200]) {
    const { id, guest } = await push(shop, { c2b_delay_ms, callback_delay_ms: 100 });
    await paid(id);
    const receipt = promptOf(shop, guest).receipt as string;
    await toldBy(receipt, ['stk_callback', 'c2b']);
    await expectOne(receipt);
    expect((await orderDetail(shop, id)).payments).toHaveLength(1);
  }
  return 'either first: one payment, two pieces of evidence';
});

scenario(
  10,
  'the query says cancelled, a callback says paid, then M-PESA’s books show the money',
  async () => {
    for (const pull_hidden of [true, false]) {
      const lie = { callback_held: true, c2b_held: true, query_result_code: '1032', pull_hidden };
      const { id, guest } = await push(shop, lie);
      await shop.api.post(`/orders/${id}/query`);
      await orderIn(shop.karibu, id, 'failed');
      const { checkout_request_id } = promptOf(shop, guest);
      const receipt = promptOf(shop, guest).receipt as string;
      const asked = shop.mpesa.counts().queries;
      shop.mpesa.release(checkout_request_id);
      if (pull_hidden) {
        await until('M-PESA was asked', () => shop.mpesa.counts().queries > asked);
        await expectNothingGranted(shop, id);
        shop.mpesa.releaseConfirmation(receipt);
      }
      await paid(id);
      await expectOne(receipt);
    }
    return 'in review until C2B or the pull showed it, then granted';
  },
);

scenario(11, 'the callback says failed, C2B shows the money', async () => {
  const { id, guest } = await push(shop, { callback_result_code: '1032', c2b_held: true });
  await orderIn(shop.karibu, id, 'failed');
  shop.mpesa.releaseConfirmation(promptOf(shop, guest).receipt as string);
  await paid(id);
  return 'failed, then granted';
});

scenario(13, 'the query says paid, the receipt comes by C2B', async () => {
  const { id, guest } = await push(shop, { callback_count: 0, c2b_held: true });
  await shop.api.post(`/orders/${id}/query`);
  await paid(id);
  const { receipt } = promptOf(shop, guest);
  expect((await orderDetail(shop, id)).payments).toMatchObject([{ receipt: null }]);
  shop.mpesa.releaseConfirmation(receipt as string);
  await until('the receipt is attached', async () =>
    (await orderDetail(shop, id)).payments.every((one) => one.receipt === receipt),
  );
  expect((await orderDetail(shop, id)).payments).toHaveLength(1);
  return 'granted at once, the receipt attached';
});

/** The SMS that a paybill's owner gets, as their phone forwards it. */
async function forwardSms(address: string, receipt: string, { msisdn }: Guest): Promise<void> {
  const parts = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat('en-US', { ...options, timeZone: 'Africa/Nairobi' }).format(Date.now());
  const [month, day, year] = parts({ dateStyle: 'short' }).split('/');
  const time = parts({ timeStyle: 'short' }).replace(/\s/g, ' ');
  const text = `${receipt} Confirmed. on ${day}/${month}/${year} at ${time} Ksh20.00 received from ${msisdn} JANE DOE.  Account Number wifi New Utility balance is Ksh5,300.00`;
  const url = `http://${shop.karibu.callback}${new URL(address, 'http://box').pathname}`;
  expect((await send('POST', url, { body: { from: 'MPESA', text } })).body).toEqual({ taken: true });
}

scenario(13, 'the query says paid, a forwarded SMS brings the receipt', async () => {
  const { address } = await shop.api.post<{ address: string }>('/settings/sms-payments/address', {});
  for (const sms_first of [false, true]) {
    const { id, guest } = await push(shop, { callback_held: true, c2b_count: 0 });
    const { receipt, checkout_request_id } = await until('the money is taken', () => {
      const prompt = promptOf(shop, guest);
      return prompt.receipt === null ? undefined : { ...prompt, receipt: prompt.receipt };
    });
    if (sms_first) await forwardSms(address, receipt, guest);
    await shop.api.post(`/orders/${id}/query`);
    await paid(id);
    if (!sms_first) await forwardSms(address, receipt, guest);
    await toldBy(receipt, ['sms']);
    shop.mpesa.release(checkout_request_id);
    await toldBy(receipt, ['sms', 'stk_callback']);
    await expectOne(receipt);
    expect((await orderDetail(shop, id)).payments).toMatchObject([{ receipt, state: 'settled' }]);
  }
  return 'either first, then the callback: one payment';
});

scenario(14, 'the guest pays by hand before they order, or with an account that means nothing', async () => {
  const before = shop.mpesa.counts().pushes;
  const early = newGuest();
  expect(await bookedAs(await payByHand(early, 'KODI'))).toMatchObject({ state: 'unmatched' });
  // Known by the hash of the number, which only the order tells.
  const first = await order(shop.karibu, shop.plan, early.number, early.mac);
  expect(first.state).toBe('paid');
  expect(shop.mpesa.counts().pushes).toBe(before);
  const pasting = newGuest();
  const receipt = await payByHand(pasting, 'KODI');
  await bookedAs(receipt);
  const url = `http://${shop.karibu.portal}/api/claims`;
  const body = { text: receipt, mac: pasting.mac };
  expect((await send('POST', url, { body })).body).toMatchObject({ state: 'yours' });
  expect(await bookedAs(receipt)).toMatchObject({ state: 'settled' });
  const { id, guest } = await push(shop, { outcome: 'person' });
  await bookedAs(await payByHand(guest, 'WIFI'));
  await paid(id);
  shop.mpesa.answer(promptOf(shop, guest).checkout_request_id, { action: 'cancel' });
  return 'in at once without a prompt, by the pasted code, and for the order that waited';
});

scenario(14, 'the guest pays by prompt and by hand', async () => {
  const { id, guest } = await push(shop);
  await paid(id);
  const first = await orderDetail(shop, id);
  const receipt = await payByHand(guest, promptOf(shop, guest).account_reference);
  const second = await bookedAs(receipt);
  expect(second).toMatchObject({ state: 'settled' });
  expect(second.entitlement_id).not.toBe(first.entitlement_id);
  return 'two receipts, two grants';
});

/** What a notice of a payment by hand says that M-PESA knows nothing of. */
const handNotice = (TransID: string, BusinessShortCode = '174379') =>
  JSON.stringify({
    TransactionType: 'Pay Bill',
    TransID,
    TransTime: '20261121120000',
    TransAmount: '20.00',
    BusinessShortCode,
    BillRefNumber: '1HOUR',
    MSISDN: '254722000001',
    FirstName: 'JANE',
  });

scenario(20, 'a notice by hand is for another shortcode', async () => {
  const { id, guest } = await push(shop, { c2b_body: handNotice('UKL0000001', '999999') });
  await paid(id);
  await until('the notice was sent', () => twinsOf(guest).length === 1);
  expect(twinsOf(guest)).toMatchObject([{ http_status: 200 }]);
  await until('it is told', () => shop.karibu.output().includes('It is for the shortcode 999999.'));
  expect(await shop.api.all('/payments?q=UKL0000001')).toEqual([]);
  return 'answered 200 and logged, nothing booked';
});

/** The C2B notices that were sent about a guest's money. */
const twinsOf = ({ msisdn }: Guest) =>
  shop.mpesa.ledger().find(({ payer_msisdn }) => payer_msisdn === msisdn)?.confirmations ?? [];

scenario(22, 'a payment by hand is forged', async () => {
  const guessed = `http://${shop.karibu.callback}/cb/pay/${'0'.repeat(64)}/confirmation`;
  expect(await post(guessed, handNotice('UKL0000002'))).toBe(200);
  // With a way in from outside nobody can say who sent a notice: M-PESA has to know the money.
  await wayIn('manual');
  const { id, guest } = await push(shop, { c2b_body: handNotice('UKL0000003') });
  await paid(id);
  await until('the notice was sent', () => twinsOf(guest).length === 1);
  const receipt = await payByHand(newGuest(), 'KODI');
  await bookedAs(receipt);
  await wayIn('none');
  for (const forged of ['UKL0000002', 'UKL0000003'])
    expect(await shop.api.all(`/payments?q=${forged}`)).toEqual([]);
  return 'not booked; genuine money that M-PESA confirmed was';
});

scenario(24, 'the payer of a payment by hand is a hash', async () => {
  const { id, guest } = await push(shop);
  await paid(id);
  const { subscriber_id } = await shop.api.get<{ subscriber_id: string }>(`/orders/${id}`);
  const known = await bookedAs(await payByHand(guest, '1HOUR'));
  expect(known).toMatchObject({ state: 'settled', subscriber_id });
  const stranger = await bookedAs(await payByHand(newGuest(), '1HOUR'));
  expect(stranger.state).toBe('settled');
  expect(stranger.subscriber_id).not.toBe(subscriber_id);
  return 'a guest of ours is known by it, a stranger is not taken for one';
});

scenario(25, 'the account of a payment by hand is unknown or mistyped', async () => {
  for (const typed of ['KODI YA MWEZI', 'X1H0UR', '  ?? ']) {
    const booked = await bookedAs(await payByHand(newGuest(), typed));
    expect(booked, typed).toMatchObject({ state: 'unmatched', entitlement_id: null });
    expect(booked.note).not.toBeNull();
  }
  const right = newGuest();
  script(shop.mpesa, right, { c2b_count: 2, c2b_concurrent: true });
  expect(await bookedAs(await payByHand(right, ' 1 hour '))).toMatchObject({ state: 'settled' });
  return 'three wait for a person, the plan’s own code is granted';
});

scenario(29, 'money is sent back after it was used', async () => {
  await shop.api.put('/go-live/initiator', {
    name: SIMULATED_INITIATOR.name,
    password: SIMULATED_INITIATOR.password,
    certificate: SIMULATED_CERTIFICATE,
  });
  const { id, guest } = await push(shop);
  await paid(id);
  const { payments, entitlement_id } = await orderDetail(shop, id);
  await shop.api.post(`/payments/${payments[0]!.id}/reverse`, { remarks: 'Paid by mistake' });
  const receipt = promptOf(shop, guest).receipt as string;
  await until('it is reversed', async () => (await bookedAs(receipt)).state === 'reversed');
  expect(await shop.api.get(`/entitlements/${entitlement_id}`)).toMatchObject({ state: 'revoked' });
  expect(shop.mpesa.ledger().find((entry) => entry.receipt === receipt)?.reversal).not.toBeNull();
  return 'reversed here and there, the access ended, nothing deleted';
});

scenario(29, 'Safaricom sends money back by itself', async () => {
  const { simulator } = shop.router;
  const online = () => simulator.sessions().map(({ phone }) => phone.mac);
  const sms = (await shop.api.post<{ address: string }>('/settings/sms-payments/address', {})).address;
  /** Each way in which it can be told; Daraja itself sends no notice of it. */
  const tellers: Record<string, (receipt: string) => Promise<unknown>> = {
    pull: async () => {
      shop.mpesa.setKnobs({ pull_reversals: true });
      // Whoever pastes a code has the books of the last hours pulled.
      const body = { text: 'UKL0000009', mac: newGuest().mac };
      await send('POST', `http://${shop.karibu.portal}/api/claims`, { body });
    },
    statement: async () => {
      const { shortcode } = shop.mpesa.merchants[0]!;
      const url = `${shop.mpesa.baseUrl}/simulator/statement.csv?shortcode=${shortcode}`;
      await shop.api.post('/payments/statement', { text: await (await fetch(url)).text() });
    },
    sms: async (receipt) => {
      const text = `UKL0000010 Confirmed. Reversal of transaction ${receipt} has been successfully reversed on 21/11/26 at 1:00 PM and Ksh20.00 is debited from your M-PESA account.`;
      const url = `http://${shop.karibu.callback}${new URL(sms, 'http://box').pathname}`;
      expect((await send('POST', url, { body: { from: 'MPESA', text } })).body).toEqual({ taken: true });
    },
  };
  for (const [words, tell] of Object.entries(tellers)) {
    const { id, guest } = await push(shop);
    const { username, password } = await paid(id);
    simulator.addPhone({ mac: guest.mac });
    expect(await simulator.login(guest.mac, username!, password!)).toHaveProperty('session');
    const { entitlement_id } = await orderDetail(shop, id);
    const receipt = promptOf(shop, guest).receipt as string;
    await bookedAs(receipt);
    shop.mpesa.reverse(receipt);
    await tell(receipt);
    await until(`${words} told of it`, async () => (await bookedAs(receipt)).state === 'reversed');
    expect(await shop.api.get(`/entitlements/${entitlement_id}`), words).toMatchObject({
      ...{ state: 'revoked', end_reason: 'reversed' },
    });
    await until('the phone is offline', () => !online().includes(guest.mac));
  }
  return 'seen by the pull, the statement and a forwarded SMS; the access ended';
});

scenario(30, 'the callback, C2B and the pull race', async () => {
  await wayIn('manual');
  const sales = await Promise.all(
    Array.from({ length: 4 }, () => push(shop, { c2b_count: 2, c2b_concurrent: true })),
  );
  for (const { id } of sales) await paid(id);
  for (const { guest } of sales) {
    const receipt = promptOf(shop, guest).receipt as string;
    await toldBy(receipt, ['stk_callback', 'c2b']);
    await expectOne(receipt);
  }
  await wayIn('none');
  return 'four sales, each one payment';
});

scenario(
  8,
  'nothing of M-PESA’s ever arrives: no answer, no callback, no notice',
  async () => {
    const silent = { drop: 'after_accept', callback_count: 0, c2b_count: 0 } as const;
    const { id, guest } = await push(shop, silent);
    await orderIn(shop.karibu, id, 'paid', 90);
    await toldBy(promptOf(shop, guest).receipt as string, ['pull']);
    return 'found by the pull, by the code in the account';
  },
  100,
);
