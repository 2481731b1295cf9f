// Vouchers in rows, each with the way to cancel it or take that back.

import { groupCode } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { post } from '../api.ts';
import type { Listed } from '../load.ts';
import { setQuery } from '../navigation.ts';
import { canManage, canSell } from '../roles.ts';
import { useMe } from '../signed-in.ts';
import type { Role, Voucher } from '../types.ts';
import { Button, State, Time } from './basics.ts';
import { ask } from './dialog.ts';
import { Listing, Segments, Toolbar } from './list.ts';
import { tell, tellFailure } from './toast.ts';

const STATES: [string, string][] = [
  ['', 'All'],
  ['unused', 'Unused'],
  ['redeemed', 'Redeemed'],
  ['cancelled', 'Cancelled'],
];

/** As many letters of a code name it to who holds the card, without telling it to who looks over the shoulder. */
const CODE_END = 4;

/**
 * What can be done about a voucher: whoever sells cancels unused ones and takes that back; one that was redeemed only
 * managers cancel, and nothing brings it back.
 */
export function voucherAct(
  voucher: Pick<Voucher, 'state' | 'entitlement_id'>,
  role: Role,
): 'cancel' | 'withdraw' | 'restore' | 'nothing' {
  if (voucher.state === 'redeemed') return canManage(role) ? 'withdraw' : 'nothing';
  if (!canSell(role)) return 'nothing';
  if (voucher.state === 'unused') return 'cancel';
  return voucher.entitlement_id === null ? 'restore' : 'nothing';
}

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
  const { role } = useMe().account;
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
  const withdraw = async (voucher: Voucher) => {
    const end = voucher.code.slice(-CODE_END);
    const sure = await ask({
      title: `Cancel the voucher ending ${end}?`,
      body: html`<p>A guest has redeemed it for <b>${voucher.plan_name}</b>. What is left of that is taken back, and
        whoever is online with it goes offline now. It cannot be restored, and no money is paid back.</p>`,
      confirm: `Cancel ${end}`,
    });
    if (!sure) return;
    try {
      replace(await post<Voucher>(`/vouchers/${voucher.id}/cancel`));
      tell(`Voucher ending ${end} cancelled, and what it gave taken back.`);
    } catch (failure) {
      tellFailure(failure);
    }
  };
  const buttons = (voucher: Voucher) =>
    ({
      cancel: html`<${Button} look="quiet" onClick=${() => act(voucher, 'cancel')}>Cancel<//>`,
      withdraw: html`<${Button} look="quiet" onClick=${() => withdraw(voucher)}>Cancel…<//>`,
      restore: html`<${Button} look="quiet" icon="undo" onClick=${() => act(voucher, 'restore')}>Restore<//>`,
      nothing: null,
    })[voucherAct(voucher, role)];
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
