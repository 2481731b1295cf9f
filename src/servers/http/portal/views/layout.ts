// The frame every page stands in, with the pieces several pages share.
import { type TextKey, text } from '../texts.ts';
import { type Html, html, localPath } from './html.ts';
import type { Lang, PageView } from './types.ts';

/** A function that says a text in the page's language. */
export function speaker(lang: Lang): (key: TextKey, words?: Record<string, string | number>) => string {
  return (key, words) => text(lang, key, words);
}

/** A path with the guest's context and language, which no cookie carries: mini-browsers drop them. */
export function link(view: PageView, path: string, query: Record<string, string> = {}): string {
  const all = new URLSearchParams(query);
  if (view.ctx) all.set('ctx', view.ctx);
  if (!all.has('lang')) all.set('lang', view.lang);
  return `${path}?${all}`;
}

/** The same two as fields of a form. */
export function carried(view: PageView): Html {
  return html`${view.ctx && html`<input type="hidden" name="ctx" value="${view.ctx}">`}<input type="hidden" name="lang" value="${view.lang}">`;
}

type Frame = {
  title: string;
  body: Html;
  /** Where the language switch leads: this page's own path and query. */
  path: string;
  query?: Record<string, string>;
  /** Seconds until a reload without scripts; with scripts it is only the safety net. */
  refresh_seconds?: { plain: number; scripted?: number };
  /** The order the script watches. */
  poll?: string;
  /** The state it stands in, so that the script knows a change. */
  poll_state?: string;
  /** Show the way back to the plans in the header. */
  back?: boolean;
  /** A large word of welcome in the header. */
  greeting?: string;
};

/** A complete document. */
export function page(view: PageView, frame: Frame): string {
  const t = speaker(view.lang);
  const other: Lang = view.lang === 'en' ? 'sw' : 'en';
  const switchTo = link(view, frame.path, { ...frame.query, lang: other });
  const logo = localPath(view.business.logo);
  const refresh = frame.refresh_seconds;
  return html`<!doctype html>
<html lang="${view.lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="format-detection" content="telephone=no">
<title>${frame.title} · ${view.business.name}</title>
${refresh?.scripted && html`<meta http-equiv="refresh" content="${refresh.scripted}">`}
${refresh && html`<noscript><meta http-equiv="refresh" content="${refresh.plain}"></noscript>`}
<link rel="stylesheet" href="/assets/portal.css">
<script src="/assets/portal.js" defer></script>
</head>
<body${frame.poll && html` data-poll="${frame.poll}" data-state="${frame.poll_state}"`}>
<header class="head">
<div class="wrap">
<div class="bar">
${frame.back && html`<a class="back" href="${link(view, '/')}" aria-label="${t('back_to_plans')}">${icon('back')}</a>`}
<a class="brand" href="${link(view, '/')}">${logo && html`<img src="${logo}" alt="" width="40" height="40">`}<span>${view.business.name}</span></a>
<a class="lang" href="${switchTo}" lang="${other}" hreflang="${other}">${text(other, 'language')}</a>
</div>
${frame.greeting && html`<div class="greet" aria-hidden="true">${frame.greeting}</div>`}
</div>
</header>
<main class="wrap body">
${frame.body}
</main>
<footer class="wrap foot">${support(view)}</footer>
</body>
</html>
`.markup;
}

/** A call costs no data, so it is the help that works without internet. */
function support(view: PageView): Html | null {
  const phone = view.business.support_phone;
  const digits = phone?.replace(/[^\d+]/g, '');
  if (!phone || !digits) return null;
  return html`<a class="help" href="tel:${digits}">${icon('call')}<span>${text(view.lang, 'help')}: <b>${phone}</b></span></a>`;
}

/** What went wrong with what to do next; never one without the other. */
export function notice(kind: 'bad' | 'warn', problem: string, next: string): Html {
  return html`<div class="notice ${kind}" role="alert">${icon('alert')}<p><b>${problem}</b> ${next}</p></div>`;
}

const ICONS: Record<string, string> = {
  back: 'M15 5l-7 7 7 7',
  go: 'M9 5l7 7-7 7',
  call: 'M6 3h3l2 5-2.5 1.5a11 11 0 0 0 6 6L16 13l5 2v3a3 3 0 0 1-3 3A15 15 0 0 1 3 6a3 3 0 0 1 3-3z',
  alert: 'M12 8v5m0 3.5v.5M12 3l10 18H2z',
  ok: 'M5 12.5l5 5L19.5 7',
  wifi: 'M2 9a14.5 14.5 0 0 1 20 0M5.5 12.7a9.5 9.5 0 0 1 13 0M9 16.3a4.5 4.5 0 0 1 6 0M12 20v.1',
  phone: 'M8 2h8a2 2 0 0 1 2 2v16a2 2 0 0 1-2 2H8a2 2 0 0 1-2-2V4a2 2 0 0 1 2-2zm3 16.5h2',
  ticket: 'M3 6h18v4a2 2 0 0 0 0 4v4H3v-4a2 2 0 0 0 0-4zM15 6v2m0 3v2m0 3v2',
};

/** A line drawing in the colour of the text around it. */
export function icon(name: keyof typeof ICONS): Html {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="${ICONS[name]}"/></svg>`;
}
