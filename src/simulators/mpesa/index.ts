// Runs a simulated M-PESA: Daraja's wire, phones for people, knobs for tests.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createControl } from './control.ts';
import { createDaraja, sendNotFound } from './daraja.ts';
import { DEFAULT_KNOBS, type Knobs } from './knobs.ts';
import { type Merchant, SIMULATED_MERCHANTS } from './merchants.ts';
import {
  createNetwork,
  type HandPayment,
  type HandPaymentResult,
  type LedgerEntry,
  type Phone,
  type PhoneAction,
  type Prompt,
} from './network.ts';
import { createOrganisation, type SentResult } from './organisation.ts';

export { SIMULATED_CERTIFICATE } from './certificate.ts';
export type { Delivery } from './delivery.ts';
export { DEFAULT_KNOBS, type Knobs, type Rule } from './knobs.ts';
export { type Merchant, SIMULATED_INITIATOR, SIMULATED_MERCHANTS } from './merchants.ts';
export type {
  Counts,
  HandPayment,
  HandPaymentResult,
  LedgerEntry,
  Phone,
  PhoneAction,
  PhoneMessage,
  Prompt,
  Reversal,
} from './network.ts';
export type { SentResult } from './organisation.ts';

export type MpesaSimulatorOptions = {
  listen?: { host: string; port: number };
  merchants?: readonly Merchant[];
  knobs?: Partial<Knobs>;
  /** What each phone has at first, in shillings. */
  walletShillings?: number;
  now?: () => number;
  random?: () => number;
};

const MAX_BODY_OCTETS = 64 * 1024;

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let octets = 0;
  for await (const chunk of request) {
    octets += (chunk as Buffer).length;
    if (octets > MAX_BODY_OCTETS) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString();
}

/**
 * A simulated M-PESA on a listener of its own (default 127.0.0.1, a free port). With nothing scripted every prompt
 * waits for a person at `/phone`; `knobs: { outcome: '0' }` pays by itself.
 */
export function createMpesaSimulator(options: MpesaSimulatorOptions = {}) {
  const now = options.now ?? Date.now;
  const random = options.random ?? Math.random;
  const merchants = options.merchants ?? SIMULATED_MERCHANTS;
  const listen = options.listen ?? { host: '127.0.0.1', port: 0 };
  const network = createNetwork({
    merchants,
    now,
    random,
    walletShillings: options.walletShillings ?? 5000,
    knobs: options.knobs,
  });
  const organisation = createOrganisation(network, { now });
  const daraja = createDaraja(network, organisation, { merchants, now, random });
  const control = createControl(network, merchants, now);
  let baseUrl = '';

  async function handle(request: IncomingMessage, response: ServerResponse) {
    const url = new URL(request.url ?? '/', 'http://simulator');
    const body = await readBody(request);
    if (body === undefined) {
      response.writeHead(413, { connection: 'close' }).end();
      return;
    }
    if (!daraja(request, response, url, body) && !control(request, response, url, body))
      sendNotFound(response);
  }

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      // A reader that hangs up in the middle of its own request is no fault of ours.
      if (request.destroyed || response.destroyed) return;
      response.writeHead(500, { 'content-type': 'text/plain' });
      response.end(error instanceof Error ? error.message : String(error));
    });
  });

  return {
    merchants,
    get baseUrl() {
      return baseUrl;
    },
    async start(): Promise<{ baseUrl: string }> {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(listen.port, listen.host, resolve);
      });
      const { port } = server.address() as AddressInfo;
      const host = listen.host === '0.0.0.0' || listen.host === '::' ? '127.0.0.1' : listen.host;
      baseUrl = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
      return { baseUrl };
    },
    async stop(): Promise<void> {
      network.stop();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
    /** Turns knobs; throws TypeError for a knob or value that does not exist. */
    setKnobs: network.setKnobs,
    resetKnobs: () => network.setKnobs(DEFAULT_KNOBS),
    knobs: (): Knobs => structuredClone(network.knobs()),
    /** Every shilling received, oldest first. */
    ledger: (): LedgerEntry[] => structuredClone([...network.ledger.values()]),
    /** Every push that was taken in, oldest first. */
    prompts: (): Prompt[] => structuredClone([...network.prompts.values()]),
    phone: (msisdn: string): Phone => structuredClone(network.phone(msisdn)),
    setWallet: network.setWallet,
    /** Plays a person who pays a paybill or till without any prompt. */
    payByHand: (wish: HandPayment): Promise<HandPaymentResult> => network.payByHand(wish),
    /** Sends money back as Safaricom does by itself, without any request of the organisation. */
    reverse(receipt: string, amountShillings?: number) {
      const entry = network.ledger.get(receipt);
      const outcome = network.reverse(receipt, amountShillings ?? entry?.amount_shillings ?? 0);
      if (outcome !== 'done') throw new Error(`not reversed: ${outcome}`);
    },
    /** Sends a held C2B confirmation now. */
    releaseConfirmation(receipt: string) {
      const problem = network.releaseConfirmation(receipt);
      if (problem) throw new Error(problem);
    },
    /** Every result of status, reversal and balance that was sent, oldest first. */
    results: (): SentResult[] => structuredClone(organisation.results),
    counts: () => ({ ...network.counts }),
    /** Plays the person at the phone; throws when the prompt cannot be answered so. */
    answer(checkoutRequestId: string, action: PhoneAction) {
      const problem = network.answer(checkoutRequestId, action);
      if (problem) throw new Error(problem);
    },
    /** Sends a held callback now. */
    release(checkoutRequestId: string) {
      const problem = network.release(checkoutRequestId);
      if (problem) throw new Error(problem);
    },
    /** The first prompt on a phone that satisfies `wanted`, now or later. */
    waitForPrompt: (wanted: (prompt: Prompt) => boolean = () => true): Promise<Prompt> =>
      network.waitUntil(() => {
        const found = [...network.prompts.values()].find((prompt) => prompt.on_phone && wanted(prompt));
        return found && structuredClone(found);
      }),
    /** Resolves when this prompt has had so many callbacks answered or failed. */
    waitForCallbacks: (checkoutRequestId: string, count = 1): Promise<Prompt> =>
      network.waitUntil(() => {
        const found = network.prompts.get(checkoutRequestId);
        return found && found.callbacks.length >= count && structuredClone(found);
      }),
    /** Resolves when no callback is on its way or due. */
    waitUntilQuiet: (): Promise<true> => network.waitUntil(() => network.isQuiet()),
    waitUntil: network.waitUntil,
  };
}

export type MpesaSimulator = ReturnType<typeof createMpesaSimulator>;
