// Vouchers in rows, each with the way to cancel it or take that back.

import { groupCode } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { post } from '../api.ts';
import type { Listed } from '../load.ts';
import { setQuery } from '../navigation.ts';
import { canSell } from '../roles.ts';
import { useMe } from '../signed-in.ts';
import type { Voucher } from '../types.ts';
import { Button, State, Time } from './basics.ts';
import { Listing, Segments, Toolbar } from './list.ts';
import { tell, tellFailure } from './toast.ts';

const STATES: [string, string][] = [
  ['', 'All'],
  ['unused', 'Unused'],
  ['redeemed', 'Redeemed'],
  ['cancelled', 'Cancelled'],
];

export function VoucherRows({
  list,
  state,
  code = '',
  showBatch,
}: {
  list: Listed<Voucher>;
  state: string;
  code?: string;
  showBatch?: boolean;
}) {
  const sells = canSell(useMe().account.role);
  const replace = (voucher: Voucher) =>
    list.change((items) => items.map((item) => (item.id === voucher.id ? voucher : item)));
  const act = async (voucher: Voucher, verb: 'cancel' | 'restore') => {
    try {
      replace(await post<Voucher>(`/vouchers/${voucher.id}/${verb}`));
      if (verb === 'restore') tell(`Voucher ${groupCode(voucher.code)} works again.`);
      else
        tell(`Voucher ${groupCode(voucher.code)} cancelled.`, {
          label: 'Undo',
          run: () => void act(voucher, 'restore'),
        });
    } catch (failure) {
      tellFailure(failure);
    }
  };
  const buttons = (voucher: Voucher) => {
    if (!sells || voucher.state === 'redeemed') return null;
    return voucher.state === 'unused'
      ? html`<${Button} look="quiet" onClick=${() => act(voucher, 'cancel')}>Cancel<//>`
      : html`<${Button} look="quiet" icon="undo" onClick=${() => act(voucher, 'restore')}>Restore<//>`;
  };
  return html`<${Toolbar}>
    <${Segments} label="State" value=${state} options=${STATES}
      onPick=${(picked: string) => setQuery({ state: picked })} /><//>
    <${Listing} list=${list} label="Vouchers" icon="vouchers" filtered=${state !== '' || code !== ''}
      onClear=${() => setQuery({ state: undefined, q: undefined })}
      id=${(voucher: Voucher) => voucher.id} emptyTitle="No voucher yet." empty=${null}
      columns=${[
        {
          label: 'Code',
          at: 'main',
          cell: (voucher: Voucher) => html`<code class="code">${groupCode(voucher.code)}</code>`,
        },
        { label: 'State', at: 'sub', cell: (voucher: Voucher) => html`<${State} state=${voucher.state} />` },
        ...(showBatch
          ? [
              { label: 'Plan', at: 'none' as const, cell: (voucher: Voucher) => voucher.plan_name },
              {
                label: 'Batch',
                at: 'sub-end' as const,
                cell: (voucher: Voucher) =>
                  html`<a href=${`/vouchers/${voucher.batch_id}`}>${voucher.batch_name}</a>`,
              },
            ]
          : []),
        {
          label: 'Redeemed',
          at: 'foot',
          grow: true,
          cell: (voucher: Voucher) =>
            voucher.redeemed_at !== null &&
            html`<${Time} at=${voucher.redeemed_at} />
              ${
                voucher.subscriber_id &&
                html` <a
                href=${`/subscribers/${voucher.subscriber_id}`}>by whom</a>`
              }`,
        },
        { label: '', at: 'end', cell: buttons },
      ]} />`;
}
