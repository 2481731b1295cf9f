// Everybody who bought.
import { formatMsisdn } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { useList } from '../load.ts';
import { setQuery, usePlace } from '../navigation.ts';
import { PageHead, State, Time } from '../parts/basics.ts';
import { Listing, Search, Segments, Toolbar } from '../parts/list.ts';
import type { Subscriber } from '../types.ts';

/** The name, else the phone number, else a word for neither. */
export function subscriberName(subscriber: Pick<Subscriber, 'name' | 'msisdn'>): string {
  return subscriber.name || (subscriber.msisdn ? formatMsisdn(subscriber.msisdn) : 'Voucher guest');
}

export function Subscribers() {
  const { query } = usePlace();
  const [state, q] = [query.get('state') ?? '', query.get('q') ?? ''];
  const list = useList<Subscriber>('/subscribers', { state, q });
  return html`<${PageHead} title="Subscribers" sub="Everybody who bought" />
    <${Toolbar}>
      <${Search} value=${q} placeholder="Name or phone" onSearch=${(text: string) => setQuery({ q: text })} />
      <${Segments} label="State" value=${state} onPick=${(picked: string) => setQuery({ state: picked })}
        options=${[['', 'All'], ['active', 'Active'], ['suspended', 'Suspended']]} />
    <//>
    <${Listing} list=${list} label="Subscribers" icon="subscribers" filtered=${state !== '' || q !== ''}
      onClear=${() => setQuery({ state: undefined, q: undefined })}
      id=${(row: Subscriber) => row.id} href=${(row: Subscriber) => `/subscribers/${row.id}`}
      emptyTitle="No subscriber yet."
      empty=${html`<p class="muted">The first guest who pays or redeems a voucher becomes one.</p>`}
      columns=${[
        { label: 'Name', at: 'main', cell: (row: Subscriber) => html`<b>${subscriberName(row)}</b>` },
        {
          label: 'Phone',
          at: 'sub',
          cell: (row: Subscriber) =>
            html`<span class="num">${row.msisdn ? formatMsisdn(row.msisdn) : '–'}</span>`,
        },
        {
          label: 'Notes',
          at: 'none',
          grow: true,
          cell: (row: Subscriber) => html`<span class="muted clip">${row.notes}</span>`,
        },
        { label: 'State', at: 'end', cell: (row: Subscriber) => html`<${State} state=${row.state} />` },
        { label: 'Since', at: 'sub-end', cell: (row: Subscriber) => html`<${Time} at=${row.created_at} />` },
      ]} />`;
}
