// The compiled binary on PostgreSQL: two of them share one store, and still everything happens once.
import { existsSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type List, send, signIn } from './support/api.ts';
import { expectBooksAgree } from './support/books.ts';
import { type Karibu, startKaribu } from './support/karibu.ts';
import { openShop, order, orderIn, type Shop } from './support/shop.ts';
import { until } from './support/until.ts';

const server = process.env.KARIBU_TEST_POSTGRES_URL;
if (!server)
  console.log('skipped: KARIBU_TEST_POSTGRES_URL names no PostgreSQL server (npm test starts one)');

const name = `karibu_e2e_${process.pid}_${Date.now()}`;
let shop: Shop;
let second: Karibu;

async function onServer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  await client.query(sql);
  await client.end();
}

beforeAll(async () => {
  if (!server) return;
  await onServer(`create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const environment = { KARIBU_DATABASE_URL: url.href };
  shop = await openShop(environment);
  // Nodes of one operator share the key that seals what is stored.
  const key = path.join(shop.karibu.folder, 'data');
  second = await startKaribu({ ...environment, KARIBU_DATA_DIR: key });
});

afterAll(async () => {
  await second?.remove();
  await shop?.close();
  if (server) await onServer(`drop database ${name} with (force)`);
});

describe.skipIf(!server)('two Karibus on one PostgreSQL', () => {
  test('sell once what was bought at either, with the callback sent eight times', async () => {
    shop.mpesa.setKnobs({ outcome: '0', callback_count: 8, callback_concurrent: true });
    const bought = await Promise.all(
      [shop.karibu, second].flatMap((karibu, node) =>
        [0, 1, 2].map(async (guest) => {
          const mac = `5A:00:00:00:5${node}:0${guest}`;
          return { ...(await order(karibu, shop.plan, `07470000${node}${guest}`, mac)), mac };
        }),
      ),
    );
    for (const { id, mac } of bought) {
      // Paid at one node is paid at the other.
      await orderIn(shop.karibu, id, 'paid');
      const paid = await orderIn(second, id, 'paid');
      shop.router.simulator.addPhone({ mac });
      expect(await shop.router.simulator.login(mac, paid.username!, paid.password!)).toHaveProperty(
        'session',
      );
    }
    await shop.router.simulator.idle();
    await expectBooksAgree(shop);
    const { items } = await (await signIn(second.admin)).get<List<object>>('/sessions?state=open');
    expect(items).toHaveLength(6);
  });

  test('redeem a voucher once between them, and finish a batch together', async () => {
    const { api, plan } = shop;
    const batch = await api.post<{ id: string }>('/voucher-batches', { plan_id: plan.id, count: 3000 });
    await until('the batch is ready', async () => {
      const now = await api.get<{ state: string }>(`/voucher-batches/${batch.id}`);
      return now.state === 'ready';
    });
    const vouchers = await api.all<{ code: string }>(`/voucher-batches/${batch.id}/vouchers`);
    expect(new Set(vouchers.map(({ code }) => code)).size).toBe(3000);
    const code = vouchers[0]!.code;
    const answers = await Promise.all(
      [shop.karibu, second, shop.karibu, second].map(({ portal }, i) =>
        send('POST', `http://${portal}/api/redeem`, { body: { code, mac: `5A:00:00:00:52:0${i}` } }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409]);
  });

  test('keep no database file, and stop cleanly', async () => {
    expect(existsSync(path.join(shop.karibu.folder, 'data', 'karibu.db'))).toBe(false);
    expect(await second.stop()).toEqual({ code: 0, signal: null });
    expect(await shop.karibu.stop()).toEqual({ code: 0, signal: null });
    for (const karibu of [shop.karibu, second]) expect(karibu.output()).not.toMatch(/"level":"error"/);
  });
});
