// Asks what only an initiator may: the status of a transaction, a reversal, the balance.
import { type DarajaCall, refused, refusedHere, type Unknown, unknownAnswer } from './daraja-call.ts';
import { type Refused, readError } from './refusals.ts';
import { asText } from './shapes.ts';

/** The API operator of the organisation portal; `securityCredential` comes from makeSecurityCredential. */
export type Initiator = { name: string; securityCredential: string };

/** Where the result is sent, once; `timeout_url` is told when the request waited too long in M-PESA's queue. */
export type ResultAddresses = { result_url: string; timeout_url: string };

/** By receipt, or by the OriginatorConversationID of an earlier request. */
export type TransactionStatusRequest = ResultAddresses &
  ({ receipt: string } | { original_conversation_id: string }) & { remarks?: string; occasion?: string };

/** Only C2B payments can be reversed, STK among them, and only in full or in part once. */
export type ReversalRequest = ResultAddresses & {
  receipt: string;
  amount_shillings: number;
  remarks: string;
};

export type AccountBalanceRequest = ResultAddresses & { remarks?: string };

/**
 * - `accepted`: the result comes later to `result_url`, once; match it by an unguessable path of the address, or by
 *   these ids.
 * - `refused`: nothing was begun. `unknown`: it may have been; a reversal is then not asked for again, but looked up.
 */
export type InitiatedResult =
  | { outcome: 'accepted'; conversation_id: string; originator_conversation_id: string; description: string }
  | Refused
  | Unknown;

function findAddressProblem(request: ResultAddresses): string | undefined {
  for (const url of [request.result_url, request.timeout_url]) {
    const host = URL.canParse(url) ? /^https?:\/\/([^/?#]+)/i.exec(url)?.[1] : undefined;
    if (!host) return 'The result address is not a URL.';
    if (host !== host.toLowerCase()) return 'The host of the result address must be in small letters.';
  }
  return undefined;
}

const findReceiptProblem = (receipt: string) =>
  /^[A-Z0-9]{6,20}$/.test(receipt) ? undefined : 'The M-PESA code must be letters and digits.';

async function initiate(
  call: DarajaCall,
  initiator: Initiator | undefined,
  path: string,
  problem: string | undefined,
  fields: (initiator: Initiator) => object,
): Promise<InitiatedResult> {
  if (!initiator || initiator.name === '' || initiator.securityCredential === '') {
    return refused('initiator', 'local', 'No initiator is set up for this shortcode.');
  }
  if (problem) return refusedHere(problem);
  const answer = await call.post(path, fields(initiator));
  if ('outcome' in answer) return answer;
  if (answer.kind !== 'answer' || readError(answer.json)) return unknownAnswer(answer);
  const code = asText(answer.json?.ResponseCode);
  const description = asText(answer.json?.ResponseDescription);
  const conversationId = asText(answer.json?.ConversationID);
  if (answer.status === 200 && code === '0') {
    return {
      outcome: 'accepted',
      conversation_id: conversationId,
      // C2B registration writes OriginatorCoversationID; nothing says that others never will.
      originator_conversation_id:
        asText(answer.json?.OriginatorConversationID) || asText(answer.json?.OriginatorCoversationID),
      description,
    };
  }
  if (answer.status === 200 && code !== '' && conversationId === '')
    return refused('rejected', code, description);
  return unknownAnswer(answer);
}

export function transactionStatus(
  call: DarajaCall,
  shortcode: string,
  initiator: Initiator | undefined,
  request: TransactionStatusRequest,
): Promise<InitiatedResult> {
  const problem =
    findAddressProblem(request) ??
    ('receipt' in request
      ? findReceiptProblem(request.receipt)
      : request.original_conversation_id === ''
        ? 'The conversation id is missing.'
        : undefined);
  return initiate(call, initiator, '/mpesa/transactionstatus/v1/query', problem, (by) => ({
    Initiator: by.name,
    SecurityCredential: by.securityCredential,
    CommandID: 'TransactionStatusQuery',
    ...('receipt' in request
      ? { TransactionID: request.receipt }
      : { OriginalConversationID: request.original_conversation_id }),
    PartyA: shortcode,
    IdentifierType: '4',
    ResultURL: request.result_url,
    QueueTimeOutURL: request.timeout_url,
    Remarks: request.remarks ?? 'Status',
    Occasion: request.occasion ?? '',
  }));
}

export function reverse(
  call: DarajaCall,
  shortcode: string,
  initiator: Initiator | undefined,
  request: ReversalRequest,
): Promise<InitiatedResult> {
  const whole = Number.isSafeInteger(request.amount_shillings) && request.amount_shillings >= 1;
  const remarksFit = request.remarks.length >= 2 && request.remarks.length <= 100;
  const problem =
    findAddressProblem(request) ??
    findReceiptProblem(request.receipt) ??
    (whole ? undefined : 'The amount must be whole shillings, at least KES 1.') ??
    (remarksFit ? undefined : 'The reason must be 2 to 100 characters.');
  return initiate(call, initiator, '/mpesa/reversal/v1/request', problem, (by) => ({
    Initiator: by.name,
    SecurityCredential: by.securityCredential,
    CommandID: 'TransactionReversal',
    TransactionID: request.receipt,
    Amount: String(request.amount_shillings),
    ReceiverParty: shortcode,
    // Daraja's own spelling.
    RecieverIdentifierType: '11',
    ResultURL: request.result_url,
    QueueTimeOutURL: request.timeout_url,
    Remarks: request.remarks,
    Occasion: '',
  }));
}

export function accountBalance(
  call: DarajaCall,
  shortcode: string,
  initiator: Initiator | undefined,
  request: AccountBalanceRequest,
): Promise<InitiatedResult> {
  return initiate(call, initiator, '/mpesa/accountbalance/v1/query', findAddressProblem(request), (by) => ({
    Initiator: by.name,
    SecurityCredential: by.securityCredential,
    CommandID: 'AccountBalance',
    PartyA: shortcode,
    IdentifierType: '4',
    ResultURL: request.result_url,
    QueueTimeOutURL: request.timeout_url,
    Remarks: request.remarks ?? 'Balance',
  }));
}
