// The sample week: the same each time, and nothing in it that could not be.
import { describe, expect, test } from 'vitest';
import { type PlanToSell, type Sale, sampleSales } from '../../src/commands/demo/sample-week.ts';
import { DAY_MS, startOfDay } from '../../src/lib/days.ts';

const NOW = Date.UTC(2026, 10, 21, 12, 20);
const FROM = startOfDay(NOW) - 6 * DAY_MS;
const PLANS: PlanToSell[] = [
  {
    id: 'a',
    name: '1 hour',
    price_cents: 2000,
    validity_seconds: 3600,
    quota_octets: null,
    rate_down_kbps: 5000,
  },
  {
    id: 'b',
    name: '1 GB',
    price_cents: 5000,
    validity_seconds: 604_800,
    quota_octets: 1e9,
    rate_down_kbps: 5000,
  },
  {
    id: 'c',
    name: '1 day',
    price_cents: 8000,
    validity_seconds: 86_400,
    quota_octets: null,
    rate_down_kbps: null,
  },
];
const told = (sale: Sale) => `${sale.at} ${sale.customer.msisdn} ${sale.plan.id} ${sale.result_code}`;

describe('the sample week', () => {
  const sales = sampleSales(FROM, NOW, PLANS);

  test('is the same each time', () => {
    expect(sampleSales(FROM, NOW, PLANS)).toEqual(sales);
  });

  test('sells every day, and does not know the future', () => {
    const days = new Set(sales.map((sale) => startOfDay(sale.at)));
    expect(days.size).toBe(7);
    for (const sale of sales) {
      expect(sale.at).toBeGreaterThanOrEqual(FROM);
      expect(sale.starts_at).toBeLessThan(NOW);
      for (const visit of sale.visits) expect(visit.stopped_at).toBeLessThan(NOW);
    }
  });

  test('keeps every visit within its plan: time, order, data', () => {
    for (const sale of sales) {
      let before = sale.starts_at;
      let octets = 0;
      for (const visit of sale.visits) {
        expect(visit.started_at).toBeGreaterThanOrEqual(before);
        expect(visit.stopped_at).toBeLessThanOrEqual(sale.ends_at);
        octets += visit.upload_octets + visit.download_octets;
        before = visit.stopped_at;
      }
      if (sale.plan.quota_octets !== null) expect(octets).toBeLessThanOrEqual(sale.plan.quota_octets);
      if (sale.result_code !== '0') expect(sale.visits).toEqual([]);
    }
  });

  test('goes on where it left off: an afternoon asked for alone is the afternoon of the whole', () => {
    const noon = startOfDay(NOW) + 12 * 3600_000;
    const alone = sampleSales(noon, NOW, PLANS).map(told);
    const whole = sales.filter((sale) => sale.at >= noon).map(told);
    // Whoever still had a plan at noon is left out of the whole alone.
    expect(whole.length).toBeGreaterThan(3);
    expect(alone).toEqual(expect.arrayContaining(whole));
  });
});
