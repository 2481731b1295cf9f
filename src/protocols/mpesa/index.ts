// The public face of the M-PESA protocol.
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
export { formatEatTimestamp, parseEatTimestamp } from './eat-time.ts';
export { isPlausibleReceipt, makeReceipt } from './receipt.ts';
export type { RefusalReason } from './refusals.ts';
export { describeResult, RESULT_CODES, type ResultCode } from './result-codes.ts';
