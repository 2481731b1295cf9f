// Money that M-PESA sent back by itself: seen wherever it is told, taken back once, or shown to a person.
import { expect, it } from 'vitest';
import { startClaim } from '../../src/billing/claims.ts';
import { keepEvidence } from '../../src/billing/evidence.ts';
import { bookBacklog, proveLedger } from '../../src/billing/ledger-proof.ts';
import { moneyOfPullRow } from '../../src/billing/money.ts';
import { updatePaymentPolicy } from '../../src/billing/policy.ts';
import { settleEvidence } from '../../src/billing/settle.ts';
import type { Db } from '../../src/db/schema.ts';
import { parseReversalSms } from '../../src/protocols/mpesa/index.ts';
import { NOW, somePlan, vault } from '../access/fixtures.ts';
import { onEveryStore } from '../support/stores.ts';
import { balance, books, callBack, callback, sentOrder } from './fixtures.ts';

const CODE = 'UK1234ABCD';
const SMS = `UK9999ABCD Confirmed. Reversal of transaction ${CODE} has been successfully reversed on 15/1/27 at 11:30 AM and Ksh20.00 is debited from your M-PESA account. New M-PESA account balance is Ksh5.00.`;
const SHORT = `UK9999ABCD confirmed. Transaction ${CODE.toLowerCase()} has been reversed.`;

it('an SMS of a reversal names the code that went back; one of money that came back to the reader does not', () => {
  expect(parseReversalSms(SMS)).toEqual({ of: CODE, amount_cents: 2000 });
  expect(parseReversalSms(SHORT)).toEqual({ of: CODE, amount_cents: undefined });
  for (const other of [
    SMS.replace('debited from', 'credited to'),
    SMS.replace('UK9999ABCD Confirmed. ', ''),
    'UJ2H08M4M3 Confirmed.You have received Ksh20.00 from JANE 0712345678 on 2/10/26 at 7:37 PM',
  ]) {
    expect(parseReversalSms(other), other).toBeUndefined();
  }
});

onEveryStore('money that went back', (store) => {
  const tell = async (kind: 'sms' | 'pull' | 'transaction_status', body: string) => {
    const about = { kind, order_id: null, receipt: CODE, source_address: null };
    const evidence = await keepEvidence(store(), { ...about, body }, NOW + 1000);
    return evidence && settleEvidence(store(), vault, evidence.id, NOW + 1000);
  };
  const pulledRow = (amount?: number) =>
    JSON.stringify(
      moneyOfPullRow({
        ...{ receipt: 'UK9999ABCD', amount_raw: '-20.00', account_reference: CODE },
        ...{ transaction_type: 'Transaction Reversal', sender: '', organization_name: '' },
        ...(amount === undefined ? {} : { amount_cents: amount }),
        transaction_time_raw: '',
      }),
    );
  const status = (amount: number) => {
    const parameters = { TransactionStatus: 'Reversed', ReceiptNo: CODE, Amount: amount };
    const ResultParameter = Object.entries(parameters).map(([Key, Value]) => ({ Key, Value }));
    const result = { ResultType: 0, ResultCode: 0, ResultDesc: '', ResultParameters: { ResultParameter } };
    return JSON.stringify({ Result: result });
  };
  /** Each with the whole sum and with a part of it. */
  const tellers: Record<string, [Parameters<typeof tell>[0], string, string]> = {
    'a forwarded SMS': ['sms', SMS, SMS.replace('Ksh20.00', 'Ksh15.00')],
    'an SMS without the sum': ['sms', SHORT, SMS.replace('Ksh20.00', 'Ksh5.00')],
    'a pulled row': ['pull', pulledRow(2000), pulledRow(1500)],
    'a pulled row without a sum': ['pull', pulledRow(2000), pulledRow()],
    'a status': ['transaction_status', status(20), status(15)],
  };

  async function sale(db: Db) {
    const order = await sentOrder(db, (await somePlan(db)).id, '1');
    await callBack(db, order.id, callback('1'));
  }

  for (const [teller, [kind, whole, part]] of Object.entries(tellers)) {
    it(`told by ${teller} takes back what it gave, once`, async () => {
      await sale(store());
      await tell(kind, whole);
      await tell(kind, `${whole} `);
      const { payments, entitlements, evidence } = await books(store());
      expect(payments).toMatchObject([{ receipt: CODE, state: 'reversed' }]);
      expect(entitlements).toMatchObject([{ state: 'revoked', end_reason: 'reversed' }]);
      expect(evidence.map(({ state }) => state).sort()).toEqual(['duplicate', 'used', 'used']);
      expect(await balance(store(), 'mpesa')).toBe(0);
      await bookBacklog(store());
      expect(await proveLedger(store(), NOW)).toMatchObject({ ok: true, problems: [] });
    });

    it(`in part, told by ${teller}, is shown to a person`, async () => {
      await sale(store());
      await tell(kind, part);
      const { payments, entitlements, evidence } = await books(store());
      expect(payments).toMatchObject([{ state: 'settled' }]);
      expect(entitlements).toMatchObject([{ state: 'waiting' }]);
      const told = evidence.find((one) => one.kind === kind);
      expect(told).toMatchObject({ state: 'quarantined', payment_id: payments[0]?.id });
      expect(told?.summary).toMatch(/of KES 20 went back/);
    });
  }

  it('is no money that came, where nobody knows its code', async () => {
    await somePlan(store());
    await tell('pull', pulledRow(2000));
    const { payments, evidence } = await books(store());
    expect(payments).toEqual([]);
    expect(evidence).toMatchObject([{ state: 'quarantined' }]);
  });

  it('ends the claim on its code', async () => {
    await updatePaymentPolicy(store(), { paste_minutes: 5 }, NOW);
    await somePlan(store());
    const claim = { receipt: CODE, mac: 'AA:BB:CC:00:00:09', ip: null, router_id: null };
    await startClaim(store(), vault, claim, NOW);
    await tell('transaction_status', status(20));
    expect(await store().selectFrom('claims').selectAll().execute()).toMatchObject([{ state: 'refused' }]);
  });
});
