// The page of one order, from the PIN prompt to the connection.
import { accessPart } from './access.ts';
import { type Html, html } from './html.ts';
import { carried, icon, link, page, speaker } from './layout.ts';
import type { Lang, OrderView, PaymentFailure } from './types.ts';
import { price } from './wording.ts';

// The same number would fail again, so another one is what to try.
const NEEDS_OTHER_NUMBER: PaymentFailure[] = ['pin_locked', 'not_registered', 'account_refused', 'limit'];

/**
 * `GET /orders/:id`. “Try again” posts plan and `again` (this order's id, whose number is asked once more)
 * to `/buy`; “Use another number” leads to `/buy?plan=…`.
 */
export function orderPage(view: OrderView): string {
  const t = speaker(view.lang);
  const { order } = view;
  // Paid, and the credential not there yet: only a moment, and the words that do no harm are the checking ones.
  const state = view.state === 'paid' && !view.access ? 'checking' : view.state;
  const waits = state === 'pending' || state === 'checking';
  const parts = { pending, checking, failed, paid };
  return page(view, {
    title: t(state === 'paid' ? 'connect' : `${state}_title`),
    path: `/orders/${encodeURIComponent(order.id)}`,
    back: state === 'failed',
    body: parts[state](view),
    ...(waits && {
      // A script that does not load or an old browser that cannot read it must not end the wait.
      refresh_seconds: { plain: 3, scripted: 30 },
      poll: `/api/orders/${encodeURIComponent(order.id)}`,
      poll_state: state,
    }),
  });
}

/** One sentence for `message` of `GET /api/orders/:id`. */
export function orderMessage(lang: Lang, state: OrderView['state'], failure?: PaymentFailure | null): string {
  const t = speaker(lang);
  if (state !== 'failed') return t(`${state}_message`);
  const kind = failure ?? 'unknown';
  return `${t(`failed_${kind}`)} ${t(`failed_${kind}_next`)}`;
}

/** No phone is asked: the guest pays to the operator's number, and the page waits for the SMS of it. */
function payByHand(view: OrderView, to: NonNullable<OrderView['pay_to']>): Html {
  const t = speaker(view.lang);
  const phone = view.order.msisdn_masked ?? '';
  return html`<section class="hero">
<div class="mark ring">${icon('phone')}</div>
<h1>${t(`by_hand_${to.kind}`, { price: price(view.order.price_cents), number: to.number })}</h1>
${to.name && html`<p class="strong">${to.name}</p>`}
</section>
<ol class="steps large">
<li>${t(`by_hand_how_${to.kind}`)}</li>
<li>${t('by_hand_phone', { phone })}</li>
<li><b>${t('by_hand_wait')}</b></li>
</ol>
<p class="waiting" role="status"><span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>${t('by_hand_waiting')}</p>
<p class="hint">${t('by_hand_help')}</p>
<a class="plain" href="${link(view, '/paid')}">${t('paid_already')}</a>`;
}

function pending(view: OrderView): Html {
  if (view.pay_to) return payByHand(view, view.pay_to);
  const t = speaker(view.lang);
  const amount = price(view.order.price_cents);
  const phone = view.order.msisdn_masked;
  const until = view.order.prompt_until_at;
  const left = until ? Math.max(0, Math.round((until - view.now_at) / 1000)) : 0;
  return html`<section class="hero">
<div class="mark ring">${icon('phone')}</div>
<h1>${t('pending_title')}</h1>
</section>
<ol class="steps large">
<li>${phone ? t('pending_step_1', { price: amount, phone }) : t('pending_step_1_plain', { price: amount })}</li>
<li><b>${t('pending_step_2')}</b></li>
<li>${t('pending_step_3')}</li>
</ol>
<p class="waiting" role="status"><span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>${t('pending_left')}${left > 0 && html` <span class="num" data-countdown="${left}"></span>`}</p>
<details><summary>${t('pending_help')}</summary>
<ul class="tips"><li>${t('pending_help_1')}</li><li>${t('pending_help_2')}</li><li>${t('pending_help_3')}</li></ul>
<a class="second" href="${link(view, '/buy', { plan: view.plan.id })}">${t('change_number')}</a>
</details>`;
}

function checking(view: OrderView): Html {
  if (view.pay_to) return payByHand(view, view.pay_to);
  const t = speaker(view.lang);
  return html`<section class="hero warn">
<div class="mark ring">${icon('phone')}</div>
<h1>${t('checking_title')}</h1>
<p class="strong">${t('checking_text')}</p>
<p>${t('checking_next')}</p>
</section>
<a class="big" href="${link(view, `/orders/${encodeURIComponent(view.order.id)}`)}">${t('check_now')}</a>
<a class="plain" href="${link(view, '/paid')}">${t('paid_already')}</a>`;
}

function failed(view: OrderView): Html {
  const t = speaker(view.lang);
  const failure = view.failure ?? 'unknown';
  const otherNumber = link(view, '/buy', { plan: view.plan.id });
  const again = html`<form method="post" action="/buy">
<input type="hidden" name="plan" value="${view.plan.id}">
<input type="hidden" name="again" value="${view.order.id}">
${carried(view)}
<button class="big" data-busy="${t('please_wait')}">${t('try_again')} · ${price(view.plan.price_cents)}</button>
</form>
<a class="second" href="${otherNumber}">${t('change_number')}</a>`;
  const actions = NEEDS_OTHER_NUMBER.includes(failure)
    ? html`<a class="big" href="${otherNumber}">${t('change_number')}</a>`
    : failure === 'service'
      ? html`<a class="big" href="${link(view, '/voucher')}">${icon('ticket')}${t('use_voucher')}</a>`
      : again;
  return html`<section class="hero bad" role="alert">
<div class="mark">${icon('alert')}</div>
<h1>${t('failed_title')}</h1>
<p class="strong">${t(`failed_${failure}`)}</p>
<p>${t(`failed_${failure}_next`)}</p>
</section>
${actions}
<a class="plain" href="${link(view, '/paid')}">${t('paid_already')}</a>
<a class="plain" href="${link(view, '/')}">${t('back_to_plans')}</a>`;
}

function paid(view: OrderView): Html {
  return accessPart(view, view.access!, 'order');
}
