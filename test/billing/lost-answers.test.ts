// Commits whose answer is lost: they were made, nobody heard, and whoever does it again has it once.
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isPostgresInstalled, type PostgresCluster, startPostgres } from '../../scripts/postgres.mjs';
import { recordAccounting } from '../../src/access/accounting.ts';
import { redeemVoucher } from '../../src/access/vouchers.ts';
import { sellForCash } from '../../src/billing/cash.ts';
import { moveMoney } from '../../src/billing/ledger.ts';
import { proveLedger } from '../../src/billing/ledger-proof.ts';
import { takeNotice } from '../../src/billing/notices.ts';
import { settleEvidence } from '../../src/billing/settle.ts';
import { openTill } from '../../src/billing/till.ts';
import { asDiskError, diskTrouble } from '../../src/db/disk.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/open.ts';
import type { Db } from '../../src/db/schema.ts';
import { claimTasks, LEASE_MS } from '../../src/db/tasks.ts';
import { NOW, report, someAccess, somePlan, someVouchers, vault } from '../access/fixtures.ts';
import { type BlackHole, openBlackHole } from '../support/black-hole.ts';
import { balance, books, callback, keepCallback, sentOrder } from './fixtures.ts';

const PATIENCE = { connect: 1000, answer: 1000, idle: 1000 };
const actor = { account_id: 'asha', name: 'Asha', address: null };

describe.runIf(isPostgresInstalled())('a commit whose answer is lost', () => {
  let cluster: PostgresCluster;
  let hole: BlackHole;
  let db: Db;

  beforeAll(async () => {
    cluster = await startPostgres();
  });
  afterAll(() => cluster.stop());
  beforeEach(async () => {
    hole = await openBlackHole(Number(new URL(cluster.url).port));
    const admin = await openPostgres(cluster.url, 1);
    await sql`drop schema public cascade`.execute(admin);
    await sql`create schema public`.execute(admin);
    await migrate(admin, { now: NOW });
    await admin.destroy();
    const url = new URL(cluster.url);
    url.port = String(hole.port);
    db = await openPostgres(url.href, 3, PATIENCE);
  });
  afterEach(async () => {
    await db.destroy();
    await hole.close();
  });

  /** Has the work done without anybody hearing of it. */
  async function unheard(work: () => Promise<unknown>): Promise<void> {
    hole.swallowAnswersTo('commit');
    const failure = await work().then(
      () => undefined,
      (error: unknown) => error,
    );
    hole.reopen();
    expect(diskTrouble(failure)).toBe('away');
    expect(asDiskError(failure)?.message).toMatch(/may be done, or not/);
  }

  it('of a notice and of its settling makes one payment and one grant', async () => {
    const order = await sentOrder(db, (await somePlan(db)).id, '1');
    const evidence = await keepCallback(db, order.id, callback('1'));
    await unheard(() => settleEvidence(db, vault, evidence?.id as string, NOW));
    expect((await books(db)).payments).toHaveLength(1);
    await settleEvidence(db, vault, evidence?.id as string, NOW + 1);
    const { payments, entitlements, activations } = await books(db);
    expect(payments).toMatchObject([{ state: 'settled', receipt: 'UK1234ABCD' }]);
    expect([entitlements.length, activations.length]).toEqual([1, 1]);
    expect(await balance(db, 'sales')).toBe(-2000);
    expect(await proveLedger(db, NOW)).toMatchObject({ ok: true });
  });

  it('of a notice that goes to the spool is kept once', async () => {
    const body = callback('7');
    const notice = {
      about: 'stk',
      token: 'x',
      body,
      source_address: null,
      shortcode: null,
      at: NOW,
    } as const;
    await unheard(() => takeNotice(db, vault, notice, true));
    await takeNotice(db, vault, notice, true);
    expect((await books(db)).evidence).toHaveLength(1);
  });

  it('of a report is counted once when the router sends it again', async () => {
    const { credential, entitlement } = await someAccess(db);
    const reference = { credential_id: credential.id, entitlement_id: entitlement.id, accept_id: 'a' };
    const told = report({ kind: 'interim', reference, session_seconds: 60, upload_octets: 7 });
    await unheard(() => recordAccounting(db, [told], NOW));
    await recordAccounting(db, [told], NOW + 1);
    expect((await books(db)).entitlements).toMatchObject([{ used_seconds: 60, used_upload_octets: 7 }]);
  });

  it('of a voucher redeems it once, and says whose it is', async () => {
    const { codes } = await someVouchers(db, 1);
    const code = codes[0] as string;
    await unheard(() => redeemVoucher(db, vault, code, 'AA:BB:CC:00:00:01', NOW));
    expect(await redeemVoucher(db, vault, code, 'AA:BB:CC:00:00:01', NOW + 1)).toMatchObject({
      redeemed: false,
      reason: 'used',
      voucher: { state: 'redeemed' },
    });
    expect((await books(db)).entitlements).toHaveLength(1);
  });

  it('of cash and of money moved by hand is there once, by its key', async () => {
    const plan = await somePlan(db);
    await openTill(db, 'asha', 0, actor, NOW);
    const sale = { account_id: 'asha', plan_id: plan.id, key: 'k1' };
    await unheard(() => sellForCash(db, vault, sale, actor, NOW));
    expect(await sellForCash(db, vault, sale, actor, NOW + 1)).toMatchObject({ amount_cents: 2000 });
    expect((await books(db)).payments).toHaveLength(1);
    const move = { from: 'safe', to: 'bank', amount_cents: 500, note: 'Friday', key: 'k2' } as const;
    await unheard(() => moveMoney(db, move, actor, NOW));
    expect(await moveMoney(db, move, actor, NOW + 1)).toBe(false);
    expect(await balance(db, 'bank')).toBe(500);
  });

  it('of a claim on a task leaves it to whoever comes when the claim is over', async () => {
    const order = await sentOrder(db, (await somePlan(db)).id, '1');
    await keepCallback(db, order.id, callback('1'));
    await unheard(() => claimTasks(db, NOW, ['settle_evidence']));
    expect(await claimTasks(db, NOW + LEASE_MS - 1, ['settle_evidence'])).toEqual([]);
    expect(await claimTasks(db, NOW + LEASE_MS, ['settle_evidence'])).toMatchObject([{ attempts: 2 }]);
  });
});
