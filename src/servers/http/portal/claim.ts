// What a guest gets who says that they have paid: their plan, slow minutes while M-PESA is asked, or what to do next.
import { getEntitlement } from '../../../access/entitlements.ts';
import {
  type ClaimInput,
  claimUnmatched,
  findClaimByReceipt,
  readCode,
  startClaim,
} from '../../../billing/claims.ts';
import { findPaymentByReceipt, getPayment, type Payment } from '../../../billing/payments.ts';
import { asAppError } from '../errors.ts';
import type { PortalContext } from './context.ts';
import { continueAccess, countTry, forgiveTries, type ProvedAccess } from './purchase.ts';

export interface ClaimingGuest {
  mac: string | null;
  previous_mac: string | null;
  ip: string | null;
  router_id: string | null;
  /** Where the request came from, for counting tries. */
  address: string | null;
}

/** Why a paste brings nobody in. */
export type ClaimRefusal =
  | 'no_code'
  | 'no_wifi'
  | 'other_device'
  | 'unknown'
  | 'receipt_over'
  | 'receipt_waits'
  | 'too_many_codes';

/** `yours`: the plan that was paid; `slow`: some minutes on trust; `checking`: nothing yet, M-PESA is being asked. */
export type ClaimAnswer =
  | { state: 'yours'; access: ProvedAccess }
  | { state: 'slow'; access: ProvedAccess; validity_seconds: number }
  | { state: 'checking'; receipt: string }
  | { state: 'refused'; reason: ClaimRefusal };

/**
 * Answers a pasted M-PESA code or SMS. What is paid already is gone on with, as on the voucher page; else a claim is
 * started or joined. Tries are counted together with those of vouchers. @throws `rate_limited`
 */
export async function claimPaid(
  ctx: PortalContext,
  pasted: string,
  guest: ClaimingGuest,
): Promise<ClaimAnswer> {
  const now = ctx.clock.now();
  const device = guest.mac ?? guest.address ?? '';
  countTry(ctx, device, guest.address, now);
  const receipt = readCode(pasted);
  if (!receipt) return { state: 'refused', reason: 'no_code' };
  const payment = await findPaymentByReceipt(ctx.db, receipt);
  const { mac, ip, router_id } = guest;
  if (payment) {
    forgiveTries(ctx, device, guest.address);
    return payment.state === 'unmatched' && mac
      ? claimWaiting(ctx, payment, { receipt, mac, ip, router_id }, guest)
      : goOn(ctx, payment, guest);
  }
  // A code without a device would keep it from the phone that paid.
  if (!mac) return { state: 'refused', reason: 'no_wifi' };
  const before = await findClaimByReceipt(ctx.db, receipt);
  if (before?.state === 'refused') return { state: 'refused', reason: 'unknown' };
  if (before && before.mac !== mac) return { state: 'refused', reason: 'other_device' };
  // Looking again at one's own claim is no guess.
  if (before) forgiveTries(ctx, device, guest.address);
  const claim = await orWhyNot(startClaim(ctx.db, ctx.vault, { receipt, mac, ip, router_id }, now));
  if (typeof claim === 'string') return { state: 'refused', reason: claim };
  ctx.kick();
  const { credential_id, entitlement_id } = claim;
  const access = entitlement_id && credential_id && (await continueAccess(ctx, credential_id, guest));
  if (!access) return { state: 'checking', receipt };
  const { validity_seconds } = await getEntitlement(ctx.db, entitlement_id);
  return { state: 'slow', access, validity_seconds };
}

/** Another phone may be quicker by a moment; and who has given too many codes shows the next one to a person. */
async function orWhyNot<T>(taking: Promise<T>): Promise<T | ClaimRefusal> {
  try {
    return await taking;
  } catch (error) {
    const { code } = asAppError(error);
    if (code === 'conflict') return 'other_device';
    if (code === 'rate_limited') return 'too_many_codes';
    throw error;
  }
}

/** The money is here and nobody knew what for: this guest does, unless another phone or a person was quicker. */
async function claimWaiting(
  ctx: PortalContext,
  payment: Payment,
  input: ClaimInput,
  guest: ClaimingGuest,
): Promise<ClaimAnswer> {
  const claimed = await orWhyNot(claimUnmatched(ctx.db, ctx.vault, payment, input, ctx.clock.now()));
  ctx.kick();
  if (typeof claimed !== 'string') return goOn(ctx, claimed, guest);
  const claim = await findClaimByReceipt(ctx.db, input.receipt);
  if (claim && claim.mac !== input.mac) return { state: 'refused', reason: 'other_device' };
  return goOn(ctx, await getPayment(ctx.db, payment.id), guest);
}

async function goOn(ctx: PortalContext, payment: Payment, guest: ClaimingGuest): Promise<ClaimAnswer> {
  if (payment.state === 'unmatched') return { state: 'refused', reason: 'receipt_waits' };
  const entitlement =
    payment.state === 'settled' && payment.entitlement_id
      ? await getEntitlement(ctx.db, payment.entitlement_id)
      : undefined;
  const access = entitlement && (await continueAccess(ctx, entitlement.credential_id, guest));
  return access ? { state: 'yours', access } : { state: 'refused', reason: 'receipt_over' };
}
