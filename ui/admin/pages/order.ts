// One order with all that was heard about it.
import { useEffect, useState } from 'preact/hooks';
import { formatMoney, formatMsisdn } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { asApiError, post } from '../api.ts';
import { useLive } from '../live.ts';
import { useLoad } from '../load.ts';
import { Button, Card, Facts, Failure, Loading, PageHead, State, Time } from '../parts/basics.ts';
import { EvidenceTimeline } from '../parts/evidence.ts';
import { tell, tellFailure } from '../parts/toast.ts';
import type { OrderDetail, Payment } from '../types.ts';

const POLL_MS = 4000;

export function OrderPage({ id }: { id: string }) {
  const { data, error, reload } = useLoad<OrderDetail>(`/orders/${id}`);
  const [asking, setAsking] = useState(false);
  useLive('payment', reload);
  // A prompt that fails makes no payment, so nothing is heard of it.
  const open = data?.state === 'pending' || data?.state === 'checking';
  useEffect(() => {
    if (!open) return;
    const timer = window.setInterval(reload, POLL_MS);
    return () => window.clearInterval(timer);
  }, [open, reload]);
  if (!data) {
    return html`<${PageHead} title="Order" back="/orders" /><div class="card">
      ${error ? html`<${Failure} error=${error} onRetry=${reload} />` : html`<${Loading} />`}</div>`;
  }
  const askNow = async () => {
    setAsking(true);
    try {
      const answer = await post<OrderDetail>(`/orders/${id}/query`);
      tell(answer.message ?? `M-PESA answered: the order is ${answer.state}.`);
      reload();
    } catch (failure) {
      tellFailure(asApiError(failure));
    } finally {
      setAsking(false);
    }
  };
  const mayAsk = data.gateway === 'mpesa' && data.state !== 'paid';
  return html`<${PageHead} title=${`${data.plan_name} for ${formatMsisdn(data.msisdn)}`} back="/orders"
    sub=${html`<${State} state=${data.state} /> ${formatMoney(data.price_cents)}`}>
      ${mayAsk && html`<${Button} icon="refresh" busy=${asking} onClick=${askNow}>Ask M-PESA now<//>`}
    <//>
    ${
      data.message &&
      data.state !== 'paid' &&
      html`<div
      class=${`banner ${data.state === 'failed' ? 'bad' : 'warn'}`} role="status"><p>${data.message}</p>
        </div>`
    }
    <div class="columns even">
      <${Card} title="Details"><${Facts} pairs=${[
        ['Made', html`<${Time} at=${data.created_at} />`],
        ['Prompt sent', html`<${Time} at=${data.sent_at} none="not sent" />`],
        ['Paid', html`<${Time} at=${data.paid_at} none="not paid" />`],
        ['Phone', formatMsisdn(data.msisdn)],
        ['Device', data.mac && html`<code>${data.mac}</code>`],
        ['IP address', data.ip && html`<code>${data.ip}</code>`],
        ['Result code', data.result_code === null ? undefined : html`<code>${data.result_code}</code>`],
        [
          'Subscriber',
          data.subscriber_id && html`<a href=${`/subscribers/${data.subscriber_id}`}>Open the subscriber</a>`,
        ],
        ...(data.payments ?? []).map((payment: Payment) => [
          'Payment',
          html`<a href=${`/payments/${payment.id}`}>${payment.receipt ?? 'to be confirmed'}
            </a> ${formatMoney(payment.amount_cents)}`,
        ]),
      ]} /><//>
      <${Card} title="Evidence"><${EvidenceTimeline} evidence=${data.evidence ?? []} /><//>
    </div>`;
}
