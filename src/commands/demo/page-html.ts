// The demo page's markup.
import { groupCode } from '../../lib/codes.ts';
import type { DemoControls, DemoState } from './page.ts';

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

const MARK =
  '<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><circle cx="16" cy="25" r="3.2"/><path d="M9.6 18.8a9 9 0 0 1 12.8 0M4.4 13.4a16.4 16.4 0 0 1 23.2 0"/></svg>';
const ARROW = '<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M7 17 17 7M9 7h8v8"/></svg>';

function control(id: string, title: string, says: string): string {
  return `<button type="button" class="control" id="${id}"><b>${title}</b><span>${says}</span></button>`;
}

/** The whole page; the script keeps it true from then on. */
export function pageHtml({ urls, account }: DemoControls, state: DemoState): string {
  const admin = escapeHtml(urls.admin);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Karibu demo</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/demo.css">
</head>
<body data-phone="${state.phone.number}">
<header class="top">
  <p class="brand">${MARK}<b>Karibu</b><span>demo</span></p>
  <p class="figures"><span><b id="online-now">${state.online_now}</b> online</span><span>KES <b id="sales">${Math.round(state.sales_today_cents / 100).toLocaleString('en-US')}</b> today</span><span id="clock" title="The demo’s clock, in Nairobi">--:--</span></p>
</header>

<main>
<section class="lead">
  <h1>Sell internet beside a MikroTik router, from one small box.</h1>
  <p>Everything here is the real program. Only the world around it is simulated: a router, a phone, M&#8209;PESA. It all runs on this computer and no money moves.</p>
</section>

<ol class="steps">
  <li data-step="1"><i>1</i><div><h2>Be the guest</h2><p>Choose a plan on the phone. Any number will do, such as 0712&nbsp;345&nbsp;678.</p></div></li>
  <li data-step="2"><i>2</i><div><h2>Pay</h2><p>M-PESA asks on the second screen. Any four digits are the PIN; 0000 is wrong.</p></div></li>
  <li data-step="3"><i>3</i><div><h2>Be the owner</h2><p>See the session, the payment and its evidence in the admin.</p></div></li>
</ol>

<div class="stage">
  <figure class="phone">
    <figcaption><span><b>Phone <span id="phone-number">${state.phone.number}</span></b> on the WiFi</span><a id="phone-link" href="${escapeHtml(state.phone.url)}" target="_blank" rel="noreferrer">own window ${ARROW}</a></figcaption>
    <div class="case"><iframe id="browser" title="The guest’s phone" src="${escapeHtml(state.phone.url)}"></iframe></div>
  </figure>

  <figure class="phone" id="payer">
    <figcaption><span><b>Its M-PESA</b></span><span class="ask" id="ask" hidden>asks for the PIN</span></figcaption>
    <div class="case"><iframe title="M-PESA on the same phone" src="${escapeHtml(urls.mpesa)}/phone"></iframe></div>
  </figure>

  <div class="side">
    <section class="card owner">
      <h2>The owner’s side</h2>
      <a class="button" id="admin" href="${admin}" target="_blank">Open the admin ${ARROW}</a>
      <dl><dt>E-mail</dt><dd><button type="button" class="copy" data-copy="${escapeHtml(account.email)}">${escapeHtml(account.email)}</button></dd>
      <dt>Password</dt><dd><button type="button" class="copy" data-copy="${escapeHtml(account.password)}">${escapeHtml(account.password)}</button></dd></dl>
    </section>

    <section class="card" aria-live="polite">
      <h2>This phone</h2>
      <p class="status" id="status" data-online="no"><i></i><b id="status-text">Not online</b></p>
      <dl class="session" id="session" hidden>
        <div><dt>Plan</dt><dd id="plan"></dd></div>
        <div><dt>Left</dt><dd id="left"></dd></div>
        <div><dt>Down</dt><dd id="down"></dd></div>
        <div><dt>Up</dt><dd id="up"></dd></div>
      </dl>
      <p class="voucher" id="voucher-line"${state.voucher ? '' : ' hidden'}>Or use a voucher: <button type="button" class="copy code" id="voucher" data-copy="${state.voucher ?? ''}">${state.voucher ? groupCode(state.voucher) : ''}</button></p>
    </section>

    <section class="card">
      <h2>Make things happen</h2>
      <div class="controls">
        ${control('another', 'Another phone', 'Someone else joins the WiFi')}
        ${control('hour', 'Let an hour pass', 'The clock jumps; what is due ends')}
        ${control('power', 'Power cut at the router', 'Everyone is thrown out at once')}
        <a class="control" id="end" href="${admin}/sessions" target="_blank"><b>End a session ${ARROW}</b><span>Admin → Sessions → Disconnect</span></a>
      </div>
      <p class="phones" id="phones" hidden></p>
    </section>

    <section class="card tape">
      <h2>Behind the scenes</h2>
      <ol id="tape"><li class="none">Buy a plan, and what happens between phone, M-PESA, router and Karibu is told here.</li></ol>
    </section>
  </div>
</div>
</main>

<p class="toast" id="toast" role="status" hidden></p>
<noscript><p class="noscript">This page needs scripts. The guest’s pages do not: ${escapeHtml(state.phone.url)}</p></noscript>
<script src="/demo.js"></script>
</body>
</html>`;
}
