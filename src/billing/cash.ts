// Cash: a plan or a voucher sold at the counter, and the sale taken back when it was a mistake.
import { type Credential, getCredential } from '../access/credentials.ts';
import { revokeEntitlement } from '../access/entitlements.ts';
import { checkFits, getPlan, type Plan } from '../access/plans.ts';
import {
  findVoucher,
  holdUnusedVoucher,
  makeCounterVoucher,
  takeBackVoucher,
  type Voucher,
} from '../access/vouchers.ts';
import type { Page, PageRequest } from '../db/page.ts';
import { readPage, unindexed } from '../db/page.ts';
import type { Db, Row } from '../db/schema.ts';
import { holdRow } from '../db/several-nodes.ts';
import { AppError } from '../errors.ts';
import { dayOf } from '../lib/days.ts';
import { newId } from '../lib/ids.ts';
import { formatMoney } from '../lib/money.ts';
import type { Vault } from '../lib/secrets.ts';
import { type Actor, audit } from '../operators/audit.ts';
import { closeEvidence } from './evidence.ts';
import { grantPayment } from './grant-payment.ts';
import { bookPayment } from './ledger.ts';
import { holdOpenTill, readTillSettings } from './till.ts';

/** What is sold: a plan as a fresh voucher, a plan for a home's credential, or a voucher printed before. */
export interface CashSaleInput {
  account_id: string;
  plan_id?: string | undefined;
  credential_id?: string | undefined;
  /** A printed voucher's code, however typed. */
  voucher_code?: string | undefined;
  msisdn?: string | undefined;
  /** The same key sells once. */
  key: string;
}

export interface CashSale extends Row<'cash_sales'> {
  plan_id: string;
  plan_name: string;
  amount_cents: number;
  state: Row<'payments'>['state'];
  entitlement_id: string | null;
  msisdn: string | null;
  voucher_state: Voucher['state'] | null;
  account_name: string;
  /** To be shown or printed; null when it was sold for a credential. */
  code: string | null;
}

interface Sold {
  plan: Plan;
  amount_cents: number;
  voucher?: Voucher;
  voucher_made?: boolean;
  credential?: Credential;
}

/**
 * Sells for cash: payment, evidence, voucher or grant, the till's money and the audit entry appear together or not at
 * all. Repeating it with its key gives the sale that is there.
 * @throws `conflict` without an open till (where one is needed), for a plan that is not on sale, for a voucher that is
 * used, cancelled or sold already.
 */
export async function sellForCash(
  db: Db,
  vault: Vault,
  input: CashSaleInput,
  actor: Actor,
  now: number,
): Promise<CashSale> {
  const key = `${input.account_id}:${input.key}`;
  const paymentId = await db.transaction().execute(async (tx) => {
    // The evidence claims the key: whoever comes second with it waits, and finds the sale.
    const evidenceId = await claimKey(tx, key, input, actor, now);
    if (!evidenceId) return saleWithKey(tx, key);
    const till = await holdOpenTill(tx, input.account_id);
    if (!till && (await readTillSettings(tx)).required) {
      throw new AppError('conflict', 'Open your till first.', { hint: 'Count the change in it, then sell.' });
    }
    const sold = await takeGoods(tx, vault, input, now);
    const id = newId(now);
    await tx
      .insertInto('payments')
      .values({
        id,
        gateway: 'cash',
        receipt: null,
        checkout_request_id: null,
        order_id: null,
        subscriber_id: sold.credential?.subscriber_id ?? null,
        plan_id: sold.plan.id,
        entitlement_id: null,
        msisdn: input.msisdn ?? null,
        amount_cents: sold.amount_cents,
        state: 'settled',
        note: null,
        received_at: now,
        created_at: now,
      })
      .execute();
    await tx
      .insertInto('cash_sales')
      .values({
        payment_id: id,
        idempotency_key: key,
        account_id: input.account_id,
        till_session_id: till?.id ?? null,
        voucher_id: sold.voucher?.id ?? null,
        voucher_key: sold.voucher?.id ?? null,
        voucher_made: sold.voucher_made ? 1 : 0,
        created_at: now,
      })
      .execute();
    await grantSold(tx, id, sold, now);
    await bookPayment(tx, id, now);
    const said = `${formatMoney(sold.amount_cents)} taken by ${actor.name}.`;
    await closeEvidence(tx, evidenceId, 'used', said, now, id);
    const after = { plan: sold.plan.name, amount_cents: sold.amount_cents, voucher_id: sold.voucher?.id };
    await audit(tx, actor, { action: 'sell', entity: 'payment', entity_id: id, after }, now);
    return id;
  });
  return getCashSale(db, vault, paymentId);
}

/** Keeps the cashier's word as evidence; undefined when the key was used before. */
async function claimKey(
  tx: Db,
  key: string,
  input: CashSaleInput,
  actor: Actor,
  now: number,
): Promise<string | undefined> {
  const { plan_id, credential_id, voucher_code } = input;
  const said = { cashier: actor.name, plan_id, credential_id, printed: voucher_code !== undefined };
  const evidence = await tx
    .insertInto('evidence')
    .values({
      id: newId(now),
      gateway: 'cash',
      kind: 'cash',
      dedupe_key: `cash:${key}`,
      order_id: null,
      payment_id: null,
      body: JSON.stringify(said),
      source_address: actor.address,
      state: 'received',
      summary: null,
      received_at: now,
      processed_at: null,
    })
    .onConflict((oc) => oc.column('dedupe_key').doNothing())
    .returning('id')
    .executeTakeFirst();
  return evidence?.id;
}

async function saleWithKey(tx: Db, key: string): Promise<string> {
  const sale = await tx
    .selectFrom('cash_sales')
    .select('payment_id')
    .where('idempotency_key', '=', key)
    .executeTakeFirstOrThrow();
  return sale.payment_id;
}

async function takeGoods(tx: Db, vault: Vault, input: CashSaleInput, now: number): Promise<Sold> {
  if (input.voucher_code !== undefined) return takePrinted(tx, vault, input.voucher_code);
  const plan = await getPlan(tx, input.plan_id ?? '');
  if (plan.state === 'archived') {
    throw new AppError('conflict', `“${plan.name}” is not on sale.`, { hint: 'Choose another plan.' });
  }
  if (plan.price_cents <= 0) throw new AppError('conflict', `“${plan.name}” costs nothing.`);
  const goods = { plan, amount_cents: plan.price_cents };
  if (input.credential_id !== undefined) {
    const credential = await getCredential(tx, input.credential_id);
    checkFits(plan, credential);
    return { ...goods, credential };
  }
  checkNoHomePlan(plan);
  const voucher = await makeCounterVoucher(tx, vault, plan, dayOf(now), now);
  return { ...goods, voucher, voucher_made: true };
}

/** A voucher opens the hotspot. @throws `conflict` */
function checkNoHomePlan(plan: Plan): void {
  if (plan.kind === 'hotspot') return;
  throw new AppError('conflict', `“${plan.name}” is sold to a home.`, {
    hint: 'Sell it on the page of its subscriber.',
  });
}

async function takePrinted(tx: Db, vault: Vault, code: string): Promise<Sold> {
  const found = await findVoucher(tx, vault, code);
  if (!found) throw new AppError('not_found', 'This code is not known.', { hint: 'Check each letter.' });
  const voucher = await holdUnusedVoucher(tx, found.id);
  const sale = await tx
    .selectFrom('cash_sales')
    .select('payment_id')
    .where('voucher_key', '=', voucher.id)
    .executeTakeFirst();
  if (sale) throw new AppError('conflict', 'This voucher was sold already.');
  const batch = await tx
    .selectFrom('voucher_batches')
    .select('price_cents')
    .where('id', '=', voucher.batch_id)
    .executeTakeFirstOrThrow();
  if (batch.price_cents <= 0) throw new AppError('conflict', 'This voucher costs nothing.');
  const plan = await getPlan(tx, voucher.plan_id);
  checkNoHomePlan(plan);
  return { plan, amount_cents: batch.price_cents, voucher };
}

/** A home's plan begins with the sale; a voucher is itself what gives access. */
async function grantSold(tx: Db, paymentId: string, sold: Sold, now: number): Promise<void> {
  const { credential, plan } = sold;
  if (!credential) return;
  const payment = { id: paymentId, receipt: null, msisdn: null, order_id: null };
  const to = { subscriber_id: credential.subscriber_id, credential, plan };
  const entitlement = await grantPayment(tx, payment, to, now);
  await tx
    .updateTable('payments')
    .set({ entitlement_id: entitlement.id })
    .where('id', '=', paymentId)
    .execute();
}

/**
 * Takes a mistaken sale back, once, and only while nothing of it was used: a voucher made for it is cancelled, a printed
 * one can be sold again, a home's plan that has not started is revoked. The money leaves the till it was put into, or
 * the safe when that till is closed.
 * @throws `forbidden` for another cashier's sale, `conflict` for one whose voucher or plan is in use.
 */
export async function voidCashSale(
  db: Db,
  vault: Vault,
  paymentId: string,
  by: { account_id: string; manages: boolean; reason: string },
  actor: Actor,
  now: number,
): Promise<CashSale> {
  await db.transaction().execute(async (tx) => {
    const asked = await findSale(tx, paymentId);
    if (!by.manages && asked.account_id !== by.account_id) {
      throw new AppError('forbidden', 'Another cashier sold this.', { hint: 'Ask the owner.' });
    }
    if (asked.till_session_id) await holdRow(tx, 'till_sessions', asked.till_session_id);
    if (!by.manages && !(await isOpen(tx, asked.till_session_id))) {
      throw new AppError('conflict', 'The till of this sale is closed.', { hint: 'Ask the owner.' });
    }
    const sale = await tx
      .updateTable('cash_sales')
      .set({ voucher_key: null, voided_by: actor.name, voided_at: now, void_reason: by.reason })
      .where('payment_id', '=', paymentId)
      .where('voided_at', 'is', null)
      .returningAll()
      .executeTakeFirst();
    if (!sale) return;
    await takeBack(tx, sale, now);
    const note = `Taken back: ${by.reason}`;
    await tx
      .updateTable('payments')
      .set({ state: 'reversed', note })
      .where('id', '=', paymentId)
      .where('state', '=', 'settled')
      .execute();
    await bookPayment(tx, paymentId, now);
    const entry = { action: 'void', entity: 'payment', entity_id: paymentId, after: { reason: by.reason } };
    await audit(tx, actor, entry, now);
  });
  return getCashSale(db, vault, paymentId);
}

async function findSale(db: Db, paymentId: string): Promise<Row<'cash_sales'>> {
  const sale = await db
    .selectFrom('cash_sales')
    .selectAll()
    .where('payment_id', '=', paymentId)
    .executeTakeFirst();
  if (!sale) throw new AppError('not_found', 'There is no such cash sale.');
  return sale;
}

async function isOpen(tx: Db, tillSessionId: string | null): Promise<boolean> {
  if (!tillSessionId) return false;
  const till = await tx
    .selectFrom('till_sessions')
    .select('closed_at')
    .where('id', '=', tillSessionId)
    .executeTakeFirst();
  return till?.closed_at === null;
}

async function takeBack(tx: Db, sale: Row<'cash_sales'>, now: number): Promise<void> {
  if (sale.voucher_id) {
    if (sale.voucher_made) await takeBackVoucher(tx, sale.voucher_id);
    else await holdUnusedVoucher(tx, sale.voucher_id);
    return;
  }
  const waiting = await tx
    .updateTable('entitlements')
    .set((eb) => ({ state: eb.ref('state') }))
    .where('payment_id', '=', sale.payment_id)
    .where('state', '=', 'waiting')
    .returning('id')
    .executeTakeFirst();
  if (!waiting)
    throw new AppError('conflict', 'This plan is in use.', { hint: 'Revoke what is left of it.' });
  await revokeEntitlement(tx, waiting.id, 'sale taken back', now);
}

/** A voucher whose sale was taken back is not given away by undoing its cancellation. @throws `conflict` */
export async function checkNotTakenBack(db: Db, voucherId: string): Promise<void> {
  const sale = await db
    .selectFrom('cash_sales')
    .select('payment_id')
    .where('voucher_id', '=', voucherId)
    .where('voucher_made', '=', 1)
    .where('voided_at', 'is not', null)
    .executeTakeFirst();
  if (sale) throw new AppError('conflict', 'Its sale was taken back.', { hint: 'Sell another voucher.' });
}

function saleQuery(db: Db) {
  return db
    .selectFrom('cash_sales as s')
    .innerJoin('payments as m', 'm.id', 's.payment_id')
    .innerJoin('plans as p', 'p.id', 'm.plan_id')
    .leftJoin('vouchers as v', 'v.id', 's.voucher_id')
    .leftJoin('accounts as a', 'a.id', 's.account_id')
    .selectAll('s')
    .select(['m.amount_cents', 'm.state', 'm.entitlement_id', 'm.msisdn', 'p.id as plan_id'])
    .select(['p.name as plan_name', 'v.state as voucher_state', 'v.code_sealed', 'a.name as account_name']);
}

function openSale(
  vault: Vault,
  row: Omit<CashSale, 'code' | 'account_name'> & { code_sealed: string | null; account_name: string | null },
): CashSale {
  const { code_sealed, ...sale } = row;
  return {
    ...sale,
    account_name: row.account_name ?? '',
    code: code_sealed === null ? null : vault.open(code_sealed),
  };
}

export async function getCashSale(db: Db, vault: Vault, paymentId: string): Promise<CashSale> {
  const row = await saleQuery(db).where('s.payment_id', '=', paymentId).executeTakeFirst();
  if (!row) throw new AppError('not_found', 'There is no such cash sale.');
  return openSale(vault, row);
}

export async function listCashSales(
  db: Db,
  vault: Vault,
  page: PageRequest,
  filter: { till_session_id?: string | undefined; account_id?: string | undefined } = {},
): Promise<Page<CashSale>> {
  let query = saleQuery(db);
  const { till_session_id, account_id } = filter;
  if (till_session_id) query = query.where('s.till_session_id', '=', till_session_id);
  if (account_id)
    query = query.where(till_session_id ? unindexed('s.account_id') : 's.account_id', '=', account_id);
  const { items, next } = await readPage(query, 's.payment_id', page);
  return { items: items.map((row) => openSale(vault, row)), next };
}
