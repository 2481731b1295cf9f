// The page for a guest who has paid and is not online.
import { accessPart } from './access.ts';
import { type Html, html } from './html.ts';
import { carried, icon, link, notice, page, speaker } from './layout.ts';
import type { PaidView } from './types.ts';
import { soldTime } from './wording.ts';

/** `GET /paid` and `POST /paid` (fields: text, ctx, lang); with `access` it connects, with `checking` it looks again. */
export function paidPage(view: PaidView): string {
  const t = speaker(view.lang);
  return page(view, {
    title: t('have_paid_title'),
    path: '/paid',
    back: !view.access,
    body: view.access ? connecting(view) : view.checking ? checking(view, view.checking) : ask(view),
  });
}

function connecting(view: PaidView): Html {
  const t = speaker(view.lang);
  const slow = view.slow_seconds;
  return html`${accessPart(view, view.access!, slow ? 'claim' : 'continue')}
${slow && html`<p class="hint">${t('slow_text', { time: soldTime(view.lang, slow) })}</p>`}`;
}

function checking(view: PaidView, receipt: string): Html {
  const t = speaker(view.lang);
  return html`<section class="hero warn">
<div class="mark ring">${icon('phone')}</div>
<h1>${t('checking_title')}</h1>
<p class="strong">${t('checking_text')}</p>
<p>${t('have_paid_checking', { code: receipt })}</p>
</section>
<form method="post" action="/paid">
<input type="hidden" name="text" value="${receipt}">
${carried(view)}
<button class="big" data-busy="${t('please_wait')}">${t('check_now')}</button>
</form>
<p class="hint">${t('have_paid_help')}</p>`;
}

function ask(view: PaidView): Html {
  const t = speaker(view.lang);
  const { error } = view;
  return html`${error && notice('bad', t(`claim_${error}`), t(`claim_${error}_next`))}
<form class="ask" method="post" action="/paid">
<h1>${t('have_paid_title')}</h1>
<label for="text">${t('have_paid_label')}</label>
<textarea class="field" id="text" name="text" rows="4" required maxlength="600" autocomplete="off" autocapitalize="characters" autocorrect="off" spellcheck="false" aria-describedby="hint"${error && html` aria-invalid="true"`}>${view.text ?? ''}</textarea>
<p class="hint" id="hint">${t('have_paid_hint')}</p>
${carried(view)}
<button class="big" data-busy="${t('please_wait')}">${t('have_paid_button')}</button>
</form>
<a class="plain" href="${link(view, '/')}">${t('back_to_plans')}</a>`;
}
