// The part of a page that brings the phone online, or shows the credential when there is no router to post to.
import { type Html, html, httpUrl } from './html.ts';
import { carried, icon, speaker } from './layout.ts';
import type { AccessView, ConnectView, PageView } from './types.ts';

/**
 * The router's own login form, filled in (routeros.md §2.3). Undefined when its address is no http address.
 * `data-auto` lets the script post it, once for each page address.
 */
export function connectForm(view: PageView, connect: ConnectView, label: string): Html | undefined {
  const action = httpUrl(connect.action);
  if (!action) return undefined;
  if (connect.takes_place) return placeForm(view, label);
  const dst = httpUrl(connect.dst);
  const t = speaker(view.lang);
  return html`<form method="post" action="${action}"${connect.auto && html` data-auto`}>
<input type="hidden" name="username" value="${connect.username}">
<input type="hidden" name="password" value="${connect.password}">
${dst && html`<input type="hidden" name="dst" value="${dst}">`}
<input type="hidden" name="popup" value="false">
<button class="big" data-busy="${t('please_wait')}">${icon('wifi')}${label}</button>
</form>`;
}

/** Asks for the place of another device, or of this phone under its former MAC address. */
function placeForm(view: PageView, label: string): Html {
  const t = speaker(view.lang);
  return html`<p>${t('takes_place')}</p>
<form method="post" action="/continue">
${carried(view)}
<button class="big" data-busy="${t('please_wait')}">${icon('wifi')}${label}</button>
</form>`;
}

const CONNECTING = {
  order: 'connecting_title',
  voucher: 'connecting_voucher_title',
  continue: 'connecting_continue_title',
  claim: 'slow_title',
} as const;
const READY = {
  order: 'access_title',
  voucher: 'access_voucher_title',
  continue: 'connecting_continue_title',
  claim: 'slow_title',
} as const;

/** After a payment or a voucher: connect by one tap, or the credential in large letters. */
export function accessPart(view: PageView, access: AccessView, from: keyof typeof CONNECTING): Html {
  const t = speaker(view.lang);
  const form = access.connect && connectForm(view, access.connect, t('connect_now'));
  if (form) {
    return html`<section class="hero good">
<div class="mark">${icon('ok')}</div>
<h1>${t(CONNECTING[from])}</h1>
<p>${t('connecting_hint')}</p>
</section>
${form}`;
  }
  // A voucher is one code: its password is the code again, or nothing.
  const isCode = access.password === '' || access.password === access.username;
  const where = view.context?.name || view.business.name;
  return html`<section class="hero good">
<div class="mark">${icon('ok')}</div>
<h1>${t(READY[from])}</h1>
</section>
<dl class="login">
<div><dt>${t(isCode ? 'code' : 'username')}</dt><dd>${access.username}</dd></div>
${!isCode && html`<div><dt>${t('password')}</dt><dd>${access.password}</dd></div>`}
</dl>
<ol class="steps">
<li>${t('access_step_1', { name: where })}</li>
<li>${t(isCode ? 'access_step_2_code' : 'access_step_2_both')}</li>
<li>${t('access_keep')}</li>
</ol>`;
}
