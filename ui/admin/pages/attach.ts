// Saying whom an unmatched payment is for: an order, or a subscriber and the plan they get.
import { useEffect, useState } from 'preact/hooks';
import { formatMoney, formatMsisdn, formatWord, relativeTime } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { post } from '../api.ts';
import { useList, useLoad } from '../load.ts';
import { Button, Empty, Failure, Loading } from '../parts/basics.ts';
import { Dialog } from '../parts/dialog.ts';
import { Field, FormBox, invalid, useForm, type Values } from '../parts/form.ts';
import { Search } from '../parts/list.ts';
import { tell } from '../parts/toast.ts';
import type { Credential, Order, Page, PaymentDetail, Plan, Subscriber } from '../types.ts';
import { fitting } from './grant.ts';

interface AttachProps {
  payment: PaymentDetail;
  onClose: (attached?: PaymentDetail) => void;
}

/** Nothing is chosen for a person where it is not plain. */
const CHOOSE: [value: string, label: string] = ['', 'Choose…'];

async function attach(payment: PaymentDetail, to: Values): Promise<PaymentDetail> {
  const open = Object.keys(to).filter((name) => !to[name]);
  if (open.length > 0) throw invalid(Object.fromEntries(open.map((name) => [name, 'Choose one.'])));
  const attached = await post<PaymentDetail>(`/payments/${payment.id}/attach`, to);
  tell(`${formatMoney(payment.amount_cents)} has its place: ${attached.plan_name}.`);
  return attached;
}

export function AttachToOrder({ payment, onClose }: AttachProps) {
  const [q, setQ] = useState(payment.msisdn ?? '');
  const list = useList<Order>('/orders', { q });
  return html`<${Dialog} title=${`Which order paid ${formatMoney(payment.amount_cents)}?`}
    onClose=${() => onClose()}>
    <${Search} value=${q} placeholder="Phone of the order" onSearch=${setQ} />
    ${
      list.items.length > 0
        ? html`<${OrderForm} key=${list.items[0]!.id} payment=${payment} onClose=${onClose} orders=${list.items} />`
        : list.error
          ? html`<${Failure} error=${list.error} onRetry=${list.reload} />`
          : list.loading
            ? html`<${Loading} rows=${3} />`
            : html`<${Empty} icon="orders" title="No order of this phone.">
              <p class="muted">Search another phone, or attach the money to a subscriber.</p><//>`
    }
  <//>`;
}

function OrderForm({ payment, onClose, orders }: AttachProps & { orders: Order[] }) {
  // An order of the same amount that is not paid is the likely one.
  const likely = orders.find(
    ({ state, price_cents }) => state !== 'paid' && price_cents === payment.amount_cents,
  );
  const form = useForm({ order_id: likely?.id ?? '' });
  const chosen = orders.find(({ id }) => id === form.values.order_id);
  return html`<${FormBox} form=${form} act=${async (values: Values) => onClose(await attach(payment, values))}>
    <${Field} form=${form} name="order_id" label="Order" options=${[
      CHOOSE,
      ...orders.map((order) => [
        order.id,
        `${order.plan_name} · ${formatMoney(order.price_cents)} · ${formatMsisdn(order.msisdn)} · ${formatWord(order.state)} · ${relativeTime(order.created_at, Date.now())}`,
      ]),
    ]} hint=${difference(payment, chosen?.price_cents, chosen?.state === 'paid')} />
    <${Foot} busy=${form.busy} onClose=${onClose} />
  <//>`;
}

/** What is unusual about the choice, said before it is made. */
function difference(payment: PaymentDetail, price: number | undefined, paid = false): string | undefined {
  if (paid) return 'This order is paid already: its plan is given once more.';
  if (price === undefined || price === payment.amount_cents) return undefined;
  return `The plan costs ${formatMoney(price)}, paid were ${formatMoney(payment.amount_cents)}: the whole plan is given.`;
}

function Foot({ busy, onClose }: { busy: boolean; onClose: AttachProps['onClose'] }) {
  return html`<div class="form-foot"><${Button} type="submit" look="primary" busy=${busy}>Attach<//>
    <${Button} look="quiet" onClick=${() => onClose()}>Cancel<//></div>`;
}

export function AttachToSubscriber({ payment, onClose }: AttachProps) {
  const [q, setQ] = useState(payment.msisdn ?? '');
  const plans = useList<Plan>('/plans', {});
  const list = useList<Subscriber>('/subscribers', { q });
  const open = plans.items.filter((plan) => plan.state !== 'archived');
  const error = list.error ?? plans.error;
  return html`<${Dialog} title=${`Who paid ${formatMoney(payment.amount_cents)}?`} onClose=${() => onClose()}>
    <${Search} value=${q} placeholder="Phone or name" onSearch=${setQ} />
    ${
      list.items.length > 0 && open.length > 0
        ? html`<${SubscriberForm} key=${list.items[0]!.id} payment=${payment} onClose=${onClose}
          subscribers=${list.items} plans=${open} />`
        : error
          ? html`<${Failure} error=${error} onRetry=${list.error ? list.reload : plans.reload} />`
          : list.loading || plans.loading
            ? html`<${Loading} rows=${3} />`
            : html`<${Empty} icon="subscribers"
              title=${open.length > 0 ? 'No subscriber by this phone or name.' : 'There is no plan to give.'}><//>`
    }
  <//>`;
}

function SubscriberForm(props: AttachProps & { subscribers: Subscriber[]; plans: Plan[] }) {
  const { payment, onClose, subscribers, plans } = props;
  const form = useForm({
    subscriber_id: (subscribers.length === 1 && subscribers[0]?.id) || '',
    credential_id: '',
    plan_id: '',
  });
  const whom = form.values.subscriber_id;
  const known = useLoad<Page<Credential>>(whom ? `/subscribers/${whom}/credentials` : undefined);
  const credentials = (known.data?.items ?? []).filter(
    (one) => one.state === 'active' && one.kind === 'pppoe',
  );
  const line = credentials[0]?.id ?? '';
  // Who has a line at home most likely pays for it; a line of the subscriber chosen before is nobody's now.
  useEffect(() => form.set('credential_id', line), [line]);
  const credential = credentials.find(({ id }) => id === form.values.credential_id);
  const choice = fitting(plans, credential);
  const plan = choice.find(({ id }) => id === form.values.plan_id);
  const ofAmount = choice.find((one) => one.price_cents === payment.amount_cents)?.id ?? '';
  useEffect(() => form.set('plan_id', ofAmount), [credential?.id]);
  const save = async ({ subscriber_id, plan_id }: Values) => {
    const to: Values = { subscriber_id: subscriber_id ?? '', plan_id: plan_id ?? '' };
    if (credential) to.credential_id = credential.id;
    onClose(await attach(payment, to));
  };
  return html`<${FormBox} form=${form} act=${save}>
    <${Field} form=${form} name="subscriber_id" label="Subscriber" options=${[
      CHOOSE,
      ...subscribers.map((one) => [
        one.id,
        [one.name, one.msisdn && formatMsisdn(one.msisdn)].filter(Boolean).join(' · ') || 'No name',
      ]),
    ]} />
    ${
      credentials.length > 0 &&
      html`<${Field} form=${form} name="credential_id" label="For" options=${[
        ['', 'Hotspot'],
        ...credentials.map((one) => [one.id, `${one.username} (PPPoE)`]),
      ]} />`
    }
    <${Field} form=${form} name="plan_id" label="Plan" hint=${difference(payment, plan?.price_cents)}
      options=${[
        CHOOSE,
        ...choice.map((one) => [one.id, `${one.name} · ${formatMoney(one.price_cents)}`]),
      ]} />
    <${Foot} busy=${form.busy || known.loading} onClose=${onClose} />
  <//>`;
}
