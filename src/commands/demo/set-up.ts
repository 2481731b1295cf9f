// Gives the demo's store its business, accounts, plans, vouchers, M-PESA keys, router.
import { grantEntitlement } from '../../access/entitlements.ts';
import { createPlan, listPlans, listPlansOnSale, type Plan, type PlanInput } from '../../access/plans.ts';
import { createPppoeCredential } from '../../access/pppoe.ts';
import { addSubscriber, listSubscribers } from '../../access/subscribers.ts';
import { createVoucherBatch, listVoucherBatches, makeVouchers, sealCodes } from '../../access/vouchers.ts';
import { completeMpesaSettings, writeMpesaSettings } from '../../billing/mpesa-settings.ts';
import type { Db } from '../../db/schema.ts';
import { readSetting } from '../../db/settings.ts';
import { newToken, type Vault } from '../../lib/secrets.ts';
import { allRouters, createRouter, type RouterInput, updateRouter } from '../../network/routers.ts';
import { createAccount, findAccountByEmail, type Role, updateAccount } from '../../operators/accounts.ts';
import { updateBusiness } from '../../operators/business.ts';
import { verifyPassword } from '../../operators/passwords.ts';
import { SIMULATED_MERCHANTS } from '../../simulators/mpesa/index.ts';

/** Known to everyone who reads this, which is why the demo listens on this computer alone. */
export const DEMO_PASSWORD = 'karibu-demo';
export const DEMO_ACCOUNTS: { email: string; name: string; role: Role }[] = [
  { email: 'demo@karibu.example', name: 'Wanjiru (owner)', role: 'owner' },
  { email: 'cashier@karibu.example', name: 'Otieno (cashier)', role: 'cashier' },
];

const MINUTE = 60;
const HOUR = 3600;
const DAY = 24 * HOUR;
const GB = 1_000_000_000;

type SamplePlan = Omit<PlanInput, 'state' | 'position'>;

function plan(name: string, description: string, shillings: number, terms: Partial<SamplePlan>): SamplePlan {
  return {
    name,
    description,
    kind: 'hotspot',
    price_cents: shillings * 100,
    validity_seconds: HOUR,
    online_seconds: null,
    quota_octets: null,
    rate_down_kbps: 5000,
    rate_up_kbps: 2000,
    max_devices: 1,
    ...terms,
  };
}

const PLANS: SamplePlan[] = [
  plan('30 minutes', 'A quick look', 10, { validity_seconds: 30 * MINUTE }),
  plan('1 hour', 'Chat, mail, a video or two', 20, { validity_seconds: HOUR }),
  plan('4 hours', 'An afternoon', 40, { validity_seconds: 4 * HOUR }),
  plan('1 GB', 'Use it within a week', 50, { validity_seconds: 7 * DAY, quota_octets: GB }),
  plan('1 day', 'Until this time tomorrow', 80, { validity_seconds: DAY }),
  plan('1 week', 'Two devices', 400, {
    validity_seconds: 7 * DAY,
    max_devices: 2,
    rate_down_kbps: 8000,
    rate_up_kbps: 3000,
  }),
  plan('Usiku', 'Every night of a week, ten at night to six', 100, {
    validity_seconds: 7 * DAY,
    hours_from_minute: 22 * 60,
    hours_to_minute: 6 * 60,
    rate_down_kbps: 10_000,
    rate_up_kbps: 4000,
  }),
  plan('Home 10 Mbps', 'A month on PPPoE', 2500, {
    kind: 'pppoe',
    validity_seconds: 30 * DAY,
    rate_down_kbps: 10_000,
    rate_up_kbps: 5000,
  }),
];

/** A home on PPPoE with an address of its own and a plan, which waits for its first sign-in. */
async function ensureHome(db: Db, vault: Vault, now: number): Promise<void> {
  const plans = await listPlans(db, { limit: 100 }, 'on_sale');
  const homePlan = plans.items.find((one) => one.kind === 'pppoe');
  const known = (await listSubscribers(db, { limit: 1 }, { name_prefix: HOME.name })).items;
  if (!homePlan || known.length > 0) return;
  await db.transaction().execute(async (tx) => {
    const subscriber = await addSubscriber(tx, HOME, now);
    const { credential } = await createPppoeCredential(
      tx,
      vault,
      {
        subscriber_id: subscriber.id,
        username: 'mwangi-gate4',
        password: DEMO_PASSWORD,
        static_address: '10.20.0.4',
        router_id: null,
      },
      now,
    );
    const ids = { subscriber_id: subscriber.id, credential_id: credential.id };
    await grantEntitlement(tx, { ...ids, plan: homePlan, source: 'grant' }, now);
  });
}

const HOME = {
  name: 'Mwangi, gate 4',
  msisdn: '254700000104',
  notes: 'Blue roof, on the tower’s north side',
};

/** An account that signs in with the printed password, whatever an earlier run was made to do to it. */
async function ensureAccount(db: Db, wanted: (typeof DEMO_ACCOUNTS)[number], now: number): Promise<void> {
  const known = await findAccountByEmail(db, wanted.email);
  if (!known) {
    await createAccount(db, { ...wanted, password: DEMO_PASSWORD }, now);
  } else if (known.state !== 'active' || !(await verifyPassword(DEMO_PASSWORD, known.password_hash))) {
    await updateAccount(db, known.id, { password: DEMO_PASSWORD, state: 'active' }, now);
  }
}

/** Plans as an operator would have them; those of an earlier run stay as they were changed. */
async function ensurePlans(db: Db, now: number): Promise<Plan[]> {
  const existing = await listPlansOnSale(db);
  if (existing.length > 0) return existing;
  for (const [position, sample] of PLANS.entries()) {
    await createPlan(db, { ...sample, state: 'on_sale', position }, now);
  }
  return listPlansOnSale(db);
}

export async function makeBatch(
  db: Db,
  vault: Vault,
  plan: Plan,
  name: string,
  count: number,
  now: number,
): Promise<void> {
  const wanted = { plan_id: plan.id, count, name, created_by: null, idempotency_key: null };
  const batch = await createVoucherBatch(db, wanted, now);
  await makeVouchers(db, batch, async (wanting) => sealCodes(vault, wanting), { now: () => now });
}

/** Where vouchers come from that simulated guests use, and those that visitors may try. */
export const GUEST_BATCH = 'Kiosk counter';
export const VISITOR_BATCH = 'Barber shop';

async function ensureBatches(db: Db, vault: Vault, plans: Plan[], now: number): Promise<void> {
  if ((await listVoucherBatches(db, { limit: 1 })).items.length > 0) return;
  const named = (name: string) => plans.find((one) => one.name === name) ?? (plans[0] as Plan);
  await makeBatch(db, vault, named('1 hour'), GUEST_BATCH, 250, now);
  await makeBatch(db, vault, named('1 day'), VISITOR_BATCH, 60, now);
}

async function ensureBusiness(db: Db, now: number): Promise<void> {
  if (await readSetting(db, 'business')) return;
  await updateBusiness(db, { name: 'Baraka WiFi', support_phone: '0700 000 100' }, now);
}

/** Guests of the demo come at any hour: they buy no night plan. */
export function worksAllDay(plan: Plan): boolean {
  return plan.hours_from_minute === null;
}

/** Makes what a business has on its first day; whatever is there already stays. `opened` is that first day. */
export async function ensureBusinessData(
  db: Db,
  vault: Vault,
  opened: number,
  now: number,
): Promise<{ plans: Plan[] }> {
  await ensureBusiness(db, now);
  for (const account of DEMO_ACCOUNTS) await ensureAccount(db, account, now);
  const plans = await ensurePlans(db, opened);
  await ensureBatches(db, vault, plans, opened);
  await ensureHome(db, vault, opened);
  return { plans: plans.filter(worksAllDay) };
}

/** Points the store at this run's simulated M-PESA. */
export async function connectMpesa(db: Db, vault: Vault, baseUrl: string, now: number): Promise<void> {
  const merchant = SIMULATED_MERCHANTS[0] as (typeof SIMULATED_MERCHANTS)[number];
  const settings = await completeMpesaSettings(db, vault, {
    environment: 'simulator',
    base_url: baseUrl,
    shortcode: merchant.shortcode,
    kind: merchant.kind,
    consumer_key: merchant.consumer_key,
    consumer_secret: merchant.consumer_secret,
    passkey: merchant.passkey,
  });
  await writeMpesaSettings(db, vault, settings, now);
}

export interface SimulatedDoors {
  api: { port: number };
  coa: { port: number };
  /** `http://127.0.0.1:1234`. */
  hotspot: string;
}

/** Points the store's router at this run's simulated one; answers its id and the RADIUS secret both share. */
export async function connectRouter(
  db: Db,
  vault: Vault,
  doors: SimulatedDoors,
  api: { username: string; password: string },
  now: number,
): Promise<{ id: string; radius_secret: string }> {
  const input: RouterInput = {
    name: 'Shop front',
    address: '127.0.0.1',
    radius_secret: newToken(),
    message_authenticator: 'auto',
    coa_port: doors.coa.port,
    api_port: doors.api.port,
    api_tls: 0,
    api_username: api.username,
    api_password: api.password,
    hotspot_host: new URL(doors.hotspot).host,
    hotspot_interface: 'bridge-hotspot',
    hotspot_network: '10.5.50.0/24',
  };
  const radius_secret = input.radius_secret as string;
  const known = (await allRouters(db)).find((router) => router.address === input.address);
  if (!known) return { id: (await createRouter(db, vault, input, now)).router.id, radius_secret };
  await updateRouter(db, vault, known.id, { ...input, name: known.name }, now);
  return { id: known.id, radius_secret };
}
