// Finds out what money without an order is for, from what the payer typed and who paid.
import { type Credential, credentialForDevice } from '../access/credentials.ts';
import { listPlansOnSale, type Plan } from '../access/plans.ts';
import { createSubscriber, findSubscriberByHash, subscriberForMsisdn } from '../access/subscribers.ts';
import type { Db } from '../db/schema.ts';
import { normalizeCode } from '../lib/codes.ts';
import { formatMoney } from '../lib/money.ts';
import { normalizeMsisdn } from '../lib/msisdn.ts';
import type { Vault } from '../lib/secrets.ts';
import { fitsMask } from '../protocols/mpesa/index.ts';
import type { Money } from './money.ts';

/** Whom a payment is for and what it buys; or why nobody but a person can say. */
export type Purpose =
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
  const typed = reference.trim();
  const spellings = [...new Set([typed, typed.toLowerCase(), typed.toUpperCase(), normalizeCode(typed)])];
  const found = await tx
    .selectFrom('credentials')
    .selectAll()
    .where('username', 'in', spellings)
    .where('state', '=', 'active')
    .limit(2)
    .execute();
  return found.length === 1 ? found[0] : undefined;
}

/** The one plan on sale at this price; the one this credential had last, where there are several. */
export async function planAt(tx: Db, cents: number, credential: Credential): Promise<Plan | undefined> {
  const kind = credential.kind === 'pppoe' ? 'pppoe' : 'hotspot';
  const fitting = await tx
    .selectFrom('plans')
    .selectAll()
    .where('state', '=', 'on_sale')
    .where('kind', '=', kind)
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
 * What money by hand is for: a phone number, a PPPoE account, a redeemed voucher or a plan's name as the account, or
 * nothing typed and a payer we know. A misspelt account is never guessed at.
 */
export async function findPurpose(tx: Db, vault: Vault, money: Money, now: number): Promise<Purpose> {
  const amount = money.amount_cents ?? 0;
  const typed = money.account_reference.trim();
  const buy = async (subscriberId: string, credential: Credential): Promise<Purpose> => {
    const plan = await planAt(tx, amount, credential);
    return plan
      ? { subscriber_id: subscriberId, credential, plan }
      : { unmatched: `No single plan costs ${formatMoney(amount)}.`, subscriber_id: subscriberId };
  };
  const number = normalizeMsisdn(typed);
  if (number) {
    const { id } = await subscriberForMsisdn(tx, number, now);
    return buy(id, await credentialOf(tx, vault, id, now));
  }
  const account = typed ? await findAccount(tx, typed) : undefined;
  if (account) return buy(account.subscriber_id, account);
  const payer = await findPayer(tx, money, now);
  const plans = (await listPlansOnSale(tx)).filter((plan) => planCode(plan) === normalizeCode(typed));
  const plan = plans.length === 1 ? plans[0] : undefined;
  if (plan) {
    if (plan.price_cents !== amount) {
      const why = `Paid ${formatMoney(amount)} for “${plan.name}”, which costs ${formatMoney(plan.price_cents)}.`;
      return { unmatched: why, subscriber_id: payer ?? null };
    }
    // Nobody we know: the M-PESA code opens what was bought.
    const id = payer ?? (await createSubscriber(tx, now)).id;
    return { subscriber_id: id, credential: await credentialOf(tx, vault, id, now), plan };
  }
  if (typed) return { unmatched: `Nothing is called “${typed.slice(0, 40)}”.`, subscriber_id: payer ?? null };
  if (!payer) return { unmatched: 'Nobody knows who paid, or for what.', subscriber_id: null };
  return buy(payer, await credentialOf(tx, vault, payer, now));
}
