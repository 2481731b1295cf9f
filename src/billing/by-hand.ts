// Finds out what money is for, from what the payer typed and who paid.
import { type Credential, credentialForDevice } from '../access/credentials.ts';
import { kindFor, listPlansOnSale, type Plan } from '../access/plans.ts';
import { createSubscriber, findSubscriberByHash, subscriberForMsisdn } from '../access/subscribers.ts';
import type { Db } from '../db/schema.ts';
import { normalizeCode, spellingsOf } from '../lib/codes.ts';
import { formatMoney } from '../lib/money.ts';
import { normalizeMsisdn } from '../lib/msisdn.ts';
import type { Vault } from '../lib/secrets.ts';
import { fitsMask } from '../protocols/mpesa/index.ts';
import { findOrderFor, type Sum } from './match-order.ts';
import type { Money } from './money.ts';
import { findOrderByAccount, holdOrder, type Order } from './orders.ts';

/** The order that a payment is for, or whom it is for and what it buys; or why nobody but a person can say. */
export type Purpose =
  | { order: Order }
  | { subscriber_id: string; credential: Credential; plan: Plan }
  | { unmatched: string; subscriber_id: string | null };

/** What a payer may type as the account to buy this plan by hand: its name in capitals, letters and digits. */
export function planCode(plan: Pick<Plan, 'name'>): string {
  return plan.name
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '')
    .slice(0, 20);
}

/**
 * The subscriber who paid, by number or by its hash among those our guests gave. A mask is matched only with the name of
 * someone who paid before, and only when that is one subscriber.
 */
export async function findPayer(tx: Db, money: Money, now: number): Promise<string | undefined> {
  if (money.msisdn) return (await subscriberForMsisdn(tx, money.msisdn, now)).id;
  if (money.msisdn_sha256) return (await findSubscriberByHash(tx, money.msisdn_sha256))?.id;
  if (!money.msisdn_masked || !money.payer_name) return undefined;
  const mask = money.msisdn_masked;
  const before = await tx
    .selectFrom('payments as p')
    .innerJoin('subscribers as s', 's.id', 'p.subscriber_id')
    .select(['s.id', 's.msisdn'])
    .distinct()
    .where('p.payer', '=', mask)
    .where('p.payer_name', '=', money.payer_name)
    .where('p.subscriber_id', 'is not', null)
    .limit(2)
    .execute();
  const fitting = before.filter(({ msisdn }) => msisdn !== null && fitsMask(mask, msisdn));
  return fitting.length === 1 ? fitting[0]?.id : undefined;
}

/** Someone's own credential: where the account says so, else the one they used last, else a new one. */
async function credentialOf(tx: Db, vault: Vault, subscriberId: string, now: number): Promise<Credential> {
  const last = await tx
    .selectFrom('credentials as c')
    .innerJoin('entitlements as e', 'e.credential_id', 'c.id')
    .selectAll('c')
    .where('e.subscriber_id', '=', subscriberId)
    .where('c.kind', '=', 'hotspot')
    .where('c.state', '=', 'active')
    .orderBy('e.id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return last ?? credentialForDevice(tx, vault, subscriberId, null, now);
}

/** The credential that an account names: a PPPoE account, a redeemed voucher, a hotspot login; as typed or in one case. */
async function findAccount(tx: Db, reference: string): Promise<Credential | undefined> {
  const found = await tx
    .selectFrom('credentials')
    .selectAll()
    .where('username', 'in', spellingsOf(reference))
    .where('state', '=', 'active')
    .limit(2)
    .execute();
  return found.length === 1 ? found[0] : undefined;
}

/** The one plan on sale at this price; the one this credential had last, where there are several. */
export async function planAt(tx: Db, cents: number, credential: Credential): Promise<Plan | undefined> {
  const fitting = await tx
    .selectFrom('plans')
    .selectAll()
    .where('state', '=', 'on_sale')
    .where('kind', '=', kindFor(credential))
    .where('price_cents', '=', cents)
    .execute();
  if (fitting.length < 2) return fitting[0];
  const last = await tx
    .selectFrom('entitlements')
    .select('plan_id')
    .where('credential_id', '=', credential.id)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return fitting.find((plan) => plan.id === last?.plan_id);
}

/**
 * What money is for, whatever told of it: an order's short code, a phone number, a PPPoE account, a redeemed voucher or a
 * plan's name as the account. Where nothing or a word without meaning was typed, it is the payer's open order of this
 * price; without one, what a payer we know buys when nothing was typed. A misspelt account is never guessed at.
 */
export async function findPurpose(tx: Db, vault: Vault, money: Sum, now: number): Promise<Purpose> {
  const amount = money.amount_cents;
  const typed = money.account_reference.trim();
  const named = await findOrderByAccount(tx, typed);
  if (named) return { order: await holdOrder(tx, named.id) };
  const buy = async (subscriberId: string, credential: Credential): Promise<Purpose> => {
    const plan = await planAt(tx, amount, credential);
    return plan
      ? { subscriber_id: subscriberId, credential, plan }
      : { unmatched: `No single plan costs ${formatMoney(amount)}.`, subscriber_id: subscriberId };
  };
  const number = normalizeMsisdn(typed);
  const account = typed && !number ? await findAccount(tx, typed) : undefined;
  const plan = typed && !number && !account ? await findPlanByCode(tx, typed) : undefined;
  const found = account ? {} : await findOrderFor(tx, money, { msisdn: number, plan_id: plan?.id }, now);
  if (found.order) return { order: found.order };
  // An SMS says nothing of what a till's or a person's money is for, and an old one is no purchase of today.
  if (found.late || (money.by_sms && !typed)) {
    const why = found.why ?? `No order of ${formatMoney(amount)} waits for this phone.`;
    return { unmatched: why, subscriber_id: null };
  }
  if (number) {
    const { id } = await subscriberForMsisdn(tx, number, now);
    return buy(id, await credentialOf(tx, vault, id, now));
  }
  if (account) return buy(account.subscriber_id, account);
  const payer = await findPayer(tx, money, now);
  if (plan) {
    if (plan.price_cents !== amount) {
      const why = `Paid ${formatMoney(amount)} for “${plan.name}”, which costs ${formatMoney(plan.price_cents)}.`;
      return { unmatched: why, subscriber_id: payer ?? null };
    }
    // Nobody we know: the M-PESA code opens what was bought.
    const id = payer ?? (await createSubscriber(tx, now)).id;
    return { subscriber_id: id, credential: await credentialOf(tx, vault, id, now), plan };
  }
  if (typed) {
    const why = [`Nothing is called “${typed.slice(0, 40)}”.`, found.why ?? ''].join(' ').trim();
    return { unmatched: why, subscriber_id: payer ?? null };
  }
  if (!payer) return { unmatched: found.why ?? 'Nobody knows who paid, or for what.', subscriber_id: null };
  return buy(payer, await credentialOf(tx, vault, payer, now));
}

/** The one plan on sale that a payer can mean by this. */
async function findPlanByCode(tx: Db, typed: string): Promise<Plan | undefined> {
  const plans = (await listPlansOnSale(tx)).filter((plan) => planCode(plan) === normalizeCode(typed));
  return plans.length === 1 ? plans[0] : undefined;
}
