// Mixes what happens to payments at random, pulls the plug in between, and holds the books against M-PESA's ledger.
import { randomUUID } from 'node:crypto';
import type { Knobs, LedgerEntry } from '../../src/simulators/mpesa/index.ts';
import { type Guest, newGuest, post, promptOf, push, successBody } from '../e2e/payments/support/counter.ts';
import { type Books, type Comparison, compare, readBooks } from '../e2e/payments/support/fates.ts';
import { send } from '../e2e/support/api.ts';
import { openShop, order, type Shop } from '../e2e/support/shop.ts';
import { until } from '../e2e/support/until.ts';
import { type Chance, chance } from '../protocols/radius/material.ts';

/** So many mixes share a box; then another one begins in an empty folder. */
const MIXES_A_BOX = 125;
const LEAST_ACTIONS = 4;
const MOST_ACTIONS = 9;
/** The plug is pulled in so many mixes of ten. */
const CUTS_IN_TEN = 4;
const LONGEST_BEFORE_CUT_MS = 400;
/** Wrong, and believed: then only a C2B notice or the pull tells of the money. */
const SAYS_FAILED = 'callback says failed';
/** The night's proof of the internal ledger is made after so many mixes. */
const MIXES_A_PROOF = 10;

export interface Mixes {
  mixes: number;
  seed: number;
}

/** What became of the money of one kind of happening; `none`: no money moved; `by_pull`: of these the pull alone told. */
type Tally = Record<'played' | 'granted' | 'pending' | 'unmatched' | 'reversed' | 'by_pull' | 'none', number>;

export interface MixesResult {
  mixes: number;
  cuts: number;
  shillings: number;
  proofs: number;
  kinds: Map<string, Tally>;
  problems: string[];
}

interface Box {
  shop: Shop;
  by: Chance;
  smsAddress: string;
  /** Which kind of happening each payer was part of. */
  kinds: Map<string, string>;
  told: Map<string, number>;
  /** Receipts of which an SMS was taken. */
  forwarded: Set<string>;
  /** Keys of cash sales; true once one was acknowledged. */
  cash: Map<string, boolean>;
  settled: string[];
}

type Script = Partial<Omit<Knobs, 'rules'>>;
type Happening = (box: Box, guest: Guest) => Promise<void>;

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

function sale(set: Script): Happening {
  return async ({ shop, by }, guest) => {
    await push(shop, { outcome_delay_ms: by.below(60), callback_delay_ms: by.below(60), ...set }, guest);
  };
}

const when = (at: number) => {
  const eat = new Date(at + 3 * 3_600_000);
  const hour = eat.getUTCHours();
  const minute = String(eat.getUTCMinutes()).padStart(2, '0');
  const day = `${eat.getUTCDate()}/${eat.getUTCMonth() + 1}/${eat.getUTCFullYear() % 100}`;
  return `${day} at ${hour % 12 || 12}:${minute} ${hour < 12 ? 'AM' : 'PM'}`;
};

/** What the operator's own phone gets when someone has paid by hand. */
function receivedSms(entry: LedgerEntry): string {
  const { receipt, payer_msisdn, amount_shillings, account_reference, paid_at } = entry;
  return `${receipt} Confirmed. on ${when(paid_at)}Ksh${amount_shillings}.00 received from ${payer_msisdn} JANE DOE. Account Number ${account_reference} New Utility balance is Ksh100.00`;
}

/** Forwards the SMS of a payment until it was taken: a forwarder tries again, Daraja does not. */
async function forward(box: Box, receipt: string): Promise<void> {
  const entry = box.shop.mpesa.ledger().find((one) => one.receipt === receipt);
  if (!entry) return;
  const raw = JSON.stringify({ from: 'MPESA', text: receivedSms(entry) });
  const answer = await until(
    'the SMS is taken',
    async () => {
      const now = await send<{ taken?: boolean }>('POST', box.smsAddress, { raw }).catch(() => undefined);
      return now?.status === 200 && now;
    },
    20,
  );
  if (!answer.body.taken) throw new Error(`an SMS was not read: ${raw}`);
  box.forwarded.add(receipt);
}

async function payByHand(box: Box, guest: Guest, amount: number, reference: string): Promise<void> {
  const paid = await box.shop.mpesa.payByHand({
    ...{ msisdn: guest.msisdn, to: box.shop.mpesa.merchants[0]!.shortcode },
    ...{ account_reference: reference, amount_shillings: amount },
  });
  if (!paid.ok) throw new Error(paid.problem);
  await pause(box.by.below(50));
  await forward(box, paid.receipt);
  if (box.by.below(2) === 0) await forward(box, paid.receipt);
}

async function sellForCash(box: Box, key: string): Promise<void> {
  box.cash.set(key, false);
  for (let times = box.by.below(2); times >= 0; times--) {
    const answer = await box.shop.api.send('POST', '/payments/cash', {
      body: { plan_id: box.shop.plan.id },
      headers: { 'idempotency-key': key },
    });
    if (answer.status !== 201)
      throw new Error(`cash answered ${answer.status} ${JSON.stringify(answer.body)}`);
    box.cash.set(key, true);
  }
}

const HAPPENINGS: Record<string, Happening> = {
  'paid, callback once': sale({}),
  'callback twice': sale({ callback_count: 2 }),
  'callback eight times at once': sale({ callback_count: 8, callback_concurrent: true }),
  'callback lost': sale({ callback_count: 0 }),
  'callback late': sale({ callback_held: true }),
  'callback before the answer': sale({ callback_before_response: true, accept_delay_ms: 50 }),
  'callback in other types': sale({ callback_types: 'string', callback_shuffle: true }),
  'callback with decimals': sale({ callback_types: 'decimal', callback_balance: 'absent' }),
  'callback with a masked number': sale({ callback_phone: 'masked' }),
  'callback without a receipt': sale({ callback_receipt: false }),
  'callback for another shortcode': sale({ callback_shortcode: '999999' }),
  'callback names another amount': sale({ callback_amount_shillings: 15 }),
  'push answered too late': sale({ accept_delay_ms: 400 }),
  'push answer lost': sale({ drop: 'after_accept' }),
  'push answer and callback lost': sale({ drop: 'after_accept', callback_count: 0 }),
  'push lost': sale({ drop: 'before_accept' }),
  'push answer, callback and C2B lost': sale({ drop: 'after_accept', callback_count: 0, c2b_count: 0 }),
  'callback and C2B lost': sale({ callback_count: 0, c2b_count: 0 }),
  'C2B before the callback': sale({ callback_delay_ms: 150, c2b_count: 2, c2b_concurrent: true }),
  'C2B late': sale({ c2b_delay_ms: 300 }),
  [SAYS_FAILED]: sale({ callback_result_code: '1032', c2b_delay_ms: 100 }),
  'push refused': sale({ stk_error: 'spike_arrest' }),
  cancelled: sale({ outcome: '1032' }),
  'wrong PIN': sale({ outcome: '2001' }),
  'no answer, told by query alone': sale({ outcome: '1037', callback_count: 0 }),
  async 'query in noise'({ shop }, guest) {
    const { id } = await push(shop, { callback_count: 0, query_noise_rate: 0.5 }, guest);
    for (let times = 0; times < 3; times++) await shop.api.post(`/orders/${id}/query`);
  },
  async 'token refused'({ shop }, guest) {
    shop.mpesa.setKnobs({ bearer_faults: ['token_404'] });
    await push(shop, {}, guest);
  },
  async 'tapped three times'({ shop }, guest) {
    await Promise.all([
      push(shop, {}, guest),
      order(shop.karibu, shop.plan, guest.number, guest.mac),
      order(shop.karibu, shop.plan, guest.number, guest.mac),
    ]);
  },
  async 'bought twice'({ shop }, guest) {
    const first = await push(shop, { callback_count: 2 }, guest);
    await until('it is decided', async () => {
      const { state } = await shop.api.get<{ state: string }>(`/orders/${first.id}`);
      return state === 'paid';
    });
    await push(shop, {}, guest);
  },
  async 'forged success'({ shop, by }, guest) {
    await push(shop, { outcome: '1032', callback_count: 0 }, guest);
    const prompt = promptOf(shop, guest);
    const forgery = by.pick([
      { msisdn: '254700000001' },
      { amount: 1 },
      { checkout_request_id: 'ws_CO_1' },
      { receipt: 'UKL1111111', msisdn: '254711111111' },
    ]);
    await post(prompt.callback_url, successBody(prompt, forgery));
    await post(prompt.callback_url.replace(/[^/]+$/, 'x'.repeat(43)), successBody(prompt));
  },
  async 'old success replayed'({ shop, by }, guest) {
    const old = shop.mpesa.prompts().filter(({ receipt }) => receipt !== null);
    await push(shop, { outcome: '1032', outcome_delay_ms: 100 }, guest);
    const prompt = promptOf(shop, guest);
    if (old.length > 0) await post(prompt.callback_url, successBody(by.pick(old)));
  },
  async 'rubbish, then paid'({ shop, by }, guest) {
    await push(shop, { outcome_delay_ms: 50 }, guest);
    const { callback_url } = promptOf(shop, guest);
    for (const raw of ['', '{', '<html>']) await post(callback_url, raw + by.below(10));
  },
  async 'by hand, for an order'(box, guest) {
    await push(box.shop, { drop: 'before_accept' }, guest);
    await payByHand(box, guest, 20, 'WIFI');
  },
  async 'by hand, for nothing known'(box, guest) {
    await payByHand(box, guest, box.by.pick([5, 20, 37]), box.by.pick(['wifi', '0722', 'KODI YA MWEZI']));
  },
  async 'by hand, for a plan'(box, guest) {
    await payByHand(box, guest, 20, '1hour');
  },
  async 'by hand, by the code of an order'(box, guest) {
    await push(box.shop, { outcome: '1032' }, guest);
    await payByHand(box, guest, 20, promptOf(box.shop, guest).account_reference);
  },
  async 'by hand, another amount'(box, guest) {
    await push(box.shop, { drop: 'before_accept' }, guest);
    await payByHand(box, guest, 19, 'WIFI');
  },
  cash: (box) => sellForCash(box, randomUUID()),
};

async function openBox(by: Chance): Promise<Box> {
  const shop = await openShop();
  const url = `http://${shop.karibu.callback}`;
  await shop.api.put('/tunnel', { mode: 'manual', url });
  await shop.api.post('/go-live/c2b', { version: 'v1' });
  await shop.api.put('/tunnel', { mode: 'none', url });
  shop.mpesa.setKnobs({ c2b_delay_ms: 0 });
  await shop.api.put('/settings/sms-payments', { enabled: true, pay_to: 'paybill', pay_to_number: '174379' });
  await shop.api.post('/till-sessions', { opening_cents: 0 });
  const { address } = await shop.api.post<{ address: string }>('/settings/sms-payments/address');
  return {
    ...{ shop, by, smsAddress: `http://${shop.karibu.callback}${new URL(address).pathname}` },
    ...{ kinds: new Map(), told: new Map(), forwarded: new Set(), cash: new Map(), settled: [] },
  };
}

/** Money of which nothing that reached the box can tell before the pull: the answer to its push was lost, and its notices. */
function findNameless(box: Box, books: Books): Set<string> {
  const known = new Set(books.checkouts.values());
  const nameless = box.shop.mpesa
    .ledger()
    .filter(
      (entry) =>
        entry.source === 'stk' &&
        (entry.callback_http_status !== 200 || box.kinds.get(entry.payer_msisdn) === SAYS_FAILED) &&
        entry.confirmations.every(({ http_status }) => http_status !== 200) &&
        (!known.has(entry.checkout_request_id) || box.kinds.get(entry.payer_msisdn) === SAYS_FAILED) &&
        !box.forwarded.has(entry.receipt),
    );
  return new Set(nameless.map(({ receipt }) => receipt));
}

/** What a box does by itself within the hour is asked for now: late callbacks come, open orders are asked about. */
async function comeToRest(
  box: Box,
  { all = false, seconds = 20 } = {},
): Promise<Comparison & { nameless: Set<string> }> {
  const { mpesa, api } = box.shop;
  for (const prompt of mpesa.prompts().filter(({ callback_held }) => callback_held))
    mpesa.release(prompt.checkout_request_id);
  for (const [key, done] of box.cash) if (!done) await sellForCash(box, key);
  await mpesa.waitUntilQuiet();
  let last: (Comparison & { nameless: Set<string> }) | undefined;
  const asked = new Map<string, number>();
  await until(
    'the books agree',
    async () => {
      const books = await readBooks(api);
      const nameless = findNameless(box, books);
      const unheard = all ? new Set<string>() : nameless;
      last = { ...compare(mpesa.ledger(), books, { told: box.told, unheard }), nameless };
      const cash = books.payments.filter(({ gateway }) => gateway === 'cash').length;
      if (cash !== box.cash.size) last.problems.push(`${box.cash.size} cash sales are ${cash} payments`);
      if (last.problems.length === 0) return true;
      const open = await Promise.all(
        (['pending', 'checking'] as const).map((state) =>
          api.all<{ id: string; checkout_request_id: string | null }>(`/orders?state=${state}`),
        ),
      );
      for (const { id, checkout_request_id } of open.flat())
        if (checkout_request_id && Date.now() - (asked.get(id) ?? 0) > 500) {
          asked.set(id, Date.now());
          await api.post(`/orders/${id}/query`);
        }
      return false;
    },
    seconds,
  ).catch((error: Error) => {
    if (!last) throw error;
  });
  return last!;
}

function noteAmounts(box: Box): void {
  const named = box.shop.mpesa
    .ledger()
    .filter(
      (entry) =>
        entry.source === 'stk' && box.kinds.get(entry.payer_msisdn) === 'callback names another amount',
    );
  // Only a notice names an amount: where the query alone told of it, it is the sum asked for.
  for (const entry of named) if (entry.callback_http_status === 200) box.told.set(entry.receipt, 15);
}

/** What the box itself said of it. */
const errorsOf = ({ shop }: Box) =>
  shop.karibu
    .output()
    .split('\n')
    .filter((line) => line.includes('"level":"error"'))
    .slice(-10);

/** One mix; what is wrong afterwards. */
async function playMix(box: Box, result: MixesResult): Promise<string[]> {
  const { shop, by } = box;
  const names = Object.keys(HAPPENINGS);
  const count = LEAST_ACTIONS + by.below(MOST_ACTIONS - LEAST_ACTIONS + 1);
  const failures: string[] = [];
  let isCut = false;
  const actions = Array.from({ length: count }, async () => {
    const name = by.pick(names);
    const guest = newGuest();
    box.kinds.set(guest.msisdn, name);
    tallyOf(result, name).played++;
    await pause(by.below(120));
    await HAPPENINGS[name]!(box, guest).catch((error: Error) => {
      // Whoever was talking to the box when the plug was pulled heard nothing more.
      if (!isCut) failures.push(`${name}: ${error.message}`);
    });
  });
  if (by.below(10) < CUTS_IN_TEN) {
    await pause(by.below(LONGEST_BEFORE_CUT_MS));
    isCut = true;
    result.cuts++;
    await shop.karibu.kill9();
    await shop.karibu.restart();
  }
  await Promise.all(actions);
  await shop.mpesa.waitUntilQuiet();
  noteAmounts(box);
  const { problems } = await comeToRest(box);
  const wrong = [...failures, ...problems];
  return wrong.length === 0 ? [] : [...wrong, ...errorsOf(box)];
}

function tallyOf(result: MixesResult, kind: string): Tally {
  const found = result.kinds.get(kind);
  if (found) return found;
  const fresh = { played: 0, granted: 0, pending: 0, unmatched: 0, reversed: 0, by_pull: 0, none: 0 };
  result.kinds.set(kind, fresh);
  return fresh;
}

/** A last power cut, and the sweep after it: now nothing may be unheard of. */
async function closeBox(box: Box, result: MixesResult): Promise<void> {
  const { nameless } = await comeToRest(box);
  await box.shop.api.post('/go-live/pull', { msisdn: '0722000000' });
  await box.shop.karibu.kill9();
  await box.shop.karibu.restart();
  const { fates, problems } = await comeToRest(box, { all: true, seconds: 90 });
  result.problems.push(...problems);
  await prove(box, result);
  const payers = new Set<string>();
  for (const entry of box.shop.mpesa.ledger()) {
    const kind = box.kinds.get(entry.payer_msisdn) ?? 'unknown';
    payers.add(entry.payer_msisdn);
    const fate = fates.get(entry.receipt);
    if (fate) tallyOf(result, kind)[fate]++;
    if (nameless.has(entry.receipt)) tallyOf(result, kind).by_pull++;
    result.shillings += entry.amount_shillings;
  }
  for (const [msisdn, kind] of box.kinds) if (!payers.has(msisdn)) tallyOf(result, kind).none++;
}

async function prove(box: Box, result: MixesResult): Promise<void> {
  const proof = await box.shop.api.post<{ ok: boolean; problems: string[] }>('/ledger/proof');
  result.proofs++;
  if (!proof.ok) result.problems.push(...proof.problems.map((problem) => `ledger: ${problem}`));
}

/** Plays so many mixes with the compiled binary; ends early at the first that leaves anything wrong. */
export async function playMixes({ mixes, seed }: Mixes, say: (line: string) => void): Promise<MixesResult> {
  const by = chance(seed);
  const result: MixesResult = { mixes: 0, cuts: 0, shillings: 0, proofs: 0, kinds: new Map(), problems: [] };
  let box: Box | undefined;
  try {
    while (result.mixes < mixes && result.problems.length === 0) {
      box ??= await openBox(by);
      result.problems.push(...(await playMix(box, result)));
      result.mixes++;
      if (result.mixes % MIXES_A_PROOF === 0) await prove(box, result);
      if (result.mixes % 25 === 0) say(`${result.mixes} mixes, ${result.cuts} cuts`);
      if (result.problems.length > 0 || result.mixes === mixes || result.mixes % MIXES_A_BOX === 0) {
        await closeBox(box, result);
        await box.shop.close();
        box = undefined;
      }
    }
  } finally {
    await box?.shop.close();
  }
  return result;
}

/** The outcomes by kind, as lines. */
export function tableOf({ kinds }: MixesResult): string[] {
  const columns = ['played', 'granted', 'pending', 'unmatched', 'reversed', 'by_pull', 'none'] as const;
  const line = (name: string, cells: (string | number)[]) =>
    name.padEnd(36) + cells.map((cell) => String(cell).padStart(10)).join('');
  const rows = [...kinds].sort(([a], [b]) => a.localeCompare(b));
  const sum = (column: (typeof columns)[number]) =>
    rows.reduce((total, [, tally]) => total + tally[column], 0);
  return [
    line('', [...columns]),
    ...rows.map(([name, tally]) =>
      line(
        name,
        columns.map((column) => tally[column]),
      ),
    ),
    line('all', columns.map(sum)),
  ];
}
