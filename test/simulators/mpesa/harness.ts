// Starts a simulator, a client for it, a listener for its callbacks.
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createMpesaClient, type MpesaConfig } from '../../../src/protocols/mpesa/index.ts';
import {
  createMpesaSimulator,
  type Merchant,
  type MpesaSimulatorOptions,
} from '../../../src/simulators/mpesa/index.ts';

export const PAYER = '254712345678';

export type Received = { path: string; headers: IncomingHttpHeaders; body: string };

const closers: (() => Promise<void>)[] = [];

/** For afterEach: stops everything this file started. */
export async function stopAll() {
  for (const close of closers.splice(0).reverse()) await close();
}

/** Our side of a callback: remembers what came, answers `status` with `answer`. */
export async function startCallbackDoor(status = 200, answer = '{"ResultCode":0,"ResultDesc":"Accepted"}') {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      received.push({ path: request.url ?? '', headers: request.headers, body });
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/cb/mpesa/t0ken` };
}

export async function startSimulator(options: MpesaSimulatorOptions = {}) {
  const simulator = createMpesaSimulator({
    ...options,
    knobs: { callback_delay_ms: 0, no_answer_ms: 0, ...options.knobs },
  });
  await simulator.start();
  closers.push(() => simulator.stop());
  return simulator;
}

type Simulator = Awaited<ReturnType<typeof startSimulator>>;

/** The settings that fit a merchant of this simulator. */
export function configFor(simulator: Simulator, kind: Merchant['kind'] = 'paybill'): MpesaConfig {
  const merchant = simulator.merchants.find((m) => m.kind === kind)!;
  return {
    baseUrl: simulator.baseUrl,
    consumerKey: merchant.consumer_key,
    consumerSecret: merchant.consumer_secret,
    shortcode: merchant.shortcode,
    kind,
    passkey: merchant.passkey,
    timeoutMs: 5000,
    ...(merchant.till_number ? { tillNumber: merchant.till_number } : {}),
  };
}

export async function startPair(options: MpesaSimulatorOptions = {}) {
  const simulator = await startSimulator(options);
  const door = await startCallbackDoor();
  const client = createMpesaClient(configFor(simulator));
  const push = (change: Partial<Parameters<typeof client.stkPush>[0]> = {}) =>
    client.stkPush({
      amount_shillings: 20,
      msisdn: PAYER,
      account_reference: 'HOUR1',
      description: 'WiFi',
      callback_url: door.url,
      ...change,
    });
  /** A push that must be accepted; gives its checkout id. */
  const pushed = async (change: Parameters<typeof push>[0] = {}) => {
    const result = await push(change);
    if (result.outcome !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(result)}`);
    return result.checkout_request_id;
  };
  return { simulator, door, client, push, pushed };
}
