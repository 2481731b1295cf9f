// Invents what a small hotspot sells: who buys what, when, how it ends.
import { DAY_MS, dayOf, startOfDay } from '../../lib/days.ts';
import { TerminateCause } from '../../protocols/radius/dictionary.ts';
import { createRandom, type Random } from './random.ts';

/** Someone who buys; the numbers are of a kind that nobody has. */
export interface Customer {
  msisdn: string;
  mac: string;
  name: string | null;
}

export interface PlanToSell {
  id: string;
  name: string;
  price_cents: number;
  validity_seconds: number;
  quota_octets: number | null;
  rate_down_kbps: number | null;
}

export interface Visit {
  started_at: number;
  stopped_at: number;
  upload_octets: number;
  download_octets: number;
  terminate_cause: number;
}

export interface Sale {
  at: number;
  customer: Customer;
  plan: PlanToSell;
  by: 'mpesa' | 'voucher';
  /** What M-PESA decided; `0` is paid. */
  result_code: string;
  /** When the plan runs out or is used up; nothing while it was not paid. */
  starts_at: number;
  ends_at: number;
  end_reason: 'expired' | 'quota_used';
  visits: Visit[];
}

const NAMES = [
  'Achieng',
  'Barasa',
  'Chebet',
  'Fatuma',
  'Gitonga',
  'Halima',
  'Juma',
  'Kamau',
  'Kiprono',
  'Makena',
  'Mutiso',
  'Mwikali',
  'Naliaka',
  'Njeri',
  'Omondi',
  'Wafula',
];
const SOLD_A_DAY = 76;
/** Monday to Sunday. */
const DAY_WEIGHTS = [0.85, 0.9, 0.92, 1, 1.25, 1.35, 1.1];
/** Midnight to eleven at night, in Nairobi. */
const HOUR_WEIGHTS = [
  0.4, 0.15, 0.05, 0, 0.1, 0.5, 1.5, 2.5, 2.2, 1.8, 1.8, 2.2, 3, 2.6, 2.2, 2.4, 3, 4, 5, 6, 5.5, 4.2, 2.4, 1,
];
const HOURS = HOUR_WEIGHTS.map((weight, hour) => ({ hour, weight }));
const PLAN_WEIGHTS: Record<string, number> = {
  '30 minutes': 20,
  '1 hour': 36,
  '4 hours': 17,
  '1 GB': 11,
  '1 day': 13,
  '1 week': 3,
};
/** Paid, cancelled, no answer, too little money. */
const RESULTS = [
  { code: '0', weight: 92 },
  { code: '1032', weight: 4 },
  { code: '1037', weight: 2.5 },
  { code: '1', weight: 1.5 },
];
/** Phones come from few makers; these prefixes are theirs. */
const MAKERS = ['3C:7A:AA', '50:8E:49', '64:A2:00', '88:B4:A6', 'C0:E4:34', 'D8:55:75', 'F0:39:65'];

const hex = (value: number) => value.toString(16).toUpperCase().padStart(2, '0');

export function randomMac(random: Random): string {
  const tail = [0, 0, 0].map(() => hex(random.between(0, 255))).join(':');
  return `${random.pick(MAKERS)}:${tail}`;
}

/** The same people each time. */
export function customers(count = 160): Customer[] {
  const random = createRandom(20_240_301);
  const numbers = new Set<string>();
  return Array.from({ length: count }, (_, index) => {
    let msisdn: string;
    do {
      msisdn = `2547${random.pick(['00', '10', '12', '22', '41', '68'])}000${random.between(100, 999)}`;
    } while (numbers.has(msisdn));
    numbers.add(msisdn);
    const name = index < NAMES.length * 2 && index % 2 === 0 ? (NAMES[index / 2] as string) : null;
    return { msisdn, mac: randomMac(random), name };
  });
}

/** What a phone that browses and watches uses, octets a second. */
function usage(random: Random, plan: PlanToSell, seconds: number) {
  const limit = Math.min(plan.rate_down_kbps ?? 5000, 5000);
  const download = Math.round(((limit * 1000) / 8) * seconds * (0.02 + random.next() ** 2 * 0.22));
  return {
    download_octets: download,
    upload_octets: Math.round(download * (0.05 + random.next() * 0.12)),
  };
}

/** Times online within a plan, until its end or `until`; one that would still go on is left to live guests. */
function visits(random: Random, sale: Sale, until: number): Visit[] {
  const list: Visit[] = [];
  const { plan } = sale;
  let used = 0;
  let at = sale.starts_at;
  const longest = plan.validity_seconds > DAY_MS / 1000 ? 9 : plan.validity_seconds > 3 * 3600 ? 3 : 2;
  while (at < sale.ends_at && list.length < longest) {
    const wanted = Math.round((8 + random.next() ** 2 * 70) * 60);
    const seconds = Math.min(wanted, Math.floor((sale.ends_at - at) / 1000));
    const amounts = usage(random, plan, seconds);
    const left = plan.quota_octets === null ? Number.POSITIVE_INFINITY : plan.quota_octets - used;
    const share = Math.min(1, left / (amounts.download_octets + amounts.upload_octets || 1));
    const lasted = Math.max(1, Math.floor(seconds * share));
    const stopped = at + lasted * 1000;
    if (stopped >= until) break;
    const visit = {
      started_at: at,
      stopped_at: stopped,
      upload_octets: Math.floor(amounts.upload_octets * share),
      download_octets: Math.floor(amounts.download_octets * share),
    };
    used += visit.upload_octets + visit.download_octets;
    const isLast = stopped >= sale.ends_at - 1000;
    const usedUp = share < 1;
    list.push({
      ...visit,
      terminate_cause: usedUp
        ? TerminateCause['NAS-Request']
        : isLast
          ? TerminateCause['Session-Timeout']
          : random.pick([
              TerminateCause['User-Request'],
              TerminateCause['Lost-Carrier'],
              TerminateCause['Idle-Timeout'],
            ]),
    });
    if (usedUp) {
      sale.ends_at = stopped;
      sale.end_reason = 'quota_used';
      break;
    }
    const pause = (0.3 + random.next() * 2) * (plan.validity_seconds > DAY_MS / 1000 ? 9 : 1) * 3600_000;
    at = stopped + pause * Math.min(1, plan.validity_seconds / 14_400);
  }
  return list;
}

/** One day's wishes to buy, by that day's own chance, whatever part of it is asked for. */
function dayOfSales(
  dayStart: number,
  people: Customer[],
  plans: PlanToSell[],
  window: { from: number; to: number },
): Sale[] {
  const seed = Number(dayOf(dayStart).replaceAll('-', ''));
  const random = createRandom(seed);
  const weekday = (new Date(dayOf(dayStart)).getUTCDay() + 6) % 7;
  const count = Math.round(SOLD_A_DAY * (DAY_WEIGHTS[weekday] ?? 1) * (0.92 + random.next() * 0.16));
  const shelf = plans.map((plan) => ({ plan, weight: PLAN_WEIGHTS[plan.name] ?? 5 }));
  const sales: Sale[] = [];
  for (let i = 0; i < count; i++) {
    const { hour } = random.weighted(HOURS);
    const at = dayStart + hour * 3600_000 + random.between(0, 3_599_999);
    const { plan } = random.weighted(shelf);
    // Regulars come often: the head of the list is likelier than its tail.
    const customer = people[Math.floor(random.next() ** 1.6 * people.length)] as Customer;
    const by = random.next() < 0.38 && plan.name === '1 hour' ? 'voucher' : 'mpesa';
    const result_code = by === 'voucher' ? '0' : random.weighted(RESULTS).code;
    const starts_at = at + random.between(9_000, 28_000);
    const sale: Sale = {
      at,
      customer,
      plan,
      by,
      result_code,
      starts_at,
      ends_at: starts_at + plan.validity_seconds * 1000,
      end_reason: 'expired',
      visits: [],
    };
    // A chance of its own: how much of the day has passed must not change who buys later in it.
    if (result_code === '0') sale.visits = visits(createRandom(seed * 1000 + i), sale, window.to);
    if (at >= window.from && sale.starts_at < window.to) sales.push(sale);
  }
  return sales;
}

/**
 * The sales from `from` until `to` (epoch ms), oldest first. Nobody buys while what they have still runs, and the same
 * days give the same sales, however often and in how many parts they are asked for.
 */
export function sampleSales(from: number, to: number, plans: PlanToSell[]): Sale[] {
  const people = customers();
  const sales: Sale[] = [];
  for (let day = startOfDay(from); day < to; day += DAY_MS) {
    sales.push(...dayOfSales(day, people, plans, { from, to }));
  }
  sales.sort((a, b) => a.at - b.at);
  const busyUntil = new Map<string, number>();
  return sales.filter((sale) => {
    if ((busyUntil.get(sale.customer.msisdn) ?? 0) > sale.at) return false;
    if (sale.result_code === '0') busyUntil.set(sale.customer.msisdn, sale.ends_at);
    return true;
  });
}
