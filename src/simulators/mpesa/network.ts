// Is the M-PESA behind the API: prompts on phones, wallets, a ledger of money received.
import { makeReceipt } from '../../protocols/mpesa/receipt.ts';
import { askValidation, type C2bRegistration, c2bBody, sendConfirmation } from './c2b.ts';
import { sendCallback } from './callbacks.ts';
import type { Delivery } from './delivery.ts';
import { requestId } from './faults.ts';
import { checkoutRequestId } from './ids.ts';
import { DEFAULT_KNOBS, findKnobsProblem, type Knobs, type Rule } from './knobs.ts';
import type { Merchant } from './merchants.ts';
import { findMappingFault, type PushRequest } from './requests.ts';
import { paidText, promptText, reversalSmsText, smsText } from './texts.ts';

/**
 * One STK push. `waiting`: undecided; `decided`: `result_code` stands. `on_phone`: a person can see it now.
 */
export type Prompt = {
  checkout_request_id: string;
  merchant_request_id: string;
  msisdn: string;
  amount_shillings: number;
  shortcode: string;
  party_b: string;
  transaction_type: string;
  account_reference: string;
  merchant_name: string;
  text: string;
  callback_url: string;
  sent_at: number;
  state: 'waiting' | 'decided';
  on_phone: boolean;
  result_code: string | null;
  decided_at: number | null;
  receipt: string | null;
  callbacks: Delivery[];
  callback_held: boolean;
};

/** Money that went back to the payer, in full or in part. */
export type Reversal = { receipt: string; amount_shillings: number; at: number };

/**
 * One payment that reached a shortcode, by STK or by hand; ids are empty for payments by hand. `pull_hidden`: it will
 * never be pulled. `confirmations` are the C2B ones.
 */
export type LedgerEntry = {
  receipt: string;
  source: 'stk' | 'hand';
  transaction_type: string;
  payer_msisdn: string;
  amount_shillings: number;
  shortcode: string;
  party_b: string;
  account_reference: string;
  checkout_request_id: string;
  merchant_request_id: string;
  paid_at: number;
  callback_delivered: boolean;
  callback_http_status: number | null;
  confirmations: Delivery[];
  confirmation_held: boolean;
  pull_hidden: boolean;
  reversal: Reversal | null;
};

/** What a person does without any prompt: `to` is a paybill or till number. */
export type HandPayment = {
  msisdn: string;
  to: string;
  account_reference: string;
  amount_shillings: number;
};

export type HandPaymentResult = { ok: true; receipt: string } | { ok: false; problem: string };

export type PhoneMessage = { at: number; text: string };

export type Phone = { msisdn: string; wallet_shillings: number; messages: PhoneMessage[] };

export type PhoneAction = { action: 'pin'; pin: string } | { action: 'cancel' } | { action: 'ignore' };

/** Counts of calls, for tests that must show how often something was sent. */
export type Counts = {
  oauth: number;
  pushes: number;
  prompts: number;
  queries: number;
  pulls: number;
  initiated: number;
};

/** What rules look at: a push, or a payment by hand. */
type Matchable = Pick<PushRequest, 'msisdn' | 'amount_shillings' | 'account_reference' | 'merchant'>;

type Scripted = Partial<Omit<Knobs, 'rules'>>;

const TRANSACTION_LIMIT = 250_000;
const MESSAGES_KEPT = 20;

export function createNetwork(outside: {
  merchants: readonly Merchant[];
  now: () => number;
  random: () => number;
  walletShillings: number;
  knobs?: Partial<Knobs> | undefined;
}) {
  const { now, random } = outside;
  const prompts = new Map<string, Prompt>();
  const scripts = new Map<string, Scripted>();
  const handScripts = new Map<string, Scripted>();
  const registrations = new Map<string, C2bRegistration>();
  const pullRegistered = new Set<string>();
  const ledger = new Map<string, LedgerEntry>();
  const phones = new Map<string, Phone>();
  const livePrompts = new Map<string, Prompt>();
  const lastPaid = new Map<string, number>();
  const watchers = new Set<() => void>();
  const waiting = new Set<(error: Error) => void>();
  const timers = new Set<NodeJS.Timeout>();
  const stopping = new AbortController();
  const counts: Counts = { oauth: 0, pushes: 0, prompts: 0, queries: 0, pulls: 0, initiated: 0 };
  let knobs: Knobs = structuredClone(DEFAULT_KNOBS);
  let deliveriesUnderWay = 0;
  let newest: Prompt | undefined;

  function changed() {
    for (const watcher of [...watchers]) watcher();
  }

  function after(ms: number, act: () => void) {
    if (stopping.signal.aborted) return;
    const timer = setTimeout(() => {
      timers.delete(timer);
      act();
    }, ms);
    timers.add(timer);
  }

  function setKnobs(patch: Partial<Knobs>) {
    const problem = findKnobsProblem(patch);
    if (problem) throw new TypeError(problem);
    knobs = { ...knobs, ...structuredClone(patch) };
    changed();
  }

  /** The knobs of one push: those of now, with what its rules said when it came in. */
  function knobsOf(prompt: Prompt): Knobs {
    return { ...knobs, ...scripts.get(prompt.checkout_request_id) };
  }

  function matches(rule: Rule, request: Matchable): boolean {
    const { match } = rule;
    return (
      (match.msisdn ?? request.msisdn) === request.msisdn &&
      (match.amount_shillings ?? request.amount_shillings) === request.amount_shillings &&
      (match.account_reference ?? request.account_reference) === request.account_reference &&
      (match.shortcode ?? request.merchant.shortcode) === request.merchant.shortcode
    );
  }

  /** What the rules say of this push or payment; each use of a rule with `times` counts. */
  function script(request: Matchable): Scripted {
    let set: Scripted = {};
    for (const rule of knobs.rules) {
      if (rule.times === 0 || !matches(rule, request)) continue;
      if (rule.times !== undefined) rule.times -= 1;
      set = { ...set, ...rule.set };
    }
    return set;
  }

  function phone(msisdn: string): Phone {
    let found = phones.get(msisdn);
    if (!found) {
      found = { msisdn, wallet_shillings: outside.walletShillings, messages: [] };
      phones.set(msisdn, found);
    }
    return found;
  }

  function textTo(msisdn: string, text: string | undefined) {
    if (text === undefined) return;
    const owner = phone(msisdn);
    owner.messages = [...owner.messages, { at: now(), text }].slice(-MESSAGES_KEPT);
  }

  function newReceipt(): string {
    for (;;) {
      const receipt = makeReceipt(now(), random);
      const taken = [...ledger.values()].some((entry) => entry.reversal?.receipt === receipt);
      if (!taken && !ledger.has(receipt)) return receipt;
    }
  }

  /** What the organisation has of the money received, in shillings. */
  function orgBalance(shortcode: string): number {
    let balance = knobs.org_opening_shillings;
    for (const entry of ledger.values()) {
      if (entry.shortcode !== shortcode) continue;
      balance += entry.amount_shillings - (entry.reversal?.amount_shillings ?? 0);
    }
    return balance;
  }

  /** Runs `act` after `ms`; until it is done the simulator is not quiet. */
  function deliverLater(ms: number, act: () => Promise<unknown>) {
    deliveriesUnderWay += 1;
    after(ms, () => {
      void act().finally(() => {
        deliveriesUnderWay -= 1;
        changed();
      });
    });
  }

  /** `count` deliveries, one after the other or all at once. */
  async function repeat(count: number, concurrent: boolean, once: () => Promise<unknown>) {
    if (concurrent) await Promise.all(Array.from({ length: count }, once));
    else for (let sent = 0; sent < count; sent += 1) await once();
  }

  const settingsOf = (entry: LedgerEntry): Knobs => ({
    ...knobs,
    ...(scripts.get(entry.checkout_request_id) ?? handScripts.get(entry.receipt)),
  });

  function findMerchant(shortcode: string): Merchant {
    const merchant = outside.merchants.find((candidate) => candidate.shortcode === shortcode);
    if (!merchant) throw new Error(`there is no shortcode ${shortcode}`);
    return merchant;
  }

  async function confirmNow(entry: LedgerEntry, registration: C2bRegistration) {
    const settings = settingsOf(entry);
    const merchant = findMerchant(entry.shortcode);
    const body = c2bBody(entry, merchant, registration.version, settings, orgBalance(entry.shortcode));
    await repeat(settings.c2b_count, settings.c2b_concurrent, async () => {
      entry.confirmations.push(
        await sendConfirmation(registration, body, settings, { now, signal: stopping.signal }),
      );
      changed();
    });
  }

  /** Sends the C2B confirmation of a payment, if anyone registered for it. */
  function confirm(entry: LedgerEntry) {
    const registration = registrations.get(entry.shortcode);
    const settings = settingsOf(entry);
    if (!registration || settings.c2b_count === 0) return;
    if (settings.c2b_held) entry.confirmation_held = true;
    else deliverLater(settings.c2b_delay_ms, () => confirmNow(entry, registration));
  }

  function releaseConfirmation(receipt: string): string | undefined {
    const entry = ledger.get(receipt);
    const registration = entry && registrations.get(entry.shortcode);
    if (!entry?.confirmation_held || !registration) return 'no confirmation is held for this payment';
    entry.confirmation_held = false;
    deliverLater(0, () => confirmNow(entry, registration));
    return undefined;
  }

  /** Takes money in: from here on it is in the ledger, whoever hears of it. */
  function receive(
    money: Omit<
      LedgerEntry,
      | 'paid_at'
      | 'callback_delivered'
      | 'callback_http_status'
      | 'confirmations'
      | 'confirmation_held'
      | 'pull_hidden'
      | 'reversal'
    >,
    settings: Knobs,
  ): LedgerEntry {
    const owner = phone(money.payer_msisdn);
    // A scripted payment may come from an empty wallet; the person's own PIN cannot (see answer()).
    owner.wallet_shillings = Math.max(0, owner.wallet_shillings - money.amount_shillings);
    const entry: LedgerEntry = {
      ...money,
      paid_at: now(),
      callback_delivered: false,
      callback_http_status: null,
      confirmations: [],
      confirmation_held: false,
      pull_hidden: settings.pull_hidden || (settings.pull_gap_rate > 0 && random() < settings.pull_gap_rate),
      reversal: null,
    };
    ledger.set(entry.receipt, entry);
    return entry;
  }

  /** A payment without a prompt; the promise ends when it is paid or not, before any confirmation is sent. */
  async function payByHand(wish: HandPayment): Promise<HandPaymentResult> {
    const no = (problem: string) => ({ ok: false, problem }) as const;
    const merchant = outside.merchants.find(
      (m) => (m.kind === 'till' ? m.till_number : m.shortcode) === wish.to,
    );
    if (!merchant) return no('there is no paybill or till with this number');
    const amount = wish.amount_shillings;
    if (!Number.isSafeInteger(amount) || amount < 1) return no('the amount is whole shillings');
    if (amount > TRANSACTION_LIMIT) return no('the amount is above the limit of KES 250,000');
    const reference = merchant.kind === 'till' ? '' : wish.account_reference.trim();
    if (reference.length > 20) return no('an account number has up to 20 characters');
    if (merchant.kind === 'paybill' && reference === '') return no('a paybill asks for an account number');
    if (phone(wish.msisdn).wallet_shillings < amount) return no('there is not enough money on this phone');

    const scripted = script({ ...wish, account_reference: reference, merchant });
    const settings = { ...knobs, ...scripted };
    const receipt = newReceipt();
    const money = {
      receipt,
      source: 'hand' as const,
      transaction_type: merchant.kind === 'till' ? 'CustomerBuyGoodsOnline' : 'CustomerPayBillOnline',
      payer_msisdn: wish.msisdn,
      amount_shillings: amount,
      shortcode: merchant.shortcode,
      party_b: wish.to,
      account_reference: reference,
      checkout_request_id: '',
      merchant_request_id: '',
    };
    const registration = registrations.get(merchant.shortcode);
    if (registration && settings.c2b_validation) {
      const body = c2bBody({ ...money, paid_at: now() }, merchant, registration.version, settings, undefined);
      const verdict = await askValidation(registration, body, settings, { now, signal: stopping.signal });
      if (verdict.kind === 'rejected') return no(`the business refused the payment (${verdict.code})`);
      if (verdict.kind === 'timeout' && registration.response_type === 'Cancelled') {
        return no('the business did not answer, so the payment was cancelled');
      }
    }
    handScripts.set(receipt, scripted);
    const entry = receive(money, settings);
    textTo(wish.msisdn, paidText(entry, merchant.name, now(), phone(wish.msisdn).wallet_shillings));
    confirm(entry);
    changed();
    return { ok: true, receipt };
  }

  /** Sends money back. `poor`: the organisation has too little left. */
  function reverse(receipt: string, amount: number): 'done' | 'already' | 'unknown' | 'too_much' | 'poor' {
    const entry = ledger.get(receipt);
    if (!entry) return 'unknown';
    if (entry.reversal) return 'already';
    if (amount > entry.amount_shillings) return 'too_much';
    if (knobs.org_settled || orgBalance(entry.shortcode) < amount) return 'poor';
    entry.reversal = { receipt: newReceipt(), amount_shillings: amount, at: now() };
    const owner = phone(entry.payer_msisdn);
    owner.wallet_shillings += amount;
    textTo(entry.payer_msisdn, reversalSmsText(entry, entry.reversal, owner.wallet_shillings));
    changed();
    return 'done';
  }

  function pay(prompt: Prompt): LedgerEntry {
    prompt.receipt = newReceipt();
    lastPaid.set(`${prompt.msisdn}/${prompt.amount_shillings}`, now());
    return receive(
      {
        receipt: prompt.receipt,
        source: 'stk',
        transaction_type: prompt.transaction_type,
        payer_msisdn: prompt.msisdn,
        amount_shillings: prompt.amount_shillings,
        shortcode: prompt.shortcode,
        party_b: prompt.party_b,
        account_reference: prompt.account_reference,
        checkout_request_id: prompt.checkout_request_id,
        merchant_request_id: prompt.merchant_request_id,
      },
      knobsOf(prompt),
    );
  }

  async function deliver(prompt: Prompt) {
    const settings = knobsOf(prompt);
    const once = async () => {
      const delivery = await sendCallback(prompt, settings, { now, random, signal: stopping.signal });
      prompt.callbacks.push(delivery);
      const entry = prompt.receipt === null ? undefined : ledger.get(prompt.receipt);
      if (entry && !entry.callback_delivered) {
        entry.callback_delivered = delivery.http_status !== null;
        entry.callback_http_status = delivery.http_status;
      }
      changed();
    };
    await repeat(settings.callback_count, settings.callback_concurrent, once);
  }

  function decide(prompt: Prompt, code: string) {
    if (prompt.state === 'decided') return;
    prompt.state = 'decided';
    prompt.on_phone = false;
    prompt.result_code = code;
    prompt.decided_at = now();
    if (livePrompts.get(prompt.msisdn) === prompt) livePrompts.delete(prompt.msisdn);
    const entry = code === '0' ? pay(prompt) : undefined;
    textTo(prompt.msisdn, smsText(prompt, now(), phone(prompt.msisdn).wallet_shillings));
    const settings = knobsOf(prompt);
    if (settings.callback_held) prompt.callback_held = true;
    else if (settings.callback_count > 0) {
      deliverLater(settings.callback_delay_ms, () => deliver(prompt));
    }
    if (entry && settings.c2b_for_stk) confirm(entry);
    changed();
  }

  /** Puts the prompt on the phone, or decides it as the knobs say. */
  function begin(prompt: Prompt, request: PushRequest) {
    const settings = knobsOf(prompt);
    const paidBefore = lastPaid.get(`${prompt.msisdn}/${prompt.amount_shillings}`);
    const sameAgain =
      paidBefore !== undefined && prompt.sent_at - paidBefore < settings.same_amount_seconds * 1000;
    const refusal =
      findMappingFault(request, outside.merchants) ??
      (prompt.amount_shillings > TRANSACTION_LIMIT ? '3' : undefined) ??
      (prompt.text.length > settings.prompt_text_limit ? '1025' : undefined) ??
      (sameAgain ? '17' : undefined);
    if (refusal) return after(settings.outcome_delay_ms, () => decide(prompt, refusal));
    if (settings.outcome === 'forever') return;
    if (settings.outcome !== 'person') {
      return after(settings.outcome_delay_ms, () => decide(prompt, settings.outcome));
    }
    prompt.on_phone = true;
    after(settings.prompt_life_ms, () => decide(prompt, '1037'));
    changed();
  }

  function isBusy(msisdn: string): boolean {
    const live = livePrompts.get(msisdn);
    return live !== undefined && now() - live.sent_at < knobsOf(live).prompt_life_ms;
  }

  /** Takes a push in: from here on it is a prompt, whether the caller ever hears of it or not. */
  function accept(request: PushRequest, scripted: Scripted): Prompt {
    const sentAt = now();
    const prompt: Prompt = {
      checkout_request_id: checkoutRequestId(sentAt, request.msisdn, (id) => prompts.has(id)),
      merchant_request_id: requestId(),
      msisdn: request.msisdn,
      amount_shillings: request.amount_shillings,
      shortcode: request.merchant.shortcode,
      party_b: request.party_b,
      transaction_type: request.transaction_type,
      account_reference: request.account_reference,
      merchant_name: request.merchant.name,
      text: promptText(request),
      callback_url: request.callback_url,
      sent_at: sentAt,
      state: 'waiting',
      on_phone: false,
      result_code: null,
      decided_at: null,
      receipt: null,
      callbacks: [],
      callback_held: false,
    };
    prompts.set(prompt.checkout_request_id, prompt);
    scripts.set(prompt.checkout_request_id, scripted);
    livePrompts.set(prompt.msisdn, prompt);
    phone(prompt.msisdn);
    newest = prompt;
    counts.prompts += 1;
    changed();
    return prompt;
  }

  /**
   * What the person at the phone does. Any four digits are the right PIN but 0000; the PIN is not kept.
   * Returns what is wrong with the action, undefined when it was done.
   */
  function answer(id: string, action: PhoneAction): string | undefined {
    const prompt = prompts.get(id);
    if (!prompt) return 'there is no such prompt';
    if (!prompt.on_phone) return 'this prompt is no longer on the phone';
    if (action.action === 'pin') {
      if (!/^\d{4}$/.test(action.pin)) return 'a PIN is four digits';
      if (action.pin === '0000') decide(prompt, '2001');
      else decide(prompt, phone(prompt.msisdn).wallet_shillings < prompt.amount_shillings ? '1' : '0');
    } else if (action.action === 'cancel') decide(prompt, '1032');
    else {
      prompt.on_phone = false;
      const left = prompt.sent_at + knobsOf(prompt).no_answer_ms - now();
      after(Math.max(0, left), () => decide(prompt, '1037'));
      changed();
    }
    return undefined;
  }

  /** Sends a callback that was held back; returns what is wrong, undefined when it is on its way. */
  function release(id: string): string | undefined {
    const prompt = prompts.get(id);
    if (!prompt?.callback_held) return 'no callback is held for this prompt';
    prompt.callback_held = false;
    deliverLater(0, () => deliver(prompt));
    return undefined;
  }

  /** Resolves with the first value `find` gives, asked again after every change. */
  function waitUntil<T>(find: () => T | undefined | false): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = find();
        if (found === undefined || found === false) return;
        watchers.delete(look);
        waiting.delete(reject);
        resolve(found);
      };
      watchers.add(look);
      waiting.add(reject);
      look();
    });
  }

  if (outside.knobs) setKnobs(outside.knobs);

  return {
    counts,
    prompts,
    ledger,
    phone,
    setKnobs,
    knobs: () => knobs,
    knobsOf,
    script,
    settingsOf,
    isBusy,
    registrations,
    pullRegistered,
    orgBalance,
    payByHand,
    reverse,
    releaseConfirmation,
    deliverLater,
    repeat,
    changed,
    signal: stopping.signal,
    accept,
    begin,
    answer,
    release,
    waitUntil,
    /** True when no callback is on its way or about to be. */
    isQuiet: () => deliveriesUnderWay === 0,
    newestPrompt: () => newest,
    livePrompt: (msisdn: string) => livePrompts.get(msisdn),
    after,
    watch(watcher: () => void) {
      watchers.add(watcher);
      return () => {
        watchers.delete(watcher);
      };
    },
    setWallet(msisdn: string, shillings: number) {
      phone(msisdn).wallet_shillings = shillings;
      changed();
    },
    stop() {
      stopping.abort();
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
      for (const reject of waiting) reject(new Error('the simulator stopped'));
      waiting.clear();
    },
  };
}

export type Network = ReturnType<typeof createNetwork>;
