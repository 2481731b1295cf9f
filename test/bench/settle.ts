// Measures what one callback costs the processor, from the door to the grant, and how long it keeps the event loop.
//
//   npx bun test/bench/settle.ts [--callbacks 2000] [--per-second 200]
//
// The app in this very process, its callback door called without a socket; orders are made beforehand.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { PaymentGateway } from '../../src/billing/gateways.ts';
import { sendOrder, startOrder } from '../../src/billing/orders.ts';
import type { Db } from '../../src/db/schema.ts';
import { writeSetting } from '../../src/db/settings.ts';
import { somePlan } from '../access/fixtures.ts';
import { SEEDED_AT } from './seed.ts';
import { mainThreadMs, watchEventLoop } from './store/event-loop.ts';
import { runApp } from './store/run.ts';

interface Callback {
  path: string;
  body: string;
}

/** An order whose prompt is on the phone, and the callback that M-PESA will send. */
async function makeOrder(db: Db, planId: string, n: number, prices: Map<string, number>): Promise<Callback> {
  const msisdn = `2547${String(n).padStart(8, '0')}`;
  const mac = `5A:00:${(n >> 24) & 255}:${(n >> 16) & 255}:${(n >> 8) & 255}:${n & 255}`;
  const input = { plan_id: planId, msisdn, mac, ip: null, router_id: null, idempotency_key: null };
  const started = await startOrder(db, input, SEEDED_AT);
  const { order, plan, token } = started;
  if (!token) throw new Error('the order joined another one');
  const ids = { merchant_request_id: `m-${n}`, checkout_request_id: `ws_CO_${n}` };
  const gateway = {
    requestPayment: async () => ({ outcome: 'accepted', ...ids }),
  } as unknown as PaymentGateway;
  await sendOrder(db, gateway, { order, plan, token }, 'http://box', () => SEEDED_AT + 3600_000);
  prices.set(planId, plan.price_cents);
  const item = (Name: string, Value: unknown) => ({ Name, Value });
  const Item = [
    ...[
      item('Amount', order.price_cents / 100),
      item('MpesaReceiptNumber', `UKL${String(n).padStart(7, '0')}`),
    ],
    ...[{ Name: 'Balance' }, item('TransactionDate', 20261121120000), item('PhoneNumber', Number(msisdn))],
  ];
  const stkCallback = {
    ...{ MerchantRequestID: ids.merchant_request_id, CheckoutRequestID: ids.checkout_request_id },
    ...{
      ResultCode: 0,
      ResultDesc: 'The service request is processed successfully.',
      CallbackMetadata: { Item },
    },
  };
  return { path: `/cb/mpesa/${token}`, body: JSON.stringify({ Body: { stkCallback } }) };
}

async function measure(): Promise<void> {
  const { values } = parseArgs({
    options: {
      callbacks: { type: 'string', default: '2000' },
      'per-second': { type: 'string', default: '200' },
    },
  });
  const dataDir = mkdtempSync(join(tmpdir(), 'karibu-settle-'));
  const { app } = await runApp(dataDir);
  const { db } = app;
  await writeSetting(
    db,
    'mpesa',
    { environment: 'custom', shortcode: '174379', till_number: null },
    SEEDED_AT,
  );
  const plan = await somePlan(db);
  const callbacks: Callback[] = [];
  const prices = new Map<string, number>();
  for (let n = 0; n < Number(values.callbacks); n++) callbacks.push(await makeOrder(db, plan.id, n, prices));
  await new Promise((resolve) => setTimeout(resolve, 1500));

  const watch = watchEventLoop();
  const idle = process.cpuUsage();
  const idleMainFrom = mainThreadMs();
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const idleUsed = process.cpuUsage(idle);
  const idlePerMs = (idleUsed.user + idleUsed.system) / 2000;
  const idleMain = (mainThreadMs() - idleMainFrom) / 2000;
  watch.take();

  const headers = { 'content-type': 'application/json;charset=UTF-8', businessshortcode: '174379' };
  const times: number[] = [];
  const from = process.cpuUsage();
  const mainFrom = mainThreadMs();
  const began = performance.now();
  const perSecond = Number(values['per-second']);
  const under: Promise<void>[] = [];
  async function deliver({ path, body }: Callback, due: number): Promise<void> {
    const answer = await app.doors.callback.request(
      path,
      { method: 'POST', headers, body },
      { address: '127.0.0.1' },
    );
    if (answer.status !== 200) throw new Error(`${answer.status}`);
    times.push(performance.now() - due);
  }
  for (let sent = 0; sent < callbacks.length; ) {
    for (; sent < callbacks.length && began + (sent * 1000) / perSecond <= performance.now(); sent++)
      under.push(deliver(callbacks[sent] as Callback, began + (sent * 1000) / perSecond));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(under);
  const answered = performance.now() - began;
  for (;;) {
    const left = await db
      .selectFrom('tasks')
      .select((eb) => eb.fn.countAll<number>().as('n'))
      .where('state', '=', 'ready')
      .executeTakeFirstOrThrow();
    if (Number(left.n) === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const ms = performance.now() - began;
  const used = process.cpuUsage(from);
  const main = ((mainThreadMs() - mainFrom - idleMain * ms) * 1000) / callbacks.length;
  const granted = await db
    .selectFrom('entitlements')
    .select((eb) => eb.fn.countAll<number>().as('n'))
    .executeTakeFirstOrThrow();
  const perCallback = (used.user + used.system - idlePerMs * ms) / callbacks.length;
  times.sort((a, b) => a - b);
  const turns = watch.take();
  const own = turns.filter(({ workMs }) => workMs > 5);
  console.log(
    `${callbacks.length} callbacks at ${perSecond} a second, ${granted.n} granted, answered after ${Math.round(answered)} ms, settled after ${Math.round(ms)} ms: ` +
      `${Math.round(perCallback)} µs of processor each, ${Math.round(main)} of the main thread; answers p50 ${times[times.length >> 1]?.toFixed(1)} ms, p99 ${times[Math.floor(times.length * 0.99)]?.toFixed(1)} ms; ` +
      `${own.length} turns over 5 ms of work (${own
        .slice(0, 5)
        .map((t) => t.workMs.toFixed(1))
        .join(', ')})`,
  );
  await app.stop();
  rmSync(dataDir, { recursive: true, force: true });
}

await measure();
process.exit(0);
