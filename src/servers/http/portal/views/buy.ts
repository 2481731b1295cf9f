// The page that asks for the phone number that pays.
import { priceStub } from './home.ts';
import { html } from './html.ts';
import { carried, icon, link, notice, page, speaker } from './layout.ts';
import type { BuyView } from './types.ts';
import { planLine, price } from './wording.ts';

/** `GET /buy` and the answer to a `POST /buy` that made no order. Fields: plan, msisdn, ctx, lang. */
export function buyPage(view: BuyView): string {
  const t = speaker(view.lang);
  const { plan, error } = view;
  return page(view, {
    title: t('pay_title'),
    path: '/buy',
    query: { plan: plan.id },
    back: true,
    body: html`<div class="ticket chosen"><span class="what"><b>${plan.name}</b><span>${planLine(view.lang, plan)}</span></span>
${priceStub(plan.price_cents)}</div>
${error && notice('bad', t(`buy_${error}`), t(`buy_${error}_next`))}
<form class="ask" method="post" action="/buy">
<h1>${t('pay_title')}</h1>
<label for="msisdn">${t('phone_label')}</label>
<input class="field" id="msisdn" name="msisdn" type="tel" inputmode="tel" autocomplete="tel" required maxlength="24" placeholder="0712 345 678" value="${view.msisdn ?? ''}" aria-describedby="hint"${error === 'invalid_msisdn' && html` aria-invalid="true"`}${!view.msisdn && html` autofocus`}>
<p class="hint" id="hint">${t('phone_hint')}</p>
<input type="hidden" name="plan" value="${plan.id}">
${carried(view)}
<button class="big" data-busy="${t('please_wait')}">${t('pay_button', { price: price(plan.price_cents) })}</button>
<p class="hint">${t('buy_next')}</p>
</form>
${error === 'unavailable' && html`<a class="second" href="${link(view, '/voucher')}">${icon('ticket')}${t('use_voucher')}</a>`}`,
  });
}
