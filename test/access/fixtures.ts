// Plans, credentials and accounting messages that the tests of access and billing start from.

import type { SessionReport } from '../../src/access/accounting.ts';
import { createCredential } from '../../src/access/credentials.ts';
import { type Entitlement, grantEntitlement } from '../../src/access/entitlements.ts';
import { createPlan, type Plan, type PlanInput } from '../../src/access/plans.ts';
import { createSubscriber } from '../../src/access/subscribers.ts';
import { addVouchers, createVoucherBatch, listVouchers, sealCodes } from '../../src/access/vouchers.ts';
import type { Db } from '../../src/db/schema.ts';
import { createVault } from '../../src/lib/secrets.ts';

export const NOW = 1_800_000_000_000;
export const HOUR = 3600_000;
export const vault = createVault(Buffer.alloc(32, 7));

/** The plan of the journey: one hour, KES 20, 5 Mbps down and 2 up, one device. */
export const HOUR_PLAN: PlanInput = {
  name: '1 hour',
  description: '',
  kind: 'hotspot',
  price_cents: 2000,
  validity_seconds: 3600,
  online_seconds: null,
  quota_octets: null,
  rate_down_kbps: 5000,
  rate_up_kbps: 2000,
  max_devices: 1,
  state: 'on_sale',
  position: 0,
};

export function somePlan(db: Db, change: Partial<PlanInput> = {}): Promise<Plan> {
  return createPlan(db, { ...HOUR_PLAN, ...change }, NOW);
}

let sold = 0;

/** A subscriber with a credential (password `secret`) and one waiting entitlement; `grant` gives a later one. */
export async function someAccess(db: Db, change: Partial<PlanInput> = {}) {
  const plan = await somePlan(db, change);
  const subscriber = await createSubscriber(db, NOW);
  const credential = await createCredential(
    db,
    vault,
    {
      subscriber_id: subscriber.id,
      username: `guest${++sold}`,
      password: 'secret',
      kind: 'hotspot',
      device_mac: null,
    },
    NOW,
  );
  const grant = (now = NOW + 1): Promise<Entitlement> =>
    grantEntitlement(
      db,
      { subscriber_id: subscriber.id, credential_id: credential.id, plan, source: 'grant' },
      now,
    );
  return { plan, subscriber, credential, entitlement: await grant(NOW), grant };
}

/** A batch of vouchers, ready, with its codes. */
export async function someVouchers(db: Db, count: number, change: Partial<PlanInput> = {}) {
  const plan = await somePlan(db, change);
  const input = { plan_id: plan.id, count, name: 'Kiosk', created_by: null, idempotency_key: null };
  const { id } = await createVoucherBatch(db, input, NOW);
  while ((await addVouchers(db, id, sealCodes(vault, 1000), NOW)).state === 'making');
  const { items } = await listVouchers(db, vault, { limit: 1000 }, { batch_id: id });
  return { plan, batchId: id, vouchers: items, codes: items.map((voucher) => voucher.code) };
}

/** An accounting message of a session; what matters to a test stands in `change`. */
export function report(change: Partial<SessionReport> = {}): SessionReport {
  return {
    kind: 'start',
    router_id: 'router-1',
    username: 'guest',
    acct_session_id: '80100014',
    reference: null,
    nas_port_id: 'bridge',
    nas_ip: '10.5.48.1',
    mac: 'AA:BB:CC:00:00:01',
    ip: '10.5.48.20',
    session_seconds: 0,
    upload_octets: 0,
    download_octets: 0,
    terminate_cause: null,
    at: NOW,
    ...change,
  };
}
