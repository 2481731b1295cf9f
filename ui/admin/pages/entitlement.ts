// One entitlement: what it is worth, until when, and what outages gave back to it.
import { exactTime, formatDuration, formatElapsed, formatOctets, formatRates } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { useList, useLoad } from '../load.ts';
import { Card, Empty, Facts, Failure, Loading, PageHead, State, Time } from '../parts/basics.ts';
import { Table } from '../parts/list.ts';
import type { Entitlement, Extension } from '../types.ts';
import { hoursLine } from './plans.ts';
import { onFairUse } from './subscriber.ts';

export function EntitlementPage({ id, subscriberId }: { id: string; subscriberId: string }) {
  const { data, error, reload } = useLoad<Entitlement>(`/entitlements/${id}`);
  const back = `/subscribers/${subscriberId}`;
  if (!data) {
    return html`<${PageHead} title="Entitlement" back=${back} /><div class="card">
      ${error ? html`<${Failure} error=${error} onRetry=${reload} />` : html`<${Loading} />`}</div>`;
  }
  const fairUse = data.fair_use_rate_down_kbps ?? data.fair_use_rate_up_kbps;
  const burst =
    (data.burst_rate_down_kbps ?? data.burst_rate_up_kbps) !== null &&
    formatRates(data.burst_rate_down_kbps, data.burst_rate_up_kbps);
  const quota = (octets: number | null) => octets !== null && formatOctets(octets);
  return html`<${PageHead} title=${data.plan_name} back=${back}
      sub=${html`<${State} state=${data.state} />${onFairUse(data) && data.state === 'active' && ' · slow: its quota is used'}${data.end_reason && ` · ${data.end_reason.replaceAll('_', ' ')}`}${' · '}
        <code>${data.username}</code>`} />
    <section class="figures small-figures" aria-label="Usage">
      <div class="figure"><span class="figure-label">${data.ended_at === null ? 'Ends' : 'Ended'}</span><b>
        <${Time} at=${data.ended_at ?? data.ends_at} none="not started" /></b></div>
      <div class="figure"><span class="figure-label">Online</span><b class="num">
        ${formatElapsed(data.used_seconds)}</b></div>
      <div class="figure"><span class="figure-label">Download</span><b class="num">
        ${formatOctets(data.used_download_octets)}</b></div>
      <div class="figure"><span class="figure-label">Upload</span><b class="num">
        ${formatOctets(data.used_upload_octets)}</b></div>
    </section>
    <${Card} title="Details"><${Facts} pairs=${[
      ['By', data.order_id ? html`<a href=${`/orders/${data.order_id}`}>order</a>` : data.source],
      ['Starts not before', data.not_before_at !== null && exactTime(data.not_before_at)],
      [
        'From',
        data.starts_at !== null
          ? exactTime(data.starts_at)
          : data.state === 'waiting'
            ? 'the first use'
            : 'never used',
      ],
      ['Turn', data.overtakes === 1 && 'before the plan that was slow when this one was bought'],
      ['Until', data.ends_at !== null && exactTime(data.ends_at)],
      ['Validity', formatDuration(data.validity_seconds)],
      ['Online time', data.online_seconds !== null && formatDuration(data.online_seconds)],
      ['Quota', quota(data.quota_octets)],
      ['Quota down', quota(data.download_quota_octets)],
      ['Quota up', quota(data.upload_quota_octets)],
      ['Speed', formatRates(data.rate_down_kbps, data.rate_up_kbps)],
      [
        'Speed after the quota',
        fairUse !== null && formatRates(data.fair_use_rate_down_kbps, data.fair_use_rate_up_kbps),
      ],
      ['Burst', burst],
      ['Hours', hoursLine(data.hours_from_minute, data.hours_to_minute)],
      ['Devices', data.max_devices],
      [
        'One device too many',
        data.device_policy === 'refuse' ? 'is refused' : 'takes the place of the oldest',
      ],
      ['Ends when idle for', data.idle_timeout_seconds !== null && formatDuration(data.idle_timeout_seconds)],
      ['Address pool', data.address_pool !== null && html`<code>${data.address_pool}</code>`],
      ['Address list', data.address_list !== null && html`<code>${data.address_list}</code>`],
    ].map(([name, value]) => [name, value === false ? undefined : value])} /><//>
    <${Extensions} id=${id} />`;
}

function Extensions({ id }: { id: string }) {
  const { items, loading, error, reload } = useList<Extension>(`/entitlements/${id}/extensions`);
  const state = error
    ? html`<${Failure} error=${error} onRetry=${reload} />`
    : loading
      ? html`<${Loading} rows=${2} />`
      : html`<${Empty} icon="outages" title="No outage took time from it." />`;
  return html`<${Card} title="Given back for outages" class="flush">${
    items.length === 0
      ? state
      : html`<${Table} label="Given back for outages" rows=${items} id=${(row: Extension) => row.id} columns=${[
          {
            label: 'What was down',
            at: 'main',
            grow: true,
            cell: (row: Extension) => html`<b>${row.router_name ?? 'The box'}</b>`,
          },
          {
            label: 'Given back',
            at: 'end',
            num: true,
            cell: (row: Extension) => `+ ${formatDuration(Math.round(row.extended_ms / 1000))}`,
          },
          { label: 'Down from', at: 'sub', cell: (row: Extension) => html`<${Time} at=${row.from_at} />` },
          {
            label: 'New end',
            at: 'sub-end',
            cell: (row: Extension) => html`<${Time} at=${row.ends_at_after} />`,
          },
        ]} />`
  }<//>`;
}
