// What guests can do, whether by a page or by the API: buy a plan, redeem a voucher, read an order.
import { findCredential, getCredential } from '../../../access/credentials.ts';
import { currentAccess, getEntitlement } from '../../../access/entitlements.ts';
import { type Returning, takePlace } from '../../../access/places.ts';
import { type RedeemRefusal, type Redemption, redeemVoucher } from '../../../access/vouchers.ts';
import { payWithEarlyMoney } from '../../../billing/early-money.ts';
import {
  awaitSms,
  getOrder,
  type Order,
  type OrderInput,
  sendOrder,
  startOrder,
} from '../../../billing/orders.ts';
import { findPaymentByReceipt } from '../../../billing/payments.ts';
import { smsPaymentsOpen } from '../../../billing/sms-settings.ts';
import type { Db } from '../../../db/schema.ts';
import { AppError, errorText } from '../../../errors.ts';
import { normalizeCode } from '../../../lib/codes.ts';
import { normalizeMsisdn } from '../../../lib/msisdn.ts';
import type { HttpContext } from '../context.ts';
import type { PortalContext } from './context.ts';
import { orderMessage, type PaymentFailure, paymentFailure } from './views/index.ts';

/** Longer than Daraja takes on a good day; a slower answer is waited for behind the page. */
const PATIENCE_MS = 4000;

/**
 * Starts an order and has the guest asked for their PIN, unless money of theirs came before it by hand. A second tap joins
 * the order that lives already.
 * @throws `invalid` for a number that is none, `unavailable` while no payments can be taken, `rate_limited`.
 */
export async function buyPlan(ctx: PortalContext, purchase: OrderInput): Promise<Order> {
  const msisdn = normalizeMsisdn(purchase.msisdn);
  if (!msisdn) {
    throw new AppError('invalid', 'This is not a Kenyan mobile number.', {
      hint: 'Write it like 0712 345 678.',
      fields: { msisdn: 'Write it like 0712 345 678.' },
    });
  }
  const now = ctx.clock.now();
  const pestered = !ctx.promptsToPhone.take(msisdn, now);
  if (pestered || (purchase.mac && !ctx.orderTries.take(purchase.mac, now))) {
    throw new AppError('rate_limited', 'Too many tries.', { hint: 'Wait five minutes, then try again.' });
  }
  const gateway = await ctx.gateways.mpesa();
  const byHand = gateway ? undefined : await smsPaymentsOpen(ctx.db);
  if (!gateway && !byHand) {
    throw new AppError('unavailable', 'Payments are not open yet.', {
      hint: 'Use a voucher, or ask the staff.',
    });
  }
  const started = await startOrder(ctx.db, { ...purchase, msisdn }, now);
  const { order, plan, token } = started;
  if (order.state !== 'paid' && (await payWithEarlyMoney(ctx.db, ctx.vault, order.id, now))) {
    ctx.kick();
    return getOrder(ctx.db, order.id);
  }
  if (!token) return order;
  if (byHand) return awaitSms(ctx.db, order.id, now + byHand.window_seconds * 1000);
  if (!gateway) return order;
  const sending = sendOrder(
    ctx.db,
    gateway,
    { order, plan, token },
    await ctx.noticeBaseUrl(),
    ctx.clock.now,
  ).catch((error: unknown) =>
    ctx.log.error('sending an order failed', { order: order.id, error: errorText(error) }),
  );
  await Promise.race([sending, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
  return getOrder(ctx.db, order.id);
}

const REFUSALS: Record<string, PaymentFailure> = {
  'refused:busy_phone': 'session_busy',
  'refused:rate_limited': 'busy',
  'refused:unreachable': 'busy',
  unanswered: 'unreachable',
};

/** Why an order failed, in the guest's terms. */
export function failureOf(order: Order): PaymentFailure | null {
  if (order.state !== 'failed') return null;
  const code = order.result_code ?? '';
  return REFUSALS[code] ?? (code.startsWith('refused:') ? 'service' : paymentFailure(code));
}

export interface OrderAnswer {
  id: string;
  state: Order['state'];
  message: string;
  username?: string;
  password?: string;
}

/** An order as its guest may see it; once paid, with the credential. */
export async function answerOrder(ctx: HttpContext, order: Order, lang: 'en' | 'sw'): Promise<OrderAnswer> {
  const message = orderMessage(lang, order.state, failureOf(order));
  const answer = { id: order.id, state: order.state, message };
  if (order.state !== 'paid' || !order.credential_id) return answer;
  return { ...answer, ...(await openCredential(ctx, order.credential_id)) };
}

/** User name and password of a credential, for the guest it belongs to. */
export async function openCredential(
  ctx: { db: Db; vault: HttpContext['vault'] },
  id: string,
): Promise<{ username: string; password: string }> {
  const credential = await getCredential(ctx.db, id);
  return { username: credential.username, password: ctx.vault.open(credential.password_sealed) };
}

/** One more try of a code, a voucher's or M-PESA's. @throws `rate_limited` */
export function countTry(ctx: PortalContext, device: string, address: string | null, now: number): void {
  const allowed = [ctx.codeTries.take(device, now), ctx.siteCodeTries.take(address ?? '', now)].every(
    Boolean,
  );
  if (!allowed) {
    throw new AppError('rate_limited', 'Too many tries.', { hint: 'Wait five minutes, then try again.' });
  }
}

/** Redeems a code as typed, counting tries. @throws `rate_limited` */
export async function redeemCode(
  ctx: PortalContext,
  code: string,
  mac: string | null,
  address: string | null,
): Promise<Redemption> {
  const now = ctx.clock.now();
  const device = mac ?? address ?? '';
  countTry(ctx, device, address, now);
  const redemption = await redeemVoucher(ctx.db, ctx.vault, code, mac, now);
  if (redemption.redeemed) forgiveTries(ctx, device, address);
  return redemption;
}

/** The code was right: it is no try. */
export function forgiveTries(ctx: PortalContext, device: string, address: string | null): void {
  ctx.codeTries.clear(device);
  ctx.siteCodeTries.giveBack(address ?? '');
}

/** Access that a guest has proved to be theirs. */
export interface ProvedAccess {
  credential_id: string;
  plan_id: string;
}

/**
 * The access of a credential while it runs or waits; undefined when it is over. A device at a router takes its place
 * again from its former MAC address, or from the oldest device where there is one too many.
 */
export async function continueAccess(
  ctx: PortalContext,
  credentialId: string,
  returning: { mac: string | null; previous_mac: string | null },
): Promise<ProvedAccess | undefined> {
  const now = ctx.clock.now();
  const credential = await findCredential(ctx.db, credentialId);
  const access =
    credential && (await currentAccess(ctx.db, credential.username, '', now, ctx.clockState().trusted));
  const entitlement = access?.entitlement;
  if (!access?.plan_id || (entitlement?.state !== 'active' && entitlement?.state !== 'waiting')) {
    return undefined;
  }
  const mayBeIn = access.credential_state === 'active' && access.subscriber_state === 'active';
  if (returning.mac && mayBeIn) {
    const place: Returning = { mac: returning.mac, previous_mac: returning.previous_mac };
    if (await takePlace(ctx.db, credentialId, place, entitlement.max_devices, now)) ctx.kick();
  }
  return { credential_id: credentialId, plan_id: access.plan_id };
}

/** Why a code brings nobody in: a refused voucher, or an M-PESA receipt whose plan is over or that waits for a person. */
export type CodeRefusal = RedeemRefusal | 'receipt_over' | 'receipt_waits';

/**
 * The access that a typed code stands for: a voucher's, redeemed now or before, or that of the payment with this M-PESA
 * receipt. Tries are counted, of receipts too. @throws `rate_limited`
 */
export async function accessByCode(
  ctx: PortalContext,
  typed: string,
  guest: { mac: string | null; previous_mac: string | null; address: string | null },
): Promise<{ access: ProvedAccess } | { refused: CodeRefusal }> {
  const redemption = await redeemCode(ctx, typed, guest.mac, guest.address);
  if (redemption.redeemed) {
    const { credential_id, plan_id } = redemption.entitlement;
    return { access: { credential_id, plan_id } };
  }
  const refused = redemption.reason;
  if (refused === 'cancelled') return { refused };
  const payment =
    refused === 'unknown' ? await findPaymentByReceipt(ctx.db, normalizeCode(typed)) : undefined;
  if (refused === 'unknown' && !payment) return { refused };
  // Only what is wrong is a try: this code is one of ours.
  forgiveTries(ctx, guest.mac ?? guest.address ?? '', guest.address);
  if (payment && payment.state !== 'settled') {
    return { refused: payment.state === 'unmatched' ? 'receipt_waits' : 'receipt_over' };
  }
  const entitlementId = payment ? payment.entitlement_id : redemption.voucher?.entitlement_id;
  const entitlement = entitlementId ? await getEntitlement(ctx.db, entitlementId) : undefined;
  const access = entitlement && (await continueAccess(ctx, entitlement.credential_id, guest));
  return access ? { access } : { refused: payment ? 'receipt_over' : 'used' };
}
