// An unmatched payment over the API: attached once by who may, or sent back once M-PESA is set up.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { HOUR_PLAN, NOW } from '../../access/fixtures.ts';
import { answerQuery, callBack, callback, sentOrder } from '../../billing/fixtures.ts';
import { startApp, type TestApp } from './fixtures.ts';

let app: TestApp;
let owner: Awaited<ReturnType<TestApp['signedInAs']>>;
let cashier: Awaited<ReturnType<TestApp['signedInAs']>>;
let plan: string;
beforeAll(async () => {
  app = await startApp();
  owner = await app.signedInAs('owner');
  cashier = await app.signedInAs('cashier');
  plan = (await owner.call('POST', '/plans', HOUR_PLAN)).json.id;
});
afterAll(() => app.close());

/** KES 30 for an order of KES 20. */
async function unmatched(name: string): Promise<{ id: string; order: string }> {
  const order = await sentOrder(app.db, plan, name);
  await callBack(app.db, order.id, callback(name, { amount: 30, receipt: `UK1234${name}` }));
  await answerQuery(app.db, order.id, '0', NOW + 1);
  const { items } = (await owner.call('GET', '/payments?state=unmatched')).json;
  expect(items).toHaveLength(1);
  return { id: items[0].id, order: order.id };
}

it('a cashier attaches it to its order, once, and the audit says so', async () => {
  const { id, order } = await unmatched('AAAA');
  const attach = (body: unknown) => cashier.call('POST', `/payments/${id}/attach`, body);
  expect((await attach({ order_id: order, plan_id: plan })).status).toBe(400);
  expect((await attach({ order_id: order })).json).toMatchObject({
    ...{ state: 'settled', order_id: order, resolved_by: cashier.account.email },
  });
  expect((await attach({ order_id: order })).status).toBe(409);
  const { items } = (await owner.call('GET', `/audit?entity=payment&entity_id=${id}`)).json;
  expect(items).toMatchObject([{ action: 'attach', before: { state: 'unmatched' } }]);
});

it('it goes to a home’s PPPoE credential, and to nobody else’s', async () => {
  const { id } = await unmatched('BBBB');
  const home = async (username: string, msisdn: string) => {
    const subscriber = (await owner.call('POST', '/subscribers', { name: username, msisdn })).json.id;
    const body = { subscriber_id: subscriber, kind: 'pppoe', username, password: 'nenosiri-1' };
    return { subscriber, credential: (await owner.call('POST', '/credentials', body)).json.id };
  };
  const [wanjiku, otieno] = [await home('wanjiku', '0722000111'), await home('otieno', '0722000222')];
  const month = { ...HOUR_PLAN, name: 'Month', kind: 'pppoe' };
  const homePlan = (await owner.call('POST', '/plans', month)).json.id;
  const attach = (credential_id: string | undefined, plan_id = homePlan) =>
    cashier.call('POST', `/payments/${id}/attach`, {
      ...{ subscriber_id: wanjiku.subscriber, plan_id, credential_id },
    });
  expect(await attach(otieno.credential)).toMatchObject({
    status: 400,
    json: { fields: { credential_id: expect.any(String) } },
  });
  // A home has a home's plan, and the hotspot one of its own; what is refused stays unmatched.
  const misfit = { status: 409, json: { code: 'conflict', fields: { plan_id: expect.any(String) } } };
  expect(await attach(wanjiku.credential, plan)).toMatchObject(misfit);
  expect(await attach(undefined)).toMatchObject(misfit);
  const { items: credentials } = (await owner.call('GET', `/subscribers/${wanjiku.subscriber}/credentials`))
    .json;
  expect(credentials).toMatchObject([{ kind: 'pppoe' }]);
  expect((await attach(wanjiku.credential)).json).toMatchObject({
    ...{ state: 'settled', subscriber_id: wanjiku.subscriber },
  });
  const { items } = (await owner.call('GET', `/subscribers/${wanjiku.subscriber}/entitlements`)).json;
  expect(items).toMatchObject([{ username: 'wanjiku', source: 'payment' }]);
});

it('it is not sent back while M-PESA is not set up, nor by a cashier', async () => {
  const { id } = await unmatched('CCCC');
  const remarks = { remarks: 'Paid twice' };
  expect((await cashier.call('POST', `/payments/${id}/reverse`, remarks)).status).toBe(403);
  expect(await owner.call('POST', `/payments/${id}/reverse`, remarks)).toMatchObject({
    status: 409,
    json: { detail: 'M-PESA is not set up.' },
  });
  expect((await owner.call('GET', `/payments/${id}`)).json).toMatchObject({
    state: 'unmatched',
    reversal: null,
  });
});
