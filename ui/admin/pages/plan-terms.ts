// The finer terms of a plan's form, behind one disclosure so that a simple plan stays simple.
import { useState } from 'preact/hooks';
import { html } from '../../shared/html.ts';
import {
  DATA_OCTETS,
  type DataUnit,
  DURATION_SECONDS,
  type DurationUnit,
  parseAmount,
  parseTimeOfDay,
  splitData,
  splitDuration,
  typedTimeOfDay,
} from '../../shared/units.ts';
import { Field, type Form, type Values } from '../parts/form.ts';
import type { FinerTerms, Plan } from '../types.ts';

const IDLE_UNITS: DurationUnit[] = ['minutes', 'hours'];
const DATA: DataUnit[] = ['MB', 'GB'];

export const BLANK_TERMS: Values = {
  device_policy: 'refuse',
  hours_from_minute: '',
  hours_to_minute: '',
  upload_quota_octets: '',
  upload_quota_unit: 'GB',
  download_quota_octets: '',
  download_quota_unit: 'GB',
  fair_use_rate_down_kbps: '',
  fair_use_rate_up_kbps: '',
  burst_rate_down_kbps: '',
  burst_rate_up_kbps: '',
  burst_threshold_down_kbps: '',
  burst_threshold_up_kbps: '',
  burst_seconds: '',
  idle_timeout_seconds: '',
  idle_timeout_unit: 'minutes',
  address_pool: '',
  address_list: '',
};

const RATES = [
  'fair_use_rate_down_kbps',
  'fair_use_rate_up_kbps',
  'burst_rate_down_kbps',
  'burst_rate_up_kbps',
  'burst_threshold_down_kbps',
  'burst_threshold_up_kbps',
] as const;

/** A plan's finer terms as one types them. */
export function typedTerms(plan: Plan): Values {
  const values = { ...BLANK_TERMS };
  for (const name of RATES) values[name] = plan[name] === null ? '' : String(plan[name] / 1000);
  for (const name of ['hours_from_minute', 'hours_to_minute'] as const) {
    values[name] = plan[name] === null ? '' : typedTimeOfDay(plan[name]);
  }
  for (const way of ['upload', 'download'] as const) {
    const quota = plan[`${way}_quota_octets`];
    if (quota === null) continue;
    const { amount, unit } = splitData(quota);
    values[`${way}_quota_octets`] = String(amount);
    values[`${way}_quota_unit`] = unit;
  }
  values.burst_seconds = plan.burst_seconds === null ? '' : String(plan.burst_seconds);
  const idle = plan.idle_timeout_seconds === null ? undefined : splitDuration(plan.idle_timeout_seconds);
  values.idle_timeout_seconds = idle ? String(idle.amount) : '';
  values.idle_timeout_unit = idle?.unit ?? 'minutes';
  values.device_policy = plan.device_policy;
  values.address_pool = plan.address_pool ?? '';
  values.address_list = plan.address_list ?? '';
  return values;
}

/** The finer terms in stored units; null is none, undefined could not be read. */
export function readTerms(values: Values): { [K in keyof FinerTerms]: FinerTerms[K] | undefined } {
  const typed = (name: string) => values[name] ?? '';
  const megabits = (name: string) => parseAmount(typed(name), 1000);
  const word = (name: string) => typed(name).trim() || null;
  const data = (way: 'upload' | 'download') =>
    parseAmount(typed(`${way}_quota_octets`), DATA_OCTETS[values[`${way}_quota_unit`] as DataUnit] ?? 1);
  return {
    device_policy: values.device_policy as FinerTerms['device_policy'],
    hours_from_minute: parseTimeOfDay(typed('hours_from_minute')),
    hours_to_minute: parseTimeOfDay(typed('hours_to_minute')),
    upload_quota_octets: data('upload'),
    download_quota_octets: data('download'),
    fair_use_rate_down_kbps: megabits('fair_use_rate_down_kbps'),
    fair_use_rate_up_kbps: megabits('fair_use_rate_up_kbps'),
    burst_rate_down_kbps: megabits('burst_rate_down_kbps'),
    burst_rate_up_kbps: megabits('burst_rate_up_kbps'),
    burst_threshold_down_kbps: megabits('burst_threshold_down_kbps'),
    burst_threshold_up_kbps: megabits('burst_threshold_up_kbps'),
    burst_seconds: parseAmount(typed('burst_seconds'), 1),
    idle_timeout_seconds: parseAmount(
      typed('idle_timeout_seconds'),
      DURATION_SECONDS[values.idle_timeout_unit as DurationUnit] ?? 60,
    ),
    address_pool: word('address_pool'),
    address_list: word('address_list'),
  };
}

/** Whether a plan has any of them. */
export function hasFinerTerms(plan: Plan): boolean {
  const typed = typedTerms(plan);
  return Object.keys(BLANK_TERMS).some((name) => typed[name] !== BLANK_TERMS[name]);
}

/** Open from the start when the plan has any of them, and when one of them is wrong. */
export function TermFields({ form, open }: { form: Form; open: boolean }) {
  const wrong = Object.keys(form.errors).some((name) => name in BLANK_TERMS);
  // What was opened, by hand or by a mistake in it, must not close under the hand that mends it.
  const [shown, setShown] = useState(open);
  return html`<details class="advanced" open=${shown || wrong}
    onToggle=${(event: Event) => setShown((event.currentTarget as HTMLDetailsElement).open)}><summary>Advanced</summary>
    <${Field} form=${form} name="device_policy" label="One device too many" options=${[
      ['refuse', 'Is refused'],
      ['replace_oldest', 'Takes the place of the oldest'],
    ]} />
    <div class="field-row">
      <${Field} form=${form} name="hours_from_minute" label="Works from" type="time"
        hint="Each day; a night plan ends the next morning" />
      <${Field} form=${form} name="hours_to_minute" label="Works until" type="time" />
    </div>
    <div class="field-row">
      <${Field} form=${form} name="download_quota_octets" label="Download quota" inputmode="decimal"
        units=${DATA} unit="download_quota_unit" placeholder="none" hint="Beside the quota for both ways" />
      <${Field} form=${form} name="upload_quota_octets" label="Upload quota" inputmode="decimal"
        units=${DATA} unit="upload_quota_unit" placeholder="none" />
    </div>
    <div class="field-row">
      <${Field} form=${form} name="fair_use_rate_down_kbps" label="Download after the quota"
        inputmode="decimal" suffix="Mbps" placeholder="ends" hint="Slower, instead of the end" />
      <${Field} form=${form} name="fair_use_rate_up_kbps" label="Upload after the quota"
        inputmode="decimal" suffix="Mbps" placeholder="ends" />
    </div>
    <div class="field-row">
      <${Field} form=${form} name="burst_rate_down_kbps" label="Download burst" inputmode="decimal"
        suffix="Mbps" placeholder="none" hint="Faster for a moment, above the download speed" />
      <${Field} form=${form} name="burst_rate_up_kbps" label="Upload burst" inputmode="decimal"
        suffix="Mbps" placeholder="none" />
    </div>
    <div class="field-row">
      <${Field} form=${form} name="burst_threshold_down_kbps" label="Download burst ends above"
        inputmode="decimal" suffix="Mbps" placeholder="the speed" hint="Average over the burst time" />
      <${Field} form=${form} name="burst_threshold_up_kbps" label="Upload burst ends above"
        inputmode="decimal" suffix="Mbps" placeholder="the speed" />
    </div>
    <div class="field-row">
      <${Field} form=${form} name="burst_seconds" label="Burst time" inputmode="numeric" suffix="seconds"
        placeholder="1" />
      <${Field} form=${form} name="idle_timeout_seconds" label="Disconnect when idle for" inputmode="decimal"
        units=${IDLE_UNITS} unit="idle_timeout_unit" placeholder="never" />
    </div>
    <div class="field-row">
      <${Field} form=${form} name="address_pool" label="Address pool" mono required=${false}
        hint="As it is called on the router" />
      <${Field} form=${form} name="address_list" label="Address list" mono required=${false}
        hint="The router's firewall can tell them by it" />
    </div>
  </details>`;
}
