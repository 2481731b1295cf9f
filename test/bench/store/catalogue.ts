// What a business has before it sells: plans, routers.
import { NO_FINER_TERMS } from '../../../src/access/terms.ts';
import type { Row } from '../../../src/db/schema.ts';
import { DAY_MS } from '../../../src/lib/days.ts';
import type { Vault } from '../../../src/lib/secrets.ts';
import type { Bulk } from './bulk.ts';
import type { Random } from './random.ts';

/** The RADIUS secret of every router in the store; the first one is this machine. */
export const RADIUS_SECRET = 'bench-secret';

const HOUR = 3600;
const DAY = 24 * HOUR;
const GB = 1_000_000_000;

/** Name, KES, validity, quota, down, up (kbps), devices, share of sales. */
const PLANS: [string, number, number, number | null, number, number, number, number][] = [
  ['30 minutes', 10, HOUR / 2, null, 3000, 1000, 1, 12],
  ['1 hour', 20, HOUR, null, 5000, 2000, 1, 24],
  ['3 hours', 40, 3 * HOUR, null, 5000, 2000, 1, 14],
  ['Night', 30, 8 * HOUR, null, 8000, 3000, 1, 6],
  ['1 day', 80, DAY, null, 5000, 2000, 1, 18],
  ['1 GB', 50, 7 * DAY, GB, 8000, 3000, 1, 8],
  ['3 days', 200, 3 * DAY, null, 5000, 2000, 2, 5],
  ['1 week', 400, 7 * DAY, null, 6000, 3000, 2, 5],
  ['5 GB', 200, 30 * DAY, 5 * GB, 8000, 3000, 2, 3],
  ['2 weeks', 700, 14 * DAY, null, 6000, 3000, 2, 2],
  ['1 month', 1200, 30 * DAY, null, 8000, 4000, 3, 2],
  ['Family month', 2500, 30 * DAY, null, 15000, 8000, 5, 1],
];

export interface Catalogue {
  plans: Row<'plans'>[];
  routers: Row<'routers'>[];
  /** A plan as often as it is sold. */
  pickPlan(): Row<'plans'>;
}

/** Twelve plans and three routers, all on loopback: nothing in the store leads off this machine. */
export function fillCatalogue(bulk: Bulk, random: Random, vault: Vault, from: number): Catalogue {
  const at = from - 30 * DAY_MS;
  const plans = PLANS.map(
    ([name, price, validity, quota, down, up, devices], position): Row<'plans'> => ({
      id: random.id(at + position),
      name,
      description: '',
      kind: 'hotspot',
      price_cents: price * 100,
      validity_seconds: validity,
      online_seconds: null,
      quota_octets: quota,
      rate_down_kbps: down,
      rate_up_kbps: up,
      max_devices: devices,
      ...NO_FINER_TERMS,
      state: 'on_sale',
      position,
      sold: 0,
      created_at: at,
      updated_at: at,
    }),
  );
  const routers = ['Market', 'Bus park', 'Hostel'].map(
    (name, n): Row<'routers'> => ({
      id: random.id(at + n),
      name,
      address: `127.0.0.${n + 1}`,
      radius_secret_sealed: vault.seal(RADIUS_SECRET),
      message_authenticator: 'auto',
      mac_login: 'no',
      coa_port: 3799,
      api_port: 8728,
      api_tls: 0,
      api_username: null,
      api_password_sealed: null,
      hotspot_host: null,
      hotspot_interface: 'bridge',
      hotspot_network: '10.5.48.0/22',
      state: 'unknown',
      identity: null,
      version: null,
      board: null,
      last_seen_at: null,
      last_error: null,
      created_at: at,
      updated_at: at,
    }),
  );
  for (const plan of plans) bulk.insert('plans', plan);
  for (const router of routers) bulk.insert('routers', router);
  const wheel = PLANS.flatMap((plan, n) => Array.from({ length: plan[7] }, () => plans[n] as Row<'plans'>));
  return { plans, routers, pickPlan: () => random.pick(wheel) };
}
