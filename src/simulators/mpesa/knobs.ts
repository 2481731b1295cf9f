// Lists everything about the simulated M-PESA that can be turned while it runs.
import { FAULTS, type FaultName } from './faults.ts';

/** One setting that only holds for matching pushes and payments by hand; with `times`, only for that many of them. */
export type Rule = {
  match: { msisdn?: string; amount_shillings?: number; account_reference?: string; shortcode?: string };
  set: Partial<Omit<Knobs, 'rules'>>;
  times?: number;
};

export type Knobs = {
  token_ttl_seconds: number;
  /** JSON type of expires_in: both were seen. */
  expires_in_as: 'string' | 'number';
  /** The FAQ says a new token kills the one before. */
  token_invalidates_previous: boolean;
  oauth_error: FaultName | null;
  /** How wrong keys are refused: the exact form is not documented. */
  oauth_bad_keys_as: FaultName;
  /** Refuse the next calls that carry a good bearer, one by one in these shapes. */
  bearer_faults: FaultName[];
  /** Share (0–1) of calls with a good bearer that are refused in a random token shape. */
  bearer_fault_rate: number;

  accept_delay_ms: number;
  /** Cut the connection: `before_accept` sends no prompt, `after_accept` does. */
  drop: 'before_accept' | 'after_accept' | null;
  stk_error: FaultName | null;
  /** One live prompt a phone. */
  subscriber_lock: boolean;
  /** Same phone and amount within so many seconds of a payment ends in 17; 0 is off. Daraja documents 120. */
  same_amount_seconds: number;
  /** A longer prompt ends in 1025. */
  prompt_text_limit: number;
  require_https_callbacks: boolean;

  /** `person`: the phone page or `answer()` decides; `forever`: never decided; else a result code, "0" pays. */
  outcome: string;
  outcome_delay_ms: number;
  /** How long an untouched prompt stays on the phone before 1037. */
  prompt_life_ms: number;
  /** When 1037 comes for an ignored prompt, counted from its sending (26 s was seen). */
  no_answer_ms: number;

  callback_delay_ms: number;
  /** 0: the callback is lost. */
  callback_count: number;
  callback_concurrent: boolean;
  /** Keep callbacks back until `release()`: the late ones. */
  callback_held: boolean;
  /** Send the callback before the answer to the push. */
  callback_before_response: boolean;
  callback_amount_shillings: number | null;
  callback_result_code: string | null;
  /** Value of the Businessshortcode header when it is not the merchant's. */
  callback_shortcode: string | null;
  callback_shortcode_header: boolean;
  callback_balance: 'no_value' | 'value' | 'absent';
  callback_shuffle: boolean;
  /** `decimal` writes Amount as 20.00 in the raw bytes; `string` makes every value a string. */
  callback_types: 'number' | 'decimal' | 'string';
  callback_phone: 'full' | 'masked' | 'absent';
  callback_receipt: boolean;
  /** Sent instead of the callback's body. */
  callback_body: string | null;
  callback_headers: Record<string, string>;
  callback_timeout_ms: number;

  /** What the query says while nothing is decided: all three were seen. */
  query_pending_as: '4999' | 'processing_empty' | 'processing';
  query_error: FaultName | null;
  query_drop: boolean;
  /** Share (0–1) of queries answered with 500.001.1001 even after the decision (seen: 4 of 19). */
  query_noise_rate: number;
  /** Answer queries of decided prompts with this code instead: a query that disagrees with the callback. */
  query_result_code: string | null;

  /** Production takes C2B addresses once, then says "Urls are already registered."; the sandbox takes them again. */
  c2b_register_once: boolean;
  c2b_register_error: FaultName | null;
  /** External validation, which Safaricom switches on by request. */
  c2b_validation: boolean;
  c2b_validation_timeout_ms: number;
  /** A payment by STK is told by C2B too, when addresses are registered. */
  c2b_for_stk: boolean;
  c2b_delay_ms: number;
  /** 0: the confirmation is lost. */
  c2b_count: number;
  c2b_concurrent: boolean;
  /** Keep confirmations back until `releaseConfirmation()`. */
  c2b_held: boolean;
  /** `by_version`: hash for v1, mask for v2. */
  c2b_msisdn: 'by_version' | 'full' | 'absent';
  /** `2547 ***** 126` or `25470****149`. */
  c2b_mask: 'spaced' | 'tight';
  /** A till's notice was captured with the first name alone. */
  c2b_till_names: 'first_only' | 'all';
  /** TransactionType of a till: captured, and as in the documents. */
  c2b_till_type: 'Customer Merchant Payment' | 'Buy Goods';
  /** Which number a till's notice names (not documented). */
  c2b_till_shortcode: 'till' | 'store';
  c2b_types: 'string' | 'number';
  c2b_amount_shillings: number | null;
  c2b_shortcode: string | null;
  /** Sent instead of the body of validations and confirmations. */
  c2b_body: string | null;
  c2b_headers: Record<string, string>;

  pull_error: FaultName | null;
  /** Rows of a page; the real size is not documented. */
  pull_page_size: number;
  /** A payment is not pulled before it is so old. */
  pull_delay_ms: number;
  /** Never pulled: for rules. */
  pull_hidden: boolean;
  /** Share (0–1) of payments that are never pulled. */
  pull_gap_rate: number;
  pull_includes_stk: boolean;
  /** Tell of money sent back as rows of their own; whether Daraja does, nobody has documented. */
  pull_reversals: boolean;
  pull_msisdn: 'full' | 'masked' | 'absent';
  /** "Response Status" as in old captures, or ResponseStatus. */
  pull_spaced_keys: boolean;
  /** Answer every page with the first one. */
  pull_ignores_offset: boolean;

  /** Of status, reversal and balance, before anything is accepted. */
  initiator_error: FaultName | null;
  initiator_drop: 'before_accept' | 'after_accept' | null;
  initiator_delay_ms: number;
  /** `timeout`: the QueueTimeOutURL is told instead; `none`: nobody is told. */
  initiator_reply: 'result' | 'timeout' | 'none';
  initiator_count: number;
  /** Result code of every request, such as 21, 26 or 8006, and nothing is done. */
  initiator_result_code: string | null;
  /** So many wrong credentials lock the initiator (8006); 0 never. */
  initiator_lock_after: number;
  /** JSON type of ResultType and ResultCode. */
  result_types: 'number' | 'string';
  /** Leave the fields of a status result out, by key. */
  status_missing: string[];
  /** DebitPartyName comes twice in the documents. */
  status_debit_twice: boolean;
  /** TransactionStatus of every transaction found. */
  status_as: string | null;
  /** Result code for a receipt that is not there (not documented). */
  status_unknown_code: string;
  /** What the organisation had before the first payment. */
  org_opening_shillings: number;
  /** The money has gone to the bank: reversals fail with 1. */
  org_settled: boolean;
  qr_error: FaultName | null;

  statement_msisdn: 'full' | 'masked';
  statement_preamble: boolean;

  rules: Rule[];
};

export const DEFAULT_KNOBS: Readonly<Knobs> = {
  token_ttl_seconds: 3599,
  expires_in_as: 'string',
  token_invalidates_previous: true,
  oauth_error: null,
  oauth_bad_keys_as: 'bad_keys_empty',
  bearer_faults: [],
  bearer_fault_rate: 0,
  accept_delay_ms: 0,
  drop: null,
  stk_error: null,
  subscriber_lock: true,
  same_amount_seconds: 0,
  prompt_text_limit: 182,
  require_https_callbacks: false,
  outcome: 'person',
  outcome_delay_ms: 0,
  prompt_life_ms: 60_000,
  no_answer_ms: 26_000,
  callback_delay_ms: 1000,
  callback_count: 1,
  callback_concurrent: false,
  callback_held: false,
  callback_before_response: false,
  callback_amount_shillings: null,
  callback_result_code: null,
  callback_shortcode: null,
  callback_shortcode_header: true,
  callback_balance: 'no_value',
  callback_shuffle: false,
  callback_types: 'number',
  callback_phone: 'full',
  callback_receipt: true,
  callback_body: null,
  callback_headers: {},
  callback_timeout_ms: 10_000,
  query_pending_as: '4999',
  query_error: null,
  query_drop: false,
  query_noise_rate: 0,
  query_result_code: null,
  c2b_register_once: false,
  c2b_register_error: null,
  c2b_validation: false,
  c2b_validation_timeout_ms: 8000,
  c2b_for_stk: true,
  c2b_delay_ms: 1000,
  c2b_count: 1,
  c2b_concurrent: false,
  c2b_held: false,
  c2b_msisdn: 'by_version',
  c2b_mask: 'spaced',
  c2b_till_names: 'first_only',
  c2b_till_type: 'Customer Merchant Payment',
  c2b_till_shortcode: 'till',
  c2b_types: 'string',
  c2b_amount_shillings: null,
  c2b_shortcode: null,
  c2b_body: null,
  c2b_headers: {},
  pull_error: null,
  pull_page_size: 100,
  pull_delay_ms: 0,
  pull_hidden: false,
  pull_gap_rate: 0,
  pull_includes_stk: true,
  pull_reversals: false,
  pull_msisdn: 'full',
  pull_spaced_keys: true,
  pull_ignores_offset: false,
  initiator_error: null,
  initiator_drop: null,
  initiator_delay_ms: 500,
  initiator_reply: 'result',
  initiator_count: 1,
  initiator_result_code: null,
  initiator_lock_after: 3,
  result_types: 'number',
  status_missing: [],
  status_debit_twice: true,
  status_as: null,
  status_unknown_code: 'R000002',
  org_opening_shillings: 0,
  org_settled: false,
  qr_error: null,
  statement_msisdn: 'masked',
  statement_preamble: true,
  rules: [],
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isFaultName = (value: unknown) => typeof value === 'string' && Object.hasOwn(FAULTS, value);
const oneOf =
  (...allowed: unknown[]) =>
  (value: unknown) =>
    allowed.includes(value);
const isFlag = (value: unknown) => value === true || value === false;
const isText = (value: unknown) => typeof value === 'string';
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const isRate = (value: unknown) => typeof value === 'number' && value >= 0 && value <= 1;
const orNull = (check: (value: unknown) => boolean) => (value: unknown) => value === null || check(value);
const isCode = (value: unknown) => typeof value === 'string' && /^[A-Za-z0-9_]{1,20}$/.test(value);

const isHeaders = (value: unknown) => isObject(value) && Object.values(value).every(isText);

const CHECKS: { [K in keyof Knobs]: (value: unknown) => boolean } = {
  token_ttl_seconds: isCount,
  expires_in_as: oneOf('string', 'number'),
  token_invalidates_previous: isFlag,
  oauth_error: orNull(isFaultName),
  oauth_bad_keys_as: isFaultName,
  bearer_faults: (value) => Array.isArray(value) && value.every(isFaultName),
  bearer_fault_rate: isRate,
  accept_delay_ms: isCount,
  drop: oneOf('before_accept', 'after_accept', null),
  stk_error: orNull(isFaultName),
  subscriber_lock: isFlag,
  same_amount_seconds: isCount,
  prompt_text_limit: isCount,
  require_https_callbacks: isFlag,
  outcome: isCode,
  outcome_delay_ms: isCount,
  prompt_life_ms: isCount,
  no_answer_ms: isCount,
  callback_delay_ms: isCount,
  callback_count: isCount,
  callback_concurrent: isFlag,
  callback_held: isFlag,
  callback_before_response: isFlag,
  callback_amount_shillings: orNull((value) => typeof value === 'number'),
  callback_result_code: orNull(isCode),
  callback_shortcode: orNull(isText),
  callback_shortcode_header: isFlag,
  callback_balance: oneOf('no_value', 'value', 'absent'),
  callback_shuffle: isFlag,
  callback_types: oneOf('number', 'decimal', 'string'),
  callback_phone: oneOf('full', 'masked', 'absent'),
  callback_receipt: isFlag,
  callback_body: orNull(isText),
  callback_headers: isHeaders,
  callback_timeout_ms: isCount,
  query_pending_as: oneOf('4999', 'processing_empty', 'processing'),
  query_error: orNull(isFaultName),
  query_drop: isFlag,
  query_noise_rate: isRate,
  query_result_code: orNull(isCode),
  c2b_register_once: isFlag,
  c2b_register_error: orNull(isFaultName),
  c2b_validation: isFlag,
  c2b_validation_timeout_ms: isCount,
  c2b_for_stk: isFlag,
  c2b_delay_ms: isCount,
  c2b_count: isCount,
  c2b_concurrent: isFlag,
  c2b_held: isFlag,
  c2b_msisdn: oneOf('by_version', 'full', 'absent'),
  c2b_mask: oneOf('spaced', 'tight'),
  c2b_till_names: oneOf('first_only', 'all'),
  c2b_till_type: oneOf('Customer Merchant Payment', 'Buy Goods'),
  c2b_till_shortcode: oneOf('till', 'store'),
  c2b_types: oneOf('string', 'number'),
  c2b_amount_shillings: orNull((value) => typeof value === 'number'),
  c2b_shortcode: orNull(isText),
  c2b_body: orNull(isText),
  c2b_headers: isHeaders,
  pull_error: orNull(isFaultName),
  pull_page_size: (value) => isCount(value) && value !== 0,
  pull_delay_ms: isCount,
  pull_hidden: isFlag,
  pull_gap_rate: isRate,
  pull_includes_stk: isFlag,
  pull_reversals: isFlag,
  pull_msisdn: oneOf('full', 'masked', 'absent'),
  pull_spaced_keys: isFlag,
  pull_ignores_offset: isFlag,
  initiator_error: orNull(isFaultName),
  initiator_drop: oneOf('before_accept', 'after_accept', null),
  initiator_delay_ms: isCount,
  initiator_reply: oneOf('result', 'timeout', 'none'),
  initiator_count: isCount,
  initiator_result_code: orNull(isCode),
  initiator_lock_after: isCount,
  result_types: oneOf('number', 'string'),
  status_missing: (value) => Array.isArray(value) && value.every(isText),
  status_debit_twice: isFlag,
  status_as: orNull(isText),
  status_unknown_code: isCode,
  org_opening_shillings: isCount,
  org_settled: isFlag,
  qr_error: orNull(isFaultName),
  statement_msisdn: oneOf('full', 'masked'),
  statement_preamble: isFlag,
  rules: (value) => Array.isArray(value) && value.every((rule) => findRuleProblem(rule) === undefined),
};

const MATCHABLE = ['msisdn', 'amount_shillings', 'account_reference', 'shortcode'];

function findRuleProblem(rule: unknown): string | undefined {
  if (!isObject(rule) || !isObject(rule.match) || !isObject(rule.set))
    return 'a rule is {match, set, times?}';
  if (rule.times !== undefined && !isCount(rule.times)) return 'times must be a whole number';
  const stranger = Object.keys(rule.match).find((name) => !MATCHABLE.includes(name));
  if (stranger) return `rules cannot match ${stranger}`;
  if ('rules' in rule.set) return 'a rule cannot set rules';
  return findKnobsProblem(rule.set);
}

/** What is wrong with a change of knobs; undefined when it can be applied. */
export function findKnobsProblem(patch: unknown): string | undefined {
  if (!isObject(patch)) return 'knobs are a JSON object';
  for (const [name, value] of Object.entries(patch)) {
    if (!Object.hasOwn(CHECKS, name)) return `there is no knob ${name}`;
    if (name === 'rules' && Array.isArray(value)) {
      const problem = value.map(findRuleProblem).find((found) => found !== undefined);
      if (problem) return problem;
    }
    if (!CHECKS[name as keyof Knobs](value)) return `${name} cannot be ${JSON.stringify(value)}`;
  }
  return undefined;
}
