// The public face of the M-PESA protocol.
export {
  C2B_CONFIRMATION_ANSWER,
  type C2bNotice,
  type C2bProblem,
  type C2bRegistration,
  type C2bRegistrationResult,
  type C2bRejection,
  c2bValidationAnswer,
  findNoticeUrlProblem,
  fitsMask,
  hashMsisdn,
  parseC2bNotice,
} from './c2b.ts';
export { type CallbackProblem, parseStkCallback, type StkCallback } from './callback.ts';
export { type CheckStep, checkMpesaConnection } from './check-connection.ts';
export {
  createMpesaClient,
  findPushProblem,
  type MpesaClient,
  type MpesaConfig,
  type StkPush,
  type StkPushResult,
  type StkQueryResult,
  stkPassword,
} from './client.ts';
export {
  type ConfirmationSms,
  parseConfirmationSms,
  parseReversalSms,
  type ReversalSms,
} from './confirmation-sms.ts';
export type { Unknown } from './daraja-call.ts';
export type { DynamicQrRequest, DynamicQrResult } from './dynamic-qr.ts';
export { formatEatTimestamp, parseEatTimestamp } from './eat-time.ts';
export type {
  AccountBalanceRequest,
  InitiatedResult,
  Initiator,
  ResultAddresses,
  ReversalRequest,
  TransactionStatusRequest,
} from './initiator.ts';
export {
  PULL_WINDOW_MS,
  type PullPage,
  type PullRegistration,
  type PullRegistrationResult,
  type PullRequest,
  type PullRow,
  type PullSweep,
} from './pull.ts';
export { isPlausibleReceipt, makeReceipt } from './receipt.ts';
export type { RefusalReason, Refused } from './refusals.ts';
export {
  describeInitiatorResult,
  describeResult,
  INITIATOR_RESULT_CODES,
  type InitiatorResultCode,
  RESULT_CODES,
  type ResultCode,
} from './result-codes.ts';
export {
  type AccountBalance,
  type InitiatorResult,
  type InitiatorResultProblem,
  type Party,
  parseAccountBalances,
  parseInitiatorResult,
  parseQueueTimeout,
  type QueueTimeout,
  type ReversalOutcome,
  readAccountBalance,
  readReversal,
  readTransactionStatus,
  type TransactionStatus,
} from './results.ts';
export { makeSecurityCredential, type SecurityCredential } from './security-credential.ts';
export { type Payer, readPayer } from './shapes.ts';
export {
  parseStatement,
  type Statement,
  type StatementPayment,
  type StatementPeriod,
  type StatementReversal,
} from './statement.ts';
export type { SharedToken } from './token.ts';
