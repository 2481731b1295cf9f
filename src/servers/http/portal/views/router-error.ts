// What the router's refusal means to the guest who reads it.

export type RouterError =
  | 'wrong_password'
  | 'expired'
  | 'no_plan'
  | 'outside_hours'
  | 'not_yet'
  | 'quota_used'
  | 'too_many_devices'
  | 'locked_out'
  | 'not_answering'
  | 'full'
  | 'not_allowed'
  | 'try_again'
  | 'other';

/**
 * The router's own sentences (errors.txt of RouterOS 6 and 7) and the Reply-Message of an Access-Reject,
 * which RouterOS passes on as the error. The first that fits wins, so the narrow ones stand first.
 */
const MEANINGS: [RegExp, RouterError][] = [
  [/plan starts on \d|not started yet/i, 'not_yet'],
  [/works from \d|other hours/i, 'outside_hours'],
  [/too many wrong/i, 'locked_out'],
  [
    /no more sessions|too many (sessions|devices)|session limit reached for|another device|already (in use|logged)/i,
    'too_many_devices',
  ],
  [/traffic limit|quota|data (is |was )?(used|finished|over|up)|used up.*data/i, 'quota_used'],
  [/uptime limit|expired|time (is |was )?(used|finished|over|up)|used up/i, 'expired'],
  [/no (valid |active )?(plan|entitlement)/i, 'no_plan'],
  [/not responding|no response|timeout|timed out/i, 'not_answering'],
  [/no more free addresses|session limit|license/i, 'full'],
  [/already authorizing|challenge response|shutting down|not logged in/i, 'try_again'],
  [
    /not (allowed|possible here)|disabled|switched off|withdrawn|cancelled|blocked|suspended|not yours/i,
    'not_allowed',
  ],
  [/invalid|incorrect|wrong|password|unknown|not found|does not exist/i, 'wrong_password'],
];

/** The kind of refusal in the `error` (or `error-orig`) text; `other` when no list knows it. */
export function routerError(error: string): RouterError {
  return MEANINGS.find(([pattern]) => pattern.test(error))?.[1] ?? 'other';
}
