// The first page: what this device has left, what is for sale, the way in with a voucher.
import { connectForm } from './access.ts';
import { type Html, html } from './html.ts';
import { icon, link, notice, page, speaker } from './layout.ts';
import { routerError } from './router-error.ts';
import type { EntitlementView, HomeView, PlanView } from './types.ts';
import { clockTime, dataSize, leftTime, planLine, price, secondsLeft, startsLater } from './wording.ts';

/** `GET /` and `POST /`. */
export function homePage(view: HomeView): string {
  const t = speaker(view.lang);
  const sells = view.payments_open !== false && view.plans.length > 0;
  return page(view, {
    title: t('page_home'),
    path: '/',
    // Whoever has something to connect or to repair needs the room for that.
    ...(!view.entitlement && !view.router_error && { greeting: t('welcome') }),
    body: html`${view.router_error && refusal(view, view.router_error)}
${view.entitlement && remainder(view, view.entitlement)}
<div class="intro">
<h1>${t(view.entitlement ? 'buy_more_below' : 'choose_plan')}</h1>
${sells && !view.entitlement && html`<p>${t('choose_hint')}</p>`}
</div>
${view.plans.length === 0 && notice('warn', t('no_plans'), t('no_plans_next'))}
${view.plans.length > 0 && !sells && notice('warn', t('payments_closed'), t('payments_closed_next'))}
<ul class="plans">${view.plans.map((plan) => html`<li>${planTicket(view, plan, sells)}</li>`)}</ul>
<a class="${sells ? 'second' : 'big'}" href="${link(view, '/voucher')}">${icon('ticket')}${t('have_voucher')}</a>
<a class="plain" href="${link(view, '/paid')}">${t('paid_already')}</a>`,
  });
}

function refusal(view: HomeView, error: string): Html {
  const t = speaker(view.lang);
  const kind = routerError(error);
  const [when = ''] = /\d\d\/\d\d\/\d{4} at \d\d:\d\d/.exec(error) ?? [];
  const [hours = ''] = /\d\d:\d\d to \d\d:\d\d/.exec(error) ?? [];
  const said = t(`router_${kind}`, {
    error: error.slice(0, 120),
    hours: hours.replace(' to ', '–'),
    when: when.replace(' at ', ' '),
  });
  return notice('bad', said.trim(), t(`router_${kind}_next`));
}

function remainder(view: HomeView, entitlement: EntitlementView): Html {
  const t = speaker(view.lang);
  const left = secondsLeft(entitlement, view.now_at);
  const later = startsLater(entitlement, view.now_at);
  const title = view.online
    ? t('you_are_online')
    : left === null
      ? later
        ? t('left_later', { plan: entitlement.plan_name, when: clockTime(view.lang, later, view.now_at) })
        : t('left_ready', { plan: entitlement.plan_name })
      : t('left_title', { left: leftTime(view.lang, left) });
  const quota = entitlement.quota_octets;
  const closed = entitlement.closed_until;
  const details = [
    view.online && left !== null && t('left_title', { left: leftTime(view.lang, left) }),
    left !== null && entitlement.plan_name,
    quota &&
      !entitlement.slow &&
      t('left_quota', { left: dataSize(entitlement.quota_left_octets ?? 0, quota) }),
    closed && t('closed_now', { hours: closed.hours }),
    entitlement.slow && `${t('slow_now')} ${t('slow_now_next')}`,
  ].filter((detail): detail is string => Boolean(detail));
  const form =
    !view.online && !later && !closed && view.connect && connectForm(view, view.connect, t('connect'));
  return html`<section class="left">
<h2>${title}</h2>
<p>${details.join('\u00a0· ')}</p>
${form || html`<a class="big" href="${link(view, '/status')}">${t('see_left')}</a>`}
</section>`;
}

function planTicket(view: HomeView, plan: PlanView, sells: boolean): Html {
  const inside = html`<span class="what"><b>${plan.name}</b><span>${planLine(view.lang, plan)}</span></span>
${priceStub(plan.price_cents)}`;
  return sells
    ? html`<a class="ticket" href="${link(view, '/buy', { plan: plan.id })}">${inside}</a>`
    : html`<div class="ticket closed">${inside}</div>`;
}

/** `KES 20` with the figure large. */
export function priceStub(cents: number): Html {
  const [currency, figure] = price(cents).split(' ');
  return html`<span class="price"><small>${currency}</small> ${figure}</span>`;
}
