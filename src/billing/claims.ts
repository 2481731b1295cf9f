// Claims: what guests say about a payment of theirs, until M-PESA says the same.
import { sql } from 'kysely';
import { credentialForDevice, getCredential } from '../access/credentials.ts';
import { grantEntitlement, revokeEntitlement } from '../access/entitlements.ts';
import { listPlansOnSale } from '../access/plans.ts';
import { createSubscriber } from '../access/subscribers.ts';
import { NO_FINER_TERMS } from '../access/terms.ts';
import type { Db, Row } from '../db/schema.ts';
import { statement } from '../db/statement.ts';
import { enqueueTask } from '../db/tasks.ts';
import { AppError } from '../errors.ts';
import { newId } from '../lib/ids.ts';
import type { Vault } from '../lib/secrets.ts';
import { isPlausibleReceipt } from '../protocols/mpesa/index.ts';
import { planAt } from './by-hand.ts';
import { grantPayment } from './grant-payment.ts';
import { bookPayment } from './ledger.ts';
import type { Payment } from './payments.ts';
import { readPaymentPolicy } from './policy.ts';
import { holdUnmatched, isFree } from './unmatched.ts';

export type Claim = Row<'claims'>;

const DAY_MS = 86_400_000;
/** Codes that a device may have given within a day and that nothing has confirmed. */
const MOST_UNCONFIRMED = 3;
/** How long a device whose claim came to nothing gets no access on trust. */
const FLAGGED_MS = 30 * DAY_MS;

export interface ClaimInput {
  receipt: string;
  mac: string | null;
  ip: string | null;
  router_id: string | null;
}

/**
 * The M-PESA code in what a guest pasted: the code alone, or the SMS around it. Undefined when there is none, or more than
 * one; ten letters and digits (payments.md §1.5). One without a digit is taken alone or before the SMS's `Confirmed`.
 */
export function readCode(pasted: string): string | undefined {
  const text = pasted.trim().toUpperCase();
  const plain = /^([A-Z][A-Z0-9]{9})(?:\s+CONFIRMED\b|$)/.exec(text)?.[1];
  if (plain && isPlausibleReceipt(plain)) return plain;
  const words = text.match(/[A-Z0-9]+/g) ?? [];
  const codes = new Set(words.filter((word) => /^[A-Z][A-Z0-9]{9}$/.test(word) && /\d/.test(word)));
  return codes.size === 1 ? [...codes][0] : undefined;
}

/**
 * Writes down what a guest says and has M-PESA asked. The operator's policy may give the device a few slow minutes at
 * once. @throws `conflict` for a code that another device has claimed, or that M-PESA does not know; `rate_limited` for a
 * device that has given too many that nothing has confirmed.
 */
export async function startClaim(db: Db, vault: Vault, input: ClaimInput, now: number): Promise<Claim> {
  return db.transaction().execute(async (tx) => {
    const claim = await insertClaim(tx, input, now);
    if (!claim) return joinClaim(tx, input);
    if ((await countUnconfirmed(tx, claim, now)) >= MOST_UNCONFIRMED) {
      throw new AppError(
        'rate_limited',
        'This phone has given too many codes that M-PESA has not confirmed.',
        {
          hint: 'Show the M-PESA message to the person who runs this WiFi.',
        },
      );
    }
    await enqueueTask(tx, 'confirm_claim', { claim_id: claim.id }, now);
    return (await trusts(tx, claim, now)) ? letIn(tx, vault, claim, now) : claim;
  });
}

/** Undefined when the code was given before. */
async function insertClaim(tx: Db, input: ClaimInput, now: number): Promise<Claim | undefined> {
  return tx
    .insertInto('claims')
    .values({
      id: newId(now),
      ...input,
      subscriber_id: null,
      credential_id: null,
      entitlement_id: null,
      payment_id: null,
      state: 'waiting',
      problem: null,
      created_at: now,
      decided_at: null,
    })
    .onConflict((oc) => oc.column('receipt').doNothing())
    .returningAll()
    .executeTakeFirst();
}

async function joinClaim(tx: Db, input: ClaimInput): Promise<Claim> {
  const claim = await claimOf(tx, input);
  if (claim.state !== 'refused') return claim;
  throw new AppError('conflict', 'M-PESA does not know this code.', {
    hint: 'Show the M-PESA message to the person who runs this WiFi.',
  });
}

/** The claim of this device on a code. @throws `conflict` when it is another's */
async function claimOf(tx: Db, input: ClaimInput): Promise<Claim> {
  const claim = await tx
    .selectFrom('claims')
    .selectAll()
    .where('receipt', '=', input.receipt)
    .executeTakeFirstOrThrow();
  if (claim.mac !== input.mac) {
    throw new AppError('conflict', 'This code was given by another phone.', {
      hint: 'Show the M-PESA message to the person who runs this WiFi.',
    });
  }
  return claim;
}

async function countUnconfirmed(tx: Db, { id, mac }: Claim, now: number): Promise<number> {
  if (!mac) return 0;
  const others = await tx
    .selectFrom('claims')
    .select('id')
    .where('mac', '=', mac)
    .where('state', 'in', ['waiting', 'refused'])
    .where('created_at', '>', now - DAY_MS)
    .where('id', '<>', id)
    .limit(MOST_UNCONFIRMED)
    .execute();
  return others.length;
}

/** Whether a device gets its minutes: the operator wants it, the code looks like one of today, and the device never lied. */
async function trusts(tx: Db, claim: Claim, now: number): Promise<boolean> {
  const { paste_minutes } = await readPaymentPolicy(tx);
  if (paste_minutes === 0 || !claim.mac || !isCodeOfThen(claim)) return false;
  const others = await tx
    .selectFrom('claims')
    .select('id')
    .where('mac', '=', claim.mac)
    .where('state', 'in', ['waiting', 'refused'])
    .where('created_at', '>', now - FLAGGED_MS)
    .where('id', '<>', claim.id)
    .limit(1)
    .executeTakeFirst();
  return others === undefined;
}

async function letIn(tx: Db, vault: Vault, claim: Claim, now: number): Promise<Claim> {
  const plans = await listPlansOnSale(tx);
  const plan = plans.filter((one) => one.kind === 'hotspot').sort((a, b) => a.price_cents - b.price_cents)[0];
  if (!plan) return claim;
  const policy = await readPaymentPolicy(tx);
  const subscriber = await createSubscriber(tx, now);
  const credential = await credentialForDevice(tx, vault, subscriber.id, claim.mac, now);
  const entitlement = await grantEntitlement(
    tx,
    {
      subscriber_id: subscriber.id,
      credential_id: credential.id,
      plan: {
        ...NO_FINER_TERMS,
        id: plan.id,
        validity_seconds: policy.paste_minutes * 60,
        online_seconds: null,
        quota_octets: null,
        rate_down_kbps: policy.paste_kbps,
        rate_up_kbps: policy.paste_kbps,
        max_devices: 1,
      },
      own_speeds: true,
      source: 'grant',
    },
    now,
  );
  return tx
    .updateTable('claims')
    .set({ subscriber_id: subscriber.id, credential_id: credential.id, entitlement_id: entitlement.id })
    .where('id', '=', claim.id)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Ends what was given on trust. */
async function endTrust(tx: Db, claim: Claim, reason: string, now: number): Promise<void> {
  if (!claim.entitlement_id) return;
  const entitlement = await tx
    .selectFrom('entitlements')
    .select('state')
    .where('id', '=', claim.entitlement_id)
    .executeTakeFirst();
  if (entitlement?.state === 'active' || entitlement?.state === 'waiting') {
    await revokeEntitlement(tx, claim.entitlement_id, reason, now);
  }
}

const confirmClaim = statement(
  sql<Claim>`
    update claims set state = 'confirmed', payment_id = ${''}, problem = null, decided_at = ${0}
    where receipt = ${''} and state in ('waiting', 'refused') returning *`,
);

/**
 * Money has come under a code: whoever gave the code first is confirmed, and where nobody knew what the money was for, the
 * plan at its price goes to their device. Call it in the transaction that made the payment; the payment as it then is.
 */
export async function settleClaim(tx: Db, vault: Vault, payment: Payment, now: number): Promise<Payment> {
  if (!payment.receipt) return payment;
  const [claim] = await confirmClaim(tx, [payment.id, now, payment.receipt]);
  if (!claim) return payment;
  const free = payment.state === 'unmatched' && payment.order_id === null && claim.mac !== null;
  const granted = free ? await payClaim(tx, vault, claim, payment, now) : payment;
  if (granted.state === 'settled') await endTrust(tx, claim, 'paid', now);
  return granted;
}

async function payClaim(tx: Db, vault: Vault, claim: Claim, payment: Payment, now: number): Promise<Payment> {
  const subscriberId = claim.subscriber_id ?? payment.subscriber_id ?? (await createSubscriber(tx, now)).id;
  const credential = claim.credential_id
    ? await getCredential(tx, claim.credential_id)
    : await credentialForDevice(tx, vault, subscriberId, claim.mac, now);
  const plan = await planAt(tx, payment.amount_cents, credential);
  if (!plan) return payment;
  const to = { subscriber_id: subscriberId, credential, plan };
  const entitlement = await grantPayment(tx, payment, to, now);
  const paid = await tx
    .updateTable('payments')
    .set({
      state: 'settled',
      note: null,
      subscriber_id: subscriberId,
      plan_id: plan.id,
      entitlement_id: entitlement.id,
    })
    .where('id', '=', payment.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  await bookPayment(tx, paid.id, now);
  return paid;
}

/**
 * A guest gives the code of money that came before and that nobody could match: the plan at its price goes to their
 * device, once. The payment as it then is: still unmatched when no single plan costs that, and always when it is about an
 * order. @throws `conflict` when another device has given the code, or the money was decided about meanwhile.
 */
export async function claimUnmatched(
  db: Db,
  vault: Vault,
  payment: Payment,
  input: ClaimInput,
  now: number,
): Promise<Payment> {
  if (!isFree(payment)) return payment;
  return db.transaction().execute(async (tx) => {
    const claim = (await insertClaim(tx, input, now)) ?? (await claimOf(tx, input));
    const held = await holdUnmatched(tx, payment.id);
    if (!held) throw new AppError('conflict', 'Somebody has decided about this payment meanwhile.');
    await tx
      .updateTable('claims')
      .set({ state: 'confirmed', payment_id: held.id, problem: null, decided_at: now })
      .where('id', '=', claim.id)
      .execute();
    const paid = await payClaim(tx, vault, claim, held, now);
    if (paid.state === 'settled') await endTrust(tx, claim, 'paid', now);
    return paid;
  });
}

/**
 * Nothing confirms the claim on a code: what was given on trust ends, and its device is flagged. Money that comes later
 * still wins. Call it in a transaction; false when none waits.
 */
export async function refuseClaim(tx: Db, receipt: string, problem: string, now: number): Promise<boolean> {
  const claim = await tx
    .updateTable('claims')
    .set({ state: 'refused', problem, decided_at: now })
    .where('receipt', '=', receipt)
    .where('state', '=', 'waiting')
    .returningAll()
    .executeTakeFirst();
  if (claim) await endTrust(tx, claim, 'not_paid', now);
  return claim !== undefined;
}

/** Whether a code looks like one of the day on which it was given. */
export function isCodeOfThen(claim: Pick<Claim, 'receipt' | 'created_at'>): boolean {
  return isPlausibleReceipt(claim.receipt, claim.created_at);
}

/** What was said of this M-PESA code, if anybody said something. */
export async function findClaimByReceipt(db: Db, receipt: string): Promise<Claim | undefined> {
  return db.selectFrom('claims').selectAll().where('receipt', '=', receipt).executeTakeFirst();
}

export async function findClaim(db: Db, id: string): Promise<Claim | undefined> {
  return db.selectFrom('claims').selectAll().where('id', '=', id).executeTakeFirst();
}
