// The wishes to buy, paid or not.
import { formatMsisdn } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { useLive } from '../live.ts';
import { useList } from '../load.ts';
import { setQuery, usePlace } from '../navigation.ts';
import { LinkButton, Money, PageHead, State, Time } from '../parts/basics.ts';
import { Listing, Search, Segments, Toolbar } from '../parts/list.ts';
import type { Order } from '../types.ts';

export function Orders() {
  const { query } = usePlace();
  const [state, q] = [query.get('state') ?? '', query.get('q') ?? ''];
  const list = useList<Order>('/orders', { state, q });
  useLive('payment', () => list.items.length <= 50 && list.reload());
  return html`<${PageHead} title="Orders" sub="Who wanted to buy what">
    <${LinkButton} href="/payments" icon="payments">Payments<//><//>
    <${Toolbar}>
      <${Search} value=${q} placeholder="Phone number" onSearch=${(text: string) => setQuery({ q: text })} />
      <${Segments} label="State" value=${state} onPick=${(picked: string) => setQuery({ state: picked })}
        options=${[
          ['', 'All'],
          ['pending', 'Pending'],
          ['checking', 'Checking'],
          ['paid', 'Paid'],
          ['failed', 'Failed'],
        ]} />
    <//>
    <${Listing} list=${list} label="Orders" icon="orders" filtered=${state !== '' || q !== ''}
      onClear=${() => setQuery({ state: undefined, q: undefined })}
      id=${(order: Order) => order.id} href=${(order: Order) => `/orders/${order.id}`}
      emptyTitle="No order yet."
      empty=${html`<p class="muted">An order is made when a guest asks for the M-PESA prompt.</p>`}
      columns=${[
        {
          label: 'Phone',
          at: 'main',
          cell: (order: Order) => html`<b class="num">${formatMsisdn(order.msisdn)}</b>`,
        },
        { label: 'Plan', at: 'sub', cell: (order: Order) => order.plan_name },
        { label: 'State', at: 'foot', cell: (order: Order) => html`<${State} state=${order.state} />` },
        {
          label: 'What happened',
          at: 'none',
          grow: true,
          cell: (order: Order) =>
            html`<span class="muted clip">${order.state === 'paid' ? '' : order.message}</span>`,
        },
        { label: 'When', at: 'sub-end', cell: (order: Order) => html`<${Time} at=${order.created_at} />` },
        {
          label: 'Price',
          at: 'end',
          num: true,
          cell: (order: Order) => html`<${Money} cents=${order.price_cents} />`,
        },
      ]} />`;
}
