// Answers what an organisation asks of its own money: C2B registration, pull, status, reversal, balance, QR.
import { randomBytes } from 'node:crypto';
import QRCode from 'qrcode';
import { eatFields, formatEatTimestamp } from '../../protocols/mpesa/eat-time.ts';
import { openCredential } from './certificate.ts';
import { type Delivery, postOnce } from './delivery.ts';
import { FAULTS, requestId } from './faults.ts';
import { type Merchant, SIMULATED_INITIATOR } from './merchants.ts';
import type { LedgerEntry, Network, Reversal } from './network.ts';
import {
  type Asker,
  checkInitiated,
  checkPull,
  checkPullRegister,
  checkQr,
  checkRegister,
  checkSimulate,
  type InitiatorApi,
  type InitiatorRequest,
} from './organisation-requests.ts';
import { ownerName } from './people.ts';
import { type Checked, type Fields, no } from './requests.ts';
import { initiatorProse } from './texts.ts';

/** What an endpoint answers: a body, a refusal, or a cut connection. */
export type Reply = Checked<object> | 'cut';

/** One result that was sent, or was to be, with its delivery. */
export type SentResult = {
  api: InitiatorApi;
  conversation_id: string;
  originator_conversation_id: string;
  url: string;
  body: string;
  delivery: Delivery | null;
};

/** Seen where a request moves no money. */
const NO_TRANSACTION = 'NLJ0000000';
const PULL_WINDOW_MS = 48 * 3_600_000;
const pad = (value: number) => String(value).padStart(2, '0');

const conversationId = (at: number) =>
  `AG_${formatEatTimestamp(at).slice(0, 8)}_${randomBytes(10).toString('hex')}`;

/** Written with a Z, though the clock is Nairobi's. */
function pullDate(at: number): string {
  const f = eatFields(at);
  return `${f.year}-${pad(f.month)}-${pad(f.day)}T${pad(f.hour)}:${pad(f.minute)}:${pad(f.second)}Z`;
}

function money(shillings: number): string {
  return shillings.toFixed(2);
}

/** The accounts of an organisation in the portal's words: till money is in Merchant, paybill money in Utility. */
function balanceText(merchant: Merchant, shillings: number): string {
  const account = (name: string, sum: number) => `${name}|KES|${money(sum)}|${money(sum)}|0.00|0.00`;
  const till = merchant.kind === 'till';
  return [
    account('Working Account', 0),
    account('Utility Account', till ? 0 : shillings),
    account('Charges Paid Account', 0),
    account('Merchant Account', till ? shillings : 0),
    account('Organization Settlement Account', 0),
  ].join('&');
}

export function createOrganisation(network: Network, outside: { now: () => number }) {
  const { now } = outside;
  const results: SentResult[] = [];
  const wrongCredentials = new Map<string, number>();
  /** Receipts by the conversation that asked about or moved them, for OriginalConversationID. */
  const conversations = new Map<string, string>();
  let counter = 7_271_215;

  const refId = () => {
    counter += 1;
    return `18633-${counter}-1`;
  };

  function registerUrls(version: 'v1' | 'v2', asker: Asker, fields: Fields): Reply {
    const knobs = network.knobs();
    if (knobs.c2b_register_error) return no(FAULTS[knobs.c2b_register_error]);
    const checked = checkRegister(asker, fields);
    if (!checked.ok) return checked;
    const { merchant, ...addresses } = checked.request;
    if (knobs.c2b_register_once && network.registrations.has(merchant.shortcode)) {
      return no(FAULTS.urls_registered);
    }
    network.registrations.set(merchant.shortcode, { version, ...addresses });
    // Misspelled by Daraja.
    const body = { OriginatorCoversationID: requestId(), ResponseCode: '0', ResponseDescription: 'Success' };
    return { ok: true, request: body };
  }

  function simulate(asker: Asker, fields: Fields): Reply {
    const checked = checkSimulate(asker, fields);
    if (!checked.ok) return checked;
    network.deliverLater(0, () => network.payByHand(checked.request));
    return {
      ok: true,
      request: {
        OriginatorCoversationID: requestId(),
        ResponseCode: '0',
        ResponseDescription: 'Accept the service request successfully.',
      },
    };
  }

  function registerPull(asker: Asker, fields: Fields): Reply {
    const knobs = network.knobs();
    if (knobs.pull_error) return no(FAULTS[knobs.pull_error]);
    const checked = checkPullRegister(asker, fields);
    if (!checked.ok) return checked;
    const { shortcode } = checked.request;
    const again = network.pullRegistered.has(shortcode);
    network.pullRegistered.add(shortcode);
    const status = again ? '1001' : '1000';
    const description = again ? 'ShortCode already Registered' : 'ShortCode Registered Successfully';
    const [statusKey, descriptionKey] = knobs.pull_spaced_keys
      ? ['Response Status', 'Response Description']
      : ['ResponseStatus', 'ResponseDescription'];
    return {
      ok: true,
      request: {
        ResponseRefID: refId(),
        [statusKey]: status,
        ShortCode: shortcode,
        [descriptionKey]: description,
      },
    };
  }

  function pullRow(entry: LedgerEntry, merchant: Merchant): object {
    const settings = network.settingsOf(entry);
    const { payer_msisdn: msisdn } = entry;
    const shown =
      settings.pull_msisdn === 'masked' ? `${msisdn.slice(0, 4)}*****${msisdn.slice(-3)}` : Number(msisdn);
    return {
      transactionId: entry.receipt,
      trxDate: pullDate(entry.paid_at),
      ...(settings.pull_msisdn === 'absent' ? {} : { msisdn: shown }),
      sender: 'MPESA',
      transactiontype: merchant.kind === 'till' ? 'c2b-buy-goods-debit' : 'c2b-pay-bill-debit',
      billreference: entry.account_reference,
      amount: money(entry.amount_shillings),
      organizationname: merchant.name,
    };
  }

  function reversalRow(entry: LedgerEntry, reversal: Reversal, merchant: Merchant): object {
    return {
      ...pullRow(entry, merchant),
      transactionId: reversal.receipt,
      trxDate: pullDate(reversal.at),
      transactiontype: 'transaction-reversal',
      billreference: entry.receipt,
      amount: money(-reversal.amount_shillings),
    };
  }

  function pull(asker: Asker, fields: Fields): Reply {
    network.counts.pulls += 1;
    const knobs = network.knobs();
    if (knobs.pull_error) return no(FAULTS[knobs.pull_error]);
    const checked = checkPull(asker, fields);
    if (!checked.ok) return checked;
    const { merchant, from, to, offset } = checked.request;
    if (!network.pullRegistered.has(merchant.shortcode)) return no(FAULTS.bad_pull_shortcode);
    const at = now();
    const found = [...network.ledger.values()].filter((entry) => {
      // The request names whole seconds.
      const second = Math.floor(entry.paid_at / 1000) * 1000;
      return (
        entry.shortcode === merchant.shortcode &&
        !entry.pull_hidden &&
        (entry.source === 'hand' || knobs.pull_includes_stk) &&
        second >= Math.max(from, at - PULL_WINDOW_MS) &&
        second <= to &&
        at - entry.paid_at >= network.settingsOf(entry).pull_delay_ms
      );
    });
    const first = knobs.pull_ignores_offset ? 0 : offset;
    const rows = found.flatMap((entry) => [
      pullRow(entry, merchant),
      ...(knobs.pull_reversals && entry.reversal ? [reversalRow(entry, entry.reversal, merchant)] : []),
    ]);
    const page = rows.slice(first, first + knobs.pull_page_size);
    const none = page.length === 0;
    return {
      ok: true,
      request: {
        ResponseRefID: refId(),
        ResponseCode: none ? '1001' : '1000',
        ResponseMessage: none ? 'No transactions found' : 'Success',
        // A list inside a list, also when there is nothing in it.
        Response: [page],
      },
    };
  }

  /** Result code "0" and what it tells, or the code of a refusal. */
  type Outcome = { code: string; transaction_id?: string; parameters?: [string, unknown][] };

  function findCredentialFault(request: InitiatorRequest): string | undefined {
    const known = request.merchant.initiator ?? SIMULATED_INITIATOR;
    const key = request.merchant.shortcode;
    const wrong = wrongCredentials.get(key) ?? 0;
    const { initiator_lock_after: limit } = network.knobs();
    if (limit > 0 && wrong >= limit) return '8006';
    if (request.initiator === known.name && openCredential(request.credential) === known.password) {
      wrongCredentials.delete(key);
      return undefined;
    }
    wrongCredentials.set(key, wrong + 1);
    return '2001';
  }

  function findEntry(request: InitiatorRequest): LedgerEntry | undefined {
    const byConversation = request.original_conversation_id;
    const receipt = request.receipt || conversations.get(byConversation) || '';
    const entry =
      network.ledger.get(receipt) ??
      [...network.ledger.values()].find(
        (e) => byConversation !== '' && e.merchant_request_id === byConversation && request.receipt === '',
      );
    return entry?.shortcode === request.merchant.shortcode ? entry : undefined;
  }

  function status(request: InitiatorRequest): Outcome {
    const knobs = network.knobs();
    const entry = findEntry(request);
    if (!entry) return { code: knobs.status_unknown_code };
    const name = ownerName(entry.payer_msisdn);
    const debit = `${entry.payer_msisdn} - ${name.first} ${name.last}`;
    const credit = `${request.merchant.till_number ?? request.merchant.shortcode} - ${request.merchant.name}`;
    const fields: [string, unknown][] = [
      ['DebitPartyName', debit],
      ...(knobs.status_debit_twice ? ([['DebitPartyName', credit]] as [string, unknown][]) : []),
      ['CreditPartyName', credit],
      ['OriginatorConversationID', entry.merchant_request_id],
      ['InitiatedTime', Number(formatEatTimestamp(entry.paid_at))],
      ['DebitAccountType', 'MMF Account For Customer'],
      ['DebitPartyCharges', undefined],
      ['TransactionReason', undefined],
      ['ReasonType', request.merchant.kind === 'till' ? 'Merchant Payment' : 'Pay Utility'],
      ['TransactionStatus', knobs.status_as ?? 'Completed'],
      ['FinalisedTime', Number(formatEatTimestamp(entry.paid_at))],
      ['Amount', knobs.result_types === 'string' ? money(entry.amount_shillings) : entry.amount_shillings],
      ['ConversationID', conversationId(entry.paid_at)],
      ['ReceiptNo', entry.receipt],
    ];
    return { code: '0', parameters: fields.filter(([key]) => !knobs.status_missing.includes(key)) };
  }

  function reversal(request: InitiatorRequest): Outcome {
    const entry = findEntry(request);
    if (!entry) return { code: 'R000002' };
    const outcome = network.reverse(entry.receipt, request.amount_shillings);
    if (outcome === 'already') return { code: 'R000001' };
    if (outcome === 'unknown') return { code: 'R000002' };
    if (outcome === 'poor') return { code: '1' };
    if (outcome === 'too_much') return { code: '2006' };
    const name = ownerName(entry.payer_msisdn);
    return {
      code: '0',
      transaction_id: entry.reversal?.receipt ?? '',
      parameters: [
        [
          'DebitAccountBalance',
          balanceText(request.merchant, network.orgBalance(entry.shortcode)).split('&')[1],
        ],
        ['Amount', request.amount_shillings],
        ['TransCompletedTime', Number(formatEatTimestamp(now()))],
        ['OriginalTransactionID', entry.receipt],
        ['Charge', 0],
        ['CreditPartyPublicName', `${entry.payer_msisdn} - ${name.first} ${name.last}`],
        ['DebitPartyPublicName', `${request.merchant.shortcode} - ${request.merchant.name}`],
      ],
    };
  }

  function balance(request: InitiatorRequest): Outcome {
    const { merchant } = request;
    return {
      code: '0',
      parameters: [
        ['AccountBalance', balanceText(merchant, network.orgBalance(merchant.shortcode))],
        ['BOCompletedTime', Number(formatEatTimestamp(now()))],
      ],
    };
  }

  const acts = { status, reversal, balance };

  function resultBody(
    ids: Pick<SentResult, 'conversation_id' | 'originator_conversation_id'>,
    outcome: Outcome,
  ) {
    const typed = (code: string) =>
      network.knobs().result_types === 'number' && /^\d+$/.test(code) ? Number(code) : code;
    const list = (outcome.parameters ?? []).map(([Key, Value]) =>
      Value === undefined ? { Key } : { Key, Value },
    );
    return JSON.stringify({
      Result: {
        ResultType: typed('0'),
        ResultCode: typed(outcome.code),
        ResultDesc: initiatorProse(outcome.code),
        OriginatorConversationID: ids.originator_conversation_id,
        ConversationID: ids.conversation_id,
        TransactionID: outcome.transaction_id ?? NO_TRANSACTION,
        ...(list.length > 0
          ? { ResultParameters: { ResultParameter: list.length === 1 ? list[0] : list } }
          : {}),
        ReferenceData: {
          ReferenceItem: {
            Key: 'QueueTimeoutURL',
            Value: 'https://internalsandbox.safaricom.co.ke/mpesa/results/v1/submit',
          },
        },
      },
    });
  }

  async function finish(
    api: InitiatorApi,
    request: InitiatorRequest,
    ids: { conversation_id: string; originator_conversation_id: string },
  ) {
    const knobs = network.knobs();
    // A request that waited too long in the queue was never looked at.
    const late = knobs.initiator_reply === 'timeout';
    const code = late ? undefined : (knobs.initiator_result_code ?? findCredentialFault(request));
    const outcome = late ? { code: '1' } : code !== undefined ? { code } : acts[api](request);
    if (outcome.transaction_id) conversations.set(ids.originator_conversation_id, outcome.transaction_id);
    if (knobs.initiator_reply === 'none') return;
    const body = resultBody(ids, outcome);
    const url = late ? request.timeout_url : request.result_url;
    await network.repeat(knobs.initiator_count, false, async () => {
      const sent: SentResult = { api, ...ids, url, body, delivery: null };
      results.push(sent);
      const outsideWorld = { now, signal: network.signal, timeoutMs: knobs.callback_timeout_ms };
      const { text: _, ...delivery } = await postOnce(url, body, {}, outsideWorld);
      sent.delivery = delivery;
      network.changed();
    });
  }

  function initiate(api: InitiatorApi, asker: Asker, fields: Fields): Reply {
    network.counts.initiated += 1;
    const knobs = network.knobs();
    if (knobs.initiator_error) return no(FAULTS[knobs.initiator_error]);
    const checked = checkInitiated(api, asker, fields);
    if (!checked.ok) return checked;
    if (knobs.initiator_drop === 'before_accept') return 'cut';
    const ids = { conversation_id: conversationId(now()), originator_conversation_id: requestId() };
    network.deliverLater(knobs.initiator_delay_ms, () => finish(api, checked.request, ids));
    if (knobs.initiator_drop === 'after_accept') return 'cut';
    return {
      ok: true,
      request: {
        OriginatorConversationID: ids.originator_conversation_id,
        ConversationID: ids.conversation_id,
        ResponseCode: '0',
        ResponseDescription: 'Accept the service request successfully.',
      },
    };
  }

  async function qr(asker: Asker, fields: Fields): Promise<Reply> {
    const knobs = network.knobs();
    if (knobs.qr_error) return no(FAULTS[knobs.qr_error]);
    const checked = checkQr(asker, fields);
    if (!checked.ok) return checked;
    const png = await QRCode.toBuffer(checked.request.text, { width: checked.request.pixels });
    return {
      ok: true,
      request: {
        ResponseCode: '00',
        RequestID: requestId(),
        ResponseDescription: 'QR Code Successfully Generated.',
        QRCode: png.toString('base64'),
      },
    };
  }

  return {
    results,
    registerUrls,
    simulate,
    registerPull,
    pull,
    initiate,
    qr,
  };
}

export type Organisation = ReturnType<typeof createOrganisation>;
