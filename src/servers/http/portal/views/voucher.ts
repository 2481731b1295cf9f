// The page that takes a voucher code.
import { accessPart } from './access.ts';
import { html } from './html.ts';
import { carried, link, notice, page, speaker } from './layout.ts';
import type { VoucherView } from './types.ts';

/** `GET /voucher` and `POST /voucher` (fields: code, ctx, lang); with `access` it connects. */
export function voucherPage(view: VoucherView): string {
  const t = speaker(view.lang);
  const { access, error } = view;
  return page(view, {
    title: t('voucher_title'),
    path: '/voucher',
    back: !access,
    body: access
      ? accessPart(view, access, 'voucher')
      : html`${error && notice('bad', t(`voucher_${error}`), t(`voucher_${error}_next`))}
<form class="ask" method="post" action="/voucher">
<h1>${t('voucher_title')}</h1>
<label for="code">${t('voucher_label')}</label>
<input class="field code" id="code" name="code" type="text" required maxlength="40" autocomplete="off" autocapitalize="characters" autocorrect="off" spellcheck="false" enterkeyhint="go" placeholder="ABCD-2345" value="${view.code ?? ''}" aria-describedby="hint"${error && html` aria-invalid="true"`} autofocus>
<p class="hint" id="hint">${t('voucher_hint')}</p>
${carried(view)}
<button class="big" data-busy="${t('please_wait')}">${t('voucher_button')}</button>
</form>
<a class="second" href="${link(view, '/')}">${t('pay_mpesa_instead')}</a>`,
  });
}
