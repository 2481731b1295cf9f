// Reads what M-PESA sends to a ResultURL or QueueTimeOutURL.
import { describeInitiatorResult } from './result-codes.ts';
import {
  asList,
  asText,
  isObject,
  parseCents,
  parseNotice,
  readDarajaTime,
  readPayer,
  readReceipt,
  type UnreadableNotice,
} from './shapes.ts';

/**
 * A result that could be read; not signed, so no proof by itself. `parameters` holds every value of a key in the
 * order sent: some keys come twice. `transaction_id` is the transaction of this request itself, not the one asked about.
 */
export type InitiatorResult = {
  ok: true;
  done: boolean;
  result_type: string;
  result_code: string;
  result_desc: string;
  conversation_id: string;
  originator_conversation_id: string;
  transaction_id: string;
  parameters: Record<string, string[]>;
};

export type InitiatorResultProblem = {
  ok: false;
  problem: UnreadableNotice | 'not_a_result' | 'no_result_code';
};

/** Reads the raw body posted to a ResultURL; never throws. Shape: payments.md §1.10. */
export function parseInitiatorResult(bodyText: string): InitiatorResult | InitiatorResultProblem {
  const read = parseNotice(bodyText);
  if (!read.ok) return read;
  const result = read.fields.Result;
  if (!isObject(result)) return { ok: false, problem: 'not_a_result' };
  const code = asText(result.ResultCode);
  if (code === '') return { ok: false, problem: 'no_result_code' };
  const parameters: Record<string, string[]> = Object.create(null);
  const holder = isObject(result.ResultParameters) ? result.ResultParameters.ResultParameter : undefined;
  for (const entry of asList(holder)) {
    if (!isObject(entry)) continue;
    const key = asText(entry.Key);
    const value = asText(entry.Value);
    if (key === '' || value === '') continue;
    parameters[key] = [...(parameters[key] ?? []), value];
  }
  return {
    ok: true,
    done: code === '0',
    result_type: asText(result.ResultType),
    result_code: code,
    result_desc: asText(result.ResultDesc),
    conversation_id: asText(result.ConversationID),
    originator_conversation_id: asText(result.OriginatorConversationID),
    transaction_id: asText(result.TransactionID),
    parameters,
  };
}

/** A timeout says only that nothing was decided; its body is not documented, so every field may be empty. */
export type QueueTimeout = {
  conversation_id: string;
  originator_conversation_id: string;
  result_code: string;
  result_desc: string;
};

/** Reads the raw body posted to a QueueTimeOutURL, whatever it is: with or without the Result envelope, or nothing. */
export function parseQueueTimeout(bodyText: string): QueueTimeout {
  const read = parseNotice(bodyText);
  const outer = read.ok ? read.fields : {};
  const fields = isObject(outer.Result) ? outer.Result : outer;
  return {
    conversation_id: asText(fields.ConversationID),
    originator_conversation_id: asText(fields.OriginatorConversationID),
    result_code: asText(fields.ResultCode),
    result_desc: asText(fields.ResultDesc),
  };
}

/** `254712345678 - Jane Doe` or `600310 - Karibu WiFi`, taken apart. */
export type Party = { text: string; identifier: string; name: string; msisdn?: string };

function readParty(text: string): Party {
  const cut = text.indexOf(' - ');
  const identifier = (cut < 0 ? text : text.slice(0, cut)).trim();
  const { msisdn } = readPayer(identifier);
  const name = cut < 0 ? '' : text.slice(cut + 3).trim();
  return { text, identifier, name, ...(msisdn === undefined ? {} : { msisdn }) };
}

/**
 * What became of a transaction. `receipt` is the one asked about. Money arrived only with `status` `completed`,
 * and `amount_cents` and `credit_party` must be looked at too: any receipt in M-PESA may be asked about by its receiver.
 */
export type TransactionStatus = {
  receipt?: string;
  status: 'completed' | 'cancelled' | 'declined' | 'expired' | 'authorized' | 'initiated' | 'unknown';
  status_raw: string;
  amount_cents?: number;
  debit_party?: Party;
  credit_party?: Party;
  reason_type: string;
  initiated_at?: number;
  finalised_at?: number;
};

const STATUSES = ['completed', 'cancelled', 'declined', 'expired', 'authorized', 'initiated'] as const;

/** Reads the result of a Transaction Status request; undefined unless its code was "0". */
export function readTransactionStatus(result: InitiatorResult): TransactionStatus | undefined {
  if (!result.done) return undefined;
  const all = (key: string) => result.parameters[key] ?? [];
  const one = (key: string) => all(key)[0] ?? '';
  const raw = one('TransactionStatus');
  const status = STATUSES.find((known) => known === raw.toLowerCase()) ?? 'unknown';
  // The documents show DebitPartyName twice: the payer is the one with a phone number.
  const debits = all('DebitPartyName').map(readParty);
  const debit = debits.find((party) => party.msisdn !== undefined) ?? debits[0];
  const credit = all('CreditPartyName').map(readParty)[0] ?? debits.find((party) => party !== debit);
  const receipt = readReceipt(one('ReceiptNo'));
  const amount = parseCents(one('Amount'));
  const initiatedAt = readDarajaTime(one('InitiatedTime'));
  const finalisedAt = readDarajaTime(one('FinalisedTime'));
  return {
    ...(receipt === undefined ? {} : { receipt }),
    status,
    status_raw: raw,
    ...(amount === undefined ? {} : { amount_cents: amount }),
    ...(debit ? { debit_party: debit } : {}),
    ...(credit ? { credit_party: credit } : {}),
    reason_type: one('ReasonType'),
    ...(initiatedAt === undefined ? {} : { initiated_at: initiatedAt }),
    ...(finalisedAt === undefined ? {} : { finalised_at: finalisedAt }),
  };
}

/**
 * - `reversed`: the money went back now. `already_reversed`: it had gone back before (R000001), as good after a look.
 * - `failed`: it did not, for sure. `unknown`: ask for the transaction's status.
 */
export type ReversalOutcome = {
  outcome: 'reversed' | 'already_reversed' | 'failed' | 'unknown';
  result_code: string;
  reversal_receipt?: string;
  original_receipt?: string;
  amount_cents?: number;
};

/** Reads the result of a reversal. */
export function readReversal(result: InitiatorResult): ReversalOutcome {
  const one = (key: string) => result.parameters[key]?.[0] ?? '';
  const code = result.result_code;
  const receipt = readReceipt(result.transaction_id);
  const original = readReceipt(one('OriginalTransactionID'));
  const amount = parseCents(one('Amount'));
  return {
    outcome: result.done
      ? 'reversed'
      : code === 'R000001'
        ? 'already_reversed'
        : describeInitiatorResult(code).final
          ? 'failed'
          : 'unknown',
    result_code: code,
    ...(receipt !== undefined && result.done ? { reversal_receipt: receipt } : {}),
    ...(original === undefined ? {} : { original_receipt: original }),
    ...(amount === undefined ? {} : { amount_cents: amount }),
  };
}

/** Money of one account of the organisation. Paybill money lands in Utility, till money in Merchant. */
export type AccountBalance = {
  account: string;
  currency: string;
  current_cents: number;
  available_cents?: number;
  reserved_cents?: number;
  uncleared_cents?: number;
};

/** Reads `Working Account|KES|700000.00|700000.00|0.00|0.00&Utility Account|KES|…`; what is no account is left out. */
export function parseAccountBalances(text: string): AccountBalance[] {
  const accounts: AccountBalance[] = [];
  for (const part of text.split('&')) {
    const [account = '', currency = '', ...sums] = part.split('|').map((field) => field.trim());
    const [current, available, reserved, uncleared] = sums.map((sum) =>
      parseCents(sum, { zero: true, negative: true }),
    );
    if (account === '' || currency === '' || current === undefined) continue;
    accounts.push({
      account,
      currency,
      current_cents: current,
      ...(available === undefined ? {} : { available_cents: available }),
      ...(reserved === undefined ? {} : { reserved_cents: reserved }),
      ...(uncleared === undefined ? {} : { uncleared_cents: uncleared }),
    });
  }
  return accounts;
}

/** The accounts in the result of a balance request; undefined unless its code was "0" and at least one can be read. */
export function readAccountBalance(result: InitiatorResult): AccountBalance[] | undefined {
  if (!result.done) return undefined;
  const accounts = parseAccountBalances(result.parameters.AccountBalance?.[0] ?? '');
  return accounts.length > 0 ? accounts : undefined;
}
