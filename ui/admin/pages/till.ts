// The till: opened with its change, counted, closed; a cashier sees their own, who manages sees all.
import { formatMoney, groupCode } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { post, put } from '../api.ts';
import { useList, useLoad } from '../load.ts';
import { Button, Card, Failure, LinkButton, Loading, Money, PageHead, State, Time } from '../parts/basics.ts';
import { ask } from '../parts/dialog.ts';
import { Field, FormBox, invalid, useForm, type Values } from '../parts/form.ts';
import { Listing } from '../parts/list.ts';
import { tell, tellFailure } from '../parts/toast.ts';
import { canManage } from '../roles.ts';
import { useMe } from '../signed-in.ts';
import type { CashSale, CurrentTill, TillSession } from '../types.ts';

/** Shillings as typed → cents. @throws what the field shows */
function centsOf(text: string | undefined, name: string): number {
  const plain = (text ?? '').replace(/[\s,]/g, '');
  if (!/^\d+(\.\d{1,2})?$/.test(plain)) throw invalid({ [name]: 'Write an amount, like 500.' });
  return Math.round(Number(plain) * 100);
}

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
    ${data && (data.session ? html`<${Open} key=${data.session.id} till=${data.session} onChange=${changed} />` : html`<${OpenForm} onChange=${changed} />`)}
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

function OpenForm({ onChange }: { onChange: () => void }) {
  const form = useForm({ opening: '' });
  const open = async (values: Values) => {
    await post('/till-sessions', { opening_cents: centsOf(values.opening, 'opening') });
    tell('Your till is open.');
    onChange();
  };
  return html`<${Card} class="narrow" title="Your till is closed"><${FormBox} form=${form} act=${open}>
    <${Field} form=${form} name="opening" label="Change in the drawer" prefix="KES" inputmode="decimal"
      placeholder="500" hint="Count it. 0 if there is none." />
    <${Button} type="submit" look="primary" class="wide tall" busy=${form.busy}>Open the till<//>
  <//><//>`;
}

function Open({ till, onChange }: { till: TillSession; onChange: () => void }) {
  const form = useForm({ counted: '', note: '' });
  const close = async (values: Values) => {
    const counted = centsOf(values.counted, 'counted');
    const gap = counted - till.due_cents;
    const sure = await ask({
      title: 'Close the till?',
      body: html`<p>You counted <b>${formatMoney(counted)}</b>. Expected: <b>${formatMoney(till.due_cents)}</b>.</p>
        <p>${gap === 0 ? 'That is right.' : `${gap < 0 ? 'Missing' : 'Too much'}: ${formatMoney(Math.abs(gap))}. It is written down as a difference.`}</p>`,
      confirm: 'Close it',
      keep: 'Count again',
      look: 'primary',
    });
    if (!sure) return;
    await post(`/till-sessions/${till.id}/close`, { counted_cents: counted, note: values.note });
    tell('Till closed.');
    onChange();
  };
  return html`<${Card} class="narrow" title="Your till is open">
    <dl class="facts">
      <div><dt>Sales</dt><dd class="num">${till.sales} · ${formatMoney(till.sales_cents)}</dd></div>
      <div><dt>Change at the start</dt><dd class="num">${formatMoney(till.opening_cents)}</dd></div>
      <div><dt>Opened</dt><dd><${Time} at=${till.opened_at} /></dd></div>
    </dl>
    <p><a href=${`/till/${till.id}`}>What was sold</a></p>
    <${FormBox} form=${form} act=${close}>
      <${Field} form=${form} name="counted" label="Count the drawer" prefix="KES" inputmode="decimal" />
      <${Field} form=${form} name="note" label="Note" required=${false} maxlength=${200} />
      <${Button} type="submit" class="wide tall" busy=${form.busy}>Close the till<//>
    <//>
  <//>`;
}

function OneTill({ id }: { id: string }) {
  const { data, error, reload } = useLoad<TillSession>(`/till-sessions/${id}`);
  const list = useList<CashSale>(`/till-sessions/${id}/sales`);
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
    list.reload();
    reload();
  };
  if (!data)
    return html`<${PageHead} title="Till" back="/till" /><div class="card">${error ? html`<${Failure} error=${error} onRetry=${reload} />` : html`<${Loading} />`}</div>`;
  return html`<${PageHead} title=${`Till of ${data.account_name}`} back="/till" sub=${data.closed_at ? `Closed by ${data.closed_by}` : 'Open'} />
    <${Card} class="narrow"><dl class="facts">
      <div><dt>Change at the start</dt><dd class="num">${formatMoney(data.opening_cents)}</dd></div>
      <div><dt>Sales</dt><dd class="num">${data.sales} · ${formatMoney(data.sales_cents)}</dd></div>
      <div><dt>Expected</dt><dd class="num">${formatMoney(data.due_cents)}</dd></div>
      ${data.counted_cents !== null && html`<div><dt>Counted</dt><dd class="num">${formatMoney(data.counted_cents)}</dd></div>`}
      ${data.difference_cents !== null && html`<div><dt>Difference</dt><dd class="num">${formatMoney(data.difference_cents)}</dd></div>`}
      ${data.note && html`<div><dt>Note</dt><dd>${data.note}</dd></div>`}
    </dl><//>
    <${Listing} list=${list} label="Sales" icon="sell" filtered=${false} emptyTitle="Nothing sold yet." empty=${null}
      id=${(sale: CashSale) => sale.payment_id}
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
