// Vouchers: made in batches, redeemed once.
import type { Page, PageRequest } from '../db/page.ts';
import { readPage, unindexed } from '../db/page.ts';
import type { Db, Row } from '../db/schema.ts';
import { holdRow } from '../db/several-nodes.ts';
import { enqueueTask } from '../db/tasks.ts';
import { AppError } from '../errors.ts';
import { normalizeCode, randomCode } from '../lib/codes.ts';
import { newId } from '../lib/ids.ts';
import type { Vault } from '../lib/secrets.ts';
import { createCredential } from './credentials.ts';
import { type Entitlement, getEntitlement, grantEntitlement, revokeEntitlement } from './entitlements.ts';
import { getPlan } from './plans.ts';
import { createSubscriber } from './subscribers.ts';

export type VoucherBatch = Row<'voucher_batches'>;
export type Voucher = Row<'vouchers'>;

export const CODE_LENGTH = 8;
export const MAX_BATCH = 100_000;
/** A batch up to this size is made in the request that asks for it; larger ones by a task. */
export const MAKE_AT_ONCE = 1000;
const CODES_AT_ONCE = 1000;
/** Rows of one transaction: with eight indexes 30 µs each, and a RADIUS packet is not to wait longer than 1 ms for them. */
const SLICE = 25;
/** Between two slices, for about as long as one takes: whoever signs in meets an idle program as often as a busy one. */
const REST_MS = 2;

export interface BatchInput {
  plan_id: string;
  count: number;
  name: string;
  created_by: string | null;
  idempotency_key: string | null;
}

/**
 * Writes down a batch with the task that makes its vouchers. The same idempotency key gives the batch that is there.
 */
export async function createVoucherBatch(db: Db, input: BatchInput, now: number): Promise<VoucherBatch> {
  const plan = await getPlan(db, input.plan_id);
  if (plan.state === 'archived') {
    throw new AppError('conflict', `The plan “${plan.name}” is archived.`, {
      hint: 'Restore it, or choose another.',
    });
  }
  if (plan.kind !== 'hotspot') {
    throw new AppError(
      'conflict',
      `“${plan.name}” is a plan for homes on PPPoE, and vouchers open the hotspot.`,
      {
        hint: 'Choose a hotspot plan.',
        fields: { plan_id: 'This plan is for homes on PPPoE.' },
      },
    );
  }
  return db.transaction().execute(async (tx) => {
    const batch = await tx
      .insertInto('voucher_batches')
      .values({
        id: newId(now),
        ...input,
        made: 0,
        redeemed: 0,
        cancelled: 0,
        price_cents: plan.price_cents,
        state: 'making',
        created_at: now,
        ready_at: null,
      })
      .onConflict((oc) => oc.column('idempotency_key').doNothing())
      .returningAll()
      .executeTakeFirst();
    if (batch) {
      await enqueueTask(tx, 'make_vouchers', { batch_id: batch.id }, now);
      return batch;
    }
    return tx
      .selectFrom('voucher_batches')
      .selectAll()
      .where('idempotency_key', '=', input.idempotency_key)
      .executeTakeFirstOrThrow();
  });
}

/** A code as it is stored. */
export type SealedCode = Pick<Voucher, 'code_fingerprint' | 'code_sealed'>;

/** Fresh random codes, sealed: some 5 µs each. */
export function sealCodes(vault: Vault, count: number): SealedCode[] {
  return Array.from({ length: count }, () => {
    const code = randomCode(CODE_LENGTH);
    return { code_fingerprint: vault.fingerprint(code), code_sealed: vault.seal(code) };
  });
}

/**
 * Adds vouchers to a batch, one transaction for each call, as many as it still wants; it is ready when `made` reaches
 * `count`. Safe to repeat after a crash, and beside another node making the same batch: `made` is claimed first.
 */
export async function addVouchers(
  db: Db,
  batchId: string,
  codes: readonly SealedCode[],
  now: number,
): Promise<VoucherBatch> {
  return db.transaction().execute(async (tx) => {
    // Touching the row first locks it on PostgreSQL, so that two makers take turns.
    const batch = await tx
      .updateTable('voucher_batches')
      .set((eb) => ({ made: eb.ref('made') }))
      .where('id', '=', batchId)
      .returningAll()
      .executeTakeFirst();
    if (!batch) throw new AppError('not_found', 'There is no such voucher batch.');
    if (batch.state !== 'making') return batch;
    const made =
      batch.made + (await insertVouchers(tx, batch, codes.slice(0, batch.count - batch.made), now));
    const done = made >= batch.count;
    return tx
      .updateTable('voucher_batches')
      .set({ made, state: done ? 'ready' : 'making', ready_at: done ? now : null })
      .where('id', '=', batchId)
      .returningAll()
      .executeTakeFirstOrThrow();
  });
}

/** Inserts vouchers; one whose code exists already (in any batch) is left out, not repeated. */
async function insertVouchers(
  tx: Db,
  batch: VoucherBatch,
  codes: readonly SealedCode[],
  now: number,
): Promise<number> {
  if (codes.length === 0) return 0;
  const rows = codes.map((code) => ({
    id: newId(now),
    batch_id: batch.id,
    plan_id: batch.plan_id,
    ...code,
    state: 'unused' as const,
    entitlement_id: null,
    subscriber_id: null,
    created_at: now,
    redeemed_at: null,
  }));
  const inserted = await tx
    .insertInto('vouchers')
    .values(rows)
    .onConflict((oc) => oc.column('code_fingerprint').doNothing())
    .executeTakeFirst();
  return Number(inserted.numInsertedOrUpdatedRows ?? 0);
}

/**
 * Makes what a batch still lacks, in slices with everything else's turn between them; the batch as it then is, ready
 * or cancelled. `freshCodes` makes codes (elsewhere, it is heavy work); `tell` hears how far it is after each thousand.
 */
export async function makeVouchers(
  db: Db,
  batch: VoucherBatch,
  freshCodes: (count: number) => Promise<SealedCode[]>,
  clock: { now(): number },
  tell: (batch: VoucherBatch) => void = () => undefined,
): Promise<VoucherBatch> {
  let current = batch;
  while (current.state === 'making') {
    const codes = await freshCodes(Math.min(CODES_AT_ONCE, current.count - current.made));
    for (let start = 0; start < codes.length && current.state === 'making'; start += SLICE) {
      current = await addVouchers(db, batch.id, codes.slice(start, start + SLICE), clock.now());
      await new Promise((resolve) => setTimeout(resolve, REST_MS));
    }
    tell(current);
  }
  return current;
}

/** Why a code gives no access. */
export type RedeemRefusal = 'unknown' | 'used' | 'cancelled';
export type Redemption =
  | { redeemed: true; username: string; password: string; entitlement: Entitlement }
  | { redeemed: false; reason: RedeemRefusal; voucher?: Voucher };

/**
 * Redeems a code as a person typed it: once, whoever comes first. The voucher, its subscriber, credential and
 * entitlement change in one transaction. `mac` is the device it was typed on, if known.
 */
export async function redeemVoucher(
  db: Db,
  vault: Vault,
  typed: string,
  mac: string | null,
  now: number,
): Promise<Redemption> {
  const code = normalizeCode(typed);
  const fingerprint = vault.fingerprint(code);
  return db.transaction().execute(async (tx) => {
    const asked = await findVoucher(tx, vault, code);
    if (!asked) return { redeemed: false, reason: 'unknown' };
    // The batch before its vouchers, as whoever cancels it does.
    await holdRow(tx, 'voucher_batches', asked.batch_id);
    const voucher = await tx
      .updateTable('vouchers')
      .set({ state: 'redeemed', redeemed_at: now })
      .where('code_fingerprint', '=', fingerprint)
      .where('state', '=', 'unused')
      .returningAll()
      .executeTakeFirst();
    if (!voucher) {
      const found = (await findVoucher(tx, vault, code)) ?? asked;
      return { redeemed: false, reason: found.state === 'cancelled' ? 'cancelled' : 'used', voucher: found };
    }
    const subscriber = await createSubscriber(tx, now);
    const credential = await createCredential(
      tx,
      vault,
      { subscriber_id: subscriber.id, username: code, password: code, kind: 'voucher', device_mac: mac },
      now,
    );
    const entitlement = await grantEntitlement(
      tx,
      {
        subscriber_id: subscriber.id,
        credential_id: credential.id,
        plan: await getPlan(tx, voucher.plan_id),
        source: 'voucher',
        voucher_id: voucher.id,
      },
      now,
    );
    await tx
      .updateTable('vouchers')
      .set({ subscriber_id: subscriber.id, entitlement_id: entitlement.id })
      .where('id', '=', voucher.id)
      .execute();
    await tx
      .updateTable('voucher_batches')
      .set((eb) => ({ redeemed: eb('redeemed', '+', 1) }))
      .where('id', '=', voucher.batch_id)
      .execute();
    return { redeemed: true, username: code, password: code, entitlement };
  });
}

/** The voucher with this code, however it was typed. */
export async function findVoucher(db: Db, vault: Vault, typed: string): Promise<Voucher | undefined> {
  return db
    .selectFrom('vouchers')
    .selectAll()
    .where('code_fingerprint', '=', vault.fingerprint(normalizeCode(typed)))
    .executeTakeFirst();
}

/** Cancels one unused voucher; `restore` takes that back. `conflict` when it is in another state by now. */
export async function cancelVoucher(db: Db, id: string): Promise<Voucher> {
  return changeUnused(db, id, 'unused', 'cancelled', 1);
}

/**
 * Cancels a voucher that was redeemed: what it gave is taken back, and its live sessions end. It cannot be restored.
 * `conflict` when it is in another state by now.
 */
export async function withdrawVoucher(db: Db, id: string, now: number): Promise<Voucher> {
  return db.transaction().execute(async (tx) => {
    const voucher = await changeVoucher(tx, id, 'redeemed', 'cancelled');
    await tx
      .updateTable('voucher_batches')
      .set((eb) => ({ cancelled: eb('cancelled', '+', 1), redeemed: eb('redeemed', '-', 1) }))
      .where('id', '=', voucher.batch_id)
      .execute();
    const entitlement = await getEntitlement(tx, voucher.entitlement_id ?? '');
    if (entitlement.state === 'active' || entitlement.state === 'waiting') {
      await revokeEntitlement(tx, entitlement.id, 'voucher_cancelled', now);
    }
    return voucher;
  });
}

export async function restoreVoucher(db: Db, id: string): Promise<Voucher> {
  return changeUnused(db, id, 'cancelled', 'unused', -1);
}

async function changeUnused(
  db: Db,
  id: string,
  from: Voucher['state'],
  to: Voucher['state'],
  cancelledBy: number,
): Promise<Voucher> {
  return db.transaction().execute((tx) => changeCounted(tx, id, from, to, cancelledBy));
}

async function changeCounted(
  tx: Db,
  id: string,
  from: Voucher['state'],
  to: Voucher['state'],
  cancelledBy: number,
): Promise<Voucher> {
  const voucher = await changeVoucher(tx, id, from, to);
  await tx
    .updateTable('voucher_batches')
    .set((eb) => ({ cancelled: eb('cancelled', '+', cancelledBy) }))
    .where('id', '=', voucher.batch_id)
    .execute();
  return voucher;
}

/** In a sale's transaction: an unused voucher, held as it is until the end. `conflict` for any other. */
export async function holdUnusedVoucher(tx: Db, id: string): Promise<Voucher> {
  return changeVoucher(tx, id, 'unused', 'unused');
}

/** In a transaction: cancels a voucher that was made for a sale which is taken back. */
export async function takeBackVoucher(tx: Db, id: string): Promise<Voucher> {
  return changeCounted(tx, id, 'unused', 'cancelled', 1);
}

/**
 * One more voucher for the counter, in the transaction of its sale: the vouchers sold of a plan on one day are one
 * batch, which grows.
 */
export async function makeCounterVoucher(
  tx: Db,
  vault: Vault,
  plan: { id: string; price_cents: number },
  day: string,
  now: number,
): Promise<Voucher> {
  const key = `counter:${plan.id}:${plan.price_cents}:${day}`;
  await tx
    .insertInto('voucher_batches')
    .values({
      id: newId(now),
      plan_id: plan.id,
      name: `Counter ${day}`,
      count: 0,
      made: 0,
      redeemed: 0,
      cancelled: 0,
      price_cents: plan.price_cents,
      state: 'ready',
      idempotency_key: key,
      created_by: null,
      created_at: now,
      ready_at: now,
    })
    .onConflict((oc) => oc.column('idempotency_key').doNothing())
    .execute();
  const batch = await tx
    .updateTable('voucher_batches')
    .set((eb) => ({ count: eb('count', '+', 1), made: eb('made', '+', 1), state: 'ready' }))
    .where('idempotency_key', '=', key)
    .returningAll()
    .executeTakeFirstOrThrow();
  for (;;) {
    const codes = sealCodes(vault, 1);
    if ((await insertVouchers(tx, batch, codes, now)) === 0) continue;
    return tx
      .selectFrom('vouchers')
      .selectAll()
      .where('code_fingerprint', '=', codes[0]?.code_fingerprint as string)
      .executeTakeFirstOrThrow();
  }
}

async function changeVoucher(
  tx: Db,
  id: string,
  from: Voucher['state'],
  to: Voucher['state'],
): Promise<Voucher> {
  const read = () => tx.selectFrom('vouchers').selectAll().where('id', '=', id).executeTakeFirst();
  const asked = await read();
  if (!asked) throw new AppError('not_found', 'There is no such voucher.');
  await holdRow(tx, 'voucher_batches', asked.batch_id);
  let change = tx.updateTable('vouchers').set({ state: to }).where('id', '=', id).where('state', '=', from);
  // One that was redeemed before it was cancelled has given what it had to give.
  if (from === 'cancelled') change = change.where('entitlement_id', 'is', null);
  const voucher = await change.returningAll().executeTakeFirst();
  if (voucher) return voucher;
  const found = (await read()) ?? asked;
  const used = found.state === from ? ', and was used before' : '';
  throw new AppError('conflict', `This voucher is ${found.state}${used}.`);
}

/** Cancels what is unused of a batch, and stops one that is still being made. */
export async function cancelVoucherBatch(db: Db, id: string): Promise<VoucherBatch> {
  return db.transaction().execute(async (tx) => {
    // The batch first: a maker that has it now is waited for, so that what it makes is cancelled too.
    const stopped = await tx
      .updateTable('voucher_batches')
      .set({ state: 'cancelled' })
      .where('id', '=', id)
      .returning('id')
      .executeTakeFirst();
    if (!stopped) throw new AppError('not_found', 'There is no such voucher batch.');
    const result = await tx
      .updateTable('vouchers')
      .set({ state: 'cancelled' })
      .where('batch_id', '=', id)
      .where('state', '=', 'unused')
      .executeTakeFirst();
    return tx
      .updateTable('voucher_batches')
      .set((eb) => ({ cancelled: eb('cancelled', '+', Number(result.numUpdatedRows)) }))
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow();
  });
}

export interface VoucherBatchView extends VoucherBatch {
  plan_name: string;
}

function batchQuery(db: Db) {
  return db
    .selectFrom('voucher_batches as b')
    .innerJoin('plans as p', 'p.id', 'b.plan_id')
    .selectAll('b')
    .select('p.name as plan_name');
}

export async function getVoucherBatch(db: Db, id: string): Promise<VoucherBatchView> {
  const batch = await batchQuery(db).where('b.id', '=', id).executeTakeFirst();
  if (!batch) throw new AppError('not_found', 'There is no such voucher batch.');
  return batch;
}

export async function listVoucherBatches(
  db: Db,
  page: PageRequest,
  filter: { plan_id?: string | undefined; state?: VoucherBatch['state'] | undefined } = {},
): Promise<Page<VoucherBatchView>> {
  let query = batchQuery(db);
  if (filter.plan_id) query = query.where('b.plan_id', '=', filter.plan_id);
  if (filter.state) query = query.where('b.state', '=', filter.state);
  return readPage(query, 'b.id', page);
}

export interface VoucherView extends Omit<Voucher, 'code_sealed' | 'code_fingerprint'> {
  code: string;
  plan_name: string;
  batch_name: string;
}

export interface VoucherFilter {
  state?: Voucher['state'] | undefined;
  batch_id?: string | undefined;
  plan_id?: string | undefined;
  /** A whole code, however typed: codes are stored sealed and found by fingerprint. */
  code?: string | undefined;
}

function voucherQuery(db: Db) {
  return db
    .selectFrom('vouchers as v')
    .innerJoin('plans as p', 'p.id', 'v.plan_id')
    .innerJoin('voucher_batches as b', 'b.id', 'v.batch_id')
    .selectAll('v')
    .select(['p.name as plan_name', 'b.name as batch_name']);
}

function openVoucher(vault: Vault, row: Voucher & { plan_name: string; batch_name: string }): VoucherView {
  const { code_sealed, code_fingerprint: _, ...rest } = row;
  return { ...rest, code: vault.open(code_sealed) };
}

export async function listVouchers(
  db: Db,
  vault: Vault,
  page: PageRequest,
  filter: VoucherFilter = {},
): Promise<Page<VoucherView>> {
  let query = voucherQuery(db);
  if (filter.batch_id) query = query.where('v.batch_id', '=', filter.batch_id);
  if (filter.state) query = query.where('v.state', '=', filter.state);
  if (filter.plan_id)
    query = query.where(filter.batch_id ? unindexed('v.plan_id') : 'v.plan_id', '=', filter.plan_id);
  if (filter.code)
    query = query.where('v.code_fingerprint', '=', vault.fingerprint(normalizeCode(filter.code)));
  const { items, next } = await readPage(query, 'v.id', page);
  return { items: items.map((row) => openVoucher(vault, row)), next };
}

export async function getVoucher(db: Db, vault: Vault, id: string): Promise<VoucherView> {
  const row = await voucherQuery(db).where('v.id', '=', id).executeTakeFirst();
  if (!row) throw new AppError('not_found', 'There is no such voucher.');
  return openVoucher(vault, row);
}

/** Vouchers redeemed from `from` (epoch ms) on, before `to`. */
export async function countRedeemed(db: Db, from: number, to: number): Promise<number> {
  const { count } = await db
    .selectFrom('vouchers')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('redeemed_at', '>=', from)
    .where('redeemed_at', '<', to)
    .executeTakeFirstOrThrow();
  return Number(count);
}
