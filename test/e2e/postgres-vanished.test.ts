// PostgreSQL vanishes without closing anything, and comes back: nothing hangs, nothing acknowledged is lost.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PostgresCluster, startPostgres } from '../../scripts/postgres.mjs';
import { Code } from '../../src/protocols/radius/packet.ts';
import { type BlackHole, openBlackHole } from '../support/black-hole.ts';
import { type List, send } from './support/api.ts';
import { hasPostgres, isAccept, type Nas, openNas, sessionOf } from './support/nodes.ts';
import { openShop, order, orderIn, type Shop } from './support/shop.ts';
import { until } from './support/until.ts';

const MAC = '5A:00:00:00:00:01';
/** Longer than the program's own patience with a statement. */
const SECONDS = 60;

let postgres: PostgresCluster;
let hole: BlackHole;
let shop: Shop;
let nas: Nas;
beforeAll(async () => {
  if (!hasPostgres) return;
  postgres = await startPostgres();
  hole = await openBlackHole(Number(new URL(postgres.url).port));
  const url = new URL(postgres.url);
  url.port = String(hole.port);
  shop = await openShop({ KARIBU_DATABASE_URL: url.href });
  nas = openNas();
});
afterAll(async () => {
  if (!hasPostgres) return;
  await nas.close();
  await shop.close();
  await hole.close();
  postgres.stop();
});

interface Problem {
  code: string;
  detail: string;
}

test.runIf(hasPostgres)(
  'a node whose PostgreSQL vanished answers nobody wrongly, says so, and goes on by itself',
  async () => {
    const { karibu, api, plan, mpesa } = shop;
    mpesa.setKnobs({ outcome: '0' });
    const bought = await order(karibu, plan, '0747000001', MAC);
    const { username, password } = await orderIn(karibu, bought.id, 'paid');
    const logIn = (timeoutMs = 10_000) =>
      nas.logIn([karibu], username!, password!, MAC, { timeoutMs, attempts: 1 });
    const accept = await until('an Accept', async () => {
      const packet = await logIn();
      return isAccept(packet) ? packet : undefined;
    });
    const session = sessionOf(accept, '82000001', username!, MAC);
    expect(await nas.account([karibu], session, 'start')).toBe(true);
    expect(await nas.account([karibu], session, 'interim', { seconds: 60, download: 1000 })).toBe(true);
    mpesa.resetKnobs();
    const paying = await order(karibu, plan, '0747000002');
    const { checkout_request_id } = await mpesa.waitForPrompt(({ msisdn }) => msisdn === '254747000002');

    hole.swallow();
    const once = { timeoutMs: 100, attempts: 1 };
    for (let asked = 0; asked < 30; asked++) expect(await logIn(once.timeoutMs)).toBeUndefined();
    expect(await nas.account([karibu], session, 'interim', { seconds: 90, download: 2000 }, once)).toBe(
      false,
    );
    const refused = await send<Problem>('GET', `http://${karibu.portal}/api/plans`);
    expect(refused.status).toBe(503);
    expect(refused.body).toMatchObject({
      code: 'unavailable',
      detail: expect.stringMatching(/does not answer/),
    });
    const health = await until(
      'the health page says so',
      async () => {
        const { body } = await send<{ ok: boolean; store: { problem?: string } }>(
          'GET',
          `http://${karibu.admin}/healthz`,
        );
        return body.store.problem ? body : undefined;
      },
      SECONDS,
    );
    expect(health).toMatchObject({ ok: true, store: { ok: false, problem: 'away' } });
    // M-PESA tells of money once.
    mpesa.answer(checkout_request_id, { action: 'pin', pin: '1234' });
    const { callbacks } = await mpesa.waitForCallbacks(checkout_request_id);
    expect(callbacks).toMatchObject([{ http_status: 200 }]);

    hole.reopen();
    const back = await until('an answer', () => logIn(2500), SECONDS);
    expect(back.code).toBe(Code.AccessAccept);
    await until(
      'accounting is acknowledged',
      () =>
        nas.account(
          [karibu],
          session,
          'interim',
          { seconds: 120, download: 3000 },
          { timeoutMs: 2500, attempts: 1 },
        ),
      SECONDS,
    );
    const sessions = await until(
      'the admin answers',
      () => api.get<List<object>>('/sessions').catch(() => undefined),
      SECONDS,
    );
    expect(sessions.items).toMatchObject([
      { acct_session_id: '82000001', state: 'open', session_seconds: 120, download_octets: 3000 },
    ]);
    await orderIn(karibu, paying.id, 'paid', SECONDS);
    await until('the notice is in the store', () => /notices brought into the store/.test(karibu.output()));
    await until(
      'it says that all is well',
      async () => {
        const { body } = await send<{ store: { ok: boolean } }>('GET', `http://${karibu.admin}/healthz`);
        return body.store.ok;
      },
      SECONDS,
    );
    mpesa.setKnobs({ outcome: '0' });
    const next = await order(karibu, plan, '0747000004');
    await orderIn(karibu, next.id, 'paid');
    expect(karibu.isRunning()).toBe(true);
    expect(karibu.output().match(/The database does not answer: nothing/g)).toHaveLength(1);
    expect(karibu.output().match(/The database answers again/g)).toHaveLength(1);
  },
);
