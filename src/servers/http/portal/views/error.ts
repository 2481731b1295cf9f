// The page for what could not be shown.
import { html } from './html.ts';
import { icon, link, page, speaker } from './layout.ts';
import type { ErrorView } from './types.ts';

/** Any status of 400 and above; it always offers the way back to the plans. */
export function errorPage(view: ErrorView): string {
  const t = speaker(view.lang);
  return page(view, {
    title: t(`error_${view.kind}`),
    path: '/',
    body: html`<section class="hero warn" role="alert">
<div class="mark">${icon('alert')}</div>
<h1>${t(`error_${view.kind}`)}</h1>
<p>${t(`error_${view.kind}_next`)}</p>
</section>
<a class="big" href="${link(view, '/')}">${t('back_to_plans')}</a>
<a class="second" href="${link(view, '/status')}">${t('see_left')}</a>`,
  });
}
