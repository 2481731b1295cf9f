// The till: opened with its change, counted, closed; a cashier sees their own, who manages sees all.
import { useRef, useState } from 'preact/hooks';
import { formatMoney, groupCode } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { post, put } from '../api.ts';
import { type Listed, useList, useLoad } from '../load.ts';
import {
  Button,
  Card,
  Facts,
  Failure,
  LinkButton,
  Loading,
  Money,
  PageHead,
  State,
  Time,
} from '../parts/basics.ts';
import { ask, Dialog } from '../parts/dialog.ts';
import { centsOf, Field, FormBox, useForm, type Values } from '../parts/form.ts';
import { newKey } from '../parts/idempotency.ts';
import { Listing } from '../parts/list.ts';
import { tell, tellFailure } from '../parts/toast.ts';
import { canManage } from '../roles.ts';
import { useMe } from '../signed-in.ts';
import type { CashSale, CurrentTill, TillEvent, TillSession } from '../types.ts';

export function TillPage({ id }: { id?: string }) {
  return id ? html`<${OneTill} id=${id} />` : html`<${OwnTill} />`;
}

function OwnTill() {
  const manages = canManage(useMe().account.role);
  const { data, error, reload } = useLoad<CurrentTill>('/till-sessions/current');
  const list = useList<TillSession>('/till-sessions');
  const changed = () => {
    reload();
    list.reload();
  };
  return html`<${PageHead} title="Till" sub=${manages ? 'Cash of every cashier' : 'Your cash'}>
      <${LinkButton} href="/sell" icon="sell" look="primary">Sell<//><//>
    ${!data && html`<div class="card">${error ? html`<${Failure} error=${error} onRetry=${reload} />` : html`<${Loading} />`}</div>`}
    ${data && (data.session ? html`<${Open} key=${data.session.id} own till=${data.session} onChange=${changed} />` : html`<${OpenTill} onChange=${changed} />`)}
    <${Listing} list=${list} label="Tills" icon="payments" filtered=${false} emptyTitle="No till yet."
      empty=${html`<p class="muted">Open one to take cash.</p>`}
      id=${(till: TillSession) => till.id} href=${(till: TillSession) => `/till/${till.id}`}
      columns=${[
        {
          label: 'Cashier',
          at: 'main',
          cell: (till: TillSession) => html`<b>${till.account_name || 'Cashier'}</b>`,
        },
        { label: 'Opened', at: 'sub', cell: (till: TillSession) => html`<${Time} at=${till.opened_at} />` },
        {
          label: 'Sales',
          at: 'end',
          num: true,
          cell: (till: TillSession) => html`<${Money} cents=${till.sales_cents} />`,
        },
        {
          label: 'Difference',
          at: 'sub-end',
          num: true,
          cell: (till: TillSession) =>
            till.difference_cents === null
              ? html`<${State} state="open" />`
              : till.difference_cents === 0
                ? html`<${State} state="settled" word="counted right" />`
                : html`<${State} state="unmatched" word=${formatMoney(till.difference_cents)} />`,
        },
      ]} />
    ${manages && data && html`<${Policy} required=${data.required} onChange=${changed} />`}`;
}

/** How a count stands to what was expected. */
function gapWord(gap: number): string {
  if (gap === 0) return 'right';
  return `${formatMoney(Math.abs(gap))} ${gap < 0 ? 'missing' : 'too much'}`;
}

/** Opens one's own till: here, or where something is to be sold. */
export function OpenTill({ onChange }: { onChange: () => void }) {
  const form = useForm({ opening: '' });
  const open = async (values: Values) => {
    await post('/till-sessions', { opening_cents: centsOf(values, 'opening') });
    tell('Your till is open.');
    onChange();
  };
  return html`<${Card} class="narrow" title="Your till is closed"><${FormBox} form=${form} act=${open}>
    <${Field} form=${form} name="opening" label="Change in the drawer" prefix="KES" inputmode="decimal"
      placeholder="500" hint="Count it. 0 if there is none." />
    <${Button} type="submit" look="primary" class="wide tall" busy=${form.busy}>Open the till<//>
  <//><//>`;
}

/** An open till, to be counted, moved from and closed; `own` is the cashier's own page. */
function Open({ till, own, onChange }: { till: TillSession; own?: boolean; onChange: () => void }) {
  const form = useForm({ counted: '', note: '' });
  const [moving, setMoving] = useState(false);
  const note = async (values: Values) => {
    const counted_cents = centsOf(values, 'counted');
    const after = await post<TillSession>(`/till-sessions/${till.id}/count`, {
      counted_cents,
      note: values.note,
    });
    form.reset({ counted: '', note: '' });
    const gap = counted_cents - after.due_cents;
    tell(`Counted ${formatMoney(counted_cents)}: ${gapWord(gap)}.`);
    onChange();
  };
  const close = async (values: Values) => {
    const counted = centsOf(values, 'counted');
    const gap = counted - till.due_cents;
    const sure = await ask({
      title: 'Close the till?',
      body: html`<p>You counted <b>${formatMoney(counted)}</b>. Expected: <b>${formatMoney(till.due_cents)}</b>.</p>
        <p>${gap === 0 ? 'That is right.' : html`<b>${gapWord(gap)}</b>. It is written down as a difference.`}</p>`,
      confirm: 'Close it',
      keep: 'Count again',
      look: 'primary',
    });
    if (!sure) return;
    await post(`/till-sessions/${till.id}/close`, { counted_cents: counted, note: values.note });
    tell('Till closed.');
    onChange();
  };
  return html`<${Card} class="narrow" title=${own ? 'Your till is open' : 'Open'}>
    <dl class="facts">
      <div><dt>Sales</dt><dd class="num">${till.sales} · ${formatMoney(till.sales_cents)}</dd></div>
      <div><dt>Change at the start</dt><dd class="num">${formatMoney(till.opening_cents)}</dd></div>
      ${
        till.counted_cents !== null &&
        html`<div><dt>Counted last</dt><dd class="num">${formatMoney(till.counted_cents)} · <${Time} at=${till.counted_at} /></dd></div>`
      }
      <div><dt>Opened</dt><dd><${Time} at=${till.opened_at} /></dd></div>
    </dl>
    <div class="sell-pair till-acts">
      ${own && html`<${LinkButton} href=${`/till/${till.id}`} icon="orders">History<//>`}
      <${Button} icon="payments" onClick=${() => setMoving(true)}>Cash in or out<//>
    </div>
    ${
      moving &&
      html`<${MoveCash} tillId=${till.id} onClose=${(moved: boolean) => {
        setMoving(false);
        if (moved) onChange();
      }} />`
    }
    <${FormBox} form=${form} act=${close}>
      <${Field} form=${form} name="counted" label="Count the drawer" prefix="KES" inputmode="decimal" />
      <${Field} form=${form} name="note" label="Note" required=${false} maxlength=${200} />
      <div class="sell-pair roomy">
        <${Button} class="tall" disabled=${form.busy} onClick=${() => form.submit(note)}>Note the count<//>
        <${Button} type="submit" class="tall" busy=${form.busy}>Close the till<//>
      </div>
    <//>
  <//>`;
}

/** Why cash goes in or out, in the words of the counter. */
const PURPOSES: Record<NonNullable<TillEvent['purpose']>, string> = {
  float: 'Change added from the safe',
  expense: 'An expense paid',
  banked: 'Taken to the bank',
  safe: 'Put into the safe',
};

function MoveCash({ tillId, onClose }: { tillId: string; onClose: (moved: boolean) => void }) {
  const form = useForm({ purpose: 'expense', amount: '', note: '' });
  const key = useRef(newKey()); // The same key on a second try: a lost answer must not move it twice.
  const move = async (values: Values) => {
    const body = { purpose: values.purpose, amount_cents: centsOf(values, 'amount'), note: values.note };
    await post(`/till-sessions/${tillId}/moves`, body, { 'idempotency-key': key.current });
    tell(`${formatMoney(body.amount_cents)} written down.`);
    onClose(true);
  };
  return html`<${Dialog} title="Cash in or out" onClose=${() => onClose(false)}>
    <${FormBox} form=${form} act=${move}>
      <${Field} form=${form} name="purpose" label="What happened" options=${Object.entries(PURPOSES)} />
      <${Field} form=${form} name="amount" label="Amount" prefix="KES" inputmode="decimal" autofocus />
      <${Field} form=${form} name="note" label="What for" maxlength=${200} placeholder="Water for the office" />
      <div class="form-foot"><${Button} type="submit" look="primary" busy=${form.busy}>Write it down<//>
      <${Button} look="quiet" onClick=${() => onClose(false)}>Cancel<//></div>
    <//>
  <//>`;
}

function OneTill({ id }: { id: string }) {
  const { data, error, reload } = useLoad<TillSession>(`/till-sessions/${id}`);
  const list = useList<CashSale>(`/till-sessions/${id}/sales`);
  const events = useList<TillEvent>(`/till-sessions/${id}/events`);
  const changed = () => {
    reload();
    list.reload();
    events.reload();
  };
  const undo = async (event: TillEvent) => {
    const sure = await ask({
      title: `Take back ${PURPOSES[event.purpose ?? 'safe'].toLowerCase()}, ${formatMoney(event.amount_cents ?? 0)}?`,
      body: html`<p>The opposite is written down; both stay in the history.</p>`,
      reason: 'Why?',
      confirm: 'Take it back',
    });
    if (!sure) return;
    try {
      await post(`/till-sessions/${id}/moves/${event.id}/take-back`, { reason: sure.reason });
      tell('Taken back.');
    } catch (failure) {
      tellFailure(failure);
    }
    changed();
  };
  const takeBack = async (sale: CashSale) => {
    const sure = await ask({
      title: `Take back ${sale.plan_name}, ${formatMoney(sale.amount_cents)}?`,
      body: html`<p>Give the money back first. ${sale.voucher_made ? 'Its code stops working.' : ''}</p>`,
      reason: 'Why?',
      confirm: 'Take the sale back',
    });
    if (!sure) return;
    try {
      await post(`/payments/${sale.payment_id}/void`, { reason: sure.reason });
      tell('Sale taken back.');
    } catch (failure) {
      tellFailure(failure);
    }
    changed();
  };
  if (!data)
    return html`<${PageHead} title="Till" back="/till" /><div class="card">${error ? html`<${Failure} error=${error} onRetry=${reload} />` : html`<${Loading} />`}</div>`;
  return html`<${PageHead} title=${`Till of ${data.account_name}`} back="/till" sub=${data.closed_at ? `Closed by ${data.closed_by}` : 'Open'} />
    ${data.closed_at === null ? html`<${Open} till=${data} onChange=${changed} />` : html`<${Closed} till=${data} />`}
    <${History} list=${events} open=${data.closed_at === null} onUndo=${undo} />
    <h2 class="list-title">Sales</h2>
    <${Listing} list=${list} label="Sales" icon="sell" filtered=${false} emptyTitle="Nothing sold yet." empty=${null}
      id=${(sale: CashSale) => sale.payment_id} href=${(sale: CashSale) => `/sell/${sale.payment_id}`}
      columns=${[
        { label: 'Plan', at: 'main', cell: (sale: CashSale) => html`<b>${sale.plan_name}</b>` },
        {
          label: 'Amount',
          at: 'end',
          num: true,
          cell: (sale: CashSale) => html`<${Money} cents=${sale.amount_cents} />`,
        },
        {
          label: 'Code',
          at: 'sub',
          cell: (sale: CashSale) => html`<code>${sale.code ? groupCode(sale.code) : 'home'}</code>`,
        },
        { label: 'When', at: 'sub-end', cell: (sale: CashSale) => html`<${Time} at=${sale.created_at} />` },
        {
          label: 'State',
          at: 'foot',
          grow: true,
          cell: (sale: CashSale) =>
            sale.voided_at
              ? html`<${State} state="reversed" word=${`taken back: ${sale.void_reason}`} />`
              : sale.voucher_state === 'redeemed'
                ? html`<${State} state="settled" word="in use" />`
                : html`<${Button} look="quiet" icon="undo" onClick=${() => takeBack(sale)}>Take back<//>`,
        },
      ]} />`;
}

function Closed({ till }: { till: TillSession }) {
  return html`<${Card} class="narrow"><${Facts} pairs=${[
    ['Change at the start', formatMoney(till.opening_cents)],
    ['Sales', `${till.sales} · ${formatMoney(till.sales_cents)}`],
    ['Expected', formatMoney(till.due_cents)],
    ['Counted', till.counted_cents === null ? undefined : formatMoney(till.counted_cents)],
    ['Difference', till.difference_cents === null ? undefined : formatMoney(till.difference_cents)],
    ['Note', till.note],
    ['Opened', html`<${Time} at=${till.opened_at} />`],
    ['Closed', html`<${Time} at=${till.closed_at} />`],
  ]} /><//>`;
}

/** Counts, and cash put in and taken out. */
function History(props: { list: Listed<TillEvent>; open: boolean; onUndo: (event: TillEvent) => void }) {
  const { list, open, onUndo } = props;
  if (list.items.length === 0 && !list.loading && !list.error) return null;
  const what = (event: TillEvent) => {
    if (event.kind === 'count') return 'Counted';
    return event.undo_of ? 'Taken back' : PURPOSES[event.purpose ?? 'safe'];
  };
  const amount = (event: TillEvent) => {
    if (event.kind === 'count') return formatMoney(event.counted_cents ?? 0);
    return `${event.kind === 'in' ? '+' : '−'}${formatMoney(event.amount_cents ?? 0)}`;
  };
  const state = (event: TillEvent) => {
    const gap = (event.counted_cents ?? 0) - event.expected_cents;
    if (event.kind === 'count')
      return html`<${State} state=${gap === 0 ? 'settled' : 'unmatched'} word=${gapWord(gap)} />`;
    if (event.undone) return html`<${State} state="reversed" word="taken back" />`;
    return open && !event.undo_of
      ? html`<${Button} look="quiet" icon="undo" onClick=${() => onUndo(event)}>Take back<//>`
      : null;
  };
  return html`<h2 class="list-title">Drawer</h2>
    <${Listing} list=${list} label="Drawer" icon="till" filtered=${false} emptyTitle="" empty=${null}
      id=${(event: TillEvent) => event.id}
      columns=${[
        { label: 'What', at: 'main', cell: (event: TillEvent) => html`<b>${what(event)}</b>` },
        {
          label: 'Amount',
          at: 'end',
          num: true,
          cell: (event: TillEvent) => html`<span class="num money">${amount(event)}</span>`,
        },
        {
          label: 'Expected then',
          at: 'sub',
          num: true,
          cell: (event: TillEvent) =>
            html`<span class="muted num"><span class="on-phone">expected </span>${formatMoney(event.expected_cents)}</span>`,
        },
        { label: 'When', at: 'sub-end', cell: (event: TillEvent) => html`<${Time} at=${event.at} />` },
        {
          label: 'Note',
          at: 'foot',
          grow: true,
          cell: (
            event: TillEvent,
          ) => html`<span class="row-note"><span class="muted">${event.note ?? ''}</span>
            ${state(event)}</span>`,
        },
        { label: 'By', at: 'none', cell: (event: TillEvent) => event.actor },
      ]} />`;
}

function Policy({ required, onChange }: { required: boolean; onChange: () => void }) {
  const form = useForm({ required: required ? 'yes' : 'no' });
  const save = async (values: Values) => {
    await put('/settings/till', { required: values.required === 'yes' });
    tell('Saved.');
    onChange();
  };
  return html`<${Card} class="narrow" title="Selling for cash"><${FormBox} form=${form} act=${save}>
    <${Field} form=${form} name="required" label="An open till is" options=${[
      ['yes', 'needed: every shilling is counted'],
      ['no', 'not needed: cash goes to the safe'],
    ]} />
    <div class="form-foot"><${Button} type="submit" look="primary" busy=${form.busy}>Save<//></div>
  <//><//>`;
}
