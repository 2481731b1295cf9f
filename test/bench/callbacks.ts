// Measures a storm of M-PESA callbacks while RADIUS serves sign-ins, and how soon after the PIN a guest may sign in.
//
//   npx bun test/bench/callbacks.ts [--seconds 60] [--per-second 200] [--sign-ins 1000] [--sales 20]
//
// Drives the compiled binary (KARIBU_E2E_BINARY names another). Two processes besides it, all on 127.0.0.1: this one is
// M-PESA, the other one signs in. A request's time runs from when it was due. Every twentieth callback comes twice.
import { fork } from 'node:child_process';
import { parseArgs } from 'node:util';
import { newGuest, promptOf, push, successBody } from '../e2e/payments/support/counter.ts';
import { compare, readBooks } from '../e2e/payments/support/fates.ts';
import { isAccept, openNas } from '../e2e/support/nodes.ts';
import { openShop, orderIn, readOrder, SECRET, type Shop } from '../e2e/support/shop.ts';
import { until } from '../e2e/support/until.ts';
import { type RateResult, runRate } from './radius/rate.ts';
import { accessRequest, type Guest } from './radius/requests.ts';

const IDENTIFIERS = 256;
const SIGNING_IN = 256;
const BUYERS_AT_ONCE = 12;
const TWICE_EACH = 20;

interface SignIns {
  port: number;
  guests: Guest[];
  seconds: number;
  perSecond: number;
}

/** The other process: signs everyone in at a constant rate. */
async function signIn({ port, guests, seconds, perSecond }: SignIns): Promise<void> {
  const secret = Buffer.from(SECRET);
  const requests = Math.max(IDENTIFIERS, Math.min(60_000, seconds * perSecond));
  const lanes = Array.from({ length: IDENTIFIERS }, () => [] as Buffer[]);
  for (let at = 0; at < requests; at++) {
    const identifier = at % IDENTIFIERS;
    const guest = guests[at % guests.length] as Guest;
    lanes[identifier]?.push(accessRequest(guest, 'pap', identifier, secret));
  }
  process.send?.('ready');
  const result = await runRate({ port, lanes, seconds, perSecond });
  process.send?.(result, () => process.exit(0));
}

const share = (sorted: number[], part: number) =>
  sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN;
const ms = (value: number) => `${value.toFixed(1)} ms`;
const ascending = (a: number, b: number) => a - b;

/** Guests with a voucher that was used from their device before: a sign-in writes nothing. */
async function makeGuests(shop: Shop): Promise<Guest[]> {
  const batch = await shop.api.post<{ id: string }>('/voucher-batches', {
    plan_id: shop.plan.id,
    count: SIGNING_IN,
  });
  const vouchers = await until('the vouchers are made', async () => {
    const list = await shop.api.all<{ code: string }>(`/voucher-batches/${batch.id}/vouchers`);
    return list.length === SIGNING_IN ? list : undefined;
  });
  const nas = openNas();
  const guests: Guest[] = [];
  for (const [at, { code }] of vouchers.entries()) {
    const mac = `5A:00:00:06:00:${at.toString(16).padStart(2, '0').toUpperCase()}`;
    if (!isAccept(await nas.logIn([shop.karibu], code, code, mac))) throw new Error(`no Accept for ${code}`);
    guests.push({ username: code, password: code, mac, credential_id: '', entitlement_id: '' });
  }
  await nas.close();
  return guests;
}

interface Callback {
  url: string;
  body: string;
}

/** Orders whose PIN is in, each with the callback that M-PESA then sends. */
async function makeCallbacks(shop: Shop, count: number): Promise<Callback[]> {
  let left = count;
  await Promise.all(
    Array.from({ length: BUYERS_AT_ONCE }, async () => {
      while (left-- > 0) await push(shop);
    }),
  );
  await shop.mpesa.waitUntil(() => shop.mpesa.counts().prompts === count);
  await until('every PIN is in', () => shop.mpesa.ledger().length === count, 60);
  return shop.mpesa.prompts().map((prompt) => ({ url: prompt.callback_url, body: successBody(prompt) }));
}

interface Storm {
  sent: number;
  answers: Record<string, number>;
  times: number[];
}

async function storm(callbacks: Callback[], perSecond: number): Promise<Storm> {
  const due = callbacks.flatMap((one, at) => (at % TWICE_EACH === 0 ? [one, one] : [one]));
  const answers: Record<string, number> = {};
  const times: number[] = [];
  const under: Promise<void>[] = [];
  const began = performance.now();
  const headers = { 'content-type': 'application/json;charset=UTF-8', businessshortcode: '174379' };
  async function deliver({ url, body }: Callback, dueAt: number): Promise<void> {
    const answer = await fetch(url, { method: 'POST', headers, body }).catch((error: Error) => error);
    const word = answer instanceof Error ? answer.message : String(answer.status);
    if (!(answer instanceof Error)) await answer.arrayBuffer();
    times.push(performance.now() - dueAt);
    answers[word] = (answers[word] ?? 0) + 1;
  }
  for (let sent = 0; sent < due.length; ) {
    for (; sent < due.length && began + (sent * 1000) / perSecond <= performance.now(); sent++)
      under.push(deliver(due[sent] as Callback, began + (sent * 1000) / perSecond));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(under);
  return { sent: due.length, answers, times: times.sort(ascending) };
}

function next<T>(child: ReturnType<typeof fork>): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as T));
    child.once('exit', (code) => reject(new Error(`the one that signs in ended with ${code}`)));
  });
}

async function stormWithSignIns(shop: Shop, seconds: number, perSecond: number, signIns: number) {
  const guests = await makeGuests(shop);
  // Undecided, or the queries would settle what the callbacks are for.
  shop.mpesa.setKnobs({ callback_count: 0, query_error: 'processing' });
  const made = performance.now();
  const callbacks = await makeCallbacks(shop, seconds * perSecond);
  console.log(`${callbacks.length} orders made in ${Math.round((performance.now() - made) / 1000)} s`);
  const child = fork(import.meta.filename, { stdio: 'inherit' });
  const port = Number(shop.karibu.radius_auth.split(':').at(-1));
  child.send({ port, guests, seconds, perSecond: signIns } satisfies SignIns);
  await next(child);
  const [radius, callback] = await Promise.all([next<RateResult>(child), storm(callbacks, perSecond)]);
  const ended = performance.now();
  const { fates, problems } = await until(
    'all is settled',
    async () => {
      const now = compare(shop.mpesa.ledger(), await readBooks(shop.api));
      return [...now.fates.values()].every((fate) => fate === 'granted') &&
        now.fates.size === callbacks.length
        ? now
        : undefined;
    },
    120,
  );
  const settled = `${fates.size} granted once, ${problems.length} wrong, ${ms(performance.now() - ended)} after the last`;
  console.log(
    `callbacks  ${callback.sent} at ${perSecond} a second: ${JSON.stringify(callback.answers)}, p50 ${ms(share(callback.times, 0.5))}, p99 ${ms(share(callback.times, 0.99))}`,
  );
  console.log(`settled    ${settled}`);
  console.log(
    `sign-ins   ${radius.answered} of ${radius.sent} at ${signIns} a second, codes ${JSON.stringify(radius.codes)}, p50 ${ms(radius.p50Ms)}, p99 ${ms(radius.p99Ms)}, of which the sender's ${ms(radius.senderP99Ms)}`,
  );
  for (const problem of problems.slice(0, 20)) console.log(`wrong      ${problem}`);
  return problems.length === 0 && callback.answers['200'] === callback.sent;
}

/** From the PIN to the first Accept, ms. */
async function fromPin(shop: Shop, callback_count: number): Promise<number> {
  const nas = openNas();
  const guest = newGuest();
  const { id } = await push(shop, { outcome: 'person', callback_count }, guest);
  const { checkout_request_id } = await shop.mpesa.waitForPrompt(({ msisdn }) => msisdn === guest.msisdn);
  const began = performance.now();
  shop.mpesa.answer(checkout_request_id, { action: 'pin', pin: '1234' });
  let now = await readOrder(shop.karibu, id);
  while (now.state !== 'paid') {
    await new Promise((resolve) => setTimeout(resolve, callback_count === 0 ? 20 : 1));
    now = await readOrder(shop.karibu, id);
  }
  const answer = await nas.logIn([shop.karibu], now.username ?? '', now.password ?? '', guest.mac);
  const took = performance.now() - began;
  await nas.close();
  if (!isAccept(answer)) throw new Error(`no Accept for a paid guest, prompt ${promptOf(shop, guest).state}`);
  return took;
}

async function measure(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '60' },
      'per-second': { type: 'string', default: '200' },
      'sign-ins': { type: 'string', default: '1000' },
      sales: { type: 'string', default: '20' },
    },
  });
  const shop = await openShop();
  try {
    const first = await push(shop);
    await orderIn(shop.karibu, first.id, 'paid');
    const quick: number[] = [];
    for (let sale = 0; sale < Number(values.sales); sale++) quick.push(await fromPin(shop, 1));
    quick.sort(ascending);
    console.log(
      `from the PIN to an Accept, with a callback: p50 ${ms(share(quick, 0.5))}, worst ${ms(share(quick, 1))} of ${quick.length}`,
    );
    const alone = (await Promise.all([0, 0, 0].map((none) => fromPin(shop, none)))).sort(ascending);
    console.log(`without any callback: ${alone.map(ms).join(', ')}`);
  } finally {
    await shop.close();
  }
  const stormy = await openShop();
  try {
    const ok = await stormWithSignIns(
      stormy,
      Number(values.seconds),
      Number(values['per-second']),
      Number(values['sign-ins']),
    );
    console.log(ok ? 'ok' : 'failed');
    if (!ok) process.exitCode = 1;
  } finally {
    await stormy.close();
  }
}

if (process.send) process.once('message', (task) => void signIn(task as SignIns));
else await measure();
