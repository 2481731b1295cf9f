// One payment and the evidence that proves it.
import { formatMoney, formatMsisdn } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { useLoad } from '../load.ts';
import {
  Card,
  Facts,
  Failure,
  LinkButton,
  Loading,
  PageHead,
  Receipt,
  State,
  Time,
} from '../parts/basics.ts';
import { EvidenceTimeline } from '../parts/evidence.ts';
import { canTakeCash } from '../roles.ts';
import { useMe } from '../signed-in.ts';
import type { PaymentDetail } from '../types.ts';
import { Unmatched } from './unmatched.ts';

export function PaymentPage({ id }: { id: string }) {
  const { role } = useMe().account;
  const { data, error, reload } = useLoad<PaymentDetail>(`/payments/${id}`);
  if (!data) {
    return html`<${PageHead} title="Payment" back="/payments" /><div class="card">
      ${error ? html`<${Failure} error=${error} onRetry=${reload} />` : html`<${Loading} />`}</div>`;
  }
  return html`<${PageHead} title=${formatMoney(data.amount_cents)}
    sub=${html`<${State} state=${data.state} /> <${Receipt} receipt=${data.receipt} />`} back="/payments">
      ${
        data.gateway === 'cash' &&
        canTakeCash(role) &&
        html`<${LinkButton} href=${`/sell/${id}`} icon="print">Slip<//>`
      }
    <//>
    ${(data.state === 'unmatched' || data.reversal === 'asked' || data.reversal === 'unknown') && html`<${Unmatched} payment=${data} onChange=${reload} />`}
    <div class="columns even">
      <${Card} title="Details"><${Facts} pairs=${[
        ['Receipt', html`<${Receipt} receipt=${data.receipt} />`],
        ['Received', html`<${Time} at=${data.received_at} />`],
        ['By', data.gateway === 'cash' ? 'Cash' : 'M-PESA'],
        ['From', data.msisdn && formatMsisdn(data.msisdn)],
        ['Name', data.payer_name],
        ['Account written', data.account_reference && html`<code>${data.account_reference}</code>`],
        ['Plan', data.plan_name],
        ['Order', data.order_id && html`<a href=${`/orders/${data.order_id}`}>Open the order</a>`],
        [
          'Subscriber',
          data.subscriber_id && html`<a href=${`/subscribers/${data.subscriber_id}`}>Open the subscriber</a>`,
        ],
        ['Decided by', data.resolved_by],
        ['Note', data.state === 'unmatched' ? undefined : data.note],
      ]} /><//>
      <${Card} title="Evidence"><${EvidenceTimeline} evidence=${data.evidence} /><//>
    </div>`;
}
