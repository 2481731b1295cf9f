// Money that names its M-PESA code: twins of a push, payments by hand, accounts of every kind, nobody's money.
import { expect, it } from 'vitest';
import { createCredential } from '../../src/access/credentials.ts';
import { addSubscriber } from '../../src/access/subscribers.ts';
import { redeemVoucher } from '../../src/access/vouchers.ts';
import { readCode, refuseClaim, startClaim } from '../../src/billing/claims.ts';
import { keepEvidence } from '../../src/billing/evidence.ts';
import { getOrder, startOrder } from '../../src/billing/orders.ts';
import { updatePaymentPolicy } from '../../src/billing/policy.ts';
import { settleEvidence } from '../../src/billing/settle.ts';
import type { Db } from '../../src/db/schema.ts';
import { writeSetting } from '../../src/db/settings.ts';
import { hashMsisdn } from '../../src/lib/msisdn.ts';
import { NOW, somePlan, someVouchers, vault } from '../access/fixtures.ts';
import { onEveryStore } from '../support/stores.ts';
import { answerQuery, books, callBack, callback, MSISDN, orderFor, sentOrder } from './fixtures.ts';

const MINUTE = 60_000;
const HASH = hashMsisdn(MSISDN);

/** A confirmation as Daraja sends it (payments.md §1.8); NOW is 2027-01-15 11:00:00 in Nairobi. */
function confirmation(change: Record<string, unknown> = {}): string {
  return JSON.stringify({
    TransactionType: 'Pay Bill',
    TransID: 'VAF1234XYZ',
    TransTime: '20270115110100',
    TransAmount: '20.00',
    BusinessShortCode: '600100',
    BillRefNumber: '',
    InvoiceNumber: '',
    OrgAccountBalance: '25.00',
    ThirdPartyTransID: '',
    MSISDN: HASH,
    FirstName: 'ACHIENG',
    ...change,
  });
}

async function announce(db: Db, change: Record<string, unknown> = {}, now = NOW + MINUTE, doubt?: string) {
  const body = confirmation(change);
  const receipt = (change.TransID as string) ?? 'VAF1234XYZ';
  const about = { kind: 'c2b' as const, order_id: null, body, receipt, source_address: '196.201.214.200' };
  const evidence = await keepEvidence(db, { ...about, doubt }, now);
  return evidence && settleEvidence(db, vault, evidence.id, now);
}

async function pulled(db: Db, change: Record<string, unknown> = {}, now = NOW + 5 * MINUTE) {
  const row = {
    ...{ receipt: 'VAF1234XYZ', amount_cents: 2000, account_reference: '', payer_name: 'ACHIENG' },
    ...{ at: NOW + MINUTE, msisdn_sha256: HASH, ...change },
  };
  const about = { kind: 'pull' as const, order_id: null, receipt: row.receipt, source_address: null };
  const evidence = await keepEvidence(db, { ...about, body: JSON.stringify(row) }, now);
  return evidence && settleEvidence(db, vault, evidence.id, now);
}

onEveryStore('money by its code', (store) => {
  it('callback, confirmation and pull of one push are one payment, in whichever order they come', async () => {
    const plan = await somePlan(store());
    const tellers = [
      (order: { id: string; n: number; ref: string; receipt: string }) =>
        callBack(
          store(),
          order.id,
          callback(`${order.n}`, { receipt: order.receipt, phone: null }),
          NOW + MINUTE,
        ),
      (order: { id: string; n: number; ref: string; receipt: string }) =>
        announce(store(), { TransID: order.receipt, BillRefNumber: order.ref }, NOW + MINUTE + 1),
      (order: { id: string; n: number; ref: string; receipt: string }) =>
        pulled(store(), { receipt: order.receipt, account_reference: order.ref }, NOW + MINUTE + 2),
      (order: { id: string; n: number; ref: string; receipt: string }) =>
        answerQuery(store(), order.id, '0', NOW + MINUTE + 3),
    ];
    const turns = [0, 1, 2, 3].flatMap((a) =>
      [0, 1, 2, 3].flatMap((b) =>
        a === b ? [] : [[a, b, ...[0, 1, 2, 3].filter((c) => c !== a && c !== b)]],
      ),
    );
    for (const [n, turn] of turns.entries()) {
      const order = await sentOrder(store(), plan.id, `${n}`, {
        msisdn: `2547100000${String(n).padStart(2, '0')}`,
      });
      const told = {
        id: order.id,
        n,
        ref: `1hour${order.short_code}`,
        receipt: `VAF12340${String(n).padStart(2, '0')}`,
      };
      for (const which of turn) await tellers[which]?.(told);
      const payments = await store()
        .selectFrom('payments')
        .selectAll()
        .where('order_id', '=', order.id)
        .execute();
      expect(payments, `turn ${turn.join('')}`).toMatchObject([{ receipt: told.receipt, state: 'settled' }]);
      expect((await getOrder(store(), order.id)).state).toBe('paid');
    }
    const { entitlements, payments } = await books(store());
    expect(payments).toHaveLength(turns.length);
    expect(entitlements).toHaveLength(turns.length);
  });

  it('a push whose answer and callback were both lost is found by its account, and by phone, amount and time', async () => {
    const plan = await somePlan(store());
    const one = await startOrder(store(), orderFor(plan.id), NOW);
    await pulled(store(), {
      account_reference: `1hour${one.order.short_code?.toLowerCase()}`,
      msisdn_sha256: undefined,
    });
    expect((await getOrder(store(), one.order.id)).state).toBe('paid');
    const two = await startOrder(store(), orderFor(plan.id), NOW + 1);
    await pulled(store(), { receipt: 'VAF2222XYZ' });
    expect((await getOrder(store(), two.order.id)).state).toBe('paid');
    expect((await books(store())).payments.every((one) => one.state === 'settled')).toBe(true);
  });

  it('a masked payer fits one order, or nobody’s', async () => {
    const plan = await somePlan(store());
    const one = await startOrder(store(), orderFor(plan.id), NOW);
    await announce(store(), { MSISDN: '2547 ***** 678' });
    expect((await getOrder(store(), one.order.id)).state).toBe('paid');
    await startOrder(store(), orderFor(plan.id, { msisdn: '254711111111' }), NOW);
    await startOrder(store(), orderFor(plan.id, { msisdn: '254722222111' }), NOW);
    await announce(store(), { TransID: 'VAF3333XYZ', MSISDN: '2547*****111' });
    const { payments } = await books(store());
    expect(payments.map((payment) => payment.state).sort()).toEqual(['settled', 'unmatched']);
  });

  it('a number, a PPPoE account, a redeemed voucher and a plan’s name as the account each buy', async () => {
    const plan = await somePlan(store());
    const home = await somePlan(store(), { name: 'Home', kind: 'pppoe', price_cents: 150_000 });
    const subscriber = await addSubscriber(store(), { name: 'Wanjiku', msisdn: null, notes: '' }, NOW);
    const account = {
      subscriber_id: subscriber.id,
      username: 'wanjiku',
      password: 'x',
      kind: 'pppoe' as const,
    };
    const credential = await createCredential(store(), vault, { ...account, device_mac: null }, NOW);
    const { codes } = await someVouchers(store(), 1, { name: 'Kiosk', price_cents: 5000 });
    const redeemed = await redeemVoucher(store(), vault, codes[0] as string, null, NOW);
    const unknown = hashMsisdn('254733333333');
    const cases: [Record<string, unknown>, object][] = [
      [{ BillRefNumber: ' 0712 345 678' }, { plan_id: plan.id }],
      [
        { BillRefNumber: 'WANJIKU ', TransAmount: '1500.00', MSISDN: unknown },
        { plan_id: home.id, subscriber_id: subscriber.id },
      ],
      [{ BillRefNumber: codes[0]?.toLowerCase(), TransAmount: '50.00', MSISDN: unknown }, {}],
      [{ BillRefNumber: '1 hour', MSISDN: unknown }, { plan_id: plan.id }],
    ];
    for (const [n, [change, expected]] of cases.entries()) {
      const settled = await announce(store(), { TransID: `VAF000000${n}`, ...change });
      expect(settled?.payment, JSON.stringify(change)).toMatchObject({ state: 'settled', ...expected });
      expect(settled?.payment?.entitlement_id).not.toBeNull();
    }
    const { entitlements } = await books(store());
    expect(entitlements.filter((one) => one.source === 'payment')).toHaveLength(4);
    expect(entitlements.some((one) => one.credential_id === credential.id)).toBe(true);
    if (!redeemed.redeemed) throw new Error('not redeemed');
    const of = redeemed.entitlement.credential_id;
    expect(entitlements.filter((one) => one.credential_id === of)).toHaveLength(2);
    const messages = await store().selectFrom('messages').selectAll().execute();
    expect(messages).toMatchObject([
      { recipient: MSISDN, state: 'queued', body: expect.stringContaining('VAF0000000') },
    ]);
  });

  it('nothing typed at a till: a number that our guests gave is known by its hash, another is not', async () => {
    await somePlan(store());
    const guest = await addSubscriber(store(), { name: null, msisdn: MSISDN, notes: '' }, NOW);
    const till = { TransactionType: 'Customer Merchant Payment', BillRefNumber: '' };
    expect((await announce(store(), till))?.payment).toMatchObject({
      state: 'settled',
      subscriber_id: guest.id,
    });
    const stranger = { ...till, TransID: 'VAF9999XYZ', MSISDN: hashMsisdn('254799999999') };
    expect((await announce(store(), stranger))?.payment).toMatchObject({
      ...{ state: 'unmatched', subscriber_id: null, payer_name: 'ACHIENG' },
    });
  });

  it('an account that nothing is called by, and an amount that no plan costs, wait for a person', async () => {
    await somePlan(store());
    await addSubscriber(store(), { name: null, msisdn: MSISDN, notes: '' }, NOW);
    await announce(store(), { BillRefNumber: 'wanjikuu' });
    await announce(store(), { TransID: 'VAF9999XYZ', TransAmount: '33.00' });
    const { payments, entitlements } = await books(store());
    expect(entitlements).toEqual([]);
    expect(payments.map((payment) => payment.state)).toEqual(['unmatched', 'unmatched']);
    expect(payments.map((payment) => payment.note).sort()).toEqual([
      'No single plan costs KES 33.',
      'Nothing is called “wanjikuu”.',
    ]);
  });

  it('a confirmation for another shortcode is kept aside', async () => {
    await somePlan(store());
    await writeSetting(
      store(),
      'mpesa',
      { environment: 'production', shortcode: '700700', till_number: null },
      NOW,
    );
    await announce(store(), { BillRefNumber: '0712345678' });
    const { payments, evidence } = await books(store());
    expect(payments).toEqual([]);
    expect(evidence).toMatchObject([{ state: 'quarantined', summary: 'It is for the shortcode 600100.' }]);
  });

  it('a confirmation from a foreign source gives nothing until a pull tells of the same money', async () => {
    await somePlan(store());
    await announce(store(), { BillRefNumber: '0712345678' }, NOW + MINUTE, 'It comes from 203.0.113.9.');
    expect((await books(store())).payments).toEqual([]);
    expect((await books(store())).evidence).toMatchObject([{ state: 'waiting' }]);
    await pulled(store(), { account_reference: '0712345678' });
    const { payments, entitlements, evidence } = await books(store());
    expect(payments).toMatchObject([{ state: 'settled' }]);
    expect(entitlements).toHaveLength(1);
    expect(evidence.map((one) => one.state).sort()).toEqual(['duplicate', 'used']);
  });

  for (const [policy, states, grants] of [
    ['stack', ['settled', 'settled'], 2],
    ['wait', ['settled', 'unmatched'], 1],
  ] as const) {
    it(`a second payment for one order, by push and by hand: ${policy}`, async () => {
      await updatePaymentPolicy(store(), { second_payment: policy }, NOW);
      const plan = await somePlan(store());
      const order = await sentOrder(store(), plan.id, '1');
      await callBack(store(), order.id, callback('1'));
      await announce(store(), { BillRefNumber: order.short_code });
      const { payments, entitlements } = await books(store());
      expect(payments.map((payment) => payment.state)).toEqual(states);
      expect(entitlements).toHaveLength(grants);
      expect(new Set(entitlements.map((one) => one.credential_id)).size).toBe(1);
    });
  }

  it('paid by hand while the push was open, and then the push as well: both are in the books', async () => {
    const plan = await somePlan(store());
    const order = await sentOrder(store(), plan.id, '1');
    await announce(store(), { BillRefNumber: '0712345678', MSISDN: '' });
    expect((await getOrder(store(), order.id)).state).toBe('paid');
    await callBack(store(), order.id, callback('1'), NOW + 2 * MINUTE);
    const { payments, entitlements } = await books(store());
    expect(payments.map((payment) => payment.receipt).sort()).toEqual(['UK1234ABCD', 'VAF1234XYZ']);
    expect(payments.every((payment) => payment.state === 'settled')).toBe(true);
    expect(entitlements).toHaveLength(2);
  });
});

onEveryStore('a pasted code', (store) => {
  const claim = (change = {}) =>
    startClaim(
      store(),
      vault,
      { receipt: 'VAF1234XYZ', mac: 'AA:BB:CC:00:00:09', ip: null, router_id: null, ...change },
      NOW,
    );

  it('is read out of the SMS around it, and out of nothing else', () => {
    const sms =
      'VAF1234XYZ Confirmed. Ksh20.00 sent to KARIBU WIFI for account 1hour on 15/1/27 at 11:01 AM. New M-PESA balance is Ksh480.00.';
    expect(readCode(sms)).toBe('VAF1234XYZ');
    expect(readCode(' vaf1234xyz ')).toBe('VAF1234XYZ');
    // One in ten has no digit.
    expect(readCode('UKLODQGXDW')).toBe('UKLODQGXDW');
    expect(readCode('UKLODQGXDW Confirmed. Ksh20.00 sent to KARIBU WIFI')).toBe('UKLODQGXDW');
    expect(readCode('I have PAIDALREADY')).toBeUndefined();
    for (const text of ['', 'hello', '0712345678', 'VAF1234XYZ UBF1234XYZ', 'VAF1234XY', 'CONFIRMEDX']) {
      expect(readCode(text), text).toBeUndefined();
    }
  });

  it('alone is never money: no payment, no access, unless the operator gives some minutes', async () => {
    await somePlan(store());
    expect(await claim()).toMatchObject({ state: 'waiting', entitlement_id: null });
    const { payments, entitlements } = await books(store());
    expect([payments, entitlements]).toEqual([[], []]);
  });

  it('opens slow minutes at once, which become the plan when the money is seen', async () => {
    await updatePaymentPolicy(store(), { paste_minutes: 5, paste_kbps: 256 }, NOW);
    const plan = await somePlan(store());
    const made = await claim();
    const [slow] = (await books(store())).entitlements;
    expect(slow).toMatchObject({
      validity_seconds: 300,
      rate_down_kbps: 256,
      rate_up_kbps: 256,
      max_devices: 1,
    });
    await pulled(store());
    const { payments, entitlements } = await books(store());
    expect(payments).toMatchObject([{ state: 'settled', plan_id: plan.id }]);
    const after = await store().selectFrom('claims').selectAll().executeTakeFirstOrThrow();
    expect(after).toMatchObject({ state: 'confirmed', payment_id: payments[0]?.id });
    const bought = entitlements.find((one) => one.id === payments[0]?.entitlement_id);
    expect(bought).toMatchObject({
      credential_id: made.credential_id,
      validity_seconds: 3600,
      rate_down_kbps: 5000,
    });
    expect(entitlements.find((one) => one.id === slow?.id)).toMatchObject({ state: 'revoked' });
  });

  it('that nothing confirms ends what it gave and flags the device; it opens nothing again', async () => {
    await updatePaymentPolicy(store(), { paste_minutes: 5 }, NOW);
    await somePlan(store());
    const { receipt } = await claim();
    expect(await refuseClaim(store(), receipt, 'M-PESA does not know it.', NOW + MINUTE)).toBe(true);
    expect(await refuseClaim(store(), receipt, 'again', NOW + MINUTE)).toBe(false);
    expect((await books(store())).entitlements).toMatchObject([{ state: 'revoked', end_reason: 'not_paid' }]);
    await expect(claim()).rejects.toThrow('M-PESA does not know this code.');
    expect(await claim({ receipt: 'VAF5555XYZ' })).toMatchObject({ entitlement_id: null });
  });

  it('is pasted once: another phone is told so, the same one joins', async () => {
    await updatePaymentPolicy(store(), { paste_minutes: 5 }, NOW);
    await somePlan(store());
    const made = await claim();
    expect((await claim()).id).toBe(made.id);
    await expect(claim({ mac: 'AA:BB:CC:00:00:10' })).rejects.toThrow('another phone');
    expect((await books(store())).entitlements).toHaveLength(1);
  });

  it('claimed by several at once opens one access', async () => {
    await updatePaymentPolicy(store(), { paste_minutes: 5 }, NOW);
    await somePlan(store());
    const tries = await Promise.allSettled([1, 2, 3].map((n) => claim({ mac: `AA:BB:CC:00:00:0${n}` })));
    expect(tries.filter((one) => one.status === 'fulfilled')).toHaveLength(1);
    expect((await books(store())).entitlements).toHaveLength(1);
  });
});
