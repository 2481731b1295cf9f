// Answers the simulator's own addresses: knobs, ledger, statement, prompts, payments, the phone.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { normalizeMsisdn } from '../../lib/msisdn.ts';
import { SIMULATED_CERTIFICATE } from './certificate.ts';
import { DEFAULT_KNOBS, findKnobsProblem, type Knobs } from './knobs.ts';
import type { Merchant } from './merchants.ts';
import type { Network, PhoneAction, Prompt } from './network.ts';
import { phonePage } from './phone-page.ts';
import { statementCsv } from './statement.ts';

function sendJson(response: ServerResponse, status: number, value: unknown) {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(value));
}

function readJson(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** What the phone page draws: the phone, the prompt on its screen, its last decided one. */
function phoneState(network: Network, merchants: readonly Merchant[], wanted: string | undefined) {
  const msisdn = wanted ?? network.newestPrompt()?.msisdn;
  if (!msisdn) return { msisdn: null };
  const phone = network.phone(msisdn);
  const live = network.livePrompt(msisdn);
  const shown = live?.on_phone ? live : undefined;
  return {
    msisdn,
    wallet_shillings: phone.wallet_shillings,
    messages: phone.messages,
    payees: merchants.map((merchant) => ({
      name: merchant.name,
      kind: merchant.kind,
      number: merchant.kind === 'till' ? merchant.till_number : merchant.shortcode,
    })),
    prompt: shown ? { id: shown.checkout_request_id, text: shown.text, sent_at: shown.sent_at } : null,
  };
}

const outcome = (prompt: Prompt | undefined) => ({ result_code: prompt?.result_code ?? null });

export function createControl(network: Network, merchants: readonly Merchant[], now: () => number) {
  const knobs = {
    GET: (response: ServerResponse) => sendJson(response, 200, network.knobs()),
    POST: (response: ServerResponse, body: string) => {
      const patch = readJson(body);
      const problem = findKnobsProblem(patch);
      if (problem) return sendJson(response, 400, { error: problem });
      network.setKnobs(patch as Partial<Knobs>);
      sendJson(response, 200, network.knobs());
    },
    DELETE: (response: ServerResponse) => {
      network.setKnobs(DEFAULT_KNOBS);
      sendJson(response, 200, network.knobs());
    },
  };

  function sendLedger(response: ServerResponse) {
    const items = [...network.ledger.values()];
    const total = items.reduce((sum, entry) => sum + entry.amount_shillings, 0);
    const reversed = items.reduce((sum, entry) => sum + (entry.reversal?.amount_shillings ?? 0), 0);
    sendJson(response, 200, { items, total_shillings: total, reversed_shillings: reversed });
  }

  /** The organisation portal's export; of the last 30 days unless `from` and `to` (epoch ms) say otherwise. */
  function sendStatement(response: ServerResponse, query: URLSearchParams) {
    const wanted = query.get('shortcode') ?? merchants[0]?.shortcode;
    const merchant = merchants.find((candidate) => candidate.shortcode === wanted);
    const to = Number(query.get('to') ?? now());
    const from = Number(query.get('from') ?? to - 30 * 86_400_000);
    if (!merchant) return sendJson(response, 404, { error: 'there is no such shortcode' });
    if (!Number.isFinite(from) || !Number.isFinite(to) || from > to) {
      return sendJson(response, 400, { error: 'from and to are epoch milliseconds' });
    }
    response.writeHead(200, {
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': `attachment; filename="ORG_${merchant.shortcode}_statement.csv"`,
      'cache-control': 'no-store',
    });
    response.end(statementCsv(merchant, [...network.ledger.values()], network.knobs(), { from, to }));
  }

  /** A payment by hand: {msisdn, to, account_reference?, amount_shillings, pin?}; any PIN is right but 0000. */
  async function pay(response: ServerResponse, body: string) {
    const wish = readJson(body);
    const msisdn = normalizeMsisdn(String(wish?.msisdn ?? ''));
    if (!wish || !msisdn) return sendJson(response, 400, { error: 'msisdn is a phone number' });
    if (wish.pin === '0000') return sendJson(response, 400, { error: 'the PIN is wrong' });
    const result = await network.payByHand({
      msisdn,
      to: String(wish.to ?? '').trim(),
      account_reference: String(wish.account_reference ?? ''),
      amount_shillings: Number(wish.amount_shillings),
    });
    if (result.ok) sendJson(response, 200, { receipt: result.receipt });
    else sendJson(response, 400, { error: result.problem });
  }

  /** {action: 'reverse', amount_shillings?} or {action: 'release'} for a held confirmation. */
  function actOnPayment(response: ServerResponse, receipt: string, body: string) {
    const wish = readJson(body);
    const entry = network.ledger.get(receipt);
    if (!entry) return sendJson(response, 404, { error: 'there is no such payment' });
    let problem: string | undefined = 'action is reverse or release';
    if (wish?.action === 'release') problem = network.releaseConfirmation(receipt);
    else if (wish?.action === 'reverse') {
      const amount = wish.amount_shillings ?? entry.amount_shillings;
      const whole = typeof amount === 'number' && Number.isSafeInteger(amount) && amount >= 1;
      const outcome = whole ? network.reverse(receipt, amount) : 'amount_shillings is a whole number';
      problem = outcome === 'done' ? undefined : outcome;
    }
    if (problem) return sendJson(response, 400, { error: problem });
    sendJson(response, 200, entry);
  }

  function act(response: ServerResponse, id: string, body: string) {
    const wish = readJson(body);
    const action = wish?.action;
    let problem: string | undefined = 'action is pin, cancel, ignore or release';
    if (action === 'release') problem = network.release(id);
    else if (action === 'pin') {
      problem = network.answer(id, { action, pin: typeof wish?.pin === 'string' ? wish.pin : '' });
    } else if (action === 'cancel' || action === 'ignore') {
      problem = network.answer(id, { action } as PhoneAction);
    }
    if (problem) return sendJson(response, network.prompts.has(id) ? 400 : 404, { error: problem });
    sendJson(response, 200, outcome(network.prompts.get(id)));
  }

  function setWallet(response: ServerResponse, msisdn: string, body: string) {
    const wallet = readJson(body)?.wallet_shillings;
    if (!Number.isSafeInteger(wallet) || (wallet as number) < 0) {
      return sendJson(response, 400, { error: 'wallet_shillings is a whole number' });
    }
    network.setWallet(msisdn, wallet as number);
    sendJson(response, 200, network.phone(msisdn));
  }

  /** Server-sent events: the state of one phone at once, and after every change of it. */
  function stream(response: ServerResponse, msisdn: string | undefined) {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    let last = '';
    const write = () => {
      const state = JSON.stringify(phoneState(network, merchants, msisdn));
      if (state === last) return;
      last = state;
      response.write(`data: ${state}\n\n`);
    };
    response.on('close', network.watch(write));
    write();
  }

  /** Answers a request for the simulator itself; false when the path is none of its own. */
  return function handle(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    body: string,
  ): boolean {
    const verb = request.method ?? 'GET';
    const path = url.pathname;
    const wanted = normalizeMsisdn(url.searchParams.get('msisdn') ?? '');
    const id = /^\/simulator\/prompts\/([\w-]+)$/.exec(path)?.[1];
    const receipt = /^\/simulator\/payments\/(\w+)$/.exec(path)?.[1];
    const owner = normalizeMsisdn(/^\/simulator\/phones\/(\w+)$/.exec(path)?.[1] ?? '');

    if (path === '/simulator/knobs' && (verb === 'GET' || verb === 'POST' || verb === 'DELETE')) {
      knobs[verb](response, body);
    } else if (path === '/simulator/ledger' && verb === 'GET') sendLedger(response);
    else if (path === '/simulator/statement.csv' && verb === 'GET') sendStatement(response, url.searchParams);
    else if (path === '/simulator/certificate.cer' && verb === 'GET') {
      response.writeHead(200, { 'content-type': 'application/x-pem-file' });
      response.end(SIMULATED_CERTIFICATE);
    } else if (path === '/simulator/payments' && verb === 'POST') {
      pay(response, body).catch((error: unknown) => sendJson(response, 500, { error: String(error) }));
    } else if (receipt && verb === 'POST') actOnPayment(response, receipt, body);
    else if (path === '/simulator/prompts' && verb === 'GET') {
      sendJson(response, 200, { items: [...network.prompts.values()] });
    } else if (id && verb === 'POST') act(response, id, body);
    else if (owner && verb === 'GET') sendJson(response, 200, network.phone(owner));
    else if (owner && verb === 'POST') setWallet(response, owner, body);
    else if (path === '/phone' && verb === 'GET') {
      const page = phonePage();
      response.writeHead(200, {
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': page.policy,
        'cache-control': 'no-store',
      });
      response.end(page.html);
    } else if (path === '/phone/events' && verb === 'GET') stream(response, wanted);
    else if (path === '/healthz' && verb === 'GET') sendJson(response, 200, { ok: true });
    else return false;
    return true;
  };
}
