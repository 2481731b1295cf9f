// Lists everything about the simulated M-PESA that can be turned while it runs.
import { FAULTS, type FaultName } from './faults.ts';

/** One setting that only holds for matching pushes; with `times`, only for that many of them. */
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
  rules: [],
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isFaultName = (value: unknown) => typeof value === 'string' && Object.hasOwn(FAULTS, value);
const oneOf =
  (...allowed: unknown[]) =>
  (value: unknown) =>
    allowed.includes(value);
const isText = (value: unknown) => typeof value === 'string';
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const isRate = (value: unknown) => typeof value === 'number' && value >= 0 && value <= 1;
const orNull = (check: (value: unknown) => boolean) => (value: unknown) => value === null || check(value);
const isCode = (value: unknown) => typeof value === 'string' && /^[A-Za-z0-9_]{1,20}$/.test(value);

const CHECKS: { [K in keyof Knobs]: (value: unknown) => boolean } = {
  token_ttl_seconds: isCount,
  expires_in_as: oneOf('string', 'number'),
  token_invalidates_previous: oneOf(true, false),
  oauth_error: orNull(isFaultName),
  oauth_bad_keys_as: isFaultName,
  bearer_faults: (value) => Array.isArray(value) && value.every(isFaultName),
  bearer_fault_rate: isRate,
  accept_delay_ms: isCount,
  drop: oneOf('before_accept', 'after_accept', null),
  stk_error: orNull(isFaultName),
  subscriber_lock: oneOf(true, false),
  same_amount_seconds: isCount,
  prompt_text_limit: isCount,
  require_https_callbacks: oneOf(true, false),
  outcome: isCode,
  outcome_delay_ms: isCount,
  prompt_life_ms: isCount,
  no_answer_ms: isCount,
  callback_delay_ms: isCount,
  callback_count: isCount,
  callback_concurrent: oneOf(true, false),
  callback_held: oneOf(true, false),
  callback_before_response: oneOf(true, false),
  callback_amount_shillings: orNull((value) => typeof value === 'number'),
  callback_result_code: orNull(isCode),
  callback_shortcode: orNull(isText),
  callback_shortcode_header: oneOf(true, false),
  callback_balance: oneOf('no_value', 'value', 'absent'),
  callback_shuffle: oneOf(true, false),
  callback_types: oneOf('number', 'decimal', 'string'),
  callback_phone: oneOf('full', 'masked', 'absent'),
  callback_receipt: oneOf(true, false),
  callback_body: orNull(isText),
  callback_headers: (value) => isObject(value) && Object.values(value).every(isText),
  callback_timeout_ms: isCount,
  query_pending_as: oneOf('4999', 'processing_empty', 'processing'),
  query_error: orNull(isFaultName),
  query_drop: oneOf(true, false),
  query_noise_rate: isRate,
  query_result_code: orNull(isCode),
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
