// How the business is doing right now.
import { formatChange, formatCount, formatMoney, formatMsisdn } from '../../shared/format.ts';
import { type ComponentChildren, html } from '../../shared/html.ts';
import { useLive } from '../live.ts';
import { useLoad } from '../load.ts';
import { Card, Empty, Failure, Loading, Money, PageHead, Receipt, Time } from '../parts/basics.ts';
import { DayChart, SHILLINGS } from '../parts/chart.ts';
import { Icon } from '../parts/icon.ts';
import { Table } from '../parts/list.ts';
import { canManage } from '../roles.ts';
import { useMe } from '../signed-in.ts';
import type { Overview, Page, Payment, Plan, Router, Settings } from '../types.ts';

export function OverviewPage() {
  const me = useMe();
  const { data, error, reload, setData } = useLoad<Overview>('/reports/overview');
  useLive('overview', (event) =>
    setData((now) => ({
      ...now,
      online_now: event.online_now,
      today: { ...now.today, sales_cents: event.sales_today_cents },
    })),
  );
  useLive('payment', reload);
  const today = new Date().toLocaleDateString('en-GB', { weekday: 'long', day: 'numeric', month: 'long' });
  return html`<${PageHead} title=${`Habari, ${me.account.name.split(' ')[0]}`} sub=${today} />
    ${canManage(me.account.role) && html`<${GettingStarted} />`}
    ${!data && error && html`<div class="card"><${Failure} error=${error} onRetry=${reload} /></div>`}
    ${!data && !error && html`<div class="card"><${Loading} /></div>`}
    ${
      data &&
      html`<${Figures} data=${data} />
      ${data.ledger && canManage(me.account.role) && html`<${Proof} ledger=${data.ledger} />`}
      <div class="columns">
      <${Card} title="Sales this week"
        aside=${html`<a href="/sales"><${Money} cents=${data.week.reduce((sum, day) => sum + day.sales_cents, 0)} /></a>`}>
          <${DayChart} caption="Sales by day" look=${SHILLINGS} bars=${data.week.map((day) => ({
            day: day.day,
            value: day.sales_cents / 100,
            text: formatMoney(day.sales_cents),
          }))} /><//>
      <${TopPlans} plans=${data.top_plans} />
    </div>
    <${LastPayments} payments=${data.last_payments} />`
    }`;
}

/** The last proof of the ledger; the frame shouts when it failed. */
function Proof({ ledger }: { ledger: NonNullable<Overview['ledger']> }) {
  return html`<a class=${`proof ${ledger.ok ? 'good' : 'bad'}`} href="/ledger">
    <${Icon} name=${ledger.ok ? 'check' : 'warning'} />
    <span>${ledger.ok ? 'The ledger balances' : (ledger.problem ?? 'The ledger is wrong.')}
      <span class="proof-when">proved <${Time} at=${ledger.at} /></span></span></a>`;
}

function Figure(props: {
  label: string;
  value: ComponentChildren;
  sub?: ComponentChildren;
  href?: string;
  tone?: string;
  hero?: boolean;
}) {
  const inside = html`<span class="figure-label">${props.label}</span><b class="num">${props.value}</b><small>
    ${props.sub ?? ' '}</small>`;
  const look = `figure ${props.tone ?? ''} ${props.hero ? 'hero' : ''}`;
  return props.href
    ? html`<a class=${look} href=${props.href}>${inside}</a>`
    : html`<div class=${look}>${inside}</div>`;
}

/** The currency small, the amount large. */
function heroMoney(cents: number) {
  const [currency, amount] = formatMoney(cents).split(' ');
  return html`<span class="currency">${currency}</span> ${amount}`;
}

function Figures({ data }: { data: Overview }) {
  const { today, yesterday_by_now: before, routers, unmatched, checking } = data;
  const change = formatChange(today.sales_cents, before.sales_cents);
  const offline = routers.total - routers.online;
  return html`<section class="figures" aria-label="Today">
    <${Figure} hero label="Sales today" value=${heroMoney(today.sales_cents)} href="/payments"
      sub=${html`${
        change &&
        html`<span class=${change.startsWith('−') ? 'down' : 'up'}>${change}
        </span> `
      }by now yesterday ${formatMoney(before.sales_cents)}`} />
    <${Figure} label="Online now" value=${formatCount(data.online_now)}
      sub=${html`<span class="pulse"></span>open sessions`} href="/sessions" />
    <${Figure} label="Payments today" value=${formatCount(today.payments)}
      sub=${`${formatCount(today.vouchers_redeemed)} ${today.vouchers_redeemed === 1 ? 'voucher' : 'vouchers'} redeemed`} href="/payments" />
    <${Figure} label="Routers online" value=${`${routers.online}/${routers.total}`}
      sub=${routers.total === 0 ? 'none yet' : offline > 0 ? `${offline} offline` : 'all answer'}
      tone=${offline > 0 ? 'bad' : ''} href="/routers" />
    <${Figure} label="Unmatched" value=${formatCount(unmatched.count)}
      tone=${unmatched.count > 0 ? 'warn' : ''} href="/payments?state=unmatched"
      sub=${unmatched.count > 0 ? `${formatMoney(unmatched.amount_cents)} waits for you` : checking.count > 0 ? `${checking.count} being checked` : 'nothing waits'} />
  </section>`;
}

function TopPlans({ plans }: { plans: Overview['top_plans'] }) {
  const most = Math.max(1, ...plans.map((plan) => plan.sales_cents));
  return html`<${Card} title="Best plans" aside=${html`<span class="muted small">7 days</span>`}>
    ${plans.length === 0 && html`<p class="muted">What sells best shows here.</p>`}
    <ol class="top-plans">
      ${plans.slice(0, 6).map(
        (plan) => html`<li key=${plan.plan_id}><span>${plan.plan_name}</span><span class="muted num">
          ${formatCount(plan.payments)}×</span><${Money} cents=${plan.sales_cents} />
          <progress max=${most} value=${plan.sales_cents} aria-hidden="true"></progress></li>`,
      )}
    </ol>
  <//>`;
}

function LastPayments({ payments }: { payments: Payment[] }) {
  return html`<${Card} title="Last payments" class="flush"
    aside=${html`<a href="/payments">All payments</a>`}>
    ${
      payments.length === 0
        ? html`<${Empty} icon="payments" title="No payment yet.">
          <p class="muted">The first one appears here by itself.</p><//>`
        : html`<${Table} label="Last payments" rows=${payments} id=${(row: Payment) => row.id}
          href=${(row: Payment) => `/payments/${row.id}`} columns=${[
            {
              label: 'From',
              at: 'main',
              grow: true,
              cell: (row: Payment) => (row.msisdn ? formatMsisdn(row.msisdn) : (row.receipt ?? 'M-PESA')),
            },
            {
              label: 'Plan',
              at: 'sub',
              cell: (row: Payment) => row.plan_name ?? html`<span class="warn-text">${row.state}</span>`,
            },
            {
              label: 'Receipt',
              at: 'none',
              cell: (row: Payment) => html`<${Receipt} receipt=${row.receipt} />`,
            },
            { label: 'When', at: 'sub-end', cell: (row: Payment) => html`<${Time} at=${row.received_at} />` },
            {
              label: 'Amount',
              at: 'end',
              num: true,
              cell: (row: Payment) => html`<${Money} cents=${row.amount_cents} />`,
            },
          ]} />`
    }
  <//>`;
}

/** What a new box still needs. Gone once a router, a plan and the M-PESA keys are there. */
function GettingStarted() {
  const routers = useLoad<Page<Router>>('/routers?limit=1');
  const plans = useLoad<Page<Plan>>('/plans?limit=1');
  const settings = useLoad<Settings>('/settings');
  if (!routers.data || !plans.data || !settings.data) return null;
  const steps = [
    {
      done: plans.data.items.length > 0,
      href: '/plans/new',
      title: 'Make a plan',
      text: 'What guests buy: a price, a time, a speed.',
    },
    {
      done: routers.data.items.length > 0,
      href: '/routers/new',
      title: 'Add a router',
      text: 'Its address and a secret, then paste a few lines into it.',
    },
    {
      done: settings.data.mpesa.configured,
      href: '/settings/mpesa',
      title: 'Connect M-PESA',
      text: 'Your Daraja keys. Vouchers work without them.',
    },
  ];
  if (steps.every((step) => step.done)) return null;
  return html`<section class="card started" aria-label="Getting started">
    <header class="card-head"><h2>Getting started</h2><span class="muted num">
    ${steps.filter((step) => step.done).length} of ${steps.length}</span></header>
    <ol>
      ${steps.map(
        (step) => html`<li key=${step.href} class=${step.done ? 'done' : ''}><a href=${step.href}>
          <span class="step-mark"><${Icon} name=${step.done ? 'check' : 'plus'} /></span><span><b>${step.title}</b>
          <small class="muted">${step.text}</small></span><${Icon} name="forward" />
        </a></li>`,
      )}
    </ol>
  </section>`;
}
