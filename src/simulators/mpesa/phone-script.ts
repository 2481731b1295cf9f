// Runs the simulated phone in the browser: draws its state, sends what the person does.

// Plain ES2020 without template literals, so that it can stand inside one.
export const PHONE_SCRIPT = `
'use strict';
const byId = (id) => document.getElementById(id);
const number = byId('number'), dots = byId('dots'), toast = byId('toast'), send = byId('send'), hand = byId('hand'), payee = byId('payee');
let state = { msisdn: null }, pin = '', shown = null, lastMessageAt = null, toastTimer;

const local = (msisdn) => '0' + msisdn.slice(3, 6) + ' ' + msisdn.slice(6, 9) + ' ' + msisdn.slice(9);
const clock = (at) => new Date(at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', timeZone: 'Africa/Nairobi' });

function tell(text) {
  toast.textContent = text;
  toast.hidden = !text;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { toast.hidden = true; }, 2500);
}

function drawPin() {
  [...dots.children].forEach((dot, i) => dot.classList.toggle('on', i < pin.length));
  dots.setAttribute('aria-label', pin.length + ' of 4 digits entered');
  send.disabled = pin.length !== 4;
}

function drawMessages(messages) {
  const list = byId('messages');
  list.replaceChildren(...[...messages].reverse().map((message, i) => {
    const item = document.createElement('li');
    const head = document.createElement('header');
    const from = document.createElement('b');
    from.textContent = 'M-PESA';
    const time = document.createElement('time');
    time.textContent = clock(message.at);
    head.append(document.createElement('i'), from, time);
    const text = document.createElement('p');
    text.textContent = message.text;
    item.append(head, text);
    if (i === 0 && lastMessageAt !== null && message.at > lastMessageAt) item.className = 'new';
    return item;
  }));
  const newest = messages.length ? messages[messages.length - 1].at : 0;
  if (lastMessageAt !== null && newest > lastMessageAt) toast.hidden = true;
  lastMessageAt = newest;
  byId('empty').hidden = messages.length > 0;
}

function drawPayees(payees) {
  const wanted = JSON.stringify(payees);
  if (payee.dataset.drawn === wanted) return;
  payee.dataset.drawn = wanted;
  payee.replaceChildren(...payees.map((one) => {
    const option = document.createElement('option');
    option.value = one.number;
    option.dataset.kind = one.kind;
    option.textContent = (one.kind === 'till' ? 'Till ' : 'Paybill ') + one.number + ' · ' + one.name;
    return option;
  }));
  askAccount();
}

function askAccount() {
  const till = payee.selectedOptions[0] && payee.selectedOptions[0].dataset.kind === 'till';
  const account = byId('account');
  account.hidden = byId('account-label').hidden = !!till;
  account.required = !till;
}

function openHand(open) {
  hand.hidden = !open;
  byId('veil').hidden = !open && !shown;
  byId('home').inert = open || !!shown;
  byId('pin').value = '';
  handError('');
  if (open) (byId('account').hidden ? byId('amount') : byId('account')).focus();
}

function handError(text) {
  const line = byId('hand-error');
  line.textContent = text ? text.charAt(0).toUpperCase() + text.slice(1) + '.' : '';
  line.hidden = !text;
}

async function payByHand() {
  const wish = Object.fromEntries(new FormData(hand));
  wish.msisdn = state.msisdn;
  wish.amount_shillings = Number(wish.amount_shillings);
  byId('hand-send').disabled = true;
  byId('pin').value = '';
  try {
    const answer = await fetch('simulator/payments', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(wish) });
    if (answer.ok) openHand(false);
    else handError((await answer.json()).error);
  } catch (error) {
    handError('the simulator does not answer');
  }
  byId('hand-send').disabled = false;
}

function draw(next) {
  const sameOwner = next.msisdn === state.msisdn;
  if (!sameOwner) lastMessageAt = null;
  state = next;
  if (document.activeElement !== number) number.value = state.msisdn ? local(state.msisdn) : '';
  byId('wallet').textContent = state.msisdn ? 'KES ' + state.wallet_shillings.toLocaleString('en-US') : '–';
  drawMessages(state.messages || []);
  const prompt = state.prompt || null;
  const fresh = prompt && prompt.id !== shown;
  shown = prompt ? prompt.id : null;
  byId('prompt').hidden = !prompt;
  if (prompt) hand.hidden = true;
  byId('veil').hidden = !prompt && hand.hidden;
  byId('home').inert = !byId('veil').hidden;
  drawPayees(state.payees || []);
  byId('pay').hidden = !state.msisdn || !(state.payees || []).length;
  document.title = prompt ? '\\u25cf M-PESA asks for the PIN' : 'Phone';
  if (!fresh) return;
  pin = '';
  drawPin();
  byId('ask').textContent = prompt.text;
  toast.hidden = true;
  document.body.classList.remove('buzz');
  void document.body.offsetWidth;
  document.body.classList.add('buzz');
  if (navigator.vibrate && navigator.userActivation && navigator.userActivation.hasBeenActive) navigator.vibrate([80, 60, 80]);
}

async function act(action, note) {
  if (!shown) return;
  const body = JSON.stringify(action);
  pin = '';
  drawPin();
  try {
    const answer = await fetch('simulator/prompts/' + shown, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    if (answer.ok) tell(note);
    else tell((await answer.json()).error);
  } catch (error) {
    tell('The simulator does not answer.');
  }
}

function press(digit) {
  if (pin.length < 4) pin += digit;
  drawPin();
}

document.querySelectorAll('[data-digit]').forEach((key) => key.addEventListener('click', () => press(key.dataset.digit)));
byId('erase').addEventListener('click', () => { pin = pin.slice(0, -1); drawPin(); });
send.addEventListener('click', () => { if (pin.length === 4) act({ action: 'pin', pin }, 'Sending…'); });
byId('cancel').addEventListener('click', () => act({ action: 'cancel' }, 'Cancelled'));
byId('ignore').addEventListener('click', () => act({ action: 'ignore' }, 'Ignored'));
document.addEventListener('keydown', (event) => {
  if (!shown || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^[0-9]$/.test(event.key)) press(event.key);
  else if (event.key === 'Backspace') { pin = pin.slice(0, -1); drawPin(); }
  else if (event.key === 'Enter' && event.target.tagName !== 'BUTTON' && pin.length === 4) send.click();
  else if (event.key === 'Escape') act({ action: 'cancel' }, 'Cancelled');
});
byId('pay').addEventListener('click', () => openHand(true));
byId('hand-cancel').addEventListener('click', () => openHand(false));
payee.addEventListener('change', askAccount);
hand.addEventListener('submit', (event) => { event.preventDefault(); payByHand(); });
hand.addEventListener('keydown', (event) => { if (event.key === 'Escape') openHand(false); });
number.addEventListener('focus', () => number.select());

const tick = () => { byId('clock').textContent = clock(Date.now()); };
tick();
setInterval(tick, 5000);

// EventSource reconnects by itself, so the phone survives a restart of the simulator.
new EventSource('phone/events' + location.search).onmessage = (event) => draw(JSON.parse(event.data));
`;
