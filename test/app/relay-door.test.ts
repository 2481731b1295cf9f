// A whole Karibu whose notices come by a relay: they enter as through the callback door, once, after days without the box.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startOrder } from '../../src/billing/orders.ts';
import { createRelayServer, type RelayServer } from '../../src/simulators/relay/server.ts';
import { callback, orderFor } from '../billing/fixtures.ts';
import { type Site, startSite } from './site.ts';

const PATIENT = { timeout: 15_000, interval: 20 };

let folder: string;
let relay: RelayServer;
let site: Site;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'karibu-relay-door-'));
  relay = createRelayServer({ folder, boxes: [{ box: 'kiosk', token: 'tok-en' }] });
  await relay.start();
  site = await startSite();
});
afterEach(async () => {
  await site.close();
  await relay.stop();
  rmSync(folder, { recursive: true, force: true });
});

const send = (path: string, body: string) =>
  fetch(`${relay.baseUrl}/n/kiosk${path}`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  });

test('notices that waited at the relay are evidence in order, forged ones are kept aside, repeats change nothing', async () => {
  const plan = await site.sell({});
  const { token, order } = await startOrder(site.db, orderFor(plan.id), site.time.now);
  for (const body of [callback('1'), callback('1', { code: 1032 }), callback('1'), 'not json']) {
    expect((await send(`/cb/mpesa/${token}`, body)).status).toBe(200);
  }
  await send('/cb/mpesa/somebody-elses-token', callback('9'));
  await send('/cb/no/such/path', '{}');
  expect(relay.waiting('kiosk')).toBe(6);
  site.time.now += 5 * 86_400_000;
  // Everybody in this test sends from here; a stranger's success would be confirmed by a question first.
  await site.ok('PUT', '/tunnel/sources', { trusted: ['127.0.0.1'] });
  await site.ok('PUT', '/tunnel', {
    mode: 'hub',
    hub_url: relay.baseUrl,
    hub_box: 'kiosk',
    hub_token: 'tok-en',
  });
  await vi.waitFor(() => expect(relay.waiting('kiosk')).toBe(0), PATIENT);
  const evidence = await site.db.selectFrom('evidence').selectAll().orderBy('id').execute();
  expect(evidence).toHaveLength(4);
  expect(evidence.filter((one) => one.order_id === order.id)).toHaveLength(3);
  expect(evidence[0]?.source_address).toMatch(/127\.0\.0\.1$/);
  const paid = await vi.waitFor(async () => {
    const now = await site.ok('GET', `/orders/${order.id}`);
    expect(now.state).toBe('paid');
    return now;
  }, PATIENT);
  expect(paid.payments).toHaveLength(1);
  const { state, door } = await site.ok('GET', '/tunnel');
  expect(state).toMatchObject({ mode: 'hub', stage: 'up', taken: 6, waiting: 0 });
  expect(door.counts).toMatchObject({ taken: 4, quarantined: 1 });
});

test('the test button sends a number around by the relay', async () => {
  await site.ok('PUT', '/tunnel', {
    mode: 'hub',
    hub_url: relay.baseUrl,
    hub_box: 'kiosk',
    hub_token: 'tok-en',
  });
  expect(await site.ok('POST', '/tunnel/test', {})).toMatchObject({ ok: true });
  await site.ok('PUT', '/tunnel', { hub_box: 'another' });
  const failed = await site.ok('POST', '/tunnel/test', {});
  expect(failed.steps[0]).toMatchObject({ ok: false, hint: expect.stringMatching(/name of this box/) });
});
