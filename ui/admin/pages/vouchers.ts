// Voucher batches, and every voucher by its code.
import { useRef, useState } from 'preact/hooks';
import { formatCount, formatMoney } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { parseNumber } from '../../shared/units.ts';
import { post } from '../api.ts';
import { useLive } from '../live.ts';
import { useList } from '../load.ts';
import { go, setQuery, usePlace } from '../navigation.ts';
import { Button, LinkButton, PageHead, State, Time } from '../parts/basics.ts';
import { Dialog } from '../parts/dialog.ts';
import { Field, FormBox, invalid, useForm, type Values } from '../parts/form.ts';
import { newKey } from '../parts/idempotency.ts';
import { Listing, Search, Segments, Toolbar } from '../parts/list.ts';
import { VoucherRows } from '../parts/voucher-rows.ts';
import { canSell } from '../roles.ts';
import { useMe } from '../signed-in.ts';
import type { Plan, Voucher, VoucherBatch } from '../types.ts';

const MOST_IN_A_BATCH = 100_000;

export function Vouchers() {
  const sells = canSell(useMe().account.role);
  const { query } = usePlace();
  const code = query.get('q') ?? '';
  const view = code ? 'codes' : (query.get('view') ?? '');
  const [making, setMaking] = useState(query.has('new'));
  return html`<${PageHead} title="Vouchers" sub="Single-use codes for a plan">
      ${
        sells &&
        html`<${LinkButton} href="/sell" icon="sell">Sell one<//>
      <${Button} icon="plus" look="primary" onClick=${() => setMaking(true)}>New batch<//>`
      }
    <//>
    <${Toolbar}>
      <${Search} value=${code} placeholder="Find a code" onSearch=${(q: string) => setQuery({ q })} />
      <${Segments} label="View" value=${view}
        onPick=${(picked: string) => setQuery({ view: picked, q: undefined, state: undefined })} options=${[
          ['', 'Batches'],
          ['codes', 'All vouchers'],
        ]} />
    <//>
    ${
      view === 'codes'
        ? html`<${Codes} code=${code} />`
        : html`<${Batches} sells=${sells}
      onNew=${() => setMaking(true)} />`
    }
    ${making && html`<${NewBatch} onClose=${() => setMaking(false)} />`}`;
}

function Batches({ sells, onNew }: { sells: boolean; onNew: () => void }) {
  const list = useList<VoucherBatch>('/voucher-batches');
  useLive('batch', ({ id, made, state }) =>
    list.change((items) => items.map((batch) => (batch.id === id ? { ...batch, made, state } : batch))),
  );
  return html`<${Listing} list=${list} label="Voucher batches" icon="vouchers" filtered=${false}
    id=${(batch: VoucherBatch) => batch.id} href=${(batch: VoucherBatch) => `/vouchers/${batch.id}`}
    emptyTitle="No voucher yet."
    empty=${html`<p
    class="muted">Make a batch, print the sheet, sell the cards. They work while the internet is down.</p>
      ${sells && html`<${Button} icon="plus" look="primary" onClick=${onNew}>Make the first batch<//>`}`}
    columns=${[
      { label: 'Batch', at: 'main', grow: true, cell: (batch: VoucherBatch) => html`<b>${batch.name}</b>` },
      {
        label: 'Plan',
        at: 'sub',
        cell: (batch: VoucherBatch) =>
          html`${batch.plan_name} <span class="muted num">${formatMoney(batch.price_cents)}</span>`,
      },
      { label: 'State', at: 'end', cell: (batch: VoucherBatch) => html`<${BatchState} batch=${batch} />` },
      {
        label: 'Redeemed',
        at: 'sub-end',
        num: true,
        cell: (batch: VoucherBatch) =>
          html`${formatCount(batch.redeemed)} <span class="muted">of ${formatCount(batch.count)}
            <span class="on-phone"> redeemed</span></span>`,
      },
      { label: 'Made', at: 'none', cell: (batch: VoucherBatch) => html`<${Time} at=${batch.created_at} />` },
    ]} />`;
}

/** The state's word, or how far the making has come. */
export function BatchState({ batch }: { batch: VoucherBatch }) {
  if (batch.state !== 'making') return html`<${State} state=${batch.state} />`;
  return html`<span class="making"><progress max=${batch.count} value=${batch.made}></progress>
    <span class="num muted">${formatCount(batch.made)}</span></span>`;
}

function Codes({ code }: { code: string }) {
  const state = usePlace().query.get('state') ?? '';
  const list = useList<Voucher>('/vouchers', { q: code, state });
  return html`<${VoucherRows} list=${list} state=${state} code=${code} showBatch />`;
}

function NewBatch({ onClose }: { onClose: () => void }) {
  const plans = useList<Plan>('/plans', { state: 'on_sale' });
  const key = useRef(newKey());
  const form = useForm({ plan_id: '', count: '50', name: '' });
  // Vouchers open the hotspot.
  const choice = plans.items.filter((plan) => plan.kind === 'hotspot');
  const planId = form.values.plan_id || choice[0]?.id || '';
  const make = async (values: Values) => {
    const count = parseNumber(values.count ?? '');
    if (!planId) throw invalid({ plan_id: 'Put a plan for hotspot guests on sale first.' });
    if (!count || !Number.isInteger(count) || count < 1 || count > MOST_IN_A_BATCH) {
      throw invalid({ count: `From 1 to ${formatCount(MOST_IN_A_BATCH)}.` });
    }
    const name = values.name?.trim() || undefined;
    const batch = await post<VoucherBatch>(
      '/voucher-batches',
      { plan_id: planId, count, name },
      { 'idempotency-key': key.current },
    );
    go(`/vouchers/${batch.id}`);
  };
  const plan = choice.find(({ id }) => id === planId);
  const worth = plan && parseNumber(form.values.count ?? '');
  return html`<${Dialog} title="New voucher batch" onClose=${onClose}>
    <${FormBox} form=${form} act=${make}>
      <${Field} form=${{ ...form, values: { ...form.values, plan_id: planId } }} name="plan_id" label="Plan"
        options=${choice.map((item) => [item.id, `${item.name} · ${formatMoney(item.price_cents)}`])} />
      <${Field} form=${form} name="count" label="How many" inputmode="numeric"
        hint=${worth ? `Worth ${formatMoney(worth * plan.price_cents)} when all are sold` : undefined} />
      <${Field} form=${form} name="name" label="Name" required=${false} placeholder="Kiosk, November"
        maxlength=${60} />
      <div class="form-foot"><${Button} type="submit" look="primary" busy=${form.busy}>Make the batch<//>
      <${Button} look="quiet" onClick=${onClose}>Cancel<//></div>
    <//>
  <//>`;
}
