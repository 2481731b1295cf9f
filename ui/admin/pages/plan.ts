// One plan: making it, changing it, taking it off sale.
import { formatDuration, formatMoney, formatRate } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import {
  DATA_OCTETS,
  type DataUnit,
  DURATION_SECONDS,
  type DurationUnit,
  parseAmount,
  splitData,
  splitDuration,
  typedMoney,
} from '../../shared/units.ts';
import { del, patch, post } from '../api.ts';
import { useLoad } from '../load.ts';
import { go } from '../navigation.ts';
import { Button, Card, Failure, LinkButton, Loading, PageHead, State } from '../parts/basics.ts';
import { Field, type Form, FormBox, invalid, useForm, type Values } from '../parts/form.ts';
import { tell, tellFailure } from '../parts/toast.ts';
import type { Plan } from '../types.ts';
import { beyond } from './plan-bounds.ts';
import { BLANK_TERMS, hasFinerTerms, readTerms, TermFields, typedTerms } from './plan-terms.ts';
import { dataLine, hoursLine } from './plans.ts';

const DURATIONS: DurationUnit[] = ['minutes', 'hours', 'days'];
const DATA: DataUnit[] = ['MB', 'GB'];

const BLANK: Values = {
  name: '',
  description: '',
  kind: 'hotspot',
  price_cents: '',
  validity_seconds: '1',
  validity_unit: 'hours',
  online_seconds: '',
  online_unit: 'hours',
  quota_octets: '',
  quota_unit: 'GB',
  rate_down_kbps: '5',
  rate_up_kbps: '2',
  max_devices: '1',
  state: 'on_sale',
  ...BLANK_TERMS,
};

function typedPlan(plan: Plan): Values {
  const validity = splitDuration(plan.validity_seconds);
  const online = plan.online_seconds === null ? undefined : splitDuration(plan.online_seconds);
  const quota = plan.quota_octets === null ? undefined : splitData(plan.quota_octets);
  const megabits = (kbps: number | null) => (kbps === null ? '' : String(kbps / 1000));
  return {
    name: plan.name,
    description: plan.description ?? '',
    kind: plan.kind,
    price_cents: typedMoney(plan.price_cents),
    validity_seconds: String(validity.amount),
    validity_unit: validity.unit,
    online_seconds: online ? String(online.amount) : '',
    online_unit: online?.unit ?? 'hours',
    quota_octets: quota ? String(quota.amount) : '',
    quota_unit: quota?.unit ?? 'GB',
    rate_down_kbps: megabits(plan.rate_down_kbps),
    rate_up_kbps: megabits(plan.rate_up_kbps),
    max_devices: String(plan.max_devices),
    state: plan.state,
    ...typedTerms(plan),
  };
}

/** The form in stored units; null is "no limit", undefined could not be read. */
function readPlan(values: Values) {
  const duration = (name: string, unit: string) =>
    parseAmount(values[name] ?? '', DURATION_SECONDS[values[unit] as DurationUnit] ?? 60);
  return {
    name: (values.name ?? '').trim(),
    description: (values.description ?? '').trim(),
    kind: values.kind as Plan['kind'],
    price_cents: parseAmount(values.price_cents ?? '', 100),
    validity_seconds: duration('validity_seconds', 'validity_unit'),
    online_seconds: duration('online_seconds', 'online_unit'),
    quota_octets: parseAmount(values.quota_octets ?? '', DATA_OCTETS[values.quota_unit as DataUnit] ?? 1),
    rate_down_kbps: parseAmount(values.rate_down_kbps ?? '', 1000),
    rate_up_kbps: parseAmount(values.rate_up_kbps ?? '', 1000),
    max_devices: parseAmount(values.max_devices ?? '', 1),
    state: values.state as Plan['state'],
    ...readTerms(values),
  };
}

type ReadPlan = ReturnType<typeof readPlan>;

function mistakes(plan: ReadPlan): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(plan)) {
    if (value === undefined) found[name] = name.endsWith('_minute') ? 'Write a time.' : 'Write a number.';
    else if (typeof value === 'number' && value < 0) found[name] = 'This cannot be less than nothing.';
    else {
      const words = beyond(name, value);
      if (words) found[name] = words;
    }
  }
  if (plan.name === '') found.name = 'Give the plan a name.';
  for (const name of ['price_cents', 'validity_seconds', 'max_devices'] as const) {
    if (plan[name] === null) found[name] = 'This is needed.';
  }
  return found;
}

export function PlanPage({ id }: { id: string }) {
  const isNew = id === 'new';
  const { data, error, reload } = useLoad<Plan>(isNew ? undefined : `/plans/${id}`);
  if (isNew) return html`<${PlanForm} />`;
  if (data) return html`<${PlanForm} key=${`${data.id} ${data.state}`} plan=${data} reload=${reload} />`;
  return html`<${PageHead} title="Plan" back="/plans" /><div class="card">
    ${error ? html`<${Failure} error=${error} onRetry=${reload} />` : html`<${Loading} />`}</div>`;
}

function PlanForm({ plan, reload }: { plan?: Plan; reload?: () => void }) {
  const form = useForm(plan ? typedPlan(plan) : BLANK);
  const save = async (values: Values) => {
    const read = readPlan(values);
    const wrong = mistakes(read);
    if (Object.keys(wrong).length > 0) throw invalid(wrong);
    if (plan) await patch(`/plans/${plan.id}`, read);
    else await post('/plans', read);
    tell(plan ? `${read.name} saved.` : `${read.name} is on sale.`);
    go('/plans');
  };
  const restore = async () => {
    try {
      await patch(`/plans/${plan?.id}`, { state: plan?.state === 'archived' ? 'on_sale' : plan?.state });
      tell(`${plan?.name} is back.`);
      reload?.();
    } catch (failure) {
      tellFailure(failure);
    }
  };
  const archive = async () => {
    try {
      await del(`/plans/${plan?.id}`);
      tell(`${plan?.name} archived. Running entitlements go on.`, { label: 'Undo', run: restore });
      go('/plans');
    } catch (failure) {
      tellFailure(failure);
    }
  };
  const archived = plan?.state === 'archived';
  return html`<${PageHead} title=${plan ? plan.name : 'New plan'}
    sub=${plan && html`<${State} state=${plan.state} />`} back="/plans">
      ${
        plan &&
        (archived
          ? html`<${Button} icon="undo" onClick=${restore}>Bring back<//>`
          : html`<${Button}
        onClick=${archive}>Archive<//>`)
      }
    <//>
    <div class="columns form-columns">
      <${Card}><${FormBox} form=${form} act=${save}>
        <${Fields} form=${form} archived=${archived} isNew=${!plan}
          finer=${plan !== undefined && hasFinerTerms(plan)} />
        <div class="form-foot"><${Button} type="submit" look="primary" busy=${form.busy}>
        ${plan ? 'Save plan' : 'Create plan'}<//><${LinkButton} href="/plans" look="quiet">Cancel<//></div>
      <//><//>
      <aside class="preview" aria-label="As guests see it"><h2 class="muted">As guests see it</h2>
      <${GuestCard} plan=${readPlan(form.values)} /></aside>
    </div>`;
}

function Fields(props: { form: Form; archived: boolean; isNew: boolean; finer: boolean }) {
  const { form, archived, isNew, finer } = props;
  return html`<div class="field-row">
    <${Field} form=${form} name="name" label="Name" placeholder="1 hour" autofocus=${isNew} maxlength=${60} />
    <${Field} form=${form} name="price_cents" label="Price" prefix="KES" inputmode="decimal"
      placeholder="20" /></div>
    <${Field} form=${form} name="description" label="A line for guests" required=${false}
      placeholder="Good for a film" maxlength=${120} />
    <div class="field-row">
      <${Field} form=${form} name="validity_seconds" label="Validity" inputmode="decimal" units=${DURATIONS}
        unit="validity_unit" hint="From the first use to the end" />
      <${Field} form=${form} name="online_seconds" label="Online time" inputmode="decimal" units=${DURATIONS}
        unit="online_unit" placeholder="no limit" hint="Counts only while connected" />
    </div>
    <div class="field-row">
      <${Field} form=${form} name="quota_octets" label="Quota" inputmode="decimal" units=${DATA}
        unit="quota_unit" placeholder="unlimited" hint="1 GB is 1,000 MB" />
      <${Field} form=${form} name="max_devices" label="Devices at once" inputmode="numeric" />
    </div>
    <div class="field-row">
      <${Field} form=${form} name="rate_down_kbps" label="Download" inputmode="decimal" suffix="Mbps"
        placeholder="no limit" />
      <${Field} form=${form} name="rate_up_kbps" label="Upload" inputmode="decimal" suffix="Mbps"
        placeholder="no limit" />
    </div>
    <div class="field-row">
      <${Field} form=${form} name="kind" label="For" options=${[
        ['hotspot', 'Hotspot guests'],
        ['pppoe', 'PPPoE homes'],
      ]} />
      ${
        !archived &&
        html`<${Field} form=${form} name="state" label="State" options=${[
          ['on_sale', 'On sale'],
          ['hidden', 'Hidden from the portal'],
        ]} />`
      }
    </div>
    <${TermFields} form=${form} open=${finer} />`;
}

function capital(line: string): string {
  return line.slice(0, 1).toUpperCase() + line.slice(1);
}

function GuestCard({ plan }: { plan: ReadPlan }) {
  const gives = [
    capital(dataLine(plan as Partial<Plan>)),
    plan.rate_down_kbps ? `up to ${formatRate(plan.rate_down_kbps)}` : '',
    plan.fair_use_rate_down_kbps ? `then ${formatRate(plan.fair_use_rate_down_kbps)}` : '',
    plan.online_seconds ? `${formatDuration(plan.online_seconds)} online` : '',
    hoursLine(plan.hours_from_minute, plan.hours_to_minute),
    (plan.max_devices ?? 1) > 1 ? `${plan.max_devices} devices` : '',
  ].filter(Boolean);
  return html`<div class="guest-card">
    <div><b>${plan.name || 'Name'}</b><span class="guest-price num">${formatMoney(plan.price_cents ?? 0)}
    </span></div>
    <p>${plan.validity_seconds ? formatDuration(plan.validity_seconds) : '–'} · ${gives.join(' · ')}</p>
    ${plan.description && html`<p class="muted">${plan.description}</p>`}
  </div>`;
}
