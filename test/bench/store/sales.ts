// A year of sales: who bought or redeemed what, and the money for it.
import { NO_FINER_TERMS } from '../../../src/access/terms.ts';
import type { Row } from '../../../src/db/schema.ts';
import { DAY_MS, dayOf } from '../../../src/lib/days.ts';
import { hashToken, type Vault } from '../../../src/lib/secrets.ts';
import type { Bulk } from './bulk.ts';
import type { Catalogue } from './catalogue.ts';
import type { Random } from './random.ts';
import type { RedeemedVoucher } from './vouchers.ts';

const MINUTE_MS = 60_000;
/** Orders that came to nothing, for each that was paid. */
const FAILED_SHARE = 0.25;
const UNMATCHED_SHARE = 0.002;
const REVERSED_SHARE = 0.001;
const REVOKED_SHARE = 0.01;
/** A guest who pays comes online at once; few put it off for days. */
const LATE_START_SHARE = 0.05;
const NAMES = [
  'Achieng',
  'Wanjiku',
  'Otieno',
  'Kamau',
  'Njeri',
  'Mutua',
  'Chebet',
  'Kiprop',
  'Amina',
  'Hassan',
];

/** An entitlement as far as its sessions need it. */
export interface Sale {
  id: string;
  subscriber_id: string;
  credential_id: string;
  plan_id: string;
  username: string;
  mac: string;
  created_at: number;
  starts_at: number | null;
  state: Row<'entitlements'>['state'];
}

interface Buyer {
  id: string;
  msisdn: string;
  mac: string;
  credential_id: string;
  username: string;
}

export function fillSubscribers(
  bulk: Bulk,
  random: Random,
  vault: Vault,
  count: number,
  from: number,
  now: number,
) {
  const buyers: Buyer[] = [];
  for (let n = 0; n < count; n++) {
    const at = Math.floor(from + (n / count) * (now - from) * 0.9);
    // The step is coprime to the number of phones, so that none comes twice and none is near its neighbour.
    const phone = String((n * 7_368_787 + 4_523_113) % 100_000_000).padStart(8, '0');
    const buyer = {
      id: random.id(at),
      msisdn: `2547${phone}`,
      mac: random.mac(),
      credential_id: random.id(at),
      username: random.code(9),
    };
    buyers.push(buyer);
    bulk.insert('subscribers', {
      id: buyer.id,
      name: random.chance(0.3) ? `${random.pick(NAMES)} ${random.pick(NAMES)}` : null,
      msisdn: buyer.msisdn,
      state: random.chance(0.005) ? 'suspended' : 'active',
      notes: '',
      created_at: at,
      updated_at: at,
    });
    fillCredential(bulk, vault, buyer, random.code(10), 'hotspot', at);
    fillDevice(bulk, random, buyer.id, buyer.mac, at);
  }
  return buyers;
}

function fillCredential(
  bulk: Bulk,
  vault: Vault,
  owner: { id: string; credential_id: string; username: string; mac: string },
  password: string,
  kind: Row<'credentials'>['kind'],
  at: number,
): void {
  bulk.insert('credentials', {
    id: owner.credential_id,
    subscriber_id: owner.id,
    username: owner.username,
    password_sealed: vault.seal(password),
    kind,
    state: 'active',
    static_address: null,
    router_id: null,
    device_mac: owner.mac,
    created_at: at,
    updated_at: at,
  });
}

function fillDevice(bulk: Bulk, random: Random, subscriberId: string, mac: string, at: number): void {
  bulk.insert('devices', {
    id: random.id(at),
    subscriber_id: subscriberId,
    mac,
    first_seen_at: at,
    last_seen_at: at,
  });
}

interface Draft {
  at: number;
  buyer?: Buyer;
  voucher?: RedeemedVoucher;
}

/**
 * Entitlements in the order of time: one for each redeemed voucher, and `bought` paid for by order. Those that came to
 * their end have ended; the rest are active, or wait for their first login.
 */
export function fillSales(
  bulk: Bulk,
  random: Random,
  vault: Vault,
  catalogue: Catalogue,
  input: { bought: number; buyers: Buyer[]; vouchers: RedeemedVoucher[]; from: number; now: number },
): Sale[] {
  const { buyers, from, now } = input;
  const drafts: Draft[] = input.vouchers.map((voucher) => ({ at: voucher.redeemed_at, voucher }));
  for (let n = 0; n < input.bought; n++) {
    const known = Math.max(1, Math.floor((n / input.bought) * buyers.length));
    drafts.push({
      at: Math.floor(from + ((n + random.next()) / input.bought) * (now - from)),
      // Half of what is bought is bought by those who came lately.
      buyer: buyers[
        random.chance(0.5) ? known - 1 - Math.floor(random.next() ** 3 * known) : random.between(0, known - 1)
      ] as Buyer,
    });
  }
  drafts.sort((a, b) => a.at - b.at);
  return drafts.map((draft) => fillSale(bulk, random, vault, catalogue, draft, now));
}

function fillSale(
  bulk: Bulk,
  random: Random,
  vault: Vault,
  catalogue: Catalogue,
  draft: Draft,
  now: number,
): Sale {
  const { at, voucher } = draft;
  const plan = voucher?.plan ?? catalogue.pickPlan();
  const owner = draft.buyer ?? fillVoucherOwner(bulk, random, vault, voucher as RedeemedVoucher, at);
  const id = voucher?.entitlement_id ?? random.id(at);
  const bought = voucher
    ? undefined
    : fillPurchase(bulk, random, catalogue, draft.buyer as Buyer, plan, id, at);
  const late = random.chance(LATE_START_SHARE)
    ? random.between(1, 14) * DAY_MS
    : random.between(20_000, 20 * MINUTE_MS);
  const startsAt = at + late < now ? at + late : null;
  const endsAt = startsAt === null ? null : startsAt + plan.validity_seconds * 1000;
  const revoked = random.chance(REVOKED_SHARE);
  const over = endsAt !== null && endsAt <= now;
  const state = revoked ? 'revoked' : startsAt === null ? 'waiting' : over ? 'ended' : 'active';
  const done = state === 'ended' || revoked;
  bulk.insert('entitlements', {
    id,
    subscriber_id: owner.id,
    credential_id: owner.credential_id,
    plan_id: plan.id,
    source: voucher ? 'voucher' : 'order',
    payment_id: bought?.payment_id ?? null,
    order_id: bought?.order_id ?? null,
    voucher_id: voucher?.id ?? null,
    state,
    validity_seconds: plan.validity_seconds,
    online_seconds: plan.online_seconds,
    quota_octets: plan.quota_octets,
    rate_down_kbps: plan.rate_down_kbps,
    rate_up_kbps: plan.rate_up_kbps,
    max_devices: plan.max_devices,
    ...NO_FINER_TERMS,
    overtakes: 0,
    not_before_at: null,
    starts_at: startsAt,
    ends_at: endsAt,
    ended_at: done ? Math.min(endsAt ?? now, now) : null,
    end_reason: revoked ? 'revoked' : done ? 'expired' : null,
    used_seconds: startsAt === null ? 0 : random.between(60, plan.validity_seconds),
    used_upload_octets: startsAt === null ? 0 : random.between(100_000, 90_000_000),
    idempotency_key: null,
    used_download_octets: startsAt === null ? 0 : random.between(1_000_000, 800_000_000),
    created_at: at,
  });
  if (startsAt !== null) {
    bulk.insert('daily_usage', {
      day: dayOf(startsAt),
      entitlement_id: id,
      router_id: random.pick(catalogue.routers).id,
      plan_id: plan.id,
      online_seconds: random.between(60, Math.min(plan.validity_seconds, 86_400)),
      upload_octets: random.between(100_000, 90_000_000),
      download_octets: random.between(1_000_000, 800_000_000),
    });
  }
  return {
    id,
    subscriber_id: owner.id,
    credential_id: owner.credential_id,
    plan_id: plan.id,
    username: owner.username,
    mac: owner.mac,
    created_at: at,
    starts_at: startsAt,
    state,
  };
}

/** Whoever holds a voucher is a subscriber of whom nothing is known. */
function fillVoucherOwner(bulk: Bulk, random: Random, vault: Vault, voucher: RedeemedVoucher, at: number) {
  const owner = {
    id: voucher.subscriber_id,
    credential_id: random.id(at),
    username: voucher.code,
    mac: random.mac(),
  };
  bulk.insert('subscribers', {
    id: owner.id,
    name: null,
    msisdn: null,
    state: 'active',
    notes: '',
    created_at: at,
    updated_at: at,
  });
  fillCredential(bulk, vault, owner, voucher.code, 'voucher', at);
  fillDevice(bulk, random, owner.id, owner.mac, at);
  return owner;
}

/** The order with its payment and the callback that proved it; before some, an order that came to nothing. */
function fillPurchase(
  bulk: Bulk,
  random: Random,
  catalogue: Catalogue,
  buyer: Buyer,
  plan: Row<'plans'>,
  entitlementId: string,
  at: number,
): { order_id: string; payment_id: string } {
  const router = random.pick(catalogue.routers);
  const order = (state: Row<'orders'>['state'], orderedAt: number): Row<'orders'> => {
    const paid = state === 'paid';
    const id = random.id(orderedAt);
    return {
      id,
      plan_id: plan.id,
      subscriber_id: buyer.id,
      credential_id: paid ? buyer.credential_id : null,
      entitlement_id: paid ? entitlementId : null,
      router_id: router.id,
      msisdn: buyer.msisdn,
      mac: buyer.mac,
      ip: '10.5.50.2',
      price_cents: plan.price_cents,
      state,
      live_key: null,
      idempotency_key: null,
      gateway: 'mpesa',
      callback_token_hash: hashToken(id),
      // Longer than the real ones: of a million orders the last seven characters repeat.
      short_code: id.slice(-12),
      merchant_request_id: random.text(20, '0123456789abcdef'),
      checkout_request_id: `ws_CO_${random.text(24, '0123456789')}`,
      result_code: paid ? '0' : '1032',
      problem: paid ? null : 'The payer cancelled.',
      polls: random.between(0, 4),
      next_poll_at: null,
      created_at: orderedAt,
      sent_at: orderedAt,
      paid_at: paid ? orderedAt + 15_000 : null,
      updated_at: orderedAt + 15_000,
    };
  };
  const failed = random.chance(FAILED_SHARE);
  if (failed) bulk.insert('orders', order(random.chance(0.002) ? 'checking' : 'failed', at - 3 * MINUTE_MS));
  const paid = order('paid', at);
  bulk.insert('orders', paid);
  const payment: Row<'payments'> = {
    id: random.id(at),
    gateway: 'mpesa',
    receipt: random.text(10, '0123456789ABCDEFGHJKLMNPQRSTUVWXYZ'),
    checkout_request_id: paid.checkout_request_id,
    order_id: paid.id,
    subscriber_id: buyer.id,
    plan_id: plan.id,
    entitlement_id: entitlementId,
    msisdn: buyer.msisdn,
    payer: null,
    payer_name: null,
    account_reference: null,
    reversal: null,
    resolved_by: null,
    resolved_at: null,
    amount_cents: plan.price_cents,
    state: random.chance(REVERSED_SHARE) ? 'reversed' : 'settled',
    note: null,
    received_at: at,
    created_at: at,
  };
  bulk.insert('payments', payment);
  bulk.insert('evidence', {
    id: random.id(at),
    gateway: 'mpesa',
    kind: 'stk_callback',
    dedupe_key: `stk_callback:${paid.id}`,
    order_id: paid.id,
    payment_id: payment.id,
    receipt: null,
    doubt: null,
    body: JSON.stringify({
      Body: { stkCallback: { CheckoutRequestID: paid.checkout_request_id, ResultCode: 0 } },
    }),
    source_address: '127.0.0.1',
    state: 'used',
    summary: 'paid',
    received_at: at,
    processed_at: at,
  });
  if (random.chance(UNMATCHED_SHARE)) {
    bulk.insert('payments', {
      ...payment,
      id: random.id(at),
      receipt: random.text(10, '0123456789ABCDEFGHJKLMNPQRSTUVWXYZ'),
      checkout_request_id: null,
      order_id: null,
      entitlement_id: null,
      state: 'unmatched',
    });
  }
  return { order_id: paid.id, payment_id: payment.id };
}
