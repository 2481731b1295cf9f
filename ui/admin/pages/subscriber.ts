// One subscriber: what they may use, what they used, what they paid.
import { useState } from 'preact/hooks';
import { formatElapsed, formatMsisdn, formatOctets } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { patch, post } from '../api.ts';
import { type Listed, useList, useLoad } from '../load.ts';
import { setQuery, usePlace } from '../navigation.ts';
import { Button, Card, Failure, Loading, PageHead, State, Time } from '../parts/basics.ts';
import { ask } from '../parts/dialog.ts';
import { Field, FormBox, useForm, type Values } from '../parts/form.ts';
import { Listing, Segments, Toolbar } from '../parts/list.ts';
import { tell, tellFailure } from '../parts/toast.ts';
import { canDisconnect, canManage } from '../roles.ts';
import { useMe } from '../signed-in.ts';
import type { Credential, Entitlement, Payment, Session, Subscriber } from '../types.ts';
import { PAYMENT_COLUMNS } from './payments.ts';
import { SESSION_COLUMNS, useLiveSessions } from './sessions.ts';
import { subscriberName } from './subscribers.ts';

type View = 'entitlements' | 'sessions' | 'payments' | 'credentials';

export function SubscriberPage({ id }: { id: string }) {
  const { role } = useMe().account;
  const { data, error, reload, setData } = useLoad<Subscriber>(`/subscribers/${id}`);
  const view = (usePlace().query.get('view') ?? 'entitlements') as View;
  const [editing, setEditing] = useState(false);
  if (!data) {
    return html`<${PageHead} title="Subscriber" back="/subscribers" /><div class="card">
      ${error ? html`<${Failure} error=${error} onRetry=${reload} />` : html`<${Loading} />`}</div>`;
  }
  const turn = async (state: Subscriber['state']) => {
    try {
      const after = await patch<Subscriber>(`/subscribers/${id}`, { state });
      setData(() => after);
      if (state === 'suspended')
        tell(`${subscriberName(data)} suspended.`, { label: 'Undo', run: () => void turn('active') });
      else tell(`${subscriberName(data)} is active again.`);
    } catch (failure) {
      tellFailure(failure);
    }
  };
  const active = data.state === 'active';
  return html`<${PageHead} title=${subscriberName(data)} back="/subscribers"
      sub=${html`<${State}
      state=${data.state} /> ${data.msisdn ? formatMsisdn(data.msisdn) : 'no phone number'} · since <${Time}
        at=${data.created_at} />`}>
      ${
        canDisconnect(role) &&
        html`<${Button} onClick=${() => setEditing(!editing)}>Edit<//>
      <${Button} look=${active ? 'careful' : 'primary'}
        onClick=${() => turn(active ? 'suspended' : 'active')}>${active ? 'Suspend' : 'Resume'}<//>`
      }
    <//>
    ${
      editing &&
      html`<${Card}><${Details} subscriber=${data} onDone=${(after?: Subscriber) => {
        if (after) setData(() => after);
        setEditing(false);
      }} /><//>`
    }
    ${!editing && data.notes && html`<p class="notes">${data.notes}</p>`}
    <${Toolbar}><${Segments} label="View" value=${view}
      onPick=${(picked: string) => setQuery({ view: picked === 'entitlements' ? undefined : picked })}
        options=${[
          ['entitlements', 'Entitlements'],
          ['sessions', 'Sessions'],
          ['payments', 'Payments'],
          ['credentials', 'Credentials'],
        ]} /><//>
    ${view === 'entitlements' && html`<${Entitlements} id=${id} manages=${canManage(role)} />`}
    ${view === 'sessions' && html`<${SessionsOf} id=${id} />`}
    ${view === 'payments' && html`<${PaymentsOf} id=${id} />`}
    ${view === 'credentials' && html`<${Credentials} id=${id} />`}`;
}

function Details({ subscriber, onDone }: { subscriber: Subscriber; onDone: (after?: Subscriber) => void }) {
  const form = useForm({ name: subscriber.name ?? '', notes: subscriber.notes ?? '' });
  const save = async (values: Values) => {
    onDone(await patch<Subscriber>(`/subscribers/${subscriber.id}`, values));
    tell('Saved.');
  };
  return html`<${FormBox} form=${form} act=${save}>
    <${Field} form=${form} name="name" label="Name" required=${false} autofocus />
    <${Field} form=${form} name="notes" label="Notes" required=${false} rows=${3}
      hint="Only accounts see this" />
    <div class="form-foot"><${Button} type="submit" look="primary" busy=${form.busy}>Save<//>
    <${Button} look="quiet" onClick=${() => onDone()}>Cancel<//></div>
  <//>`;
}

function usage(entitlement: Entitlement) {
  const used = entitlement.used_download_octets + entitlement.used_upload_octets;
  const { quota_octets: quota, online_seconds: online } = entitlement;
  return html`<span class="usage">
    <span class="num">
    ${formatOctets(used)}${quota !== null && html` <span class="muted">of ${formatOctets(quota)}</span>`}
    </span>
    ${
      quota !== null &&
      html`<progress max=${Math.max(quota, 1)} value=${Math.min(used, quota)}
      aria-label="Quota used"></progress>`
    }
    <small class="muted num">
    ${formatElapsed(entitlement.used_seconds)}${online !== null && ` of ${formatElapsed(online)}`} online</small>
  </span>`;
}

function Entitlements({ id, manages }: { id: string; manages: boolean }) {
  const list = useList<Entitlement>(`/subscribers/${id}/entitlements`);
  const revoke = async (entitlement: Entitlement) => {
    const sure = await ask({
      title: `Revoke ${entitlement.plan_name}?`,
      body: html`<p>It ends now and the running session is disconnected. This cannot be undone, and no money goes back by itself.</p>`,
      confirm: 'Revoke',
      reason: 'Reason, for the audit',
    });
    if (!sure) return;
    try {
      const after = await post<Entitlement>(`/entitlements/${entitlement.id}/revoke`, {
        reason: sure.reason,
      });
      list.change((items) => items.map((item) => (item.id === after.id ? after : item)));
      tell(`${entitlement.plan_name} revoked.`);
    } catch (failure) {
      tellFailure(failure);
    }
  };
  const source = (row: Entitlement) =>
    row.order_id ? html`<a href=${`/orders/${row.order_id}`}>order</a>` : row.source;
  return html`<${Listing} list=${list as Listed<Entitlement>} label="Entitlements" icon="plans"
    filtered=${false} id=${(row: Entitlement) => row.id} emptyTitle="No entitlement." empty=${null}
    columns=${[
      { label: 'Plan', at: 'main', cell: (row: Entitlement) => html`<b>${row.plan_name}</b>` },
      {
        label: 'State',
        at: 'sub',
        cell: (row: Entitlement) =>
          html`<${State} state=${row.state} />
            ${row.end_reason && html` <span class="muted">· ${row.end_reason.replaceAll('_', ' ')}</span>`}`,
      },
      { label: 'By', at: 'none', cell: source },
      {
        label: 'From',
        at: 'none',
        cell: (row: Entitlement) => html`<${Time} at=${row.starts_at} none="first use" />`,
      },
      {
        label: 'Until',
        at: 'sub-end',
        cell: (row: Entitlement) => html`<${Time} at=${row.ended_at ?? row.ends_at} />`,
      },
      { label: 'Used', at: 'foot', grow: true, cell: usage },
      {
        label: '',
        at: 'end',
        cell: (row: Entitlement) =>
          manages &&
          (row.state === 'active' || row.state === 'waiting') &&
          html`<${Button} look="quiet" onClick=${() => revoke(row)}>Revoke…<//>`,
      },
    ]} />`;
}

function SessionsOf({ id }: { id: string }) {
  const list = useList<Session>(`/subscribers/${id}/sessions`);
  useLiveSessions(list);
  return html`<${Listing} list=${list} label="Sessions" icon="sessions" filtered=${false}
    id=${(row: Session) => row.id} href=${(row: Session) => `/sessions/${row.id}`} columns=${SESSION_COLUMNS}
    emptyTitle="Never connected." empty=${null} />`;
}

function PaymentsOf({ id }: { id: string }) {
  const list = useList<Payment>(`/subscribers/${id}/payments`);
  return html`<${Listing} list=${list} label="Payments" icon="payments" filtered=${false}
    id=${(row: Payment) => row.id} href=${(row: Payment) => `/payments/${row.id}`} columns=${PAYMENT_COLUMNS}
    emptyTitle="No payment." empty=${null} />`;
}

function Credentials({ id }: { id: string }) {
  const list = useList<Credential>(`/subscribers/${id}/credentials`);
  return html`<${Listing} list=${list} label="Credentials" icon="accounts" filtered=${false}
    id=${(row: Credential) => row.id} emptyTitle="No credential." empty=${null}
    columns=${[
      { label: 'User name', at: 'main', cell: (row: Credential) => html`<code>${row.username}</code>` },
      { label: 'Kind', at: 'sub', cell: (row: Credential) => row.kind },
      {
        label: 'Device',
        at: 'foot',
        grow: true,
        cell: (row: Credential) => html`<code>${row.device_mac ?? '–'}</code>`,
      },
      { label: 'State', at: 'end', cell: (row: Credential) => html`<${State} state=${row.state} />` },
      { label: 'Made', at: 'sub-end', cell: (row: Credential) => html`<${Time} at=${row.created_at} />` },
    ]} />`;
}
