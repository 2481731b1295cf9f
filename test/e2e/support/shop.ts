// A shop that is open: Karibu with its owner, a simulated router and a simulated M-PESA.
import { createMpesaSimulator, type MpesaSimulator } from '../../../src/simulators/mpesa/index.ts';
import {
  createRouterSimulator,
  type RouterEvent,
  type RouterSimulator,
} from '../../../src/simulators/router/simulator.ts';
import { type Api, send, setUpOwner } from './api.ts';
import { type Karibu, startKaribu } from './karibu.ts';
import { until } from './until.ts';

export const SECRET = 'siri-ya-redio';
export const API_USER = { username: 'karibu', password: 'nenosiri' };

/** A router whose clock can be moved on; it never ends a session by itself. */
export interface TestRouter {
  simulator: RouterSimulator;
  events: RouterEvent[];
  advance(ms: number): void;
  stop(): Promise<void>;
}

/** Switches a simulated router on beside a Karibu. */
export async function startRouter(karibu: Karibu): Promise<TestRouter> {
  const port = (address: string) => Number(address.split(':').at(-1));
  let ahead = 0;
  const simulator = createRouterSimulator({
    radius: {
      host: '127.0.0.1',
      authPort: port(karibu.radius_auth),
      acctPort: port(karibu.radius_acct),
      secret: SECRET,
    },
    portal: {
      loginUrl: `http://${karibu.portal}/`,
      statusUrl: `http://${karibu.portal}/status`,
      router: 'karibu-demo',
    },
    api: API_USER,
    ignoreLimits: true,
    tickMs: 0,
    now: () => Date.now() + ahead,
  });
  const events: RouterEvent[] = [];
  simulator.onEvent((event) => events.push(event));
  await simulator.start();
  return {
    simulator,
    events,
    advance(ms) {
      ahead += ms;
      simulator.tick();
    },
    stop: () => simulator.stop(),
  };
}

/** What `PUT /settings/mpesa` takes for the simulator's first merchant. */
export function mpesaKeys(mpesa: MpesaSimulator) {
  const merchant = mpesa.merchants[0]!;
  return {
    environment: 'custom',
    base_url: mpesa.baseUrl,
    shortcode: merchant.shortcode,
    kind: merchant.kind,
    consumer_key: merchant.consumer_key,
    consumer_secret: merchant.consumer_secret,
    passkey: merchant.passkey,
  };
}

export interface Plan {
  id: string;
  name: string;
  price_cents: number;
}

export const HOUR = {
  name: '1 hour',
  kind: 'hotspot',
  price_cents: 2000,
  validity_seconds: 3600,
  rate_down_kbps: 5000,
  rate_up_kbps: 2000,
  max_devices: 1,
};

export interface Shop {
  karibu: Karibu;
  mpesa: MpesaSimulator;
  router: TestRouter;
  api: Api;
  plan: Plan;
  close(): Promise<void>;
}

/** Opens a shop through the public API: an owner, a router, one plan (an hour for KES 20), M-PESA; `environment` is the binary’s. */
export async function openShop(environment: Record<string, string> = {}): Promise<Shop> {
  const karibu = await startKaribu(environment);
  const mpesa = createMpesaSimulator({ knobs: { callback_delay_ms: 0 } });
  await mpesa.start();
  const router = await startRouter(karibu);
  const api = await setUpOwner(karibu.admin);
  await api.post('/routers', {
    name: 'Kiosk',
    address: '127.0.0.1',
    radius_secret: SECRET,
    coa_port: router.simulator.addresses.coa.port,
  });
  const plan = await api.post<Plan>('/plans', HOUR);
  await api.put('/settings/mpesa', mpesaKeys(mpesa));
  return {
    karibu,
    mpesa,
    router,
    api,
    plan,
    async close() {
      await router.stop();
      await mpesa.stop();
      await karibu.remove();
    },
  };
}

/** An order as the portal's API tells it. */
export interface PortalOrder {
  id: string;
  state: 'pending' | 'paid' | 'failed' | 'checking';
  message: string;
  username?: string;
  password?: string;
}

/** Starts an order as the portal does. */
export async function order(karibu: Karibu, plan: Plan, msisdn: string, mac?: string): Promise<PortalOrder> {
  const body = { plan_id: plan.id, msisdn, ...(mac ? { mac } : {}) };
  const answer = await send<PortalOrder>('POST', `http://${karibu.portal}/api/orders`, { body });
  if (answer.status !== 201)
    throw new Error(`orders answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

export async function readOrder(karibu: Karibu, id: string): Promise<PortalOrder> {
  return (await send<PortalOrder>('GET', `http://${karibu.portal}/api/orders/${id}`)).body;
}

/** Waits until an order is in a state. */
export function orderIn(
  karibu: Karibu,
  id: string,
  state: PortalOrder['state'],
  seconds = 15,
): Promise<PortalOrder> {
  return until(
    `order ${id} is ${state}`,
    async () => {
      const now = await readOrder(karibu, id);
      return now.state === state ? now : undefined;
    },
    seconds,
  );
}
