// Serves the page on which a person plays the phone.
import { randomBytes } from 'node:crypto';
import { PHONE_SCRIPT } from './phone-script.ts';
import { PHONE_STYLE } from './phone-style.ts';

const KEYS = [
  ['1', ''],
  ['2', 'ABC'],
  ['3', 'DEF'],
  ['4', 'GHI'],
  ['5', 'JKL'],
  ['6', 'MNO'],
  ['7', 'PQRS'],
  ['8', 'TUV'],
  ['9', 'WXYZ'],
] as const;

const keypad = KEYS.map(
  ([digit, letters]) =>
    `<button type="button" class="key" data-digit="${digit}">${digit}<small>${letters}</small></button>`,
).join('');

const BACKSPACE =
  '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M8.5 5H20a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H8.5L3 12z"/><path d="m11.5 9.5 5 5m0-5-5 5"/></svg>';
const SIGNAL =
  '<svg viewBox="0 0 40 12" aria-hidden="true"><rect x="0" y="8" width="3" height="4" rx="1"/><rect x="5" y="5.5" width="3" height="6.5" rx="1"/><rect x="10" y="3" width="3" height="9" rx="1"/><rect x="15" y="0" width="3" height="12" rx="1"/><rect x="23.5" y="1.5" width="13" height="9" rx="2.5" fill="none" stroke="currentColor"/><rect x="25" y="3" width="8.5" height="6" rx="1.2"/><rect x="37.5" y="4.5" width="1.5" height="3" rx=".7"/></svg>';

/** The page and the content policy it runs under; it loads nothing and may be framed by anyone. */
export function phonePage(): { html: string; policy: string } {
  const nonce = randomBytes(16).toString('base64');
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="color-scheme" content="light dark">
<title>Phone</title>
<style nonce="${nonce}">${PHONE_STYLE}</style>
</head>
<body>
<main class="handset">
  <div class="screen">
    <header class="status"><span id="clock" aria-label="Time in Nairobi">--:--</span><span class="carrier">SIM</span>${SIGNAL}</header>

    <section class="home" id="home">
      <div class="owner">
        <div class="avatar" aria-hidden="true"><svg viewBox="0 0 24 24"><rect x="6.5" y="2" width="11" height="20" rx="2.5"/><path d="M10.5 18.5h3"/></svg></div>
        <form id="whose"><label for="number">This phone</label><input id="number" name="msisdn" inputmode="tel" autocomplete="off" placeholder="waiting for a payment" size="14"></form>
        <p class="wallet"><span>M-PESA</span><b id="wallet">–</b></p>
      </div>
      <button type="button" class="pay" id="pay" hidden>Lipa na M-PESA</button>
      <h1 class="sr">Messages</h1>
      <ol class="messages" id="messages" aria-live="polite"></ol>
      <p class="empty" id="empty">When someone pays with this number, M&#8209;PESA asks for the PIN here.</p>
    </section>

    <div class="veil" id="veil" hidden></div>
    <section class="prompt" id="prompt" role="dialog" aria-modal="true" aria-labelledby="ask" hidden>
      <p class="brand"><i></i>M-PESA<button type="button" class="ignore" id="ignore">Ignore</button></p>
      <p class="ask" id="ask"></p>
      <p class="pin-label" id="pin-label">Enter M-PESA PIN</p>
      <div class="dots" id="dots" role="img" aria-label="No digits entered"><i></i><i></i><i></i><i></i></div>
      <div class="keys">
        ${keypad}
        <button type="button" class="key soft" id="erase" aria-label="Erase one digit">${BACKSPACE}</button>
        <button type="button" class="key" data-digit="0">0<small>+</small></button>
        <span></span>
      </div>
      <div class="actions"><button type="button" class="cancel" id="cancel">Cancel</button><button type="button" class="send" id="send" disabled>Send</button></div>
    </section>
    <form class="prompt by-hand" id="hand" aria-labelledby="hand-title" hidden>
      <p class="brand" id="hand-title"><i></i>LIPA NA M-PESA</p>
      <label for="payee">Pay to</label>
      <select id="payee" name="to"></select>
      <label for="account" id="account-label">Account number</label>
      <input id="account" name="account_reference" maxlength="20" autocomplete="off" autocapitalize="characters">
      <label for="amount">Amount, KES</label>
      <input id="amount" name="amount_shillings" inputmode="numeric" pattern="[0-9]{1,6}" required autocomplete="off">
      <label for="pin">M-PESA PIN</label>
      <input id="pin" name="pin" type="password" inputmode="numeric" pattern="[0-9]{4}" maxlength="4" required autocomplete="off">
      <p class="hand-error" id="hand-error" role="alert" hidden></p>
      <div class="actions"><button type="button" class="cancel" id="hand-cancel">Cancel</button><button class="send" id="hand-send">Pay</button></div>
    </form>
    <p class="toast" id="toast" role="status" hidden></p>
  </div>
</main>
<noscript><p class="noscript">The simulated phone needs scripts.</p></noscript>
<aside class="legend"><b>Simulated phone</b> Any PIN pays, 0000 is wrong.</aside>
<script nonce="${nonce}">${PHONE_SCRIPT}</script>
</body>
</html>`;
  const policy = [
    "default-src 'none'",
    `style-src 'nonce-${nonce}'`,
    `script-src 'nonce-${nonce}'`,
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
  ].join('; ');
  return { html, policy };
}
