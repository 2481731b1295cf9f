// One voucher batch: its progress, its codes, the sheet to print.
import { useEffect } from 'preact/hooks';
import { formatCount, formatMoney } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { apiUrl, post } from '../api.ts';
import { useLive } from '../live.ts';
import { useList, useLoad } from '../load.ts';
import { usePlace } from '../navigation.ts';
import { Button, Failure, LinkButton, Loading, PageHead, State, Time } from '../parts/basics.ts';
import { ask } from '../parts/dialog.ts';
import { tell, tellFailure } from '../parts/toast.ts';
import { VoucherRows } from '../parts/voucher-rows.ts';
import { canManage } from '../roles.ts';
import { useMe } from '../signed-in.ts';
import type { Voucher, VoucherBatch } from '../types.ts';

const POLL_MS = 1500;
/** What one sheet holds; a larger batch goes to a print shop as CSV. */
const MOST_ON_SHEET = 2000;

export function BatchPage({ id }: { id: string }) {
  const batch = useLoad<VoucherBatch>(`/voucher-batches/${id}`);
  const state = usePlace().query.get('state') ?? '';
  const list = useList<Voucher>('/vouchers', { batch_id: id, state });
  const { data } = batch;
  const making = data?.state === 'making';

  useLive(
    'batch',
    (event) => event.id === id && batch.setData((now) => ({ ...now, made: event.made, state: event.state })),
  );
  // The event stream may be down: ask as well while the batch is being made, and read the codes once it is ready.
  useEffect(() => {
    if (!making) return;
    const timer = window.setInterval(batch.reload, POLL_MS);
    return () => {
      window.clearInterval(timer);
      batch.reload();
      list.reload();
    };
  }, [making, batch.reload, list.reload]);

  if (!data) {
    return html`<${PageHead} title="Batch" back="/vouchers" /><div class="card">
      ${
        batch.error
          ? html`<${Failure} error=${batch.error}
        onRetry=${batch.reload} />`
          : html`<${Loading} />`
      }</div>`;
  }
  return html`<${PageHead} title=${data.name} back="/vouchers"
    sub=${html`${data.plan_name} · ${formatMoney(data.price_cents)} each · made <${Time}
    at=${data.created_at} />`}>
      <${BatchActs} batch=${data} onChange=${(next: VoucherBatch) => {
        batch.setData(() => next);
        list.reload();
      }} />
    <//>
    ${making ? html`<${Making} batch=${data} />` : html`<${Counts} batch=${data} />`}
    ${!making && html`<${VoucherRows} list=${list} state=${state} />`}`;
}

function BatchActs({ batch, onChange }: { batch: VoucherBatch; onChange: (next: VoucherBatch) => void }) {
  const manages = canManage(useMe().account.role);
  const cancel = async () => {
    const sure = await ask({
      title: 'Cancel this batch?',
      body: html`<p>All ${formatCount(batch.unused)} unused vouchers of <b>${batch.name}
        </b> stop working, also those already printed or sold.${batch.redeemed > 0 && ` The ${formatCount(batch.redeemed)} redeemed ones go on.`}
        </p>`,
      confirm: 'Cancel the batch',
      name: batch.name,
    });
    if (!sure) return;
    try {
      onChange(await post<VoucherBatch>(`/voucher-batches/${batch.id}/cancel`));
      tell(`Batch ${batch.name} cancelled.`);
    } catch (failure) {
      tellFailure(failure);
    }
  };
  if (batch.state === 'making') return null;
  return html`${
    batch.state === 'ready' &&
    batch.unused > 0 &&
    batch.unused <= MOST_ON_SHEET &&
    html`<${LinkButton}
    href=${apiUrl(`/voucher-batches/${batch.id}/sheet.pdf`)} icon="print" look="primary"
    target="_blank">Print sheet<//>`
  }
    <${LinkButton} href=${apiUrl(`/voucher-batches/${batch.id}/codes.csv`)} icon="download" download>CSV<//>
    ${
      manages &&
      batch.state === 'ready' &&
      batch.unused > 0 &&
      html`<${Button} look="careful"
      onClick=${cancel}>Cancel…<//>`
    }`;
}

function Making({ batch }: { batch: VoucherBatch }) {
  return html`<section class="card making-card" aria-live="polite">
    <p><b>Making vouchers…</b> <span class="num muted">
    ${formatCount(batch.made)} of ${formatCount(batch.count)}</span></p>
    <progress max=${batch.count} value=${batch.made}></progress>
    <p class="muted">You can leave this page; it goes on.</p>
  </section>`;
}

function Counts({ batch }: { batch: VoucherBatch }) {
  const cells: [string, number][] = [
    ['Unused', batch.unused],
    ['Redeemed', batch.redeemed],
    ['Cancelled', batch.cancelled],
  ];
  return html`<section class="figures small-figures" aria-label="Batch">
    <div class="figure"><span class="figure-label">State</span><b><${State} state=${batch.state} /></b></div>
    ${cells.map(
      ([label, count]) => html`<div class="figure" key=${label}><span class="figure-label">${label}
    </span><b class="num">${formatCount(count)}</b></div>`,
    )}
  </section>`;
}
