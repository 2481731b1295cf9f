// Writes sample sales to the store as if they had come in over the days.

import { sessionKey } from '../../access/accounting.ts';
import { createCredential, credentialForDevice } from '../../access/credentials.ts';
import { sawDevice } from '../../access/devices.ts';
import { type Entitlement, grantEntitlement, startEntitlement } from '../../access/entitlements.ts';
import { getPlan } from '../../access/plans.ts';
import { createSubscriber, subscriberForMsisdn } from '../../access/subscribers.ts';
import { addDailyUsage } from '../../access/usage.ts';
import { bookPayment } from '../../billing/ledger.ts';
import type { Db, Row } from '../../db/schema.ts';
import { newId } from '../../lib/ids.ts';
import { formatMoney } from '../../lib/money.ts';
import { hashToken, newToken, type Vault } from '../../lib/secrets.ts';
import { describeResult, formatEatTimestamp, makeReceipt } from '../../protocols/mpesa/index.ts';
import { createRandom, type Random } from './random.ts';
import type { Sale } from './sample-week.ts';

interface Shop {
  vault: Vault;
  router_id: string;
  random: Random;
  /** Numbers the sessions and requests, so that none is told twice. */
  count: number;
}

const phoneOf = (msisdn: string) => Number(msisdn);

function callbackBody(order: Row<'orders'>, sale: Sale, receipt: string | null, at: number): string {
  const metadata = {
    Item: [
      { Name: 'Amount', Value: order.price_cents / 100 },
      { Name: 'MpesaReceiptNumber', Value: receipt },
      { Name: 'TransactionDate', Value: Number(formatEatTimestamp(at)) },
      { Name: 'PhoneNumber', Value: phoneOf(order.msisdn) },
    ],
  };
  return JSON.stringify({
    Body: {
      stkCallback: {
        MerchantRequestID: order.merchant_request_id,
        CheckoutRequestID: order.checkout_request_id,
        ResultCode: Number(sale.result_code),
        ResultDesc: describeResult(sale.result_code).operator,
        ...(receipt ? { CallbackMetadata: metadata } : {}),
      },
    },
  });
}

async function writeEvidence(
  tx: Db,
  order: Row<'orders'>,
  sale: Sale,
  payment: { id: string; receipt: string | null } | undefined,
  summary: string,
  at: number,
): Promise<void> {
  await tx
    .insertInto('evidence')
    .values({
      id: newId(at),
      gateway: 'mpesa',
      kind: 'stk_callback',
      dedupe_key: `sample:${order.id}`,
      order_id: order.id,
      payment_id: payment?.id ?? null,
      body: callbackBody(order, sale, payment?.receipt ?? null, at),
      source_address: '127.0.0.1',
      state: 'used',
      summary,
      received_at: at,
      processed_at: at,
    })
    .execute();
}

async function writeOrder(
  tx: Db,
  shop: Shop,
  sale: Sale,
  subscriberId: string,
  decidedAt: number,
): Promise<Row<'orders'>> {
  shop.count += 1;
  const paid = sale.result_code === '0';
  return tx
    .insertInto('orders')
    .values({
      id: newId(sale.at),
      plan_id: sale.plan.id,
      subscriber_id: subscriberId,
      credential_id: null,
      entitlement_id: null,
      router_id: shop.router_id,
      msisdn: sale.customer.msisdn,
      mac: sale.customer.mac,
      ip: `10.5.50.${10 + (shop.count % 200)}`,
      price_cents: sale.plan.price_cents,
      state: paid ? 'paid' : 'failed',
      live_key: null,
      idempotency_key: null,
      gateway: 'mpesa',
      callback_token_hash: hashToken(newToken()),
      merchant_request_id: `${newToken().slice(0, 8)}-${shop.count}-1`,
      checkout_request_id: `ws_CO_${formatEatTimestamp(sale.at)}${shop.count}${sale.customer.msisdn.slice(-9)}`,
      result_code: sale.result_code,
      problem: null,
      polls: 0,
      next_poll_at: null,
      created_at: sale.at,
      sent_at: sale.at + 700,
      paid_at: paid ? decidedAt : null,
      updated_at: decidedAt,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** The week's one payment that a person must look at: someone paid by hand, more than the plan costs. */
function isOdd(sale: Sale, index: number): boolean {
  return index === 60 && sale.by === 'mpesa';
}

async function writePayment(tx: Db, shop: Shop, order: Row<'orders'>, at: number, odd: boolean) {
  const amount = order.price_cents + (odd ? 3000 : 0);
  const payment = await tx
    .insertInto('payments')
    .values({
      id: newId(at),
      gateway: 'mpesa',
      receipt: makeReceipt(at, shop.random.next),
      checkout_request_id: order.checkout_request_id,
      order_id: order.id,
      subscriber_id: order.subscriber_id,
      plan_id: order.plan_id,
      entitlement_id: null,
      msisdn: order.msisdn,
      amount_cents: amount,
      state: odd ? 'unmatched' : 'settled',
      note: odd ? `Paid ${formatMoney(amount)} for an order of ${formatMoney(order.price_cents)}.` : null,
      received_at: at,
      created_at: at,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  await bookPayment(tx, payment.id, at);
  return payment;
}

async function writeMpesaSale(
  tx: Db,
  shop: Shop,
  sale: Sale,
  odd: boolean,
): Promise<Entitlement | undefined> {
  const subscriber = await subscriberForMsisdn(tx, sale.customer.msisdn, sale.at);
  if (sale.customer.name && !subscriber.name) {
    await tx
      .updateTable('subscribers')
      .set({ name: sale.customer.name })
      .where('id', '=', subscriber.id)
      .execute();
  }
  const running = await tx
    .selectFrom('entitlements')
    .select('id')
    .where('subscriber_id', '=', subscriber.id)
    .where('state', 'in', ['active', 'waiting'])
    .limit(1)
    .executeTakeFirst();
  if (running) return undefined;
  const decidedAt = sale.starts_at - 3000;
  const order = await writeOrder(tx, shop, sale, subscriber.id, decidedAt);
  if (sale.result_code !== '0') {
    const { operator } = describeResult(sale.result_code);
    await writeEvidence(tx, order, sale, undefined, `${sale.result_code}: ${operator}`, decidedAt);
    return undefined;
  }
  const payment = await writePayment(tx, shop, order, decidedAt, odd);
  const said = payment.note ?? `Paid ${formatMoney(payment.amount_cents)}.`;
  await writeEvidence(tx, order, sale, payment, said, decidedAt);
  if (odd) {
    const change = { state: 'checking' as const, problem: payment.note, paid_at: null };
    await tx.updateTable('orders').set(change).where('id', '=', order.id).execute();
    return undefined;
  }
  const credential = await credentialForDevice(tx, shop.vault, subscriber.id, sale.customer.mac, decidedAt);
  const entitlement = await grantEntitlement(
    tx,
    {
      subscriber_id: subscriber.id,
      credential_id: credential.id,
      plan: await getPlan(tx, sale.plan.id),
      source: 'order',
      payment_id: payment.id,
      order_id: order.id,
    },
    decidedAt,
  );
  const ids = { credential_id: credential.id, entitlement_id: entitlement.id };
  await tx.updateTable('orders').set(ids).where('id', '=', order.id).execute();
  await tx
    .updateTable('payments')
    .set({ entitlement_id: entitlement.id })
    .where('id', '=', payment.id)
    .execute();
  return entitlement;
}

async function writeVoucherSale(tx: Db, shop: Shop, sale: Sale): Promise<Entitlement | undefined> {
  const voucher = await tx
    .selectFrom('vouchers')
    .selectAll()
    .where('state', '=', 'unused')
    .where('plan_id', '=', sale.plan.id)
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  if (!voucher) return undefined;
  const code = shop.vault.open(voucher.code_sealed);
  const subscriber = await createSubscriber(tx, sale.at);
  const credential = await createCredential(
    tx,
    shop.vault,
    {
      subscriber_id: subscriber.id,
      username: code,
      password: code,
      kind: 'voucher',
      device_mac: sale.customer.mac,
    },
    sale.at,
  );
  const entitlement = await grantEntitlement(
    tx,
    {
      subscriber_id: subscriber.id,
      credential_id: credential.id,
      plan: await getPlan(tx, sale.plan.id),
      source: 'voucher',
      voucher_id: voucher.id,
    },
    sale.at,
  );
  await tx
    .updateTable('vouchers')
    .set({
      state: 'redeemed',
      redeemed_at: sale.at,
      subscriber_id: subscriber.id,
      entitlement_id: entitlement.id,
    })
    .where('id', '=', voucher.id)
    .execute();
  await tx
    .updateTable('voucher_batches')
    .set((eb) => ({ redeemed: eb('redeemed', '+', 1) }))
    .where('id', '=', voucher.batch_id)
    .execute();
  return entitlement;
}

async function writeVisits(tx: Db, shop: Shop, sale: Sale, entitlement: Entitlement): Promise<void> {
  const credential = await tx
    .selectFrom('credentials')
    .select('username')
    .where('id', '=', entitlement.credential_id)
    .executeTakeFirstOrThrow();
  const used = { seconds: 0, upload: 0, download: 0 };
  for (const visit of sale.visits) {
    shop.count += 1;
    const report = {
      kind: 'stop' as const,
      router_id: shop.router_id,
      username: credential.username,
      acct_session_id: (0x80000000 + shop.count).toString(16).toUpperCase(),
      reference: {
        credential_id: entitlement.credential_id,
        entitlement_id: entitlement.id,
        accept_id: newId(visit.started_at),
      },
      nas_port_id: 'bridge-hotspot',
      nas_ip: '127.0.0.1',
      mac: sale.customer.mac,
      ip: `10.5.50.${10 + (shop.count % 200)}`,
      session_seconds: Math.round((visit.stopped_at - visit.started_at) / 1000),
      upload_octets: visit.upload_octets,
      download_octets: visit.download_octets,
      terminate_cause: visit.terminate_cause,
      at: visit.stopped_at,
    };
    const { kind: _, reference: _reference, at, ...told } = report;
    await tx
      .insertInto('sessions')
      .values({
        ...told,
        id: newId(visit.started_at),
        unique_key: sessionKey(report),
        subscriber_id: entitlement.subscriber_id,
        credential_id: entitlement.credential_id,
        entitlement_id: entitlement.id,
        plan_id: entitlement.plan_id,
        state: 'closed',
        started_at: visit.started_at,
        updated_at: at,
        stopped_at: at,
        disconnect_state: null,
        disconnect_detail: null,
        disconnect_at: null,
      })
      .execute();
    const delta = {
      seconds: told.session_seconds,
      upload: told.upload_octets,
      download: told.download_octets,
    };
    await addDailyUsage(tx, entitlement, shop.router_id, delta, at);
    await sawDevice(tx, entitlement.subscriber_id, sale.customer.mac, at);
    used.seconds += delta.seconds;
    used.upload += delta.upload;
    used.download += delta.download;
  }
  await tx
    .updateTable('entitlements')
    .set({
      used_seconds: used.seconds,
      used_upload_octets: used.upload,
      used_download_octets: used.download,
    })
    .where('id', '=', entitlement.id)
    .execute();
}

async function writeSale(tx: Db, shop: Shop, sale: Sale, odd: boolean, until: number): Promise<void> {
  const entitlement =
    sale.by === 'voucher'
      ? await writeVoucherSale(tx, shop, sale)
      : await writeMpesaSale(tx, shop, sale, odd);
  if (!entitlement) return;
  await startEntitlement(tx, entitlement.id, sale.starts_at);
  await writeVisits(tx, shop, sale, entitlement);
  if (sale.ends_at > until) return;
  const ended = { state: 'ended' as const, ended_at: sale.ends_at, end_reason: sale.end_reason };
  await tx.updateTable('entitlements').set(ended).where('id', '=', entitlement.id).execute();
}

/** Entitlements that ran out while the demo was off end at their time, as they would have had it run. */
async function endOverdue(tx: Db, until: number): Promise<void> {
  await tx
    .updateTable('entitlements')
    .set((eb) => ({ state: 'ended', ended_at: eb.ref('ends_at'), end_reason: 'expired' }))
    .where('state', '=', 'active')
    .where('ends_at', '<=', until)
    .execute();
}

/** Writes all of them or none; `until` is now: what ended before it is over, the rest still runs. */
export async function writeSales(
  db: Db,
  shop: { vault: Vault; router_id: string },
  sales: Sale[],
  until: number,
): Promise<void> {
  const first = sales[0];
  if (!first) return;
  const working: Shop = {
    ...shop,
    random: createRandom(first.at % 4_294_967_296),
    count: first.at % 100_000,
  };
  await db.transaction().execute(async (tx) => {
    await endOverdue(tx, first.at);
    for (const [index, sale] of sales.entries()) {
      await writeSale(tx, working, sale, isOdd(sale, index), until);
    }
  });
}
