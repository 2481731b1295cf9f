// Selling at the counter, with one hand: a fresh voucher, a printed one, a home's plan.
import { useRef, useState } from 'preact/hooks';
import { formatMoney, groupCode } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { get, post } from '../api.ts';
import { useList, useLoad } from '../load.ts';
import { Button, Card, Empty, Failure, LinkButton, Loading, PageHead } from '../parts/basics.ts';
import { CopyButton } from '../parts/copy.ts';
import { Dialog } from '../parts/dialog.ts';
import { Field, FormBox, useForm, type Values } from '../parts/form.ts';
import { Icon } from '../parts/icon.ts';
import { newKey } from '../parts/idempotency.ts';
import { canSendSms, smsHref } from '../parts/sms-link.ts';
import { tell, tellFailure } from '../parts/toast.ts';
import { canManage, canTakeCash } from '../roles.ts';
import { useMe } from '../signed-in.ts';
import type { CashSale, CurrentTill, Page, Plan, Slip, Voucher, VoucherBatch } from '../types.ts';
import { planLine } from './plans.ts';
import { HomeAtCounter } from './sell-home.ts';
import { slipText } from './slip.ts';
import { OpenTill } from './till.ts';

export function Sell() {
  const me = useMe();
  const takesCash = canTakeCash(me.account.role);
  const list = useList<Plan>('/plans', { state: 'on_sale' });
  const [chosen, setChosen] = useState<Plan | undefined>();
  const plans = list.items
    .filter((plan) => plan.kind === 'hotspot')
    .sort((a, b) => a.position - b.position || a.price_cents - b.price_cents);
  return html`<${PageHead} title="Sell" sub="Choose the plan, take the money, show the code" />
    ${takesCash && html`<${TillFirst} />`}
    ${
      list.error &&
      plans.length === 0 &&
      html`<div class="card">
    <${Failure} error=${list.error} onRetry=${list.reload} /></div>`
    }
    ${list.loading && plans.length === 0 && html`<div class="card"><${Loading} rows=${4} /></div>`}
    ${
      !list.loading &&
      !list.error &&
      plans.length === 0 &&
      html`<div class="card"><${Empty} icon="plans" title="No plan is on sale.">
        ${
          canManage(me.account.role)
            ? html`<${LinkButton} href="/plans/new" icon="plus"
          look="primary">Make a plan<//>`
            : html`<p class="muted">Ask the owner to put one on sale.</p>`
        }
      <//></div>`
    }
    <div class="sell-grid">
      ${plans.map(
        (
          plan,
        ) => html`<button type="button" class="sell-plan" key=${plan.id} onClick=${() => setChosen(plan)}>
          <b>${plan.name}</b><span class="sell-price num">${formatMoney(plan.price_cents)}</span><small>
          ${planLine(plan)}</small>
        </button>`,
      )}
    </div>
    ${takesCash && html`<div class="sell-more"><${HomeAtCounter} /><${SellPrinted} /></div>`}
    ${chosen && html`<${SellOne} key=${chosen.id} plan=${chosen} onClose=${() => setChosen(undefined)} />`}`;
}

/** Cash goes into an open till: it is opened here, before the first guest is refused. */
function TillFirst() {
  const { data, reload } = useLoad<CurrentTill>('/till-sessions/current');
  return data?.required && !data.session ? html`<${OpenTill} onChange=${reload} />` : null;
}

/** What was sold: the code, and the payment where cash went into the till. */
interface Sold {
  id: string | null;
  code: string;
  payment_id?: string;
}

/** Sells for cash; the same key sells once, however often a lost answer is asked for again. */
async function sellForCash(goods: { plan_id?: string; voucher_code?: string }, key: string): Promise<Sold> {
  const sale = await post<CashSale>('/payments/cash', goods, { 'idempotency-key': key });
  return { id: null, code: sale.code ?? '', payment_id: sale.payment_id };
}

/** The code as a text message, where no slip tells more. */
function codeText(business: string, plan: Plan, code: string): string {
  return `${business}: ${plan.name}. Code ${groupCode(code)}. Join the WiFi and type it.`;
}

function SmsLink({ text }: { text: string }) {
  return html`<a class="button plain" href=${smsHref(null, text)}><${Icon} name="phone" /><span>Send by SMS</span></a>`;
}

/** A voucher that is printed already: type its code, take the money. */
function SellPrinted() {
  const form = useForm({ code: '' });
  const key = useRef(newKey());
  const sell = async (values: Values) => {
    const sale = await post<CashSale>(
      '/payments/cash',
      { voucher_code: values.code },
      { 'idempotency-key': key.current },
    );
    key.current = newKey();
    form.reset({ code: '' });
    tell(`${sale.plan_name}: take ${formatMoney(sale.amount_cents)} and hand the voucher over.`);
  };
  return html`<${Card} class="narrow" title="A printed voucher"><${FormBox} form=${form} act=${sell}>
    <${Field} form=${form} name="code" label="Its code" mono />
    <${Button} type="submit" class="wide tall" busy=${form.busy}>Sell this voucher<//>
  <//><//>`;
}

/** Asks once more for the money, then makes one voucher and shows its code. */
function SellOne({ plan, onClose }: { plan: Plan; onClose: () => void }) {
  const me = useMe();
  const [voucher, setVoucher] = useState<Sold | undefined>();
  const [busy, setBusy] = useState(false);
  const slip = useLoad<Slip>(voucher?.payment_id ? `/payments/${voucher.payment_id}/slip` : undefined);
  const key = useRef(newKey()); // The same key on a second try: a lost answer must not make a second voucher.

  const sell = async () => {
    setBusy(true);
    try {
      if (canTakeCash(me.account.role)) {
        setVoucher(await sellForCash({ plan_id: plan.id }, key.current));
        return;
      }
      const batch = await post<VoucherBatch>(
        '/voucher-batches',
        { plan_id: plan.id, count: 1, name: 'Sold at the counter' },
        { 'idempotency-key': key.current },
      );
      const page = await get<Page<Voucher>>(`/voucher-batches/${batch.id}/vouchers`, { limit: 1 });
      const made = page.items[0];
      if (made) setVoucher({ id: made.id, code: made.code });
    } catch (failure) {
      tellFailure(failure);
    } finally {
      setBusy(false);
    }
  };
  const cancel = async () => {
    try {
      if (voucher?.payment_id) await post(`/payments/${voucher.payment_id}/void`, { reason: 'Wrong plan' });
      else await post(`/vouchers/${voucher?.id}/cancel`);
      tell(`Voucher ${groupCode(voucher?.code ?? '')} cancelled.`);
      onClose();
    } catch (failure) {
      tellFailure(failure);
    }
  };

  const text = (slip.data && slipText(slip.data)) ?? codeText(me.business_name, plan, voucher?.code ?? '');
  if (!voucher) {
    return html`<${Dialog} title=${plan.name} class="sell-dialog" onClose=${onClose}>
      <p class="sell-ask"><span class="muted">Take</span><b class="num">${formatMoney(plan.price_cents)}</b>
      </p>
      <p class="muted center">${planLine(plan)}</p>
      <${Button} look="primary" class="wide tall" busy=${busy}
        onClick=${sell}>Money taken, make the voucher<//>
    <//>`;
  }
  return html`<${Dialog} title=${`${plan.name} · ${formatMoney(plan.price_cents)}`} class="sell-dialog"
    onClose=${onClose}>
    <p class="big-code" aria-live="assertive">${groupCode(voucher.code)}</p>
    <p class="muted center">Type it on the WiFi page. It works once.</p>
    <div class="sell-acts">
      <div class="sell-pair"><${CopyButton} text=${groupCode(voucher.code)} look="plain">Copy code<//>
      ${
        voucher.payment_id
          ? html`<${LinkButton} href=${`/sell/${voucher.payment_id}?print=1`} icon="print">Print a slip<//>`
          : canSendSms() && html`<${SmsLink} text=${text} />`
      }</div>
      ${voucher.payment_id && canSendSms() && html`<${SmsLink} text=${text} />`}
      <${Button} look="primary" class="wide tall" onClick=${onClose}>Done, next guest<//></div>
    <p class="center">
    <button type="button" class="link quiet" onClick=${cancel}>Wrong plan? Cancel this voucher</button></p>
  <//>`;
}
