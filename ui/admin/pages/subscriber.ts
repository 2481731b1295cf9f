// One subscriber: what they may use, what they used, what they paid.
import { useState } from 'preact/hooks';
import {
  formatDuration,
  formatElapsed,
  formatMsisdn,
  formatOctets,
  formatRates,
} from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { patch, post } from '../api.ts';
import { type Listed, useList, useLoad } from '../load.ts';
import { setQuery, usePlace } from '../navigation.ts';
import { Button, Card, Failure, Loading, PageHead, State, Time } from '../parts/basics.ts';
import { ask } from '../parts/dialog.ts';
import { Field, FormBox, useForm, type Values } from '../parts/form.ts';
import { Listing, Segments, Toolbar } from '../parts/list.ts';
import { tell, tellFailure } from '../parts/toast.ts';
import { canDisconnect, canManage, canTakeCash } from '../roles.ts';
import { useMe } from '../signed-in.ts';
import type { CashSale, Credential, Entitlement, Payment, Session, Subscriber } from '../types.ts';
import { Credentials } from './credentials.ts';
import { Grant } from './grant.ts';
import { PAYMENT_COLUMNS } from './payments.ts';
import { hoursLine, outsideHours } from './plans.ts';
import { SellToHome } from './sell-home.ts';
import { SESSION_COLUMNS, useLiveSessions } from './sessions.ts';
import { subscriberName } from './subscribers.ts';

type View = 'entitlements' | 'sessions' | 'payments' | 'credentials';

export function SubscriberPage({ id }: { id: string }) {
  const { role } = useMe().account;
  const { data, error, reload, setData } = useLoad<Subscriber>(`/subscribers/${id}`);
  const view = (usePlace().query.get('view') ?? 'entitlements') as View;
  const [editing, setEditing] = useState(false);
  const [selling, setSelling] = useState(false);
  const [sales, setSales] = useState(0);
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
      ${canTakeCash(role) && html`<${Button} icon="sell" look="primary" onClick=${() => setSelling(true)}>Sell for cash<//>`}
      ${
        canDisconnect(role) &&
        html`<${Button} onClick=${() => setEditing(!editing)}>Edit<//>
      <${Button} look=${active ? 'careful' : 'plain'}
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
    ${
      selling &&
      html`<${SellToHome} subscriber=${data} onClose=${(sold?: CashSale) => {
        setSelling(false);
        if (sold) setSales(sales + 1);
      }} />`
    }
    ${view === 'entitlements' && html`<${Entitlements} key=${sales} id=${id} manages=${canManage(role)} />`}
    ${view === 'sessions' && html`<${SessionsOf} id=${id} />`}
    ${view === 'payments' && html`<${PaymentsOf} key=${sales} id=${id} />`}
    ${view === 'credentials' && html`<${Credentials} id=${id} manages=${canManage(role)} />`}`;
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

/** One quota: what is used of it, as a bar. */
function quotaLine(used: number, quota: number, name: string) {
  return html`<span class="num">${formatOctets(used)} <span class="muted">of ${formatOctets(quota)} ${name}</span></span>
    <progress max=${Math.max(quota, 1)} value=${Math.min(used, quota)} aria-label=${`Quota used ${name}`}></progress>`;
}

function usage(entitlement: Entitlement) {
  const { used_upload_octets: up, used_download_octets: down } = entitlement;
  const { quota_octets, upload_quota_octets, download_quota_octets, online_seconds: online } = entitlement;
  return html`<span class="usage">
    ${
      quota_octets !== null
        ? quotaLine(up + down, quota_octets, '')
        : download_quota_octets === null &&
          upload_quota_octets === null &&
          html`<span class="num">${formatOctets(up + down)}</span>`
    }
    ${download_quota_octets !== null && quotaLine(down, download_quota_octets, 'down')}
    ${upload_quota_octets !== null && quotaLine(up, upload_quota_octets, 'up')}
    <small class="muted num">
    ${formatElapsed(entitlement.used_seconds)}${online !== null && ` of ${formatElapsed(online)}`} online</small>
  </span>`;
}

/** Whether a quota is used and the fair-use rate holds. */
export function onFairUse(row: Entitlement): boolean {
  const { fair_use_rate_down_kbps: down, fair_use_rate_up_kbps: up } = row;
  if (down === null && up === null) return false;
  const over = (used: number, quota: number | null) => quota !== null && used >= quota;
  return (
    over(row.used_upload_octets + row.used_download_octets, row.quota_octets) ||
    over(row.used_upload_octets, row.upload_quota_octets) ||
    over(row.used_download_octets, row.download_quota_octets)
  );
}

/** What an entitlement says beside its plan: its hours, and how slow it is by now or will be. */
export function conditions(row: Entitlement, now: number) {
  const { fair_use_rate_down_kbps: down, fair_use_rate_up_kbps: up } = row;
  const fair = down === null && up === null ? '' : formatRates(down, up);
  const running = row.state === 'active' || row.state === 'waiting';
  return [
    hoursLine(row.hours_from_minute, row.hours_to_minute),
    running && outsideHours(row, now) && 'outside its hours now',
    fair && (running && onFairUse(row) ? `fair use now: ${fair}` : `fair use: ${fair}`),
  ]
    .filter(Boolean)
    .join(' · ');
}

function Entitlements({ id, manages }: { id: string; manages: boolean }) {
  const list = useList<Entitlement>(`/subscribers/${id}/entitlements`);
  const credentials = useList<Credential>(`/subscribers/${id}/credentials`);
  const [granting, setGranting] = useState(false);
  const revoke = async (entitlement: Entitlement) => {
    const sure = await ask({
      title: `Revoke ${entitlement.plan_name}?`,
      body: html`<p>${
        entitlement.state === 'waiting'
          ? 'It will never start.'
          : 'It ends now. Who is online with it goes over to another plan of theirs, or is disconnected.'
      } This cannot be undone, and no money goes back by itself.</p>`,
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
  return html`${
    manages &&
    html`<p class="list-acts"><${Button} icon="plus" disabled=${credentials.loading}
      onClick=${() => setGranting(true)}>Grant a plan<//></p>`
  }
    ${
      granting &&
      html`<${Grant} subscriberId=${id} credentials=${credentials.items} onClose=${(
        granted?: Entitlement,
      ) => {
        setGranting(false);
        if (granted) list.reload();
      }} />`
    }
    <${Listing} list=${list as Listed<Entitlement>} label="Entitlements" icon="plans"
    filtered=${false} id=${(row: Entitlement) => row.id} href=${(row: Entitlement) => `/subscribers/${id}/entitlements/${row.id}`} emptyTitle="No entitlement." empty=${null}
    columns=${[
      {
        label: 'Plan',
        at: 'main',
        grow: true,
        cell: (row: Entitlement) =>
          html`<span class="who-cell wraps"><b>${row.plan_name}</b>
            <small class="muted">${[row.username, `by ${row.order_id ? 'order' : row.source}`, conditions(row, Date.now())].filter(Boolean).join(' · ')}</small></span>`,
      },
      {
        label: 'State',
        at: 'sub',
        cell: (row: Entitlement) =>
          html`<div class="wraps"><${State} state=${row.state} />
            ${row.end_reason && html` <span class="muted">· ${row.end_reason.replaceAll('_', ' ')}</span>`}
            ${
              row.state === 'waiting' &&
              row.not_before_at !== null &&
              html` <span class="muted on-phone">· not before <${Time} at=${row.not_before_at} /></span>`
            }</div>`,
      },
      {
        label: 'From',
        at: 'none',
        cell: (row: Entitlement) =>
          row.starts_at === null && row.not_before_at !== null
            ? html`<div class="wraps"><span class="muted">not before </span><${Time} at=${row.not_before_at} /></div>`
            : html`<${Time} at=${row.starts_at} none=${row.state === 'waiting' ? 'first use' : 'never used'} />`,
      },
      {
        label: 'Until',
        at: 'sub-end',
        cell: (row: Entitlement) => {
          const at = row.ended_at ?? row.ends_at;
          return at === null
            ? html`<span class="muted">for ${formatDuration(row.validity_seconds)}</span>`
            : html`<${Time} at=${at} />`;
        },
      },
      { label: 'Used', at: 'foot', cell: usage },
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
