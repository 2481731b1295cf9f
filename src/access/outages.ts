// Outages: when the box or a router was down, and the time that entitlements get back for it, once.
import { type Page, type PageRequest, readPage, unindexed } from '../db/page.ts';
import type { Db, Row } from '../db/schema.ts';
import { readSetting, writeSetting } from '../db/settings.ts';
import { enqueueTask } from '../db/tasks.ts';
import { AppError } from '../errors.ts';
import { newId } from '../lib/ids.ts';
import { endReason } from './authorize.ts';

export type Outage = Row<'outages'>;
export type Extension = Row<'extensions'>;

const KEY = 'outages';
/** A session that the router reported so shortly before the outage was live when it began. */
const LIVE_MS = 10 * 60_000;
const BATCH = 200;

export interface OutageSettings {
  /** `off`: none is noted. `ask`: a person decides. `automatic`: extended as soon as it is over. */
  mode: 'off' | 'ask' | 'automatic';
  /** A shorter outage does not count. */
  minimum_seconds: number;
  /** No entitlement gets more for one outage. */
  maximum_seconds: number;
}

const DEFAULTS: OutageSettings = { mode: 'ask', minimum_seconds: 600, maximum_seconds: 86_400 };

export async function readOutageSettings(db: Db): Promise<OutageSettings> {
  return { ...DEFAULTS, ...(await readSetting<Partial<OutageSettings>>(db, KEY)) };
}

export async function updateOutageSettings(
  db: Db,
  change: Partial<OutageSettings>,
  now: number,
): Promise<OutageSettings> {
  const after = { ...(await readOutageSettings(db)), ...change };
  await writeSetting(db, KEY, after, now);
  return after;
}

interface Down {
  kind: Outage['kind'];
  router?: { id: string; name: string };
  from_at: number;
  /** Null while it lasts. */
  to_at: number | null;
}

/** Writes an outage down, once however often it is told. */
export async function noteOutage(db: Db, down: Down, now: number): Promise<void> {
  await db
    .insertInto('outages')
    .values({
      id: newId(now),
      key: [down.kind, down.router?.id ?? '', down.from_at].join(':'),
      kind: down.kind,
      router_id: down.router?.id ?? null,
      router_name: down.router?.name ?? null,
      from_at: down.from_at,
      to_at: down.to_at,
      state: 'open',
      extended: 0,
      most_ms: null,
      decided_by: null,
      decided_at: null,
      done_at: null,
      created_at: now,
    })
    .onConflict((oc) => oc.column('key').doNothing())
    .execute();
}

/**
 * A router could not be reached. Its outage began with its last contact, or when the box came back: what was before is
 * the box's own.
 */
export async function noteRouterDown(
  db: Db,
  router: { id: string; name: string; last_seen_at: number | null },
  now: number,
): Promise<void> {
  if (router.last_seen_at === null) return;
  const box = await db
    .selectFrom('outages')
    .select('to_at')
    .where('kind', '=', 'box')
    .where('to_at', '>', router.last_seen_at)
    .orderBy('to_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  await noteOutage(
    db,
    { kind: 'router', router, from_at: box?.to_at ?? router.last_seen_at, to_at: null },
    now,
  );
}

/** A router was heard of: an outage of it is over. */
export async function noteRouterUp(db: Db, routerId: string, at: number): Promise<void> {
  await db
    .updateTable('outages')
    .set({ to_at: at })
    .where('state', '=', 'open')
    .where('router_id', '=', routerId)
    .where('to_at', 'is', null)
    .execute();
}

/** Outages that are over: the short ones are dropped, the others wait for a decision and are returned. */
export async function settleOutages(db: Db, minimumMs: number): Promise<Outage[]> {
  await db
    .deleteFrom('outages')
    .where('state', '=', 'open')
    .where((eb) => eb(eb('to_at', '-', eb.ref('from_at')), '<', minimumMs))
    .execute();
  return db
    .updateTable('outages')
    .set({ state: 'waiting' })
    .where('state', '=', 'open')
    .where('to_at', 'is not', null)
    .returningAll()
    .execute();
}

/**
 * The entitlements that lost time to an outage and have none back for it yet: running by the wall clock in it, still
 * so or ended by it since, and for a router's outage online there when it began. One that was followed by another plan
 * of its guest is over.
 */
async function losers(db: Db, outage: Outage) {
  // While the box itself was off nobody reported: what was live when it went counts.
  const box = await db
    .selectFrom('outages')
    .select('from_at')
    .where('kind', '=', 'box')
    .where('to_at', '=', outage.from_at)
    .executeTakeFirst();
  const reported = (box?.from_at ?? outage.from_at) - LIVE_MS;
  const to = outage.to_at ?? outage.from_at;
  let query = db
    .selectFrom('entitlements as e')
    .where('e.starts_at', '<', to)
    .where('e.ends_at', '>', outage.from_at)
    .where((eb) =>
      eb.or([
        eb('e.state', '=', 'active'),
        eb.and([
          eb('e.state', '=', 'ended'),
          eb('e.end_reason', '=', 'expired'),
          eb.not(
            eb.exists(
              eb
                .selectFrom('entitlements as next')
                .select('next.id')
                .whereRef('next.credential_id', '=', 'e.credential_id')
                .where('next.state', '=', 'active'),
            ),
          ),
        ]),
      ]),
    )
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('extensions as x')
            .select('x.id')
            .where('x.outage_id', '=', outage.id)
            .whereRef('x.entitlement_id', '=', 'e.id'),
        ),
      ),
    );
  const routerId = outage.router_id;
  if (routerId !== null) {
    query = query.where((eb) =>
      eb.exists(
        eb
          .selectFrom('sessions as s')
          .select('s.id')
          .whereRef('s.subscriber_id', '=', 'e.subscriber_id')
          .where(unindexed('s.credential_id'), '=', eb.ref('e.credential_id'))
          .where('s.router_id', '=', routerId)
          .where('s.started_at', '<=', outage.from_at)
          .where('s.updated_at', '>=', reported),
      ),
    );
  }
  return { query };
}

export interface OutageView extends Outage {
  /** How many entitlements would be extended now; 0 once it was decided. */
  affected: number;
  /** The most that one of them gets, milliseconds. */
  extension_ms: number;
}

async function viewOutage(db: Db, outage: Outage, settings: OutageSettings): Promise<OutageView> {
  const length = (outage.to_at ?? outage.from_at) - outage.from_at;
  const { count } =
    outage.state === 'waiting'
      ? await (await losers(db, outage)).query
          .select((eb) => eb.fn.countAll<number>().as('count'))
          .executeTakeFirstOrThrow()
      : { count: 0 };
  const most = outage.most_ms ?? settings.maximum_seconds * 1000;
  return { ...outage, affected: Number(count), extension_ms: Math.min(length, most) };
}

export async function getOutage(db: Db, id: string): Promise<OutageView> {
  const outage = await db.selectFrom('outages').selectAll().where('id', '=', id).executeTakeFirst();
  if (!outage) throw new AppError('not_found', 'There is no such outage.');
  return viewOutage(db, outage, await readOutageSettings(db));
}

export async function listOutages(
  db: Db,
  page: PageRequest,
  state?: Outage['state'],
): Promise<Page<OutageView>> {
  let query = db.selectFrom('outages').selectAll();
  if (state) query = query.where('state', '=', state);
  const { items, next } = await readPage(query, 'outages.id', page);
  const settings = await readOutageSettings(db);
  return { items: await Promise.all(items.map((outage) => viewOutage(db, outage, settings))), next };
}

/** Decides about an outage once; call it in a transaction. Throws `conflict` when that was done before. */
export async function decideOutage(
  tx: Db,
  id: string,
  decision: 'approved' | 'dismissed',
  by: string,
  now: number,
): Promise<void> {
  const { maximum_seconds } = await readOutageSettings(tx);
  const decided = await tx
    .updateTable('outages')
    .set({ state: decision, decided_by: by, decided_at: now, most_ms: maximum_seconds * 1000 })
    .where('id', '=', id)
    .where('state', '=', 'waiting')
    .returning('id')
    .executeTakeFirst();
  if (!decided) {
    const { state } = await getOutage(tx, id);
    throw new AppError(
      'conflict',
      state === 'open' ? 'This outage is not over yet.' : `This outage was ${state} already.`,
    );
  }
  if (decision === 'approved') await enqueueTask(tx, 'extend_entitlements', { outage_id: id }, now);
}

type Span = { from: number; to: number };

/** What is left of a span when these are cut out of it, milliseconds. */
function lengthWithout(span: Span, taken: Span[]): number {
  let left = 0;
  let at = span.from;
  for (const cut of [...taken].sort((a, b) => a.from - b.from)) {
    if (cut.from > at) left += Math.max(0, Math.min(cut.from, span.to) - at);
    at = Math.max(at, cut.to);
  }
  return left + Math.max(0, span.to - at);
}

/**
 * Gives the next entitlements of an approved outage the time back that they lost to it, less what an outage beside it
 * gave back already. What has ended meanwhile runs again, from now. Returns how many were looked at: 0 when all is done.
 */
export async function extendEntitlements(db: Db, outageId: string, now: number): Promise<number> {
  return db.transaction().execute(async (tx) => {
    const outage = await getOutage(tx, outageId);
    if (outage.state !== 'approved' || outage.done_at !== null) return 0;
    const entitlements = await (await losers(tx, outage)).query
      .selectAll('e')
      .orderBy('e.id')
      .limit(BATCH)
      .execute();
    let extended = 0;
    for (const entitlement of entitlements) {
      const { id, starts_at, ends_at } = entitlement;
      if (starts_at === null || ends_at === null) continue;
      const taken = await tx
        .selectFrom('extensions as x')
        .innerJoin('outages as o', 'o.id', 'x.outage_id')
        .select(['o.from_at as from', 'o.to_at as to'])
        .where('x.entitlement_id', '=', id)
        .execute();
      const span = {
        from: Math.max(outage.from_at, starts_at),
        to: Math.min(outage.to_at ?? outage.from_at, ends_at),
      };
      const lost = lengthWithout(
        span,
        taken.map(({ from, to }) => ({ from, to: to ?? from })),
      );
      // What was told since its end may have used up the rest of it.
      const isUsedUp = endReason(entitlement, now, false) !== undefined;
      const ms = isUsedUp ? 0 : Math.min(lost, outage.extension_ms);
      // One that is over may not have been ended yet: from now on it runs as well.
      const after = Math.max(ends_at, now) + ms;
      const once = await tx
        .insertInto('extensions')
        .values({
          id: newId(now),
          outage_id: outageId,
          entitlement_id: id,
          extended_ms: ms,
          ends_at_before: ends_at,
          ends_at_after: ms > 0 ? after : ends_at,
          created_at: now,
        })
        .onConflict((oc) => oc.columns(['outage_id', 'entitlement_id']).doNothing())
        .returning('id')
        .executeTakeFirst();
      if (!once || ms === 0) continue;
      await tx
        .updateTable('entitlements')
        .set({ state: 'active', ends_at: after, ended_at: null, end_reason: null })
        .where('id', '=', id)
        .execute();
      await enqueueTask(tx, 'enforce', { credential_id: entitlement.credential_id, reason: 'extended' }, now);
      extended += 1;
    }
    await tx
      .updateTable('outages')
      .set((eb) => ({
        extended: eb('extended', '+', extended),
        done_at: entitlements.length === 0 ? now : null,
      }))
      .where('id', '=', outageId)
      .execute();
    return entitlements.length;
  });
}

export interface ExtensionView extends Extension {
  kind: Outage['kind'];
  router_name: string | null;
  from_at: number;
  to_at: number | null;
}

/** What an entitlement was given back, newest first. */
export async function listExtensions(
  db: Db,
  page: PageRequest,
  filter: { entitlement_id?: string; outage_id?: string },
): Promise<Page<ExtensionView>> {
  let query = db
    .selectFrom('extensions as x')
    .innerJoin('outages as o', 'o.id', 'x.outage_id')
    .selectAll('x')
    .select(['o.kind', 'o.router_name', 'o.from_at', 'o.to_at'])
    .where('x.extended_ms', '>', 0);
  if (filter.entitlement_id) query = query.where('x.entitlement_id', '=', filter.entitlement_id);
  if (filter.outage_id) query = query.where('x.outage_id', '=', filter.outage_id);
  return readPage(query, 'x.id', page);
}
