// How much was used over some days, by day, plan or router.
import { formatDuration, formatElapsed, formatOctets } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { dayBefore, dayText } from '../days.ts';
import { useLoad } from '../load.ts';
import { setQuery, usePlace } from '../navigation.ts';
import { Card, Empty, Failure, LinkButton, Loading, PageHead } from '../parts/basics.ts';
import { DayChart } from '../parts/chart.ts';
import { Segments, Table, Toolbar } from '../parts/list.ts';
import type { Usage, UsageRow } from '../types.ts';

const SPANS = ['7', '30', '90', '365'];
const GROUPS: [value: string, label: string][] = [
  ['', 'By day'],
  ['plan', 'By plan'],
  ['router', 'By router'],
];

const OCTETS = { least: 1_000_000, room: 58, short: formatOctets };

const octetsOf = (row: UsageRow) => row.download_octets + row.upload_octets;

export function UsagePage() {
  const { query } = usePlace();
  const by = GROUPS.find(([value]) => value === query.get('by'))?.[0] ?? '';
  const span = SPANS.find((days) => days === query.get('days')) ?? '30';
  const asked = `from=${dayBefore(Number(span) - 1)}&to=${dayBefore(0)}&by=${by || 'day'}`;
  const { data, error, reload } = useLoad<Usage>(`/reports/usage?${asked}`);
  return html`<${PageHead} title="Usage" sub="What guests and homes used, day by day">
      <${LinkButton} href=${`/api/v1/reports/usage.csv?${asked}`} icon="download" download>CSV<//>
    <//>
    <${Toolbar}>
      <${Segments} label="Group" value=${by} options=${GROUPS}
        onPick=${(picked: string) => setQuery({ by: picked })} />
      <${Segments} label="Days" value=${span} options=${SPANS.map((days) => [days, days === '365' ? '1 year' : `${days} days`])}
        onPick=${(picked: string) => setQuery({ days: picked === '30' ? undefined : picked })} />
    <//>
    ${!data && html`<div class="card">${error ? html`<${Failure} error=${error} onRetry=${reload} />` : html`<${Loading} />`}</div>`}
    ${data && html`<${Shown} rows=${data.items} by=${by} span=${Number(span)} />`}`;
}

function Shown({ rows, by, span }: { rows: UsageRow[]; by: string; span: number }) {
  const sum = (of: (row: UsageRow) => number) => rows.reduce((total, row) => total + of(row), 0);
  const total = sum(octetsOf);
  if (total === 0 && sum((row) => row.online_seconds) === 0) {
    return html`<div class="card"><${Empty} icon="usage" title=${`Nothing was used in ${formatDuration(span * 86_400)}.`}>
      <p class="muted">What routers report of sessions adds up here.</p><//></div>`;
  }
  const used = rows.filter((row) => octetsOf(row) > 0 || row.online_seconds > 0);
  const shown = by === '' ? used.toReversed() : used;
  const most = Math.max(1, ...rows.map(octetsOf));
  return html`<section class="figures small-figures" aria-label="Together">
      <div class="figure"><span class="figure-label">Together</span><b class="num">
        ${formatOctets(total)}</b></div>
      <div class="figure"><span class="figure-label">Download</span><b class="num">
        ${formatOctets(sum((row) => row.download_octets))}</b></div>
      <div class="figure"><span class="figure-label">Upload</span><b class="num">
        ${formatOctets(sum((row) => row.upload_octets))}</b></div>
      <div class="figure"><span class="figure-label">Time online</span><b class="num">
        ${formatElapsed(sum((row) => row.online_seconds))}</b></div>
    </section>
    ${
      by === '' &&
      html`<${Card} title="Download and upload"><${DayChart} caption="Octets by day" look=${OCTETS}
        bars=${rows.map((row) => ({ day: row.key, value: octetsOf(row), text: formatOctets(octetsOf(row)) }))} /><//>`
    }
    <div class="card flush"><${Table} label="Usage" rows=${shown} id=${(row: UsageRow) => row.key} columns=${[
      {
        label: { '': 'Day', plan: 'Plan', router: 'Router' }[by] ?? '',
        at: 'main',
        grow: true,
        cell: (row: UsageRow) =>
          by === ''
            ? dayText(row.key)
            : html`<b>${row.name ?? 'No longer there'}</b>
              <progress class="share" max=${most} value=${octetsOf(row)} aria-hidden="true"></progress>`,
      },
      {
        label: 'Together',
        at: 'end',
        num: true,
        cell: (row: UsageRow) => html`<b>${formatOctets(octetsOf(row))}</b>`,
      },
      {
        label: 'Download',
        at: 'sub',
        num: true,
        cell: (row: UsageRow) => html`<span class="on-phone">↓ </span>${formatOctets(row.download_octets)}
          <span class="on-phone"> · ↑ ${formatOctets(row.upload_octets)}</span>`,
      },
      { label: 'Upload', at: 'none', num: true, cell: (row: UsageRow) => formatOctets(row.upload_octets) },
      {
        label: 'Online',
        at: 'sub-end',
        num: true,
        cell: (row: UsageRow) => formatElapsed(row.online_seconds),
      },
    ]} /></div>`;
}
