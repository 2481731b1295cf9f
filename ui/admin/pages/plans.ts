// The plans on offer.
import { formatCount, formatDuration, formatOctets, formatRate, formatRates } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { typedTimeOfDay } from '../../shared/units.ts';
import { useList } from '../load.ts';
import { setQuery, usePlace } from '../navigation.ts';
import { LinkButton, Money, PageHead, State } from '../parts/basics.ts';
import { Listing, Segments, Toolbar } from '../parts/list.ts';
import { canManage } from '../roles.ts';
import { useMe } from '../signed-in.ts';
import type { Plan } from '../types.ts';

/** The data a plan includes: `1 GB`, `4 GB down, 1 GB up`, `unlimited data`. */
export function dataLine(
  plan: Partial<Pick<Plan, 'quota_octets' | 'download_quota_octets' | 'upload_quota_octets'>>,
): string {
  const { quota_octets: both, download_quota_octets: down, upload_quota_octets: up } = plan;
  const parts = [
    both ? formatOctets(both) : '',
    down ? `${formatOctets(down)} down` : '',
    up ? `${formatOctets(up)} up` : '',
  ];
  return parts.filter(Boolean).join(', ') || 'unlimited data';
}

/** `22:00–06:00`: when in the day a plan works; empty for the whole day. */
export function hoursLine(from: number | null | undefined, to: number | null | undefined): string {
  return typeof from === 'number' && typeof to === 'number'
    ? `${typedTimeOfDay(from)}–${typedTimeOfDay(to)}`
    : '';
}

/** Whether a plan with hours of the day does not work at this instant, on Nairobi's clock (UTC+3 all year). */
export function outsideHours(
  { hours_from_minute: from, hours_to_minute: to }: Pick<Plan, 'hours_from_minute' | 'hours_to_minute'>,
  now: number,
): boolean {
  if (from === null || to === null) return false;
  const minute = Math.floor(now / 60_000 + 180) % 1440;
  return from < to ? minute < from || minute >= to : minute < from && minute >= to;
}

/** What a plan gives, in one line: `1 hour · 1 GB · 5 / 2 Mbps · 2 devices`. */
export function planLine(
  plan: Pick<
    Plan,
    | 'validity_seconds'
    | 'online_seconds'
    | 'quota_octets'
    | 'download_quota_octets'
    | 'upload_quota_octets'
    | 'rate_down_kbps'
    | 'rate_up_kbps'
    | 'fair_use_rate_down_kbps'
    | 'hours_from_minute'
    | 'hours_to_minute'
    | 'max_devices'
  >,
): string {
  return [
    formatDuration(plan.validity_seconds),
    plan.online_seconds === null ? '' : `${formatDuration(plan.online_seconds)} online`,
    hoursLine(plan.hours_from_minute, plan.hours_to_minute),
    dataLine(plan),
    formatRates(plan.rate_down_kbps, plan.rate_up_kbps),
    plan.fair_use_rate_down_kbps === null ? '' : `then ${formatRate(plan.fair_use_rate_down_kbps)}`,
    plan.max_devices === 1 ? '1 device' : `${plan.max_devices} devices`,
  ]
    .filter(Boolean)
    .map((part) => part.replaceAll(' ', '\u00a0')) // A part never breaks over two lines, and no line begins with a dot.
    .join('\u00a0· ');
}

export function Plans() {
  const manages = canManage(useMe().account.role);
  const state = usePlace().query.get('state') ?? '';
  const list = useList<Plan>('/plans', { state });
  return html`<${PageHead} title="Plans" sub="What guests can buy">
    ${manages && html`<${LinkButton} href="/plans/new" icon="plus" look="primary">New plan<//>`}<//>
    <${Toolbar}><${Segments} label="State" value=${state}
      onPick=${(picked: string) => setQuery({ state: picked })} options=${[
        ['', 'All'],
        ['on_sale', 'On sale'],
        ['hidden', 'Hidden'],
        ['archived', 'Archived'],
      ]} /><//>
    <${Listing} list=${list} label="Plans" icon="plans" filtered=${state !== ''}
      onClear=${() => setQuery({ state: undefined })}
      id=${(plan: Plan) => plan.id} href=${manages ? (plan: Plan) => `/plans/${plan.id}` : undefined}
      emptyTitle="No plan yet."
      empty=${html`<p class="muted">A plan is what guests buy: 1 hour for KES 20, say.</p>
        ${
          manages &&
          html`<${LinkButton} href="/plans/new" icon="plus"
          look="primary">Make the first plan<//>`
        }`}
      columns=${[
        { label: 'Plan', at: 'main', cell: (plan: Plan) => html`<b>${plan.name}</b>` },
        {
          label: 'Gives',
          at: 'foot',
          grow: true,
          cell: (plan: Plan) => html`<span class="muted">${planLine(plan)}</span>`,
        },
        {
          label: 'Sold',
          at: 'sub-end',
          num: true,
          cell: (plan: Plan) => html`${formatCount(plan.sold)}<span class="on-phone muted"> sold</span>`,
        },
        { label: 'State', at: 'sub', cell: (plan: Plan) => html`<${State} state=${plan.state} />` },
        {
          label: 'Price',
          at: 'end',
          num: true,
          cell: (plan: Plan) => html`<${Money} cents=${plan.price_cents} />`,
        },
      ]} />`;
}
