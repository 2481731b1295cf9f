// What was sold in a month or a year: by day or month, and by plan.
import { formatCount, formatMoney } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import {
  dayBefore,
  dayText,
  monthText,
  type SalesSpan,
  salesMonths,
  salesSpan,
  salesYears,
} from '../days.ts';
import { useLoad } from '../load.ts';
import { setQuery, usePlace } from '../navigation.ts';
import { Card, Empty, Failure, LinkButton, Loading, Money, PageHead } from '../parts/basics.ts';
import { DayChart, SHILLINGS } from '../parts/chart.ts';
import { Choice } from '../parts/form.ts';
import { type Column, Table, Toolbar } from '../parts/list.ts';
import type { DaySales, SalesReport } from '../types.ts';

type Plan = SalesReport['plans'][number];
type Period = SalesReport['periods'][number];

export function SalesPage() {
  const { query } = usePlace();
  const today = dayBefore(0);
  const span = salesSpan({ year: query.get('year'), month: query.get('month') }, today);
  const asked = `from=${span.from}&to=${span.to}&by=${span.by}`;
  const { data, error, reload } = useLoad<SalesReport>(`/reports/sales?${asked}`);
  const pick = (year: string, month: string) => setQuery({ year, month });
  return html`<${PageHead} title="Sales" sub="Money that came and vouchers redeemed">
      <${LinkButton} href=${`/api/v1/reports/sales.csv?${asked}`} icon="download" download>CSV<//>
    <//>
    <${Toolbar}>
      <${Choice} aria-label="Year" value=${span.year} options=${salesYears(today).map((year) => [year, year])}
        onChange=${(event: Event) => pick(chosen(event), span.month)} />
      <${Choice} aria-label="Month" value=${span.month} onChange=${(event: Event) => pick(span.year, chosen(event))}
        options=${[['', 'Whole year'], ...salesMonths(span.year, today).map((month) => [month, monthText(month)])]} />
    <//>
    ${!data && html`<div class="card">${error ? html`<${Failure} error=${error} onRetry=${reload} />` : html`<${Loading} />`}</div>`}
    ${data && html`<${Shown} report=${data} span=${span} />`}`;
}

const chosen = (event: Event) => (event.target as HTMLSelectElement).value;

const spanText = ({ year, month }: SalesSpan) => (month ? `${monthText(month)} ${year}` : year);

const sold = (row: DaySales) => row.payments > 0 || row.vouchers_redeemed > 0;

/** The columns of figures that days and plans share. */
const FIGURES: Column<DaySales>[] = [
  {
    label: 'Sales',
    at: 'end',
    num: true,
    cell: (row) => html`<b><${Money} cents=${row.sales_cents} /></b>`,
  },
  {
    label: 'Payments',
    at: 'sub',
    num: true,
    cell: (row) => html`${formatCount(row.payments)}<span class="on-phone"> payments</span>`,
  },
  {
    label: 'Vouchers redeemed',
    at: 'sub-end',
    num: true,
    cell: (row) =>
      row.vouchers_redeemed > 0 &&
      html`${formatCount(row.vouchers_redeemed)}<span class="on-phone"> vouchers</span>`,
  },
];

function Shown({ report, span }: { report: SalesReport; span: SalesSpan }) {
  const { total, periods, plans } = report;
  if (!sold(total)) {
    return html`<div class="card"><${Empty} icon="sales" title=${`Nothing was sold in ${spanText(span)}.`}>
      <p class="muted">Payments and redeemed vouchers add up here.</p><//></div>`;
  }
  const each = total.payments === 0 ? '–' : formatMoney(Math.round(total.sales_cents / total.payments));
  const best = Math.max(1, ...plans.map((plan) => plan.sales_cents));
  return html`<section class="figures small-figures" aria-label=${spanText(span)}>
      <div class="figure"><span class="figure-label">Sales</span><b class="num">
        ${formatMoney(total.sales_cents)}</b></div>
      <div class="figure"><span class="figure-label">Payments</span><b class="num">
        ${formatCount(total.payments)}</b></div>
      <div class="figure"><span class="figure-label">A payment on average</span><b class="num">${each}</b></div>
      <div class="figure"><span class="figure-label">Vouchers redeemed</span><b class="num">
        ${formatCount(total.vouchers_redeemed)}</b></div>
    </section>
    <${Card} title=${spanText(span)}><${DayChart} past=${!span.current} look=${SHILLINGS}
      caption=${span.by === 'day' ? 'Sales by day' : 'Sales by month'} bars=${periods.map((row) => ({
        day: row.period,
        value: row.sales_cents / 100,
        text: formatMoney(row.sales_cents),
      }))} /><//>
    <${Card} title="By plan" class="flush"><${Table} label="Sales by plan" rows=${plans}
      id=${(row: Plan) => row.plan_id ?? 'none'} columns=${[
        {
          label: 'Plan',
          at: 'main',
          grow: true,
          cell: (
            row: Plan,
          ) => html`<b>${row.plan_name ?? (row.plan_id ? 'No longer there' : 'For no plan')}</b>
            <progress class="share" max=${best} value=${row.sales_cents} aria-hidden="true"></progress>`,
        },
        ...FIGURES,
      ]} /><//>
    <${Card} title=${span.by === 'day' ? 'By day' : 'By month'} class="flush"><${Table} label="Sales by time"
      rows=${periods.filter(sold).toReversed()} id=${(row: Period) => row.period} columns=${[
        {
          label: span.by === 'day' ? 'Day' : 'Month',
          at: 'main',
          grow: true,
          cell: (row: Period) =>
            span.by === 'day'
              ? dayText(row.period)
              : html`<a href=${`/sales?year=${span.year}&month=${row.period.slice(5)}`}>
                  ${monthText(row.period)}</a>`,
        },
        ...FIGURES,
      ]} /><//>`;
}
