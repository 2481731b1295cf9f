// Holds what two nodes left in their database against what the guests of a storm were told.
import pg from 'pg';
import { mikrotikRateLimit } from '../../src/protocols/radius/rate-limit.ts';
import { send } from '../e2e/support/api.ts';
import type { Nodes } from '../e2e/support/nodes.ts';
import { until } from '../e2e/support/until.ts';
import type { Guests } from './node-storm-guests.ts';
import type { Access, Demand, Router } from './node-storm-router.ts';

const NOW = 'extract(epoch from clock_timestamp()) * 1000';
/** What comes by the clock alone may be under way while it is looked at. */
const LATE_MS = 10_000;

/** Rows that must not be there, each named by its first column. */
const NEVER: [what: string, sql: string][] = [
  [
    'a device has two open sessions',
    `select mac from sessions where state = 'open' group by mac, router_id having count(*) > 1`,
  ],
  [
    'more devices hold a place than the plan is for',
    `select x.credential_id from sessions x join entitlements e on e.id = x.entitlement_id
     where x.state = 'open' and x.gave_way_at is null
     group by x.credential_id, e.max_devices having count(distinct x.mac) > e.max_devices`,
  ],
  [
    // A session that goes over to the next entitlement uses both.
    'the entitlements of a credential used other than its sessions say',
    `select e.credential_id from (
       select credential_id, sum(used_upload_octets) up, sum(used_download_octets) down, sum(used_seconds) seconds
       from entitlements group by credential_id) e
     left join (
       select credential_id, sum(upload_octets) up, sum(download_octets) down, sum(session_seconds) seconds
       from sessions group by credential_id) x on x.credential_id = e.credential_id
     where (e.up, e.down, e.seconds) is distinct from (coalesce(x.up, 0), coalesce(x.down, 0), coalesce(x.seconds, 0))`,
  ],
  [
    'the days say other than an entitlement used',
    `select e.id from entitlements e left join daily_usage d on d.entitlement_id = e.id group by e.id
     having e.used_upload_octets <> coalesce(sum(d.upload_octets), 0)
       or e.used_download_octets <> coalesce(sum(d.download_octets), 0)
       or e.used_seconds <> coalesce(sum(d.online_seconds), 0)`,
  ],
  [
    'a quota is used and its entitlement is not over',
    `select id from entitlements where state in ('active', 'waiting') and quota_octets is not null and fair_use_rate_down_kbps is null
     and used_upload_octets + used_download_octets >= quota_octets`,
  ],
  [
    'a session is open whose entitlement is over',
    `select x.acct_session_id, e.end_reason from sessions x join entitlements e on e.id = x.entitlement_id
     where x.state = 'open' and e.state not in ('active', 'waiting')
     and (e.end_reason <> 'expired' or e.ended_at < ${NOW} - ${LATE_MS})`,
  ],
  [
    'an entitlement outlived its end',
    `select id from entitlements where state = 'active' and ends_at < ${NOW} - ${LATE_MS}`,
  ],
  [
    'what was sold has other speeds than its plan',
    `select e.id, e.rate_down_kbps, p.rate_down_kbps from entitlements e join plans p on p.id = e.plan_id
     where e.state in ('active', 'waiting') and e.validity_seconds < 1e6
     and (e.rate_down_kbps, e.rate_up_kbps) is distinct from (p.rate_down_kbps, p.rate_up_kbps)`,
  ],
  [
    'a voucher is redeemed without exactly one grant',
    `select v.id from vouchers v left join entitlements e on e.voucher_id = v.id where v.state = 'redeemed'
     group by v.id, v.entitlement_id having count(e.id) <> 1 or v.entitlement_id is distinct from min(e.id)`,
  ],
  [
    'a voucher was granted and is not redeemed',
    `select v.id from vouchers v join entitlements e on e.voucher_id = v.id where v.state <> 'redeemed' and e.state in ('active', 'waiting')`,
  ],
  [
    'a batch miscounts its vouchers',
    `select b.id from voucher_batches b left join vouchers v on v.batch_id = b.id group by b.id
     having b.made <> count(v.id) or b.count <> b.made or b.state <> 'ready'
       or b.redeemed <> count(v.id) filter (where v.state = 'redeemed')`,
  ],
  [
    'an access was granted twice',
    `select c.username from credentials c join entitlements e on e.credential_id = c.id where e.source <> 'grant'
     group by c.username having count(*) > 1`,
  ],
  [
    'a plan miscounts its sales',
    `select p.id from plans p left join entitlements e on e.plan_id = p.id group by p.id having p.sold <> count(e.id)`,
  ],
  [
    'an order has two payments',
    `select order_id from payments where state = 'settled' and order_id is not null group by order_id having count(*) > 1`,
  ],
  [
    'a receipt has two payments',
    `select receipt from payments where receipt is not null group by receipt having count(*) > 1`,
  ],
  [
    'money of M-PESA has no grant of its own',
    `select p.id from payments p left join entitlements e on e.id = p.entitlement_id where p.gateway = 'mpesa'
     group by p.id having count(e.id) <> 1`,
  ],
  [
    'two payments have one grant',
    `select entitlement_id from payments where entitlement_id is not null group by entitlement_id having count(*) > 1`,
  ],
  [
    'a grant for money has no payment',
    `select e.id from entitlements e where e.source in ('order', 'payment', 'cash')
     and not exists (select 1 from payments p where p.entitlement_id = e.id)`,
  ],
  [
    'a cash sale has no voucher of its own',
    `select p.id from payments p left join cash_sales s on s.payment_id = p.id
     left join vouchers v on v.id = s.voucher_id where p.gateway = 'cash' group by p.id having count(v.id) <> 1`,
  ],
  [
    'one voucher was sold twice',
    `select voucher_id from cash_sales where voucher_id is not null group by voucher_id having count(*) > 1`,
  ],
  ['money is unmatched', `select id from payments where state <> 'settled'`],
  ['a task failed', `select kind || ': ' || outcome from tasks where state = 'failed'`],
  [
    'an order brought its guest online by two tasks',
    `select payload from tasks where kind = 'activate' group by payload having count(*) > 1`,
  ],
  [
    'a message was written twice',
    `select recipient from messages group by recipient, body having count(*) > 1`,
  ],
  ['an outage of the box was noted while a node ran', `select id from outages where kind = 'box'`],
];

/** What a transaction that nobody ends any more holds up. */
const STUCK = `select pid, query from pg_stat_activity where state like 'idle in transaction%'
  and xact_start < clock_timestamp() - interval '15 seconds'`;

interface StoredSession {
  acct_session_id: string;
  state: string;
  upload_octets: string;
  download_octets: string;
  session_seconds: string;
  rate_down_kbps: number | null;
  rate_up_kbps: number | null;
  change: string;
}

interface StoredCode {
  code: string;
  voucher: string | null;
  state: string;
  starts_at: string | null;
}

export type Judge = ReturnType<typeof createJudge>;

export function createJudge(two: Nodes, router: Router, guests: Guests, demand: Demand) {
  const { shop, nodes } = two;
  /** When the entitlement of each access began: once. */
  const beginnings = new Map<string, string>();
  const count = { vouchers: 0, payments: 0, shillings: 0, nameless: 0, proofs: 0, tasks: 0 };

  async function query<T extends pg.QueryResultRow>(sql: string): Promise<T[]> {
    const client = new pg.Client({ connectionString: two.postgres.url });
    await client.connect();
    try {
      return (await client.query<T>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  /** Both nodes take part again, and nothing that is due is left to do. */
  async function settle(): Promise<void> {
    for (const node of nodes) {
      await until(`node ${nodes.indexOf(node) + 1} is well`, async () => {
        const url = `http://${node.admin}/healthz`;
        const answer = await send<{ store: { problem: string | null } }>('GET', url).catch(() => undefined);
        return answer?.status === 200 && !answer.body.store.problem;
      });
    }
    await shop.mpesa.waitUntilQuiet();
    await router.tellAll();
    const left = () =>
      query<{ kind: string; n: string; attempts: number; outcome: string | null }>(
        `select kind, count(*) as n, max(attempts) as attempts, max(outcome) as outcome from tasks
         where state = 'ready' group by kind`,
      );
    await until('no task is left', async () => (await left()).length === 0, 60).catch(async (error: Error) =>
      demand(false, `${error.message}: ${JSON.stringify(await left())}`),
    );
    // Who was told to go meanwhile says so.
    await router.tellAll(() => 0);
  }

  async function checkSessions(): Promise<void> {
    const before = new Map([...router.stays.values()].map((stay) => [stay, stay.state] as const));
    const rows = await query<StoredSession>(
      `select x.acct_session_id, x.state, x.upload_octets, x.download_octets, x.session_seconds,
         case when slow then e.fair_use_rate_down_kbps else e.rate_down_kbps end as rate_down_kbps,
         case when slow then e.fair_use_rate_up_kbps else e.rate_up_kbps end as rate_up_kbps,
         concat_ws(' ', x.change_state, x.change_detail, x.change_at - x.started_at, 'ms after it began') as change
       from sessions x join (
         select *, fair_use_rate_down_kbps is not null
           and used_upload_octets + used_download_octets >= quota_octets as slow from entitlements
       ) e on e.id = x.entitlement_id`,
    );
    const stored = new Map(rows.map((row) => [row.acct_session_id, row] as const));
    demand(stored.size === rows.length, 'one connection is two sessions');
    for (const stay of router.stays.values()) {
      const found = stored.get(stay.acct);
      // What ran out in this very moment is judged in the next round.
      if (!stay.begunAt || before.get(stay) !== stay.state) continue;
      demand(found !== undefined, `session ${stay.acct} was acknowledged, and is gone`);
      if (!found) continue;
      const has = [found.session_seconds, found.upload_octets, found.download_octets].map(Number);
      const fits = [stay.kept, stay.sent].some(
        ({ seconds, upload, download }) => has[0] === seconds && has[1] === upload && has[2] === download,
      );
      const [kept, sent] = [JSON.stringify(stay.kept), JSON.stringify(stay.sent)];
      demand(fits, `session ${stay.acct}: ${has}, kept was ${kept}, sent ${sent}`);
      const open = stay.state === 'online';
      const rate = mikrotikRateLimit(found);
      if (open && stay.access.terms.lasts > LATE_MS * 10) {
        demand(
          stay.rate === rate,
          `session ${stay.acct} has ${stay.rate}, and should have ${rate}; ${found.change}`,
        );
      }
      const known = open || stay.stopKept || stay.state === 'vanished';
      if (known)
        demand(
          (found.state === 'open') === open,
          `session ${stay.acct} is ${found.state}, and ${stay.state}`,
        );
    }
    for (const acct of stored.keys()) {
      demand(router.stays.has(acct), `session ${acct} is nobody's`);
    }
  }

  function checkPlaces(access: Access): void {
    const { max } = access.terms;
    const macs = (wanted: (stay: Access['sessions'][number]) => boolean) =>
      new Set(access.sessions.filter(wanted).map(({ mac }) => mac)).size;
    const online = macs(({ state }) => state === 'online');
    demand(online <= max, `${online} devices are online on ${access.name}, for ${max}`);
    const cameToStay = access.sessions.every(({ state, sentAway }) => state !== 'left' || sentAway);
    if (access.takenBack === undefined && !router.mayBeOver(access) && cameToStay) {
      const came = Math.min(
        max,
        macs(() => true),
      );
      const each = access.sessions.map(({ acct, mac, state, sentAway }) => [acct, mac, state, sentAway]);
      demand(
        online >= came,
        `${online} of ${came} devices are left on ${access.name}: ${JSON.stringify(each)}`,
      );
    }
  }

  async function checkAccess(): Promise<void> {
    for (const { access, mac, beside } of router.crowded.splice(0)) {
      const stayed = new Set(beside.filter(({ sentAway }) => !sentAway).map((one) => one.mac)).size;
      demand(stayed < access.terms.max, `${mac} was let in on ${access.name} beside ${stayed} others`);
    }
    for (const access of router.accesses.values()) checkPlaces(access);
    const rows = await query<StoredCode>(
      `select c.username as code, e.voucher_id as voucher, e.state, e.starts_at from credentials c
       left join entitlements e on e.id = (select min(id) from entitlements o where o.credential_id = c.id)`,
    );
    const byCode = new Map(rows.map((row) => [row.code, row] as const));
    for (const code of guests.redeemed) {
      demand(byCode.get(code)?.state !== undefined, `${code} was answered as redeemed, and has nothing`);
    }
    for (const { name, sessions } of router.accesses.values()) {
      if (sessions.length === 0) continue;
      const began = byCode.get(name)?.starts_at ?? null;
      demand(began !== null, `${name} was let in, and its time has not begun`);
      const before = beginnings.get(name);
      demand(before === undefined || before === began, `the time of ${name} began again`);
      if (began) beginnings.set(name, began);
    }
  }

  async function checkBatches(): Promise<void> {
    const made = new Set((await query<{ id: string }>('select id from voucher_batches')).map(({ id }) => id));
    for (const { id } of guests.batches.values()) {
      if (id) demand(made.has(id), `batch ${id} was acknowledged, and is gone`);
    }
  }

  async function checkMoney(full: boolean): Promise<void> {
    const ledger = shop.mpesa.ledger();
    const payers = ledger.map((entry) => entry.payer_msisdn);
    demand(new Set(payers).size === payers.length, 'somebody was asked to pay twice');
    const orders = await query<{ id: string; checkout_request_id: string | null }>(
      'select id, checkout_request_id from orders',
    );
    const orderOf = new Map(orders.map((one) => [one.checkout_request_id, one.id] as const));
    const acknowledged = ledger.filter(
      (entry) => entry.callback_http_status === 200 || guests.told200.has(entry.checkout_request_id),
    );
    const nameless = ledger.filter((entry) => !orderOf.has(entry.checkout_request_id));
    demand(
      acknowledged.every((entry) => orderOf.has(entry.checkout_request_id)),
      'an acknowledged notice has no order',
    );
    count.nameless = nameless.length;
    const due = (full ? ledger : acknowledged).flatMap((one) => orderOf.get(one.checkout_request_id) ?? []);
    const paid = async () =>
      new Set(
        (
          await query<{ order_id: string }>(
            `select order_id from payments where state = 'settled' and order_id is not null`,
          )
        ).map((one) => one.order_id),
      );
    await until(
      'every payment that is due is settled',
      async () => {
        const now = await paid();
        return due.every((id) => now.has(id));
      },
      full ? 120 : 20,
    ).catch((error: Error) => demand(false, error.message));
    const keys = [...guests.cash].filter(([, acknowledged]) => acknowledged).length;
    const [sums] = await query<{ cash: string; mpesa: string; cents: string }>(
      `select count(*) filter (where gateway = 'cash') as cash, count(*) filter (where gateway = 'mpesa') as mpesa,
         coalesce(sum(amount_cents), 0) as cents from payments`,
    );
    const cash = Number(sums?.cash);
    demand(
      keys <= cash && cash <= guests.cash.size,
      `${keys} of ${guests.cash.size} cash sales were acknowledged, ${cash} are in the books`,
    );
    count.payments = Number(sums?.mpesa) + cash;
    count.shillings = Number(sums?.cents) / 100;
    if (full) {
      const there = ledger.length - nameless.length;
      demand(there === Number(sums?.mpesa), `M-PESA took ${there} payments, the books have ${sums?.mpesa}`);
    }
    const node = guests.anyNode();
    const proof = await send<{ ok: boolean; problems: string[] }>(
      'POST',
      `http://${node.admin}/api/v1/ledger/proof`,
      { headers: { authorization: `Bearer ${shop.api.token}` }, body: {} },
    );
    count.proofs++;
    demand(proof.body.ok === true, `ledger: ${JSON.stringify(proof.body)}`);
  }

  return {
    count,
    settle,
    /** `full`: also what M-PESA has to be asked about first. */
    async check(full: boolean): Promise<void> {
      await checkSessions();
      await checkAccess();
      await checkBatches();
      await checkMoney(full);
      for (const [what, sql] of NEVER) {
        const rows = await query(sql);
        demand(rows.length === 0, `${what}: ${JSON.stringify(rows.slice(0, 3))} (${rows.length})`);
      }
      demand((await query(STUCK)).length === 0, 'a transaction hangs');
      const [done] = await query<{ tasks: string; vouchers: string }>(
        `select (select count(*) from tasks where state = 'done') as tasks,
           (select count(*) from vouchers where state = 'redeemed') as vouchers`,
      );
      count.tasks = Number(done?.tasks);
      count.vouchers = Number(done?.vouchers);
    },
    /** What there is to look at where something is wrong. */
    async store(): Promise<string> {
      const tables = ['sessions', 'entitlements', 'tasks', 'credentials'];
      const all = await Promise.all(tables.map((table) => query(`select * from ${table}`)));
      return JSON.stringify(Object.fromEntries(tables.map((table, n) => [table, all[n]])));
    },
    async prepare(plan: string, size: number): Promise<string[]> {
      const { id } = await shop.api.post<{ id: string }>('/voucher-batches', { plan_id: plan, count: size });
      return until(
        'the vouchers are made',
        async () => {
          const made = await shop.api.all<{ code: string }>(`/voucher-batches/${id}/vouchers`);
          return made.length === size ? made.map(({ code }) => code) : undefined;
        },
        60,
      );
    },
  };
}
