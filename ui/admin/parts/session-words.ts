// What happened to a live session, in plain words: why, and what its router answered.
import type { Session } from '../types.ts';

const WHY: Record<string, string> = {
  unknown_user: 'Its user name is no longer known.',
  disabled: 'Its access was switched off.',
  suspended: 'The subscriber was suspended.',
  no_entitlement: 'No plan is running.',
  expired: 'The plan’s time is over.',
  quota_used: 'The plan’s data is used up.',
  online_time_used: 'The plan’s online time is used up.',
  revoked: 'A plan was taken back.',
  cancelled: 'A plan was taken back.',
  other_router: 'It may not be at this router.',
  outside_hours: 'The plan is for other hours of the day.',
  not_yet: 'The plan has not started yet.',
  too_many_devices: 'More devices were online than the plan allows.',
  replaced_by_device: 'Another device took its place.',
  next_entitlement: 'The next plan needs a new sign-in.',
  credential_changed: 'The user name’s password, address or router was changed.',
  paid: 'A plan was paid for.',
  active: 'The subscriber is active again.',
  extended: 'The plan was extended.',
  clock_corrected: 'The clock of this box was put right.',
  fair_use: 'The data at full speed is used up.',
  plan_changed: 'The plan’s speed was changed.',
  plan_lowered: 'The plan was made slower.',
  rolling_over: 'The next plan took over.',
  heard_late: 'The router told of it late.',
  signed_out: 'It had been told to end before.',
};

/** The names that RADIUS gives to causes (RFC 5176 §3.5), as far as people can do something with them. */
const CAUSES: Record<string, string> = {
  'Session-Context-Not-Found': 'it does not know this session',
  'Session-Context-Not-Removable': 'it cannot end this session',
  'Unsupported-Attribute': 'it cannot change what was asked',
  'Missing-Attribute': 'it misses something in the request',
  'Administratively-Prohibited': 'its settings do not allow it',
};

/**
 * A detail as it is kept, `plan_lowered: The router refused (Session-Context-Not-Found).`, as sentences. That the router
 * agreed is left out: the headline above says so.
 */
export function plainDetail(detail: string | null): string {
  if (detail === null) return '';
  const [, code = '', rest = ''] = /^([a-z_]+)(?:: (.*))?$/s.exec(detail) ?? [];
  const told = rest.replace(/^The router agreed\.$/, '');
  const words = Object.hasOwn(WHY, code) ? `${WHY[code]} ${told}`.trim() : detail;
  return words.replace(/\(([A-Z][A-Za-z-]+)\)/g, (whole, cause: string) =>
    Object.hasOwn(CAUSES, cause) ? `(${CAUSES[cause]})` : whole,
  );
}

const CHANGES: Record<NonNullable<Session['change_state']>, string> = {
  ack: 'New limits reached the live session',
  nak: 'The router refused the session’s new limits',
  timeout: 'The router did not answer when it was told the session’s new limits',
  failed: 'The session’s new limits could not be sent',
};

/** What became of the last change of speed or end; undefined when there was none. */
export function changeAnswer(session: Pick<Session, 'change_state'>): string | undefined {
  return session.change_state === null ? undefined : CHANGES[session.change_state];
}

/** What ended a session by its router's word (RFC 2866 §5.10, as RouterOS uses it), for one line of a list. */
const ENDS: Record<string, string> = {
  'User-Request': 'signed out',
  'Lost-Carrier': 'device went away',
  'Lost-Service': 'line was lost',
  'Idle-Timeout': 'idle too long',
  'Session-Timeout': 'time was over',
  'Admin-Reset': 'ended by the operator',
  'Admin-Reboot': 'router restarted',
  'NAS-Error': 'router had an error',
  'NAS-Request': 'data was used up',
  'NAS-Reboot': 'router restarted',
  'Port-Preempted': 'another session took over',
  'Service-Unavailable': 'service was not there',
};

/** The same in plain words; a cause without words of its own as RADIUS names it, `closed` where the router told none. */
export function endWords(cause: string | null): string {
  if (cause === null) return 'closed';
  return Object.hasOwn(ENDS, cause) ? (ENDS[cause] as string) : cause;
}
