// No statement on a path that grows may read a whole table: SQLite's own plan says what it reads.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordAccounting } from '../../src/access/accounting.ts';
import { listCredentials } from '../../src/access/credentials.ts';
import { currentDeviceAccess, currentSharedAccess } from '../../src/access/device-access.ts';
import {
  credentialsClosing,
  credentialsRollingOver,
  endDueEntitlements,
  findAccess,
  listEntitlements,
} from '../../src/access/entitlements.ts';
import {
  closeSessionsBeforeBoot,
  closeSilentSessions,
  closeStaleSessions,
  countOpenByRouter,
  countOpenSessions,
  credentialsOutsideHours,
  listSessions,
  openSessions,
} from '../../src/access/sessions.ts';
import { listSubscribers } from '../../src/access/subscribers.ts';
import { countRedeemed, findVoucher, listVoucherBatches, listVouchers } from '../../src/access/vouchers.ts';
import { listEvidence, listOrderEvidence, listPaymentEvidence } from '../../src/billing/evidence.ts';
import { claimOrdersToPoll, findOrderByToken, listOrders } from '../../src/billing/orders.ts';
import { listPayments } from '../../src/billing/payments.ts';
import { migrate } from '../../src/db/migrate.ts';
import { onSqlite } from '../../src/db/open.ts';
import type { Db } from '../../src/db/schema.ts';
import type { SqliteConnection } from '../../src/db/sqlite.ts';
import { claimTasks, forgetTasks } from '../../src/db/tasks.ts';
import { listMessages } from '../../src/messaging/outbox.ts';
import { listAudit } from '../../src/operators/audit.ts';
import { readOverview, salesToday } from '../../src/reports/overview.ts';
import { NOW, report, someAccess, vault } from './fixtures.ts';

/** Tables that stay small however long a business runs, under the names that statements give them. */
const SMALL = ['routers', 'plans', 'settings', 'accounts'];

interface Raw extends SqliteConnection {
  prepare(sql: string): ReturnType<SqliteConnection['prepare']> & { all(...values: unknown[]): unknown };
}

const statements: string[] = [];
let raw: Raw;
/** A second, empty store for the plans: Bun keeps a statement it has explained open, and a commit waits for it. */
let explainer: Raw;
let db: Db;
let access: Awaited<ReturnType<typeof someAccess>>;
let online: typeof access;

async function openRaw(): Promise<Raw> {
  if ('Bun' in globalThis) {
    const { Database } = await import('bun:sqlite');
    return new Database(':memory:') as unknown as Raw;
  }
  const { default: Database } = await import('better-sqlite3');
  return new Database(':memory:') as unknown as Raw;
}

beforeAll(async () => {
  raw = await openRaw();
  const writer: SqliteConnection = {
    get inTransaction() {
      return raw.inTransaction;
    },
    prepare(sql) {
      statements.push(sql);
      return raw.prepare(sql);
    },
    close: () => raw.close(),
  };
  db = onSqlite({ writer });
  await migrate(db, { now: 0 });
  explainer = await openRaw();
  const second = onSqlite({ writer: explainer });
  await migrate(second, { now: 0 });
  access = await someAccess(db);
  online = await someAccess(db, { online_seconds: 3600 });
});
afterAll(() => db.destroy());

/** What SQLite reads for each statement that `work` sends: its plan, line by line. */
async function plansOf(work: () => Promise<unknown>): Promise<{ sql: string; plan: string[] }[]> {
  statements.length = 0;
  await work();
  const sent = statements.filter((sql) => /^(with|select|update|delete|insert)/i.test(sql.trim()));
  expect(sent.length).toBeGreaterThan(0);
  return sent.map((sql) => {
    const nothing = Array(sql.split('?').length - 1).fill(null);
    const rows = explainer.prepare(`explain query plan ${sql}`).all(...nothing) as { detail: string }[];
    return { sql, plan: rows.map((row) => row.detail) };
  });
}

/** The table behind a name that a statement gives it. */
function tableOf(sql: string, name: string): string {
  return new RegExp(`"?(\\w+)"? (?:as )?"?${name}"?(?=[\\s,)]|$)`, 'i').exec(sql)?.[1] ?? name;
}

function scans(sql: string, plan: string[]): string[] {
  return plan.filter((line) => {
    const name = /^SCAN (\w+)/.exec(line)?.[1];
    // What a subquery reads stands in lines of its own.
    const subquery = plan.includes(`CO-ROUTINE ${name}`) || plan.includes(`MATERIALIZE ${name}`);
    return name !== undefined && !subquery && !SMALL.includes(tableOf(sql, name)) && !SMALL.includes(name);
  });
}

/** The first page: with a cursor, even a list without an index would look like a search, by its id. */
const page = { limit: 50 };

describe('without a whole table read', () => {
  const works: [string, () => Promise<unknown>][] = [
    ['an Access-Request', () => findAccess(db, access.credential.username, 'AA:BB:CC:00:00:01')],
    ['a login by MAC address', () => currentDeviceAccess(db, 'AA:BB:CC:00:00:01', NOW, true)],
    ['the same of a plan’s other device', () => currentSharedAccess(db, 'AA:BB:CC:00:00:01', NOW, true)],
    ['a voucher by its code', () => findVoucher(db, vault, 'ABCD2345')],
    ['an order by its token', () => findOrderByToken(db, 'token')],
    ['accounting', () => recordAccounting(db, [report({ username: access.credential.username })], NOW)],
    [
      'accounting of online time',
      () => {
        const { credential, entitlement } = online;
        const reference = { credential_id: credential.id, entitlement_id: entitlement.id, accept_id: 'o' };
        return recordAccounting(db, [report({ reference, session_seconds: 60 })], NOW);
      },
    ],
    [
      'accounting of a restart',
      () => recordAccounting(db, [{ kind: 'router_restart', router_id: 'r', at: NOW }], NOW),
    ],
    ['open sessions of a credential', () => openSessions(db, 'c')],
    ['how many are online', () => countOpenSessions(db)],
    ['how many are online at each router', () => countOpenByRouter(db)],
    ['sessions outside their hours', () => credentialsOutsideHours(db, NOW, 0)],
    ['silent sessions of a credential', () => closeSilentSessions(db, 'c', NOW)],
    ['sessions from before a boot', () => closeSessionsBeforeBoot(db, 'r', NOW)],
    ['stale sessions', () => closeStaleSessions(db, NOW)],
    ['entitlements that are due', () => endDueEntitlements(db, NOW)],
    ['orders to poll', () => claimOrdersToPoll(db, NOW)],
    ['tasks to run', () => claimTasks(db, NOW, ['enforce', 'disconnect_session'])],
    ['tasks to forget', () => forgetTasks(db, NOW)],
    ['the overview', () => readOverview(db, NOW)],
    ['the sales of today', () => salesToday(db, NOW)],
    ['vouchers redeemed in a day', () => countRedeemed(db, 0, NOW)],
    ['evidence of an order', () => listOrderEvidence(db, 'o')],
    ['evidence of a payment', () => listPaymentEvidence(db, 'p')],
    ['sessions by state', () => listSessions(db, page, { state: 'open' })],
    ['sessions by router', () => listSessions(db, page, { router_id: 'r' })],
    ['sessions by subscriber', () => listSessions(db, page, { subscriber_id: 's' })],
    ['sessions by user name', () => listSessions(db, page, { username: access.credential.username })],
    ['sessions by credential', () => listSessions(db, page, { credential_id: access.credential.id })],
    ['sessions by entitlement', () => listSessions(db, page, { entitlement_id: access.entitlement.id })],
    ['sessions of a stranger', () => listSessions(db, page, { username: 'u' })],
    ['sessions by device', () => listSessions(db, page, { mac: 'm' })],
    ['vouchers by state', () => listVouchers(db, vault, page, { state: 'unused' })],
    ['vouchers by batch', () => listVouchers(db, vault, page, { batch_id: 'b' })],
    ['vouchers by batch and state', () => listVouchers(db, vault, page, { batch_id: 'b', state: 'unused' })],
    ['vouchers by plan', () => listVouchers(db, vault, page, { plan_id: 'p' })],
    ['vouchers by code', () => listVouchers(db, vault, page, { code: 'ABCD2345' })],
    ['subscribers by state', () => listSubscribers(db, page, { state: 'active' })],
    ['subscribers by number', () => listSubscribers(db, page, { msisdn: '254' })],
    ['subscribers by name', () => listSubscribers(db, page, { name_prefix: 'A' })],
    ['credentials by user name', () => listCredentials(db, page, { username: 'u' })],
    ['credentials by subscriber', () => listCredentials(db, page, { subscriber_id: 's' })],
    ['entitlements by state', () => listEntitlements(db, page, { state: 'active' })],
    ['entitlements by subscriber', () => listEntitlements(db, page, { subscriber_id: 's' })],
    ['entitlements by credential', () => listEntitlements(db, page, { credential_id: 'c' })],
    [
      'entitlements by credential and state',
      () => listEntitlements(db, page, { credential_id: 'c', state: 'active' }),
    ],
    ['orders by state', () => listOrders(db, page, { state: 'paid' })],
    ['orders by number', () => listOrders(db, page, { msisdn: '254' })],
    ['orders by subscriber', () => listOrders(db, page, { subscriber_id: 's' })],
    ['payments by state', () => listPayments(db, page, { state: 'settled' })],
    ['payments by receipt', () => listPayments(db, page, { receipt: 'R' })],
    ['payments by number', () => listPayments(db, page, { msisdn: '254' })],
    ['payments by subscriber', () => listPayments(db, page, { subscriber_id: 's' })],
    ['payments by order', () => listPayments(db, page, { order_id: 'o' })],
    ['evidence by order', () => listEvidence(db, page, { order_id: 'o', state: 'used' })],
    ['evidence by payment', () => listEvidence(db, page, { payment_id: 'p' })],
    ['messages by state', () => listMessages(db, page, 'queued')],
    ['audit by entity', () => listAudit(db, page, { entity: 'plan' })],
    ['audit of one thing', () => listAudit(db, page, { entity: 'plan', entity_id: 'p' })],
    ['audit by account', () => listAudit(db, page, { account_id: 'a' })],
  ];
  it.each(works)('%s', async (_, work) => {
    for (const { sql, plan } of await plansOf(work))
      expect(scans(sql, plan), `${sql}\n${plan.join('\n')}`).toEqual([]);
  });

  const whole: [string, () => Promise<unknown>][] = [
    ['sessions', () => listSessions(db, {})],
    ['vouchers', () => listVouchers(db, vault, {})],
    ['voucher batches', () => listVoucherBatches(db, {}, { state: 'ready' })],
    ['subscribers', () => listSubscribers(db, {})],
    ['credentials', () => listCredentials(db, {})],
    ['entitlements', () => listEntitlements(db, {})],
    ['orders', () => listOrders(db, {})],
    ['payments', () => listPayments(db, {})],
    ['messages', () => listMessages(db, {})],
    ['audit', () => listAudit(db, {})],
  ];
  it.each(whole)('the first page of all %s, read in the order of its index', async (_, work) => {
    for (const { sql, plan } of await plansOf(work)) {
      expect(
        scans(sql, plan).filter((line) => !/USING INDEX/.test(line)),
        sql,
      ).toEqual([]);
      expect(
        plan.filter((line) => /TEMP B-TREE/.test(line)),
        sql,
      ).toEqual([]);
    }
  });

  it('a login by MAC address ends its reading after the newest of the device', async () => {
    const reads = async (work: typeof currentDeviceAccess) => {
      const [seen] = await plansOf(() => work(db, 'AA:BB:CC:00:00:01', NOW, true));
      // Whatever is sorted is sorted after the end of the subquery, of no more than twenty rows.
      expect(seen?.sql).toMatch(/order by id desc limit 20\)/);
      return seen?.plan.slice(0, 2);
    };
    expect(await reads(currentDeviceAccess)).toEqual([
      'CO-ROUTINE c',
      'SEARCH credentials USING INDEX credentials_device_newest (device_mac=?)',
    ]);
    expect(await reads(currentSharedAccess)).toEqual([
      'CO-ROUTINE x',
      'SEARCH sessions USING INDEX sessions_mac (mac=?)',
    ]);
  });

  it('is what this test would notice', async () => {
    const [seen] = await plansOf(() =>
      db.selectFrom('sessions').selectAll().where('ip', '=', '10.0.0.1').execute(),
    );
    expect(scans(seen?.sql ?? '', seen?.plan ?? [])).toEqual(['SCAN sessions']);
  });
});

it('looks in the indexes of open sessions and of subscribers that are not active alone for an Access-Request', async () => {
  const [first] = await plansOf(() => findAccess(db, access.credential.username, 'AA:BB:CC:00:00:01'));
  const plan = first?.plan.join('\n');
  expect(plan).toMatch(/SEARCH x USING COVERING INDEX sessions_open \(credential_id=/);
  expect(plan).toMatch(/SEARCH s USING INDEX subscribers_not_active \(<expr>=/);
});

it('writes no state for an interim report: two indexes hold it, and the same value would be written anew', async () => {
  const told = report({ username: access.credential.username, acct_session_id: 'interim' });
  await recordAccounting(db, [told], NOW);
  const sent = await plansOf(() =>
    recordAccounting(db, [{ ...told, kind: 'interim', session_seconds: 60, at: NOW + 60_000 }], NOW),
  );
  const written = sent.map(({ sql }) => sql.trim()).filter((sql) => /^update sessions/.test(sql));
  expect(written).toHaveLength(1);
  expect(written[0]).not.toMatch(/\bstate\b/);
});

it('finds a stranger’s sessions by name, and the open ones of a credential, in indexes of these alone', async () => {
  const last = async (work: () => Promise<unknown>) => (await plansOf(work)).at(-1)?.plan.join('\n');
  // What one subscriber or device has is read from it alone, whatever else is asked.
  const { username } = access.credential;
  for (const more of [{ state: 'closed' as const, router_id: 'r' }, { state: 'open' as const }]) {
    const one = await last(() => listSessions(db, page, { username, ...more }));
    expect(one).toMatch(/SEARCH x USING INDEX \w+ \(subscriber_id=/);
    for (const narrow of [
      { credential_id: access.credential.id },
      { entitlement_id: access.entitlement.id },
    ]) {
      const its = await last(() => listSessions(db, page, { ...narrow, ...more }));
      expect(its).toMatch(/SEARCH x USING INDEX \w+ \(subscriber_id=/);
    }
    const device = await last(() => listSessions(db, page, { mac: 'm', ...more }));
    expect(device).toMatch(/SEARCH x USING INDEX \w+ \(mac=/);
  }
  for (const more of [{ subscriber_id: 's' }, { state: 'active' as const }]) {
    const its = await last(() => listEntitlements(db, page, { credential_id: 'c', ...more }));
    expect(its).toMatch(/SEARCH e USING INDEX entitlements_credential \(credential_id=/);
  }
  const stranger = await last(() => listSessions(db, page, { username: 'u' }));
  expect(stranger).toMatch(/SEARCH x USING INDEX sessions_stranger \(username=/);
  // These two run every ten seconds, beside the sign-ins.
  expect(await last(() => credentialsRollingOver(db, NOW, NOW + 1))).toMatch(
    /SEARCH e USING INDEX entitlements_ends \(state=\? AND ends_at>/,
  );
  const closing = await last(() => credentialsClosing(db, 360));
  expect(closing).toMatch(/SEARCH e USING INDEX entitlements_closing \(hours_to_minute=/);
  expect(closing).toMatch(/sessions_open \(credential_id=/);
  expect(await last(() => openSessions(db, 'c'))).toMatch(/sessions_open \(credential_id=/);
  expect(await last(() => closeSilentSessions(db, 'c', NOW))).toMatch(/sessions_open \(credential_id=/);
});
