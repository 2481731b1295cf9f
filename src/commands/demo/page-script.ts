// The demo page's script: asks for the state, draws it, passes on what is pressed.

// Plain ES2020 without template literals, so that it can stand inside one.
export const PAGE_SCRIPT = `
'use strict';
const byId = (id) => document.getElementById(id);
const browser = byId('browser'), toast = byId('toast');
let phone = Number(document.body.dataset.phone), wasOnline = null, wasAsked = false, toastTimer, drawn = '';

function tell(text) {
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { toast.hidden = true; }, 3200);
}

const nairobi = (at, seconds) => new Date(at).toLocaleTimeString('en-GB', {
  hour: '2-digit', minute: '2-digit', second: seconds ? '2-digit' : undefined, timeZone: 'Africa/Nairobi',
});

function size(octets) {
  if (octets < 1e6) return Math.round(octets / 1e3) + ' kB';
  if (octets < 1e9) return (octets / 1e6).toFixed(octets < 1e7 ? 1 : 0) + ' MB';
  return (octets / 1e9).toFixed(2) + ' GB';
}

function span(seconds) {
  const days = Math.floor(seconds / 86400), hours = Math.floor(seconds / 3600) % 24, minutes = Math.floor(seconds / 60) % 60;
  if (days) return days + ' d ' + hours + ' h';
  if (hours) return hours + ' h ' + minutes + ' min';
  return minutes ? minutes + ' min ' + Math.floor(seconds % 60) + ' s' : Math.floor(seconds) + ' s';
}

/** Opens the phone's browser anew: what a phone does by itself when the network holds it back. */
function reopen(url) {
  browser.src = url;
}

function drawTape(lines) {
  const text = JSON.stringify(lines);
  if (text === drawn || lines.length === 0) return;
  const before = drawn;
  drawn = text;
  byId('tape').replaceChildren(...[...lines].reverse().map((line) => {
    const item = document.createElement('li');
    item.dataset.by = line.by;
    if (before && !before.includes(JSON.stringify(line).slice(1, -1))) item.className = 'new';
    const time = document.createElement('time');
    time.textContent = nairobi(line.at, true);
    const who = document.createElement('b');
    who.textContent = line.by;
    item.append(time, who, ' ' + line.text);
    return item;
  }));
}

function drawPhones(phones, inHand) {
  const row = byId('phones');
  row.hidden = phones.length < 2;
  if (row.childElementCount === phones.length && row.dataset.inHand === String(inHand)) return;
  row.dataset.inHand = inHand;
  row.replaceChildren(...phones.map((one) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Phone ' + one.number;
    button.setAttribute('aria-pressed', String(one.number === inHand));
    button.addEventListener('click', () => take(one.number));
    return button;
  }));
}

function draw(state) {
  const session = state.session;
  byId('online-now').textContent = state.online_now;
  byId('sales').textContent = Math.round(state.sales_today_cents / 100).toLocaleString('en-US');
  const ahead = Math.round(state.ahead_ms / 3600000);
  byId('clock').textContent = nairobi(state.now_at) + (ahead ? ' (+' + ahead + ' h)' : '');
  byId('status').dataset.online = session ? 'yes' : 'no';
  byId('status-text').textContent = session ? 'Online as ' + session.username : 'Not online';
  byId('session').hidden = !session;
  if (session) {
    byId('plan').textContent = session.plan_name || '…';
    byId('left').textContent = session.ends_at ? span(Math.max(0, (session.ends_at - state.now_at) / 1000)) : '…';
    byId('down').textContent = size(session.download_octets);
    byId('up').textContent = size(session.upload_octets);
  }
  byId('voucher-line').hidden = !state.voucher || !!session;
  if (state.voucher && byId('voucher').dataset.copy !== state.voucher) {
    byId('voucher').dataset.copy = state.voucher;
    byId('voucher').textContent = state.voucher.replace(/(.{4})(?=.)/g, '$1-');
  }
  byId('end').href = byId('admin').href.replace(/\\/$/, '') + '/sessions' + (session && session.session_id ? '/' + session.session_id : '');
  const step = session ? 3 : state.prompt ? 2 : 1;
  document.querySelectorAll('[data-step]').forEach((item) => {
    const own = Number(item.dataset.step);
    item.dataset.state = own === step ? 'now' : own < step ? 'done' : 'later';
  });
  byId('ask').hidden = !state.prompt;
  byId('payer').dataset.asks = state.prompt ? 'yes' : 'no';
  if (state.prompt && !wasAsked) byId('payer').scrollIntoView({ block: 'nearest', behavior: 'smooth' });
  wasAsked = state.prompt;
  drawPhones(state.phones, state.phone.number);
  drawTape(state.tape);
  if (wasOnline && !session && state.phone.number === phone) reopen(state.phone.url);
  wasOnline = !!session;
}

async function look() {
  try {
    const answer = await fetch('/state', { cache: 'no-store' });
    if (answer.ok) draw(await answer.json());
    document.body.classList.remove('gone');
  } catch (error) {
    document.body.classList.add('gone');
    byId('status-text').textContent = 'The demo has stopped';
  }
}

async function press(path) {
  const answer = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
  if (!answer.ok) throw new Error('The demo refused: ' + answer.status);
  return answer.json();
}

async function take(number) {
  const taken = await press('/phones/' + number);
  phone = taken.number;
  wasOnline = null;
  byId('phone-number').textContent = taken.number;
  byId('phone-link').href = taken.url;
  reopen(taken.url);
  await look();
}

function onPress(id, act) {
  byId(id).addEventListener('click', async (event) => {
    const button = event.currentTarget;
    button.disabled = true;
    try {
      await act();
    } catch (error) {
      tell(String(error.message || error));
    }
    button.disabled = false;
    look();
  });
}

onPress('another', async () => {
  const state = await (await fetch('/state')).json();
  await take(state.phones.length + 1);
  tell('This is phone ' + phone + ' now');
});
onPress('hour', async () => {
  await press('/hour');
  tell('An hour has passed');
});
onPress('power', async () => {
  await press('/power-cut');
  tell('The router has lost power, and is back');
});

document.querySelectorAll('.copy').forEach((button) => button.addEventListener('click', async () => {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    tell('Copied');
  } catch (error) {
    // Without leave for the clipboard the text is at least selected.
    const range = document.createRange();
    range.selectNodeContents(button);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  }
}));

look();
setInterval(() => { if (!document.hidden) look(); }, 1000);
`;
