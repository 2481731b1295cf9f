// Terms: what a plan gives, copied whole into each entitlement.
import type { FinerTerms, Terms } from '../db/schema.ts';
import { AppError } from '../errors.ts';

/** The finer terms of a plan that has none of them. */
export const NO_FINER_TERMS: FinerTerms = {
  burst_rate_down_kbps: null,
  burst_rate_up_kbps: null,
  burst_threshold_down_kbps: null,
  burst_threshold_up_kbps: null,
  burst_seconds: null,
  idle_timeout_seconds: null,
  address_pool: null,
  address_list: null,
  upload_quota_octets: null,
  download_quota_octets: null,
  fair_use_rate_down_kbps: null,
  fair_use_rate_up_kbps: null,
  hours_from_minute: null,
  hours_to_minute: null,
  device_policy: 'refuse',
};

const FINER_NAMES = Object.keys(NO_FINER_TERMS) as (keyof FinerTerms)[];

/** Every column of the terms. */
export const TERM_NAMES: readonly (keyof Terms)[] = [
  'validity_seconds',
  'online_seconds',
  'quota_octets',
  'rate_down_kbps',
  'rate_up_kbps',
  'max_devices',
  ...FINER_NAMES,
];

/** How the line is shared is the operator's to say at any time; time, data and devices stay as they were sold. */
export const SPEED_NAMES = [
  'rate_down_kbps',
  'rate_up_kbps',
  'burst_rate_down_kbps',
  'burst_rate_up_kbps',
  'burst_threshold_down_kbps',
  'burst_threshold_up_kbps',
  'burst_seconds',
] as const satisfies (keyof Terms)[];

/** The terms alone: what an entitlement copies from its plan. */
export function termsOf(plan: Terms): Terms {
  return Object.fromEntries(TERM_NAMES.map((name) => [name, plan[name]])) as unknown as Terms;
}

/** Whether access goes on, slower, when the quota is used. */
export function hasFairUse(terms: Pick<Terms, 'fair_use_rate_down_kbps' | 'fair_use_rate_up_kbps'>): boolean {
  return terms.fair_use_rate_down_kbps !== null || terms.fair_use_rate_up_kbps !== null;
}

/** Throws `invalid`, with the fields named, for terms that are right one by one and wrong together. */
export function checkTerms(terms: Terms): void {
  const fields: Record<string, string> = {};
  for (const way of ['down', 'up'] as const) {
    const rate = terms[`rate_${way}_kbps`];
    const burst = terms[`burst_rate_${way}_kbps`];
    const threshold = terms[`burst_threshold_${way}_kbps`];
    if (burst !== null && rate === null) {
      fields[`burst_rate_${way}_kbps`] = 'A burst goes beyond a rate: give the rate as well.';
    } else if (burst !== null && rate !== null && burst < rate) {
      fields[`burst_rate_${way}_kbps`] = 'A burst cannot be slower than the rate.';
    }
    if (threshold !== null && burst === null) {
      fields[`burst_threshold_${way}_kbps`] = 'A threshold needs its burst.';
    } else if (threshold !== null && burst !== null && threshold > burst) {
      fields[`burst_threshold_${way}_kbps`] = 'A threshold cannot be above its burst.';
    }
  }
  const bursts = terms.burst_rate_down_kbps !== null || terms.burst_rate_up_kbps !== null;
  if (terms.burst_seconds !== null && !bursts) fields.burst_seconds = 'How long is a burst? There is none.';
  const quota = terms.quota_octets ?? terms.upload_quota_octets ?? terms.download_quota_octets;
  for (const name of ['fair_use_rate_down_kbps', 'fair_use_rate_up_kbps'] as const) {
    if (terms[name] !== null && quota === null) {
      fields[name] = 'A fair-use rate begins when a quota is used: give a quota as well.';
    }
  }
  const { hours_from_minute: from, hours_to_minute: to } = terms;
  if ((from === null) !== (to === null)) {
    fields[from === null ? 'hours_from_minute' : 'hours_to_minute'] = 'Hours have a beginning and an end.';
  } else if (from !== null && from === to) {
    fields.hours_to_minute = 'The hours end when they begin: leave both empty for the whole day.';
  }
  const [message] = Object.values(fields);
  if (message) throw new AppError('invalid', message, { fields });
}
