// Money that arrived.
import { useState } from 'preact/hooks';
import { formatMoney, formatMsisdn } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { useLive } from '../live.ts';
import { useList, useLoad } from '../load.ts';
import { go, setQuery, usePlace } from '../navigation.ts';
import { Button, LinkButton, Money, PageHead, Receipt, State, Time } from '../parts/basics.ts';
import { ImportStatement } from '../parts/import-statement.ts';
import { type Column, Listing, Search, Segments, Toolbar } from '../parts/list.ts';
import { canManage } from '../roles.ts';
import { useMe } from '../signed-in.ts';
import type { Overview, Payment } from '../types.ts';

export const PAYMENT_COLUMNS: Column<Payment>[] = [
  {
    label: 'From',
    at: 'main',
    cell: (payment) =>
      html`<b class="num">
        ${payment.msisdn ? formatMsisdn(payment.msisdn) : payment.gateway === 'cash' ? 'Cash' : (payment.receipt ?? 'M-PESA')}
        </b>`,
  },
  {
    label: 'Receipt',
    at: 'none',
    cell: (payment) => html`<${Receipt} receipt=${payment.receipt} />`,
  },
  {
    label: 'Plan',
    at: 'sub',
    grow: true,
    cell: (payment) => payment.plan_name ?? html`<span class="muted">no order</span>`,
  },
  {
    label: 'State',
    at: 'foot', // On a phone only what is unusual takes a line.
    cell: (payment) =>
      html`<span class=${payment.state === 'settled' ? 'off-phone' : ''}><${State} state=${payment.state} />
        </span>`,
  },
  { label: 'When', at: 'sub-end', cell: (payment) => html`<${Time} at=${payment.received_at} />` },
  {
    label: 'Amount',
    at: 'end',
    num: true,
    cell: (payment) => html`<${Money} cents=${payment.amount_cents} />`,
  },
];

/** How much money waits for a person; undefined while there is none. */
function unmatchedLine(overview: Overview | undefined): string | undefined {
  if (!overview || overview.unmatched.count === 0) return undefined;
  const { count, amount_cents } = overview.unmatched;
  return `${count === 1 ? '1 payment waits' : `${count} payments wait`} for a person: ${formatMoney(amount_cents)}`;
}

export function Payments() {
  const { query } = usePlace();
  const [state, q] = [query.get('state') ?? '', query.get('q') ?? ''];
  const { role } = useMe().account;
  const [importing, setImporting] = useState(false);
  const list = useList<Payment>('/payments', { state, q });
  const overview = useLoad<Overview>(state === 'unmatched' ? '/reports/overview' : undefined);
  const reload = () => {
    list.reload();
    overview.reload();
  };
  useLive('payment', () => q === '' && !list.trimmed && list.items.length <= 50 && reload());
  const placed = state === 'unmatched' && q === '';
  return html`<${PageHead} title="Payments" sub=${unmatchedLine(overview.data) ?? 'Money that arrived'}>
    ${canManage(role) && html`<${Button} onClick=${() => setImporting(true)}>Import statement<//>`}
    <${LinkButton} href="/orders" icon="orders">Orders<//><//>
    ${importing && html`<${ImportStatement} onClose=${() => setImporting(false)} onDone=${reload} />`}
    <${Toolbar}>
      <${Search} value=${q} placeholder="Receipt or phone"
        onSearch=${(text: string) => setQuery({ q: text })} />
      <${Segments} label="State" value=${state} onPick=${(picked: string) => (picked === 'quarantine' ? go('/payments/quarantine') : setQuery({ state: picked }))}
        options=${[
          ['', 'All'],
          ['settled', 'Settled'],
          ['unmatched', 'Unmatched'],
          ['reversed', 'Reversed'],
          ['quarantine', 'Quarantine'],
        ]} />
    <//>
    <${Listing} list=${list} label="Payments" icon="payments" filtered=${!placed && (state !== '' || q !== '')}
      onClear=${() => setQuery({ state: undefined, q: undefined })}
      id=${(payment: Payment) => payment.id} href=${(payment: Payment) => `/payments/${payment.id}`}
      columns=${PAYMENT_COLUMNS}
      emptyTitle=${placed ? 'Every shilling has its place.' : 'No payment yet.'}
      empty=${html`<p class="muted">${placed ? 'No payment waits for a person.' : 'When a guest pays, it appears here by itself.'}</p>`} />`;
}
