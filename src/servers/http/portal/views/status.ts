// The page that says what is left.

import type { TextKey } from '../texts.ts';
import { connectForm } from './access.ts';
import { type Html, html, httpUrl } from './html.ts';
import { icon, link, notice, page, speaker } from './layout.ts';
import type { EntitlementView, StatusView } from './types.ts';
import { clockTime, dataSize, leftTime, secondsLeft, soldTime, speed, startsLater } from './wording.ts';

/** `GET /status`. */
export function statusPage(view: StatusView): string {
  const t = speaker(view.lang);
  const parts = { online: running, offline: running, ended, none };
  // One that has just been bought by a phone that is online begins in a moment.
  const seconds = view.entitlement?.until_at === null ? 10 : 60;
  return page(view, {
    title: view.state === 'online' ? t('status_online') : t('page_home'),
    path: '/status',
    back: view.state !== 'online',
    body: parts[view.state](view),
    ...(view.state === 'online' && { refresh_seconds: { plain: seconds, scripted: seconds } }),
  });
}

function running(view: StatusView): Html {
  const t = speaker(view.lang);
  const entitlement = view.entitlement;
  const online = view.state === 'online';
  const closed = entitlement?.closed_until;
  const form = !online && !closed && view.connect && connectForm(view, view.connect, t('connect'));
  const logout = httpUrl(view.context?.link_logout);
  return html`<section class="now ${online && 'on'}">
<p class="lamp">${t(online ? 'status_online' : 'status_offline')}</p>
${entitlement && timeLeft(view, entitlement)}
</section>
${entitlement && hurdle(view, entitlement)}
${form}
${entitlement && facts(view, entitlement)}
<a class="${form ? 'second' : 'big'}" href="${link(view, '/')}">${t(entitlement?.slow ? 'be_fast_again' : 'buy_more')}</a>
<details><summary>${t('status_help')}</summary>
<ol class="tips"><li>${t('status_help_1')}</li><li>${t('status_help_2')}</li><li>${t('status_help_3')}</li></ol>
</details>
${online && logout && html`<a class="plain" href="${logout}">${t('disconnect')}</a>`}`;
}

/** Why a plan that runs is slow, or of no use at this hour, and what to do about it. */
function hurdle(view: StatusView, entitlement: EntitlementView): Html | false {
  const t = speaker(view.lang);
  const closed = entitlement.closed_until;
  if (closed) {
    const over = entitlement.until_at !== null && entitlement.until_at <= closed.opens_at;
    const when = clockTime(view.lang, closed.opens_at, view.now_at);
    return notice(
      'warn',
      t('closed_now', { hours: closed.hours }),
      t(over ? 'closed_over' : 'closed_next', { when }),
    );
  }
  if (!entitlement.slow) return false;
  const rate = entitlement.rate_down_kbps ?? entitlement.rate_up_kbps;
  const now = rate ? t('slow_now_speed', { speed: speed(rate) }) : t('slow_now');
  return notice('warn', now, t('slow_now_next'));
}

function timeLeft(view: StatusView, entitlement: EntitlementView): Html {
  const t = speaker(view.lang);
  const left = secondsLeft(entitlement, view.now_at);
  if (left === null) {
    const validity = entitlement.validity_seconds;
    const later = startsLater(entitlement, view.now_at);
    return html`<h1 class="figure long">${entitlement.plan_name}</h1>
${later && html`<p>${t('starts_later', { when: clockTime(view.lang, later, view.now_at) })}</p>`}
${!later && validity && html`<p>${t(view.state === 'online' ? 'starts_by_itself' : 'starts_on_connect', { validity: soldTime(view.lang, validity) })}</p>`}`;
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
  const fast = entitlement.has_fair_use;
  const quota = (total: number | null | undefined, left: number | null | undefined, label: TextKey) =>
    (total ?? null) !== null && quotaFact(view, total ?? 0, Math.max(0, left ?? 0), label);
  const others = entitlement.others ?? [];
  const rate = entitlement.rate_down_kbps;
  return html`<dl class="facts">
${quota(entitlement.quota_octets, entitlement.quota_left_octets, fast ? 'fast_data_left' : 'data_left')}
${quota(entitlement.download_quota_octets, entitlement.download_left_octets, fast ? 'fast_download_left' : 'download_left')}
${quota(entitlement.upload_quota_octets, entitlement.upload_left_octets, fast ? 'fast_upload_left' : 'upload_left')}
<div><dt>${t('plan')}</dt><dd>${entitlement.plan_name}</dd></div>
${rate && html`<div><dt>${t('speed')}</dt><dd>${speed(rate)}</dd></div>`}
<div><dt>${t('devices_label')}</dt><dd>${t('devices_of', { n: entitlement.devices_online ?? 0, max: entitlement.max_devices })}</dd></div>
${others.length > 0 && html`<div class="wide"><dt>${t('also_yours')}</dt><dd>${others.slice(0, 5).join(', ')}${others.length > 5 && '…'}</dd></div>`}
</dl>`;
}

/** One quota: what is left of it, as a bar. */
function quotaFact(view: StatusView, total: number, left: number, label: TextKey): Html {
  const t = speaker(view.lang);
  return html`<div class="wide"><dt>${t(label)}</dt><dd>${t('data_of', { left: dataSize(left, total), total: dataSize(total) })}
<progress max="100" value="${total > 0 ? Math.round((left / total) * 100) : 0}"></progress></dd></div>`;
}

function ended(view: StatusView): Html {
  const t = speaker(view.lang);
  return html`<section class="hero warn">
<div class="mark">${icon('alert')}</div>
<h1>${t(`ended_${view.ended_by ?? 'time'}`)}</h1>
<p>${t(view.ended_by === 'stopped' ? 'ended_stopped_next' : 'ended_next')}</p>
</section>
<a class="big" href="${link(view, '/')}">${t(view.ended_by === 'stopped' ? 'back_to_plans' : 'buy_again')}</a>
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
