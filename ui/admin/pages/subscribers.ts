// Everybody who bought.
import { useState } from 'preact/hooks';
import { formatMsisdn } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { post } from '../api.ts';
import { useList } from '../load.ts';
import { go, setQuery, usePlace } from '../navigation.ts';
import { Button, PageHead, State, Time } from '../parts/basics.ts';
import { Dialog } from '../parts/dialog.ts';
import { Field, FormBox, useForm, type Values } from '../parts/form.ts';
import { Listing, Search, Segments, Toolbar } from '../parts/list.ts';
import { canDisconnect } from '../roles.ts';
import { useMe } from '../signed-in.ts';
import type { Subscriber } from '../types.ts';

/** The name, else the phone number, else a word for neither. */
export function subscriberName(subscriber: Pick<Subscriber, 'name' | 'msisdn'>): string {
  return subscriber.name || (subscriber.msisdn ? formatMsisdn(subscriber.msisdn) : 'Voucher guest');
}

export function Subscribers() {
  const { query } = usePlace();
  const [state, q] = [query.get('state') ?? '', query.get('q') ?? ''];
  const list = useList<Subscriber>('/subscribers', { state, q });
  const { role } = useMe().account;
  const [adding, setAdding] = useState(false);
  return html`<${PageHead} title="Subscribers" sub="Everybody who bought">
      ${canDisconnect(role) && html`<${Button} icon="plus" look="primary" onClick=${() => setAdding(true)}>New subscriber<//>`}
    <//>
    ${adding && html`<${NewSubscriber} onClose=${() => setAdding(false)} />`}
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

/** A home, or somebody known by name: from here on to the page that gives them a credential. */
function NewSubscriber({ onClose }: { onClose: () => void }) {
  const form = useForm({ name: '', msisdn: '', notes: '' });
  const save = async (values: Values) => {
    const added = await post<Subscriber>('/subscribers', values);
    go(`/subscribers/${added.id}?view=credentials`);
  };
  return html`<${Dialog} title="New subscriber" onClose=${onClose}>
    <${FormBox} form=${form} act=${save}>
      <${Field} form=${form} name="name" label="Name" placeholder="Mwangi, gate 4" autofocus maxlength=${100} />
      <${Field} form=${form} name="msisdn" label="Phone" inputmode="tel" required=${false} placeholder="0712 345 678" />
      <${Field} form=${form} name="notes" label="Notes" required=${false} rows=${3} hint="Only accounts see this" />
      <div class="form-foot"><${Button} type="submit" look="primary" busy=${form.busy}>Add subscriber<//>
      <${Button} look="quiet" onClick=${onClose}>Cancel<//></div>
    <//>
  <//>`;
}
