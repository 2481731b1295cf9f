// A year of voucher batches, some of them used.
import type { Row } from '../../../src/db/schema.ts';
import { DAY_MS } from '../../../src/lib/days.ts';
import type { Vault } from '../../../src/lib/secrets.ts';
import type { Bulk } from './bulk.ts';
import type { Catalogue } from './catalogue.ts';
import type { Random } from './random.ts';

const REDEEMED_SHARE = 0.6;
const CANCELLED_SHARE = 0.02;
/** Most paper is used within a quarter of being printed. */
const SHELF_MS = 90 * DAY_MS;

/** A voucher whose entitlement is in the store. */
export interface RedeemedVoucher {
  id: string;
  code: string;
  plan: Row<'plans'>;
  redeemed_at: number;
  entitlement_id: string;
  subscriber_id: string;
}

/**
 * Batches of 500 to 5,000, the last one whatever is left. `granted` of the redeemed vouchers have their entitlement in
 * the store, spread evenly; of the others only the voucher is kept.
 */
export function fillVouchers(
  bulk: Bulk,
  random: Random,
  vault: Vault,
  catalogue: Catalogue,
  sizes: { vouchers: number; granted: number; from: number; now: number },
): RedeemedVoucher[] {
  const { from, now } = sizes;
  const used: RedeemedVoucher[] = [];
  const codes = new Set<string>();
  let redeemed = 0;
  for (let made = 0; made < sizes.vouchers; ) {
    const count = Math.min(random.between(500, 5000), sizes.vouchers - made);
    const at = Math.floor(from + (made / sizes.vouchers) * (now - from - DAY_MS));
    const plan = random.pick(catalogue.plans);
    const batch: Row<'voucher_batches'> = {
      id: random.id(at),
      plan_id: plan.id,
      name: `${plan.name} ${new Date(at).toISOString().slice(0, 10)}`,
      count,
      made: count,
      redeemed: 0,
      cancelled: 0,
      price_cents: plan.price_cents,
      state: 'ready',
      idempotency_key: null,
      created_by: null,
      created_at: at,
      ready_at: at,
    };
    bulk.insert('voucher_batches', batch);
    for (let n = 0; n < count; n++, made++) {
      let code = random.code(8);
      while (codes.has(code)) code = random.code(8);
      codes.add(code);
      const fate = random.next();
      const state =
        fate < REDEEMED_SHARE ? 'redeemed' : fate < REDEEMED_SHARE + CANCELLED_SHARE ? 'cancelled' : 'unused';
      const id = random.id(at);
      const redeemedAt =
        state === 'redeemed' ? Math.floor(at + random.next() * Math.min(SHELF_MS, now - at)) : null;
      let grant: RedeemedVoucher | undefined;
      if (redeemedAt !== null) {
        batch.redeemed++;
        redeemed++;
        const due = Math.ceil((redeemed / (sizes.vouchers * REDEEMED_SHARE)) * sizes.granted);
        if (used.length < Math.min(due, sizes.granted)) {
          grant = {
            id,
            code,
            plan,
            redeemed_at: redeemedAt,
            entitlement_id: random.id(redeemedAt),
            subscriber_id: random.id(redeemedAt),
          };
          used.push(grant);
        }
      } else if (state === 'cancelled') batch.cancelled++;
      bulk.insert('vouchers', {
        id,
        batch_id: batch.id,
        plan_id: plan.id,
        code_fingerprint: vault.fingerprint(code),
        code_sealed: vault.seal(code),
        state,
        entitlement_id: grant?.entitlement_id ?? null,
        subscriber_id: grant?.subscriber_id ?? null,
        created_at: at,
        redeemed_at: redeemedAt,
      });
    }
    bulk.run(
      'update voucher_batches set redeemed = ?, cancelled = ? where id = ?',
      batch.redeemed,
      batch.cancelled,
      batch.id,
    );
  }
  return used;
}
