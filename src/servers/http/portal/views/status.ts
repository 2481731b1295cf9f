// The page that says what is left.
import { connectForm } from './access.ts';
import { type Html, html, httpUrl } from './html.ts';
import { icon, link, page, speaker } from './layout.ts';
import type { EntitlementView, StatusView } from './types.ts';
import { clockTime, dataSize, leftTime, secondsLeft, soldTime, speed, startsLater } from './wording.ts';

/** `GET /status`. */
export function statusPage(view: StatusView): string {
  const t = speaker(view.lang);
  const parts = { online: running, offline: running, ended, none };
  return page(view, {
    title: view.state === 'online' ? t('status_online') : t('page_home'),
    path: '/status',
    back: view.state !== 'online',
    body: parts[view.state](view),
    ...(view.state === 'online' && { refresh_seconds: { plain: 60, scripted: 60 } }),
  });
}

function running(view: StatusView): Html {
  const t = speaker(view.lang);
  const entitlement = view.entitlement;
  const online = view.state === 'online';
  const form = !online && view.connect && connectForm(view, view.connect, t('connect'));
  const logout = httpUrl(view.context?.link_logout);
  return html`<section class="now ${online && 'on'}">
<p class="lamp">${t(online ? 'status_online' : 'status_offline')}</p>
${entitlement && timeLeft(view, entitlement)}
</section>
${form}
${entitlement && facts(view, entitlement)}
<a class="${form ? 'second' : 'big'}" href="${link(view, '/')}">${t('buy_more')}</a>
<details><summary>${t('status_help')}</summary>
<ol class="tips"><li>${t('status_help_1')}</li><li>${t('status_help_2')}</li><li>${t('status_help_3')}</li></ol>
</details>
${online && logout && html`<a class="plain" href="${logout}">${t('disconnect')}</a>`}`;
}

function timeLeft(view: StatusView, entitlement: EntitlementView): Html {
  const t = speaker(view.lang);
  const left = secondsLeft(entitlement, view.now_at);
  if (left === null) {
    const validity = entitlement.validity_seconds;
    const later = startsLater(entitlement, view.now_at);
    return html`<h1 class="figure long">${entitlement.plan_name}</h1>
${later && html`<p>${t('starts_later', { when: clockTime(view.lang, later, view.now_at) })}</p>`}
${!later && validity && html`<p>${t('starts_on_connect', { validity: soldTime(view.lang, validity) })}</p>`}`;
  }
  const online = view.state === 'online';
  // Connected time stands still while offline, so its end is known only while it runs.
  const pauses = (entitlement.online_left_seconds ?? null) !== null;
  const figure = leftTime(view.lang, left);
  const end = online ? view.now_at + left * 1000 : entitlement.until_at;
  return html`<p class="label">${t('time_left')}</p>
<h1 class="figure num ${figure.length > 10 && 'long'}"${online && html` data-countdown="${left}" data-reload`}>${figure}</h1>
${end !== null && html`<p>${t(!online && pauses ? 'use_before' : 'ends', { when: clockTime(view.lang, end, view.now_at) })}</p>`}
${!online && pauses && html`<p>${t('paused_offline')}</p>`}`;
}

function facts(view: StatusView, entitlement: EntitlementView): Html {
  const t = speaker(view.lang);
  const quota = entitlement.quota_octets ?? null;
  const left = Math.max(0, entitlement.quota_left_octets ?? 0);
  const rate = entitlement.rate_down_kbps;
  return html`<dl class="facts">
${
  quota !== null &&
  html`<div class="wide"><dt>${t('data_left')}</dt><dd>${t('data_of', { left: dataSize(left, quota), total: dataSize(quota) })}
<progress max="100" value="${quota > 0 ? Math.round((left / quota) * 100) : 0}"></progress></dd></div>`
}
<div><dt>${t('plan')}</dt><dd>${entitlement.plan_name}</dd></div>
${rate && html`<div><dt>${t('speed')}</dt><dd>${speed(rate)}</dd></div>`}
<div><dt>${t('devices_label')}</dt><dd>${t('devices_of', { n: entitlement.devices_online ?? 0, max: entitlement.max_devices })}</dd></div>
</dl>`;
}

function ended(view: StatusView): Html {
  const t = speaker(view.lang);
  return html`<section class="hero warn">
<div class="mark">${icon('alert')}</div>
<h1>${t(view.ended_by === 'quota' ? 'ended_quota' : 'ended_time')}</h1>
<p>${t('ended_next')}</p>
</section>
<a class="big" href="${link(view, '/')}">${t('buy_again')}</a>
<a class="second" href="${link(view, '/voucher')}">${icon('ticket')}${t('have_voucher')}</a>`;
}

function none(view: StatusView): Html {
  const t = speaker(view.lang);
  return html`<section class="hero">
<div class="mark">${icon('wifi')}</div>
<h1>${t('none_title')}</h1>
<p>${t('none_next')}</p>
</section>
<a class="big" href="${link(view, '/')}">${t('choose_plan_button')}</a>
<a class="second" href="${link(view, '/voucher')}">${icon('ticket')}${t('have_voucher')}</a>`;
}
