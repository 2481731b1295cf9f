// What a person does with money that found no order: gives it its place, or sends it back.
import { useEffect, useState } from 'preact/hooks';
import { formatMoney, formatMsisdn } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { post } from '../api.ts';
import { useLoad } from '../load.ts';
import { Button } from '../parts/basics.ts';
import { ask } from '../parts/dialog.ts';
import { tell, tellFailure } from '../parts/toast.ts';
import { canAttach, canManage } from '../roles.ts';
import { useMe } from '../signed-in.ts';
import type { GoLiveAnswer, PaymentDetail } from '../types.ts';
import { AttachToOrder, AttachToSubscriber } from './attach.ts';

/** M-PESA tells what came of a reversal in seconds; nothing announces it here. */
const LOOK_MS = 4000;

export function Unmatched({ payment, onChange }: { payment: PaymentDetail; onChange: () => void }) {
  const { role } = useMe().account;
  const [attaching, setAttaching] = useState<'order' | 'subscriber' | undefined>();
  const asked = payment.reversal === 'asked';
  useEffect(() => {
    if (!asked) return undefined;
    const timer = window.setInterval(onChange, LOOK_MS);
    return () => window.clearInterval(timer);
  }, [asked, onChange]);
  const close = (attached?: PaymentDetail) => {
    setAttaching(undefined);
    if (attached) onChange();
  };
  if (asked) {
    return html`<div class="banner warn" role="status"><p><b>Being sent back.</b>${' '}
      ${payment.resolved_by ?? 'Somebody'} asked M-PESA to send ${formatMoney(payment.amount_cents)} back. It stays
      so until M-PESA says what came of it.</p></div>`;
  }
  if (payment.reversal === 'unknown')
    return html`<${UnknownReversal} payment=${payment} onChange=${onChange} />`;
  return html`<div class="banner warn" role="status"><p>
      <b>${payment.reversal === 'refused' ? 'M-PESA did not send it back.' : 'Money without an order.'}</b>${' '}
      ${payment.note ?? 'It stays here until a person decides. Nothing is dropped.'}</p></div>
    ${
      canAttach(role) &&
      html`<div class="decide">
        <${Button} look="primary" icon="orders" onClick=${() => setAttaching('order')}>Attach to an order<//>
        <${Button} icon="subscribers" onClick=${() => setAttaching('subscriber')}>Attach to a subscriber<//>
        ${canManage(role) && payment.gateway === 'mpesa' && html`<${SendBack} payment=${payment} onChange=${onChange} />`}
      </div>`
    }
    ${attaching === 'order' && html`<${AttachToOrder} payment=${payment} onClose=${close} />`}
    ${attaching === 'subscriber' && html`<${AttachToSubscriber} payment=${payment} onClose=${close} />`}`;
}

/** M-PESA never said what came of it: asked for once more, or decided by who has looked at the portal. */
function UnknownReversal({ payment, onChange }: { payment: PaymentDetail; onChange: () => void }) {
  const { role } = useMe().account;
  const [busy, setBusy] = useState(false);
  const amount = formatMoney(payment.amount_cents);
  const write = async (path: string, body: object, told: string) => {
    setBusy(true);
    try {
      await post(`/payments/${payment.id}/${path}`, body);
      tell(told);
    } catch (failure) {
      tellFailure(failure);
    } finally {
      setBusy(false);
      onChange();
    }
  };
  const again = async () => {
    const sure = await ask({
      title: `Ask M-PESA again to send ${amount} back?`,
      body: html`<p>It sends a payment back once: if it did so before, it says that.</p>`,
      confirm: 'Ask again',
      reason: 'Why, for M-PESA',
    });
    if (sure)
      await write('reverse', { remarks: sure.reason }, `M-PESA is asked again to send ${amount} back.`);
  };
  const decide = async (went_back: boolean) => {
    const sure = await ask({
      title: went_back ? `${amount} went back?` : `${amount} did not go back?`,
      body: html`<p>${
        went_back
          ? 'The payment counts as reversed, and what it gave ends.'
          : 'The payment stays as it was, to be decided about.'
      } Your name is kept with it.</p>`,
      confirm: went_back ? 'It went back' : 'It did not',
    });
    if (sure)
      await write('reversal', { went_back }, went_back ? 'Marked as sent back.' : 'Marked as not sent back.');
  };
  return html`<div class="banner warn" role="status"><p><b>Nobody knows whether it went back.</b>${' '}
      M-PESA never answered. Look for receipt <code>${payment.receipt}</code> on the M-PESA portal.</p></div>
    ${
      canManage(role) &&
      html`<div class="decide">
        <${Button} busy=${busy} onClick=${() => decide(true)}>It went back<//>
        <${Button} busy=${busy} onClick=${() => decide(false)}>It did not<//>
        <${Button} look="careful" busy=${busy} onClick=${again}>Ask again<//>
      </div>`
    }`;
}

function SendBack({ payment, onChange }: { payment: PaymentDetail; onChange: () => void }) {
  const { data } = useLoad<GoLiveAnswer>('/go-live');
  const [busy, setBusy] = useState(false);
  if (!payment.receipt)
    return html`<span class="muted">It can be sent back when its receipt is known.</span>`;
  if (data && !data.initiator.name) {
    return html`<span class="muted">To send it back from here, set up the initiator under${' '}
      <a href="/settings/go-live">Settings, Go live</a>; or do it on the M-PESA portal.</span>`;
  }
  const amount = formatMoney(payment.amount_cents);
  const sendBack = async () => {
    const whom = payment.msisdn
      ? formatMsisdn(payment.msisdn)
      : (payment.payer_name ?? 'the number that paid');
    const sure = await ask({
      title: `Send ${amount} back?`,
      body: html`<p>M-PESA returns <b class="num">${amount}</b> to <b class="num">${whom}</b>, receipt${' '}
        <code>${payment.receipt}</code>. This cannot be undone.</p>`,
      confirm: 'Send it back',
      reason: 'Why, for M-PESA',
    });
    if (!sure) return;
    setBusy(true);
    try {
      await post(`/payments/${payment.id}/reverse`, { remarks: sure.reason });
      tell(`M-PESA is asked to send ${amount} back.`);
    } catch (failure) {
      tellFailure(failure);
    } finally {
      setBusy(false);
      onChange(); // Also after a refusal: the payment says so now.
    }
  };
  return html`<${Button} look="careful" busy=${busy} disabled=${!data} onClick=${sendBack}>Send it back<//>`;
}
