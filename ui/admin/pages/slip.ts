// The slip of a cash sale, for the roll of a 58 or 80 mm printer: printed at once, or again.
import { useEffect } from 'preact/hooks';
import { exactTime, formatMoney, formatMsisdn, groupCode } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { useLoad } from '../load.ts';
import { setQuery, usePlace } from '../navigation.ts';
import { Button, Failure, LinkButton, Loading, PageHead } from '../parts/basics.ts';
import { CopyButton } from '../parts/copy.ts';
import { Icon } from '../parts/icon.ts';
import { canSendSms, smsHref } from '../parts/sms-link.ts';
import type { Slip } from '../types.ts';

/** What is sent in place of paper; undefined when there is nothing left to use. */
export function slipText({ sale, business, home, link }: Slip): string | undefined {
  if (sale.voided_at !== null) return undefined;
  const paid = `${business.name}: ${sale.plan_name}, ${formatMoney(sale.amount_cents)} paid in cash.`;
  if (home) return `${paid} For ${home.username}. Asante!`;
  if (!sale.code || sale.voucher_state !== 'unused') return undefined;
  const how = link ? `Join the WiFi and open ${link}` : 'Join the WiFi and type it.';
  return `${paid} Code ${groupCode(sale.code)}. ${how}`;
}

export function SlipPage({ id }: { id: string }) {
  const { data, error, reload } = useLoad<Slip>(`/payments/${id}/slip`);
  const atOnce = usePlace().query.has('print');
  const ready = data !== undefined;
  useEffect(() => {
    if (!ready || !atOnce) return;
    setQuery({ print: undefined }); // Loaded again, the page prints nothing by itself.
    window.print();
  }, [ready, atOnce]);
  if (!data) {
    return html`<${PageHead} title="Slip" back="/sell" /><div class="card">
      ${error ? html`<${Failure} error=${error} onRetry=${reload} />` : html`<${Loading} />`}</div>`;
  }
  const { sale } = data;
  const text = slipText(data);
  return html`<${PageHead} title="Slip" sub=${`${sale.plan_name} · ${formatMoney(sale.amount_cents)}`} back="/sell">
      <${LinkButton} href="/sell" icon="sell">Sell<//><//>
    <${Paper} slip=${data} />
    <div class="slip-acts">
      <${Button} icon="print" look="primary" class="wide tall" onClick=${() => window.print()}>Print<//>
      ${
        text &&
        canSendSms() &&
        html`<a class="button plain" href=${smsHref(data.home?.msisdn ?? sale.msisdn, text)}>
          <${Icon} name="phone" /><span>Send by SMS</span></a>`
      }
      ${text && html`<${CopyButton} text=${text}>Copy the text<//>`}
      <${LinkButton} href=${`/payments/${sale.payment_id}`} look="quiet">Open the payment<//>
    </div>`;
}

/** Black on white, whatever the page looks like: it is paper. */
function Paper({ slip }: { slip: Slip }) {
  const { sale, business, home, link, qr } = slip;
  const back = sale.voided_at !== null;
  return html`<article class="slip" aria-label="Slip">
    <header><b>${business.name}</b>
      ${business.support_phone && html`<span>${formatMsisdn(business.support_phone)}</span>`}</header>
    ${back && html`<p class="slip-stamp">Taken back</p>`}
    ${!back && sale.code && html`<p class="slip-code">${groupCode(sale.code)}</p>`}
    ${!back && qr && html`<svg class="slip-qr" viewBox=${`-1 -1 ${qr.size + 2} ${qr.size + 2}`} shape-rendering="crispEdges" role="img" aria-label="QR code of the voucher"><path d=${qr.path} /></svg>`}
    ${
      !back &&
      sale.code &&
      html`<p>${sale.voucher_state === 'redeemed' ? 'This code is in use.' : link ? 'Join the WiFi, then scan, or type the code.' : 'Join the WiFi, then type the code.'}</p>
        ${sale.voucher_state !== 'redeemed' && html`<p lang="sw">Unganisha WiFi, kisha ${link ? 'skani, au ' : ''}andika nambari hii.</p>`}`
    }
    <dl>
      ${home && html`<div><dt>For</dt><dd>${home.name ?? home.username}</dd></div>`}
      ${home?.name && html`<div><dt>User name</dt><dd>${home.username}</dd></div>`}
      <div><dt>${sale.plan_name}</dt><dd>${formatMoney(sale.amount_cents)}</dd></div>
      ${home?.ends_at && !back && html`<div><dt>Until</dt><dd>${exactTime(home.ends_at)}</dd></div>`}
      <div><dt>Paid</dt><dd>Cash</dd></div>
      <div><dt>Sold</dt><dd>${exactTime(sale.created_at)}</dd></div>
      <div><dt>By</dt><dd>${sale.account_name}</dd></div>
      <div><dt>No.</dt><dd>${sale.payment_id.slice(-8)}</dd></div>
    </dl>
    <footer>Asante sana · Thank you</footer>
  </article>`;
}
