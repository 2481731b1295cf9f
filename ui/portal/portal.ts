// What scripts add to the guest's pages; everything works without them.

/** An order as `GET /api/orders/:id` answers. */
type OrderAnswer = { state?: string };

const POLL_MS = 2000;
const SLOW_POLL_MS = 5000;
const SLOW_AFTER_MS = 60_000;

/** Reloads when the order leaves the state this page shows: the server draws the next one. */
function watchOrder(address: string, shownState: string | undefined): void {
  const startedAt = Date.now();
  let timer = 0;
  let asking = false;

  async function ask(): Promise<void> {
    window.clearTimeout(timer);
    if (document.hidden || asking) return;
    asking = true;
    const answer = await fetch(address, { cache: 'no-store' })
      .then((response) => (response.ok ? (response.json() as Promise<OrderAnswer>) : undefined))
      // A phone between two masts: the next round asks again.
      .catch(() => undefined);
    asking = false;
    if (answer?.state && answer.state !== shownState) {
      location.reload();
      return;
    }
    timer = window.setTimeout(ask, Date.now() - startedAt > SLOW_AFTER_MS ? SLOW_POLL_MS : POLL_MS);
  }

  // The guest comes back from the PIN prompt: that is when news is most likely.
  document.addEventListener('visibilitychange', ask);
  ask();
}

/** `1:02:09`, `42:37`, `0:09`. */
function clock(seconds: number): string {
  const two = (n: number) => (n < 10 ? `0${n}` : String(n));
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(seconds % 60)}`;
}

/** Ticks by the time since the page arrived: phones' clocks are often wrong, their stopwatches are not. */
function countDown(element: HTMLElement): void {
  const total = Number(element.dataset.countdown);
  // Beyond a day the words say more than a clock.
  if (!(total > 0) || total > 86_400) return;
  const startedAt = Date.now();
  const timer = window.setInterval(tick, 1000);
  function tick(): void {
    const left = Math.round(total - (Date.now() - startedAt) / 1000);
    element.textContent = left > 0 ? clock(left) : '';
    if (left > 0) return;
    window.clearInterval(timer);
    if ('reload' in element.dataset) location.reload();
  }
  tick();
}

/** False shortly after this page posted itself: a router that refuses sends the phone straight back, and that would go round for ever. */
function mayConnectByItself(): boolean {
  const key = 'karibu-connected-at';
  try {
    const before = Number(sessionStorage.getItem(key));
    sessionStorage.setItem(key, String(Date.now()));
    return Date.now() - before > 30_000;
  } catch {
    // A mini-browser that stores nothing cannot tell: the button is there.
    return false;
  }
}

function busy(form: HTMLFormElement, on: boolean): void {
  const button = form.querySelector('button');
  if (!button) return;
  button.disabled = on;
  const words = button.dataset.busy;
  if (!words) return;
  if (on) {
    button.dataset.idle = button.textContent ?? '';
    button.textContent = words;
  } else if (button.dataset.idle) {
    button.textContent = button.dataset.idle;
  }
}

const { poll, state } = document.body.dataset;
if (poll) watchOrder(poll, state);

for (const element of document.querySelectorAll<HTMLElement>('[data-countdown]')) countDown(element);

for (const form of document.querySelectorAll('form')) {
  form.addEventListener('submit', (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = '1';
    busy(form, true);
  });
}

// Coming back by the back button shows the page as it was left: make it usable again.
window.addEventListener('pageshow', (event) => {
  if (!event.persisted) return;
  if (poll) location.reload();
  for (const form of document.querySelectorAll('form')) {
    delete form.dataset.sent;
    busy(form, false);
  }
});

const connect = document.querySelector<HTMLFormElement>('form[data-auto]');
if (connect && mayConnectByItself()) {
  busy(connect, true);
  connect.submit();
}
