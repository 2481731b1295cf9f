// Forwarded SMS: read in every shape, settled once, for the one order they fit.
import { describe, expect, it } from 'vitest';
import { createCredential } from '../../src/access/credentials.ts';
import { addSubscriber } from '../../src/access/subscribers.ts';
import { redeemVoucher } from '../../src/access/vouchers.ts';
import { keepEvidence } from '../../src/billing/evidence.ts';
import { isFromMpesa, readForwardedSms } from '../../src/billing/forwarded-sms.ts';
import { bookBacklog, proveLedger } from '../../src/billing/ledger-proof.ts';
import { canBePayer, type Money, readMoney } from '../../src/billing/money.ts';
import { getOrder, startOrder } from '../../src/billing/orders.ts';
import { attachPayment } from '../../src/billing/resolve.ts';
import { settleEvidence } from '../../src/billing/settle.ts';
import { updateSmsSettings } from '../../src/billing/sms-settings.ts';
import type { Db } from '../../src/db/schema.ts';
import { hashMsisdn } from '../../src/lib/msisdn.ts';
import { parseConfirmationSms } from '../../src/protocols/mpesa/index.ts';
import { HOUR, NOW, somePlan, someVouchers, vault } from '../access/fixtures.ts';
import { onEveryStore } from '../support/stores.ts';
import { answerQuery, balance, books, callBack, callback, MSISDN, orderFor, sentOrder } from './fixtures.ts';

/** 15 January 2027, 11:00 in Nairobi, as the fixtures' clock stands. */
const WHEN = 'on 15/1/27 at 11:00 AM';

describe('an SMS of M-PESA', () => {
  it.each([
    [
      'till',
      'UJ2H08M4M3 Confirmed.on 2/10/26 at 7:37 PMKSH40.00 received from 254700000001 Jane Doe. New Account balance is KSH1,090.05. Transaction cost, KSH0.00.',
      {
        receipt: 'UJ2H08M4M3',
        amount_cents: 4000,
        phone: '254700000001',
        name: 'Jane Doe',
        balance_cents: 109_005,
      },
    ],
    [
      'till',
      'TCL8HJ2KLM Confirmed. Ksh 1,020.00 received from 2547***456 GRACE MUTHONI on 14/2/26 at 8:01 AM. New Account balance is Ksh9,840.00.',
      { amount_cents: 102_000, phone: '2547***456', name: 'GRACE MUTHONI' },
    ],
    [
      'paybill',
      'PK375T4C39 Confirmed. on 25/11/21 at 6:56 PM Ksh5,300.00 received from NDIRANGU M 254723500586.  Account Number throttle repair New Utility balance is Ksh5,300.00',
      { amount_cents: 530_000, phone: '254723500586', name: 'NDIRANGU M', account: 'throttle repair' },
    ],
    [
      'personal',
      'TJF987E58C Confirmed.You have received Ksh300.00 from PERSON THREE 0712121212 on 15/10/24 at 12:16 PM  New M-PESA balance is Ksh123.12. Earn interest daily on Ziidi MMF,Dial *334#',
      { amount_cents: 30_000, phone: '0712121212', name: 'PERSON THREE', at: Date.UTC(2024, 9, 15, 9, 16) },
    ],
    [
      'personal',
      'UHNK63KR46 confirmed.You have received Ksh500.00 from NAOMI N 0720***167 on 2/10/26 at 12:05 AM New M-PESA balance is Ksh1.00.',
      { phone: '0720***167', at: Date.UTC(2026, 9, 1, 21, 5) },
    ],
    [
      'pochi',
      'TCH01GAG8Y Confirmed.You have received Ksh10.00 from RICHARD  M on 17/3/25 at 12:03 PM  New business balance is Ksh10.00. To access your funds, Dial *334#,select Pochi la Biashara & Withdraw funds.',
      { amount_cents: 1000, phone: undefined, name: 'RICHARD M' },
    ],
  ])('of a %s is read', (channel, text, parts) => {
    expect(parseConfirmationSms(text)).toMatchObject({ channel, ...parts });
  });

  it.each([
    'BC47YUI99A Confirmed. Ksh1,000.00 sent to JOHN DOE 0712345678 on 21/2/26 at 10:30 AM. New M-PESA balance is Ksh5.00.',
    'QAA1S35S7Z Confirmed. Reversal of transaction QAI1S35S7Y has been successfully reversed on 2/10/26 at 7:37 PM',
    'SJI3IZVLYT Confirmed, Ksh1,600.00 has been moved from your business account to your M-PESA account on 18/10/24 at 3:18 PM.',
    'You have received Ksh500.00 from JANE 0712345678 on 2/10/26 at 7:37 PM',
    'UJ2H08M4M3 Confirmed.You have received Ksh0.00 from JANE 0712345678 on 2/10/26 at 7:37 PM',
    'UJ2H08M4M3 Confirmed.You have received Ksh5.00 from JANE 0712345678 on 31/2/26 at 7:37 PM',
    'Hello',
    '',
  ])('is told from what is none: %s', (text) => {
    expect(parseConfirmationSms(text)).toBeUndefined();
  });

  it('with a hidden middle fits only numbers that begin and end like it', () => {
    const fits = (msisdn: string, from: string) => {
      const body = `UJ2H08M4M3 Confirmed.You have received Ksh5.00 from JANE ${from} ${WHEN} New M-PESA balance is Ksh1.00.`;
      return canBePayer(readMoney({ kind: 'sms', body }) as Money, msisdn);
    };
    expect(fits('254720111167', '0720***167')).toBe(true);
    expect(fits('254720111168', '0720***167')).toBe(false);
    expect(fits('254712000456', '2547***456')).toBe(true);
    expect(fits('254712000456', '+2547***456')).toBe(true);
    expect(fits('254712345678', '0712345678')).toBe(true);
    expect(fits('254712345678', '')).toBe(false);
  });

  it.each([
    ['{"from":"MPESA","text":"T"}', 'application/json', 'MPESA'],
    ['{"sender":"MPESA","message":"T"}', 'application/json', 'MPESA'],
    ['{"event":"sms:received","payload":{"phoneNumber":"MPESA","message":"T"}}', '', 'MPESA'],
    ['from=MPESA&body=T', 'application/x-www-form-urlencoded', 'MPESA'],
    ['From: MPESA\nT', 'text/plain', 'MPESA'],
    ['T', 'text/plain', undefined],
  ])('comes out of what a forwarder sends: %s', (body, type, from) => {
    expect(readForwardedSms(body, type)).toEqual({ from, text: 'T' });
  });

  it('is believed only of the sender MPESA', () => {
    expect(['MPESA', 'M-PESA', 'mpesa', undefined].every(isFromMpesa)).toBe(true);
    expect(['0712345678', 'MPESA-PROMO', ''].some(isFromMpesa)).toBe(false);
  });
});

const text = (receipt: string, from: string, amount = '20.00') =>
  `${receipt} Confirmed.You have received Ksh${amount} from ${from} ${WHEN} New M-PESA balance is Ksh1.00.`;

async function tell(db: Db, body: string, now = NOW) {
  const receipt = parseConfirmationSms(body)?.receipt as string;
  const about = { kind: 'sms' as const, order_id: null, body, source_address: null, receipt };
  const evidence = await keepEvidence(db, about, now);
  return evidence && settleEvidence(db, vault, evidence.id, now);
}

async function waitingOrder(db: Db, planId: string, change = {}) {
  return (await startOrder(db, orderFor(planId, change), NOW)).order;
}

async function expectProved(db: Db) {
  await bookBacklog(db);
  expect(await proveLedger(db, NOW)).toMatchObject({ ok: true, problems: [] });
}

onEveryStore('settling an SMS', (store) => {
  it('pays the one order of its amount and phone, once however often and in whatever words it comes', async () => {
    const plan = await somePlan(store());
    const order = await waitingOrder(store(), plan.id);
    expect(await tell(store(), text('UJ2H08M4M3', 'JANE 0712***678'))).toMatchObject({ granted: true });
    expect(await tell(store(), text('UJ2H08M4M3', 'JANE 0712***678'))).toBeUndefined();
    expect(await tell(store(), text('UJ2H08M4M3', 'JANE  0712***678'))).toMatchObject({ granted: false });
    expect(await getOrder(store(), order.id)).toMatchObject({ state: 'paid' });
    const { payments, entitlements } = await books(store());
    expect(entitlements).toHaveLength(1);
    expect(payments).toMatchObject([
      { receipt: 'UJ2H08M4M3', state: 'settled', order_id: order.id, msisdn: MSISDN, payer: '254712***678' },
    ]);
    await expectProved(store());
  });

  it.each([
    ['another amount', 'JANE 0712***678', '25.00', /No order of KES 25/],
    ['another phone', 'JANE 0799***678', '20.00', /No order of KES 20/],
    ['no phone', 'JANE', '20.00', /names no phone/],
  ])('of %s waits for a person', async (_, from, amount, why) => {
    const plan = await somePlan(store());
    const order = await waitingOrder(store(), plan.id);
    await tell(store(), text('UJ2H08M4M3', from, amount));
    expect((await books(store())).payments).toMatchObject([{ state: 'unmatched', order_id: null }]);
    expect((await books(store())).payments[0]?.note).toMatch(why);
    expect(await getOrder(store(), order.id)).toMatchObject({ state: 'pending' });
    await expectProved(store());
  });

  it('that fits two guests waits for a person', async () => {
    const plan = await somePlan(store());
    await waitingOrder(store(), plan.id, { msisdn: '254712345678' });
    await waitingOrder(store(), plan.id, { msisdn: '254712999678', mac: 'AA:BB:CC:00:00:02' });
    await tell(store(), text('UJ2H08M4M3', 'JANE 0712***678'));
    expect((await books(store())).payments).toMatchObject([{ state: 'unmatched' }]);
    expect((await books(store())).entitlements).toEqual([]);
  });

  it('that is old finds no new order', async () => {
    const plan = await somePlan(store());
    await updateSmsSettings(store(), { window_seconds: 600 }, NOW);
    await waitingOrder(store(), plan.id);
    await tell(store(), text('UJ2H08M4M3', 'JANE 0712***678'), NOW + 3600_000);
    expect((await books(store())).payments).toMatchObject([{ state: 'unmatched' }]);
  });

  it('of a Pochi pays the only order of its amount where the operator wants that', async () => {
    const plan = await somePlan(store());
    await updateSmsSettings(store(), { without_phone: true }, NOW);
    await waitingOrder(store(), plan.id);
    expect(await tell(store(), text('UJ2H08M4M3', 'JANE'))).toMatchObject({ granted: true });
  });

  it('pays one order with one payment, the second stays visible', async () => {
    const plan = await somePlan(store());
    await waitingOrder(store(), plan.id);
    await tell(store(), text('UJ2H08M4M3', 'JANE 0712***678'));
    await tell(store(), text('UJ2H08M4M4', 'JANE 0712***678'), NOW + 5);
    expect((await books(store())).payments.map(({ state }) => state)).toEqual(['settled', 'unmatched']);
    await expectProved(store());
  });
});

/** To a till or paybill, with the account typed. */
const atPaybill = (receipt: string, from: string, account = '', amount = '20.00') =>
  `${receipt} Confirmed. ${WHEN} Ksh${amount} received from ${from}.  ${
    account && `Account Number ${account} `
  }New Utility balance is Ksh5,300.00`;

onEveryStore('an SMS about money that a query told of', (store) => {
  const told = 'JANE 254712345678';

  it('brings its receipt, and is no second payment', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await answerQuery(store(), order.id, '0');
    expect((await books(store())).payments).toMatchObject([{ receipt: null }]);
    for (const from of [told, 'JANE  254712345678']) {
      await tell(store(), atPaybill('UJ2H08M4M3', from), NOW + 60_000);
    }
    const { payments, entitlements } = await books(store());
    expect(payments).toMatchObject([{ receipt: 'UJ2H08M4M3', state: 'settled', order_id: order.id }]);
    expect(entitlements).toHaveLength(1);
    expect(await balance(store(), 'mpesa')).toBe(2000);
    await expectProved(store());
  });

  it('does so when the phone that forwards was off for hours, and pays nothing else then', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await answerQuery(store(), order.id, '0');
    await tell(store(), atPaybill('UJ2H08M4M3', told), NOW + 5 * HOUR);
    await tell(store(), atPaybill('UJ2H08M4M4', told, 'WIFI'), NOW + 5 * HOUR);
    expect((await books(store())).payments).toMatchObject([
      { receipt: 'UJ2H08M4M3', order_id: order.id },
      { receipt: 'UJ2H08M4M4', state: 'unmatched', note: 'Its SMS is older than an order may wait.' },
    ]);
  });

  for (const [words, first] of [
    ['that fits', told],
    ['that could be of two guests', 'JANE 0712***678'],
  ] as const) {
    it(`${words}, before the query and the callback: one payment`, async () => {
      const plan = await somePlan(store());
      const order = await sentOrder(store(), plan.id, '1');
      await sentOrder(store(), plan.id, '2', { msisdn: '254712999678', mac: 'AA:BB:CC:00:00:02' });
      await tell(store(), text('UJ2H08M4M3', first));
      await answerQuery(store(), order.id, '0', NOW + 1);
      await callBack(store(), order.id, callback('1', { receipt: 'UJ2H08M4M3' }), NOW + 2);
      const { payments, entitlements } = await books(store());
      expect(payments).toMatchObject([
        { receipt: 'UJ2H08M4M3', state: 'settled', order_id: order.id, entitlement_id: entitlements[0]?.id },
      ]);
      expect(entitlements).toHaveLength(1);
      expect([await balance(store(), 'mpesa'), await balance(store(), 'unmatched')]).toEqual([2000, 0]);
      await expectProved(store());
    });
  }

  it('that could be of two wishes of one phone, before a query: the query says which, and the receipt is there', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await sentOrder(store(), plan.id, '2', { mac: 'AA:BB:CC:00:00:02' });
    await tell(store(), text('UJ2H08M4M3', told));
    expect((await books(store())).payments).toMatchObject([{ note: 'It fits more than one order.' }]);
    expect(await answerQuery(store(), order.id, '0', NOW + 1)).toMatchObject({ granted: true });
    expect((await books(store())).payments).toMatchObject([
      { receipt: 'UJ2H08M4M3', state: 'settled', order_id: order.id, checkout_request_id: 'ws_CO_1' },
    ]);
    await expectProved(store());
  });

  it('that could be of two guests, before a callback alone: the callback says whose it is', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await sentOrder(store(), plan.id, '2', { msisdn: '254712999678', mac: 'AA:BB:CC:00:00:02' });
    await tell(store(), text('UJ2H08M4M3', 'JANE 0712***678'));
    expect((await books(store())).payments).toMatchObject([{ state: 'unmatched' }]);
    const body = callback('1', { receipt: 'UJ2H08M4M3' });
    expect(await callBack(store(), order.id, body, NOW + 1)).toMatchObject({ granted: true });
    const { payments } = await books(store());
    expect(payments).toMatchObject([
      { state: 'settled', order_id: order.id, checkout_request_id: 'ws_CO_1' },
    ]);
    expect(await getOrder(store(), order.id)).toMatchObject({ state: 'paid' });
    await expectProved(store());
  });

  it('that fits two guests waits, until a person says whose it is: then it is the receipt of the one', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    const other = await sentOrder(store(), plan.id, '2', {
      msisdn: '254712999678',
      mac: 'AA:BB:CC:00:00:02',
    });
    for (const { id } of [order, other]) await answerQuery(store(), id, '0');
    await tell(store(), text('UJ2H08M4M3', 'JANE 0712***678'));
    const twin = (await books(store())).payments.find(({ state }) => state === 'unmatched');
    expect(twin).toMatchObject({ note: 'It fits more than one order.' });
    const attach = (id: string) =>
      store()
        .transaction()
        .execute((tx) => attachPayment(tx, vault, twin?.id as string, { order_id: id }, 'Owner', NOW + 2));
    const tries = await Promise.allSettled([attach(other.id), attach(order.id)]);
    expect(tries.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const { payments, entitlements, evidence } = await books(store());
    expect(payments.map(({ receipt }) => receipt).sort()).toEqual(['UJ2H08M4M3', null]);
    expect(entitlements).toHaveLength(2);
    const one = payments.find(({ receipt }) => receipt !== null);
    expect(evidence.find(({ kind }) => kind === 'sms')).toMatchObject({ payment_id: one?.id });
    expect([await balance(store(), 'mpesa'), await balance(store(), 'unmatched')]).toEqual([4000, 0]);
    await expectProved(store());
  });
});

onEveryStore('an account typed at a paybill', (store) => {
  const tellers = {
    SMS: (account: string, from: string, amount: string) =>
      tell(store(), atPaybill('UJ2H08M4M3', `JANE ${from}`, account, amount), NOW + 60_000),
    'a C2B notice': async (account: string, from: string, amount: string) => {
      const body = JSON.stringify({
        ...{
          TransID: 'UJ2H08M4M3',
          TransTime: '20270115110000',
          TransAmount: amount,
          MSISDN: hashMsisdn(from),
        },
        ...{ BusinessShortCode: '600100', BillRefNumber: account, FirstName: 'JANE' },
      });
      const about = { kind: 'c2b' as const, order_id: null, receipt: 'UJ2H08M4M3', source_address: null };
      const evidence = await keepEvidence(store(), { ...about, body }, NOW + 60_000);
      return evidence && settleEvidence(store(), vault, evidence.id, NOW + 60_000);
    },
  };
  for (const [teller, told] of Object.entries(tellers)) {
    it(`is understood alike, told by ${teller}`, async () => {
      const plan = await somePlan(store());
      const home = await somePlan(store(), { name: 'Home', kind: 'pppoe', price_cents: 150_000 });
      const { id } = await addSubscriber(store(), { name: 'Wanjiku', msisdn: null, notes: '' }, NOW);
      const account = { subscriber_id: id, username: 'wanjiku', password: 'x', kind: 'pppoe' as const };
      await createCredential(store(), vault, { ...account, device_mac: null }, NOW);
      const { codes } = await someVouchers(store(), 1, { name: 'Kiosk', price_cents: 5000 });
      await redeemVoucher(store(), vault, codes[0] as string, null, NOW);
      const cases: [string, string, object][] = [
        ['0712 345 678', '20.00', { plan_id: plan.id }],
        ['1 hour', '20.00', { plan_id: plan.id }],
        ['WANJIKU', '1500.00', { plan_id: home.id, subscriber_id: id }],
        [codes[0]?.toLowerCase() as string, '50.00', {}],
      ];
      for (const [typed, amount, expected] of cases) {
        const settled = await told(typed, '254733333333', amount);
        expect(settled?.payment, typed).toMatchObject({ state: 'settled', ...expected });
        expect(settled?.payment?.entitlement_id).not.toBeNull();
        await store().deleteFrom('ledger_lines').execute();
        await store().deleteFrom('ledger_days').execute();
        for (const table of ['ledger_entries', 'payments', 'evidence'] as const) {
          await store().deleteFrom(table).execute();
        }
      }
    });

    it(`that means nothing is the open order of its payer, told by ${teller}`, async () => {
      const plan = await somePlan(store());
      const other = await waitingOrder(store(), plan.id, {
        msisdn: '254722000111',
        mac: 'AA:BB:CC:00:00:02',
      });
      const order = await waitingOrder(store(), plan.id);
      expect(await told('WIFI', MSISDN, '20.00')).toMatchObject({ order_id: order.id, granted: true });
      expect(await getOrder(store(), other.id)).toMatchObject({ state: 'pending' });
      await expectProved(store());
    });

    it(`that means nothing and no order waits for is left to a person, told by ${teller}`, async () => {
      await waitingOrder(store(), (await somePlan(store())).id);
      expect((await told('WIFI', '254722000111', '20.00'))?.payment).toMatchObject({
        ...{ state: 'unmatched', note: 'Nothing is called “WIFI”.', account_reference: 'WIFI' },
      });
    });

    it(`that names a plan pays the order that waits for it, told by ${teller}`, async () => {
      const plan = await somePlan(store());
      await somePlan(store(), { name: 'Other' });
      const order = await waitingOrder(store(), plan.id);
      await waitingOrder(store(), (await somePlan(store(), { name: 'Third' })).id);
      expect(await told('1HOUR', MSISDN, '20.00')).toMatchObject({ order_id: order.id, granted: true });
    });
  }
});
