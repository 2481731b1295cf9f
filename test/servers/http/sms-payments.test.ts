// Payments told by a forwarder: from the operator's page to the guest who is online.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { settleEvidence } from '../../../src/billing/settle.ts';
import { HOUR_PLAN } from '../../access/fixtures.ts';
import { startApp, type TestApp } from './fixtures.ts';

let app: TestApp;
let owner: Awaited<ReturnType<TestApp['signedInAs']>>;
beforeAll(async () => {
  app = await startApp();
  owner = await app.signedInAs('owner');
});
afterAll(() => app.close());

const SMS =
  'UJ2H08M4M3 Confirmed.on 15/1/27 at 11:00 AMKsh20.00 received from 254712345678 JANE. New Account balance is Ksh1.00.';
const post = (address: string, body: unknown) =>
  app.at('callback', new URL(address).pathname, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

it('a guest is told where to pay, and the SMS of it brings them online', async () => {
  const plan = (await owner.call('POST', '/plans', HOUR_PLAN)).json;
  const buy = { plan_id: plan.id, msisdn: '0712345678', mac: 'AA:BB:CC:00:00:01' };
  const order = () =>
    app.at('portal', '/api/orders', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(buy),
    });
  expect((await order()).status).toBe(503);
  const settings = { enabled: true, pay_to: 'till', pay_to_number: '123456', pay_to_name: 'MAMA WIFI' };
  expect((await owner.call('PUT', '/settings/sms-payments', settings)).json).toMatchObject({ address: null });
  const { address } = (await owner.call('POST', '/settings/sms-payments/address', {})).json;
  const { id } = (await order()).json;
  const english = await app.at('portal', `/orders/${id}?lang=en`);
  expect(english.text).toContain('Pay KES 20 to till 123456');
  expect(english.text).toContain('MAMA WIFI');
  expect((await app.at('portal', `/orders/${id}?lang=sw`)).text).toContain('Lipa KES 20 kwa till 123456');

  expect((await post(address.slice(0, -1), { from: 'MPESA', message: SMS })).status).toBe(404);
  expect((await post(address, { from: '0700000000', message: SMS })).json).toEqual({ taken: false });
  expect((await post(address, { from: 'MPESA', message: 'Your PIN is 1234' })).json).toEqual({
    taken: false,
  });
  expect(await app.db.selectFrom('evidence').selectAll().execute()).toEqual([]);
  expect((await post(address, { from: 'MPESA', message: SMS })).json).toEqual({ taken: true });
  const [evidence] = await app.db.selectFrom('evidence').selectAll().execute();
  await settleEvidence(app.db, app.vault, evidence?.id as string, app.time.now);
  expect((await app.at('portal', `/api/orders/${id}`)).json).toMatchObject({ state: 'paid' });

  const next = (await owner.call('POST', '/settings/sms-payments/address', {})).json.address;
  expect(next).not.toBe(address);
  expect((await post(address, { from: 'MPESA', message: SMS })).status).toBe(404);
});

it('the Test button says what is read in a message', async () => {
  const test = (text: string) => owner.call('POST', '/settings/sms-payments/test', { text });
  expect((await test(SMS)).json).toMatchObject({ ok: true });
  expect((await test(SMS)).json.steps[0].message).toBe('UJ2H08M4M3: KES 20 from 254712345678 JANE');
  expect((await test('hello')).json).toMatchObject({ ok: false });
});
