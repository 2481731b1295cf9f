// M-PESA as a payment gateway.
import type { Db } from '../db/schema.ts';
import { mayHaveNodes } from '../db/several-nodes.ts';
import type { Vault } from '../lib/secrets.ts';
import {
  checkMpesaConnection,
  createMpesaClient,
  type InitiatedResult,
  type Initiator,
  type MpesaClient,
  type MpesaConfig,
  parseStkCallback,
  type SharedToken,
} from '../protocols/mpesa/index.ts';
import type {
  AnswerAddresses,
  AskedOutcome,
  GatewayOutside,
  Notice,
  NoticeRegistration,
  PaymentGateway,
  TestStep,
} from './gateways.ts';
import { openInitiator, viewInitiator } from './initiator.ts';
import { moneyOfPullRow } from './money.ts';
import { type MpesaSettings, readMpesaSettings } from './mpesa-settings.ts';
import { shareToken } from './shared-token.ts';

/** Settings → what the protocol needs. */
function configOf(
  settings: MpesaSettings,
  baseUrl: string,
  outside: GatewayOutside,
  initiator: Initiator | undefined,
  sharedToken: SharedToken | undefined,
): MpesaConfig {
  return {
    baseUrl,
    consumerKey: settings.consumer_key,
    consumerSecret: settings.consumer_secret,
    shortcode: settings.shortcode,
    kind: settings.kind,
    // An operator who knows only one number of their till has the same for both.
    ...(settings.kind === 'till' ? { tillNumber: settings.till_number ?? settings.shortcode } : {}),
    passkey: settings.passkey,
    ...(initiator ? { initiator } : {}),
    fetch: (url, init) => outside.fetch(url, init),
    now: outside.now,
    monotonicNow: outside.monotonic,
    ...(sharedToken ? { sharedToken } : {}),
  };
}

/** What only M-PESA has beside taking payments: what is told to it once. */
export interface MpesaGateway extends PaymentGateway {
  registerNotices(request: NoticeRegistration): Promise<TestStep>;
  /** `msisdn`: the number named in the operator's papers with Safaricom. */
  registerPull(msisdn: string, url: string): Promise<TestStep>;
  /** Asks for the balance of the operator's own account. */
  askBalance(request: AnswerAddresses): Promise<AskedOutcome>;
}

const PORTAL = 'Compare with the Daraja portal: the product must be on your app, the shortcode live.';

/** Why something that is told to M-PESA once was not taken. */
function notTaken(
  step: string,
  result: { outcome: string; message?: string; code?: string; cause?: string },
): TestStep {
  const unknown = result.outcome === 'unknown';
  const said = unknown ? result.cause : `${result.message} (${result.code})`;
  return {
    step,
    ok: false,
    message: unknown ? `Daraja did not answer clearly: ${said}` : `Daraja refused: ${said}`,
    hint: unknown ? 'Try again in a minute: it may have been taken.' : PORTAL,
  };
}

function asked(result: InitiatedResult): AskedOutcome {
  if (result.outcome === 'accepted') return { outcome: 'asked', conversation_id: result.conversation_id };
  if (result.outcome === 'unknown') return { outcome: 'unknown', problem: result.cause };
  return { outcome: 'refused', reason: result.reason, problem: `${result.code} ${result.message}`.trim() };
}

/** A gateway over one client, which keeps the one live token. Without an initiator nothing is looked up or sent back. */
export async function mpesaGateway(
  settings: MpesaSettings,
  outside: GatewayOutside,
  initiator?: Initiator,
  sharedToken?: SharedToken,
): Promise<MpesaGateway> {
  const simulated = settings.environment === 'simulator' && settings.base_url === '';
  const baseUrl = simulated ? await outside.simulatorUrl(settings) : settings.base_url;
  const config = configOf(settings, baseUrl, outside, initiator, sharedToken);
  const client: MpesaClient = createMpesaClient(config);
  return {
    async requestPayment(request) {
      const result = await client.stkPush({
        amount_shillings: request.amount_cents / 100,
        msisdn: request.msisdn,
        account_reference: request.account_reference,
        description: request.description,
        callback_url: request.callback_url,
      });
      if (result.outcome === 'accepted') return result;
      if (result.outcome === 'unknown') return { outcome: 'unknown', problem: result.cause };
      return {
        outcome: 'refused',
        reason: result.reason,
        problem: `${result.code} ${result.message}`.trim(),
      };
    },
    async queryPayment(checkoutRequestId) {
      const result = await client.stkQuery(checkoutRequestId);
      if (result.outcome === 'decided') {
        return { outcome: 'decided', result_code: result.result_code, body: JSON.stringify(result) };
      }
      const problem = result.outcome === 'unknown' ? result.cause : `${result.code} ${result.message}`;
      return { outcome: 'undecided', problem };
    },
    async pullMoney(from, to) {
      const { rows, stopped, unreadable } = await client.pullWindow({ from, to });
      const money = rows.map(moneyOfPullRow);
      if (stopped) {
        return { money, problem: 'cause' in stopped ? stopped.cause : `${stopped.code} ${stopped.message}` };
      }
      return { money, problem: unreadable > 0 ? `${unreadable} rows could not be read` : null };
    },
    askStatus: async (request) => asked(await client.transactionStatus(request)),
    reverse: async ({ amount_cents, ...request }) =>
      asked(await client.reverse({ ...request, amount_shillings: amount_cents / 100 })),
    askBalance: async (request) => asked(await client.accountBalance(request)),
    async registerNotices(request) {
      const result = await client.registerC2bUrls(request);
      if (result.outcome === 'registered') {
        return { step: 'c2b', ok: true, message: `Registered: notices come to ${request.confirmation_url}` };
      }
      if (result.outcome === 'already_registered') {
        return {
          step: 'c2b',
          ok: false,
          message: `Daraja has addresses already: ${result.message}`,
          hint: 'If they are not these, delete them on the Daraja portal (Self Services, URL Management), then register again.',
        };
      }
      return notTaken('c2b', result);
    },
    async registerPull(msisdn, url) {
      const result = await client.registerPull({ nominated_msisdn: msisdn, callback_url: url });
      if (result.outcome !== 'registered') return notTaken('pull', result);
      const message = result.already ? 'Pulling was enabled before.' : 'Pulling is enabled.';
      return { step: 'pull', ok: true, message };
    },
    async test() {
      const steps: TestStep[] = await checkMpesaConnection(config);
      if (!simulated) return steps;
      return [...steps, { step: 'phone', ok: true, message: `Play the guest’s phone at ${baseUrl}/phone` }];
    },
  };
}

/** Nodes that share a store share the token: each new one may end the one before (payments.md §1.2). */
function tokenOfNodes(
  db: Db,
  vault: Vault,
  { base_url, consumer_key, consumer_secret }: MpesaSettings,
  outside: GatewayOutside,
): SharedToken | undefined {
  if (!mayHaveNodes(db)) return undefined;
  return shareToken(db, vault, `${base_url} ${consumer_key} ${consumer_secret}`, outside.now);
}

/** Opens the gateway from the stored settings, and anew whenever they have changed. */
export function openMpesaGateway(
  db: Db,
  vault: Vault,
  outside: GatewayOutside,
): () => Promise<PaymentGateway | undefined> {
  let openedFor: string | undefined;
  let gateway: Promise<PaymentGateway | undefined> = Promise.resolve(undefined);
  return async () => {
    const settings = await readMpesaSettings(db, vault);
    const key = JSON.stringify([settings, await viewInitiator(db)]);
    if (key !== openedFor) {
      openedFor = key;
      // Assigned at once: whoever asks meanwhile waits for the same one.
      gateway = settings
        ? openInitiator(db, vault).then((initiator) =>
            mpesaGateway(settings, outside, initiator, tokenOfNodes(db, vault, settings, outside)),
          )
        : Promise.resolve(undefined);
    }
    return gateway;
  };
}

/** Reads an STK callback as a notice; undefined when it is none. */
export function readMpesaCallback(body: string): Notice | undefined {
  const callback = parseStkCallback(body);
  return callback.ok ? callback : undefined;
}
