// Answers the Daraja endpoints.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { FAULTS, type Fault, type FaultName, faultBody, requestId, TOKEN_FAULTS } from './faults.ts';
import { accessToken } from './ids.ts';
import type { Merchant } from './merchants.ts';
import type { Network, Prompt } from './network.ts';
import type { Organisation, Reply } from './organisation.ts';
import type { Asker } from './organisation-requests.ts';
import { checkPush, checkQuery, type Fields, readBody } from './requests.ts';
import { resultProse } from './texts.ts';

type Outside = { merchants: readonly Merchant[]; now: () => number; random: () => number };

function send(response: ServerResponse, status: number, body: string, type = 'application/json') {
  response.writeHead(status, { 'content-type': type });
  response.end(body);
}

function sendFault(response: ServerResponse, fault: Fault) {
  const body = faultBody(fault);
  send(response, fault.http_status, body, body.startsWith('<') ? 'text/html' : 'application/json');
}

export function createDaraja(network: Network, organisation: Organisation, outside: Outside) {
  const { merchants, now, random } = outside;
  const tokens = new Map<string, { app: string; ends_at: number }>();

  function oauth(request: IncomingMessage, response: ServerResponse, query: URLSearchParams) {
    network.counts.oauth += 1;
    const knobs = network.knobs();
    const no = (name: FaultName) => sendFault(response, FAULTS[name]);
    if (knobs.oauth_error) return no(knobs.oauth_error);
    const basic = /^Basic ([A-Za-z0-9+/]+=*)$/.exec(request.headers.authorization ?? '')?.[1];
    if (!basic) return no('invalid_auth_type');
    if (query.get('grant_type') !== 'client_credentials') return no('invalid_grant_type');
    const pair = Buffer.from(basic, 'base64').toString();
    const known = merchants.find((m) => `${m.consumer_key}:${m.consumer_secret}` === pair);
    if (!known) return no(knobs.oauth_bad_keys_as);
    const app = known.consumer_key;
    if (knobs.token_invalidates_previous) {
      for (const [token, owner] of tokens) if (owner.app === app) tokens.delete(token);
    }
    const token = accessToken(random);
    const ttl = knobs.token_ttl_seconds;
    tokens.set(token, { app, ends_at: now() + ttl * 1000 });
    const expiresIn = knobs.expires_in_as === 'string' ? String(ttl) : ttl;
    send(response, 200, JSON.stringify({ access_token: token, expires_in: expiresIn }));
  }

  /** Why this call's bearer is refused; undefined when it is good. */
  function findBearerFault(request: IncomingMessage): Fault | undefined {
    const bearer = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (!bearer) return FAULTS.invalid_header;
    const token = tokens.get(bearer);
    if (!token || token.ends_at <= now()) return FAULTS.token_404;
    const knobs = network.knobs();
    const scripted = knobs.bearer_faults.shift();
    if (scripted) return FAULTS[scripted];
    if (knobs.bearer_fault_rate > 0 && random() < knobs.bearer_fault_rate) {
      return FAULTS[TOKEN_FAULTS[Math.floor(random() * TOKEN_FAULTS.length)] ?? 'token_404'];
    }
    return undefined;
  }

  function acceptance(prompt: Prompt): string {
    return JSON.stringify({
      MerchantRequestID: prompt.merchant_request_id,
      CheckoutRequestID: prompt.checkout_request_id,
      ResponseCode: '0',
      ResponseDescription: 'Success. Request accepted for processing',
      CustomerMessage: 'Success. Request accepted for processing',
    });
  }

  function push(request: IncomingMessage, response: ServerResponse, body: string) {
    network.counts.pushes += 1;
    const bearerFault = findBearerFault(request);
    if (bearerFault) return sendFault(response, bearerFault);
    const httpsOnly = network.knobs().require_https_callbacks;
    const checked = checkPush(request.headers['content-type'], body, merchants, httpsOnly);
    if (!checked.ok) return sendFault(response, checked.fault);
    const scripted = network.script(checked.request);
    const knobs = { ...network.knobs(), ...scripted };
    if (knobs.drop === 'before_accept') return request.socket.destroy();
    if (knobs.stk_error) return sendFault(response, FAULTS[knobs.stk_error]);
    if (knobs.subscriber_lock && network.isBusy(checked.request.msisdn)) {
      return sendFault(response, FAULTS.busy_phone);
    }
    const prompt = network.accept(checked.request, scripted);
    if (knobs.drop === 'after_accept') {
      request.socket.destroy();
      return network.begin(prompt, checked.request);
    }
    const respond = () => network.after(knobs.accept_delay_ms, () => send(response, 200, acceptance(prompt)));
    if (knobs.callback_before_response) {
      network.begin(prompt, checked.request);
      network.waitUntil(() => prompt.callbacks.length > 0).then(respond, () => response.destroy());
      return;
    }
    // Only once the answer is written (or its reader gone) may anything else happen to the prompt.
    response.once('close', () => network.begin(prompt, checked.request));
    respond();
  }

  function decided(prompt: Prompt, code: string): string {
    return JSON.stringify({
      ResponseCode: '0',
      ResponseDescription: 'The service request has been accepted successfully',
      MerchantRequestID: prompt.merchant_request_id,
      CheckoutRequestID: prompt.checkout_request_id,
      ResultCode: code,
      ResultDesc: resultProse(code, 'query'),
    });
  }

  function query(request: IncomingMessage, response: ServerResponse, body: string) {
    network.counts.queries += 1;
    const bearerFault = findBearerFault(request);
    if (bearerFault) return sendFault(response, bearerFault);
    const checked = checkQuery(request.headers['content-type'], body, merchants);
    if (!checked.ok) return sendFault(response, checked.fault);
    const { merchant, checkout_request_id } = checked.request;
    const prompt = network.prompts.get(checkout_request_id);
    const knobs = prompt ? network.knobsOf(prompt) : network.knobs();
    if (knobs.query_drop) return request.socket.destroy();
    if (knobs.query_error) return sendFault(response, FAULTS[knobs.query_error]);
    if (!prompt || prompt.shortcode !== merchant.shortcode) return sendFault(response, FAULTS.no_transaction);
    if (knobs.query_noise_rate > 0 && random() < knobs.query_noise_rate) {
      return sendFault(response, FAULTS.processing);
    }
    if (prompt.result_code !== null) {
      return send(response, 200, decided(prompt, knobs.query_result_code ?? prompt.result_code));
    }
    if (knobs.query_pending_as === '4999') return send(response, 200, decided(prompt, '4999'));
    return sendFault(response, FAULTS[knobs.query_pending_as]);
  }

  /** An endpoint that needs only the bearer, and a body whose first field is `firstField`. */
  function guarded(
    request: IncomingMessage,
    response: ServerResponse,
    body: string,
    firstField: string,
    act: (asker: Asker, fields: Fields) => Reply | Promise<Reply>,
  ) {
    const bearerFault = findBearerFault(request);
    if (bearerFault) return sendFault(response, bearerFault);
    const read = readBody(request.headers['content-type'], body, firstField);
    if (!read.ok) return sendFault(response, read.fault);
    const bearer = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const app = tokens.get(bearer)?.app ?? '';
    const httpsOnly = network.knobs().require_https_callbacks;
    Promise.resolve(act({ merchants, app, httpsOnly }, read.request)).then(
      (reply) => {
        if (reply === 'cut') request.socket.destroy();
        else if (reply.ok) send(response, 200, JSON.stringify(reply.request));
        else sendFault(response, reply.fault);
      },
      (error: unknown) => send(response, 500, String(error), 'text/plain'),
    );
  }

  /** Answers a request for Daraja; false when the path is none of Daraja's. */
  return function handle(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    body: string,
  ): boolean {
    const guard = (firstField: string, act: Parameters<typeof guarded>[4]) => ({
      verb: 'POST',
      act: () => guarded(request, response, body, firstField, act),
    });
    const { registerUrls, simulate, registerPull, pull, initiate, qr } = organisation;
    const endpoint = {
      '/oauth/v1/generate': { verb: 'GET', act: () => oauth(request, response, url.searchParams) },
      '/mpesa/stkpush/v1/processrequest': { verb: 'POST', act: () => push(request, response, body) },
      '/mpesa/stkpushquery/v1/query': { verb: 'POST', act: () => query(request, response, body) },
      '/mpesa/c2b/v1/registerurl': guard('ShortCode', (by, fields) => registerUrls('v1', by, fields)),
      '/mpesa/c2b/v2/registerurl': guard('ShortCode', (by, fields) => registerUrls('v2', by, fields)),
      '/mpesa/c2b/v1/simulate': guard('ShortCode', simulate),
      '/mpesa/c2b/v2/simulate': guard('ShortCode', simulate),
      '/pulltransactions/v1/register': guard('ShortCode', registerPull),
      '/pulltransactions/v1/query': guard('ShortCode', pull),
      '/mpesa/transactionstatus/v1/query': guard('Initiator', (by, f) => initiate('status', by, f)),
      '/mpesa/reversal/v1/request': guard('Initiator', (by, f) => initiate('reversal', by, f)),
      '/mpesa/accountbalance/v1/query': guard('Initiator', (by, f) => initiate('balance', by, f)),
      '/mpesa/qrcode/v1/generate': guard('MerchantName', qr),
    }[url.pathname];
    if (!endpoint) return false;
    if (request.method !== endpoint.verb) sendFault(response, FAULTS.wrong_verb);
    else endpoint.act();
    return true;
  };
}

/** What Daraja says of an unknown path. */
export function sendNotFound(response: ServerResponse) {
  send(
    response,
    404,
    JSON.stringify({ requestId: requestId(), errorCode: '404.001.01', errorMessage: 'Resource not found' }),
  );
}
