// The go-live checklist: what was tried of M-PESA, what came of it, and whether it still holds.
import { createPlan, findPlan, type Plan } from '../access/plans.ts';
import type { Db } from '../db/schema.ts';
import { readSetting, writeSetting } from '../db/settings.ts';
import { formatMoney } from '../lib/money.ts';
import type { Vault } from '../lib/secrets.ts';
import { describeInitiatorResult, describeResult } from '../protocols/mpesa/index.ts';
import { readBalance } from './balance.ts';
import { listOrderEvidence } from './evidence.ts';
import type { TestStep } from './gateways.ts';
import { type InitiatorView, initiatorMark, PASSWORD_DAYS, viewInitiator } from './initiator.ts';
import { findRequest } from './mpesa-requests.ts';
import { readMpesaSettings } from './mpesa-settings.ts';
import { findOrder, type Order } from './orders.ts';

const KEY = 'go_live';
const DAY = 86_400_000;
/** From here on the end of a password is a warning, days. */
const WARN_DAYS = 14;

export const GO_LIVE_STEPS = ['keys', 'shortcode', 'push', 'callback', 'c2b', 'pull', 'initiator'] as const;
export type GoLiveStep = (typeof GO_LIVE_STEPS)[number];

/** again: it was tried, but with other settings than now. optional: nothing is wrong, and nothing was done. */
export type GoLiveState = 'unknown' | 'ok' | 'warning' | 'failed' | 'waiting' | 'again' | 'optional';

export interface GoLiveResult {
  step: GoLiveStep;
  state: GoLiveState;
  /** When it was tried. */
  at: number | null;
  message: string;
  hint: string | null;
}

interface Kept {
  state: 'ok' | 'warning' | 'failed';
  at: number;
  message: string;
  hint: string | null;
  /** What it was tried with. */
  about: string;
}

interface Stored {
  results?: Partial<Record<GoLiveStep, Kept>>;
  push?: { order_id: string; at: number; about: string };
  balance?: { request_id: string; at: number; about: string; reachable: boolean };
  plan_id?: string;
}

const UNTRIED: Record<GoLiveStep, string> = {
  keys: 'Not tested yet.',
  shortcode: 'Not tested yet.',
  push: 'Send KES 1 from your own phone: the whole way of a sale, with real money.',
  callback: 'Not tested yet.',
  c2b: 'Not registered from here: payments by hand are then found by the pull alone.',
  pull: 'Not enabled from here: notices that were lost stay unknown until a statement is read.',
  initiator: 'Not set up: looking up a code and sending money back need it.',
};

async function readStored(db: Db): Promise<Stored> {
  return (await readSetting<Stored>(db, KEY)) ?? {};
}

/** Names the settings that a step was tried with, without telling them. `url`: the public address. */
export async function aboutStep(
  db: Db,
  vault: Vault,
  step: GoLiveStep,
  url: string | undefined,
): Promise<string> {
  const settings = await readMpesaSettings(db, vault);
  if (step === 'callback') return vault.fingerprint(`callback ${url}`);
  if (step === 'c2b' || step === 'pull') {
    return vault.fingerprint(JSON.stringify([step, settings?.environment, settings?.shortcode, url]));
  }
  if (step === 'initiator') {
    const about = [step, settings?.environment, settings?.shortcode, await initiatorMark(db)];
    return vault.fingerprint(JSON.stringify(about));
  }
  return vault.fingerprint(JSON.stringify({ ...settings, callback_base_url: null }));
}

/** Keeps what came of a step. */
export async function keepGoLive(
  db: Db,
  step: GoLiveStep,
  tried: TestStep & { warning?: boolean },
  about: string,
  now: number,
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    const stored = await readStored(tx);
    const kept: Kept = {
      state: tried.ok ? (tried.warning ? 'warning' : 'ok') : 'failed',
      at: now,
      message: tried.message,
      hint: tried.hint || null,
      about,
    };
    await writeSetting(tx, KEY, { ...stored, results: { ...stored.results, [step]: kept } }, now);
  });
}

/** The hidden plan that the push is for: KES 1, five minutes. Made at the first push. */
export async function rehearsalPlan(db: Db, now: number): Promise<Plan> {
  return db.transaction().execute(async (tx) => {
    const stored = await readStored(tx);
    const known = stored.plan_id ? await findPlan(tx, stored.plan_id) : undefined;
    if (known) return known;
    const plan = await createPlan(
      tx,
      {
        name: 'Test push',
        description: 'For the go-live checklist: KES 1 from the operator’s own phone.',
        kind: 'hotspot',
        price_cents: 100,
        state: 'hidden',
        position: 1000,
        validity_seconds: 300,
        online_seconds: null,
        quota_octets: null,
        rate_down_kbps: 1024,
        rate_up_kbps: 1024,
        max_devices: 1,
      },
      now,
    );
    await writeSetting(tx, KEY, { ...stored, plan_id: plan.id }, now);
    return plan;
  });
}

/** Remembers the order of the last push; what comes of it is read from the order. */
export async function keepPush(db: Db, orderId: string, about: string, now: number): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await writeSetting(
      tx,
      KEY,
      { ...(await readStored(tx)), push: { order_id: orderId, at: now, about } },
      now,
    );
  });
}

/** Remembers the last question for the balance; `reachable`: whether its answer can come in. */
export async function keepBalanceTest(
  db: Db,
  asked: { request_id: string; about: string; reachable: boolean },
  now: number,
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await writeSetting(tx, KEY, { ...(await readStored(tx)), balance: { ...asked, at: now } }, now);
  });
}

/** What a refused push means, and what to do (payments.md §1.4). */
const REFUSALS: Record<string, string> = {
  credentials:
    'Shortcode and passkey do not belong together. For a till, the shortcode is the store (head office) number.',
  shortcode: 'The shortcode is wrong, or not live for M-PESA Express yet: ask Safaricom’s API support.',
  product: 'Add the product “M-PESA Express” to your app on the Daraja portal, then wait up to an hour.',
  token: 'The keys and the environment do not belong together.',
  bad_request:
    'Daraja found a field wrong: the message names it. Check shortcode, till number and callback address.',
  rate_limited: 'Daraja is busy. Wait a minute, then try again.',
  unreachable: 'Check the internet connection of this box.',
  busy_phone: 'Finish any other M-PESA session on that phone, wait a minute, then try again.',
  rejected: 'Compare every field with the Daraja portal.',
};

/** Result codes that the operator's settings are to blame for (payments.md §1.6). */
const BLAMED: Record<string, string> = {
  '2028': 'Paybill or till is set wrong: the kind, the shortcode and the till number must fit together.',
  SFC_IC0003: 'M-PESA does not know the receiver: check the till number and the kind.',
  '8': 'Your M-PESA account is full: withdraw to the bank first.',
  '1025': 'M-PESA could not send the prompt. Try again; if it stays, shorten the names of your plans.',
};

const seconds = (ms: number) => `${Math.max(1, Math.round(ms / 1000))} s`;

async function readPush(db: Db, push: NonNullable<Stored['push']>): Promise<GoLiveResult | undefined> {
  const order = await findOrder(db, push.order_id);
  if (!order) return undefined;
  const about = { step: 'push' as const, at: push.at };
  if (order.state === 'paid') return { ...about, ...(await readPaid(db, order)) };
  if (order.state === 'failed') {
    const code = order.result_code ?? '';
    const refused = code.startsWith('refused:') ? code.slice('refused:'.length) : undefined;
    return {
      ...about,
      state: 'failed',
      message: refused ? `Daraja refused it: ${order.problem}` : `${code}: ${describeResult(code).operator}`,
      hint:
        (refused ? REFUSALS[refused] : BLAMED[code]) ??
        (code === 'unanswered' ? 'Nothing was heard of it: try again.' : 'Try again.'),
    };
  }
  return order.state === 'pending'
    ? { ...about, state: 'waiting', message: 'The prompt is on its way: enter your PIN.', hint: null }
    : {
        ...about,
        state: 'waiting',
        message: `M-PESA has not decided${order.problem ? ` (${order.problem})` : ''}.`,
        hint: 'Karibu keeps asking. Do not pay again yet.',
      };
}

async function readPaid(db: Db, order: Order): Promise<Pick<GoLiveResult, 'state' | 'message' | 'hint'>> {
  const evidence = await listOrderEvidence(db, order.id);
  const callback = evidence.find((one) => one.kind === 'stk_callback' && one.state !== 'quarantined');
  const took = seconds((order.paid_at ?? order.created_at) - order.created_at);
  if (callback) {
    const came = seconds(callback.received_at - order.created_at);
    return { state: 'ok', message: `Paid in ${took}; M-PESA’s notice came after ${came}.`, hint: null };
  }
  return {
    state: 'warning',
    message: `Paid in ${took}, known because Karibu asked: no notice has come.`,
    hint: 'Sales work like this, a little slower and at first without receipts. Open a way in to have both.',
  };
}

function readInitiator(view: InitiatorView, now: number): GoLiveResult {
  const about = { step: 'initiator' as const, at: view.password_set_at };
  if (view.password_ends_at === null) {
    return { ...about, state: 'optional', message: UNTRIED.initiator, hint: null };
  }
  const left = Math.ceil((view.password_ends_at - now) / DAY);
  const renew = 'Set a new password for it on the organisation portal, then enter it here.';
  if ((view.certificate_ends_at ?? Number.POSITIVE_INFINITY) <= now) {
    const hint = 'Download M-PESA’s certificate anew from the Daraja portal.';
    return { ...about, state: 'failed', message: 'M-PESA’s certificate has ended.', hint };
  }
  if (left <= 0) {
    return { ...about, state: 'failed', message: `The password of ${view.name} has ended.`, hint: renew };
  }
  const message = `The password of ${view.name} ends in ${left} day${left === 1 ? '' : 's'}, ${PASSWORD_DAYS} after it was set.`;
  return left <= WARN_DAYS
    ? { ...about, state: 'warning', message, hint: renew }
    : { ...about, state: 'unknown', message: `${message} Not tested yet.`, hint: null };
}

/** What a refused question for the balance means, where it is another thing than for a push. */
const BALANCE_REFUSALS: Record<string, string> = {
  ...REFUSALS,
  initiator: 'Set the initiator up first: user name, password and M-PESA’s certificate.',
  product: 'Add the product “Account Balance” to your app on the Daraja portal, then wait up to an hour.',
  shortcode: 'The shortcode is wrong, or not live for this product yet: ask Safaricom’s API support.',
};

/** An answer comes within seconds, if it comes. */
const ANSWER_MS = 120_000;

const NO_WAY_IN =
  'Open a way in to see it. Looking up a code and sending money back are answered the same way.';

/** What came of the question for the balance: what M-PESA took, refused, answered, or never answered. */
async function readBalanceTest(
  db: Db,
  asked: NonNullable<Stored['balance']>,
  now: number,
): Promise<Pick<GoLiveResult, 'state' | 'message' | 'hint'> | undefined> {
  const request = await findRequest(db, asked.request_id);
  if (!request) return undefined;
  const code = request.result_code ?? '';
  if (request.state === 'done') {
    const known = await readBalance(db);
    const accounts = known?.request_id === request.id ? known.accounts : [];
    const sums = accounts
      .filter((one) => one.current_cents !== 0)
      .map((one) => `${one.account} ${formatMoney(one.current_cents, one.currency)}`);
    if (accounts.length > 0 && sums.length === 0) sums.push('every account is empty');
    const took = seconds((request.answered_at ?? request.created_at) - request.created_at);
    return { state: 'ok', message: [`M-PESA answered in ${took}`, ...sums].join(' · '), hint: null };
  }
  if (code.startsWith('refused:')) {
    const hint = BALANCE_REFUSALS[code.slice('refused:'.length)] ?? 'Compare every field with the portal.';
    return { state: 'failed', message: `Daraja refused the question: ${request.problem}`, hint };
  }
  if (code === 'timeout') {
    return { state: 'failed', message: request.problem ?? '', hint: 'Wait a minute, then test again.' };
  }
  if (request.state === 'failed' && code) {
    const hint = describeInitiatorResult(code).operator;
    return { state: 'failed', message: `M-PESA answered ${code}: ${request.problem}`, hint };
  }
  if (!asked.reachable) {
    const message = 'M-PESA took the question; its answer cannot be seen: there is no way in from outside.';
    return { state: 'warning', message, hint: NO_WAY_IN };
  }
  if (request.state === 'asked' && now - request.created_at < ANSWER_MS) {
    return { state: 'waiting', message: 'M-PESA took the question; its answer is on its way.', hint: null };
  }
  return {
    state: 'failed',
    message: 'M-PESA took the question, and no answer has come in.',
    hint: 'Test the way in first: “Reached from outside”. Then test this again.',
  };
}

/** The password's days and what came of the test, in one line: the worse of the two decides. */
async function readInitiatorStep(
  db: Db,
  balance: Stored['balance'],
  about: string,
  now: number,
): Promise<GoLiveResult> {
  const days = readInitiator(await viewInitiator(db), now);
  const tested = balance && (await readBalanceTest(db, balance, now));
  if (!balance || !tested || days.state === 'optional' || days.state === 'failed') return days;
  const at = balance.at;
  if (balance.about !== about && tested.state !== 'waiting') {
    return { ...days, at, state: 'again', hint: 'The settings have changed since: test it again.' };
  }
  const passed = tested.state === 'ok';
  const untested = days.message.replace(' Not tested yet.', '');
  if (!passed) return { ...tested, step: 'initiator', at };
  const state = days.state === 'warning' ? 'warning' : 'ok';
  return { step: 'initiator', at, state, message: `${tested.message}. ${untested}`, hint: days.hint };
}

/** The whole list as it stands. `url`: the public address, undefined without a way in. */
export async function readGoLive(
  db: Db,
  vault: Vault,
  url: string | undefined,
  now: number,
): Promise<GoLiveResult[]> {
  const stored = await readStored(db);
  const results: GoLiveResult[] = [];
  for (const step of GO_LIVE_STEPS) {
    const about = await aboutStep(db, vault, step, url);
    const stale = (tried: { about: string }) => tried.about !== about;
    const again = { state: 'again' as const, hint: 'The settings have changed since: test it again.' };
    if (step === 'initiator') {
      results.push(await readInitiatorStep(db, stored.balance, about, now));
      continue;
    }
    if (step === 'push' && stored.push) {
      const pushed = await readPush(db, stored.push);
      if (pushed) {
        results.push(stale(stored.push) && pushed.state !== 'waiting' ? { ...pushed, ...again } : pushed);
        continue;
      }
    }
    const kept = stored.results?.[step];
    if (kept) {
      const { state, at, message, hint } = kept;
      results.push({ step, at, message, state, hint, ...(stale(kept) ? again : {}) });
    } else {
      const optional = step === 'c2b' || step === 'pull' || (step === 'callback' && !url);
      const message =
        step === 'callback' && !url ? 'There is no way in: Karibu asks M-PESA itself.' : UNTRIED[step];
      results.push({ step, state: optional ? 'optional' : 'unknown', at: null, message, hint: null });
    }
  }
  return results;
}

/** Whether guests can be sold to: keys and shortcode hold, and a push has been paid. */
export function isLive(results: readonly GoLiveResult[]): boolean {
  const needed = results.filter(({ step }) => step === 'keys' || step === 'shortcode' || step === 'push');
  return needed.every(({ state }) => state === 'ok' || state === 'warning');
}

/** Whether M-PESA has allowed pulling for this shortcode. */
export async function isPullEnabled(db: Db): Promise<boolean> {
  return (await readStored(db)).results?.pull?.state === 'ok';
}
