// The spool: what it took is there after a start, half a line is not, and there is room when the disk has none.
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { RawNotice } from '../../src/billing/notices.ts';
import { startOrder } from '../../src/billing/orders.ts';
import { openSpool } from '../../src/billing/spool.ts';
import { drainSpool } from '../../src/jobs/drain-spool.ts';
import { silentLog } from '../../src/log.ts';
import { NOW, somePlan, vault } from '../access/fixtures.ts';
import { memoryStore } from '../support/stores.ts';
import { books, callback, orderFor } from './fixtures.ts';

const folder = () => mkdtempSync(join(tmpdir(), 'karibu-spool-'));

function notice(token: string, body = callback('1')): RawNotice {
  return { about: 'stk', token, body, source_address: '196.201.214.200', shortcode: null, at: NOW };
}

it('what was kept is read back after a start, in order, and forgotten when it is cleared', () => {
  const dir = folder();
  const spool = openSpool(dir);
  expect(spool.read()).toEqual([]);
  expect([spool.keep(notice('a')), spool.keep(notice('b', 'ü\n"'))]).toEqual([true, true]);
  const again = openSpool(dir);
  expect(again.read()).toEqual([notice('a'), notice('b', 'ü\n"')]);
  again.clear();
  expect(openSpool(dir).read()).toEqual([]);
});

it('its room is on the disk from the start: keeping takes no more of it', () => {
  const dir = folder();
  const spool = openSpool(dir);
  const file = join(dir, 'notices.spool');
  const { size, blocks } = statSync(file);
  for (let n = 0; n < 100; n++) expect(spool.keep(notice(`t${n}`))).toBe(true);
  expect(statSync(file)).toMatchObject({ size, blocks });
  const large = notice('large', 'x'.repeat(60_000));
  let kept = 0;
  while (spool.keep(large)) kept++;
  expect(kept).toBeGreaterThan(20);
  expect(statSync(file).size).toBe(size);
  expect(spool.read()).toHaveLength(100 + kept);
});

it('half a line, which nobody acknowledged, is not read', () => {
  const dir = folder();
  openSpool(dir).keep(notice('a'));
  const file = join(dir, 'notices.spool');
  const held = readFileSync(file);
  const line = Buffer.from(JSON.stringify(notice('b'))).subarray(0, 40);
  line.copy(held, held.indexOf(0));
  writeFileSync(file, held);
  const again = openSpool(dir);
  expect(again.read()).toEqual([notice('a')]);
  again.keep(notice('c'));
  expect(openSpool(dir).read()).toEqual([notice('a'), notice('c')]);
});

it('says no where there is no folder to write to', () => {
  expect(openSpool('/proc/none').keep(notice('a'))).toBe(false);
});

it('is brought into the store once, and stays while the store takes nothing', async () => {
  const db = await memoryStore();
  const plan = await somePlan(db);
  const { order, token } = await startOrder(db, orderFor(plan.id), NOW);
  const spool = openSpool(folder());
  spool.keep(notice(token as string));
  spool.keep(notice(token as string));
  spool.keep(notice('nobody'));
  const ctx = { db, vault, spool, log: silentLog, kick: () => {} };
  const closed = await memoryStore();
  await closed.destroy();
  await drainSpool({ ...ctx, db: closed });
  expect(spool.read()).toHaveLength(3);
  await drainSpool(ctx);
  expect(spool.read()).toEqual([]);
  const { evidence } = await books(db);
  expect(evidence).toHaveLength(2);
  expect(evidence.find((one) => one.order_id === order.id)).toMatchObject({
    state: 'received',
    received_at: NOW,
  });
  await db.destroy();
});
