// Shows that STK callbacks are read alike in every shape they come in.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseStkCallback } from '../../../src/protocols/mpesa/callback.ts';

const vector = (name: string) =>
  readFileSync(new URL(`../../vectors/mpesa/${name}`, import.meta.url), 'utf8');
const success = vector('stk-callback-success-2023.json');

type Item = { Name: string; Value?: unknown };
type Body = { Body: { stkCallback: Record<string, unknown> & { CallbackMetadata: { Item: Item[] } } } };

function changed(change: (callback: Body['Body']['stkCallback']) => void) {
  const body = JSON.parse(success) as Body;
  change(body.Body.stkCallback);
  return parseStkCallback(JSON.stringify(body));
}

function setItem(name: string, value: unknown) {
  return changed((callback) => {
    callback.CallbackMetadata.Item = callback.CallbackMetadata.Item.map((item) =>
      item.Name === name ? { Name: name, Value: value } : item,
    );
  });
}

const expected = {
  ok: true,
  paid: true,
  merchant_request_id: '96657-188398728-1',
  checkout_request_id: 'ws_CO_10122023133400273768130105',
  result_code: '0',
  result_desc: 'The service request is processed successfully.',
  amount_cents: 100,
  amount_raw: '1',
  receipt: 'RLA0R69NXM',
  transaction_at: Date.UTC(2023, 11, 10, 10, 34, 16),
  transaction_date_raw: '20231210133416',
  msisdn: '254768130105',
  oddities: [],
};

describe('an STK callback', () => {
  it('is read from a production capture', () => {
    expect(parseStkCallback(success)).toEqual(expected);
  });

  it('of a cancelled prompt has no money in it', () => {
    expect(parseStkCallback(vector('stk-callback-cancelled.json'))).toEqual({
      ok: true,
      paid: false,
      merchant_request_id: '5dbd-4f93-a478-41cdaf2b9acd86873',
      checkout_request_id: 'ws_CO_180920261803512708374149',
      result_code: '1032',
      result_desc: 'Request cancelled by user',
      oddities: [],
    });
  });

  it('reads the same with its items reversed', () => {
    expect(changed((callback) => callback.CallbackMetadata.Item.reverse())).toEqual(expected);
  });

  it('reads the same with every value a string', () => {
    const parsed = changed((callback) => {
      callback.ResultCode = '0';
      callback.CallbackMetadata.Item = callback.CallbackMetadata.Item.map((item) =>
        item.Value === undefined ? item : { ...item, Value: String(item.Value) },
      );
    });
    expect(parsed).toEqual(expected);
  });

  it.each([
    ['"Value":1}', '"Value":1.00}'],
    ['"Value":1}', '"Value":"1.00"}'],
  ])('compares the amount as a decimal: %s as %s', (from, to) => {
    expect(parseStkCallback(success.replace(from, to))).toMatchObject({ amount_cents: 100, oddities: [] });
  });

  it.each([['10.50'], [-5], [0], ['1e3'], ['abc'], [0.5]])('does not take %s for an amount', (amount) => {
    const parsed = setItem('Amount', amount);
    expect(parsed).toMatchObject({ paid: true, amount_raw: String(amount) });
    expect(parsed).not.toHaveProperty('amount_cents');
    expect(parsed).toMatchObject({ oddities: ['the amount is not whole shillings'] });
  });

  it.each([['2547*****105'], ['254******105'], [25476813], ['c'.repeat(64)]])(
    'leaves out the phone number %s',
    (phone) => {
      const parsed = setItem('PhoneNumber', phone);
      expect(parsed).toMatchObject({ paid: true, receipt: 'RLA0R69NXM' });
      expect(parsed).not.toHaveProperty('msisdn');
    },
  );

  it('without a receipt is still a callback, and says so', () => {
    const parsed = changed((callback) => {
      callback.CallbackMetadata.Item = callback.CallbackMetadata.Item.filter(
        (item) => item.Name !== 'MpesaReceiptNumber',
      );
    });
    expect(parsed).toMatchObject({ ok: true, paid: true, oddities: ['no receipt'] });
    expect(parsed).not.toHaveProperty('receipt');
  });

  it('without any metadata on success is still a callback, and says so', () => {
    const parsed = changed((callback) => {
      delete (callback as Record<string, unknown>).CallbackMetadata;
    });
    expect(parsed).toMatchObject({ ok: true, paid: true, oddities: ['no amount', 'no receipt'] });
  });

  it('with a date that does not exist keeps only its text', () => {
    const parsed = setItem('TransactionDate', 20231340133416);
    expect(parsed).toMatchObject({ transaction_date_raw: '20231340133416' });
    expect(parsed).not.toHaveProperty('transaction_at');
  });

  it('keeps a code that is not a number', () => {
    expect(changed((callback) => Object.assign(callback, { ResultCode: 'SFC_IC0003' }))).toMatchObject({
      paid: false,
      result_code: 'SFC_IC0003',
    });
  });

  it.each([
    ['', 'empty'],
    ['   \n', 'empty'],
    ['{"Body":', 'not_json'],
    ['<html><body>502</body></html>', 'not_json'],
    ['null', 'not_a_callback'],
    ['[]', 'not_a_callback'],
    ['{"Body":null}', 'not_a_callback'],
    ['{"Body":{"stkCallback":[]}}', 'not_a_callback'],
    ['{"Body":{"stkCallback":{"ResultCode":0}}}', 'no_checkout_id'],
    ['{"Body":{"stkCallback":{"CheckoutRequestID":"ws_CO_1"}}}', 'no_result_code'],
    ['{"Body":{"stkCallback":{"CheckoutRequestID":"ws_CO_1","ResultCode":null}}}', 'no_result_code'],
    [`{"Body":"${'x'.repeat(5_000_000)}"}`, 'too_large'],
  ])('that is none is named: case %#', (body, problem) => {
    expect(parseStkCallback(body)).toEqual({ ok: false, problem });
  });

  it('never throws on metadata of the wrong shape', () => {
    for (const metadata of [null, [], 'x', 7, { Item: null }, { Item: 'x' }, { Item: [null, 1, [], {}] }]) {
      const parsed = changed((callback) => Object.assign(callback, { CallbackMetadata: metadata }));
      expect(parsed).toMatchObject({ ok: true, paid: true });
    }
  });
});
