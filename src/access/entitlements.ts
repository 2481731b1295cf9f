// Entitlements: granted, started, ended, revoked, each change once.
import { type ExpressionBuilder, sql } from 'kysely';
import { insertStatement } from '../db/insert.ts';
import type { Page, PageRequest } from '../db/page.ts';
import { readPage, unindexed } from '../db/page.ts';
import type { Db, EntitlementsTable, Row, Tables, Terms } from '../db/schema.ts';
import { statement } from '../db/statement.ts';
import { enqueueTask } from '../db/tasks.ts';
import { AppError } from '../errors.ts';
import { idAt, newId } from '../lib/ids.ts';
import type { AccessFacts, EntitlementFacts } from './authorize.ts';
import { endReason, isSlow, quotaReached } from './authorize.ts';
import { openFor } from './hours.ts';
import { OPEN } from './sessions.ts';
import { SPEED_NAMES, TERM_NAMES, termsOf } from './terms.ts';

export type Entitlement = Row<'entitlements'>;

export interface Grant {
  subscriber_id: string;
  credential_id: string;
  plan: Terms & { id: string };
  source: Entitlement['source'];
  payment_id?: string;
  order_id?: string | null;
  voucher_id?: string;
  not_before_at?: number | null;
  idempotency_key?: string | null;
  /** The speeds are what is granted, not those that the plan has. */
  own_speeds?: true;
}

/** Written out, so that the index of what is active alone serves a statement. */
const ACTIVE = sql.lit<'active'>('active');

const insertEntitlement = insertStatement('entitlements', sql`on conflict do nothing returning *`);
const runningOf = statement(
  sql<EntitlementFacts>`select * from entitlements where credential_id = ${''} and state = 'active'`,
);
const countSold = statement(
  sql<Pick<Terms, (typeof SPEED_NAMES)[number]>>`
    update plans set sold = sold + 1 where id = ${''} returning ${sql.join(SPEED_NAMES.map((name) => sql.ref(name)))}`,
);

/**
 * Grants a plan. Once for each payment, voucher and idempotency key: the unique columns make a second grant for the
 * same one impossible; then the entitlement that is there already comes back. It waits until the first login starts it.
 * Bought while the guest's plan is slow by its fair-use rate, it need not wait for the end of that one.
 */
export async function grantEntitlement(db: Db, grant: Grant, now: number): Promise<Entitlement> {
  const running = await runningOf(db, [grant.credential_id]);
  const [inserted] = await insertEntitlement(db, {
    id: newId(now),
    subscriber_id: grant.subscriber_id,
    credential_id: grant.credential_id,
    plan_id: grant.plan.id,
    source: grant.source,
    payment_id: grant.payment_id ?? null,
    order_id: grant.order_id ?? null,
    voucher_id: grant.voucher_id ?? null,
    state: 'waiting',
    ...termsOf(grant.plan),
    not_before_at: grant.not_before_at ?? null,
    overtakes: running.some(isSlow) ? 1 : 0,
    starts_at: null,
    ends_at: null,
    ended_at: null,
    end_reason: null,
    used_seconds: 0,
    used_upload_octets: 0,
    used_download_octets: 0,
    idempotency_key: grant.idempotency_key ?? null,
    created_at: now,
  });
  if (inserted) {
    const [speeds] = await countSold(db, [grant.plan.id]);
    // The caller may have read the plan before another node changed it; from here on whoever changes it sees this grant.
    if (!speeds || grant.own_speeds || SPEED_NAMES.every((name) => speeds[name] === inserted[name]))
      return inserted;
    await db.updateTable('entitlements').set(speeds).where('id', '=', inserted.id).execute();
    return { ...inserted, ...speeds };
  }
  return db
    .selectFrom('entitlements')
    .selectAll()
    .where((eb) =>
      grant.payment_id
        ? eb('payment_id', '=', grant.payment_id)
        : grant.voucher_id
          ? eb('voucher_id', '=', grant.voucher_id)
          : eb('idempotency_key', '=', grant.idempotency_key ?? ''),
    )
    .executeTakeFirstOrThrow();
}

/** A credential with everything a decision about it needs. */
export interface AccessRecord extends AccessFacts {
  credential_id: string;
  subscriber_id: string;
  username: string;
  password_sealed: string;
  credential_kind: Row<'credentials'>['kind'];
  plan_id: string | undefined;
}

interface AccessRow extends Omit<EntitlementFacts, 'id'> {
  credential_id: string;
  subscriber_id: string;
  username: string;
  password_sealed: string;
  credential_kind: Row<'credentials'>['kind'];
  credential_state: 'active' | 'disabled';
  static_address: string | null;
  router_id: string | null;
  kept_out: number | null;
  other_sessions: number | null;
  id: string | null;
  plan_id: string | null;
}

const CREDENTIAL_FACTS = sql`
  c.id as credential_id, c.subscriber_id, c.username, c.password_sealed, c.kind as credential_kind,
  c.state as credential_state, c.static_address, c.router_id`;

const ENTITLEMENT_FACTS = sql`
  e.id, e.plan_id, e.state, e.ends_at, e.not_before_at, e.end_reason, e.used_seconds, e.used_upload_octets,
  e.used_download_octets, ${sql.join(TERM_NAMES.map((name) => sql.ref(`e.${name}`)))}`;

/**
 * What nearly every sign-in needs, in one statement: a credential with the entitlement that runs, whether its subscriber is
 * in any state but active, whether another device is open now. The parameters are what stands for the asking device (`''`:
 * nothing does) and the user name; a session without a device is another's. Only the first two tables are large: the other
 * two questions go to indexes of the few subscribers that are not active and of the open sessions. The texts before `|| ''`
 * lead SQLite past the key of all subscribers to that index.
 */
const runningAccess = statement(
  sql<AccessRow>`
    select ${CREDENTIAL_FACTS}, ${ENTITLEMENT_FACTS},
      (select 1 from subscribers s where s.id || '' = c.subscriber_id || '' and s.state || '' <> 'active'
        limit 1) as kept_out,
      (select 1 from sessions x where x.credential_id = c.id and x.state = 'open' and x.gave_way_at is null
        and (x.mac is null or x.mac <> ${''}) limit 1) as other_sessions
    from credentials c
    left join entitlements e on e.credential_id = c.id and e.state = 'active'
    where c.username = ${''}
    order by e.id limit 1`,
);

/**
 * The entitlement of a credential that runs none: the one that waits and may start first, else the last that ended (it says
 * why). One that began to run a moment ago comes first here too.
 */
const otherEntitlement = statement(
  sql<EntitlementFacts & { plan_id: string }>`
    select ${ENTITLEMENT_FACTS} from entitlements e where e.id = coalesce(
      (select a.id from entitlements a where a.credential_id = ${''} and a.state = 'active' order by a.id limit 1),
      (select w.id from entitlements w where w.credential_id = ${''} and w.state = 'waiting'
        order by coalesce(w.not_before_at, 0), w.id limit 1),
      (select d.id from entitlements d where d.credential_id = ${''} and d.state = 'ended' order by d.id desc limit 1),
      (select r.id from entitlements r where r.credential_id = ${''} and r.state = 'revoked' order by r.id desc limit 1))`,
);

const countOtherDevices = statement(
  sql<{ devices: number }>`
    select count(distinct coalesce(x.mac, x.id)) as devices from sessions x
    where x.credential_id = ${''} and x.state = 'open' and x.gave_way_at is null
      and (x.mac is null or x.mac <> ${''})`,
);

/** The facts about a user name as it asks from a device: its MAC address, else what it calls from, else `''`. */
export async function findAccess(db: Db, username: string, mac: string): Promise<AccessRecord | undefined> {
  const rows = runningAccess(db, [mac, username]);
  const [row] = Array.isArray(rows) ? rows : await rows;
  if (!row) return undefined;
  const id = row.credential_id;
  const running = row.id === null ? undefined : (row as AccessRow & { id: string });
  const entitlement = running ?? (await otherEntitlement(db, [id, id, id, id]))[0];
  const others = row.other_sessions ? (await countOtherDevices(db, [id, mac]))[0]?.devices : 0;
  return {
    credential_id: id,
    subscriber_id: row.subscriber_id,
    username: row.username,
    password_sealed: row.password_sealed,
    credential_kind: row.credential_kind,
    credential_state: row.credential_state,
    static_address: row.static_address,
    router_id: row.router_id,
    subscriber_state: row.kept_out ? 'suspended' : 'active',
    other_devices: others ?? 0,
    plan_id: entitlement?.plan_id ?? undefined,
    entitlement,
  };
}

/**
 * What a credential has that is not over, but for `without`, in the order in which it is used. What was bought while a plan
 * was slow overtakes that one alone, as long as it runs, and nothing that was bought before.
 */
export async function openEntitlements(db: Db, credentialId: string, without = ''): Promise<Entitlement[]> {
  const open = await db
    .selectFrom('entitlements')
    .selectAll()
    .where('credential_id', '=', credentialId)
    .where('state', 'in', ['active', 'waiting'])
    .where('id', '<>', without)
    .execute();
  const isOneSlow = open.some((one) => one.state === 'active' && isSlow(one));
  const rank = (one: Entitlement) => {
    if (one.state === 'active') return isSlow(one) ? -1 : -3;
    return one.overtakes && isOneSlow ? -2 : (one.not_before_at ?? 0);
  };
  return open.sort((a, b) => rank(a) - rank(b) || (a.id < b.id ? -1 : 1));
}

/** Whether it may run at this instant of a trusted clock, were it the only one. */
function mayRun(entitlement: Entitlement, now: number): boolean {
  if (openFor(entitlement, now) === 0 || endReason(entitlement, now, true)) return false;
  return entitlement.state === 'active' || (entitlement.not_before_at ?? 0) <= now;
}

/**
 * What goes on by itself when this entitlement ends, or its hours close, at `at`: the next one that may run then;
 * undefined when there is none.
 */
export async function nextInLine(
  db: Db,
  entitlement: { id: string; credential_id: string },
  at: number,
): Promise<Entitlement | undefined> {
  const open = await openEntitlements(db, entitlement.credential_id, entitlement.id);
  return open.find((one) => mayRun(one, at));
}

type EntitlementAlone = ExpressionBuilder<Tables & { e: EntitlementsTable }, 'e'>;

function isOnline({ exists, selectFrom }: EntitlementAlone) {
  return exists(
    selectFrom('sessions as x')
      .select('x.id')
      .whereRef('x.credential_id', '=', 'e.credential_id')
      .where('x.state', '=', OPEN),
  );
}

function hasAnother({ exists, selectFrom }: EntitlementAlone) {
  return exists(
    selectFrom('entitlements as w')
      .select('w.id')
      .whereRef('w.credential_id', '=', 'e.credential_id')
      .whereRef('w.id', '<>', 'e.id')
      .where('w.state', 'in', ['active', 'waiting']),
  );
}

/**
 * The credentials with a live session whose entitlement ends between `from` and `to` while they have another one: the
 * router must hear of it before it ends the session.
 */
export async function credentialsRollingOver(db: Db, from: number, to: number): Promise<string[]> {
  const rows = await db
    .selectFrom('entitlements as e')
    .select('e.credential_id')
    .distinct()
    .where('e.state', '=', 'active')
    .where('e.ends_at', '>', from)
    .where('e.ends_at', '<=', to)
    .where((eb) => eb.and([isOnline(eb), hasAnother(eb)]))
    .execute();
  return rows.map((row) => row.credential_id);
}

/** The same where it does not end, but its hours close in that minute of the day. */
export async function credentialsClosing(db: Db, minute: number): Promise<string[]> {
  const rows = await db
    .selectFrom('entitlements as e')
    .select('e.credential_id')
    .distinct()
    .where('e.state', '=', ACTIVE)
    .where('e.hours_to_minute', '=', minute)
    .where((eb) => eb.and([isOnline(eb), hasAnother(eb)]))
    .execute();
  return rows.map((row) => row.credential_id);
}

/**
 * The facts about a user name with what is over by now taken off: an entitlement that has run out gives way to the
 * next one that waits. One that is outside its hours of the day lets another run that may, and one that is slow by its
 * fair-use rate a faster one. Bounded, since each turn ends one entitlement.
 */
export async function currentAccess(
  db: Db,
  username: string,
  mac: string,
  now: number,
  clockTrusted: boolean,
): Promise<AccessRecord | undefined> {
  for (;;) {
    const access = await findAccess(db, username, mac);
    const entitlement = access?.entitlement;
    if (!access || (entitlement?.state !== 'active' && entitlement?.state !== 'waiting')) return access;
    const over = entitlement.state === 'active' && endReason(entitlement, now, clockTrusted);
    if (!over) {
      if (!clockTrusted || (openFor(entitlement, now) !== 0 && !isSlow(entitlement))) return access;
      const open = await openEntitlements(db, access.credential_id);
      const best = open.find((one) => mayRun(one, now));
      return best ? { ...access, entitlement: best, plan_id: best.plan_id } : access;
    }
    await db.transaction().execute((tx) => endEntitlement(tx, entitlement.id, over, now));
  }
}

/**
 * Starts a waiting entitlement: its validity runs from here. Only the first of several callers changes anything;
 * all get the entitlement as it then stands.
 */
export async function startEntitlement(db: Db, id: string, now: number): Promise<Entitlement> {
  const started = await db
    .updateTable('entitlements')
    .set((eb) => ({
      state: 'active',
      starts_at: now,
      ends_at: eb(eb('validity_seconds', '*', 1000), '+', now),
    }))
    .where('id', '=', id)
    .where('state', '=', 'waiting')
    .returningAll()
    .executeTakeFirst();
  return started ?? getEntitlement(db, id);
}

/**
 * Ends a running entitlement once, and has its live sessions looked after: in a transaction, so that neither is without
 * the other. False when it had ended before.
 */
export async function endEntitlement(db: Db, id: string, reason: string, now: number): Promise<boolean> {
  const ended = await db
    .updateTable('entitlements')
    .set({ state: 'ended', ended_at: now, end_reason: reason })
    .where('id', '=', id)
    .where('state', 'in', ['active', 'waiting'])
    .returning('credential_id')
    .executeTakeFirst();
  if (ended) await enqueueTask(db, 'enforce', { credential_id: ended.credential_id, reason }, now);
  return ended !== undefined;
}

/** Takes an entitlement back, whatever is left of it. */
export async function revokeEntitlement(
  db: Db,
  id: string,
  reason: string,
  now: number,
): Promise<Entitlement> {
  const revoked = await db
    .updateTable('entitlements')
    .set({ state: 'revoked', ended_at: now, end_reason: reason })
    .where('id', '=', id)
    .where('state', 'in', ['active', 'waiting'])
    .returningAll()
    .executeTakeFirst();
  if (!revoked) {
    const found = await getEntitlement(db, id);
    throw new AppError('conflict', `This entitlement is already ${found.state}.`);
  }
  await enqueueTask(db, 'enforce', { credential_id: revoked.credential_id, reason: 'revoked' }, now);
  return revoked;
}

const anyDue = statement(
  sql<{ id: string }>`select id from entitlements where state = 'active' and ends_at <= ${0} limit 1`,
);

/**
 * Ends what is due by the clock; returns how many. One short transaction for each batch of them, and none where there is
 * nothing to end.
 */
export async function endDueEntitlements(db: Db, now: number, limit = 500): Promise<number> {
  if ((await anyDue(db, [now])).length === 0) return 0;
  return db.transaction().execute(async (tx) => {
    const due = await tx
      .selectFrom('entitlements')
      .select('id')
      .where('state', '=', 'active')
      .where('ends_at', '<=', now)
      .orderBy('ends_at')
      .limit(limit)
      .execute();
    for (const { id } of due) await endEntitlement(tx, id, 'expired', now);
    return due.length;
  });
}

/**
 * The clock was wrong by `byMs` from `since` on, as it was counted; `now` is right. What started meanwhile started so
 * much later; what was used before the clock was trusted starts with its first session; what was ended too early by a
 * clock that was fast goes on.
 */
export async function moveEntitlements(tx: Db, since: number, byMs: number, now: number): Promise<void> {
  await tx
    .updateTable('entitlements')
    .set((eb) => ({ starts_at: eb('starts_at', '+', byMs), ends_at: eb('ends_at', '+', byMs) }))
    .where('state', '=', 'active')
    .where('starts_at', '>=', since)
    .execute();
  const used = await tx
    .selectFrom('sessions as x')
    .innerJoin('entitlements as e', 'e.id', 'x.entitlement_id')
    .select((eb) => ['e.id', eb.fn.min<number>('x.started_at').as('started_at')])
    .where('x.id', '>=', idAt(since))
    .where('e.state', '=', 'waiting')
    .groupBy('e.id')
    .execute();
  for (const { id, started_at } of used) {
    await startEntitlement(tx, id, Math.min(now, Number(started_at) + byMs));
  }
  if (byMs >= 0) return;
  await tx
    .updateTable('entitlements as e')
    .set({ state: 'active', ended_at: null, end_reason: null })
    .where('state', '=', 'ended')
    .where('end_reason', '=', 'expired')
    .where('ended_at', '>=', since)
    // What began by the same wrong clock had all of its time by it.
    .where('starts_at', '<', since)
    .where('ends_at', '>', now)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('entitlements as other')
            .select('other.id')
            .whereRef('other.credential_id', '=', 'e.credential_id')
            .where('other.state', '=', 'active'),
        ),
      ),
    )
    .execute();
}

/**
 * Ends an entitlement whose counted limits are reached, or has its live sessions slowed down where a fair-use rate
 * follows the quota. Call it after usage was added; `before` is the entitlement without it.
 */
export async function actOnUsage(
  db: Db,
  before: EntitlementFacts,
  entitlement: Entitlement,
  now: number,
): Promise<void> {
  const reason = endReason(entitlement, now, false);
  if (reason) {
    await endEntitlement(db, entitlement.id, reason, now);
  } else if (entitlement.state === 'active' && quotaReached(entitlement) && !quotaReached(before)) {
    await enqueueTask(db, 'enforce', { credential_id: entitlement.credential_id, reason: 'fair_use' }, now);
  }
}

/** The grant that was made with this idempotency key, if it was. */
export async function findGrant(db: Db, idempotencyKey: string): Promise<Entitlement | undefined> {
  return db
    .selectFrom('entitlements')
    .selectAll()
    .where('idempotency_key', '=', idempotencyKey)
    .executeTakeFirst();
}

export async function getEntitlement(db: Db, id: string): Promise<Entitlement> {
  const entitlement = await db.selectFrom('entitlements').selectAll().where('id', '=', id).executeTakeFirst();
  if (!entitlement) throw new AppError('not_found', 'There is no such entitlement.');
  return entitlement;
}

export interface EntitlementView extends Entitlement {
  username: string;
  msisdn: string | null;
  plan_name: string;
}

export interface EntitlementFilter {
  state?: Entitlement['state'] | undefined;
  subscriber_id?: string | undefined;
  credential_id?: string | undefined;
}

function viewQuery(db: Db) {
  return db
    .selectFrom('entitlements as e')
    .innerJoin('credentials as c', 'c.id', 'e.credential_id')
    .innerJoin('subscribers as s', 's.id', 'e.subscriber_id')
    .innerJoin('plans as p', 'p.id', 'e.plan_id')
    .selectAll('e')
    .select(['c.username', 's.msisdn', 'p.name as plan_name']);
}

export async function listEntitlements(
  db: Db,
  page: PageRequest,
  filter: EntitlementFilter = {},
): Promise<Page<EntitlementView>> {
  let query = viewQuery(db);
  // The narrowest filter leads: a credential, else a subscriber.
  const { state, subscriber_id, credential_id } = filter;
  const narrow = credential_id ?? subscriber_id;
  if (state) query = query.where(narrow ? unindexed('e.state') : 'e.state', '=', state);
  if (subscriber_id)
    query = query.where(credential_id ? unindexed('e.subscriber_id') : 'e.subscriber_id', '=', subscriber_id);
  if (credential_id) query = query.where('e.credential_id', '=', credential_id);
  return readPage(query, 'e.id', page);
}

export async function getEntitlementView(db: Db, id: string): Promise<EntitlementView> {
  const view = await viewQuery(db).where('e.id', '=', id).executeTakeFirst();
  if (!view) throw new AppError('not_found', 'There is no such entitlement.');
  return view;
}
