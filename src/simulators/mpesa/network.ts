// Is the M-PESA behind the API: prompts on phones, wallets, a ledger of money received.
import { makeReceipt } from '../../protocols/mpesa/receipt.ts';
import { type Delivery, sendCallback } from './callbacks.ts';
import { requestId } from './faults.ts';
import { checkoutRequestId } from './ids.ts';
import { DEFAULT_KNOBS, findKnobsProblem, type Knobs, type Rule } from './knobs.ts';
import type { Merchant } from './merchants.ts';
import { findMappingFault, type PushRequest } from './requests.ts';
import { promptText, smsText } from './texts.ts';

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

/** One payment that reached a shortcode; `source` will tell STK from payments by hand. */
export type LedgerEntry = {
  receipt: string;
  source: 'stk';
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
};

export type PhoneMessage = { at: number; text: string };

export type Phone = { msisdn: string; wallet_shillings: number; messages: PhoneMessage[] };

export type PhoneAction = { action: 'pin'; pin: string } | { action: 'cancel' } | { action: 'ignore' };

/** Counts of calls, for tests that must show how often something was sent. */
export type Counts = { oauth: number; pushes: number; prompts: number; queries: number };

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
  const ledger = new Map<string, LedgerEntry>();
  const phones = new Map<string, Phone>();
  const livePrompts = new Map<string, Prompt>();
  const lastPaid = new Map<string, number>();
  const watchers = new Set<() => void>();
  const waiting = new Set<(error: Error) => void>();
  const timers = new Set<NodeJS.Timeout>();
  const stopping = new AbortController();
  const counts: Counts = { oauth: 0, pushes: 0, prompts: 0, queries: 0 };
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

  function matches(rule: Rule, request: PushRequest): boolean {
    const { match } = rule;
    return (
      (match.msisdn ?? request.msisdn) === request.msisdn &&
      (match.amount_shillings ?? request.amount_shillings) === request.amount_shillings &&
      (match.account_reference ?? request.account_reference) === request.account_reference &&
      (match.shortcode ?? request.merchant.shortcode) === request.merchant.shortcode
    );
  }

  /** What the rules say of this push; each use of a rule with `times` counts. */
  function script(request: PushRequest): Scripted {
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

  function message(prompt: Prompt) {
    const owner = phone(prompt.msisdn);
    const text = smsText(prompt, now(), owner.wallet_shillings);
    if (!text) return;
    owner.messages = [...owner.messages, { at: now(), text }].slice(-MESSAGES_KEPT);
  }

  function pay(prompt: Prompt) {
    const owner = phone(prompt.msisdn);
    // A scripted payment may come from an empty wallet; the person's own PIN cannot (see answer()).
    owner.wallet_shillings = Math.max(0, owner.wallet_shillings - prompt.amount_shillings);
    do {
      prompt.receipt = makeReceipt(now(), random);
    } while (ledger.has(prompt.receipt));
    ledger.set(prompt.receipt, {
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
      paid_at: now(),
      callback_delivered: false,
      callback_http_status: null,
    });
    lastPaid.set(`${prompt.msisdn}/${prompt.amount_shillings}`, now());
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
    deliveriesUnderWay += 1;
    try {
      if (settings.callback_concurrent) {
        await Promise.all(Array.from({ length: settings.callback_count }, once));
      } else for (let sent = 0; sent < settings.callback_count; sent += 1) await once();
    } finally {
      deliveriesUnderWay -= 1;
      changed();
    }
  }

  function decide(prompt: Prompt, code: string) {
    if (prompt.state === 'decided') return;
    prompt.state = 'decided';
    prompt.on_phone = false;
    prompt.result_code = code;
    prompt.decided_at = now();
    if (livePrompts.get(prompt.msisdn) === prompt) livePrompts.delete(prompt.msisdn);
    if (code === '0') pay(prompt);
    message(prompt);
    const settings = knobsOf(prompt);
    if (settings.callback_held) prompt.callback_held = true;
    else if (settings.callback_count > 0) {
      deliveriesUnderWay += 1;
      after(settings.callback_delay_ms, () => {
        deliveriesUnderWay -= 1;
        void deliver(prompt);
      });
    }
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
    void deliver(prompt);
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
    isBusy,
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
