// Draws the life of a guest at random: what is sold, which devices and routers there are, and what happens.
import type { OutageSettings } from '../../src/access/outages.ts';
import type { PlanInput } from '../../src/access/plans.ts';
import type { GuestKind, Method, RouterKind, WorldRouter } from './lives-world.ts';

export type Random = () => number;

/** Numbers from 0 to 1 that are the same for a seed (mulberry32). */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function oneOf<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T;
}

/** Something that happens; each draws what it needs by a seed of its own, so that leaving one out changes no other. */
export type Act = { seed: number } & (
  | { what: 'pass'; seconds: number }
  | { what: 'buy'; guest: number; plan: number; notBeforeSeconds: number | null }
  | {
      what: 'sign in';
      guest: number;
      device: number;
      router: number;
      method: Method;
      lost: boolean;
    }
  | { what: 'sign in together'; guest: number; routers: number[] }
  | { what: 'knock'; device: number; router: number; method: 'pap' | 'chap' }
  | { what: 'send away'; device: number }
  | {
      what: 'home';
      guest: number;
      change: 'password' | 'address' | 'no address' | 'on' | 'off' | 'bind' | 'unbind';
      router: number;
    }
  | { what: 'sign out'; device: number }
  | { what: 'vanish'; device: number }
  | { what: 'door'; router: number; door: WorldRouter['door'] }
  | { what: 'reach'; router: number; reachable: boolean }
  | { what: 'reboot'; router: number; told: boolean }
  | { what: 'suspend' | 'activate'; guest: number }
  | { what: 'revoke'; guest: number; which: number }
  | { what: 'speed'; plan: number; up: number | null; down: number | null }
  | { what: 'off'; seconds: number }
  | { what: 'decide'; approve: boolean }
  | { what: 'settle' }
);

export interface Life {
  seed: number;
  /** Nothing is lost, late, repeated or refused. */
  calm: boolean;
  startsAt: number;
  plans: PlanInput[];
  devices: { mac: string; up: number; down: number }[];
  guests: GuestKind[];
  routers: RouterKind[];
  /** What is done about the time in which the box was off; null where it never is. */
  outages: OutageSettings | null;
  /** Whether accounting goes through a journal. */
  journaled: boolean;
  acts: Act[];
}

const MINUTE = 60;
const HOUR = 3600;
const GB = 1_000_000_000;
/** Midnight in Nairobi, of a day in 2027. */
const MIDNIGHT = 1_799_960_400_000;

function drawPlan(
  random: Random,
  index: number,
  startMinute: number,
  slow: boolean,
  pools: number,
): PlanInput {
  const maybe = <T>(share: number, draw: () => T): T | null => (random() < share ? draw() : null);
  const amount = () => oneOf(random, [1_000_000, 50_000_000, 700_000_000, 2 ** 32, 6 * GB, 2 ** 33 + 5]);
  const rate = () => oneOf(random, [500, 2000, 10_000]);
  const small = () => oneOf(random, [1_000_000, 50_000_000]);
  const [quota, up, down] = [
    slow && random() < 0.7 ? small() : maybe(0.3, amount),
    maybe(0.15, amount),
    maybe(0.15, amount),
  ];
  const fair = (quota ?? up ?? down) !== null && random() < (slow ? 0.9 : 0.5);
  const minute = (from: number) => (((startMinute + from) % 1440) + 1440) % 1440;
  const opens = Math.floor(random() * 60) - 40;
  const hours = random() < 0.3;
  return {
    ...{
      name: `Plan ${index}`,
      description: '',
      kind: 'hotspot',
      price_cents: 100,
      state: 'on_sale',
      position: 0,
    },
    validity_seconds: oneOf(random, [90, 5 * MINUTE, 12 * MINUTE, 31 * MINUTE, 2 * HOUR, 26 * HOUR]),
    online_seconds: maybe(0.3, () => oneOf(random, [60, 4 * MINUTE, 15 * MINUTE, HOUR])),
    quota_octets: quota,
    upload_quota_octets: up,
    download_quota_octets: down,
    fair_use_rate_up_kbps: fair && random() < 0.7 ? oneOf(random, [128, 5000]) : null,
    fair_use_rate_down_kbps: fair ? oneOf(random, [256, 5000]) : null,
    rate_up_kbps: maybe(0.8, rate),
    rate_down_kbps: maybe(0.8, rate),
    max_devices: oneOf(random, [1, 1, 2, 3]),
    device_policy: oneOf(random, ['refuse', 'replace_oldest']),
    idle_timeout_seconds: maybe(0.2, () => 600),
    address_pool: maybe(pools, () => 'pool'),
    address_list: maybe(pools / 2, () => 'list'),
    hours_from_minute: hours ? minute(opens) : null,
    hours_to_minute: hours ? minute(opens + oneOf(random, [20, 30, 45, 45, 300, 720])) : null,
  };
}

function drawAct(random: Random, life: Omit<Life, 'acts'>): Act {
  const seed = Math.floor(random() * 2 ** 32);
  const index = (list: unknown[]) => Math.floor(random() * list.length);
  const device = index(life.devices);
  const router = index(life.routers);
  const guest = index(life.guests);
  const kinds: [number, () => Act][] = [
    [30, () => ({ seed, what: 'pass', seconds: oneOf(random, [1, 5, 20, 60, 61, 180, 300, 600, 1500]) })],
    [1, () => ({ seed, what: 'pass', seconds: oneOf(random, [2 * HOUR, 10 * HOUR, 25 * HOUR]) })],
    [
      9,
      () => ({
        ...{ seed, what: 'buy', guest, plan: index(life.plans) },
        notBeforeSeconds: random() < 0.2 ? oneOf(random, [30, 400, 2 * HOUR]) : null,
      }),
    ],
    [
      26,
      () => ({
        ...{
          seed,
          what: 'sign in',
          guest,
          device,
          router,
          method: oneOf(random, ['pap', 'chap', 'mschap2']),
        },
        lost: !life.calm && random() < 0.05,
      }),
    ],
    [
      1,
      () => ({ seed, what: 'sign in together', guest, routers: life.devices.map(() => index(life.routers)) }),
    ],
    [4, () => ({ seed, what: 'sign out', device })],
    [2, () => ({ seed, what: 'suspend', guest })],
    [3, () => ({ seed, what: 'activate', guest })],
    [2, () => ({ seed, what: 'revoke', guest, which: Math.floor(random() * 4) })],
    [
      3,
      () => ({
        ...{ seed, what: 'speed', plan: index(life.plans) },
        up: oneOf(random, [null, 300, 4000]),
        down: oneOf(random, [null, 700, 20_000]),
      }),
    ],
    [5, () => ({ seed, what: 'settle' })],
  ];
  const trouble: [number, () => Act][] = [
    [5, () => ({ seed, what: 'vanish', device })],
    [
      5,
      () => ({ seed, what: 'door', router, door: oneOf(random, ['agrees', 'agrees', 'refuses', 'silent']) }),
    ],
    [5, () => ({ seed, what: 'reach', router, reachable: random() < 0.6 })],
    [3, () => ({ seed, what: 'reboot', router, told: random() < 0.6 })],
    [life.outages ? 6 : 0, () => ({ seed, what: 'off', seconds: oneOf(random, [120, 700, 1500, 4000]) })],
    [life.outages?.mode === 'ask' ? 4 : 0, () => ({ seed, what: 'decide', approve: random() < 0.7 })],
  ];
  const knocks: [number, () => Act][] = [
    [25, () => ({ seed, what: 'knock', device, router, method: oneOf(random, ['pap', 'chap']) })],
    [4, () => ({ seed, what: 'send away', device })],
  ];
  const changes = ['password', 'address', 'no address', 'on', 'on', 'off', 'bind', 'unbind'] as const;
  const homes: [number, () => Act][] = [
    [10, () => ({ seed, what: 'home', guest, change: oneOf(random, changes), router })],
    [4, () => ({ seed, what: 'send away', device })],
  ];
  const all = [
    ...kinds,
    ...(life.calm ? [] : trouble),
    ...(life.routers.some(({ macLogin }) => macLogin) ? knocks : []),
    ...(life.guests.some(({ home }) => home) ? homes : []),
  ];
  let point = random() * all.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, draw] of all) {
    point -= weight;
    if (point < 0) return draw();
  }
  return { seed, what: 'settle' };
}

/** The life of a seed. */
export function drawLife(seed: number): Life {
  const random = randomFrom(seed);
  const calm = random() < 0.4;
  // Often near midnight, where hours and days turn.
  const startMinute = random() < 0.5 ? 1440 - 30 : Math.floor(random() * 1440);
  const startsAt = MIDNIGHT + startMinute * 60_000 + Math.floor(random() * 60_000);
  // Some guests are slow by fair use most of the time.
  const slow = random() < 0.25;
  const homes = random() < 0.3;
  const plans = Array.from({ length: 1 + Math.floor(random() * 3) }, (_, at) =>
    drawPlan(random, at, startMinute, slow, homes ? 0.4 : 0.1),
  );
  const devices = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, at) => ({
    mac: `AA:BB:CC:00:00:0${at + 1}`,
    up: oneOf(random, [0, 2000, 300_000]),
    down: oneOf(random, [0, 20_000, 1_000_000, 40_000_000]),
  }));
  const knocking = random() < 0.5;
  const apis = random() < 0.5;
  const routers = [0, 1].map(() => ({
    ...{ gigawords: random() < 0.7, keepsLimits: random() < 0.6 },
    ...{ macLogin: knocking && random() < 0.8, hasApi: apis && random() < 0.8 },
  }));
  const several = knocking ? 2 + Math.floor(random() * 2) : random() < 0.3 ? 2 : 1;
  const guests = Array.from({ length: several }, (_, at) => ({
    ownMac: random() < 0.5 ? oneOf(random, devices).mac : null,
    samePerson: random() < 0.3,
    home: homes && (at === 0 || random() < 0.5) ? { address: random() < 0.5 ? `10.9.${at}.1` : null } : null,
  }));
  const outages: OutageSettings | null =
    random() < 0.3
      ? {
          mode: oneOf(random, ['off', 'ask', 'automatic', 'automatic']),
          ...{ minimum_seconds: 600, maximum_seconds: oneOf(random, [900, 86_400]) },
        }
      : null;
  const journaled = random() < 0.2;
  const life = { seed, calm, startsAt, plans, devices, guests, routers, outages, journaled };
  const acts = Array.from({ length: 10 + Math.floor(random() * 40) }, () => drawAct(random, life));
  const bought = guests.flatMap((_, guest) => {
    const buy = (plan: number): Act => ({
      ...{ seed: seed + plan, what: 'buy', guest, plan, notBeforeSeconds: null },
    });
    // Half of them have bought for later before they come.
    const later = random() < 0.5 ? [buy(Math.floor(random() * plans.length))] : [];
    return [buy(guest % plans.length), ...later];
  });
  return { ...life, acts: [...bought, ...acts] };
}
