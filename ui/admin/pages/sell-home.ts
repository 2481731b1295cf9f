// Selling a plan to a home for cash: found or added at the counter, one tap on the plan, one on the money.
import { useRef, useState } from 'preact/hooks';
import { exactTime, formatMoney, formatMsisdn } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { post } from '../api.ts';
import { useList, useLoad } from '../load.ts';
import { Button, Card, Empty, Facts, Failure, LinkButton, Loading, State } from '../parts/basics.ts';
import { CopyButton } from '../parts/copy.ts';
import { Dialog } from '../parts/dialog.ts';
import { Choice, Field, FormBox, useForm, type Values } from '../parts/form.ts';
import { Icon } from '../parts/icon.ts';
import { newKey } from '../parts/idempotency.ts';
import { Search } from '../parts/list.ts';
import { canSendSms, smsHref } from '../parts/sms-link.ts';
import { tellFailure } from '../parts/toast.ts';
import { canManage } from '../roles.ts';
import { useMe } from '../signed-in.ts';
import type { CashSale, Credential, Entitlement, Page, Plan, Slip, Subscriber } from '../types.ts';
import { planLine } from './plans.ts';
import { slipText } from './slip.ts';
import { subscriberName } from './subscribers.ts';

/** The home from the counter: searched by name or phone, or added there by who may. */
export function HomeAtCounter() {
  const { role } = useMe().account;
  const [q, setQ] = useState('');
  const [home, setHome] = useState<Subscriber | undefined>();
  const [adding, setAdding] = useState(false);
  return html`<${Card} class="narrow" title="A home">
    <${Search} value=${q} placeholder="Name or phone" onSearch=${setQ} />
    ${q && html`<${Found} q=${q} onPick=${setHome} />`}
    ${
      canManage(role) &&
      html`<${Button} icon="plus" class="wide" onClick=${() => setAdding(true)}>New home<//>`
    }
    ${
      adding &&
      html`<${NewHome} typed=${q} onClose=${(added?: Subscriber) => {
        setAdding(false);
        if (added) setHome(added);
      }} />`
    }
    ${home && html`<${SellToHome} key=${home.id} subscriber=${home} onClose=${() => setHome(undefined)} />`}
  <//>`;
}

function Found({ q, onPick }: { q: string; onPick: (home: Subscriber) => void }) {
  const list = useList<Subscriber>('/subscribers', { q });
  if (list.items.length === 0) {
    if (list.error) return html`<${Failure} error=${list.error} onRetry=${list.reload} />`;
    if (list.loading) return html`<${Loading} rows=${2} />`;
    return html`<p class="muted found-none">Nobody of this name or phone.</p>`;
  }
  return html`<ul class="found">
    ${list.items.slice(0, 8).map(
      (one) => html`<li key=${one.id}><button type="button" onClick=${() => onPick(one)}>
        <b>${subscriberName(one)}</b>
        <span class="muted num">${one.msisdn ? formatMsisdn(one.msisdn) : 'no phone number'}</span>
        ${one.state !== 'active' && html`<${State} state=${one.state} />`}
      </button></li>`,
    )}
  </ul>`;
}

/** `Mwangi, gate 4` → `mwangi-gate-4`: a user name to begin with. */
export function userNameFrom(name: string): string {
  const plain = name.normalize('NFKD').replace(/[̀-ͯ]/g, '').toLowerCase();
  return plain
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40);
}

/** A home with its PPPoE credential. What was made before something failed is kept for the next try. */
function NewHome({ typed, onClose }: { typed: string; onClose: (added?: Subscriber) => void }) {
  const isPhone = /^[\d\s+]{6,}$/.test(typed);
  const form = useForm({ name: isPhone ? '' : typed, msisdn: isPhone ? typed : '', username: '' });
  const added = useRef<Subscriber | undefined>(undefined);
  const [secret, setSecret] = useState<{ username: string; password: string } | undefined>();
  const save = async ({ name = '', msisdn, username }: Values) => {
    added.current ??= await post<Subscriber>('/subscribers', { name, msisdn, notes: '' });
    const body = { subscriber_id: added.current.id, username: username || userNameFrom(name) };
    setSecret(await post<Credential & { password: string }>('/credentials', body));
  };
  if (secret) {
    return html`<${Dialog} title="Write this down" class="sell-dialog" onClose=${() => onClose(added.current)}>
      <${Facts} pairs=${[
        ['User name', html`<code>${secret.username}</code>`],
        ['Password', html`<code>${secret.password}</code>`],
      ]} />
      <p class="muted">The password is shown this once. It goes into the home’s router.</p>
      <div class="form-foot"><${CopyButton} text=${secret.password}>Copy password<//>
      <${Button} look="primary" onClick=${() => onClose(added.current)}>Now the plan<//></div>
    <//>`;
  }
  return html`<${Dialog} title="New home" onClose=${() => onClose()}>
    <${FormBox} form=${form} act=${save}>
      <${Field} form=${form} name="name" label="Name" placeholder="Mwangi, gate 4" autofocus maxlength=${100} />
      <${Field} form=${form} name="msisdn" label="Phone" inputmode="tel" required=${false} placeholder="0712 345 678" />
      <${Field} form=${form} name="username" label="PPPoE user name" mono required=${false}
        placeholder=${userNameFrom(form.values.name ?? '') || 'mwangi-gate-4'} />
      <div class="form-foot"><${Button} type="submit" look="primary" busy=${form.busy}>Add and sell<//>
      <${Button} look="quiet" onClick=${() => onClose()}>Cancel<//></div>
    <//>
  <//>`;
}

interface SellProps {
  subscriber: Subscriber;
  onClose: (sold?: CashSale) => void;
}

/** The plans of one home, the one it had last first. */
export function SellToHome({ subscriber, onClose }: SellProps) {
  const { role } = useMe().account;
  const credentials = useList<Credential>(`/subscribers/${subscriber.id}/credentials`);
  const plans = useList<Plan>('/plans', { state: 'on_sale' });
  const before = useLoad<Page<Entitlement>>(`/subscribers/${subscriber.id}/entitlements?limit=1`);
  const [picked, setPicked] = useState('');
  const [plan, setPlan] = useState<Plan | undefined>();
  const active = credentials.items.filter((one) => one.state === 'active');
  const credential =
    active.find((one) => one.id === picked) ?? active.find((one) => one.kind === 'pppoe') ?? active[0];
  const kind = credential?.kind === 'pppoe' ? 'pppoe' : 'hotspot';
  const last = before.data?.items[0]?.plan_name;
  const fitting = plans.items
    .filter((one) => one.kind === kind && one.price_cents > 0)
    .sort((a, b) => Number(b.name === last) - Number(a.name === last) || a.price_cents - b.price_cents);
  if (plan && credential) {
    return html`<${TakeMoney} subscriber=${subscriber} credential=${credential} plan=${plan}
      onBack=${() => setPlan(undefined)} onClose=${onClose} />`;
  }
  const error = credentials.error ?? plans.error;
  const loading = credentials.loading || plans.loading || before.loading;
  const retry = () => {
    credentials.reload();
    plans.reload();
  };
  return html`<${Dialog} title=${`Sell to ${subscriberName(subscriber)}`} class="sell-dialog" onClose=${() => onClose()}>
    ${
      subscriber.state === 'suspended' &&
      html`<p class="notes">Suspended: what is sold waits until somebody resumes this subscriber.</p>`
    }
    ${error && html`<${Failure} error=${error} onRetry=${retry} />`}
    ${!error && loading && html`<${Loading} rows=${3} />`}
    ${
      !error &&
      !loading &&
      !credential &&
      html`<${Empty} icon="accounts" title="Nothing to sell it for yet.">
        <p class="muted">This subscriber has no credential. ${canManage(role) ? '' : 'Ask the owner to make one, or sell a voucher.'}</p>
        ${canManage(role) && html`<a href=${`/subscribers/${subscriber.id}?view=credentials`}>Make a credential</a>`}
      <//>`
    }
    ${
      active.length > 1 &&
      html`<label class="field"><span class="label">For</span><${Choice} value=${credential?.id ?? ''}
        options=${active.map((one) => [one.id, `${one.username} (${one.kind === 'pppoe' ? 'PPPoE' : one.kind})`])}
        onInput=${(event: Event) => setPicked((event.target as HTMLSelectElement).value)} /></label>`
    }
    ${
      !error &&
      !loading &&
      credential &&
      fitting.length === 0 &&
      html`<${Empty} icon="plans" title=${kind === 'pppoe' ? 'No plan for homes is on sale.' : 'No plan is on sale.'} />`
    }
    ${
      !loading &&
      credential &&
      html`<div class="sell-grid">${fitting.map(
        (one) => html`<button type="button" class="sell-plan" key=${one.id} onClick=${() => setPlan(one)}>
          <b>${one.name}</b><span class="sell-price num">${formatMoney(one.price_cents)}</span>
          <small>${one.name === last ? 'As last time · ' : ''}${planLine(one)}</small>
        </button>`,
      )}</div>`
    }
  <//>`;
}

function TakeMoney(props: SellProps & { credential: Credential; plan: Plan; onBack: () => void }) {
  const { subscriber, credential, plan, onClose } = props;
  const [sold, setSold] = useState<CashSale | undefined>();
  const [busy, setBusy] = useState(false);
  const key = useRef(newKey()); // The same key on a second try: a lost answer must not sell twice.
  const sell = async () => {
    setBusy(true);
    try {
      const goods = { plan_id: plan.id, credential_id: credential.id };
      const body = subscriber.msisdn ? { ...goods, msisdn: subscriber.msisdn } : goods;
      setSold(await post<CashSale>('/payments/cash', body, { 'idempotency-key': key.current }));
    } catch (failure) {
      tellFailure(failure);
    } finally {
      setBusy(false);
    }
  };
  if (sold) return html`<${SoldToHome} sale=${sold} plan=${plan} onClose=${() => onClose(sold)} />`;
  return html`<${Dialog} title=${`${plan.name} for ${subscriberName(subscriber)}`} class="sell-dialog" onClose=${() => onClose()}>
    <p class="sell-ask"><span class="muted">Take</span><b class="num">${formatMoney(plan.price_cents)}</b></p>
    <p class="muted center">${planLine(plan)} · <code>${credential.username}</code></p>
    <div class="sell-acts"><${Button} look="primary" class="wide tall" busy=${busy} onClick=${sell}>Money taken, start the plan<//>
    <${Button} look="quiet" disabled=${busy} onClick=${props.onBack}>Another plan<//></div>
  <//>`;
}

function SoldToHome({ sale, plan, onClose }: { sale: CashSale; plan: Plan; onClose: () => void }) {
  const { data } = useLoad<Slip>(`/payments/${sale.payment_id}/slip`);
  const text = data && slipText(data);
  const ends = data?.home?.ends_at;
  return html`<${Dialog} title="Sold" class="sell-dialog" onClose=${onClose}>
    <p class="sell-ask"><span class="muted">${plan.name}</span><b class="num">${formatMoney(sale.amount_cents)}</b></p>
    <p class="muted center" aria-live="polite">
      ${ends ? `Runs until ${exactTime(ends)}.` : 'It begins with the next sign-in, or when what runs now ends.'}</p>
    <div class="sell-acts">
      <${LinkButton} href=${`/sell/${sale.payment_id}?print=1`} icon="print">Print a slip<//>
      ${
        text &&
        canSendSms() &&
        html`<a class="button plain" href=${smsHref(data.home?.msisdn ?? sale.msisdn, text)}>
          <${Icon} name="phone" /><span>Send by SMS</span></a>`
      }
      <${Button} look="primary" class="wide tall" onClick=${onClose}>Done<//>
    </div>
  <//>`;
}
